"""Whether what is earned is somewhere: nothing appears or vanishes between earning and pay."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from django.db.models import Exists, F, Model, OuterRef, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce

from comp.core.money import format_money
from comp.people.models import Participant
from comp.tenancy.selectors import own_currency
from payouts.models import Adjustment, BatchLine, BatchSettlement, Earning, Payable, Settlement, Tranche
from payouts.reads.kept import kept_by
from payouts.reads.undone import undone_by
from payouts.selectors import TAKEN, due_days


def _same(model: type[Model], where: str) -> QuerySet[Any]:
    """The settlement of a line."""
    of = ("participant_id", "plan_id", where)
    return model._base_manager.filter(**{name: OuterRef(name) for name in of})


def unbalanced(only: Collection[int] | None = None) -> tuple[int, list[tuple[int, str]]]:
    """earned + adjusted by hand + kept = waiting + held + payable + in batch + approved + paid + lost, for every
    participant (or these) and currency. What is paid in another currency than it was earned in leaves the one and comes
    into the other by its rate. What is held is a payable that no batch takes yet; what is lost has no release day, as
    what waits; what is kept was posted, and stays; a write-off counts as far as its cause stands. What a plan settles
    goes through its settlement: lines in, and out of it the payout, what is held back, carried or lost to a cap, less
    top-ups and what is forgiven, plus what is recovered; that these add up is the settlement's own constraint. Returns
    how many sums it looked at, and participant and text of each that is off."""
    mine = Q() if only is None else Q(participant_id__in=only)
    rows = Participant.objects.all() if only is None else Participant.objects.filter(id__in=only)
    names = {pk: (key, group) for pk, key, group in rows.values_list("id", "key", "pay_group_id")}
    people: dict[date, list[int]] = {}
    dues = due_days({person: group for person, (_, group) in names.items()})
    for person, end in dues.items():
        people.setdefault(end, []).append(person)
    waiting, later = Q(release_day=None), Q(pk=None)
    for end, whose in people.items():
        waiting |= Q(participant_id__in=whose, release_day__gte=end)
        later |= Q(participant_id__in=whose, day__gte=end)
    by_hand = Adjustment.objects.filter(mine, state="approved", balance="")
    taken = BatchLine.objects.filter(mine, batch__state__in=TAKEN)
    free = Payable.objects.filter(mine, hold=None)
    converted = Tranche.objects.filter(mine, plan_minor__isnull=False)
    parts = (
        (1, Earning.objects.filter(mine), "earned_minor"),
        (1, by_hand.exclude(later), "amount_minor"),
        (-1, Tranche.objects.filter(mine).filter(waiting), "amount_minor"),
        (1, converted, "amount_minor"),
        (-1, converted, "plan_minor"),
        (-1, Payable.objects.filter(mine), "amount_minor"),
        (-1, taken, "amount_minor"),
        # What settlements took in is what their lines are.
        (1, free.filter(Exists(_same(Settlement, "period_starts_on"))), "amount_minor"),
        (-1, Settlement.objects.filter(mine), "inflow_minor"),
        (1, taken.filter(Exists(_same(BatchSettlement, "batch_id"))), "amount_minor"),
        (-1, BatchSettlement.objects.filter(mine, batch__state__in=TAKEN), "inflow_minor"),
    )
    off: dict[tuple[int, str], int] = dict(kept_by(dues))
    for at, minor in undone_by(dues).items():
        off[at] = off.get(at, 0) - minor
    for sign, found, column in parts:
        currency = "currency"
        if column == "plan_minor":
            # What another system paid has no rate of ours; all plans are in the company's currency.
            currency = "left"
            found = found.annotate(left=Coalesce("rate__source", Value(own_currency())))
        for row in found.values("participant_id", currency).annotate(minor=Sum(F(column))):
            at = row["participant_id"], row[currency]
            off[at] = off.get(at, 0) + sign * int(row["minor"])
    return len(off), [
        (
            who,
            f"{names[who][0] if who in names else who}: earned is {format_money(minor, currency)} off from "
            "waiting + payable + in batch + approved + paid",
        )
        for (who, currency), minor in sorted(off.items())
        if minor
    ]
