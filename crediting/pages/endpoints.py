"""The systems that post to the company: their addresses and secrets, and how they do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.errors import ProblemsError
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.once import repeated
from comp.web.paging import paginate
from comp.web.parts import Fact, Link
from comp.web.templatetags.comp import badge, when
from crediting import selectors_endpoints as selectors
from crediting.forms import EndpointForm, EndpointSettingsForm
from crediting.intake.sources import default_mapping
from crediting.models import HookEndpoint
from crediting.pages.guides import GUIDES, OFFERED, SOURCE_NAMES
from crediting.selectors_endpoints import Health
from crediting.services.endpoints import endpoint_create, endpoint_rotate, endpoint_secrets_end, endpoint_update


@needs(Can.ENDPOINT_EDIT)
@require_GET
def endpoint_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """Every endpoint with its health."""
    rows = selectors.endpoints()
    if request.GET.get("format") == "csv":
        health = selectors.health_of(rows)
        header = ("Endpoint", "Source", "Takes deliveries", "Last event", "Last hour", "Waiting", "Failures", "Refused")
        cells = (
            (e.name, SOURCE_NAMES[e.adapter], e.active, h.last, h.hour, h.waiting, h.failures, h.refused)
            for e in rows
            if (h := health[e.pk])
        )
        return csv_response("endpoints", header, cells)
    page = paginate(request, rows)
    health = selectors.health_of(page)
    context = {
        "page_obj": page,
        "rows": [(one, SOURCE_NAMES[one.adapter], health[one.pk], state_of(one, health[one.pk])) for one in page],
        "csv": "?format=csv",
    }
    return render(request, "crediting/endpoint_list.html", context)


@needs(Can.ENDPOINT_EDIT)
@require_http_methods(["GET", "POST"])
def endpoint_add(request: HttpRequest, tenant: str) -> HttpResponse:
    """A new endpoint. A secret that Comp makes is shown in the answer, and never again."""
    form = EndpointForm(request.POST or None, sources=OFFERED)
    if request.method == "POST" and form.is_valid():
        if repeated(request):
            return redirect("endpoint_list", tenant=tenant)
        try:
            made, secret = endpoint_create(**form.cleaned_data)
        except ProblemsError as error:
            _add_problems(form, error)
        else:
            return _draw(request, made, secret="" if form.cleaned_data["secret"] else secret, fresh=True)
    status = 422 if request.method == "POST" else 200
    crumbs = [Link("Endpoints", reverse("endpoint_list", kwargs={"tenant": tenant}))]
    return render(request, "crediting/endpoint_add.html", {"form": form, "crumbs": crumbs}, status=status)


@needs(Can.ENDPOINT_EDIT)
@require_http_methods(["GET", "POST"])
def endpoint(request: HttpRequest, tenant: str, endpoint: int) -> HttpResponse:
    """One endpoint: how it does, how to connect, its secrets; and what may be changed of it."""
    row = get_object_or_404(HookEndpoint.objects.select_related("deals_from"), pk=endpoint)
    if request.method == "GET":
        return _draw(request, row)
    form = EndpointSettingsForm(request.POST, endpoint=row, may_people=_may_people(request))
    if form.is_valid():
        try:
            endpoint_update(endpoint=row, **form.cleaned_data)
        except ProblemsError as error:
            _add_problems(form, error)
        else:
            messages.success(request, f"{row.name} is kept.")
            return redirect("endpoint", tenant=tenant, endpoint=row.pk)
    return _draw(request, row, form=form, status=422)


@needs(Can.ENDPOINT_EDIT)
@require_POST
def endpoint_secret(request: HttpRequest, tenant: str, endpoint: int) -> HttpResponse:
    """A new secret beside the old one, or the end of the old ones."""
    row = get_object_or_404(HookEndpoint, pk=endpoint)
    if repeated(request):
        return redirect("endpoint", tenant=tenant, endpoint=row.pk)
    if request.POST.get("act") == "end":
        count = endpoint_secrets_end(row)
        messages.success(request, f"{count} old secret{'' if count == 1 else 's'} ended. Only the newest is good now.")
        return redirect("endpoint", tenant=tenant, endpoint=row.pk)
    hours = request.POST.get("hours", "24")
    given = request.POST.get("secret", "").strip()
    try:
        overlap = timedelta(hours=min(int(hours), 24 * 14)) if hours.isdecimal() and len(hours) < 5 else None
        made = (
            endpoint_rotate(row, secret=given)
            if overlap is None
            else endpoint_rotate(row, overlap=overlap, secret=given)
        )
    except ProblemsError as error:
        messages.error(request, str(error))
        return redirect("endpoint", tenant=tenant, endpoint=row.pk)
    messages.success(request, "The new secret is good now; the old one for as long as you chose.")
    return _draw(request, row, secret="" if given else made)


def state_of(endpoint: HookEndpoint, health: Health) -> str:
    """Its state as a badge: what needs somebody first."""
    if not endpoint.active:
        return badge("Switched off", "plain", "no-symbol")
    if health.failures:
        return badge("Needs a look", "stop", "exclamation-triangle")
    if health.waiting:
        return badge("Waits for answers", "wait", "clock")
    return badge("In order", "good", "check") if health.last else badge("Nothing yet", "plain", "clock")


def _draw(
    request: HttpRequest,
    row: HookEndpoint,
    form: Form | None = None,
    secret: str = "",
    fresh: bool = False,
    status: int = 200,
) -> HttpResponse:
    tenant = request.tenant.slug  # type: ignore[attr-defined]
    settings = ("name", "rate_limit", "deals_from", "active", "carries_people", "aligned_roles")
    initial = {name: getattr(row, name) for name in settings}
    health = selectors.health_of([row])[row.pk]
    posted = row.adapter in dict(OFFERED)  # to the others nobody posts
    address = request.build_absolute_uri(reverse("hook", kwargs={"token": row.token})) if posted else ""
    context: dict[str, Any] = {
        "endpoint": row,
        "source": SOURCE_NAMES[row.adapter],
        "state": state_of(row, health),
        "address": address,
        "steps": GUIDES[row.adapter],
        "secret": secret,
        "fresh": fresh,
        "secrets": selectors.live_secrets(row),
        "mapped": default_mapping(row.adapter) is not None,
        "form": form or EndpointSettingsForm(initial=initial, endpoint=row, may_people=_may_people(request)),
        "facts": _facts(tenant, row, health),
        "crumbs": [Link("Endpoints", reverse("endpoint_list", kwargs={"tenant": tenant}))],
    }
    answer = render(request, "crediting/endpoint.html", context, status=status)
    if secret:
        answer["Cache-Control"] = "no-store"
    return answer


def _may_people(request: HttpRequest) -> bool:
    """Letting a system say who works here takes somebody who may do so themselves."""
    return Can.PEOPLE_EDIT in request.can  # type: ignore[attr-defined]


def _facts(tenant: str, row: HookEndpoint, health: Health) -> list[Fact]:
    slowest = "" if health.slowest is None else f"{health.slowest.total_seconds():,.1f} s at most, of the last 100"
    refused = "not known: Redis does not answer" if health.refused is None else f"{health.refused:,}"
    return [
        Fact("Last event", when(health.last) or "none yet"),
        Fact("In the last hour", f"{health.hour:,}", f"up to {row.rate_limit:,} a minute"),
        Fact("Taken within", slowest or "nothing yet", "from arrival to fact"),
        Fact(
            "Still to be taken",
            f"{health.states['pending']:,}",
            health.oldest and "the oldest of " + str(when(health.oldest)) or "",
        ),
        Fact("Waiting for answers", f"{health.waiting:,}"),
        Fact("Not readable, or twice with another body", f"{health.failures:,}"),
        Fact("Refused lately", refused, "wrong signature, too large, too many"),
    ]


def _add_problems(form: Form, error: ProblemsError) -> None:
    for problem in error.problems:
        form.add_error(problem.path if problem.path in form.fields else None, problem.message)
