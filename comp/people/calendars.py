"""The periods of a stored pay calendar, by the pure calendars of comp.core. Takes dates; periods hold day numbers."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import cast

from comp.core import calendars
from comp.core.calendars import Every, Kind, Period, YearEnd
from comp.core.days import DayError, day_number
from comp.people.models import PayCalendar
from comp.people.timeline import YEARS


def calendar_of(pay_calendar: PayCalendar) -> calendars.PayCalendar:
    """The pure value of a stored calendar; raises CalendarError where it is not fully stated."""
    return calendars.PayCalendar(
        kind=cast(Kind, str(pay_calendar.kind)),
        start_month=pay_calendar.fiscal_year_start,
        year_end=cast(YearEnd, pay_calendar.year_end_rule) if pay_calendar.year_end_rule else None,
        weekday=pay_calendar.year_end_weekday,
        anchor=day_number(pay_calendar.anchor) if pay_calendar.anchor else None,
    )


def pay_periods(pay_calendar: PayCalendar, first_day: date, last_day: date) -> list[Period]:
    """The pay periods that hold any of the days `first_day` to `last_day` (both included), in order."""
    return _holding(calendar_of(pay_calendar), None, first_day, last_day)


def measure_periods(pay_calendar: PayCalendar, every: Every, first_day: date, last_day: date) -> list[Period]:
    """The measure periods that hold any of the days `first_day` to `last_day` (both included), in order."""
    return _holding(calendar_of(pay_calendar), every, first_day, last_day)


def period_holding(pay_calendar: PayCalendar, day: date, every: Every | None = None) -> Period:
    """The pay period (or the month, quarter, half or year) in which a day lies. DayError for years that calendars are
    not cut in."""
    if day.year not in YEARS:
        raise DayError(f"No pay period holds {day:%-d %B %Y}: it lies outside the years {YEARS[0]} to {YEARS[-1]}.")
    (found,) = _holding(calendar_of(pay_calendar), every, day, day)
    return found


def _holding(calendar: calendars.PayCalendar, every: Every | None, first_day: date, last_day: date) -> list[Period]:
    # A fiscal year is named for the year of its last month, and one that ends nearest a weekday may reach some days
    # into the next; a week belongs to the fiscal year in which it ends. So a day's period is found in the fiscal year
    # before, of, or after its calendar year.
    years = range(first_day.year - 1, last_day.year + 2)
    first, last = day_number(first_day), day_number(last_day)
    return [
        period
        for year in years
        for period in _year(calendar, every, year)
        if period.end > first and period.start <= last
    ]


@lru_cache(maxsize=512)
def _year(calendar: calendars.PayCalendar, every: Every | None, year: int) -> tuple[Period, ...]:
    """The measure periods of a fiscal year, or its pay periods (`every` None)."""
    if every is None:
        return tuple(calendars.periods(calendar, year, year))
    return tuple(calendars.measure_periods(calendar, every, year, year))
