"""The ledger: double entry, append-only, balanced per posting, person and currency by a deferred trigger, chained by
digest per tenant. docs/algorithms/ledger.md"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from comp.people.models import BulkPayModel
from comp.tenancy.models import LooseForeignKey, TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly, Trigger
from payouts.models.batches import Batch
from plans.models import Plan


class LedgerTransaction(TenantModel):
    """A posting: of a part of a batch's people, or of a month's close. `day` is the accounting day. The `part` of a
    write-off is the number of the adjustment that decided it."""

    class Kind(models.TextChoices):
        APPROVAL = "approval", "Approval"
        PAYMENT = "payment", "Payment"
        VOID = "void", "Voided payment"
        NOT_OWED = "not_owed", "No longer owed"
        WRITE_OFF = "write_off", "Write-off"
        ACCRUAL = "accrual", "Accrual"
        REVERSAL = "reversal", "Reversal of the accrual"
        CAPITALISE = "capitalise", "Capitalised cost"
        AMORTISE = "amortise", "Amortisation"
        IMPAIR = "impair", "Impairment"
        OPENING = "opening", "Brought forward"

    class Form(models.IntegerChoices):
        """What the digests cover: see payouts.services.ledger."""

        BY_PERSON = 1, "By person"
        BY_COMPONENT = 2, "By person, plan and component"

    number = models.BigIntegerField()  # from 1 within the tenant, without gaps
    kind = models.CharField(max_length=10, choices=Kind.choices)
    batch = TenantForeignKey(Batch, null=True)  # empty for what a month's close posts
    month = models.DateField(null=True)  # first day of the month that is closed; empty for what a batch posts
    part = models.IntegerField(default=0)
    day = models.DateField()
    posted_at = models.DateTimeField(default=timezone.now)
    form = models.SmallIntegerField(choices=Form.choices, default=Form.BY_COMPONENT)
    entries = models.IntegerField()
    content_digest = models.CharField(max_length=64)  # of its entries
    previous_digest = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="ledger_number"),
            models.UniqueConstraint(fields=["tenant", "batch", "kind", "part"], name="ledger_once"),
            models.UniqueConstraint(
                fields=["tenant", "month", "kind", "part"], condition=Q(batch=None), name="ledger_month_once"
            ),
            models.CheckConstraint(
                condition=Q(batch=None, month__isnull=False) | Q(batch__isnull=False, month=None), name="ledger_of"
            ),
            AppendOnly(name="ledger_append"),
            Trigger(name="ledger_of_approved", when="BEFORE INSERT", function="comp_ledger_of_approved"),
            Trigger(name="ledger_whole", when="AFTER INSERT", function="comp_ledger_whole", deferred=True),
            Trigger(name="ledger_is_paid", when="AFTER INSERT", function="comp_ledger_is_paid", deferred=True),
        ]

    def __str__(self) -> str:
        return f"Posting {self.number}"


class Account(models.TextChoices):
    """What entries are booked to. Debits are positive: assets and expenses stand above zero, liabilities below."""

    EXPENSE = "expense", "Commission expense"
    ACCRUED = "accrued", "Accrued commission"
    PAYABLE = "payable", "Commission payable"
    PAID = "paid", "Paid by payroll"
    DRAW = "draw", "Recoverable draws"
    CLAWBACK = "clawback", "Clawback receivable"
    CARRIED = "carried", "Carried to later periods"
    HELD_BACK = "held_back", "Held back"
    CONTRACT_COST = "contract_cost", "Capitalised contract cost"
    AMORTISATION = "amortisation", "Amortisation of contract cost"
    IMPAIRMENT = "impairment", "Impairment of contract cost"
    OPENING = "opening", "Brought forward"


class LedgerEntry(BulkPayModel):
    """One side, added up by person, account, plan and component. Debits are positive, credits negative. The
    participant is an opaque number here: no personal data."""

    Account = Account

    transaction = TenantForeignKey(LedgerTransaction)
    account = models.CharField(max_length=13, choices=Account.choices)
    plan = LooseForeignKey(Plan, null=True)
    component = models.CharField(max_length=50, blank=True)  # empty for what is of the whole plan
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    class Meta:
        verbose_name_plural = "ledger entries"
        indexes = [models.Index(fields=["tenant", "transaction", "id"], name="ledgerentry_last")]
        constraints = [
            models.CheckConstraint(condition=~Q(amount_minor=0), name="ledgerentry_not_zero"),
            models.CheckConstraint(condition=Q(account__in=Account.values), name="ledgerentry_account"),
            AppendOnly(name="ledgerentry_append"),
            Trigger(name="ledgerentry_balance", when="AFTER INSERT", function="comp_ledger_balances", deferred=True),
        ]

    @property
    def credit_minor(self) -> int:
        """The amount where it is a credit, else 0."""
        return max(-self.amount_minor, 0)
