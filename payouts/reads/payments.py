"""Payments as they stand: what a batch owes whom, what is open, what a statement's payment came to."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.expressions import Combinable

from comp.core.canonical import digest
from comp.people.models import Participant
from payouts.models import AnswerRow, Batch, BatchLine, BatchSettlement, Payment, PayrollProvider, PayrollRun, Statement
from payouts.models.settlements import EFFECT
from payouts.selectors_batches import pay_groups_visible

State, Outcome = Payment.State, Payment.Outcome


@dataclass(frozen=True, slots=True)
class Owed:
    """What a batch comes to for one person in one currency, minor units; negative where the person owes it back."""

    participant_id: int
    currency: str
    minor: int
    lines: int


def owed(batch: Batch) -> list[Owed]:
    """Everybody in the batch, by person and currency: their lines, and what the waterfall makes of them."""
    by = ("participant_id", "currency")
    lines = BatchLine.objects.filter(batch=batch).order_by().values_list(*by)
    sums = lines.annotate(minor=Sum("amount_minor"), count=Count("id"))
    found = {(who, code): (int(minor), count) for who, code, minor, count in sums}
    effects = BatchSettlement.objects.filter(batch=batch).order_by().values_list(*by)
    for who, code, effect in effects.annotate(effect=Sum(EFFECT)):
        minor, count = found.get((who, code), (0, 0))
        found[who, code] = minor + int(effect), count
    return [Owed(who, code, minor, count) for (who, code), (minor, count) in sorted(found.items())]


# ------------------------------------------------------------------ payments


def is_open() -> Combinable:
    """Payments whose amount is still to be paid: with payroll, due, or rejected and not issued again."""
    again = Payment.objects.filter(reissue_of=OuterRef("pk"))
    return Q(state__in=[State.DUE, State.EXPORTED]) | (Q(state=State.REJECTED) & ~Exists(again))


def payments_of(batch: Batch) -> QuerySet[Payment]:
    """All payments of a batch by person, those issued again after those that they replace."""
    rows = Payment.objects.filter(batch=batch).select_related("participant", "run", "reissue_of", "settled_by")
    return rows.order_by("participant__name", "participant__key", "currency", "number")


def payments_visible() -> QuerySet[Payment]:
    rows = Payment.objects.filter(batch__pay_group__in=pay_groups_visible())
    return rows.select_related("participant", "batch", "run", "reissue_of", "void_asked_by", "voided_by", "settled_by")


def unsettled(batch: Batch) -> bool:
    """Whether a first payment of the batch did not go out, or payroll has not said what became of it."""
    return Payment.objects.filter(batch=batch, reissue_of=None, state__in=[State.DUE, State.EXPORTED]).exists()


def open_count(batch: Batch) -> int:
    """How many payments of the batch are open: due, with payroll, or rejected and not issued again."""
    return Payment.objects.filter(is_open(), batch=batch).count()


def people_open(batch: Batch) -> set[int]:
    """The participants with an open payment of the batch."""
    return set(Payment.objects.filter(is_open(), batch=batch).values_list("participant_id", flat=True))


def people_unpaid(batch: Batch) -> set[int]:
    """The participants with an open payment of the batch, or one that was let go and not issued again: they were not
    paid what their statement says."""
    rows = Payment.objects.filter(is_open() | let_go(), batch=batch)
    return set(rows.values_list("participant_id", flat=True))


def let_go() -> Combinable:
    """Void payments that nothing replaces: owed again with the next payout, or no longer owed."""
    again = Payment.objects.filter(reissue_of=OuterRef("pk"))
    return Q(state=State.VOID, outcome__in=[Outcome.OWED, Outcome.NOT_OWED]) & ~Exists(again)


def due_of(batch: Batch) -> QuerySet[Payment]:
    """Payments of the batch that wait for an export: issued again, or a first one that was held when the batch's run
    was made."""
    return Payment.objects.filter(batch=batch, state=State.DUE).order_by("number")


def with_payroll(batch: Batch) -> str:
    """Names what of the batch's first run waits for payroll's answer: another text when anything of it was answered,
    voided or sent since."""
    sent = Payment.objects.filter(run__batch=batch, run__number=0, state=State.EXPORTED).order_by("pk")
    return digest(list(sent.values_list("pk", flat=True)))


def totals(rows: QuerySet[Payment]) -> dict[str, int]:
    """Minor units asked for, by currency."""
    sums = rows.order_by().values("currency").annotate(minor=Sum("amount_minor")).order_by("currency")
    return {row["currency"]: int(row["minor"]) for row in sums}


@dataclass(frozen=True, slots=True)
class OwedBack:
    """Whom a batch pays nothing because the sum is negative, or whom payroll paid too much."""

    participant: Participant
    currency: str
    minor: int
    why: str


def owed_back(batch: Batch) -> list[OwedBack]:
    """Balances that payroll does not pay: they stay in the ledger against the person. Later pay does not answer them by
    itself: a payout is negative only where it is collected outside of pay, and Finance sets off by hand."""
    negative = [(one.participant_id, one.currency, -one.minor, "the payout is negative") for one in owed(batch)]
    over = Payment.objects.filter(batch=batch, state=State.PAID, paid_minor__gt=F("amount_minor"))
    rows = [one for one in negative if one[2] > 0]
    rows += [(p.participant_id, p.currency, (p.paid_minor or 0) - p.amount_minor, f"paid too much, {p}") for p in over]
    names = Participant.objects.in_bulk({who for who, *_ in rows})
    found = [OwedBack(names[who], currency, minor, why) for who, currency, minor, why in rows]
    return sorted(found, key=lambda one: (one.participant.name, one.currency))


# ------------------------------------------------------------------ answers


def differences_open() -> QuerySet[AnswerRow]:
    """Differences of applied answers that nobody has decided on, newest answer first."""
    rows = AnswerRow.objects.exclude(difference="").filter(decision="", answer__applied_at__isnull=False)
    groups = pay_groups_visible()
    rows = rows.filter(answer__run__batch__pay_group__in=groups)
    return rows.select_related("participant", "answer", "answer__run__batch").order_by("-answer_id", "line", "id")


def runs_of(batch: Batch) -> QuerySet[PayrollRun]:
    return PayrollRun.objects.filter(batch=batch).select_related("batch", "made_by").order_by("number")


def providers() -> QuerySet[PayrollProvider]:
    return PayrollProvider.objects.filter(active=True).order_by("name", "key")


# ------------------------------------------------------------------ a statement


def of_statement(statement: Statement) -> list[Payment]:
    """What payroll was asked to pay for a statement, and what it did, in the order of issue."""
    rows = Payment.objects.filter(
        participant_id=statement.participant_id,
        batch__pay_group_id=statement.pay_group_id,
        batch__starts_on=statement.period_starts_on,
        batch__run=statement.run,
    )
    return list(rows.select_related("run", "reissue_of").order_by("number"))
