"""Payout batches: what Finance submits and somebody else approves."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from comp.people.models import BulkPayModel, PayGroup
from comp.tenancy.models import KeptModel, LooseForeignKey, TenantForeignKey
from comp.tenancy.walls import AppendOnly, Trigger
from payouts.models.figures import TRANCHE_KEY, Cause, Payable, Statement, TrancheKey
from plans.models import PlanVersion


class Batch(KeptModel):
    """One pay group's pay period. submitted → approved → paid, or submitted → rejected (the period opens again)."""

    class State(models.TextChoices):
        SUBMITTED = "submitted", "Submitted"
        APPROVED = "approved", "Approved"
        PAID = "paid", "Paid"
        REJECTED = "rejected", "Rejected"

    pay_group = TenantForeignKey(PayGroup)
    starts_on = models.DateField()  # the pay period
    ends_on = models.DateField()
    name = models.CharField(max_length=120)
    pay_on = models.DateField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.SUBMITTED)
    people = models.IntegerField()
    lines = models.IntegerField()
    totals = models.JSONField()  # {currency: minor units}
    digest = models.CharField(max_length=64)  # of the lines shown; the approval binds it
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_constraint=False)
    submitted_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    decided_at = models.DateTimeField(null=True)
    approved_digest = models.CharField(max_length=64, blank=True)
    reason = models.TextField(blank=True)  # of a rejection
    exported_at = models.DateTimeField(null=True)
    paid_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    paid_at = models.DateTimeField(null=True)
    ledger_head = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-starts_on", "-id"]
        verbose_name_plural = "batches"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "pay_group", "starts_on"], condition=~Q(state="rejected"), name="batch_once"
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("submitted_by")), name="batch_two_people"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "paid"])
                | (Q(approved_digest=F("digest")) & Q(decided_by__isnull=False)),
                name="batch_approves_what_was_shown",
            ),
            models.CheckConstraint(condition=~Q(state="rejected") | ~Q(reason=""), name="batch_reject_reason"),
            models.CheckConstraint(
                condition=Q(state__in=["submitted", "approved", "paid", "rejected"]), name="batch_state"
            ),
            Trigger(name="batch_moves", when="BEFORE UPDATE OR DELETE", function="comp_batch_moves"),
            Trigger(name="batch_held", when="BEFORE UPDATE", function="comp_batch_held"),
        ]

    def __str__(self) -> str:
        return self.name


class BatchLine(TrancheKey, BulkPayModel):
    """A payable as a batch took it: never edited, only answered by later lines. Lines of a rejected batch count for
    nothing.

    `trace` keeps what the figure stood on when it was taken (credit, running total, tier, revision), for explanation
    and audit."""

    batch = TenantForeignKey(Batch)
    # A rejected batch's lines stay, while its statements are written anew.
    statement = LooseForeignKey(Statement, models.DO_NOTHING)
    period_starts_on = models.DateField()
    origin_starts_on = models.DateField()
    kind = models.CharField(max_length=10, choices=Payable.Kind.choices)
    plan_version = LooseForeignKey(PlanVersion)
    credit_date = models.DateField()
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    cause = LooseForeignKey(Cause, null=True)
    trace = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "batch", *TRANCHE_KEY], name="batchline_once"),
            AppendOnly(name="batchline_append"),
        ]
        indexes = [models.Index(fields=["tenant", "participant", "fact"], name="batchline_participant")]
