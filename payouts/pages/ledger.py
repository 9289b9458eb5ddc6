"""The ledger as Finance reads it: accounts with their balances, then postings, each with its entries."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.views.decorators.http import require_GET

from comp.core.money import plain_money
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import Cell, csv_response
from comp.web.paging import paginate
from comp.web.parts import Link
from payouts import selectors_batches as reads
from payouts.models import Account, LedgerEntry, LedgerTransaction
from payouts.pages.links import link
from payouts.reads.accounting import account_months, posting_entries

PER_PAGE = 20
_TABS = {
    "ledger": "Accounts",
    "accrual_list": "Accruals",
    "cost_list": "Contract costs",
    "journal_list": "Journals",
    "budget_list": "Budgets",
}
_HEADER = (
    *("posting", "posted at", "accounting day", "kind", "of", "entry", "employee", "plan", "component", "account"),
    *("currency", "debit", "credit", "digest"),
)


def tabs(request: HttpRequest, current: str) -> list[Link]:
    """The parts of the ledger."""
    return [Link(label, link(request, name), current=name == current) for name, label in _TABS.items()]


def crumbs(request: HttpRequest, name: str) -> list[Link]:
    """The way back to a part of the ledger."""
    return [Link(_TABS[name], link(request, name))]


def whole_pay() -> None:
    """What is booked of the whole company is for those alone who see everybody's pay."""
    if not reads.everybody_visible():
        raise PermissionDenied("this page needs the pay of every pay group")


def money_cell(minor: int, currency: str) -> Decimal:
    return Decimal(plain_money(minor, currency))


@needs(Can.LEDGER_READ)
@require_GET
def ledger(request: HttpRequest, tenant: str) -> HttpResponse:
    """Account balances, then postings page by page; `csv` downloads every entry."""
    if "csv" in request.GET:
        return csv_response("ledger", _HEADER, map(_cells, _entries(reads.postings())))
    page = paginate(request, reads.postings(), PER_PAGE)
    count, off = reads.ledger_state()
    context = {
        "tabs": tabs(request, "ledger"),
        "balances": reads.ledger_balances(),
        "entries": count,
        "off": off,
        "page": page,
        "postings": [_shown(request, posting) for posting in page.object_list],
    }
    return render(request, "payouts/ledger/ledger.html", context)


@needs(Can.LEDGER_READ)
@require_GET
def account(request: HttpRequest, tenant: str, account: str) -> HttpResponse:
    """What was booked in an account, by month and kind of posting."""
    if account not in Account.values:
        raise Http404
    rows = account_months(account)
    if "csv" in request.GET:
        cells: Iterable[list[Cell]] = (
            [row["month"], row["label"], row["currency"], row["entries"], money_cell(row["minor"], row["currency"])]
            for row in rows
        )
        return csv_response(account, ("month", "kind", "currency", "entries", "balance"), list(cells))
    sums: dict[str, int] = {}
    for row in rows:
        sums[row["currency"]] = sums.get(row["currency"], 0) + row["minor"]
    context = {
        "label": Account(account).label,
        "rows": rows,
        "sums": sorted(sums.items()),
        "crumbs": crumbs(request, "ledger"),
    }
    return render(request, "payouts/ledger/account.html", context)


@needs(Can.LEDGER_READ)
@require_GET
def posting(request: HttpRequest, tenant: str, number: int) -> HttpResponse:
    """A posting: what it was sealed with, and its entries page by page."""
    row = get_object_or_404(reads.postings(), number=number)
    entries = posting_entries(row)
    if "csv" in request.GET:
        return csv_response(f"posting-{number}", _HEADER, map(_cells, _entries([row])))
    page = paginate(request, entries, 50)
    may_open = Can.BATCH_READ in request.can  # type: ignore[attr-defined]
    context = {
        "shown": _shown(request, row),
        "posting": row,
        "page": page,
        "batch_url": link(request, "batch", pk=row.batch_id) if may_open and row.batch_id else "",
        "crumbs": crumbs(request, "ledger"),
    }
    return render(request, "payouts/ledger/posting.html", context)


def _shown(request: HttpRequest, posting: LedgerTransaction) -> dict[str, Any]:
    of = posting.batch.name if posting.batch else f"{posting.month:%B %Y}"
    part = _part(posting)
    return {
        "posting": posting,
        "title": f"{posting.number}. {posting.get_kind_display()} of {of}{f', part {part}' if part > 1 else ''}",
        "url": link(request, "posting", number=posting.number),
    }


def _part(posting: LedgerTransaction) -> int:
    """Which of the postings of one kind it is, from 1: payments count so themselves, all others from 0. A write-off has
    the number of its adjustment for a part."""
    kinds = LedgerTransaction.Kind
    if posting.kind == kinds.WRITE_OFF:
        return 1
    return posting.part if posting.kind in (kinds.PAYMENT, kinds.VOID, kinds.NOT_OWED) else posting.part + 1


def _entries(postings: Any) -> QuerySet[LedgerEntry]:
    rows = LedgerEntry.objects.filter(transaction__in=postings)
    rows = rows.select_related("transaction", "transaction__batch", "participant", "plan")
    return rows.order_by("-transaction__number", "id")


def _cells(entry: LedgerEntry) -> tuple[Cell, ...]:
    posting = entry.transaction
    amount = money_cell(abs(entry.amount_minor), entry.currency)
    debit, credit = (amount, None) if entry.amount_minor > 0 else (None, amount)
    of = posting.batch.name if posting.batch else f"{posting.month:%B %Y}"
    return (
        *(posting.number, posting.posted_at, posting.day, posting.get_kind_display(), of, entry.pk),
        *(entry.participant.key, entry.plan.key if entry.plan else "", entry.component, entry.get_account_display()),
        *(entry.currency, debit, credit, posting.digest),
    )


ledger_urls = [
    path("ledger/", ledger, name="ledger"),
    path("ledger/accounts/<slug:account>/", account, name="account"),
    path("ledger/postings/<int:number>/", posting, name="posting"),
]
