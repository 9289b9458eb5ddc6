"""The close of a period: what has to be done and by whom, and how far the posting of a batch is."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from comp.tenancy.capabilities import Role
from comp.tenancy.models import KeptModel, TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly, Trigger
from payouts.models.batches import Batch


class ChecklistItem(KeptModel):
    """Something that is done at every close: by a person, or by anybody in a role. Batches copy it when they are
    locked, so changing it changes no close that has begun."""

    title = models.CharField(max_length=160)
    place = models.SmallIntegerField()  # the order on the page
    owner_role = models.CharField(max_length=20, choices=Role.choices, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    due_days = models.SmallIntegerField()  # after the period's last day
    needs_evidence = models.BooleanField(default=False)  # a file, or a note of where it is
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["place", "id"]
        constraints = [
            models.CheckConstraint(
                condition=(Q(owner__isnull=False) & Q(owner_role="")) | (Q(owner=None) & ~Q(owner_role="")),
                name="checklistitem_has_one_owner",
            ),
            models.CheckConstraint(condition=Q(due_days__gte=-60, due_days__lte=120), name="checklistitem_due"),
        ]

    def __str__(self) -> str:
        return self.title


class BatchCheck(TenantModel):
    """An item of a batch's close, and who did it when. The batch is not closed while one is open."""

    batch = TenantForeignKey(Batch)
    item = TenantForeignKey(ChecklistItem)
    title = models.CharField(max_length=160)
    place = models.SmallIntegerField()
    owner_role = models.CharField(max_length=20, choices=Role.choices, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    due_on = models.DateField()
    needs_evidence = models.BooleanField()
    done_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    done_at = models.DateTimeField(null=True)
    note = models.TextField(blank=True)
    file_name = models.CharField(max_length=200, blank=True)
    file_size = models.IntegerField(default=0)
    file_sha256 = models.CharField(max_length=64, blank=True)
    file = models.BinaryField(default=b"")

    class Meta:
        ordering = ["place", "id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "batch", "item"], name="batchcheck_once"),
            models.CheckConstraint(
                condition=Q(done_by=None, done_at=None) | Q(done_by__isnull=False, done_at__isnull=False),
                name="batchcheck_done_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(done_at=None) | Q(needs_evidence=False) | ~Q(note="") | Q(file_size__gt=0),
                name="batchcheck_evidence",
            ),
            AppendOnly(
                name="batchcheck_append",
                changing=("done_by_id", "done_at", "note", "file_name", "file_size", "file_sha256", "file"),
            ),
            # What a closed batch was closed with stays.
            Trigger(name="batchcheck_stays", when="BEFORE UPDATE", function="comp_batch_check_stays"),
        ]

    def __str__(self) -> str:
        return self.title


class Posting(TenantModel):
    """The posting of a batch, part by part: what is done is committed, so it goes on where it was broken off. One that
    cannot go on says why, and is tried again when it is due; one whose batch was opened again before it began is ended
    with no part done."""

    batch = TenantForeignKey(Batch)
    kind = models.CharField(max_length=12)  # as payouts.models.ledger.LedgerTransaction.Kind
    parts = models.SmallIntegerField()
    done = models.SmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    attempts = models.IntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    error = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "batch", "kind"], name="posting_once"),
            models.CheckConstraint(condition=Q(done__gte=0, done__lte=models.F("parts")), name="posting_done"),
            AppendOnly(name="posting_append", changing=("done", "ended_at", "attempts", "due_at", "error")),
        ]
        indexes = [models.Index(fields=["tenant", "due_at"], condition=Q(ended_at=None), name="posting_under_way")]
