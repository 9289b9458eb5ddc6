"""Recomputations that touch many people: how far each is, and what may be left."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.views.decorators.http import require_GET, require_POST

from comp.core.errors import ProblemsError
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.live import live_response
from comp.web.paging import paginate
from payouts.models import RecomputeJob
from payouts.reads.alerts import alerts_standing
from payouts.reads.jobs import jobs, under_way
from payouts.services.claims import job_cancel
from payouts.services.scopes import scopes_everything

PER_PAGE = 25


@needs(Can.PLAN_READ)
@require_GET
def job_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """What is under way, and what was, the latest first."""
    page = paginate(request, jobs(), PER_PAGE)
    running, version = under_way()
    context = {
        "page_obj": page,
        "running": running,
        "version": version,
        "may_ask": _may_ask(request),
        "alerts": alerts_standing(),
    }
    return render(request, "payouts/jobs.html", context)


@needs(Can.PLAN_READ)
@require_GET
def job_progress(request: HttpRequest, tenant: str) -> HttpResponse:
    """The part of the page that follows the work."""
    running, version = under_way()
    return live_response(request, version, "payouts/_jobs.html", {"running": running, "may_ask": _may_ask(request)})


@needs(Can.PLAN_PUBLISH)
@require_POST
def job_start(request: HttpRequest, tenant: str) -> HttpResponse:
    """Everything is worked out anew."""
    people = scopes_everything(label=f"Everything anew, asked for by {request.user}")
    if people:
        messages.success(request, f"The figures of {people:,} {'person is' if people == 1 else 'people are'} redone.")
    else:
        messages.info(request, "There is nothing to work out yet: no deal has a date that a plan credits.")
    return redirect("job_list", tenant=tenant)


@needs(Can.PLAN_PUBLISH)
@require_POST
def job_leave(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """The rest of one that was asked for by hand is left."""
    job = get_object_or_404(RecomputeJob, pk=pk)
    try:
        left = job_cancel(job, cancelled_by=request.user)  # type: ignore[arg-type]
    except RecomputeJob.DoesNotExist as gone:
        raise Http404("no such job") from gone
    except ProblemsError as error:
        messages.error(request, error.problems[0].message)
    else:
        messages.success(request, f"Left: {left:,} of its figures stay as they were.")
    return redirect("job_list", tenant=tenant)


def _may_ask(request: HttpRequest) -> bool:
    return Can.PLAN_PUBLISH in request.can  # type: ignore[attr-defined]


job_urls: list[URLPattern] = [
    path("jobs/", job_list, name="job_list"),
    path("jobs/progress/", job_progress, name="job_progress"),
    path("jobs/start/", job_start, name="job_start"),
    path("jobs/<int:pk>/leave/", job_leave, name="job_leave"),
]
