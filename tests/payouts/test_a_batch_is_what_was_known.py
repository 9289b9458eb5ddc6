"""A batch holds what was known when it was submitted: no fact comes meanwhile, and no news is on its way."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from comp.outbox import services
from comp.outbox.models import Message
from comp.outbox.services import JOBS, messages_drain, publish, work_once
from crediting.services import catalogue, locks
from payouts.models import Payable
from payouts.selectors_batches import scopes_pending
from payouts.services import claims, periods, recompute, replay
from payouts.services.batches import BatchError, batch_submit
from tests.payouts.house import House, house

JANUARY = date(2026, 1, 1)


def locks_held() -> set[int]:
    """The first keys of the advisory locks of this session."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT classid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        return {row[0] for row in cursor.fetchall()}


def submit(of: House) -> Any:
    with of.acme.scope(of.preparer):
        return batch_submit(pay_group=of.acme.pay_group, starts_on=JANUARY, submitted_by=of.preparer)


@pytest.mark.django_db(transaction=True)
def test_intake_stands_still_while_a_batch_is_taken() -> None:
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    assert not locks_held()
    with acme.acme.scope(acme.preparer):
        batch = batch_submit(pay_group=acme.acme.pay_group, starts_on=JANUARY, submitted_by=acme.preparer)
        assert {7002, 7003, 7004, 7022} <= locks_held()
    acme.won("B", "10000.00", "2026-01-11")
    acme.work()
    with acme.acme.scope():
        assert replay.replay_period(acme.acme.pay_group, batch.starts_on).found == []


@pytest.mark.django_db(transaction=True)
def test_who_locks_a_period_waits_for_nothing_that_waits_for_them(
    owner_connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deliveries that come while a period is locked are not taken; what is left for later while they come would keep it
    from being locked. Between the chunks of a job too."""
    acme = house()
    for day in range(11, 16):
        acme.won(f"A{day}", "1000.00", f"2026-01-{day}")
    acme.work()
    tenant = acme.acme.tenant.pk

    def waiting() -> int:
        with acme.acme.scope():
            return scopes_pending(acme.acme.pay_group)

    def comes(key: str) -> None:
        """A deal is heard of, and another one waits to be taken."""
        acme.won(key, "1000.00", "2026-01-02")
        acme.crm.drain()
        messages_drain(tenant)
        acme.won(f"{key}-next", "1000.00", "2026-01-03")
        assert claims.changes_recompute(tenant)

    monkeypatch.setattr(recompute, "PLACES_FROM", 2)
    comes("B")
    assert (waiting(), claims.places_recompute(tenant)) == (1, 0), "left while deliveries come"
    with owner_connection.cursor() as other:
        for key in (7002, 7022):
            other.execute("SELECT pg_advisory_lock(%s, %s)", [key, tenant])
        assert (claims.places_recompute(tenant), waiting()) == (1, 0), "done at once for whoever locks the period"
        other.execute("SELECT pg_advisory_unlock(7002, %s)", [tenant])
        comes("C")
        assert waiting() == 0, "and nothing is left meanwhile"
        other.execute("SELECT pg_advisory_unlock(7022, %s)", [tenant])
    comes("D")
    assert waiting() == 1
    monkeypatch.setattr(claims, "PLACES_WAIT", timedelta(0))
    monkeypatch.setattr(claims, "_rests", {})
    work_once(tenant, JOBS)
    assert waiting() == 0, "between the chunks of a job"


@pytest.mark.django_db
def test_news_on_its_way_refuses_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(periods, "SETTLE_SECONDS", 0.0)
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.crm.drain()  # the fact is recorded, its figures are not
    with pytest.raises(BatchError, match="1 recomputation has not finished"):
        submit(acme)
    acme.work()
    assert submit(acme).totals == {"USD": 600000}


@pytest.mark.django_db(transaction=True)
def test_news_that_only_asks_waits_for_the_period_and_holds_up_nobody(
    owner_connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Questions are opened and closed under the lock that whoever locks a period holds."""
    monkeypatch.setattr(periods, "SETTLE_SECONDS", 0.0)
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    tenant = acme.acme.tenant.pk
    monkeypatch.setattr(services, "HAND_SECONDS", 0.15)  # less than a question waits for the lock
    asked = ["credits.waiting", "payables.waiting"] * 4
    with acme.acme.scope():
        for topic in asked:
            publish(topic=topic, payload={})
    acme.won("B", "10000.00", "2026-01-11")
    acme.crm.drain()
    with owner_connection.cursor() as other:
        other.execute("SELECT pg_advisory_lock(7002, %s)", [tenant])
        assert messages_drain(tenant, limit=3) == 1, "the deal's news goes on, also behind many that wait"
        assert claims.changes_recompute(tenant) == 1
        other.execute("SELECT pg_advisory_unlock(7002, %s)", [tenant])
    with acme.acme.scope():
        waits = Message.objects.filter(done_at=None)
        assert list(waits.values_list("attempts", "parked", "error")) == [(0, False, "")] * 8
    assert submit(acme).totals == {"USD": 700000}
    acme.work()
    with acme.acme.scope():
        assert not Message.objects.filter(done_at=None).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("topic", ["rates.changed", "people.changed"])
def test_news_that_takes_deliveries_up_again_waits_as_drains_do(
    topic: str, owner_connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not as long as people, while whoever locks a period waits for other news."""
    acme = house()
    acme.won("A", "60000.00", "2026-01-10", owner="nobody@acme.test")
    acme.work()
    tenant = acme.acme.tenant.pk
    monkeypatch.setattr(locks, "PERSON_WAIT", "no time at all")
    payload = {"participants": [acme.ann.pk], "from": "2026-01-01", "to": None, "label": "Ann", "currencies": []}
    with acme.acme.scope():
        publish(topic=topic, payload=payload)
    with owner_connection.cursor() as other:
        other.execute("SELECT pg_advisory_lock(7002, %s)", [tenant])
        assert messages_drain(tenant) == 0
        other.execute("SELECT pg_advisory_unlock(7002, %s)", [tenant])
    with acme.acme.scope():
        assert list(Message.objects.filter(done_at=None).values_list("attempts", "error")) == [(0, "")]


@pytest.mark.django_db
def test_news_that_failed_refuses_a_batch_until_it_is_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(periods, "SETTLE_SECONDS", 0.0)
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.crm.drain()
    with acme.acme.scope():
        Message.objects.filter(done_at=None).update(parked=True, attempts=5, error="KeyError: 'dates'")
    acme.work()
    with pytest.raises(BatchError, match="KeyError: 'dates'"):
        submit(acme)
    call_command("retry", "--tenant", "acme")
    acme.work()
    assert submit(acme).totals == {"USD": 600000}
    with acme.acme.scope():
        assert not Payable.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("create", ["account_create", "product_create"])
def test_the_intake_lock_comes_before_the_audit_trails(create: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers a question takes them in that order; the other way round two people would stop each other."""
    acme = house()
    seen: list[bool] = []
    recorded = catalogue.record

    def record(**values: Any) -> Any:
        seen.append(7002 in locks_held())
        return recorded(**values)

    monkeypatch.setattr(catalogue, "record", record)
    with acme.acme.scope(acme.ops):
        getattr(catalogue, create)(key="new", name="New")
    assert seen == [True]


@pytest.mark.django_db(transaction=True)
def test_a_worker_does_not_stand_in_line_for_a_tenants_figures(owner_connection: Any) -> None:
    """Two long recomputes would otherwise hold two workers, and another tenant's work stands."""
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    with owner_connection.cursor() as cursor:
        for key in claims.LOCKS:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [key, acme.acme.tenant.pk])
        acme.work()  # comes back, though nobody gives the locks up
        assert not acme.earned()
        for key in claims.LOCKS:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [key, acme.acme.tenant.pk])
    acme.work()
    assert acme.earned() == {"A": 600000}


@pytest.mark.django_db(transaction=True)
def test_who_makes_drains_give_way_rings_when_done(monkeypatch: pytest.MonkeyPatch) -> None:
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    rung: list[int] = []

    def ring(*, tenant_id: int, queue: str, again: int = 0) -> None:
        rung.append(tenant_id)

    monkeypatch.setattr("comp.outbox.services.ring_at_once", ring)
    submit(acme)
    assert acme.acme.tenant.pk in rung
    rung.clear()
    with acme.acme.scope(acme.ops):
        catalogue.account_create(key="new", name="New")
    assert acme.acme.tenant.pk in rung
