"""Windfall reviews and write-offs: what a cap sent to a review is paid or not, and what somebody owes is let go; each
by two people, each an adjustment of its own kind where it moves money."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Sum

from comp.core.errors import refused
from comp.core.money import format_money
from comp.people.models import Participant
from comp.tenancy.models import User
from comp.tenancy.scope import Pay, current_tenant_id, tenant_scope
from payouts.models import Adjustment, Earning, WindfallReview
from payouts.models.figures import LINE_KEY
from payouts.models.manual import State
from payouts.reads.labels import line_label
from payouts.services.adjustments import (
    Wanted,
    adjustment_prepare,
    adjustments_decide,
    adjustments_submit,
    check_owed,
    due_now,
    one_counter,
)
from payouts.services.decisions import decide, not_own, prepared, reasoned
from payouts.services.holds import one_writer
from payouts.services.pay_currency import in_pay_currency
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
        one_counter()  # two at once would both find all of the excess
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
        earning = None
        if state == State.APPROVED:
            one_writer()
            earning = _still_there(review)
        found = decide(review, state, decided_by, reason, "windfall")
        if earning is not None and found.accept:
            day = due_now(found.participant)
            minor, currency, converted = in_pay_currency(earning, found.amount_minor, day)
            words = f"Windfall of {line_label(found, found.deal)}, {found.component}: {found.reason}{converted}"
            wanted = Wanted(found.participant, found.plan, minor, currency, day, words, found.component)

            def linked(adjustment: Adjustment) -> None:
                found.adjustment = adjustment
                found.save(update_fields=["adjustment"])

            adjustment_made(wanted, Adjustment.Kind.WINDFALL, found.prepared_by, decided_by, linked)
    return found


def _still_there(review: WindfallReview) -> Earning | None:
    """The line, which may have moved since somebody proposed to pay its excess; none where it went, and nothing is to
    be paid of it."""
    key = {name: getattr(review, name) for name in LINE_KEY}
    earning = Earning.objects.filter(**key).select_related("participant").first()
    excess = earning.review_minor if earning else 0
    others = WindfallReview.objects.filter(**key, state=State.APPROVED).aggregate(sum=Sum("amount_minor"))["sum"] or 0
    left = excess - others
    if review.accept and not (0 < review.amount_minor <= left or left <= review.amount_minor < 0):
        now, then = format_money(left, review.currency), format_money(review.amount_minor, review.currency)
        text = (
            f"{then} were to be paid, and {now} of this line are in excess now. Refuse it and look at the line again."
        )
        raise refused("review", then, now, text)
    return earning


def write_off_prepare(
    *, participant: Participant, plan: Plan, amount_minor: int, reason: str, prepared_by: User, balance: str = ""
) -> Adjustment:
    """Proposes to let go what somebody owes by a plan, at most all of it. Of the open period it is paid as a line that
    answers what is taken back; of a settlement's balance it lowers what the open period starts from."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        one_writer()
        one_counter()
        check_owed(participant, plan, balance, amount_minor)
        wanted = Wanted(participant, plan, amount_minor, participant.currency, due_now(participant), reason)
        draft = adjustment_prepare(
            wanted=wanted, attachment=None, prepared_by=prepared_by, kind=Adjustment.Kind.WRITE_OFF, balance=balance
        )
        return adjustments_submit([draft], prepared_by)[0]


def adjustment_made(
    wanted: Wanted, kind: Adjustment.Kind, prepared_by: User, decided_by: User, linked: Callable[[Adjustment], None]
) -> Adjustment:
    """The adjustment that pays what two people agreed to; `linked` names it in their decision before it is paid."""
    draft = adjustment_prepare(wanted=wanted, attachment=None, prepared_by=prepared_by, kind=kind)
    linked(draft)
    adjustments_submit([draft], prepared_by)
    return adjustments_decide([draft], State.APPROVED, decided_by, wanted.reason)[0]


def _key(row: Earning | WindfallReview) -> tuple[Any, ...]:
    return tuple(getattr(row, name) if name not in ("participant", "plan") else getattr(row, f"{name}_id")
                 for name in LINE_KEY)  # fmt: skip
