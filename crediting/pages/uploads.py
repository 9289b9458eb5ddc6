"""Files of facts: uploaded, matched, checked, taken in; and all that were."""

from __future__ import annotations

import tempfile
from typing import Any, BinaryIO

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.errors import ProblemsError
from comp.core.sheets import CSV_BYTES
from comp.people.models import Participant
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.live import live_response
from comp.web.paging import paginate
from comp.web.parts import Fact, Link
from comp.web.sizes import takes_file
from comp.web.templatetags.comp import badge
from crediting import selectors
from crediting.forms import NEW_ENDPOINT, UploadForm
from crediting.intake import files
from crediting.intake.mapping.readings import DATE_FORMS, DECIMAL_FORMS
from crediting.models import HookEndpoint, RawDelivery, Upload, UploadPart
from crediting.services import uploads
from crediting.services.endpoints import endpoint_create

State = Upload.State
LOOKS = {
    State.NEW: ("wait", "pencil-square"),
    State.CHECKING: ("plain", "clock"),
    State.CHECKED: ("wait", "eye"),
    State.TAKING: ("plain", "clock"),
    State.TAKEN: ("good", "check"),
    State.DISCARDED: ("plain", "no-symbol"),
    State.FAILED: ("stop", "exclamation-triangle"),
}
AT_WORK = (State.CHECKING, State.TAKING)
#: First rows, people and questions that the page shows; the rest is counted.
SHOWN, BAD_SHOWN = 3, 20


@takes_file(CSV_BYTES)
@needs(Can.DATA_FIX)
@require_http_methods(["GET", "HEAD", "POST"])
def upload_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """Every file that was uploaded, the latest first, and the form for the next."""
    endpoints = HookEndpoint.objects.filter(adapter="file", active=True).order_by("name")
    form = UploadForm(request.POST or None, request.FILES or None, endpoints=endpoints)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                upload = _add(request, form, endpoints)
                return redirect("upload", tenant=tenant, upload=upload.pk)
            except ProblemsError as error:
                form.add_error(None, str(error))
    page = paginate(request, Upload.objects.select_related("endpoint", "made_by").defer("body").order_by("-id"))
    rows = [(one, _badge(one), files.KINDS.get(one.event, one.event)) for one in page]
    return render(request, "crediting/upload_list.html", {"form": form, "page_obj": page, "rows": rows}, status=status)


@needs(Can.DATA_FIX)
@require_GET
def upload(request: HttpRequest, tenant: str, upload: int) -> HttpResponse:
    """One file: what its columns are, what checking it found, or what became of it."""
    return _draw(request, _get(upload))


@needs(Can.DATA_FIX)
@require_POST
def upload_match(request: HttpRequest, tenant: str, upload: int) -> HttpResponse:
    """Says what the columns are; the file is then checked."""
    row = _get(upload)
    columns = {}
    for place, column in enumerate(row.header):
        name = request.POST.get(f"column-{place}", "")
        if name == "custom":
            name = f"custom.{slugify(column).replace('-', '_')}"
        if name:
            columns[column] = name
    try:
        uploads.upload_match(
            upload=row,
            columns=columns,
            date_form=request.POST.get("days", ""),
            decimal_form=request.POST.get("numbers", ""),
        )
    except ProblemsError as error:
        row.columns = columns
        return _draw(request, row, problems=[str(one) for one in error.problems], status=422)
    return redirect("upload", tenant=tenant, upload=row.pk)


@needs(Can.DATA_FIX)
@require_POST
def upload_take(request: HttpRequest, tenant: str, upload: int) -> HttpResponse:
    """Takes in every row that can be; or forgets the file."""
    row = _get(upload)
    user: Any = request.user
    try:
        if request.POST.get("act") == "discard":
            uploads.upload_discard(upload=row)
            messages.success(request, f"{row.name} is discarded. Nothing of it was taken in.")
            return redirect("upload_list", tenant=tenant)
        uploads.upload_take(upload=row, taken_by=user)
    except ProblemsError as error:
        messages.error(request, str(error))
    return redirect("upload", tenant=tenant, upload=row.pk)


@needs(Can.DATA_FIX)
@require_GET
def upload_progress(request: HttpRequest, tenant: str, upload: int) -> HttpResponse:
    """How far a file is, asked for by its own page; the whole page is new when it is through."""
    row = _get(upload)
    answer = live_response(request, f"{row.state}-{row.step}", "crediting/upload_progress.html", _progress(row))
    if row.state not in AT_WORK:
        answer["HX-Refresh"] = "true"
    return answer


@needs(Can.DATA_FIX)
@require_GET
def upload_bad(request: HttpRequest, tenant: str, upload: int) -> HttpResponse:
    """The rows that cannot be taken in, with what is wrong with each: to be put right and uploaded again."""
    row = _get(upload)
    header, rows = uploads.bad_rows(row)
    return csv_response(f"{row.name.rpartition('.')[0] or row.name}-to-correct", header, rows)


# ------------------------------------------------------------------ pieces


def _get(upload: int) -> Upload:
    rows: QuerySet[Upload] = Upload.objects.select_related("endpoint", "made_by").defer("body")
    return get_object_or_404(rows, pk=upload)


def _add(request: HttpRequest, form: UploadForm, endpoints: QuerySet[HookEndpoint]) -> Upload:
    chosen = form.cleaned_data["endpoint"]
    if chosen == NEW_ENDPOINT:
        name = form.cleaned_data["name"]
        endpoint, _ = endpoint_create(
            key=slugify(name)[:50], name=name, adapter="file", deals_from=form.cleaned_data["deals_from"]
        )
    else:
        endpoint = endpoints.get(pk=chosen)
    given: UploadedFile = form.cleaned_data["file"]
    user: Any = request.user
    with tempfile.TemporaryFile() as file:
        for chunk in given.chunks():
            file.write(chunk)
        file.flush()
        real: BinaryIO = file
        return uploads.upload_add(
            endpoint=endpoint, event=form.cleaned_data["event"], name=given.name or "file", file=real, made_by=user
        )


def _draw(request: HttpRequest, row: Upload, problems: list[str] | None = None, status: int = 200) -> HttpResponse:
    matching = row.state in (State.NEW, State.CHECKED)
    context = {
        "upload": row,
        "badge": _badge(row),
        "kind": files.KINDS.get(row.event, row.event),
        "problems": problems or [],
        "about": list(_about(row)),
        "columns": _columns(row) if matching else [],
        "fields": [(name, _words(name)) for name in files.fields_of(row.event)],
        "needed": [_words(name) for name in files.unmatched(row.event, row.columns)],
        "days": [(form, form == row.form.get("days")) for form in DATE_FORMS],
        "numbers": [(form, form == row.form.get("numbers")) for form in DECIMAL_FORMS],
        "bad": _bad(row),
        "bad_most": uploads.BAD_MOST if row.counts.get("bad", 0) > uploads.BAD_MOST else 0,
        "crumbs": [Link("Uploads", reverse("upload_list", kwargs={"tenant": request.tenant.slug}))],  # type: ignore[attr-defined]
        **_progress(row),
        **_found(row),
    }
    return render(request, "crediting/upload.html", context, status=status)


def _progress(row: Upload) -> dict[str, Any]:
    return {"upload": row, "at_work": row.state in AT_WORK, "version": f"{row.state}-{row.step}",
            "rows_done": min(row.step * uploads.PART, row.rows)}  # fmt: skip


def _columns(row: Upload) -> list[tuple[int, str, str, list[str]]]:
    """Each column: its place, its name, the field it is matched to, and what stands in it first."""
    part = UploadPart.objects.filter(upload=row, place=0).first()
    rows = [cells for _, cells, error in part.rows if not error] if part else []
    found = []
    for place, column in enumerate(row.header):
        seen = list(dict.fromkeys(cells[place] for cells in rows if cells[place].strip()))[:SHOWN]
        name = row.columns.get(column, "")
        found.append((place, column, "custom" if name.startswith("custom.") else name, seen))
    return found


def _bad(row: Upload) -> list[tuple[int, str]]:
    parts = UploadPart.objects.filter(upload=row).exclude(bad=[]).order_by("place").values_list("bad", flat=True)
    found = [(line, reason) for bad in parts[:BAD_SHOWN] for line, reason in bad]
    return found[:BAD_SHOWN]


def _found(row: Upload) -> dict[str, Any]:
    """What checking found, and what became of the rows that were taken in."""
    if row.state not in (State.CHECKED, State.TAKEN):
        return {}
    counts = row.counts
    people = Participant.objects.filter(id__in=counts.get("people", [])).order_by("name")
    names = list(people.values_list("name", flat=True))
    found = {"counts": counts, "people": names[:20], "others": max(0, len(names) - 20), "tried": counts.get("tried", 0)}
    if row.state == State.TAKEN and row.delivery_id:
        states = selectors.item_counts(RawDelivery(pk=row.delivery_id))
        found["became"] = [(RawDelivery.State(state).label, number) for state, number in sorted(states.items())]
    return found


def _about(row: Upload) -> list[Fact]:
    form = row.form
    how = {"encoding": "Encoding", "delimiter": "Between cells", "sheet": "Sheet", "dates": "Days counted"}
    told = [Fact(words, str(form[key])) for key, words in how.items() if key in form]
    return [
        Fact("Holds", files.KINDS.get(row.event, row.event)),
        Fact("Into", row.endpoint.name),
        Fact("File", f"{form.get('kind', '')}, {row.size:,} bytes"),
        *told,
        Fact("Rows", f"{row.rows:,}"),
        Fact("SHA-256", f"{row.sha256[:16]}…"),
    ]


def _words(name: str) -> str:
    """A field's name as people read it: `close_date` is `Close date`."""
    return {files.PERSON: "Person", files.ROLE: "Role of the person"}.get(name, name.replace("_", " ").capitalize())


def _badge(row: Upload) -> str:
    tone, icon = LOOKS[State(row.state)]
    return badge(str(row.get_state_display()), tone, icon)
