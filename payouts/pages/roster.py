"""The roster of people: a file is uploaded, what it would change and whose figures is shown, then it is applied."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.errors import ProblemsError
from comp.core.sheets import XLSX_BYTES
from comp.people.models import RosterFile
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.forms import table_as_csv
from comp.web.paging import paginate
from comp.web.parts import Link
from comp.web.sizes import takes_file
from payouts.reads.affected import affected_rows
from plans import roster
from plans.roster_file import COLUMNS

ERRORS, AFFECTED = "errors", "affected"


class RosterForm(forms.Form):
    """A table, CSV or XLSX; its cleaned value is the same as plain CSV."""

    file = forms.FileField(
        label="Roster, CSV or XLSX",
        help_text="One row a person. You see what it changes before it does.",
        widget=forms.FileInput(attrs={"data-most": XLSX_BYTES}),
    )

    def clean_file(self) -> str:
        return table_as_csv(self.cleaned_data["file"])


@takes_file(XLSX_BYTES)
@needs(Can.PEOPLE_EDIT)
@require_http_methods(["GET", "POST"])
def roster_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """Uploads a roster; the files that were."""
    form = RosterForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            name = getattr(request.FILES["file"], "name", None) or "roster.csv"
            file = roster.roster_store(name=name, text=form.cleaned_data["file"], by=request.user)  # type: ignore[arg-type]
            return redirect("roster", tenant=tenant, pk=file.pk)
        except ProblemsError as error:
            for problem in error.problems:
                form.add_error("file", str(problem.message))
    files = RosterFile.objects.select_related("uploaded_by", "applied_by").defer("text").order_by("-id")
    context = {"form": form, "page_obj": paginate(request, files, 25), "columns": COLUMNS, "kinds": roster.KINDS}
    return render(request, "people/roster_list.html", context, status=422 if form.errors else 200)


@needs(Can.PEOPLE_EDIT)
@require_GET
def roster_preview(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """What a file would change now: changes by kind, errors, whose figures from which day on. Or what it changed."""
    file = get_object_or_404(RosterFile.objects.select_related("uploaded_by", "applied_by"), pk=pk)
    if file.applied_at is not None:
        return render(request, "people/roster.html", {"file": file, "counts": _counts(file.counts)})
    outcome = roster.roster_text_apply(text=file.text, dry_run=True)
    if request.GET.get("format") == "csv":
        rows = [(error.line, error.column, error.found, error.allowed, error.message) for error in outcome.errors]
        return csv_response("roster-errors", ("line", "column", "found", "allowed", "message"), rows)
    shown = request.GET.get("show", ERRORS if outcome.errors else "")
    tables: dict[str, Any] = {
        "": outcome.changes,
        **{kind: [change for change in outcome.changes if change.kind == kind] for kind in roster.KINDS},
        ERRORS: outcome.errors,
        AFFECTED: affected_rows(outcome.affected),
    }
    shown = shown if shown in tables else ""
    words = {"": "All changes", **roster.KINDS, ERRORS: "Errors", AFFECTED: "Whose figures"}
    here = reverse("roster", kwargs={"tenant": tenant, "pk": pk})
    context = {
        "file": file,
        "outcome": outcome,
        "shown": shown,
        "kinds": roster.KINDS,
        "page_obj": paginate(request, tables[shown], 25),
        "tabs": [
            Link(word, f"{here}?show={key}", key == shown, len(tables[key]))
            for key, word in words.items()
            if tables[key] or key in ("", shown, ERRORS, AFFECTED)
        ],
    }
    return render(request, "people/roster.html", context)


@needs(Can.PEOPLE_EDIT)
@require_POST
def roster_apply(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Applies a file, whole or not at all."""
    file = get_object_or_404(RosterFile, pk=pk)
    try:
        outcome = roster.roster_file_apply(
            file=file,
            by=request.user,  # type: ignore[arg-type]
            seen=request.POST.get("seen", ""),
        )
    except ProblemsError as error:
        messages.error(request, " ".join(problem.message for problem in error.problems))
    else:
        if outcome.applied:
            messages.success(request, f"{file.name} is applied: {len(outcome.changes)} changes.")
        else:
            messages.error(request, "Nothing was applied: some rows are wrong.")
    return redirect("roster", tenant=tenant, pk=pk)


def _counts(counts: dict[str, int]) -> list[tuple[str, int]]:
    return [(word, counts[kind]) for kind, word in roster.KINDS.items() if counts.get(kind)]


roster_urls = [
    path("roster/", roster_list, name="roster_list"),
    path("roster/<int:pk>/", roster_preview, name="roster"),
    path("roster/<int:pk>/apply/", roster_apply, name="roster_apply"),
]
