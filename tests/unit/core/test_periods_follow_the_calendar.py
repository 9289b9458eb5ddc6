"""The week calendars are checked against the retail calendar as published: 53 weeks in the years that began in 2012,
2017 and 2023 (Saturday nearest to the end of January)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comp.core.calendars import (
    COUNTED,
    CalendarError,
    Every,
    Kind,
    PayCalendar,
    Period,
    YearEnd,
    custom_periods,
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


def test_halves() -> None:
    first, second = measure_periods(PayCalendar("semimonthly"), "half", 2026, 2026)
    assert (first.key, first.name, *days(first)) == ("2026-H1", "H1 2026", "2026-01-01", "2026-07-01")
    assert (second.key, second.name, *days(second)) == ("2026-H2", "H2 2026", "2026-07-01", "2027-01-01")
    halves = measure_periods(RETAIL, "half", 2024, 2024)
    assert [((half.end - half.start) // 7, half.name) for half in halves] == [(26, "H1 FY2024"), (27, "H2 FY2024")]


def test_half_months() -> None:
    cut = periods(PayCalendar("semimonthly", start_month=2), 2028, 2028)
    assert len(cut) == 24
    assert [(period.key, period.name, *days(period)) for period in (*cut[:2], *cut[-2:])] == [
        ("2027-02a", "1–15 Feb 2027", "2027-02-01", "2027-02-16"),
        ("2027-02b", "16–28 Feb 2027", "2027-02-16", "2027-03-01"),
        ("2028-01a", "1–15 Jan 2028", "2028-01-01", "2028-01-16"),
        ("2028-01b", "16–31 Jan 2028", "2028-01-16", "2028-02-01"),
    ]
    assert periods(PayCalendar("semimonthly"), 2028, 2028)[3].name == "16–29 Feb 2028"


def test_weeks_are_counted_from_the_anchor() -> None:
    # 5 January 2026 is a Monday; any other Monday, before or after, says the same.
    for anchor in (date(2026, 1, 5), date(2031, 3, 3), date(1999, 11, 29)):
        cut = periods(PayCalendar("weekly", anchor=day_number(anchor)), 2026, 2027)
        assert [(period.key, period.name, *days(period)) for period in cut[:2]] == [
            ("2026-W01", "29 Dec 2025 – 4 Jan 2026", "2025-12-29", "2026-01-05"),
            ("2026-W02", "5–11 Jan 2026", "2026-01-05", "2026-01-12"),
        ]
        # The week that ends on 3 January 2027 is the first of 2027.
        assert [(period.key, period.name) for period in cut[51:53]] == [
            ("2026-W52", "21–27 Dec 2026"),
            ("2027-W01", "28 Dec 2026 – 3 Jan 2027"),
        ]


def test_two_weeks_depend_on_which_monday_is_the_anchor() -> None:
    one, other = (
        periods(PayCalendar("biweekly", anchor=day_number(date(2026, 1, day))), 2026, 2026) for day in (5, 12)
    )
    assert [(period.key, period.name) for period in one[:2]] == [
        ("2026-B01", "22 Dec 2025 – 4 Jan 2026"),
        ("2026-B02", "5–18 Jan 2026"),
    ]
    assert [(period.key, period.name) for period in other[:2]] == [
        ("2026-B01", "29 Dec 2025 – 11 Jan 2026"),
        ("2026-B02", "12–25 Jan 2026"),
    ]


def test_a_period_is_of_the_fiscal_year_of_its_last_day() -> None:
    # A week that ends on the year's last day is its last; one day more, and it is the next year's first.
    on, behind = (
        periods(PayCalendar("weekly", start_month=7, anchor=day_number(date(2026, 6, day))), 2026, 2027)
        for day in (24, 25)
    )
    assert [period.key for period in on if days(period)[0] == "2026-06-24"] == ["2026-W53"]
    assert [period.key for period in behind if days(period)[0] == "2026-06-25"] == ["2027-W01"]
    # From a Wednesday to a Wednesday: 53 weeks end in FY2027.
    assert behind[-1].key == "2027-W53"


def test_years_of_27_two_weeks() -> None:
    cut = periods(PayCalendar("biweekly", anchor=day_number(date(2026, 1, 2))), 2020, 2040)
    counts = {year: sum(period.key.startswith(f"{year}-") for period in cut) for year in range(2020, 2041)}
    assert [year for year, count in counts.items() if count == 27] == [2026, 2037]
    assert set(counts.values()) == {26, 27}


def test_periods_as_somebody_states_them() -> None:
    spans = [(10, 17, "sprint-1", "First sprint"), (17, 20, "sprint-2", "Second sprint")]
    assert custom_periods(spans) == [Period(*span) for span in spans]


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([], "at least one span of days"),
        ([(10, 10, "a", "A")], "Period a starts on 1970-01-11; its end, .* not on 1970-01-11"),
        (
            [(10, 12, "a", "A"), (13, 15, "b", "B")],
            "b starts on 1970-01-14; it has to start on 1970-01-13, where a ends",
        ),
        (
            [(10, 12, "a", "A"), (11, 15, "b", "B")],
            "b starts on 1970-01-12; it has to start on 1970-01-13, where a ends",
        ),
        ([(10, 12, "a", "A"), (12, 15, "a", "B")], "Two periods have the key a"),
    ],
)
def test_refuses_periods_with_gaps(spans: list[tuple[int, int, str, str]], message: str) -> None:
    with pytest.raises(CalendarError, match=message):
        custom_periods(spans)


@given(
    st.sampled_from(get_args(Kind)),
    st.integers(1, 12),
    st.sampled_from(["last", "nearest"]),
    st.integers(0, 6),
    st.integers(-40_000, 40_000),
    st.integers(1990, 2090),
)
def test_no_gap_and_no_overlap(
    kind: Kind, start_month: int, year_end: YearEnd, weekday: int, anchor: int, first: int
) -> None:
    by_weeks = "-" in kind
    calendar = PayCalendar(
        kind,
        start_month,
        year_end if by_weeks else None,
        weekday if by_weeks else None,
        anchor if kind in COUNTED else None,
    )
    edges = set()
    paid = periods(calendar, first, first + 7)
    assert paid == [period for year in range(first, first + 8) for period in periods(calendar, year, year)]
    for cut in (paid, *(measure_periods(calendar, every, first, first + 7) for every in get_args(Every))):
        assert all(one.end == other.start for one, other in pairwise(cut))
        assert len({period.key for period in cut}) == len({period.name for period in cut}) == len(cut)
        if cut is not paid or kind not in COUNTED:
            edges.add((cut[0].start, cut[-1].end))
    assert len(edges) == 1
    if kind in COUNTED:
        length, _ = COUNTED[kind]
        ((start, end),) = edges
        assert all(period.end - period.start == length for period in paid)
        assert (paid[0].start - anchor) % length == 0
        # The first and the last day lie in the first and behind the last period, or at their edges.
        assert start < paid[0].end <= start + length and end - length < paid[-1].end <= end
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
    with pytest.raises(CalendarError, match="'daily'; allowed are monthly"):
        PayCalendar("daily")  # type: ignore[arg-type]
    with pytest.raises(CalendarError, match="'week'; allowed are month, quarter, half, year"):
        measure_periods(PayCalendar("monthly"), "week", 2026, 2026)  # type: ignore[arg-type]
    for kind in COUNTED:
        with pytest.raises(CalendarError, match=f"A {kind} calendar needs its anchor"):
            PayCalendar(kind)
        with pytest.raises(CalendarError, match="takes no year-end rule"):
            PayCalendar(kind, year_end="last", weekday=5, anchor=0)
    with pytest.raises(CalendarError, match="semimonthly calendar is not counted .* no anchor, not 1970-01-11"):
        PayCalendar("semimonthly", anchor=10)
    with pytest.raises(CalendarError, match="month 1 to 12, not 13"):
        PayCalendar("monthly", start_month=13)
    with pytest.raises(CalendarError, match="2027 has to come no later than the last, 2026"):
        periods(PayCalendar("monthly"), 2027, 2026)
    with pytest.raises(CalendarError, match="no time zone"):
        day_of(datetime(2026, 1, 1), "UTC")  # noqa: DTZ001
    for name in ("Mars/Olympus", "../etc/passwd", ""):
        with pytest.raises(CalendarError, match="Unknown time zone"):
            day_of(datetime(2026, 1, 1, tzinfo=UTC), name)
