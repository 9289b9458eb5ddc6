"""What the system before measured and earned: docs/algorithms/openings.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.oracle.book import (
    Component,
    Line,
    Node,
    Tranche,
    by_period,
    component_in,
    measure_of,
    natural,
    unit_of_component,
    year_long,
)
from tests.oracle.case import Assignment, Case, Opening, Version
from tests.oracle.crediting import overridden
from tests.oracle.own_periods import length_name, own_spans
from tests.oracle.pick import Pick
from tests.oracle.reading import period_of
from tests.oracle.words import DAYS, START

#: What comes before every credit of its day.
EARLIEST = (datetime.min.replace(tzinfo=UTC), "", "", -1, -1)


def length_of(component: Component) -> str:
    return "year" if year_long(component) else str(measure_of(component)["every"])


def opening_lines(case: Case, node: Node, *, periods: bool = False) -> Iterator[Line]:
    """A line for each opening of a component whose lines are credits' (or are of periods), the first of its group."""
    plan, key = node
    for opening in case.openings:
        document = case.versions[opening.version].document
        component = component_in(document, key)
        if document["key"] != plan or opening.component != key or component is None or by_period(component) != periods:
            continue
        unit = unit_of_component(case, node)
        starts = case.periods[length_of(component)]
        first = starts[period_of(opening.day, starts)]
        yield Line(
            case=case,
            person=opening.person,
            plan=plan,
            version=opening.version,
            document=document,
            component=overridden(case, opening.version, component, opening.person, opening.day),
            kind="opening",
            day=opening.day,
            order=(first, *EARLIEST),
            rank=(first,),
            period=period_of(opening.day, case.periods[measure_of(component)["every"]]),
            unit=unit,
            m=natural(opening.measured, unit),
            after=natural(opening.measured, unit),
            measured=opening.measured,
            amount=opening.measured,
            rounded=opening.earned,
            earned=opening.earned,
            opening=opening,
        )


def stands_for(case: Case, node: Node, person: int, component: Component, day: date) -> bool:
    """Does an opening stand for what a person is credited on a day: up to its own, in its measure period?"""
    starts = case.periods[length_of(component)]
    for line in opening_lines(case, node):
        alike = length_of(line.component) == length_of(component)
        alike = alike and measure_of(line.component)["every"] == measure_of(component)["every"]
        alike = alike and line.person == person and period_of(line.day, starts) == period_of(day, starts)
        if alike and day <= line.day:
            return True
    return False


def opens(case: Case, node: Node, person: int, first: date, behind: date) -> list[Line]:
    """The openings that stand for a person's period, of a component that pays whole periods."""
    found = [line for line in opening_lines(case, node, periods=True) if line.person == person]
    return [line for line in found if first <= line.day < behind]


def opens_credit(case: Case, node: Node, person: int, day: date) -> bool:
    """Does an opening of whole periods stand for what a person is credited on a day?"""
    for line in opening_lines(case, node, periods=True):
        starts = case.periods[measure_of(line.component)["every"]]
        if line.person == person and period_of(line.day, starts) == period_of(day, starts):
            return True
    return False


def first_after(lines: Sequence[Line], place: int) -> Line | None:
    """The opening behind which the line at a place is the first that pays by what it measures."""
    if not lines or lines[0].kind != "opening":
        return None
    paying = [at for at, line in enumerate(lines) if line.kind == "credit" and line.counts_for == "both"]
    return lines[0] if paying and paying[0] == place else None


def pays_what_is_due(component: Component) -> bool:
    """Of the whole total, less what was earned before; else lines go on by slices."""
    if component["kind"] not in ("commission", "incentive"):
        return False
    marginal = bool(component.get("tiers")) and component["tiers"]["mode"] == "marginal"
    return not marginal or measure_of(component)["window"] == "year_to_date"


def given_tranches(line: Line) -> list[Tranche]:
    assert line.opening is not None
    return [
        Tranche(place, 0, amount, day, day, "waiting" if day is None else "dated")
        for place, (amount, day) in enumerate(line.opening.tranches)
    ]


# ------------------------------------------------------------------ generated ones


def some_openings(
    pick: Pick, assignments: Sequence[Assignment], versions: Sequence[Version], periods: Any, unit: int
) -> tuple[Opening, ...]:
    """For people on a plan, at most one a component and measure period."""
    found: dict[tuple[int, str, str, str, date], Opening] = {}
    for number, version in enumerate(versions):
        document = version.document
        people = sorted({held.person for held in assignments if held.plan == document["key"]})
        for component in document["components"]:
            for person in people:
                if not may_open(component) or not pick.seldom(2):
                    continue
                day = pick.one((date(2024, 1, 31), date(2024, 2, 10), START, *DAYS))
                length = length_of(component)
                own = own_spans(document, length)
                if own and not any(start <= day < end for start, end in own):
                    continue
                starts = periods[length] if not own else [start for start, _ in own]
                place = period_of(day, [*starts, date.max])
                first = starts[place]
                if by_period(component):
                    ends = [*starts[1:], date.max] if not own else [end for _, end in own]
                    day = ends[place] - timedelta(days=1)
                every = measure_of(component)["every"]
                every = length_name(every, own) if own else every
                if not version.start <= day or (version.end is not None and day >= version.end):
                    continue
                key = (person, document["key"], component["key"], f"{every} {length}", first)
                opening = one_opening(pick, person, number, component["key"], day, unit)
                if measure_of(component)["value"] == "count":
                    opening = replace(opening, measured=opening.measured // 10**6 * 10**6)
                found.setdefault(key, opening)
    return tuple(found.values())


def may_open(component: Component) -> bool:
    measure = measure_of(component)
    if component["kind"] == "result":
        return False
    adds = measure["value"] in ("sum", "count", "weighted")
    return not by_period(component) or measure["window"] == "discrete" or "credits" not in component or adds


def one_opening(pick: Pick, person: int, version: int, component: str, day: date, unit: int) -> Opening:
    measured = pick.one((100_000, 60_000, 99_999, 100, 0, -500, 2, 1)) * pick.one((unit, 10**6, 1))
    earned = pick.one((6_000 * unit, 12_345, 0, -777, 250_000 * unit))
    tranches: tuple[tuple[int, date | None], ...] = ((earned, day),)
    if pick.seldom(2):
        paid = earned * pick.one((1, 0, 2)) // 3
        later = pick.one((None, day + timedelta(days=40), None))
        tranches = ((paid, day), (earned - paid - 1, later), (1, pick.one((date(2024, 6, 1), None))))
    return Opening(person, version, component, day, measured, earned, tranches)
