"""Posting to the ledger: one posting a batch and kind, entries in pairs, so that each person's own balance too."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from comp.core.canonical import canonical_json, digest
from comp.core.chain import GENESIS, link
from comp.tenancy.scope import current_tenant_id
from payouts.models import Batch, BatchLine, LedgerEntry, LedgerTransaction

#: First key of the advisory lock that orders a tenant's postings. Taken after that of the figures, before the audit's.
LOCK = 7005

Account, Kind = LedgerEntry.Account, LedgerTransaction.Kind

#: Which account is debited and which credited. A negative sum turns both sides round by its sign.
SIDES = {Kind.APPROVAL: (Account.EXPENSE, Account.PAYABLE), Kind.PAYMENT: (Account.PAYABLE, Account.PAID)}


def entry_facts(entries: list[Any]) -> list[list[Any]]:
    """What a posting's content digest covers: participant (an opaque number), account, amount, currency; sorted."""
    return sorted([e.participant_id, str(e.account), e.amount_minor, e.currency] for e in entries)


def payload(posting: LedgerTransaction, batch_digest: str) -> str:
    """What a posting's link in the chain covers; `verify` builds it again from the row."""
    return canonical_json(
        {
            "number": posting.number,
            "kind": str(posting.kind),
            "batch": batch_digest,
            "posted_at": posting.posted_at.isoformat(),
            "entries": posting.entries,
            "content": posting.content_digest,
        }
    )


def post(*, batch: Batch, kind: LedgerTransaction.Kind) -> LedgerTransaction:
    """Posts a batch: per participant and currency a debit and a credit of the lines' sum; sums of zero post nothing.

    Called by the batch's own services, inside a scope that sees everyone's pay.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, current_tenant_id()])
    debit, credit = SIDES[kind]
    sums = (
        BatchLine.objects.filter(batch=batch)
        .values("participant_id", "pay_group_id", "currency")
        .annotate(minor=Sum("amount_minor"))
        .order_by("participant_id", "currency")
    )
    entries = [
        LedgerEntry(
            participant_id=row["participant_id"],
            pay_group_id=row["pay_group_id"],
            account=account,
            amount_minor=int(row["minor"]) * sign,
            currency=row["currency"],
        )
        for row in sums
        if row["minor"]
        for account, sign in ((debit, 1), (credit, -1))
    ]
    last = LedgerTransaction.objects.order_by("-number").first()
    posting = LedgerTransaction(
        number=(last.number if last else 0) + 1,
        kind=kind,
        batch=batch,
        posted_at=timezone.now(),
        entries=len(entries),
        content_digest=digest(entry_facts(entries)),
        previous_digest=last.digest if last else GENESIS,
    )
    posting.digest = link(posting.previous_digest, payload(posting, batch.digest))
    posting.save(force_insert=True)
    for entry in entries:
        entry.transaction = posting
    LedgerEntry.objects.bulk_create(entries, batch_size=2000)
    with connection.cursor() as cursor:
        # Checked here, where all entries can be seen, and not at commit, when the request's narrower view is back.
        cursor.execute("SET CONSTRAINTS ledgerentry_balance IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ledgerentry_balance DEFERRED")
    return posting
