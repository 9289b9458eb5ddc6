"""Segment's two proofs: `X-Signature`, HMAC-SHA1 in hex over the body by the shared secret; or, from its tracking
clients, the write key as the name of HTTP's Basic scheme. Neither signs a time."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable

from crediting.intake.proving import body_id, instant, made_by_any, read_header
from crediting.intake.signatures import Refused
from crediting.intake.source import Call, Proven

_HEX = re.compile(r"[0-9a-fA-F]{40}")
_BASIC = re.compile(r"[Bb]asic ([A-Za-z0-9+/=]+)")


def prove(call: Call, secrets: Iterable[str], *, now: float, window: int) -> Proven | Refused:
    """A signature that is there has to be right: the write key does not stand in for it."""
    signature, basic = read_header(call, "x-signature"), read_header(call, "authorization")
    if isinstance(signature, Refused):
        return signature
    if isinstance(basic, Refused):
        return basic
    keys = [secret.encode() for secret in secrets]
    if signature:
        if not _HEX.fullmatch(signature):
            return Refused(400, "x-signature: 40 hexadecimal digits are allowed")
        if not made_by_any(keys, [call.body], [bytes.fromhex(signature)], "sha1"):
            return Refused(401, "x-signature: no live secret made it over this body; batching has to be off")
    elif basic:
        match = _BASIC.fullmatch(basic)
        try:
            given = base64.b64decode(match[1], validate=True).partition(b":")[0] if match else b""
        except (binascii.Error, ValueError):
            given = b""
        if not given:
            return Refused(400, "authorization: Basic with a write key is allowed")
        if sum(hmac.compare_digest(given, key) for key in keys) == 0:  # all are compared, whichever matches
            return Refused(401, "authorization: no live write key")
    else:
        return Refused(400, "x-signature, or authorization with a write key, is required")
    return Proven(body_id(call.body), instant(now))
