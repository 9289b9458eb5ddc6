"""A checked document becomes frozen values that the kernels read."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from comp.core.canonical import digest
from comp.core.errors import ProblemsError
from comp.core.money import minor_digits, parse_money
from plans.rules.checks import check, errors
from plans.rules.compiled import (
    Accelerator,
    Band,
    Bonus,
    Cap,
    CompiledPlan,
    Component,
    CreditRule,
    RoleShare,
    RollUp,
    Tier,
    Tiers,
    Tranche,
)
from plans.rules.conditions import Types, compile_condition
from plans.rules.fields import field_types
from plans.rules.normal import normalise
from plans.rules.values import Document, read_number, read_percent


def compile_plan(document: Any) -> CompiledPlan:
    """The compiled form of a document, with the digest of its normal form. Raises `ProblemsError` with all errors."""
    document = normalise(document)
    problems = errors(check(document))
    if problems:
        raise ProblemsError(problems)
    currency: str = document["currency"]
    digits = minor_digits(currency)
    rounding = document["rounding"]
    types = field_types(document)
    return CompiledPlan(
        key=document["key"],
        name=document["name"],
        currency=currency,
        minor_digits=digits,
        digest=digest(document),
        round_at=rounding["at"],
        round_mode=rounding["mode"],
        round_step=1 if rounding["step"] == "minor" else 10**digits,
        credit_rules=tuple(_credit_rule(rule, types, currency) for rule in document["credit_rules"]),
        components=tuple(compile_component(component, currency) for component in document["components"]),
    )


def compile_component(component: Document, currency: str) -> Component:
    """One component of a checked document in normal form."""
    return Component(
        key=component["key"],
        name=component["name"],
        clause=component["clause"],
        kind=component["kind"],
        classes=tuple(component["credits"]["classes"]),
        roles=tuple(component["credits"]["roles"]),
        every=component["measure"]["every"],
        quota=component["quota"],
        missing_quota=component.get("missing_quota"),
        zero_quota=component.get("zero_quota"),
        below_zero=component.get("below_zero"),
        tiers=_tiers(component.get("tiers")),
        accelerator=_accelerator(component.get("accelerator"), currency),
        bonus=_bonus(component.get("bonus"), currency),
        cap=_cap(component["cap"], currency),
        release=tuple(
            Tranche(_percent(row["share"]), row["on"], _percent(row["at"]) if "at" in row else None)
            for row in component["release"]
        ),
    )


def _credit_rule(rule: Document, types: Types, currency: str) -> CreditRule:
    return CreditRule(
        key=rule["key"],
        credit_class=rule["class"],
        when=compile_condition(rule["when"], types, currency),
        credit_date=rule["credit_date"],
        amount=rule["amount"],
        credit=tuple(RoleShare(row["role"], _percent(row["share"])) for row in rule["credit"]),
        roll_up=tuple(
            RollUp(tuple(row["from"]), row["to"], row["levels"], _percent(row["limit"])) for row in rule["roll_up"]
        ),
    )


def _tiers(tiers: Document | None) -> Tiers | None:
    if tiers is None:
        return None
    return Tiers(
        mode=tiers["mode"],
        attribution=tiers.get("attribution"),
        boundary=tiers["boundary"],
        rates=tuple(Tier(_percent(row["from"]), _percent(row["rate"])) for row in tiers["rates"]),
    )


def _accelerator(accelerator: Document | None, currency: str) -> Accelerator | None:
    if accelerator is None:
        return None
    return Accelerator(
        boundary=accelerator["boundary"],
        bands=tuple(Band(parse_money(row["from"], currency), _number(row["times"])) for row in accelerator["bands"]),
    )


def _bonus(bonus: Document | None, currency: str) -> Bonus | None:
    if bonus is None:
        return None
    return Bonus(
        amount=parse_money(bonus["amount"], currency),
        per=bonus["per"],
        min_deal=parse_money(bonus["min_deal"], currency) if "min_deal" in bonus else None,
        at=_percent(bonus["at"]) if "at" in bonus else None,
        boundary=bonus.get("boundary"),
    )


def _cap(cap: Document | None, currency: str) -> Cap | None:
    return None if cap is None else Cap(parse_money(cap["amount"], currency), cap["per"])


def _percent(text: str) -> Fraction:
    value = read_percent(text)
    assert value is not None, text
    return value


def _number(text: str) -> Fraction:
    value = read_number(text)
    assert value is not None, text
    return value
