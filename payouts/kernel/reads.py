"""What components read of each other: the figures of what is finished, and gates, columns and factors by them.

A figure is a ratio in the unit of what is read: minor units of money, whole units of everything else (never
millionths). Beside it stands a mask of where there is none. See docs/algorithms/measures.md.

`person` is always a place in the ids that the ledger was made with, `day` the reading line's own day, and `when` its
place in the order of credits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from crediting.kernel.conditions import Mask
from crediting.kernel.exact import Whole, largest, run_starts, wide
from crediting.kernel.ratios import Ratios, choose
from payouts.kernel.batch import FAR_DAY, MILLIONTHS, MISSING_DAY, MISSING_MONEY, Groups, Ints, Lines, Tranches
from payouts.kernel.curves import column_of, evaluate
from payouts.kernel.order import Version
from payouts.kernel.spans import inside
from plans.rules.compiled import Columns, CompiledPlan, Component, Every, Gate, Modifier, OwnPeriods, Read

#: Measures that divide, so that one without a denominator has no value.
DIVIDED = ("share", "average", "days")
_EVERY: tuple[Every, ...] = ("month", "quarter", "half", "year")  # the shortest first


def cadence(component: Component) -> Every:
    """By which periods the component's groups are numbered: year-to-date by credit has a group a fiscal year."""
    yearly = component.measure.window == "year_to_date" and component.measure.by == "credit"
    return "year" if yearly else component.every


class _Chosen:
    """Of the periods that hold a day, the one that is read: the first of the calendar that is offered, else of the
    plan's own the one that begins first, of these the one that ends first."""

    def __init__(self, days: int) -> None:
        self.found = np.zeros(days, dtype=bool)
        self._own = np.zeros(days, dtype=bool)
        self._start, self.end = np.zeros(days, dtype=np.int64), np.zeros(days, dtype=np.int64)

    def take(self, every: Every, held: Mask, start: Ints, end: Ints) -> Mask:
        """Which days of those that are held by periods from `start` to `end` these are now chosen for."""
        sooner = (start < self._start) | ((start == self._start) & (end < self.end))
        taken: Mask = held & (~self.found | (self._own & sooner))
        self.found |= taken
        self._own |= taken & isinstance(every, OwnPeriods)
        self._start[taken], self.end[taken] = start[taken], end[taken]
        return taken


def _by_length(cadences: set[Every]) -> list[Every]:
    """The shortest of the calendar first, then the plan's own."""
    own = (each for each in cadences if isinstance(each, OwnPeriods))
    return [*(each for each in _EVERY if each in cadences), *sorted(own, key=lambda each: (each.spans, each.name))]


def unit_size(component: Component) -> int:
    """How many of what is counted in int64 (minor units, millionths) are one of the measure's unit."""
    return 1 if component.measure.unit == "money" else MILLIONTHS


def taken(values: Ratios, rows: Ints | slice) -> Ratios:
    """The values at these rows, each with a numerator and a denominator of its own."""
    top, bottom = np.broadcast_arrays(values.top, values.bottom)
    return Ratios(top[rows], bottom[rows])


def tally(values: Whole, place: Ints, places: int) -> Whole:
    """The sum of the values at each place."""
    values = wide(values, largest(values) * values.size)
    found = np.zeros(places, dtype=values.dtype)
    np.add.at(found, place, values)
    return found


@dataclass(frozen=True, slots=True)
class Earned:
    """What people earned of a component, or what was released to them: one row a line or tranche."""

    person: Ints
    replicate: Ints
    day: Ints
    amount: Ints


class Ledger:
    """The components that are finished. `people` are all ids, ascending."""

    def __init__(self, plans: Sequence[CompiledPlan], periods: Mapping[Every, Ints], people: Ints) -> None:
        self._plans = plans
        self._periods = periods
        self._people = people
        self._books: dict[tuple[str, str], _Book] = {}

    def add(
        self,
        versions: tuple[Version, ...],
        groups: Groups,
        lines: Lines,
        tranches: Tranches,
        *,
        day: Ints,
        when: Ints | None,
        quota: Ints | None = None,
        first_group: int = 0,
        first_line: int = 0,
    ) -> None:
        """Takes in a component: all its groups, lines and tranches, which count groups and lines from `first_group` and
        `first_line`. `day` and `quota` are those of each line (quota None: its group's), `when` its place in the order
        of credits (None: it has no lines of credits)."""
        person = np.searchsorted(self._people, groups.participant)
        key = (versions[0].plan.key, versions[0].component.key)
        self._books[key] = _Book(
            self._periods,
            versions,
            self._people.size,
            person,
            groups,
            lines,
            tranches,
            line_group=lines.group - first_group,
            tranche_line=tranches.line - first_line,
            day=day,
            when=when,
            quota=quota,
        )

    def final(self, read: Read, person: Ints, replicate: Ints, day: Ints) -> tuple[Ratios, Mask]:
        """The figure in X's period that holds the day, as it stands in the end, and where there is none."""
        book = self._books.get((read.plan, read.component))
        if book is None:
            return _nothing(day.size)
        return _at(*book.figure(read.value), book.places(person, replicate, day))

    def running(self, read: Read, person: Ints, replicate: Ints, day: Ints, when: Ints) -> tuple[Ratios, Mask]:
        """The measure or attainment after X's last line in that period that does not come after `when`: 0 where all
        come after, and none where X has no group."""
        book = self._books.get((read.plan, read.component))
        if book is None:
            return _nothing(day.size)
        place = book.places(person, replicate, day)
        row = book.line_before(place, when)
        value, unsaid = _at(*book.along(read.value), row)
        nowhere = _at(*book.figure(read.value), place)[1]
        return value, np.where(row >= 0, unsaid, nowhere)

    def met(self, gate: Gate, person: Ints, replicate: Ints, day: Ints, when: Ints | None = None) -> Mask:
        """Whether the gate is met: the figure is there and at least what is asked. `when` is needed by a running
        one."""
        if gate.read_at == "final":
            value, missing = self.final(gate.read, person, replicate, day)
        else:
            assert when is not None
            value, missing = self.running(gate.read, person, replicate, day, when)
        met: Mask = ~missing & (value.compare(Ratios.constant(gate.at_least)) >= 0)
        return met

    def met_day(self, gate: Gate, person: Ints, replicate: Ints, day: Ints) -> Ints:
        """The credit date of the line with which X first reached what the gate asks in its period, MISSING_DAY where it
        never did; the line's own day where nothing is asked (0 or below)."""
        if gate.at_least <= 0:
            return day
        book = self._books.get((gate.read.plan, gate.read.component))
        if book is None:
            return np.full(day.size, MISSING_DAY, dtype=np.int64)
        place = book.places(person, replicate, day)
        days = np.append(book.first_reached(gate), MISSING_DAY)
        found: Ints = days[place]
        return found

    def known_day(self, read: Read, day: Ints) -> Ints:
        """The last day of X's period that holds the day: before it no final figure is known."""
        cadences = {
            cadence(component)
            for plan in self._plans
            for component in plan.components
            if (plan.key, component.key) == (read.plan, read.component)
        }
        chosen = _Chosen(day.size)
        for every in _by_length(cadences):
            bounds = self._periods[every]
            behind = np.minimum(np.searchsorted(bounds, day, side="right"), bounds.size - 1)
            chosen.take(every, inside(every, day), bounds[behind - 1], bounds[behind])
        return np.where(chosen.found, chosen.end - 1, day)

    def column(self, columns: Columns, person: Ints, replicate: Ints, day: Ints) -> Ints:
        """The column of a matrix that holds the final figure, the first where there is none."""
        return column_of(columns, *self.final(columns.read, person, replicate, day))

    def factor(self, modifier: Modifier, person: Ints, replicate: Ints, day: Ints) -> Ratios:
        """The factor that a read modifier gives each line, 1 where nothing is read."""
        assert modifier.read is not None and modifier.curve is not None
        value, missing = self.final(modifier.read, person, replicate, day)
        return choose(missing, Ratios.constant(1), evaluate(modifier.curve, value, missing))

    def has_results(self, plan: str, component: str) -> tuple[Ints, Ints, Ints, Ints]:
        """Whose results there are: person, replicate, and the first day of the period and the first after it."""
        book = self._books.get((plan, component))
        if book is None:
            none = np.zeros(0, dtype=np.int64)
            return none, none, none, none
        _, missing = book.figure("result")
        there = ~missing
        return book.person[there], book.replicate[there], book.start_day[there], book.end_day[there]

    def earned(self, what: str, plan: str, component: str) -> Earned | None:
        """The rows of `reads`: each line with what it earned and its day, or each tranche that has a release day, with
        that day."""
        book = self._books.get((plan, component))
        return None if book is None else book.earned(what)


class _Book:
    """One finished component. Its places are its groups by person, replicate and period: where a new version restarts
    it in mid-period the stretches are one place, of which the last says the measure and all of them the earnings."""

    def __init__(
        self,
        periods: Mapping[Every, Ints],
        versions: tuple[Version, ...],
        people: int,
        person: Ints,
        groups: Groups,
        lines: Lines,
        tranches: Tranches,
        *,
        line_group: Ints,
        tranche_line: Ints,
        day: Ints,
        when: Ints | None,
        quota: Ints | None,
    ) -> None:
        self._lines, self._tranches = lines, tranches
        self._tranche_line, self._day = tranche_line, day
        by_plan = {version.plan_place: version for version in versions}
        components = [by_plan[plan].component for plan in np.unique(groups.plan).tolist()]
        self._of = np.searchsorted(np.unique(groups.plan), groups.plan)
        self._unit = np.array([unit_size(each) for each in components], dtype=np.int64)
        self._divided = np.array([each.measure.value in DIVIDED for each in components], dtype=bool)
        # A result in money is kept in minor units, and read in whole ones.
        self._whole = np.array([_whole(by_plan[plan]) for plan in np.unique(groups.plan).tolist()], dtype=np.int64)
        start, end, length = (np.empty_like(groups.period) for _ in range(3))
        every = _by_length({cadence(each) for each in components})
        for place, component in enumerate(components):
            mine = self._of == place
            bounds = periods[cadence(component)]
            start[mine], end[mine] = bounds[groups.period[mine]], bounds[groups.period[mine] + 1]
            length[mine] = every.index(cadence(component))
        order = np.lexsort((np.arange(person.size), length, start, groups.replicate, person))
        heads = run_starts(person[order], groups.replicate[order], start[order], length[order])
        self._last = order[np.append(heads[1:], order.size) - 1] if order.size else order
        self._place_of = np.empty(order.size, dtype=np.int64)
        self._place_of[order] = np.repeat(np.arange(heads.size), np.diff(heads, append=order.size))
        self.person, self.replicate = person[self._last], groups.replicate[self._last]
        self.start_day, self.end_day = start[self._last], end[self._last]
        self._cadences: list[tuple[Every, Ints, Ints, Ints]] = []
        for rank in np.unique(length).tolist():
            mine = np.flatnonzero(length[self._last] == rank)
            bounds = periods[every[rank]]
            keys = _key(bounds, people, self.person[mine], self.replicate[mine], self.start_day[mine])
            by_key = np.argsort(keys)
            self._cadences.append((every[rank], bounds, keys[by_key], mine[by_key]))
        self._people = people
        self._groups = groups
        self._line_place = self._place_of[line_group]
        self._line_quota = quota if quota is not None else groups.quota[line_group]
        self._line_unit = self._unit[self._of[line_group]]
        self._when = when
        self._figures: dict[str, tuple[Ratios, Mask]] = {}
        self._sequence: tuple[Ints, Ints, Ints] | None = None

    def places(self, person: Ints, replicate: Ints, day: Ints) -> Ints:
        """The place of each person's group whose period holds the day, -1 where there is none; the shorter period
        where versions measure by different ones."""
        found, chosen = np.full(day.size, -1, dtype=np.int64), _Chosen(day.size)
        for every, bounds, keys, places in self._cadences:
            wanted = _key(bounds, self._people, person, replicate, day)
            at = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
            held, place = (keys[at] == wanted) & inside(every, day), places[at]
            held = chosen.take(every, held, self.start_day[place], self.end_day[place])
            found[held] = place[held]
        return found

    def figure(self, value: str) -> tuple[Ratios, Mask]:
        """The figure of each place, and where there is none."""
        if value not in self._figures:
            self._figures[value] = self._figure(value)
        return self._figures[value]

    def _figure(self, value: str) -> tuple[Ratios, Mask]:
        last, groups = self._last, self._groups
        none = np.zeros(last.size, dtype=bool)
        if value == "result":
            if groups.result_top is None or groups.result_bottom is None:
                return _nothing(last.size)
            missing: Mask = groups.result_bottom[last] == 0
            top = np.where(missing, 0, groups.result_top[last])
            found = Ratios(top, _one(missing, groups.result_bottom[last]))
            whole = self._whole[self._of[last]]
            return (found if (whole == 1).all() else found.divide(Ratios.of(whole))), missing
        if value in ("earning", "earning_before_cap"):
            amount = self._lines.earned if value == "earning" else self._lines.rounded
            return Ratios.of(tally(amount, self._line_place, last.size)), none
        if value == "released":
            dated = self._tranches.release_day != MISSING_DAY
            owner = self._line_place[self._tranche_line[dated]]
            return Ratios.of(tally(self._tranches.amount[dated], owner, last.size)), none
        measure, missing = self._measure()
        if value == "measure":
            return measure, missing
        quota = groups.quota[last]
        missing = missing | (quota == MISSING_MONEY) | (quota == 0)
        share = Ratios(_one(missing, quota), self._unit[self._of[last]])
        return choose(missing, Ratios.constant(0), measure.divide(share)), missing

    def _measure(self) -> tuple[Ratios, Mask]:
        last, groups = self._last, self._groups
        of = self._of[last]
        whole = Ratios(groups.total[last], self._unit[of])
        if groups.value_top is None or groups.value_bottom is None:
            return whole, np.zeros(last.size, dtype=bool)
        top, bottom = groups.value_top[last], groups.value_bottom[last]
        exact: Mask = bottom != 0
        return choose(exact, Ratios(top, _one(~exact, bottom)), whole), self._divided[of] & ~exact

    def along(self, value: str) -> tuple[Ratios, Mask]:
        """The running figure after each line."""
        after, unit = self._lines.after, self._line_unit
        none = np.zeros(after.size, dtype=bool)
        if value == "measure":
            return Ratios(after, unit), none
        missing: Mask = (self._line_quota == MISSING_MONEY) | (self._line_quota == 0)
        return Ratios(np.where(missing, 0, after), _one(missing, self._line_quota)), missing

    def line_before(self, place: Ints, when: Ints) -> Ints:
        """The last line at each place that does not come after `when`, -1 where there is none."""
        assert self._when is not None
        if self._sequence is None:
            moments = np.unique(self._when)
            key = self._line_place * (moments.size + 1) + np.searchsorted(moments, self._when, side="right")
            order = np.argsort(key, kind="stable")
            self._sequence = moments, key[order], order
        moments, keys, order = self._sequence
        wanted = place * (moments.size + 1) + np.searchsorted(moments, when, side="right")
        at = np.searchsorted(keys, wanted, side="right") - 1
        row = order[np.maximum(at, 0)]
        return np.where((at >= 0) & (place >= 0) & (self._line_place[row] == place), row, -1)

    def first_reached(self, gate: Gate) -> Ints:
        """For each place the day of the first line with which the running figure was at least what the gate asks."""
        value, missing = self.along(gate.read.value)
        reached = ~missing & (value.compare(Ratios.constant(gate.at_least)) >= 0)
        days = np.full(self._last.size, FAR_DAY, dtype=np.int64)
        np.minimum.at(days, self._line_place[reached], self._day[reached])
        days[days == FAR_DAY] = MISSING_DAY
        return days

    def earned(self, what: str) -> Earned:
        if what == "earning":
            line, day, amount = np.arange(self._day.size), self._day, self._lines.earned
        else:
            dated = np.flatnonzero(self._tranches.release_day != MISSING_DAY)
            line, amount = self._tranche_line[dated], self._tranches.amount[dated]
            day = self._tranches.release_day[dated]
        place = self._line_place[line]
        return Earned(self.person[place], self.replicate[place], day, amount)


def _key(bounds: Ints, people: int, person: Ints, replicate: Ints, day: Ints) -> Ints:
    key: Ints = (replicate * people + person) * (bounds.size + 1) + np.searchsorted(bounds, day, side="right")
    return key


def _one(missing: Mask, values: Whole) -> Whole:
    """Denominators, with 1 where there is nothing to divide."""
    return np.where(missing, 1, values)


def _at(values: Ratios, missing: Mask, place: Ints) -> tuple[Ratios, Mask]:
    """The values at these places, none for place -1."""
    if not missing.size:
        return _nothing(place.size)
    absent: Mask = (place < 0) | missing[place]
    found = taken(Ratios(*np.broadcast_arrays(values.top, values.bottom, missing)[:2]), np.maximum(place, 0))
    return Ratios(np.where(absent, 0, found.top), np.where(absent, 1, found.bottom)), absent


def _whole(version: Version) -> int:
    """How much of what a result is kept in is one of what is read."""
    curve = version.component.curve
    in_money = version.component.kind == "result" and curve is not None and curve.pays == "amount"
    return 10**version.plan.minor_digits if in_money else 1


def _nothing(rows: int) -> tuple[Ratios, Mask]:
    return Ratios(np.zeros(rows, dtype=np.int64), np.ones(rows, dtype=np.int64)), np.ones(rows, dtype=bool)
