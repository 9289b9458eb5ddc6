"""Territory alignment: rules are uploaded, what they would change is shown, then they are put in force."""

from __future__ import annotations

import csv
import io
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.errors import Problem, ProblemsError
from comp.core.sheets import XLSX_BYTES
from comp.people.models import CreditRole, Participant
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.forms import table_as_csv
from comp.web.paging import paginate
from comp.web.parts import Link
from comp.web.sizes import takes_file
from crediting.models import Alignment, AlignmentRule
from crediting.services.alignment import Realigned, in_force
from crediting.services.alignment_file import COLUMNS, NEEDED, ROWS, Given
from crediting.services.alignments import Preview, Touched, alignment_apply, alignment_preview, alignment_store

#: What a set of rules is shown by, and the words for it.
RULES, DEALS, PEOPLE = "rules", "deals", "people"
#: Wrong rows that a page tells at once.
TOLD = 100


class AlignmentForm(forms.Form):
    """A table of rules; its cleaned value is its rows by column."""

    file = forms.FileField(
        label="Rules, CSV or XLSX",
        help_text="All rules, with their days. You see what they change before they do.",
        widget=forms.FileInput(attrs={"data-most": XLSX_BYTES}),
    )

    def clean_file(self) -> list[Given]:
        lines = list(csv.reader(io.StringIO(table_as_csv(self.cleaned_data["file"], rows=ROWS))))
        header = [name.strip() for name in lines[0]]
        unknown = [name for name in header if name not in COLUMNS]
        missing = [name for name in NEEDED if name not in header]
        if unknown or missing:
            wrong = f"Unknown column {unknown[0]!r}" if unknown else f"The column {missing[0]} is missing"
            raise forms.ValidationError(f"{wrong}; columns are {', '.join(COLUMNS)}.")
        return [
            (line, dict(zip(header, cells, strict=True))) for line, cells in enumerate(lines[1:], start=2) if any(cells)
        ]


@takes_file(XLSX_BYTES)
@needs(Can.PEOPLE_EDIT)
@require_http_methods(["GET", "POST"])
def alignment_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """Uploads rules; the sets that were, and which is in force."""
    form = AlignmentForm(request.POST or None, request.FILES or None)
    wrong: list[tuple[int, Problem]] = []
    if request.method == "POST" and form.is_valid():
        name = getattr(request.FILES["file"], "name", None) or "rules.csv"
        try:
            row, wrong = alignment_store(name=name, rows=form.cleaned_data["file"], by=request.user)  # type: ignore[arg-type]
            if row is not None:
                return redirect("alignment", tenant=tenant, pk=row.pk)
        except ProblemsError as error:
            form.add_error("file", str(error))
    rows = Alignment.objects.select_related("uploaded_by", "applied_by").order_by("-id")
    context = {
        "form": form,
        "wrong": wrong[:TOLD],
        "wrong_count": len(wrong),
        "columns": COLUMNS,
        "page_obj": paginate(request, rows, 25),
        "in_force": in_force(),
    }
    return render(request, "crediting/alignment_list.html", context, status=422 if form.errors or wrong else 200)


@needs(Can.PEOPLE_EDIT)
@require_GET
def alignment(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """A set of rules: what it would change now, deal by deal and person by person, until it was put in force."""
    row = get_object_or_404(Alignment.objects.select_related("uploaded_by", "applied_by"), pk=pk)
    rules = AlignmentRule.objects.filter(alignment=row).select_related("account", "product", "participant")
    rules = rules.order_by("line")
    if request.GET.get("format") == "csv":
        return csv_response(f"alignment-{row.number or row.pk}", COLUMNS, (_cells(rule) for rule in rules))
    tables: dict[str, Any] = {RULES: rules}
    preview = None if row.number else alignment_preview(alignment=row)
    if preview is not None:
        tables = {DEALS: preview.changes, PEOPLE: preview.people, **tables}
    shown = request.GET.get("show", "")
    shown = shown if shown in tables else next(iter(tables))
    here = reverse("alignment", kwargs={"tenant": tenant, "pk": pk})
    words = {DEALS: "Deals", PEOPLE: "People", RULES: "Rules"}
    names, roles = _names(preview), dict(CreditRole.objects.values_list("key", "name"))
    page = paginate(request, tables[shown], 25)
    counts = {DEALS: preview.deals if preview else 0, PEOPLE: len(tables.get(PEOPLE, ())), RULES: row.rows}
    context = {
        "alignment": row,
        "preview": preview,
        "shown": shown,
        "page_obj": page,
        "rows": [(one, *_words(one, names, roles)) for one in page],
        "tabs": [Link(words[key], f"{here}?show={key}", key == shown, counts[key]) for key in tables],
        "is_in_force": row == in_force(),
        "crumbs": [Link("Territories", reverse("alignment_list", kwargs={"tenant": tenant}))],
    }
    return render(request, "crediting/alignment.html", context)


@needs(Can.PEOPLE_EDIT)
@require_POST
def alignment_put(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Puts a set of rules in force."""
    row = get_object_or_404(Alignment, pk=pk)
    try:
        done = alignment_apply(alignment=row, by=request.user)  # type: ignore[arg-type]
    except ProblemsError as error:
        messages.error(request, " ".join(problem.message for problem in error.problems))
    else:
        count = done.counts["deals"]
        messages.success(request, f"{done} is in force. {count:,} deal{'' if count == 1 else 's'} moved.")
    return redirect("alignment", tenant=tenant, pk=pk)


def _words(one: Any, names: dict[int, str], roles: dict[str, str]) -> tuple[str, ...]:
    """What a row is called by: of a deal the role, who has it and who would; of a person the name; of a rule the
    role."""
    match one:
        case Realigned(role=role, before=before, after=after):
            return roles.get(role, role), names.get(before or 0, "nobody"), names.get(after or 0, "nobody")
        case Touched(participant=participant):
            return (names[participant],)
    return (roles.get(one.role, one.role),)


def _names(preview: Preview | None) -> dict[int, str]:
    people = {one.participant for one in preview.people} if preview else set()
    return dict(Participant.objects.filter(id__in=people).values_list("id", "name"))


def _cells(rule: AlignmentRule) -> list[str]:
    """A rule as a row of the file that it came by."""
    account, product, person = (row.key if row else "" for row in (rule.account, rule.product, rule.participant))
    place = [rule.role, account, rule.country, rule.state, rule.postal, product, rule.family, person, rule.position]
    return [*place, rule.starts_on.isoformat(), rule.ends_on.isoformat() if rule.ends_on else ""]
