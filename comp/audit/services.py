"""Writing the audit trail."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import Model
from django.utils import timezone

from comp.audit.models import AuditEntry
from comp.core.canonical import canonical_json
from comp.core.chain import GENESIS, link
from comp.tenancy.scope import current_scope

#: First key of the advisory lock that orders the writers of one tenant's chain.
LOCK = 7001


def payload(entry: AuditEntry) -> str:
    """What an entry's digest covers, as canonical JSON; `verify` builds it again from the row."""
    # Said only where there is something to say: entries from before these were kept have the digest that they had.
    more = {"for": entry.on_behalf, "address": entry.address, "agent": entry.agent}
    return canonical_json(
        {name: value for name, value in more.items() if value}
        | {
            "number": entry.number,
            "at": entry.at.isoformat(),
            "actor": f"{entry.actor_kind}:{entry.actor_label}",
            "user": entry.user_id,
            "trace": entry.trace,
            "code": entry.code,
            "subject": [entry.subject_kind, entry.subject_id, entry.subject_label],
            "before": entry.before,
            "after": entry.after,
            "reason": entry.reason,
        }
    )


def record(
    *,
    code: str,
    subject: Model | tuple[str, str, str],
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
    on_behalf: str = "",
) -> AuditEntry:
    """Adds one entry for the current scope's actor. `before` and `after` hold ints, text, booleans and lists of these:
    never floats. `on_behalf` names the person in whose place the actor acts, where there is one.

    Writers of one tenant wait for each other until commit, so that the chain has one order.
    """
    scope = current_scope()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, scope.tenant_id])
    last = AuditEntry.objects.order_by("-number").first()
    kind, key, label = (
        (subject._meta.label_lower, str(subject.pk), str(subject)) if isinstance(subject, Model) else subject
    )
    entry = AuditEntry(
        number=(last.number if last else 0) + 1,
        at=timezone.now(),
        actor_kind=scope.actor.kind,
        actor_label=scope.actor.label,
        user_id=scope.actor.user_id,
        on_behalf=(on_behalf or scope.actor.on_behalf)[:200],
        trace=scope.actor.trace,
        address=scope.actor.address[:45],
        agent=scope.actor.agent[:300],
        code=code,
        subject_kind=kind,
        subject_id=key,
        subject_label=label[:200],
        before=before,
        after=after,
        reason=reason,
        previous_digest=last.digest if last else GENESIS,
    )
    entry.digest = link(entry.previous_digest, payload(entry))
    entry.save(force_insert=True)
    return entry
