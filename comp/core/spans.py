"""Exact counts of days and months, for prorations and clawbacks. See docs/algorithms/calendars.md.

Days are day numbers (comp.core.days), alone or as NumPy columns of int64; columns and single days go together. Columns
give columns, single days a NumPy whole number. A span holds its first day `start` and not its `end`; one that ends no
later than it starts holds nothing, and every count of it is 0. Days stand in the years 1 to 9999, and an open end has
to be cut off before it is counted: DayError for others.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt

from comp.core.days import DayError, day_number

Ints = npt.NDArray[np.int64]
Days = int | np.int64 | Ints

FIRST_DAY, LAST_DAY = day_number(date.min), day_number(date.max)


def calendar_days(start: Days, end: Days) -> Ints:
    """How many days [start, end) holds."""
    first, behind = _span(start, end)
    return behind - first


def working_days(start: Days, end: Days, holidays: Ints) -> Ints:
    """How many days from Monday to Friday [start, end) holds, less `holidays`: days in order, of which those at a
    weekend count for nothing."""
    first, behind = _span(start, end)
    return np.busday_count(_dates(first), _dates(behind), holidays=_dates(_days(holidays))).astype(np.int64)


def whole_months(start: Days, end: Days) -> Ints:
    """How many whole months have gone by from `start` until `end`: the greatest k with add_months(start, k) <= end.

    From 31 January to 28 February is one, since a month later is the last day of February; from 28 February to 30
    March is one as well, and to 28 March.
    """
    first, behind = _span(start, end)
    between = _month(behind) - _month(first)
    # Begun months, of which the last is whole only where the day itself was reached.
    return between - (_shift(first, between) > behind)


def full_months(start: Days, end: Days) -> Ints:
    """How many calendar months lie in [start, end) with all their days."""
    first, behind = _span(start, end)
    found: Ints = np.maximum(_month(behind) - _month(first - 1) - 1, 0)
    return found


def months_touched(start: Days, end: Days) -> Ints:
    """Of how many calendar months [start, end) holds at least one day."""
    first, behind = _span(start, end)
    return (_month(behind - 1) - _month(first) + 1) * (behind > first)


def add_months(day: Days, months: Days) -> Ints:
    """The same day of the month, `months` later (earlier where negative), or that month's last day where it is
    shorter: a month after 31 January is the last day of February, two months after it 31 March."""
    return _shift(_days(day), np.asarray(months, dtype=np.int64)[()])


def month_of(day: Days) -> Ints:
    """The calendar month of a day, as months from January 1970; earlier ones are negative."""
    return _month(_days(day))


def day_in_month(day: Days, dom: Days) -> Ints:
    """The day with number `dom` (1 to 31) in the calendar month of `day`, or that month's last day where it is
    shorter; 31 is every month's last."""
    place = np.asarray(dom, dtype=np.int64)[()]
    wrong = (place < 1) | (place > 31)
    if np.any(wrong):
        raise DayError(f"A day of the month is 1 to 31, not {np.extract(wrong, place)[0]}.")
    return _place(_month(_days(day)), place - 1)


def _span(start: Days, end: Days) -> tuple[Ints, Ints]:
    first, behind = _days(start), _days(end)
    return first, np.maximum(first, behind)


def _days(days: Days) -> Ints:
    # The empty index makes a single day a NumPy number, and leaves a column as it is.
    found: Ints = np.asarray(days, dtype=np.int64)[()]
    outside = (found < FIRST_DAY) | (found > LAST_DAY)
    if np.any(outside):
        raise DayError(
            f"Day number {np.extract(outside, found)[0]} is outside the years 1 to 9999; an open end has to be cut "
            "off before its days are counted."
        )
    return found


def _dates(days: Ints) -> npt.NDArray[np.datetime64]:
    return days.astype("datetime64[D]")


def _month(day: Ints) -> Ints:
    return _dates(day).astype("datetime64[M]").astype(np.int64)


def _first(month: Ints) -> Ints:
    return month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _place(month: Ints, place: Ints) -> Ints:
    """The day `place` days (from 0) behind a month's first, or the month's last day."""
    first = _first(month)
    found: Ints = np.minimum(first + place, _first(month + 1) - 1)
    return found


def _shift(day: Ints, months: Ints) -> Ints:
    month = _month(day)
    return _place(month + months, day - _first(month))
