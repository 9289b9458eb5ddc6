"""The one lock of intake: whoever moves deliveries between states, or answers what they wait for, holds it."""

from __future__ import annotations

from django.db import connection

from comp.tenancy.scope import current_tenant_id

#: First key of the advisory lock; the second is the tenant. (7001 is the audit chain's.)
INTAKE = 7002
#: A drain that cannot get the lock in this time gives way and comes again; a person's answer waits a little longer.
DRAIN_WAIT, PERSON_WAIT = "3s", "15s"


def intake_lock(*, wait: str) -> None:
    """Held until the transaction ends. Without it an answer could be given between a drain's question and its commit,
    and be missed.

    Raises OperationalError after `wait`; the transaction is then over.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = %s", [wait])
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [INTAKE, current_tenant_id()])
        cursor.execute("SET LOCAL lock_timeout = DEFAULT")
