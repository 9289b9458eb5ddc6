"""The access review: who could see or do what on a day, and what changed between two."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from comp.people.access import access_at, access_changes
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.forms import DateInput


class ReviewForm(forms.Form):
    """Both optional: today, and the month before it."""

    day = forms.DateField(label="At the end of", required=False, widget=DateInput)
    since = forms.DateField(label="Changes since", required=False, widget=DateInput)


@needs(Can.AUDIT_READ)
@require_GET
def access_review(request: HttpRequest, tenant: str) -> HttpResponse:
    """Both tables; `csv` downloads who could what, `csv=changes` the changes."""
    zone = ZoneInfo(request.tenant.time_zone)  # type: ignore[attr-defined]
    form = ReviewForm(request.GET)
    form.is_valid()
    day = form.cleaned_data.get("day") or timezone.localdate()
    since = form.cleaned_data.get("since") or day - timedelta(days=30)
    end = min(datetime.combine(day + timedelta(days=1), time.min, zone), timezone.now())
    rows, changes = access_at(end), access_changes(datetime.combine(since, time.min, zone), end)
    if request.GET.get("csv") == "changes":
        told = ((one.at, one.what, one.who, one.right, one.by) for one in changes)
        return csv_response(f"access changes {since} {day}", ("when", "what", "who", "right", "by"), told)
    if "csv" in request.GET:
        header = ("on", "who", "kind", "roles", "may", "pay")
        cells = ((day, r.who, r.kind, ", ".join(r.roles), ", ".join(r.can), r.pay) for r in rows)
        return csv_response(f"access {day}", header, cells)
    asked = f"day={day}&since={since}"
    context = {"form": form, "day": day, "since": since, "rows": rows, "changes": changes}
    context |= {"csv": f"?{asked}&csv=1", "changes_csv": f"?{asked}&csv=changes"}
    return render(request, "people/access.html", context)
