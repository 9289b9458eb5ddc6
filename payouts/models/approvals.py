"""Who has to agree to a batch: rules by date, the chain that a batch got at its submission, deputies, reminders."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from comp.people.models import PayGroup
from comp.tenancy.models import KeptModel, TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly, Trigger
from payouts.models.batches import Batch


def _user(*, null: bool = False) -> models.ForeignKey:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=null, blank=null, related_name="+", db_constraint=False
    )


class ApprovalRule(KeptModel):
    """Which stages a batch needs. Of the rules in force on the day of its submission the first, by `place`, whose
    conditions all hold gives the chain. A condition that is empty holds for every batch."""

    place = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=120)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    pay_group = TenantForeignKey(PayGroup, null=True, blank=True)  # none: all of them
    # {currency: minor units}: the total of one of these currencies is at least so much.
    total_from = models.JSONField(default=dict, blank=True)
    # The change against the batch before is, in one currency, at least so many percent and so many minor units.
    change_percent = models.PositiveIntegerField(null=True, blank=True)
    change_from = models.JSONField(default=dict, blank=True)
    exceptions = models.JSONField(default=list, blank=True)  # one of these kinds is among the people, or the lines
    # In their order: {"name", "capability" or "role" or "people" (ids of users), "needed" (how many of them)}.
    stages = models.JSONField(default=list)
    made_by = _user()

    class Meta:
        ordering = ["place", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on=None) | Q(ends_on__gte=F("starts_on")), name="approvalrule_dates"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ApprovalStage(TenantModel):
    """One signature that a batch needs: a seat of a stage. The first place is open, the next waits until each seat
    before it is approved. Who may decide was fixed at submission: holders of `roles`, or these `people`."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        OPEN = "open", "Open"
        APPROVED = "approved", "Approved"
        VOIDED = "voided", "Voided"

    batch = TenantForeignKey(Batch)
    place = models.PositiveSmallIntegerField()
    seat = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=120)
    roles = models.JSONField(default=list)
    people = models.JSONField(default=list)
    rule = TenantForeignKey(ApprovalRule, null=True)  # none: no rule held
    state = models.CharField(max_length=10, choices=State.choices)
    opened_at = models.DateTimeField(null=True)
    decided_by = _user(null=True)
    as_deputy_of = _user(null=True)
    decided_at = models.DateTimeField(null=True)
    digest = models.CharField(max_length=64, blank=True)  # of the lines that were shown
    reason = models.TextField(blank=True)  # why it was voided

    class Meta:
        ordering = ["batch", "place", "seat"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "batch", "place", "seat"], name="approvalstage_once"),
            models.UniqueConstraint(fields=["tenant", "batch", "decided_by"], name="approvalstage_nobody_twice"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "open", "approved", "voided"]), name="approvalstage_state"
            ),
            models.CheckConstraint(
                condition=~Q(state="approved")
                | (Q(decided_by__isnull=False) & Q(decided_at__isnull=False) & ~Q(digest="")),
                name="approvalstage_approved",
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | Q(as_deputy_of=None) | ~Q(decided_by=F("as_deputy_of")),
                name="approvalstage_deputy_of_another",
            ),
            AppendOnly(
                name="approvalstage_append",
                changing=[
                    "state",
                    "opened_at",
                    "decided_by_id",
                    "as_deputy_of_id",
                    "decided_at",
                    "digest",
                    "reason",
                ],
            ),
            Trigger(name="approvalstage_moves", when="BEFORE INSERT OR UPDATE", function="comp_stage_moves"),
        ]
        indexes = [
            models.Index(fields=["tenant", "batch"], condition=Q(state="open"), name="approvalstage_open"),
        ]

    def __str__(self) -> str:
        return self.name


class Deputy(KeptModel):
    """Somebody who may decide in another's place, on these days. With a `stage`, for that stage of its batch alone."""

    person = _user()
    deputy = _user()
    stage = TenantForeignKey(ApprovalStage, null=True, blank=True)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    reason = models.TextField()
    made_by = _user()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = _user(null=True)

    class Meta:
        verbose_name_plural = "deputies"
        ordering = ["-starts_on", "-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(person=F("deputy")), name="deputy_is_another"),
            models.CheckConstraint(condition=Q(ends_on=None) | Q(ends_on__gt=F("starts_on")), name="deputy_dates"),
            models.CheckConstraint(condition=~Q(reason=""), name="deputy_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.deputy} for {self.person}"


class Reminder(TenantModel):
    """The people who may decide an open stage were reminded of it on a day, once."""

    stage = TenantForeignKey(ApprovalStage)
    day = models.DateField()
    people = models.JSONField(default=list)  # ids of the users it went to
    sent_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "stage", "day"], name="reminder_once_a_day"),
            AppendOnly(name="reminder_append"),
        ]
