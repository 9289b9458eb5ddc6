"""Calls as the sources make them: recorded bodies, and the headers that prove them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from comp.core.errors import Problem
from crediting.intake.signatures import Refused
from crediting.intake.source import Call, Change, Proven, Source
from crediting.intake.sources import SOURCES

SAMPLES = Path(__file__).resolve().parents[2] / "sources"
NOW, WINDOW = 1_772_359_300.0, 300
URL = "https://comp.example/hooks/tok_0123456789/"
ORGANIZATION = "00D5e000000ABCDEA4"
RAW_SECRET = "whsec_a-vendor's-secret-as-it-is-written"
OUR_SECRET = "whsec_" + base64.b64encode(b"twenty-four bytes or more").decode()


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def samples() -> list[tuple[Source, bytes]]:
    """Every recorded body with its source."""
    return [(SOURCES[path.parent.name], path.read_bytes()) for path in sorted(SAMPLES.glob("*/*"))]


def hubspot(body: bytes, *, secret: str = RAW_SECRET, at: float = NOW, url: str = URL) -> Call:
    time = str(int(at * 1000))
    made = hmac.digest(secret.encode(), b"POST" + url.encode() + body + time.encode(), hashlib.sha256)
    signature = base64.b64encode(made).decode()
    return Call("POST", url, {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": time}, body)


def stripe(body: bytes, *, secret: str = RAW_SECRET, at: float = NOW, url: str = URL) -> Call:
    made = hmac.digest(secret.encode(), f"{int(at)}.".encode() + body, hashlib.sha256).hex()
    return Call("POST", url, {"stripe-signature": f"t={int(at)},v1={made}"}, body)


def segment(body: bytes, *, secret: str = RAW_SECRET, at: float = NOW, url: str = URL) -> Call:
    return Call("POST", url, {"x-signature": hmac.digest(secret.encode(), body, hashlib.sha1).hex()}, body)


def ours(body: bytes, *, secret: str = OUR_SECRET, at: float = NOW, url: str = URL, sender_id: str = "msg_1") -> Call:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    made = base64.b64encode(hmac.digest(key, f"{sender_id}.{int(at)}.".encode() + body, hashlib.sha256)).decode()
    headers = {"webhook-id": sender_id, "webhook-timestamp": str(int(at)), "webhook-signature": f"v1,{made}"}
    return Call("POST", url, headers, body)


def soap(body: bytes, *, secret: str = ORGANIZATION, at: float = NOW, url: str = URL) -> Call:
    return Call("POST", url, {"content-type": "text/xml; charset=UTF-8"}, body)


#: How each source proves a call, with a body to prove and the secret that it knows.
Signer = Callable[..., Call]
SIGNED: Mapping[str, tuple[Source, Signer, str, str]] = {
    "hubspot": (SOURCES["hubspot"], hubspot, "hubspot/batch.json", RAW_SECRET),
    "stripe": (SOURCES["stripe"], stripe, "stripe/invoice.paid.json", RAW_SECRET),
    "segment": (SOURCES["segment"], segment, "segment/track.json", RAW_SECRET),
    "salesforce": (SOURCES["salesforce"], ours, "salesforce/change-events.json", OUR_SECRET),
    "standard": (SOURCES["standard"], ours, "segment/track.json", OUR_SECRET),
}


def proven(source: Source, call: Call, *secrets: str) -> Proven:
    found = source.prove(call, secrets, now=NOW, window=WINDOW)
    assert isinstance(found, Proven), found
    return found


def refused(source: Source, call: Call, *secrets: str) -> Refused:
    found = source.prove(call, secrets, now=NOW, window=WINDOW)
    assert isinstance(found, Refused), found
    return found


def said(source: Source, body: bytes) -> list[Change]:
    """All changes that a body says, item by item."""
    found: list[Change] = []
    for one in bodies(source, body):
        changes = source.read(one)
        assert isinstance(changes, tuple), changes
        found += changes
    return found


def wrong(source: Source, body: bytes) -> list[str]:
    """The paths of all problems that a body brings."""
    found = source.items(body)
    if isinstance(found, Problem):
        return [found.path]
    paths: list[str] = []
    for one in bodies(source, body):
        problems = source.read(one)
        assert isinstance(problems, list), problems
        paths += [problem.path for problem in problems]
    return paths


def bodies(source: Source, body: bytes) -> list[bytes]:
    items = source.items(body)
    assert not isinstance(items, Problem), items
    return [body] if items is None else [item.body for item in items]


def changed(body: bytes, **values: object) -> bytes:
    """An object's JSON with other values for some of its keys; `...` takes the key away."""
    document = {**json.loads(body), **values}
    return json.dumps({key: value for key, value in document.items() if value is not ...}).encode()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
