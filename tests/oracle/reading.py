"""How the text of a document is read, and the arithmetic that every part of the meaning shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from math import floor
from typing import Any

MINOR_DIGITS = {"none": 2, "JPY": 0, "USD": 2, "EUR": 2, "GBP": 2, "KWD": 3}
MILLION = 10**6

Document = dict[str, Any]


def percent(text: str) -> Fraction:
    """`12.5%` as 1/8."""
    return Fraction(text.removesuffix("%")) / 100


def number(text: str) -> Fraction:
    """A percentage or a plain decimal."""
    return percent(text) if text.endswith("%") else Fraction(text)


def unit_in(currency: str) -> int:
    return int(10 ** MINOR_DIGITS[currency])


def unit_of(document: Document) -> int:
    """One whole unit of the plan's currency, in minor units."""
    return unit_in(document["currency"])


def minor(text: str, document: Document) -> int:
    """Money text as whole minor units of the plan's currency."""
    units = Fraction(text) * unit_of(document)
    assert units.denominator == 1, text
    return units.numerator


def nearest(exact: Fraction, mode: str, step: int = 1) -> int:
    """The nearest multiple of `step`; on a tie to the even multiple, or away from zero."""
    steps = abs(exact) / step
    whole = floor(steps)
    rest = steps - whole
    tie_up = whole % 2 == 1 if mode == "half-even" else True
    if rest > Fraction(1, 2) or (rest == Fraction(1, 2) and tie_up):
        whole += 1
    return whole * step if exact >= 0 else -whole * step


def rounded(exact: Fraction, document: Document, *, step: int) -> int:
    return nearest(exact, document["rounding"]["mode"], step)


def rounded_to_minor(exact: Fraction, document: Document) -> int:
    return rounded(exact, document, step=1)


def step_of(document: Document) -> int:
    return {"minor": 1, "whole": unit_of(document), "tens": 10 * unit_of(document)}[document["rounding"]["step"]]


def rounded_to_step(exact: Fraction, document: Document) -> int:
    return rounded(exact, document, step=step_of(document))


def divided(pot: int, shares: Mapping[int, Fraction | int], step: int = 1) -> dict[int, int]:
    """A pot by largest remainders, ties to the lower key; a negative pot as the negated parts of the positive one."""
    whole = sum(shares.values())
    exact = {key: Fraction(abs(pot)) * share / whole for key, share in shares.items()}
    given = {key: floor(part / step) * step for key, part in exact.items()}
    left_over = (abs(pot) - sum(given.values())) // step
    by_remainder = sorted(exact, key=lambda key: (given[key] - exact[key], key))
    for key in by_remainder[:left_over]:
        given[key] += step
    return {key: part if pot >= 0 else -part for key, part in given.items()}


def holding(starts: Sequence[Any], x: Any, boundary: str) -> int:
    """The last band that begins at or below x; `below` gives a value exactly on a bound to the band under it."""
    place = 0
    for index, start in enumerate(starts[1:], start=1):
        if x > start or (x == start and boundary == "above"):
            place = index
    return place


# ------------------------------------------------------------------ days


def inside(day: date, start: date, end: date | None) -> bool:
    return start <= day and (end is None or day < end)


class OutsideCalendar(ValueError):
    """A day is in no period."""


def period_of(day: date, starts: Sequence[date]) -> int:
    for index in range(len(starts) - 1):
        if starts[index] <= day < starts[index + 1]:
            return index
    raise OutsideCalendar(f"{day} is outside the calendar {starts[0]} to {starts[-1]}")


def last_day(starts: Sequence[date], period: int) -> date:
    return starts[period + 1] - timedelta(days=1)


@cache
def each_day(start: date, end: date) -> tuple[date, ...]:
    return tuple(start + timedelta(days=place) for place in range((end - start).days))


def months_later(day: date, months: int) -> date:
    """The same day of the month, or the month's last where it is shorter."""
    month = day.year * 12 + day.month - 1 + months
    return in_month(date(month // 12, month % 12 + 1, 1), day.day)


def in_month(day: date, place: int) -> date:
    """The day with that number in the month of `day`, or the month's last."""
    for number in range(place, 0, -1):
        try:
            return day.replace(day=number)
        except ValueError:
            continue
    raise ValueError(place)


def whole_months(start: date, end: date) -> int:
    """The greatest number of months after which `start` is no later than `end`."""
    months = 0
    while months_later(start, months + 1) <= end:
        months += 1
    return months
