"""Evidence exports: everything that a batch stands on, as files that can be checked without us."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from comp.people.models import Participant, PayGroup
from comp.tenancy.models import TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly
from payouts.models.batches import Batch


class GroupPayModel(TenantModel):
    """What shows the pay of a whole pay group: behind the wall of those who see it. `participant` is nobody, so that
    no narrower view ever finds such a row."""

    participant = TenantForeignKey(Participant, null=True, editable=False)
    pay_group = TenantForeignKey(PayGroup)
    shows_pay = True

    class Meta:
        abstract = True


class EvidenceExport(GroupPayModel):
    """One export of a batch, built file by file: a job that goes on where it stood. What is read of it is what was
    known when it was asked for."""

    class State(models.TextChoices):
        BUILDING = "building", "Being built"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    batch = TenantForeignKey(Batch)
    seed = models.CharField(max_length=60)  # what the sample is drawn by
    samples = models.PositiveIntegerField()
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_constraint=False)
    asked_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=8, choices=State.choices, default=State.BUILDING)
    steps = models.PositiveIntegerField()
    step = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    done_at = models.DateTimeField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)  # of the ZIP
    manifest_sha256 = models.CharField(max_length=64, blank=True)
    body = models.BinaryField(default=b"")  # the ZIP

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["building", "done", "failed"]), name="evidence_state"),
            AppendOnly(
                name="evidenceexport_append",
                changing=["state", "step", "error", "done_at", "sha256", "manifest_sha256", "body"],
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "id"], condition=Q(state="building"), name="evidence_at_work"),
        ]

    def __str__(self) -> str:
        return f"Evidence of {self.batch}"


class EvidenceFile(GroupPayModel):
    """One file of an export, by gzip; gone once the ZIP holds it."""

    export = TenantForeignKey(EvidenceExport)
    name = models.CharField(max_length=120)
    body = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "export", "name"], name="evidencefile_once")]
