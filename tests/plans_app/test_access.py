"""Every address of a tenant says what it needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from comp.tenancy.capabilities import Can
from comp.web.access import anyone, needs


def below(resolver: URLResolver, path: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        here = path + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from below(pattern, here)
        else:
            yield here, pattern


def test_every_view_below_a_tenant_states_its_capability() -> None:
    views = [(path, pattern) for path, pattern in below(get_resolver()) if path.startswith("t/<slug:tenant>/")]
    assert len(views) > 20
    assert [path for path, pattern in views if not hasattr(pattern.callback, "needs")] == []


def test_all_capabilities_are_needed() -> None:
    @needs(Can.PLAN_READ, Can.PLAN_EDIT)
    def page(request: object) -> HttpResponse:
        return HttpResponse("open")

    request = RequestFactory().get("/")
    for can in (frozenset(), frozenset({Can.PLAN_READ})):
        request.can = can  # type: ignore[attr-defined]
        with pytest.raises(PermissionDenied):
            page(request)
    request.can = frozenset({Can.PLAN_READ, Can.PLAN_EDIT, Can.PAY_ALL})  # type: ignore[attr-defined]
    assert page(request).content == b"open"


def test_a_page_for_everybody_is_marked_and_needs_without_capability_is_a_mistake() -> None:
    @anyone
    def page(request: object) -> HttpResponse:
        return HttpResponse("open")

    assert page.needs == frozenset()  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="no capability"):
        needs()
