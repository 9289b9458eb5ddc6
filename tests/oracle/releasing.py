"""When an earning may be paid: numbers 15, 28, 29, and the pay side of 31 and 32."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from tests.oracle.book import Line, Tranche, measure_of, year_long
from tests.oracle.case import Case
from tests.oracle.cash import money_in, share_collected
from tests.oracle.curves import pays_nothing, proportional
from tests.oracle.fields import exchanged, rate_on
from tests.oracle.opening import given_tranches
from tests.oracle.reading import (
    OutsideCalendar,
    in_month,
    last_day,
    months_later,
    percent,
    period_of,
    rounded_to_step,
)


def tranches_of(case: Case, line: Line, group: list[Line]) -> list[Tranche]:
    """All tranches of a line; `group` are the lines it was measured with."""
    if line.kind in ("reversal", "carry"):
        found = [Tranche(0, 0, line.earned, line.day, line.day, "dated")]
    elif line.kind == "opening":
        found = given_tranches(line)
    elif line.component.get("release_rate", "fixed") != "fixed" and not line.waiting:
        found = floating(case, line, group)
    else:
        found = list(fixed(case, line))
    return found


def fixed(case: Case, line: Line) -> Iterator[Tranche]:
    share = Fraction(0)
    for place, entry in enumerate(line.component.get("release", ())):
        before = rounded_to_step(share * line.earned, line.document)
        share += percent(entry["share"])
        amount = rounded_to_step(share * line.earned, line.document) - before
        if entry["on"] == "paid":
            yield from in_parts(case, line, place, entry, amount)
        else:
            yield dated(case, line, place, 0, amount, trigger_of(case, line, entry))


def in_parts(case: Case, line: Line, place: int, entry: dict[str, Any], amount: int) -> Iterator[Tranche]:
    """One part a day on which cash changed, as far as it released anything; the rest waits."""
    released = part = 0
    deal = None if line.fact is None else line.fact.belongs_to
    days = [] if deal is None else sorted({day for day, _ in money_in(case, deal)})
    for day in days:
        by_then = rounded_to_step(amount * (share_collected(case, line, entry, day) or 0), line.document)
        if by_then != released:
            yield dated(case, line, place, part, by_then - released, moved(case, entry, day))
            released, part = by_then, part + 1
    if amount != released or part == 0:
        yield dated(case, line, place, part, amount - released, None)


def dated(case: Case, line: Line, place: int, part: int, amount: int, trigger: date | None) -> Tranche:
    """With its release day, unless something keeps it."""
    release = None if trigger is None else max(trigger, line.day, line.not_before or line.day)
    state = "waiting" if release is None else "dated"
    if line.withheld:
        state = "withheld"
    if line.ordered is not None and line.ordered.credit.held:
        state = "held"
    if state == "dated" and release is not None and lost(case, line, release):
        state = "lost"
    return Tranche(place, part, amount, trigger, release if state == "dated" else None, state)


def lost(case: Case, line: Line, day: date) -> bool:
    """Released on or after the end of employment (31)."""
    if line.document.get("employment", {}).get("release_after", "paid") == "paid":
        return False
    spans = [span for span in case.spans if span.person == line.person and not span.leave]
    if not spans or any(span.end is None for span in spans):
        return False
    return day >= max(span.end for span in spans if span.end is not None)


# ------------------------------------------------------------------ triggers


def trigger_of(case: Case, line: Line, entry: dict[str, Any]) -> date | None:
    deal = line.fact.belongs_to if line.fact is not None else None
    match entry["on"]:
        case "credit_date":
            day: date | None = line.day
        case "date":
            day = date.fromisoformat(entry["day"])
        case "period_end":
            day = last_day(case.periods[measure_of(line.component)["every"]], line.period)
        case "usage":
            day = usage_day(case, entry, deal)
        case kind:
            day = min((row.day for row in case.milestones if (row.deal, row.kind) == (deal, kind)), default=None)
    return None if day is None else moved(case, entry, day)


def usage_day(case: Case, entry: dict[str, Any], deal: int | None) -> date | None:
    reached: dict[date, list[bool]] = {}
    for row in case.readings:
        if row.deal == deal:
            stands = row.contracted > 0 and Fraction(row.used, row.contracted) >= percent(entry["at"])
            reached.setdefault(row.day, []).append(stands)
    if entry.get("reading", "high_water") == "high_water":
        return min((day for day, several in reached.items() if any(several)), default=None)
    since = None
    for day in sorted(reached, reverse=True):
        if not all(reached[day]):
            break
        since = day
    return since


def moved(case: Case, entry: dict[str, Any], day: date) -> date:
    after = entry.get("after", {})
    if "days" in after:
        return day + timedelta(days=after["days"])
    if "months" in after:
        day = months_later(day, after["months"])
        return in_month(day, after["day"]) if "day" in after else day
    if "periods" in after:
        place = period_of(day, case.pay_periods) + after["periods"]
        if place >= len(case.pay_periods):
            raise OutsideCalendar(f"{after['periods']} pay periods after {day}")
        return case.pay_periods[place]
    return day


# ------------------------------------------------------------------ floating rates (29)


def floating(case: Case, line: Line, group: list[Line]) -> list[Tranche]:
    """Each tranche at the rate of its release day; a waiting one, and the line while none is released, at today's."""
    found: list[Tranche] = []
    share, latest = Fraction(0), None
    today = at_rate(line, group, None)
    for place, entry in enumerate(line.component["release"]):
        part = percent(entry["share"])
        share += part
        each = dated(case, line, place, 0, 0, trigger_of(case, line, entry))
        value = today if each.release is None else at_rate(line, group, each.release)
        if line.component["release_rate"] == "this_share":
            each.amount = rounded_to_step(part * value, line.document)
        else:
            each.amount = rounded_to_step(share * value, line.document) - sum(one.amount for one in found)
        if each.release is not None and (latest is None or each.release >= latest[0]):
            latest = each.release, value
        found.append(each)
    line.rounded = line.earned = rounded_to_step(today if latest is None else latest[1], line.document)
    return found


def at_rate(line: Line, group: list[Line], day: date | None) -> Fraction:
    """The line at the rate that holds the group's running total up to a day, None for all of it."""
    terms = line.terms
    assert terms is not None
    if pays_nothing(terms) or line.counts_for == "quota":
        return Fraction(0)
    if line.counts_for == "pay":
        return proportional(terms, line.m, line.before)
    counted = [each for each in group if each.counts_for != "pay" and (day is None or each.day <= day)]
    if year_long(line.component):
        counted = [each for each in counted if each.period <= line.period]
    total = sum((each.m for each in counted), Fraction(0))
    return proportional(terms, line.m, total)


# ------------------------------------------------------------------ currencies of pay (32)


def exchange(case: Case, line: Line, tranche: Tranche) -> None:
    """Sets what a tranche is worth to its participant, the last that is done to it."""
    target = dict(case.pay_currency).get(line.person, line.document["currency"])
    stated = line.document.get("currencies")
    if stated is None or target == line.document["currency"]:
        tranche.paid = tranche.amount
        return
    kind = "average" if stated["pay_rate"] == "period_average" else "spot"
    day: date | None = line.day
    if stated["pay_rate"] == "release_date":
        day = tranche.release
    if line.origin is not None and line.component["clawback"].get("exchange") == "origin":
        day = line.origin.day
        if stated["pay_rate"] == "release_date":
            released = [each.release for each in line.origin.tranches if each.release and each.release <= line.day]
            day = max(released, default=tranche.release)
    rate = rate_on(case, line.document["currency"], target, kind, day)
    if rate is not None:
        tranche.rate = rate
        tranche.paid = exchanged(tranche.amount, rate, line.document["rounding"]["mode"])
    elif tranche.state == "dated":
        tranche.state, tranche.release = "no rate", None
