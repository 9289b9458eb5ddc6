"""Addresses below the request's tenant."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse


def link(request: HttpRequest, name: str, **parts: Any) -> str:
    """The address of a page of the same company."""
    return reverse(name, kwargs={"tenant": request.tenant.slug, **parts})  # type: ignore[attr-defined]
