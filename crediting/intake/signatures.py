"""The Standard Webhooks rules for a delivery's headers: id, time window on both sides, HMAC-SHA256 over the raw body.

The official library throws on malformed headers; here each outcome is a value, so that a forged delivery is a 4xx and
never a 500.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

PREFIX = "whsec_"
_ID = re.compile(r"[!-~]{1,200}")
_SECONDS = re.compile(r"[0-9]{1,12}")
#: A sender in the middle of a rotation signs with two or three secrets; this many signatures are looked at.
SIGNATURES = 20


@dataclass(frozen=True, slots=True)
class Signed:
    """A delivery's headers, well-formed but not yet verified."""

    sender_id: str
    seconds: int
    signatures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a delivery is not taken, and as which HTTP status: 400 malformed, 401 not proven."""

    status: int
    reason: str


def read_headers(sender_id: str | None, timestamp: str | None, signature: str | None) -> Signed | Refused:
    """The three headers, checked for form only."""
    if not sender_id or not timestamp or not signature:
        return Refused(400, "webhook-id, webhook-timestamp and webhook-signature are all required")
    if not _ID.fullmatch(sender_id):
        return Refused(400, "webhook-id: 1 to 200 visible ASCII characters are allowed")
    if not _SECONDS.fullmatch(timestamp):
        return Refused(400, "webhook-timestamp: whole seconds since 1970 are allowed")
    parts = signature.split(" ")
    if len(parts) > SIGNATURES:
        return Refused(400, f"webhook-signature: at most {SIGNATURES} signatures are allowed")
    found = []
    for part in parts:
        version, _, text = part.partition(",")
        if version != "v1":
            continue  # other versions may stand beside ours
        try:
            found.append(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            continue
    if not found:
        return Refused(401, "webhook-signature: no v1 signature found")
    return Signed(sender_id, int(timestamp), tuple(found))


def verify(signed: Signed, body: bytes, secrets: Iterable[str], *, now: float, window: int) -> Refused | None:
    """None when one of the live secrets made one of the signatures and the time is at most `window` seconds away,
    either side."""
    if abs(now - signed.seconds) > window:
        return Refused(401, f"webhook-timestamp: more than {window} seconds from now")
    content = f"{signed.sender_id}.{signed.seconds}.".encode() + body
    matched = False
    for secret in secrets:
        expected = hmac.digest(secret_bytes(secret), content, hashlib.sha256)
        for signature in signed.signatures:
            # Every pair is compared: how long it takes says nothing about which secret matched.
            matched |= hmac.compare_digest(expected, signature)
    return None if matched else Refused(401, "webhook-signature: no signature matches")


def secret_bytes(secret: str) -> bytes:
    """The key of a `whsec_` + base64 secret."""
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
