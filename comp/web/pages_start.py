"""The front door: where somebody who has logged in goes, and whether the house answers."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_GET

from comp.tenancy.capabilities import Role
from comp.tenancy.models import Tenant
from comp.tenancy.scope import as_user
from comp.tenancy.selectors import SESSION_TENANT, memberships
from comp.web.access import anyone

#: The page that each role opens its day with; the first role that somebody has, in this order, decides.
FIRST_PAGES = (
    (Role.REPRESENTATIVE, "home"),
    (Role.MANAGER, "home"),
    (Role.FINANCE, "batch_list"),
    (Role.SALES_OPS, "plan_list"),
    (Role.REVENUE_LEADER, "plan_list"),
    (Role.ADMINISTRATOR, "plan_list"),
)


@login_required
@require_GET
def start(request: HttpRequest) -> HttpResponse:
    """To the first page of one's only company, or of the one last visited; else to the choice."""
    tenants = _tenants(request)
    slug = request.session.get(SESSION_TENANT, "")
    if slug not in tenants:
        slug = next(iter(tenants)) if len(tenants) == 1 else ""
    if not slug:
        return redirect("choose")
    tenant, roles, _ = tenants[slug]
    return redirect(first_page(tenant, roles))


@login_required
@require_GET
def choose(request: HttpRequest) -> HttpResponse:
    """The companies that somebody belongs to, each with their roles in it."""
    rows = [
        {"tenant": tenant, "roles": [Role(role).label for role in roles], "url": first_page(tenant, roles)}
        for tenant, roles, _ in _tenants(request).values()
    ]
    return render(request, "web/choose.html", {"rows": rows})


@anyone
@require_GET
def enter(request: HttpRequest, tenant: str) -> HttpResponse:
    """A company's front door: to the first page of the visitor's roles."""
    return redirect(first_page(request.tenant, request.roles))  # type: ignore[attr-defined]


@require_GET
def health(request: HttpRequest) -> HttpResponse:
    """200 while the database answers. Redis is not asked: without it work is late, not lost."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"database": "no answer"}, status=503)
    return JsonResponse({"database": "ok"})


def first_page(tenant: Tenant, roles: list[str]) -> str:
    """The address at which these roles start."""
    for role, name in FIRST_PAGES:
        if role in roles:
            try:
                return reverse(name, kwargs={"tenant": tenant.slug})
            except NoReverseMatch:
                continue
    return reverse("choose")


def _tenants(request: HttpRequest) -> dict[str, tuple[Tenant, list[str], list[str]]]:
    assert request.user.pk is not None
    with as_user(request.user.pk):
        return memberships(request.user.pk)
