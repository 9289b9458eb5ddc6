"""Differences to closed periods that are not simply paid: too small to be paid alone, or reaching too far back. Which
they are is a rule of the company (payouts.services.held follows it); one that reaches far is approved here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db import connection
from django.db.models import Count, Sum
from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import refused
from comp.core.money import format_money
from comp.people.models import Participant
from comp.tenancy.capabilities import Role
from comp.tenancy.models import Membership, User
from comp.tenancy.scope import Pay, current_tenant_id, tenant_scope
from payouts.models import AdjustmentPolicy, Hold, Payable, ReachPolicy
from payouts.models.figures import TRANCHE_KEY
from payouts.services.decisions import not_own, reasoned
from payouts.services.holds import one_writer, people_follow

_KEY = ", ".join(f'"{name}{"_id" if name in ("participant", "plan") else ""}"' for name in TRANCHE_KEY)
_APPROVE = f"""
INSERT INTO payouts_farapproval (tenant_id, {_KEY}, deal_id, pay_group_id, amount_minor, posted_minor, currency,
    origin_starts_on, reason, approved_by_id, approved_at)
SELECT tenant_id, {_KEY}, deal_id, pay_group_id, amount_minor, posted_minor, currency, origin_starts_on, %(reason)s,
    %(by)s, %(at)s
FROM payouts_payable
WHERE hold_id = %(hold)s AND participant_id = %(participant)s AND origin_starts_on = %(origin)s
    AND currency = %(currency)s
"""


@dataclass(frozen=True, slots=True)
class Far:
    """What one person's closed period waits for: differences that reach further back than they may."""

    participant: Participant
    origin_starts_on: date
    currency: str
    minor: int
    lines: int


def limits_set(*, currency: str, alone_minor: int | None, small_minor: int | None) -> AdjustmentPolicy:
    """Of a currency: up to how much one person adjusts alone in thirty days (None: nothing), and below which sum
    differences to closed periods are kept (None: none are). Open periods follow at once."""
    for name, minor in (("alone", alone_minor), ("small", small_minor)):
        if minor is not None and minor <= 0:
            raise refused(name, minor, "more than 0, or nothing", "A limit is more than 0, or left empty.")
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        row = AdjustmentPolicy.objects.filter(currency=currency).first() or AdjustmentPolicy(currency=currency)
        before = {"alone": row.alone_minor, "small": row.small_minor}
        row.alone_minor, row.small_minor = alone_minor, small_minor
        row.save()
        after = {"alone": alone_minor, "small": small_minor}
        record(code="adjustment.limits", subject=row, before=before, after=after)
        if before["small"] != small_minor:
            _everybody(f"Small differences in {currency} are another amount")
    return row


def reach_set(*, periods_back: int | None, approver: str) -> ReachPolicy:
    """How many pay periods back a difference may reach without approval (None: any number), and whose approval it
    needs beyond. Open periods follow at once."""
    if approver not in Role.values:
        raise refused("approver", approver, ", ".join(Role.values), f"{approver!r} is no role.")
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        row = ReachPolicy.objects.first() or ReachPolicy()
        before = {"periods": row.periods_back, "approver": row.approver}
        row.periods_back, row.approver = periods_back, approver
        row.save()
        after = {"periods": periods_back, "approver": approver}
        record(
            code="adjustment.reach", subject=("payouts.reachpolicy", str(row.pk), "Reach"), before=before, after=after
        )
        _everybody("How far back differences may reach is another number of periods")
    return row


def far_waiting() -> list[Far]:
    """What waits for approval because it reaches far back, the oldest first, as the scope sees pay."""
    rows = (
        Payable.objects.filter(hold__kind=Hold.Kind.FAR)
        .values("participant_id", "origin_starts_on", "currency")
        .annotate(minor=Sum("amount_minor"), lines=Count("id"))
        .order_by("origin_starts_on", "participant_id", "currency")
    )
    people = Participant.objects.in_bulk({row["participant_id"] for row in rows})
    return [
        Far(people[row["participant_id"]], row["origin_starts_on"], row["currency"], int(row["minor"]), row["lines"])
        for row in rows
    ]


def far_approver(user: User) -> bool:
    """Whether the company's rule lets somebody approve what reaches far back."""
    policy = ReachPolicy.objects.first()
    role = policy.approver if policy else Role.FINANCE
    return Membership.objects.filter(tenant_id=current_tenant_id(), user=user, role=role).exists()


def far_approve(*, waits: Far, approved_by: User, reason: str) -> int:
    """Lets what was shown be paid with the open period; returns how many lines. Refused where it is another amount by
    now: then it is looked at again."""
    reason = reasoned(reason, "An approval of what reaches far back")
    not_own(waits.participant, approved_by, "differences")
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        if not far_approver(approved_by):
            raise refused(
                "approved_by", approved_by, "the role of the company's rule", f"{approved_by} may not approve it."
            )
        one_writer()
        place = (waits.participant.pk, waits.origin_starts_on, waits.currency)
        now = {(one.participant.pk, one.origin_starts_on, one.currency): one.minor for one in far_waiting()}
        if now.get(place) != waits.minor:
            found = format_money(now.get(place, 0), waits.currency)
            raise refused("amount", found, "what was shown", f"It is {found} by now: look once more.")
        hold = Hold.objects.get(kind=Hold.Kind.FAR)
        with connection.cursor() as cursor:
            cursor.execute(
                _APPROVE,
                {
                    "hold": hold.pk, "participant": place[0], "origin": place[1], "currency": place[2],
                    "reason": reason, "by": approved_by.pk, "at": timezone.now(),
                },
            )  # fmt: skip
            lines = cursor.rowcount
        said = {"origin": waits.origin_starts_on.isoformat(), "lines": lines}
        record(code="difference.approve", subject=waits.participant, after=said, reason=reason)
        people_follow([waits.participant.pk], f"A difference that reaches back approved: {reason}", [])
    return lines


def _everybody(label: str) -> None:
    one_writer()
    people_follow(list(Participant.objects.values_list("id", flat=True)), label, [])
