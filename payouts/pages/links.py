"""Addresses of other rooms' pages."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse


def link(request: HttpRequest, name: str, **parts: Any) -> str:
    """The address of a page below the request's tenant; empty where this installation has no such page."""
    try:
        return reverse(name, kwargs={"tenant": request.tenant.slug, **parts})  # type: ignore[attr-defined]
    except NoReverseMatch:
        return ""
