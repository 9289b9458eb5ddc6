"""Pay below zero: whose it is, and whether anybody said what becomes of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from django.db.models import Sum

from comp.core.days import day_date
from comp.core.money import format_money
from comp.people.models import Participant, PayGroup
from payouts.models import NegativeDecision, NegativePolicy, Payable, Settlement
from payouts.models.manual import State
from payouts.models.settlements import EFFECT
from payouts.reads.plans import versions
from payouts.selectors import open_period

Way = NegativePolicy.Way


@dataclass(frozen=True, slots=True)
class Short:
    """Somebody who would be paid less than nothing by their open period, of whom nobody said what becomes of it."""

    participant: Participant
    currency: str
    minor: int  # below zero; of one asked about what is owed

    def __str__(self) -> str:
        amount = format_money(self.minor, self.currency)  # below zero it has parentheses of its own
        return f"{self.participant.name} {f'with {amount}' if self.minor < 0 else f'({amount})'}"


def policies_of(pay_group: PayGroup) -> dict[str, NegativePolicy]:
    """What the company chose for a pay group, by currency."""
    return {row.currency: row for row in NegativePolicy.objects.filter(pay_group=pay_group)}


def undecided(pay_group: PayGroup, starts_on: date, people: Collection[int] | None = None) -> list[Short]:
    """Who of a pay group's open period (of `people`: of these) would be paid less than nothing, though it is not said
    anywhere that they are: neither carried nor collected, by a plan's settlement or the company's rule."""
    mine = {"pay_group": pay_group, "period_starts_on": starts_on}
    mine |= {} if people is None else {"participant_id__in": people}
    by = ("participant_id", "currency")
    lines = Payable.objects.filter(**mine, hold=None).order_by().values_list(*by).annotate(minor=Sum("amount_minor"))
    net = {(who, currency): int(minor) for who, currency, minor in lines}
    settled = Settlement.objects.filter(**mine)
    for who, currency, effect in settled.order_by().values_list(*by).annotate(effect=Sum(EFFECT)):
        net[who, currency] = net.get((who, currency), 0) + int(effect)
    short = {at: minor for at, minor in net.items() if minor < 0}
    if not short:
        return []
    collects = {currency for currency, row in policies_of(pay_group).items() if row.way == Way.COLLECT}
    below = settled.filter(payout_minor__lt=0, participant_id__in={who for who, _ in short})
    says = versions(below.values_list("plan_version_id", flat=True))
    for row in below:
        if says[row.plan_version_id].says.settlement is not None:  # which collects it
            at = row.participant_id, row.currency
            short[at] = short.get(at, 0) - row.payout_minor
    known = Participant.objects.in_bulk({who for who, _ in short})
    found = [
        Short(known[who], code, minor) for (who, code), minor in short.items() if minor < 0 and code not in collects
    ]
    return sorted(found, key=lambda one: (one.participant.name, one.currency))


def why_open(pay_group: PayGroup, starts_on: date, people: Collection[int] | None = None) -> str:
    """Why a pay group's open period (of `people`: theirs) is not locked, with people and amounts, and what is to be
    done; nothing where it is said what becomes of everybody's pay below zero, of this period and of earlier ones."""
    if short := undecided(pay_group, starts_on, people):
        return _why_short(pay_group, short)
    if left := left_behind(pay_group, people):
        codes = ", ".join(sorted({one.currency for one in left}))
        return (
            f"Pay below zero of earlier periods is carried of {_named(left)}, and no rule of {pay_group} in {codes} "
            "says what becomes of it. Choose one, or that it stays under Debts (Adjustments, Limits), or let it go "
            "(Adjustments, Debts)."
        )
    return ""


def _why_short(pay_group: PayGroup, short: Collection[Short]) -> str:
    chosen = policies_of(pay_group)
    ways = {one.currency for one in short if one.currency not in chosen}
    todo = f"Choose what becomes of pay below zero of {pay_group} in {', '.join(sorted(ways))} (Adjustments, Limits)"
    if not ways:
        todo = "Two people decide what becomes of each (Adjustments, Debts)"
    return f"{_named(short)} would be paid less than nothing. {todo}."


def _named(short: Collection[Short]) -> str:
    names = [str(one) for one in short]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def left_behind(pay_group: PayGroup, people: Collection[int] | None = None) -> list[Short]:
    """Of whom something is carried that no rule of their pay group looks at: it has none in the currency, or collects
    from now on and does not say that what was carried stays. They may have moved there."""
    chosen = policies_of(pay_group)
    said = {code for code, row in chosen.items() if row.way != Way.COLLECT or row.carried_stays}
    return [one for one in carried_of(pay_group, people) if one.currency not in said]


def carried_of(pay_group: PayGroup, people: Collection[int] | None = None) -> list[Short]:
    """What is carried of people of a pay group at the end of the open period, by all their plans without a settlement,
    by name; as what they owe."""
    mine = {} if people is None else {"participant_id__in": people}
    minor: dict[tuple[int, str], int] = defaultdict(int)
    known = {}
    carries = Settlement.objects.filter(pay_group=pay_group, **mine).exclude(carried_forward_minor=0)
    carries = carries.select_related("participant__pay_group__calendar")
    says = versions(carries.values_list("plan_version_id", flat=True).distinct())
    for row in carries:
        if says[row.plan_version_id].says.settlement is None:
            known[row.participant_id] = row.participant
            minor[row.participant_id, row.currency] -= row.carried_forward_minor
    return _owing(known, minor)


def asked(participant: Participant | None = None) -> list[Short]:
    """Whose debt as a whole two people may decide about (or one of whom alone), where the company decides each: below
    zero and undecided, or carried; without those that wait for their second person. As the scope sees pay."""
    mine = {} if participant is None else {"participant": participant}
    waiting = set(
        NegativeDecision.objects.filter(state=State.WAITING, **mine).values_list("participant_id", "currency")
    )
    codes: dict[PayGroup, set[str]] = defaultdict(set)
    for policy in NegativePolicy.objects.filter(way=Way.ASK).select_related("pay_group__calendar"):
        if participant is None or participant.pay_group_id == policy.pay_group_id:
            codes[policy.pay_group].add(policy.currency)
    found = []
    for group, currencies in codes.items():
        rows = owed_as_a_whole(group, None if participant is None else [participant.pk])
        found += [one for one in rows if one.currency in currencies]
    return [one for one in found if (one.participant.pk, one.currency) not in waiting]


def owed_as_a_whole(pay_group: PayGroup, people: Collection[int] | None = None) -> list[Short]:
    """What people of a pay group (`people`: these of them) owe by all their plans without a settlement, by name: what
    is carried at the end of the open period, and what it would pay below zero."""
    minor: dict[tuple[int, str], int] = defaultdict(int)
    known = {}
    for one in carried_of(pay_group, people):
        known[one.participant.pk] = one.participant
        minor[one.participant.pk, one.currency] += one.minor
    for one in undecided(pay_group, day_date(open_period(pay_group).start), people):
        known[one.participant.pk] = one.participant
        minor[one.participant.pk, one.currency] -= one.minor
    return _owing(known, minor)


def _owing(known: Mapping[int, Participant], minor: Mapping[tuple[int, str], int]) -> list[Short]:
    """Who owes something, by name."""
    found = [Short(known[who], currency, owed) for (who, currency), owed in minor.items() if owed > 0]
    return sorted(found, key=lambda one: (one.participant.name, one.currency))


def owes_as_a_whole(participant: Participant, currency: str) -> int:
    """What one person owes by all their plans without a settlement, in a currency; 0 where nothing."""
    rows = owed_as_a_whole(participant.pay_group, [participant.pk])
    return sum(one.minor for one in rows if one.currency == currency)
