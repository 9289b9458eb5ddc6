"""Records as sources send them, made flat: `properties.plan.name` and the text of each value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from comp.core.errors import Problem
from crediting.intake.reading import YEARS, Number, problem, read_json, shown
from crediting.intake.source import Value

#: A record of more fields, deeper, or with longer texts is not read: it is shown instead.
FIELD_LIMIT, DEPTH_LIMIT, TEXT_LIMIT, NAME_LIMIT = 1000, 8, 10_000, 200
#: Of a whole body: no source's is nested near this deep, and what walks over it may count on that.
NESTING = 50
#: Of a list inside a record the first so many entries are read (`lines.data.0.amount`).
LIST_LIMIT = 20
#: What sender's ids may be made of, as `webhook-id`.
ID = re.compile(r"[!-~]{1,200}")
_WHOLE = re.compile(r"[0-9]{1,18}")
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?(Z|[+-][0-9]{2}):?([0-9]{2})?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_body(body: bytes) -> tuple[Any, Problem | None]:
    """The JSON document of a body, nested at most `NESTING` levels; or the problem with it."""
    document, wrong = read_json(body)
    level, depth = [document], 0
    while level:
        depth += 1
        if depth > NESTING:
            return None, problem("", f"more than {NESTING} levels", f"JSON of at most {NESTING} levels")
        level = [inner for value in level if isinstance(value, dict | list) for inner in _inner(value)]
    return document, wrong


def _inner(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def flatten(document: Mapping[str, Any], problems: list[Problem], *, entries: int = LIST_LIMIT) -> dict[str, Value]:
    """The fields of a JSON object under dotted names: numbers as their digits, objects and the first `entries` of lists
    entered, empty ones left out. What cannot be kept is added to `problems`."""
    found: dict[str, Value] = {}
    _flatten(document, "", 0, entries, found, problems)
    if len(found) > FIELD_LIMIT:
        problems.append(problem("", f"{len(found)} fields", f"at most {FIELD_LIMIT}"))
    return found


def _flatten(value: Any, name: str, depth: int, entries: int, found: dict[str, Value], problems: list[Problem]) -> None:
    if depth > DEPTH_LIMIT or len(name) > NAME_LIMIT or not can_be_kept(name):
        allowed = f"at most {DEPTH_LIMIT} levels, with names of at most {NAME_LIMIT} characters"
        problems.append(problem(shown(name)[1:-1], f"the field {shown(name)}", allowed))
    elif isinstance(value, dict):
        for key, inner in value.items():
            _flatten(inner, f"{name}.{key}" if name else key, depth + 1, entries, found, problems)
    elif isinstance(value, list):
        for place, inner in enumerate(value[:entries]):
            _flatten(inner, f"{name}.{place}", depth + 1, entries, found, problems)
    elif isinstance(value, str) and not can_be_kept(value):
        problems.append(problem(shown(name)[1:-1], shown(value), f"text of at most {TEXT_LIMIT} characters"))
    else:
        found[name] = str(value) if isinstance(value, Number) else value


def can_be_kept(text: str) -> bool:
    """No NUL and no half of a surrogate pair (no database keeps them), and not longer than a field's text."""
    if len(text) > TEXT_LIMIT or "\0" in text:
        return False
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def whole(value: object) -> int | None:
    """A whole number that is not negative, in digits (a JSON number or text); None for anything else."""
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else None


def epoch(number: int | None, *, unit: int = 1) -> datetime | None:
    """The instant so many seconds (`unit=1000`: milliseconds) after 1970; None outside of the years that are read."""
    if number is None or number >= (YEARS.stop - 1970) * 366 * 86400 * unit:
        return None
    seconds, rest = divmod(number, unit)
    found = _EPOCH + timedelta(seconds=seconds, microseconds=rest * 1_000_000 // unit)
    return found if found.year in YEARS else None


def moment(value: object) -> datetime | None:
    """An instant written by ISO 8601 with its offset, as RFC 3339 or as Salesforce writes it (`+0000`); below a
    microsecond is cut off."""
    match = _MOMENT.fullmatch(value) if isinstance(value, str) and len(value) <= 40 else None
    if match is None:
        return None
    day, time, part, sign, minutes = match.groups()
    if (sign == "Z") != (minutes is None):
        return None
    try:
        offset = "+00:00" if sign == "Z" else f"{sign}:{minutes}"
        found = datetime.fromisoformat(f"{day}T{time}{(part or '')[:7]}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found.year in YEARS else None
