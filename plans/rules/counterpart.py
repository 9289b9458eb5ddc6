"""Whose terms may stand in for whose: what `counterpart` of a component needs of the component that it names."""

from __future__ import annotations

from dataclasses import dataclass

from plans.rules.about import About, by_period
from plans.rules.compiled import Component, Unit
from plans.rules.forms import table_of
from plans.rules.values import Document

#: The kinds whose lines are rated by terms that another's lines can be rated by.
KINDS = ("commission", "bonus", "incentive")


@dataclass(frozen=True, slots=True)
class Needs:
    """What a component's terms are about, what they go by, and what it has for terms to go by."""

    kind: str | None
    unit: Unit | None
    credit_unit: Unit
    by_size: bool
    by_period: bool
    by_quota: bool
    on_target: bool
    reads: bool
    quota: bool
    incentive: bool


def needs_of(component: Component) -> Needs:
    tiers, curve, bonus, modifiers = component.tiers, component.curve, component.bonus, component.modifiers
    return Needs(
        kind=component.kind,
        unit=component.measure.unit,
        credit_unit=component.credit_unit,
        by_size=component.accelerator is not None or (bonus is not None and bonus.min_deal is not None),
        by_period=component.measure.by == "period",
        by_quota=(tiers is not None and (tiers.axis == "attainment" or tiers.pays == "times"))
        or (curve is not None and curve.axis == "attainment")
        or (bonus is not None and bonus.per == "measure_period"),
        on_target=(tiers is not None and tiers.pays == "times") or (curve is not None and curve.pays == "share"),
        reads=(tiers is not None and tiers.columns is not None)
        or any(each.read is not None for each in (modifiers.each if modifiers is not None else ())),
        quota=component.quota is not None or component.quota_fixed is not None,
        incentive=component.incentive is not None,
    )


def needs_of_document(row: Document, known: About) -> Needs:
    """As far as a document says it that may be wrong anywhere."""
    tiers, curve, bonus = (table_of(row.get(key)) for key in ("tiers", "curve", "bonus"))
    each = table_of(row.get("modifiers")).get("each")
    return Needs(
        kind=row.get("kind"),
        unit=known.unit(row),
        credit_unit=known.credit_unit(row),
        by_size=row.get("accelerator") is not None or "min_deal" in bonus,
        by_period=by_period(row),
        by_quota=bool(tiers)
        and (tiers.get("axis", "attainment") == "attainment" or tiers.get("pays") == "times")
        or curve.get("axis") == "attainment"
        or bonus.get("per") == "measure_period",
        on_target=tiers.get("pays") == "times" or curve.get("pays") == "share",
        reads="columns" in tiers or any("reads" in table_of(one) for one in (each if isinstance(each, list) else [])),
        quota=row.get("quota") is not None,
        incentive="incentive" in row,
    )


def unlike(mine: Needs, theirs: Needs) -> str | None:
    """Why lines of one component cannot be rated by the terms of another; None where they can."""
    if theirs.kind not in KINDS:
        return f"it is a {theirs.kind}, and only a commission, a bonus or an incentive has such terms"
    if mine.unit != theirs.unit:
        return f"it measures {theirs.unit}, and this one {mine.unit}"
    if theirs.by_size and mine.credit_unit != theirs.credit_unit:
        return f"its terms go by the size of a deal in {theirs.credit_unit}, and credit here is in {mine.credit_unit}"
    if mine.by_period != theirs.by_period:
        return "one is measured by credit, the other by period"
    if theirs.reads:
        return "its terms read another component (columns or modifiers with `reads`)"
    if theirs.by_quota and not mine.quota:
        return "its terms go by a quota, and this component has none"
    if theirs.on_target and not mine.incentive:
        return "its terms go by a target incentive, and this component has none"
    return None
