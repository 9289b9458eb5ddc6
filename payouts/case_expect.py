"""What a case file expects: any figure that the kernel gives, named by people, facts, components and periods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from comp.core.calendars import Period
from payouts.kernel.batch import MILLIONTHS
from plans.rules.compiled import CompiledPlan, Every
from plans.rules.look import join
from plans.rules.values import Document, read_number, read_percent

if TYPE_CHECKING:
    from payouts.case import Reader

Section = Literal[
    "credits",
    "attainment",
    "results",
    "earnings",
    "lines",
    "payables",
    "settlement",
    "draws",
    "schedules",
    "waits",
    "totals",
]
#: States of a payable that has no pay period.
STATES = ("waiting", "held", "withheld", "lost", "no_rate")
WAITING = STATES[0]
#: For each section what names a figure (required, optional), and what may be said of it: at least one of these.
SECTIONS: Mapping[Section, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "credits": (("person", "deal"), ("role", "rule"), ("amount", "units", "held")),
    "attainment": (("person", "component", "period"), (), ("total", "units", "is", "quota", "incentive")),
    "results": (("person", "component", "period"), (), ("is", "number", "amount")),
    "earnings": (("person", "component", "period"), ("deal",), ("amount", "review")),
    "lines": (
        ("person", "component"),
        ("deal", "period"),
        ("before", "after", "measured", "tier", "rounded", "earned", "review", "effective_rate", "slices"),
    ),
    "payables": (("person", "period"), ("component", "deal"), ("amount", "paid_amount")),
    "settlement": (
        ("person", "period"),
        ("plan",),
        (
            "released",
            "adjusted",
            "clawed_back",
            "brought_forward",
            "recovered",
            "capped",
            "held_back",
            "topped_up",
            "carried_forward",
            "payout",
            "draw_balance",
            "review",
            "written_off",
            "forgiven",
            "clawback_balance",
            "kept_adjustments",
        ),
    ),
    "draws": (("person", "period", "draw"), ("plan",), ("recovered", "topped_up", "written_off", "balance")),
    "schedules": (("person", "component", "month"), ("deal",), ("amount",)),
    "waits": (("deal",), (), ("reason",)),
    "totals": ((), ("person",), ("credited", "earned", "released", "payout", "review")),
}
_UNITS = ("units", "measured_units")
_WORDS = ("reason",)


@dataclass(frozen=True, slots=True)
class Expectation:
    """One row of `expect`. Indexes are places in the case; None where the row does not name it. `figures` are what is
    said: minor units, millionths for units, exact ratios for percentages and numbers, texts."""

    path: str
    section: Section
    person: int | None
    fact: int | None
    role: str | None
    rule: str | None
    component: str | None
    plan: str | None
    period: str | None
    draw: str | None
    figures: Mapping[str, Any]


def expectations(
    reader: Reader, plans: Sequence[CompiledPlan], every: Mapping[Every, Sequence[Period]], pay: Sequence[Period]
) -> tuple[Expectation, ...]:
    if "expect" not in reader.document:
        return ()
    expect = reader.look.table(reader.document["expect"], "expect", (), tuple(SECTIONS))
    known = _Known(
        components=list(dict.fromkeys(component.key for plan in plans for component in plan.components)),
        measured=[period.key for found in every.values() for period in found],
        payable=[*(period.key for period in pay), *STATES],
        months=[period.key for period in every["month"]],
        draws=draw_keys(plans),
    )
    return tuple(
        _expectation(reader, section, path, row, known)
        for section in SECTIONS
        for path, row in reader.rows(section, expect, "expect")
    )


def draw_keys(plans: Sequence[CompiledPlan]) -> list[str]:
    """The draws of all plans."""
    found = [draw.key for plan in plans if plan.settlement is not None for draw in plan.settlement.draws]
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class _Known:
    components: list[str]
    measured: list[str]
    payable: list[str]
    months: list[str]
    draws: list[str]


def _expectation(reader: Reader, section: Section, path: str, row: Any, known: _Known) -> Expectation:
    required, optional, figures = SECTIONS[section]
    table = reader.look.table(row, path, required, (*optional, *figures))
    said = [name for name in figures if name in table]
    if table and not said:
        reader.look.report(path, "nothing", " or ".join(figures), f"Say what to expect: {' or '.join(figures)}.")
    key = "month" if section == "schedules" else "period"
    periods = {
        "payables": known.payable,
        "settlement": known.payable,
        "draws": known.payable,
        "schedules": known.months,
    }
    return Expectation(
        path=path,
        section=section,
        person=reader.person(table, path),
        fact=reader.fact(table, path),
        role=reader.look.slug(table, path, "role"),
        rule=reader.look.slug(table, path, "rule"),
        component=reader.one_of(table, path, "component", known.components),
        plan=reader.look.slug(table, path, "plan"),
        period=reader.one_of(table, path, key, periods.get(section, known.measured)),
        draw=reader.one_of(table, path, "draw", known.draws),
        figures={name: _figure(reader, section, table, path, name) for name in said},
    )


def _figure(reader: Reader, section: Section, table: Document, path: str, name: str) -> Any:
    """What a row says of one figure."""
    value, place = table[name], join(path, name)
    if name == "slices":
        return tuple(
            _slice(reader, slice_path, slice_row) for slice_path, slice_row in reader.rows("slices", table, path)
        )
    if name in ("held",):
        if not isinstance(value, bool):
            reader.look.wrong(place, value, "true or false")
        return value
    if name == "tier":
        return reader.look.whole(table, path, name, 1, 50)
    if name in _WORDS:
        return value
    if name in ("is", "effective_rate"):
        return _read(reader, place, value, read_percent(value), "a percentage with at most 6 decimals, like 140%")
    if name == "number":
        return _read(reader, place, value, read_number(value), "a number with at most 6 decimals")
    if name in _UNITS or (name in ("before", "after", "measured", "quota") and "units" in str(value)):
        number = read_number(str(value).replace("units", "").strip())
        found = _read(reader, place, value, number, "a number with at most 6 decimals")
        return None if found is None else int(found * MILLIONTHS)
    own = None
    if name == "paid_amount":
        own = reader.paid_in(table)
    elif section in ("settlement", "draws"):
        own = reader.settled_in(table)
    with reader.money_in(own, place):
        return reader.look.money_value(value, place, "any")


def _slice(reader: Reader, path: str, row: Any) -> tuple[Any, Any, int | None]:
    """A part of a line at one rate: the rate (money a unit where units earn it), how much of it, what it earns."""
    table = reader.look.table(row, path, ("rate", "amount", "earns"))
    rate: Any = read_percent(table.get("rate"))
    if rate is None and "rate" in table:
        rate = reader.look.money_value(table["rate"], join(path, "rate"), "any")
    amount: Any = None
    if "units" in str(table.get("amount")):
        number = read_number(str(table["amount"]).replace("units", "").strip())
        amount = _read(reader, join(path, "amount"), table["amount"], number, "a number with at most 6 decimals")
    elif "amount" in table:
        amount = reader.look.money_value(table["amount"], join(path, "amount"), "any")
    earns = reader.look.money_value(table["earns"], join(path, "earns"), "any") if "earns" in table else None
    return rate, amount, earns


def _read(reader: Reader, path: str, value: Any, found: Fraction | None, allowed: str) -> Fraction | None:
    if found is None:
        reader.look.wrong(path, value, allowed)
    return found
