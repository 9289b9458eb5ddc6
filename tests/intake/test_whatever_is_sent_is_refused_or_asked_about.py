"""Hundreds of malformed bodies, well signed or well authorised: each is refused with a reason or becomes a question in
the data-quality inbox. None is a server's error, and none writes a part of itself."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.db import connection
from django.test import Client

from comp.tenancy.models import TenantModel
from crediting.models import RawDelivery
from tests.api.conftest import OPS, Caller, caller
from tests.factories import Company
from tests.intake.sending import Sender, deal, event, sender
from tests.pages.rep.world import hired

NOTHING: list[Any] = [None, "", " ", [], {}, True, 1.5, [[]], {"a": 1}]
NAMES = [*NOTHING, -1, "x" * 5_000, "a\x00b", "\ud800"]
DAYS = [*NOTHING, 20260301, "2026-02-31", "soon", "0001-01-01", "9999-12-31", "2026-03-01T10:00:00Z", "٢٠٢٦-٠٣-٠١",
        "NaN"]  # fmt: skip
AMOUNTS = [*NOTHING, "NaN", "Infinity", "-Infinity", "1e400", "4.5.1", "4514.001", "9" * 40, "٤٥١٤", "4 514", "$5",
           "0x10"]  # fmt: skip
CURRENCIES = [*NOTHING, "XXX", "usd", "US", "USDX", 840, "€", "U\x00D"]
#: What each field of a won deal cannot be. Some may be unknown as yet (null); an amount may be a JSON number.
WRONG: dict[str, list[Any]] = {
    "deal": NAMES,
    "owner": NAMES,
    "product": [value for value in NAMES if value is not None],
    "account": [value for value in NAMES if value is not None],
    "amount": [value for value in AMOUNTS if value not in (None, 1.5)],
    "currency": CURRENCIES,
    "close_date": [value for value in DAYS if value is not None],
    "engage_date": [value for value in DAYS if value is not None],
    "version": ["", " ", [], {}, "two", 2.5, "NaN"],
    "team": ["ann", {}, 5, [5], [{"role": 5}], [{"person": "ann"}], [[]]],
    "custom": ["x", 5, [5]],
}


def bodies() -> Iterator[bytes]:
    """Events that are none: by field, by envelope, and by what JSON cannot hold."""
    for name, values in WRONG.items():
        for value in values:
            yield json.dumps(deal(**{name: value})).encode()
    whole = deal()
    for value in NAMES:
        yield json.dumps({**whole, "type": value}).encode()
        yield json.dumps({**whole, "data": value}).encode()
    for value in [*DAYS[:-4], "2026-03-01", "soon", "NaN"]:
        yield json.dumps({**whole, "timestamp": value}).encode()
    for kind in ("milestone.reached", "usage.reading"):
        for data in ({}, {"deal": "D1"}, {"deal": "D1", "on": "soon"}, {"deal": [], "on": "2026-03-01"}):
            yield json.dumps(event(kind, **data)).encode()
    text = json.dumps(whole)
    for number in ("NaN", "Infinity", "-Infinity", "1e999", "1" * 5_000, "01", "+1", "0x1"):
        yield text.replace('"4514.00"', number).encode()
    for name in ("type", "data", "timestamp"):  # said twice: which of them is meant?
        yield text[:-1].encode() + f', "{name}": 5}}'.encode()
    for name in ("deal", "amount", "owner", "currency"):
        yield text.replace(f'"{name}":', f'"{name}": 5, "{name}":').encode()
    deep = 100_000
    yield from (b"[" * deep, b"[" * deep + b"]" * deep, b'{"a":' * deep + b"1" + b"}" * deep)
    yield text.replace('"USD"', "[" * 2_000 + "]" * 2_000).encode()
    for cut in range(1, len(text), 2):
        yield text[:cut].encode()
    raw = text.encode()
    yield from (b"", b" ", b"null", b"5", b'"x"', b"[]", b"{}", b"\xff\xfe", b"\xef\xbb\xbf", b"\x00")
    yield from (raw + b"x", raw + raw, raw.replace(b"D1", b"\xff\xfe"), raw.replace(b"D1", b"D\x01"))
    yield from (text.encode("utf-16"), text.encode("utf-32"))


def signed(crm: Sender, body: bytes, name: str) -> dict[str, str]:
    """The three headers. The official client signs texts only, and these are bytes."""
    at = str(int(time.time()))
    secret = base64.b64decode(crm.secret.removeprefix("whsec_"))
    sealed = hmac.digest(secret, f"{name}.{at}.".encode() + body, "sha256")
    return {
        "webhook-id": name,
        "webhook-timestamp": at,
        "webhook-signature": "v1," + base64.b64encode(sealed).decode(),
    }


def rows(where: Company, *but: str) -> Counter[str]:
    """How many rows each table of the company holds."""
    tables = {model._meta.db_table for model in apps.get_models() if issubclass(model, TenantModel)}
    counts = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in sorted(tables.difference(but)))
    with where.scope(), connection.cursor() as cursor:
        cursor.execute(counts)
        return Counter(dict(cursor.fetchall()))


@pytest.mark.django_db
def test_what_is_signed_and_malformed_is_refused_or_asked_about(crm: Sender) -> None:
    kept = ("crediting_rawdelivery", "crediting_dataissue")
    before = rows(crm.company, *kept)
    client = Client(raise_request_exception=False)
    sent = list(bodies())
    assert len(sent) >= 300
    answers: Counter[int] = Counter()
    for number, body in enumerate(sent):
        headers = signed(crm, body, f"bad_{number}")
        answer = client.post(crm.url, body, content_type="application/json", headers=headers)
        assert answer.status_code in (202, 400, 413), (body[:200], answer.status_code)
        assert answer.status_code == 202 or answer.json()["error"]
        answers[answer.status_code] += 1
    crm.drain()
    with crm.company.scope():
        taken = {row.sender_id: row for row in RawDelivery.objects.all()}
        assert len(taken) == answers[202]
        for name, row in taken.items():
            body = sent[int(name.removeprefix("bad_"))][:300]
            assert row.state in ("parked", "waiting"), (row.state, body)
            assert row.error or row.waits_for, body
    assert rows(crm.company, *kept) == before, "none wrote a part of itself"


PATHS: dict[str, dict[str, Any]] = {
    "participants": {"key": "new", "name": "New", "currency": "USD", "pay_group": "sales", "starts_on": "2026-01-01"},
    "teams": {"key": "north", "name": "North"},
    "quotas": {
        "participant": "ann", "key": "sales", "starts_on": "2031-01-01", "ends_on": "2031-04-01", "amount": "5.00",
        "currency": "USD",
    },
    "plans": {"key": "new", "name": "New"},
    "assignments": {"participant": "ann", "plan": "nobody", "starts_on": "2026-01-01"},
    "reporting-lines": {"participant": "ann", "manager": "ann", "starts_on": "2026-01-01"},
}  # fmt: skip


def calls() -> Iterator[tuple[str, bytes]]:
    for path, whole in PATHS.items():
        for name in whole:
            by_name = DAYS if name.endswith("_on") else AMOUNTS if name == "amount" else NAMES
            for value in CURRENCIES if name == "currency" else by_name:
                if not (name == "ends_on" and value is None):
                    yield path, json.dumps({**whole, name: value}).encode()
            yield path, json.dumps({one: value for one, value in whole.items() if one != name}).encode()
    for path in (*PATHS, "facts/bulk"):
        for raw in (b"", b"null", b"5", b'"x"', b"[", b"{", b"\xff", b"\x00", b"NaN", b"{}"):
            yield path, raw
        yield from ((path, b"[" * 20_000), (path, b'{"a":' * 20_000))
        yield path, b"[5]" if path != "facts/bulk" else b'{"events": 5}'


@pytest.mark.django_db
def test_what_a_key_sends_and_is_malformed_is_refused_with_a_reason(settings: LazySettings) -> None:
    world = hired()
    ops: Caller = caller(world.company, world.users["Olga"], *OPS)
    before = rows(world.company)
    sent = list(calls())
    assert len(sent) >= 300
    settings.API_RATE = 10_000
    for number, (path, body) in enumerate(sent):
        answer = ops.ask("POST", path, body, Idempotency_Key=f"bad-{number}")
        assert 400 <= answer.status_code < 500, (path, body[:200], answer.status_code, answer.content[:200])
        assert answer.json()["errors"][0]["message"], body
    assert rows(world.company) == before


@pytest.fixture
def crm(db: None) -> Sender:
    world = hired()
    return sender(world.company, "malformed")
