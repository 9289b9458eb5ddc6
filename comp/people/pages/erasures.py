"""Erasing leavers: who is due, what would go, and the second person's word."""

from __future__ import annotations

from typing import cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.errors import ProblemsError
from comp.people.erasure import (
    erasure_approve,
    erasure_ask,
    erasure_preview,
    erasures_due,
    retention_set,
)
from comp.people.models import Erasure, Participant
from comp.tenancy.capabilities import Can
from comp.tenancy.models import User
from comp.web.access import needs
from comp.web.forms import add_problems
from comp.web.paging import paginate
from comp.web.parts import Link


class RetentionForm(forms.Form):
    """The company's rule."""

    months = forms.IntegerField(
        label="Months after leaving", required=False, min_value=0, max_value=600,
        help_text="After these a name is due to be erased. Empty: no rule.",
    )  # fmt: skip


class AskForm(forms.Form):
    """Why."""

    reason = forms.CharField(label="Reason", max_length=500, widget=forms.Textarea(attrs={"rows": 2}))


@needs(Can.PEOPLE_EDIT)
@require_GET
def erasure_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """Who is due, what waits for a second person, what was done."""
    asked = Erasure.objects.select_related("asked_by", "approved_by")
    months = request.tenant.retention_months  # type: ignore[attr-defined]
    context = {
        "due": erasures_due(),
        "page_obj": paginate(request, asked, 25),
        "form": RetentionForm(initial={"months": months}),
        "months": months,
        "me": request.user.pk,
    }
    return render(request, "people/erasure_list.html", context)


@needs(Can.PEOPLE_EDIT)
@require_POST
def retention(request: HttpRequest, tenant: str) -> HttpResponse:
    """Another rule."""
    form = RetentionForm(request.POST)
    if form.is_valid():
        retention_set(months=form.cleaned_data["months"])
        messages.success(request, "The rule is set. Nothing is erased by it alone: two people agree on each.")
    else:
        messages.error(request, "A rule is a number of months from 0 to 600, or nothing.")
    return redirect("erasure_list", tenant=tenant)


@needs(Can.PEOPLE_EDIT)
@require_http_methods(["GET", "POST"])
def erasure_new(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """What would go of one person, and the request."""
    person = get_object_or_404(Participant, pk=pk)
    form = AskForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            erasure_ask(participant=person, asked_by=cast(User, request.user), **form.cleaned_data)
        except ProblemsError as error:
            add_problems(form, error)
        else:
            messages.success(request, "Asked for. Somebody else has to agree before anything goes.")
            return redirect("erasure_list", tenant=tenant)
    found = erasure_preview(person)
    crumbs = [Link("Erasure", reverse("erasure_list", kwargs={"tenant": tenant}))]
    context = {
        "person": person,
        "form": form,
        "texts": sorted(found.texts.items()),
        "count": found.texts.total(),
        "stays": found.stays,
        "crumbs": crumbs,
    }
    return render(request, "people/erasure_new.html", context)


@needs(Can.PEOPLE_EDIT)
@require_POST
def erasure_agree(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """The second person's word; a worker does it then."""
    erasure = get_object_or_404(Erasure, pk=pk)
    try:
        erasure_approve(erasure=erasure, approved_by=cast(User, request.user))
    except ProblemsError as error:
        messages.error(request, error.problems[0].message)
    else:
        messages.success(request, f"{erasure}: agreed. It is done in the background; this cannot be taken back.")
    return redirect("erasure_list", tenant=tenant)
