"""The administration: open to members of the tenant last visited who may edit something in it. Nobody is staff."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from unfold.sites import UnfoldAdminSite

from comp.tenancy.capabilities import Can

EDITORS = frozenset({Can.PLAN_EDIT, Can.PEOPLE_EDIT, Can.MEMBER_EDIT})


class CompAdminSite(UnfoldAdminSite):
    """Takes permissions from the request's membership, and sends people to the one log-in."""

    enable_nav_sidebar = True

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        # Every write goes through a service, one by one.
        self.disable_action("delete_selected")

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(EDITORS & getattr(request, "can", frozenset()))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.user.is_authenticated:
            raise PermissionDenied("the administration is for those who edit plans, people or memberships")
        return redirect(f"{reverse('account_login')}?next={reverse('admin:index')}")

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return redirect("account_logout")

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return redirect("account_change_password")
