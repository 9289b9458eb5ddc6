"""What sources said of people."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from comp.tenancy.models import TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly
from crediting.models.intake import HookEndpoint, RawDelivery


class PersonRevision(TenantModel):
    """One thing that a source said of a person. What stands is a function of all of them together
    (crediting.intake.standing); `before` stands on the first: when they were employed as far as was known without
    it."""

    endpoint = TenantForeignKey(HookEndpoint)
    delivery = TenantForeignKey(RawDelivery)
    person = models.CharField(max_length=60)  # the employee number
    version = models.BigIntegerField()  # the source's own; 0 where it gives none
    event_time = models.DateTimeField()
    sender_id = models.CharField(max_length=200)
    as_of = models.DateField()
    said = models.JSONField()
    before = models.JSONField(null=True)  # [[first day, last day or null], …]
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "delivery", "person"], name="personrevision_delivery_once"),
            AppendOnly(name="personrevision_append"),
        ]
        indexes = [models.Index(fields=["tenant", "person"], name="personrevision_person")]

    def __str__(self) -> str:
        return f"{self.person} as of {self.as_of}"
