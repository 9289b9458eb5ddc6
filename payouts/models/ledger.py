"""The ledger: double entry, append-only, balanced per transaction and currency by a deferred trigger, chained by
digest per tenant."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from comp.people.models import BulkPayModel
from comp.tenancy.models import TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly, Trigger
from payouts.models.batches import Batch


class LedgerTransaction(TenantModel):
    """A posting: approval (expense to payable) or payment (payable to paid) of one batch."""

    class Kind(models.TextChoices):
        APPROVAL = "approval", "Approval"
        PAYMENT = "payment", "Payment"

    number = models.BigIntegerField()  # from 1 within the tenant, without gaps
    kind = models.CharField(max_length=10, choices=Kind.choices)
    batch = TenantForeignKey(Batch)
    posted_at = models.DateTimeField(default=timezone.now)
    entries = models.IntegerField()
    content_digest = models.CharField(max_length=64)  # of its entries
    previous_digest = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="ledger_number"),
            models.UniqueConstraint(fields=["tenant", "batch", "kind"], name="ledger_once"),
            AppendOnly(name="ledger_append"),
        ]


class LedgerEntry(BulkPayModel):
    """One side. Debits are positive, credits negative. The participant is an opaque number here: no personal data."""

    class Account(models.TextChoices):
        EXPENSE = "expense", "Commission expense"
        PAYABLE = "payable", "Commission payable"
        PAID = "paid", "Paid by payroll"

    transaction = TenantForeignKey(LedgerTransaction)
    account = models.CharField(max_length=12, choices=Account.choices)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    class Meta:
        verbose_name_plural = "ledger entries"
        indexes = [models.Index(fields=["tenant", "transaction", "id"], name="ledgerentry_last")]
        constraints = [
            models.CheckConstraint(condition=~Q(amount_minor=0), name="ledgerentry_not_zero"),
            models.CheckConstraint(condition=Q(account__in=["expense", "payable", "paid"]), name="ledgerentry_account"),
            AppendOnly(name="ledgerentry_append"),
            Trigger(name="ledgerentry_balance", when="AFTER INSERT", function="comp_ledger_balances", deferred=True),
        ]
