"""The way of a batch: locked and submitted, approved by somebody else, posted, exported, paid; or rejected, which opens
its period again. How a period is locked, unlocked and closed is in `periods`, how a batch is posted in `posting`.

docs/algorithms/batches.md tells what each step binds.
"""

from __future__ import annotations

from datetime import date

from django.utils import timezone

from comp.people.models import PayGroup
from comp.tenancy.models import User
from payouts.models import Batch
from payouts.reads.digests import batch_digests_of
from payouts.services.approvals import stage_approve, stages_open, stages_void, why_not
from payouts.services.batch_steps import (
    BatchError,
    State,
    audit,
    batch_facts,
    everyone,
    locked,
    must_be,
    nobody_held,
    not_held,
    one_writer,
    period_moves,
    statements_open,
)
from payouts.services.payments import batch_mark_paid
from payouts.services.payroll_files import batch_file
from payouts.services.periods import period_lock
from payouts.services.posting import posting_begin

__all__ = ["BatchError", "batch_mark_paid"]


# ------------------------------------------------------------------ submit


def batch_submit(*, pay_group: PayGroup, starts_on: date, submitted_by: User) -> Batch:
    """Gives a pay group's period to a second person: the one in review, else the open one, which is locked first.

    Refused for any other period, and where the open one cannot be locked (`period_lock`)."""
    with everyone():
        batch = Batch.objects.filter(pay_group=pay_group, starts_on=starts_on, run=0, state=State.IN_REVIEW).first()
        if batch is None:
            batch = period_lock(pay_group=pay_group, starts_on=starts_on, locked_by=submitted_by)
        return review_submit(batch=batch, submitted_by=submitted_by)


def review_submit(*, batch: Batch, submitted_by: User) -> Batch:
    """Gives a batch in review to a second person, as it was locked."""
    with everyone():
        batch = locked(batch)
        must_be(batch, "submitted", State.IN_REVIEW)
        batch.state, batch.submitted_by, batch.submitted_at = State.SUBMITTED, submitted_by, timezone.now()
        batch.save(update_fields=["state", "submitted_by", "submitted_at"])
        audit("batch.submit", batch, after=batch_facts(batch))
        stages_open(batch)
    return batch


# ------------------------------------------------------------------ decide


def approve_check(batch: Batch, approved_by: User, digest: str) -> None:
    """Refuses an approval that this person may not give, of lines that were not shown, or of what is held."""
    must_be(batch, "approved", State.SUBMITTED)
    if refusal := why_not(batch, approved_by):
        raise BatchError(f"{batch}: {refusal}")
    if digest != batch.digest:
        raise BatchError(
            f"{batch}: what you were shown is not what would be approved. Open it again and look once more."
        )
    not_held(batch)
    nobody_held(batch)


def batch_approve(*, batch: Batch, approved_by: User, digest: str) -> Batch:
    """Approves exactly the lines whose digest was shown. The last stage of the chain has them posted: a small batch at
    once, a large one as a job. A second click is told who was first."""
    with everyone():
        batch = locked(batch)
        approve_check(batch, approved_by, digest)
        if batch_digests_of(batch.pk).all != batch.digest:
            raise BatchError(
                f"{batch}: its lines are not those that were submitted. Run `manage.py verify` before anything else."
            )
        if not stage_approve(batch=batch, approved_by=approved_by, digest=digest):
            return batch
        batch.state = State.APPROVED
        batch.decided_by, batch.decided_at, batch.approved_digest = approved_by, timezone.now(), digest
        batch.save(update_fields=["state", "decided_by", "decided_at", "approved_digest"])
        audit("batch.approve", batch, State.SUBMITTED, batch_facts(batch))
        posting_begin(batch=batch)
        batch.refresh_from_db()
    return batch


def batch_reject(*, batch: Batch, rejected_by: User, reason: str) -> Batch:
    """Sends a submitted batch back: its lines count for nothing, its period and statements are open again."""
    reason = reason.strip()
    if not reason:
        raise BatchError(f"{batch}: a rejection needs a reason, so that the person who submitted it knows what to do.")
    with everyone():
        one_writer()
        batch = locked(batch)
        must_be(batch, "rejected", State.SUBMITTED)
        if batch.submitted_by_id == rejected_by.pk:
            raise BatchError(f"{batch}: you submitted it, so somebody else has to decide on it.")
        batch.state, batch.reason = State.REJECTED, reason
        batch.decided_by, batch.decided_at = rejected_by, timezone.now()
        batch.save(update_fields=["state", "reason", "decided_by", "decided_at"])
        statements_open(batch)
        stages_void(batch, reason)
        audit("batch.reject", batch, State.SUBMITTED, batch_facts(batch), reason)
        period_moves(batch, f"{batch.name}: sent back")
    return batch


# ------------------------------------------------------------------ export, pay


def batch_export(*, batch: Batch, by: User) -> str:
    """The payroll file in Comp's own form, CSV: a `pay` row a payment, then what they add up to, with the digests.

    Only of a posted batch, always of its frozen lines, so that every export of a batch says the same.
    """
    return batch_file(batch=batch, provider=None, by=by).body.decode()
