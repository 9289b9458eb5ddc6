"""The waterfall between what is released and what is paid, by person, plan and pay period: standing while the period is
open, frozen with the batch that takes it. docs/algorithms/waterfall.md

What a period starts from is no row of its own: it is what all taken batches changed, added up. A batch that is rejected
or voided so gives back what it moved.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import Combinable

from comp.people.models import ExchangeRate, PayModel
from comp.tenancy.models import TenantForeignKey
from comp.tenancy.walls import AppendOnly
from payouts.models.batches import Batch
from plans.models import Plan, PlanVersion

#: What a period changes of what is carried from one into the next, as it acts on pay: of the balance brought forward,
#: of adjustments kept until they add up, and of clawbacks that are owed on.
CARRIED: Combinable = (
    F("opened_carried_minor")
    - F("carried_forward_minor")
    + F("opened_kept_minor")
    - F("kept_adjustments_minor")
    + F("clawback_balance_minor")
    - F("opened_clawback_minor")
)
#: What is withheld: above a cap, or held back; less holdbacks that come back.
WITHHELD: Combinable = F("capped_minor") + F("held_back_minor") + F("returned_minor")
#: What the waterfall makes of its lines.
EFFECT: Combinable = F("payout_minor") - F("inflow_minor")


class Waterfall(PayModel):
    """A person's plan in one pay period. Amounts are signed as they act on pay; balances are what is owed or carried at
    the end, `opened_*` what was at the start."""

    plan = TenantForeignKey(Plan)
    plan_version = TenantForeignKey(PlanVersion)  # the one that settles
    period_starts_on = models.DateField()
    currency = models.CharField(max_length=3)  # that the person is settled in
    #: At which the amounts that the plan states were converted into it.
    rate = TenantForeignKey(ExchangeRate, null=True)
    inflow_minor = models.BigIntegerField()  # the sum of the lines that it settles
    released_minor = models.BigIntegerField()  # holdbacks that come back included
    adjusted_minor = models.BigIntegerField()
    clawed_back_minor = models.BigIntegerField()
    brought_forward_minor = models.BigIntegerField()
    recovered_minor = models.BigIntegerField()
    capped_minor = models.BigIntegerField()
    held_back_minor = models.BigIntegerField()
    topped_up_minor = models.BigIntegerField()
    carried_forward_minor = models.BigIntegerField()
    payout_minor = models.BigIntegerField()
    draw_balance_minor = models.BigIntegerField()
    review_minor = models.BigIntegerField()  # of what is capped: what somebody is to look at
    written_off_minor = models.BigIntegerField()  # of draws
    forgiven_minor = models.BigIntegerField()  # of clawbacks
    clawback_balance_minor = models.BigIntegerField()
    kept_adjustments_minor = models.BigIntegerField()
    returned_minor = models.BigIntegerField()  # holdbacks that came back
    returns_on = models.DateField(null=True)  # first day of the pay period in which what is held back comes back
    opened_carried_minor = models.BigIntegerField()
    opened_clawback_minor = models.BigIntegerField()
    opened_kept_minor = models.BigIntegerField()

    class Meta:
        abstract = True

    @property
    def withheld_minor(self) -> int:
        return self.capped_minor + self.held_back_minor + self.returned_minor

    @property
    def carried_minor(self) -> int:
        return (
            (self.opened_carried_minor - self.carried_forward_minor)
            + (self.opened_kept_minor - self.kept_adjustments_minor)
            + (self.clawback_balance_minor - self.opened_clawback_minor)
        )


class OfDraw(PayModel):
    """What becomes of one draw of a person's plan in a pay period. What a guarantee that is tested again takes back of
    an old top-up stands in a row of its own, with the period that was topped up as `origin_starts_on`."""

    plan = TenantForeignKey(Plan)
    key = models.CharField(max_length=50)
    period_starts_on = models.DateField()
    origin_starts_on = models.DateField()
    currency = models.CharField(max_length=3)
    recovered_minor = models.BigIntegerField()  # as it acts on pay
    topped_up_minor = models.BigIntegerField()
    written_off_minor = models.BigIntegerField()
    opened_minor = models.BigIntegerField()  # owed at the start
    balance_minor = models.BigIntegerField()  # owed at the end

    class Meta:
        abstract = True


def _adds_up(name: str) -> models.CheckConstraint:
    effect: Any = F("topped_up_minor") + F("recovered_minor") + WITHHELD + CARRIED + F("forgiven_minor")
    return models.CheckConstraint(condition=Q(payout_minor=F("inflow_minor") + effect), name=name)


class Settlement(Waterfall):
    """Of the open period: follows the figures. Its one writer is payouts.services.settlements."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "participant", "plan", "period_starts_on"], name="settlement_once"
            ),
            _adds_up("settlement_adds_up"),
        ]
        indexes = [models.Index(fields=["tenant", "pay_group", "period_starts_on"], name="settlement_period")]


class DrawStanding(OfDraw):
    """Of the open period: follows the figures, with Settlement."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "participant", "plan", "key", "origin_starts_on"], name="drawstanding_once"
            )
        ]
        indexes = [models.Index(fields=["tenant", "pay_group", "period_starts_on"], name="drawstanding_period")]


class Unsettled(PayModel):
    """Who is not settled in the open period for want of a rate of exchange: follows the figures, with Settlement."""

    plan = TenantForeignKey(Plan)
    period_starts_on = models.DateField()
    source = models.CharField(max_length=3)  # what the plan states its amounts in
    target = models.CharField(max_length=3)  # what the person is paid in
    kind = models.CharField(max_length=7, choices=ExchangeRate.Kind.choices)
    day = models.DateField()  # that the rate has to hold

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "participant", "plan", "period_starts_on"], name="unsettled_once")
        ]
        indexes = [models.Index(fields=["tenant", "pay_group"], name="unsettled_pay_group")]


class BatchSettlement(Waterfall):
    """As a batch took it: a part of what its digest binds, never edited. Those of a rejected or voided batch count for
    nothing."""

    batch = TenantForeignKey(Batch)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "batch", "participant", "plan", "period_starts_on"], name="batchsettlement_once"
            ),
            _adds_up("batchsettlement_adds_up"),
            AppendOnly(name="batchsettlement_append"),
        ]


class BatchDraw(OfDraw):
    """As a batch took it, with BatchSettlement."""

    batch = TenantForeignKey(Batch)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "batch", "participant", "plan", "key", "origin_starts_on"], name="batchdraw_once"
            ),
            AppendOnly(name="batchdraw_append"),
        ]
