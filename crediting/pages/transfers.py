"""Deals handed on: entered by operations, and taken back by them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from comp.core.errors import ProblemsError, told
from comp.people.models import CreditRole, Participant
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.templatetags.comp import day
from crediting import selectors
from crediting.forms import ReasonForm, TransferForm
from crediting.models import Deal
from crediting.services import transfers


@needs(Can.DATA_FIX)
@require_http_methods(["GET", "POST"])
def deal_transfer(request: HttpRequest, tenant: str, deal: int) -> HttpResponse:
    """Hands what one person has of a deal in a role to another."""
    row = get_object_or_404(Deal, pk=deal)
    held = selectors.held_by(row)
    people = Participant.objects.in_bulk([person for _, person in held])
    roles = dict(CreditRole.objects.values_list("key", "name"))
    choices = [(f"{role}/{pk}", f"{people[pk].name} as {roles.get(role, role)}") for role, pk in held]
    form = TransferForm(request.POST or None, held=choices)
    if request.method == "POST" and form.is_valid():
        role, _, giver = form.cleaned_data["held"].partition("/")
        said = {name: form.cleaned_data[name] for name in ("receiver", "day", "reason")}
        user: Any = request.user
        try:
            transfers.deal_transfer(deal=row, role=role, giver=people[int(giver)], by=user, **said)
        except ProblemsError as error:
            form.add_error(None, told(error))
        else:
            messages.success(request, f"Handed on to {said['receiver'].name}. The figures of both follow.")
            return redirect("deal", tenant=tenant, deal=row.pk)
    words = "What one has of the deal goes to another, with the credit date as it is. Plans say what it does to credit."
    return _draw(request, row, form, "Hand on", words)


@needs(Can.DATA_FIX)
@require_http_methods(["GET", "POST"])
def transfer_withdraw(request: HttpRequest, tenant: str, deal: int, transfer: int) -> HttpResponse:
    """Takes a transfer back, as if it had never been."""
    row = get_object_or_404(Deal, pk=deal)
    found = next((one for one in selectors.transfers_of(row) if one.transfer.pk == transfer), None)
    if found is None:
        messages.info(request, "This transfer does not stand any more.")
        return redirect("deal", tenant=tenant, deal=row.pk)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user: Any = request.user
        try:
            transfers.transfer_withdraw(transfer=found.transfer, reason=form.cleaned_data["reason"], by=user)
        except ProblemsError as error:
            form.add_error(None, told(error))
        else:
            messages.success(request, f"Taken back: {found.giver.name} has it again.")
            return redirect("deal", tenant=tenant, deal=row.pk)
    words = f"From {found.giver.name} to {found.receiver.name} on {day(found.transfer.day)}, as if it had never been."
    return _draw(request, row, form, "Take the transfer back", words)


def _draw(request: HttpRequest, row: Deal, form: forms.Form, act: str, words: str) -> HttpResponse:
    back = reverse("deal", kwargs={"tenant": request.tenant.slug, "deal": row.pk})  # type: ignore[attr-defined]
    context = {"deal": row, "form": form, "act": act, "words": words, "back": back}
    return render(request, "crediting/transfer.html", context, status=422 if form.errors else 200)
