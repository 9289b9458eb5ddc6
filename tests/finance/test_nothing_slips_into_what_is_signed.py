"""A tranche that is brought while the switch is being signed waits for the signature, and is refused."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import Error, connection
from psycopg2.extensions import connection as Connection

from payouts.models import CutOver, OpeningTranche
from tests.database import TestDatabase
from tests.finance.test_a_company_arrives_in_mid_year import arriving, prepared, sign, take


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
