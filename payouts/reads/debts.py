"""What people owe by their plans: what the open period would take back, and the balances of settlements."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Sum

from comp.people.models import Participant
from payouts.models import Adjustment, DrawStanding, Payable, Settlement
from payouts.models.manual import State
from plans.models import Plan


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


def owing(participant: Participant | None = None, *, but: Adjustment | None = None) -> list[Owed]:
    """All that is owed, by person, plan and balance, as the scope sees pay. What waits for a second person to let it go
    (`but` one write-off) is not in it."""
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
    waits = waits if but is None else waits.exclude(pk=but.pk)
    for who, plan, balance, minor in waits.values_list("participant_id", "plan_id", "balance", "amount_minor"):
        found[who, plan, balance] = found.get((who, plan, balance), 0) - minor
    people = Participant.objects.select_related("pay_group__calendar").in_bulk({who for who, *_ in found})
    plans = Plan.objects.in_bulk({plan for _, plan, _ in found})
    rows = [Owed(people[who], plans[plan], what, minor) for (who, plan, what), minor in found.items() if minor > 0]
    return sorted(rows, key=lambda row: (row.participant.name, row.plan.name, row.balance))


def owed(participant: Participant, plan: Plan, balance: str, *, but: Adjustment | None = None) -> int:
    """How much of one balance somebody owes by a plan, in minor units of their currency."""
    rows = owing(participant, but=but)
    return sum(row.minor for row in rows if (row.plan, row.balance) == (plan, balance))
