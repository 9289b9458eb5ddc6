"""From deals to credits: match, split, roll up. See docs/algorithms/crediting.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crediting.kernel.columns import (
    MISSING_DAY,
    MISSING_MONEY,
    ROLLED_SPLIT,
    Assignments,
    Credits,
    Facts,
    Ints,
    Reporting,
    Teams,
    Text,
)
from crediting.kernel.exact import ascending, money, packed, scaled
from crediting.kernel.fields import FactRows, World
from crediting.kernel.people import People
from crediting.kernel.split import divide, limited, roll_up
from plans.rules.compiled import CompiledPlan, CreditRule


@dataclass(frozen=True, slots=True)
class Source:
    """What gave a credit: a rule of a plan version, a role in it, and the way."""

    plan: int
    rule: int
    role: str
    credit_class: str
    rolled: bool


@dataclass(frozen=True, slots=True)
class Credited:
    """The credits, and beside them what rating needs: `source` is each row's place in `sources`, `person` its place in
    `people` (ids ascending), `whole` the deal's whole amount. `when` orders credits by replicate, credit date, event
    time, source and external id, split number, rule and role; it stays below `moments`."""

    credits: Credits
    sources: tuple[Source, ...]
    source: Ints
    world: World
    people: Ints
    person: Ints
    whole: Ints
    replicate: Ints
    when: Ints
    moments: int


@dataclass(frozen=True, slots=True)
class _Found:
    """Credits of one source, in no order yet."""

    source: Source
    deal: Ints
    person: Ints
    split: Ints
    pot: Ints
    amount: Ints


def credit(
    plans: Sequence[CompiledPlan],
    world: World,
    teams: Teams,
    reporting: Reporting,
    assignments: Assignments,
    only: Ints | None,
) -> Credited:
    """Every credit that the plans give for the deals (for `only` these participants), in canonical order."""
    people = People(assignments, reporting, len(plans), only)
    finder = _Finder(world, teams, people)
    found = [
        credits
        for place, plan in enumerate(plans)
        if (assignments.plan == place).any()
        for rule in range(len(plan.credit_rules))
        for credits in finder.credits(plan, place, rule)
        if credits.deal.size
    ]
    return _in_order(plans, world, people, found)


class _Finder:
    def __init__(self, world: World, teams: Teams, people: People) -> None:
        self.world = world
        self.facts = world.facts
        self.teams = teams
        self.people = people
        self.person = people.places(teams.participant)
        self._rows: dict[str, Ints] = {}

    def credits(self, plan: CompiledPlan, place: int, number: int) -> list[_Found]:
        """The credits that one rule gives to people assigned to its plan version."""
        rule = plan.credit_rules[number]
        matched = self.match(plan, rule)
        amounts, days = self.world.column(rule.amount, "money"), self.world.column(rule.credit_date, "date")
        found: list[_Found] = []
        parts: dict[str, tuple[Ints, Ints, Ints]] = {}
        for entry in rule.credit:
            rows = self._with_role(entry.role)
            rows = rows[matched[self.teams.fact[rows]]]
            deal = self.teams.fact[rows]
            whole = money(amounts[deal], f"The {rule.amount} of a deal")
            pot = money(scaled(whole, entry.share, plan.round_mode), "A pot")
            part = divide(pot, deal, self.teams.weight[rows], self.teams.place[rows], self.facts.id.size)
            person = self.person[rows]
            parts[entry.role] = (deal, person, part)
            own = self.people.credited(place, person, days[deal])
            source = Source(place, number, entry.role, rule.credit_class, rolled=False)
            split = self.teams.place[rows[own]]
            found.append(_Found(source, deal[own], person[own], split, pot[own], part[own]))
        for step, entry_up in enumerate(rule.roll_up):
            below = [parts[role] for role in dict.fromkeys(entry_up.from_roles) if role in parts]
            if not below or not self.people.anyone_reports:
                continue
            deal, person, part = (np.concatenate(columns) for columns in zip(*below, strict=True))
            deal, manager, rolled = roll_up(self.people, place, deal, person, part, days[deal], entry_up.levels)
            source = Source(place, number, entry_up.to, rule.credit_class, rolled=True)
            split = np.full(deal.size, ROLLED_SPLIT + step)
            amount = limited(rolled, amounts[deal], entry_up.limit, plan.round_mode)
            found.append(_Found(source, deal, manager, split, rolled, amount))
        return found

    def match(self, plan: CompiledPlan, rule: CreditRule) -> Ints:
        """For each deal whether the rule gives credit: its condition is true, its credit date and amount are there."""
        days = self.world.column(rule.credit_date, "date")
        rows = FactRows(self.world, plan, None, None, days)
        priced = rows.column(rule.amount, "money") != MISSING_MONEY
        matched: Ints = rows.mask(rule.when) & (days != MISSING_DAY) & priced
        return matched

    def _with_role(self, role: str) -> Ints:
        """The team rows of a role."""
        if role not in self._rows:
            code = self.teams.role.vocabulary.index(role) if role in self.teams.role.vocabulary else None
            self._rows[role] = np.flatnonzero(self.teams.role.codes == code) if code is not None else _NONE
        return self._rows[role]


_NONE = np.zeros(0, dtype=np.int64)


def _in_order(plans: Sequence[CompiledPlan], world: World, people: People, found: list[_Found]) -> Credited:
    """The credits sorted by participant, plan, rule, role and then by the total order of credits."""
    sources = tuple(part.source for part in found)
    facts = world.facts
    roles = sorted({source.role for source in sources})
    classes = sorted({source.credit_class for source in sources})

    def joined(name: str) -> Ints:
        return np.concatenate((_NONE, *(getattr(part, name) for part in found)))

    deal, person, split = joined("deal"), joined("person"), joined("split")
    rule_of = np.array([source.rule for source in sources], dtype=np.int64)
    role_of = np.array([roles.index(source.role) for source in sources], dtype=np.int64)
    plan_of = np.array([source.plan for source in sources], dtype=np.int64)
    source = np.repeat(np.arange(len(found)), [part.deal.size for part in found])
    day = np.concatenate((_NONE, *(_days(plans, world, part) for part in found)))

    replicate = facts.replicate
    replicates = 1 if replicate is None or not replicate.size else int(replicate.max()) + 1
    first_day = int(day.min()) if day.size else 0
    when, moments = packed(
        (
            (np.zeros_like(deal) if replicate is None else replicate[deal], replicates),
            (day - first_day, int(day.max()) - first_day + 1 if day.size else 1),
            (_sequence(facts)[deal], max(facts.id.size, 1)),
            (split, int(split.max()) + 1 if split.size else 1),
            (rule_of[source], int(rule_of.max(initial=0)) + 1),
            (role_of[source], max(len(roles), 1)),
        )
    )
    family, families = packed(
        ((plan_of, len(plans) or 1), (rule_of, int(rule_of.max(initial=0)) + 1), (role_of, max(len(roles), 1)))
    )
    key, _ = packed(((person, max(people.ids.size, 1)), (family[source], families), (when, moments)))
    order = ascending(key)
    del key
    deal, person, source = deal[order], person[order], source[order]
    class_of = np.array([classes.index(each.credit_class) for each in sources], dtype=np.int32)
    kind_of = np.array([each.rolled for each in sources], dtype=np.int8)
    credits = Credits(
        fact=deal,
        participant=people.ids[person],
        plan=plan_of[source],
        rule=rule_of[source],
        role=Text(role_of.astype(np.int32)[source], tuple(roles)),
        credit_class=Text(class_of[source], tuple(classes)),
        kind=kind_of[source],
        split=split[order],
        day=day[order],
        pot=joined("pot")[order],
        amount=joined("amount")[order],
    )
    return Credited(
        credits=credits,
        sources=sources,
        source=source,
        world=world,
        people=people.ids,
        person=person,
        whole=np.concatenate((_NONE, *(_wholes(plans, world, part) for part in found)))[order],
        replicate=np.zeros_like(deal) if replicate is None else replicate[deal],
        when=when[order],
        moments=moments,
    )


def _rule(plans: Sequence[CompiledPlan], source: Source) -> CreditRule:
    return plans[source.plan].credit_rules[source.rule]


def _days(plans: Sequence[CompiledPlan], world: World, part: _Found) -> Ints:
    days: Ints = world.column(_rule(plans, part.source).credit_date, "date")[part.deal]
    return days


def _wholes(plans: Sequence[CompiledPlan], world: World, part: _Found) -> Ints:
    wholes: Ints = world.column(_rule(plans, part.source).amount, "money")[part.deal]
    return wholes


def _sequence(facts: Facts) -> Ints:
    """Each deal's place by event time, then by source and external id."""
    order = np.argsort(facts.event_time)
    times = facts.event_time[order]
    if (times[1:] == times[:-1]).any():
        order = np.lexsort((facts.rank, facts.event_time))
    places = np.empty_like(order)
    places[order] = np.arange(order.size)
    return places
