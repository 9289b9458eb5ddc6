"""Messages written in the transaction of the data that they tell of."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from comp.tenancy.models import TenantModel


class Message(TenantModel):
    """News for the rooms above. Pending until every subscriber has taken it, in the transaction that marks it done."""

    topic = models.CharField(max_length=60)
    payload = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.IntegerField(default=0)
    error = models.TextField(blank=True)
    parked = models.BooleanField(default=False)  # too many attempts: waits for a person, visibly
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["tenant", "id"], condition=models.Q(done_at=None, parked=False), name="outbox_pending"
            ),
        ]
