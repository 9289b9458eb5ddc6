"""A payment is voided by two people and issued again; one that payroll rejected is issued again, or let go by two
people. Nothing is edited. docs/payroll.md"""

from __future__ import annotations

from django.utils import timezone

from comp.audit.services import record
from comp.tenancy.models import User
from payouts.models import LedgerTransaction, Payment
from payouts.services.batch_steps import BatchError, everyone, locked
from payouts.services.payments import batch_follows, payments_post, reissue

State, Why, Outcome = Payment.State, Payment.Why, Payment.Outcome
Kind = LedgerTransaction.Kind


def void_ask(*, payment: Payment, reason: str, by: User) -> Payment:
    """Asks for a payment that is with payroll, or paid, to be voided; somebody else confirms it."""
    reason = reason.strip()
    if not reason:
        raise BatchError(f"{payment}: voiding it needs a reason, for whoever is to confirm it.")
    with everyone():
        payment = _hold(payment)
        if payment.state not in (State.EXPORTED, State.PAID):
            raise BatchError(f"{payment}: it is {_word(payment)}; only one with payroll, or paid, can be voided.")
        _not_asked(payment)
        _ask(payment, reason, by, Outcome.AGAIN)
    return payment


def let_go_ask(*, payment: Payment, outcome: str, reason: str, by: User) -> Payment:
    """Asks for a payment that payroll rejected to be void without being issued again at once: owed again with the pay
    group's next payout, or no longer owed. Which of them has to be said; somebody else confirms it."""
    reason = reason.strip()
    if outcome not in (Outcome.OWED, Outcome.NOT_OWED):
        allowed = f"{Outcome.OWED.label}; {Outcome.NOT_OWED.label}"
        raise BatchError(f"{payment}: what becomes of the amount has to be chosen. Allowed: {allowed}.")
    if not reason:
        raise BatchError(f"{payment}: letting it go needs a reason, for whoever is to confirm it.")
    with everyone():
        payment = _hold(payment)
        _rejected(payment, "let go")
        _not_own(payment, by)
        _not_asked(payment)
        _ask(payment, reason, by, Outcome(outcome))
    return payment


def let_go_confirm(*, payment: Payment, outcome: str, by: User) -> Payment:
    """A second person agrees to what they were shown (`outcome`): the payment is void, and its batch waits for it no
    longer. What is owed again stays payable; what is not is posted back to expense."""
    with everyone():
        payment = _hold(payment)
        _rejected(payment, "let go")
        if not payment.outcome:
            raise BatchError(f"{payment}: nobody asks for it to be let go.")
        if payment.outcome != outcome:
            asked = Outcome(payment.outcome).label
            raise BatchError(f"{payment}: something else is asked for by now: {asked}. Look again.")
        _second(payment, by)
        payment.state, payment.voided_by, payment.voided_at = State.VOID, by, timezone.now()
        payment.save(update_fields=["state", "voided_by", "voided_at"])
        not_owed = payment.outcome == Outcome.NOT_OWED
        posted = payments_post([(payment, payment.amount_minor)], Kind.NOT_OWED) if not_owed else {}
        record(
            code="payment.let_go",
            subject=payment,
            before={"state": str(State.REJECTED)},
            after={"state": str(payment.state), "outcome": payment.outcome, **posted.get(payment.batch_id, {})},
            reason=payment.void_reason,
        )
        batch_follows(locked(payment.batch), by=by)
    return payment


def void_withdraw(*, payment: Payment, by: User) -> Payment:
    """The request is taken back, or turned down: the payment stands."""
    with everyone():
        payment = _hold(payment)
        if payment.state == State.VOID or not payment.void_asked_by_id:
            raise BatchError(f"{payment}: nobody asks for it to be voided.")
        reason = payment.void_reason
        payment.void_reason, payment.void_asked_by, payment.void_asked_at = "", None, None
        payment.outcome = Outcome.AGAIN
        payment.save(update_fields=["void_reason", "void_asked_by", "void_asked_at", "outcome"])
        record(code="payment.void_withdrawn", subject=payment, reason=reason, after={"by": str(by)})
    return payment


def void_confirm(*, payment: Payment, by: User) -> Payment:
    """Voids a payment: what was posted as paid is posted back, and it is due again. Returns the new payment."""
    with everyone():
        payment = _hold(payment)
        if payment.state not in (State.EXPORTED, State.PAID) or not payment.void_asked_by_id:
            raise BatchError(f"{payment}: it is {_word(payment)}, and nobody asks for it to be voided.")
        _second(payment, by)
        before = str(payment.state)
        paid = payment.paid_minor if before == State.PAID else None
        payment.state, payment.voided_by, payment.voided_at = State.VOID, by, timezone.now()
        payment.save(update_fields=["state", "voided_by", "voided_at"])
        posted = payments_post([(payment, paid)], Kind.VOID) if paid else {}
        (again,) = reissue([(payment, min(paid or payment.amount_minor, payment.amount_minor), Why.VOID)])
        record(
            code="payment.void",
            subject=payment,
            before={"state": before},
            after={"state": str(payment.state), "again": str(again), **posted.get(payment.batch_id, {})},
            reason=payment.void_reason,
        )
        batch = locked(payment.batch)
        batch_follows(batch, by=by)
    return again


def payment_again(*, payment: Payment, by: User) -> Payment:
    """A payment that payroll rejected is due again: with the next export of its pay group, or in a run of its own."""
    with everyone():
        payment = _hold(payment)
        _rejected(payment, "issued again")
        _not_asked(payment)
        (again,) = reissue([(payment, payment.amount_minor, Why.REJECTED)])
        record(code="payment.again", subject=payment, after={"again": str(again), "by": str(by)})
    return again


def payment_off_cycle(*, payment: Payment, by: User) -> Payment:
    """What two people said is owed again is due at once, and goes out in a file of its own (`payments.reissues_run`):
    where the pay group makes no further payout, nothing else would ever take it."""
    with everyone():
        payment = _hold(payment)
        if payment.state != State.VOID or payment.outcome != Outcome.OWED:
            raise BatchError(
                f"{payment}: it is {_word(payment)}; only what was let go as owed again is paid off-cycle."
            )
        _not_again(payment)
        _not_own(payment, by)
        (again,) = reissue([(payment, payment.amount_minor, Why.VOID)])
        record(code="payment.again", subject=payment, after={"again": str(again), "by": str(by), "off_cycle": True})
    return again


def _hold(payment: Payment) -> Payment:
    """The payment as it stands, behind its batch's lock."""
    locked(payment.batch)
    return Payment.objects.select_for_update(of=("self",)).select_related("participant", "batch").get(pk=payment.pk)


def _ask(payment: Payment, reason: str, by: User, outcome: Payment.Outcome) -> None:
    payment.void_reason, payment.void_asked_by, payment.void_asked_at = reason, by, timezone.now()
    payment.outcome = outcome
    payment.save(update_fields=["void_reason", "void_asked_by", "void_asked_at", "outcome"])
    record(
        code="payment.void_asked", subject=payment, after={"outcome": str(outcome)} if outcome else None, reason=reason
    )


def _rejected(payment: Payment, verb: str) -> None:
    """Only what payroll rejected, and nothing replaces."""
    if payment.state != State.REJECTED:
        raise BatchError(f"{payment}: it is {_word(payment)}; only a rejected payment is {verb}.")
    _not_again(payment)


def _not_again(payment: Payment) -> None:
    if again := Payment.objects.filter(reissue_of=payment).first():
        raise BatchError(f"{payment}: it is issued again already, as {again}.")


def _not_asked(payment: Payment) -> None:
    if payment.void_asked_by_id:
        raise BatchError(f"{payment}: {payment.void_asked_by} has asked for it to be void already.")


def _second(payment: Payment, by: User) -> None:
    """Another person than who asked, and not about their own pay."""
    if payment.void_asked_by_id == by.pk:
        raise BatchError(f"{payment}: you asked for it, so somebody else has to confirm it.")
    _not_own(payment, by)


def _not_own(payment: Payment, by: User) -> None:
    if payment.participant.user_id == by.pk:
        raise BatchError(f"{payment}: it is your own pay, so somebody else has to decide about it.")


def _word(payment: Payment) -> str:
    return str(payment.get_state_display()).lower()
