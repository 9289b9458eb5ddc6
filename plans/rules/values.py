"""The written forms of a plan's values, and what they mean exactly.

Readers return None for a text that is not of the form, so that a check can say what was found and what is allowed.
"""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction
from typing import Any

from comp.core.days import DayError, parse_day
from comp.core.money import MoneyError, parse_money, plain_money

Document = dict[str, Any]

_PERCENT = re.compile(r"(-?[0-9]{1,9}(?:\.[0-9]{1,6})?) ?%")
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?")
_WHOLE = re.compile(r"-?[0-9]{1,9}")
SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")


def written(value: Any) -> str | None:
    """The text of a scalar that may stand for a number: as written, or a JSON integer."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def read_percent(value: Any) -> Fraction | None:
    """`12.5%` is 1/8."""
    match = _PERCENT.fullmatch(written(value) or "")
    return Fraction(match[1]) / 100 if match else None


def read_number(value: Any) -> Fraction | None:
    """A plain decimal with at most 6 decimals."""
    text = written(value) or ""
    return Fraction(text) if _NUMBER.fullmatch(text) else None


def read_whole(value: Any) -> int | None:
    text = written(value) or ""
    return int(text) if _WHOLE.fullmatch(text) else None


def read_money(value: Any, currency: str) -> int | None:
    """Minor units of the currency."""
    try:
        return parse_money(written(value) or "", currency)
    except MoneyError:
        return None


def read_date(value: Any) -> date | None:
    try:
        return parse_day(written(value) or "")
    except DayError:
        return None


def number_text(value: Fraction) -> str:
    """The shortest decimal of a value with at most 6 decimals: `1.5`, `-0.000001`, `3`."""
    scaled = value * 10**6
    if scaled.denominator != 1:
        raise ValueError(f"{value} has more than 6 decimals.")
    whole, rest = divmod(abs(scaled.numerator), 10**6)
    text = f"{whole}.{rest:06}".rstrip("0").rstrip(".")
    return f"-{text}" if value < 0 else text


def percent_text(value: Fraction) -> str:
    """`12.5%` for 1/8."""
    return f"{number_text(value * 100)}%"


def money_text(minor: int, currency: str) -> str:
    """`25000.00`: with all decimals of the currency, as documents hold it."""
    return plain_money(minor, currency)
