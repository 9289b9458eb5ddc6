"""Reading memberships, before any tenant is set."""

from __future__ import annotations

from comp.tenancy.capabilities import Role
from comp.tenancy.models import Membership, Tenant

#: Where the session keeps the slug of the tenant last visited.
SESSION_TENANT = "tenant"


def memberships(user_id: int) -> dict[str, tuple[Tenant, list[str], list[str]]]:
    """The tenants that a user may enter: slug to (tenant, roles, pay group keys; none means all). Inside `as_user`."""
    found: dict[str, tuple[Tenant, list[str], list[str]]] = {}
    rows = Membership.objects.filter(user_id=user_id).select_related("tenant").order_by("tenant__name", "role")
    for row in rows:
        if row.role == Role.INTEGRATION:
            continue
        _, roles, groups = found.setdefault(row.tenant.slug, (row.tenant, [], []))
        roles.append(row.role)
        groups.extend(row.pay_groups)
    return found
