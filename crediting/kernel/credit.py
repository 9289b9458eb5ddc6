"""From facts to credits: match, split, hand on, roll up, order. See docs/algorithms/crediting.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

from crediting.kernel.columns import (
    DIRECT,
    MILLIONTHS,
    MISSING_DAY,
    MISSING_MONEY,
    ROLLED,
    ROLLED_SPLIT,
    TRANSFERRED,
    Assignments,
    Codes,
    Credits,
    Facts,
    Ints,
    Reporting,
    Teams,
    Text,
    Transfers,
    Waits,
)
from crediting.kernel.exact import ascending, codes, money, packed, run_starts, scaled, sorted_rows
from crediting.kernel.fields import FactRows, Mask, World
from crediting.kernel.people import People
from crediting.kernel.split import divide, limited, limited_parts, picked, roll_up
from crediting.kernel.teams import handed, with_teams_of_deals
from plans.rules.compiled import CompiledPlan, CountsFor, CreditRule, RoleShare, RollUp


@dataclass(frozen=True, slots=True)
class Source:
    """What gave a credit: a rule of a plan version, a role in it, and the way. `unit`: what its amount is counted in,
    minor units of the plan's currency or millionths of a unit. `counts_for`: the measure, what is paid, or both."""

    plan: int
    rule: int
    role: str
    credit_class: str
    rolled: bool
    unit: Literal["money", "units"]
    counts_for: CountsFor


@dataclass(frozen=True, slots=True)
class Credited:
    """The credits, and beside them what rating needs: `source` is each row's place in `sources`, `person` its place in
    `people` (ids ascending), `amounts` by source what its rule reads of each fact (in units: its quantity). `when`
    orders credits by replicate, credit date, event time, source and external id, split number and rule; it stays
    below `moments`. `waits`: the credits that cannot be given yet, None where there are none."""

    credits: Credits
    sources: tuple[Source, ...]
    source: Codes
    world: World
    people: Ints
    person: Ints
    amounts: tuple[Ints, ...]
    replicate: Ints
    when: Ints
    moments: int
    waits: Waits | None

    def whole(self, rows: Ints) -> Ints:
        """The whole amount of the fact of each of these credits."""
        found, fact, source = np.zeros(rows.size, dtype=np.int64), self.credits.fact[rows], self.source[rows]
        for place, amounts in enumerate(self.amounts):
            mine = source == place
            found[mine] = amounts[fact[mine]]
        return found


@dataclass(frozen=True, slots=True)
class _Rule:
    """A credit rule as one plan version states it, with what it reads of each fact. `waiting`: the facts without a rate
    of exchange, which stand here with an amount of 0, to find out whether anybody waits for their credit."""

    place: int
    number: int
    plan: CompiledPlan
    rule: CreditRule
    view: FactRows
    amounts: Ints
    days: Ints
    waiting: Mask | None

    def source(self, role: str, counts_for: CountsFor, *, rolled: bool) -> Source:
        return Source(self.place, self.number, role, self.rule.credit_class, rolled, self.rule.unit, counts_for)


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of one role: who stood there (`person`), and who has them now (`holder`), by their places."""

    role: str
    fact: Ints
    split: Ints
    pot: Ints
    part: Ints
    person: Ints
    holder: Ints
    moved: Mask | None  # None: nothing was handed on


@dataclass(frozen=True, slots=True)
class _Found:
    """Credits of one source, in no order yet."""

    rule: _Rule
    source: Source
    fact: Ints
    person: Ints
    split: Ints
    pot: Ints
    amount: Ints
    moved: Mask | None = None

    def rows(self, rows: Ints | Mask) -> _Found:
        pot = self.pot[rows]
        return replace(
            self,
            fact=self.fact[rows],
            person=self.person[rows],
            split=self.split[rows],
            pot=pot,
            # Where nobody shares, the pot is the part: one column, here and in the credits.
            amount=pot if self.amount is self.pot else self.amount[rows],
            moved=None if self.moved is None else self.moved[rows],
        )


def credit(
    plans: Sequence[CompiledPlan],
    world: World,
    teams: Teams,
    reporting: Reporting,
    assignments: Assignments,
    only: Ints | None,
    transfers: Transfers | None = None,
) -> Credited:
    """Every credit that the plans give for the facts (for `only` these participants), in canonical order."""
    people = People(assignments, reporting, len(plans), only)
    in_force = [place for place in range(len(plans)) if (assignments.plan == place).any()]
    finder = _Finder(plans, in_force, world, teams, transfers, people)
    found: list[_Found] = []
    waiting: list[_Found] = []
    for place in in_force:
        for rule in range(len(plans[place].credit_rules)):
            for credits in finder.credits(place, rule):
                waits = credits.rule.waiting
                if waits is not None:
                    waiting.append(credits.rows(waits[credits.fact]))
                    credits = credits.rows(~waits[credits.fact])
                if credits.fact.size:
                    found.append(credits)
    # What was only needed to find the credits makes room for their order.
    del finder
    return _in_order(plans, world, people, found, _waits(plans, people, world.facts, waiting))


class _Finder:
    def __init__(
        self,
        plans: Sequence[CompiledPlan],
        in_force: Sequence[int],
        world: World,
        teams: Teams,
        transfers: Transfers | None,
        people: People,
    ) -> None:
        self.plans = plans
        self.world = world
        self.people = people
        rules = [rule for place in in_force for rule in plans[place].credit_rules]
        wanted = np.zeros(world.size, dtype=bool)
        for kind in {rule.fact for rule in rules}:
            wanted |= world.of_kind(kind)
        self.teams = with_teams_of_deals(teams, world.facts, wanted)
        self.person = people.places(self.teams.participant)
        self.moved: Mask | None = None
        if transfers is not None and any(rule.on_transfer for rule in rules):
            holder, self.moved = handed(self.teams, world.facts, transfers)
            self.holder = people.places(holder)
        self._rows: dict[str, Ints] = {}
        self._views: dict[object, FactRows] = {}

    def credits(self, place: int, number: int) -> list[_Found]:
        """The credits that one rule gives to people assigned to its plan version; among them, with an amount of 0,
        those that wait."""
        rule, matched = self._read(place, number)
        parts = [self._parts(rule, entry, matched) for entry in rule.rule.credit]
        if rule.rule.limit is not None:
            parts = self._limited(rule, rule.rule.limit, parts)
        found: list[_Found] = []
        for each in parts:
            source = rule.source(each.role, rule.rule.counts_for(each.role), rolled=False)
            direct = _Found(rule, source, each.fact, each.holder, each.split, each.pot, each.part, each.moved)
            own = self.people.credited(place, each.holder, rule.days[each.fact])
            found.append(self._received(direct.rows(own)))
        for step, entry in enumerate(rule.rule.roll_up):
            below = [each for role in dict.fromkeys(entry.from_roles) for each in parts if each.role == role]
            if below and self.people.anyone_reports:
                found.append(self._received(self._rolled(rule, step, entry, below)))
        return found

    def _read(self, place: int, number: int) -> tuple[_Rule, Mask]:
        """A rule, and for each fact whether it gives credit: of its kind, with its condition true, its credit date and
        amount there. A fact without a rate matches where it would for some amount."""
        plan = self.plans[place]
        rule = plan.credit_rules[number]
        days = self._days(plan, rule.credit_date)
        view = self._view(plan, rule.credit_date, days)
        if rule.amount == "one":
            amounts = np.broadcast_to(np.int64(MILLIONTHS), days.shape)
        else:
            amounts = view.column(rule.amount, "money" if rule.unit == "money" else "number")
        dated, priced = days != MISSING_DAY, amounts != MISSING_MONEY
        waiting = view.unpriced()
        if waiting is not None:
            waiting = waiting & dated
            if rule.amount.startswith("computed."):
                unknown = view.unknown(rule.amount, "money" if rule.unit == "money" else "number")
                priced = priced if unknown is None else priced | unknown
            elif rule.unit == "money":
                priced = self.world.column(rule.amount, "money") != MISSING_MONEY
            amounts = np.where(waiting, 0, amounts)
        matched = view.may_hold(rule.when) & dated & priced
        if self.world.facts.kind is not None or rule.fact != "deal":
            matched &= self.world.of_kind(rule.fact)
        return _Rule(place, number, plan, rule, view, amounts, days, waiting), matched

    def _days(self, plan: CompiledPlan, field: str) -> Ints:
        """Each fact's credit date. One that is computed cannot depend on a conversion at that same date: to it money in
        another currency is missing."""
        if not field.startswith("computed."):
            found: Ints = self.world.column(field, "date")
            return found
        dateless = FactRows(self.world, plan, None, None, np.full(self.world.size, MISSING_DAY))
        computed: Ints = dateless.column(field, "date")
        return computed

    def _view(self, plan: CompiledPlan, dated: str, days: Ints) -> FactRows:
        """All facts as plan versions of one currency, that convert alike, round alike and compute alike, read them."""
        key = (plan.currency, plan.currencies is None, plan.minor_digits, plan.round_mode, plan.computed, dated)
        if key not in self._views:
            self._views[key] = FactRows(self.world, plan, None, None, days)
        return self._views[key]

    def _parts(self, rule: _Rule, entry: RoleShare, matched: Mask) -> _Parts:
        """A role's pots, divided between everybody who stands in it."""
        rows = self._with_role(entry.role)
        rows = rows[matched[self.teams.fact[rows]]]
        mode, what = rule.plan.round_mode, f"The {rule.rule.amount} of a {rule.rule.fact}"
        if entry.by is None:
            pot = scaled(money(rule.amounts[self.teams.fact[rows]], what), entry.share, mode)
        else:
            shared, place, shares = picked(entry.by, rule.view.column(entry.by.field, "text"), self.teams.fact[rows])
            rows = rows[shared]
            whole = money(rule.amounts[self.teams.fact[rows]], what)
            pot = np.zeros_like(whole)
            for number, share in enumerate(shares):
                mine = place == number
                pot[mine] = money(scaled(whole[mine], share, mode), "A pot")
        fact, place = self.teams.fact[rows], self.teams.place[rows]
        pot = money(pot, "A pot")
        part = pot
        if entry.split != "each":
            weight = self.teams.weight[rows] if entry.split == "weights" else np.ones_like(fact)
            part = divide(pot, fact, weight, place, self.world.size)
        person = holder = self.person[rows]
        moved = None
        if self.moved is not None and rule.rule.on_transfer is not None:
            holder, moved = self.holder[rows], self.moved[rows]
        return _Parts(entry.role, fact, place, pot, part, person, holder, moved)

    def _limited(self, rule: _Rule, limit: Fraction, parts: list[_Parts]) -> list[_Parts]:
        """The parts within the rule's limit."""
        fact = np.concatenate([each.fact for each in parts])
        sizes = [each.fact.size for each in parts]
        cut = limited_parts(
            fact,
            np.repeat(np.arange(len(parts)), sizes),
            np.concatenate([each.split for each in parts]),
            np.concatenate([each.part for each in parts]),
            rule.amounts[fact],
            limit,
            rule.plan.round_mode,
        )
        pieces = np.split(cut, np.cumsum(sizes)[:-1])
        return [replace(each, part=piece) for each, piece in zip(parts, pieces, strict=True)]

    def _rolled(self, rule: _Rule, step: int, entry: RollUp, below: list[_Parts]) -> _Found:
        """What the parts of the roles below come to at each manager."""
        follows = rule.rule.on_transfer == "follows"
        fact = np.concatenate([each.fact for each in below])
        person = np.concatenate([each.holder if follows else each.person for each in below])
        part = np.concatenate([each.part for each in below])
        fact, manager, rolled = roll_up(self.people, rule.place, fact, person, part, rule.days[fact], entry.levels)
        amount = limited(rolled, rule.amounts[fact], entry.limit, rule.plan.round_mode)
        split = np.full(fact.size, ROLLED_SPLIT + step)
        source = rule.source(entry.to, rule.rule.rolled_for(step), rolled=True)
        return _Found(rule, source, fact, manager, split, rolled, amount)

    def _received(self, found: _Found) -> _Found:
        """Those whose receivers may have them: employed where the plan asks for it, and eligible on the credit date."""
        plan, rule = found.rule.plan, found.rule.rule
        employment = plan.employment
        if employment is not None and "none" in (employment.credits_after, employment.credits_on_leave):
            careers, person = self.world.careers, self.people.ids[found.person]
            day = found.rule.days[found.fact]
            stays = np.ones(day.size, dtype=bool)
            if employment.credits_after == "none":
                stays &= careers.employed(person, day)
            if employment.credits_on_leave == "none":
                stays &= ~careers.on_leave(person, day)
            found = found.rows(stays)
        if rule.eligible is not None:
            person, day = self.people.ids[found.person], found.rule.days[found.fact]
            found = found.rows(FactRows(self.world, plan, found.fact, person, day).may_hold(rule.eligible))
        return found

    def _with_role(self, role: str) -> Ints:
        """The team rows of a role."""
        if role not in self._rows:
            code = self.teams.role.vocabulary.index(role) if role in self.teams.role.vocabulary else None
            self._rows[role] = np.flatnonzero(self.teams.role.codes == code) if code is not None else _NONE
        return self._rows[role]


_NONE = np.zeros(0, dtype=np.int64)


def _waits(plans: Sequence[CompiledPlan], people: People, facts: Facts, waiting: list[_Found]) -> Waits | None:
    """The credits that wait, in the order of `Waits`."""
    waiting = [each for each in waiting if each.fact.size]
    if not waiting or facts.currency is None:
        return None
    sizes = [each.fact.size for each in waiting]
    roles = tuple(sorted({each.source.role for each in waiting}))

    def joined(column: Callable[[_Found], Ints]) -> Ints:
        return np.concatenate([column(each) for each in waiting])

    def alike(value: Callable[[_Found], int]) -> Ints:
        return np.repeat(np.array([value(each) for each in waiting], dtype=np.int64), sizes)

    fact, person = joined(lambda each: each.fact), joined(lambda each: each.person)
    split = joined(lambda each: each.split)
    plan, rule = alike(lambda each: each.source.plan), alike(lambda each: each.source.rule)
    role = alike(lambda each: roles.index(each.source.role))
    day = joined(lambda each: each.rule.days[each.fact])
    currency = joined(lambda each: each.rule.view.unreached().codes[each.fact].astype(np.int64))
    replicate = np.zeros_like(fact) if facts.replicate is None else facts.replicate[fact]
    order = np.lexsort((split, role, person, fact, _sequence(facts)[fact], replicate, rule, plan))
    converts = np.array([each.currencies is not None for each in plans], dtype=np.int32)
    return Waits(
        fact=fact[order],
        participant=people.ids[person[order]],
        plan=plan[order],
        rule=rule[order],
        role=Text(role[order].astype(np.int32), roles),
        split=split[order],
        day=day[order],
        reason=Text(converts[plan[order]], ("currency", "rate")),
        currency=Text(currency[order].astype(np.int32), facts.currency.vocabulary),
    )


def _in_order(
    plans: Sequence[CompiledPlan], world: World, people: People, found: list[_Found], waits: Waits | None
) -> Credited:
    """The credits sorted by participant, plan, rule, role and then by the total order of credits."""
    facts = world.facts
    sources = tuple(part.source for part in found)
    roles = sorted({source.role for source in sources})
    classes = sorted({source.credit_class for source in sources})

    def joined(column: Callable[[_Found], Ints]) -> Ints:
        return np.concatenate((_NONE, *(column(part) for part in found)))

    fact = joined(lambda part: part.fact)
    person, split = joined(lambda part: part.person), joined(lambda part: part.split)
    rule_of = codes([source.rule for source in sources])
    role_of = codes([roles.index(source.role) for source in sources])
    plan_of = codes([source.plan for source in sources])
    source = np.repeat(codes(range(len(found))), [part.fact.size for part in found])
    day = joined(lambda part: part.rule.days[part.fact])

    # One zero that stands for every row, where there are no replicates.
    replicate = np.broadcast_to(np.int64(0), fact.size) if facts.replicate is None else facts.replicate[fact]
    replicates = int(replicate.max(initial=0)) + 1
    first_day = int(day.min()) if day.size else 0
    when, moments = packed(
        (
            (replicate, replicates),
            (day - first_day, int(day.max()) - first_day + 1 if day.size else 1),
            (_sequence(facts)[fact], max(facts.id.size, 1)),
            (split, int(split.max()) + 1 if split.size else 1),
            (rule_of[source], int(rule_of.max(initial=0)) + 1),
        )
    )
    family, families = packed(
        ((plan_of, len(plans) or 1), (rule_of, int(rule_of.max(initial=0)) + 1), (role_of, max(len(roles), 1)))
    )
    key, _ = packed(((person, max(people.ids.size, 1)), (family[source], families), (when, moments)))
    order = ascending(key)
    del key
    fact, person, source = fact[order], person[order], source[order]
    class_of = np.array([classes.index(each.credit_class) for each in sources], dtype=np.int32)
    kind = np.array([ROLLED if each.rolled else DIRECT for each in sources], dtype=np.int8)[source]
    if any(part.moved is not None for part in found):
        moved = np.concatenate(
            [np.zeros(part.fact.size, dtype=bool) if part.moved is None else part.moved for part in found]
        )
        kind[moved[order]] = TRANSFERRED
    held = None
    if any(part.rule.rule.hold is not None for part in found):
        held = np.concatenate([_held(part) for part in found])[order]
    pot = amount = joined(lambda part: part.pot)[order]
    if any(part.amount is not part.pot for part in found):
        amount = joined(lambda part: part.amount)[order]
    credits = Credits(
        fact=fact,
        participant=people.ids[person],
        plan=plan_of[source],
        rule=rule_of[source],
        role=Text(role_of.astype(np.int32)[source], tuple(roles)),
        credit_class=Text(class_of[source], tuple(classes)),
        kind=kind,
        split=split[order],
        day=day[order],
        pot=pot,
        amount=amount,
        held=held,
        exchange=None if facts.currency is None else joined(_rates)[order],
    )
    return Credited(
        credits=credits,
        sources=sources,
        source=source,
        world=world,
        people=people.ids,
        person=person,
        amounts=tuple(part.rule.amounts for part in found),
        replicate=replicate if facts.replicate is None else replicate[order],
        when=when[order],
        moments=moments,
        waits=waits,
    )


def _held(part: _Found) -> npt.NDArray[np.int8]:
    """1 for the credits that the rule's hold takes in."""
    hold = part.rule.rule.hold
    if hold is None:
        return np.zeros(part.fact.size, dtype=np.int8)
    return part.rule.view.mask(hold)[part.fact].astype(np.int8)


def _rates(part: _Found) -> Ints:
    """The row of `Exchange` at which each credit's fact was converted, -1 where it did not have to be."""
    rate = part.rule.view.rate()
    return np.full(part.fact.size, -1) if rate is None else np.maximum(rate[part.fact], -1)


def _sequence(facts: Facts) -> Ints:
    """Each fact's place by event time, then by source and external id; facts that are alike in all three share one."""
    order = sorted_rows(facts.event_time)
    times = facts.event_time[order]
    new = np.ones(order.size, dtype=bool)
    new[1:] = times[1:] != times[:-1]
    # Few are of one time, and only among those the rest decides.
    tied = np.flatnonzero(~(new & np.append(new[1:], True)))
    if tied.size:
        rows = order[tied]
        rows = order[tied] = rows[np.lexsort((facts.rank[rows], times[tied]))]
        new[tied[run_starts(times[tied], facts.rank[rows])]] = True
    places = np.empty_like(order)
    places[order] = np.cumsum(new) - 1
    return places
