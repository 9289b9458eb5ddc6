"""What every step of a batch shares: its lock, its lines and statements, the trail that it leaves, and how the open
period follows."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet
from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import CompError
from comp.outbox.services import ring
from comp.people.models import Participant
from comp.tenancy.scope import Pay, current_scope, current_tenant_id, tenant_scope
from payouts.models import Batch, BatchLine, Cause, Statement
from payouts.reads.held import held_inside
from payouts.reads.lines import hold_words
from payouts.selectors import TAKEN
from payouts.services.claims import figures_lock
from payouts.services.holds import batch_hold
from payouts.services.payables import payables_refresh
from payouts.services.scopes import scopes_kept

State = Batch.State


class BatchError(CompError):
    """A batch may not take this step; the message says why and what is allowed."""


def everyone() -> Any:
    """A scope that sees everybody's pay: a step is of the whole batch, whoever takes it."""
    return tenant_scope(current_tenant_id(), pay=Pay.everyone())


def one_writer() -> None:
    """No recompute runs while payables become lines, or lines come free."""
    if not figures_lock(wait_ms=20_000):
        raise BatchError("The figures are being recalculated and may move. Try again in a minute.")


def locked(batch: Batch) -> Batch:
    """The batch as it is now; nobody else takes a step on it until the transaction ends. What another system paid goes
    no batch's way."""
    found = Batch.objects.select_for_update().get(pk=batch.pk)
    if found.kind == Batch.Kind.OPENING:
        raise BatchError(f"{found}: it is signed with the switch that it belongs to, and another system paid it.")
    return found


def lines_of(batch: Batch) -> QuerySet[BatchLine]:
    return BatchLine.objects.filter(batch=batch)


def statements_of(batch: Batch) -> QuerySet[Statement]:
    return Statement.objects.filter(pay_group_id=batch.pay_group_id, period_starts_on=batch.starts_on, run=batch.run)


_THAT_IS = {
    State.IN_REVIEW: "a batch in review",
    State.SUBMITTED: "a submitted batch",
    State.APPROVED: "an approved batch",
    State.POSTED: "a posted batch",
    State.PAID: "a paid batch",
}


def must_be(batch: Batch, verb: str, *states: Batch.State) -> None:
    """Refuses a step that a batch in another state cannot take, and says who took it there. The first of the states is
    the one to be told of."""
    if batch.state in states:
        return
    raise BatchError(
        f"{batch}: it is {batch.get_state_display().lower()}{_by(batch)}; only {_THAT_IS[states[0]]} can be {verb}."
    )


def _by(batch: Batch) -> str:
    who: tuple[AbstractBaseUser | None, Any] = {
        State.IN_REVIEW: (batch.locked_by, batch.locked_at),
        State.SUBMITTED: (batch.submitted_by, batch.submitted_at),
        State.PAID: (batch.paid_by, batch.paid_at),
        State.CLOSED: (batch.closed_by, batch.closed_at),
        State.VOIDED: (batch.voided_by, batch.voided_at),
    }.get(State(batch.state), (batch.decided_by, batch.decided_at))
    by, at = who
    first = ", approved" if batch.state == State.POSTED else ""
    return f"{first} by {by} on {timezone.localtime(at):%d %b %Y at %H:%M}" if by and at else ""


def not_held(batch: Batch) -> None:
    """Nothing goes further of a batch that is held as a whole."""
    if hold := batch_hold(batch):
        raise BatchError(f"{batch}: it is held by {hold.placed_by}: {hold.reason} Release the hold first.")


def nobody_held(batch: Batch) -> None:
    """A batch is agreed to and posted with nobody in it of whose pay something is held since it was locked."""
    held = held_inside(batch)
    if not held:
        return
    who, hold = next(iter(held.items()))
    name = Participant.objects.get(pk=who).name
    more = f" and of {len(held) - 1} more" if len(held) > 1 else ""
    raise BatchError(
        f"{batch}: pay of {name}{more} in it is held since, {hold_words(hold)}. Leave them out, release the hold, or "
        "open the period again: locked anew, it is without what is held."
    )


def batch_facts(batch: Batch) -> dict[str, Any]:
    """What the audit trail keeps: the digest binds the amounts, which its readers need not be allowed to see."""
    return {"state": str(batch.state), "people": batch.people, "lines": batch.lines, "digest": batch.digest}


def audit(
    code: str, batch: Batch, before: Batch.State | None = None, after: dict[str, Any] | None = None, reason: str = ""
) -> None:
    record(code=code, subject=batch, before={"state": str(before)} if before else None, after=after, reason=reason)


def statements_open(batch: Batch) -> None:
    """The statements of a batch that counts for nothing any more follow the figures again; those of its own run go."""
    if batch.run:
        statements_of(batch).delete()
    else:
        statements_of(batch).update(state=Statement.State.OPEN)


def period_moves(batch: Batch, label: str) -> None:
    """What the batch took is taken, or free again: payables and open statements of its people follow. With a regular
    one the group's open period is another one, so everybody's do."""
    cause = Cause.objects.create(kind=Cause.Kind.BATCH, label=label, actor=current_scope().actor.label)
    people = set(lines_of(batch).values_list("participant_id", flat=True).distinct())
    if not batch.run:
        # Whoever left the group since still has lines in the batch, or a statement that is settled without any.
        people.update(statements_of(batch).values_list("participant_id", flat=True))
        people.update(Participant.objects.filter(pay_group_id=batch.pay_group_id).values_list("id", flat=True))
    payables_refresh(participants=sorted(people), cause=cause)
    if batch.state not in TAKEN:
        scopes_kept(batch=batch, label=label)
    ring(tenant_id=current_tenant_id())  # drains and recomputes gave way meanwhile
