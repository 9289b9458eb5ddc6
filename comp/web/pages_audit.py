"""The audit trail: who did what, when, to what, and what it was before and after."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from comp.audit.models import AuditEntry
from comp.core.canonical import canonical_json
from comp.core.chain import GENESIS
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.forms import DateInput
from comp.web.paging import paginate

PER_PAGE = 50
#: A download holds at most so many entries, the newest; a narrower filter reaches the rest.
CSV_LIMIT = 50_000
_HEADER = (
    "number", "at", "who", "kind", "in place of", "address", "program", "request or task", "code", "subject kind",
    "subject", "reason", "before", "after", "digest",
)  # fmt: skip


class FilterForm(forms.Form):
    """All optional; what cannot be read is ignored with a word beside its field."""

    code = forms.CharField(label="What", required=False, max_length=80)
    subject = forms.CharField(label="On what", required=False, max_length=200)
    actor = forms.CharField(label="Who", required=False, max_length=200)
    text = forms.CharField(label="Words", required=False, max_length=200, help_text="In reasons and values.")
    trace = forms.CharField(label="Request or task", required=False, max_length=64)
    since = forms.DateField(label="From", required=False, widget=DateInput)
    until = forms.DateField(label="To", required=False, widget=DateInput)


@needs(Can.AUDIT_READ)
@require_GET
def audit(request: HttpRequest, tenant: str) -> HttpResponse:
    """Entries, newest first; `code`, `subject`, `actor`, `text`, `trace`, `since`, `until` narrow them, `csv` downloads
    them."""
    form = FilterForm(request.GET)
    form.is_valid()
    asked = {name: value for name, value in form.cleaned_data.items() if value}
    entries = _narrowed(asked, ZoneInfo(request.tenant.time_zone))  # type: ignore[attr-defined]
    if "csv" in request.GET:
        return csv_response("audit", _HEADER, [_cells(entry) for entry in entries[:CSV_LIMIT]])
    page = paginate(request, entries, PER_PAGE)
    page.object_list = [{"entry": entry, "changes": changes(entry)} for entry in page.object_list]
    query = request.GET.copy()
    query.pop("page", None)
    query["csv"] = "1"
    context = {"form": form, "page": page, "chain": chain_state(), "asked": asked, "csv": f"?{query.urlencode()}"}
    return render(request, "audit/audit.html", context)


def _narrowed(asked: dict[str, Any], zone: ZoneInfo) -> QuerySet[AuditEntry]:
    entries = AuditEntry.objects.order_by("-number")
    if code := asked.get("code"):
        entries = entries.filter(code__startswith=code)
    if subject := asked.get("subject"):
        entries = entries.filter(Q(subject_label__icontains=subject) | Q(subject_kind=subject) | Q(subject_id=subject))
    if actor := asked.get("actor"):
        entries = entries.filter(
            Q(actor_label__icontains=actor) | Q(on_behalf__icontains=actor) | Q(actor_kind=actor) | Q(address=actor)
        )
    if text := asked.get("text"):
        entries = entries.filter(Q(reason__icontains=text) | Q(before__icontains=text) | Q(after__icontains=text))
    if trace := asked.get("trace"):
        entries = entries.filter(trace=trace.strip())
    if since := asked.get("since"):
        entries = entries.filter(at__gte=datetime.combine(since, time.min, zone))
    if until := asked.get("until"):
        entries = entries.filter(at__lt=datetime.combine(until + timedelta(days=1), time.min, zone))
    return entries


def changes(entry: AuditEntry) -> list[tuple[str, str, str]]:
    """(name, before, after) of what differs between the two, by name; one side is empty where it said nothing."""
    before, after = entry.before or {}, entry.after or {}
    names = sorted({*before, *after})
    found = [(name, _text(before.get(name)), _text(after.get(name))) for name in names]
    return [(name.replace("_", " "), was, now) for name, was, now in found if was != now]


def chain_state() -> dict[str, Any]:
    """How long the trail is, its head, and whether its end is linked; `manage.py verify` walks all of it."""
    last = list(AuditEntry.objects.order_by("-number")[:2])
    if not last:
        return {"count": 0, "head": GENESIS, "linked": True}
    before = last[1].digest if len(last) > 1 else GENESIS
    count = AuditEntry.objects.count()
    return {
        "count": count,
        "head": last[0].digest,
        "linked": last[0].previous_digest == before and last[0].number == count,
    }


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else canonical_json(value)


def _cells(entry: AuditEntry) -> tuple[Any, ...]:
    return (
        entry.number,
        entry.at,
        entry.actor_label,
        entry.actor_kind,
        entry.on_behalf,
        entry.address,
        entry.agent,
        entry.trace,
        entry.code,
        entry.subject_kind,
        entry.subject_label,
        entry.reason,
        _text(entry.before),
        _text(entry.after),
        entry.digest,
    )


audit_urls = [path("audit/", audit, name="audit")]
