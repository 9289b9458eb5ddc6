"""Redis is a doorbell: one bell for many deliveries, none where nobody could hear it, and no work lost either way."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import TestCase
from kombu.exceptions import OperationalError as BrokerError
from redis import TimeoutError as NoAnswer

from comp.outbox import bells, services, tasks
from comp.outbox.models import Message
from comp.tenancy.scope import Actor, tenant_scope
from tests.factories import company


@pytest.fixture
def redis(redis_url: str, settings: Any) -> Iterator[None]:
    settings.REDIS_URL = redis_url
    bells._redis.cache_clear()
    bells._redis().flushdb()
    yield
    bells._redis.cache_clear()


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The tenants whose bell was put in the queue."""
    found: list[int] = []
    monkeypatch.setattr(tasks.work, "apply_async", lambda args, **more: found.append(args[0]))
    return found


@pytest.mark.django_db
def test_a_burst_rings_once_until_a_worker_has_heard(redis: None, rung: list[int]) -> None:
    tenant = company("acme").tenant.pk
    with TestCase.captureOnCommitCallbacks(execute=True):
        for _ in range(5):
            services.ring(tenant_id=tenant)
    assert rung == [tenant]
    tasks.work(tenant)
    with TestCase.captureOnCommitCallbacks(execute=True):
        services.ring(tenant_id=tenant)
    assert rung == [tenant, tenant]


def test_what_comes_many_times_a_second_rings_at_once_and_then_together(
    redis: None, rung: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_rung", {})
    late: list[tuple[float, Any]] = []
    monkeypatch.setattr(services, "Timer", lambda wait, bell: SimpleNamespace(start=lambda: late.append((wait, bell))))
    monkeypatch.setattr(bells, "is_first", lambda tenant_id, queue: True)
    for _ in range(4):
        services._ring_apart(7)
    services._ring_apart(8)
    assert rung == [7, 8]
    [(wait, bell)] = late
    assert 0 < wait <= services.APART_SECONDS
    bell()
    assert rung == [7, 8, 7], "once for all that came meanwhile"
    services._rung[7] -= 2 * services.APART_SECONDS  # some time later
    services._ring_apart(7)
    assert rung == [7, 8, 7, 7]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The bells that are put off."""
    found: list[Any] = []
    monkeypatch.setattr(services, "Timer", lambda wait, bell: SimpleNamespace(start=lambda: found.append(bell)))
    return found


@pytest.mark.django_db(transaction=True)
def test_a_bell_that_may_be_lost_is_rung_again(
    redis: None, rung: list[int], later: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, client = company("acme").tenant.pk, bells._redis()
    rung.clear()
    bells.heard(tenant, services.WORK)

    def ring() -> None:
        services.ring_at_once(tenant_id=tenant, queue=services.WORK)

    def unanswered(name: str, *, done: bool) -> Any:
        inner = getattr(client, name)

        def asked(*args: Any, **more: Any) -> Any:
            if done:
                inner(*args, **more)
            raise NoAnswer("after half a second")

        return asked

    with monkeypatch.context() as patch:
        patch.setattr(client, "set", unanswered("set", done=True))
        ring()
        ring()
    assert rung == [] and len(later) == 1, "for both"
    later.pop()()
    assert rung == [tenant] and later == [], "whatever the mark says that hangs since"
    ring()
    assert rung == [tenant], "now a bell hangs"

    bells.heard(tenant, services.WORK)
    with monkeypatch.context() as patch:

        def broken(**more: Any) -> None:
            raise BrokerError("connection closed")

        patch.setattr(tasks.work, "apply_async", broken)
        for _ in range(services.AGAIN + 1):
            ring() if not later else later.pop()()
    assert later == [], "not for ever"
    ring()
    assert rung == [tenant] * 2

    with monkeypatch.context() as patch:
        patch.setattr(client, "delete", unanswered("delete", done=False))
        patch.setattr(services, "work_once", lambda tenant_id, queue: 0)
        tasks.work(tenant)
    assert rung == [tenant] * 3, "who came while it looked found the mark"


@pytest.mark.django_db
def test_a_lost_bell_of_the_sweep_is_the_only_one(rung: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    tenants = {company(slug).tenant.pk for slug in ("acme", "rival")}
    answers = [BrokerError("connection closed"), *[None] * 3]

    def put(args: list[int], **more: Any) -> None:
        if answer := answers.pop(0):
            raise answer
        rung.append(args[0])

    for task in (tasks.work, tasks.job):
        monkeypatch.setattr(task, "apply_async", put)
    rung.clear()
    tasks.sweep()
    assert set(rung) == tenants and len(rung) == 3
    answers += [BrokerError("connection closed")] * (tasks.LOST + 1)
    with pytest.raises(BrokerError):
        tasks.sweep()
    assert answers == [], "where Redis is away no worker is held up by all of them"


@pytest.mark.django_db(transaction=True)
def test_what_a_turn_brings_up_it_takes_up_itself(
    redis: None, rung: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = company("acme").tenant.pk
    rung.clear()
    bells.heard(tenant, services.WORK)
    left = [3]

    def one(tenant_id: int, queue: str) -> int:
        """Work that brings up more work three times; the first time nothing is counted as done."""
        if left[0]:
            left[0] -= 1
            services.ring(tenant_id=tenant_id)
        return left[0] % 2

    monkeypatch.setattr(services, "work_once", one)
    tasks.work(tenant)
    assert (left, rung) == ([0], []), "nobody else was called"

    left[0] = 1
    monkeypatch.setattr(services, "ALONE_SECONDS", -1.0)
    tasks.work(tenant)
    assert rung == [tenant], "a turn that lasts calls for help"

    monkeypatch.undo()
    monkeypatch.setattr(tasks.work, "apply_async", lambda args, **more: rung.append(args[0]))

    def broken(tenant_id: int, queue: str) -> int:
        services.ring(tenant_id=tenant_id)
        raise OperationalError("the server went away")

    monkeypatch.setattr(services, "work_once", broken)
    with pytest.raises(OperationalError):
        tasks.work(tenant)
    assert rung == [tenant, tenant], "what it did not look at is rung for"

    bells.heard(tenant, services.WORK)
    looks = [1, 2]

    def broken_later(tenant_id: int, queue: str) -> int:
        if looks.pop(0) == 2:
            raise OperationalError("the server went away")
        services.ring(tenant_id=tenant_id)
        return 0

    monkeypatch.setattr(services, "work_once", broken_later)
    with pytest.raises(OperationalError):
        tasks.work(tenant)
    assert rung == [tenant] * 3, "also what an earlier look brought up"


@pytest.mark.django_db
def test_where_redis_is_frozen_nobody_waits_and_the_work_stays(
    settings: Any, rung: list[int], later: list[Any]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:  # takes connections, never answers
        settings.REDIS_URL = f"redis://127.0.0.1:{frozen.getsockname()[1]}/0"
        bells._redis.cache_clear()
        acme = company("acme")
        heard: list[dict[str, Any]] = []
        services.subscribe("test.news", heard.append)
        started = time.monotonic()
        with TestCase.captureOnCommitCallbacks(execute=True), tenant_scope(acme.tenant.pk, actor=Actor.task("test")):
            services.publish(topic="test.news", payload={"n": 1})
        assert time.monotonic() - started < 5  # a bound on hanging, not a measurement
        assert rung == []
        bells._redis.cache_clear()
    services.messages_drain(acme.tenant.pk)
    assert heard == [{"n": 1}]


@pytest.mark.django_db
def test_news_that_grew_after_it_was_handed_on_is_told_anew() -> None:
    acme = company("acme")
    heard: list[int] = []
    services.subscribe("test.grows", lambda payload: heard.append(payload["n"]))
    with acme.scope():
        first = services.news_hold(topic="test.grows", payload={"n": 1}, message=None)
        assert services.news_hold(topic="test.grows", payload={"n": 2}, message=first) == first
    assert services.messages_drain(acme.tenant.pk) == 0, "it is held"
    with acme.scope():
        services.news_release(message=first)
    assert services.messages_drain(acme.tenant.pk) == 1
    with acme.scope():
        again = services.news_hold(topic="test.grows", payload={"n": 3}, message=first)
        services.news_release(message=again)
    assert services.messages_drain(acme.tenant.pk) == 1 and again != first
    assert heard == [2, 3]


@pytest.mark.django_db(transaction=True)
def test_news_without_words_is_told_once_while_it_waits_and_again_while_it_is_handed_on(redis: None) -> None:
    tenant = company("acme").tenant.pk
    handed: list[int] = []

    def tell(times: int) -> None:
        with tenant_scope(tenant, actor=Actor.task("test")):
            for _ in range(times):
                services.publish_once(topic="test.asks")

    def take(payload: dict[str, Any]) -> None:
        """The first time, what it looks at changes right after it looked."""
        handed.append(len(handed))
        if handed == [0]:
            other = threading.Thread(target=lambda: (tell(3), connection.close()))
            other.start()
            other.join(10)

    def waiting() -> int:
        with tenant_scope(tenant, actor=Actor.task("test")):
            return Message.objects.filter(topic="test.asks", done_at=None).count()

    services.subscribe("test.asks", take)
    tell(50)
    tell(50)
    assert waiting() == 1
    with tenant_scope(tenant, actor=Actor.task("test")):
        services.publish_once(topic="test.asks")  # what it tells of is not committed yet
        passed = threading.Thread(target=lambda: (services.messages_drain(tenant), connection.close()))
        passed.start()
        passed.join(10)
        assert handed == [] and waiting() == 1
    assert services.messages_drain(tenant) == 1 and handed == [0]
    assert waiting() == 1, "what was told while it was handed on is told anew, once"
    assert services.messages_drain(tenant) == 1 and waiting() == 0


@pytest.mark.django_db
def test_a_message_that_fails_waits_alone_and_is_parked_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    acme = company("acme")
    heard: list[int] = []

    def take(payload: dict[str, Any]) -> None:
        if payload["n"] == 2:
            raise ValueError("nobody can take this one")
        heard.append(payload["n"])

    services.subscribe("test.poison", take)
    with acme.scope():
        for n in (1, 2, 3):
            services.publish(topic="test.poison", payload={"n": n})
    for _ in range(services.ATTEMPTS + 1):
        services.messages_drain(acme.tenant.pk)
        with acme.scope():
            services.Message.objects.filter(done_at=None).update(due_at=services.timezone.now())
    assert heard == [1, 3]
    with acme.scope():
        poison = services.Message.objects.get(done_at=None)
        assert (poison.parked, poison.attempts, poison.error) == (True, 5, "ValueError: nobody can take this one")
