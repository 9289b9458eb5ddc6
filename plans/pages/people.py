"""Who is on which plan, on a time line, and what they are held against."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.contrib import admin, messages
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from comp.core.errors import ProblemsError
from comp.core.money import MoneyError, parse_money
from comp.core.numbers import parse_number
from comp.people.selectors import today
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.paging import paginate
from plans import selectors, services
from plans.forms import AssignmentForm, EndForm, QuotaForm, add_problems
from plans.models import Plan, PlanAssignment, Quota


@dataclass(frozen=True, slots=True)
class Bar:
    """An assignment on a time line: where it starts and how long it is, in percent of the year shown."""

    assignment: PlanAssignment
    x: str
    width: str
    tone: int


@needs(Can.PEOPLE_READ)
@require_GET
def assignment_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """People and the plans they are on through one year."""
    day = today()
    asked = request.GET.get("year", "")
    year = int(asked) if asked.isdecimal() and 1900 < int(asked) < 2200 else day.year
    search = request.GET.get("q", "").strip()
    plans = list(Plan.objects.order_by("name"))
    plan = next((row for row in plans if row.key == request.GET.get("plan")), None)
    people = selectors.people_on_plans(search=search, plan=plan)
    if request.GET.get("format") == "csv":
        return _assignments_csv([row.pk for row in people])
    page = paginate(request, people, 25)
    ids = [row.pk for row in page]
    assignments, titles = selectors.assignments_of(ids), selectors.titles(ids, day)
    tones = {row.pk: place % 4 for place, row in enumerate(plans)}
    rows = [
        {
            "person": person,
            "title": titles.get(person.pk, ""),
            "bars": [bar for row in assignments.get(person.pk, []) if (bar := _bar(row, year, tones[row.plan_id]))],
        }
        for person in page
    ]
    context = {
        "page_obj": page,
        "rows": rows,
        "plans": plans,
        "plan": plan,
        "search": search,
        "year": year,
        "now": _percent(day, year) if day.year == year else "",
        "may_edit": Can.PLAN_EDIT in request.can,  # type: ignore[attr-defined]
        "may_change_people": Can.PEOPLE_EDIT in request.can,  # type: ignore[attr-defined]
        "may_administer": admin.site.has_permission(request),
        "assigned": sum(bool(row["bars"]) for row in rows),
    }
    return render(request, "people/assignment_list.html", context)


@needs(Can.PLAN_EDIT)
@require_http_methods(["GET", "POST"])
def assignment_add(request: HttpRequest, tenant: str) -> HttpResponse:
    """Puts somebody on a plan."""
    initial = {"starts_on": today(), "participant": request.GET.get("participant"), "plan": request.GET.get("plan")}
    form = AssignmentForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            added = services.assignment_set(**form.cleaned_data)
        except ProblemsError as error:
            add_problems(form, error)
        else:
            messages.success(request, f"{added.participant} is on {added.plan} from {added.starts_on:%-d %B %Y}.")
            return redirect("assignment_list", tenant=tenant)
    return render(request, "people/assignment_add.html", {"form": form})


@needs(Can.PLAN_EDIT)
@require_http_methods(["GET", "POST"])
def assignment_end(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Another end for an assignment."""
    found = get_object_or_404(PlanAssignment.objects.select_related("participant", "plan"), pk=pk)
    form = EndForm(request.POST or None, initial={"ends_on": found.ends_on or today()})
    if request.method == "POST" and form.is_valid():
        try:
            services.assignment_end(assignment=found, ends_on=form.cleaned_data["ends_on"])
        except ProblemsError as error:
            add_problems(form, error)
        else:
            messages.success(request, f"{found.participant} on {found.plan}: the end is changed.")
            return redirect("assignment_list", tenant=tenant)
    return render(request, "people/assignment_end.html", {"form": form, "assignment": found})


@needs(Can.PLAN_READ)
@require_GET
def quota_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """The quotas of one period, with their totals."""
    periods = selectors.quota_periods()
    asked = request.GET.get("period", "")
    day = today()
    holding = [period for period in periods if period[0] <= day < period[1]]
    shown = next((period for period in periods if _period_key(period) == asked), None)
    shown = shown or next(iter(holding or periods), None)
    search = request.GET.get("q", "").strip()
    rows = selectors.quotas(starts_on=shown[0], ends_on=shown[1], search=search) if shown else Quota.objects.none()
    if request.GET.get("format") == "csv":
        return _quotas_csv(list(rows))
    context = {
        "page_obj": paginate(request, rows.order_by("participant__name", "key")),
        "periods": [(_period_key(period), period) for period in periods],
        "period": shown,
        "period_key": _period_key(shown) if shown else "",
        "search": search,
        "totals": rows.filter(unit=Quota.Unit.MONEY)
        .order_by("currency")
        .values("currency")
        .annotate(total=Sum("amount_minor")),
        "may_edit": Can.PLAN_EDIT in request.can,  # type: ignore[attr-defined]
    }
    return render(request, "people/quota_list.html", context)


@needs(Can.PLAN_EDIT)
@require_http_methods(["GET", "POST"])
def quota_edit(request: HttpRequest, tenant: str, pk: int | None = None) -> HttpResponse:
    """A new quota, or another amount for one. Money is in the participant's currency."""
    found = get_object_or_404(Quota.objects.select_related("participant"), pk=pk) if pk else None
    initial = {"participant": request.GET.get("participant")}
    if found:
        initial = {name: getattr(found, name) for name in ("participant", "key", "starts_on", "ends_on", "unit")}
        initial["amount"] = found.amount_text
    form = QuotaForm(request.POST or None, initial=initial)
    if found:
        for name in ("participant", "key", "starts_on", "ends_on", "unit"):
            form.fields[name].disabled = True
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        currency = found.currency if found else values["participant"].currency
        try:
            amount = values.pop("amount").strip()
            minor = parse_money(amount, currency) if values["unit"] == Quota.Unit.MONEY else parse_number(amount)
            saved = services.quota_set(**values, amount_minor=minor, currency=currency)
        except MoneyError as error:
            form.add_error("amount", str(error))
        except ProblemsError as error:
            add_problems(form, error)
        else:
            messages.success(request, f"Quota {saved.key} of {saved.participant}: {saved.amount_words}.")
            return redirect("quota_list", tenant=tenant)
    return render(request, "people/quota_edit.html", {"form": form, "quota": found})


def _bar(row: PlanAssignment, year: int, tone: int) -> Bar | None:
    """Where an assignment lies in a year; None when it lies outside."""
    first, last = date(year, 1, 1), date(year + 1, 1, 1)
    starts_on, ends_on = max(row.starts_on, first), min(row.ends_on or last, last)
    if starts_on >= ends_on:
        return None
    days = (last - first).days
    wide = max((ends_on - starts_on).days * 10_000 // days, 60)
    return Bar(row, _percent(starts_on, year), f"{wide // 100}.{wide % 100:02}%", tone)


def _percent(day: date, year: int) -> str:
    days = (date(year + 1, 1, 1) - date(year, 1, 1)).days
    part = (day - date(year, 1, 1)).days * 10_000 // days
    return f"{part // 100}.{part % 100:02}%"


def _period_key(period: tuple[date, date]) -> str:
    return f"{period[0]}_{period[1]}"


def _assignments_csv(participants: list[int]) -> HttpResponse:
    rows = [row for found in selectors.assignments_of(participants).values() for row in found]
    cells = [(row.participant.key, row.participant.name, row.plan.key, row.starts_on, row.ends_on) for row in rows]
    return csv_response("assignments", ["Number", "Person", "Plan", "From", "Until"], cells)


def _quotas_csv(rows: list[Quota]) -> HttpResponse:
    cells = [
        (
            row.participant.key,
            row.participant.name,
            row.key,
            row.starts_on,
            row.ends_on,
            row.amount_text,
            row.currency if row.unit == Quota.Unit.MONEY else "",
        )
        for row in rows
    ]
    return csv_response("quotas", ["Number", "Person", "Quota", "From", "Until", "Amount", "Currency"], cells)
