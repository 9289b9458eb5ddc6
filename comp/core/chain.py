"""A chain of digests: each link holds all before it, so that no entry can be changed, dropped or moved unseen."""

from __future__ import annotations

import hashlib
import re

from comp.core.errors import CompError

#: What the first entry of a chain links to.
GENESIS = "0" * 64
_DIGEST = re.compile(r"[0-9a-f]{64}")


class ChainError(CompError):
    """The previous link is not a SHA-256 in lower-case hex."""


def link(previous_hex: str, canonical_payload: str) -> str:
    """The digest (hex) of an entry: SHA-256 over the previous digest's 32 bytes and the payload's UTF-8."""
    if not _DIGEST.fullmatch(previous_hex):
        raise ChainError(
            f"{previous_hex!r} is no link; 64 lower-case hex digits are needed (GENESIS for the first entry)."
        )
    return hashlib.sha256(bytes.fromhex(previous_hex) + canonical_payload.encode()).hexdigest()
