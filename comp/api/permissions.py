"""Refuse by default: an API view that states no grant answers nobody."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request


class Refused(BasePermission):
    """The default of views that are not ours."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return False


class ByKey(BaseAuthentication):
    """Whoever the middleware let in (comp.people.api_middleware). Nobody else comes this far."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        key = getattr(request._request, "api_key", None)
        return (key.made_by, key) if key else None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="comp"'


class Granted(BasePermission):
    """The key has the grant that the view states for the method. Methods that it does not have are answered 405."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not hasattr(view, (request.method or "").lower()):
            return True
        wanted = view.grants.get(request.method)
        self.message = f"this needs a key with the grant {wanted}"
        return wanted in getattr(request._request, "grants", ())
