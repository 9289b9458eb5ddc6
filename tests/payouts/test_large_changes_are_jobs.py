"""A change that touches many people is a job: in chunks that take turns, beside the daily work, and only what somebody
asked for by hand can be left."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import count
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connections
from django.test import Client

from comp.audit.models import AuditEntry
from comp.core.errors import ProblemsError
from comp.outbox import services as outbox
from comp.outbox import tasks
from payouts.models import ChangedScope, FigureChange, RecomputeJob
from payouts.reads.jobs import under_way
from payouts.services import claims, replay, scopes
from plans import services as plans
from plans.models import PlanAssignment
from tests.payouts.house import House, house, plan_text
from tests.payouts.test_one_bad_row_stops_nobody_else import also_bob, bobs


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Ann and Bob sell; a change of both people's whole time is a job, done for one person a chunk."""
    monkeypatch.setattr(scopes, "MANY", 2)
    found = house()
    also_bob(found)
    found.won("A", "60000.00", "2026-01-10")
    bobs(found, "B", "50000.00", "2026-01-11")
    found.crm.drain()
    found.work()
    monkeypatch.setattr(claims, "CHUNK_PEOPLE", 1)
    monkeypatch.setattr(claims, "CHUNK_SECONDS", 0.0)
    monkeypatch.setattr(claims, "_pace", {})
    yield found


def waiting(acme: House) -> int:
    with acme.acme.scope():
        return ChangedScope.objects.exclude(job=None).count()


def published(acme: House) -> None:
    """Another first rate is in force; its news is heard, and its figures wait."""
    with patch.object(House, "work"):
        acme.publish(plan_text().replace("from: 0%, rate: 10%", "from: 0%, rate: 11%"))
    while outbox.messages_drain(acme.acme.tenant.pk):
        pass


@pytest.mark.django_db
def test_a_plan_for_many_is_redone_chunk_by_chunk(acme: House) -> None:
    published(acme)
    tenant = acme.acme.tenant.pk
    with acme.acme.scope():
        job = RecomputeJob.objects.get()
        assert (job.people, job.ended_at) == (2, None)
    all_of_it = waiting(acme)
    assert all_of_it == 2
    assert claims.jobs_recompute(tenant) == 1, "one person a chunk"
    assert waiting(acme) == 1, "what is committed stays done"
    assert sorted(acme.earned().values()) in ([500000, 660000], [550000, 600000])
    while claims.jobs_recompute(tenant):
        pass
    assert acme.earned() == {"A": 660000, "B": 550000}
    with acme.acme.scope():
        assert RecomputeJob.objects.get().ended_at is not None


@pytest.mark.django_db
def test_a_single_deal_does_not_wait_for_a_job(acme: House) -> None:
    published(acme)
    left = waiting(acme)
    acme.won("C", "1000.00", "2026-01-12")
    acme.crm.drain()
    outbox.work_once(acme.acme.tenant.pk, outbox.WORK)
    assert acme.earned()["C"] == 11000, "by the plan that is in force"
    assert waiting(acme) == left, "the daily work does nothing of the job"
    acme.work()
    assert acme.earned() == {"A": 660000, "B": 550000, "C": 11000}


@pytest.mark.django_db
def test_a_single_deal_that_gave_way_to_a_chunk_comes_before_the_next_one(
    acme: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(acme)
    left, tenant = waiting(acme), acme.acme.tenant.pk
    acme.won("C", "1000.00", "2026-01-12")
    with monkeypatch.context() as busy:
        busy.setattr(claims, "_tried", lambda *halves: ())  # chunks are under way
        busy.setattr(claims, "_waited", lambda half: ())
        acme.crm.drain()
        outbox.work_once(tenant, outbox.WORK)
    assert "C" not in acme.earned()
    monkeypatch.setattr(tasks.bells, "heard", lambda tenant_id, queue: True)
    monkeypatch.setattr(claims, "_chunk", lambda halves: 0)
    tasks.job(tenant)
    assert (acme.earned()["C"], waiting(acme)) == (11000, left)


@pytest.mark.django_db
def test_jobs_of_several_companies_take_turns(acme: House, monkeypatch: pytest.MonkeyPatch) -> None:
    published(acme)
    tenant = acme.acme.tenant.pk
    rung: list[tuple[int, str]] = []
    monkeypatch.setattr(outbox, "ring", lambda *, tenant_id, queue=outbox.WORK: rung.append((tenant_id, queue)))
    monkeypatch.setattr(tasks.bells, "heard", lambda tenant_id, queue: True)
    tasks.job(tenant)
    assert waiting(acme) == 1, "one chunk a turn"
    assert rung == [(tenant, outbox.JOBS)], "then to the end of the queue"
    tasks.job(tenant)
    tasks.job(tenant)
    assert waiting(acme) == 0
    assert len(rung) == 2, "nothing is left to ring for"


@pytest.mark.django_db
def test_the_daily_work_goes_to_the_end_of_the_queue_after_its_turn(
    acme: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[Any] = []
    monkeypatch.setattr(tasks, "TURN_SECONDS", -1.0)
    monkeypatch.setattr(outbox, "work_once", lambda tenant_id, queue: 1)
    monkeypatch.setattr(outbox, "ring", lambda *, tenant_id, queue=outbox.WORK: rung.append(tenant_id))
    monkeypatch.setattr(tasks.bells, "heard", lambda tenant_id, queue: True)
    tasks.work(acme.acme.tenant.pk)
    assert rung == [acme.acme.tenant.pk]


@pytest.mark.django_db
def test_what_somebody_asked_for_can_be_left_what_follows_from_a_change_cannot(acme: House) -> None:
    published(acme)
    with acme.acme.scope(acme.ops):
        with pytest.raises(ProblemsError, match="follows from a change that is in force"):
            claims.job_cancel(RecomputeJob.objects.get(), cancelled_by=acme.ops)
        assert waiting(acme) == 2
    acme.work()
    with acme.acme.scope(acme.ops):
        scopes.scopes_everything(label="Asked for by hand")
        job = RecomputeJob.objects.get(ended_at=None)
        assert claims.job_cancel(job, cancelled_by=acme.ops) == 2
        assert waiting(acme) == 0
        job.refresh_from_db()
        assert (job.cancelled_by, job.ended_at is None) == (str(acme.ops), False)
        assert AuditEntry.objects.filter(code="recompute.cancel").count() == 1
        with pytest.raises(ProblemsError, match="has ended already"):
            claims.job_cancel(job, cancelled_by=acme.ops)
    assert acme.earned() == {"A": 660000, "B": 550000}


@pytest.mark.django_db
def test_the_page_shows_how_far_it_is_and_leaves_what_was_asked_for(acme: House, client: Client) -> None:
    client.force_login(acme.ops, backend="django.contrib.auth.backends.ModelBackend")
    address = f"/t/{acme.acme.tenant.slug}/jobs/"
    page = client.get(address).content.decode()
    assert "Every figure is up to date" in page and "Work everything out anew" in page
    assert client.post(address + "start/").status_code == 302
    claims.jobs_recompute(acme.acme.tenant.pk)
    page = client.get(address).content.decode()
    assert "1 of 2 people" in page and '<progress value="1" max="2"' in page
    with acme.acme.scope():
        version = under_way()[1]
        job = RecomputeJob.objects.get(ended_at=None)
    assert client.get(f"{address}progress/?v={version}").status_code == 204
    assert client.post(f"{address}{job.pk}/leave/", follow=True).content.decode().count("Left: 1 of its figures") == 1
    assert waiting(acme) == 0
    page = client.get(address).content.decode()
    assert f"left by {acme.ops}" in page
    assert client.post(f"{address}{job.pk}/leave/", follow=True).content.decode().count("has ended already") == 1
    assert client.post(f"{address}999999/leave/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_in_the_middle_leaves_a_job_that_goes_on(acme: House) -> None:
    """One chunk is done; the second dies between its last write and its commit."""
    published(acme)
    tenant = acme.acme.tenant.pk
    connections.close_all()
    child = os.fork()
    if child == 0:
        real, calls = claims.recompute, count()

        def dies(marks: Any, **how: Any) -> Any:
            found = real(marks, **how)
            if next(calls):
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        claims.recompute = dies  # type: ignore[assignment]
        while claims.jobs_recompute(tenant):
            pass
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert waiting(acme) == 1, "the first chunk stays done, the second as if it had not begun"
    assert sorted(acme.earned().values()) in ([500000, 660000], [550000, 600000])
    with acme.acme.scope():
        assert RecomputeJob.objects.get().ended_at is None
    while claims.jobs_recompute(tenant):
        pass
    assert acme.earned() == {"A": 660000, "B": 550000}
    with acme.acme.scope():
        assert RecomputeJob.objects.get().ended_at is not None and replay.differences_found() == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_on_one_job_do_each_part_once(acme: House) -> None:
    published(acme)

    def works() -> int:
        try:
            done, idle = 0, 0
            while waiting(acme) and idle < 50:
                took = claims.jobs_recompute(acme.acme.tenant.pk)
                done, idle = done + took, 0 if took else idle + 1
            return done
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as two:
        done = [each.result() for each in [two.submit(works) for _ in range(2)]]
    assert sum(done) == 2 and waiting(acme) == 0
    assert acme.earned() == {"A": 660000, "B": 550000}
    with acme.acme.scope():
        told = FigureChange.objects.filter(cause__kind="plan")
        assert told.count() == 2, "no change is told twice"


@pytest.mark.django_db
def test_who_left_the_plan_while_a_job_waited_is_paid_by_it_no_more(acme: House) -> None:
    published(acme)
    with acme.acme.scope(acme.ops):
        bobs_own = PlanAssignment.objects.get(participant__name="Bob")
        plans.assignment_end(assignment=bobs_own, ends_on=date(2026, 1, 5))
    acme.work()
    assert acme.earned() == {"A": 660000}
    with acme.acme.scope():
        assert RecomputeJob.objects.get().ended_at is not None and replay.differences_found() == []
