"""A stored calendar cuts the same periods as its pure value, whatever the days asked for."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from comp.core.calendars import CalendarError
from comp.core.days import day_date, day_number
from comp.people.calendars import calendar_of, measure_periods, pay_periods, period_holding
from comp.people.models import PayCalendar

MONTHLY = PayCalendar(tenant_id=1, kind="monthly", fiscal_year_start=1)
FEBRUARY = PayCalendar(tenant_id=1, kind="quarterly", fiscal_year_start=2)
WEEKS = PayCalendar(tenant_id=1, kind="4-4-5", fiscal_year_start=1, year_end_rule="nearest", year_end_weekday=5)
WEEKLY = PayCalendar(tenant_id=1, kind="weekly", fiscal_year_start=7, anchor=date(2026, 1, 1))
BIWEEKLY = PayCalendar(tenant_id=1, kind="biweekly", fiscal_year_start=1, anchor=date(2031, 3, 3))
SEMIMONTHLY = PayCalendar(tenant_id=1, kind="semimonthly", fiscal_year_start=2)


def test_pay_periods_hold_the_days_asked_for() -> None:
    found = pay_periods(MONTHLY, date(2025, 12, 31), date(2026, 2, 1))
    assert [period.key for period in found] == ["2025-12", "2026-01", "2026-02"]
    assert [period.key for period in pay_periods(FEBRUARY, date(2026, 1, 31), date(2026, 2, 1))] == [
        "2026-Q4",
        "2027-Q1",
    ]
    assert [period.key for period in pay_periods(SEMIMONTHLY, date(2026, 1, 31), date(2026, 2, 1))] == [
        "2026-01b",
        "2026-02a",
    ]
    # A week is of the year in which it ends: these two lie around 1 July.
    assert [period.key for period in pay_periods(WEEKLY, date(2026, 6, 24), date(2026, 6, 25))] == [
        "2026-W52",
        "2027-W01",
    ]


def test_measure_periods_follow_the_fiscal_year() -> None:
    (year,) = measure_periods(FEBRUARY, "year", date(2026, 3, 1), date(2026, 3, 1))
    assert (day_date(year.start), day_date(year.end)) == (date(2026, 2, 1), date(2027, 2, 1))


@pytest.mark.parametrize("calendar", [MONTHLY, FEBRUARY, WEEKS, WEEKLY, BIWEEKLY, SEMIMONTHLY])
@pytest.mark.parametrize("every", [None, "month", "quarter", "half", "year"])
def test_every_day_of_forty_years_lies_in_exactly_one_period(calendar: PayCalendar, every: str | None) -> None:
    day = date(2000, 1, 1)
    while day < date(2040, 1, 1):
        period = period_holding(calendar, day, every)  # type: ignore[arg-type]
        assert period.start <= day_number(day) < period.end
        day += timedelta(days=1 if every is None else 11)


def test_a_calendar_that_is_not_fully_stated_is_refused() -> None:
    with pytest.raises(CalendarError, match="needs its year end"):
        calendar_of(PayCalendar(tenant_id=1, kind="4-4-5", fiscal_year_start=1))
    with pytest.raises(CalendarError, match="needs its anchor"):
        calendar_of(PayCalendar(tenant_id=1, kind="weekly", fiscal_year_start=1))
