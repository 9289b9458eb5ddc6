"""What the page shell needs on every page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from comp.web.nav import navigation


def shell(request: HttpRequest) -> dict[str, Any]:
    tenant = getattr(request, "tenant", None)
    return {"tenant": tenant, "tenants": getattr(request, "tenants", []), "nav": navigation(request) if tenant else []}
