"""Fiscal calendars: pay and measure periods as consecutive half-open intervals. See docs/algorithms/calendars.md."""

from __future__ import annotations

import calendar as months
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from comp.core.days import day_date, day_number
from comp.core.errors import CompError

Kind = Literal["monthly", "semimonthly", "biweekly", "weekly", "quarterly", "4-4-5", "4-5-4", "5-4-4"]
Every = Literal["month", "quarter", "half", "year"]
YearEnd = Literal["last", "nearest"]
#: Pay periods that are counted in days from an anchor: how long they are, and the letter of their keys.
COUNTED: dict[Kind, tuple[int, str]] = {"weekly": (7, "W"), "biweekly": (14, "B")}
#: How many fiscal months each measure period has.
MONTHS: dict[Every, int] = {"month": 1, "quarter": 3, "half": 6, "year": 12}


class CalendarError(CompError):
    """A calendar is not fully stated, or states what cannot be."""


@dataclass(frozen=True, slots=True)
class PayCalendar:
    """How a tenant cuts its years.

    `start_month`: the month in which the fiscal year starts (1 is January). A fiscal year is named for the year in
    which its last month lies. The week calendars (`4-4-5` and its sisters) need a year-end rule: the year's last day is
    the `last` such `weekday` (0 is Monday) of its last month, or the one `nearest` to that month's last day. The
    counted calendars (`weekly`, `biweekly`) need an `anchor`: the day number of the first day of any one pay period.
    `holidays`, day numbers in order, are no working days; no period is cut by them.
    """

    kind: Kind
    start_month: int = 1
    year_end: YearEnd | None = None
    weekday: int | None = None
    anchor: int | None = None
    holidays: tuple[int, ...] = ()

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
        if self.kind in COUNTED:
            if self.anchor is None:
                raise CalendarError(
                    f"A {self.kind} calendar needs its anchor: the first day of any one pay period; found none."
                )
        elif self.anchor is not None:
            raise CalendarError(
                f"A {self.kind} calendar is not counted from a day; it takes no anchor, not {day_date(self.anchor)}."
            )

    @property
    def by_weeks(self) -> bool:
        """Whether the fiscal months, and with them all measure periods, are whole weeks."""
        return self.kind in ("4-4-5", "4-5-4", "5-4-4")


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Days `start` (included) to `end` (not included), as day numbers. `key` is unique among periods of its length."""

    start: int
    end: int
    key: str
    name: str


def periods(calendar: PayCalendar, first_year: int, last_year: int) -> list[Period]:
    """The pay periods of fiscal years `first_year` to `last_year`, in order and without gaps.

    A period of a counted calendar belongs to the fiscal year in which its last day lies, and is numbered there from 1.
    """
    return [period for year in _years(first_year, last_year) for period in _pay_year(calendar, year)]


def measure_periods(calendar: PayCalendar, every: Every, first_year: int, last_year: int) -> list[Period]:
    """The months, quarters, halves or years of the same fiscal calendar, in order and without gaps."""
    if every not in get_args(Every):
        raise CalendarError(f"Unknown measure period {every!r}; allowed are {', '.join(get_args(Every))}.")
    return [period for year in _years(first_year, last_year) for period in _year(calendar, every, year)]


def custom_periods(spans: Iterable[tuple[int, int, str, str]]) -> list[Period]:
    """Measure periods as somebody states them: (start, end, key, name), half-open days, in order and without gaps."""
    found: list[Period] = []
    keys: set[str] = set()
    for start, end, key, name in spans:
        if end <= start:
            raise CalendarError(
                f"Period {key} starts on {day_date(start)}; its end, the first day after it, has to come later, not on "
                f"{day_date(end)}."
            )
        if found and start != found[-1].end:
            raise CalendarError(
                f"Period {key} starts on {day_date(start)}; it has to start on {day_date(found[-1].end)}, where "
                f"{found[-1].key} ends."
            )
        if key in keys:
            raise CalendarError(f"Two periods have the key {key}; each needs its own.")
        keys.add(key)
        found.append(Period(start, end, key, name))
    if not found:
        raise CalendarError("Custom periods need at least one span of days; found none.")
    return found


def day_of(instant: datetime, timezone: str) -> int:
    """The day number that `instant` falls on for people in `timezone` (a name such as `Europe/Berlin`)."""
    if instant.tzinfo is None:
        raise CalendarError(f"{instant.isoformat()} has no time zone; only an instant has a local day.")
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CalendarError(f"Unknown time zone {timezone!r}; use a name such as Europe/Berlin or UTC.") from None
    return day_number(instant.astimezone(zone).date())


def _years(first_year: int, last_year: int) -> range:
    if first_year > last_year:
        raise CalendarError(f"The first fiscal year {first_year} has to come no later than the last, {last_year}.")
    return range(first_year, last_year + 1)


def _pay_year(calendar: PayCalendar, year: int) -> Iterator[Period]:
    if calendar.kind in COUNTED:
        yield from _counted(calendar, year)
    elif calendar.kind == "semimonthly":
        for place in range(12):
            month = _month_start(calendar, year, place)
            first, end = day_number(month), day_number(_month_start(calendar, year, place + 1))
            middle = first + 15
            yield Period(first, middle, f"{month:%Y-%m}a", _days_name(first, middle))
            yield Period(middle, end, f"{month:%Y-%m}b", _days_name(middle, end))
    else:
        yield from _year(calendar, "quarter" if calendar.kind == "quarterly" else "month", year)


def _counted(calendar: PayCalendar, year: int) -> Iterator[Period]:
    """The periods of a fixed number of days whose last day lies in a fiscal year."""
    assert calendar.anchor is not None
    days, letter = COUNTED[calendar.kind]
    starts = _month_starts(calendar, year)
    earliest = starts[0] - days + 1
    start = earliest + (calendar.anchor - earliest) % days
    for place, first in enumerate(range(start, starts[12] - days + 1, days), start=1):
        yield Period(first, first + days, f"{year}-{letter}{place:02}", _days_name(first, first + days))


def _year(calendar: PayCalendar, every: Every, year: int) -> Iterator[Period]:
    starts = _month_starts(calendar, year)
    if every == "month":
        yield from _months(calendar, starts, year)
    elif every == "year":
        yield Period(starts[0], starts[12], f"FY{year}", _year_name(calendar, year))
    else:
        size, letter = MONTHS[every], every[0].upper()
        for place, month in enumerate(range(0, 12, size), start=1):
            part = f"{letter}{place}"
            yield Period(starts[month], starts[month + size], f"{year}-{part}", f"{part} {_year_name(calendar, year)}")


def _months(calendar: PayCalendar, starts: list[int], year: int) -> Iterator[Period]:
    for place in range(12):
        start, end = starts[place], starts[place + 1]
        first = _month_start(calendar, year, place)
        name = f"{months.month_name[first.month]} {first.year}"
        if calendar.by_weeks:
            yield Period(start, end, f"{year}-P{place + 1:02}", f"{name} (period {place + 1})")
        else:
            yield Period(start, end, f"{first.year}-{first.month:02}", name)


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


def _days_name(start: int, end: int) -> str:
    """A period by its first and last day: 1–15 Nov 2026, 26 Jan – 1 Feb 2026, 28 Dec 2026 – 3 Jan 2027."""
    first, last = day_date(start), day_date(end - 1)
    until = f"{last.day} {months.month_abbr[last.month]} {last.year}"
    if first.year != last.year:
        return f"{first.day} {months.month_abbr[first.month]} {first.year} – {until}"
    if first.month != last.month:
        return f"{first.day} {months.month_abbr[first.month]} – {until}"
    return f"{first.day}–{until}"
