"""Holding pay, and letting it go: by person, deal, plan or component, or a batch as a whole; each with its reason."""

from __future__ import annotations

from datetime import date

from django.db.models import Q, QuerySet
from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import CompError, refused
from comp.outbox.services import JOBS, ring
from comp.people.models import Participant
from comp.people.selectors import today
from comp.tenancy.models import User
from comp.tenancy.scope import Pay, current_scope, current_tenant_id, tenant_scope
from crediting.models import Deal
from payouts.models import Batch, Cause, Hold, Payable, Posting, Settlement
from payouts.services.claims import figures_lock
from payouts.services.payables import payables_write
from plans.models import Plan, PlanAssignment


class FiguresMove(CompError):
    """The figures are being written; the same again in a moment does it."""


def hold_place(
    *,
    reason: str,
    by: User,
    participant: Participant | None = None,
    deal: Deal | None = None,
    plan: Plan | None = None,
    component: str = "",
    batch: Batch | None = None,
    expires_on: date | None = None,
) -> Hold:
    """Keeps what all of the given name in the open period, until somebody releases it or `expires_on` comes; a batch
    is given alone, and is neither approved nor exported meanwhile. ProblemsError where nothing is named."""
    reason = reason.strip()
    if not reason:
        raise refused("reason", "nothing", "a sentence", "A hold needs a reason: the person held up reads it.")
    if batch is not None and any((participant, deal, plan, component)):
        raise refused("batch", batch, "a batch alone", "A batch is held as a whole; hold people or deals without it.")
    if batch is None and not any((participant, deal, plan)):
        raise refused("participant", "nothing", "a person, a deal or a plan", "Say what is held.")
    if component and plan is None:
        raise refused("plan", "none", "the component's plan", f"Of which plan is the component {component}?")
    if expires_on is not None and expires_on <= today():
        message = f"A hold until {expires_on:%-d %B %Y} would hold nothing."
        raise refused("expires_on", expires_on, "a day to come", message)
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        one_writer()
        hold = Hold.objects.create(
            participant=participant, deal=deal, plan=plan, component=component, batch=batch, reason=reason,
            placed_by=by, expires_on=expires_on,
        )  # fmt: skip
        record(code="hold.place", subject=hold, after=_facts(hold), reason=reason)
        if batch is None:
            _follow([*_people(_named(hold)), *_settled(hold)], f"Held by {by}: {reason}")
    return hold


def hold_release(*, hold: Hold, by: User, reason: str) -> Hold:
    """Lets go what a hold kept: it is paid with the open period, unless something else holds it too."""
    reason = reason.strip()
    if not reason:
        raise refused("reason", "nothing", "a sentence", "Say why it may be paid now.")
    if hold.participant is not None and hold.participant.user_id == by.pk:
        raise refused("by", by, "somebody else", f"“{hold}” holds your own pay, so somebody else has to release it.")
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        return _end(hold, by, reason)


def holds_expire() -> int:
    """Ends the holds whose day has come; a second look finds none. Inside a tenant's scope; returns how many."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        due = list(standing().filter(expires_on__lte=today()))
        for hold in due:
            _end(hold, None, f"It ended on {hold.expires_on:%-d %B %Y}.")
    return len(due)


def standing() -> QuerySet[Hold]:
    """The holds that somebody placed and nobody released."""
    return Hold.objects.filter(kind=Hold.Kind.PLACED, released_at=None)


def batch_hold(batch: Batch) -> Hold | None:
    """What holds a batch as a whole."""
    return standing().filter(batch=batch).first()


def one_writer() -> None:
    """No recompute runs while people decide what is paid."""
    if not figures_lock(wait_ms=20_000):
        raise FiguresMove("The figures are being recalculated and may move. Try again in a minute.")


def people_follow(people: list[int], label: str, facts: list[int]) -> None:
    """Payables (of these facts; none: only which are held) and statements of people after a decision about them."""
    if not people:
        return
    cause = Cause.objects.create(kind=Cause.Kind.MANUAL, label=label[:300], actor=current_scope().actor.label)
    payables_write(participants=people, facts=facts, why={}, otherwise=dict.fromkeys(people, cause.pk))


def _end(hold: Hold, by: User | None, reason: str) -> Hold:
    one_writer()
    hold = Hold.objects.select_for_update().get(pk=hold.pk)
    if hold.kind != Hold.Kind.PLACED:
        raise refused("hold", hold, "one that somebody placed", f"“{hold}” follows from a rule: change the rule.")
    if hold.released_at is not None:
        raise refused(
            "hold", hold, "one that stands", f"It was released on {timezone.localtime(hold.released_at):%d %b %Y}."
        )
    people = [*_people(Payable.objects.filter(hold=hold)), *_settled(hold)]
    hold.released_by, hold.released_at, hold.release_reason = by, timezone.now(), reason
    hold.save(update_fields=["released_by", "released_at", "release_reason"])
    record(code="hold.release", subject=hold, before=_facts(hold), reason=reason)
    _follow(people, f"Hold released: {reason}")
    if Posting.objects.filter(ended_at=None).update(due_at=timezone.now()):  # what it kept from being posted goes on
        ring(tenant_id=current_tenant_id(), queue=JOBS)
    return hold


def _follow(people: list[int], label: str) -> None:
    people_follow(sorted({*people}), label, [])


def _named(hold: Hold) -> QuerySet[Payable]:
    """The payables that a hold names."""
    wanted = Q()
    for name in ("participant_id", "deal_id", "plan_id", "component"):
        if value := getattr(hold, name):
            wanted &= Q(**{name: value})
    return Payable.objects.filter(wanted)


def _settled(hold: Hold) -> list[int]:
    """Whom a hold of all of a person's or a plan's pay concerns beside payables: a settlement pays top-ups and what was
    carried or held back without a line, and stands for nobody who is held."""
    if hold.batch_id is not None or hold.deal_id is not None or hold.component:
        return []
    if hold.participant_id is not None:
        return [hold.participant_id]
    plans = PlanAssignment.objects.filter(plan=hold.plan).values_list("participant_id", flat=True)
    stands = Settlement.objects.filter(plan=hold.plan).values_list("participant_id", flat=True)
    return [*plans, *stands]


def _people(rows: QuerySet[Payable]) -> list[int]:
    return sorted(set(rows.values_list("participant_id", flat=True)))


def _facts(hold: Hold) -> dict[str, str | None]:
    return {
        "what": str(hold),
        "component": hold.component,
        "until": hold.expires_on.isoformat() if hold.expires_on else None,
    }
