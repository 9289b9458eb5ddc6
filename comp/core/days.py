"""Days as numbers, and half-open intervals of them.

A day number counts days from 1970-01-01, as the kernels' columns do. A day has no time zone; an instant becomes a day
only through `comp.core.calendars.day_of`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from comp.core.errors import CompError

EPOCH = date(1970, 1, 1)
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class DayError(CompError):
    """A text is no date, or an interval ends before it starts."""


def day_number(day: date) -> int:
    """Days from 1970-01-01 to `day`; earlier days are negative."""
    return (day - EPOCH).days


def day_date(number: int) -> date:
    """The date of a day number."""
    return EPOCH + timedelta(days=number)


def parse_day(text: str) -> date:
    """Read `YYYY-MM-DD` and nothing else (not `20261101`, not a week date, no other digits)."""
    if _ISO_DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise DayError(f"{text!r} is not a date; write it as YYYY-MM-DD, like 2026-11-30.")


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Days from `start` (included) to `end` (not included); `end` None is open. Never empty."""

    start: int
    end: int | None = None

    def __post_init__(self) -> None:
        if self.end is not None and self.end <= self.start:
            raise DayError(
                f"An interval that starts on {day_date(self.start)} has to end later, not on {day_date(self.end)}."
            )

    def __contains__(self, day: int) -> bool:
        return self.start <= day and (self.end is None or day < self.end)

    def overlaps(self, other: Interval) -> bool:
        return self.intersect(other) is not None

    def intersect(self, other: Interval) -> Interval | None:
        """The days that stand in both, or None where there are none."""
        start = max(self.start, other.start)
        ends = [end for end in (self.end, other.end) if end is not None]
        end = min(ends) if ends else None
        return Interval(start, end) if end is None or end > start else None
