"""What large recomputations do for speed changes no figure: inserting without looking, and two connections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from comp.tenancy.scope import Actor, Pay, tenant_scope
from payouts.frames import read, read_facts, sql
from payouts.models import ChangedScope, Earning, Statement
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
    """The people of each recomputation; from one person on two connections work."""
    monkeypatch.setattr(claims, "SHARED_FROM", 1)
    seen: list[set[int]] = []
    redo = recompute.recompute

    def watched(marks: Sequence[recompute.Mark]) -> recompute.Changed:
        seen.append({mark.person for mark in marks})
        return redo(marks)

    monkeypatch.setattr(claims, "recompute", watched)
    return seen


def redone(of: House) -> int:
    return claims.scopes_recompute(of.acme.tenant.pk)


@pytest.mark.django_db(transaction=True)
def test_two_connections_redo_half_of_the_people_each(two: House, beside: list[set[int]]) -> None:
    with two.acme.scope():
        people = set(ChangedScope.objects.values_list("participant_id", flat=True))
    assert redone(two) == len(people)
    assert sorted(beside, key=min) == sorted(
        ({person for person in people if person % 2 == half} for half in (0, 1)), key=min
    )
    assert two.earned() == {"A": 600000, "B": 500000}
    with two.acme.scope():
        assert not ChangedScope.objects.exists()
        assert sorted(Statement.objects.values_list("payout_minor", flat=True)) == [500000, 600000]


@pytest.mark.django_db(transaction=True)
def test_each_half_has_a_lock_of_its_own(two: House, beside: list[set[int]], owner_connection: Any) -> None:
    half = two.ann.pk % 2
    with owner_connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [claims.LOCKS[half], two.acme.tenant.pk])
        assert redone(two) > 0
        assert two.earned() == {"B": 500000}
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [claims.LOCKS[half], two.acme.tenant.pk])
    assert redone(two) > 0
    assert two.earned() == {"A": 600000, "B": 500000}


@pytest.mark.django_db(transaction=True)
def test_figures_that_cannot_be_redone_stop_no_other_half(two: House, beside: list[set[int]]) -> None:
    for key in ("X", "Y"):
        bobs(two, key, TOO_MUCH, "2026-01-12")
    two.crm.drain()
    due_now(two)
    redone(two)
    assert two.earned() == {"A": 600000}
    with two.acme.scope():
        waiting = ChangedScope.objects.filter(attempts__gt=0)
        assert {scope.participant.name for scope in waiting} == {"Bob"}


@pytest.mark.django_db
def test_within_an_open_transaction_one_connection_does_it_all(two: House, beside: list[set[int]]) -> None:
    with tenant_scope(two.acme.tenant.pk, actor=Actor.command("test"), pay=Pay.everyone()):
        assert redone(two) > 0
    assert len(beside) == 1
    assert two.earned() == {"A": 600000, "B": 500000}
