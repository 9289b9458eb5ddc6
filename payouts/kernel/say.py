"""Steps of a story, and how their figures read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

from comp.core.days import day_date
from comp.core.money import format_money
from plans.rules.compiled import Unit as Measured
from plans.rules.compiled_pay import After, Tranche

Unit = Literal["money", "share", "factor", "none"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way. `value` is exact: minor units for money, a ratio for a share or factor. `detail` holds what
    a table beside the sentence shows, ready for JSON except for its exact ratios and slices."""

    label_code: str
    sentence: str
    value: int | Fraction | None
    unit: Unit
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Names:
    """What people, facts (by row, with the revision where there is one) and roles are called."""

    person: Callable[[int], str]
    fact: Callable[[int], str]
    role: Callable[[str], str] = str


def percent_text(share: Fraction) -> str:
    """A share for people, with at most two decimals and never rounded up, so that 99.999% does not read as 100%."""
    hundredths = abs(share.numerator) * 10_000 // share.denominator
    whole, rest = divmod(hundredths, 100)
    text = f"{whole:,}.{rest:02}".rstrip("0").rstrip(".")
    return f"{'-' if share < 0 and hundredths else ''}{text}%"


def number_text(value: Fraction | int) -> str:
    """A number with at most six decimals; one that goes on behind them is shown with dots."""
    value = Fraction(value)
    millionths = abs(value.numerator) * 10**6 // value.denominator
    whole, rest = divmod(millionths, 10**6)
    text = f"{'-' if value < 0 else ''}{whole:,}.{rest:06}".rstrip("0").rstrip(".")
    return text if abs(value) * 10**6 == millionths else f"{text}…"


def money_text(minor: int | Fraction, currency: str) -> str:
    """For people; an exact amount between two minor units is shown by the one towards zero, with dots."""
    towards_zero = int(minor)
    text = format_money(towards_zero, currency)
    return text if towards_zero == minor else f"{text}…"


def figure_text(value: Fraction, unit: Measured, currency: str) -> str:
    """What is measured, in its unit: minor units of money, whole units of everything else."""
    if unit == "money":
        return money_text(value, currency)
    if unit == "share":
        return percent_text(value)
    text = number_text(value)
    return text if unit == "number" else f"{text} {unit if value != 1 else unit[:-1]}"


def times_text(factor: Fraction) -> str:
    return "once" if factor == 1 else f"{number_text(factor)} times"


def day_text(day: int) -> str:
    return f"{day_date(day):%-d %B %Y}"


def trigger_text(entry: Tranche) -> str:
    """What releases a tranche."""
    if entry.on == "paid":
        text = f"what is paid of what is {entry.base}"
    elif entry.on == "date" and entry.day is not None:
        text = day_text(entry.day)
    elif entry.at is not None:
        text = f"{percent_text(entry.at)} of the contracted usage"
    else:
        text = entry.on.replace("_", " ")
    return text if entry.after is None else f"{text} and {_after_text(entry.after)}"


def _after_text(after: After) -> str:
    if after.days is not None:
        return _counted(after.days, "day")
    if after.periods is not None:
        return _counted(after.periods, "pay period")
    assert after.months is not None
    text = _counted(after.months, "month")
    return text if after.day is None else f"{text} (day {after.day})"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
