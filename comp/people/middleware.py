"""The tenant of a request: found by the path, entered by membership, set for one transaction around the view and its
rendering."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import SuspiciousOperation
from django.core.handlers.exception import convert_exception_to_response
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from comp.people.selectors import downline_ids, own_participant
from comp.tenancy.capabilities import Can, capabilities
from comp.tenancy.scope import Actor, Pay, as_user, tenant_scope
from comp.tenancy.selectors import SESSION_TENANT, memberships


class TenantMiddleware:
    """Below /t/<slug>/ (and /admin/, by the tenant last visited) opens the scope. A stranger gets 404, as if the
    company did not exist.

    Sets on the request: tenant, roles, can (capabilities), participant (the signed-in person's own, or None),
    memberships.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        slug = self._slug(request)
        if slug is None:
            return self.get_response(request)
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if any("\0" in text for form in (request.GET, request.POST) for row in form.lists() for text in row[1]):
            raise SuspiciousOperation("a field holds the character NUL, which no text has")
        with as_user(request.user.pk):
            tenants = memberships(request.user.pk)
        found = tenants.get(slug)
        if found is None:
            # No company visited yet: the front door finds the one, or asks.
            return _as_if_absent(request) if slug else redirect("start")
        tenant, roles, pay_groups = found
        if request.session.get(SESSION_TENANT) != slug:  # written only then: an open page polls every few seconds
            request.session[SESSION_TENANT] = slug
        trace = request.headers.get("X-Request-ID", "")[:64] or uuid.uuid4().hex
        actor = Actor("user", str(request.user), user_id=request.user.pk, trace=trace, **whence(request))
        can = capabilities(roles)
        with tenant_scope(tenant.pk, actor=actor):
            participant = own_participant(user_id=request.user.pk)
            request.tenant, request.roles, request.can = tenant, roles, can  # type: ignore[attr-defined]
            request.participant, request.tenants = participant, [t for t, _, _ in tenants.values()]  # type: ignore[attr-defined]
            with tenant_scope(tenant.pk, pay=pay_of(can, participant, pay_groups)):
                # Every time and date of the page is the company's own.
                with timezone.override(tenant.time_zone):
                    response = self.get_response(request)
                if response.status_code >= 400:  # refused or failed: nothing of it stays
                    transaction.set_rollback(True)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    @staticmethod
    def _slug(request: HttpRequest) -> str | None:
        parts = request.path_info.split("/", 3)
        if len(parts) > 2 and parts[1] == "t":
            return parts[2]
        if parts[1] == "admin":
            return request.session.get(SESSION_TENANT, "") if request.user.is_authenticated else None
        return None


def caller_address(request: HttpRequest) -> str:
    """Who calls; behind a proxy of ours, whom it names last."""
    return caller_named(request.META)


def caller_named(meta: Mapping[str, Any]) -> str:
    """The same by what the server says of the request."""
    if settings.BEHIND_TLS:
        return str(meta.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()
    return str(meta.get("REMOTE_ADDR", ""))


def whence(request: HttpRequest) -> dict[str, str]:
    """Where a request came from, for the audit trail: the address, and the program as it names itself."""
    agent = request.headers.get("User-Agent", "").replace("\0", "")
    return {"address": caller_address(request)[:45], "agent": agent[:300]}


def _absent(request: HttpRequest) -> HttpResponse:
    raise Http404("no such company")


def _as_if_absent(request: HttpRequest) -> HttpResponse:
    return cast(HttpResponse, convert_exception_to_response(_absent)(request))


def pay_of(can: frozenset[Can], participant: Any, pay_groups: list[str]) -> Pay:
    """Whose pay this session may see, by its capabilities."""
    from comp.people.models import PayGroup

    if Can.PAY_ALL in can:
        groups = PayGroup.objects.filter(key__in=pay_groups) if pay_groups else PayGroup.objects.all()
        return Pay.in_groups(groups.values_list("id", flat=True))
    if participant is None or Can.PAY_OWN not in can:
        return Pay.nobody()
    if Can.PAY_TEAM in can:
        return Pay.of([participant.pk, *downline_ids(manager_id=participant.pk)])
    return Pay.of([participant.pk])
