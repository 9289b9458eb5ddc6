"""What was promised: plans, their versions, who is on them, and their quotas."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from comp.core.money import plain_money
from comp.core.numbers import plain_number
from comp.people.models import Participant
from comp.tenancy.models import KeptModel, TenantForeignKey
from comp.tenancy.walls import NoOverlap


class Plan(KeptModel):
    """A promise that has versions."""

    key = models.SlugField()
    name = models.CharField(max_length=120)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="plan_key_once")]

    def __str__(self) -> str:
        return self.name


class PlanVersion(KeptModel):
    """The text in force for [starts_on, ends_on). Draft, then published by somebody else, then (replaced from its
    first day on) superseded."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "Published"
        SUPERSEDED = "superseded", "Superseded"

    plan = TenantForeignKey(Plan, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    document = models.TextField()  # canonical JSON
    digest = models.CharField(max_length=64)
    note = models.TextField(blank=True)  # why this version, in a sentence
    prepared_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_constraint=False)
    prepared_at = models.DateTimeField()
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", db_constraint=False
    )
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["plan", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "plan", "number"], name="planversion_number"),
            models.CheckConstraint(
                condition=Q(published_by=None) | ~Q(published_by=F("prepared_by")), name="planversion_two_people"
            ),
            models.CheckConstraint(
                condition=Q(state="draft") | (Q(published_by__isnull=False) & Q(published_at__isnull=False)),
                name="planversion_published",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "published", "superseded"]), name="planversion_state"
            ),
            models.CheckConstraint(condition=Q(ends_on=None) | Q(ends_on__gt=F("starts_on")), name="planversion_dates"),
            NoOverlap(name="planversion_once", key=["plan_id"], where="state = 'published'"),
        ]

    def __str__(self) -> str:
        return f"{self.plan.name}, version {self.number}"


class PlanAssignment(KeptModel):
    """A participant is paid by a plan for [starts_on, ends_on)."""

    participant = TenantForeignKey(Participant)
    plan = TenantForeignKey(Plan)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            NoOverlap(name="assignment_once", key=["participant_id", "plan_id"]),
            models.CheckConstraint(condition=Q(ends_on=None) | Q(ends_on__gt=F("starts_on")), name="assignment_dates"),
        ]


class Quota(KeptModel):
    """What a measure is held against: one participant, one quota key, one measure period [starts_on, ends_on). A number
    is of units, days or whatever else is counted, and has no use for the currency."""

    class Unit(models.TextChoices):
        MONEY = "money", "Money"
        NUMBER = "number", "A number"

    participant = TenantForeignKey(Participant)
    key = models.SlugField()
    starts_on = models.DateField()
    ends_on = models.DateField()
    amount_minor = models.BigIntegerField()  # of a number: millionths
    currency = models.CharField(max_length=3)
    unit = models.CharField(max_length=6, choices=Unit.choices, default=Unit.MONEY)

    class Meta:
        constraints = [
            NoOverlap(name="quota_once", key=["participant_id", "key"]),
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="quota_not_negative"),
            models.CheckConstraint(condition=Q(unit__in=["money", "number"]), name="quota_unit"),
        ]

    @property
    def amount_text(self) -> str:
        """As it is typed: `120000.00`, or `40` of a number."""
        if self.unit == self.Unit.MONEY:
            return plain_money(self.amount_minor, self.currency)
        return plain_number(self.amount_minor)

    @property
    def amount_words(self) -> str:
        """With its currency where it is money: `120000.00 USD`."""
        return f"{self.amount_text} {self.currency}" if self.unit == self.Unit.MONEY else self.amount_text
