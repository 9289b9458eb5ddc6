"""Pay below zero where the company decides each: proposals and their second person. And what the cap of a settlement
sends to a review."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.money import format_money, parse_money, plain_money
from comp.people.models import Participant
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.parts import Fact, Link
from comp.web.templatetags.comp import day, money
from payouts.models import BatchSettlement, NegativeDecision, SettlementReview
from payouts.models.manual import State
from payouts.pages.by_hand import parts
from payouts.pages.by_hand.forms import BelowZeroForm, CapReviewForm
from payouts.pages.links import link
from payouts.reads.negatives import asked
from payouts.selectors_batches import pay_groups_visible
from payouts.services import cap_reviews, negatives

READ = (Can.BATCH_READ,)


@needs(*READ, Can.BATCH_SUBMIT)
@require_http_methods(["GET", "POST"])
def below_zero_add(request: HttpRequest, tenant: str, participant: int) -> HttpResponse:
    """Proposes what becomes of what somebody owes as a whole; a second person agrees."""
    people = Participant.objects.select_related("pay_group__calendar").filter(pay_group__in=pay_groups_visible())
    person = get_object_or_404(people, pk=participant)
    found = asked(person)
    if not found:
        return redirect("debt_list", tenant=tenant)
    one = found[0]
    form = BelowZeroForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        by: Any = request.user
        made = parts.tried(
            form, lambda: negatives.negative_prepare(
                participant=person, currency=one.currency, prepared_by=by, **form.cleaned_data
            ),
        )  # fmt: skip
        if made is not None:
            return redirect("below_zero", tenant=tenant, pk=made.pk)
    title = f"{person.name} owes {format_money(one.minor, one.currency)}"
    note = "By all plans together. To let it go, go back and choose what is owed by a plan."
    return parts.page_form(request, "debt_list", title, form, "Propose it", note)


@needs(*READ)
@require_GET
def below_zero(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """One proposal and its decision."""
    row = get_object_or_404(NegativeDecision.objects.select_related("participant", "prepared_by", "decided_by"), pk=pk)
    facts = [
        Fact("Person", row.participant.name), Fact("Period", f"{row.period_starts_on:%B %Y}"),
        Fact("Owed", money(row.amount_minor, row.currency)), Fact("Proposed", row.get_way_display()),
        Fact("State", parts.state_mark(row)),
    ]  # fmt: skip
    shown = parts.Shown(
        title=f"Pay below zero of {row.participant.name}", lead=row.reason, facts=facts,
        back=Link("Debts", link(request, "debt_list")), events=parts.decided_events(row),
        acts=parts.decision(request, row, link(request, "below_zero_decide", pk=pk)),
    )  # fmt: skip
    return parts.page_shown(request, shown)


@needs(*READ, Can.BATCH_APPROVE)
@require_POST
def below_zero_decide(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """A second person agrees or does not."""
    row = get_object_or_404(NegativeDecision.objects.select_related("participant__pay_group__calendar"), pk=pk)
    state, reason = parts.asked(request)
    by: Any = request.user
    parts.answered(
        request, lambda: negatives.negative_decide(decision=row, state=state, decided_by=by, reason=reason),
        f"Pay below zero of {row.participant.name}: {State(state).label.lower()}.",
    )  # fmt: skip
    return redirect("below_zero", tenant=tenant, pk=pk)


# ------------------------------------------------------------------ above a settlement's cap


@needs(*READ, Can.BATCH_SUBMIT)
@require_http_methods(["GET", "POST"])
def cap_review_add(request: HttpRequest, tenant: str, settled: int) -> HttpResponse:
    """Proposes how much is paid of what the cap of a posted period took; a second person agrees."""
    row = get_object_or_404(BatchSettlement.objects.select_related("participant", "plan"), pk=settled)
    found = [one for one in cap_reviews.cap_reviews_open() if one.settlement == row]
    if not found:
        return redirect("review_list", tenant=tenant)
    form = CapReviewForm(request.POST or None, initial={"pay": plain_money(found[0].amount_minor, row.currency)})
    if request.method == "POST" and form.is_valid():
        by: Any = request.user
        said = form.cleaned_data
        made = parts.tried(
            form, lambda: cap_reviews.cap_review_prepare(
                settlement=row, pay_minor=parse_money(said["pay"], row.currency), reason=said["reason"], prepared_by=by
            ),
        )  # fmt: skip
        if made is not None:
            return redirect("cap_review", tenant=tenant, pk=made.pk)
    title = f"{row.participant.name}, {found[0]}: {format_money(found[0].amount_minor, row.currency)} above the cap"
    return parts.page_form(request, "review_list", title, form, "Propose it", "A second person agrees, or does not.")


@needs(*READ)
@require_GET
def cap_review(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """One review of what a cap took, and its decision."""
    row = get_object_or_404(
        SettlementReview.objects.select_related("participant", "plan", "prepared_by", "decided_by", "adjustment"), pk=pk
    )
    facts = [
        Fact("Person", row.participant.name), Fact("Plan", row.plan.name),
        Fact("Period", f"{row.period_starts_on:%B %Y}"), Fact("Above the cap", money(row.amount_minor, row.currency)),
        Fact("To be paid", money(row.pay_minor, row.currency)), Fact("State", parts.state_mark(row)),
    ]  # fmt: skip
    if row.adjustment is not None:
        url = link(request, "adjustment", pk=row.adjustment.pk)
        facts.append(Fact("Paid by", row.adjustment.name, f"{day(row.adjustment.day)}", url))
    shown = parts.Shown(
        title=f"Above the cap: {row.participant.name}", lead=row.reason, facts=facts,
        back=Link("Windfalls", link(request, "review_list")), events=parts.decided_events(row),
        acts=parts.decision(request, row, link(request, "cap_review_decide", pk=pk)),
    )  # fmt: skip
    return parts.page_shown(request, shown)


@needs(*READ, Can.BATCH_APPROVE)
@require_POST
def cap_review_decide(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """A second person agrees or does not."""
    row = get_object_or_404(SettlementReview, pk=pk)
    state, reason = parts.asked(request)
    by: Any = request.user
    parts.answered(
        request, lambda: cap_reviews.cap_review_decide(review=row, state=state, decided_by=by, reason=reason),
        f"The review: {State(state).label.lower()}.",
    )  # fmt: skip
    return redirect("cap_review", tenant=tenant, pk=pk)


below_zero_urls = [
    path("below-zero/new/<int:participant>/", below_zero_add, name="below_zero_add"),
    path("below-zero/<int:pk>/", below_zero, name="below_zero"),
    path("below-zero/<int:pk>/decide/", below_zero_decide, name="below_zero_decide"),
    path("caps/new/<int:settled>/", cap_review_add, name="cap_review_add"),
    path("caps/<int:pk>/", cap_review, name="cap_review"),
    path("caps/<int:pk>/decide/", cap_review_decide, name="cap_review_decide"),
]
