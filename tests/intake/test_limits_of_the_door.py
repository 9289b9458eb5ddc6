"""What is too much, too large or compressed is refused with a reason that its sender reads."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis

from crediting.models import HookEndpoint, RawDelivery
from crediting.services import rates
from crediting.services.endpoints import endpoint_create, endpoint_update
from tests.intake.sending import Sender, event
from tests.unit.intake.calls import ORGANIZATION, sample

pytestmark = pytest.mark.django_db


class Counts:
    """Redis as far as rates ask it."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}

    def pipeline(self, transaction: bool) -> Counts:
        return self

    def incr(self, key: str, amount: int) -> None:
        self.kept[key] = self.kept.get(key, 0) + amount
        self.last = self.kept[key]

    def expire(self, key: str, seconds: int) -> None:
        pass

    def execute(self) -> list[int]:
        return [self.last, 1]

    def mget(self, keys: list[str]) -> list[int | None]:
        return [self.kept.get(key) for key in keys]


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counts]:
    found = Counts()
    monkeypatch.setattr(rates, "_redis", lambda: found)
    monkeypatch.setattr(rates, "_asked_again_at", 0.0)
    return found


def limited(crm: Sender, limit: int) -> None:
    with crm.company.scope():
        endpoint = HookEndpoint.objects.get(pk=crm.endpoint.pk)
        endpoint_update(endpoint=endpoint, name=endpoint.name, active=True, rate_limit=limit, deals_from=None)


def test_more_than_the_limit_is_429_with_when_to_come_again(crm: Sender, counts: Counts) -> None:
    limited(crm, 2)
    body = b'{"type": "x"}'
    answers = [crm.post(body, crm.sign(body, f"m{number}")) for number in range(4)]
    assert [answer.status_code for answer in answers] in ([202, 202, 429, 429], [202, 202, 202, 429])  # a minute's turn
    assert 1 <= int(answers[3]["Retry-After"]) <= 60 and "calls in this minute" in answers[3].json()["error"]
    assert (rates.refused_lately(crm.endpoint.pk, time.time()) or 0) >= 1


def test_far_from_the_limit_calls_are_told_together_and_near_it_each(
    counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "_minutes", {})
    monkeypatch.setattr(rates, "TOGETHER", 60.0)
    assert [rates.over_limit(7, rates.NEAR + 100, 30.0) for _ in range(60)] == [None] * 60
    assert counts.kept == {"comp:hook:7:0": 1}, "the first tells what others count"
    counts.kept["comp:hook:7:0"] += rates.NEAR  # by another process; this one learns of it when it tells
    monkeypatch.setattr(rates, "TOGETHER", 0.0)
    assert rates.over_limit(7, rates.NEAR + 100, 30.0) is None
    monkeypatch.setattr(rates, "TOGETHER", 60.0)
    assert counts.kept == {"comp:hook:7:0": rates.NEAR + 61}
    assert [rates.over_limit(7, rates.NEAR + 100, 30.0) for _ in range(40)] == [None] * 39 + [30]
    assert rates.over_limit(7, rates.NEAR + 100, 60.0) is None, "another minute"


def test_without_redis_nothing_is_limited(crm: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    def dead() -> None:
        raise redis.ConnectionError("down")

    monkeypatch.setattr(rates, "_redis", dead)
    monkeypatch.setattr(rates, "_asked_again_at", 0.0)
    limited(crm, 1)
    for number in range(3):
        crm.send(event("deal.won", deal=f"D{number}"))
    assert rates.refused_lately(crm.endpoint.pk, 0) is None


def test_compressed_bodies_are_refused_with_the_reason(crm: Sender, counts: Counts) -> None:
    body = b"\x1f\x8b"
    answer = crm.client.post(crm.url, body, content_type="application/json", headers={"content-encoding": "gzip"})
    assert answer.status_code == 415 and "compressed" in answer.json()["error"]


def test_batches_of_sources_may_be_larger_than_an_event_of_ours(crm: Sender, counts: Counts) -> None:
    with crm.company.scope():
        segment, secret = endpoint_create(key="segment", name="Segment", adapter="segment", secret="shared-secret-1")
    large = b'{"type": "identify", "messageId": "m1", "pad": "' + b"x" * 400_000 + b'"}'
    assert secret == "shared-secret-1"
    assert crm.post(large, crm.sign(large, "large")).status_code == 413
    said = crm.client.post(f"/hooks/{segment.token}/", large, content_type="application/json")
    assert said.status_code in (400, 401), "unsigned, and not too large"


def test_salesforce_is_acknowledged_when_all_is_stored_and_told_no_in_soap(crm: Sender, counts: Counts) -> None:
    with crm.company.scope():
        endpoint, _ = endpoint_create(key="sf", name="Salesforce", adapter="salesforce", secret=ORGANIZATION)
    body = sample("salesforce/outbound.xml")
    taken = crm.client.post(f"/hooks/{endpoint.token}/", body, content_type="text/xml")
    assert taken.status_code == 200 and b"<Ack>true</Ack>" in taken.content
    with crm.company.scope():
        assert RawDelivery.objects.filter(endpoint=endpoint).count() == 1
    other = body.replace(ORGANIZATION[:15].encode(), b"00D000000000000")
    refused = crm.client.post(f"/hooks/{endpoint.token}/", other, content_type="text/xml")
    assert refused.status_code == 401 and b"<faultstring>" in refused.content and b"Ack" not in refused.content
