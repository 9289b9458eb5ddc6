"""Downloads that take longer than a request: made by workers, kept for some days, fetched as often as somebody may."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from comp.tenancy.models import TenantForeignKey
from payouts.models.batches import Batch
from payouts.models.evidence import GroupPayModel


class Download(GroupPayModel):
    """One file of a large batch or open period, made part by part: a job that goes on where it stood. Kept, it is the
    same bytes each time; it names people, so it is dropped after some days and with every erasure."""

    class Kind(models.TextChoices):
        PEOPLE = "people", "By person"
        DEALS = "deals", "By deal"
        LINES = "lines", "Line by line"
        PAYROLL = "payroll", "Payroll's file"

    class State(models.TextChoices):
        BUILDING = "building", "Being made"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    kind = models.CharField(max_length=8, choices=Kind.choices)
    batch = TenantForeignKey(Batch, null=True)  # none: of the pay group's open period
    said = models.JSONField(default=dict)  # what it is of, beside that: person, deal, provider, file, starts_on
    name = models.CharField(max_length=200)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_constraint=False)
    asked_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=8, choices=State.choices, default=State.BUILDING)
    steps = models.PositiveIntegerField()
    step = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)  # at the part that is next
    tried_at = models.DateTimeField(null=True)  # when a worker took that part; empty once it gave it back or made it
    after = models.JSONField(default=list)  # the last line that is in it: participant and line
    rows = models.IntegerField(default=0)
    totals = models.JSONField(default=dict)  # {currency: minor units}
    error = models.TextField(blank=True)
    done_at = models.DateTimeField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)  # of the body
    content_type = models.CharField(max_length=100, blank=True)
    body = models.BinaryField(default=b"")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["building", "done", "failed"]), name="download_state"),
            models.CheckConstraint(
                condition=~Q(state="done") | Q(done_at__isnull=False) & ~Q(sha256=""), name="download_done"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "id"], condition=Q(state="building"), name="download_at_work")]

    def __str__(self) -> str:
        return self.name


class DownloadPart(GroupPayModel):
    """A part of a file that is being made, by gzip; gone once the file holds it."""

    download = TenantForeignKey(Download)
    number = models.IntegerField()
    body = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "download", "number"], name="downloadpart_once")]
