"""`Stripe-Signature: t=…,v1=…`: HMAC-SHA256 in hex over `t.body`, by the endpoint's secret as it is written."""

from __future__ import annotations

import re
from collections.abc import Iterable

from crediting.intake.proving import body_id, instant, made_by_any, out_of_window, read_header
from crediting.intake.signatures import SIGNATURES, Refused
from crediting.intake.source import Call, Proven

HEADER = "stripe-signature"
_SECONDS, _HEX = re.compile(r"[0-9]{1,12}"), re.compile(r"[0-9a-f]{64}")


def prove(call: Call, secrets: Iterable[str], *, now: float, window: int) -> Proven | Refused:
    """Several `v1` stand there while a secret is rolled; other schemes (`v0`) prove nothing and are passed over."""
    text = read_header(call, HEADER)
    if isinstance(text, Refused):
        return text
    parts = [part.strip().partition("=") for part in text.split(",")]
    times = [value for key, _, value in parts if key == "t"]
    signatures = [value for key, _, value in parts if key == "v1"]
    if len(times) != 1 or not _SECONDS.fullmatch(times[0]):
        return Refused(400, f"{HEADER}: one t= in whole seconds since 1970 is required")
    if not 1 <= len(signatures) <= SIGNATURES or not all(_HEX.fullmatch(one) for one in signatures):
        return Refused(400, f"{HEADER}: 1 to {SIGNATURES} v1= of 64 hexadecimal digits are required")
    late = out_of_window(HEADER, int(times[0]), now=now, window=window)
    if late:
        return late
    content = f"{times[0]}.".encode() + call.body
    given = [bytes.fromhex(one) for one in signatures]
    if not made_by_any((secret.encode() for secret in secrets), [content], given, "sha256"):
        return Refused(401, f"{HEADER}: no live secret made any v1")
    return Proven(body_id(call.body), instant(int(times[0])))
