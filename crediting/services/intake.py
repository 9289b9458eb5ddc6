"""Taking a delivery: proven, stored once, answered. Nothing is computed here; the mailbox is drained after the
commit."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import connection

from comp.api import limits
from comp.core.errors import CompError
from comp.outbox.services import ring_together
from comp.tenancy.scope import Actor, Pay, current_tenant_id, in_one_trip, tenant_scope
from crediting.intake.signatures import Refused
from crediting.intake.source import Answer, Call, Proven
from crediting.intake.sources import BODY_LIMITS, SOURCES
from crediting.models import DataIssue, RawDelivery
from crediting.services.endpoints import Door, door_of
from crediting.services.rates import over_limit, refused_count

State = RawDelivery.State
#: Headers kept beside the body. The signature is not: it was checked, and a secret's work is not left lying about.
KEPT = ("webhook-id", "webhook-timestamp", "content-type", "user-agent")
KEPT_LENGTH = 200
_ACTOR = Actor.task("hook")

_STORE = """
INSERT INTO crediting_rawdelivery
    (tenant_id, endpoint_id, sender_id, sent_at, received_at, body, body_sha256, headers, state, attempts, error,
    waits_for)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 0, '', '[]')
ON CONFLICT DO NOTHING RETURNING id
"""


class DeliveryRefused(CompError):
    """A delivery that is not taken; `status` is the HTTP status that says so, `retry_after` in how many seconds it may
    be sent again."""

    def __init__(self, status: int, reason: str, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status, self.retry_after = status, retry_after


@dataclass(frozen=True, slots=True)
class Receipt:
    """`status`: stored, seen (the same id and body stand already) or quarantined (the same id with another body).
    `answer`: what the source wants to hear; None for the ordinary answer."""

    delivery: int
    status: str
    answer: Answer | None = None


def delivery_receive(token: str, call: Call, caller: str = "") -> Receipt:
    """Proves and stores one delivery, in a transaction of its own.

    Raises DeliveryRefused: 404 for an unknown address, 400 for malformed headers, 401 for what is not proven, 413 for a
    body too large, 415 for a compressed one, 429 for more in a minute than the endpoint takes, or for too many unknown
    addresses from one `caller` (an IP address). Known ones are taken whatever else comes from there: many customers of
    one source call from the same addresses.
    """
    if len(call.body) > body_limit():
        raise DeliveryRefused(413, f"the body is larger than {body_limit()} bytes")
    door = door_of(token)
    if door is None:
        if wait := limits.spend(f"hooks:{limits.network(caller)}", settings.API_GUESSES):
            raise DeliveryRefused(429, "too many calls to addresses that there are not", wait)
        raise DeliveryRefused(404, "no such address")
    now = time.time()
    try:
        proven = _proven(call, door, now)
    except DeliveryRefused:
        refused_count(door.endpoint, now)
        raise
    source = SOURCES[door.adapter]
    at = datetime.fromtimestamp(now, UTC)
    sha = hashlib.sha256(call.body).hexdigest()
    kept = {name: _visible(call.headers[name]) for name in KEPT if call.headers.get(name)}
    row: list[Any] = [
        *(door.tenant, door.endpoint, proven.sender_id, proven.sent_at, at, call.body, sha),
        json.dumps(kept),
    ]
    stored = in_one_trip(door.tenant, actor=_ACTOR, pay=Pay.nobody(), sql=_STORE, params=[*row, State.PENDING])
    if stored:
        ring_together(tenant_id=door.tenant)
        return Receipt(stored[0][0], "stored", source.answer(call))
    with tenant_scope(door.tenant, actor=_ACTOR, pay=Pay.nobody()):
        delivery, status = _again(row, door.endpoint, proven.sender_id, sha)
        return Receipt(delivery, status, source.answer(call))


def body_limit(adapter: str | None = None) -> int:
    """How many bytes a body may have: of a source, or of any."""
    wanted = BODY_LIMITS.values() if adapter is None else [BODY_LIMITS.get(adapter, 0)]
    return max(int(settings.HOOK_BODY_LIMIT), *wanted)


def _proven(call: Call, door: Door, now: float) -> Proven:
    """The call's proof, where all that is asked of a call holds."""
    limit = body_limit(door.adapter)
    if len(call.body) > limit:
        raise DeliveryRefused(413, f"the body is larger than {limit} bytes")
    if call.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise DeliveryRefused(415, "content-encoding: the body is taken as it is, not compressed")
    proven = SOURCES[door.adapter].prove(call, door.secrets, now=now, window=settings.HOOK_WINDOW)
    if isinstance(proven, Refused):
        raise DeliveryRefused(proven.status, proven.reason)
    wait = over_limit(door.endpoint, door.rate_limit, now)
    if wait is not None:
        raise DeliveryRefused(429, f"more than {door.rate_limit} calls in this minute", wait)
    return proven


def _again(row: list[Any], endpoint: int, sender_id: str, sha: str) -> tuple[int, str]:
    """The sender's id is known: the same body counts as seen; another one is kept, set aside and shown."""
    found = RawDelivery.objects.filter(endpoint_id=endpoint, sender_id=sender_id)
    seen = found.filter(body_sha256=sha).values_list("id", "state").first()
    if seen:
        if seen[1] == State.PENDING:  # whoever stored it may have ended before the bell
            ring_together(tenant_id=current_tenant_id())
        return seen[0], "quarantined" if seen[1] == State.QUARANTINED else "seen"
    with connection.cursor() as cursor:
        cursor.execute(_STORE, [*row, State.QUARANTINED])
        stored = cursor.fetchone()
    # None: the same second body came at this very moment from elsewhere, and is committed by now.
    delivery = stored[0] if stored else found.get(body_sha256=sha).pk
    first = found.exclude(state=State.QUARANTINED).values_list("id", flat=True).first()
    issue = DataIssue(
        endpoint_id=endpoint,
        kind="conflict",
        value=sender_id,
        message=f"The id {sender_id} came again with another body. The first (delivery {first}) stands.",
        first_delivery_id=delivery,
    )
    DataIssue.objects.bulk_create([issue], ignore_conflicts=True)
    return delivery, "quarantined"


def _visible(text: str) -> str:
    return text[:KEPT_LENGTH].encode("ascii", "backslashreplace").decode()
