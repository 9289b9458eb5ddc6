"""Windfalls that a cap sent to a review, and debts that may be let go."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.money import format_money, parse_money, plain_money
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.parts import Fact, Link
from comp.web.templatetags.comp import badge, day, money
from payouts.models import Earning, NegativeDecision, SettlementReview, WindfallReview
from payouts.models.manual import State
from payouts.pages.by_hand import parts
from payouts.pages.by_hand.forms import ReviewForm, WriteOffForm
from payouts.pages.links import link
from payouts.reads.debts import Owed, owing
from payouts.reads.labels import line_label
from payouts.reads.negatives import Short, asked
from payouts.services import cap_reviews, reviews
from payouts.services.unconverted import NotSettled, awaiting_rates, unsettled_people, why_unsettled

READ = (Can.BATCH_READ,)


@needs(*READ)
@require_GET
def review_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """Lines with excess that nobody decided about, then what was decided, newest first."""
    known = WindfallReview.objects.select_related(
        "participant", "plan", "deal__account", "deal__product", "prepared_by"
    )
    capped = SettlementReview.objects.select_related("participant", "plan").order_by("-id")
    lines, caps = reviews.reviews_open(), cap_reviews.cap_reviews_open()
    to_review = [(row.earning.currency, row.minor) for row in lines] + [
        (row.currency, row.amount_minor) for row in caps
    ]
    rows: list[Any] = [*lines, *caps, *known.order_by("-id"), *capped]
    if "csv" in request.GET:
        header = ("line", "employee", "name", "component", "excess", "currency", "state", "reason")
        return csv_response("windfalls", header, map(_cells, rows))
    listing = parts.Listing(
        title="Windfalls",
        lead="What a cap took of a line or a period and its plan sends to a review: paid or not, by two people.",
        columns=(
            parts.Column("Line"), parts.Column("Person"), parts.Column("Component", "aside"),
            parts.Column("Excess", "num key"), parts.Column("State"),
        ),
        cells=lambda row: _row(request, row),
        totals=f"{_added(to_review)} to review" if to_review else "",
        empty=("No windfall to review", "Plans say which caps send what is above them here."),
        csv="?csv=1",
    )  # fmt: skip
    return parts.page_list(request, "review_list", listing, rows)


def _added(amounts: Iterable[tuple[str, int]]) -> str:
    """What they come to, by currency, for people."""
    sums: dict[str, int] = {}
    for currency, minor in amounts:
        sums[currency] = sums.get(currency, 0) + minor
    return ", ".join(format_money(minor, currency) for currency, minor in sorted(sums.items()))


def _row(request: HttpRequest, row: Any) -> tuple[str, str, tuple[object, ...]]:
    if isinstance(row, cap_reviews.Capped | SettlementReview):
        return _of_cap(request, row)
    if isinstance(row, WindfallReview):
        words, url, mark = line_label(row, row.deal), link(request, "review", pk=row.pk), _mark(row)
        line, minor = row, row.amount_minor
    else:
        words, url = row.label, link(request, "review_add", why=row.earning.pk)
        line, minor, mark = row.earning, row.minor, badge("To review", "wait", "eye")
    return words, url, (line.participant.name, line.component, money(minor, line.currency), mark)


def _of_cap(request: HttpRequest, row: cap_reviews.Capped | SettlementReview) -> tuple[str, str, tuple[object, ...]]:
    """What the cap of a settlement took."""
    if isinstance(row, SettlementReview):
        url, mark = link(request, "cap_review", pk=row.pk), _mark(row)
    else:
        url, mark = link(request, "cap_review_add", settled=row.settlement.pk), badge("To review", "wait", "eye")
    return str(row), url, (row.participant.name, "Payment cap", money(row.amount_minor, row.currency), mark)


def _mark(row: WindfallReview | SettlementReview) -> str:
    if row.state != State.APPROVED:
        return parts.state_mark(row)
    paid = row.accept if isinstance(row, WindfallReview) else row.pay_minor
    return badge("Paid", "good", "check-circle") if paid else badge("Not paid", "plain", "no-symbol")


def _cells(row: Any) -> list[Any]:
    if isinstance(row, cap_reviews.Capped | SettlementReview):
        said = (row.get_state_display(), row.reason) if isinstance(row, SettlementReview) else ("To review", "")
        amount = Decimal(plain_money(row.amount_minor, row.currency))
        return [str(row), row.participant.key, row.participant.name, "payment cap", amount, row.currency, *said]
    decided = isinstance(row, WindfallReview)
    line, minor = (row, row.amount_minor) if decided else (row.earning, row.minor)
    state, reason = (row.get_state_display(), row.reason) if decided else ("To review", "")
    return [
        line_label(line, line.deal), line.participant.key, line.participant.name, line.component,
        Decimal(plain_money(minor, line.currency)), line.currency, state, reason,
    ]  # fmt: skip


@needs(*READ, Can.BATCH_SUBMIT)
@require_http_methods(["GET", "POST"])
def review_add(request: HttpRequest, tenant: str, why: int) -> HttpResponse:
    """Proposes to pay the excess of a line, or not to; a second person agrees."""
    line = get_object_or_404(Earning.objects.select_related("participant", "deal__account", "deal__product"), pk=why)
    form = ReviewForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        by: Any = request.user
        said = form.cleaned_data
        made = parts.tried(
            form, lambda: reviews.review_prepare(
                earning=line, accept=said["accept"] == "yes", reason=said["reason"], prepared_by=by
            ),
        )  # fmt: skip
        if made is not None:
            return redirect("review", tenant=tenant, pk=made.pk)
    open_minor = sum(row.minor for row in reviews.reviews_open() if row.earning.pk == line.pk)
    title = f"{line_label(line, line.deal)}, {line.participant.name}: {format_money(open_minor, line.currency)}"
    return parts.page_form(request, "review_list", title, form, "Propose it", "A second person agrees, or does not.")


@needs(*READ)
@require_GET
def review(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """One review and its decision."""
    row = get_object_or_404(
        WindfallReview.objects.select_related(
            "participant", "deal__account", "deal__product", "prepared_by", "decided_by", "adjustment"
        ),
        pk=pk,
    )
    facts = [
        Fact("Line", line_label(row, row.deal)), Fact("Person", row.participant.name),
        Fact("Component", row.component), Fact("Excess", money(row.amount_minor, row.currency)),
        Fact("Proposed", "to be paid" if row.accept else "not to be paid"), Fact("State", _mark(row)),
    ]  # fmt: skip
    if row.adjustment is not None:
        url = link(request, "adjustment", pk=row.adjustment.pk)
        facts.append(Fact("Paid by", row.adjustment.name, f"{day(row.adjustment.day)}", url))
    shown = parts.Shown(
        title=f"Windfall of {line_label(row, row.deal)}", lead=row.reason, facts=facts,
        back=Link("Windfalls", link(request, "review_list")), events=parts.decided_events(row),
        acts=parts.decision(request, row, link(request, "review_decide", pk=pk)),
    )  # fmt: skip
    return parts.page_shown(request, shown)


@needs(*READ, Can.BATCH_APPROVE)
@require_POST
def review_decide(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """A second person agrees or does not."""
    row = get_object_or_404(WindfallReview, pk=pk)
    state, reason = parts.asked(request)
    by: Any = request.user
    parts.answered(
        request, lambda: reviews.review_decide(review=row, state=state, decided_by=by, reason=reason),
        f"The review: {State(state).label.lower()}.",
    )  # fmt: skip
    return redirect("review", tenant=tenant, pk=pk)


# ------------------------------------------------------------------ debts


@needs(*READ)
@require_GET
def debt_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """What people owe by their plans, of those whose pay one may see."""
    debts, waits_for = owing(), awaiting_rates()
    open_ones = unsettled_people(waits_for)
    if "csv" in request.GET:
        header = ("employee", "name", "plan", "balance", "owed", "currency")
        cells = (
            (row.participant.key, row.participant.name, row.plan.name, row.what,
             Decimal(plain_money(row.minor, row.participant.currency)), row.participant.currency)
            for row in debts
        )  # fmt: skip
        unknown = (
            (row.participant.key, row.participant.name, row.plan.name, row.why, None, row.participant.currency)
            for row in open_ones
        )
        return csv_response("debts", header, [*unknown, *cells])
    waits = NegativeDecision.objects.filter(state=State.WAITING).select_related("participant")
    rows: list[Any] = [*asked(), *waits.order_by("-id"), *open_ones, *debts]
    may = Can.BATCH_SUBMIT in request.can  # type: ignore[attr-defined]
    unsettled = why_unsettled(waits_for)
    listing = parts.Listing(
        title="Debts",
        lead="What the open period would take back, and what draws and carried pay leave owed. Two people let it go.",
        columns=(parts.Column("Person"), parts.Column("Plan"), parts.Column("Of"), parts.Column("Owed", "num key")),
        cells=lambda row: _debt(request, row, may),
        totals=_added((row.participant.currency, row.minor) for row in debts) + " by plans" if debts else "",
        empty=("Nobody owes anything", "What is taken back beyond what a period pays stands here."),
        csv="?csv=1",
        missing=f"{unsettled} What they owe is not known until then." if unsettled else "",
    )  # fmt: skip
    return parts.page_list(request, "debt_list", listing, rows)


def _debt(request: HttpRequest, row: Any, may: bool) -> tuple[str, str, tuple[object, ...]]:
    """A debt by a plan; or one as a whole, to be decided about or waiting for its second person."""
    if isinstance(row, NegativeDecision):
        words = f"{row.get_way_display()}: waits for a second person"
        url = link(request, "below_zero", pk=row.pk)
        return row.participant.name, url, ("All plans", words, money(row.amount_minor, row.currency))
    if isinstance(row, NotSettled):
        url = link(request, "rate_list") if Can.PLAN_READ in request.can else ""  # type: ignore[attr-defined]
        return row.participant.name, url, (row.plan.name, row.why, "not known yet")
    if isinstance(row, Short):
        url = link(request, "below_zero_add", participant=row.participant.pk) if may else ""
        return row.participant.name, url, ("All plans", "To be decided", money(row.minor, row.currency))
    url = f"{link(request, 'debt_add')}?{_address(row)}" if may else ""
    return row.participant.name, url, (row.plan.name, row.what, money(row.minor, row.participant.currency))


def _address(row: Owed) -> str:
    return f"person={row.participant.pk}&plan={row.plan.pk}&balance={row.balance}"


@needs(*READ, Can.BATCH_SUBMIT)
@require_http_methods(["GET", "POST"])
def debt_add(request: HttpRequest, tenant: str) -> HttpResponse:
    """Proposes to let a debt go; a second person agrees, as to any adjustment."""
    wanted = tuple(request.GET.get(name, "") for name in ("person", "plan", "balance"))
    found = [row for row in owing() if (str(row.participant.pk), str(row.plan.pk), row.balance) == wanted]
    if not found:
        return redirect("debt_list", tenant=tenant)
    row = found[0]
    currency = row.participant.currency
    form = WriteOffForm(request.POST or None, initial={"amount": plain_money(row.minor, currency)})
    if request.method == "POST" and form.is_valid():
        made = parts.tried(form, lambda: _let_go(request, row, form.cleaned_data))
        if made is not None:
            return redirect("adjustment", tenant=tenant, pk=made.pk)
    title = f"{row.participant.name} owes {format_money(row.minor, currency)}"
    return parts.page_form(
        request,
        "debt_list",
        title,
        form,
        "Propose to let it go",
        f"{row.what}, {row.plan.name}. A second person agrees.",
    )


def _let_go(request: HttpRequest, row: Owed, said: dict[str, Any]) -> Any:
    by: Any = request.user
    return reviews.write_off_prepare(
        participant=row.participant, plan=row.plan, balance=row.balance, reason=said["reason"], prepared_by=by,
        amount_minor=parse_money(said["amount"], row.participant.currency),
    )  # fmt: skip


review_urls = [
    path("reviews/", review_list, name="review_list"),
    path("reviews/new/<int:why>/", review_add, name="review_add"),
    path("reviews/<int:pk>/", review, name="review"),
    path("reviews/<int:pk>/decide/", review_decide, name="review_decide"),
    path("debts/", debt_list, name="debt_list"),
    path("debts/new/", debt_add, name="debt_add"),
]
