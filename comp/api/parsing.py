"""Bodies: JSON in UTF-8, no number that is none, no key twice, no text that a database refuses."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

#: Larger bodies go to /facts/bulk, which reads its own.
BODY_LIMIT = 1024 * 1024


class TooLarge(APIException):
    """A body past the limit."""

    status_code = 413
    default_code = "too_large"


class StrictJson(BaseParser):
    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return parse(read_at_most(stream, BODY_LIMIT))


def read_at_most(stream: Any, limit: int) -> bytes:
    """The whole body; TooLarge past the limit."""
    body: bytes = stream.read(limit + 1)
    if len(body) > limit:
        raise TooLarge(f"the body is larger than {limit} bytes")
    return body


def parse(body: bytes) -> Any:
    """The document, or ParseError with what is wrong with it."""
    if not body.strip():
        return {}
    try:
        text = body.decode("utf-8")
        found = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
        written = json.dumps(found, ensure_ascii=False)
        written.encode("utf-8")  # half of a pair is no text
    except (ValueError, RecursionError) as error:
        raise ParseError(f"the body is no JSON that can be read: {str(error)[:150]}") from None
    if "\\u0000" in written:
        raise ParseError("a text holds the character NUL")
    return found


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"the number {word}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found
