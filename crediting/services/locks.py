"""The one lock of intake: whoever moves deliveries between states, or answers what they wait for, holds it."""

from __future__ import annotations

from django.db import connection

from comp.outbox.services import ring
from comp.tenancy.scope import current_tenant_id

#: First key of the advisory lock; the second is the tenant. (7001 is the audit chain's.)
INTAKE = 7002
#: A drain that cannot get the lock in this time gives way: whoever holds it looks again, or rings. A person's act
#: waits longer.
DRAIN_WAIT, PERSON_WAIT = "200ms", "15s"


def intake_hold() -> None:
    """The intake lock for a person's act. Drains that gave way to it are called again when it is done."""
    intake_lock(wait=PERSON_WAIT)
    ring(tenant_id=current_tenant_id())


def intake_ask() -> None:
    """The intake lock for what news brings about in a drain: while somebody else has it the worker is free for others.
    Drains that gave way to it are called again when it is done."""
    intake_lock(wait=DRAIN_WAIT)
    ring(tenant_id=current_tenant_id())


def intake_lock(*, wait: str) -> None:
    """Held until the transaction ends. Without it an answer could be given between a drain's question and its commit,
    and be missed.

    Raises OperationalError after `wait`; the transaction is then over.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL lock_timeout = %s; SELECT pg_advisory_xact_lock(%s, %s); SET LOCAL lock_timeout = DEFAULT",
            [wait, INTAKE, current_tenant_id()],
        )
