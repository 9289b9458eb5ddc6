"""Evidence of a batch: ask for an export, see how far it is, download it."""

from __future__ import annotations

from typing import cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.text import get_valid_filename
from django.views.decorators.http import require_GET, require_http_methods

from comp.core.errors import ProblemsError
from comp.tenancy.capabilities import Can
from comp.tenancy.models import User
from comp.web.access import needs
from comp.web.forms import add_problems
from comp.web.live import live_response
from comp.web.parts import Link
from payouts.models import EvidenceExport
from payouts.selectors_batches import batches_visible
from payouts.services.evidence import SAMPLES, SAMPLES_AT_MOST, evidence_ask, evidence_read


class AskForm(forms.Form):
    """How many lines are drawn, and by what."""

    samples = forms.IntegerField(
        label="Lines in the sample", min_value=0, max_value=SAMPLES_AT_MOST, initial=SAMPLES,
        help_text="Each is shown with its calculation, its facts and the digest of the delivery that they came by.",
    )  # fmt: skip
    seed = forms.CharField(
        label="Seed",
        required=False,
        max_length=60,
        help_text="Draws the sample; the auditor may choose it. Empty: by chance.",
    )


@needs(Can.AUDIT_READ, Can.PAY_ALL)
@require_http_methods(["GET", "POST"])
def evidence(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """The exports of one batch, the latest first; posting asks for another one."""
    batch = get_object_or_404(batches_visible(), pk=pk)
    form = AskForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            evidence_ask(batch=batch, asked_by=cast(User, request.user), **form.cleaned_data)
        except ProblemsError as error:
            add_problems(form, error)
        else:
            messages.success(request, "The export is being built. It is listed here as soon as it is done.")
            return redirect("evidence", tenant=tenant, pk=pk)
    exports, version = _exports(batch.pk)
    crumbs = [Link("Payouts", reverse("batch_list", kwargs={"tenant": tenant}))]
    if Can.BATCH_READ in request.can:  # type: ignore[attr-defined]
        crumbs.append(Link(batch.name, reverse("batch", kwargs={"tenant": tenant, "pk": pk})))
    else:
        crumbs = []
    context = {"batch": batch, "form": form, "exports": exports, "version": version, "crumbs": crumbs}
    return render(request, "payouts/evidence.html", context)


@needs(Can.AUDIT_READ, Can.PAY_ALL)
@require_GET
def evidence_progress(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """The part of the page that follows the work."""
    batch = get_object_or_404(batches_visible(), pk=pk)
    exports, version = _exports(batch.pk)
    return live_response(request, version, "payouts/_evidence.html", {"batch": batch, "exports": exports})


@needs(Can.AUDIT_READ, Can.PAY_ALL)
@require_GET
def evidence_file(request: HttpRequest, tenant: str, pk: int, export: int) -> HttpResponse:
    """The ZIP."""
    found = get_object_or_404(
        EvidenceExport.objects.filter(batch__in=batches_visible(), state=EvidenceExport.State.DONE), batch=pk, pk=export
    )
    answer = HttpResponse(evidence_read(export=found), content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="{get_valid_filename(str(found))}.zip"'
    answer["Cache-Control"] = "no-store"
    return answer


def _exports(batch: int) -> tuple[list[EvidenceExport], str]:
    """The exports without their bytes, and what changes when one of them moves."""
    found = list(EvidenceExport.objects.filter(batch=batch).defer("body").select_related("asked_by"))
    return found, "-".join(f"{one.pk}.{one.state}.{one.step}" for one in found) or "none"


evidence_urls: list[URLPattern] = [
    path("payouts/<int:pk>/evidence/", evidence, name="evidence"),
    path("payouts/<int:pk>/evidence/progress/", evidence_progress, name="evidence_progress"),
    path("payouts/<int:pk>/evidence/<int:export>/", evidence_file, name="evidence_file"),
]
