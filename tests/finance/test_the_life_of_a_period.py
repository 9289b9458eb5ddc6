"""Locked, submitted, approved, posted, paid and closed; opened again by two people; paid in between for some."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from io import BytesIO
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from psycopg2.extensions import connection as Connection

from comp.audit.models import AuditEntry
from comp.tenancy.models import User
from comp.tenancy.scope import Pay
from payouts import verify
from payouts.models import (
    Batch,
    BatchCheck,
    BatchLine,
    BatchPerson,
    ChecklistItem,
    Hold,
    LedgerTransaction,
    Posting,
    Statement,
)
from payouts.services import batches, checklists, periods, posting
from payouts.services.batches import BatchError
from payouts.services.partial import batch_approve_part
from tests.finance.cast import FEBRUARY, JANUARY, World, january

CHECKS = (verify.audit_chain, verify.ledger_chain, verify.ledger_balance, verify.batch_digests, verify.identity)


def lock(world: World, by: str = "fiona") -> Batch:
    with world.scope():
        return periods.period_lock(pay_group=world.group, starts_on=JANUARY, locked_by=world.users[by])


def holds(world: World) -> None:
    """Everything that `verify` looks at of batches, the ledger and balances holds."""
    with world.scope():
        assert [problem for check in CHECKS for problem in check().wrong] == []


def refused(world: World, says: str, step: Callable[[], Any]) -> None:
    with world.scope(), pytest.raises(BatchError, match=says):
        step()


def test_a_period_lives_from_its_lock_to_its_close(world: World) -> None:
    batch, users = lock(world), world.users
    assert (batch.state, batch.submitted_by, batch.locked_by) == ("in_review", None, users["fiona"])
    world.earn("R1", "D-1", 110_00, date(2026, 1, 10))
    assert world.payable() == {"R1": 10_00}  # what comes after the lock waits as the next period's adjustment
    submitted = world.submit(by="ada")
    assert submitted.pk == batch.pk and submitted.digest == batch.digest and submitted.lines == 3
    refused(world, "only a batch in review can be submitted",
            lambda: batches.review_submit(batch=batch, submitted_by=users["ada"]))  # fmt: skip
    refused(world, "it is submitted", lambda: periods.period_close(batch=batch, closed_by=users["fiona"]))
    posted = world.approve(submitted)
    assert posted.state == "posted" and posted.posted_at and posted.approved_digest == batch.digest
    world.pay(posted)
    with world.scope():
        mine = list(BatchCheck.objects.filter(batch=batch).order_by("place"))
        assert [check.due_on for check in mine[:2]] == [date(2026, 2, 2), date(2026, 2, 3)]
    refused(world, "6 of its checklist are open. Next: Questions about data",
            lambda: periods.period_close(batch=batch, closed_by=users["fiona"]))  # fmt: skip
    with world.scope(), pytest.raises(DatabaseError, match="its checklist is not done"), transaction.atomic():
        Batch.objects.update(state="closed", closed_by=users["fiona"], closed_at=batch.locked_at)
    with world.scope():
        for check in mine:
            who = users["ops" if check.owner_role == "sales_ops" else "frank"]
            proof = BytesIO(b"%PDF") if check.needs_evidence else None
            checklists.check_do(check=check, done_by=who, note="", file=proof, file_name="../of/proof.pdf")
        assert set(BatchCheck.objects.filter(needs_evidence=True).values_list("file_name", "file_size")) == {
            ("proof.pdf", 4)
        }
        closed = periods.period_close(batch=batch, closed_by=users["fiona"])
        assert closed.state == "closed"
        with pytest.raises(BatchError, match="its checklist stays"):
            checklists.check_undo(check=mine[0], undone_by=users["ops"])
        with pytest.raises(DatabaseError, match="its checklist stays"), transaction.atomic():
            BatchCheck.objects.update(note="something else")
        with pytest.raises(DatabaseError, match="stays as it is"), transaction.atomic():
            Batch.objects.update(ledger_head="")
        codes = list(AuditEntry.objects.filter(code__startswith="batch.").values_list("code", flat=True))
        assert [code for code in codes if not code.startswith("batch.c")] == [
            "batch.lock", "batch.submit", "batch.stage", "batch.approve", "batch.post", "batch.export", "batch.paid",
        ]  # fmt: skip
    holds(world)


def test_two_people_open_a_period_again(world: World) -> None:
    batch, users = world.submit(), world.users
    refused(world, "needs a reason",
            lambda: periods.period_unlock_ask(batch=batch, asked_by=users["fiona"], reason=" "))  # fmt: skip
    refused(world, "nobody asks", lambda: periods.period_unlock_confirm(batch=batch, confirmed_by=users["frank"]))
    with world.scope():
        periods.period_unlock_ask(batch=batch, asked_by=users["fiona"], reason="D-2 is wrong")
    refused(world, "somebody else has to confirm",
            lambda: periods.period_unlock_confirm(batch=batch, confirmed_by=users["fiona"]))  # fmt: skip
    with world.scope(), pytest.raises(DatabaseError, match="batch_void_two_people"), transaction.atomic():
        Batch.objects.update(state="voided", voided_by=users["fiona"], voided_at=batch.locked_at)
    with world.scope():
        voided = periods.period_unlock_confirm(batch=batch, confirmed_by=users["frank"])
        assert (voided.state, voided.void_reason) == ("voided", "D-2 is wrong")
        assert set(Statement.objects.values_list("state", flat=True)) == {"open"}
    assert world.payable() == {"R1": 125_50, "S1": 40_00}
    again = world.approve(world.submit())
    assert again.digest == batch.digest and again.pk != batch.pk
    refused(world, "until it is posted",
            lambda: periods.period_unlock_ask(batch=again, asked_by=users["fiona"], reason="late"))  # fmt: skip
    holds(world)


def test_a_question_can_be_dropped(world: World) -> None:
    batch, users = lock(world), world.users
    with world.scope():
        periods.period_unlock_ask(batch=batch, asked_by=users["fiona"], reason="Is it complete?")
        periods.period_unlock_drop(batch=batch, dropped_by=users["frank"])
    assert world.approve(world.submit()).state == "posted"


def test_some_are_paid_in_between(world: World) -> None:
    rita, users = world.people["R1"], world.users
    with world.scope():
        early = periods.off_cycle_lock(pay_group=world.group, people=[rita], locked_by=users["fiona"])
        assert (early.name, early.run, early.totals) == ("January 2026, Sales, off-cycle 1", 1, {"USD": 125_50})
        early = batches.review_submit(batch=early, submitted_by=users["fiona"])
    assert world.payable() == {"S1": 40_00}
    refused(world, "nothing is free to be paid now to Rita Rep",
            lambda: periods.off_cycle_lock(pay_group=world.group, people=[rita], locked_by=users["fiona"]))  # fmt: skip
    world.earn("R1", "D-9", 30_00, date(2026, 1, 25))
    early = world.approve(early)
    assert early.state == "posted"
    regular = world.approve(world.submit())
    assert (regular.run, regular.totals, regular.people) == (0, {"USD": 70_00}, 2)
    with world.scope():
        stated = Statement.objects.filter(participant=rita, period_starts_on=JANUARY).order_by("run")
        assert list(stated.values_list("run", "payout_minor", "state")) == [
            (0, 30_00, "approved"),
            (1, 125_50, "approved"),
        ]
        assert not BatchCheck.objects.filter(batch=early).exists()
    holds(world)
    with world.scope():
        second = periods.off_cycle_lock  # of the next period now, with a number of its own
    world.earn("S1", "D-8", 9_00, date(2026, 2, 2))
    with world.scope():
        mistaken = second(pay_group=world.group, people=[world.people["S1"]], locked_by=users["fiona"])
        assert (mistaken.starts_on, mistaken.run) == (FEBRUARY, 1)
        periods.period_unlock_ask(batch=mistaken, asked_by=users["fiona"], reason="Not Sam")
        periods.period_unlock_confirm(batch=mistaken, confirmed_by=users["frank"])
        assert not Statement.objects.filter(run=1, period_starts_on=FEBRUARY).exists()
    assert world.payable() == {"S1": 9_00}
    holds(world)


def test_the_checklist_is_each_companys_own(world: World) -> None:
    users = world.users
    with world.scope():
        checklists.checklist_begin()
        first = ChecklistItem.objects.first()
        assert first is not None
        checklists.item_end(item=first)
        checklists.item_add(title="Sign off", owner_role="", owner=users["lena"], due_days=1)
        with pytest.raises(BatchError, match="either a role's or one person's"):
            checklists.item_add(title="Nobody's", owner_role="", owner=None, due_days=1)
    batch = lock(world)
    with world.scope():
        assert BatchCheck.objects.filter(batch=batch).count() == 6
        check = BatchCheck.objects.get(title="Sign off")
        needs = BatchCheck.objects.filter(needs_evidence=True).first()
        assert needs is not None
        with pytest.raises(BatchError, match="this is for Lena to do"):
            checklists.check_do(check=check, done_by=users["frank"])
        with pytest.raises(BatchError, match="needs evidence"):
            checklists.check_do(check=needs, done_by=users["frank"], note=" ")
        with pytest.raises(BatchError, match="larger than 10 MB"):
            large = BytesIO(b"x" * (checklists.EVIDENCE_BYTES + 1))
            checklists.check_do(check=needs, done_by=users["frank"], file=large, file_name="all.zip")
        checklists.check_do(check=check, done_by=users["lena"], note="Agreed")
        checklists.check_undo(check=check, undone_by=users["lena"])
        assert BatchCheck.objects.get(pk=check.pk).note == ""
        told = AuditEntry.objects.get(code="batch.check_undo").after
        assert told["note"] == "Agreed"


def test_some_are_left_out_and_wait(world: World) -> None:
    batch, users, sam = world.submit(), world.users, world.people["S1"]

    def leave(by: str, *people: Any, reason: str = "Is D-3 signed?") -> Batch:
        with world.scope():
            return batch_approve_part(batch=batch, people=people, reason=reason, by=users[by])

    for by, people, reason, says in (
        ("frank", [sam], " ", "Give a reason"),
        ("fiona", [sam], "x", "[Yy]ou submitted"),
        ("frank", [], "x", "some of its people, and not all"),
        ("frank", [sam, world.people["R1"]], "x", "some of its people, and not all"),
    ):
        with pytest.raises(BatchError, match=says):
            leave(by, *people, reason=reason)
    rest = leave("frank", sam)
    assert (rest.state, rest.totals, rest.replaces_id) == ("submitted", {"USD": 125_50}, batch.pk)
    assert rest.submitted_by == users["fiona"] and rest.digest != batch.digest
    with world.scope():
        before = Batch.objects.get(pk=batch.pk)
        assert (before.state, before.voided_by) == ("voided", users["frank"])
        assert before.void_reason == "1 of its people wait: Is D-3 signed?"
        assert Hold.objects.get().reason == "Is D-3 signed?"
    assert world.approve(rest).state == "posted"
    assert world.payable() == {"S1": 40_00}  # held, in the period that is open now
    assert world.submit(FEBRUARY).lines == 0
    holds(world)


# ------------------------------------------------------------------ posting as a job


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is large: each person is a part."""
    monkeypatch.setattr(posting, "AT_ONCE", 0)
    monkeypatch.setattr(periods, "PART_LINES", 1)
    monkeypatch.setattr("comp.outbox.services.bells.is_first", lambda tenant_id, queue: False)


def approving(world: World) -> Batch:
    batch = world.approve(world.submit())
    assert batch.state == "approved"
    with world.scope():
        assert list(BatchPerson.objects.order_by("part").values_list("part", "lines")) == [(0, 2), (2, 1)]
        assert Posting.objects.get().parts == 3  # nobody has the second: the first person fills two
    return batch


def posted_once(world: World, batch: Batch) -> None:
    with world.scope():
        assert Batch.objects.get(pk=batch.pk).state == "posted"
        assert sorted(LedgerTransaction.objects.values_list("part", flat=True)) == [0, 1, 2]
        assert set(Statement.objects.filter(period_starts_on=JANUARY).values_list("state", flat=True)) == {"approved"}
        assert AuditEntry.objects.filter(code="batch.post").count() == 1
    holds(world)


@pytest.mark.django_db(transaction=True)
def test_a_posting_goes_on_after_a_crash_in_the_middle(
    parts: None, monkeypatch: pytest.MonkeyPatch, superuser_connection: Connection
) -> None:
    world = january()
    batch = approving(world)
    assert posting.postings_drain(world.tenant.pk)
    with world.scope():
        assert Posting.objects.get().done == 1 and Batch.objects.get().state == "approved"
    real = posting.ledger.post_part

    def killed(**said: Any) -> Any:
        real(**said)
        pid = connection.connection.info.backend_pid
        with superuser_connection.cursor() as admin:  # the worker and its connection are gone with the part half done
            admin.execute("SELECT pg_terminate_backend(%s)", [pid])
        Batch.objects.exists()

    with monkeypatch.context() as patch, pytest.raises(DatabaseError):
        patch.setattr(posting.ledger, "post_part", killed)
        posting.postings_drain(world.tenant.pk)
    connection.close()
    with world.scope():
        assert Posting.objects.get().done == 1 and LedgerTransaction.objects.count() == 1
    while posting.postings_drain(world.tenant.pk):
        pass
    posted_once(world, batch)


@pytest.mark.django_db
def test_what_cannot_be_posted_says_why_and_is_tried_again(
    world: World, parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = approving(world)

    def broken(**said: Any) -> Any:
        raise ValueError("no account")

    with monkeypatch.context() as patch:
        patch.setattr(posting.ledger, "post_part", broken)
        assert posting.postings_drain(world.tenant.pk) == 0
    with world.scope():
        waits = Posting.objects.get()
        assert (waits.attempts, waits.error) == (1, "ValueError: no account")
        Posting.objects.update(due_at=waits.created_at)
        page = world.client("fiona").get(world.url(f"payouts/{batch.pk}/")).content.decode()
        assert "ValueError: no account" in page and "Posting January 2026, Sales, part 1 of 3" in page
    while posting.postings_drain(world.tenant.pk):
        pass
    posted_once(world, batch)
    answer = world.client("fiona").get(world.url(f"payouts/{batch.pk}/posting/?v=1"))
    assert answer["HX-Refresh"] == "true"


def test_a_batch_is_opened_again_until_its_posting_begins(world: World, parts: None) -> None:
    batch, users = approving(world), world.users
    with world.scope():
        periods.period_unlock_ask(batch=batch, asked_by=users["fiona"], reason="Too soon")
        posting.postings_drain(world.tenant.pk)
        with pytest.raises(DatabaseError, match="does not owe participant"), transaction.atomic():
            Batch.objects.update(state="posted", posted_at=batch.locked_at)
        with pytest.raises(BatchError, match="its posting has begun"):
            periods.period_unlock_confirm(batch=batch, confirmed_by=users["frank"])
        with pytest.raises(DatabaseError, match="its posting has begun"), transaction.atomic():
            Batch.objects.update(state="voided", voided_by=users["frank"], voided_at=batch.locked_at)


def test_a_batch_that_waits_for_its_posting_is_opened_again(world: World, parts: None) -> None:
    batch, users = approving(world), world.users
    with world.scope():
        periods.period_unlock_ask(batch=batch, asked_by=users["fiona"], reason="Too soon")
        periods.period_unlock_confirm(batch=batch, confirmed_by=users["frank"])
        assert posting.postings_drain(world.tenant.pk) == 0 and not LedgerTransaction.objects.exists()
    holds(world)


def test_nobody_posts_by_hand(world: World) -> None:
    batch = world.submit()
    with world.scope(Pay.everyone()):
        frank = User.objects.get(pk=world.users["frank"].pk)
        with pytest.raises(DatabaseError, match="cannot go from submitted to posted"), transaction.atomic():
            Batch.objects.update(state="posted", decided_by=frank, approved_digest=batch.digest)
        with pytest.raises(DatabaseError, match="begins in review"), transaction.atomic():
            Batch.objects.create(
                pay_group=world.group, starts_on=FEBRUARY, ends_on=date(2026, 3, 1), name="x", pay_on=FEBRUARY,
                people=0, lines=0, totals={}, digest="d", state="posted", submitted_by=frank,
                submitted_at=batch.locked_at,
                decided_by=world.users["fiona"], approved_digest="d",
            )  # fmt: skip
        assert BatchLine.objects.count() == 3
