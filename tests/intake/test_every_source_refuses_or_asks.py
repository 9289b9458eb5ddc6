"""What each source's calls can be wrong in, through the real door and the mailbox: refused with a reason, or set aside
with a question in the data-quality inbox. None is a server's error, none is stored in part, none stays undecided."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from crediting.models import Deal, Fact, RawDelivery
from crediting.services.endpoints import endpoint_create
from crediting.services.intake import body_limit
from crediting.services.mailbox import mailbox_drain
from tests.factories import Company, company
from tests.intake.sending import catalogue, deal
from tests.unit.intake.calls import ORGANIZATION, RAW_SECRET, SIGNED, ours, sample
from tests.unit.intake.test_no_call_is_too_hostile import variants

#: A recorded body of each source; what it names a currency and a moment by.
BODIES: dict[str, tuple[bytes, str, str]] = {
    "standard": (json.dumps(deal(amount="4514.00", currency="USD")).encode(), '"USD"', '"timestamp": "'),
    "hubspot": (sample("hubspot/batch.json"), "", '"occurredAt": '),
    "salesforce": (sample("salesforce/flow-records.json"), '"USD"', '"SystemModstamp": "'),
    "stripe": (sample("stripe/invoice.paid.json"), '"usd"', '"created": '),
    "segment": (sample("segment/track.json"), '"USD"', '"timestamp": "'),
}
OF_RECORD = ("currency", "negative")
#: Of each body, how many with one value that is wrong.
VALUES = 40


def malformed(name: str) -> Iterator[tuple[str, bytes]]:
    """Bodies by what is wrong with them. The kinds are those that every source is asked about."""
    body, currency, moment = BODIES[name]
    text = body.decode()
    document = json.loads(text)
    yield "huge", body + b" " * body_limit()
    yield from (("deep", b"[" * 50_000), ("deep", b'{"a":' * 50_000), ("deep", b"[" * 900 + b"]" * 900))
    first = text.index("{") + 1
    for word in ("NaN", "Infinity", "-Infinity", "1e999", "9" * 5_000):
        yield "NaN", (text[:first] + f'"odd": {word}, ' + text[first:]).encode()
    key = next(iter(document[0] if isinstance(document, list) else document))
    yield "twice", (text[:first] + f'"{key}": 5, ' + text[first:]).encode()
    yield from (
        ("unicode", one) for one in (b"\xff\xfe" + body, body[:20] + b"\xff" + body[20:], text.encode("utf-16"))
    )
    for odd in ("\\u0000", "\\ud800"):
        yield "unicode", text.replace('": "', f'": "{odd}', 1).encode()
    place = text.index(moment) + len(moment)
    yield "negative", (text[:place] + "-" + text[place:]).encode()
    yield "negative", (text[:place] + "-99999999999999999999" + text[place:]).encode()
    if currency:
        for other in ("XXX", "??", "", "U" * 200):
            yield "currency", text.replace(currency, f'"{other}"').encode()
    all_of_them = list(variants(document))
    for one in all_of_them[:: max(1, len(all_of_them) // VALUES)]:
        yield "types", json.dumps(one).encode()
    yield from (("none", one) for one in (b"", b" ", b"null", b"5", b'"x"', b"{", b"\x00", b"<a/>", b"a=1&b=2"))
    yield from (("cut", body[:end]) for end in range(5, len(body), max(1, len(body) // 12)))


class Source:
    """An endpoint of one kind, and what posts to it."""

    def __init__(self, where: Company, name: str, key: str = "") -> None:
        self.company, self.name, self.client = where, name, Client(raise_request_exception=False)
        with where.scope():
            self.endpoint, self.secret = endpoint_create(
                key=key or name, name=name, adapter=name, secret=RAW_SECRET if SIGNED[name][3] == RAW_SECRET else ""
            )

    def post(self, body: bytes, number: int = 0, *, away: float = 0, secret: str = "") -> Any:
        """Signed as the source does, at a time so many seconds away."""
        how: dict[str, Any] = {
            "secret": secret or self.secret,
            "at": time.time() + away,
            "url": f"http://testserver/hooks/{self.endpoint.token}/",
        }
        sign = SIGNED[self.name][1]
        call = ours(body, sender_id=f"msg_{number}", **how) if sign is ours else sign(body, **how)
        return self.client.post(how["url"], body, content_type="application/json", headers=dict(call.headers))


@pytest.fixture
def acme(db: None) -> Company:
    acme = company("acme")
    with acme.scope():
        catalogue(acme)
    return acme


@pytest.mark.parametrize("name", BODIES)
def test_what_is_wrong_is_refused_or_asked_about(acme: Company, name: str) -> None:
    shared, of_record = Source(acme, name), iter(range(100))
    seen, refused = Counter[str](), Counter[str]()
    for number, (kind, body) in enumerate(malformed(name)):
        # What is well formed is about a record: each at an endpoint of its own, or the next would stand over it.
        source = Source(acme, name, f"{name}-{next(of_record)}") if kind in OF_RECORD else shared
        answer = source.post(body, number)
        seen[kind] += 1
        assert answer.status_code in (202, 400, 413), (kind, body[:200], answer.status_code)
        if answer.status_code >= 400:
            assert b"faultstring" in answer.content or answer.json()["error"], kind
            refused[kind] += 1
        elif source is not shared and asked(source):
            refused[kind] += 1
    set_aside = asked(shared)
    with acme.scope():
        rows = RawDelivery.objects.filter(endpoint=shared.endpoint)
        assert not RawDelivery.objects.filter(state="pending").exists()
        assert not Deal.objects.exclude(currency__in=["", "USD"]).exists()
        assert not Fact.objects.exclude(currency__in=["", "USD"]).exists()
        for error, waits_for in rows.filter(state__in=["parked", "waiting"]).values_list("error", "waits_for"):
            assert error and waits_for
            # What only the database refuses is ours to see before.
            assert not any(value.startswith("storing") for _, value in waits_for), error
    print(name, dict(seen), dict(refused), f"{set_aside} more set aside")
    assert all(refused[kind] == seen[kind] for kind in ("huge", *OF_RECORD))
    assert set_aside >= sum(seen[kind] for kind in ("deep", "twice", "none", "cut"))


def asked(source: Source) -> int:
    """How many deliveries of it are set aside with a question, once all are taken."""
    while mailbox_drain(source.company.tenant.pk):
        pass
    with source.company.scope():
        return RawDelivery.objects.filter(endpoint=source.endpoint, state__in=["parked", "waiting"]).count()


@pytest.mark.parametrize("name", BODIES)
def test_who_does_not_prove_it_is_refused(acme: Company, name: str) -> None:
    source = Source(acme, name)
    body = BODIES[name][0]
    other = "another-secret-of-a-vendor" if SIGNED[name][3] == RAW_SECRET else "whsec_" + "QUJD" * 8
    assert source.post(body, secret=other).status_code == 401
    for away in () if name == "segment" else (-400, 400, 10 * 365 * 86400):  # Segment signs no time
        answer = source.post(body, away=away)
        assert answer.status_code in (400, 401) and answer.json()["error"]
    assert source.client.post(f"/hooks/{source.endpoint.token}/", body, content_type="text/plain").status_code in (
        400,
        401,
    )
    with acme.scope():
        assert not RawDelivery.objects.exists()
    assert source.post(body).status_code == 202


def test_an_outbound_message_is_refused_in_soap(acme: Company) -> None:
    with acme.scope():
        endpoint, _ = endpoint_create(key="sf", name="Salesforce", adapter="salesforce", secret=ORGANIZATION)
    good, client = sample("salesforce/outbound.xml"), Client(raise_request_exception=False)
    wrong = [good[:cut] for cut in range(60, len(good), 97)]
    wrong += [b"<!DOCTYPE a>" + good, b"<a>" * 5_000, good.replace(b"ABCDEA4</", b"ABCXEA4</"), good + b"x" * 1_100_000]
    for body in wrong:
        answer = client.post(f"/hooks/{endpoint.token}/", body, content_type="text/xml")
        assert answer.status_code in (400, 401, 413), body[:80]
        assert b"<Ack>" not in answer.content
    with acme.scope():
        assert not RawDelivery.objects.exists()


def test_there_are_enough_of_them() -> None:
    assert sum(len(list(malformed(name))) for name in BODIES) >= 300
