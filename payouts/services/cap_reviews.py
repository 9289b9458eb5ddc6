"""What the cap of a settlement took and sends to a review: paid, a part of it, or not, by two people. Paid it is an
adjustment beside the waterfall: the cap that took it does not take it again."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Sum

from comp.core.errors import refused
from comp.core.money import format_money
from comp.people.models import Participant
from comp.tenancy.models import User
from comp.tenancy.scope import Pay, current_tenant_id, tenant_scope
from payouts.models import Adjustment, Batch, BatchSettlement, SettlementReview
from payouts.models.manual import State
from payouts.services.adjustments import Wanted, due_now, one_counter
from payouts.services.decisions import decide, not_own, prepared, reasoned
from payouts.services.holds import one_writer
from payouts.services.reviews import adjustment_made

#: Batches whose figures stay.
_POSTED = (Batch.State.POSTED, Batch.State.PAID, Batch.State.CLOSED)


@dataclass(frozen=True, slots=True)
class Capped:
    """Excess of a posted settlement that nobody decided about yet."""

    settlement: BatchSettlement
    amount_minor: int

    def __str__(self) -> str:
        return f"{self.settlement.plan}, {self.settlement.period_starts_on:%B %Y}"

    @property
    def participant(self) -> Participant:
        return self.settlement.participant

    @property
    def currency(self) -> str:
        return str(self.settlement.currency)


def cap_reviews_open() -> list[Capped]:
    """What of the excess of posted periods is neither decided about nor waits for its second person, the newest first,
    as the scope sees pay."""
    rows = BatchSettlement.objects.filter(review_minor__gt=0, batch__state__in=_POSTED)
    done = SettlementReview.objects.filter(state__in=[State.WAITING, State.APPROVED])
    by = ("participant_id", "plan_id", "period_starts_on")
    sums = {tuple(at): int(minor) for *at, minor in done.values_list(*by).annotate(minor=Sum("amount_minor"))}
    found = [
        Capped(row, row.review_minor - sums.get((row.participant_id, row.plan_id, row.period_starts_on), 0))
        for row in rows.select_related("participant", "plan").order_by("-period_starts_on", "id")
    ]
    return [one for one in found if one.amount_minor > 0]


def cap_review_prepare(
    *, settlement: BatchSettlement, pay_minor: int, reason: str, prepared_by: User
) -> SettlementReview:
    """Proposes how much of the excess of a posted period is paid: 0 to all of it, which is then decided about."""
    reason = reasoned(reason, "A review")
    not_own(settlement.participant, prepared_by, "pay above a cap")
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        one_counter()  # two at once would both find all of the excess
        minor = next((one.amount_minor for one in cap_reviews_open() if one.settlement.pk == settlement.pk), 0)
        if not minor:
            raise refused("settlement", settlement.pk, "one with excess", "Nothing of it is left to review.")
        if not 0 <= pay_minor <= minor:
            most = format_money(minor, settlement.currency)
            text = f"{most} are above the cap: 0 to so much is paid."
            raise refused("pay", format_money(pay_minor, settlement.currency), f"0 to {most}", text)
        review = SettlementReview.objects.create(
            participant=settlement.participant, pay_group_id=settlement.pay_group_id, plan=settlement.plan,
            period_starts_on=settlement.period_starts_on, currency=settlement.currency, amount_minor=minor,
            pay_minor=pay_minor, reason=reason, prepared_by=prepared_by,
        )  # fmt: skip
        prepared(review, "excess.prepare")
    return review


def cap_review_decide(
    *, review: SettlementReview, state: State, decided_by: User, reason: str = ""
) -> SettlementReview:
    """A second person agrees, or does not. What is accepted is paid by an adjustment that the review names. The excess
    is that of a posted period, which never moves: so it is still what it was when the review was prepared."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        if state == State.APPROVED:
            one_writer()
        found = decide(review, state, decided_by, reason, "excess")
        if state == State.APPROVED and found.pay_minor:
            wanted = Wanted(
                found.participant, found.plan, found.pay_minor, found.currency, due_now(found.participant),
                f"Above the cap of {found}: {found.reason}", origin=found.period_starts_on,
            )  # fmt: skip

            def linked(adjustment: Adjustment) -> None:
                found.adjustment = adjustment
                found.save(update_fields=["adjustment"])

            adjustment_made(wanted, Adjustment.Kind.WINDFALL, found.prepared_by, decided_by, linked)
    return found
