"""Journals with the mapping that they go by, and budgets with what of them is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from comp.core.errors import CompError, ProblemsError
from comp.core.money import MoneyError, parse_money
from comp.people.models import Attribute
from comp.people.selectors import today
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import Cell, csv_response
from comp.web.forms import DateInput, Suggest, add_problems, offer, table_as_csv
from comp.web.paging import paginate
from comp.web.sizes import takes_file
from comp.web.xlsx import workbook, xlsx_response
from payouts.models import Account, GlMapping, Journal, JournalLine
from payouts.pages.ledger import crumbs, money_cell, tabs, whole_pay
from payouts.reads import accounting as reads
from payouts.reads.offered import attributes_offered, components_offered, plans_offered
from payouts.selectors import TAKEN
from payouts.services.budgets import COLUMNS, ROWS, budget_set, budgets_from
from payouts.services.journals import journal_make, mapping_set, postings_free
from payouts.services.ledger_checks import POSTED

#: A file of budgets may be so large: ROWS of them are less.
BYTES = 2 * 2**20
_LINE = ("journal", "line", "day", "posting", "account", "code", "name", "cost centre", "entity", "currency")


class MappingForm(forms.Form):
    account = forms.ChoiceField(label="Account", choices=Account.choices)
    plan = forms.CharField(
        label="Plan", max_length=50, required=False, widget=Suggest, help_text="By its key. Empty: any."
    )
    component = forms.CharField(
        label="Component", max_length=50, required=False, widget=Suggest, help_text="Empty: any."
    )
    cost_centre = forms.CharField(
        label="Cost centre", max_length=120, required=False, widget=Suggest, help_text="Empty: any."
    )
    entity = forms.CharField(
        label="Legal entity", max_length=120, required=False, widget=Suggest, help_text="Empty: any."
    )
    code = forms.CharField(label="Account of the general ledger", max_length=40)
    name = forms.CharField(label="Its name", max_length=120)
    starts_on = forms.DateField(label="From", widget=DateInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(
            self,
            plan=plans_offered(),
            component=components_offered(),
            cost_centre=attributes_offered(Attribute.Name.COST_CENTRE),
            entity=attributes_offered(Attribute.Name.ENTITY),
        )


class ThroughForm(forms.Form):
    through = forms.DateField(label="Accounting days up to", widget=DateInput)


class BudgetForm(forms.Form):
    cost_centre = forms.CharField(label="Cost centre", max_length=120, widget=Suggest)
    starts_on = forms.DateField(label="From", widget=DateInput)
    ends_on = forms.DateField(label="Until (exclusive)", widget=DateInput)
    currency = forms.CharField(label="Currency", max_length=3)
    amount = forms.CharField(label="Amount", max_length=20)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, cost_centre=attributes_offered(Attribute.Name.COST_CENTRE))

    def clean(self) -> dict[str, Any]:
        said = self.cleaned_data
        if "amount" in said and "currency" in said:
            said["currency"] = said["currency"].strip().upper()
            try:
                said["amount_minor"] = parse_money(said.pop("amount").strip(), said["currency"])
            except MoneyError as error:
                self.add_error("amount", str(error))
        return said


class FileForm(forms.Form):
    """A table, CSV or XLSX; its cleaned value is the same as plain CSV."""

    file = forms.FileField(label="Budgets, CSV or XLSX", widget=forms.FileInput(attrs={"data-most": BYTES}))

    def clean_file(self) -> str:
        return table_as_csv(self.cleaned_data["file"], rows=ROWS)


# ------------------------------------------------------------------ journals


@needs(Can.LEDGER_READ)
@require_GET
def journal_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """The journals, how many postings none has yet, and the mapping."""
    whole_pay()
    return _journals(request, MappingForm())


def _journals(request: HttpRequest, form: MappingForm, status: int = 200) -> HttpResponse:
    context = {
        "tabs": tabs(request, "journal_list"),
        "page": paginate(request, Journal.objects.select_related("made_by"), 20),
        "free": postings_free(today()),
        "through": ThroughForm(initial={"through": today()}),
        "mappings": list(GlMapping.objects.all()),
        "form": form,
        "may_act": Can.BATCH_PAY in request.can,  # type: ignore[attr-defined]
    }
    return render(request, "payouts/ledger/journals.html", context, status=status)


@needs(Can.LEDGER_READ, Can.BATCH_PAY)
@require_POST
def journal_new(request: HttpRequest, tenant: str) -> HttpResponse:
    """Makes a journal up to an accounting day."""
    whole_pay()
    form = ThroughForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say up to which accounting day.")
        return redirect("journal_list", tenant=tenant)
    try:
        journal = journal_make(through=form.cleaned_data["through"], made_by=request.user)  # type: ignore[arg-type]
    except CompError as error:
        messages.error(request, str(error))
        return redirect("journal_list", tenant=tenant)
    return redirect("journal", tenant=tenant, number=journal.number)


@needs(Can.LEDGER_READ, Can.BATCH_PAY)
@require_POST
def journal_mapping(request: HttpRequest, tenant: str) -> HttpResponse:
    whole_pay()
    form = MappingForm(request.POST)
    if form.is_valid():
        try:
            row = mapping_set(**form.cleaned_data)
        except ProblemsError as error:
            add_problems(form, error)
        else:
            messages.success(request, f"{row} from {row.starts_on:%-d %B %Y}.")
            return redirect("journal_list", tenant=tenant)
    return _journals(request, form, status=422)


@needs(Can.LEDGER_READ)
@require_GET
def journal(request: HttpRequest, tenant: str, number: int) -> HttpResponse:
    """A journal; `format` csv or xlsx downloads it with its count, totals and digest."""
    whole_pay()
    row = get_object_or_404(Journal.objects.select_related("made_by"), number=number)
    lines = JournalLine.objects.filter(journal=row)
    header = (*_LINE, "debit", "credit")
    match request.GET.get("format"):
        case "csv":
            return csv_response(f"journal-{number}", header, [*_cells(row, lines), *_control(row)])
        case "xlsx":
            sheets = [("Journal", header, _cells(row, lines)), ("Control", header, _control(row))]
            return xlsx_response(f"journal-{number}", workbook(sheets))
    context = {
        "journal": row,
        "totals": sorted(row.totals.items()),
        "page": paginate(request, lines, 100),
        "crumbs": crumbs(request, "journal_list"),
    }
    return render(request, "payouts/ledger/journal.html", context)


def _cells(journal: Journal, lines: Any) -> Iterator[tuple[Cell, ...]]:
    for line in lines:
        yield (
            *(journal.number, line.number, line.day, line.get_kind_display(), line.get_account_display()),
            *(line.code, line.name, line.cost_centre, line.entity, line.currency),
            money_cell(line.debit_minor, line.currency),
            money_cell(line.credit_minor, line.currency),
        )


def _control(journal: Journal) -> Iterator[tuple[Cell, ...]]:
    """A row a currency: how many lines, what both sides add up to, and the digest of the lines."""
    for currency, minor in sorted(journal.totals.items()):
        amount = money_cell(minor, currency)
        count = f"{journal.lines} lines"
        yield (
            journal.number,
            None,
            journal.through,
            "total",
            count,
            "",
            journal.digest,
            "",
            "",
            currency,
            amount,
            amount,
        )


# ------------------------------------------------------------------ budgets


@needs(Can.LEDGER_READ)
@require_GET
def budget_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """Every budget: used, committed, waiting, what is left; `csv` downloads them. Then those that plans set."""
    whole_pay()
    return _budgets(request, BudgetForm(), FileForm())


def _budgets(request: HttpRequest, form: BudgetForm, file: FileForm, status: int = 200) -> HttpResponse:
    unposted = [state for state in TAKEN if state not in POSTED]
    rows = reads.budget_rows(today(), unposted)
    if "csv" in request.GET:
        header = (*COLUMNS, "used", "committed", "waiting", "forecast", "left")
        cells: Iterator[tuple[Cell, ...]] = (
            (
                *(row.budget.cost_centre, row.budget.starts_on, row.budget.ends_on, row.budget.currency),
                *(
                    money_cell(minor, row.budget.currency)
                    for minor in (row.budget.amount_minor, row.used, row.committed, row.waiting, row.forecast, row.left)
                ),
            )
            for row in rows
        )
        return csv_response("budgets", header, cells)
    context = {
        "tabs": tabs(request, "budget_list"),
        "rows": rows,
        "pots": reads.plan_budgets(today()),
        "form": form,
        "file": file,
        "columns": COLUMNS,
        "may_act": Can.BATCH_PAY in request.can,  # type: ignore[attr-defined]
    }
    return render(request, "payouts/ledger/budgets.html", context, status=status)


@takes_file(BYTES)
@needs(Can.LEDGER_READ, Can.BATCH_PAY)
@require_POST
def budget_edit(request: HttpRequest, tenant: str) -> HttpResponse:
    """Sets one budget, or all of a file."""
    whole_pay()
    if request.FILES:
        file = FileForm(request.POST, request.FILES)
        if file.is_valid():
            try:
                count = budgets_from(file.cleaned_data["file"])
            except ProblemsError as error:
                add_problems(file, error)
            else:
                messages.success(request, f"{count:,} budgets are set.")
                return redirect("budget_list", tenant=tenant)
        return _budgets(request, BudgetForm(), file, status=422)
    form = BudgetForm(request.POST)
    if form.is_valid():
        try:
            row = budget_set(**form.cleaned_data)
        except ProblemsError as error:
            add_problems(form, error)
        else:
            messages.success(request, f"The budget of {row} is set.")
            return redirect("budget_list", tenant=tenant)
    return _budgets(request, form, FileForm(), status=422)


journal_urls = [
    path("ledger/journals/", journal_list, name="journal_list"),
    path("ledger/journals/make/", journal_new, name="journal_new"),
    path("ledger/journals/mapping/", journal_mapping, name="journal_mapping"),
    path("ledger/journals/<int:number>/", journal, name="journal"),
    path("ledger/budgets/", budget_list, name="budget_list"),
    path("ledger/budgets/set/", budget_edit, name="budget_edit"),
]
