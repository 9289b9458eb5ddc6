"""Payroll: how each provider wants its file, what it answered, and the differences that wait for a decision."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.errors import ProblemsError
from comp.core.sheets import XLSX_BYTES
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.forms import add_problems, table_as_csv
from comp.web.paging import paginate
from comp.web.parts import Link
from comp.web.sizes import takes_file
from payouts import selectors_batches as batches_read
from payouts.exports.files import ExportError, File
from payouts.exports.mapping import ANSWER, COLUMNS, DATES, DECIMALS, DELIMITERS, FIELDS, FREE, GROUPINGS, pairs_of
from payouts.models import AnswerRow, PayrollAnswer, PayrollProvider, PayrollRun
from payouts.pages.batch_steps import attempt, batch_or_404
from payouts.pages.payments import amount, trail
from payouts.reads import payments as reads
from payouts.services import payroll_answers, payroll_files

PER_PAGE = 50
PAY = (Can.BATCH_READ, Can.BATCH_PAY)
#: Lines of a preview.
SHOWN = 12


class ProviderForm(forms.Form):
    """A provider's mapping as people write it: lists are lines `left = right`."""

    name = forms.CharField(max_length=120)
    key = forms.SlugField(max_length=50, help_text="Short and lasting, such as adp-us.")
    shape = forms.ChoiceField(label="Form of the file", choices=PayrollProvider.Shape.choices)
    columns = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text="For columns of your own, in their order: title = field. Fields: " + ", ".join(FIELDS) + ".",
    )
    codes = forms.CharField(
        label="Pay codes",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="plan/component = code, plan = code, and * = code for everything else.",
    )
    grouping = forms.ChoiceField(label="Rows", choices=list(GROUPINGS.items()))
    company = forms.CharField(label="Company code", max_length=3, required=False, help_text="ADP's Co Code.")
    currency = forms.CharField(
        label="Only this currency", max_length=3, required=False, help_text="For a file without a column for it."
    )
    dates = forms.ChoiceField(label="Days", choices=[(one, one) for one in DATES])
    decimals = forms.ChoiceField(label="Decimal sign", choices=[(one, one) for one in DECIMALS])
    delimiter = forms.ChoiceField(label="Sign between cells", choices=[(one, one) for one in DELIMITERS])
    answer = forms.CharField(
        label="Columns of the answer",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="field = title, where a title is another one. Fields: " + ", ".join(ANSWER) + ".",
    )
    paid_words = forms.CharField(label="Words for paid", required=False, help_text="With commas between them.")
    rejected_words = forms.CharField(label="Words for rejected", required=False)
    active = forms.BooleanField(required=False, initial=True, label="Offered for exports")

    def settings(self) -> dict[str, Any]:
        """What the service takes. Raises ProblemsError for lines that are no pairs."""
        said = self.cleaned_data
        words = {
            name: [w.strip() for w in said[f"{name}_words"].split(",") if w.strip()] for name in ("paid", "rejected")
        }
        return {
            "columns": [list(pair) for pair in pairs_of(said["columns"], "columns")] if said["shape"] in FREE else [],
            "codes": dict(pairs_of(said["codes"], "codes")),
            **{name: said[name] for name in ("grouping", "dates", "decimals", "delimiter")},
            "company": said["company"],
            "currency": said["currency"].upper(),
            "answer": {"columns": dict(pairs_of(said["answer"], "answer")), **words},
        }


def _initial(provider: PayrollProvider) -> dict[str, Any]:
    kept = provider.settings
    answer = kept.get("answer") or {}
    lines = {name: "\n".join(f"{a} = {b}" for a, b in pairs) for name, pairs in (
        ("columns", kept.get("columns") or COLUMNS[provider.shape]),
        ("codes", (kept.get("codes") or {}).items()),
        ("answer", (answer.get("columns") or {}).items()),
    )}  # fmt: skip
    words = {f"{name}_words": ", ".join(answer.get(name) or []) for name in ("paid", "rejected")}
    own = {name: getattr(provider, name) for name in ("name", "key", "shape", "active")}
    return {**kept, **lines, **words, **own}


class AnswerForm(forms.Form):
    """Payroll's answer: a table, CSV or XLSX; its cleaned value is the same as plain CSV."""

    run = forms.ModelChoiceField(PayrollRun.objects.none(), label="Of", empty_label=None)
    provider = forms.ModelChoiceField(
        PayrollProvider.objects.none(),
        required=False,
        empty_label="Columns as Comp calls them",
        help_text="Whose columns and words it has.",
    )
    file = forms.FileField(
        label="File, CSV or XLSX",
        help_text="You see what it says before anything changes.",
        widget=forms.FileInput(attrs={"data-most": XLSX_BYTES}),
    )
    rest_paid = forms.BooleanField(required=False, label="Whom it does not name was paid as asked")

    def clean_file(self) -> str:
        return table_as_csv(self.cleaned_data["file"], rows=payroll_answers.MOST_ROWS)


# ------------------------------------------------------------------ payroll, its providers


@needs(*PAY)
@require_GET
def payroll(request: HttpRequest, tenant: str) -> HttpResponse:
    """Open differences first, then providers, and the last answers."""
    differences = reads.differences_open()
    if "csv" in request.GET:
        return csv_response("payroll differences", DIFFERENCES, [difference_cells(row) for row in differences])
    page = paginate(request, differences, PER_PAGE)
    groups = batches_read.pay_groups_visible()
    answers = PayrollAnswer.objects.filter(run__batch__pay_group__in=groups).select_related("run__batch", "uploaded_by")
    context = {
        "page": page,
        "rows": [(row, allowed(row)) for row in page.object_list],
        "providers": PayrollProvider.objects.order_by("-active", "name"),
        "answers": answers.order_by("-id")[:20],
    }
    return render(request, "payouts/payments/payroll.html", context)


@needs(*PAY)
@require_http_methods(["GET", "POST"])
def provider_add(request: HttpRequest, tenant: str) -> HttpResponse:
    return _provider(request, tenant, None)


@needs(*PAY)
@require_http_methods(["GET", "POST"])
def provider_edit(request: HttpRequest, tenant: str, provider: int) -> HttpResponse:
    return _provider(request, tenant, get_object_or_404(PayrollProvider, pk=provider))


def _provider(request: HttpRequest, tenant: str, provider: PayrollProvider | None) -> HttpResponse:
    """A provider's mapping, tried on a real batch before it is kept."""
    form = ProviderForm(request.POST or None, initial=_initial(provider) if provider else {"codes": "* = COMM"})
    tried_on = batches_read.batches_visible().exclude(totals={}).first()
    shown: File | None = None
    if request.method == "POST" and form.is_valid():
        try:
            settings, said = form.settings(), form.cleaned_data
            if request.POST.get("step") == "preview":
                if tried_on is not None:
                    shown = payroll_files.preview(batch=tried_on, shape=said["shape"], settings=settings)
            else:
                kept = payroll_files.provider_set(
                    provider=provider,
                    key=said["key"],
                    name=said["name"],
                    shape=said["shape"],
                    settings=settings,
                    active=said["active"],
                    by=request.user,  # type: ignore[arg-type]
                )
                messages.success(request, f"{kept} is kept. Files that went out stay as they were.")
                return redirect("payroll", tenant=tenant)
        except ProblemsError as error:
            add_problems(form, error)
        except ExportError as error:
            form.add_error(None, str(error))
    context = {
        "form": form,
        "provider": provider,
        "crumbs": [Link("Payroll", reverse("payroll", args=[tenant]))],
        "tried_on": tried_on,
        "shown": shown,
        "table": shown.table[1 : SHOWN + 1] if shown else [],
    }
    return render(request, "payouts/payments/provider.html", context, status=422 if form.errors else 200)


# ------------------------------------------------------------------ answers


@takes_file(XLSX_BYTES)
@needs(*PAY)
@require_http_methods(["GET", "POST"])
def answer_add(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Uploads what payroll says of a batch's payments."""
    found = batch_or_404(pk)
    runs = reads.runs_of(found)
    if not runs:
        messages.info(request, f"{found}: nothing went to payroll yet, so there is nothing to answer.")
        return redirect("payment_list", tenant=tenant, pk=pk)
    form = AnswerForm(request.POST or None, request.FILES or None)
    form.fields["run"].queryset = runs  # type: ignore[attr-defined]
    form.fields["provider"].queryset = reads.providers()  # type: ignore[attr-defined]
    if request.method == "POST" and form.is_valid():
        try:
            answer = payroll_answers.answer_read(
                run=form.cleaned_data["run"],
                provider=form.cleaned_data["provider"],
                name=getattr(request.FILES["file"], "name", None) or "answer.csv",
                text=form.cleaned_data["file"],
                rest_paid=form.cleaned_data["rest_paid"],
                by=request.user,  # type: ignore[arg-type]
            )
            return redirect("answer", tenant=tenant, answer=answer.pk)
        except ProblemsError as error:
            for problem in error.problems:
                form.add_error("file", str(problem.message))
    context = {"batch": found, "form": form, "crumbs": trail(request, found), "columns": ", ".join(ANSWER.values())}
    return render(request, "payouts/payments/answer_add.html", context, status=422 if form.errors else 200)


def _answer(pk: int) -> PayrollAnswer:
    rows = PayrollAnswer.objects.filter(run__batch__pay_group__in=batches_read.pay_groups_visible())
    return get_object_or_404(rows.select_related("run__batch__pay_group", "uploaded_by", "applied_by"), pk=pk)


@needs(*PAY)
@require_GET
def answer(request: HttpRequest, tenant: str, answer: int) -> HttpResponse:
    """What a file says beside what was asked: before it is applied what it would do, afterwards what it did."""
    found = _answer(answer)
    rows = AnswerRow.objects.filter(answer=found).select_related("participant", "answer__run__batch", "decided_by")
    shown = request.GET.get("show", "differences")
    picked = rows.exclude(difference="") if shown == "differences" else rows
    picked = picked.order_by("line", "id")
    if "csv" in request.GET:
        return csv_response(f"answer {found.name}", DIFFERENCES, [difference_cells(row) for row in picked])
    page = paginate(request, picked, PER_PAGE)
    context = {
        "answer": found,
        "batch": found.run.batch,
        "counts": payroll_answers.answer_counts(found),
        "crumbs": trail(
            request, found.run.batch, Link("Payments", reverse("payment_list", args=[tenant, found.run.batch_id]))
        ),
        "page": page,
        "rows": [(row, allowed(row)) for row in page.object_list],
        "tabs": [
            Link("Differences", "?show=differences", shown == "differences", rows.exclude(difference="").count()),
            Link("All", "?show=all", shown != "differences", rows.count()),
        ],
        "csv": f"?show={'differences' if shown == 'differences' else 'all'}&csv=1",
    }
    return render(request, "payouts/payments/answer.html", context)


@needs(*PAY)
@require_POST
def answer_apply(request: HttpRequest, tenant: str, answer: int) -> HttpResponse:
    """Takes over what the file says."""
    found = _answer(answer)
    done = attempt(request, lambda: payroll_answers.answer_apply(answer=found, by=request.user))  # type: ignore[arg-type]
    if done is not None:
        messages.success(request, f"{done.name} is taken over.")
    return redirect("answer", tenant=tenant, answer=done.pk if done else answer)


@needs(*PAY)
@require_POST
def difference_decide(request: HttpRequest, tenant: str, difference: int) -> HttpResponse:
    """Decides on one difference."""
    row = get_object_or_404(reads.differences_open(), pk=difference)
    done = attempt(
        request,
        lambda: payroll_answers.difference_decide(
            row=row,
            decision=request.POST.get("decision", ""),
            reason=request.POST.get("reason", "")[:2000],
            by=request.user,  # type: ignore[arg-type]
        ),
    )
    if done is not None:
        messages.success(request, f"{done.participant.name}: {done.get_decision_display().lower()}.")
    return redirect("answer", tenant=tenant, answer=row.answer_id)


# ------------------------------------------------------------------ rows

DIFFERENCES = (
    "batch", "line", "employee", "name", "currency", "asked", "answered", "said", "difference", "reason", "decision",
    "decision reason",
)  # fmt: skip


def allowed(row: AnswerRow) -> list[tuple[str, str]]:
    """The decisions that somebody may take on a difference now."""
    if not row.difference or row.decision or row.answer.applied_at is None:
        return []
    return [(one.value, str(one.label)) for one in payroll_answers.ALLOWED[AnswerRow.Difference(row.difference)]]


def difference_cells(row: AnswerRow) -> tuple[Any, ...]:
    return (
        row.answer.run.batch.name,
        row.line or None,
        row.participant.key,
        row.participant.name,
        row.currency,
        amount(row.expected_minor, row.currency),
        amount(row.answered_minor, row.currency),
        row.get_said_display(),
        row.get_difference_display() if row.difference else "",
        row.reason,
        row.get_decision_display() if row.decision else "",
        row.decision_reason,
    )


payroll_urls = [
    path("payroll/", payroll, name="payroll"),
    path("payroll/providers/new/", provider_add, name="provider_add"),
    path("payroll/providers/<int:provider>/", provider_edit, name="provider"),
    path("payouts/<int:pk>/answer/", answer_add, name="answer_add"),
    path("payroll/answers/<int:answer>/", answer, name="answer"),
    path("payroll/answers/<int:answer>/apply/", answer_apply, name="answer_apply"),
    path("payroll/differences/<int:difference>/", difference_decide, name="difference_decide"),
]
