"""One text and one digest for one value.

Canonical JSON: keys sorted by code point, no spaces, UTF-8, integers in decimal. Texts are kept code point by code
point and not normalised: two texts that differ in any way have different digests. There are no floats: a `Decimal` is
written as the text of its digits (so `1.50` and `1.5` differ; normalise before where they mean the same).
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

from comp.core.errors import CompError


class CanonicalError(CompError):
    """A value has no canonical form."""


def canonical_json(value: Any) -> str:
    """The canonical JSON text of ints, texts, booleans, None, Decimals, and lists and string-keyed dicts of them."""
    return json.dumps(_plain(value, "$"), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """The SHA-256 (hex) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _plain(value: Any, path: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise CanonicalError(f"{path}: {value} is no amount; a Decimal has to be finite.")
        return format(value, "f")
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}[{place}]") for place, item in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise CanonicalError(f"{path}: the key {key!r} is {type(key).__name__}; keys have to be text.")
        return {_text(key, path): _plain(item, f"{path}.{key}") for key, item in value.items()}
    raise CanonicalError(
        f"{path}: {value!r} is {type(value).__name__}; allowed are int, text, boolean, None, Decimal, list and dict."
    )


def _text(value: str, path: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise CanonicalError(f"{path}: {value!r} holds half of a surrogate pair, which is no text.") from None
    return str(value)
