"""Period lines against the plain meaning of numbers 17 and 24, row by row."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from payouts.kernel.batch import MISSING_DAY
from plans.rules.compiled import Leaf, Reads
from tests.unit.kernel.test_periods import finished, measured, scene
from tests.unit.kernel.world import PERIODS, Deal, attributes, commission, day, ints, plan, world

PEOPLE = (1, 2, 3, 4)


def apart(spans: list[Any]) -> list[Any]:
    """Spans of one person do not overlap."""
    kept: list[Any] = []
    for span in spans:
        if all(other[0] != span[0] or span[3] <= other[2] or other[3] <= span[2] for other in kept):
            kept.append(span)
    return kept


# Few days, so that much falls together: ends of months, and days about them.
DATES = st.sampled_from(
    ["2026-01-01", "2026-01-20", "2026-01-31", "2026-02-01", "2026-03-15", "2026-11-30", "2026-12-31"]
)
DEALS = st.lists(
    st.builds(
        Deal,
        minor=st.integers(-3, 6).map(lambda amount: amount * 100),
        close=DATES,
        team=st.sampled_from(PEOPLE).map(lambda person: [("ae", person)]),
        replicate=st.integers(0, 1),
        extra=st.fixed_dictionaries({"product": st.sampled_from(["a", "b", None])}),
    ),
    max_size=12,
)
SPANS = st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(["x", "y"]), DATES, DATES), max_size=6).map(
    lambda spans: [span for span in spans if span[2] < span[3]]
)
#: Who is assigned, mostly everybody for the year.
ASSIGNED = st.one_of(st.just([(person, "", "2026-01-01", "2027-01-01") for person in PEOPLE]), SPANS.map(apart))
LED = [(1, 2), (1, 3), (2, 3), (2, 4), (3, 4)]  # nobody stands above himself
VALUES = ("sum", "count", "share", "average", "last", "high_water")
WINDOWS = st.sampled_from([("discrete", 1), ("year_to_date", 1), ("rolling", 2), ("rolling", 5)])


def held(spans: list[Any], person: int, on: int) -> str | None:
    return next((span[1] for span in spans if span[0] == person and day(span[2]) <= on < day(span[3])), None)


def first_of(window: str, periods: int, period: int) -> int:
    return {"discrete": period, "year_to_date": 0, "rolling": max(0, period - periods + 1)}[window]


def value_of(value: str, rows: list[Deal]) -> Any:
    amounts = [deal.money for deal in rows]
    part = sum(deal.money for deal in rows if deal.extra["product"] == "a")
    match value:
        case "sum":
            return sum(amounts)
        case "count":
            return sum((amount > 0) - (amount < 0) for amount in amounts)
        case "share":
            return Fraction(part, sum(amounts)) if sum(amounts) else "waits"
        case "average":
            return Fraction(sum(amounts), len(amounts))
        case "last":
            return amounts[-1]
    return max(amounts)


def people_days(assigned: list[Any], bounds: Any) -> dict[tuple[int, int], int]:
    """The last day assigned of each person and period."""
    found: dict[tuple[int, int], int] = {}
    for period in range(len(bounds) - 1):
        for person, _, start, end in assigned:
            last = min(day(end), bounds[period + 1]) - 1
            if last >= max(day(start), bounds[period]):
                found[person, period] = max(found.get((person, period), 0), last)
    return found


def lines_of(batch: Any, *args: Any) -> dict[Any, Any]:
    series = scene(batch, *args)
    if series is None:
        return {}
    return {
        (int(person) + 1, int(replicate), int(period)): "waits" if waits else value
        for person, replicate, period, waits, value in zip(
            series.person, series.replicate, series.period, series.waits, series.value.fractions(), strict=True
        )
    }


def with_assignments(batch: Any, assigned: list[Any]) -> Any:
    # Somebody stands on nothing, so that all four are known and a place is a number less one.
    everybody = [*assigned, *((person, "", "2026-01-01", "2026-01-01") for person in PEOPLE)]
    return replace(
        batch,
        assignments=replace(
            batch.assignments,
            participant=ints(row[0] for row in everybody),
            plan=ints(0 for _ in everybody),
            start=ints(day(row[2]) for row in everybody),
            end=ints(day(row[3]) for row in everybody),
        ),
    )


@settings(max_examples=150, deadline=None)
@given(
    deals=DEALS,
    assigned=ASSIGNED,
    teams=SPANS.map(apart),
    value=st.sampled_from(VALUES),
    window=WINDOWS,
    of=st.sampled_from(["own", "team", "company"]),
    every=st.sampled_from(["month", "quarter"]),
)
def test_credits(deals, assigned, teams, value, window, of, every):
    terms: dict[str, Any] = {"part": Leaf("product", "text", "is", "a")} if value == "share" else {}
    component = measured(value, every, window=window[0], periods=window[1], of=of, empty="wait", **terms)
    batch = world(plan(component), deals, people=PEOPLE, types={"product": "text"})
    batch = with_assignments(replace(batch, attributes=attributes(*((s[0], "team", *s[1:]) for s in teams))), assigned)
    credited = [
        deal
        for _, deal in sorted(enumerate(deals), key=lambda each: (each[1].close, each[0]))
        if held(assigned, deal.team[0][1], day(str(deal.close))) is not None
    ]
    bounds = PERIODS[every].tolist()
    expected = {}
    for (person, period), last in people_days(assigned, bounds).items():
        for replicate in (0, 1):
            rows = []
            for deal in credited:
                on, owner = day(str(deal.close)), deal.team[0][1]
                mine = held(teams, person, last)
                right = {
                    "own": owner == person,
                    "team": mine is not None and held(teams, owner, on) == mine,
                    "company": True,
                }[of]
                if right and deal.replicate == replicate:
                    rows.append((on, deal))
            first = bounds[first_of(*window, period)]
            chosen = [deal for on, deal in rows if first <= on < bounds[period + 1]]
            if chosen:
                expected[person, replicate, period] = value_of(value, chosen)
    assert lines_of(batch) == expected


@settings(max_examples=150, deadline=None)
@given(
    earned=st.lists(st.tuples(st.sampled_from(PEOPLE), st.integers(-5, 9), DATES), max_size=8),
    assigned=ASSIGNED,
    teams=SPANS.map(apart),
    managers=st.lists(st.tuples(st.sampled_from(LED), DATES, DATES), max_size=8),
    reads=st.sampled_from([("self", None), ("team", None), ("reports", 1), ("reports", 2), ("downline", None)]),
    what=st.sampled_from(["earning", "released"]),
    window=WINDOWS,
)
def test_earnings_of_others(earned, assigned, teams, managers, reads, what, window):
    managers = apart([(*pair, *sorted((start, end))) for pair, start, end in managers if start != end])
    top = measured(window=window[0], periods=window[1])
    stated = Reads(what, *reads, (("plan", "commission"),))
    top = replace(top, key="override", classes=(), roles=(), reads=stated)
    batch = world(plan(commission(every="month"), top), [], people=PEOPLE, reporting=managers)
    batch = with_assignments(replace(batch, attributes=attributes(*((s[0], "team", *s[1:]) for s in teams))), assigned)
    people, amounts, days = ([row[place] for row in earned] for place in range(3))
    groups, lines, tranches, when = finished(people, amounts, days)
    # Every third tranche waits.
    waiting = [place % 3 == 2 for place in range(len(earned))]
    released = ints(MISSING_DAY if waits else each for waits, each in zip(waiting, when.tolist(), strict=True))
    table = ("commission", groups, lines, replace(tranches, release_day=released), when)

    def above(person: int, on: int) -> int | None:
        return next((row[1] for row in managers if row[0] == person and day(row[2]) <= on < day(row[3])), None)

    def reaches(reader: int, person: int, on: int) -> bool:
        if reads[0] == "self":
            return reader == person
        if reads[0] == "team":
            return held(teams, reader, on) is not None and held(teams, reader, on) == held(teams, person, on)
        seen: int | None = person
        for _ in range(reads[1] or 9):
            seen = None if seen is None else above(seen, on)
            if seen == reader:
                return True
        return False

    bounds = PERIODS["month"].tolist()
    expected = {}
    for (reader, period), last in people_days(assigned, bounds).items():
        first = bounds[first_of(*window, period)]
        rows = [
            amount
            for (person, amount, on), waits in zip(earned, waiting, strict=True)
            if first <= day(on) < bounds[period + 1]
            and reaches(reader, person, last)
            and not (what == "released" and waits)
        ]
        if rows:
            expected[reader, 0, period] = sum(rows)
    assert lines_of(batch, "override", table) == expected
