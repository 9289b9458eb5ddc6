"""Facts: append-only revisions, and for deals the current one unfolded into columns.

Three times, never confused: `event_time` (when it happened at the source), dates such as `close_date` (effective),
`recorded_at` (when we knew). The current revision is the greatest by (version, event_time, sender_id): a pure function
of the set of revisions, so arrival order cannot matter.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from comp.people.models import Participant
from comp.tenancy.models import KeptModel, LooseForeignKey, TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly
from crediting.models.intake import HookEndpoint, RawDelivery


class Account(KeptModel):
    """A customer. What a source said of it last (by version, event time, sender's id) stands; `event_time` is empty
    until one has."""

    key = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    sector = models.CharField(max_length=80, blank=True)
    country = models.CharField(max_length=80, blank=True)
    version = models.BigIntegerField(default=0)
    event_time = models.DateTimeField(null=True, blank=True)
    sender_id = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="account_key_once")]

    def __str__(self) -> str:
        return self.name


class Product(KeptModel):
    key = models.CharField(max_length=120)
    name = models.CharField(max_length=120)
    series = models.CharField(max_length=80, blank=True)
    list_price_minor = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="product_key_once")]

    def __str__(self) -> str:
        return self.name


class DealFields(models.Model):
    """What a deal says, in a revision and in the current deal alike."""

    version = models.BigIntegerField()  # the source's own; 0 where it gives none
    event_time = models.DateTimeField()
    sender_id = models.CharField(max_length=200)
    stage = models.CharField(max_length=40)
    amount_minor = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3)
    close_date = models.DateField(null=True)
    engage_date = models.DateField(null=True)
    product = LooseForeignKey(Product, null=True)
    account = LooseForeignKey(Account, null=True)
    territory = models.CharField(max_length=60, blank=True)
    custom = models.JSONField(default=dict)

    class Meta:
        abstract = True


class Deal(DealFields, TenantModel):
    """A deal as it stands: the current revision's columns. Written only by crediting.services.facts."""

    endpoint = TenantForeignKey(HookEndpoint)
    external_id = models.CharField(max_length=120)
    revision = LooseForeignKey("crediting.DealRevision")
    revisions = models.PositiveIntegerField(default=1)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "endpoint", "external_id"], name="deal_once")]
        indexes = [
            models.Index(fields=["tenant", "close_date"], name="deal_close"),
            models.Index(fields=["tenant", "account"], name="deal_account"),
        ]

    def __str__(self) -> str:
        return self.external_id


class DealRevision(DealFields, TenantModel):
    """One thing the source said of a deal. `team`: [[role key, participant id, weight], …] in the deal's own order."""

    endpoint = TenantForeignKey(HookEndpoint)
    external_id = models.CharField(max_length=120)
    delivery = TenantForeignKey(RawDelivery)
    team = models.JSONField(default=list)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "delivery"], name="dealrevision_delivery_once"),
            AppendOnly(name="dealrevision_append"),
        ]
        indexes = [models.Index(fields=["tenant", "endpoint", "external_id"], name="dealrevision_deal")]


class DealTeam(TenantModel):
    """Who stands on a deal as it stands. Rows are replaced together with the deal's current revision."""

    deal = LooseForeignKey(Deal)
    place = models.PositiveSmallIntegerField()  # the split number
    role = models.CharField(max_length=50)
    participant = LooseForeignKey(Participant)
    weight = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "deal", "place"], name="dealteam_place"),
            models.CheckConstraint(condition=Q(weight__gt=0), name="dealteam_weight"),
        ]
        indexes = [models.Index(fields=["tenant", "participant", "deal"], name="dealteam_participant")]


class MilestoneRevision(TenantModel):
    """A milestone of a deal reached (or taken back). The greatest by (version, event_time, sender_id) of a deal and
    kind stands."""

    deal = TenantForeignKey(Deal)
    kind = models.CharField(max_length=40)
    reached = models.BooleanField()
    day = models.DateField()
    version = models.BigIntegerField()
    event_time = models.DateTimeField()
    sender_id = models.CharField(max_length=200)
    recorded_at = models.DateTimeField(default=timezone.now)
    delivery = TenantForeignKey(RawDelivery)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "delivery"], name="milestone_delivery_once"),
            AppendOnly(name="milestone_append"),
        ]
        indexes = [models.Index(fields=["tenant", "deal", "kind"], name="milestone_deal")]


class UsageReading(TenantModel):
    """How much of a deal's contracted usage was used by a day. The greatest by (version, event_time, sender_id) of a
    deal and day stands."""

    deal = TenantForeignKey(Deal)
    day = models.DateField()
    used = models.BigIntegerField()
    contracted = models.BigIntegerField()
    version = models.BigIntegerField()
    event_time = models.DateTimeField()
    sender_id = models.CharField(max_length=200)
    recorded_at = models.DateTimeField(default=timezone.now)
    delivery = TenantForeignKey(RawDelivery)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "delivery"], name="usage_delivery_once"),
            models.CheckConstraint(condition=Q(used__gte=0) & Q(contracted__gte=0), name="usage_not_negative"),
            AppendOnly(name="usage_append"),
        ]
        indexes = [models.Index(fields=["tenant", "deal", "day"], name="usage_deal")]
