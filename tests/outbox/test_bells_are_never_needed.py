"""Redis is a doorbell: one bell for many deliveries, none where nobody could hear it, and no work lost either way."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError
from django.test import TestCase

from comp.outbox import bells, services, tasks
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
def test_where_redis_is_frozen_nobody_waits_and_the_work_stays(settings: Any, rung: list[int]) -> None:
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
