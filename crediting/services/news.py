"""What "facts.changed" tells: which deal or fact is another one now, whose figures that can move, and on which days.

What a plan reads of a fact may stand on its deal, and what it does to a deal's lines may stand on its facts. So a
change of either tells the people and the dates of the deal and of all its facts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Q

from comp.core.days import DayError, parse_day
from comp.core.money import plain_money
from comp.outbox.services import publish
from comp.tenancy.rows import models_read
from crediting.intake.reading import DAY_YEARS
from crediting.models import Deal, DealRevision, DealTeam, Fact, FactTeam
from plans.rules.fields import FACT_FIELDS

#: Changes told by one message.
TOLD = 500
Team = list[list[Any]]
#: A change as "facts.changed" tells it.
Change = dict[str, Any]
Dates = dict[str, set[str]]

_WORDS = {"line": "Line", "hours": "Hours", "nonpayment": "Unpaid invoice", "contract": "Contract"}
DATES = frozenset(name for name, kind in FACT_FIELDS.items() if kind == "date")


def changes_tell(changes: Sequence[Change]) -> None:
    """News for those who figure."""
    for start in range(0, len(changes), TOLD):
        publish(topic="facts.changed", payload={"changes": changes[start : start + TOLD]})


class Around:
    """The dates and people of all facts of some deals as they stand, read once."""

    def __init__(self, deals: Iterable[int]) -> None:
        self.dates: dict[int, Dates] = defaultdict(lambda: defaultdict(set))
        self.people: dict[int, set[int]] = defaultdict(set)
        of = list(set(deals))
        facts = models_read(Fact, "deal_id = ANY(%s::bigint[]) AND stands", [of]) if of else []
        teams = people_of(fact.pk for fact in facts)
        for fact in facts:
            _add(self.dates[fact.deal_id or 0], _of_fact(fact))
            self.people[fact.deal_id or 0] |= teams.get(fact.pk, set())


def people_of(facts: Iterable[int]) -> dict[int, set[int]]:
    """Who stands on facts of their own."""
    found: dict[int, set[int]] = defaultdict(set)
    wanted = list(facts)
    if wanted:
        for fact, person in FactTeam.objects.filter(fact_id__in=wanted).values_list("fact_id", "participant_id"):
            found[fact].add(person)
    return found


def told_of_deal(
    deal: Deal,
    kind: str,
    label: str,
    delivery: int,
    team: Iterable[Sequence[Any]],
    *,
    around: Around,
    was: Deal | None = None,
) -> list[Change]:
    """The entry of a deal; none for one that has no date, was or is: it can credit nothing."""
    dates: Dates = {"close_date": set(), "engage_date": set()}
    states = [deal, was] if was else [deal]
    for state in states:
        _add(dates, _of_deal(state))
    _add(dates, _pairs(around.dates.get(deal.pk, {})))
    if not any(dates.values()) and not any(is_day(value) for state in states for value in state.custom.values()):
        return []
    people = {member[1] for member in team} | around.people.get(deal.pk, set())
    return [_entry(deal.pk, kind, label, delivery, people, dates)]


@dataclass(frozen=True, slots=True)
class Told:
    """A fact of which there is news: `was` is what stood before, `people` its own team of before and after. Without a
    label it is told by what it says now."""

    fact: Fact
    delivery: int
    people: set[int]
    was: Fact | None = None
    label: str = ""

    @property
    def states(self) -> list[Fact]:
        return [self.fact, self.was] if self.was else [self.fact]


def told_of_facts(told: Sequence[Told]) -> list[Change]:
    """The entries of facts: one for each deal that one belongs or belonged to, or one without a deal."""
    ids = {state.deal_id for one in told for state in one.states if state.deal_id}
    if not told:
        return []
    deals, around = Deal.objects.in_bulk(ids), Around(ids)
    on_deal: dict[int, set[int]] = defaultdict(set)
    for deal_id, person in DealTeam.objects.filter(deal_id__in=ids).values_list("deal_id", "participant_id"):
        on_deal[deal_id].add(person)
    entries = []
    for one in told:
        own: Dates = {}
        for state in one.states:
            _add(own, _of_fact(state))
        belonged: set[int | None] = {state.deal_id for state in one.states if state.deal_id}
        label = one.label or fact_label(one.fact, deals.get(one.fact.deal_id or 0))
        for pk in sorted(belonged or {None}, key=lambda pk: pk or 0):
            deal = deals.get(pk or 0)
            dates: Dates = {"close_date": set(), "engage_date": set()} if deal else {}
            _add(dates, _pairs(own))
            people, custom = set(one.people), False
            if deal is not None:
                _add(dates, _of_deal(deal))
                _add(dates, _pairs(around.dates.get(deal.pk, {})))
                people |= around.people.get(deal.pk, set()) | on_deal[deal.pk]
                custom = any(is_day(value) for value in deal.custom.values())
            if any(dates.values()) or custom:
                entries.append({**_entry(pk, one.fact.kind, label, one.delivery, people, dates), "fact": one.fact.pk})
    return entries


def told_of_standing(facts: Iterable[Fact], label: str, delivery: int) -> list[Change]:
    """The entries of facts that say what they said, and yet count otherwise."""
    found = list(facts)
    people = people_of(fact.pk for fact in found)
    return told_of_facts([Told(fact, delivery, people.get(fact.pk, set()), label=label) for fact in found])


def told_of_contracts(told: Sequence[Told]) -> list[Change]:
    """What a contract says counts for the readings of its account and product that say nothing themselves."""
    entries: list[Change] = []
    for one in told:
        held = Q()
        for state in one.states:
            held |= Q(account_id=state.account_id, product_id=state.product_id)
        readings = Fact.objects.filter(held, kind="usage", stands=True, values__contracted__isnull=True).order_by("id")
        entries += told_of_standing(readings, one.label or fact_label(one.fact, None), one.delivery)
    return entries


def deal_label(deal: Deal) -> str:
    """`Deal D1 won, 4,514.00 USD`."""
    return f"Deal {deal.external_id} {deal.stage}{_amount(deal)}"


def fact_label(fact: Fact, of: Deal | None) -> str:
    """`Deal D1: go-live reached on 1 Apr 2026`, `Invoice I1 of deal D1, 100.00 USD on 3 Apr 2026`."""
    deal = of.external_id if of else ""
    day = f"{fact.day:%-d %b %Y}" if fact.day else ""
    if fact.kind == "milestone":
        return f"Deal {deal}: {fact.type} {f'reached on {day}' if fact.stands else 'taken back'}"
    if fact.kind == "usage" and deal and fact.stands:
        used, contracted = (int(Decimal(fact.values.get(name, "0"))) for name in ("used", "contracted"))
        return f"Deal {deal}: {used:,} of {contracted:,} used by {day}"
    if fact.kind == "transfer":
        return f"Deal {deal} handed on{f' on {day}' if day else ''}{'' if fact.stands else ', taken back'}"
    name = fact.external_id.removeprefix(f"{deal}/") if fact.kind == "line" else fact.external_id
    what = f"{_WORDS.get(fact.kind, fact.kind.capitalize())} {name}{f' of deal {deal}' if deal else ''}"
    if not fact.stands:
        return f"{what} taken back"
    return f"{what}{f', {fact.type}' if fact.type else ''}{_amount(fact)}{f' on {day}' if day else ''}"


def _amount(row: Deal | Fact) -> str:
    if row.amount_minor is None:
        return ""
    return f", {Decimal(plain_money(row.amount_minor, row.currency)):,} {row.currency}"


def _entry(deal: int | None, kind: str, label: str, delivery: int, people: set[int], dates: Dates) -> Change:
    return {
        "deal": deal,
        "kind": kind,
        "label": label,
        "delivery": delivery,
        "participants": sorted(people),
        "dates": {name: sorted(days) for name, days in dates.items()},
    }


def _of_deal(deal: Deal | DealRevision) -> Iterator[tuple[str, str]]:
    """Its own dates; those of its custom fields are found in its revisions (payouts.services.scopes)."""
    for name in ("close_date", "engage_date"):
        if getattr(deal, name):
            yield name, getattr(deal, name).isoformat()
    yield from ((name, value) for name, value in deal.values.items() if name in DATES)


def days_of_deal(deal: Deal | DealRevision) -> Iterator[tuple[str, str]]:
    """Its dates, and those of its custom fields that can be a fact's day."""
    yield from _of_deal(deal)
    for name, value in deal.custom.items():
        if is_day(value) and int(value[:4]) in DAY_YEARS:
            yield f"custom.{name}", value


def _of_fact(fact: Fact) -> Iterator[tuple[str, str]]:
    if fact.day:
        yield "day", fact.day.isoformat()
    yield from ((name, value) for name, value in fact.values.items() if name in DATES)
    yield from ((f"custom.{name}", value) for name, value in fact.custom.items() if is_day(value))


def _pairs(dates: Dates) -> Iterator[tuple[str, str]]:
    return ((name, day) for name, days in dates.items() for day in days)


def _add(dates: Dates, pairs: Iterable[tuple[str, str]]) -> None:
    for name, day in pairs:
        dates.setdefault(name, set()).add(day)


def is_day(value: object) -> bool:
    """Whether a plan could take a custom field's value for its credit date."""
    try:
        return isinstance(value, str) and bool(parse_day(value))
    except DayError:
        return False
