"""Reading memberships, before any tenant is set."""

from __future__ import annotations

from comp.tenancy.capabilities import Role
from comp.tenancy.models import Membership, Tenant
from comp.tenancy.rows import rows_read
from comp.tenancy.scope import current_tenant_id

#: Where the session keeps the slug of the tenant last visited.
SESSION_TENANT = "tenant"


def own_currency() -> str:
    """The current tenant's currency. Everything that is paid or measured is in it: amounts of two currencies cannot be
    held against each other without a rate of exchange."""
    [(currency,)] = rows_read("SELECT currency FROM tenancy_tenant WHERE id = %s", [current_tenant_id()])
    return str(currency)


def own_time_zone() -> str:
    """The current tenant's time zone: it says on which day a moment lies."""
    return Tenant.objects.values_list("time_zone", flat=True).get(pk=current_tenant_id())


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
