"""A payment is voided by two people and issued again; one that payroll rejected is issued again. Nothing is edited."""

from __future__ import annotations

from django.utils import timezone

from comp.audit.services import record
from comp.tenancy.models import User
from payouts.models import LedgerTransaction, Payment
from payouts.services.batch_steps import BatchError, everyone, locked
from payouts.services.payments import batch_follows, payments_post, reissue

State, Why = Payment.State, Payment.Why


def void_ask(*, payment: Payment, reason: str, by: User) -> Payment:
    """Asks for a payment that is with payroll, or paid, to be voided; somebody else confirms it."""
    reason = reason.strip()
    if not reason:
        raise BatchError(f"{payment}: voiding it needs a reason, for whoever is to confirm it.")
    with everyone():
        payment = _hold(payment)
        if payment.state not in (State.EXPORTED, State.PAID):
            raise BatchError(f"{payment}: it is {_word(payment)}; only one with payroll, or paid, can be voided.")
        if payment.void_asked_by_id:
            raise BatchError(f"{payment}: {payment.void_asked_by} has asked for it already.")
        payment.void_reason, payment.void_asked_by, payment.void_asked_at = reason, by, timezone.now()
        payment.save(update_fields=["void_reason", "void_asked_by", "void_asked_at"])
        record(code="payment.void_asked", subject=payment, reason=reason)
    return payment


def void_withdraw(*, payment: Payment, by: User) -> Payment:
    """The request is taken back, or turned down: the payment stands."""
    with everyone():
        payment = _hold(payment)
        if payment.state == State.VOID or not payment.void_asked_by_id:
            raise BatchError(f"{payment}: nobody asks for it to be voided.")
        reason = payment.void_reason
        payment.void_reason, payment.void_asked_by, payment.void_asked_at = "", None, None
        payment.save(update_fields=["void_reason", "void_asked_by", "void_asked_at"])
        record(code="payment.void_withdrawn", subject=payment, reason=reason, after={"by": str(by)})
    return payment


def void_confirm(*, payment: Payment, by: User) -> Payment:
    """Voids a payment: what was posted as paid is posted back, and it is due again. Returns the new payment."""
    with everyone():
        payment = _hold(payment)
        if payment.state not in (State.EXPORTED, State.PAID) or not payment.void_asked_by_id:
            raise BatchError(f"{payment}: it is {_word(payment)}, and nobody asks for it to be voided.")
        if payment.void_asked_by_id == by.pk:
            raise BatchError(f"{payment}: you asked for it, so somebody else has to confirm it.")
        if payment.participant.user_id == by.pk:
            raise BatchError(f"{payment}: it is your own pay, so somebody else has to confirm it.")
        before = str(payment.state)
        paid = payment.paid_minor if before == State.PAID else None
        payment.state, payment.voided_by, payment.voided_at = State.VOID, by, timezone.now()
        payment.save(update_fields=["state", "voided_by", "voided_at"])
        posted = payments_post([(payment, paid)], LedgerTransaction.Kind.VOID) if paid else {}
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
        if payment.state != State.REJECTED:
            raise BatchError(f"{payment}: it is {_word(payment)}; only a rejected payment is issued again.")
        if again := Payment.objects.filter(reissue_of=payment).first():
            raise BatchError(f"{payment}: it is issued again already, as {again}.")
        (again,) = reissue([(payment, payment.amount_minor, Why.REJECTED)])
        record(code="payment.again", subject=payment, after={"again": str(again), "by": str(by)})
    return again


def _hold(payment: Payment) -> Payment:
    """The payment as it stands, behind its batch's lock."""
    locked(payment.batch)
    return Payment.objects.select_for_update(of=("self",)).select_related("participant", "batch").get(pk=payment.pk)


def _word(payment: Payment) -> str:
    return str(payment.get_state_display()).lower()
