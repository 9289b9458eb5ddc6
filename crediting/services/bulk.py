"""Facts in bulk over the API: the whole body is one delivery; the mailbox takes it apart."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from django.db import IntegrityError, transaction

from comp.core.errors import CompError, refused
from comp.outbox.services import ring
from comp.tenancy.scope import current_tenant_id
from crediting.intake.bulk import NAME
from crediting.models import HookEndpoint, RawDelivery
from crediting.services.endpoints import endpoint_create


class Contradiction(CompError):
    """The same key with another body."""


def api_endpoint(key: str | None = None) -> HookEndpoint:
    """The endpoint that facts over the API come from: the one named, else `api`, made when first asked for."""
    rows = HookEndpoint.objects.filter(adapter=NAME, active=True)
    found = rows.filter(key=key or NAME).first()
    if found is None and key is None:
        try:
            with transaction.atomic():
                return endpoint_create(key=NAME, name="API", adapter=NAME)[0]
        except IntegrityError:  # made meanwhile
            found = rows.filter(key=NAME).first()
    if found is None:
        allowed = ", ".join(rows.values_list("key", flat=True)) or "none yet"
        message = f"There is no endpoint {key or NAME!r} of the adapter {NAME}."
        raise refused("endpoint", key or NAME, f"an endpoint of the adapter {NAME}: {allowed}", message)
    return found


def bulk_receive(*, endpoint: HookEndpoint, key: str, body: bytes, items: int, sender: str) -> tuple[RawDelivery, bool]:
    """Stores a body of `items` events under the sender's key, and whether it is new. Raises Contradiction for another
    body under a key that is known."""
    sha = hashlib.sha256(body).hexdigest()
    delivery, fresh = RawDelivery.objects.get_or_create(
        endpoint=endpoint,
        sender_id=f"bulk:{key}",
        defaults={
            "sent_at": datetime.now(UTC),
            "body": body,
            "body_sha256": sha,
            "headers": {"items": items, "key": sender},
        },
    )
    if delivery.body_sha256 != sha:
        raise Contradiction("this Idempotency-Key was used for another body; use a new one for this")
    if fresh:
        ring(tenant_id=current_tenant_id())
    return delivery, fresh
