"""The tenant of an API call: found by its key, set for one transaction around the view, with the pay that the key's
grants and its maker's capabilities allow together."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from comp.api.errors import error_response
from comp.api.grants import NEEDS, SHOW_PAY
from comp.api.services import Denied, key_open
from comp.people.middleware import caller_address, pay_of, whence
from comp.tenancy.capabilities import capabilities
from comp.tenancy.scope import Actor, Pay, as_user, tenant_scope
from comp.tenancy.selectors import memberships

API = "/api/v1/"
#: What Django itself answers below the API, where no view of ours did.
WORDS = {400: "the request cannot be read", 404: "There is no such address.", 500: "this failed, and is looked into"}


class ApiMiddleware:
    """Sets on the request: tenant, api_key, grants (those that hold), can (its maker's capabilities)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(API):
            return self.get_response(request)
        response = self._answer(request)
        if response.status_code >= 400 and "json" not in response.headers.get("Content-Type", ""):
            response = error_response(response.status_code, WORDS.get(response.status_code, "refused"))
        response.headers["Cache-Control"] = "no-store"
        return response

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if "\0" in request.GET.urlencode() or "%00" in request.META.get("QUERY_STRING", ""):
            return error_response(400, "the address holds the character NUL, which no text has")
        try:
            key = key_open(request.headers.get("Authorization", ""), caller_address(request))
        except Denied as denied:
            return error_response(denied.status, str(denied), denied.wait)
        maker = key.made_by
        with as_user(maker.pk):
            here = [each for each in memberships(maker.pk).values() if each[0].pk == key.tenant_id]
        if not here or not maker.is_active:
            return error_response(401, "whoever made this key does not belong to the company any more")
        tenant, roles, pay_groups = here[0]
        can = capabilities(roles)
        grants = frozenset(grant for grant in key.grants if NEEDS.get(grant) in can)
        trace = request.headers.get("X-Request-ID", "")[:64] or uuid.uuid4().hex
        actor = Actor("key", f"{key.name}, of {maker}", user_id=maker.pk, trace=trace, **whence(request))
        with tenant_scope(tenant.pk, actor=actor):
            pay = pay_of(can, None, pay_groups) if grants & SHOW_PAY else Pay.nobody()
            request.tenant, request.api_key = tenant, key  # type: ignore[attr-defined]
            request.grants, request.can = grants, can  # type: ignore[attr-defined]
            with tenant_scope(tenant.pk, pay=pay):
                response = self.get_response(request)
                if response.status_code >= 400:  # refused or failed: nothing of it stays
                    transaction.set_rollback(True)
        return response
