"""Whether the ledger is what was posted, and what was posted is what its batches say, asked set-wise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection

from comp.core.canonical import digest
from comp.core.money import format_money
from payouts.models import Batch, LedgerEntry, LedgerTransaction, Payment, PayrollRun
from payouts.services import ledger

State = Batch.State
#: Batches that have posted their approval, and those of them that payroll has answered for.
POSTED, PAID = (State.POSTED, State.PAID, State.CLOSED), (State.PAID, State.CLOSED)

#: By posting: how many entries it has, and their content digest.
_SEALED = f"SELECT transaction_id, count(*), {ledger.CONTENT} FROM payouts_ledgerentry GROUP BY transaction_id"
_OFF = """
SELECT transaction_id, currency, sum(amount_minor)::bigint FROM payouts_ledgerentry
GROUP BY transaction_id, participant_id, currency HAVING sum(amount_minor) <> 0
"""
#: The accounts in which an approval books something else than its batch says, by person and currency.
_OTHERWISE = """
WITH said AS (
    SELECT participant_id, account, currency, sum(amount_minor) AS minor FROM (WHAT_IT_SAYS) s
    GROUP BY participant_id, account, currency
), booked AS (
    SELECT e.participant_id, e.account, e.currency, sum(e.amount_minor) AS minor
    FROM payouts_ledgerentry e JOIN payouts_ledgertransaction t ON t.id = e.transaction_id
    WHERE t.batch_id = %(batch)s AND t.kind = %(kind)s GROUP BY e.participant_id, e.account, e.currency
)
SELECT DISTINCT account FROM said FULL JOIN booked USING (participant_id, account, currency)
WHERE coalesce(said.minor, 0) <> coalesce(booked.minor, 0) ORDER BY account
"""


def ledger_problems() -> tuple[str, list[str]]:
    """What was looked at, and all that is wrong."""
    postings = list(LedgerTransaction.objects.order_by("number"))
    return f"{LedgerEntry.objects.count()} entries of {len(postings)} postings", [
        *_entries_wrong(postings),
        *_batches_wrong({(posting.batch_id, str(posting.kind)) for posting in postings}),
    ]


def _entries_wrong(postings: list[LedgerTransaction]) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(_SEALED)
        sealed = {key: (count, content) for key, count, content in cursor.fetchall()}
        cursor.execute(_OFF)
        off: dict[int, dict[str, int]] = {}
        for key, currency, minor in cursor.fetchall():
            off.setdefault(key, {})[currency] = minor
    for posting in postings:
        count, content = sealed.pop(posting.pk, (0, ledger.NOTHING))
        if posting.form == LedgerTransaction.Form.BY_PERSON:
            content = digest(ledger.entry_facts(LedgerEntry.objects.filter(transaction=posting)))
        for currency, minor in off.get(posting.pk, {}).items():
            yield f"posting {posting.number} does not balance: off by {format_money(minor, currency)}"
        if (count, content) != (posting.entries, posting.content_digest):
            yield f"posting {posting.number}: its {count} entries are not the {posting.entries} it was sealed with"
    for key, (count, _) in sealed.items():
        yield f"{count} entries belong to posting id {key}, which is gone"


def _batches_wrong(posted: set[tuple[int | None, str]]) -> Iterator[str]:
    for batch in Batch.objects.filter(state__in=POSTED):
        kind, said = "approval", ledger.OF_BATCH
        if batch.kind == Batch.Kind.OPENING:
            kind, said = "opening", ledger.OF_OPENING
        if (batch.pk, kind) not in posted:
            yield f"{batch} has no {kind} posting"
        if batch.state in PAID and (batch.pk, "payment") not in posted and _was_paid(batch):
            yield f"{batch} has no payment posting"
        with connection.cursor() as cursor:
            params: dict[str, Any] = {"batch": batch.pk, "kind": kind}
            cursor.execute(_OTHERWISE.replace("WHAT_IT_SAYS", said), params)
            accounts = [account for (account,) in cursor.fetchall()]
        if accounts:
            yield f"the {kind} of {batch} does not book what its lines say: {', '.join(accounts)}"


def _was_paid(batch: Batch) -> bool:
    """Whether payroll paid anybody for the batch: nobody where it came to nothing, or every payment was rejected. One
    from before payments were kept one by one was paid whole."""
    if Payment.objects.filter(batch=batch).exists():
        return Payment.objects.filter(batch=batch, state=Payment.State.PAID).exists()
    return not PayrollRun.objects.filter(batch=batch).exists()
