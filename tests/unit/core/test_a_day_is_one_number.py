from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comp.core.days import DayError, Interval, day_date, day_number, parse_day


def test_counts_from_1970() -> None:
    assert day_number(date(1970, 1, 1)) == 0
    assert day_number(date(1969, 12, 31)) == -1
    assert day_date(20_788) == date(2026, 12, 1)


@given(st.dates())
def test_numbers_go_back_to_dates(day: date) -> None:
    assert day_date(day_number(day)) == day
    assert parse_day(day.isoformat()) == day


@pytest.mark.parametrize(
    "text", ["20261101", "2026-11-1", "2026-11-31", "2026-W45-1", "01.11.2026", "２０２６-11-01", ""]
)
def test_refuses_what_is_no_iso_date(text: str) -> None:
    with pytest.raises(DayError, match="YYYY-MM-DD"):
        parse_day(text)


def test_an_interval_holds_its_first_day_and_not_its_end() -> None:
    interval = Interval(10, 20)
    assert 10 in interval
    assert 19 in interval
    assert 20 not in interval
    assert 9 not in interval
    assert 10**9 in Interval(10)


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        (Interval(0, 10), Interval(5, 15), Interval(5, 10)),
        (Interval(0, 10), Interval(10, 15), None),
        (Interval(0, 10), Interval(3), Interval(3, 10)),
        (Interval(0), Interval(3), Interval(3)),
        (Interval(0, 3), Interval(7), None),
    ],
)
def test_intervals_meet(one: Interval, other: Interval, common: Interval | None) -> None:
    assert one.intersect(other) == other.intersect(one) == common
    assert one.overlaps(other) is (common is not None)


def test_an_empty_interval_is_refused() -> None:
    with pytest.raises(DayError, match=r"2026-12-01 has to end later, not on 2026-12-01"):
        Interval(20_788, 20_788)
