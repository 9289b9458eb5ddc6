"""Payables, and settlements of whole periods, that wait for a rate of exchange are asked about, as credits are
(crediting.services.waiting); no period is locked in which somebody is not settled for want of one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import starmap
from typing import Any

from django.db.models import QuerySet

from comp.people.models import Participant, PayGroup
from crediting.models import Credit, RawDelivery
from crediting.services.issues import PAY_RATE
from crediting.services.waiting import Asked, delivery_of, questions_stand
from payouts.frames.inflow import Place
from payouts.frames.read import read_versions
from payouts.frames.waterfall import AwaitsRate
from payouts.models import Tranche, Unsettled
from payouts.reads.unconverted import missing_rates
from payouts.services.payables import open_now
from payouts.services.settlements import right_settlements
from plans.models import Plan, PlanVersion

_NAMED = {"average": "average rate"}


def on_payables_waiting(payload: dict[str, Any]) -> None:
    """Some payables wait, or wait no more: the questions say what stands now. Sees everybody's pay."""
    questions_stand([PAY_RATE], questions())


def questions() -> Iterator[Asked]:
    """What has to be asked about the payables and settlements that wait now: of a pair of currencies and a kind its
    rate."""
    unsettled: dict[str, list[AwaitsRate]] = defaultdict(list)
    for one in awaiting_rates():
        unsettled[f"{one.source}/{one.target} {one.kind}"].append(one)
    for rate in missing_rates():
        value = f"{rate.source}/{rate.target} {rate.kind}"
        since, until = f"{rate.first:%-d %B %Y}", f"{rate.last:%-d %B %Y}"
        when = since if since == until else f"days from {since} to {until}"
        waits = f"{rate.payables:,} payable{' waits' if rate.payables == 1 else 's wait'}"
        message = f"{waits} in {rate.source}: no {rate.name} from {rate.source} to {rate.target} holds on {when}."
        others = unsettled.pop(value, [])
        yield Asked(
            kind=PAY_RATE,
            value=value,
            message=" ".join((message, *([_unsettled(others)] if others else []))),
            waiting=rate.payables + len(others),
            delivery=partial(_delivery, rate.rows),
        )
    for value, others in sorted(unsettled.items()):
        # What waits is of no fact: a draw may be all that there is.
        first = RawDelivery.objects.order_by("id").first()
        if first is not None:
            yield Asked(PAY_RATE, value, _unsettled(others), len(others), partial(_same, first))


def awaiting_rates(pay_group: PayGroup | None = None, participant: Participant | None = None) -> list[AwaitsRate]:
    """Who (of a pay group, or of one participant whether they are) is not settled in the open period, because their
    plan converts its amounts into the currency that they are paid in and no rate holds the day."""
    rows = Unsettled.objects.order_by("id")
    rows = rows if pay_group is None else rows.filter(pay_group=pay_group)
    rows = rows if participant is None else rows.filter(participant=participant)
    return list(starmap(AwaitsRate, rows.values_list("participant_id", "plan_id", "source", "target", "kind", "day")))


def awaiting_rates_anew(pay_group: PayGroup) -> list[AwaitsRate]:
    """The same, worked out from what is owed and not read from what stands: for the moment when a period is locked."""
    if not PlanVersion.objects.filter(document__contains='"settle_in"').exists():
        return []
    compiled = read_versions().compiled
    if not any(says.settlement is not None and says.settlement.settle_in == "pay" for says in compiled):
        return []
    abroad = Participant.objects.filter(pay_group=pay_group)
    people = abroad.exclude(currency__in={says.currency for says in compiled}).values_list("id", flat=True)
    found = open_now(sorted(people))
    places = zip(found["people"], found["groups"], found["starts"], strict=True)
    return right_settlements({who: Place(group, starts_on) for who, group, starts_on in places}).waits


def why_unsettled(waits: list[AwaitsRate]) -> str:
    """Why a period is not locked in which they are not settled, with names and rates, and what is to be done; nothing
    where nobody waits."""
    if not waits:
        return ""
    known = Participant.objects.in_bulk({one.participant for one in waits})
    names = sorted({known[one.participant].name for one in waits})
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    rates = sorted({rate_words(one) for one in waits})
    who = ", ".join(names[:5]) + more
    return f"{who} cannot be settled: there is {' and '.join(rates)}. Enter it (Rates of exchange)."


def why_not_yet(waits: list[AwaitsRate]) -> str:
    """What of one person's pay is not worked out yet, and why; nothing where all is."""
    if not waits:
        return ""
    rates = sorted({rate_words(one) for one in waits})
    return f"Draws, caps and what is carried are not in it yet: there is {' and '.join(rates)}."


@dataclass(frozen=True, slots=True)
class NotSettled:
    """Somebody who is not settled by a plan, for want of a rate: what they owe by it is not known."""

    participant: Participant
    plan: Plan
    why: str


def unsettled_people(waits: list[AwaitsRate]) -> list[NotSettled]:
    """Each of them by name, with their plan and the rate that is missing."""
    people = Participant.objects.in_bulk({one.participant for one in waits})
    plans = Plan.objects.in_bulk({one.plan for one in waits})
    found = [NotSettled(people[one.participant], plans[one.plan], f"Not settled: {rate_words(one)}") for one in waits]
    return sorted(found, key=lambda row: (row.participant.name, row.plan.name))


def _unsettled(waits: list[AwaitsRate]) -> str:
    one = min(waits, key=lambda each: each.day)
    count = "1 settlement waits" if len(waits) == 1 else f"{len(waits):,} settlements wait"
    return f"{count}: {rate_words(one)}."


def rate_words(one: AwaitsRate) -> str:
    """Which rate is missing."""
    return f"no {_NAMED.get(one.kind, 'rate')} from {one.source} to {one.target} that holds on {one.day:%-d %B %Y}"


def _same(delivery: RawDelivery) -> RawDelivery:
    return delivery


def _delivery(rows: QuerySet[Tranche]) -> RawDelivery:
    """That of the first fact among these, or of one that their people are credited with: a bonus of a period has none
    of its own."""
    facts = rows.exclude(fact=0).order_by("credit_date", "fact").values_list("fact", flat=True)[:1]
    if not facts:
        credits = Credit.objects.filter(participant__in=rows.values("participant"))
        credited = credits.order_by("credit_date", "fact").values_list("fact", flat=True).first()
        return delivery_of(credited) if credited else RawDelivery.objects.earliest("id")
    return delivery_of(facts[0])
