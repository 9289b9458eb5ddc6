"""What is large is locked, approved, sent to payroll and marked paid by workers: once, whoever asks twice or dies."""

from __future__ import annotations

from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError, IntegrityError, connection, transaction
from psycopg2.extensions import connection as Connection

from comp.audit.models import AuditEntry
from comp.tenancy.models import Membership
from payouts.models import Batch, BatchLine, LargeStep, LedgerTransaction, Payment, PayrollRun
from payouts.selectors_batches import open_of
from payouts.services import batches, large, periods
from payouts.services.batch_steps import BatchError
from payouts.services.payment_voids import payment_again
from payouts.services.payments import reissues_run
from payouts.services.payroll_answers import answer_apply, answer_read
from tests.finance.cast import JANUARY, World, january
from tests.finance.test_finance_pages import confirm, text


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every batch is large, and no worker listens."""
    monkeypatch.setattr(large, "PEOPLE", 0)
    monkeypatch.setattr("comp.outbox.services.bells.is_first", lambda tenant_id, queue: False)


def work(world: World) -> int:
    return large.steps_drain(world.tenant.pk)


def stands(world: World) -> tuple[str, ...]:
    with world.scope():
        return tuple(Batch.objects.order_by("pk").values_list("state", flat=True))


def test_the_way_of_a_large_batch(world: World, small: None) -> None:
    fiona, frank = world.client("fiona"), world.client("frank")
    opened = world.url("payouts/open/sales/")
    said = {"starts_on": JANUARY.isoformat()}
    page = text(fiona.post(opened, said, follow=True))
    assert "Submitting January 2026, Sales takes a while" in page
    assert "Submitting January 2026, Sales: 2 people, 3 lines" in page and stands(world) == ()
    # A second click, and somebody else's.
    assert "is under way, asked for by Fiona at" in text(fiona.post(opened, said, follow=True))
    assert "is under way, asked for by Fiona at" in text(frank.post(opened + "lock/", said, follow=True))
    with world.scope():
        step = LargeStep.objects.get()
    live = world.url(f"payouts/steps/{step.pk}/")
    assert "Submitting January 2026" in text(frank.get(live)) and "HX-Redirect" not in frank.get(live)
    assert work(world) == 1 and work(world) == 0 and stands(world) == ("submitted",)
    with world.scope():
        batch = Batch.objects.get()
        assert batch.submitted_by == world.users["fiona"]
        trail = AuditEntry.objects.filter(code__in=["batch.lock", "batch.submit"])
        assert {(entry.actor_label, entry.user_id) for entry in trail} == {("Fiona", world.users["fiona"].pk)}
    url = world.url(f"payouts/{batch.pk}/")
    assert frank.get(live)["HX-Redirect"] == url

    confirm(frank, world, "frank")
    assert "not what would be approved" in text(frank.post(url + "approve/", {"digest": "0" * 64}, follow=True))
    assert "Approving January 2026, Sales takes a while" in text(
        frank.post(url + "approve/", {"digest": batch.digest}, follow=True)
    )
    # Between the click and the work Frank loses his role: he does not approve.
    with world.scope():
        frank_in = Membership.objects.get(tenant=world.tenant, user=world.users["frank"])
        Membership.objects.filter(pk=frank_in.pk).update(role="sales_ops")
    assert work(world) == 1 and stands(world) == ("submitted",)
    with world.scope():
        Membership.objects.filter(pk=frank_in.pk).update(role="finance")
    shown = text(frank.get(url))
    assert "Approving January 2026, Sales was refused, asked for by Frank" in shown
    assert "Frank may not take this step any more" in shown
    frank.post(url + "approve/", {"digest": batch.digest})
    assert work(world) == 1 and stands(world) == ("posted",)
    assert frank.get(world.url(f"payouts/steps/{step.pk + 2}/"))["HX-Refresh"] == "true"

    assert "Exporting January 2026, Sales takes a while" in text(fiona.post(url + "export/", {"seen": ""}, follow=True))
    assert work(world) == 1
    assert b"PAY-000001" in fiona.post(url + "export/", {"seen": ""}).content
    # Of what is with payroll something is answered between the click and the work: that was not what she meant.
    fiona.post(url + "paid/")
    with world.scope():
        run = PayrollRun.objects.get()
        body = "employee,amount,currency,status,reason\nS1,40.00,USD,rejected,No account\n"
        answer = answer_read(run=run, provider=None, name="a.csv", text=body, rest_paid=False, by=world.users["fiona"])
        answer_apply(answer=answer, by=world.users["fiona"])
    assert work(world) == 1 and stands(world) == ("posted",)
    assert "other payments are with payroll than when you said" in text(frank.get(url))
    with world.scope():
        payment_again(payment=Payment.objects.get(state="rejected"), by=world.users["fiona"])
    fiona.post(url + "paid/")
    assert work(world) == 1 and stands(world) == ("posted",)
    with world.scope():
        rest = reissues_run(batch=batch, by=world.users["fiona"])
        body = "employee,amount,currency,status\nS1,40.00,USD,paid\n"
        answer = answer_read(run=rest, provider=None, name="b.csv", text=body, rest_paid=False, by=world.users["fiona"])
        answer_apply(answer=answer, by=world.users["fiona"])
    assert stands(world) == ("paid",)
    with world.scope():
        assert PayrollRun.objects.count() == 2 and LedgerTransaction.objects.count() == 3
        assert not LargeStep.objects.filter(ended_at=None).exists()
        assert "was refused" not in text(frank.get(url))


def test_a_large_batch_goes_back(world: World, small: None) -> None:
    batch, frank = world.submit(), world.users["frank"]
    with world.scope():
        part = large.Step.PART
        large.step_take(step=part, of=batch, by=frank, people=[world.people["S1"].pk], reason="It waits")
    assert work(world) == 1 and stands(world) == ("voided", "submitted")
    with world.scope():
        made = Batch.objects.get(replaces=batch)
        assert LargeStep.objects.get().made == made
        large.step_take(step=large.Step.REJECT, of=made, by=frank, reason="")
    assert work(world) == 1
    with world.scope():
        assert "a rejection needs a reason" in LargeStep.objects.first().refused
        large.step_take(step=large.Step.REJECT, of=made, by=frank, reason="Wrong")
    assert work(world) == 1 and stands(world) == ("voided", "rejected")


def test_what_breaks_off_is_tried_again_and_then_given_up(
    world: World, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*said: Any, **more: Any) -> Any:
        Batch.objects.exists()
        raise ValueError("no disk")

    with world.scope():
        fiona = world.users["fiona"]
        opened = large_open(world)
        large.step_take(step=large.Step.LOCK, of=opened, by=fiona)
        with pytest.raises(BatchError, match="Locking January 2026, Sales is under way"):
            large.step_take(step=large.Step.SUBMIT, of=opened, by=fiona)
        for change in ({"step": "submit"}, {"said": {}}, {"asked_by": world.users["frank"]}):
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                LargeStep.objects.update(**change)
        with pytest.raises(IntegrityError, match="largestep_one_at_a_time"), transaction.atomic():
            LargeStep.objects.create(
                step="lock", pay_group=world.group, starts_on=JANUARY, name="x", people=1, lines=1, asked_by=fiona
            )
    monkeypatch.setattr(periods, "freeze", broken)
    for attempt in range(1, large.ATTEMPTS + 1):
        with world.scope():
            LargeStep.objects.update(due_at=world.tenant.created_at)
        assert work(world) == 0 and stands(world) == ()
        with world.scope():
            step = LargeStep.objects.get()
            assert (step.attempts, step.error) == (attempt, "ValueError: no disk")
    assert step.refused == "It could not be done. ValueError: no disk" and work(world) == 0
    page = text(world.client("fiona").get(world.url("payouts/open/sales/")))
    assert "Locking January 2026, Sales was refused" in page and "no disk" in page


def test_what_no_worker_gets_through_is_given_up_and_what_waits_is_taken_back(
    world: World, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fiona = world.users["fiona"]

    def ask() -> LargeStep:
        with world.scope():
            step = large.step_take(step=large.Step.LOCK, of=large_open(world), by=fiona)
            assert isinstance(step, LargeStep)
            return step

    def outlasting(*said: Any, **more: Any) -> Any:
        Batch.objects.exists()
        raise SoftTimeLimitExceeded

    asked = ask()
    client, back = world.client("fiona"), world.url(f"payouts/steps/{asked.pk}/back/")
    assert "Take it back" in text(client.get(world.url("payouts/open/sales/")))
    assert "only who may take this step" in text(world.client("lena").post(back, follow=True))
    assert "Locking January 2026, Sales is taken back" in text(client.post(back, follow=True))
    assert "it is done, or a worker is at it" in text(client.post(back, follow=True)) and work(world) == 0

    asked = ask()
    with monkeypatch.context() as patch:
        patch.setattr(periods, "freeze", outlasting)
        for attempt in range(1, large.ATTEMPTS + 1):
            with world.scope():
                LargeStep.objects.filter(pk=asked.pk).update(due_at=world.tenant.created_at)
            with pytest.raises(SoftTimeLimitExceeded):
                work(world)
            with world.scope():
                step = LargeStep.objects.get(pk=asked.pk)
                assert (step.attempts, step.error) == (attempt, "SoftTimeLimitExceeded: SoftTimeLimitExceeded()")
                assert step.due_at > world.tenant.created_at
    assert step.refused.startswith("It could not be done. SoftTimeLimitExceeded") and stands(world) == ()

    # Killed at the hard limit nothing is written down any more but that it was tried.
    asked = ask()
    with world.scope():
        LargeStep.objects.filter(pk=asked.pk).update(attempts=large.ATTEMPTS)
    assert work(world) == 0 and stands(world) == ()
    with world.scope():
        assert LargeStep.objects.get(pk=asked.pk).refused.endswith("The workers that took it were stopped.")
    ask()
    assert work(world) == 1 and stands(world) == ("in_review",)


def large_open(world: World) -> Any:
    return open_of(world.group)


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_leaves_the_step_to_the_next(
    small: None, monkeypatch: pytest.MonkeyPatch, superuser_connection: Connection
) -> None:
    world = january()
    with world.scope():
        large.step_take(step=large.Step.SUBMIT, of=large_open(world), by=world.users["fiona"])
    real = batches.review_submit

    def killed(**said: Any) -> Any:
        real(**said)
        pid = connection.connection.info.backend_pid
        with superuser_connection.cursor() as admin:  # locked and submitted, and gone before the commit
            admin.execute("SELECT pg_terminate_backend(%s)", [pid])
        Batch.objects.exists()

    with monkeypatch.context() as patch, pytest.raises(DatabaseError):
        patch.setattr(batches, "review_submit", killed)
        work(world)
    connection.close()
    assert stands(world) == ()
    with world.scope():
        LargeStep.objects.update(due_at=world.tenant.created_at)
    assert work(world) == 1 and work(world) == 0 and stands(world) == ("submitted",)
    with world.scope():
        assert BatchLine.objects.count() == 3
