"""What payroll is asked to pay and what it did: runs of payments, the files they go out in, what was paid.

docs/payroll.md tells the way of a payment. Posted is what was really paid, when it was said to be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection
from django.db.models import F, Max, QuerySet
from django.utils import timezone

from comp.audit.services import record
from comp.people.selectors import today
from comp.tenancy.models import User
from comp.tenancy.scope import current_tenant_id
from payouts.models import Account, Batch, LedgerTransaction, Payment, PayrollRun, Statement
from payouts.reads.going_out import holds_on
from payouts.reads.held import held_inside
from payouts.reads.payments import due_of, let_go, open_count, owed, people_open, people_unpaid, with_payroll
from payouts.services import ledger
from payouts.services.batch_steps import (
    BatchError,
    audit,
    batch_facts,
    everyone,
    locked,
    must_be,
    not_held,
    statements_of,
)

State, Why = Payment.State, Payment.Why
Kind = LedgerTransaction.Kind
#: First key of the advisory lock that numbers a tenant's payments. Taken after a batch's row, before the ledger's.
LOCK = 7021
#: Batches whose payments may go out, and those of them that payroll has paid.
POSTED = (Batch.State.POSTED, Batch.State.PAID, Batch.State.CLOSED)
PAID = (Batch.State.PAID, Batch.State.CLOSED)


# ------------------------------------------------------------------ runs


def run_make(*, batch: Batch, by: User) -> PayrollRun:
    """The run that goes out with a batch: its payments, and those of the pay group that are due. Made at the first
    export; asked for again it is the same. Payments of people of whose pay something is held are due: they go out when
    the hold is released."""
    with everyone():
        batch = locked(batch)
        must_be(batch, "exported", *POSTED)
        not_held(batch)
        if run := PayrollRun.objects.filter(batch=batch, number=0).first():
            return run
        owed_again = _owed_again(batch)
        first = _first_number()
        rows, held = [one for one in owed(batch) if one.minor > 0], held_inside(batch)
        goes = [one for one in rows if one.participant_id not in held]
        again = _free(_due().filter(pay_group_id=batch.pay_group_id))
        run = _run(
            batch, 0, by, [*((r.currency, r.minor) for r in goes), *((p.currency, p.amount_minor) for p in again)]
        )
        made = [
            Payment(
                number=first + place,
                batch=batch,
                run=None if one.participant_id in held else run,
                participant_id=one.participant_id,
                pay_group_id=batch.pay_group_id,
                currency=one.currency,
                amount_minor=one.minor,
                state=State.DUE if one.participant_id in held else State.EXPORTED,
                made_at=run.made_at,
            )
            for place, one in enumerate(rows)
        ]
        Payment.objects.bulk_create(made, batch_size=2000)
        _go_out(again, run)
        if batch.exported_at is None:
            batch.exported_at = run.made_at
            batch.save(update_fields=["exported_at"])
        if batch.state in PAID:  # paid before payments were kept one by one: posted already
            Payment.objects.filter(run=run, reissue_of=None).update(
                state=State.PAID,
                paid_minor=F("amount_minor"),
                paid_on=timezone.localdate(batch.paid_at),
                settled_at=batch.paid_at,
                settled_by=batch.paid_by,
            )
        for payment, anew in owed_again:
            record(code="payment.again", subject=payment, after={"again": str(anew), "by": str(by)})
        record(code="payments.run", subject=batch, after=_said(run))
    return run


def reissues_run(*, batch: Batch, by: User) -> PayrollRun:
    """A run of its own for the batch's payments that are due, outside of any pay period."""
    with everyone():
        batch = locked(batch)
        not_held(batch)
        again = _free(_due().filter(batch=batch))
        if not again:
            held = ", but for those of people whose pay is held" if due_of(batch).exists() else ""
            raise BatchError(f"{batch}: no payment waits to go out{held}.")
        number = PayrollRun.objects.filter(batch=batch).aggregate(last=Max("number"))["last"] + 1
        run = _run(batch, number, by, [(p.currency, p.amount_minor) for p in again])
        _go_out(again, run)
        record(code="payments.run", subject=batch, after=_said(run))
    return run


def _run(batch: Batch, number: int, by: User, amounts: Sequence[tuple[str, int]]) -> PayrollRun:
    sums: dict[str, int] = defaultdict(int)
    for currency, minor in amounts:
        sums[currency] += minor
    return PayrollRun.objects.create(
        batch=batch, number=number, payments=len(amounts), totals=dict(sorted(sums.items())), made_by=by
    )


def run_locked(run: PayrollRun) -> None:
    """Nobody else takes a step on the batches whose payments are in a run until the transaction ends: those that are
    issued again are of batches before."""
    ids = [run.batch_id, *Payment.objects.filter(run=run).order_by().values_list("batch_id", flat=True).distinct()]
    list(Batch.objects.select_for_update().filter(pk__in=ids).order_by("pk"))


def _due() -> QuerySet[Payment]:
    """Payments that go out next; another run that is made meanwhile does not find them."""
    return Payment.objects.select_for_update(of=("self",)).filter(state=State.DUE).order_by("number")


def _free(due: QuerySet[Payment]) -> list[Payment]:
    """Those that nothing holds: neither their batch nor something of their person's in it."""
    rows = list(due.select_related("batch"))
    held = holds_on(rows)
    return [payment for payment in rows if payment.pk not in held]


def _owed_again(batch: Batch) -> list[tuple[Payment, Payment]]:
    """What payroll could not pay for earlier batches of the pay group, and two people said is owed again, is due. Each
    with the payment that it is issued again as."""
    rows = Payment.objects.filter(let_go(), outcome=Payment.Outcome.OWED, pay_group_id=batch.pay_group_id)
    rows = rows.exclude(batch=batch).order_by("number")
    locked_now = [payment.pk for payment in rows.select_for_update(of=("self",))]
    # Asked again behind the lock: somebody may have sent one off-cycle meanwhile, which changes another row.
    found = list(rows.filter(pk__in=locked_now))
    return list(zip(found, reissue([(payment, payment.amount_minor, Why.VOID) for payment in found]), strict=True))


def _go_out(payments: Iterable[Payment], run: PayrollRun) -> None:
    ids = [payment.pk for payment in payments]
    Payment.objects.filter(pk__in=ids).update(state=State.EXPORTED, run=run)


def _first_number() -> int:
    """The number of the tenant's next payment; nobody else takes it until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, current_tenant_id()])
    return (Payment.objects.aggregate(last=Max("number"))["last"] or 0) + 1


# ------------------------------------------------------------------ what payroll did


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a payment: paid, so many minor units; or rejected, where that is 0."""

    payment: Payment
    paid_minor: int
    reason: str = ""
    reference: str = ""
    paid_on: date | None = None


def payments_settle(outcomes: Collection[Settled], *, by: User) -> None:
    """Records what became of payments with payroll, and posts what was paid. Less than asked: the rest is due again.

    Called by services that hold the batches' rows, inside a scope that sees everyone's pay.
    """
    for batch in Batch.objects.filter(pk__in={one.payment.batch_id for one in outcomes}).order_by("pk"):
        not_held(batch)
    now = timezone.now()
    for one in outcomes:
        payment = one.payment
        payment.state = State.PAID if one.paid_minor else State.REJECTED
        payment.paid_minor = one.paid_minor or None
        payment.paid_on = (one.paid_on or today()) if one.paid_minor else None
        payment.reason, payment.reference = one.reason, one.reference
        payment.settled_at, payment.settled_by = now, by
    fields = ["state", "paid_minor", "paid_on", "reason", "reference", "settled_at", "settled_by"]
    Payment.objects.bulk_update([one.payment for one in outcomes], fields, batch_size=1000)
    paid = [one for one in outcomes if one.paid_minor]
    reissue(
        [
            (p.payment, p.payment.amount_minor - p.paid_minor, Why.REST)
            for p in paid
            if p.paid_minor < p.payment.amount_minor
        ]
    )
    posted = payments_post([(one.payment, one.paid_minor) for one in paid], Kind.PAYMENT)
    for batch in Batch.objects.filter(pk__in={one.payment.batch_id for one in outcomes}).order_by("pk"):
        mine = [one for one in outcomes if one.payment.batch_id == batch.pk]
        after = {
            "paid": sum(1 for one in mine if one.paid_minor),
            "rejected": sum(1 for one in mine if not one.paid_minor),
        }
        record(code="payments.settled", subject=batch, after={**after, **posted.get(batch.pk, {})})
        batch_follows(batch, by=by)


def batch_follows(batch: Batch, *, by: User) -> None:
    """The batch is paid when each of its payments is paid, void, or issued again and that one paid; the statements say
    Paid of those of whom nothing is open or was let go."""
    if batch.state == Batch.State.POSTED and batch.exported_at and not people_open(batch):
        not_held(batch)
        batch.state, batch.paid_by, batch.paid_at = Batch.State.PAID, by, timezone.now()
        batch.save(update_fields=["state", "paid_by", "paid_at"])
        audit("batch.paid", batch, Batch.State.POSTED, {**batch_facts(batch), "ledger": batch.ledger_head})
    frozen = statements_of(batch).exclude(state=Statement.State.OPEN)
    unpaid = people_unpaid(batch)
    settled = frozen.exclude(participant_id__in=unpaid)
    if batch.state not in PAID:
        paid = Payment.objects.filter(batch=batch, state=State.PAID)
        settled = settled.filter(participant_id__in=paid.values("participant_id"))
    settled.update(state=Statement.State.PAID)
    frozen.filter(participant_id__in=unpaid).update(state=Statement.State.APPROVED)


# ------------------------------------------------------------------ the ledger

#: Of each person of these, by plan and component, what stands on an account of the batch.
_STANDS = """
SELECT e.participant_id, e.currency, e.plan_id, e.component, sum(e.amount_minor)::bigint
FROM payouts_ledgerentry e JOIN payouts_ledgertransaction t ON t.tenant_id = e.tenant_id AND t.id = e.transaction_id
WHERE t.batch_id = %s AND e.account = %s AND e.participant_id = ANY(%s)
GROUP BY e.participant_id, e.currency, e.plan_id, e.component HAVING sum(e.amount_minor) <> 0
ORDER BY e.participant_id, e.currency, e.plan_id, e.component
"""
Part = tuple[int | None, str, int]


def payments_post(amounts: Collection[tuple[Payment, int]], kind: LedgerTransaction.Kind) -> dict[int, dict[str, Any]]:
    """Posts what was paid (payable to paid), what was voided (back), or what is no longer owed (payable to expense), by
    batch. Batch id to what the audit trail says of its posting."""
    by_batch: dict[int, dict[tuple[int, int, str], int]] = defaultdict(lambda: defaultdict(int))
    for payment, minor in amounts:
        by_batch[payment.batch_id][payment.participant_id, payment.pay_group_id, payment.currency] += minor
    said = {}
    for batch in Batch.objects.filter(pk__in=by_batch).order_by("pk"):
        rows = _rows(batch, by_batch[batch.pk], kind)
        posted = LedgerTransaction.objects.filter(batch=batch, kind=kind)
        part = (posted.aggregate(last=Max("part"))["last"] or 0) + 1
        posting = ledger.post_rows(kind=kind, rows=rows, batch=batch, part=part)
        if batch.state != Batch.State.CLOSED:  # which stays as it is: the trail alone names what follows
            batch.ledger_head = posting.digest
            batch.save(update_fields=["ledger_head"])
        said[batch.pk] = {"ledger": posting.digest}
    return said


def _rows(
    batch: Batch, amounts: Mapping[tuple[int, int, str], int], kind: LedgerTransaction.Kind
) -> Iterable[ledger.Row]:
    """Both sides of each amount, by the plans and components that it came from."""
    from_, to = {
        Kind.PAYMENT: (Account.PAYABLE, Account.PAID),
        Kind.VOID: (Account.PAID, Account.PAYABLE),
        Kind.NOT_OWED: (Account.PAYABLE, Account.EXPENSE),
    }[kind]
    stands: dict[tuple[int, str], list[Part]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_STANDS, [batch.pk, from_, sorted({who for who, _, _ in amounts})])
        for who, currency, plan, component, minor in cursor.fetchall():
            stands[who, currency].append((plan, component, -minor))
    for (who, group, currency), minor in sorted(amounts.items()):
        for plan, component, part in parts_of(minor, stands[who, currency]):
            yield ledger.Row(who, group, from_, currency, part, plan, component)
            yield ledger.Row(who, group, to, currency, -part, plan, component)


def parts_of(minor: int, stands: Sequence[Part]) -> list[Part]:
    """An amount taken from what stands, part by part: all of what is negative, then of the others in their order until
    it is used up. What is beyond all of them comes from no plan."""
    left = minor
    found: list[Part] = []
    for plan, component, standing in sorted(stands, key=lambda part: part[2] > 0):
        taken = standing if standing < 0 else min(standing, left)
        if taken:
            found.append((plan, component, taken))
            left -= taken
    return [*found, (None, "", left)] if left else found


# ------------------------------------------------------------------ again


def reissue(rows: Sequence[tuple[Payment, int, Payment.Why]]) -> list[Payment]:
    """Payments of these amounts that are due again, in place of others."""
    if not rows:
        return []
    first = _first_number()
    made = [
        Payment(
            number=first + place,
            batch_id=payment.batch_id,
            participant_id=payment.participant_id,
            pay_group_id=payment.pay_group_id,
            currency=payment.currency,
            amount_minor=minor,
            reissue_of=payment,
            why=why,
        )
        for place, (payment, minor, why) in enumerate(rows)
    ]
    return Payment.objects.bulk_create(made, batch_size=2000)


def batch_mark_paid(*, batch: Batch, paid_by: User, sent: str | None = None) -> Batch:
    """Records that payroll paid all that is with it, as it was asked. While other payments of the batch are open, it
    stays posted. Refused where other payments are with payroll than when it was said, `sent` (`with_payroll`)."""
    with everyone():
        batch = locked(batch)
        must_be(batch, "marked paid", Batch.State.POSTED)
        if batch.exported_at is None:
            raise BatchError(f"{batch}: payroll cannot have paid what was never exported. Export it first.")
        run = run_make(batch=batch, by=paid_by)
        run_locked(run)
        there = list(Payment.objects.select_for_update().filter(run=run, state=State.EXPORTED).order_by("pk"))
        if sent is not None and sent != with_payroll(batch):
            raise BatchError(f"{batch}: other payments are with payroll than when you said that it paid. Look again.")
        payments_settle([Settled(payment, payment.amount_minor) for payment in there], by=paid_by)
        batch.refresh_from_db()
        batch_follows(batch, by=paid_by)
        if not there and batch.state == Batch.State.POSTED:
            raise BatchError(
                f"{batch}: nothing of it is with payroll, and {open_count(batch)} of its payments are open. Issue them "
                "again; it is paid when they are."
            )
    return batch


def _said(run: PayrollRun) -> dict[str, Any]:
    return {"run": run.number, "payments": run.payments, "currencies": sorted(run.totals)}
