"""A pay group's arrival from another system: what that one credited, earned, paid and still owes is brought forward by
file, checked, and signed by a second person. docs/cutover.md"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from comp.people.models import PayGroup, PayModel
from comp.tenancy.models import KeptModel, TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly, Trigger
from crediting.models import Deal
from payouts.models.batches import Batch
from plans.models import Plan

#: Of what a file brought only this may change, once: that it was taken back.
_TAKEN_BACK = ("taken_back_at", "taken_back_by_id")


def _person(**kwargs: Any) -> models.ForeignKey:
    return models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_constraint=False, **kwargs)


class CutOver(KeptModel):
    """A pay group's switch from another system (`source`) on `day`, the first day for which Comp pays: the first of one
    of its pay periods. Until it is signed by a second person nothing of the group is paid, and the day and the files
    may change; from then on nothing of it does."""

    class State(models.TextChoices):
        PREPARING = "preparing", "Preparing"
        PARALLEL = "parallel", "Parallel run"
        SIGNED = "signed", "Signed"
        ABANDONED = "abandoned", "Abandoned"

    #: Neither signed nor given up.
    OPEN = (State.PREPARING, State.PARALLEL)

    pay_group = TenantForeignKey(PayGroup)
    source = models.CharField(max_length=60)
    day = models.DateField()
    opened_before = models.DateField(null=True)  # the group's first day before the switch: its own again when given up
    state = models.CharField(max_length=10, choices=State.choices, default=State.PREPARING)
    batch = TenantForeignKey(Batch, null=True)  # the opening batch that stands; none where nothing is brought forward
    prepared_by = _person()
    prepared_at = models.DateTimeField(default=timezone.now)
    moved_by = _person(null=True)  # who set the day that stands, where it was moved
    signed_by = _person(null=True)
    signed_at = models.DateTimeField(null=True)
    digest = models.CharField(max_length=64, blank=True)  # of what was signed (comp_cutover_digest)
    no_run = models.CharField(
        max_length=500, blank=True, default="", db_default=""
    )  # why signed without a parallel run

    class Meta:
        ordering = ["-day", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "pay_group"], condition=~Q(state="abandoned"), name="cutover_once"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["preparing", "parallel", "signed", "abandoned"]), name="cutover_state"
            ),
            models.CheckConstraint(
                condition=Q(state="signed", signed_by__isnull=False, signed_at__isnull=False) & ~Q(digest="")
                | ~Q(state="signed") & Q(signed_by=None, signed_at=None, digest=""),
                name="cutover_signed_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(signed_by=None) | ~Q(signed_by=F("prepared_by")), name="cutover_two_people"
            ),
            Trigger(name="cutover_moves", when="BEFORE INSERT OR UPDATE OR DELETE", function="comp_cutover_moves"),
            Trigger(name="cutover_tied", when="BEFORE UPDATE", function="comp_cutover_tied"),
        ]

    def __str__(self) -> str:
        return f"{self.source} to Comp, {self.pay_group}"

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN


class OpeningFile(TenantModel):
    """A file that was taken as a whole, and may be taken back as a whole until the switch is signed. One of unreleased
    tranches came `beside` the one of their openings, and goes with it."""

    class Kind(models.TextChoices):
        OPENINGS = "openings", "Openings"
        TRANCHES = "tranches", "Unreleased tranches"
        BALANCES = "balances", "Balances"

    cut_over = TenantForeignKey(CutOver)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    beside = TenantForeignKey("self", null=True)
    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    rows = models.PositiveIntegerField()
    totals = models.JSONField()  # {what: {currency: minor units}}
    uploaded_by = _person()
    uploaded_at = models.DateTimeField(default=timezone.now)
    taken_back_by = _person(null=True)
    taken_back_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["openings", "tranches", "balances"]), name="openingfile_kind"),
            models.CheckConstraint(
                condition=~Q(kind="tranches") | Q(beside__isnull=False),
                name="openingfile_beside",
            ),
            AppendOnly(name="openingfile_append", changing=_TAKEN_BACK),
            Trigger(name="openingfile_stands", when="BEFORE INSERT OR UPDATE", function="comp_opening_stands"),
        ]

    def __str__(self) -> str:
        return self.name


class Opening(PayModel):
    """What the system before credited and earned of one component for one person, up to and including `day`: a line
    whose earning is given. It stands for everything of its measure period until then (docs/algorithms/openings.md).

    `measured_minor` is in minor units of money or millionths of everything else, as Attainment's total;
    `earned_minor` in minor units is the sum of its tranches. Standing while `taken_back_at` is empty."""

    cut_over = TenantForeignKey(CutOver)
    file = TenantForeignKey(OpeningFile)
    row = models.PositiveIntegerField()  # its line in the file
    plan = TenantForeignKey(Plan)
    component = models.CharField(max_length=50)
    day = models.DateField()
    measured_minor = models.BigIntegerField()
    earned_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reference = models.CharField(max_length=200, blank=True)  # of the system before
    applied_at = models.DateTimeField(default=timezone.now)
    taken_back_by = _person(null=True)
    taken_back_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "participant", "plan", "component", "day"],
                condition=Q(taken_back_at=None),
                name="opening_once",
            ),
            AppendOnly(name="opening_append", changing=_TAKEN_BACK),
            Trigger(name="opening_stands", when="BEFORE INSERT OR UPDATE", function="comp_opening_stands"),
            Trigger(name="opening_adds_up", when="AFTER INSERT", function="comp_opening_adds_up", deferred=True),
        ]


class OpeningTranche(PayModel):
    """A part of an opening: what the system before has paid (index 0, released on the opening's day), or what it still
    owes, released on a day or by a milestone of a deal. Of who is paid in another currency than the plan's the first
    has what was paid in it, and the rate of that system: one unit of the plan's currency in units of that one."""

    opening = TenantForeignKey(Opening)
    index = models.SmallIntegerField()
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    release_day = models.DateField(null=True)
    deal = TenantForeignKey(Deal, null=True)
    milestone = models.CharField(max_length=60, blank=True)
    paid_minor = models.BigIntegerField(null=True)
    paid_in = models.CharField(max_length=3, blank=True)
    paid_rate = models.DecimalField(max_digits=18, decimal_places=10, null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "opening", "index"], name="openingtranche_once"),
            models.CheckConstraint(
                condition=Q(paid_minor=None, paid_in="", paid_rate=None)
                | Q(index=0, paid_minor__isnull=False, paid_rate__gt=0) & ~Q(paid_in="") & ~Q(paid_in=F("currency")),
                name="openingtranche_paid_in",
            ),
            models.CheckConstraint(
                condition=Q(release_day__isnull=False, milestone="")
                | Q(release_day=None, deal__isnull=False) & ~Q(milestone=""),
                name="openingtranche_release",
            ),
            AppendOnly(name="openingtranche_append"),
            Trigger(name="openingtranche_stands", when="AFTER INSERT", function="comp_openingtranche_stands"),
            Trigger(name="openingtranche_adds_up", when="AFTER INSERT", function="comp_opening_adds_up", deferred=True),
        ]

    @property
    def rate_words(self) -> str:
        """`1.0875`; empty where nothing was converted."""
        return "" if self.paid_rate is None else f"{self.paid_rate.normalize():f}"


class OpeningBalance(PayModel):
    """What a person's plan starts from, as payouts.kernel.batch.Balances has it. Draws and clawbacks are owed by the
    person, held back is owed to them, carried and kept are signed as they act on pay; paid_year is what the fiscal year
    of the switch has paid so far. `day`: of what is held back when it comes back, of a draw its first top-up."""

    class Kind(models.TextChoices):
        DRAW = "draw", "Draw owed"
        CARRIED = "carried", "Carried forward"
        CLAWBACK = "clawback", "Clawback owed"
        HELD_BACK = "held_back", "Held back"
        KEPT = "kept", "Small adjustments kept"
        PAID_YEAR = "paid_year", "Paid this year"

    cut_over = TenantForeignKey(CutOver)
    file = TenantForeignKey(OpeningFile)
    row = models.PositiveIntegerField()
    plan = TenantForeignKey(Plan)
    kind = models.CharField(max_length=9, choices=Kind.choices)
    key = models.CharField(max_length=50, blank=True)  # of the draw
    day = models.DateField(null=True)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    applied_at = models.DateTimeField(default=timezone.now)
    taken_back_by = _person(null=True)
    taken_back_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "cut_over", "participant", "plan", "kind", "key", "day"],
                condition=Q(taken_back_at=None),
                nulls_distinct=False,
                name="openingbalance_once",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["draw", "carried", "clawback", "held_back", "kept", "paid_year"]),
                name="openingbalance_kind",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["carried", "kept", "paid_year"]) | Q(amount_minor__gt=0),
                name="openingbalance_owed",
            ),
            models.CheckConstraint(
                condition=~Q(kind="held_back") | Q(day__isnull=False), name="openingbalance_comes_back"
            ),
            AppendOnly(name="openingbalance_append", changing=_TAKEN_BACK),
            Trigger(name="openingbalance_stands", when="BEFORE INSERT OR UPDATE", function="comp_opening_stands"),
        ]
