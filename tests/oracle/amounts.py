"""Quotas, incentives and caps of a period: looked up, ramped, prorated (10, 17, 26, 27)."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from tests.oracle.book import Component, measure_of, natural, year_long
from tests.oracle.case import Case
from tests.oracle.fields import employed, hired_on, on_leave, version_on
from tests.oracle.reading import (
    MILLION,
    Document,
    each_day,
    minor,
    percent,
    period_of,
    rounded,
    unit_of,
    whole_months,
)


def quota_of(
    case: Case, person: int, version: int, component: Component, period: int, unit: str, restart: bool
) -> Fraction | None:
    return amount_of(case, person, version, component, period, unit, restart, "quota")


def incentive_of(
    case: Case, person: int, version: int, component: Component, period: int, restart: bool
) -> Fraction | None:
    return amount_of(case, person, version, component, period, "money", restart, "incentive")


def amount_of(
    case: Case, person: int, version: int, component: Component, period: int, unit: str, restart: bool, name: str
) -> Fraction | None:
    """A quota or an incentive for a period of the component's length; None where it is missing."""
    stated = component.get(name)
    measure = measure_of(component)
    if stated is None or (measure["every"], period) in case.between:
        return None
    starts = case.periods[measure["every"]]
    year = period_of(starts[period], case.periods["year"])
    spans = [(starts[period], starts[period + 1])]
    if (
        measure["window"] == "year_to_date"
        and measure["quota_basis"] == "year"
        and (name == "quota" or year_long(component))
    ):
        spans = [(case.periods["year"][year], case.periods["year"][year + 1])]
    elif measure["window"] == "year_to_date" and (name == "quota" or year_long(component)):
        spans = [
            (starts[place], starts[place + 1])
            for place in range(period + 1)
            if period_of(starts[place], case.periods["year"]) == year
        ]
    total = Fraction(0)
    for start, end in spans:
        if isinstance(stated, dict) and stated["fixed"].endswith("%"):
            total += percent(stated["fixed"])
            continue
        found = kept(case, person, version, stated, start, end, unit)
        if found is None:
            return None
        relief = relief_of(case, person, stated, start, end) if name == "quota" and isinstance(stated, str) else None
        found = prorated(case, person, version, component, restart, name, found, start, end, unit, relief)
        total += natural(found, unit)
    return total


def kept(case: Case, person: int, version: int, stated: Any, start: date, end: date, unit: str) -> int | None:
    """Minor units or millionths, as stated for everybody or kept by key for exactly this period."""
    if isinstance(stated, dict):
        document = case.versions[version].document
        return minor(stated["fixed"], document) if unit == "money" else int(Fraction(stated["fixed"]) * MILLION)
    for quota in case.quotas:
        if (quota.person, quota.key, quota.start, quota.end) == (person, stated, start, end):
            return quota.amount
    return None


def prorated(
    case: Case,
    person: int,
    version: int,
    component: Component | None,
    restart: bool,
    name: str,
    amount: int,
    start: date,
    end: date,
    unit: str,
    relief: Fraction | None = None,
) -> int:
    """The amount x relief x ramp x active days / all days of [start, end), rounded once (26)."""
    document = case.versions[version].document
    stated = document.get("proration")
    named = stated is not None and name in stated["of"]
    ramped = component is not None and component.get("ramp", {}).get(name) is not None
    first, behind = days_of_version(case, person, version, start, end) if restart else (start, end)
    shortened = first > start or behind < end
    if not named and not shortened and not ramped and relief is None:
        return amount
    ramp = ramp_of(case, person, document["key"], component, name, start) if ramped else Fraction(1)
    share = Fraction(1)
    if named or shortened:
        share = active_share(case, person, document, named, start, end, first, behind)
    one = unit_of(document) if unit == "money" else MILLION
    step = one if stated is not None and stated["round"] == "whole" else 1
    return rounded(amount * (1 if relief is None else relief) * ramp * share, document, step=step)


def relief_of(case: Case, person: int, key: str, start: date, end: date) -> Fraction | None:
    """What relief leaves of a quota of [start, end); None where none was given in it."""
    given = [
        row.share * (min(end, row.end) - max(start, row.start)).days / (end - start).days
        for row in case.relief
        if (row.person, row.key) == (person, key) and row.start < end and row.end > start
    ]
    return max(Fraction(0), 1 - sum(given, Fraction(0))) if given else None


def active_share(
    case: Case, person: int, document: Document, named: bool, start: date, end: date, first: date, behind: date
) -> Fraction:
    """The active part of [start, end) that lies within [first, behind); all of that where nothing is named."""
    stated, days = document["proration"], each_day(start, end)
    active = [day for day in days if not named or counts(case, person, document, day, start, end)]
    active = [day for day in active if first <= day < behind]
    whole = counted(case, stated, days, start, end)
    return Fraction(counted(case, stated, active, start, end), whole) if whole else Fraction(1)


def bounds_share(case: Case, person: int, version: int, component: Component, period: int, restart: bool) -> Fraction:
    """What bounds of tiers in money or units are multiplied by: exact, of the period or the fiscal year."""
    document, measure = case.versions[version].document, measure_of(component)
    if "tiers" not in document.get("proration", {"of": ()})["of"]:
        return Fraction(1)
    starts = case.periods[measure["every"]]
    if measure["window"] == "year_to_date":
        period = period_of(starts[period], case.periods["year"])
        starts = case.periods["year"]
    span = starts[period], starts[period + 1]
    own = days_of_version(case, person, version, *span) if restart else span
    return active_share(case, person, document, True, *span, *own)


def ramp_of(case: Case, person: int, plan: str, component: Component, name: str, start: date) -> Fraction:
    """The percentage of the month in which the person is, 100% beyond the list."""
    ramp = component["ramp"]
    first = hired_on(case, person) if ramp["from"] == "hired" else first_assigned(case, person, plan)
    if first is None:
        return Fraction(1)
    place = whole_months(first, start) if first <= start else 0
    return percent(ramp[name][place]) if place < len(ramp[name]) else Fraction(1)


def first_assigned(case: Case, person: int, plan: str) -> date | None:
    days = [
        first_day_of(case, person, version)
        for version in range(len(case.versions))
        if case.versions[version].document["key"] == plan
    ]
    return min((day for day in days if day is not None), default=None)


def is_active(case: Case, person: int, document: Document, day: date) -> bool:
    """Assigned to the plan, employed, and not on a leave that is left out."""
    away = document["proration"]["leave"] == "excluded" and on_leave(case, person, day)
    return version_on(case, person, document["key"], day) is not None and employed(case, person, day) and not away


def days_of_version(case: Case, person: int, version: int, start: date, end: date) -> tuple[date, date]:
    """The days of [start, end) that are the version's: from its first day, or all where no other version was before
    it, to the first day of the next."""
    plan = case.versions[version].document["key"]
    firsts: dict[int, date] = {}
    for day in each_day(start, end):
        place = version_on(case, person, plan, day)
        if place is not None:
            firsts.setdefault(place, day)
    own = firsts.pop(version, end)
    first = own if any(other < own for other in firsts.values()) else start
    return first, min((other for other in firsts.values() if other > own), default=end)


def first_day_of(case: Case, person: int, version: int) -> date | None:
    """The first day on which the person is on this version."""
    in_force = case.versions[version]
    days = [
        max(held.start, in_force.start)
        for held in case.assignments
        if held.person == person and held.plan == in_force.document["key"]
        if (held.end is None or in_force.start < held.end) and (in_force.end is None or held.start < in_force.end)
    ]
    return min(days, default=None)


def counts(case: Case, person: int, document: Document, day: date, start: date, end: date) -> bool:
    """Active, and not the first or last day of a stretch that begins or ends inside, where that does not count."""
    stated = document["proration"]
    if not is_active(case, person, document, day):
        return False
    begins = day > start and not is_active(case, person, document, day - timedelta(days=1))
    ends = day + timedelta(days=1) < end and not is_active(case, person, document, day + timedelta(days=1))
    if begins and stated["first_day"] == "does_not_count":
        return False
    return not (ends and stated["last_day"] == "does_not_count")


def counted(case: Case, stated: dict[str, Any], days: list[date], start: date, end: date) -> int:
    """How many days, working days or whole months of [start, end) these days are."""
    match stated["method"]:
        case "calendar_days":
            return len(days)
        case "working_days":
            return sum(day.weekday() < 5 and day not in case.holidays for day in days)
    starts = case.periods["month"]
    months = [
        each_day(first, behind)
        for first, behind in zip(starts, starts[1:], strict=False)
        if start <= first and behind <= end
    ]
    return sum(all(day in days for day in month) for month in months)
