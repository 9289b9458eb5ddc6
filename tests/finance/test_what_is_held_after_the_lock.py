"""A hold that comes after the lock: the batch says so, goes no further with it, and pays nothing that is held."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from comp.tenancy.scope import Pay
from crediting.models import Deal
from payouts.models import ApprovalStage, Batch, Hold, Payment, PayrollFile, PayrollRun, Posting
from payouts.services import payment_voids, payments, payroll_answers, payroll_files, posting
from payouts.services.batch_steps import BatchError
from payouts.services.holds import hold_place, hold_release
from payouts.services.partial import batch_approve_part
from tests.finance.cast import FEBRUARY, World
from tests.finance.test_finance_pages import text


def hold(world: World, **what: Any) -> Hold:
    with world.scope():
        return hold_place(reason="Disputed by the customer.", by=world.users["fiona"], **what)


def release(world: World, held: Hold) -> None:
    with world.scope():
        hold_release(hold=held, by=world.users["frank"], reason="Settled")


def stand(world: World) -> dict[str, str]:
    with world.scope():
        return dict(Payment.objects.order_by("number").values_list("participant__key", "state"))


def test_a_batch_with_somebody_held_since_waits_for_who_approves_it(world: World) -> None:
    frank = world.users["frank"]
    batch = world.submit()
    with world.scope():
        deal = Deal.objects.get(external_id="D-3")
    first = hold(world, deal=deal)
    page = text(world.client("frank").get(world.url(f"payouts/{batch.pk}/")))
    assert "Held since, by Fiona: Disputed by the customer" in page
    with pytest.raises(BatchError, match="pay of Sam .*in it is held since, by Fiona: Disputed by the customer. Leave"):
        world.approve(batch)
    # By statements of one's own: the chain is signed, and yet the batch is not approved.
    now = {"decided_by": frank, "decided_at": timezone.now()}
    says = pytest.raises(IntegrityError, match=f"hold {first.pk} keeps pay of participant")
    with world.scope(), says, transaction.atomic():
        ApprovalStage.objects.update(**now, state="approved", digest=batch.digest)
        Batch.objects.update(**now, state="approved", approved_digest=batch.digest)
    with world.scope():
        made = batch_approve_part(batch=batch, people=[world.people["S1"]], reason="It waits", by=frank)
        assert made.totals == {"USD": 125_50} and Hold.objects.filter(released_at=None).count() == 2
    assert world.approve(made).state == "posted"


def test_what_is_held_since_is_not_posted_until_it_is_released(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "AT_ONCE", 0)
    batch = world.approve(world.submit())
    assert batch.state == "approved"
    for what in ({"participant": world.people["R1"]}, {"batch": batch}):
        held = hold(world, **what)
        assert posting.postings_drain(world.tenant.pk) == 0
        with world.scope():
            waits = Posting.objects.get()
            assert "held" in waits.error and "Error" not in waits.error and waits.due_at > timezone.now()
            Posting.objects.update(due_at=timezone.now())
            with pytest.raises(IntegrityError, match="keeps pay of|is held"), transaction.atomic():
                posting._part(waits, Batch.objects.get())
        release(world, held)
    assert posting.postings_drain(world.tenant.pk) == 2
    with world.scope():
        assert Batch.objects.get().state == "posted"


def test_payroll_gets_nothing_that_is_held(world: World) -> None:
    fiona, frank = world.users["fiona"], world.users["frank"]
    batch = world.approve(world.submit())
    held = hold(world, participant=world.people["R1"])
    with world.scope():
        payroll_files.batch_file(batch=batch, provider=None, by=fiona)
        run = PayrollRun.objects.get()
        assert (run.payments, run.totals) == (1, {"USD": 40_00})
    assert stand(world) == {"R1": "due", "S1": "exported"}
    whole = hold(world, batch=batch)
    for step in (
        lambda: payroll_files.run_file(run=run, provider=None, by=fiona),
        lambda: payroll_files.file_again(kept=PayrollFile.objects.get(), by=fiona),
        lambda: payments.reissues_run(batch=batch, by=fiona),
        lambda: payments.batch_mark_paid(batch=batch, paid_by=frank),
    ):
        with world.scope(), pytest.raises(BatchError, match="it is held by Fiona"), transaction.atomic():
            step()
    release(world, whole)
    # Held since the run was made: its file would ask for it once more.
    since = hold(world, participant=world.people["S1"])
    for step in (
        lambda: payroll_files.batch_file(batch=batch, provider=None, by=fiona),
        lambda: payroll_files.file_again(kept=PayrollFile.objects.get(), by=fiona),
    ):
        with (
            world.scope(),
            pytest.raises(BatchError, match="PAY-000002 of Sam .*is held since it was exported, by"),
        ):
            step()
    release(world, since)
    with world.scope():
        assert payroll_files.file_again(kept=PayrollFile.objects.get(), by=fiona).rows == 1
        assert payments.batch_mark_paid(batch=batch, paid_by=frank).state == "posted"
        with pytest.raises(BatchError, match="but for those of people whose pay is held"), transaction.atomic():
            payments.reissues_run(batch=batch, by=fiona)
        with pytest.raises(IntegrityError, match=f"hold {held.pk} keeps it from payroll"), transaction.atomic():
            Payment.objects.filter(state="due").update(state="exported", run=run)
        with pytest.raises(IntegrityError, match="1 of its payments are open"), transaction.atomic():
            Batch.objects.update(state="paid", paid_by=frank)
    with world.scope(Pay.nobody()), pytest.raises(IntegrityError, match="only who sees all pay"), transaction.atomic():
        Batch.objects.update(state="paid", paid_by=frank)
    # The next month's file leaves it behind as well, until it is released.
    world.earn("S1", "D-FEB", 5_00, date(2026, 2, 12))
    second = world.approve(world.submit(FEBRUARY))
    with world.scope():
        payroll_files.batch_file(batch=second, provider=None, by=fiona)
        assert PayrollRun.objects.get(batch=second).totals == {"USD": 5_00}
    release(world, held)
    with world.scope():
        again = payments.reissues_run(batch=batch, by=fiona)
        body = "employee,amount,currency,status\nR1,125.50,USD,paid\n"
        said = payroll_answers.answer_read(run=again, provider=None, name="a.csv", text=body, rest_paid=False, by=fiona)
        payroll_answers.answer_apply(answer=said, by=fiona)
        assert Batch.objects.get(pk=batch.pk).state == "paid"
        payment = Payment.objects.get(participant__key="S1", batch=second)
        payment_voids.void_ask(payment=payment, reason="Stop it", by=fiona)
        payment_voids.void_confirm(payment=payment, by=frank)
        assert Payment.objects.get(reissue_of=payment).state == "due"
