"""Payout batches: what Finance submits and somebody else approves."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from comp.people.models import BulkPayModel, PayGroup
from comp.tenancy.models import KeptModel, LooseForeignKey, TenantForeignKey
from comp.tenancy.walls import AppendOnly, Trigger
from payouts.models.figures import LINE_KEY, TRANCHE_KEY, Cause, LineKey, Payable, Statement, TrancheKey
from plans.models import PlanVersion

#: States of a batch whose lines are settled between two people; what follows only moves money.
DECIDED = ("approved", "posted", "paid", "closed")


class Batch(KeptModel):
    """One pay group's pay period, or some of its people's in between (`off_cycle`): in review → submitted → approved →
    posted → paid → closed. What another system paid before Comp's first period (`opening`) is posted and never paid. A
    batch that is not approved is rejected, by whoever decides, or voided, when two people unlock it or a part of it
    goes on alone; then its lines count for nothing and what they paid is open again."""

    class State(models.TextChoices):
        IN_REVIEW = "in_review", "In review"
        SUBMITTED = "submitted", "Submitted"
        APPROVED = "approved", "Approved"
        POSTED = "posted", "Posted"
        PAID = "paid", "Paid"
        CLOSED = "closed", "Closed"
        REJECTED = "rejected", "Rejected"
        VOIDED = "voided", "Voided"

    class Kind(models.TextChoices):
        REGULAR = "regular", "Regular"
        OFF_CYCLE = "off_cycle", "Off-cycle"
        OPENING = "opening", "Brought forward"

    pay_group = TenantForeignKey(PayGroup)
    starts_on = models.DateField()  # the pay period
    ends_on = models.DateField()
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.REGULAR)
    # 0 is the regular one; off-cycle ones count from 1 within the period; what is brought forward is -1.
    run = models.SmallIntegerField(default=0)
    name = models.CharField(max_length=120)
    pay_on = models.DateField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.IN_REVIEW)
    people = models.IntegerField()
    lines = models.IntegerField()
    deals = models.IntegerField(null=True)  # of batches from before it was counted none is known
    totals = models.JSONField()  # {currency: minor units}
    digest = models.CharField(max_length=64)  # of the lines shown; the approval binds it
    replaces = TenantForeignKey("self", null=True)  # the voided batch whose part this is
    locked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    locked_at = models.DateTimeField(default=timezone.now)  # what was known then is in its figures
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    submitted_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    decided_at = models.DateTimeField(null=True)
    approved_digest = models.CharField(max_length=64, blank=True)
    reason = models.TextField(blank=True)  # of a rejection
    void_reason = models.TextField(blank=True)
    void_asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    void_asked_at = models.DateTimeField(null=True)
    voided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    voided_at = models.DateTimeField(null=True)
    posted_at = models.DateTimeField(null=True)
    exported_at = models.DateTimeField(null=True)
    paid_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    paid_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    closed_at = models.DateTimeField(null=True)
    ledger_head = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-starts_on", "-id"]
        verbose_name_plural = "batches"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "pay_group", "starts_on", "run"],
                condition=~Q(state__in=["rejected", "voided"]),
                name="batch_once",
            ),
            models.CheckConstraint(
                condition=Q(kind="regular", run=0) | Q(kind="off_cycle", run__gt=0) | Q(kind="opening", run=-1),
                name="batch_run",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["in_review", "voided"])
                | Q(submitted_by__isnull=False, submitted_at__isnull=False),
                name="batch_submitted_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("submitted_by")), name="batch_two_people"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=DECIDED) | (Q(approved_digest=F("digest")) & Q(decided_by__isnull=False)),
                name="batch_approves_what_was_shown",
            ),
            models.CheckConstraint(condition=~Q(state="rejected") | ~Q(reason=""), name="batch_reject_reason"),
            # Who asks and who confirms; where nobody asked, who submitted and who lets a part go on alone. What is
            # brought forward is built anew when its files change, by whoever changes them.
            models.CheckConstraint(
                condition=~Q(state="voided")
                | (
                    Q(voided_by__isnull=False)
                    & ~Q(void_reason="")
                    & (
                        (Q(void_asked_by__isnull=False) & ~Q(voided_by=F("void_asked_by")))
                        | (Q(void_asked_by=None, submitted_by__isnull=False) & ~Q(voided_by=F("submitted_by")))
                        | Q(kind="opening", submitted_by=None)
                    )
                ),
                name="batch_void_two_people",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        "in_review",
                        "submitted",
                        "approved",
                        "posted",
                        "paid",
                        "closed",
                        "rejected",
                        "voided",
                    ]
                ),
                name="batch_state",
            ),
            Trigger(name="batch_moves", when="BEFORE INSERT OR UPDATE OR DELETE", function="comp_batch_moves"),
            Trigger(name="batch_chain", when="AFTER INSERT OR UPDATE", function="comp_batch_chain"),
            Trigger(name="batch_posted", when="BEFORE UPDATE", function="comp_batch_posted"),
            Trigger(name="batch_held", when="BEFORE UPDATE", function="comp_batch_held"),
            Trigger(name="batch_opening", when="BEFORE INSERT OR UPDATE", function="comp_batch_opening"),
            Trigger(name="batch_paid", when="BEFORE UPDATE", function="comp_batch_paid"),
        ]

    def __str__(self) -> str:
        return self.name


class BatchPerson(BulkPayModel):
    """What a batch takes of one person in a currency, added up once when it is locked, so that no page has to: the
    lines' sums, how they compare with the batch before, and what is remarkable. Whoever the batch before paid has a row
    too, where this one holds nothing of them (`lines` 0).

    `part` says with whom the person is posted; `digest` is that of all the person's own lines."""

    batch = TenantForeignKey(Batch)
    part = models.SmallIntegerField()
    currency = models.CharField(max_length=3)
    before_minor = models.BigIntegerField(null=True)  # None: the batch before has nothing of the person
    released_minor = models.BigIntegerField()
    adjustments_minor = models.BigIntegerField()
    manual_minor = models.BigIntegerField(default=0)
    settled_minor = models.BigIntegerField(default=0)  # what the settlement adds to the lines' sums, or takes
    adjustments = models.IntegerField()
    manual = models.IntegerField(default=0)
    lines = models.IntegerField()
    is_new = models.BooleanField()  # no batch before took anything of the person
    is_large = models.BooleanField()  # the change is (payouts.selectors_batches.is_large)
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "batch", "participant", "currency"], name="batchperson_once"),
            AppendOnly(name="batchperson_append"),
        ]


class BatchLine(TrancheKey, BulkPayModel):
    """A payable as a batch took it: never edited, only answered by later lines. Lines of a rejected or voided batch
    count for nothing.

    `trace` keeps what the figure stood on when it was taken (credit, running total, tier, revision), for explanation
    and audit."""

    batch = TenantForeignKey(Batch)
    # The lines of a batch that was sent back stay, while its statements are written anew.
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


class GivenUp(LineKey, BulkPayModel):
    """What a line had given up of a budget (`after_posting: keep`) when a batch took others of it: it kept `kept_minor`
    and had come to `earned_minor`, whether or not a batch had taken the difference back. That is what it keeps from
    then on, as long as the batch counts: what it gave up may be whose the batch took."""

    batch = TenantForeignKey(Batch)
    credit_date = models.DateField()
    kept_minor = models.BigIntegerField()
    earned_minor = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "batch", *LINE_KEY], name="givenup_once"),
            models.CheckConstraint(
                condition=Q(earned_minor__gte=0, earned_minor__lt=F("kept_minor")), name="givenup_is_less"
            ),
            AppendOnly(name="givenup_append"),
            Trigger(name="givenup_stands", when="AFTER INSERT", function="comp_givenup_stands"),
        ]
