"""Rates of exchange: which hold, one said or taken back, its history, many from a file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.audit.models import AuditEntry
from comp.core.days import DayError, parse_day
from comp.core.errors import ProblemsError, told
from comp.people.models import ExchangeRate
from comp.people.rates import Rate, rate_set, rates_set
from comp.people.rates_file import COLUMNS, ROWS, Wrong, lines_of, rates_read
from comp.people.selectors import rate_pairs, rates_on, rates_standing, today
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.forms import DateInput, add_problems, table_as_csv
from comp.web.paging import paginate
from comp.web.parts import Link
from comp.web.sizes import takes_file

#: Of a file so many rates are shown before they are said; all are checked.
SHOWN = 50
#: A file may be so large: ROWS of them are less.
BYTES = 2 * 2**20


class RateForm(forms.Form):
    """One rate."""

    source = forms.CharField(label="One unit of", max_length=3, help_text="A currency code, such as GBP.")
    target = forms.CharField(label="In units of", max_length=3)
    rate = forms.CharField(label="Rate", max_length=30, help_text="At most 10 decimals.")
    starts_on = forms.DateField(label="From", widget=DateInput)
    ends_on = forms.DateField(label="Until", widget=DateInput, required=False, help_text="Empty: until the next rate.")
    kind = forms.ChoiceField(label="Kind", choices=ExchangeRate.Kind.choices)

    def clean_source(self) -> str:
        return str(self.cleaned_data["source"]).strip().upper()

    def clean_target(self) -> str:
        return str(self.cleaned_data["target"]).strip().upper()


class FileForm(forms.Form):
    """A table, CSV or XLSX; its cleaned value is the same as plain CSV."""

    file = forms.FileField(
        label="Rates, CSV or XLSX",
        help_text="You see them before they count.",
        widget=forms.FileInput(attrs={"data-most": BYTES}),
    )

    def clean_file(self) -> str:
        return table_as_csv(self.cleaned_data["file"], rows=ROWS)


@needs(Can.PLAN_READ)
@require_GET
def rate_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """The rates that stand, newest first; `pair` narrows them, `on` asks which hold on a day."""
    pair, asked = request.GET.get("pair", ""), request.GET.get("on", "")
    try:
        on = parse_day(asked) if asked else None
    except DayError:
        on = None
    found = rates_on(on, pair) if on else rates_standing(pair)
    if request.GET.get("format") == "csv":
        cells = ((r.source, r.target, r.kind, r.starts_on, r.ends_on or "", r.rate) for r in found)
        return csv_response("rates", COLUMNS, cells)
    page = paginate(request, found)
    context = {
        "page_obj": page,
        "rows": list(page),
        "pairs": rate_pairs(),
        "pair": pair,
        "on": on,
        "narrowed": bool(pair or on),
        "query": f"?pair={pair}&on={on or ''}&format=csv",
        "may_edit": Can.PLAN_EDIT in request.can,  # type: ignore[attr-defined]
    }
    return render(request, "people/rate_list.html", context)


@needs(Can.PLAN_EDIT)
@require_http_methods(["GET", "POST"])
def rate_add(request: HttpRequest, tenant: str) -> HttpResponse:
    """Says a rate. `source` and `from` may come with the address, from a question about credits."""
    own = request.tenant.currency  # type: ignore[attr-defined]
    asked = {name: request.GET[name] for name in ("source", "target", "kind") if name in request.GET}
    initial = {"source": "", "target": own, **asked, "starts_on": request.GET.get("from") or today()}
    form = RateForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            row = rate_set(**form.cleaned_data)
        except ProblemsError as error:
            add_problems(form, error)
        else:
            messages.success(request, f"{row}: {row.rate.normalize():f} from {row.starts_on:%-d %B %Y}.")  # type: ignore[union-attr]
            return redirect("rate", tenant=tenant, pk=row.pk)
    crumbs = [Link("Rates of exchange", reverse("rate_list", kwargs={"tenant": tenant}))]
    context = {"form": form, "crumbs": crumbs}
    return render(request, "people/rate_add.html", context, status=422 if form.errors else 200)


@needs(Can.PLAN_READ)
@require_GET
def rate(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """What was ever said of a pair and kind for one first day, by whom; what stands can be corrected or taken back."""
    row = get_object_or_404(ExchangeRate, pk=pk)
    revisions = list(_same(row).order_by("-revision"))
    entries = AuditEntry.objects.filter(
        subject_kind="people.exchangerate", subject_id__in=[str(each.pk) for each in revisions]
    )
    by = {entry.subject_id: entry.actor_label for entry in entries}
    context = {
        "row": revisions[0],
        "history": [(each, by.get(str(each.pk), "")) for each in revisions],
        "crumbs": [Link("Rates of exchange", reverse("rate_list", kwargs={"tenant": tenant}))],
        "may_edit": Can.PLAN_EDIT in request.can,  # type: ignore[attr-defined]
    }
    return render(request, "people/rate.html", context)


@needs(Can.PLAN_EDIT)
@require_POST
def rate_change(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Another rate for the same first day, or none: what was said is kept as a revision."""
    row = get_object_or_404(ExchangeRate, pk=pk)
    stands = _same(row).order_by("-revision")[0]
    said = request.POST.get("rate", "").strip()
    back = request.POST.get("act") == "back"
    try:
        rate_set(
            source=row.source, target=row.target, kind=row.kind, starts_on=row.starts_on,
            rate=None if back else said, ends_on=stands.ends_on,
        )  # fmt: skip
    except ProblemsError as error:
        messages.error(request, told(error))
    else:
        messages.success(request, f"{row} from {row.starts_on:%-d %B %Y}: {'taken back' if back else said}.")
    return redirect("rate", tenant=tenant, pk=pk)


@takes_file(BYTES)
@needs(Can.PLAN_EDIT)
@require_http_methods(["GET", "POST"])
def rate_upload(request: HttpRequest, tenant: str) -> HttpResponse:
    """Many rates from a file: first checked and shown, then said, all or none."""
    checked = request.POST.get("checked", "")
    form = FileForm(None if checked else request.POST or None, request.FILES or None)
    context: dict[str, Any] = {
        "form": form,
        "columns": COLUMNS,
        "crumbs": [Link("Rates of exchange", reverse("rate_list", kwargs={"tenant": tenant}))],
    }
    if request.method == "POST" and (checked or form.is_valid()):
        text = checked or form.cleaned_data["file"]
        try:
            rates, wrong = _read(request, text)
        except ProblemsError as error:
            add_problems(form, error) if form.is_bound else messages.error(request, str(error))
            return render(request, "people/rate_upload.html", context, status=422)
        if checked and not wrong:
            count = rates_set(rates=rates)
            messages.success(request, f"{count:,} of {len(rates):,} rates are new or others; the rest stood already.")
            return redirect("rate_list", tenant=tenant)
        page = paginate(request, wrong, SHOWN)
        context |= {"text": text, "rates": rates, "shown": rates[:SHOWN], "wrong": wrong, "wrong_page": page}
    return render(request, "people/rate_upload.html", context, status=422 if form.errors else 200)


def _read(request: HttpRequest, text: str) -> tuple[list[Rate], list[Wrong]]:
    own = request.tenant.currency  # type: ignore[attr-defined]
    return rates_read(lines_of(text), own=own)


def _same(row: ExchangeRate) -> Any:
    return ExchangeRate.objects.filter(source=row.source, target=row.target, kind=row.kind, starts_on=row.starts_on)
