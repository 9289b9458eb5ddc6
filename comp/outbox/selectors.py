"""What waits in the outbox."""

from __future__ import annotations

from collections.abc import Collection

from comp.outbox.models import Message


def messages_waiting(*, but: Collection[str] = ()) -> int:
    """News that its subscribers have still to take, `but` of these topics."""
    return Message.objects.filter(done_at=None, parked=False).exclude(topic__in=but).count()


def messages_parked() -> list[str]:
    """News that failed too often: topic and error, oldest first. `manage.py retry` takes it up again."""
    rows = Message.objects.filter(done_at=None, parked=True).order_by("id")[:20]
    return [f"{message.topic} (message {message.pk}): {message.error}" for message in rows]
