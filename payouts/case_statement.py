"""A case in words: for each person the credits, what was measured and earned and why, and what is payable when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np

from comp.core.days import day_date
from comp.core.money import NO_CURRENCY
from payouts.case_figures import STATE_NAMES
from payouts.case_report import Line, Report
from payouts.kernel.batch import MILLIONTHS, MISSING_MONEY
from payouts.kernel.explain import explain_settlement
from payouts.kernel.say import figure_text, percent_text


def statement(report: Report) -> str:
    """For each person: credits, measures and lines with their story, what is payable when, what is spread and paid."""
    case = report.case
    plans = ", ".join(dict.fromkeys(plan.name for plan in case.batch.plans))
    money = "" if case.currency == NO_CURRENCY else f" ({case.currency})"
    out = [f"{case.name or 'Case'}: {plans}{money}"]
    for person, name in enumerate(case.people):
        told = list(_person(report, person))
        if told:
            out += ["", name, *told]
    out += _waits(report)
    out += ["", *_totals(report)]
    return "\n".join(out) + "\n"


def _person(report: Report, person: int) -> Iterator[str]:
    credits = [_credit(report, row) for row in np.flatnonzero(report.result.credits.participant == person).tolist()]
    if credits:
        yield "  Credits"
        yield from credits
    mine = [line for line in report.lines if line.view.participant == person]
    for lines in _grouped(mine):
        yield from _component(report, lines)
    payable = _payable(report, mine)
    if payable:
        yield "  Payable"
        for where, amount in payable.items():
            yield f"    {where}: {report.money(amount)}"
    yield from _settlement(report, person)
    yield from _schedules(report, person)


def _credit(report: Report, row: int) -> str:
    credits = report.result.credits
    role = credits.role.vocabulary[int(credits.role.codes[row])]
    more = "".join((", rolled up", ", transferred")[int(credits.kind[row]) - 1] if credits.kind[row] else "")
    more += ", held" if credits.held is not None and credits.held[row] else ""
    day, fact = day_date(int(credits.day[row])), report.case.facts[int(credits.fact[row])]
    return f"    {day}  {fact}  as {role}  {report.credited(row)}{more}"


def _component(report: Report, lines: list[Line]) -> Iterator[str]:
    """A component and period: what was measured, then every line with its story."""
    first = lines[0]
    yield f"  {first.view.component.name}, {first.period}: {_measured(report, first)}"
    for line in lines:
        position = int(report.result.lines.position[line.view.row])
        yield f"    {position}. {line.name}: {report.money(line.earned)}"
        for step in line.steps:
            yield f"         {step.sentence}"
    yield f"    Earned: {report.money(sum(line.earned for line in lines))}"


def _measured(report: Report, line: Line) -> str:
    """The total of a group against its quota."""
    groups, unit, group = report.result.groups, line.view.component.measure.unit, line.view.group
    per = 1 if unit == "money" else MILLIONTHS
    value = Fraction(int(groups.total[group]), per)
    if groups.value_bottom is not None and groups.value_top is not None and groups.value_bottom[group]:
        value = Fraction(int(groups.value_top[group]), int(groups.value_bottom[group]))
    text = f"{figure_text(value, unit, report.case.currency)} {'credited' if unit == 'money' else 'measured'}"
    quota = int(groups.quota[group])
    if quota not in (0, MISSING_MONEY):
        said = figure_text(Fraction(quota, per), unit, report.case.currency)
        text += f", {percent_text(value * per / quota)} of the quota of {said}"
    return text


def _payable(report: Report, lines: Iterable[Line]) -> dict[str, int]:
    """Sums by pay period in order of time, then what is not payable by its state and cause."""
    sums: dict[str, int] = {}
    for line in lines:
        for part in line.payables:
            where = part.where
            if where in STATE_NAMES.values():
                where = f"waiting for {part.trigger}" if where == "waiting" else where.replace("_", " ")
            sums[where] = sums.get(where, 0) + part.amount
    order = [period.key for period in report.case.pay_periods]
    place = {key: number for number, key in enumerate(order)}
    return dict(sorted(sums.items(), key=lambda item: (place.get(item[0], len(order)), item[0])))


def _settlement(report: Report, person: int) -> Iterator[str]:
    """The waterfall of each pay period."""
    settled = report.result.settlements
    rows = [] if settled is None else np.flatnonzero(settled.participant == person).tolist()
    for row in rows:
        assert settled is not None
        yield f"  Settlement of {report.pay_period(int(settled.pay_period[row]))}"
        for step in explain_settlement(report.case.batch, report.result, row):
            yield f"    {step.sentence}"


def _schedules(report: Report, person: int) -> Iterator[str]:
    spread = report.result.schedules
    if spread is None:
        return
    mine = report.figures.line_person[spread.line] == person
    months = sorted(set(spread.month[mine].tolist()))
    if months:
        yield "  Spread over months"
    for month in months:
        yield f"    {day_date(month):%Y-%m}: {report.money(spread.amount[mine & (spread.month == month)].sum())}"


def _waits(report: Report) -> Iterator[str]:
    """Facts that cannot be credited yet."""
    waits = report.result.waits
    if waits is None or not waits.fact.size:
        return
    yield ""
    yield "Waiting"
    for row in waits.by_fact():
        reason = waits.reason.vocabulary[int(waits.reason.codes[row])]
        what = "a rate of exchange" if reason == "rate" else reason
        yield f"  {report.case.facts[int(waits.fact[row])]} waits for {what}"


def _totals(report: Report) -> Iterator[str]:
    yield "Totals"
    for name, amount in report.figures.totals(None).items():
        if amount or name in ("earned", "payout"):
            yield f"  {name.capitalize()}: {report.money(amount)}"


def _grouped(lines: Iterable[Line]) -> list[list[Line]]:
    """Lines of one component and period together."""
    groups: dict[tuple[str, str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.view.plan.key, line.view.component.key, line.period), []).append(line)
    return list(groups.values())
