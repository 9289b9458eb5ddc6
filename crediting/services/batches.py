"""A delivery that is a batch is taken apart: each item is a delivery of its own, and waits, fails or counts alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from django.utils import timezone

from crediting.intake.source import Item
from crediting.models import DataIssue, RawDelivery

State = RawDelivery.State
#: What a sender's id may be long.
ID_LIMIT = 200


def split(batch: RawDelivery, items: Sequence[Item]) -> None:
    """Stores the items as pending deliveries, and the batch as split. An item that stands already, under the same id
    with the same body, is not stored again; the same id with another body is quarantined. Callers hold the intake
    lock."""
    rows = [_row(batch, place, item) for place, item in enumerate(items)]
    known: dict[str, set[str]] = {}
    standing = RawDelivery.objects.filter(
        endpoint_id=batch.endpoint_id, sender_id__in=[row.sender_id for row in rows]
    ).values_list("sender_id", "body_sha256")
    for sender_id, sha in standing:
        known.setdefault(sender_id, set()).add(sha)
    fresh: list[RawDelivery] = []
    for row in rows:
        bodies = known.setdefault(row.sender_id, set())
        if row.body_sha256 in bodies:
            continue
        if bodies:
            row.state = State.QUARANTINED
        bodies.add(row.body_sha256)
        fresh.append(row)
    RawDelivery.objects.bulk_create(fresh, batch_size=1000)
    DataIssue.objects.bulk_create(
        [_conflict(row) for row in fresh if row.state == State.QUARANTINED], ignore_conflicts=True
    )
    batch.state, batch.attempts, batch.processed_at = State.SPLIT, batch.attempts + 1, timezone.now()
    batch.waits_for, batch.error = [], ""
    batch.save(update_fields=["state", "attempts", "processed_at", "waits_for", "error"])


def _row(batch: RawDelivery, place: int, item: Item) -> RawDelivery:
    sender_id = item.sender_id or f"{batch.sender_id}/{place}"
    if len(sender_id) > ID_LIMIT:
        sender_id = hashlib.sha256(sender_id.encode()).hexdigest()
    return RawDelivery(
        endpoint_id=batch.endpoint_id,
        sender_id=sender_id,
        sent_at=batch.sent_at,
        received_at=batch.received_at,
        body=item.body,
        body_sha256=hashlib.sha256(item.body).hexdigest(),
        parent=batch,
        place=place,
    )


def _conflict(row: RawDelivery) -> DataIssue:
    return DataIssue(
        endpoint_id=row.endpoint_id,
        kind="conflict",
        value=row.sender_id,
        message=f"The id {row.sender_id} came again with another body. The first stands.",
        first_delivery=row,
    )
