"""What people decide about pay by hand: holds, adjustments, side letters, quota relief, windfall reviews, and
differences that reach far back. Each says who prepared it, why, and who else agreed; the database refuses one's own
pay."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q
from django.utils import timezone

from comp.people.models import BulkPayModel, Participant, PayModel
from comp.tenancy.capabilities import Role
from comp.tenancy.models import KeptModel, TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly, Trigger
from crediting.models import Deal
from payouts.models.batches import Batch
from payouts.models.figures import LineKey, TrancheKey
from plans.models import Plan, PlanVersion


def user_key(**kwargs: Any) -> models.ForeignKey:
    return models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_constraint=False, **kwargs)


class Hold(KeptModel):
    """What it names stays in the open period until it is released or expires: a person, a deal, a plan or its
    component, or (all that are given) several of these at once; or a batch as a whole, which then goes no further.

    Of the kinds that people do not place there is one a company: what is too small to be paid alone, and what reaches
    further back than a difference may."""

    class Kind(models.TextChoices):
        PLACED = "placed", "Held"
        SMALL = "small", "Kept until it adds up"
        FAR = "far", "Reaches far back"

    kind = models.CharField(max_length=6, choices=Kind.choices, default=Kind.PLACED)
    participant = TenantForeignKey(Participant, null=True)
    deal = TenantForeignKey(Deal, null=True)
    plan = TenantForeignKey(Plan, null=True)
    component = models.CharField(max_length=50, blank=True)
    batch = TenantForeignKey(Batch, null=True)
    reason = models.TextField()
    placed_by = user_key(null=True)
    placed_at = models.DateTimeField(default=timezone.now)
    expires_on = models.DateField(null=True)  # the first day on which it no longer holds
    released_by = user_key(null=True)  # nobody: it expired
    released_at = models.DateTimeField(null=True)
    release_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["placed", "small", "far"]), name="hold_kind"),
            models.CheckConstraint(
                condition=~Q(kind="placed")
                | (
                    ~Q(reason="")
                    & (
                        Q(participant__isnull=False)
                        | Q(deal__isnull=False)
                        | Q(plan__isnull=False)
                        | Q(batch__isnull=False)
                    )
                ),
                name="hold_names_what",
            ),
            models.CheckConstraint(condition=Q(component="") | Q(plan__isnull=False), name="hold_component_of_plan"),
            models.CheckConstraint(
                condition=Q(released_at=None) | ~Q(release_reason=""), name="hold_release_has_a_reason"
            ),
            models.UniqueConstraint(
                fields=["tenant", "kind"], condition=Q(kind__in=["small", "far"]), name="hold_marker_once"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "released_at"], name="hold_standing")]

    def __str__(self) -> str:
        names = [str(part) for part in (self.participant, self.deal, self.plan, self.batch) if part is not None]
        return ", ".join([*names, *([self.component] if self.component else [])]) or self.get_kind_display()


class Attachment(PayModel):
    """A file that proves why. Its bytes are what its digest says until they are erased; the digest stays."""

    name = models.CharField(max_length=200)
    media = models.CharField(max_length=100)
    content = models.BinaryField()
    size = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    added_by = user_key()
    added_at = models.DateTimeField(default=timezone.now)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(erased_at__isnull=False, content=b"")
                | Q(
                    digest=Func(
                        F("content"),
                        template="encode(sha256(%(expressions)s), 'hex')",
                        output_field=models.CharField(),
                    ),
                    erased_at=None,
                ),
                name="attachment_is_its_digest",
            ),
            AppendOnly(name="attachment_append", changing=["name", "content", "erased_at"]),
        ]

    def __str__(self) -> str:
        return self.name


class AdjustmentPolicy(KeptModel):
    """Of one currency: up to how much one preparer may adjust alone in thirty days (nothing: always with a second
    person), and below which amount differences to closed periods are kept until they add up to it (nothing: never)."""

    currency = models.CharField(max_length=3)
    alone_minor = models.BigIntegerField(null=True)
    small_minor = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["currency"]
        verbose_name_plural = "adjustment policies"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "currency"], name="adjustmentpolicy_once"),
            models.CheckConstraint(
                condition=(Q(alone_minor=None) | Q(alone_minor__gt=0)) & (Q(small_minor=None) | Q(small_minor__gt=0)),
                name="adjustmentpolicy_amounts",
            ),
        ]

    def __str__(self) -> str:
        return self.currency


class ReachPolicy(KeptModel):
    """How many pay periods back a difference may reach (nothing: any number), and who approves one that reaches
    further."""

    periods_back = models.PositiveSmallIntegerField(null=True)
    approver = models.CharField(max_length=20, choices=Role.choices, default=Role.FINANCE)

    class Meta:
        verbose_name_plural = "reach policies"
        constraints = [models.UniqueConstraint(fields=["tenant"], name="reachpolicy_once")]


class AdjustmentFile(TenantModel):
    """A file of adjustments, taken whole and decided on once."""

    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    rows = models.PositiveIntegerField()
    totals = models.JSONField()  # {currency: minor units}
    uploaded_by = user_key()
    uploaded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        constraints = [AppendOnly(name="adjustmentfile_append")]

    def __str__(self) -> str:
        return self.name


class State(models.TextChoices):
    """Of what needs a second person."""

    DRAFT = "draft", "Draft"
    WAITING = "waiting", "Waits for approval"
    APPROVED = "approved", "Approved"
    REFUSED = "refused", "Refused"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Decided(models.Model):
    """Prepared by one person, decided by another, each with a reason."""

    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    reason = models.TextField()
    prepared_by = user_key()
    prepared_at = models.DateTimeField(default=timezone.now)
    decided_by = user_key(null=True)
    decided_at = models.DateTimeField(null=True)
    decision = models.TextField(blank=True)  # why, in the words of whoever decided

    class Meta:
        abstract = True


#: What of a decided row may still change, once: see comp_decision_moves.
DECISION = ("state", "decided_by_id", "decided_at", "decision")


def decided_rules(name: str) -> list[Any]:
    """The constraints of a Decided model."""
    two = Q(decided_by__isnull=False) & ~Q(decided_by=F("prepared_by"))
    return [
        models.CheckConstraint(
            condition=Q(state__in=["draft", "waiting", "approved", "refused", "withdrawn"]), name=f"{name}_state"
        ),
        models.CheckConstraint(condition=~Q(reason=""), name=f"{name}_reason"),
        models.CheckConstraint(
            condition=Q(state__in=["draft", "waiting", "withdrawn"]) | Q(decided_at__isnull=False),
            name=f"{name}_decided_at",
        ),
        models.CheckConstraint(condition=~Q(state="refused") | (two & ~Q(decision="")), name=f"{name}_refused_by"),
        Trigger(name=f"{name}_moves", when="BEFORE INSERT OR UPDATE", function="comp_decision_moves"),
    ]


def two_people(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=~Q(state="approved") | (Q(decided_by__isnull=False) & ~Q(decided_by=F("prepared_by"))),
        name=f"{name}_two_people",
    )


class SideLetter(Decided, PayModel):
    """A person's own terms for some time: so much a month, paid by adjustments, or a plan version that states them."""

    plan = TenantForeignKey(Plan)
    starts_on = models.DateField()
    ends_on = models.DateField()
    text = models.TextField()
    attachment = TenantForeignKey(Attachment)
    monthly_minor = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3)
    plan_version = TenantForeignKey(PlanVersion, null=True)  # that carries the terms as overrides for the person

    class Meta:
        ordering = ["-id"]
        constraints = [
            *decided_rules("sideletter"),
            two_people("sideletter"),
            models.CheckConstraint(condition=Q(ends_on__gt=F("starts_on")), name="sideletter_dates"),
            models.CheckConstraint(
                condition=Q(monthly_minor__gt=0, plan_version=None) | Q(monthly_minor=None, plan_version__isnull=False),
                name="sideletter_changes_one_thing",
            ),
            AppendOnly(name="sideletter_append", changing=DECISION),
        ]

    def __str__(self) -> str:
        return f"SL-{self.pk:06}"


class Adjustment(Decided, PayModel):
    """A credit or debit by hand: of a person's pay by a plan, due from `day` on. Approved it is a payable line of its
    own number, never edited: the opposite is a new one that names it."""

    class Kind(models.TextChoices):
        MANUAL = "manual", "Manual adjustment"
        WRITE_OFF = "write_off", "Write-off"
        WINDFALL = "windfall", "Windfall accepted"
        LETTER = "letter", "Side letter"

    number = models.PositiveIntegerField()  # from 1 within the tenant, without gaps
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.MANUAL)
    plan = TenantForeignKey(Plan)
    plan_version = TenantForeignKey(PlanVersion)  # in force on the day, or nearest to it
    component = models.CharField(max_length=50, blank=True)
    day = models.DateField()
    origin_starts_on = models.DateField()  # the pay period where it belongs
    amount_minor = models.BigIntegerField()  # signed: a debit is negative
    currency = models.CharField(max_length=3)
    balance = models.CharField(max_length=60, blank=True)  # of a write-off: carried, clawback or draw:KEY; else payable
    attachment = TenantForeignKey(Attachment, null=True)
    file = TenantForeignKey(AdjustmentFile, null=True)
    letter = TenantForeignKey(SideLetter, null=True)
    answers = TenantForeignKey("self", null=True)  # the adjustment that it takes back
    alone = models.BooleanField(default=False)  # within what the preparer may adjust without a second person

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="adjustment_number"),
            models.UniqueConstraint(
                fields=["tenant", "letter", "day"], condition=Q(letter__isnull=False), name="adjustment_letter_once"
            ),
            *decided_rules("adjustment"),
            models.CheckConstraint(
                condition=~Q(state="approved")
                | Q(alone=True, decided_by=None, kind="manual")
                | (Q(alone=False, decided_by__isnull=False) & ~Q(decided_by=F("prepared_by"))),
                name="adjustment_two_people",
            ),
            models.CheckConstraint(condition=~Q(amount_minor=0), name="adjustment_not_zero"),
            models.CheckConstraint(condition=~Q(kind="write_off") | Q(amount_minor__gt=0), name="adjustment_write_off"),
            models.CheckConstraint(condition=Q(balance="") | Q(kind="write_off"), name="adjustment_balance"),
            models.CheckConstraint(
                condition=Q(kind__in=["manual", "write_off", "windfall", "letter"]), name="adjustment_kind"
            ),
            Trigger(name="adjustment_within_limit", when="BEFORE INSERT OR UPDATE", function="comp_adjustment_alone"),
            AppendOnly(name="adjustment_append", changing=(*DECISION, "alone")),
        ]
        indexes = [models.Index(fields=["tenant", "participant", "state"], name="adjustment_participant")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """As people cite it, and as its line's rule: ADJ-000012."""
        return f"ADJ-{self.number:06}"


class QuotaRelief(KeptModel, Decided):
    """A share of a person's quota of a key that is taken off from a day to a day."""

    participant = TenantForeignKey(Participant)
    key = models.SlugField()
    starts_on = models.DateField()
    ends_on = models.DateField()
    percent = models.DecimalField(max_digits=7, decimal_places=4)
    revoked_by = user_key(null=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_because = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            *decided_rules("quotarelief"),
            two_people("quotarelief"),
            Trigger(name="quotarelief_stands", when="BEFORE UPDATE", function="comp_relief_stands"),
            models.CheckConstraint(condition=Q(ends_on__gt=F("starts_on")), name="quotarelief_dates"),
            models.CheckConstraint(condition=Q(percent__gt=0, percent__lte=100), name="quotarelief_percent"),
            models.CheckConstraint(
                condition=Q(revoked_at=None) | (Q(state="approved", revoked_by__isnull=False) & ~Q(revoked_because="")),
                name="quotarelief_revoked",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.percent.normalize():f}% off {self.key}, {self.participant}"


class WindfallReview(LineKey, Decided, PayModel):
    """What becomes of the excess of a line over a cap that sends it to a review."""

    amount_minor = models.BigIntegerField()  # the excess that this decides about
    currency = models.CharField(max_length=3)
    accept = models.BooleanField()
    adjustment = TenantForeignKey(Adjustment, null=True)  # that pays an accepted one

    class Meta:
        ordering = ["-id"]
        constraints = [
            *decided_rules("windfallreview"),
            two_people("windfallreview"),
            models.CheckConstraint(condition=~Q(amount_minor=0), name="windfallreview_not_zero"),
            AppendOnly(name="windfallreview_append", changing=(*DECISION, "adjustment_id")),
        ]


class FarApproval(TrancheKey, BulkPayModel):
    """A difference that reaches further back than it may, and that somebody approved: this tranche, by this amount,
    after so much was taken of it. Another difference is another approval."""

    amount_minor = models.BigIntegerField()
    posted_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    origin_starts_on = models.DateField()
    reason = models.TextField()
    approved_by = user_key()
    approved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="farapproval_reason"),
            AppendOnly(name="farapproval_append"),
        ]
        indexes = [models.Index(fields=["tenant", "participant", "fact"], name="farapproval_participant")]


class BatchHeld(TrancheKey, BulkPayModel):
    """What was payable when a batch took its period, and stayed behind because it was held. Replay and audit ask it."""

    batch = TenantForeignKey(Batch)
    hold = TenantForeignKey(Hold)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    class Meta:
        constraints = [AppendOnly(name="batchheld_append")]
        indexes = [models.Index(fields=["tenant", "batch", "participant"], name="batchheld_batch")]
