"""Fiscal calendars: pay and measure periods as consecutive half-open intervals. See docs/algorithms/calendars.md."""

from __future__ import annotations

import calendar as months
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from comp.core.days import day_number
from comp.core.errors import CompError

Kind = Literal["monthly", "quarterly", "4-4-5", "4-5-4", "5-4-4"]
Every = Literal["month", "quarter", "year"]
YearEnd = Literal["last", "nearest"]


class CalendarError(CompError):
    """A calendar is not fully stated, or states what cannot be."""


@dataclass(frozen=True, slots=True)
class PayCalendar:
    """How a tenant cuts its years.

    `start_month`: the month in which the fiscal year starts (1 is January). A fiscal year is named for the year in
    which its last month lies. The week calendars (`4-4-5` and its sisters) need a year-end rule: the year's last day is
    the `last` such `weekday` (0 is Monday) of its last month, or the one `nearest` to that month's last day.
    """

    kind: Kind
    start_month: int = 1
    year_end: YearEnd | None = None
    weekday: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise CalendarError(f"Unknown calendar {self.kind!r}; allowed are {', '.join(get_args(Kind))}.")
        if not 1 <= self.start_month <= 12:
            raise CalendarError(f"A fiscal year starts in month 1 to 12, not {self.start_month}.")
        if self.by_weeks:
            if self.year_end not in get_args(YearEnd) or self.weekday is None or not 0 <= self.weekday <= 6:
                raise CalendarError(
                    f"A {self.kind} calendar needs its year end: last or nearest, and a weekday 0 (Monday) to 6; "
                    f"found {self.year_end!r} and {self.weekday!r}."
                )
        elif self.year_end is not None or self.weekday is not None:
            raise CalendarError(
                f"A {self.kind} calendar ends with its months; it takes no year-end rule and no weekday."
            )

    @property
    def by_weeks(self) -> bool:
        return self.kind not in ("monthly", "quarterly")


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Days `start` (included) to `end` (not included), as day numbers. `key` is unique among periods of its length."""

    start: int
    end: int
    key: str
    name: str


def periods(calendar: PayCalendar, first_year: int, last_year: int) -> list[Period]:
    """The pay periods of fiscal years `first_year` to `last_year`: quarters for `quarterly`, else months."""
    return measure_periods(calendar, "quarter" if calendar.kind == "quarterly" else "month", first_year, last_year)


def measure_periods(calendar: PayCalendar, every: Every, first_year: int, last_year: int) -> list[Period]:
    """The months, quarters or years of the same fiscal calendar, in order and without gaps."""
    if every not in get_args(Every):
        raise CalendarError(f"Unknown measure period {every!r}; allowed are {', '.join(get_args(Every))}.")
    if first_year > last_year:
        raise CalendarError(f"The first fiscal year {first_year} has to come no later than the last, {last_year}.")
    return [period for year in range(first_year, last_year + 1) for period in _year(calendar, every, year)]


def day_of(instant: datetime, timezone: str) -> int:
    """The day number that `instant` falls on for people in `timezone` (a name such as `Europe/Berlin`)."""
    if instant.tzinfo is None:
        raise CalendarError(f"{instant.isoformat()} has no time zone; only an instant has a local day.")
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CalendarError(f"Unknown time zone {timezone!r}; use a name such as Europe/Berlin or UTC.") from None
    return day_number(instant.astimezone(zone).date())


def _year(calendar: PayCalendar, every: Every, year: int) -> Iterator[Period]:
    starts = _month_starts(calendar, year)
    if every == "year":
        yield Period(starts[0], starts[12], f"FY{year}", _year_name(calendar, year))
    elif every == "quarter":
        for quarter in range(4):
            start, end = starts[3 * quarter], starts[3 * quarter + 3]
            yield Period(start, end, f"{year}-Q{quarter + 1}", f"Q{quarter + 1} {_year_name(calendar, year)}")
    else:
        for place in range(12):
            first = _month_start(calendar, year, place)
            name = f"{months.month_name[first.month]} {first.year}"
            if calendar.by_weeks:
                yield Period(
                    starts[place], starts[place + 1], f"{year}-P{place + 1:02}", f"{name} (period {place + 1})"
                )
            else:
                yield Period(starts[place], starts[place + 1], f"{first.year}-{first.month:02}", name)


def _month_starts(calendar: PayCalendar, year: int) -> list[int]:
    """Twelve first days, and the first day after the year."""
    if not calendar.by_weeks:
        return [day_number(_month_start(calendar, year, place)) for place in range(13)]
    start, end = _weeks_year_end(calendar, year - 1), _weeks_year_end(calendar, year)
    starts = [start]
    for weeks in [int(part) for part in calendar.kind.split("-")] * 4:
        starts.append(starts[-1] + 7 * weeks)
    # In a year of 53 weeks the last month is a week longer.
    starts[12] = end
    return starts


def _month_start(calendar: PayCalendar, year: int, place: int) -> date:
    """The first day of the calendar month at `place` (0 to 12) of a fiscal year."""
    first = calendar.start_month - 1 + place + (12 * (year - 1) if calendar.start_month > 1 else 12 * year)
    return date(first // 12, first % 12 + 1, 1)


def _weeks_year_end(calendar: PayCalendar, year: int) -> int:
    """The first day after a fiscal year that ends on a weekday."""
    assert calendar.weekday is not None
    last = _month_start(calendar, year, 12) - timedelta(days=1)
    back = (last.weekday() - calendar.weekday) % 7
    ahead = 7 - back
    if calendar.year_end == "nearest" and ahead < back:
        return day_number(last) + ahead + 1
    return day_number(last) - back + 1


def _year_name(calendar: PayCalendar, year: int) -> str:
    plain = calendar.start_month == 1 and not calendar.by_weeks
    return str(year) if plain else f"FY{year}"
