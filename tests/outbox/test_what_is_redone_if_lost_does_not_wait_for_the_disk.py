"""A delivery is on disk before it is answered. What follows from it is found and done again where a crash takes it
back, so it does not wait."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from comp.outbox.services import messages_drain
from comp.tenancy.scope import tenant_scope
from crediting.services.mailbox import mailbox_drain
from payouts.services.claims import changes_recompute
from tests.factories import company
from tests.payouts.house import house


def waits() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        found: str = cursor.fetchone()[0]
    return found


@pytest.mark.django_db(transaction=True)
def test_only_the_transaction_that_says_so_does_not_wait() -> None:
    tenant = company("acme").tenant.pk
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
    try:
        with tenant_scope(tenant, redone_if_lost=True):
            assert waits() == "off"
        assert waits() == "on"
        with tenant_scope(tenant):
            assert waits() == "on"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET synchronous_commit")


@pytest.mark.django_db
def test_taking_a_delivery_waits_and_each_step_of_its_way_does_not() -> None:
    acme = house()
    with CaptureQueriesContext(connection) as taking:
        acme.won("A", "1000.00", "2026-01-11")
    assert "synchronous_commit" not in str(taking.captured_queries)
    for step in (mailbox_drain, messages_drain, changes_recompute):
        with CaptureQueriesContext(connection) as found:
            assert step(acme.acme.tenant.pk)
        assert "SET LOCAL synchronous_commit = off" in str(found.captured_queries), step.__name__
