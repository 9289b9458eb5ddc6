"""The runtime role may make temporary tables, for bulk loads. One named like a table of ours must not deceive the
triggers that keep history and hold the ledger in balance."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from comp.people.models import Team
from payouts.models import Batch, LedgerEntry, LedgerTransaction
from tests.database import TestDatabase
from tests.isolation.filler import Filler


@pytest.fixture(scope="module")
def company(shared_database: TestDatabase) -> Any:
    filler = Filler("ours")
    filler.fill()
    return filler


def stand_in(table: str) -> None:
    """An empty table of the same name and columns, found first by every statement that names no schema."""
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE TEMPORARY TABLE "{table}" (LIKE public."{table}" INCLUDING ALL) ON COMMIT DROP')


def test_a_false_ledger_hides_no_imbalance(company: Filler) -> None:
    with pytest.raises(IntegrityError, match="does not balance"), company.scope():
        posting = company.row(LedgerTransaction, batch=company.row(Batch), entries=1)
        company.row(LedgerEntry, transaction=posting, account="expense", amount_minor=7)
        stand_in("payouts_ledgerentry")
        stand_in("payouts_ledgertransaction")
        with connection.cursor() as cursor:  # and the false one states what can be seen of the false entries
            cursor.execute("INSERT INTO pg_temp.payouts_ledgertransaction TABLE public.payouts_ledgertransaction")
            cursor.execute("UPDATE pg_temp.payouts_ledgertransaction SET entries = 0")


def test_a_false_history_keeps_nothing_from_the_true_one(company: Filler) -> None:
    team = company.of(Team)
    with company.scope():
        before = team.history.count()
        stand_in("people_historicalteam")
        Team.objects.filter(pk=team.pk).update(name="Renamed")
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM public.people_historicalteam WHERE id = %s", [team.pk])
            assert cursor.fetchone() == (before + 1,)
        transaction.set_rollback(True)
