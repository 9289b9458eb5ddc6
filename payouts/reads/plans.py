"""Plan versions as compiled values, and the words of their rates, for pages that explain figures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from comp.core.money import format_money
from payouts.kernel.say import percent_text
from payouts.kernel.slices import flat_tier, slices, tier_of
from plans.models import PlanVersion
from plans.rules.compile import compile_plan
from plans.rules.compiled import (
    CompiledPlan,
    Component,
    CreditRule,
    Tier,
)
from plans.rules.compiled_pay import Tranche
from plans.rules.phrases import named
from plans.rules.specialise import stated
from plans.rules.values import number_text
from plans.rules.words_pay import trigger_words as plan_words

#: What is measured in anything but money is stored in these.
MILLIONTHS = 1_000_000


@dataclass(frozen=True, slots=True)
class Version:
    """A plan version: its number, its plan's id, key and name, and what it says."""

    id: int
    plan_id: int
    key: str
    name: str
    number: int
    says: CompiledPlan

    def component(self, key: str) -> Component:
        return next(component for component in self.says.components if component.key == key)

    def rule(self, key: str) -> CreditRule:
        return next(rule for rule in self.says.credit_rules if rule.key == key)

    def __str__(self) -> str:
        return f"{self.name}, version {self.number}"


def versions(ids: Iterable[int]) -> dict[int, Version]:
    """Version id to version, in one query."""
    rows = PlanVersion.objects.filter(pk__in=set(ids)).select_related("plan")
    return {row.pk: version_of(row) for row in rows}


def version_of(row: PlanVersion) -> Version:
    return Version(row.pk, row.plan_id, row.plan.key, row.plan.name, row.number, _compiled(row.document))


@lru_cache(maxsize=256)
def _compiled(document: str) -> CompiledPlan:
    # The text is the key: a published version never changes, a draft that did is another text.
    return compile_plan(json.loads(document))


def rate_words(plan: CompiledPlan, component: Component, line: Mapping[str, Any], total: int) -> str:
    """The rate at which a line earns: `8%`, `8% and 12%` across a tier, `8% × 1.25` for a large deal, `bonus`.

    `line` has before_minor, after_minor, quota_minor and band, as earnings and the traces of batch lines name them;
    `total` is the measure's final total, which only proportional attribution reads.
    """
    if not rated_plainly(component) or not same_for_all(plan, component):
        return what_pays(component)
    before, after = line.get("before_minor"), line.get("after_minor")
    if before is None or after is None:
        return ""
    parts = slices(component, before, after, line["quota_minor"], total)
    rates = list(dict.fromkeys(percent_text(part.rate) for part in parts))
    text = " and ".join(rates)
    if component.accelerator is not None and line["band"] is not None and line["band"] >= 0 and text:
        times = component.accelerator.bands[line["band"]].times
        if times != 1:
            text += f" × {number_text(times)}"
    if text and (component.modifiers is not None or component.kickers):
        text += ", with factors" if component.modifiers is not None else ", with extras"
    return text


def rated_plainly(component: Component) -> bool:
    """Whether a line's own running totals and quota say its rates: tiers of percentages, without a matrix, a year's
    moving quota, a gate that takes accelerators away or a counterpart."""
    tiers = component.tiers
    if (
        component.counterpart is not None
        or tiers is None
        or tiers.pays != "rate"
        or tiers.columns is not None
        or component.measure.by != "credit"
    ):
        return False
    plain_gates = all(gate.effect != "no_accelerators" for gate in component.gates)
    return component.measure.window == "discrete" and component.measure.unit == "money" and plain_gates


def same_for_all(plan: CompiledPlan, component: Component) -> bool:
    """Whether no override changes the component for anybody, nor the days that somebody is there its bounds."""
    if plan.proration is not None and "tiers" in plan.proration.of:
        return False
    return sum(each.key == component.key for each in stated(plan)) == 1


def what_pays(component: Component) -> str:
    """In a word or two, what gives a line its pay where no rate alone says it."""
    if component.bonus is not None:
        return "bonus"
    if component.table is not None:
        return "rate table"
    if component.curve is not None:
        return "target pay" if component.kind == "incentive" else "result"
    return "tiers" if component.tiers is not None else component.kind


def measured_words(component: Component, value: int, currency: str) -> str:
    """A measure's total or quota for people: money, or what is counted (stored in millionths)."""
    if component.measure.unit == "money":
        return format_money(value, currency)
    if component.measure.unit == "share":
        return percent_text(Fraction(value, MILLIONTHS))
    return number_text(Fraction(value, MILLIONTHS))


def tier_words(plan: CompiledPlan, component: Component, total: int | None, quota: int | None) -> str:
    """The tier that a running total stands in: `12% from 100%`; for a bonus what it pays."""
    if not same_for_all(plan, component):
        return what_pays(component)
    if component.bonus is not None:
        return f"{format_money(component.bonus.amount, plan.currency)} {bonus_words(component)}"
    tiers = component.tiers
    if tiers is None or tiers.mode == "each":
        return what_pays(component)
    flat = flat_tier(component, quota) if tiers.axis == "attainment" else None
    if flat is None:
        if tiers.axis == "attainment" and not quota:
            return "waits for its quota" if quota is None and component.missing_quota == "wait" else ""
        if total is None or (tiers.axis != "attainment" and component.measure.unit != "money"):
            return ""
        if component.limit_attainment is not None and quota:
            total = min(total, int(component.limit_attainment * quota))
        flat = tier_of(tiers, total, quota or 0)
    return tier_label(component, tiers.rates[flat], plan.currency)


def tier_label(component: Component, tier: Tier, currency: str) -> str:
    """`12% from 100%`, `$5.00 a unit from 40`; of a matrix, whose rate others decide, `the tier from 100%`."""
    tiers = component.tiers
    assert tiers is not None
    if tiers.axis == "attainment":
        start = percent_text(tier.start)
    else:
        start = format_money(int(tier.start), currency) if tiers.axis == "amount" else number_text(tier.start)
    if tiers.columns is not None:
        return f"the tier from {start}"
    if tiers.pays == "times":
        return f"{number_text(tier.rate)} times from {start}"
    if tiers.pays == "per_unit":
        return f"{format_money(int(tier.rate), currency)} a unit from {start}"
    return f"{percent_text(tier.rate)} from {start}"


def bonus_words(component: Component) -> str:
    """When a bonus pays: `per deal` or `from 100%`."""
    assert component.bonus is not None
    return "per deal" if component.bonus.at is None else f"from {percent_text(component.bonus.at)}"


def trigger_words(trigger: str) -> str:
    """A tranche's trigger for people: `go-live`, `75% usage`."""
    if trigger.startswith("usage "):
        return f"{trigger.removeprefix('usage ')} usage"
    if trigger == "credit_date":
        return "its date"
    return trigger if trigger == "go-live" else named(trigger)


def trigger_word(entry: Tranche) -> str:
    """How a release entry's trigger stands in the table: `go-live`, `usage 75%`, `credit_date`."""
    if entry.on != "usage" or entry.at is None:
        return entry.on
    percent = entry.at * 100
    return (
        f"usage {percent.numerator}%"
        if percent.denominator == 1
        else f"usage {percent.numerator / percent.denominator:f}".rstrip("0") + "%"
    )


def releases(plan: CompiledPlan, key: str) -> tuple[tuple[Tranche, ...], ...]:
    """The releases of a component: what the plan states for all, then what overrides state for some."""
    return tuple(dict.fromkeys(each.release for each in stated(plan) if each.key == key))


def release_words(entry: Tranche) -> str:
    """The same of a release entry: `75% usage`, `2 months after signature`, `the end of the period`."""
    if entry.after is not None or entry.on in ("date", "period_end", "paid"):
        return plan_words(entry).removeprefix("at ")
    return trigger_words(entry.on) if entry.at is None else f"{percent_text(entry.at)} usage"
