"""What the month's close keeps: accruals, contract costs, journals, budgets, and the policies that they go by. None of
the policies has a default: what was not chosen is asked for."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from comp.people.models import BulkPayModel
from comp.tenancy.models import KeptModel, LooseForeignKey, TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly, NoOverlap
from crediting.models import Deal
from payouts.models.ledger import Account, LedgerTransaction
from plans.models import Plan

# ------------------------------------------------------------------ accruals


class AccrualPolicy(KeptModel):
    """How much of what waits for a trigger is probable, in percent. `trigger` is its first word: `go-live`, `usage`,
    or one of the states held, withheld and no-rate."""

    trigger = models.CharField(max_length=60)
    share = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=300)

    class Meta:
        ordering = ["trigger"]
        verbose_name_plural = "accrual policies"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "trigger"], name="accrualpolicy_once"),
            models.CheckConstraint(condition=Q(share__range=(0, 100)), name="accrualpolicy_share"),
        ]

    def __str__(self) -> str:
        return f"{self.trigger}: {self.share}%"


class Accrual(TenantModel):
    """A month's accrual as it was made: with the shares it went by. Its reversal is posted with it."""

    month = models.DateField()  # its first day
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_constraint=False)
    made_at = models.DateTimeField(default=timezone.now)
    shares = models.JSONField()  # {trigger: percent}
    totals = models.JSONField()  # {currency: minor units}
    lines = models.IntegerField()

    class Meta:
        ordering = ["-month"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "month"], name="accrual_once"),
            AppendOnly(name="accrual_append"),
        ]

    def __str__(self) -> str:
        return f"Accrual of {self.month:%B %Y}"


class AccrualLine(BulkPayModel):
    """What of a deal (or of none) was earned by the month's end and had not been posted."""

    accrual = LooseForeignKey(Accrual)
    plan = LooseForeignKey(Plan)
    component = models.CharField(max_length=50)
    deal = LooseForeignKey(Deal, null=True)
    currency = models.CharField(max_length=3)
    earned_minor = models.BigIntegerField()  # all that stood, with credit dates to the month's end
    waiting_minor = models.BigIntegerField()  # of that, what has no date of release
    improbable_minor = models.BigIntegerField()  # of that, what the shares leave out
    taken_minor = models.BigIntegerField()  # what postings to the month's end hold of it
    accrued_minor = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["tenant", "accrual", "participant"], name="accrualline_accrual")]
        constraints = [
            models.CheckConstraint(
                condition=Q(accrued_minor=F("earned_minor") - F("improbable_minor") - F("taken_minor")),
                name="accrualline_adds_up",
            ),
            AppendOnly(name="accrualline_append"),
        ]


class AccrualVariance(BulkPayModel):
    """By how much an accrual missed what is known at the next close, and why."""

    class Cause(models.TextChoices):
        LATE = "late", "Late deals and events"
        CORRECTION = "correction", "Corrections of deals"
        PLAN = "plan", "Plans, quotas and assignments"
        RATE = "rate", "Rates of exchange"
        PEOPLE = "people", "People"
        MANUAL = "manual", "Adjustments by hand"
        PROBABILITY = "probability", "What waited came otherwise than estimated"
        OTHER = "other", "Recomputed without a change of facts"

    accrual = LooseForeignKey(Accrual)  # the one that is trued up
    plan = LooseForeignKey(Plan)
    component = models.CharField(max_length=50)
    currency = models.CharField(max_length=3)
    cause = models.CharField(max_length=11, choices=Cause.choices)
    amount_minor = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["tenant", "accrual", "participant"], name="accrualvariance_accrual")]
        constraints = [AppendOnly(name="accrualvariance_append")]


# ------------------------------------------------------------------ contract costs


class CostPolicy(KeptModel):
    """Whether what a component pays is a cost of obtaining a contract (ASC 340-40), and how long it serves.

    `months` are those of the benefit period, and of a contract that states no term. Where commissions on renewals are
    commensurate with those on new contracts, a cost serves its contract's term; else the benefit period."""

    class Treatment(models.TextChoices):
        EXPENSE = "expense", "Expense: no incremental cost of obtaining a contract"
        TERM = "term", "Capitalise over the contract's term: renewals are commensurate"
        BENEFIT = "benefit", "Capitalise over the benefit period: renewals are not commensurate"
        SCHEDULE = "schedule", "Capitalise as the plan's own schedule says"

    plan = TenantForeignKey(Plan)
    component = models.CharField(max_length=50)
    treatment = models.CharField(max_length=8, choices=Treatment.choices)
    months = models.PositiveSmallIntegerField(null=True, blank=True)
    expedient = models.BooleanField()  # what serves no longer than a year is expensed at once
    reason = models.CharField(max_length=300)
    starts_on = models.DateField()  # by credit date
    ends_on = models.DateField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "cost policies"
        constraints = [
            NoOverlap(name="costpolicy_once", key=["plan_id", "component"]),
            models.CheckConstraint(condition=Q(ends_on=None) | Q(ends_on__gt=F("starts_on")), name="costpolicy_dates"),
            models.CheckConstraint(
                condition=~Q(treatment="benefit") | Q(months__isnull=False), name="costpolicy_benefit_months"
            ),
            models.CheckConstraint(condition=Q(months=None) | Q(months__gt=0), name="costpolicy_months"),
        ]

    def __str__(self) -> str:
        return f"{self.plan}, {self.component}"


class CostRun(TenantModel):
    """A month's contract costs as they were made and posted."""

    month = models.DateField()  # its first day
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_constraint=False)
    made_at = models.DateTimeField(default=timezone.now)
    lines = models.IntegerField()

    class Meta:
        ordering = ["-month"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "month"], name="costrun_once"),
            AppendOnly(name="costrun_append"),
        ]

    def __str__(self) -> str:
        return f"Contract costs of {self.month:%B %Y}"


class CostLine(BulkPayModel):
    """What a month did to the cost of one contract (deal), by person, plan and component. What stands of it is the sum
    of all months: capitalised − amortised − impaired."""

    run = LooseForeignKey(CostRun)
    plan = LooseForeignKey(Plan)
    component = models.CharField(max_length=50)
    deal = LooseForeignKey(Deal)
    currency = models.CharField(max_length=3)
    starts_on = models.DateField()  # first day of the first month that bears a part
    months = models.PositiveSmallIntegerField()
    ended_on = models.DateField(null=True)  # when the contract was cancelled
    capitalised_minor = models.BigIntegerField()
    amortised_minor = models.BigIntegerField()
    impaired_minor = models.BigIntegerField()

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "run", "participant"], name="costline_run"),
            models.Index(fields=["tenant", "deal"], name="costline_deal"),
        ]
        constraints = [AppendOnly(name="costline_append")]


# ------------------------------------------------------------------ journals


class GlMapping(KeptModel):
    """Which account of the general ledger entries go to, from a day on. What is empty stands for any; of those that fit
    the one that says most counts, and of two that say as much the one that says component, plan, cost centre, entity
    first."""

    account = models.CharField(max_length=13, choices=Account.choices)
    plan = models.CharField(max_length=50, blank=True)  # its key
    component = models.CharField(max_length=50, blank=True)
    cost_centre = models.CharField(max_length=120, blank=True)
    entity = models.CharField(max_length=120, blank=True)
    code = models.CharField(max_length=40)
    name = models.CharField(max_length=120)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["account", "plan", "component", "cost_centre", "entity", "starts_on"]
        constraints = [
            NoOverlap(name="glmapping_once", key=["account", "plan", "component", "cost_centre", "entity"]),
            models.CheckConstraint(condition=Q(ends_on=None) | Q(ends_on__gt=F("starts_on")), name="glmapping_dates"),
            models.CheckConstraint(condition=~Q(code=""), name="glmapping_code"),
        ]

    def __str__(self) -> str:
        return f"{self.get_account_display()} to {self.code}"


class Journal(TenantModel):
    """Postings given to the general ledger, once: balanced, numbered, with the digest of its lines."""

    number = models.BigIntegerField()  # from 1 within the tenant, without gaps
    through = models.DateField()  # the last accounting day that it may hold
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_constraint=False)
    made_at = models.DateTimeField(default=timezone.now)
    postings = models.IntegerField()
    lines = models.IntegerField()
    totals = models.JSONField()  # {currency: debits in minor units}, the credits are the same
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="journal_number"),
            AppendOnly(name="journal_append"),
        ]

    def __str__(self) -> str:
        return f"Journal {self.number}"


class JournalPosting(TenantModel):
    """A posting is in one journal, or in none yet."""

    journal = TenantForeignKey(Journal)
    transaction = TenantForeignKey(LedgerTransaction)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "transaction"], name="journalposting_once"),
            AppendOnly(name="journalposting_append"),
        ]


class JournalLine(TenantModel):
    """A line as the general ledger gets it: no person in it."""

    journal = TenantForeignKey(Journal)
    number = models.IntegerField()  # from 1 within the journal
    day = models.DateField()
    kind = models.CharField(max_length=10, choices=LedgerTransaction.Kind.choices)
    account = models.CharField(max_length=13, choices=Account.choices)
    code = models.CharField(max_length=40)
    name = models.CharField(max_length=120)
    cost_centre = models.CharField(max_length=120, blank=True)
    entity = models.CharField(max_length=120, blank=True)
    currency = models.CharField(max_length=3)
    debit_minor = models.BigIntegerField()
    credit_minor = models.BigIntegerField()

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "journal", "number"], name="journalline_number"),
            models.CheckConstraint(condition=Q(debit_minor__gte=0, credit_minor__gte=0), name="journalline_sides"),
            AppendOnly(name="journalline_append"),
        ]


# ------------------------------------------------------------------ budgets


class Budget(KeptModel):
    """What a cost centre may spend on incentive pay from a first day to a last one (exclusive)."""

    cost_centre = models.CharField(max_length=120)
    starts_on = models.DateField()
    ends_on = models.DateField()
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()

    class Meta:
        ordering = ["-starts_on", "cost_centre", "currency"]
        constraints = [
            NoOverlap(name="budget_once", key=["cost_centre", "currency"]),
            models.CheckConstraint(condition=Q(ends_on__gt=F("starts_on")), name="budget_dates"),
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="budget_amount"),
        ]

    def __str__(self) -> str:
        return f"{self.cost_centre} from {self.starts_on:%-d %B %Y}"
