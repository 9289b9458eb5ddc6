"""An endpoint's field mapping: what it says, tried on what came last, put in force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from comp.core.errors import ProblemsError
from comp.core.money import format_money
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.parts import Link
from comp.web.templatetags.comp import badge
from crediting import selectors_endpoints as selectors
from crediting.forms import CustomFieldForm, ValueForm
from crediting.intake.facts import AccountFact, DealFact, Event, PersonFact
from crediting.intake.mapping import check
from crediting.intake.sources import default_mapping
from crediting.models import HookEndpoint
from crediting.services.mapping_edits import field_add, mapping_text, value_add
from crediting.services.mappings import Tried, field_mapping_set, mapping_read, mapping_try
from crediting.services.records import mapping_in_force

#: What would become of a record: word, tone and icon.
OUTCOMES = {
    "changed": ("Changes", "wait", "arrow-path"),
    "new": ("New", "info", "sparkles"),
    "asks": ("Asks", "stop", "question-mark-circle"),
    "same": ("Stays", "good", "check"),
    "none": ("No fact", "plain", "minus"),
}
#: Longer texts are refused, as by the reader of mappings.
TEXT_LIMIT = 500_000


@dataclass(frozen=True, slots=True)
class Line:
    """What one record is now, and what it would be."""

    record: str
    badge: str
    before: str
    after: str


@needs(Can.ENDPOINT_EDIT)
@require_http_methods(["GET", "POST"])
def endpoint_mapping(request: HttpRequest, tenant: str, endpoint: int) -> HttpResponse:
    """The mapping in force, or the one that is edited: shown, tried, put in force."""
    row = get_object_or_404(HookEndpoint, pk=endpoint)
    if default_mapping(row.adapter) is None:
        return _draw(request, row, "", status=200 if request.method == "GET" else 422)
    if request.method == "GET":
        return _draw(request, row, mapping_text(mapping_in_force(row).document))
    text, act = request.POST.get("text", "")[:TEXT_LIMIT], request.POST.get("act", "try")
    forms: dict[str, Form] = {}
    try:
        if act in ("value", "custom"):
            document = mapping_read(text)
            form: Form = ValueForm(request.POST) if act == "value" else CustomFieldForm(request.POST)
            forms[act] = form
            if not form.is_valid():
                return _draw(request, row, text, forms=forms, status=422)
            (value_add if act == "value" else field_add)(document, **form.cleaned_data)
            problems = check(document)
            if problems:
                raise ProblemsError(problems)
            return _draw(request, row, mapping_text(document), tried=mapping_try(endpoint=row, document=document))
        if act == "set":
            user: Any = request.user
            made = field_mapping_set(endpoint=row, text=text, note=request.POST.get("note", "")[:200], user=user)
            messages.success(request, f"Mapping {made.number} is in force. What came before is read again by it.")
            return redirect("endpoint_mapping", tenant=tenant, endpoint=row.pk)
        return _draw(request, row, text, tried=mapping_try(endpoint=row, document=mapping_read(text)))
    except ProblemsError as error:
        return _draw(request, row, text, forms=forms, refusal=error.problems, status=422)


@needs(Can.ENDPOINT_EDIT)
@require_GET
def endpoint_progress(request: HttpRequest, tenant: str, endpoint: int) -> HttpResponse:
    """How far the reading again is: the part of the page that asks for itself until it is done."""
    row = get_object_or_404(HookEndpoint, pk=endpoint)
    return render(request, "crediting/parts/rereading.html", {"endpoint": row, "work": selectors.rereading_of(row)})


def _draw(
    request: HttpRequest,
    row: HookEndpoint,
    text: str,
    *,
    tried: Sequence[Tried] | None = None,
    forms: Mapping[str, Form] | None = None,
    refusal: Sequence[Any] = (),
    status: int = 200,
) -> HttpResponse:
    tenant = request.tenant.slug  # type: ignore[attr-defined]
    seen = selectors.examples(row)
    in_force = mapping_in_force(row)
    counts = Counter(one.outcome for one in tried or ())
    given = forms or {}
    context = {
        "endpoint": row,
        "number": in_force.number,
        "needed": bool(text) or default_mapping(row.adapter) is not None,
        "text": text,
        "objects": selectors.mapping_rows(in_force.document, seen),
        "seen": seen,
        "tried": None if tried is None else [_line(one) for one in tried],
        "told": ", ".join(f"{counts[key]} {word.lower()}" for key, (word, _, _) in OUTCOMES.items() if counts[key]),
        "value_form": given.get("value") or ValueForm(),
        "custom_form": given.get("custom") or CustomFieldForm(),
        "refusal": refusal,
        "work": selectors.rereading_of(row),
        "crumbs": [
            Link("Endpoints", reverse("endpoint_list", kwargs={"tenant": tenant})),
            Link(row.name, reverse("endpoint", kwargs={"tenant": tenant, "endpoint": row.pk})),
        ],
    }
    return render(request, "crediting/endpoint_mapping.html", context, status=status)


def _line(one: Tried) -> Line:
    return Line(str(one.record), badge(*OUTCOMES[one.outcome]), _words(one.before), _words(one.after))


def _words(found: Any) -> str:
    """What a record is, in a few words: its fact, or what is asked."""
    if isinstance(found, list):
        return "; ".join(str(problem) for problem in found[:3])
    if not isinstance(found, Event):
        return "no fact"
    fact = found.fact
    if isinstance(fact, AccountFact):
        return f"Account {fact.name or fact.account}, sector {fact.sector or 'none'}"
    if isinstance(fact, PersonFact):  # field mappings make none
        return f"{fact.name}, {fact.title}"
    money = "" if fact.amount_minor is None else format_money(fact.amount_minor, fact.currency)
    if isinstance(fact, DealFact):
        owner = ", ".join(member.person for member in fact.team) or "nobody"
        parts = [
            f"Deal {fact.deal} {fact.stage}",
            money,
            owner,
            fact.product,
            *_days(fact.engage_date, fact.close_date),
        ]
    else:
        parts = [f"{fact.kind} {fact.id}", "" if fact.stands else "taken back", money, *_days(fact.day)]
    custom = [f"{name} {value}" for name, value in fact.custom]
    return ", ".join(part for part in [*parts, *custom] if part)


def _days(*days: Any) -> list[str]:
    return [day.isoformat() for day in days if day]
