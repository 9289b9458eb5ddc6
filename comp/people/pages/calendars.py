"""Pay calendars and their holidays, one by one or many from a file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.errors import ProblemsError
from comp.people.dated import holiday_remove, holiday_set, holidays_set
from comp.people.holidays_file import COLUMNS, holidays_read
from comp.people.models import Holiday, PayCalendar, PayGroup
from comp.people.pages.rates import BYTES, SHOWN, FileForm
from comp.people.rates_file import lines_of
from comp.people.selectors import today
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.forms import DateInput, add_problems
from comp.web.paging import paginate
from comp.web.parts import Link
from comp.web.sizes import takes_file


class HolidayForm(forms.Form):
    """A day that is no working day."""

    day = forms.DateField(label="Day", widget=DateInput)
    name = forms.CharField(label="Name", max_length=120)


class HolidayFile(FileForm):
    """A table of holidays."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].label = "Holidays, CSV or XLSX"


@needs(Can.PEOPLE_READ)
@require_GET
def calendar_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """The pay calendars, whom they hold for, and how many holidays each has this year."""
    year = today(request.tenant).year  # type: ignore[attr-defined]
    free = Holiday.objects.filter(day__year=year).values_list("calendar").annotate(count=Count("id"))
    holidays = dict(free.order_by("calendar").values_list("calendar", "count"))
    groups: dict[int, list[str]] = {}
    for calendar, name in PayGroup.objects.order_by("name").values_list("calendar_id", "name"):
        groups.setdefault(calendar, []).append(name)
    page = paginate(request, PayCalendar.objects.order_by("name", "id"))
    rows = [(row, ", ".join(groups.get(row.pk, [])), holidays.get(row.pk, 0)) for row in page]
    return render(request, "people/calendar_list.html", {"page_obj": page, "rows": rows, "year": year})


@needs(Can.PEOPLE_READ)
@require_GET
def calendar(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """A calendar's holidays, the latest first."""
    return _draw(request, get_object_or_404(PayCalendar, pk=pk), None)


@needs(Can.PEOPLE_EDIT)
@require_POST
def holiday_add(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """A day off; on a day that is one already, another name."""
    row = get_object_or_404(PayCalendar, pk=pk)
    form = HolidayForm(request.POST)
    if form.is_valid():
        try:
            added = holiday_set(calendar=row, **form.cleaned_data)
        except ProblemsError as error:
            add_problems(form, error)
        else:
            messages.success(request, f"{added.day:%-d %B %Y} is {added.name}.")
            return redirect("calendar", tenant=tenant, pk=pk)
    return _draw(request, row, form)


@takes_file(BYTES)
@needs(Can.PEOPLE_EDIT)
@require_http_methods(["GET", "POST"])
def holiday_upload(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Many holidays from a file: first checked and shown, then added, all or none."""
    row = get_object_or_404(PayCalendar, pk=pk)
    checked = request.POST.get("checked", "")
    form = HolidayFile(None if checked else request.POST or None, request.FILES or None)
    here = Link(row.name, reverse("calendar", kwargs={"tenant": tenant, "pk": pk}))
    context: dict[str, Any] = {"form": form, "calendar": row, "columns": COLUMNS, "crumbs": [_list(tenant), here]}
    if request.method == "POST" and (checked or form.is_valid()):
        text = checked or form.cleaned_data["file"]
        try:
            found, wrong = holidays_read(lines_of(text, COLUMNS, COLUMNS))
        except ProblemsError as error:
            add_problems(form, error) if form.is_bound else messages.error(request, str(error))
            return render(request, "people/holiday_upload.html", context, status=422)
        if checked and not wrong:
            count = holidays_set(calendar=row, days=found)
            messages.success(
                request, f"{count:,} of {len(found):,} holidays are new or have another name; the rest stood already."
            )
            return redirect("calendar", tenant=tenant, pk=pk)
        known = dict(Holiday.objects.filter(calendar=row, day__in=found).values_list("day", "name"))
        shown = [(day, found[day], known.get(day, "")) for day in sorted(found)[:SHOWN]]
        page = paginate(request, wrong, SHOWN)
        context |= {"text": text, "found": found, "shown": shown, "wrong": wrong, "wrong_page": page}
    return render(request, "people/holiday_upload.html", context, status=422 if form.errors else 200)


@needs(Can.PEOPLE_EDIT)
@require_http_methods(["POST"])
def holiday_end(request: HttpRequest, tenant: str, pk: int, holiday: int) -> HttpResponse:
    """A day off that is a working day after all."""
    row = get_object_or_404(Holiday.objects.select_related("calendar"), pk=holiday, calendar=pk)
    holiday_remove(holiday=row)
    messages.success(request, f"{row.day:%-d %B %Y} is a working day.")
    return redirect("calendar", tenant=tenant, pk=pk)


def _draw(request: HttpRequest, row: PayCalendar, form: HolidayForm | None) -> HttpResponse:
    page = paginate(request, Holiday.objects.filter(calendar=row).order_by("-day"))
    context = {
        "calendar": row,
        "page_obj": page,
        "form": form or HolidayForm(),
        "may_edit": Can.PEOPLE_EDIT in request.can,  # type: ignore[attr-defined]
        "crumbs": [_list(request.tenant.slug)],  # type: ignore[attr-defined]
    }
    return render(request, "people/calendar.html", context, status=422 if form else 200)


def _list(tenant: str) -> Link:
    return Link("Calendars", reverse("calendar_list", kwargs={"tenant": tenant}))
