"""Webhooks that go out: who is told of what, what was answered, and sending again."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.api import webhooks
from comp.api.models import Webhook, WebhookAttempt, WebhookMessage
from comp.core.errors import ProblemsError
from comp.tenancy.capabilities import Can
from comp.tenancy.models import User
from comp.web.access import needs
from comp.web.once import repeated
from comp.web.paging import paginate
from comp.web.parts import Link

State = WebhookMessage.State


class WebhookForm(forms.Form):
    """A new address, and what it is told of."""

    name = forms.CharField(label="Who is told", max_length=120)
    url = forms.CharField(label="Address", max_length=500, help_text="https://…, reachable from the public internet.")
    topics = forms.MultipleChoiceField(
        label="Of what",
        widget=forms.CheckboxSelectMultiple,
        choices=[(key, f"{words} ({key})") for key, words in webhooks.TOPICS.items()],
    )


@needs(Can.KEY_EDIT)
@require_GET
def webhook_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """All addresses, those that are told first."""
    rows = Webhook.objects.annotate(
        waiting=Count("messages", filter=Q(messages__state=State.PENDING)),
        parked=Count("messages", filter=Q(messages__state=State.PARKED)),
    )
    page = paginate(request, rows.order_by("ended_at", "-id"))
    return render(request, "api/webhook_list.html", {"page_obj": page})


@needs(Can.KEY_EDIT)
@require_http_methods(["GET", "POST"])
def webhook_add(request: HttpRequest, tenant: str) -> HttpResponse:
    """A new address. Its secret is on the page that answers, and never again."""
    form = WebhookForm(request.POST or None)
    context: dict[str, Any] = {"form": form, "crumbs": _crumbs(tenant)}
    if request.method == "POST" and form.is_valid():
        if repeated(request):
            return redirect("webhook_list", tenant=tenant)
        try:
            made, secret = webhooks.webhook_create(**form.cleaned_data, made_by=cast(User, request.user))
        except ProblemsError as error:
            for problem in error.problems:
                form.add_error(problem.path if problem.path in form.fields else None, problem.message)
        else:
            context |= {"webhook": made, "secret": secret}
    return render(request, "api/webhook_add.html", context)


@needs(Can.KEY_EDIT)
@require_GET
def webhook(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """One address: its messages, the latest first, each with what was answered."""
    found = get_object_or_404(Webhook.objects.select_related("made_by"), pk=pk)
    page = paginate(request, WebhookMessage.objects.filter(webhook=found).order_by("-id"), 25)
    attempts: dict[int, list[WebhookAttempt]] = {}
    for one in WebhookAttempt.objects.filter(message__in=[row.pk for row in page]).order_by("id"):
        attempts.setdefault(one.message_id, []).append(one)
    rows = [{"message": row, "attempts": attempts.get(row.pk, [])[-3:]} for row in page]
    context = {"webhook": found, "page_obj": page, "rows": rows, "crumbs": _crumbs(tenant)}
    return render(request, "api/webhook.html", context)


@needs(Can.KEY_EDIT)
@require_POST
def webhook_turn(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """A new secret, shown once; the old one signs too for a day."""
    found = get_object_or_404(Webhook, pk=pk, ended_at=None)
    if repeated(request):
        return redirect("webhook", tenant=tenant, pk=found.pk)
    secret = webhooks.webhook_rotate(webhook=found)
    context = {"webhook": found, "secret": secret, "crumbs": _crumbs(tenant)}
    return render(request, "api/webhook_add.html", context)


@needs(Can.KEY_EDIT)
@require_POST
def webhook_stop(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    found = get_object_or_404(Webhook, pk=pk)
    webhooks.webhook_end(webhook=found)
    messages.success(request, f"{found} is told nothing any more.")
    return redirect("webhook_list", tenant=tenant)


@needs(Can.KEY_EDIT)
@require_POST
def message_again(request: HttpRequest, tenant: str, pk: int, message: int) -> HttpResponse:
    """Sends a message again."""
    found = get_object_or_404(WebhookMessage.objects.select_related("webhook"), pk=message, webhook_id=pk)
    try:
        webhooks.message_replay(message=found)
    except ProblemsError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "It is sent again.")
    return redirect("webhook", tenant=tenant, pk=pk)


def _crumbs(tenant: str) -> list[Link]:
    return [Link("Webhooks", reverse("webhook_list", kwargs={"tenant": tenant}))]
