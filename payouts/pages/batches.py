"""Payouts for Finance: what is open, what waits for a signature, what was paid. Exceptions first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.paging import paginate
from comp.web.parts import Link
from payouts import selectors_batches as reads
from payouts.models import Batch, LargeStep
from payouts.pages.approvals import chain_parts, decisions, next_told, only_deciders
from payouts.pages.batch_parts import (
    BATCH_HEADER,
    PER_PAGE,
    POSTED,
    SHOWN_FIRST,
    batch_cells,
    before_signing,
    card,
    chain,
    crumbs,
    csv_link,
    figures,
    lines_csv,
    lines_page,
    view_of,
)
from payouts.pages.batch_steps import batch_or_404, step_shown, take
from payouts.pages.periods import UnlockForm
from payouts.reads.alerts import alerts_standing
from payouts.reads.approvals import Turn
from payouts.reads.batch_people import people_of
from payouts.reads.closing import check_rows, checks_of, checks_to_do, due_items, posting_progress
from payouts.reads.going_out import without_payout
from payouts.reads.large import step_of
from payouts.reads.negatives import why_open
from payouts.services.unconverted import awaiting_rates, why_unsettled


class ReasonForm(forms.Form):
    """Why a batch goes back."""

    reason = forms.CharField(
        label="What has to change",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The person who submitted it reads this, and it stays in the audit trail.",
    )


# ------------------------------------------------------------------ pages


@needs(Can.BATCH_READ)
@require_GET
def batch_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """Each pay group's open period, and the batches so far; `group` narrows both, `csv` downloads the batches."""
    groups = list(reads.pay_groups_visible().select_related("calendar"))
    chosen = request.GET.get("group", "")
    shown = [group for group in groups if chosen in ("", group.key)]
    past = reads.batches_visible().filter(pay_group__in=shown)
    if "csv" in request.GET:
        return csv_response("payouts", BATCH_HEADER, [row for batch in past for row in batch_cells(batch)])
    links = [
        Link("All pay groups", "?", not chosen),
        *(Link(g.name, f"?group={g.key}", g.key == chosen) for g in groups),
    ]
    page = paginate(request, past, PER_PAGE)
    due = due_items(page.object_list, timezone.localdate())
    for one in page.object_list:
        one.due = due.get(one.pk)
    can = request.can  # type: ignore[attr-defined]
    context = {
        "decisions": decisions(request),
        "cards": [card(request, reads.open_of(group)) for group in shown],
        "sum": reads.decided_totals(past),
        "csv": csv_link(request),
        "page": page,
        "groups": links if len(groups) > 1 else [],
        "may_edit_checklist": Can.BATCH_SUBMIT in can,
        "stuck": len(without_payout()),
        "mine_to_do": checks_to_do(request.user).count(),  # type: ignore[arg-type]
    }
    return render(request, "payouts/batches/list.html", context)


@needs(Can.BATCH_READ)
@require_GET
def batch(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """One batch: figures, chain, exceptions, what to know before signing, and its lines in three views."""
    found = batch_or_404(pk)
    view = view_of(request)
    if "csv" in request.GET:
        return lines_csv(request, found, view, f"{found.name} {view}")
    people = people_of(found, SHOWN_FIRST)
    checks = check_rows(checks_of(found), request.user, timezone.localdate())  # type: ignore[arg-type]
    parts = chain_parts(request, found)
    context = {
        **figures(request, found, people),
        "batch": found,
        "replaced_by": reads.batches_visible().filter(replaces=found).first(),
        "crumbs": crumbs(request, found.pay_group),
        "chain": chain(found),
        "facts": before_signing(request, found),
        "reason_form": ReasonForm(),
        "unlock_form": UnlockForm(),
        "checks": checks,
        "checks_done": sum(row.check.done_at is not None for row in checks),
        **step_shown(request, step_of(found.pay_group, found)),
        "progress": posting_progress(found) if found.state == Batch.State.APPROVED else None,
        "may": _may(request, found, parts["turn"]),
        **parts,
        **lines_page(request, found, view, people),
    }
    return render(request, "payouts/batches/batch.html", context)


@needs(Can.BATCH_READ, Can.BATCH_SUBMIT)
@require_http_methods(["GET", "POST"])
def batch_submit(request: HttpRequest, tenant: str, group: str) -> HttpResponse:
    """What a batch of the open period would hold, exceptions first; posting it submits exactly that period."""
    pay_group = get_object_or_404(reads.pay_groups_visible().select_related("calendar"), key=group)
    opened = reads.open_of(pay_group)
    if request.method == "POST":
        if request.POST.get("starts_on") != opened.starts_on.isoformat():
            messages.error(
                request, f"{pay_group}: another period is open now, {opened.name}. Look at it before you submit."
            )
            return redirect("batch_submit", tenant=tenant, group=group)
        made = take(request, LargeStep.Step.SUBMIT, opened)
        if made is None:
            return redirect("batch_submit", tenant=tenant, group=group)
        messages.success(request, f"{made} is submitted. Somebody else has to approve it now.")
        return redirect("batch", tenant=tenant, pk=made.pk)
    view = view_of(request)
    if "csv" in request.GET:
        return lines_csv(request, opened, view, f"{opened.name} {pay_group.name} {view}")
    people = people_of(opened, SHOWN_FIRST)
    context = {
        **figures(request, opened, people),
        "open": opened,
        "crumbs": crumbs(request, pay_group),
        "last_day": opened.ends_on - timedelta(days=1),
        "still_runs": timezone.localdate() < opened.ends_on,
        **step_shown(request, step_of(pay_group)),
        "pending": reads.scopes_pending(pay_group),
        "failed": reads.scopes_failed(pay_group),
        "alerts": alerts_standing(pay_group),
        "short": why_open(pay_group, opened.starts_on) or why_unsettled(awaiting_rates(pay_group)),
        "unconverted": len(reads.unconverted(opened)),
        "without_rate": reads.without_rate(opened),
        "facts": before_signing(request, opened),
        **lines_page(request, opened, view, people),
    }
    return render(request, "payouts/batches/submit.html", context)


@needs(Can.BATCH_READ)
@require_http_methods(["GET", "POST"])
def batch_approve(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """States count, total and digest once more, and asks who is there again; posting approves what was shown."""
    found = batch_or_404(pk)
    only_deciders(request, found)
    try:
        _is_still_you(request)
    except ReauthenticationRequired:
        if request.method == "GET":
            raise
        # A post taken up again after log-in would run outside the tenant: the question is put again instead.
        return redirect("batch_approve", tenant=tenant, pk=pk)
    if request.method == "POST":
        digest = request.POST.get("digest", "")
        done = take(request, LargeStep.Step.APPROVE, found, digest=digest)
        if done is not None:
            if done.state == Batch.State.SUBMITTED:
                messages.success(request, f"You approved your stage of {done}. {next_told(done)}")
            elif done.state == Batch.State.POSTED:
                messages.success(request, f"{done} is approved and posted. Payroll can have its file now.")
            else:
                messages.success(request, f"{done} is approved. It is being posted; this page follows it.")
        return redirect("batch", tenant=tenant, pk=pk)
    if found.state != Batch.State.SUBMITTED:
        messages.info(request, f"{found} is {found.get_state_display().lower()}: there is nothing to approve.")
        return redirect("batch", tenant=tenant, pk=pk)
    trail = [*crumbs(request), Link(found.name, f"/t/{tenant}/payouts/{pk}/")]
    context = {
        "batch": found,
        "crumbs": trail,
        "count": people_of(found, 0).exception_count,
        "moved": reads.differences(found),
        **chain_parts(request, found),
    }
    return render(request, "payouts/batches/approve.html", context)


@needs(Can.BATCH_READ)
@require_POST
def batch_reject(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Sends the batch back with a reason; its period opens again."""
    found = batch_or_404(pk)
    only_deciders(request, found)
    reason = request.POST.get("reason", "")[:2000]
    done = take(request, LargeStep.Step.REJECT, found, reason=reason)
    if done is not None:
        messages.success(request, f"{done} is sent back. Its period is open again.")
    return redirect("batch", tenant=tenant, pk=pk)


batch_urls = [
    path("payouts/", batch_list, name="batch_list"),
    path("payouts/open/<slug:group>/", batch_submit, name="batch_submit"),
    path("payouts/<int:pk>/", batch, name="batch"),
    path("payouts/<int:pk>/approve/", batch_approve, name="batch_approve"),
    path("payouts/<int:pk>/reject/", batch_reject, name="batch_reject"),
]


# ------------------------------------------------------------------ steps


@reauthentication_required
def _is_still_you(request: HttpRequest) -> None:
    """Raises ReauthenticationRequired unless the password (or second factor) was given again within five minutes."""


def _may(request: HttpRequest, found: Batch, turn: Turn) -> dict[str, Any]:
    """Which steps this person may take now; `why_not` says why a decision is not theirs."""
    can = request.can  # type: ignore[attr-defined]
    return {
        "decide": turn.stage is not None,
        "why_not": turn.why_not if Can.BATCH_APPROVE in can else "",
        "submit": Can.BATCH_SUBMIT in can,
        "send": found.state == Batch.State.IN_REVIEW and Can.BATCH_SUBMIT in can,
        **_may_unlock(request, found),
        "close": found.state == Batch.State.PAID and Can.BATCH_PAY in can,
        "export": found.state in POSTED and Can.BATCH_PAY in can,
        "pay": found.state == Batch.State.POSTED and found.exported_at is not None and Can.BATCH_PAY in can,
    }


def _may_unlock(request: HttpRequest, found: Batch) -> dict[str, bool]:
    can = request.can  # type: ignore[attr-defined]
    before_posting = (Batch.State.IN_REVIEW, Batch.State.SUBMITTED, Batch.State.APPROVED)
    possible = found.state in before_posting and not found.ledger_head
    asked = found.void_asked_by_id is not None
    return {
        "unlock": possible and not asked and Can.BATCH_SUBMIT in can,
        "unlock_drop": possible and asked and Can.BATCH_SUBMIT in can,
        "unlock_confirm": possible and asked and found.void_asked_by_id != request.user.pk and Can.BATCH_APPROVE in can,
    }
