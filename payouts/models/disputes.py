"""Disputes: what somebody questions about their pay, who looks after it and until when, what was said, what was decided
and by which change. A dispute holds no pay back; a hold does (payouts/models/manual.py)."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from comp.people.models import PayModel
from comp.tenancy.models import TenantForeignKey
from comp.tenancy.walls import AppendOnly, Trigger
from crediting.models import Deal, Fact
from payouts.models.figures import LINE_KEY, LineKey
from payouts.models.manual import Adjustment, user_key
from plans.models import Plan, PlanVersion


class Dispute(LineKey, PayModel):
    """A claim about one line of somebody's pay, or about a statement as a whole (something is missing in it).

    The line is kept by its key, as payables are: recomputations write lines anew, and the key stays. `copied` holds the
    line or statement as it stood at the opening, for it may be another one by now. `before_minor` is what it earned (a
    statement: paid) then, `after_minor` what it earned or paid at the decision, each read and never typed; both in
    `currency`, as `expected_minor` is. An adjustment by hand leaves the line as it is: it is told beside. The pay group
    is the person's of today, and only their move changes it: who pays them now looks after what they question."""

    class About(models.TextChoices):
        LINE = "line", "A line"
        STATEMENT = "statement", "A statement"

    class Category(models.TextChoices):
        MISSING = "missing_deal", "A deal is missing"
        CREDIT = "credit", "Credit or split"
        AMOUNT = "amount", "Amount"
        RATE = "rate", "Rate or tier"
        QUOTA = "quota", "Quota"
        TIMING = "timing", "When it is paid"
        ADJUSTMENT = "adjustment", "An adjustment"
        OTHER = "other", "Something else"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        IN_REVIEW = "in_review", "In review"
        DECIDED = "decided", "Decided"
        WITHDRAWN = "withdrawn", "Withdrawn"

    class Decision(models.TextChoices):
        DATA_FIX = "data_fix", "The data were put right"
        PLAN_FIX = "plan_fix", "The plan was put right"
        SPLIT = "split", "The split was changed"
        ADJUSTMENT = "adjustment", "An adjustment by hand"
        NO_CHANGE = "no_change", "Nothing changes"

    number = models.PositiveIntegerField()  # from 1 within the tenant, without gaps
    about = models.CharField(max_length=9, choices=About.choices)
    plan = TenantForeignKey(Plan, null=True)  # type: ignore[assignment]  # none of a statement
    deal = TenantForeignKey(Deal, null=True)
    component = models.CharField(max_length=50, blank=True)
    rule = models.CharField(max_length=50, blank=True)
    pay_period = models.DateField()  # first day of the statement's pay period, or of the one that holds the line's day
    run = models.SmallIntegerField(default=0)  # which of the period's statements
    category = models.CharField(max_length=12, choices=Category.choices)
    expectation = models.TextField()  # what the person expected, and why
    expected_minor = models.BigIntegerField(null=True)  # of a line in all; of a statement what it lacks
    copied = models.JSONField()
    before_minor = models.BigIntegerField()
    after_minor = models.BigIntegerField(null=True)
    stake_minor = models.BigIntegerField(null=True)  # by how much it could move; null where nobody said
    currency = models.CharField(max_length=3)
    opened_by = user_key()
    opened_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    owner = user_key(null=True)
    taken_at = models.DateTimeField(null=True)
    promised_on = models.DateField(null=True)  # by when its owner wants to have decided
    decision = models.CharField(max_length=10, choices=Decision.choices, blank=True)
    decision_words = models.TextField(blank=True)
    decided_by = user_key(null=True)
    decided_at = models.DateTimeField(null=True)
    # What was changed: one of these, unless nothing was.
    by_adjustment = TenantForeignKey(Adjustment, null=True)
    by_deal = TenantForeignKey(Deal, null=True)
    by_fact = TenantForeignKey(Fact, null=True)
    by_version = TenantForeignKey(PlanVersion, null=True)
    by_revision = models.BigIntegerField(null=True)  # the revision of the deal or fact that stood at the decision
    withdrawn_by = user_key(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="dispute_number"),
            models.UniqueConstraint(
                fields=["tenant", *LINE_KEY],
                condition=Q(about="line", state__in=["open", "in_review"]),
                name="dispute_line_once",
            ),
            models.CheckConstraint(
                condition=Q(about="line", plan__isnull=False, run=0) & ~Q(component="")
                | Q(about="statement", plan=None, deal=None, component="", fact=0),
                name="dispute_about",
            ),
            models.CheckConstraint(
                condition=Q(
                    category__in=[
                        *("missing_deal", "credit", "amount", "rate", "quota", "timing", "adjustment", "other"),
                    ]
                ),
                name="dispute_category",
            ),
            models.CheckConstraint(condition=~Q(expectation=""), name="dispute_expectation"),
            models.CheckConstraint(
                condition=Q(about="line") | Q(expected_minor=None) | Q(expected_minor__gt=0), name="dispute_missing"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "in_review", "decided", "withdrawn"]), name="dispute_state"
            ),
            models.CheckConstraint(
                condition=Q(owner=None, taken_at=None, promised_on=None)
                | Q(owner__isnull=False, taken_at__isnull=False, promised_on__isnull=False) & ~Q(state="open"),
                name="dispute_owner",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["in_review", "decided"]) | Q(owner__isnull=False), name="dispute_has_an_owner"
            ),
            models.CheckConstraint(
                condition=Q(state="decided", decided_by__isnull=False, decided_at__isnull=False)
                & Q(after_minor__isnull=False)
                & ~Q(decision="")
                & ~Q(decision_words="")
                | ~Q(state="decided")
                & Q(decided_by=None, decided_at=None, after_minor=None, decision="", decision_words=""),
                name="dispute_decided",
            ),
            models.CheckConstraint(
                condition=Q(state="withdrawn", withdrawn_by=F("opened_by"), withdrawn_at__isnull=False)
                | ~Q(state="withdrawn") & Q(withdrawn_by=None, withdrawn_at=None),
                name="dispute_withdrawn",
            ),
            models.CheckConstraint(
                condition=Q(decision__in=["", "no_change"], by_adjustment=None, by_deal=None)
                & Q(by_fact=None, by_version=None, by_revision=None)
                | Q(decision="adjustment", by_adjustment__isnull=False, by_deal=None, by_fact=None, by_version=None)
                & Q(by_revision=None)
                | Q(decision="plan_fix", by_version__isnull=False, by_adjustment=None, by_deal=None, by_fact=None)
                & Q(by_revision=None)
                | Q(decision__in=["data_fix", "split"], by_adjustment=None, by_version=None)
                & Q(by_revision__isnull=False)
                & (Q(by_deal__isnull=False, by_fact=None) | Q(by_deal=None, by_fact__isnull=False)),
                name="dispute_names_its_change",
            ),
            Trigger(name="dispute_moves", when="BEFORE INSERT OR UPDATE", function="comp_dispute_moves"),
            Trigger(name="dispute_change", when="AFTER UPDATE", function="comp_dispute_change"),
            AppendOnly(
                name="dispute_append",
                changing=(
                    *("state", "owner_id", "taken_at", "promised_on", "decision", "decision_words", "decided_by_id"),
                    *("decided_at", "after_minor", "by_adjustment_id", "by_deal_id", "by_fact_id", "by_version_id"),
                    *("by_revision", "withdrawn_by_id", "withdrawn_at", "pay_group_id"),
                ),
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "participant", "state"], name="dispute_participant"),
            models.Index(fields=["tenant", "state", "opened_at"], name="dispute_queue"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """As people cite it: D-12."""
        return f"D-{self.number}"

    @property
    def is_over(self) -> bool:
        return self.state in (Dispute.State.DECIDED, Dispute.State.WITHDRAWN)


class DisputeEntry(PayModel):
    """One thing that was said in a dispute, or that somebody took it and what they promised. Only ever added to; its
    pay group is the dispute's."""

    class Kind(models.TextChoices):
        SAID = "said", "Said"
        TAKEN = "taken", "Taken"

    dispute = TenantForeignKey(Dispute)
    kind = models.CharField(max_length=5, choices=Kind.choices, default=Kind.SAID)
    words = models.TextField(blank=True)
    owner = user_key(null=True)
    promised_on = models.DateField(null=True)
    said_by = user_key()
    said_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "dispute entries"
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="said", owner=None, promised_on=None) & ~Q(words="")
                | Q(kind="taken", owner__isnull=False, promised_on__isnull=False, words=""),
                name="disputeentry_kind",
            ),
            Trigger(name="disputeentry_of", when="AFTER INSERT OR UPDATE", function="comp_disputeentry_of"),
            AppendOnly(name="disputeentry_append", changing=["pay_group_id"]),
        ]
