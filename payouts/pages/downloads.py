"""Downloads that workers make: what is being made, and what can be fetched."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils.text import get_valid_filename
from django.views.decorators.http import require_GET

from comp.core.errors import CompError, told
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.live import live_response
from comp.web.paging import paginate
from payouts.models import Download
from payouts.pages.batch_parts import crumbs
from payouts.selectors_batches import pay_groups_visible
from payouts.services.downloads import KEPT_DAYS, download_read


@needs(Can.BATCH_READ)
@require_GET
def download_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """The files that one may fetch, and those being made, the newest first."""
    page = paginate(request, _visible(request), 50)
    version = _version(request)
    context = {"page": page, "version": version, "crumbs": crumbs(request), "days": KEPT_DAYS}
    return render(request, "payouts/downloads/list.html", context)


@needs(Can.BATCH_READ)
@require_GET
def download_progress(request: HttpRequest, tenant: str) -> HttpResponse:
    """The part of the page that follows the work."""
    context = {"page": paginate(request, _visible(request), 50)}
    return live_response(request, _version(request), "payouts/downloads/_list.html", context)


@needs(Can.BATCH_READ)
@require_GET
def download_file(request: HttpRequest, tenant: str, download: int) -> HttpResponse:
    """The file, for who may have it as of now."""
    found = get_object_or_404(_visible(request).filter(state=Download.State.DONE), pk=download)
    try:
        body = download_read(download=found)
    except CompError as error:
        messages.error(request, told(error))
        return redirect("download_list", tenant=tenant)
    name = found.name if found.kind == Download.Kind.PAYROLL else f"{found.name}.zip"
    base, _, kind = name.rpartition(".")
    answer = HttpResponse(body, content_type=found.content_type)
    answer["Content-Disposition"] = f'attachment; filename="{get_valid_filename(base)}.{kind}"'
    answer["Cache-Control"] = "no-store"
    return answer


def _visible(request: HttpRequest) -> QuerySet[Download]:
    """Those of the pay groups that one may see; payroll's for those who pay."""
    rows = Download.objects.filter(pay_group__in=pay_groups_visible()).order_by("-id")
    if Can.BATCH_PAY not in request.can:  # type: ignore[attr-defined]
        rows = rows.exclude(kind=Download.Kind.PAYROLL)
    return rows.defer("body").select_related("asked_by")


def _version(request: HttpRequest) -> str:
    """What changes when one of them moves: the newest, and how far those are that are being made."""
    rows = _visible(request)
    newest = rows.values_list("pk", "state").first()
    moving = rows.filter(state=Download.State.BUILDING).order_by("id").values_list("pk", "step")
    return f"{newest}-{list(moving)}"


download_urls: list[URLPattern] = [
    path("downloads/", download_list, name="download_list"),
    path("downloads/progress/", download_progress, name="download_progress"),
    path("downloads/<int:download>/", download_file, name="download_file"),
]
