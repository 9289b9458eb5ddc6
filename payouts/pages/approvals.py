"""Approval: a batch's chain on its page, what waits for whom, deputies, and the handing on of one decision."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.errors import CompError, ProblemsError, told
from comp.tenancy.capabilities import Can
from comp.tenancy.models import User
from comp.web.access import needs
from comp.web.forms import DateInput, add_problems
from comp.web.paging import paginate
from comp.web.parts import ChainStep, Link
from payouts.models import ApprovalStage, Batch, Deputy
from payouts.reads.approval_rules import payout_readers, rule_told
from payouts.reads.approvals import (
    Turn,
    Waiting,
    deputies_known,
    new_approvers,
    stages_of,
    turn_of,
    waiting_for,
    who_decides,
)
from payouts.selectors_batches import batches_visible
from payouts.services.approval_rules import deputy_add, deputy_revoke
from payouts.services.approvals import stage_delegate

PER_PAGE = 25
State = ApprovalStage.State


class PersonField(forms.ModelChoiceField):
    """Somebody who sees payouts, other than the one who asks."""

    def __init__(self, label: str) -> None:
        super().__init__(queryset=User.objects.none(), label=label)

    def but(self, user: Any) -> None:
        self.queryset = payout_readers().exclude(pk=user.pk)


class DelegateForm(forms.Form):
    """Who decides on this batch instead, and why."""

    to = PersonField("Who decides instead")
    reason = forms.CharField(label="Why", max_length=500, help_text="It stays in the audit trail.")

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["to"].but(user)  # type: ignore[attr-defined]


class DeputyForm(forms.Form):
    """Who decides in one's place, and on which days."""

    deputy = PersonField("Who decides for you")
    starts_on = forms.DateField(label="From", widget=DateInput)
    ends_on = forms.DateField(label="Until", widget=DateInput, required=False, help_text="The day you are back.")
    reason = forms.CharField(label="Why", max_length=500)

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["deputy"].but(user)  # type: ignore[attr-defined]


# ------------------------------------------------------------------ on the page of a batch


def chain_parts(request: HttpRequest, batch: Batch) -> dict[str, Any]:
    """What the page of a batch shows of its approval: whose turn it is, the rule, what to look at."""
    stages = list(stages_of(batch))
    submitted = batch.state == Batch.State.SUBMITTED
    turn = turn_of(batch, request.user) if submitted else Turn()  # type: ignore[arg-type]
    mine = turn.stage is not None
    rule = stages[0].rule if stages else None
    return {
        "turn": turn,
        "rule_told": rule_told(rule) if stages else "",
        "rule": rule,
        "new_approvers": new_approvers(batch) if submitted else [],
        "last_to_sign": mine and sum(stage.state != State.APPROVED for stage in stages) == 1,
        "delegate_form": DelegateForm(user=request.user) if mine and not turn.as_deputy_of else None,
        "voided": [stage for stage in stages if stage.state == State.VOIDED and stage.decided_by],
    }


def stage_steps(batch: Batch) -> list[ChainStep]:
    """The batch's signatures as steps of its way."""
    return [_step(stage) for stage in stages_of(batch)]


def _step(stage: ApprovalStage) -> ChainStep:
    if stage.decided_at is not None:
        instead = f" for {stage.as_deputy_of}" if stage.as_deputy_of else ""
        note = f"{stage.decided_by}{instead}, {timezone.localtime(stage.decided_at):%-d %b %Y, %H:%M}"
        return ChainStep(stage.name, "done" if stage.state == State.APPROVED else "refused", note)
    state = {State.OPEN: "current", State.VOIDED: "refused"}.get(State(stage.state), "todo")
    return ChainStep(stage.name, state, f"by {who_decides(stage)}")


def next_told(batch: Batch) -> str:
    """Who decides next, as a sentence."""
    step = next((step for step in stage_steps(batch) if step.state == "current"), None)
    return f"{step.what} is next, {step.note}." if step else ""


def only_deciders(request: HttpRequest, batch: Batch) -> None:
    """Answers 404 to whoever may neither approve payouts nor decide on this batch by its chain."""
    if Can.BATCH_APPROVE in request.can:  # type: ignore[attr-defined]
        return
    if turn_of(batch, request.user).stage is None:  # type: ignore[arg-type]
        raise Http404("this batch is decided by others")


def decisions(request: HttpRequest) -> list[Waiting]:
    """What waits for the visitor's decision, for the pages that people begin their day with."""
    if Can.BATCH_READ not in request.can:  # type: ignore[attr-defined]
        return []
    return waiting_for(request.user)  # type: ignore[arg-type]


# ------------------------------------------------------------------ pages


@needs(Can.BATCH_READ)
@require_GET
def decision_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """The batches that wait for the visitor, the longest waiting first, and those that wait for others."""
    own = decisions(request)
    others = batches_visible().filter(state=Batch.State.SUBMITTED).exclude(pk__in=[one.batch.pk for one in own])
    context = {
        "own": own,
        "others": [(batch, next_told(batch)) for batch in others],
        "crumbs": _crumbs(request),
    }
    return render(request, "payouts/approvals/decisions.html", context)


@needs(Can.BATCH_READ)
@require_POST
def batch_delegate(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Hands the open stage of the batch to somebody else."""
    batch = get_object_or_404(batches_visible(), pk=pk)
    only_deciders(request, batch)
    form = DelegateForm(request.POST, user=request.user)
    if not form.is_valid():
        messages.error(request, " ".join(_first_errors(form)))
        return redirect("batch", tenant=tenant, pk=pk)
    to = form.cleaned_data["to"]
    try:
        stage_delegate(batch=batch, delegated_by=request.user, **form.cleaned_data)  # type: ignore[arg-type]
    except CompError as error:
        messages.error(request, told(error))
    else:
        messages.success(request, f"{to} may decide on {batch} in your place now. So may you, still.")
    return redirect("batch", tenant=tenant, pk=pk)


def _first_errors(form: forms.Form) -> Iterable[str]:
    return (f"{form.fields[name].label}: {errors[0]}" for name, errors in form.errors.items())


@needs(Can.BATCH_READ)
@require_http_methods(["GET", "POST"])
def deputy_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """Who decides for whom and when; the visitor names deputies of their own."""
    initial = {"starts_on": timezone.localdate()}
    form = DeputyForm(request.POST or None, initial=initial, user=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            made = deputy_add(person=request.user, **form.cleaned_data)  # type: ignore[arg-type]
        except ProblemsError as error:
            add_problems(form, error)
        else:
            messages.success(request, f"{made.deputy} decides for you from {made.starts_on:%-d %B %Y}.")
            return redirect("deputy_list", tenant=tenant)
    page = paginate(request, deputies_known(), PER_PAGE)
    context = {
        "form": form,
        "page_obj": page,
        "own": {row.pk for row in page if request.user.pk in (row.person_id, row.deputy_id) and not row.revoked_at},
        "today": timezone.localdate(),
        "crumbs": _crumbs(request),
    }
    return render(request, "payouts/approvals/deputies.html", context, status=422 if form.errors else 200)


@needs(Can.BATCH_READ)
@require_POST
def deputy_end(request: HttpRequest, tenant: str, deputy: int) -> HttpResponse:
    """Ends a deputy at once."""
    row = get_object_or_404(Deputy, pk=deputy)
    try:
        deputy_revoke(deputy=row, revoked_by=request.user)  # type: ignore[arg-type]
    except ProblemsError as error:
        messages.error(request, str(error.problems[0].message))
    else:
        messages.success(request, f"{row} ended. What was decided stands.")
    return redirect("deputy_list", tenant=tenant)


def _crumbs(request: HttpRequest) -> list[Link]:
    return [Link("Payouts", reverse("batch_list", args=[request.tenant.slug]))]  # type: ignore[attr-defined]


approval_urls: list[URLPattern] = [
    path("decisions/", decision_list, name="decision_list"),
    path("decisions/deputies/", deputy_list, name="deputy_list"),
    path("decisions/deputies/<int:deputy>/end/", deputy_end, name="deputy_end"),
    path("payouts/<int:pk>/delegate/", batch_delegate, name="batch_delegate"),
]
