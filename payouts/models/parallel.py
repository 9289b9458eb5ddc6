"""The parallel run of a cut-over: what the system before says that it paid, how that ties out with what Comp would have
paid, and how people explained what no evidence explains. docs/cutover.md"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from comp.people.models import Participant, PayModel
from comp.tenancy.models import KeptModel, TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly, Trigger
from payouts.models.cutover import CutOver

#: Of what was said only this may change, once: that it was taken back.
_TAKEN_BACK = ("taken_back_at", "taken_back_by_id")


def _person(**kwargs: Any) -> models.ForeignKey:
    return models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_constraint=False, **kwargs)


class ParallelRun(KeptModel):
    """How a cut-over is tied out, and when it last was. `digest` is of the lines of both sides that were compared, so
    that it shows when figures or files moved since; while no cause came after `last_cause` they cannot have."""

    cut_over = TenantForeignKey(CutOver)
    rounding_minor = models.PositiveIntegerField(default=0)  # differences of a line up to this are rounding
    rounding_by = _person(null=True)  # who said so, where anybody did
    tied_at = models.DateTimeField(null=True)
    tied_by = _person(null=True)
    digest = models.CharField(max_length=64, blank=True)
    last_cause = models.BigIntegerField(default=0)  # the latest payouts.Cause then

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "cut_over"], name="parallelrun_once"),
            Trigger(name="parallelrun_stands", when="BEFORE INSERT OR UPDATE", function="comp_parallel_stands"),
        ]


class LegacyFile(TenantModel):
    """Statements of the system before, taken as a whole; taken back as a whole, until the switch is signed."""

    cut_over = TenantForeignKey(CutOver)
    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    rows = models.PositiveIntegerField()
    kinds = models.JSONField(default=dict)  # their words for kinds of lines, and ours
    uploaded_by = _person()
    uploaded_at = models.DateTimeField(default=timezone.now)
    taken_back_by = _person(null=True)
    taken_back_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "cut_over", "digest"], condition=Q(taken_back_at=None), name="legacyfile_once"
            ),
            AppendOnly(name="legacyfile_append", changing=_TAKEN_BACK),
            Trigger(name="legacyfile_stands", when="BEFORE INSERT OR UPDATE", function="comp_parallel_stands"),
        ]

    def __str__(self) -> str:
        return self.name


class OfPerson(PayModel):
    """A row about somebody by employee number; `participant` is empty while Comp knows nobody by it."""

    participant = TenantForeignKey(Participant, null=True)  # type: ignore[assignment]
    cut_over = TenantForeignKey(CutOver)
    person = models.CharField(max_length=60)
    period_starts_on = models.DateField()
    currency = models.CharField(max_length=3)

    class Meta:
        abstract = True


class LegacyLine(OfPerson):
    """A line of a statement of theirs. What the file leaves out is empty; a line without a kind is a total. The deal is
    kept as they name it, and looked for whenever the run is tied out."""

    file = TenantForeignKey(LegacyFile)
    row = models.PositiveIntegerField()  # its line in the file
    kind = models.CharField(max_length=10, blank=True)  # payouts.kernel.tieout.KINDS
    plan = models.CharField(max_length=50, blank=True)  # its key
    component = models.CharField(max_length=50, blank=True)
    source = models.CharField(max_length=50, blank=True)  # key of the endpoint that the deal came by
    deal = models.CharField(max_length=200, blank=True)
    amount_minor = models.BigIntegerField()
    credited_minor = models.BigIntegerField(null=True)
    rate = models.DecimalField(max_digits=18, decimal_places=10, null=True)
    reference = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            AppendOnly(name="legacyline_append"),
            Trigger(name="legacyline_stands", when="BEFORE INSERT", function="comp_parallel_stands"),
        ]
        indexes = [models.Index(fields=["tenant", "cut_over", "period_starts_on"], name="legacyline_period")]


class TieOut(OfPerson):
    """One person's pay period in a currency, tied out; written anew whenever the run is. `parts` is what both pay for
    each thing with the cause of the difference (payouts.kernel.tieout.Part); what no evidence explains is `rest_minor`,
    a part of ours less theirs."""

    theirs_minor = models.BigIntegerField()
    ours_minor = models.BigIntegerField()
    rest_minor = models.BigIntegerField()
    causes = models.JSONField(default=dict)  # {cause: minor units}, all of the difference
    parts = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "cut_over", "person", "period_starts_on", "currency"], name="tieout_once"
            ),
            Trigger(name="tieout_stands", when="BEFORE INSERT OR UPDATE OR DELETE", function="comp_parallel_stands"),
        ]

    @property
    def difference_minor(self) -> int:
        return self.ours_minor - self.theirs_minor


class Explanation(OfPerson):
    """Why a rest is what it is, by somebody else than the person. It counts while the rest is the amount that was
    explained; one explanation stands at a time."""

    class Cause(models.TextChoices):
        THEIR_ERROR = "their_error", "A mistake of the system before"
        OTHER_TERMS = "other_terms", "Other terms or rules there"
        OTHER_DATA = "other_data", "Other data there"
        BY_HAND = "by_hand", "Decided by hand there"
        TIMING = "timing", "Paid in another period"
        ROUNDING = "rounding", "Rounding"
        TO_ADJUST = "to_adjust", "Comp is right, and pays the difference by an adjustment"
        OTHER = "other", "Something else, as noted"

    amount_minor = models.BigIntegerField()
    cause = models.CharField(max_length=12, choices=Cause.choices)
    note = models.TextField()
    explained_by = _person()
    explained_at = models.DateTimeField(default=timezone.now)
    taken_back_by = _person(null=True)
    taken_back_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "cut_over", "person", "period_starts_on", "currency"],
                condition=Q(taken_back_at=None),
                name="explanation_once",
            ),
            models.CheckConstraint(condition=~Q(note="") & ~Q(amount_minor=0), name="explanation_says_why"),
            models.CheckConstraint(
                condition=Q(
                    cause__in=[
                        "their_error",
                        "other_terms",
                        "other_data",
                        "by_hand",
                        "timing",
                        "rounding",
                        "to_adjust",
                        "other",
                    ]
                ),
                name="explanation_cause",
            ),
            models.CheckConstraint(
                condition=Q(taken_back_at=None, taken_back_by=None) | Q(taken_back_at__gte=F("explained_at")),
                name="explanation_taken_back",
            ),
            AppendOnly(name="explanation_append", changing=_TAKEN_BACK),
            Trigger(name="explanation_stands", when="BEFORE INSERT OR UPDATE", function="comp_parallel_stands"),
            Trigger(name="explanation_of_others", when="AFTER INSERT", function="comp_explanation_of_others"),
        ]
