"""Telling addresses of the tenant's own what happens here: messages signed by Standard Webhooks, written in the
transaction of the news, sent after it, tried for some days, kept with every answer."""

from __future__ import annotations

import base64
import json
import logging
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError
from standardwebhooks import Webhook as Signer

from comp.api import sending
from comp.api.models import Webhook, WebhookAttempt, WebhookMessage, WebhookSecret
from comp.audit.services import record
from comp.core.errors import refused
from comp.outbox.services import ring
from comp.tenancy.models import User
from comp.tenancy.rows import rows_read
from comp.tenancy.scope import Actor, Pay, current_tenant_id, tenant_scope
from comp.tenancy.sealing import seal, unseal

log = logging.getLogger(__name__)

#: What can be told of, and when.
TOPICS = {
    "batch.approved": "A payout batch was approved",
    "statement.published": "Somebody's statement was approved with its batch",
    "plan.published": "A plan version was put in force",
    "dispute.changed": "A dispute was opened, taken, answered, decided or withdrawn",
}
#: Live addresses of one tenant.
MOST = 20
#: How long the secret before signs too after a rotation.
OVERLAP = timedelta(hours=24)
#: Seconds until the next try; after the last one, some three days on, a message is parked.
DELAYS = (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 36_000, 86_400, 86_400)
#: An address that failed is left alone so long at most, whatever waits for it.
QUIET = timedelta(minutes=5)
#: Longer than one call can take.
LEASE = timedelta(seconds=60)
State = WebhookMessage.State
_PURPOSE = "webhook secrets v1"
_ACTOR = Actor.task("webhooks")


# ------------------------------------------------------------------ addresses


@transaction.atomic
def webhook_create(*, name: str, url: str, topics: Sequence[str], made_by: User) -> tuple[Webhook, str]:
    """A new address and its secret, which is given back this once."""
    if not name.strip() or len(name) > 120:
        raise refused("name", name, "1 to 120 characters", "A webhook needs a name that says who is told.")
    unknown = [topic for topic in topics if topic not in TOPICS]
    if unknown or not topics:
        allowed = ", ".join(TOPICS)
        raise refused("topics", ", ".join(unknown) or "none", allowed, f"A webhook needs topics; there are {allowed}.")
    sending.target(url)
    if Webhook.objects.filter(ended_at=None).count() >= MOST:
        raise refused("url", url, f"at most {MOST} live webhooks", f"There are {MOST} webhooks; end one first.")
    webhook = Webhook.objects.create(name=name.strip(), url=url, topics=sorted(set(topics)), made_by=made_by)
    secret = _secret_add(webhook)
    record(code="webhook.create", subject=webhook, after={"name": name, "url": url, "topics": webhook.topics})
    return webhook, secret


@transaction.atomic
def webhook_rotate(*, webhook: Webhook) -> str:
    """A new secret. Both sign for a day, so that the receiver can change over without a gap."""
    ends = timezone.now() + OVERLAP
    WebhookSecret.objects.filter(webhook=webhook, ends_at=None).update(ends_at=ends)
    secret = _secret_add(webhook)
    record(code="webhook.rotate", subject=webhook, after={"old_end": ends.isoformat()})
    return secret


@transaction.atomic
def webhook_end(*, webhook: Webhook) -> None:
    """Tells this address nothing any more, not even what waits."""
    if Webhook.objects.filter(pk=webhook.pk, ended_at=None).update(ended_at=timezone.now()):
        record(code="webhook.end", subject=webhook, after={"name": webhook.name, "url": webhook.url})


@transaction.atomic
def message_replay(*, message: WebhookMessage) -> None:
    """Sends a message again, under its own id, as if for the first time."""
    if message.webhook.ended_at is not None:
        raise refused("webhook", message.webhook.name, "a live webhook", f"{message.webhook} has ended.")
    WebhookMessage.objects.filter(pk=message.pk).update(
        state=State.PENDING, attempts=0, due_at=timezone.now(), leased_until=None
    )
    Webhook.objects.filter(pk=message.webhook_id).update(quiet_until=timezone.now())
    subject = ("api.webhookmessage", str(message.pk), f"{message.topic} to {message.webhook}")
    record(code="webhook.replay", subject=subject, after={"message": message.message_id})
    ring(tenant_id=current_tenant_id())


def _secret_add(webhook: Webhook) -> str:
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    WebhookSecret.objects.create(webhook=webhook, secret=seal(secret, purpose=_PURPOSE))
    return secret


# ------------------------------------------------------------------ news


def listeners(topic: str) -> list[Webhook]:
    """Who is told of a topic."""
    return [webhook for webhook in Webhook.objects.filter(ended_at=None).order_by("id") if topic in webhook.topics]


def tell(topic: str, news: Iterable[Mapping[str, Any]]) -> int:
    """Writes a message of each piece of news to each who listens, in the caller's transaction. The drain sends them."""
    webhooks = listeners(topic)
    if not webhooks:
        return 0
    at = timezone.now()
    bodies = [json.dumps({"type": topic, "timestamp": at.isoformat(), "data": data}) for data in news]
    rows = [
        WebhookMessage(webhook=webhook, message_id=f"msg_{secrets.token_urlsafe(18)}", topic=topic, body=body)
        for body in bodies
        for webhook in webhooks
    ]
    WebhookMessage.objects.bulk_create(rows, batch_size=1000)
    ring(tenant_id=current_tenant_id())
    return len(rows)


def on_plan_published(payload: dict[str, Any]) -> None:
    tell("plan.published", [{name: payload.get(name) for name in ("plan", "number", "from", "to")}])


# ------------------------------------------------------------------ sending


def webhooks_drain(tenant_id: int) -> int:
    """Asks for a sender where something is due. It is a task of its own, beside the jobs: whoever answers slowly
    holds up no figure."""
    from comp.api.tasks import send

    with tenant_scope(tenant_id, actor=_ACTOR, pay=Pay.nobody()):
        # Nearly always nothing is, and every turn looks.
        [(pending,)] = rows_read("SELECT EXISTS (SELECT 1 FROM api_webhookmessage WHERE state = 'pending')", [])
        due = pending and _waiting(timezone.now()).exists()
    if due:
        try:
            send.apply_async(args=[tenant_id], retry=False, ignore_result=True, expires=60)
        except BrokerError as error:
            log.warning("nobody can be asked to send; the next sweep asks again: %s", error)
    return 0


def send_due(tenant_id: int, seconds: float = 20) -> int:
    """Sends what is due, one message at a time to each address, for so long. Returns how many were tried."""
    tried, end = 0, time.monotonic() + seconds
    while time.monotonic() < end and (claim := _claim(tenant_id)):
        message, webhook, keys = claim
        start = time.monotonic()
        try:
            answer = sending.post(webhook.url, message.body.encode(), _signed(message, keys))
        except sending.SendError as error:
            answer = sending.Answer(0, str(error))
        _book(tenant_id, message, answer, int((time.monotonic() - start) * 1000))
        tried += 1
    return tried


def _waiting(now: datetime) -> QuerySet[Webhook]:
    """Addresses with something due, none of it under way, that have not just failed."""
    pending = WebhookMessage.objects.filter(webhook=OuterRef("pk"), state=State.PENDING)
    rows = Webhook.objects.filter(ended_at=None, quiet_until__lte=now)
    return rows.filter(Exists(pending.filter(due_at__lte=now)), ~Exists(pending.filter(leased_until__gt=now)))


def _claim(tenant_id: int) -> tuple[WebhookMessage, Webhook, list[str]] | None:
    """The next message, leased to this sender; None where there is none."""
    with tenant_scope(tenant_id, actor=_ACTOR, pay=Pay.nobody()):
        now = timezone.now()
        webhook = _waiting(now).select_for_update(skip_locked=True, no_key=True).order_by("quiet_until", "id").first()
        if webhook is None:
            return None
        pending = WebhookMessage.objects.filter(webhook=webhook, state=State.PENDING)
        if pending.filter(leased_until__gt=now).exists():  # claimed between looking and locking
            return None
        message = pending.filter(due_at__lte=now).order_by("due_at", "id").first()
        if message is None:
            return None
        message.attempts, message.leased_until = message.attempts + 1, now + LEASE
        message.save(update_fields=["attempts", "leased_until"])
        live = WebhookSecret.objects.filter(Q(ends_at=None) | Q(ends_at__gt=now), webhook=webhook).order_by("-id")
        return message, webhook, [unseal(row.secret, purpose=_PURPOSE) for row in live]


def _signed(message: WebhookMessage, keys: Sequence[str]) -> dict[str, str]:
    at = timezone.now()
    signatures = [Signer(key).sign(message.message_id, at, message.body) for key in keys]
    return {
        "Content-Type": "application/json",
        "User-Agent": "Comp-Webhooks/1",
        "webhook-id": message.message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _book(tenant_id: int, message: WebhookMessage, answer: sending.Answer, milliseconds: int) -> None:
    """Keeps the answer, and what follows from it unless somebody else has the message by now."""
    with tenant_scope(tenant_id, actor=_ACTOR, pay=Pay.nobody()):
        WebhookAttempt.objects.create(
            message=message, status=answer.status, answer=answer.text[:1000], milliseconds=milliseconds
        )
        own = WebhookMessage.objects.filter(
            pk=message.pk, attempts=message.attempts, leased_until=message.leased_until, state=State.PENDING
        )
        if 200 <= answer.status < 300:
            own.update(state=State.DONE, leased_until=None)
            return
        now = timezone.now()
        if message.attempts > len(DELAYS):
            own.update(state=State.PARKED, leased_until=None)
        else:
            wait = timedelta(seconds=DELAYS[message.attempts - 1])
            own.update(due_at=now + wait, leased_until=None)
            Webhook.objects.filter(pk=message.webhook_id).update(quiet_until=now + min(wait, QUIET))
