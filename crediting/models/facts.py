"""Facts: append-only revisions, and the current one unfolded into columns: deals, and what happens to them or beside
them. One number names a deal or a fact: both draw their ids from one sequence.

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
    state = models.CharField(max_length=80, blank=True)  # of the country
    postal = models.CharField(max_length=20, blank=True)  # the postal code
    version = models.BigIntegerField(default=0)
    event_time = models.DateTimeField(null=True, blank=True)
    sender_id = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="account_key_once")]
        indexes = [models.Index(fields=["tenant", "name"], name="account_name")]

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
    #: The other standard fields: money in minor units, numbers as plain decimal text, days as YYYY-MM-DD, texts.
    values = models.JSONField(default=dict)
    custom = models.JSONField(default=dict)
    #: Who stands on it by alignment, where its source names nobody for a role (crediting.services.alignment): the
    #: alignment's number, `owners` by role, `why` there is none, and the `keys` of people that it depends on.
    aligned = models.JSONField(null=True)

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
            models.Index(fields=["tenant", "id"], condition=Q(aligned__isnull=False), name="deal_aligned"),
        ]

    def __str__(self) -> str:
        return self.external_id


class DealRevision(DealFields, TenantModel):
    """One thing the source said of a deal; a delivery may speak of several, and be read again. `team`: [[role key,
    participant id, weight], …] in the deal's own order. `lines`: the ids of all its lines, null where it does not speak
    of them. One that was worked out anew by alignment follows the one it is of: the last of them stands."""

    endpoint = TenantForeignKey(HookEndpoint)
    external_id = models.CharField(max_length=120)
    delivery = TenantForeignKey(RawDelivery)
    team = models.JSONField(default=list)
    lines = models.JSONField(null=True)
    derived = models.PositiveIntegerField(default=0)  # how often it was worked out anew by alignment
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "delivery", "external_id", "version", "derived"], name="dealrevision_delivery_once"
            ),
            AppendOnly(name="dealrevision_append"),
        ]
        indexes = [models.Index(fields=["tenant", "endpoint", "external_id"], name="dealrevision_deal")]


class DealTeam(TenantModel):
    """Who stands on a deal as it stands. Rows are replaced together with the deal's current revision. `close_date` is
    the deal's: a person's deals of some days are found whatever their history."""

    deal = LooseForeignKey(Deal)
    close_date = models.DateField(null=True)
    place = models.PositiveSmallIntegerField()  # the split number
    role = models.CharField(max_length=50)
    participant = LooseForeignKey(Participant)
    weight = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "deal", "place"], name="dealteam_place"),
            models.CheckConstraint(condition=Q(weight__gt=0), name="dealteam_weight"),
        ]
        indexes = [models.Index(fields=["tenant", "participant", "close_date", "deal"], name="dealteam_dated")]


class FactFields(models.Model):
    """What any other fact says, in a revision and in the current fact alike."""

    version = models.BigIntegerField()  # the source's own; 0 where it gives none
    event_time = models.DateTimeField()
    sender_id = models.CharField(max_length=200)
    stands = models.BooleanField()  # false: taken back at the source
    deal = LooseForeignKey(Deal, null=True)
    account = LooseForeignKey(Account, null=True)
    product = LooseForeignKey(Product, null=True)
    type = models.CharField(max_length=40, blank=True)  # the milestone, the activity, the score, a reason
    day = models.DateField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    amount_minor = models.BigIntegerField(null=True)
    values = models.JSONField(default=dict)  # as of deals
    custom = models.JSONField(default=dict)

    class Meta:
        abstract = True


class FactKey(models.Model):
    """What a fact is known by. `kind` is one of plans.rules.compiled.FactKind but deal, or contract or transfer."""

    kind = models.CharField(max_length=20)
    endpoint = TenantForeignKey(HookEndpoint)
    external_id = models.CharField(max_length=420)

    class Meta:
        abstract = True


class Fact(FactFields, FactKey, TenantModel):
    """What happened to a deal or beside one, as it stands: the current revision's columns. Written only by
    crediting.services.other_facts."""

    revision = LooseForeignKey("crediting.FactRevision")
    revisions = models.PositiveIntegerField(default=1)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "endpoint", "kind", "external_id"], name="fact_once")]
        indexes = [
            models.Index(fields=["tenant", "deal"], name="fact_deal"),
            models.Index(fields=["tenant", "kind", "day"], name="fact_day"),
            models.Index(fields=["tenant", "account", "product"], name="fact_account"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.external_id}"


class FactRevision(FactFields, FactKey, TenantModel):
    """One thing the source said of a fact; one delivery may speak of several. `team` as of deals; empty where the fact
    has its deal's."""

    delivery = TenantForeignKey(RawDelivery)
    team = models.JSONField(default=list)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "delivery", "kind", "external_id", "version"], name="factrevision_delivery_once"
            ),
            AppendOnly(name="factrevision_append"),
        ]
        indexes = [
            models.Index(fields=["tenant", "endpoint", "kind", "external_id"], name="factrevision_fact"),
            models.Index(fields=["tenant", "deal"], name="factrevision_deal"),
        ]


class FactTeam(TenantModel):
    """Who stands on a fact of its own team as it stands. Rows are replaced together with its current revision. `day` is
    the fact's, as `close_date` is the deal's."""

    fact = LooseForeignKey(Fact)
    day = models.DateField(null=True)
    place = models.PositiveSmallIntegerField()  # the split number
    role = models.CharField(max_length=50)
    participant = LooseForeignKey(Participant)
    weight = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "fact", "place"], name="factteam_place"),
            models.CheckConstraint(condition=Q(weight__gt=0), name="factteam_weight"),
        ]
        indexes = [models.Index(fields=["tenant", "participant", "day", "fact"], name="factteam_dated")]
