"""A checked document becomes frozen values that the kernels read."""

from __future__ import annotations

from typing import Any

from comp.core.canonical import canonical_json, digest
from comp.core.errors import ProblemsError
from comp.core.money import minor_digits, parse_money
from plans.rules.about import About, about, amount_unit
from plans.rules.checks import check, errors
from plans.rules.compile_components import Maker, day, percent
from plans.rules.compiled import (
    CompiledPlan,
    CreditRule,
    Override,
    RoleShare,
    RollUp,
    ShareBy,
)
from plans.rules.compiled_pay import (
    ClawbackLimit,
    Currencies,
    Draw,
    EmploymentRules,
    PaymentCap,
    PlanCap,
    Proration,
    Recovery,
    Settlement,
)
from plans.rules.conditions import compile_condition
from plans.rules.expressions import compile_computed
from plans.rules.fields import field_types, with_deal
from plans.rules.normal import normalise
from plans.rules.values import Document, read_whole

_STEPS = {"minor": 0, "whole": 0, "tens": 1}


def compile_plan(document: Any) -> CompiledPlan:
    """The compiled form of a document, with the digest of its normal form. Raises `ProblemsError` with all errors."""
    document = normalise(document)
    problems = errors(check(document))
    if problems:
        raise ProblemsError(problems)
    return compiled(document)


def compiled(document: Document) -> CompiledPlan:
    """The compiled form of a document in normal form in which `check` found no error."""
    currency: str = document["currency"]
    digits = minor_digits(currency)
    rounding = document["rounding"]
    known = about(document)
    maker = Maker(document["key"], known)
    settlement = document.get("settlement")
    overrides = tuple(_override(row) for row in document.get("overrides", ()))
    return CompiledPlan(
        key=document["key"],
        name=document["name"],
        currency=currency,
        minor_digits=digits,
        digest=digest(document),
        round_at=rounding["at"],
        round_mode=rounding["mode"],
        round_step=1 if rounding["step"] == "minor" else 10 ** (digits + _STEPS[rounding["step"]]),
        credit_rules=tuple(_credit_rule(rule, known, currency) for rule in document["credit_rules"]),
        components=tuple(maker.component(row) for row in document["components"]),
        on_new_version=document["on_new_version"],
        computed=compile_computed(document, with_deal(field_types(document))),
        proration=Proration(**_tuples(document["proration"])) if "proration" in document else None,
        employment=EmploymentRules(**document["employment"]) if "employment" in document else None,
        caps=tuple(
            PlanCap(parse_money(row["amount"], currency), row["every"], row["excess"], tuple(row.get("components", ())))
            for row in document.get("caps", ())
        ),
        currencies=Currencies(**document["currencies"]) if "currencies" in document else None,
        overrides=overrides,
        settlement=None if settlement is None else _settlement(settlement, currency),
        document=canonical_json(document) if overrides else "",
    )


def _tuples(row: Document) -> Document:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def _credit_rule(rule: Document, known: About, currency: str) -> CreditRule:
    unit = amount_unit(rule["amount"], known.types)
    transfer = rule.get("on_transfer")
    return CreditRule(
        key=rule["key"],
        credit_class=rule["class"],
        when=compile_condition(rule["when"], known.types, currency),
        credit_date=rule["credit_date"],
        amount=rule["amount"],
        credit=tuple(_role_share(row) for row in rule["credit"]),
        roll_up=tuple(
            RollUp(tuple(row["from"]), row["to"], _whole(row["levels"]), percent(row["limit"]))
            for row in rule["roll_up"]
        ),
        fact=rule["fact"],
        unit="units" if unit == "units" else "money",
        eligible=(compile_condition(rule["eligible"], known.person_types, currency) if "eligible" in rule else None),
        hold=compile_condition(rule["hold"], known.types, currency) if "hold" in rule else None,
        limit=percent(rule["limit"]) if "limit" in rule else None,
        on_transfer=None if transfer is None else transfer["rolled"],
    )


def _role_share(row: Document) -> RoleShare:
    share, split, counts = row["share"], row.get("split", "weights"), row.get("counts_for", "both")
    if isinstance(share, str):
        return RoleShare(row["role"], percent(share), None, split, counts)
    values = tuple((value, percent(each)) for value, each in sorted(share["values"].items()))
    return RoleShare(row["role"], percent("0%"), ShareBy(share["by"], values, percent(share["else"])), split, counts)


def _override(row: Document) -> Override:
    ((attribute, value),) = row["for"].items()
    return Override(attribute, value, tuple((path, canonical_json(item)) for path, item in sorted(row["set"].items())))


def _settlement(row: Document, currency: str) -> Settlement:
    holdback, minimum, limit = (row.get(key) for key in ("holdback", "minimum", "clawback_limit"))
    small = row.get("small_adjustments")
    draws = [row["draw"]] if "draw" in row else row.get("draws", ())
    caps = [{**row["cap"], "per": "pay_period"}] if "cap" in row else []
    return Settlement(
        order=tuple(row["order"]),
        negative=row["negative"],
        draws=tuple(_draw(each, currency) for each in draws),
        caps=tuple(
            PaymentCap(parse_money(each["amount"], currency), each["per"], each["excess"])
            for each in (*caps, *row.get("caps", ()))
        ),
        clawback_limit=None if limit is None else _clawback_limit(limit, currency),
        small_adjustments=None if small is None else parse_money(small["below"], currency),
        holdback=None if holdback is None else percent(holdback["share"]),
        holdback_periods=0 if holdback is None else _whole(holdback["periods"]),
        minimum=None if minimum is None else parse_money(minimum["amount"], currency),
        settle_in=row.get("settle_in", "plan"),
        amounts_rate=row.get("amounts_rate"),
    )


def _draw(row: Document, currency: str) -> Draw:
    recovery = row.get("recovery")
    return Draw(
        kind=row["kind"],
        style=row["style"],
        amount=parse_money(row["amount"], currency),
        start=day(row["from"]),
        end=day(row["to"]),
        test=tuple(row.get("test", ())),
        recovery=(
            None
            if recovery is None
            else Recovery(
                percent(recovery["share"]), parse_money(recovery["keep"], currency), _whole(recovery["after_periods"])
            )
        ),
        retest=row.get("retest"),
        on_leaving=row.get("on_leaving"),
        key=row.get("key", "draw"),
        components=tuple(row.get("components", ())),
    )


def _clawback_limit(row: Document, currency: str) -> ClawbackLimit:
    keep = parse_money(row["keep"], currency)
    return ClawbackLimit(percent(row["share"]), keep, row["excess"], row.get("on_leaving"))


def _whole(value: Any) -> int:
    whole = read_whole(value)
    assert whole is not None, value
    return whole
