"""The periods of a stored pay calendar, by the pure calendars of comp.core. Takes dates; periods hold day numbers."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import cast

from comp.core import calendars
from comp.core.calendars import Every, Kind, Period, YearEnd
from comp.core.days import day_number
from comp.people.models import PayCalendar


def calendar_of(pay_calendar: PayCalendar) -> calendars.PayCalendar:
    """The pure value of a stored calendar; raises CalendarError where it is not fully stated."""
    return calendars.PayCalendar(
        kind=cast(Kind, str(pay_calendar.kind)),
        start_month=pay_calendar.fiscal_year_start,
        year_end=cast(YearEnd, pay_calendar.year_end_rule) if pay_calendar.year_end_rule else None,
        weekday=pay_calendar.year_end_weekday,
    )


def pay_periods(pay_calendar: PayCalendar, first_day: date, last_day: date) -> list[Period]:
    """The pay periods that hold any of the days `first_day` to `last_day` (both included), in order."""
    calendar = calendar_of(pay_calendar)
    return _holding(calendar, _pay_every(calendar), first_day, last_day)


def measure_periods(pay_calendar: PayCalendar, every: Every, first_day: date, last_day: date) -> list[Period]:
    """The months, quarters or fiscal years that hold any of the days `first_day` to `last_day` (both included)."""
    return _holding(calendar_of(pay_calendar), every, first_day, last_day)


def period_holding(pay_calendar: PayCalendar, day: date, every: Every | None = None) -> Period:
    """The pay period (or the month, quarter or year) in which a day lies."""
    calendar = calendar_of(pay_calendar)
    (found,) = _holding(calendar, every or _pay_every(calendar), day, day)
    return found


def _pay_every(calendar: calendars.PayCalendar) -> Every:
    return "quarter" if calendar.kind == "quarterly" else "month"


def _holding(calendar: calendars.PayCalendar, every: Every, first_day: date, last_day: date) -> list[Period]:
    # A fiscal year is named for the year of its last month, and one that ends nearest a weekday may reach some days
    # into the next: a day lies in the fiscal year before, of, or after its calendar year.
    years = range(first_day.year - 1, last_day.year + 2)
    first, last = day_number(first_day), day_number(last_day)
    return [
        period
        for year in years
        for period in _year(calendar, every, year)
        if period.end > first and period.start <= last
    ]


@lru_cache(maxsize=512)
def _year(calendar: calendars.PayCalendar, every: Every, year: int) -> tuple[Period, ...]:
    return tuple(calendars.measure_periods(calendar, every, year, year))
