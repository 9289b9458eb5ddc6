"""What becomes of pay that a cap keeps back and of pay below zero: a rule of the company, decisions of two people, and
what a write-off lets go."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from comp.people.models import BulkPayModel, PayGroup, PayModel
from comp.tenancy.models import KeptModel, TenantForeignKey
from comp.tenancy.walls import AppendOnly
from payouts.models.figures import TRANCHE_KEY, TrancheKey
from payouts.models.manual import DECISION, Adjustment, Decided, decided_rules, two_people
from plans.models import Plan


class NegativePolicy(KeptModel):
    """What becomes of a period in which somebody of a pay group is paid less than nothing in a currency, beyond what
    the plan's own settlement says. Where there is none, such a period is not locked; nor where something is carried of
    somebody and nothing says what becomes of that."""

    class Way(models.TextChoices):
        CARRY = "carry", "Carried, and set against the pay of later periods"
        ASK = "ask", "Decided person by person, by two people"
        COLLECT = "collect", "Collected outside of pay"

    pay_group = TenantForeignKey(PayGroup)
    currency = models.CharField(max_length=3)
    way = models.CharField(max_length=7, choices=Way.choices)
    share = models.DecimalField(max_digits=7, decimal_places=4)  # percent of a period's pay that is set off at most
    keep_minor = models.BigIntegerField()  # what of a period's pay is left at least
    # Where it is collected outside of pay: what was carried before stands under Debts, until it is let go.
    carried_stays = models.BooleanField(default=False)

    class Meta:
        ordering = ["pay_group", "currency"]
        verbose_name_plural = "negative policies"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "pay_group", "currency"], name="negativepolicy_once"),
            models.CheckConstraint(condition=Q(way__in=["carry", "ask", "collect"]), name="negativepolicy_way"),
            models.CheckConstraint(condition=Q(share__gt=0, share__lte=100), name="negativepolicy_share"),
            models.CheckConstraint(condition=Q(keep_minor__gte=0), name="negativepolicy_keep"),
            models.CheckConstraint(condition=Q(way="collect") | Q(carried_stays=False), name="negativepolicy_carried"),
        ]

    def __str__(self) -> str:
        return f"{self.pay_group}, {self.currency}"


class NegativeDecision(Decided, PayModel):
    """Where each is decided: that a person's payout below zero is carried, and whether later pay is set against it. The
    person's latest one says what happens with what is carried."""

    class Way(models.TextChoices):
        SET_OFF = "set_off", "Carried, and set against later pay"
        CARRY = "carry", "Carried, and no pay set against it"

    period_starts_on = models.DateField()
    currency = models.CharField(max_length=3)
    way = models.CharField(max_length=7, choices=Way.choices)
    amount_minor = models.BigIntegerField()  # what was owed when it was prepared; the period carries no more

    class Meta:
        ordering = ["-id"]
        constraints = [
            *decided_rules("negativedecision"),
            two_people("negativedecision"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="negativedecision_amount"),
            models.CheckConstraint(condition=Q(way__in=["set_off", "carry"]), name="negativedecision_way"),
            AppendOnly(name="negativedecision_append", changing=DECISION),
        ]

    def __str__(self) -> str:
        return f"{self.participant}, {self.period_starts_on:%B %Y}"


class SettlementReview(Decided, PayModel):
    """How much is paid of what the cap of a settlement took of a posted period and sends to a review."""

    plan = TenantForeignKey(Plan)
    period_starts_on = models.DateField()
    amount_minor = models.BigIntegerField()  # the excess that this decides about
    pay_minor = models.BigIntegerField()  # how much of it is paid
    currency = models.CharField(max_length=3)
    adjustment = TenantForeignKey(Adjustment, null=True)  # that pays it

    class Meta:
        ordering = ["-id"]
        constraints = [
            *decided_rules("settlementreview"),
            two_people("settlementreview"),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0, pay_minor__gte=0, pay_minor__lte=F("amount_minor")),
                name="settlementreview_part",
            ),
            AppendOnly(name="settlementreview_append", changing=(*DECISION, "adjustment_id")),
        ]

    def __str__(self) -> str:
        return f"{self.plan}, {self.period_starts_on:%B %Y}"


class WrittenOff(TrancheKey, BulkPayModel):
    """What a write-off lets go of a tranche that pays less than it did. No more is let go than was lost: where the
    tranche pays more again than `upto_minor`, so much of it is owed again."""

    adjustment = TenantForeignKey(Adjustment)
    amount_minor = models.BigIntegerField()
    upto_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    class Meta:
        verbose_name_plural = "written off"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "adjustment", *TRANCHE_KEY], name="writtenoff_once"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="writtenoff_amount"),
            AppendOnly(name="writtenoff_append"),
        ]
        indexes = [models.Index(fields=["tenant", "participant", "fact"], name="writtenoff_participant")]
