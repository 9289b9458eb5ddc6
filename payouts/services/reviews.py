"""Windfall reviews and write-offs: what a cap sent to a review is paid or not, and what somebody owes is let go; each
by two people, each an adjustment of its own kind where it moves money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Sum

from comp.core.errors import refused
from comp.core.money import format_money
from comp.people.models import Participant
from comp.tenancy.models import User
from comp.tenancy.scope import Pay, current_tenant_id, tenant_scope
from payouts.models import Adjustment, DrawStanding, Earning, Payable, Settlement, WindfallReview
from payouts.models.figures import LINE_KEY
from payouts.models.manual import State
from payouts.reads.labels import line_label
from payouts.services.adjustments import (
    Wanted,
    adjustment_prepare,
    adjustments_decide,
    adjustments_submit,
    due_now,
)
from payouts.services.decisions import decide, not_own, prepared, reasoned
from plans.models import Plan


@dataclass(frozen=True, slots=True)
class ToReview:
    """A line with excess that nobody decided about yet."""

    earning: Earning
    minor: int

    @property
    def label(self) -> str:
        return line_label(self.earning, self.earning.deal)


def reviews_open() -> list[ToReview]:
    """What of the excess of standing lines is neither decided about nor waits for its second person, as the scope sees
    pay."""
    rows = Earning.objects.exclude(review_minor=0).select_related(
        "participant", "plan", "deal__account", "deal__product"
    )
    done: dict[tuple[Any, ...], int] = {}
    for row in WindfallReview.objects.filter(state__in=[State.WAITING, State.APPROVED]):
        done[_key(row)] = done.get(_key(row), 0) + row.amount_minor
    found = [ToReview(row, row.review_minor - done.get(_key(row), 0)) for row in rows.order_by("-credit_date", "id")]
    return [one for one in found if one.minor]


def review_prepare(*, earning: Earning, accept: bool, reason: str, prepared_by: User) -> WindfallReview:
    """Proposes to pay the excess of a line, or not to."""
    reason = reasoned(reason, "A review")
    not_own(earning.participant, prepared_by, "a windfall")
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        minor = next((one.minor for one in reviews_open() if one.earning.pk == earning.pk), 0)
        if not minor:
            raise refused("earning", earning.pk, "a line with excess", "Nothing of this line is left to review.")
        key = {name: getattr(earning, name) for name in LINE_KEY}
        review = WindfallReview.objects.create(
            **key, deal=earning.deal, pay_group_id=earning.pay_group_id, amount_minor=minor, currency=earning.currency,
            accept=accept, reason=reason, prepared_by=prepared_by,
        )  # fmt: skip
        prepared(review, "windfall.prepare")
    return review


def review_decide(*, review: WindfallReview, state: State, decided_by: User, reason: str = "") -> WindfallReview:
    """A second person agrees. What is accepted is paid by an adjustment that names the line."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        found = decide(review, state, decided_by, reason, "windfall")
        if state == State.APPROVED and found.accept:
            words = f"Windfall of {line_label(found, found.deal)}, {found.component}: {found.reason}"
            wanted = Wanted(
                found.participant, found.plan, found.amount_minor, found.currency, due_now(found.participant), words,
                found.component,
            )  # fmt: skip
            found.adjustment = _made(wanted, Adjustment.Kind.WINDFALL, found.prepared_by, decided_by)
            found.save(update_fields=["adjustment"])
    return found


@dataclass(frozen=True, slots=True)
class Owed:
    """What somebody owes by a plan: the open period's payables where `balance` is empty, else carried pay (`carried`),
    clawbacks (`clawback`) or a draw (`draw:KEY`) of its settlement."""

    participant: Participant
    plan: Plan
    balance: str
    minor: int

    @property
    def what(self) -> str:
        words = {"": "The open period", "carried": "Carried", "clawback": "Clawbacks"}
        return words.get(self.balance) or f"Draw {self.balance.removeprefix('draw:')}"


def owing(participant: Participant | None = None) -> list[Owed]:
    """All that is owed, by person, plan and balance, as the scope sees pay. What waits for a second person to let it go
    is not in it."""
    mine = {} if participant is None else {"participant": participant}
    settled = Settlement.objects.filter(**mine)
    found: dict[tuple[int, int, str], int] = {}
    for row in settled:
        at = row.participant_id, row.plan_id
        found[*at, "carried"] = -min(row.carried_forward_minor, 0)
        found[*at, "clawback"] = row.clawback_balance_minor
    for draw in DrawStanding.objects.filter(**mine):
        place = draw.participant_id, draw.plan_id, f"draw:{draw.key}"
        found[place] = found.get(place, 0) + draw.balance_minor
    own = {(row.participant_id, row.plan_id) for row in settled}
    sums = Payable.objects.filter(hold=None, **mine).values_list("participant_id", "plan_id")
    for who, plan, minor in sums.annotate(minor=Sum("amount_minor")).filter(minor__lt=0):
        if (who, plan) not in own:
            found[who, plan, ""] = -int(minor)
    waits = Adjustment.objects.filter(kind=Adjustment.Kind.WRITE_OFF, state=State.WAITING, **mine)
    for who, plan, balance, minor in waits.values_list("participant_id", "plan_id", "balance", "amount_minor"):
        found[who, plan, balance] = found.get((who, plan, balance), 0) - minor
    people = Participant.objects.select_related("pay_group__calendar").in_bulk({who for who, *_ in found})
    plans = Plan.objects.in_bulk({plan for _, plan, _ in found})
    rows = [Owed(people[who], plans[plan], what, minor) for (who, plan, what), minor in found.items() if minor > 0]
    return sorted(rows, key=lambda row: (row.participant.name, row.plan.name, row.balance))


def write_off_prepare(
    *, participant: Participant, plan: Plan, amount_minor: int, reason: str, prepared_by: User, balance: str = ""
) -> Adjustment:
    """Proposes to let go what somebody owes by a plan, at most all of it. Of the open period it is paid as a line that
    answers what is taken back; of a settlement's balance it lowers what the open period starts from."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        rows = [row for row in owing(participant) if (row.plan, row.balance) == (plan, balance)]
        owed = sum(row.minor for row in rows)
        if not 0 < amount_minor <= owed:
            most = format_money(owed, participant.currency)
            raise refused(
                "amount", amount_minor, f"up to {most}", f"{participant} owes {most} by {plan}: no more is let go."
            )
        wanted = Wanted(participant, plan, amount_minor, participant.currency, due_now(participant), reason)
        draft = adjustment_prepare(
            wanted=wanted, attachment=None, prepared_by=prepared_by, kind=Adjustment.Kind.WRITE_OFF, balance=balance
        )
        return adjustments_submit([draft], prepared_by)[0]


def _made(wanted: Wanted, kind: Adjustment.Kind, prepared_by: User, decided_by: User) -> Adjustment:
    draft = adjustment_prepare(wanted=wanted, attachment=None, prepared_by=prepared_by, kind=kind)
    adjustments_submit([draft], prepared_by)
    return adjustments_decide([draft], State.APPROVED, decided_by, wanted.reason)[0]


def _key(row: Earning | WindfallReview) -> tuple[Any, ...]:
    return tuple(getattr(row, name) if name not in ("participant", "plan") else getattr(row, f"{name}_id")
                 for name in LINE_KEY)  # fmt: skip
