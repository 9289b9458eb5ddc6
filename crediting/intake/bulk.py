"""Many of Comp's own events in one body: a JSON array, each event as docs/events.schema.json has it, with the sender's
own `id` beside where it has one."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from comp.core.errors import Problem
from crediting.intake import standard
from crediting.intake.facts import Event
from crediting.intake.reading import Number, problem, read_json, shown
from crediting.intake.source import Item

#: The adapter's name at endpoints.
NAME = "api"
#: Events in one body, and what an event's own id is.
MOST = 10_000
ID = re.compile(r"[\x21-\x7e]{1,200}")
_SPACE = re.compile(r"[ \t\r\n]*")
#: Finds where each event ends; what is in it is read later, digit by digit.
_DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number)


def items(body: bytes) -> Sequence[Item] | Problem:
    """The events, each in the very bytes that were sent."""
    try:
        text = body.decode("utf-8")
        at = _space(text, 0)
        if text[at : at + 1] != "[":
            return problem("", shown(text[:40]), "a JSON array of events")
        found: list[Item] = []
        at = _space(text, at + 1)
        while text[at : at + 1] != "]" or found:
            event, end = _DECODER.raw_decode(text, at)
            found.append(Item(_id(event), text[at:end].encode()))
            at = _space(text, end)
            if text[at : at + 1] != ",":
                break
            at = _space(text, at + 1)
        if text[at : at + 1] != "]" or _space(text, at + 1) != len(text):
            return problem("", shown(text[at : at + 40]), "a comma or the end of the array")
    except (ValueError, RecursionError) as error:
        return problem("", f"{type(error).__name__}: {error}"[:200], "a JSON array in UTF-8")
    if not 0 < len(found) <= MOST:
        return problem("", f"{len(found)} events", f"1 to {MOST} events")
    return found


def read(body: bytes) -> Event | list[Problem]:
    """One event of the array."""
    document, wrong = read_json(body)
    if wrong is None and isinstance(document, dict) and "id" in document and not _id(document):
        return [problem("id", shown(document["id"]), "1 to 200 visible ASCII characters, or no id")]
    return standard.adapt(body)


def _id(event: Any) -> str:
    given = event.get("id") if isinstance(event, dict) else None
    return given if isinstance(given, str) and not isinstance(given, Number) and ID.fullmatch(given) else ""


def _space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
