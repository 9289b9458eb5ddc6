"""A superuser with the triggers off changes one thing; `verify` names it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from payouts import verify
from tests.finance.cast import FEBRUARY, World, january

#: What recomputes needs plans and deals that the hand-made figures do not have; tests of the recompute run it.
BY_HAND = tuple(check for check in verify.CHECKS if check is not verify.incremental)


def wrong(world: World) -> list[str]:
    with world.scope():
        return [problem for check in BY_HAND for problem in check().wrong]


@pytest.fixture
def paid(transactional_db: None) -> World:
    """January paid, February approved with an adjustment, March open with something payable and something waiting."""
    world = january()
    world.pay(world.approve(world.submit()))
    world.earn("R1", "D-1", 90_00, date(2026, 1, 10))
    world.earn("S1", "D-5", 7_00, date(2026, 2, 3))
    world.approve(world.submit(FEBRUARY))
    world.earn("S1", "D-6", 8_00, date(2026, 3, 3))
    return world


TAMPERS = [
    (
        "UPDATE payouts_ledgerentry SET amount_minor = amount_minor + 1 "
        "WHERE id = (SELECT min(id) FROM payouts_ledgerentry)",
        "posting 1 does not balance",
    ),
    (
        "DELETE FROM payouts_ledgerentry "
        "WHERE transaction_id = (SELECT id FROM payouts_ledgertransaction WHERE number = 2)",
        "posting 2: its 0 entries are not the 4",
    ),
    (
        "UPDATE payouts_ledgerentry SET participant_id = participant_id + 1 WHERE account = 'paid'",
        "posting 2: its 4 entries are not the 4",
    ),
    (
        "UPDATE payouts_payment SET amount_minor = amount_minor + 1 WHERE number = 1",
        "is asked $125.51, and owed $125.50",
    ),
    (
        "UPDATE payouts_payment SET paid_minor = paid_minor - 1 WHERE number = 1",
        "payroll paid R1 $125.49, the ledger says $125.50",
    ),
    (
        "UPDATE payouts_ledgertransaction SET posted_at = posted_at + interval '1 day' WHERE number = 2",
        "posting 2 was changed",
    ),
    ("UPDATE payouts_ledgertransaction SET previous_digest = digest WHERE number = 2", "posting 2 does not follow"),
    ("DELETE FROM payouts_ledgertransaction WHERE number = 2", "posting 2 is missing: the next one is 3"),
    ("DELETE FROM payouts_ledgertransaction WHERE number = 3", "names posting"),
    (
        "UPDATE payouts_batchline SET amount_minor = amount_minor + 1 WHERE kind = 'adjustment'",
        "its lines are not those that were submitted",
    ),
    (
        "UPDATE payouts_batchline SET rule = 'other' WHERE kind = 'adjustment'",
        "its lines are not those that were submitted",
    ),
    ("DELETE FROM payouts_batchline WHERE kind = 'adjustment'", "its lines are not those that were submitted"),
    ("""UPDATE payouts_batch SET totals = '{"USD": 1}' WHERE state = 'paid'""", "people, lines or totals"),
    (
        "UPDATE payouts_statement SET released_minor = released_minor + 1, payout_minor = payout_minor + 1 "
        "WHERE state = 'paid'",
        "it is not what the batch's lines add up to",
    ),
    ("UPDATE payouts_statement SET state = 'paid' WHERE state = 'approved'", "it is paid, the batch is posted"),
    ("DELETE FROM payouts_statement WHERE state = 'paid'", "it is missing"),
    ("UPDATE audit_auditentry SET reason = 'nothing to see' WHERE number = 2", "audit entry 2 was changed"),
    ("""UPDATE audit_auditentry SET after = '{"by": "nobody"}' WHERE number = 3""", "audit entry 3 was changed"),
    ("DELETE FROM audit_auditentry WHERE number = 2", "audit entry 2 is missing: the next one is 3"),
    (
        "DELETE FROM audit_auditentry WHERE number = (SELECT max(number) FROM audit_auditentry)",
        "no audit entry batch.post tells of it",
    ),
    ("UPDATE payouts_payable SET amount_minor = amount_minor + 5", "S1: earned is"),
    ("DELETE FROM payouts_tranche WHERE release_day IS NULL", "S1: earned is $60.00 off"),
    (
        "UPDATE payouts_earning SET earned_minor = earned_minor - 1 WHERE id = (SELECT min(id) FROM payouts_earning)",
        "R1: earned is",
    ),
]


@pytest.mark.django_db(transaction=True)
def test_every_tamper_is_found_and_named(paid: World, superuser_connection: Connection) -> None:
    assert wrong(paid) == []
    for statement, says in TAMPERS:
        with tampered(superuser_connection, statement):
            found = wrong(paid)
        assert any(says in problem for problem in found), (statement, found)
    assert wrong(paid) == []


@pytest.mark.django_db(transaction=True)
def test_the_command_names_it_and_fails(
    paid: World, superuser_connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "CHECKS", BY_HAND)
    out = StringIO()
    call_command("verify", tenant="acme", stdout=out)
    assert "All 7 checks hold" in out.getvalue() and out.getvalue().count("✓") == 7
    with tampered(superuser_connection, "UPDATE audit_auditentry SET reason = 'x' WHERE number = 2"):
        out = StringIO()
        with pytest.raises(CommandError, match="2 of 7 checks failed"):
            call_command("verify", tenant="acme", stdout=out)
    assert "✗ acme: Audit chain: audit entry 2 was changed" in out.getvalue()
    assert "audit_auditentry: trigger audit_append_u is not always on" in out.getvalue()
    with pytest.raises(CommandError, match="no company 'nobody'; there are: acme"):
        call_command("verify", tenant="nobody")


WALLS_DOWN = [
    ("ALTER TABLE payouts_payable NO FORCE ROW LEVEL SECURITY", "payouts_payable: row security is not forced"),
    ("ALTER TABLE people_team DISABLE ROW LEVEL SECURITY", "people_team: row security is off"),
    ("DROP POLICY people_team_wall ON people_team", "people_team: no restrictive policy by tenant"),
    (
        "DROP POLICY payouts_earning_pay ON payouts_earning",
        "payouts_earning: no restrictive pay policy by participant_id",
    ),
    (
        "ALTER POLICY payouts_earning_pay_group ON payouts_earning USING (true)",
        "no restrictive pay policy by pay_group_id",
    ),
    (
        "ALTER TABLE payouts_ledgerentry DISABLE TRIGGER ledgerentry_balance",
        "trigger ledgerentry_balance is not always on",
    ),
    ("DROP TRIGGER batch_moves ON payouts_batch", "payouts_batch: trigger batch_moves is missing"),
    ("CREATE UNIQUE INDEX told ON people_participant (key)", "unique told starts with key"),
    (
        "ALTER TABLE people_position ADD CONSTRAINT plain FOREIGN KEY (team_id) REFERENCES people_team (id)",
        "foreign key plain does not start with tenant_id",
    ),
    ("ALTER ROLE comp_pay BYPASSRLS", "role comp_pay passes every wall"),
]


@pytest.mark.django_db(transaction=True)
def test_a_wall_taken_down_is_found(superuser_connection: Connection) -> None:
    """Looked at from inside the transaction that took it down, which is then rolled back."""
    assert verify.walls().wrong == []
    superuser_connection.autocommit = False
    for statement, says in WALLS_DOWN:
        with superuser_connection.cursor() as cursor, pytest.MonkeyPatch.context() as patch:
            cursor.execute(statement)
            patch.setattr(verify, "_rows", lambda query, params=None, cursor=cursor: _rows(cursor, query, params))
            found = verify.walls().wrong
        superuser_connection.rollback()
        assert any(says in problem for problem in found), (statement, found)


def _rows(cursor: Cursor, query: str, params: list[Any] | None) -> list[tuple[Any, ...]]:
    cursor.execute(query, params)
    return cursor.fetchall()


@contextmanager
def tampered(superuser: Connection, statement: str) -> Iterator[None]:
    """The table as the statement leaves it, with all triggers off meanwhile; then as it was."""
    (table,) = re.findall(r"^(?:UPDATE|DELETE FROM) (\w+)", statement)
    with superuser.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        cursor.execute(f"CREATE TEMP TABLE kept AS TABLE {table}")
        cursor.execute(statement)
        assert cursor.rowcount > 0, statement
        yield
        cursor.execute(f"DELETE FROM {table}")
        cursor.execute(f"INSERT INTO {table} SELECT * FROM kept")
        cursor.execute("DROP TABLE kept")
        # ALL leaves the triggers of this table as plain ones; the connection's database is thrown away after the test.
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
