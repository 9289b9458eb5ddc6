"""Steps of large batches, which workers take in the place of whoever asked for them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from comp.people.models import PayGroup
from comp.tenancy.models import TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly
from payouts.models.batches import Batch


class LargeStep(TenantModel):
    """A step that takes longer than a request, of a batch or of a parallel run (which leaves no batch): asked for by
    somebody, taken once by a worker, in one transaction with the row's end. `refused` says why it was not taken;
    `error` what stopped it until it is tried again."""

    class Step(models.TextChoices):
        LOCK = "lock", "Locking"
        SUBMIT = "submit", "Submitting"
        APPROVE = "approve", "Approving"
        REJECT = "reject", "Sending back"
        UNLOCK = "unlock", "Opening again"
        PART = "part", "Leaving people out of"
        EXPORT = "export", "Exporting"
        PAY = "pay", "Marking as paid"
        TIE = "tie", "Tying out"

    step = models.CharField(max_length=10, choices=Step.choices)
    pay_group = TenantForeignKey(PayGroup)
    starts_on = models.DateField()  # the pay period
    batch = TenantForeignKey(Batch, null=True)  # none: it is the open period's
    name = models.CharField(max_length=160)  # of the batch or period
    people = models.IntegerField()
    lines = models.IntegerField()
    said = models.JSONField(default=dict)  # what was said with it: digest, reason, whom
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_constraint=False)
    actor = models.JSONField(default=dict)  # as the request's: what follows is told of them in the audit trail
    asked_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    made = TenantForeignKey(Batch, null=True, related_name="made_by_steps")  # the batch that it left
    refused = models.TextField(blank=True)
    attempts = models.IntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "pay_group"], condition=Q(ended_at=None), name="largestep_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, made=None, refused="")
                | (Q(ended_at__isnull=False) & (Q(made__isnull=False) | ~Q(refused="") | Q(step="tie"))),
                name="largestep_ends_with_something",
            ),
            AppendOnly(
                name="largestep_append", changing=("ended_at", "made_id", "refused", "attempts", "due_at", "error")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_step_display()} {self.name}"
