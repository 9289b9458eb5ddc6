"""What the proofs of all sources share: headers of bounded size, secrets compared in constant time, times on both
sides of now. Every outcome is a value: a forged call is a 4xx and never a 500."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from crediting.intake.signatures import PREFIX, Refused, read_headers, secret_bytes
from crediting.intake.source import Call, Proven

#: No source's proof is near this long.
HEADER_LIMIT = 4096


def read_header(call: Call, name: str) -> str | Refused:
    """The header's text, "" where it is missing; refused where it is too long to be a proof."""
    text = call.headers.get(name, "")
    if len(text) > HEADER_LIMIT:
        return Refused(400, f"{name}: at most {HEADER_LIMIT} characters are allowed")
    return text


def made_by_any(secrets: Iterable[bytes], contents: Sequence[bytes], signatures: Sequence[bytes], hash_: str) -> bool:
    """Whether one of the secrets made one of the signatures over one of the contents. All are compared, in constant
    time each: how long it takes says nothing about which matched."""
    matched = False
    for secret in filter(None, secrets):
        for content in contents:
            expected = hmac.digest(secret, content, hash_)
            for signature in signatures:
                matched |= hmac.compare_digest(expected, signature)
    return matched


def out_of_window(name: str, seconds: float, *, now: float, window: int) -> Refused | None:
    """Refused where a signed time lies more than `window` seconds before or after `now`."""
    if abs(now - seconds) > window:
        return Refused(401, f"{name}: more than {window} seconds from now")
    return None


def instant(seconds: float) -> datetime:
    """Seconds since 1970 as an instant. Only for what is known to lie near now."""
    return datetime.fromtimestamp(seconds, UTC)


def body_id(body: bytes) -> str:
    """The sender's id of a call that gives none: a digest of its bytes, so that the same call again is the same."""
    return f"sha256-{hashlib.sha256(body).hexdigest()}"


def item_id(body: bytes) -> str:
    """The same of an item. Never that of its call: an item may be all that its call holds."""
    return f"item-{body_id(body)}"


def prove_standard(call: Call, secrets: Iterable[str], *, now: float, window: int) -> Proven | Refused:
    """The rules of Standard Webhooks: id, time and body are signed by a `whsec_` secret. An endpoint's secrets of other
    forms prove nothing here."""
    headers = []
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        text = read_header(call, name)
        if isinstance(text, Refused):
            return text
        headers.append(text)
    signed = read_headers(*headers)
    if isinstance(signed, Refused):
        return signed
    late = out_of_window("webhook-timestamp", signed.seconds, now=now, window=window)
    if late:
        return late
    content = f"{signed.sender_id}.{signed.seconds}.".encode() + call.body
    if not made_by_any(_standard_keys(secrets), [content], signed.signatures, "sha256"):
        return Refused(401, "webhook-signature: no signature matches")
    return Proven(signed.sender_id, instant(signed.seconds))


def _standard_keys(secrets: Iterable[str]) -> list[bytes]:
    found = []
    for secret in secrets:
        if secret.startswith(PREFIX):
            try:
                found.append(secret_bytes(secret))
            except ValueError:
                continue
    return found
