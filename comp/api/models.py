"""Keys of the API, what their writes were answered, and how often who called."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from comp.tenancy.models import TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly


class ApiKey(TenantModel):
    """A key is `comp_<prefix>_<secret>`. The prefix is shown and gives the tenant (comp.tenancy.EndpointRoute); of the
    secret, 256 random bits, only the SHA-256 is kept. Ended it stays, so that the audit trail keeps its name."""

    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16)
    sha256 = models.CharField(max_length=64)
    grants = models.JSONField(default=list)  # comp.api.grants.Grant
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_constraint=False)
    made_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    last_used_at = models.DateTimeField(null=True)  # to the minute

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "prefix"], name="apikey_prefix_once"),
            AppendOnly(name="apikey_append", changing=["ended_at", "ended_by_id", "last_used_at"]),
        ]

    def __str__(self) -> str:
        return self.name


class KeptAnswer(TenantModel):
    """What a write with an Idempotency-Key was answered, kept for ever: the same request again has the same answer and
    does nothing; another request under the same key is refused. Of an answer that shows pay `body` holds the row's id
    alone (comp.api.views.once)."""

    api_key = TenantForeignKey(ApiKey)
    key = models.CharField(max_length=200)
    request_sha256 = models.CharField(max_length=64)  # of method, path and body
    status = models.SmallIntegerField(default=0)
    body = models.TextField(blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "api_key", "key"], name="keptanswer_once"),
            AppendOnly(name="keptanswer_append", changing=["status", "body"]),
        ]


class CallCount(models.Model):
    """How often a key, or an address with no good key, called in a minute. Stands outside the tenant wall: it is read
    before the tenant is known, and holds no company's data."""

    name = models.CharField(max_length=100, primary_key=True)
    minute = models.BigIntegerField()  # since 1970
    calls = models.IntegerField()


class Webhook(TenantModel):
    """An address of the tenant's own that is told of what happens here. Address and topics stay; another one is made
    for others. While it is `quiet` nothing is sent to it: it has just failed."""

    name = models.CharField(max_length=120)
    url = models.CharField(max_length=500)
    topics = models.JSONField(default=list)  # comp.api.webhooks.TOPICS
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_constraint=False)
    made_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    quiet_until = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [AppendOnly(name="webhook_append", changing=["ended_at", "quiet_until"])]

    def __str__(self) -> str:
        return self.name


class WebhookSecret(TenantModel):
    """What messages are signed with (`whsec_…`), encrypted. Two live ones during a rotation: both sign."""

    webhook = TenantForeignKey(Webhook)
    secret = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [AppendOnly(name="webhooksecret_append", changing=["ends_at"])]


class WebhookMessage(TenantModel):
    """One message to one address, kept as it is signed. pending → done, or parked after the last attempt; a person may
    send it again. While it is being sent it is `leased`: a sender that died leaves it to the next one."""

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        DONE = "done", "Done"
        PARKED = "parked", "Parked"

    webhook = TenantForeignKey(Webhook, related_name="messages")
    message_id = models.CharField(max_length=40)
    topic = models.CharField(max_length=60)
    body = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    attempts = models.IntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    leased_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "message_id"], name="webhookmessage_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=["pending", "done", "parked"]), name="webhookmessage_state"
            ),
            AppendOnly(name="webhookmessage_append", changing=["state", "attempts", "due_at", "leased_until"]),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "webhook", "due_at"],
                condition=models.Q(state="pending"),
                name="webhookmessage_due",
            )
        ]


class WebhookAttempt(TenantModel):
    """One try: what the receiver answered, or why there is no answer (status 0)."""

    message = TenantForeignKey(WebhookMessage)
    at = models.DateTimeField(default=timezone.now)
    status = models.SmallIntegerField()
    answer = models.TextField(blank=True)  # the beginning of it
    milliseconds = models.IntegerField()

    class Meta:
        constraints = [AppendOnly(name="webhookattempt_append")]
