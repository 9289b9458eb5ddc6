"""The one place where the strict Content-Security-Policy gives way: the admin screens' own scripts and styles."""

from __future__ import annotations

from collections.abc import Callable

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.http import HttpRequest, HttpResponse

ADMIN_PATH = "/admin/"


class AdminPolicy:
    """Middleware below CSPMiddleware: under /admin/ eval for scripts and inline styles are allowed, nowhere else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        if request.path.startswith(ADMIN_PATH):
            replaced = {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}
            answer._csp_replace = replaced  # type: ignore[attr-defined]
        return answer
