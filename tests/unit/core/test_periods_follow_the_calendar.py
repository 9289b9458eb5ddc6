"""The week calendars are checked against the retail calendar as published: 53 weeks in the years that began in 2012,
2017 and 2023 (Saturday nearest to the end of January)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comp.core.calendars import (
    CalendarError,
    Kind,
    PayCalendar,
    Period,
    YearEnd,
    day_of,
    measure_periods,
    periods,
)
from comp.core.days import day_date, day_number

SATURDAY = 5
RETAIL = PayCalendar("4-5-4", start_month=2, year_end="nearest", weekday=SATURDAY)


def days(period: Period) -> tuple[str, str]:
    return day_date(period.start).isoformat(), day_date(period.end).isoformat()


def test_months() -> None:
    months = periods(PayCalendar("monthly"), 2026, 2026)
    assert len(months) == 12
    assert months[10] == Period(
        day_number(date(2026, 11, 1)), day_number(date(2026, 12, 1)), "2026-11", "November 2026"
    )
    assert days(periods(PayCalendar("monthly"), 2028, 2028)[1]) == ("2028-02-01", "2028-03-01")


def test_quarters_and_years() -> None:
    calendar = PayCalendar("quarterly")
    assert [period.key for period in periods(calendar, 2026, 2026)] == ["2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"]
    assert periods(calendar, 2026, 2026)[3].name == "Q4 2026"
    (year,) = measure_periods(calendar, "year", 2026, 2026)
    assert (year.key, year.name, *days(year)) == ("FY2026", "2026", "2026-01-01", "2027-01-01")


def test_a_fiscal_year_is_named_for_its_last_month() -> None:
    calendar = PayCalendar("monthly", start_month=7)
    months = periods(calendar, 2026, 2026)
    assert (months[0].key, months[-1].key) == ("2025-07", "2026-06")
    first, *_ = measure_periods(calendar, "quarter", 2026, 2026)
    assert (first.key, first.name, *days(first)) == ("2026-Q1", "Q1 FY2026", "2025-07-01", "2025-10-01")
    (year,) = measure_periods(calendar, "year", 2026, 2026)
    assert (year.key, year.name, *days(year)) == ("FY2026", "FY2026", "2025-07-01", "2026-07-01")


def test_the_retail_years_of_53_weeks() -> None:
    years = measure_periods(RETAIL, "year", 2013, 2025)
    weeks = {period.key: (period.end - period.start) // 7 for period in years}
    assert [key for key, count in weeks.items() if count == 53] == ["FY2013", "FY2018", "FY2024"]
    assert set(weeks.values()) == {52, 53}
    by_key = {period.key: days(period) for period in years}
    assert by_key["FY2024"] == ("2023-01-29", "2024-02-04")
    assert by_key["FY2025"] == ("2024-02-04", "2025-02-02")


def test_the_last_month_takes_the_53rd_week() -> None:
    months = periods(RETAIL, 2024, 2024)
    assert [(period.end - period.start) // 7 for period in months] == [4, 5, 4] * 3 + [4, 5, 5]
    assert (months[0].key, months[0].name) == ("2024-P01", "February 2023 (period 1)")
    assert (months[11].key, months[11].name) == ("2024-P12", "January 2024 (period 12)")
    quarters = measure_periods(RETAIL, "quarter", 2024, 2024)
    assert [(period.end - period.start) // 7 for period in quarters] == [13, 13, 13, 14]


@pytest.mark.parametrize(
    ("year_end", "ends"),
    [
        # Saturdays around 31 December: 2021-12-25 and 2022-01-01, 2022-12-31, 2023-12-30, 2024-12-28 and 2025-01-04.
        ("last", ["2021-12-25", "2022-12-31", "2023-12-30", "2024-12-28"]),
        ("nearest", ["2022-01-01", "2022-12-31", "2023-12-30", "2024-12-28"]),
    ],
)
def test_the_year_end_rule(year_end: YearEnd, ends: list[str]) -> None:
    calendar = PayCalendar("4-4-5", year_end=year_end, weekday=SATURDAY)
    years = measure_periods(calendar, "year", 2021, 2024)
    assert [day_date(period.end - 1).isoformat() for period in years] == ends


@given(
    st.sampled_from(["monthly", "quarterly", "4-4-5", "4-5-4", "5-4-4"]),
    st.integers(1, 12),
    st.sampled_from(["last", "nearest"]),
    st.integers(0, 6),
    st.integers(1990, 2090),
)
def test_no_gap_and_no_overlap(kind: Kind, start_month: int, year_end: YearEnd, weekday: int, first: int) -> None:
    by_weeks = "-" in kind
    calendar = PayCalendar(kind, start_month, year_end if by_weeks else None, weekday if by_weeks else None)
    edges = set()
    for every in ("month", "quarter", "year"):
        cut = measure_periods(calendar, every, first, first + 7)
        assert all(one.end == other.start for one, other in pairwise(cut))
        assert len({period.key for period in cut}) == len(cut)
        edges.add((cut[0].start, cut[-1].end))
    assert len(edges) == 1
    if by_weeks:
        assert all((period.end - period.start) // 7 in (52, 53) for period in cut)
        assert all(day_date(period.end - 1).weekday() == weekday for period in cut)


@pytest.mark.parametrize(
    ("instant", "timezone", "day"),
    [
        (datetime(2026, 12, 1, 0, 0, tzinfo=UTC), "UTC", date(2026, 12, 1)),
        (datetime(2026, 12, 1, 4, 59, 59, tzinfo=UTC), "America/New_York", date(2026, 11, 30)),
        (datetime(2026, 12, 1, 5, 0, tzinfo=UTC), "America/New_York", date(2026, 12, 1)),
        (datetime(2026, 11, 30, 15, 0, tzinfo=UTC), "Asia/Tokyo", date(2026, 12, 1)),
        # One hour earlier once summer time has begun.
        (datetime(2026, 3, 31, 22, 0, tzinfo=UTC), "Europe/Berlin", date(2026, 4, 1)),
        (datetime(2026, 2, 28, 22, 59, tzinfo=UTC), "Europe/Berlin", date(2026, 2, 28)),
        # Samoa had no 30 December 2011.
        (datetime(2011, 12, 30, 9, 59, tzinfo=UTC), "Pacific/Apia", date(2011, 12, 29)),
        (datetime(2011, 12, 30, 10, 0, tzinfo=UTC), "Pacific/Apia", date(2011, 12, 31)),
    ],
)
def test_the_day_of_an_instant_is_local(instant: datetime, timezone: str, day: date) -> None:
    assert day_of(instant, timezone) == day_number(day)


def test_refuses_what_is_not_stated() -> None:
    with pytest.raises(CalendarError, match="needs its year end"):
        PayCalendar("4-4-5")
    with pytest.raises(CalendarError, match="needs its year end"):
        PayCalendar("4-4-5", year_end="last", weekday=7)
    with pytest.raises(CalendarError, match="takes no year-end rule"):
        PayCalendar("monthly", year_end="last", weekday=5)
    with pytest.raises(CalendarError, match="'weekly'; allowed are monthly"):
        PayCalendar("weekly")  # type: ignore[arg-type]
    with pytest.raises(CalendarError, match="month 1 to 12, not 13"):
        PayCalendar("monthly", start_month=13)
    with pytest.raises(CalendarError, match="2027 has to come no later than the last, 2026"):
        periods(PayCalendar("monthly"), 2027, 2026)
    with pytest.raises(CalendarError, match="no time zone"):
        day_of(datetime(2026, 1, 1), "UTC")  # noqa: DTZ001
    for name in ("Mars/Olympus", "../etc/passwd", ""):
        with pytest.raises(CalendarError, match="Unknown time zone"):
            day_of(datetime(2026, 1, 1, tzinfo=UTC), name)
