"""The ledger as it was posted: balances, postings, and the entries of each."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.http import require_GET

from comp.core.money import plain_money
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.paging import paginate
from payouts import selectors_batches as reads
from payouts.models import LedgerEntry

PER_PAGE = 20
_HEADER = (
    "posting",
    "posted at",
    "kind",
    "batch",
    "entry",
    "employee",
    "account",
    "currency",
    "debit",
    "credit",
    "digest",
)


@needs(Can.LEDGER_READ)
@require_GET
def ledger(request: HttpRequest, tenant: str) -> HttpResponse:
    """Account balances, then postings page by page with their entries; `csv` downloads every entry."""
    if "csv" in request.GET:
        return csv_response("ledger", _HEADER, [_cells(entry) for entry in _entries(reads.postings())])
    page = paginate(request, reads.postings(), PER_PAGE)
    page.object_list = list(page.object_list)
    by_posting: dict[int, list[dict[str, Any]]] = {}
    for entry in _entries(page.object_list):
        by_posting.setdefault(entry.transaction_id, []).append(_shown(entry))
    count, off = reads.ledger_state()
    may_open = Can.BATCH_READ in request.can  # type: ignore[attr-defined]
    context = {
        "balances": reads.ledger_balances(),
        "entries": count,
        "off": off,
        "page": page,
        "postings": [
            {
                "posting": posting,
                "entries": by_posting.get(posting.pk, []),
                "url": reverse("batch", args=[tenant, posting.batch_id]) if may_open else "",
            }
            for posting in page.object_list
        ],
    }
    return render(request, "payouts/batches/ledger.html", context)


def _entries(postings: Any) -> QuerySet[LedgerEntry]:
    rows = LedgerEntry.objects.filter(transaction__in=postings)
    return rows.select_related("transaction", "transaction__batch", "participant").order_by(
        "-transaction__number", "id"
    )


def _shown(entry: LedgerEntry) -> dict[str, Any]:
    minor = entry.amount_minor
    return {
        "name": entry.participant.name,
        "account": entry.get_account_display(),
        "debit": max(minor, 0),
        "credit": max(-minor, 0),
        "currency": entry.currency,
    }


def _cells(entry: LedgerEntry) -> tuple[Any, ...]:
    posting = entry.transaction
    amount = Decimal(plain_money(abs(entry.amount_minor), entry.currency))
    debit, credit = (amount, None) if entry.amount_minor > 0 else (None, amount)
    fixed = (posting.number, posting.posted_at, posting.get_kind_display(), posting.batch.name, entry.pk)
    return (
        *fixed,
        entry.participant.key,
        entry.get_account_display(),
        entry.currency,
        debit,
        credit,
        posting.digest,
    )


ledger_urls = [path("ledger/", ledger, name="ledger")]
