"""Every count against a plain walk over datetime.date, a day at a time."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comp.core.days import DayError, day_date, day_number
from comp.core.spans import (
    FIRST_DAY,
    LAST_DAY,
    Days,
    Ints,
    add_months,
    calendar_days,
    day_in_month,
    full_months,
    month_of,
    months_touched,
    whole_months,
    working_days,
)

DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31))
#: Spans of up to three years, a few of which end before they start.
SPANS = st.tuples(DAYS, st.integers(-40, 1100)).map(lambda s: (s[0], s[0] + timedelta(days=s[1])))


def column(days: list[date]) -> Ints:
    return np.array([day_number(day) for day in days], dtype=np.int64)


def walk(start: date, end: date) -> list[date]:
    return [start + timedelta(days=step) for step in range(max((end - start).days, 0))]


def later(day: date, months: int) -> date:
    """By the book: count the months one at a time, then cut the day off at the month's last."""
    year, month = day.year, day.month
    for _ in range(abs(months)):
        month += 1 if months > 0 else -1
        if month in (0, 13):
            year, month = (year - 1, 12) if month == 0 else (year + 1, 1)
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def n(text: str) -> int:
    return day_number(date.fromisoformat(text))


@given(st.lists(SPANS, max_size=20), st.lists(st.integers(0, 1500), max_size=30))
def test_counts_are_those_of_a_walk(spans: list[tuple[date, date]], off: list[int]) -> None:
    starts, ends = column([start for start, _ in spans]), column([end for _, end in spans])
    base = spans[0][0] if spans else date(2026, 1, 1)
    free = sorted({base + timedelta(days=step) for step in off})
    walked = [walk(*span) for span in spans]
    assert calendar_days(starts, ends).tolist() == [len(days) for days in walked]
    assert working_days(starts, ends, column(free)).tolist() == [
        sum(day.weekday() < 5 and day not in free for day in days) for days in walked
    ]
    assert months_touched(starts, ends).tolist() == [len({(day.year, day.month) for day in days}) for days in walked]
    full = [
        sum(day.day == 1 and later(day, 1) <= end for day in days) for days, (_, end) in zip(walked, spans, strict=True)
    ]
    assert full_months(starts, ends).tolist() == full
    whole = [max((k for k in range(1, 40) if later(start, k) <= end), default=0) for start, end in spans]
    assert whole_months(starts, ends).tolist() == whole


@given(st.lists(st.tuples(DAYS, st.integers(-60, 60), st.integers(1, 31)), max_size=20))
def test_months_later_are_counted_one_by_one(rows: list[tuple[date, int, int]]) -> None:
    days = column([day for day, _, _ in rows])
    months, doms = (np.array([row[place] for row in rows], dtype=np.int64) for place in (1, 2))
    assert [day_date(day) for day in add_months(days, months).tolist()] == [later(day, k) for day, k, _ in rows]
    assert month_of(days).tolist() == [12 * (day.year - 1970) + day.month - 1 for day, _, _ in rows]
    assert [day_date(day) for day in day_in_month(days, doms).tolist()] == [
        day.replace(day=min(dom, calendar.monthrange(day.year, day.month)[1])) for day, _, dom in rows
    ]


@given(SPANS, st.integers(0, 1100))
def test_a_span_cut_in_two_holds_the_same_days(span: tuple[date, date], at: int) -> None:
    start, end = (day_number(day) for day in span)
    middle = min(start + at, max(start, end))
    free = np.arange(start, start + 400, 9)
    for count in (calendar_days, lambda a, b: working_days(a, b, free)):
        assert count(start, middle) + count(middle, end) == count(start, end)


@pytest.mark.parametrize(
    ("start", "end", "days", "working", "whole", "full", "touched"),
    [
        ("2026-01-01", "2026-01-01", 0, 0, 0, 0, 0),  # nothing
        ("2026-01-02", "2026-01-01", 0, 0, 0, 0, 0),  # less than nothing
        ("2026-01-31", "2026-02-28", 28, 20, 1, 0, 2),
        ("2026-01-31", "2026-02-27", 27, 19, 0, 0, 2),
        ("2026-01-31", "2026-03-30", 58, 40, 1, 1, 3),
        ("2026-01-31", "2026-03-31", 59, 41, 2, 1, 3),
        ("2024-02-29", "2025-02-28", 365, 261, 12, 11, 13),
        ("2026-02-11", "2026-04-01", 49, 35, 1, 1, 2),  # hired 11 February, the quarter's end
        ("2026-05-16", "2026-05-18", 2, 0, 0, 0, 1),  # a weekend
        ("2025-12-31", "2026-01-02", 2, 1, 0, 0, 2),  # New Year's Day is free
    ],
)
def test_known_spans(start: str, end: str, days: int, working: int, whole: int, full: int, touched: int) -> None:
    first, behind, free = n(start), n(end), column([date(2026, 1, 1), date(2026, 1, 3), date(2026, 1, 3)])
    assert calendar_days(first, behind) == days
    assert working_days(first, behind, free) == working
    assert whole_months(first, behind) == whole
    assert full_months(first, behind) == full
    assert months_touched(first, behind) == touched


def test_single_days_and_columns_go_together() -> None:
    starts = column([date(2026, 1, 1), date(2026, 2, 1), date(2026, 4, 1)])
    assert calendar_days(starts, n("2026-03-01")).tolist() == [59, 28, 0]
    assert whole_months(n("2026-01-01"), starts).tolist() == [0, 1, 3]
    assert add_months(n("2026-01-31"), np.arange(-1, 3)).tolist() == [
        n("2025-12-31"), n("2026-01-31"), n("2026-02-28"), n("2026-03-31")
    ]  # fmt: skip
    for found in (
        calendar_days(1, 9),
        whole_months(1, 99),
        months_touched(1, 9),
        add_months(1, 2),
        day_in_month(1, 31),
    ):
        assert isinstance(found, np.int64)


@pytest.mark.parametrize("day", [FIRST_DAY - 1, LAST_DAY + 1, int(np.iinfo(np.int64).max), int(np.iinfo(np.int64).min)])
@pytest.mark.parametrize("count", [calendar_days, whole_months, full_months, months_touched])
def test_an_open_end_is_not_counted(count: Callable[[Days, Days], Ints], day: int) -> None:
    with pytest.raises(DayError, match=f"Day number {day} is outside the years 1 to 9999"):
        count(np.array([0, day]), 5)
    with pytest.raises(DayError, match="an open end has to be cut off"):
        count(5, day)


def test_the_first_and_last_day_there_are() -> None:
    assert calendar_days(FIRST_DAY, LAST_DAY) == (date.max - date.min).days
    assert months_touched(FIRST_DAY, FIRST_DAY) == 0
    assert day_in_month(LAST_DAY, 31) == LAST_DAY


@pytest.mark.parametrize("dom", [0, 32])
def test_a_month_has_days_1_to_31(dom: int) -> None:
    with pytest.raises(DayError, match=f"A day of the month is 1 to 31, not {dom}"):
        day_in_month(0, dom)
