"""Whether payments are what batches owe, and the ledger says paid of what payroll paid, asked set-wise."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from comp.core.money import format_money
from comp.people.models import Participant
from payouts.models import Batch, Payment, PayrollRun
from payouts.reads.payments import owed, people_unpaid, unsettled
from payouts.services.batch_steps import statements_of

#: By batch, person and currency: what payments say was paid, or is no longer owed, beside what the ledger says.
_PAID = """
WITH said AS (
    SELECT state = 'void' AS let_go, batch_id, participant_id, currency,
        sum(CASE state WHEN 'void' THEN amount_minor ELSE paid_minor END) AS minor
    FROM payouts_payment WHERE state = 'paid' OR state = 'void' AND outcome = 'not_owed'
    GROUP BY let_go, batch_id, participant_id, currency
), booked AS (
    SELECT t.kind = 'not_owed' AS let_go, t.batch_id, e.participant_id, e.currency,
        sum(CASE e.account WHEN 'paid' THEN -e.amount_minor ELSE e.amount_minor END) AS minor
    FROM payouts_ledgerentry e JOIN payouts_ledgertransaction t ON t.tenant_id = e.tenant_id AND t.id = e.transaction_id
    WHERE t.batch_id IN (SELECT batch_id FROM payouts_payrollrun)
        AND (e.account = 'paid' OR e.account = 'payable' AND t.kind = 'not_owed')
    GROUP BY let_go, t.batch_id, e.participant_id, e.currency
)
SELECT let_go, batch_id, participant_id, currency, coalesce(said.minor, 0)::bigint, coalesce(booked.minor, 0)::bigint
FROM said FULL JOIN booked USING (let_go, batch_id, participant_id, currency)
WHERE coalesce(said.minor, 0) <> coalesce(booked.minor, 0) ORDER BY batch_id, participant_id, currency, let_go
"""


def payment_problems() -> tuple[str, list[str]]:
    """What was looked at, and all that is wrong."""
    batches = list(Batch.objects.filter(pk__in=PayrollRun.objects.values("batch_id")).order_by("pk"))
    wrong = [problem for batch in batches for problem in _asked_wrong(batch)]
    return f"{Payment.objects.count()} payments of {len(batches)} batches", [*wrong, *_paid_wrong()]


def _asked_wrong(batch: Batch) -> Iterator[str]:
    """First payments are what the batch owes each person, neither more nor less."""
    first = Payment.objects.filter(batch=batch, reissue_of=None)
    asked = {
        (who, currency): minor
        for who, currency, minor in first.values_list("participant_id", "currency", "amount_minor")
    }
    due = {(one.participant_id, one.currency): one.minor for one in owed(batch) if one.minor > 0}
    names = dict(Participant.objects.filter(pk__in={who for who, _ in {*asked, *due}}).values_list("pk", "key"))
    for at in sorted({*asked, *due}):
        if asked.get(at, 0) != due.get(at, 0):
            says, is_due = format_money(asked.get(at, 0), at[1]), format_money(due.get(at, 0), at[1])
            yield f"payments of {batch}: {names.get(at[0], at[0])} is asked {says}, and owed {is_due}"
    if batch.state in (Batch.State.PAID, Batch.State.CLOSED) and unsettled(batch):
        yield f"{batch} is {batch.state}, and payroll has not answered for all of its payments"


def _paid_wrong() -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(_PAID)
        rows = cursor.fetchall()
    batches = Batch.objects.in_bulk({row[1] for row in rows})
    names = dict(Participant.objects.filter(pk__in={row[2] for row in rows}).values_list("pk", "key"))
    for let_go, batch, who, currency, said, booked in rows:
        says, books = format_money(said, currency), format_money(booked, currency)
        person = names.get(who, who)
        what = f"{person} is no longer owed {says}" if let_go else f"payroll paid {person} {says}"
        yield f"payments of {batches.get(batch, batch)}: {what}, the ledger says {books}"


def payment_states(batch: Batch) -> dict[int, str]:
    """By participant of whom the batch's own state does not say it: the state of the statement, by payroll's answer."""
    if batch.kind == Batch.Kind.OPENING and batch.state == Batch.State.POSTED:
        return {one.participant_id: "paid" for one in statements_of(batch)}
    if not PayrollRun.objects.filter(batch=batch).exists():
        return {}
    unpaid = people_unpaid(batch)
    paid = Payment.objects.filter(batch=batch, state=Payment.State.PAID).values_list("participant_id", flat=True)
    return {who: "approved" if who in unpaid else "paid" for who in {*unpaid, *paid}}
