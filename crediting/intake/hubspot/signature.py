"""HubSpot's signature of version 3: HMAC-SHA256 in base64 over method, address, body and time, by the app's client
secret."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable

from crediting.intake.proving import body_id, instant, made_by_any, out_of_window, read_header
from crediting.intake.signatures import Refused
from crediting.intake.source import Call, Proven

SIGNATURE, TIME = "x-hubspot-signature-v3", "x-hubspot-request-timestamp"
_MILLISECONDS = re.compile(r"[0-9]{1,16}")
#: HubSpot signs the address with these taken out of their percent form, and with no others.
_DECODED = {
    **{"%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$", "%27": "'"},
    **{"%28": "(", "%29": ")", "%2A": "*", "%2C": ",", "%3B": ";"},
}
_ENCODED = re.compile("|".join(_DECODED), re.IGNORECASE)


def prove(call: Call, secrets: Iterable[str], *, now: float, window: int) -> Proven | Refused:
    """Takes version 3 only. The addresses as called and decoded are both tried: HubSpot signs the latter."""
    signature, time = read_header(call, SIGNATURE), read_header(call, TIME)
    if isinstance(signature, Refused):
        return signature
    if isinstance(time, Refused):
        return time
    if not signature:
        if "x-hubspot-signature" in call.headers:
            return Refused(401, f"x-hubspot-signature (versions 1 and 2) signs no time; {SIGNATURE} is required")
        return Refused(400, f"{SIGNATURE} and {TIME} are required")
    if not _MILLISECONDS.fullmatch(time):
        return Refused(400, f"{TIME}: milliseconds since 1970 are allowed")
    late = out_of_window(TIME, int(time) / 1000, now=now, window=window)
    if late:
        return late
    try:
        given = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        given = b""
    if base64.b64encode(given).decode() != signature:  # one signature has one text
        return Refused(400, f"{SIGNATURE}: base64 is allowed")
    addresses = {call.url, _ENCODED.sub(lambda match: _DECODED[match[0].upper()], call.url)}
    contents = [
        b"".join((_bytes(call.method), _bytes(address), call.body, time.encode())) for address in sorted(addresses)
    ]
    if not made_by_any((secret.encode() for secret in secrets), contents, [given], "sha256"):
        return Refused(401, f"{SIGNATURE}: no live secret made it")
    return Proven(body_id(call.body), instant(int(time) / 1000))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
