"""What large recomputations do for speed changes no figure: inserting without looking, and two processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from comp.outbox.services import messages_drain
from payouts.frames import read, read_facts, sql
from payouts.models import ChangedScope, Earning, RecomputeJob, Statement
from payouts.services import claims, recompute, scopes
from tests.payouts.house import House, house
from tests.payouts.test_one_bad_row_stops_nobody_else import TOO_MUCH, also_bob, bobs, due_now


@pytest.mark.django_db
def test_a_row_that_stands_under_another_date_is_changed_though_it_was_not_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sql, "MANY", 1)
    acme = house()
    acme.won("A", "60000.00", "2026-05-10")
    acme.won("B", "50000.00", "2026-05-12")
    acme.work()
    assert acme.earned() == {"A": 0, "B": 0}  # no quota in the second quarter
    # The first quarter is redone before the second, where A still stands.
    acme.won("A", "60000.00", "2026-01-10", at="2026-05-20T10:00:00Z")
    acme.work()
    assert acme.earned() == {"A": 600000, "B": 0}
    with acme.acme.scope():
        assert Earning.objects.count() == 2


@pytest.mark.django_db
def test_teams_of_many_deals_are_found_by_their_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_facts, "NAMED", 0)
    monkeypatch.setattr(read, "FEW", 10**6)  # facts are read without looking whose they are
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "50000.00", "2026-05-12")
    acme.work()
    before = acme.earned()
    acme.won("A", "70000.00", "2026-02-10", at="2026-05-20T10:00:00Z")
    acme.work()
    assert (before, acme.earned()) == ({"A": 600000, "B": 0}, {"A": 700000, "B": 0})


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> House:
    """Ann and Bob, one with an even and one with an odd id, with figures that wait to be redone as a whole."""
    monkeypatch.setattr(scopes, "MANY", 1)  # two people's whole time is a job
    acme = house()
    bob = also_bob(acme)
    assert {acme.ann.pk % 2, bob.pk % 2} == {0, 1}
    acme.won("A", "60000.00", "2026-01-10")
    bobs(acme, "B", "50000.00", "2026-01-11")
    acme.crm.drain()
    with acme.acme.scope():
        ChangedScope.objects.all().delete()
        scopes.scopes_everything(label="All of it")
    return acme


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """The people of each recomputation."""
    seen: list[set[int]] = []
    redo = recompute.recompute

    def watched(marks: Sequence[recompute.Mark], *, leave_places: bool) -> recompute.Changed:
        assert not leave_places, "a job leaves nothing"
        seen.append({mark.person for mark in marks})
        return redo(marks)

    monkeypatch.setattr(claims, "recompute", watched)
    return seen


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queues of which another worker was called while a chunk was redone."""
    found: list[str] = []
    monkeypatch.setattr(claims, "ring_at_once", lambda *, tenant_id, queue: found.append(queue))
    return found


def redone(of: House) -> int:
    return claims.scopes_recompute(of.acme.tenant.pk)


@pytest.mark.django_db(transaction=True)
def test_a_chunk_is_of_half_of_the_people_and_calls_a_worker_for_the_other(
    two: House, beside: list[set[int]], called: list[str]
) -> None:
    with two.acme.scope():
        people = set(ChangedScope.objects.values_list("participant_id", flat=True))
        job = RecomputeJob.objects.get(ended_at=None)
    halves = [{person for person in people if person % 2 == half} for half in (0, 1)]
    assert redone(two) == len(halves[0])
    assert (beside, called) == (halves[:1], ["jobs"])
    assert redone(two) == len(halves[1])
    assert (beside, called) == (halves, ["jobs"]), "nobody is called where nothing else waits"
    assert two.earned() == {"A": 600000, "B": 500000}
    with two.acme.scope():
        assert not ChangedScope.objects.exists()
        assert sorted(Statement.objects.values_list("payout_minor", flat=True)) == [500000, 600000]
        # Two last chunks that end together see each other's people still waiting; whoever looks next ends the job.
        RecomputeJob.objects.filter(pk=job.pk).update(ended_at=None)
    assert redone(two) == 0
    with two.acme.scope():
        assert not RecomputeJob.objects.filter(ended_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_each_half_has_a_lock_of_its_own(two: House, called: list[str], owner_connection: Any) -> None:
    """Single changes too: those of the half that is free do not wait for the other's."""
    half = two.ann.pk % 2
    with owner_connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [claims.LOCKS[half], two.acme.tenant.pk])
        while redone(two):
            pass
        assert two.earned() == {"B": 500000}
        assert called == (["jobs"] if half else []), "whoever holds a half off is no worker to be called"
        two.won("C", "1000.00", "2026-01-12")
        bobs(two, "D", "2000.00", "2026-01-12")
        two.work()
        assert two.earned() == {"B": 500000, "D": 20000}
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [claims.LOCKS[half], two.acme.tenant.pk])
    two.work()
    assert two.earned() == {"A": 600000, "B": 500000, "C": 10000, "D": 20000}


@pytest.mark.django_db(transaction=True)
def test_who_waited_for_one_half_takes_both_where_both_are_free(
    two: House, monkeypatch: pytest.MonkeyPatch, owner_connection: Any
) -> None:
    """One writer most often has both: who waits for him redoes what came meanwhile once, not each half for itself."""
    while redone(two):
        pass
    tenant = two.acme.tenant.pk
    two.won("C", "1000.00", "2026-01-12")
    bobs(two, "D", "2000.00", "2026-01-12")
    two.crm.drain()
    messages_drain(tenant)
    waits = claims.figures_lock
    with owner_connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s), pg_advisory_lock(%s, %s)", _both(tenant))

        def waited(**what: Any) -> bool:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s), pg_advisory_unlock(%s, %s)", _both(tenant))
            return waits(**what)

        monkeypatch.setattr(claims, "figures_lock", waited)
        assert claims.changes_recompute(tenant)
    assert two.earned() == {"A": 600000, "B": 500000, "C": 10000, "D": 20000}


def _both(tenant: int) -> list[int]:
    return [part for key in claims.LOCKS for part in (key, tenant)]


@pytest.mark.django_db(transaction=True)
def test_figures_that_cannot_be_redone_stop_no_other_half(two: House, called: list[str]) -> None:
    for key in ("X", "Y"):
        bobs(two, key, TOO_MUCH, "2026-01-12")
    two.crm.drain()
    due_now(two)
    while redone(two):
        pass
    assert two.earned() == {"A": 600000}
    with two.acme.scope():
        waiting = ChangedScope.objects.filter(attempts__gt=0)
        assert {scope.participant.name for scope in waiting} == {"Bob"}
