"""Empties the database of the demo companies, so that they can be built anew. As the owner: nobody else can."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import psycopg2.errors
from django.conf import settings
from psycopg2 import sql

from comp.local.demo.companies import COMPANIES
from comp.local.demo.transport import DemoError

#: Tables that belong to tenants, and the triggers that keep them from being emptied (32: on TRUNCATE).
_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped ORDER BY 1
"""
_TRIGGERS = """
SELECT c.relname, t.tgname, t.tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND t.tgtype & 32 = 32 AND t.tgenabled <> 'D' AND c.relname = ANY(%s) ORDER BY 1, 2
"""
ATTEMPTS = 10
_BACK = {"O": "ENABLE TRIGGER", "A": "ENABLE ALWAYS TRIGGER", "R": "ENABLE REPLICA TRIGGER"}


def erase() -> None:
    """All tenant rows go, in one transaction; log-ins stay. Refused as long as any other company is in the database.

    Web and worker may go on meanwhile: where one of them holds what this needs and waits for it, this gives way once
    more.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _erase()
        except psycopg2.errors.DeadlockDetected:
            if attempt == ATTEMPTS:
                raise


def _erase() -> None:
    with closing(psycopg2.connect(settings.OWNER_URL)) as owner, owner, owner.cursor() as cursor:
        cursor.execute("SELECT slug FROM tenancy_tenant WHERE slug <> ALL(%s)", [list(COMPANIES)])
        if others := sorted(slug for (slug,) in cursor.fetchall()):
            raise DemoError(
                f"The database also holds {', '.join(others)}. --rebuild empties a database of demo companies only."
            )
        cursor.execute(_TABLES)
        tables = [*(name for (name,) in cursor.fetchall()), "tenancy_tenant"]
        cursor.execute(_TRIGGERS, [tables])
        triggers = cursor.fetchall()
        for table, trigger, _ in triggers:
            cursor.execute(_alter(table, "DISABLE TRIGGER", trigger))
        names = sql.SQL(", ").join(map(sql.Identifier, tables))
        cursor.execute(sql.SQL("TRUNCATE {}").format(names))
        for table, trigger, state in triggers:
            cursor.execute(_alter(table, _BACK[state], trigger))


def _alter(table: str, what: str, trigger: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} {} {}").format(sql.Identifier(table), sql.SQL(what), sql.Identifier(trigger))
