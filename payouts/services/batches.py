"""The way of a batch: submitted, approved by somebody else, exported, paid; or rejected, which opens its period again.

docs/algorithms/batches.md tells what each step binds.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, QuerySet, Sum
from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import CompError
from comp.core.money import plain_money
from comp.outbox.selectors import messages_parked, messages_waiting
from comp.outbox.services import ring
from comp.people.models import Participant, PayGroup
from comp.people.selectors import today
from comp.tenancy.models import User
from comp.tenancy.scope import Pay, current_scope, current_tenant_id, tenant_scope
from comp.web.csv import csv_text
from crediting.services.locks import INTAKE
from payouts.frames.tables import CREDITS, LINE
from payouts.models import Batch, BatchLine, Cause, LedgerTransaction, Payable, Statement
from payouts.reads.alerts import alerts_standing
from payouts.selectors_batches import (
    line_facts,
    lines_digest,
    open_of,
    person_digests,
    scopes_failed,
    scopes_pending,
    totals,
)
from payouts.services import ledger
from payouts.services.claims import figures_lock, lock
from payouts.services.held import held_note
from payouts.services.holds import batch_hold
from payouts.services.outside import batch_told
from payouts.services.payables import payables_refresh
from payouts.services.sampling import alerts_recheck

State = Batch.State
#: How long a submission waits for work that is on its way.
SETTLE_SECONDS = 3.0


class BatchError(CompError):
    """A batch may not take this step; the message says why and what is allowed."""


def _of(table: str, columns: Sequence[str]) -> str:
    """SQL: these columns of a table."""
    return ", ".join(f"{table}.{column}" for column in columns)


#: Payables become lines in one statement, with what each stands on now; nulls where a deal was lost and earns nothing,
#: and for what is no credit.
_TAKE = f"""
INSERT INTO payouts_batchline (
    tenant_id, batch_id, statement_id, {", ".join(LINE)}, "index", part, deal_id, pay_group_id, period_starts_on,
    origin_starts_on, kind, plan_version_id, credit_date, amount_minor, currency, cause_id, trace)
SELECT
    p.tenant_id, %(batch)s, s.id, {_of("p", LINE)}, p."index", p.part, p.deal_id, p.pay_group_id, p.period_starts_on,
    p.origin_starts_on, p.kind, p.plan_version_id, p.credit_date, p.amount_minor, p.currency, p.cause_id,
    jsonb_build_object(
        'credit_minor', e.credit_minor, 'position', e.position, 'before_minor', e.before_minor,
        'after_minor', e.after_minor, 'quota_minor', e.quota_minor, 'tier_before', e.tier_before,
        'tier_after', e.tier_after, 'band', e.band, 'earned_minor', e.earned_minor,
        'posted_minor', p.posted_minor, 'plan_version', v.digest, 'deal_revision', c.revision)
FROM payouts_payable p
JOIN payouts_statement s ON s.tenant_id = p.tenant_id
    AND (s.participant_id, s.period_starts_on) = (p.participant_id, p.period_starts_on)
JOIN plans_planversion v ON v.tenant_id = p.tenant_id AND v.id = p.plan_version_id
LEFT JOIN payouts_earning e ON e.tenant_id = p.tenant_id AND ({_of("e", LINE)}) = ({_of("p", LINE)})
LEFT JOIN crediting_credit c ON c.tenant_id = p.tenant_id AND p.line_kind = 0
    AND ({_of("c", CREDITS.key)}) = ({_of("p", CREDITS.key)})
WHERE p.pay_group_id = %(pay_group)s AND p.period_starts_on = %(starts_on)s AND p.hold_id IS NULL
"""


# ------------------------------------------------------------------ submit


def batch_submit(*, pay_group: PayGroup, starts_on: date, submitted_by: User) -> Batch:
    """Freezes what the pay group's open period owes as a batch that waits for another person; the open period moves on.

    Refused for any other period, while news or recomputations of the group's people wait, and while an alert about them
    stands: the batch is what was known at its submission. An empty batch is allowed: it closes a period in which
    nothing is owed.
    """
    with _everyone():
        _no_facts_meanwhile()
        _settled(pay_group)
        _one_writer()
        period = open_of(pay_group)
        if starts_on != period.starts_on:
            raise BatchError(
                f"{pay_group}: the period from {starts_on} cannot be submitted; "
                f"its open period is {period.name}, from {period.starts_on}."
            )
        if stale := _not_settled(pay_group):
            raise BatchError(f"{pay_group}, {period.name}: {stale}")
        if wrong := alerts_recheck(alerts_standing(pay_group)):
            raise BatchError(
                f"{pay_group}, {period.name}: figures are not what a recomputation gives. {wrong[0]}. "
                "Sales Ops can have everything worked out anew (Recomputations)."
            )
        facts = line_facts(period.lines)
        last_day = period.ends_on - timedelta(days=1)
        batch = Batch.objects.create(
            pay_group=pay_group,
            starts_on=period.starts_on,
            ends_on=period.ends_on,
            name=f"{period.name}, {pay_group.name}",
            pay_on=max(last_day, today()),
            people=period.lines.values("participant_id").distinct().count(),
            lines=len(facts),
            totals=totals(period.lines),
            digest=lines_digest(facts),
            submitted_by=submitted_by,
        )
        _take(batch, len(facts))
        held_note(batch)
        _statements_freeze(batch, person_digests(facts))
        _audit("batch.submit", batch, after=_facts(batch))
        _period_moves(batch, f"{batch.name}: submitted")
    return batch


def _no_facts_meanwhile() -> None:
    """No drain records facts until the batch stands: whatever is recorded before its moment is in its figures."""
    if not lock(INTAKE, tenant_id=current_tenant_id(), wait_ms=20_000):
        raise BatchError("Deliveries are being taken in and figures may move. Try again in a minute.")


def _settled(pay_group: PayGroup) -> None:
    """Gives the workers a moment to finish what was recorded before: where facts come all day, something is always on
    its way. Whoever still waits then is refused."""
    until = time.monotonic() + SETTLE_SECONDS
    while _not_settled(pay_group) and time.monotonic() < until and not scopes_failed(pay_group):
        time.sleep(0.1)


def _not_settled(pay_group: PayGroup) -> str:
    """Why the group's figures are not those of today, or nothing."""
    if failed := scopes_failed(pay_group):
        return f"figures cannot be recomputed. {failed[0]}"
    if stuck := messages_parked():
        return f"news has not reached the figures. {stuck[0]}"
    waiting = scopes_pending(pay_group) or messages_waiting()
    if not waiting:
        return ""
    count = "1 recomputation has" if waiting == 1 else f"{waiting} recomputations have"
    return f"{count} not finished, so its figures are not today's. Try again shortly."


def _take(batch: Batch, expected: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE, {"batch": batch.pk, "pay_group": batch.pay_group_id, "starts_on": batch.starts_on.isoformat()}
        )
        taken = cursor.rowcount
    if taken != expected or lines_digest(line_facts(_lines(batch))) != batch.digest:
        raise BatchError(
            f"{batch}: took {taken} lines where {expected} are payable. A statement or a plan version is missing; "
            "recompute the period's people."
        )


def _statements_freeze(batch: Batch, digests: dict[str, str]) -> None:
    """The period's statements become snapshots of the lines taken."""
    rows = _lines(batch).values("participant_id", "kind").annotate(minor=Sum("amount_minor"), count=Count("id"))
    sums = {(row["participant_id"], row["kind"]): (int(row["minor"]), row["count"]) for row in rows}
    statements = list(_statements(batch).select_related("participant"))
    for statement in statements:
        released, releases = sums.get((statement.participant_id, Payable.Kind.RELEASE), (0, 0))
        adjusted, adjustments = sums.get((statement.participant_id, Payable.Kind.ADJUSTMENT), (0, 0))
        by_hand, count = sums.get((statement.participant_id, Payable.Kind.MANUAL), (0, 0))
        adjusted, adjustments = adjusted + by_hand, adjustments + count
        statement.state = Statement.State.IN_BATCH
        statement.released_minor, statement.adjustments_minor = released, adjusted
        statement.payout_minor, statement.lines = released + adjusted, releases + adjustments
        statement.digest = digests.get(statement.participant.key, lines_digest([]))
    fields = ["state", "released_minor", "adjustments_minor", "payout_minor", "lines", "digest"]
    Statement.objects.bulk_update(statements, fields, batch_size=1000)


# ------------------------------------------------------------------ decide


def batch_approve(*, batch: Batch, approved_by: User, digest: str) -> Batch:
    """Approves exactly the lines whose digest was shown, and posts them. A second click is told who was first."""
    with _everyone():
        batch = _lock(batch)
        _must_be(batch, State.SUBMITTED, "approved")
        if batch.submitted_by_id == approved_by.pk:
            raise BatchError(f"{batch}: you submitted it, so somebody else has to approve it.")
        if _lines(batch).filter(participant__user_id=approved_by.pk).exists():
            raise BatchError(f"{batch}: your own pay is in it, so somebody else has to approve it.")
        if digest != batch.digest:
            raise BatchError(
                f"{batch}: what you were shown is not what would be approved. Open it again and look once more."
            )
        if lines_digest(line_facts(_lines(batch))) != batch.digest:
            raise BatchError(
                f"{batch}: its lines are not those that were submitted. Run `manage.py verify` before anything else."
            )
        _not_held(batch)
        batch.state = State.APPROVED
        batch.decided_by, batch.decided_at, batch.approved_digest = approved_by, timezone.now(), digest
        batch.save(update_fields=["state", "decided_by", "decided_at", "approved_digest"])
        _statements(batch).update(state=Statement.State.APPROVED)
        posting = _post(batch, LedgerTransaction.Kind.APPROVAL)
        _audit("batch.approve", batch, State.SUBMITTED, {**_facts(batch), **posting})
        batch_told(batch)
    return batch


def batch_reject(*, batch: Batch, rejected_by: User, reason: str) -> Batch:
    """Sends a submitted batch back: its lines count for nothing, its period and statements are open again."""
    reason = reason.strip()
    if not reason:
        raise BatchError(f"{batch}: a rejection needs a reason, so that the person who submitted it knows what to do.")
    with _everyone():
        _one_writer()
        batch = _lock(batch)
        _must_be(batch, State.SUBMITTED, "rejected")
        if batch.submitted_by_id == rejected_by.pk:
            raise BatchError(f"{batch}: you submitted it, so somebody else has to decide on it.")
        batch.state, batch.reason = State.REJECTED, reason
        batch.decided_by, batch.decided_at = rejected_by, timezone.now()
        batch.save(update_fields=["state", "reason", "decided_by", "decided_at"])
        _statements(batch).update(state=Statement.State.OPEN)
        _audit("batch.reject", batch, State.SUBMITTED, _facts(batch), reason)
        _period_moves(batch, f"{batch.name}: sent back")
    return batch


# ------------------------------------------------------------------ export, pay


def batch_export(*, batch: Batch, by: User) -> str:
    """The payroll file, CSV: a `pay` row a person and currency, then a `total` row a currency with the digest.

    Only of an approved or paid batch, always of its frozen lines, so that every export of a batch says the same.
    """
    with _everyone():
        batch = _lock(batch)
        if batch.state not in (State.APPROVED, State.PAID):
            raise BatchError(
                f"{batch}: it is {batch.get_state_display().lower()}; only an approved batch can be exported."
            )
        _not_held(batch)
        text = _payroll(batch)
        if batch.exported_at is None:
            batch.exported_at = timezone.now()
            batch.save(update_fields=["exported_at"])
        _audit("batch.export", batch, after={**_facts(batch), "by": str(by)})
    return text


def batch_mark_paid(*, batch: Batch, paid_by: User) -> Batch:
    """Records that payroll paid the exported file, and posts it."""
    with _everyone():
        batch = _lock(batch)
        _must_be(batch, State.APPROVED, "marked paid")
        if batch.exported_at is None:
            raise BatchError(f"{batch}: payroll cannot have paid what was never exported. Export it first.")
        batch.state = State.PAID
        batch.paid_by, batch.paid_at = paid_by, timezone.now()
        batch.save(update_fields=["state", "paid_by", "paid_at"])
        _statements(batch).update(state=Statement.State.PAID)
        posting = _post(batch, LedgerTransaction.Kind.PAYMENT)
        _audit("batch.paid", batch, State.APPROVED, {**_facts(batch), **posting})
    return batch


_PAYROLL = ("record", "employee", "name", "period", "pay_on", "currency", "amount", "lines", "digest")


def _payroll(batch: Batch) -> str:
    own = person_digests(line_facts(_lines(batch)))
    rows = (
        _lines(batch)
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


def _amount(minor: int, currency: str) -> Decimal:
    return Decimal(plain_money(int(minor), currency))


# ------------------------------------------------------------------ shared steps


def _everyone() -> Any:
    return tenant_scope(current_tenant_id(), pay=Pay.everyone())


def _one_writer() -> None:
    """No recompute runs while payables become lines, or lines come free."""
    if not figures_lock(wait_ms=20_000):
        raise BatchError("The figures are being recalculated and may move. Try again in a minute.")


def _lock(batch: Batch) -> Batch:
    return Batch.objects.select_for_update().get(pk=batch.pk)


def _lines(batch: Batch) -> QuerySet[BatchLine]:
    return BatchLine.objects.filter(batch=batch)


def _statements(batch: Batch) -> QuerySet[Statement]:
    return Statement.objects.filter(pay_group_id=batch.pay_group_id, period_starts_on=batch.starts_on)


_BATCH_THAT_IS = {State.SUBMITTED: "a submitted", State.APPROVED: "an approved"}


def _must_be(batch: Batch, state: Batch.State, verb: str) -> None:
    if batch.state == state:
        return
    who, at = (batch.paid_by, batch.paid_at) if batch.state == State.PAID else (batch.decided_by, batch.decided_at)
    by = f" by {who} on {timezone.localtime(at):%d %b %Y at %H:%M}" if who and at else ""
    raise BatchError(
        f"{batch}: it is {batch.get_state_display().lower()}{by}; only {_BATCH_THAT_IS[state]} batch can be {verb}."
    )


def _not_held(batch: Batch) -> None:
    """Nothing goes further of a batch that is held as a whole."""
    if hold := batch_hold(batch):
        raise BatchError(f"{batch}: it is held by {hold.placed_by}: {hold.reason} Release the hold first.")


def _post(batch: Batch, kind: LedgerTransaction.Kind) -> dict[str, str]:
    posting = ledger.post_part(batch=batch, kind=kind, part=0, people=None)
    batch.ledger_head = posting.digest
    batch.save(update_fields=["ledger_head"])
    return {"ledger": posting.digest}


def _facts(batch: Batch) -> dict[str, Any]:
    """What the audit trail keeps: the digest binds the amounts, which its readers need not be allowed to see."""
    return {
        "state": str(batch.state),
        "people": batch.people,
        "lines": batch.lines,
        "digest": batch.digest,
    }


def _audit(
    code: str, batch: Batch, before: Batch.State | None = None, after: dict[str, Any] | None = None, reason: str = ""
) -> None:
    record(code=code, subject=batch, before={"state": str(before)} if before else None, after=after, reason=reason)


def _period_moves(batch: Batch, label: str) -> None:
    """The group's open period is another one now: payables and open statements follow."""
    cause = Cause.objects.create(kind=Cause.Kind.BATCH, label=label, actor=current_scope().actor.label)
    members = Participant.objects.filter(pay_group_id=batch.pay_group_id).values_list("id", flat=True)
    # Whoever left the group since still has lines in the batch.
    people = {*members, *_lines(batch).values_list("participant_id", flat=True)}
    payables_refresh(participants=sorted(people), cause=cause)
    ring(tenant_id=current_tenant_id())  # drains and recomputes gave way meanwhile
