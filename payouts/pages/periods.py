"""The steps of a period around its approval: locked and submitted, opened again by two people, posted, closed; and its
off-cycle batches."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.people.models import Participant
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.live import live_response
from comp.web.paging import paginate
from comp.web.parts import Link
from payouts import selectors_batches as reads
from payouts.models import Batch, LargeStep
from payouts.pages.batch_parts import crumbs
from payouts.pages.batch_steps import attempt, batch_or_404, step_shown, take
from payouts.reads.batch_people import people_of
from payouts.reads.closing import posting_progress
from payouts.reads.large import step_now, step_of
from payouts.services import batches, periods
from payouts.services.large import step_withdraw

PER_PAGE = 100


class UnlockForm(forms.Form):
    """Why a period is opened again."""

    reason = forms.CharField(
        label="Why it has to be opened again",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="A second person reads this and confirms. It stays in the audit trail.",
    )


class PartForm(forms.Form):
    """Why some people wait."""

    reason = forms.CharField(
        label="Why they wait",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="It stands at their held pay, for them and for Finance, until somebody releases it.",
    )


# ------------------------------------------------------------------ lock, submit


@needs(Can.BATCH_READ, Can.BATCH_SUBMIT)
@require_POST
def period_lock(request: HttpRequest, tenant: str, group: str) -> HttpResponse:
    """Takes the open period that was shown for review."""
    pay_group = get_object_or_404(reads.pay_groups_visible().select_related("calendar"), key=group)
    opened = reads.open_of(pay_group)
    if request.POST.get("starts_on") != opened.starts_on.isoformat():
        messages.error(request, f"{pay_group}: another period is open now, {opened.name}. Look at it before you lock.")
        return redirect("batch_submit", tenant=tenant, group=group)
    made = take(request, LargeStep.Step.LOCK, opened)
    if made is None:
        return redirect("batch_submit", tenant=tenant, group=group)
    messages.success(request, f"{made} is locked for review. Submit it when it is as it should be.")
    return redirect("batch", tenant=tenant, pk=made.pk)


@needs(Can.BATCH_READ, Can.BATCH_SUBMIT)
@require_POST
def batch_send(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Gives a batch in review to whoever approves it."""
    found = batch_or_404(pk)
    done = attempt(request, lambda: batches.review_submit(batch=found, submitted_by=_user(request)))
    if done is not None:
        messages.success(request, f"{done} is submitted. Somebody else has to approve it now.")
    return redirect("batch", tenant=tenant, pk=pk)


@needs(Can.BATCH_READ, Can.BATCH_SUBMIT)
@require_http_methods(["GET", "POST"])
def off_cycle(request: HttpRequest, tenant: str, group: str) -> HttpResponse:
    """Who is owed something in the open period; posting it takes the chosen people's as a batch of its own."""
    pay_group = get_object_or_404(reads.pay_groups_visible().select_related("calendar"), key=group)
    opened = reads.open_of(pay_group)
    if request.method == "POST":
        chosen = [int(one) for one in request.POST.getlist("person") if one.isdecimal()]
        people = list(Participant.objects.filter(pk__in=chosen, pay_group=pay_group))
        if not people:
            messages.error(request, "Choose at least one person to pay now.")
            return redirect("off_cycle", tenant=tenant, group=group)
        made = attempt(
            request,
            lambda: periods.off_cycle_lock(pay_group=pay_group, people=people, locked_by=_user(request)),
        )
        if made is None:
            return redirect("off_cycle", tenant=tenant, group=group)
        messages.success(request, f"{made} is locked for review. The period stays open for everybody.")
        return redirect("batch", tenant=tenant, pk=made.pk)
    found = people_of(opened, 0)
    page = paginate(request, found.with_lines, PER_PAGE)
    page.object_list = found.rows_of(page.object_list)
    context = {
        "open": opened,
        "crumbs": crumbs(request, pay_group),
        "page": page,
        "sum": reads.totals(opened.lines),
    }
    return render(request, "payouts/batches/off_cycle.html", context)


# ------------------------------------------------------------------ a part of it


@needs(Can.BATCH_READ, Can.BATCH_APPROVE)
@require_http_methods(["GET", "POST"])
def batch_part(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Leaves people out of a submitted batch: they wait with a reason, and the rest is there to be approved."""
    found = batch_or_404(pk)
    if found.state != Batch.State.SUBMITTED:
        messages.info(request, f"{found} is {found.get_state_display().lower()}: nobody can be left out of it.")
        return redirect("batch", tenant=tenant, pk=pk)
    form = PartForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        chosen = [int(one) for one in request.POST.getlist("person") if one.isdecimal()]
        people = list(Participant.objects.filter(pk__in=chosen))
        said = {"people": [person.pk for person in people], "reason": form.cleaned_data["reason"]}
        made = take(request, LargeStep.Step.PART, found, **said)
        if made is None and step_of(found.pay_group, found):
            return redirect("batch", tenant=tenant, pk=pk)
        if made is not None:
            count = f"{len(people)} {'person waits' if len(people) == 1 else 'people wait'}"
            messages.success(request, f"{count}. The rest is submitted anew: look at it and approve it.")
            return redirect("batch", tenant=tenant, pk=made.pk)
    shown = people_of(found, 0)
    page = paginate(request, shown.with_lines, PER_PAGE)
    page.object_list = shown.rows_of(page.object_list)
    trail = [*crumbs(request), Link(found.name, f"/t/{tenant}/payouts/{pk}/")]
    context = {"batch": found, "crumbs": trail, "form": form, "page": page, "sum": found.totals}
    return render(request, "payouts/batches/part.html", context)


# ------------------------------------------------------------------ unlock, post, close


@needs(Can.BATCH_READ, Can.BATCH_SUBMIT)
@require_POST
def batch_unlock(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Asks for the period to be opened again, or takes the question back."""
    found, user = batch_or_404(pk), _user(request)
    if request.POST.get("act") == "drop":
        if attempt(request, lambda: periods.period_unlock_drop(batch=found, dropped_by=user)):
            messages.success(request, f"{found} stays as it is.")
    else:
        reason = request.POST.get("reason", "")[:2000]
        if attempt(request, lambda: periods.period_unlock_ask(batch=found, asked_by=user, reason=reason)):
            messages.success(request, f"Somebody else has to confirm that {found} is opened again.")
    return redirect("batch", tenant=tenant, pk=pk)


@needs(Can.BATCH_READ, Can.BATCH_APPROVE)
@require_POST
def batch_unlock_confirm(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Opens the period again, as the second person."""
    found = batch_or_404(pk)
    if take(request, LargeStep.Step.UNLOCK, found):
        messages.success(request, f"{found} is opened again. What it held is owed in the open period.")
    return redirect("batch", tenant=tenant, pk=pk)


@needs(Can.BATCH_READ)
@require_GET
def batch_posting(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """How far the posting is, asked for by the batch's page; that is new when it is through."""
    found = batch_or_404(pk)
    progress = posting_progress(found)
    version = progress.version if progress else "posted"
    context = {"batch": found, "progress": progress}
    answer = live_response(request, version, "payouts/batches/_posting.html", context)
    if progress is None:
        answer["HX-Refresh"] = "true"
    return answer


@needs(Can.BATCH_READ)
@require_GET
def batch_step(request: HttpRequest, tenant: str, step: int) -> HttpResponse:
    """How far a step of a large batch is, asked for by the pages that show it; they are new when it ended, or give way
    to the batch that it made."""
    rows = LargeStep.objects.filter(pay_group__in=reads.pay_groups_visible()).select_related("asked_by")
    found = step_now(get_object_or_404(rows, pk=step))
    answer = live_response(request, found.version, "payouts/batches/_step.html", step_shown(request, found))
    if found.step.ended_at is not None:
        if found.step.made_id is not None and found.step.made_id != found.step.batch_id:
            answer["HX-Redirect"] = reverse("batch", args=[tenant, found.step.made_id])
        else:
            answer["HX-Refresh"] = "true"
    return answer


@needs(Can.BATCH_READ)
@require_POST
def batch_step_back(request: HttpRequest, tenant: str, step: int) -> HttpResponse:
    """Takes back a step that no worker has begun, which frees its pay group."""
    rows = LargeStep.objects.filter(pay_group__in=reads.pay_groups_visible()).select_related("batch")
    found = get_object_or_404(rows, pk=step)
    if attempt(request, lambda: step_withdraw(step=found, by=_user(request))):
        messages.success(request, f"{found} is taken back.")
    if found.step == LargeStep.Step.TIE:
        return redirect("parallel", tenant=tenant, pk=found.said["cut_over"])
    if found.batch is None:
        return redirect("batch_list", tenant=tenant)
    return redirect("batch", tenant=tenant, pk=found.batch.pk)


@needs(Can.BATCH_READ, Can.BATCH_PAY)
@require_POST
def batch_close(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Closes a paid batch whose checklist is done."""
    found = batch_or_404(pk)
    if attempt(request, lambda: periods.period_close(batch=found, closed_by=_user(request))):
        messages.success(request, f"{found} is closed.")
    return redirect("batch", tenant=tenant, pk=pk)


def _user(request: HttpRequest) -> Any:
    return request.user


period_urls: list[URLPattern] = [
    path("payouts/open/<slug:group>/lock/", period_lock, name="period_lock"),
    path("payouts/open/<slug:group>/off-cycle/", off_cycle, name="off_cycle"),
    path("payouts/<int:pk>/submit/", batch_send, name="batch_send"),
    path("payouts/<int:pk>/part/", batch_part, name="batch_part"),
    path("payouts/<int:pk>/unlock/", batch_unlock, name="batch_unlock"),
    path("payouts/<int:pk>/unlock/confirm/", batch_unlock_confirm, name="batch_unlock_confirm"),
    path("payouts/<int:pk>/posting/", batch_posting, name="batch_posting"),
    path("payouts/steps/<int:step>/", batch_step, name="batch_step"),
    path("payouts/steps/<int:step>/back/", batch_step_back, name="batch_step_back"),
    path("payouts/<int:pk>/close/", batch_close, name="batch_close"),
]
