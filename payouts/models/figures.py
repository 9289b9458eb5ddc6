"""The standing figures: what is right now, by the kernel. Their one writer is payouts.services.recompute.

A line's natural key is (participant, deal, plan, rule, role, split, component); a tranche's adds its index. What was
posted is found by these keys, so standing rows may come and go.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from comp.people.models import BulkPayModel, Participant, PayModel
from comp.tenancy.models import LooseForeignKey, TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly
from crediting.models import Deal, RawDelivery
from plans.models import Plan, PlanVersion


class Cause(TenantModel):
    """Why figures moved, in the words that people read."""

    class Kind(models.TextChoices):
        DEAL = "deal", "Deal"
        MILESTONE = "milestone", "Milestone"
        USAGE = "usage", "Usage"
        PLAN = "plan", "Plan"
        ASSIGNMENT = "assignment", "Assignment"
        QUOTA = "quota", "Quota"
        PEOPLE = "people", "People"
        MAPPING = "mapping", "Mapping"
        BATCH = "batch", "Batch"
        JOB = "job", "Recomputation"

    kind = models.CharField(max_length=12, choices=Kind.choices)
    label = models.CharField(max_length=300)
    deal = TenantForeignKey(Deal, null=True)
    delivery = TenantForeignKey(RawDelivery, null=True)
    plan_version = TenantForeignKey(PlanVersion, null=True)
    actor = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [AppendOnly(name="cause_append")]

    def __str__(self) -> str:
        return self.label


class ChangedScope(TenantModel):
    """Work: this participant's figures with credit dates from `from_day` (to `to_day`, exclusive) may have changed.
    Claimed and deleted in the transaction that redoes them; rows are only added, so intake never waits for a
    recompute. One that cannot be redone stays, says why, and is tried again when it is due."""

    participant = TenantForeignKey(Participant)
    from_day = models.DateField()
    to_day = models.DateField()
    cause = TenantForeignKey(Cause)
    created_at = models.DateTimeField(default=timezone.now)
    attempts = models.IntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    error = models.TextField(blank=True)


class Attainment(BulkPayModel):
    """A measure's value by participant, plan, component and measure period; attainment = total / quota, never stored
    rounded. Periods of different lengths, of two versions, may begin on one day."""

    plan = LooseForeignKey(Plan)
    plan_version = LooseForeignKey(PlanVersion)
    component = models.CharField(max_length=50)
    starts_on = models.DateField()
    ends_on = models.DateField()
    quota_minor = models.BigIntegerField(null=True)
    total_minor = models.BigIntegerField()
    lines = models.IntegerField()
    earned_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "participant", "plan", "component", "starts_on", "plan_version"],
                name="attainment_once",
            ),
        ]


class Earning(BulkPayModel):
    """A line: what one credit earns in one component, with its trace: position, running total before and after, tiers,
    band."""

    deal = LooseForeignKey(Deal)
    plan = LooseForeignKey(Plan)
    plan_version = LooseForeignKey(PlanVersion)
    rule = models.CharField(max_length=50)
    role = models.CharField(max_length=50)
    split = models.IntegerField()
    component = models.CharField(max_length=50)
    credit_date = models.DateField()
    period_starts_on = models.DateField()  # the measure period
    credit_minor = models.BigIntegerField()
    position = models.IntegerField()
    before_minor = models.BigIntegerField()
    after_minor = models.BigIntegerField()
    quota_minor = models.BigIntegerField(null=True)
    tier_before = models.SmallIntegerField()
    tier_after = models.SmallIntegerField()
    band = models.SmallIntegerField()
    rounded_minor = models.BigIntegerField()  # before the cap
    earned_minor = models.BigIntegerField()
    waiting = models.SmallIntegerField()  # for its quota 1, its incentive 2, what it measures 3; 0 for nothing
    currency = models.CharField(max_length=3)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "participant", "deal", "plan", "rule", "role", "split", "component"],
                name="earning_once",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "participant", "credit_date"], name="earning_period")]


class TrancheKey(models.Model):
    """The natural key of a tranche."""

    deal = LooseForeignKey(Deal)
    plan = LooseForeignKey(Plan)
    rule = models.CharField(max_length=50)
    role = models.CharField(max_length=50)
    split = models.IntegerField()
    component = models.CharField(max_length=50)
    index = models.SmallIntegerField()

    class Meta:
        abstract = True


class Tranche(TrancheKey, BulkPayModel):
    """A part of a line and when it is released."""

    plan_version = LooseForeignKey(PlanVersion)
    credit_date = models.DateField()
    amount_minor = models.BigIntegerField()
    trigger = models.CharField(max_length=60)  # credit_date, a milestone kind, or usage 75%
    trigger_day = models.DateField(null=True)
    release_day = models.DateField(null=True)  # empty while it waits
    period_starts_on = models.DateField(null=True)  # the pay period of its release
    currency = models.CharField(max_length=3)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "participant", "deal", "plan", "rule", "role", "split", "component", "index"],
                name="tranche_once",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "participant", "credit_date"], name="tranche_period")]


class Payable(TrancheKey, BulkPayModel):
    """What the open period owes for a tranche: what is released now, less all that batches have taken. `kind` release
    where its release period is the open one (or lies before the first), adjustment where its period was closed
    already."""

    class Kind(models.TextChoices):
        RELEASE = "release", "Release"
        ADJUSTMENT = "adjustment", "Prior-period adjustment"

    period_starts_on = models.DateField()  # the open pay period that pays it
    origin_starts_on = models.DateField()  # the pay period where it belongs
    kind = models.CharField(max_length=10, choices=Kind.choices)
    plan_version = LooseForeignKey(PlanVersion)
    credit_date = models.DateField()
    amount_minor = models.BigIntegerField()
    posted_minor = models.BigIntegerField()  # what earlier batches took of this tranche
    currency = models.CharField(max_length=3)
    cause = LooseForeignKey(Cause, null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "participant", "deal", "plan", "rule", "role", "split", "component", "index"],
                name="payable_once",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "pay_group", "period_starts_on"], name="payable_period")]


class FigureChange(BulkPayModel):
    """A line's earning moved: before, after and why. What "since your last visit" and "why did it change" read."""

    deal = LooseForeignKey(Deal)
    plan = LooseForeignKey(Plan)
    component = models.CharField(max_length=50)
    credit_date = models.DateField()
    before_minor = models.BigIntegerField()
    after_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    cause = LooseForeignKey(Cause)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [AppendOnly(name="figurechange_append")]
        indexes = [
            models.Index(fields=["tenant", "participant", "-at"], name="figurechange_recent"),
            models.Index(fields=["tenant", "deal"], name="figurechange_deal"),
        ]


class Statement(PayModel):
    """A participant's pay period. While the period is open it follows the figures; a batch freezes it as a snapshot
    with its digest."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        IN_BATCH = "in_batch", "In batch"
        APPROVED = "approved", "Approved"
        PAID = "paid", "Paid"

    period_starts_on = models.DateField()
    period_ends_on = models.DateField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    revision = models.PositiveIntegerField(default=1)
    released_minor = models.BigIntegerField()
    adjustments_minor = models.BigIntegerField()
    payout_minor = models.BigIntegerField()
    lines = models.IntegerField()
    currency = models.CharField(max_length=3)
    digest = models.CharField(max_length=64)
    calculated_at = models.DateTimeField()
    data_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "participant", "period_starts_on"], name="statement_once"),
            models.CheckConstraint(
                condition=Q(payout_minor=models.F("released_minor") + models.F("adjustments_minor")),
                name="statement_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "in_batch", "approved", "paid"]), name="statement_state"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "pay_group", "period_starts_on"], name="statement_period")]
