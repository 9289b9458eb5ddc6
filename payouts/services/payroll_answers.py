"""What payroll answers: a file is read and compared with what was asked, then applied, once; each difference waits for
somebody's decision. docs/payroll.md"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Sum
from django.utils import timezone

from comp.audit.services import record
from comp.core.canonical import digest
from comp.people.models import Participant
from comp.tenancy.models import User
from comp.tenancy.selectors import own_currency
from payouts.exports.answers import Said, read_answer
from payouts.exports.mapping import AnswerForm, form_of
from payouts.models import AnswerRow, Payment, PayrollAnswer, PayrollProvider, PayrollRun
from payouts.services.batch_steps import BatchError, everyone
from payouts.services.payments import Settled, payments_settle, run_locked

Decision, Difference, Word = AnswerRow.Decision, AnswerRow.Difference, AnswerRow.Said
State = Payment.State
#: Rows that an answer may have.
MOST_ROWS = 100_000
#: Which decision a difference allows.
ALLOWED = {
    Difference.AMOUNT: (Decision.ACCEPTED, Decision.REJECTED, Decision.SET_ASIDE),
    Difference.MISSING: (Decision.REJECTED, Decision.SET_ASIDE),
    Difference.CURRENCY: (Decision.REJECTED, Decision.SET_ASIDE),
    Difference.UNEXPECTED: (Decision.SET_ASIDE,),
}

# ------------------------------------------------------------------ read


@dataclass
class _Sum:
    """What an answer says of one person in one currency, over all of its rows of them."""

    line: int
    paid: int = 0
    says_paid: bool = False
    says_rejected: bool = False
    last: Said | None = None
    reasons: list[str] = field(default_factory=list)


def answer_read(
    *, run: PayrollRun, provider: PayrollProvider | None, name: str, text: str, rest_paid: bool, by: User
) -> PayrollAnswer:
    """Reads a file (plain CSV) and compares it with the run. Nothing else changes until it is applied. One that was
    applied already is found again. Raises ProblemsError for a file that cannot be read."""
    form = form_of(provider.shape, provider.settings) if provider else None
    said = _said(form.answer if form else AnswerForm(), form.dates if form else "", form.decimals if form else "", text)
    facts = [[s.employee, s.currency, s.minor, s.paid, s.reason, s.reference, str(s.paid_on or "")] for s in said]
    own = digest([rest_paid, sorted(facts)])
    with everyone():
        if applied := PayrollAnswer.objects.filter(run=run, digest=own, applied_at__isnull=False).first():
            return applied
        known = {one.key: one for one in Participant.objects.filter(key__in={s.employee for s in said})}
        strangers = [{"line": s.line, "employee": s.employee[:60]} for s in said if s.employee not in known]
        answer = PayrollAnswer.objects.create(
            run=run,
            provider=provider,
            name=name[:200],
            digest=own,
            rows=len(said),
            rest_paid=rest_paid,
            strangers=strangers,
            uploaded_by=by,
        )
        rows = _compared(run, [(known[s.employee], s) for s in said if s.employee in known], rest_paid)
        for row in rows:
            row.answer = answer
        AnswerRow.objects.bulk_create(rows, batch_size=2000)
    return answer


def _said(form: AnswerForm, dates: str, decimals: str, text: str) -> list[Said]:
    reader = csv.reader(io.StringIO(text))
    header = next(reader, [])
    rows = ((line, cells) for line, cells in enumerate(reader, 2) if any(cells))
    own, paid_in = own_currency(), dict(Participant.objects.values_list("key", "currency"))
    return read_answer(
        form, dates or "YYYY-MM-DD", decimals or "point", header, rows, lambda employee: paid_in.get(employee, own)
    )


def _compared(run: PayrollRun, said: Iterable[tuple[Participant, Said]], rest_paid: bool) -> list[AnswerRow]:
    sums: dict[tuple[int, str], _Sum] = {}
    groups: dict[int, int] = {}
    for person, row in said:
        one = sums.setdefault((person.pk, row.currency), _Sum(row.line))
        groups[person.pk] = person.pay_group_id
        one.paid += row.minor if row.paid else 0
        one.says_paid |= row.paid
        one.says_rejected |= not row.paid
        one.last = row
        if row.reason and row.reason not in one.reasons:
            one.reasons.append(row.reason)
    asked, expected_of = _asked(run, State.EXPORTED), _expected(run)
    groups |= dict(Payment.objects.filter(run=run).values_list("participant_id", "pay_group_id"))
    named = {who for who, _ in sums}
    found = []
    for (who, currency), one in sums.items():
        at = who, currency
        paid = one.says_paid
        expected = expected_of(at, paid)
        if expected == 0:
            other = any(place[0] == who for place in asked)
            difference = Difference.CURRENCY if other else Difference.UNEXPECTED
        else:
            difference = Difference.AMOUNT if paid and one.paid != expected else Difference.NONE
        last = one.last
        found.append(
            AnswerRow(
                participant_id=who,
                pay_group_id=groups[who],
                line=one.line,
                currency=currency,
                said=Word.PAID if paid else Word.REJECTED,
                expected_minor=expected,
                answered_minor=one.paid,
                paid_on=last.paid_on if last else None,
                reference=last.reference[:120] if last else "",
                reason="; ".join(one.reasons)[:2000],
                difference=difference,
            )
        )
    for (who, currency), expected in asked.items():
        if (who, currency) in sums or (who in named and not rest_paid):
            continue
        found.append(
            AnswerRow(
                participant_id=who,
                pay_group_id=groups[who],
                line=0,
                currency=currency,
                said=Word.PAID if rest_paid else Word.NOTHING,
                expected_minor=expected,
                answered_minor=expected if rest_paid else 0,
                difference=Difference.NONE if rest_paid else Difference.MISSING,
            )
        )
    return found


def _expected(run: PayrollRun) -> Callable[[tuple[int, str], bool], int]:
    """By participant id and currency, and whether the file says paid: what is with payroll, else what was settled."""
    asked = _asked(run, State.EXPORTED)
    settled, turned_down = _asked(run, State.PAID, "paid_minor"), _asked(run, State.REJECTED)
    return lambda at, paid: asked.get(at, (settled if paid else turned_down).get(at, 0))


def _asked(run: PayrollRun, state: Payment.State, column: str = "amount_minor") -> dict[tuple[int, str], int]:
    rows = Payment.objects.filter(run=run, state=state).order_by().values("participant_id", "currency")
    return {(r["participant_id"], r["currency"]): int(r["minor"]) for r in rows.annotate(minor=Sum(column))}


# ------------------------------------------------------------------ apply


def answer_apply(*, answer: PayrollAnswer, by: User) -> PayrollAnswer:
    """Records what the file says of each payment where it says what was asked, and posts it; differences stand open
    from now on. Applied again it changes nothing."""
    with everyone():
        run_locked(answer.run)
        answer = PayrollAnswer.objects.select_for_update(of=("self",)).select_related("run__batch").get(pk=answer.pk)
        twin = PayrollAnswer.objects.filter(run=answer.run, digest=answer.digest, applied_at__isnull=False).first()
        if twin is not None:
            return twin
        expected_of = _expected(answer.run)
        rows = list(AnswerRow.objects.filter(answer=answer).order_by("line", "id"))
        open_of = _exported(answer.run)
        outcomes: list[Settled] = []
        for row in rows:
            at = row.participant_id, row.currency
            if expected_of(at, row.said == Word.PAID) != row.expected_minor:
                raise BatchError(f"{answer.name}: payments moved since it was read. Upload it again.")
            if not row.difference:
                outcomes += _outcomes(row, open_of.get(at, []))
        answer.applied_by, answer.applied_at = by, timezone.now()
        answer.save(update_fields=["applied_by", "applied_at"])
        payments_settle(outcomes, by=by)
        _answered(answer, {one.payment.pk for one in outcomes})
        differences = sum(1 for row in rows if row.difference)
        after = {"rows": answer.rows, "settled": len(outcomes), "differences": differences, "file": answer.digest}
        record(code="payroll.answer", subject=answer.run.batch, after=after)
    return answer


def _exported(run: PayrollRun) -> dict[tuple[int, str], list[Payment]]:
    found: dict[tuple[int, str], list[Payment]] = defaultdict(list)
    for payment in Payment.objects.select_for_update().filter(run=run, state=State.EXPORTED).order_by("pk"):
        found[payment.participant_id, payment.currency].append(payment)
    return found


def _outcomes(row: AnswerRow, payments: Sequence[Payment]) -> list[Settled]:
    """What becomes of a person's payments by an answer's row: paid in their order until the amount is used up. What was
    paid beyond all of them is with the last."""
    if row.said == Word.REJECTED or not row.answered_minor:
        why = row.reason or "Payroll did not pay it"
        return [Settled(payment, 0, why, row.reference) for payment in payments]
    left = row.answered_minor
    found = []
    for place, payment in enumerate(payments, 1):
        paid = left if place == len(payments) else min(left, payment.amount_minor)
        left -= paid
        why = row.reason if paid else row.reason or "Payroll did not pay it"
        found.append(Settled(payment, paid, why, row.reference, row.paid_on))
    return found


def _answered(answer: PayrollAnswer, settled: set[int]) -> None:
    """Differences of earlier answers about payments that are settled now are open no more."""
    whose = Payment.objects.filter(pk__in=settled).values_list("participant_id", "currency")
    now = set(whose)
    earlier = AnswerRow.objects.filter(answer__run=answer.run, answer__applied_at__isnull=False, decision="")
    rows = earlier.exclude(answer=answer).exclude(difference="")
    ids = [row.pk for row in rows if (row.participant_id, row.currency) in now]
    AnswerRow.objects.filter(pk__in=ids).update(decision=Decision.ANSWERED, decided_at=timezone.now())


# ------------------------------------------------------------------ decide


def difference_decide(*, row: AnswerRow, decision: str, reason: str, by: User) -> AnswerRow:
    """Decides on a difference: the amount is accepted as paid (the rest is due again), the payments are taken as not
    paid, or what the file says is set aside and the payments wait for another one."""
    reason = reason.strip()
    with everyone():
        run_locked(row.answer.run)
        held = AnswerRow.objects.select_for_update(of=("self",))
        row = held.select_related("answer__run__batch", "participant").get(pk=row.pk)
        what = f"{row.participant.name}, {row.get_difference_display().lower()}"
        if not row.difference or row.answer.applied_at is None:
            raise BatchError(f"{what}: there is nothing to decide.")
        if row.decision:
            raise BatchError(f"{what}: it is decided already: {row.get_decision_display().lower()}.")
        allowed = ALLOWED[Difference(row.difference)]
        if decision not in allowed:
            words = ", ".join(Decision(one).label for one in allowed)
            raise BatchError(f"{what}: found {decision or 'no decision'}; allowed: {words}.")
        if not reason:
            raise BatchError(f"{what}: a decision needs its reason.")
        if row.participant.user_id == by.pk:
            raise BatchError(f"{what}: it is your own pay, so somebody else has to decide.")
        payments = _exported(row.answer.run)
        mine = payments.get((row.participant_id, row.currency), [])
        if row.difference == Difference.CURRENCY:
            mine = [payment for (who, _), some in payments.items() if who == row.participant_id for payment in some]
        # One that was voided meanwhile is issued again: what the file says would be paid beside it.
        elif decision != Decision.SET_ASIDE and sum(one.amount_minor for one in mine) != row.expected_minor:
            raise BatchError(
                f"{what}: payments moved since the file was read. Set it aside, and upload a file of today."
            )
        row.decision, row.decision_reason = decision, reason
        row.decided_by, row.decided_at = by, timezone.now()
        row.save(update_fields=["decision", "decision_reason", "decided_by", "decided_at"])
        if decision == Decision.ACCEPTED:
            payments_settle([_with(one, reason) for one in _outcomes(row, mine)], by=by)
        elif decision == Decision.REJECTED:
            payments_settle([Settled(payment, 0, reason, row.reference) for payment in mine], by=by)
        record(
            code="payroll.difference",
            subject=row.answer.run.batch,
            after={"difference": row.difference, "decision": decision, "line": row.line, "person": row.participant_id},
            reason=reason,
        )
    return row


def _with(one: Settled, reason: str) -> Settled:
    return Settled(one.payment, one.paid_minor, reason, one.reference, one.paid_on)


def answer_counts(answer: PayrollAnswer) -> dict[str, Any]:
    """What an answer comes to: rows as asked, rejections, differences by kind, and strangers."""
    rows = list(AnswerRow.objects.filter(answer=answer).values_list("said", "difference", "decision"))
    by_kind = {kind.label: sum(1 for _, d, _ in rows if d == kind) for kind in Difference if kind}
    return {
        "paid": sum(1 for said, d, _ in rows if said == Word.PAID and not d),
        "rejected": sum(1 for said, d, _ in rows if said == Word.REJECTED and not d),
        "differences": {label: count for label, count in by_kind.items() if count},
        "open": sum(1 for _, d, decision in rows if d and not decision),
        "strangers": len(answer.strangers),
    }
