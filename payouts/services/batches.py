"""The way of a batch: locked and submitted, approved by somebody else, posted, exported, paid; or rejected, which opens
its period again. How a period is locked, unlocked and closed is in `periods`, how a batch is posted in `posting`.

docs/algorithms/batches.md tells what each step binds.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.db.models import Count, Sum
from django.utils import timezone

from comp.core.money import plain_money
from comp.people.models import PayGroup
from comp.tenancy.models import User
from comp.web.csv import csv_text
from payouts.models import Batch, LedgerTransaction, Statement
from payouts.reads.digests import batch_digests_of
from payouts.selectors_batches import line_facts, person_digests
from payouts.services import ledger
from payouts.services.approvals import stage_approve, stages_open, stages_void, why_not
from payouts.services.batch_steps import (
    BatchError,
    State,
    audit,
    batch_facts,
    everyone,
    lines_of,
    locked,
    must_be,
    one_writer,
    period_moves,
    statements_of,
    statements_open,
)
from payouts.services.holds import batch_hold
from payouts.services.periods import period_lock
from payouts.services.posting import posting_begin

__all__ = ["BatchError"]


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


def batch_approve(*, batch: Batch, approved_by: User, digest: str) -> Batch:
    """Approves exactly the lines whose digest was shown. The last stage of the chain has them posted: a small batch at
    once, a large one as a job. A second click is told who was first."""
    with everyone():
        batch = locked(batch)
        must_be(batch, "approved", State.SUBMITTED)
        if refusal := why_not(batch, approved_by):
            raise BatchError(f"{batch}: {refusal}")
        if digest != batch.digest:
            raise BatchError(
                f"{batch}: what you were shown is not what would be approved. Open it again and look once more."
            )
        if batch_digests_of(batch.pk).all != batch.digest:
            raise BatchError(
                f"{batch}: its lines are not those that were submitted. Run `manage.py verify` before anything else."
            )
        _not_held(batch)
        if not stage_approve(batch=batch, approved_by=approved_by, digest=digest):
            return batch
        batch.state = State.APPROVED
        batch.decided_by, batch.decided_at, batch.approved_digest = approved_by, timezone.now(), digest
        batch.save(update_fields=["state", "decided_by", "decided_at", "approved_digest"])
        audit("batch.approve", batch, State.SUBMITTED, batch_facts(batch))
        posting_begin(batch=batch, kind=LedgerTransaction.Kind.APPROVAL)
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
    """The payroll file, CSV: a `pay` row a person and currency, then a `total` row a currency with the digest.

    Only of a posted or paid batch, always of its frozen lines, so that every export of a batch says the same.
    """
    with everyone():
        batch = locked(batch)
        must_be(batch, "exported", State.POSTED, State.PAID, State.CLOSED)
        _not_held(batch)
        text = _payroll(batch)
        if batch.exported_at is None:
            batch.exported_at = timezone.now()
            batch.save(update_fields=["exported_at"])
        audit("batch.export", batch, after={**batch_facts(batch), "by": str(by)})
    return text


def batch_mark_paid(*, batch: Batch, paid_by: User) -> Batch:
    """Records that payroll paid the exported file, and posts it."""
    with everyone():
        batch = locked(batch)
        must_be(batch, "marked paid", State.POSTED)
        if batch.exported_at is None:
            raise BatchError(f"{batch}: payroll cannot have paid what was never exported. Export it first.")
        batch.state = State.PAID
        batch.paid_by, batch.paid_at = paid_by, timezone.now()
        batch.save(update_fields=["state", "paid_by", "paid_at"])
        statements_of(batch).update(state=Statement.State.PAID)
        posting = ledger.post_part(batch=batch, kind=LedgerTransaction.Kind.PAYMENT, part=0, people=None)
        batch.ledger_head = posting.digest
        batch.save(update_fields=["ledger_head"])
        audit("batch.paid", batch, State.POSTED, {**batch_facts(batch), "ledger": posting.digest})
    return batch


_PAYROLL = ("record", "employee", "name", "period", "pay_on", "currency", "amount", "lines", "digest")


def _payroll(batch: Batch) -> str:
    own = person_digests(line_facts(lines_of(batch)))
    rows = (
        lines_of(batch)
        .values("participant__key", "participant__name", "currency")
        .annotate(minor=Sum("amount_minor"), count=Count("id"))
        .order_by("participant__key", "currency")
    )
    period = batch.starts_on.isoformat()
    pay = [
        (
            "pay",
            row["participant__key"],
            row["participant__name"],
            period,
            batch.pay_on,
            row["currency"],
            _amount(row["minor"], row["currency"]),
            row["count"],
            own[row["participant__key"]],
        )
        for row in rows
    ]
    total = [
        (
            "total",
            "",
            f"{batch.people} people",
            period,
            batch.pay_on,
            currency,
            _amount(minor, currency),
            batch.lines,
            batch.digest,
        )
        for currency, minor in sorted(batch.totals.items())
    ]
    return csv_text(_PAYROLL, [*pay, *total])


def _not_held(batch: Batch) -> None:
    """Nothing goes further of a batch that is held as a whole."""
    if hold := batch_hold(batch):
        raise BatchError(f"{batch}: it is held by {hold.placed_by}: {hold.reason} Release the hold first.")


def _amount(minor: int, currency: str) -> Decimal:
    return Decimal(plain_money(int(minor), currency))
