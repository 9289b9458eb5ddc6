"""Reads a document that may be wrong anywhere, and remembers all that is: the tool of `check`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fractions import Fraction
from typing import Any

from comp.core.errors import Problem, Severity
from comp.core.money import NO_CURRENCY, PLAN_CURRENCIES, minor_digits, with_code
from plans.rules.values import (
    SLUG,
    Document,
    money_text,
    percent_text,
    read_money,
    read_number,
    read_percent,
    read_whole,
    written,
)

MAX_PERCENT = Fraction(1000)  # 100000%
MAX_FACTOR = Fraction(1000)
#: As wide as the columns that hold keys.
MAX_SLUG = 50


def join(path: str, key: str | int) -> str:
    """`components[0].tiers` from its parts."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def shown(value: Any) -> str:
    """A found value, short enough for a message."""
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else text[:57] + "..."


def listed(words: Iterable[str]) -> str:
    """`line or curve`; `text, number or date`."""
    *head, last = words
    return f"{', '.join(head)} or {last}" if head else last


class Look:
    """Typed readers over a document. Each reports what is wrong or missing, and then returns None or nothing."""

    def __init__(self, currency: str | None = None) -> None:
        self.problems: list[Problem] = []
        self.currency = currency
        self._places: dict[str, int] = {}

    def visit(self, path: str) -> None:
        """Remember that `path` stands here in the order of the document."""
        self._places.setdefault(path, len(self._places))

    def sort(self) -> None:
        """Bring the problems into the order of the document, as it was visited."""

        def place(problem: Problem) -> int:
            path = problem.path
            while path and path not in self._places:
                path = path[: max(path.rfind("."), path.rfind("["), 0)]
            return self._places.get(path, -1)

        self.problems.sort(key=place)

    def report(self, path: str, found: Any, allowed: str, message: str, severity: Severity = "error") -> None:
        self.problems.append(
            Problem(path, found if isinstance(found, str) else shown(found), allowed, message, severity)
        )

    def warn(self, path: str, found: Any, allowed: str, message: str) -> None:
        self.report(path, found, allowed, message, "warning")

    def wrong(self, path: str, found: Any, allowed: str) -> None:
        """What stands there has the wrong form."""
        self.report(path, found, allowed, f"Found {shown(found)}; allowed: {allowed}.")

    def table(self, value: Any, path: str, required: Sequence[str], optional: Sequence[str] = ()) -> Document:
        """The table at `path`, its missing and unknown keys reported; an empty one where there is no table."""
        if not isinstance(value, dict):
            self.wrong(path, value, f"a table with {', '.join(required)}")
            return {}
        known = [*required, *optional]
        for key in value:
            if key not in known:
                near = get_close_matches(str(key), [name for name in known if name not in value], 1)
                hint = f"Did you mean `{near[0]}`?" if near else f"Known are {', '.join(known)}."
                self.report(join(path, key), key, ", ".join(known), f"`{key}` has no place here. {hint}")
        for key in required:
            if key not in value:
                self.report(
                    join(path, key), "nothing", "a value", f"`{key}` is missing; it is required and has no default."
                )
        return value

    def rows(self, table: Document, path: str, key: str, least: int, most: int, what: str) -> list[tuple[str, Any]]:
        """The rows of the list at `key`, each with its path."""
        if key not in table:
            return []
        return self.list_rows(table[key], join(path, key), least, most, what)

    def list_rows(self, rows: Any, path: str, least: int, most: int, what: str) -> list[tuple[str, Any]]:
        """The rows of a list, each with its path."""
        allowed = f"a list of {least} to {most} {what}" if least < most else f"a list of {least} {what}"
        if not isinstance(rows, list):
            self.wrong(path, rows, allowed)
            return []
        if not least <= len(rows) <= most:
            range_ = f"exactly {least}" if least == most else f"{least} to {most}"
            self.report(path, f"{len(rows)} {what}", allowed, f"Found {len(rows)} {what}; allowed: {range_}.")
        return [(join(path, place), row) for place, row in enumerate(rows[:most])]

    def word(self, table: Document, path: str, key: str, allowed: Sequence[str]) -> str | None:
        """One of a few words."""
        return self.word_value(table[key], join(path, key), allowed) if key in table else None

    def word_value(self, value: Any, path: str, allowed: Sequence[str]) -> str | None:
        if isinstance(value, str) and value in allowed:
            return value
        near = get_close_matches(value, allowed, 1) if isinstance(value, str) else []
        hint = f" Did you mean {near[0]}?" if near and len(allowed) > 1 else ""
        self.report(path, value, listed(allowed), f"Found {shown(value)}; allowed: {listed(allowed)}.{hint}")
        return None

    def text(self, table: Document, path: str, key: str, most: int) -> str | None:
        return self.text_value(table[key], join(path, key), most) if key in table else None

    def text_value(self, value: Any, path: str, most: int) -> str | None:
        if isinstance(value, str) and value.strip() and len(value) <= most:
            return value
        self.wrong(path, value, f"a text of 1 to {most} characters")
        return None

    def slug(self, table: Document, path: str, key: str) -> str | None:
        return self.slug_value(table[key], join(path, key)) if key in table else None

    def slug_value(self, value: Any, path: str) -> str | None:
        if isinstance(value, str) and len(value) <= MAX_SLUG and SLUG.fullmatch(value):
            return value
        self.wrong(
            path,
            value,
            f"a key of at most {MAX_SLUG} small letters, digits, hyphens and underscores, like new-business",
        )
        return None

    def slugs(self, table: Document, path: str, key: str, what: str) -> list[str]:
        """A non-empty list of different slugs."""
        return self.slugs_value(table[key], join(path, key), what, 1) if key in table else []

    def slugs_value(self, values: Any, path: str, what: str, least: int) -> list[str]:
        seen: list[str] = []
        for place, value in self.list_rows(values, path, least, 50, what):
            slug = self.slug_value(value, place)
            if slug is not None and slug in seen:
                self.report(place, slug, "each once", f"{slug} stands here twice.")
            elif slug is not None:
                seen.append(slug)
        return seen

    def whole(self, table: Document, path: str, key: str, low: int, high: int) -> int | None:
        return self.whole_value(table[key], join(path, key), low, high) if key in table else None

    def whole_value(self, found: Any, path: str, low: int, high: int) -> int | None:
        value = read_whole(found)
        if value is None or not low <= value <= high:
            self.wrong(path, found, f"a whole number from {low} to {high}")
            return None
        return value

    def unknown_field(self, value: Any, path: str, types: Iterable[str], end: str, allowed: str) -> None:
        """A name that is no field; one that is near is named."""
        near = get_close_matches(value, list(types), 1) if isinstance(value, str) else []
        hint = f" Did you mean {near[0]}?" if near else ""
        self.report(path, value, allowed, f"A fact has no field {shown(value)}{end}.{hint}")

    def percent(self, table: Document, path: str, key: str, *, zero: bool) -> Fraction | None:
        """A percentage from 0% (or above it, without `zero`), as a ratio."""
        return self.percent_value(table[key], join(path, key), zero=zero) if key in table else None

    def percent_value(self, found: Any, path: str, *, zero: bool) -> Fraction | None:
        value = read_percent(found)
        low = "from 0%" if zero else "above 0%"
        allowed = f"a percentage {low} to {percent_text(MAX_PERCENT)} with at most 6 decimals, like 12.5%"
        if value is None:
            number = read_number(found)
            hint = ""
            if number is not None and 0 <= number <= 100:
                as_percent = f"{shown(written(found))}%" if number >= 1 or number == 0 else percent_of(number)
                hint = f" A plain number is no percentage: write {as_percent} if that is meant."
            self.report(path, found, allowed, f"Found {shown(found)}; allowed: {allowed}.{hint}")
        elif not (value >= 0 if zero else value > 0) or value > MAX_PERCENT:
            self.wrong(path, found, allowed)
        else:
            return value
        return None

    def factor(self, table: Document, path: str, key: str) -> Fraction | None:
        """A plain decimal from 0."""
        return self.factor_value(table[key], join(path, key)) if key in table else None

    def factor_value(self, found: Any, path: str) -> Fraction | None:
        value = read_number(found)
        if value is None or not 0 <= value <= MAX_FACTOR:
            self.wrong(path, found, f"a factor from 0 to {MAX_FACTOR} with at most 6 decimals, like 1.5")
            return None
        return value

    def money(self, table: Document, path: str, key: str, *, zero: bool) -> int | None:
        """An amount from 0.00 (or above it, without `zero`) in minor units."""
        if key not in table:
            return None
        return self.money_value(table[key], join(path, key), "zero" if zero else "positive")

    def amount(self, minor: int) -> str:
        """Minor units as the document writes them, with the currency."""
        return with_code(minor, self.currency) if self.currency else str(minor)

    @property
    def in_currency(self) -> str:
        """` in USD` behind a word; nothing where there is no currency."""
        return "" if self.currency in (None, NO_CURRENCY) else f" in {self.currency}"

    def money_value(self, found: Any, path: str, sign: str) -> int | None:
        """`sign`: positive, zero (from zero on) or any."""
        if self.currency not in PLAN_CURRENCIES:
            return None  # an unknown currency is reported once, by itself
        digits = minor_digits(self.currency)
        limits = {"positive": "above ", "zero": "from ", "any": ""}[sign]
        start = f"{limits}{money_text(0, self.currency)} " if limits else ""
        decimals = f"at most {digits} decimals" if digits else "no decimals"
        allowed = (
            f"an amount {start}{f'in {self.currency} ' if self.in_currency else ''}with {decimals}, "
            f"like {money_text(5000 * 10**digits, self.currency)}"
        )
        value = read_money(found, self.currency)
        if value is None and read_percent(found) is not None:
            message = f"Found the percentage {shown(found)} where money is needed; allowed: {allowed}."
            self.report(path, found, allowed, message)
        elif value is None or (sign == "positive" and value <= 0) or (sign == "zero" and value < 0):
            self.wrong(path, found, allowed)
        else:
            return value
        return None


def percent_of(number: Fraction) -> str:
    """How a ratio like 0.1 is written as a percentage, as far as 6 decimals go."""
    return percent_text(Fraction(round(number * 10**8), 10**8))
