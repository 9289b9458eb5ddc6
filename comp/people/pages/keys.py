"""Keys of the API: who may call, with what, until when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.api.grants import within
from comp.api.models import ApiKey
from comp.api.services import key_create, key_end
from comp.core.errors import ProblemsError
from comp.tenancy.capabilities import Can
from comp.tenancy.models import User
from comp.web.access import needs
from comp.web.once import repeated
from comp.web.paging import paginate
from comp.web.parts import Link


class KeyForm(forms.Form):
    """What a new key is for. Only what its maker may do is offered."""

    name = forms.CharField(label="Who uses it", max_length=120, help_text="A system or a person, such as “Payroll”.")
    grants = forms.MultipleChoiceField(label="What it may do", widget=forms.CheckboxSelectMultiple)
    days = forms.TypedChoiceField(
        label="Ends after", coerce=int, initial=90, choices=[(n, f"{n} days") for n in (7, 30, 90, 180, 365)]
    )

    def __init__(self, *args: Any, can: frozenset[Can], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(grant.value, f"{grant.label} ({grant.value})") for grant in within(can)]
        self.fields["grants"].choices = choices  # type: ignore[attr-defined]


@needs(Can.KEY_EDIT)
@require_GET
def key_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """All keys, the newest first, those that have ended too."""
    page = paginate(request, ApiKey.objects.select_related("made_by", "ended_by").order_by("-id"))
    rows = [{"key": key, "grants": ", ".join(key.grants), "state": _state(key)} for key in page]
    return render(request, "api/key_list.html", {"page_obj": page, "rows": rows})


@needs(Can.KEY_EDIT)
@require_http_methods(["GET", "POST"])
def key_add(request: HttpRequest, tenant: str) -> HttpResponse:
    """A new key. Its text is on the page that answers, and never again."""
    form = KeyForm(request.POST or None, can=request.can)  # type: ignore[attr-defined]
    context: dict[str, Any] = {
        "form": form,
        "crumbs": [Link("API keys", reverse("key_list", kwargs={"tenant": tenant}))],
    }
    if request.method == "POST" and form.is_valid():
        if repeated(request):
            return redirect("key_list", tenant=tenant)
        said = form.cleaned_data
        expires_at = timezone.now() + timedelta(days=said["days"])
        try:
            key, text = key_create(
                name=said["name"], grants=said["grants"], expires_at=expires_at, made_by=_me(request)
            )
        except ProblemsError as error:
            form.add_error(None, str(error))
        else:
            context |= {"key": key, "text": text}
    return render(request, "api/key_add.html", context)


@needs(Can.KEY_EDIT)
@require_POST
def key_stop(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Ends a key; the next call with it is refused."""
    key = key_end(key=get_object_or_404(ApiKey, pk=pk), ended_by=_me(request))
    messages.success(request, f"The key {key.name} has ended.")
    return redirect("key_list", tenant=tenant)


def _me(request: HttpRequest) -> User:
    return cast(User, request.user)  # nobody comes this far without having logged in


def _state(key: ApiKey) -> str:
    if key.ended_at is not None:
        return "ended"
    return "expired" if key.expires_at <= timezone.now() else "live"
