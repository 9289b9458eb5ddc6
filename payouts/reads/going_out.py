"""Payments that wait to go out: which payout takes them, what holds them, and those that no payout is planned for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from comp.people.models import Participant, PayGroup
from payouts.models import Batch, Hold, Payable, Payment, PayrollRun
from payouts.reads.held import UNDER_WAY, batches_held, held_inside
from payouts.reads.payments import let_go, payments_visible
from payouts.selectors_batches import open_of

State, Outcome = Payment.State, Payment.Outcome


def goes_out() -> Q:
    """Payments that the next export of their pay group takes: due, or void and owed again."""
    return Q(state=State.DUE) | (let_go() & Q(outcome=Outcome.OWED))


def waiting_out() -> QuerySet[Payment]:
    """Those of the pay groups that one may see, the longest waiting first."""
    return payments_visible().filter(goes_out()).select_related("participant", "pay_group__calendar").order_by("number")


def holds_on(payments: Iterable[Payment]) -> dict[int, Hold | None]:
    """Payment id to what holds it: something of its person in its batch, or None where the batch is held as a whole.
    Those that nothing holds are not in it."""
    rows = list(payments)
    batches = {payment.batch_id: payment.batch for payment in rows}
    whole, inside = batches_held(batches), {pk: held_inside(batch) for pk, batch in batches.items()}
    return {
        payment.pk: inside[payment.batch_id].get(payment.participant_id)
        for payment in rows
        if payment.batch_id in whole or payment.participant_id in inside[payment.batch_id]
    }


@dataclass(frozen=True, slots=True)
class Next:
    """What the first export of a batch takes beside its own payments, and what is held of that: minor units by
    currency."""

    goes: dict[str, int]
    held: dict[str, int]


def goes_next(batch: Batch) -> Next:
    """Payments of earlier batches that go out with the first export of this one; of a batch that was exported none."""
    if PayrollRun.objects.filter(batch=batch, number=0).exists():
        return Next({}, {})
    rows = Payment.objects.filter(goes_out(), pay_group_id=batch.pay_group_id).select_related("batch")
    found = list(rows.exclude(batch=batch, state=State.VOID).order_by("currency"))
    held = holds_on(found)
    sides: tuple[dict[str, int], dict[str, int]] = {}, {}
    for payment in found:
        side = sides[payment.pk in held]
        side[payment.currency] = side.get(payment.currency, 0) + payment.amount_minor
    return Next(*sides)


@dataclass(frozen=True, slots=True)
class Takes:
    """What takes a pay group's payments: a batch under way, else the payout of its open period, else nothing."""

    batch: Batch | None = None
    period: str = ""

    @property
    def planned(self) -> bool:
        return self.batch is not None or bool(self.period)


def takes_of(groups: Iterable[PayGroup]) -> dict[int, Takes]:
    """Pay group id to what takes its payments: the batch under way that is furthest on and not exported; else the
    payout of its open period, where somebody is still in the group or anything is to be paid in it."""
    found: dict[int, Takes] = {}
    for group in {group.pk: group for group in groups}.values():
        sent = PayrollRun.objects.filter(batch=OuterRef("pk"), number=0)
        under_way = Batch.objects.filter(~Exists(sent), pay_group=group, state__in=UNDER_WAY)
        not_sent = under_way.exclude(kind=Batch.Kind.OPENING).order_by("starts_on", "id")
        batch = max(not_sent, key=lambda one: UNDER_WAY.index(Batch.State(one.state)), default=None)
        opened = open_of(group)
        there = Participant.objects.filter(pay_group=group).filter(Q(ends_on=None) | Q(ends_on__gt=opened.starts_on))
        planned = there.exists() or Payable.objects.filter(pay_group=group).exists()
        found[group.pk] = Takes(batch, opened.name if planned else "")
    return found


@dataclass(frozen=True, slots=True)
class Waiting:
    """A payment that waits to go out, what takes it, and what holds it."""

    payment: Payment
    takes: Takes
    held: bool
    hold: Hold | None

    @property
    def off_cycle(self) -> bool:
        """Whether somebody has to send it, for nothing will."""
        return not self.takes.planned and not self.held


def told(payments: Iterable[Payment]) -> list[Waiting]:
    """Each of them with what takes and what holds it."""
    rows = list(payments)
    takes, held = takes_of(payment.pay_group for payment in rows), holds_on(rows)
    return [Waiting(one, takes[one.pay_group_id], one.pk in held, held.get(one.pk)) for one in rows]


def without_payout() -> list[Payment]:
    """Those that no payout is planned for, whatever holds them: they wait for ever unless somebody sends them."""
    rows = list(waiting_out())
    takes = takes_of(payment.pay_group for payment in rows)
    return [payment for payment in rows if not takes[payment.pay_group_id].planned]
