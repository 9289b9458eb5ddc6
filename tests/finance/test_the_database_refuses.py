"""What must not happen to posted money does not happen, whoever writes the statement: tried as the runtime role."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from psycopg2 import DatabaseError as DatabaseErrorOfDriver
from psycopg2.extensions import connection as Connection

from comp.tenancy.scope import Pay
from payouts.models import Batch, LedgerEntry, LedgerTransaction, Posting, Statement
from tests.finance.cast import FEBRUARY, JANUARY, World

POSTED = ("payouts_ledgertransaction", "payouts_ledgerentry", "payouts_batchline", "audit_auditentry")
STATEMENTS = (
    "UPDATE {table} SET tenant_id = tenant_id",
    "UPDATE {table} SET id = id WHERE false",
    "DELETE FROM {table}",
    "DELETE FROM {table} WHERE false",
    "TRUNCATE {table}",
    "TRUNCATE {table} CASCADE",
    "INSERT INTO {table} SELECT * FROM {table} ON CONFLICT (id) DO UPDATE SET id = EXCLUDED.id",
    "MERGE INTO {table} t USING {table} s ON t.id = s.id WHEN MATCHED THEN DELETE",
    "MERGE INTO {table} t USING {table} s ON t.id = s.id WHEN MATCHED THEN UPDATE SET tenant_id = s.tenant_id",
    "WITH gone AS (DELETE FROM {table} RETURNING id) SELECT count(*) FROM gone",
    "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
    "DROP TABLE {table}",
)


@pytest.fixture
def posted(world: World) -> World:
    world.approve(world.submit())
    return world


def test_posted_rows_are_only_ever_added(posted: World) -> None:
    refused = 0
    for pay in (Pay.everyone(), Pay.nobody()):
        for table, statement in product(POSTED, STATEMENTS):
            refuses = pytest.raises(DatabaseError, match="permission denied|must be owner")
            with posted.scope(pay), refuses, transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement.format(table=table))
            refused += 1
    assert refused == 2 * len(POSTED) * len(STATEMENTS)


def test_not_even_the_tables_owner_changes_them(owner_connection: Connection) -> None:
    """Where grants do not hold the triggers do: the owner's own connection is refused too."""
    with owner_connection.cursor() as cursor:
        cursor.execute("SET app.tenant = '1'")
        for table, statement in product(POSTED, STATEMENTS[:6]):
            with pytest.raises(DatabaseErrorOfDriver, match="only ever added|truncate a table referenced"):
                cursor.execute(statement.format(table=table))


def test_a_statement_stands_as_its_batch_stated_it(world: World) -> None:
    """Taken by a batch only its state moves, and from the approval on it is not open again, nor changed, nor gone."""
    kept = ({"digest": "0" * 64}, {"released_minor": 1}, {"lines": 9}, {"revision": 9}, {"period_starts_on": FEBRUARY})
    batch = world.submit()
    for state in ("in_batch", "approved", "paid"):
        batch = {"in_batch": lambda at: at, "approved": world.approve, "paid": world.pay}[state](batch)
        with world.scope():
            stated = Statement.objects.filter(period_starts_on=JANUARY, run=0)
            assert set(stated.values_list("state", flat=True)) == {state}
            for change in kept:
                with pytest.raises(IntegrityError, match="stands as it was stated"), transaction.atomic():
                    stated.update(**change)
            with pytest.raises(IntegrityError, match=f"is {state}: it cannot be deleted"), transaction.atomic():
                stated.delete()
            for back in ("open", "in_batch") if state != "in_batch" else ():
                with pytest.raises(IntegrityError, match=f"from {state} to {back}"), transaction.atomic():
                    stated.update(state=back)


def test_an_unbalanced_posting_is_refused(posted: World) -> None:
    with posted.scope():
        first = LedgerTransaction.objects.get()
        for amounts in ((5,), (5, -4), (5, -5, 1)):
            with pytest.raises(IntegrityError, match="does not balance|cannot be checked"), transaction.atomic():
                _post(posted, first, amounts, stated=len(amounts))


def test_a_posting_whose_entries_cannot_all_be_seen_is_refused(posted: World) -> None:
    with posted.scope():
        first = LedgerTransaction.objects.get()
        with pytest.raises(IntegrityError, match="states 4 entries and 2 can be seen"), transaction.atomic():
            _post(posted, first, (5, -5), stated=4)
    narrow = pytest.raises(DatabaseError, match="row-level security|cannot be checked")
    with posted.scope(Pay.of([posted.people["R1"].pk])), narrow, transaction.atomic():
        _post(posted, first, (5, -5), stated=2, second="S1")


def test_nothing_is_posted_twice_and_no_entry_is_zero(posted: World) -> None:
    with posted.scope():
        first = LedgerTransaction.objects.get()
        for part in (0, 7):
            with pytest.raises(IntegrityError, match="only what is approved and not posted yet"), transaction.atomic():
                LedgerTransaction.objects.create(
                    **{"number": 2, "kind": "approval", "batch_id": first.batch_id, "day": JANUARY, "entries": 0},
                    part=part,
                    content_digest="x",
                    digest="y",
                )
        with pytest.raises(IntegrityError, match="ledgerentry_not_zero"), transaction.atomic():
            _post(posted, first, (0,), stated=1)


def test_nothing_is_paid_in_the_ledger_that_no_payment_says(posted: World) -> None:
    """A posting of the kind payment or void under a free part number, balanced and whole."""
    with posted.scope():
        first = LedgerTransaction.objects.get()
        for kind in ("payment", "void"):
            says = pytest.raises(IntegrityError, match="was paid 5 minor units of USD, and payments say 0")
            with says, transaction.atomic():
                _post(posted, first, (5, -5), stated=2, kind=kind, accounts=("payable", "paid"))
        with pytest.raises(IntegrityError, match="moves what is payable, not expense"), transaction.atomic():
            _post(posted, first, (5, -5), stated=2, accounts=("payable", "expense"))
        batch = Batch.objects.get()
    posted.pay(batch)
    says = pytest.raises(IntegrityError, match="12555 minor units of USD, and payments say 12550")
    with posted.scope(), says, transaction.atomic():
        _post(posted, first, (5, -5), stated=2, accounts=("payable", "paid"), number=3)


def test_a_posting_under_way_is_counted_and_nothing_else(posted: World) -> None:
    with posted.scope():
        for change in ({"parts": 9}, {"kind": "payment"}, {"batch_id": 1}, {"created_at": None}):
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                Posting.objects.update(**change)
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            Posting.objects.all()._raw_delete("default")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"totals": {"USD": 1}}, "what was locked stays"),
        ({"digest": "0" * 64, "approved_digest": "0" * 64}, "what was locked stays"),
        ({"people": 9}, "what was locked stays"),
        ({"submitted_by": "lena"}, "what was submitted stays"),
        ({"state": "submitted"}, "cannot go from posted to submitted"),
        ({"state": "rejected", "reason": "late"}, "cannot go from posted to rejected"),
        ({"decided_by": "lena"}, "the decision on it stands"),
        ({"state": "paid"}, "paid needs an export"),
    ],
)
def test_a_batch_moves_one_way(posted: World, change: dict[str, object], says: str) -> None:
    for name in {"submitted_by", "decided_by"} & set(change):
        change = {name: posted.users["lena"]}
    with posted.scope(), pytest.raises(IntegrityError, match=says), transaction.atomic():
        Batch.objects.update(**change)


def test_a_batch_cannot_be_deleted(posted: World) -> None:
    with posted.scope(), pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM payouts_batch")


def _post(world: World, first: LedgerTransaction, amounts: tuple[int, ...], stated: int, **more: Any) -> None:
    """A payment posting by hand, checked at once as it would be at commit."""
    posting = LedgerTransaction.objects.create(
        number=more.get("number", 2), kind=more.get("kind", "payment"), part=9, batch_id=first.batch_id, day=JANUARY,
        entries=stated, content_digest="x", digest="y",
    )  # fmt: skip
    accounts = more.get("accounts", ("payable",) * len(amounts))
    for place, minor in enumerate(amounts):
        LedgerEntry.objects.create(
            transaction=posting,
            participant=world.people[more.get("second", "R1") if place else "R1"],
            pay_group=world.group,
            account=accounts[place],
            amount_minor=minor,
            currency="USD",
        )
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
