"""Reading JSON from outside: no float ever exists, no key twice, no text that a database refuses; problems are
collected as values."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Any, NoReturn

from comp.core.days import DayError, parse_day
from comp.core.errors import Problem

#: A body larger than this is not read (the hook's own limit is lower).
BODY_LIMIT = 1024 * 1024
INTEGER_LIMIT = 2**63 - 1
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,18})?")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})")
#: Of moments, and of the days on which facts lie: pay calendars reach over those.
YEARS, DAY_YEARS = range(1970, 2200), range(1990, 2100)


class Number(str):
    """A JSON number as the digits that were sent."""

    __slots__ = ()


class _Refused(ValueError):
    """JSON that Python would read and we do not: a key twice, NaN, Infinity."""


def read_json(body: bytes) -> tuple[Any, Problem | None]:
    """The document, its numbers as `Number`; or the problem with it."""
    if len(body) > BODY_LIMIT:
        return None, problem("", f"{len(body)} bytes", f"at most {BODY_LIMIT} bytes")
    try:
        text = body.decode("utf-8")
        found = json.loads(
            text, parse_float=Number, parse_int=Number, parse_constant=_no_constant, object_pairs_hook=_no_key_twice
        )
    except _Refused as error:
        return None, problem("", str(error), "plain JSON, each key once")
    except (ValueError, RecursionError) as error:
        return None, problem("", f"{type(error).__name__}: {error}"[:200], "a JSON object in UTF-8")
    return found, None


def _no_constant(word: str) -> NoReturn:
    raise _Refused(f"the number {word}")


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _Refused(f"the key {next(k for k in keys if keys.count(k) > 1)!r} twice"[:200])
    return found


def problem(path: str, found: str, allowed: str) -> Problem:
    """One thing wrong, in a sentence of its own."""
    return Problem(path, found, allowed, f"found {found}, allowed is {allowed}")


class Reader:
    """One JSON object, read key by key. What is wrong is added to `problems`, and a stand-in is returned: the caller
    looks there first."""

    def __init__(self, values: dict[str, Any], path: str, problems: list[Problem]) -> None:
        self.values, self.path, self.problems = values, path, problems

    def only(self, *allowed: str) -> None:
        """Refuses keys that mean nothing: a misspelt `amount` would otherwise be a missing one."""
        for key in sorted(self.values.keys() - set(allowed)):
            self.wrong(shown(key[:60])[1:-1], f"the unknown key {key[:60]!r}", f"one of {', '.join(sorted(allowed))}")

    def wrong(self, key: str, found: str, allowed: str) -> None:
        path = f"{self.path}.{key}" if self.path else key
        self.problems.append(problem(path, found, allowed))

    def text(self, key: str, limit: int, *, blank: bool = False, default: str | None = None) -> str:
        """Text without control characters, trimmed; null counts as blank. `default` makes the key optional."""
        allowed = f"text of {0 if blank else 1} to {limit} characters"
        if key not in self.values:
            if default is not None:
                return default
            self.wrong(key, "nothing", allowed)
            return ""
        value = self.values[key]
        if value is None and blank:
            return ""
        if not isinstance(value, str) or isinstance(value, Number):
            self.wrong(key, shown(value), allowed)
            return ""
        if not is_clean(value):
            self.wrong(key, f"{shown(value)} with a character that is no text", allowed)
            return ""
        value = value.strip()
        if len(value) > limit or (not value and not blank):
            self.wrong(key, shown(value), allowed)
            return ""
        return value

    def pattern(self, key: str, pattern: re.Pattern[str], allowed: str, *, default: str | None = None) -> str:
        """Text of a fixed form."""
        if key not in self.values and default is not None:
            return default
        value = self.values.get(key)
        if not isinstance(value, str) or isinstance(value, Number) or not pattern.fullmatch(value):
            self.wrong(key, shown(value) if key in self.values else "nothing", allowed)
            return ""
        return value

    def integer(self, key: str, low: int, high: int = INTEGER_LIMIT, *, default: int | None = None) -> int:
        """A whole number in digits; `1.0`, `1e3` and text are none."""
        if key not in self.values and default is not None:
            return default
        value = self.values.get(key)
        if isinstance(value, Number) and _INTEGER.fullmatch(value) and low <= int(value) <= high:
            return int(value)
        self.wrong(key, shown(value) if key in self.values else "nothing", f"a whole number from {low} to {high}")
        return low

    def day(self, key: str, *, empty: bool = False) -> date | None:
        """A date as YYYY-MM-DD; null where `empty` allows it. The key itself is required."""
        allowed = f"a date YYYY-MM-DD of the years {DAY_YEARS[0]} to {DAY_YEARS[-1]}{' or null' if empty else ''}"
        value = self.values.get(key)
        if value is None and empty and key in self.values:
            return None
        try:
            found = parse_day(value) if isinstance(value, str) else None
        except DayError:
            found = None
        if found is None or found.year not in DAY_YEARS:
            self.wrong(key, shown(value) if key in self.values else "nothing", allowed)
            return None
        return found

    def moment(self, key: str) -> datetime:
        """An instant with its offset (RFC 3339), in UTC; below a microsecond is cut off."""
        value = self.values.get(key)
        if isinstance(value, str) and _MOMENT.fullmatch(value):
            try:
                found = datetime.fromisoformat(value).astimezone(UTC)
                if found.year in YEARS:
                    return found
            except (ValueError, OverflowError):
                pass
        self.wrong(key, shown(value) if key in self.values else "nothing", "a moment like 2026-11-30T14:05:00Z")
        return datetime(1970, 1, 1, tzinfo=UTC)


def is_clean(text: str) -> bool:
    """No control characters (PostgreSQL keeps no NUL) and no half of a surrogate pair."""
    return text.isprintable() or all(unicodedata.category(c) not in ("Cc", "Cs") for c in text)


def plain_decimal(value: object) -> str | None:
    """The digits of a decimal, sent as text or as a JSON number; None for anything else (`1e3`, `1_000`, `+1`, NaN)."""
    return value if isinstance(value, str) and _DECIMAL.fullmatch(value) else None


def shown(value: object) -> str:
    """A value for a message, cut short."""
    if isinstance(value, Number):
        text = str(value)
    elif isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    else:
        text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
