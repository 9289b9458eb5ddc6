"""The tenancy app: lifts FORCE around migrations, and registers the checks that fail the build where a wall is
missing."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


def _force(word: str, connection: Any) -> None:
    """FORCE (or NO FORCE) row security on every table that has row security and that we own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity "
            "AND pg_has_role(c.relowner, 'USAGE') AND c.relnamespace = 'public'::regnamespace ORDER BY 1"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {table} {word} ROW LEVEL SECURITY")


def lift(sender: Any, using: str, **kwargs: Any) -> None:
    from django.db import connections

    _force("NO FORCE", connections[using])


def restore(sender: Any, using: str, **kwargs: Any) -> None:
    from django.db import connections

    _force("FORCE", connections[using])


def keep_roles(sender: Any, using: str, **kwargs: Any) -> None:
    """Adds what each role may do to the history of it, where the installed code says otherwise than before."""
    from django.db import connections

    from comp.core.canonical import digest
    from comp.tenancy.capabilities import CAPABILITIES
    from comp.tenancy.models import RoleTable

    if RoleTable._meta.db_table not in connections[using].introspection.table_names():
        return  # an older state was migrated to
    roles = {str(role.value): sorted(str(can.value) for can in held) for role, held in CAPABILITIES.items()}
    last = RoleTable.objects.using(using).last()
    if last is None or last.digest != digest(roles):
        RoleTable.objects.using(using).create(roles=roles, digest=digest(roles))


class TenancyConfig(AppConfig):
    name = "comp.tenancy"
    label = "tenancy"
    verbose_name = "Tenants and members"

    def ready(self) -> None:
        from comp.tenancy import checks  # noqa: F401  (registers itself)

        pre_migrate.connect(lift, sender=self, dispatch_uid="comp-lift-force")
        post_migrate.connect(restore, sender=self, dispatch_uid="comp-set-force")
        post_migrate.connect(keep_roles, sender=self, dispatch_uid="comp-keep-roles")
