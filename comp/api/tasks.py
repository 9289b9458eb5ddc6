"""The task that sends webhooks."""

from __future__ import annotations

from celery import shared_task

from comp.api.webhooks import send_due


@shared_task(name="comp.api.send")
def send(tenant_id: int) -> None:
    """Sends the tenant's webhooks that are due; what is left is asked for again by the next look (comp.outbox)."""
    send_due(tenant_id)
