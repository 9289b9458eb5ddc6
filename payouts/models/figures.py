"""The standing figures: what is right now, by the kernel. Their one writer is payouts.services.recompute.

A line's natural key is the participant and `LineKey`; a tranche's adds its index and part. What was posted is found by
these keys, so standing rows may come and go.
"""

from __future__ import annotations

from datetime import date
from functools import reduce
from operator import add

from django.db import models
from django.db.models import Q
from django.utils import timezone

from comp.people.models import BulkPayModel, ExchangeRate, Participant, PayModel
from comp.tenancy.models import LooseForeignKey, TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly, Trigger
from crediting.models import Deal, RawDelivery
from plans.models import Plan, PlanVersion

#: In a key where there is no period. Keys hold no NULL: they are compared, joined and indexed as they are.
NO_PERIOD = date(1970, 1, 1)


class LineNamed(models.Model):
    """What a line of a participant is for."""

    class Kind(models.IntegerChoices):
        """As payouts.kernel.batch.OF_CREDIT and those after it; by hand there are lines that no kernel knows."""

        CREDIT = 0, "Credit"
        PERIOD = 1, "Period"
        REVERSAL = 2, "Reversal"
        CARRIED = 3, "Carried excess"
        MANUAL = 4, "By hand"
        OPENING = 5, "Brought forward"

    line_kind = models.SmallIntegerField(choices=Kind.choices, default=Kind.CREDIT)
    fact = models.BigIntegerField(default=0)  # deals and other facts are numbered together; 0 for none
    deal = LooseForeignKey(Deal, null=True)  # the deal that the fact belongs to; no part of any key
    origin = models.BigIntegerField(default=0)  # of a reversal the fact whose line it takes back, else 0
    period = models.DateField(default=NO_PERIOD)  # first day of the measure period of a line of a period
    plan = LooseForeignKey(Plan)
    component = models.CharField(max_length=50)

    class Meta:
        abstract = True


class LineKey(LineNamed):
    """Which line of a participant: the same whatever it earns, and whatever version of the plan rates it. Rule, role
    and split are those of the credit, or of the one that a reversal takes back. A line of a period has the period's
    length for a rule: a quarter and a year, of two versions, may begin on one day."""

    rule = models.CharField(max_length=50)
    role = models.CharField(max_length=50, blank=True)
    split = models.IntegerField(default=0)

    class Meta:
        abstract = True


#: The key as the unique indexes have it: wide columns first, so that nothing is padded.
LINE_KEY = ("participant", "fact", "plan", "origin", "split", "period", "line_kind", "component", "rule", "role")


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
        RATE = "rate", "Rate of exchange"
        MAPPING = "mapping", "Mapping"
        BATCH = "batch", "Batch"
        MANUAL = "manual", "By hand"
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


class RecomputeJob(TenantModel):
    """A change that touches many people's whole time, redone in chunks. What is left of it are its changed scopes."""

    cause = TenantForeignKey(Cause)
    people = models.IntegerField()  # whose figures it touches
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    cancelled_by = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [models.Index(fields=["tenant", "-created_at"], name="recomputejob_latest")]


class ChangedScope(TenantModel):
    """Work: this participant's figures with credit dates from `from_day` (to `to_day`, exclusive) may have changed.
    Claimed and deleted in the transaction that redoes them; rows are only added, so intake never waits for a
    recompute. One that cannot be redone stays, says why, and is tried again when it is due."""

    participant = TenantForeignKey(Participant)
    from_day = models.DateField()
    to_day = models.DateField()
    cause = TenantForeignKey(Cause)
    job = TenantForeignKey(RecomputeJob, null=True)
    # Of somebody above those whose fact it is, or who reads their figures: done after these.
    later = models.BooleanField(default=False)
    # Only where lines stand beside others is left to be written, which moves no money: done last of all.
    places = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(default=timezone.now)
    attempts = models.IntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    error = models.TextField(blank=True)


class Alert(TenantModel):
    """What stands is not what is right, found by looking at a part of it. Stands until what it names is right again;
    meanwhile nothing of it is submitted. Its text names no amounts: who may not see pay may see that it is wrong."""

    participant = TenantForeignKey(Participant)
    from_day = models.DateField()  # the measure period, as days of credit
    to_day = models.DateField()
    text = models.TextField()
    seed = models.CharField(max_length=60)  # of the sample that found it
    at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "participant", "from_day", "to_day"],
                condition=Q(resolved_at=None),
                name="alert_stands_once",
            ),
        ]


class Attainment(BulkPayModel):
    """A measure's value by participant, plan, component and measure period, or the stretch of one version in it;
    attainment = total / quota, never stored rounded. Periods of different lengths, of two versions, may begin on one
    day. `total_minor` and `quota_minor` are minor units of money or millionths of everything else, by `unit`."""

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
    unit = models.CharField(max_length=8, default="money")  # money, units, share, number, days
    # As "1/3", in minor units or whole units, where a total alone would not be exact; "" elsewhere, or while unknown.
    value = models.CharField(max_length=200, blank=True)
    result = models.CharField(max_length=200, blank=True)  # of a result component, as `value`

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "participant", "plan", "component", "starts_on", "plan_version"],
                name="attainment_once",
            ),
        ]


class Earning(LineKey, BulkPayModel):
    """A line: what one credit, period, reversal or carried excess earns in one component, with its trace: position,
    running total before and after, tiers, band."""

    plan_version = LooseForeignKey(PlanVersion)
    credit_date = models.DateField()  # of a period its last day, of a reversal its own
    period_starts_on = models.DateField()  # the measure period
    credit_minor = models.BigIntegerField()  # 0 for what is no credit
    position = models.IntegerField()
    before_minor = models.BigIntegerField()
    after_minor = models.BigIntegerField()
    quota_minor = models.BigIntegerField(null=True)  # what held at this line
    tier_before = models.SmallIntegerField()
    tier_after = models.SmallIntegerField()
    band = models.SmallIntegerField()
    rounded_minor = models.BigIntegerField()  # before the cap
    earned_minor = models.BigIntegerField()
    review_minor = models.BigIntegerField(default=0)  # excess that somebody is to look at
    waiting = models.SmallIntegerField()  # for its quota 1, its incentive 2, what it measures 3; 0 for nothing
    currency = models.CharField(max_length=3)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", *LINE_KEY], name="earning_once")]
        indexes = [models.Index(fields=["tenant", "participant", "credit_date"], name="earning_period")]


class TrancheKey(LineKey):
    """The natural key of a tranche: its place in the release, and its part where cash releases it in parts."""

    index = models.SmallIntegerField()
    part = models.SmallIntegerField(default=0)

    class Meta:
        abstract = True


TRANCHE_KEY = (*LINE_KEY[:7], "index", "part", *LINE_KEY[7:])


class Tranche(TrancheKey, BulkPayModel):
    """A part of a line and when it is released. It stands in the currency that its participant is paid in; where that
    is not the plan's, with the rate by which it was converted and the amount before. One that is not converted, for
    want of a rate or of the day that names it, stands in the plan's currency and is not paid."""

    class State(models.IntegerChoices):
        """As payouts.kernel.batch.DATED and those after it."""

        DATED = 0, "Dated"
        WAITING = 1, "Waiting for its trigger"
        HELD = 2, "Held with its credit"
        WITHHELD = 3, "Withheld by a gate"
        LOST = 4, "Lost"
        NO_RATE = 5, "Waiting for a rate of exchange"

    plan_version = LooseForeignKey(PlanVersion)
    credit_date = models.DateField()
    amount_minor = models.BigIntegerField()
    trigger = models.CharField(max_length=60)  # credit_date, a milestone kind, or usage 75%
    trigger_day = models.DateField(null=True)
    release_day = models.DateField(null=True)  # empty while it waits
    period_starts_on = models.DateField(null=True)  # the pay period of its release
    state = models.SmallIntegerField(choices=State.choices, default=State.DATED)
    currency = models.CharField(max_length=3)
    plan_minor = models.BigIntegerField(null=True)  # before it was converted, in the currency that the rate leads from
    rate = LooseForeignKey(ExchangeRate, null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", *TRANCHE_KEY], name="tranche_once"),
            models.CheckConstraint(
                # What another system paid in that currency, by its own rate, stands with the opening.
                condition=Q(plan_minor=None, rate=None)
                | Q(plan_minor__isnull=False) & (Q(rate__isnull=False) | Q(line_kind=5)),
                name="tranche_converted_by_a_rate",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "participant", "credit_date"], name="tranche_period"),
            # What waits for a rate of exchange (NO_RATE).
            models.Index(fields=["tenant", "pay_group"], condition=Q(state=5), name="tranche_without_rate"),
        ]

    @property
    def earned_minor(self) -> int:
        """The amount in the plan's currency, whatever it is paid in."""
        return self.amount_minor if self.plan_minor is None else self.plan_minor


class Schedule(LineKey, BulkPayModel):
    """What of a line's earning is expense of a month, where the plan spreads it."""

    month = models.DateField()  # its first day
    credit_date = models.DateField()
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", *LINE_KEY[:7], "month", *LINE_KEY[7:]], name="schedule_once")
        ]
        indexes = [models.Index(fields=["tenant", "participant", "credit_date"], name="schedule_period")]


class Payable(TrancheKey, BulkPayModel):
    """What the open period owes for a tranche: what is released now, less all that batches have taken. `kind` release
    where its release period is the open one (or lies before the first), adjustment where its period was closed
    already, manual where people decided it. What is held stays, and no batch takes it."""

    class Kind(models.TextChoices):
        RELEASE = "release", "Release"
        ADJUSTMENT = "adjustment", "Prior-period adjustment"
        MANUAL = "manual", "Manual adjustment"

    period_starts_on = models.DateField()  # the open pay period that pays it
    origin_starts_on = models.DateField()  # the pay period where it belongs
    kind = models.CharField(max_length=10, choices=Kind.choices)
    plan_version = LooseForeignKey(PlanVersion)
    credit_date = models.DateField()
    amount_minor = models.BigIntegerField()
    posted_minor = models.BigIntegerField()  # what earlier batches took of this tranche
    currency = models.CharField(max_length=3)
    cause = LooseForeignKey(Cause, null=True)
    hold = LooseForeignKey("payouts.Hold", null=True)  # nothing: it is free

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", *TRANCHE_KEY], name="payable_once")]
        indexes = [
            models.Index(fields=["tenant", "pay_group", "period_starts_on"], name="payable_period"),
            models.Index(fields=["tenant", "participant"], condition=Q(hold__isnull=False), name="payable_held"),
            # What moved since a batch took it.
            models.Index(
                fields=["tenant", "pay_group", "origin_starts_on"],
                condition=Q(kind="adjustment"),
                name="payable_adjusted",
            ),
        ]


class FigureChange(LineNamed, BulkPayModel):
    """A line's earning moved: before, after and why. What "since your last visit" and "why did it change" read."""

    credit_date = models.DateField()
    before_minor = models.BigIntegerField()
    after_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    cause = LooseForeignKey(Cause)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [AppendOnly(name="figurechange_append")]
        indexes = [models.Index(fields=["tenant", "participant", "-at"], name="figurechange_recent")]


#: The columns that add up to what a statement pays.
STATEMENT_PARTS = (
    "released_minor",
    "adjustments_minor",
    "topped_up_minor",
    "recovered_minor",
    "withheld_minor",
    "carried_minor",
    "forgiven_minor",
)


class Statement(PayModel):
    """A participant's pay period. While the period is open it follows the figures, and `digest` is a mark by which one
    sees that its lines moved; a batch freezes it as a snapshot with the digest of its lines. What it pays is what is
    released and adjusted, and what the settlements of its plans make of that (payouts/models/settlements.py): signed as
    it acts on pay."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        IN_BATCH = "in_batch", "In batch"
        APPROVED = "approved", "Approved"
        PAID = "paid", "Paid"

    period_starts_on = models.DateField()
    period_ends_on = models.DateField()
    run = models.SmallIntegerField(default=0)  # as the batch's: what an off-cycle batch pays has statements of its own
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    revision = models.PositiveIntegerField(default=1)
    released_minor = models.BigIntegerField()
    adjustments_minor = models.BigIntegerField()
    topped_up_minor = models.BigIntegerField(default=0, db_default=0)  # by draws and guarantees
    recovered_minor = models.BigIntegerField(default=0, db_default=0)  # of draws
    withheld_minor = models.BigIntegerField(default=0, db_default=0)  # above caps, held back; and holdbacks come back
    carried_minor = models.BigIntegerField(default=0, db_default=0)  # brought forward, less what is carried on
    forgiven_minor = models.BigIntegerField(default=0, db_default=0)  # of clawbacks
    payout_minor = models.BigIntegerField()
    lines = models.IntegerField()
    currency = models.CharField(max_length=3)
    digest = models.CharField(max_length=64)
    calculated_at = models.DateTimeField()
    data_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "participant", "period_starts_on", "run"], name="statement_once"),
            models.CheckConstraint(
                condition=Q(payout_minor=reduce(add, map(models.F, STATEMENT_PARTS))),
                name="statement_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "in_batch", "approved", "paid"]), name="statement_state"
            ),
            Trigger(name="statement_stands", when="BEFORE UPDATE OR DELETE", function="comp_statement_stands"),
        ]
        indexes = [models.Index(fields=["tenant", "pay_group", "period_starts_on"], name="statement_period")]
