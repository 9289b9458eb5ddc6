"""The close checklist: the company's list, what each person has to do, and its evidence."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.errors import CompError, told
from comp.tenancy.capabilities import Can, Role
from comp.tenancy.models import Membership, User
from comp.tenancy.scope import current_tenant_id
from comp.web.access import anyone, needs
from comp.web.paging import paginate
from comp.web.parts import Link
from comp.web.sizes import takes_file
from payouts.models import BatchCheck, ChecklistItem
from payouts.pages.batch_parts import crumbs
from payouts.pages.batch_steps import attempt, batch_or_404
from payouts.pages.links import link
from payouts.reads.closing import check_rows, checks_to_do
from payouts.services import checklists
from payouts.services.checklists import EVIDENCE_BYTES


class ItemForm(forms.Form):
    """An item of the company's list."""

    title = forms.CharField(label="What is done", max_length=160)
    owner = forms.ChoiceField(label="Whose it is")
    due_days = forms.IntegerField(
        label="Due, days after the period's last day", min_value=-60, max_value=120, initial=3
    )
    needs_evidence = forms.BooleanField(
        label="Needs evidence", required=False, help_text="A file, or a note of where it is."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        members = Membership.objects.filter(tenant_id=current_tenant_id()).select_related("user")
        people = {str(one.user_id): str(one.user) for one in members.order_by("user__full_name", "id")}
        self.fields["owner"].choices = [  # type: ignore[attr-defined]
            ("A role", [(role.value, f"Anybody in {role.label}") for role in Role if role != Role.INTEGRATION]),
            ("A person", list(people.items())),
        ]

    def said(self) -> dict[str, Any]:
        """The item as the service takes it."""
        data = dict(self.cleaned_data)
        owner = data.pop("owner")
        person = User.objects.get(pk=owner) if owner.isdecimal() else None
        return {**data, "owner_role": "" if person else owner, "owner": person}


# ------------------------------------------------------------------ the company's list


@needs(Can.BATCH_READ, Can.BATCH_SUBMIT)
@require_http_methods(["GET", "POST"])
def checklist(request: HttpRequest, tenant: str) -> HttpResponse:
    """What is done at every close, and the form for one more."""
    form = ItemForm(request.POST or None)
    if request.method == "POST":
        if request.POST.get("act") == "begin":
            checklists.checklist_begin()
            return redirect("checklist", tenant=tenant)
        if form.is_valid() and attempt(request, lambda: checklists.item_add(**form.said())) is not None:
            messages.success(request, "Added. Closes that begin from now on have it.")
            return redirect("checklist", tenant=tenant)
    items = list(ChecklistItem.objects.filter(active=True).select_related("owner"))
    context = {"items": items, "form": form, "crumbs": crumbs(request), "any": ChecklistItem.objects.exists()}
    return render(request, "payouts/batches/checklist.html", context)


@needs(Can.BATCH_READ, Can.BATCH_SUBMIT)
@require_http_methods(["GET", "POST"])
def checklist_item(request: HttpRequest, tenant: str, item: int) -> HttpResponse:
    """One item, to be said anew or taken off the list."""
    found = get_object_or_404(ChecklistItem, pk=item, active=True)
    stands = {
        "title": found.title,
        "owner": found.owner_role or str(found.owner_id),
        "due_days": found.due_days,
        "needs_evidence": found.needs_evidence,
    }
    if request.method == "POST" and request.POST.get("act") == "end":
        checklists.item_end(item=found)
        messages.success(request, f"{found} is off the list. Closes that have begun keep it.")
        return redirect("checklist", tenant=tenant)
    form = ItemForm(request.POST or None, initial=stands)
    if (
        request.method == "POST"
        and form.is_valid()
        and attempt(request, lambda: checklists.item_update(item=found, **form.said())) is not None
    ):
        messages.success(request, "Changed for the closes that begin from now on.")
        return redirect("checklist", tenant=tenant)
    trail = [*crumbs(request), Link("Close checklist", link(request, "checklist"))]
    return render(request, "payouts/batches/checklist_item.html", {"item": found, "form": form, "crumbs": trail})


# ------------------------------------------------------------------ what is to be done


@anyone
@require_GET
def closes(request: HttpRequest, tenant: str) -> HttpResponse:
    """What the visitor has to do before periods can be closed."""
    user: Any = request.user
    page = paginate(request, checks_to_do(user), 50)
    rows = check_rows(page.object_list, user, timezone.localdate())
    return render(request, "payouts/batches/closes.html", {"rows": rows, "page": page, "next": "closes"})


@takes_file(EVIDENCE_BYTES)
@anyone
@require_POST
def check_do(request: HttpRequest, tenant: str, check: int) -> HttpResponse:
    """Marks an item done with its evidence, or opens it again; only for its owner."""
    found = get_object_or_404(BatchCheck.objects.select_related("batch").defer("file"), pk=check)
    user: Any = request.user
    if not checklists.may_do(found, user):
        raise Http404("no such item, or not yours to do")
    try:
        if request.POST.get("act") == "undo":
            checklists.check_undo(check=found, undone_by=user, reason=request.POST.get("reason", "")[:500])
        else:
            file = request.FILES.get("file")
            given: Any = file
            checklists.check_do(
                check=found,
                done_by=user,
                note=request.POST.get("note", "")[:2000],
                file=given,
                file_name=file.name or "" if file else "",
            )
            messages.success(request, f"{found.title}: done.")
    except CompError as error:
        messages.error(request, told(error))
    if request.POST.get("next") == "batch" and Can.BATCH_READ in request.can:  # type: ignore[attr-defined]
        return redirect(link(request, "batch", pk=found.batch_id) + "#checklist")
    return redirect("closes", tenant=tenant)


@needs(Can.BATCH_READ)
@require_GET
def check_file(request: HttpRequest, tenant: str, pk: int, check: int) -> HttpResponse:
    """The evidence as it was given: always a download, never shown in the page."""
    found = get_object_or_404(BatchCheck, pk=check, batch=batch_or_404(pk), file_size__gt=0)
    answer = HttpResponse(bytes(found.file), content_type="application/octet-stream")
    answer["Content-Disposition"] = content_disposition_header(True, found.file_name)
    answer["Cache-Control"] = "no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


checklist_urls: list[URLPattern] = [
    path("payouts/checklist/", checklist, name="checklist"),
    path("payouts/checklist/<int:item>/", checklist_item, name="checklist_item"),
    path("closes/", closes, name="closes"),
    path("closes/<int:check>/", check_do, name="check_do"),
    path("payouts/<int:pk>/checks/<int:check>/", check_file, name="check_file"),
]
