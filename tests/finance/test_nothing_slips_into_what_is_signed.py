"""What is signed with a switch: a tranche that is brought meanwhile waits, and is refused; what the system before paid
of facts of ours is in it, and stays."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import Error, connection
from psycopg2.extensions import connection as Connection

from payouts.models import BatchLine, CutOver, OpeningTranche, Payable
from payouts.services import cutovers, replay
from tests.database import TestDatabase
from tests.finance.switch import MARCH, arriving, prepared, sign, sound, take
from tests.payouts.house import house, plan_text
from tests.payouts.test_what_others_do_is_paid import join, lines


def until_one_waits(superuser: Connection, database: str) -> None:
    end = time.monotonic() + 60
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
    while time.monotonic() < end:
        with superuser.cursor() as cursor:
            cursor.execute(waiting, [database])
            if cursor.fetchone():
                return
        time.sleep(0.01)
    raise AssertionError("the tranche does not wait for the signature")


@pytest.mark.django_db(transaction=True)
def test_a_tranche_waits_for_the_signature(test_database: TestDatabase, superuser_connection: Connection) -> None:
    acme = arriving()
    switch = prepared(acme)
    take(acme, switch)
    with acme.acme.scope(acme.preparer):
        late = OpeningTranche.objects.filter(index=1)[0]
    late.pk, late.index = None, 9

    def bring() -> str:
        try:
            with acme.acme.scope(acme.preparer):
                late.save(force_insert=True)
            return "brought"
        except Error as error:
            return str(error)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other:
        with acme.acme.scope(acme.approver):
            sign(acme, switch)
            said = other.submit(bring)
            until_one_waits(superuser_connection, test_database.name)
        assert "its cut-over is signed" in said.result(60)
    with acme.acme.scope(acme.approver):
        assert CutOver.objects.get().state == CutOver.State.SIGNED
        assert not OpeningTranche.objects.filter(index=9).exists()


@pytest.mark.django_db
def test_what_they_paid_of_facts_of_ours_is_signed_and_stays_of_a_budget() -> None:
    """Nothing is opened: of a budget of 8,000 the system before paid Ann 6,000 and Bob 2,000, by deals that we have.
    Cleo's late deal stands before both and gets nothing."""
    budget = "    budget: {amount: 8000.00, after_posting: keep}\n"
    acme = house(plan_text().replace("    cap: null\n", f"    cap: null\n{budget}"))
    join(acme, "Bob")
    join(acme, "Cleo")
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "50000.00", "2026-02-10", owner="bob")
    acme.work()
    cut_over = prepared(acme)
    acme.work()
    with acme.acme.scope(acme.preparer):
        cutovers.cutover_refresh(cut_over=cut_over, by=acme.preparer)
    acme.work()
    sign(acme, cut_over)
    acme.work()
    sound(acme)
    with acme.acme.scope():
        taken = BatchLine.objects.filter(batch__state="posted").order_by("participant__name")
        assert [(row.amount_minor, row.line_kind, row.trace["earned_minor"]) for row in taken] == [
            (600_000, 0, 600_000), (200_000, 0, 200_000),
        ]  # fmt: skip
    acme.won("C", "40000.00", "2026-01-05", owner="cleo")
    acme.work()
    assert lines(acme, "commission") == {"Ann": 600_000, "Bob": 200_000, "Cleo": 0}
    with acme.acme.scope():
        assert not Payable.objects.exists()
    sound(acme)
    acme.close(MARCH)
    acme.work()
    with acme.acme.scope():
        assert replay.replay_period(acme.acme.pay_group, MARCH).found == []
