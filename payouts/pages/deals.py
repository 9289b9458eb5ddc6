"""A person's own lines: what each deal earns, and where that money is."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from comp.core.days import DayError, parse_day
from comp.core.money import plain_money
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.paging import paginate
from comp.web.parts import Link, money_state
from crediting.selectors_waiting import waiting_of_person
from payouts.frames.read import YEARS
from payouts.pages.links import link
from payouts.pages.unconverted import waiting_page_of
from payouts.reads.labels import customer
from payouts.reads.lines import STATES, in_pay_currency, in_state, lines, sums, told, with_money
from payouts.reads.periods import Span, open_span, pay_group_of, span_holding

PER_PAGE = 50
CSV_HEADER = (
    "Deal", "Customer", "Product", "Component", "Credit date", "Credit", "Rate", "Earned",
    "Waiting", "Held", "Payable", "In batch", "Approved", "Paid", "Currency", "Paid in", "State",
)  # fmt: skip


@needs(Can.PAY_OWN)
@require_GET
def my_deals(request: HttpRequest, tenant: str) -> HttpResponse:
    """`state`, `from` (a quarter, by any of its days) and `q` (deal or customer) narrow it; `csv` downloads it."""
    person = request.participant  # type: ignore[attr-defined]
    if person is None:
        return render(request, "payouts/home_nobody.html")
    group = pay_group_of(person)
    open_period = open_span(group)
    state = request.GET.get("state", "")
    state = state if state in STATES else ""
    words = request.GET.get("q", "").strip()[:100]
    quarter = _quarter(request, group)
    narrowed = _narrowed(with_money(lines(person.pk, open_period.ends_on)), quarter, words)
    rows = in_state(narrowed, state) if state else narrowed
    if "csv" in request.GET:
        return _csv(rows, open_period.ends_on, person.currency)
    page = paginate(request, rows, PER_PAGE)
    column = STATES.get(state, "earned_minor")
    totals = sums(rows, ["credit_minor", column])
    own = request.tenant.currency  # type: ignore[attr-defined]
    asked = {"from": quarter.starts_on.isoformat() if quarter else "", "q": words}
    context = {
        "page_obj": page,
        "lines": [
            (
                line,
                link(request, "deal", deal=line.earning.deal_id) if line.deal else "",
                link(request, "why", pk=line.earning.pk),
            )
            for line in told(page.object_list, open_ends=open_period.ends_on, state=state)
        ],
        "state": state,
        "column": money_state(state).word if state else "Earned",
        "own_currency": own,
        "currency": person.currency if in_pay_currency(state) else own,
        "total_credit": totals["credit_minor"],
        "total": totals[column],
        "tabs": [Link("All", _address(asked), not state)]
        + [Link(money_state(name).word, _address({**asked, "state": name}), state == name) for name in STATES],
        "quarter": quarter,
        "without_quarter": _address({"state": state, "q": words}),
        "words": words,
        "csv": _address({**asked, "state": state, "csv": "1"}),
        **waiting_page_of(request, _narrowed(waiting_of_person(person.pk), quarter, words)),
    }
    return render(request, "payouts/my_deals.html", context)


def _quarter(request: HttpRequest, group: Any) -> Span | None:
    try:
        day = parse_day(request.GET.get("from", ""))
    except DayError:
        return None
    return span_holding(group, day, "quarter") if day.year in YEARS else None


def _narrowed(rows: QuerySet[Any], quarter: Span | None, words: str) -> QuerySet[Any]:
    if quarter is not None:
        rows = rows.filter(credit_date__gte=quarter.starts_on, credit_date__lt=quarter.ends_on)
    if words:
        rows = rows.filter(Q(deal__external_id__icontains=words) | Q(deal__account__name__icontains=words))
    return rows


def _address(asked: dict[str, str]) -> str:
    return f"?{urlencode({name: value for name, value in asked.items() if value})}"


def _csv(rows: QuerySet[Any], open_ends: date, paid_in: str) -> HttpResponse:
    def cells() -> Any:
        for line in told(rows, open_ends=open_ends):
            earning = line.earning
            amounts = [getattr(earning, name) for name in STATES.values()]
            word = money_state(line.state).word
            yield [
                earning.deal.external_id if earning.deal else line.label,
                customer(earning.deal),
                earning.deal.product.name if earning.deal and earning.deal.product else "",
                line.component,
                earning.credit_date,
                plain_money(earning.credit_minor, earning.currency),
                line.rate,
                plain_money(earning.earned_minor, earning.currency),
                *(
                    plain_money(minor, paid_in if in_pay_currency(name) else earning.currency)
                    for name, minor in zip(STATES, amounts, strict=True)
                ),
                earning.currency,
                paid_in,
                f"{word}: {line.cause}" if line.cause else word,
            ]

    return csv_response("deals", CSV_HEADER, cells())
