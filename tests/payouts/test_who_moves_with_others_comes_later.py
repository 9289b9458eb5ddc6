"""Those to whom credit rolls up are redone after those whose facts they are, and under load once for many changes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from comp.outbox.services import messages_drain
from comp.people import services as people
from comp.people.models import CreditRole
from payouts.models import ChangedScope, Earning
from payouts.selectors_batches import scopes_pending
from payouts.services import claims, recompute, replay
from plans import services as plans
from plans.models import Plan
from tests.factories import person
from tests.payouts.house import House, house, plan_text
from tests.payouts.test_one_bad_row_stops_nobody_else import also_bob, bobs

ROLLED = (
    plan_text()
    .replace("roll_up: []", "roll_up: [{from: [ae], to: manager, levels: 1, limit: 100%}]")
    .replace("roles: [ae]", "roles: [ae, manager]")
)
JANUARY = date(2026, 1, 1)


def lines(acme: House) -> dict[str, int]:
    """How many lines everybody has."""
    with acme.acme.scope():
        names = list(Earning.objects.values_list("participant__name", flat=True))
    return {name: names.count(name) for name in names}


@pytest.mark.django_db
def test_those_above_wait_while_deliveries_come_and_who_waits_longest_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    acme = house(ROLLED)
    bob = also_bob(acme)
    with acme.acme.scope(acme.ops):
        CreditRole.objects.get_or_create(key="manager", defaults={"name": "Manager"})
        for below, name in ((acme.ann, "Zoe"), (bob, "Max")):
            above = person(acme.acme, name)
            people.reporting_line_set(participant=below, manager=above, starts_on=JANUARY)
            plans.assignment_set(participant=above, plan=Plan.objects.get(key="worked"), starts_on=JANUARY)
    acme.work()
    tenant = acme.acme.tenant.pk

    acme.won("A1", "1000.00", "2026-01-11")
    acme.won("A2", "1000.00", "2026-01-12")
    bobs(acme, "B1", "2000.00", "2026-01-13")
    acme.crm.drain()
    assert messages_drain(tenant) == 1
    assert claims.changes_recompute(tenant) == 3
    assert claims.changes_recompute(tenant) == 0
    assert lines(acme) == {"Ann": 2, "Bob": 1}

    acme.won("A3", "1000.00", "2026-01-14")
    monkeypatch.setattr(claims, "LATER_WAIT", timedelta(hours=1))
    assert claims.later_recompute(tenant) == 0, "a delivery has come: whoever takes it up looks again"
    monkeypatch.setattr(claims, "LATER_WAIT", timedelta(0))
    monkeypatch.setattr(claims, "_rests", {("later", tenant): float("inf")})
    assert claims.later_recompute(tenant) == 0, "a piece was done just now: others have the worker"
    claims._rests.clear()
    monkeypatch.setattr(claims, "LATER_PEOPLE", 1)
    monkeypatch.setattr(claims, "_pace", {("later", tenant): 1})
    assert claims.later_recompute(tenant) == 2, "they have waited long enough: Zoe's two changes together"
    assert lines(acme) == {"Ann": 2, "Bob": 1, "Zoe": 2}
    acme.work()
    assert lines(acme) == {"Ann": 3, "Bob": 1, "Zoe": 3, "Max": 1}
    with acme.acme.scope():
        assert not ChangedScope.objects.exists()
        assert replay.differences_found() == []


@pytest.mark.django_db
def test_where_lines_stand_is_written_last_while_deliveries_come(monkeypatch: pytest.MonkeyPatch) -> None:
    acme = house(plan_text())
    for day in range(11, 16):
        acme.won(f"A{day}", "1000.00", f"2026-01-{day}")
    acme.work()
    tenant = acme.acme.tenant.pk

    def places() -> list[tuple[int, int, int]]:
        with acme.acme.scope():
            rows = Earning.objects.filter(fact__gt=0).order_by("credit_date", "fact")
            return list(rows.values_list("position", "before_minor", "earned_minor"))

    before = places()
    assert [position for position, _, _ in before] == [1, 2, 3, 4, 5]

    monkeypatch.setattr(recompute, "PLACES_FROM", 2)
    monkeypatch.setattr(claims, "deliveries_wait", lambda: True)
    acme.won("A01", "1000.00", "2026-01-01")
    acme.crm.drain()
    assert messages_drain(tenant) == 1 and claims.changes_recompute(tenant) == 1
    assert places() == [(1, 0, before[0][2]), *before], "the new line stands; the others earn what they earned"
    with acme.acme.scope():
        [left] = ChangedScope.objects.all()
        assert left.places and left.later and left.to_day - left.from_day > timedelta(days=27)
        assert scopes_pending(acme.ann.pay_group) == 1, "no batch takes the period before"
    assert claims.changes_recompute(tenant) == claims.later_recompute(tenant) == claims.places_recompute(tenant) == 0

    acme.won("A02", "1000.00", "2026-01-02")
    acme.crm.drain()
    messages_drain(tenant)
    assert claims.changes_recompute(tenant) == 1
    with acme.acme.scope():
        assert ChangedScope.objects.get() == left, "once for both"
    monkeypatch.setattr(claims, "PLACES_WAIT", timedelta(0))
    assert claims.places_recompute(tenant) == 1, "they have waited long enough"
    assert [row[:2] for row in places()] == [(k + 1, k * 1000_00) for k in range(7)]
    with acme.acme.scope():
        assert not ChangedScope.objects.exists()
        assert replay.differences_found() == []


@pytest.mark.django_db(transaction=True)
def test_what_comes_behind_holds_one_half_and_waits_only_while_nothing_else_comes(
    monkeypatch: pytest.MonkeyPatch, owner_connection: Any
) -> None:
    """Whoever has single changes of the other half goes on meanwhile, and a worker that waits takes what comes."""
    acme = house(ROLLED)
    with acme.acme.scope(acme.ops):
        CreditRole.objects.get_or_create(key="manager", defaults={"name": "Manager"})
        zoe = person(acme.acme, "Zoe")
        people.reporting_line_set(participant=acme.ann, manager=zoe, starts_on=JANUARY)
        plans.assignment_set(participant=zoe, plan=Plan.objects.get(key="worked"), starts_on=JANUARY)
    acme.work()
    tenant = acme.acme.tenant.pk
    acme.won("A1", "1000.00", "2026-01-11")
    acme.crm.drain()
    messages_drain(tenant)
    assert claims.changes_recompute(tenant) and lines(acme) == {"Ann": 1}

    held: list[tuple[int, ...]] = []
    tried, waits = claims._tried, iter([False, False, True, False, False])

    def watched(*halves: int) -> tuple[int, ...]:
        held.append(tried(*halves))
        return held[-1]

    monkeypatch.setattr(claims, "_tried", watched)
    monkeypatch.setattr(claims, "_others_wait", lambda: next(waits))
    with owner_connection.cursor() as cursor:
        mine = [claims.LOCKS[zoe.pk % 2], tenant]
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", mine)
        assert claims.later_recompute(tenant) == 0, "a delivery came while it waited"
        assert held == [(), ()]

        def let_go(seconds: float) -> None:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", mine)

        monkeypatch.setattr("time.sleep", let_go)
        assert claims.later_recompute(tenant) == 1
    assert held[2:] == [(), (zoe.pk % 2,)]
    assert lines(acme) == {"Ann": 1, "Zoe": 1}
