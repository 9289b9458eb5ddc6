"""Submitted, approved by somebody else, exported, paid; or sent back. What each step binds, and what it refuses."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest
from django.db import IntegrityError, transaction

from comp.audit.models import AuditEntry
from payouts.models import Batch, BatchLine, Cause, ChangedScope, LedgerEntry, LedgerTransaction, Statement
from payouts.services import batches
from payouts.services.batches import BatchError
from tests.finance.cast import FEBRUARY, JANUARY, World, company


def january_states() -> set[str]:
    return set(Statement.objects.filter(period_starts_on=JANUARY).values_list("state", flat=True))


def test_a_submitted_batch_holds_the_open_period_and_moves_it_on(world: World) -> None:
    batch = world.submit()
    assert (batch.name, batch.people, batch.lines, batch.totals) == ("January 2026, Sales", 2, 3, {"USD": 165_50})
    assert batch.state == "submitted" and batch.starts_on == JANUARY
    assert world.payable() == {}
    world.earn("S1", "D-5", 7_00, date(2026, 2, 3))
    assert world.payable() == {"S1": 7_00}
    with world.scope():
        rita = Statement.objects.get(participant=world.people["R1"], period_starts_on=JANUARY)
        assert (rita.state, rita.payout_minor, rita.lines) == ("in_batch", 125_50, 2)
        line = BatchLine.objects.get(deal__external_id="D-1")
        assert line.trace["credit_minor"] == 1_000_00 and line.trace["plan_version"] == "d" * 64
        assert line.trace["deal_revision"] == line.deal.revision_id
        told = AuditEntry.objects.get(code="batch.submit").after
        assert told == {"state": "submitted", "people": 2, "lines": 3, "digest": batch.digest}


def test_only_the_open_period_can_be_submitted(world: World) -> None:
    with pytest.raises(BatchError, match="its open period is January 2026"):
        world.submit(FEBRUARY)
    world.submit()
    with pytest.raises(BatchError, match="its open period is February 2026"):
        world.submit()


def test_nothing_is_submitted_while_recomputations_wait(world: World) -> None:
    with world.scope():
        cause = Cause.objects.create(kind="job", label="Waiting")
        ChangedScope.objects.create(participant=world.people["R1"], from_day=JANUARY, to_day=FEBRUARY, cause=cause)
    with pytest.raises(BatchError, match="1 recomputation has not finished"):
        world.submit()


def test_an_empty_period_can_be_closed(db: None) -> None:
    world = company()
    batch = world.approve(world.submit())
    assert (batch.state, batch.people, batch.totals) == ("posted", 0, {})
    with world.scope():
        assert LedgerTransaction.objects.get().entries == 0


def test_the_digest_knows_no_ids_and_no_times(db: None) -> None:
    """Two companies with the same figures under other ids, the second written in another order, have one digest."""
    one, two = company("one"), company("two")
    deals = [("R1", "D-1", 100_00, date(2026, 1, 10)), ("S1", "D-2", 40_00, date(2026, 1, 12))]
    for deal in deals:
        one.earn(*deal)
    for deal in reversed(deals):
        two.earn(*deal)
    first, second = one.submit(), two.submit()
    assert first.digest == second.digest and first.pk != second.pk


def test_the_digest_binds_every_amount(db: None) -> None:
    one, two = company("one"), company("two")
    one.earn("R1", "D-1", 100_00, date(2026, 1, 10))
    two.earn("R1", "D-1", 100_01, date(2026, 1, 10))
    assert one.submit().digest != two.submit().digest


def test_approval_needs_a_second_person(world: World) -> None:
    batch = world.submit()
    with pytest.raises(BatchError, match="you submitted it"):
        world.approve(batch, by="fiona")
    with world.scope(), pytest.raises(IntegrityError, match="batch_two_people"), transaction.atomic():
        Batch.objects.filter(pk=batch.pk).update(
            state="approved", decided_by=world.users["fiona"], approved_digest=batch.digest
        )


def test_nobody_approves_their_own_pay(world: World) -> None:
    batch = world.submit()
    with pytest.raises(BatchError, match="your own pay is in it"):
        world.approve(batch, by="rita")


def test_approval_takes_the_digest_that_was_shown(world: World) -> None:
    batch = world.submit()
    with pytest.raises(BatchError, match="not what would be approved"):
        world.approve(batch, digest="0" * 64)
    with world.scope(), pytest.raises(IntegrityError, match="batch_approves_what_was_shown"), transaction.atomic():
        Batch.objects.filter(pk=batch.pk).update(
            state="approved", decided_by=world.users["frank"], approved_digest="0" * 64
        )


def test_approval_posts_a_balanced_pair_for_each_person(world: World) -> None:
    batch = world.approve(world.submit())
    assert batch.state == "posted" and batch.approved_digest == batch.digest
    with world.scope():
        posted = LedgerEntry.objects.order_by("participant__key", "account")
        assert list(posted.values_list("participant__key", "account", "amount_minor")) == [
            ("R1", "expense", 125_50),
            ("R1", "payable", -125_50),
            ("S1", "expense", 40_00),
            ("S1", "payable", -40_00),
        ]
        assert batch.ledger_head == LedgerTransaction.objects.get().digest
        assert january_states() == {"approved"}


def test_a_second_click_is_told_who_was_first(world: World) -> None:
    batch = world.submit()
    world.approve(batch)
    with pytest.raises(
        BatchError, match=r"it is posted, approved by Frank on .*; only a submitted batch can be approved"
    ):
        world.approve(batch)
    with world.scope():
        assert LedgerTransaction.objects.count() == 1


def test_a_rejection_needs_a_reason_and_opens_the_period_again(world: World) -> None:
    batch = world.submit()
    with world.scope():
        with pytest.raises(BatchError, match="needs a reason"):
            batches.batch_reject(batch=batch, rejected_by=world.users["frank"], reason="  ")
        rejected = batches.batch_reject(batch=batch, rejected_by=world.users["frank"], reason="D-2 was refunded")
    assert (rejected.state, rejected.reason) == ("rejected", "D-2 was refunded")
    assert world.payable() == {"R1": 125_50, "S1": 40_00}
    with world.scope():
        assert january_states() == {"open"}
        assert not LedgerTransaction.objects.exists()
    again = world.submit()
    assert again.digest == batch.digest and again.pk != batch.pk


def test_a_rejected_batch_stays_rejected(world: World) -> None:
    batch = world.submit()
    with world.scope():
        batches.batch_reject(batch=batch, rejected_by=world.users["frank"], reason="no")
    with pytest.raises(BatchError, match="it is rejected by Frank"):
        world.approve(batch)


def test_export_and_payment_come_in_order(world: World) -> None:
    batch = world.submit()
    with world.scope():
        with pytest.raises(BatchError, match="only a posted batch can be exported"):
            batches.batch_export(batch=batch, by=world.users["fiona"])
        with pytest.raises(BatchError, match="only a posted batch can be marked paid"):
            batches.batch_mark_paid(batch=batch, paid_by=world.users["fiona"])
    world.approve(batch)
    with world.scope(), pytest.raises(BatchError, match="never exported"):
        batches.batch_mark_paid(batch=batch, paid_by=world.users["fiona"])
    paid = world.pay(batch)
    assert paid.state == "paid" and paid.paid_by == world.users["fiona"]
    with world.scope():
        assert january_states() == {"paid"}
        sums: dict[str, int] = {}
        for account, minor in LedgerEntry.objects.values_list("account", "amount_minor"):
            sums[account] = sums.get(account, 0) + minor
        assert sums == {"expense": 165_50, "payable": 0, "paid": -165_50}
        assert list(AuditEntry.objects.order_by("number").values_list("code", flat=True)) == [
            "checklist.begin",
            "batch.lock",
            "batch.submit",
            "batch.chain",
            "batch.stage",
            "batch.approve",
            "batch.post",
            "payments.run",
            "batch.export",
            "payments.settled",
            "batch.paid",
        ]


def test_the_payroll_file_adds_up_and_holds_no_formula(world: World) -> None:
    world.person("=X1", '=HYPERLINK("http://evil")')
    world.earn("=X1", "D-9", -12_34, date(2026, 1, 15))
    batch = world.approve(world.submit())
    with world.scope():
        text = batches.batch_export(batch=batch, by=world.users["fiona"])
        assert batches.batch_export(batch=batch, by=world.users["frank"]) == text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["record"], row["amount"]) for row in rows] == [
        ("pay", "125.50"),
        ("pay", "40.00"),
        ("balance", "-12.34"),
        ("file", ""),
        ("total", "165.50"),
    ]
    assert rows[-1]["name"] == "3 people" and rows[-1]["lines"] == "4" and rows[-1]["digest"] == batch.digest
    assert rows[2]["employee"] == "'=X1" and rows[2]["name"].startswith("'=")


def test_a_late_change_is_answered_in_the_open_period(world: World) -> None:
    batch = world.approve(world.submit())
    world.earn("R1", "D-1", 110_00, date(2026, 1, 10))
    assert world.payable() == {"R1": 10_00}
    second = world.submit(FEBRUARY)
    with world.scope():
        (line,) = BatchLine.objects.filter(batch=second)
        assert (line.kind, line.origin_starts_on, line.amount_minor) == ("adjustment", JANUARY, 10_00)
        statement = Statement.objects.get(participant=world.people["R1"], period_starts_on=FEBRUARY)
        assert (statement.released_minor, statement.adjustments_minor) == (0, 10_00)
        assert Batch.objects.get(pk=batch.pk).totals == {"USD": 165_50}
