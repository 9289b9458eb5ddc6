"""A delivery that is a batch is taken apart: each item is a delivery of its own, and waits, fails or counts alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from django.db import connection
from django.utils import timezone

from crediting.intake.source import Item
from crediting.models import DataIssue, RawDelivery

State = RawDelivery.State
#: What a sender's id may be long.
ID_LIMIT = 200

#: One statement, however many items.
_STORE = """
INSERT INTO crediting_rawdelivery (tenant_id, endpoint_id, parent_id, sent_at, received_at, headers, attempts, error,
    waits_for, place, sender_id, body, body_sha256, state)
SELECT b.tenant_id, b.endpoint_id, b.id, b.sent_at, b.received_at, '{}', 0, '', '[]', i.*
FROM crediting_rawdelivery b,
    unnest(%(places)s::int[], %(ids)s::text[], %(bodies)s::bytea[], %(shas)s::text[], %(states)s::text[]) i
WHERE b.id = %(batch)s
ORDER BY 10
RETURNING id, sender_id, state
"""


def split(batch: RawDelivery, items: Sequence[Item]) -> None:
    """Stores the items as pending deliveries, and the batch as split. An item that stands already, under the same id
    with the same body, is not stored again; the same id with another body is quarantined. Callers hold the intake
    lock."""
    ids = [_sender_id(batch, place, item) for place, item in enumerate(items)]
    known: dict[str, set[str]] = {}
    for sender_id, sha in _standing(batch, ids):
        known.setdefault(sender_id, set()).add(sha)
    fresh: list[tuple[int, str, bytes, str, str]] = []
    for place, (sender_id, item) in enumerate(zip(ids, items, strict=True)):
        sha = hashlib.sha256(item.body).hexdigest()
        bodies = known.setdefault(sender_id, set())
        if sha not in bodies:
            state = State.QUARANTINED if bodies else State.PENDING
            fresh.append((place, sender_id, item.body, sha, state.value))
            bodies.add(sha)
    if fresh:
        _store(batch, fresh)
    batch.state, batch.attempts, batch.processed_at = State.SPLIT, batch.attempts + 1, timezone.now()
    batch.waits_for, batch.error = [], ""
    batch.save(update_fields=["state", "attempts", "processed_at", "waits_for", "error"])


def _store(batch: RawDelivery, fresh: Sequence[tuple[int, str, bytes, str, str]]) -> None:
    names = ("places", "ids", "bodies", "shas", "states")
    columns = {name: list(column) for name, column in zip(names, zip(*fresh, strict=True), strict=True)}
    with connection.cursor() as cursor:
        cursor.execute(_STORE, {**columns, "batch": batch.pk})
        stored = cursor.fetchall()
    conflicts = [
        DataIssue(
            endpoint_id=batch.endpoint_id,
            kind="conflict",
            value=sender_id,
            message=f"The id {sender_id} came again with another body. The first stands.",
            first_delivery_id=pk,
        )
        for pk, sender_id, state in stored
        if state == State.QUARANTINED
    ]
    DataIssue.objects.bulk_create(conflicts, ignore_conflicts=True)


def _standing(batch: RawDelivery, ids: Sequence[str]) -> list[tuple[str, str]]:
    """(sender's id, SHA-256 of the body) of deliveries with these ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sender_id, body_sha256 FROM crediting_rawdelivery "
            "WHERE endpoint_id = %s AND sender_id = ANY(%s::text[])",
            [batch.endpoint_id, list(ids)],
        )
        found: list[tuple[str, str]] = cursor.fetchall()
    return found


def _sender_id(batch: RawDelivery, place: int, item: Item) -> str:
    """The source's own id of an item, or the batch's with the item's place."""
    sender_id = item.sender_id or f"{batch.sender_id}/{place}"
    return sender_id if len(sender_id) <= ID_LIMIT else hashlib.sha256(sender_id.encode()).hexdigest()
