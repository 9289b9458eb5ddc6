"""The month's close: accruals and contract costs, each with the policies that it goes by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from comp.core.errors import CompError
from comp.people.selectors import today
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import Cell, csv_response
from comp.web.forms import DateInput, Suggest, offer
from comp.web.paging import paginate
from crediting.models import Deal
from payouts.models import Accrual, AccrualPolicy, CostLine, CostPolicy, CostRun
from payouts.pages import days as days  # `<day:…>` in addresses
from payouts.pages.by_hand.forms import PlanField, WithPlans
from payouts.pages.ledger import crumbs, money_cell, tabs, whole_pay
from payouts.pages.links import link
from payouts.reads import accounting as reads
from payouts.reads.not_owed import not_owed_of
from payouts.reads.offered import components_offered, triggers_offered
from payouts.services.accruals import accrue, policy_set, triggers_unchosen
from payouts.services.contract_costs import cost_policy_set, costs_run


class ShareForm(forms.Form):
    trigger = forms.CharField(
        label="What is waited for", max_length=60, widget=Suggest, help_text="Such as go-live, usage, held."
    )
    share = forms.IntegerField(label="Probable, in percent", min_value=0, max_value=100)
    reason = forms.CharField(label="Why", max_length=300)

    def __init__(self, *args: Any, unchosen: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, trigger=triggers_offered(unchosen))


class CostForm(WithPlans):
    plan = PlanField(to_field_name="key")
    component = forms.CharField(label="Component", max_length=50, widget=Suggest)
    treatment = forms.ChoiceField(label="Treatment", choices=CostPolicy.Treatment.choices)
    months = forms.IntegerField(
        label="Months",
        min_value=1,
        max_value=600,
        required=False,
        help_text="Of the benefit period, and of contracts that state no term.",
    )
    expedient = forms.BooleanField(label="Expense at once what serves at most 12 months", required=False)
    starts_on = forms.DateField(label="For credit dates from", widget=DateInput)
    reason = forms.CharField(label="Why", max_length=300)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, component=components_offered())


class MonthForm(forms.Form):
    month = forms.DateField(widget=forms.HiddenInput)


# ------------------------------------------------------------------ accruals


@needs(Can.LEDGER_READ)
@require_GET
def accrual_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """The accruals that were made, the month that is next, and the shares that they go by."""
    return _accruals(request)


def _accruals(request: HttpRequest, form: ShareForm | None = None, status: int = 200) -> HttpResponse:
    accruals = list(Accrual.objects.select_related("made_by"))
    month = reads.month_to_close(accruals[0].month if accruals else None, today())
    unchosen = triggers_unchosen(month) if month else []
    context = {
        "tabs": tabs(request, "accrual_list"),
        "accruals": accruals,
        "month": month,
        "unchosen": unchosen,
        "policies": list(AccrualPolicy.objects.all()),
        "form": form or ShareForm(unchosen=unchosen),
        "may_act": Can.BATCH_PAY in request.can,  # type: ignore[attr-defined]
    }
    return render(request, "payouts/ledger/accruals.html", context, status=status)


@needs(Can.LEDGER_READ, Can.BATCH_PAY)
@require_POST
def accrual_policy(request: HttpRequest, tenant: str) -> HttpResponse:
    form = ShareForm(request.POST, unchosen=[])
    if form.is_valid():
        try:
            row = policy_set(**form.cleaned_data)
        except CompError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{row} of what waits for it is probable.")
            return redirect("accrual_list", tenant=tenant)
    return _accruals(request, form, status=422)


@needs(Can.LEDGER_READ, Can.BATCH_PAY)
@require_POST
def accrual_make(request: HttpRequest, tenant: str) -> HttpResponse:
    """Accrues the month that the page named."""
    whole_pay()
    form = MonthForm(request.POST)
    if not form.is_valid():
        messages.error(request, "No month was named.")
        return redirect("accrual_list", tenant=tenant)
    try:
        accrual = accrue(month=form.cleaned_data["month"], made_by=request.user)  # type: ignore[arg-type]
    except CompError as error:
        messages.error(request, str(error))
        return redirect("accrual_list", tenant=tenant)
    messages.success(request, f"{accrual} is posted, and its reversal.")
    return redirect("accrual", tenant=tenant, month=accrual.month)


@needs(Can.LEDGER_READ)
@require_GET
def accrual(request: HttpRequest, tenant: str, month: date) -> HttpResponse:
    """What a month's accrual estimated and by how much it missed; `csv` downloads its lines."""
    row = get_object_or_404(Accrual.objects.select_related("made_by"), month=month)
    if "csv" in request.GET:
        header = (*("employee", "plan", "component", "deal", "currency", "earned", "waiting", "improbable"),)
        cells: Iterator[tuple[Cell, ...]] = (
            (
                *(line.participant.key, line.plan.key, line.component, line.deal.external_id if line.deal else ""),
                line.currency,
                *(
                    money_cell(minor, line.currency)
                    for minor in (line.earned_minor, line.waiting_minor, line.improbable_minor)
                ),
                *(money_cell(minor, line.currency) for minor in (line.taken_minor, line.accrued_minor)),
            )
            for line in reads.accrual_lines(row)
        )
        return csv_response(f"accrual-{month:%Y-%m}", (*header, "posted", "accrued"), cells)
    sums = reads.accrual_sums(row)
    context = {
        "accrual": row,
        "sums": sums,
        "totals": _totals(sums, "accrued"),
        "causes": (causes := reads.variance_sums(row)),
        "missed": _totals(causes, "minor"),
        "trued_up": Accrual.objects.filter(month__gt=month).exists(),
        "page": paginate(request, reads.accrual_lines(row), 50),
        "crumbs": crumbs(request, "accrual_list"),
    }
    return render(request, "payouts/ledger/accrual.html", context)


def _totals(rows: list[dict[str, object]], name: str) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    for row in rows:
        currency = str(row["currency"])
        found[currency] = found.get(currency, 0) + int(str(row[name]))
    return sorted(found.items())


# ------------------------------------------------------------------ contract costs


@needs(Can.LEDGER_READ)
@require_GET
def cost_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """What stands capitalised by cohort, the month that is next, and the policies."""
    return _costs(request, CostForm())


def _costs(request: HttpRequest, form: CostForm, status: int = 200) -> HttpResponse:
    last = CostRun.objects.first()
    accrued = Accrual.objects.order_by("month")
    following = accrued.filter(month__gt=last.month) if last else accrued
    cohorts = reads.cost_cohorts()
    if "csv" in request.GET:
        header = ("cohort", "currency", "contracts", "capitalised", "amortised", "impaired", "balance")
        cells = (
            (
                *(row["starts_on"], row["currency"], row["contracts"]),
                *(money_cell(row[name], row["currency"]) for name in header[3:]),
            )
            for row in cohorts
        )
        return csv_response("contract-costs", header, cells)
    context = {
        "tabs": tabs(request, "cost_list"),
        "cohorts": cohorts,
        "totals": _totals(cohorts, "balance"),
        "last": last,
        "month": following.values_list("month", flat=True).first(),
        "policies": CostPolicy.objects.select_related("plan").order_by("plan__name", "component", "starts_on"),
        "plans": reads.plans_with_components(),
        "form": form,
        "may_act": Can.BATCH_PAY in request.can,  # type: ignore[attr-defined]
    }
    return render(request, "payouts/ledger/costs.html", context, status=status)


@needs(Can.LEDGER_READ, Can.BATCH_PAY)
@require_POST
def cost_policy(request: HttpRequest, tenant: str) -> HttpResponse:
    form = CostForm(request.POST)
    if form.is_valid():
        try:
            row = cost_policy_set(**form.cleaned_data)
        except CompError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{row}: {row.get_treatment_display()}.")
            return redirect("cost_list", tenant=tenant)
    return _costs(request, form, status=422)


@needs(Can.LEDGER_READ, Can.BATCH_PAY)
@require_POST
def cost_make(request: HttpRequest, tenant: str) -> HttpResponse:
    """Books the contract costs of the month that the page named."""
    whole_pay()
    form = MonthForm(request.POST)
    if not form.is_valid():
        messages.error(request, "No month was named.")
        return redirect("cost_list", tenant=tenant)
    try:
        run = costs_run(month=form.cleaned_data["month"], made_by=request.user)  # type: ignore[arg-type]
    except CompError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{run} are posted.")
    return redirect("cost_list", tenant=tenant)


@needs(Can.LEDGER_READ)
@require_GET
def cost_cohort(request: HttpRequest, tenant: str, cohort: date) -> HttpResponse:
    """The contracts of a cohort, with what stands of each."""
    page = paginate(request, reads.cost_contracts(cohort), 50)
    context = {"cohort": cohort, "page": page, "crumbs": crumbs(request, "cost_list")}
    return render(request, "payouts/ledger/cohort.html", context)


@needs(Can.LEDGER_READ)
@require_GET
def cost_contract(request: HttpRequest, tenant: str, deal: int) -> HttpResponse:
    """The schedule of one contract: what each month booked, for whom, and what is still to be amortised."""
    row = get_object_or_404(Deal.objects.select_related("account"), pk=deal)
    lines = reads.cost_lines(row.pk)
    get_object_or_404(CostLine.objects.filter(deal=row)[:1])
    context = {
        "deal": row,
        "deal_url": link(request, "deal", deal=row.pk),
        "months": reads.cost_of_contract(row.pk),
        "not_owed": not_owed_of(row.pk),
        "page": paginate(request, lines, 50),
        "crumbs": crumbs(request, "cost_list"),
    }
    return render(request, "payouts/ledger/contract.html", context)


close_urls = [
    path("ledger/accruals/", accrual_list, name="accrual_list"),
    path("ledger/accruals/policy/", accrual_policy, name="accrual_policy"),
    path("ledger/accruals/make/", accrual_make, name="accrual_make"),
    path("ledger/accruals/<day:month>/", accrual, name="accrual"),
    path("ledger/costs/", cost_list, name="cost_list"),
    path("ledger/costs/policy/", cost_policy, name="cost_policy"),
    path("ledger/costs/make/", cost_make, name="cost_make"),
    path("ledger/costs/<day:cohort>/", cost_cohort, name="cost_cohort"),
    path("ledger/contracts/<int:deal>/", cost_contract, name="cost_contract"),
]
