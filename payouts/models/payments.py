"""What payroll is asked to pay, and what it says it paid: payments, the files they went out with, payroll's answers."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from comp.people.models import PayModel
from comp.tenancy.models import KeptModel, TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly, Trigger
from payouts.models.batches import Batch


def _user(*, null: bool = False) -> models.ForeignKey:
    return models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=null, related_name="+", db_constraint=False)


class PayrollProvider(KeptModel):
    """How one payroll provider (or bank) wants its file, and how it answers. `settings` is what
    payouts.exports.mapping.form_of reads of it."""

    class Shape(models.TextChoices):
        CSV = "csv", "CSV, columns of your own"
        XLSX = "xlsx", "XLSX, columns of your own"
        ADP = "adp", "ADP paydata import"
        WORKDAY = "workday", "Workday payroll input"
        BANK = "bank", "Payment list for a bank"

    key = models.SlugField()
    name = models.CharField(max_length=120)
    shape = models.CharField(max_length=10, choices=Shape.choices)
    settings = models.JSONField(default=dict)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="payrollprovider_key_once")]

    def __str__(self) -> str:
        return self.name


class PayrollRun(TenantModel):
    """Payments that go to payroll together. Number 0 goes with its batch; the others hold what is issued again."""

    batch = TenantForeignKey(Batch)
    number = models.SmallIntegerField(default=0)
    payments = models.IntegerField()
    totals = models.JSONField()  # {currency: minor units}
    made_by = _user()
    made_at = models.DateTimeField(default=timezone.now)  # people are named in its files as they were then

    class Meta:
        ordering = ["-batch_id", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "batch", "number"], name="payrollrun_once"),
            AppendOnly(name="payrollrun_append"),
        ]

    def __str__(self) -> str:
        return f"{self.batch}, issued again {self.number}" if self.number else str(self.batch)


class PayrollFile(TenantModel):
    """A form in which a run went out: made again from the run and this mapping, it is the same file."""

    run = TenantForeignKey(PayrollRun)
    provider = TenantForeignKey(PayrollProvider, null=True)  # none: Comp's own form
    mapping = models.JSONField(default=dict)  # the provider's shape and settings as they were
    mapping_digest = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    rows = models.IntegerField()
    totals = models.JSONField()
    digest = models.CharField(max_length=64)  # of the rows, as CSV
    made_by = _user()
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "run", "provider", "mapping_digest"],
                nulls_distinct=False,
                name="payrollfile_once",
            ),
            AppendOnly(name="payrollfile_append"),
        ]

    def __str__(self) -> str:
        return self.name


class PayrollAnswer(TenantModel):
    """An uploaded file in which payroll says what became of a run. Read first, with its rows and differences; then
    applied, once."""

    run = TenantForeignKey(PayrollRun)
    provider = TenantForeignKey(PayrollProvider, null=True)
    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)  # of what the file says
    rows = models.IntegerField()
    rest_paid = models.BooleanField(default=False)  # whom it does not name was paid what was asked
    strangers = models.JSONField(default=list)  # [{"line", "employee"}]: whom nobody here knows
    uploaded_by = _user()
    uploaded_at = models.DateTimeField(default=timezone.now)
    applied_by = _user(null=True)
    applied_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "run", "digest"], condition=Q(applied_at__isnull=False), name="payrollanswer_once"
            ),
            AppendOnly(name="payrollanswer_append", changing=("applied_by_id", "applied_at")),
        ]

    def __str__(self) -> str:
        return self.name


class AnswerRow(PayModel):
    """What an answer says of one person in one currency, beside what was asked. A difference waits for a decision."""

    class Said(models.TextChoices):
        PAID = "paid", "Paid"
        REJECTED = "rejected", "Rejected"
        NOTHING = "nothing", "Not in the answer"

    class Difference(models.TextChoices):
        NONE = "", "None"
        AMOUNT = "amount", "Another amount"
        CURRENCY = "currency", "Another currency"
        MISSING = "missing", "Missing in the answer"
        UNEXPECTED = "unexpected", "Nothing was asked for"

    class Decision(models.TextChoices):
        OPEN = "", "Open"
        ACCEPTED = "accepted", "Accepted as paid"
        REJECTED = "rejected", "Not paid"
        SET_ASIDE = "set_aside", "Set aside"
        ANSWERED = "answered", "Answered by a later file"

    answer = TenantForeignKey(PayrollAnswer)
    line = models.IntegerField()  # of the file; 0 where the file has none
    currency = models.CharField(max_length=3)
    said = models.CharField(max_length=10, choices=Said.choices)
    expected_minor = models.BigIntegerField(default=0)
    answered_minor = models.BigIntegerField(default=0)
    paid_on = models.DateField(null=True)
    reference = models.CharField(max_length=120, blank=True)
    reason = models.TextField(blank=True)
    difference = models.CharField(max_length=10, choices=Difference.choices, blank=True)
    decision = models.CharField(max_length=10, choices=Decision.choices, blank=True)
    decision_reason = models.TextField(blank=True)
    decided_by = _user(null=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "answer", "participant", "currency"], name="answerrow_once"),
            models.CheckConstraint(
                condition=~Q(decision__in=["accepted", "rejected", "set_aside"])
                | (Q(decided_by__isnull=False) & ~Q(decision_reason="")),
                name="answerrow_decided_with_reason",
            ),
            AppendOnly(
                name="answerrow_append", changing=("decision", "decision_reason", "decided_by_id", "decided_at")
            ),
            Trigger(name="answerrow_stands", when="BEFORE UPDATE", function="comp_answer_stands"),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "answer"], condition=~Q(difference="") & Q(decision=""), name="answerrow_open"
            )
        ]


class Payment(PayModel):
    """An amount that payroll is to pay one person for a batch: due → exported → paid, rejected or void; a paid one can
    be voided too, and a rejected one that can never be paid. Amounts never change: what is not paid is issued again, as
    a payment of its own, unless it is no longer owed."""

    class State(models.TextChoices):
        DUE = "due", "Goes out next"
        EXPORTED = "exported", "With payroll"
        PAID = "paid", "Paid"
        REJECTED = "rejected", "Rejected"
        VOID = "void", "Void"

    class Why(models.TextChoices):
        FIRST = "", "First issue"
        REJECTED = "rejected", "Payroll rejected it"
        REST = "rest", "Payroll paid less"
        VOID = "void", "It was voided"

    class Outcome(models.TextChoices):
        """What becomes of the amount of a payment that is void."""

        AGAIN = "", "Due again at once"
        OWED = "owed", "Owed again: it goes out with the pay group's next payout"
        NOT_OWED = "not_owed", "Not owed: what was expensed is taken back"

    number = models.BigIntegerField()  # from 1 within the tenant; PAY-000012 in files
    batch = TenantForeignKey(Batch)
    run = TenantForeignKey(PayrollRun, null=True)  # none yet: it is due
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.DUE)
    reissue_of = TenantForeignKey("self", null=True)
    why = models.CharField(max_length=10, choices=Why.choices, blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    paid_minor = models.BigIntegerField(null=True)  # what payroll really paid
    paid_on = models.DateField(null=True)
    reference = models.CharField(max_length=120, blank=True)  # the provider's
    reason = models.TextField(blank=True)  # of a rejection, or of another amount
    settled_at = models.DateTimeField(null=True)
    settled_by = _user(null=True)
    void_reason = models.TextField(blank=True)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, blank=True)  # asked for with the void
    void_asked_by = _user(null=True)
    void_asked_at = models.DateTimeField(null=True)
    voided_by = _user(null=True)
    voided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="payment_number"),
            models.UniqueConstraint(
                fields=["tenant", "batch", "participant", "currency"],
                condition=Q(reissue_of=None),
                name="payment_once",
            ),
            models.UniqueConstraint(
                fields=["tenant", "reissue_of", "why"], condition=Q(reissue_of__isnull=False), name="payment_again_once"
            ),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="payment_positive"),
            models.CheckConstraint(
                condition=Q(reissue_of=None, why="") | (Q(reissue_of__isnull=False) & ~Q(why="")), name="payment_why"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["due", "exported", "paid", "rejected", "void"]), name="payment_state"
            ),
            models.CheckConstraint(condition=Q(state="due") | Q(run__isnull=False), name="payment_in_a_run"),
            models.CheckConstraint(
                condition=~Q(state="paid") | Q(paid_minor__gt=0, settled_at__isnull=False), name="payment_paid_amount"
            ),
            models.CheckConstraint(condition=~Q(state="rejected") | ~Q(reason=""), name="payment_rejected_reason"),
            models.CheckConstraint(
                condition=~Q(state="void")
                | (
                    Q(void_asked_by__isnull=False, voided_by__isnull=False)
                    & ~Q(void_reason="")
                    & ~Q(voided_by=F("void_asked_by"))
                ),
                name="payment_void_two_people",
            ),
            models.CheckConstraint(
                condition=Q(outcome="")
                | Q(outcome__in=["owed", "not_owed"], state__in=["rejected", "void"], void_asked_by__isnull=False),
                name="payment_outcome",
            ),
            AppendOnly(
                name="payment_append",
                changing=(
                    "state",
                    "run_id",
                    "paid_minor",
                    "paid_on",
                    "reference",
                    "reason",
                    "settled_at",
                    "settled_by_id",
                    "void_reason",
                    "outcome",
                    "void_asked_by_id",
                    "void_asked_at",
                    "voided_by_id",
                    "voided_at",
                ),
            ),
            Trigger(name="payment_moves", when="BEFORE INSERT OR UPDATE", function="comp_payment_moves"),
            Trigger(name="payment_held", when="BEFORE INSERT OR UPDATE", function="comp_payment_held"),
        ]
        indexes = [
            models.Index(fields=["tenant", "participant", "batch"], name="payment_participant"),
            models.Index(fields=["tenant", "batch"], condition=Q(state__in=["due", "exported"]), name="payment_open"),
        ]

    def __str__(self) -> str:
        return f"PAY-{self.number:06}"
