"""What the page shell needs on every page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from comp.tenancy.capabilities import Role
from comp.web.nav import navigation


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `tenant` (or None), `tenants` to switch to, `nav`, and `who` is signed in (or None)."""
    tenant = getattr(request, "tenant", None)
    return {
        "tenant": tenant,
        "tenants": getattr(request, "tenants", []),
        "nav": navigation(request) if tenant else [],
        "who": _who(request),
    }


def _who(request: HttpRequest) -> dict[str, str] | None:
    user = getattr(request, "user", None)  # error pages may be drawn before anyone is known
    if user is None or not user.is_authenticated:
        return None
    name = str(user)
    words = name.replace("@", " ").replace(".", " ").split()
    initials = "".join(word[0] for word in [*words[:1], *words[1:][-1:]]).upper()
    roles = ", ".join(str(Role(role).label) for role in sorted(getattr(request, "roles", ())))
    return {"name": name, "role": roles, "initials": initials}
