"""Credits: a share of one deal or other fact given to one participant; and those that cannot be given yet. Projections,
written only by payouts.services.recompute."""

from __future__ import annotations

from django.db import models

from comp.people.models import BulkPayModel
from comp.tenancy.models import LooseForeignKey
from crediting.models.facts import Deal
from plans.models import Plan, PlanVersion


class Credit(BulkPayModel):
    """(participant, fact, plan, rule, role, split) is its natural key."""

    fact = models.BigIntegerField()  # deals and other facts are numbered together
    deal = LooseForeignKey(Deal, null=True)  # the deal that the fact belongs to
    revision = models.BigIntegerField()  # the revision of the fact that it was computed from
    plan = LooseForeignKey(Plan)
    plan_version = LooseForeignKey(PlanVersion)
    rule = models.CharField(max_length=50)
    role = models.CharField(max_length=50)
    split = models.IntegerField()
    credit_class = models.CharField(max_length=50)
    kind = models.SmallIntegerField()  # 0 direct, 1 rolled up, 2 handed on
    held = models.SmallIntegerField(default=0)  # 1: all its tranches are held
    credit_date = models.DateField()
    pot_minor = models.BigIntegerField()
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "participant", "fact", "plan", "split", "rule", "role"], name="credit_once"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "participant", "credit_date"], name="credit_period")]


class WaitingCredit(BulkPayModel):
    """A credit that somebody will have once money can be converted: named as a credit, without an amount."""

    class Reason(models.TextChoices):
        """As crediting.kernel.columns.Waits tells them."""

        RATE = "rate", "No rate of exchange holds on its day"
        CURRENCY = "currency", "The plan converts no other currencies"

    fact = models.BigIntegerField()
    deal = LooseForeignKey(Deal, null=True)
    plan = LooseForeignKey(Plan)
    plan_version = LooseForeignKey(PlanVersion)
    rule = models.CharField(max_length=50)
    role = models.CharField(max_length=50)
    split = models.IntegerField()
    credit_date = models.DateField()
    reason = models.CharField(max_length=8, choices=Reason.choices)
    currency = models.CharField(max_length=3)  # what there is no rate for

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "participant", "fact", "plan", "split", "rule", "role"], name="waitingcredit_once"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "participant", "credit_date"], name="waitingcredit_period")]
