"""What a page asks of its visitor, stated on the view itself, so that a test can prove that every address says it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from comp.tenancy.capabilities import Can

View = TypeVar("View", bound=Callable[..., HttpResponse])


def needs(*capabilities: Can) -> Callable[[View], View]:
    """Opens the view to members who have all these capabilities in the request's tenant; others get 403.

        @needs(Can.PLAN_EDIT)
        def version_edit(request, tenant, ...): ...

    Strangers to the tenant never come this far: the middleware answers 404.
    """
    if not capabilities:
        raise ValueError("needs() was given no capability; a page for each member is marked with anyone")
    wanted = frozenset(capabilities)

    def mark(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            missing = wanted - getattr(request, "can", frozenset())
            if missing:
                raise PermissionDenied(f"this page needs {', '.join(sorted(missing))}")
            return view(request, *args, **kwargs)

        checked.needs = wanted  # type: ignore[attr-defined]
        return checked  # type: ignore[return-value]

    return mark


def anyone(view: View) -> View:
    """Marks a view that every member of the tenant may open."""
    view.needs = frozenset()  # type: ignore[attr-defined]
    return view
