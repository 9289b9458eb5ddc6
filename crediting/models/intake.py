"""Deliveries as they came in, and what had to be asked about them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from comp.tenancy.models import KeptModel, TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly


class HookEndpoint(KeptModel):
    """An address that a system posts to. Its token (comp.tenancy.EndpointRoute) is unguessable and gives the tenant.

    `deals_from`: the endpoint whose deals its facts belong to (a billing system's invoices, the CRM's deals); empty:
    its own.
    """

    key = models.SlugField()
    name = models.CharField(max_length=120)
    adapter = models.CharField(max_length=30, default="standard")
    token = models.CharField(max_length=64)
    active = models.BooleanField(default=True)
    deals_from = TenantForeignKey("self", null=True, blank=True)
    rate_limit = models.PositiveIntegerField(default=60_000)  # calls a minute; what comes above is answered 429
    carries_people = models.BooleanField(default=False)  # whether it may say who works here, and as what
    #: Keys of the credit roles for which it may leave it to the alignment who stands on a deal.
    aligned_roles = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="endpoint_key_once"),
            models.UniqueConstraint(fields=["tenant", "token"], name="endpoint_token_once"),
        ]

    def __str__(self) -> str:
        return self.name


class EndpointSecret(TenantModel):
    """A signing secret (`whsec_…`). Two live ones during a rotation; an ended one verifies nothing."""

    endpoint = TenantForeignKey(HookEndpoint)
    secret = models.CharField(max_length=200)  # encrypted by comp.core's caller (crediting.services.endpoints)
    created_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True, blank=True)


class RawDelivery(TenantModel):
    """One delivery, its raw bytes kept for ever. Stored once by the sender's id; the same id with another body is
    quarantined and shown.

    pending → done | waiting (for answers in the data-quality inbox) | parked (the adapter failed: shown) | split (a
    batch: its items are deliveries of their own, each with its `parent` and its place there) ; quarantined.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        DONE = "done", "Done"
        WAITING = "waiting", "Waiting"
        PARKED = "parked", "Parked"
        SPLIT = "split", "Split"
        QUARANTINED = "quarantined", "Quarantined"

    endpoint = TenantForeignKey(HookEndpoint)
    sender_id = models.CharField(max_length=200)
    sent_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)
    body = models.BinaryField()
    body_sha256 = models.CharField(max_length=64)
    headers = models.JSONField(default=dict)
    parent = TenantForeignKey("self", null=True)
    place = models.IntegerField(null=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.PENDING)
    attempts = models.IntegerField(default=0)
    error = models.TextField(blank=True)
    processed_at = models.DateTimeField(null=True)
    waits_for = models.JSONField(default=list)  # [[kind, value], …] of open data issues
    folded = models.BooleanField(default=False, db_default=False)  # what it says of records stands in them already

    class Meta:
        verbose_name_plural = "raw deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "endpoint", "sender_id"], condition=~Q(state="quarantined"), name="delivery_once"
            ),
            models.UniqueConstraint(
                fields=["tenant", "endpoint", "sender_id", "body_sha256"], name="delivery_body_once"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "done", "waiting", "parked", "split", "quarantined"]),
                name="delivery_state",
            ),
            AppendOnly(
                name="delivery_append", changing=["state", "attempts", "error", "processed_at", "waits_for", "folded"]
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "id"], condition=Q(state="pending"), name="delivery_pending"),
            models.Index(fields=["tenant", "state", "id"], name="delivery_state_i"),
        ]


class SourceRecord(TenantModel):
    """A source's record as it stands, folded over its changes (crediting.intake.folding), and what it last became.

    `carrier`: the delivery that its event came by last, and that waits where something has to be asked about it.
    `made_*`: kind and id of the fact that it became last, and a digest of what that said; empty where none is stored.
    """

    endpoint = TenantForeignKey(HookEndpoint)
    object = models.CharField(max_length=200)
    external_id = models.CharField(max_length=200)
    state = models.JSONField(default=dict)
    events = models.IntegerField(default=0)
    carrier = TenantForeignKey(RawDelivery)
    made_kind = models.CharField(max_length=20, blank=True)
    made_id = models.CharField(max_length=420, blank=True)
    made_digest = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "endpoint", "object", "external_id"], name="record_once")
        ]

    def __str__(self) -> str:
        return f"{self.object} {self.external_id}"


class SourceLink(TenantModel):
    """A record that is, or once was, a line or a member of another of its endpoint."""

    record = TenantForeignKey(SourceRecord)
    object = models.CharField(max_length=200)
    external_id = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "record", "object", "external_id"], name="sourcelink_once")
        ]
        indexes = [models.Index(fields=["tenant", "external_id", "object"], name="sourcelink_owner")]


class FieldMapping(TenantModel):
    """How an endpoint's records become facts, from `made_at` on. The greatest number is in force; where there is none,
    the source's own default is (crediting.intake.sources.default_mapping)."""

    endpoint = TenantForeignKey(HookEndpoint)
    number = models.PositiveIntegerField()
    document = models.JSONField()
    note = models.CharField(max_length=200, blank=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "endpoint", "number"], name="fieldmapping_once"),
            AppendOnly(name="fieldmapping_append"),
        ]


class Rereading(TenantModel):
    """The work of making every record of an endpoint again under a new mapping: in pieces, in the order of their ids,
    after `position`. Only the mapping in force is read by; an older one's work ends where it stands."""

    mapping = TenantForeignKey(FieldMapping)
    total = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)  # of those done: left as they were, as the database refused them
    error = models.TextField(blank=True)  # of the last of them
    position = models.BigIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "mapping"], name="rereading_once")]
        indexes = [
            models.Index(fields=["tenant", "id"], condition=Q(finished_at=None), name="rereading_open"),
        ]


class SourceMapping(KeptModel):
    """What a source's word means here: an owner is a participant, a product name is a product, a blank account is a
    stated account."""

    class Kind(models.TextChoices):
        OWNER = "owner", "Owner"
        PRODUCT = "product", "Product"
        ACCOUNT = "account", "Account"
        SECTOR = "sector", "Sector"
        ROLE = "role", "Credit role"

    endpoint = TenantForeignKey(HookEndpoint)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    value = models.CharField(max_length=200, blank=True)  # as the source writes it; blank means "was empty"
    target = models.CharField(max_length=200)  # key of the participant, product, account or role; text of the sector
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "endpoint", "kind", "value"], name="mapping_once")]


class DataIssue(TenantModel):
    """One question of the data-quality inbox. Deliveries that wait for it name it in `waits_for`.

    `kind` is a mapping kind, or deal (a milestone or reading came before its deal), currency, amount, adapter, gap (a
    record that its source has to send again), field (the field mapping cannot read a record, or does not know a value),
    people (the endpoint may not carry them), manager (not known yet, or a circle), person (what is said of somebody
    cannot stand), alignment (a deal has nobody for a role; nothing waits), rate, convert (credits wait for a rate, or
    for a plan that converts) pay_rate (payables wait for a rate) or opened (a deal that another system paid
    changed after the switch; nothing waits).
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        RESOLVED = "resolved", "Resolved"

    endpoint = TenantForeignKey(HookEndpoint)
    kind = models.CharField(max_length=10)
    value = models.CharField(max_length=200, blank=True)
    message = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    first_delivery = TenantForeignKey(RawDelivery)
    opened_at = models.DateTimeField(default=timezone.now)
    waiting = models.IntegerField(default=0)  # deliveries that wait for it
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    resolution = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "endpoint", "kind", "value"], name="issue_once"),
            models.CheckConstraint(condition=Q(state__in=["open", "resolved"]), name="issue_state"),
        ]
        indexes = [models.Index(fields=["tenant", "state", "kind"], name="issue_open")]
