"""Lines of periods: one a participant and period, with the value of its window. See docs/algorithms/measures.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from crediting.kernel.conditions import Mask
from crediting.kernel.credit import Credited
from crediting.kernel.exact import Whole, packed, ranked, run_starts
from crediting.kernel.fields import FactRows
from crediting.kernel.people import People
from crediting.kernel.ratios import Ratios, choose
from payouts.kernel.batch import MILLIONTHS, Batch, Ints
from payouts.kernel.groups import periods_of
from payouts.kernel.openings import ADDED, Opened, check_single
from payouts.kernel.order import Version
from payouts.kernel.quotas import QuotaBook
from payouts.kernel.reads import Ledger, taken, unit_size
from payouts.kernel.sequence import last_key
from payouts.kernel.shared import pool_parts, prizes, readers, score
from payouts.kernel.spans import inside
from payouts.kernel.values import cells_of, value_of
from payouts.kernel.windows import Cells, added_up, combined, matches, stepped, windows
from plans.rules.compiled import CompiledPlan

#: No calendar has so many periods.
_PERIODS = 10**6

#: Which version states the terms of people whom overrides concern: from places in `versions`, participant ids and days
#: to places in `versions`.
Variant = Callable[[Ints, Ints, Ints], Ints]


@dataclass(frozen=True, slots=True)
class PeriodSeries:
    """The period lines of one component, by participant, replicate and period: one row each, a group of its own.

    `value` is exact, in minor units of money or whole units of everything else (never millionths); 0 where it `waits`:
    there was nothing to divide by, or a part of a scorecard is missing. Of a scorecard it is the score, by which the
    incentive is multiplied. `fixed_earning` is what a line of a pool or rank earns, in minor units; None for all other
    kinds, which earn by their curve.
    """

    versions: tuple[Version, ...]
    version: Ints  # a place in `versions`
    person: Ints  # a place in the people of the credits
    replicate: Ints
    period: Ints  # in Batch.periods of the version's `every`
    person_day: Ints  # the last day assigned in the period: attributes, eligibility, reporting
    day: Ints  # the line's own: the last of the period
    value: Ratios
    waits: Mask
    fixed_earning: Ratios | None = None
    parts: Ints | None = None  # how many parts the value was added up from, 0 where it was not
    opening: Ints | None = None  # row in Openings, -1 for none; None: for all


@dataclass(frozen=True, slots=True)
class _Standing:
    """Who may have a line: assigned by the version on the last day assigned in the period."""

    person: Ints
    period: Ints
    day: Ints
    version: Ints

    def at(self, rows: Ints | Mask) -> _Standing:
        return _Standing(self.person[rows], self.period[rows], self.day[rows], self.version[rows])


@dataclass(frozen=True, slots=True)
class _Lines:
    """Lines of one version, in no order yet."""

    standing: _Standing
    replicate: Ints
    value: Ratios
    waits: Mask
    fixed: Ints | None = None
    parts: Whole | None = None
    opening: Ints | None = None


def looks_at_others(plans: Sequence[CompiledPlan]) -> bool:
    """Whether what the plans pay a person may depend on other people: then everybody is worked out, whoever is asked
    for."""
    return any(
        component.measure.of != "own"
        or component.pool is not None
        or component.rank is not None
        or component.budget is not None
        or (component.reads is not None and component.reads.of != "self")
        for plan in plans
        for component in plan.components
    )


def period_lines(
    batch: Batch,
    credited: Credited,
    ledger: Ledger,
    quotas: QuotaBook,
    versions: tuple[Version, ...],
    variant: Variant | None = None,
    opened: Opened | None = None,
) -> PeriodSeries | None:
    """The lines of one component's versions that measure by period, None where there are none. An opening is the line
    of its person and period, and counts where the credits would that it stands for.

    `credited` holds the credits of everybody whom anybody's value depends on, and `ledger` all components that these
    versions read. The lines of everybody are returned: whoever is not asked for is left out in the end.
    """
    scene = _Scene(batch, credited, ledger, quotas, versions, variant, opened)
    found: list[_Lines] = []
    met: set[int] = set()
    for place, version in enumerate(versions):
        if version.component.measure.by == "period" and version.plan_place not in met:
            met.add(version.plan_place)
            lines = scene.lines(place, version)
            if lines is not None and lines.replicate.size:
                found.append(lines)
    if opened is not None:
        found.append(scene.openings(opened))
    if not found:
        return None
    return _in_order(batch, versions, found)


class _Scene:
    """What the lines of one component are worked out from."""

    def __init__(
        self,
        batch: Batch,
        credited: Credited,
        ledger: Ledger,
        quotas: QuotaBook,
        versions: tuple[Version, ...],
        variant: Variant | None,
        opened: Opened | None,
    ) -> None:
        self.opened = opened
        self.batch, self.credited, self.ledger, self.quotas = batch, credited, ledger, quotas
        self.versions, self.variant = versions, variant
        self.people = People(batch.assignments, batch.reporting, len(batch.plans), None)
        self.careers = credited.world.careers

    def lines(self, place: int, version: Version) -> _Lines | None:
        if version.component.scorecard is not None:
            return self._scorecard(place, version)
        rows = self._earned(version) if version.component.reads is not None else self._credits(version)
        if rows is None:
            return None
        owner, replicate, period, cells = rows
        bounds, measure = self.batch.periods[version.component.every], version.component.measure
        replicates, periods = int(replicate.max()) + 1, bounds.size

        # First what each period brings to each owner, then what each window does.
        key, cells = combined((owner * replicates + replicate) * periods + period, cells)
        period = key % periods
        row, target = windows(measure, bounds, self.batch.periods["year"], period)
        key, cells = combined(key[row] - period[row] + target, cells.at(row))
        if cells.part is not None:
            key, cells = added_up(key, cells)
        owner, replicate, period = key // periods // replicates, key // periods % replicates, key % periods

        standing = self._standing(place, version, bounds, int(period.min()), int(period.max()))
        share = self._owners(version, standing)
        if version.component.reads is not None:
            of = (standing.person, standing.period, standing.day)
            left, right = readers(version.component.reads, self.people, self.credited.world, (owner, period), of)
        else:
            left, right = matches(owner * periods + period, share * periods + standing.period)
        key, cells = combined(right * replicates + replicate[left], cells.at(left))
        which, replicate = key // replicates, key % replicates
        value, waits = value_of(version.component, cells)
        parts = cells.bottom if version.component.measure.per else None
        found = _Lines(standing.at(which), replicate, value, waits, parts=parts)
        if version.component.pool is None:
            return found
        return self._pool(version, found, share[which], bounds)

    def _credits(self, version: Version) -> tuple[Ints, Ints, Ints, Cells] | None:
        """The credits that count, by whom they count for: owner, replicate, period, and what they bring."""
        credited, component = self.credited, version.component
        counts = np.array([self._counts(source, version) for source in range(len(credited.sources))], dtype=bool)
        rows = np.flatnonzero(counts[credited.source]) if counts.any() else np.zeros(0, dtype=np.int64)
        rows = rows[inside(component.every, credited.credits.day[rows])]
        opened = self._added(version)
        if not rows.size and opened is None:
            return None
        if component.when is not None:
            rows = rows[self._fields(version, rows).mask(component.when)]
        if self.opened is not None and component.classes:
            rows = rows[~self._covered(rows)]
        owner = credited.person[rows]
        if component.classes and component.measure.of in ("team", "pool"):
            owner = self._attribute(component.measure.of, owner, credited.credits.day[rows])
            rows, owner = rows[owner >= 0], owner[owner >= 0]
        elif component.measure.of == "company" or not component.classes:
            owner = np.zeros(rows.size, dtype=np.int64)
        if not rows.size and opened is None:
            return None
        if component.classes:
            fields = self._fields(version, rows)
            cells = cells_of(component, version.plan, credited, rows, fields, lambda: self._order(version, rows))
        else:
            # A pool of an amount that names no credits stands by any of them, and measures nothing.
            cells = Cells(np.zeros_like(rows), np.ones_like(rows))
        day = credited.credits.day[rows]
        period = periods_of(self.batch.periods[component.every], day, f"credit date, by {component.every}")
        own = owner, credited.replicate[rows], period
        if opened is None:
            return *own, cells
        owner, replicate, period = (np.concatenate(pair) for pair in zip(own, opened[:3], strict=True))
        return owner, replicate, period, Cells(np.concatenate((cells.top, opened[3])))

    def _added(self, version: Version) -> tuple[Ints, Ints, Ints, Ints] | None:
        """What openings add to the measure of a version: owner, replicate, period, amount."""
        opened, component = self.opened, version.component
        if opened is None or not component.classes or component.measure.value not in ADDED:
            return None
        opened = opened.at(inside(component.every, opened.day))
        owner = opened.person
        if component.measure.of in ("team", "pool"):
            owner = self._attribute(component.measure.of, owner, opened.day)
            opened, owner = opened.at(owner >= 0), owner[owner >= 0]
        elif component.measure.of == "company":
            owner = np.zeros_like(owner)
        if not owner.size:
            return None
        period = periods_of(self.batch.periods[component.every], opened.day, "day of an opening")
        amount = opened.measured
        if component.measure.value == "count":
            amount = amount // MILLIONTHS
        return owner, opened.replicate, period, amount

    def _covered(self, rows: Ints) -> Mask:
        """Which credits an opening stands for: those of its person in its own measure period."""
        assert self.opened is not None
        found = np.zeros(rows.size, dtype=bool)
        person, day = self.credited.person[rows], self.credited.credits.day[rows]
        for place in np.unique(self.opened.version).tolist():
            bounds = self.batch.periods[self.versions[place].component.every]
            mine = self.opened.at(self.opened.version == place)
            keys = mine.person * (bounds.size + 1) + np.searchsorted(bounds, mine.day, side="right")
            found |= np.isin(person * (bounds.size + 1) + np.searchsorted(bounds, day, side="right"), keys)
        return found

    def openings(self, opened: Opened) -> _Lines:
        """The lines that openings are."""
        check_single(self.versions, self.people.ids, opened, opened.day)
        period = np.empty_like(opened.day)
        top, bottom = opened.measured, np.ones_like(opened.measured)
        for place in np.unique(opened.version).tolist():
            component, mine = self.versions[place].component, opened.version == place
            bounds = self.batch.periods[component.every]
            period[mine] = periods_of(bounds, opened.day[mine], "day of an opening")
            bottom[mine] = unit_size(component)
        standing = _Standing(opened.person, period, opened.day, opened.version)
        none = np.zeros(opened.day.size, dtype=bool)
        return _Lines(standing, opened.replicate, Ratios(top, bottom), none, opening=opened.row)

    def _counts(self, number: int, version: Version) -> bool:
        """Whether a component's measure takes the credits of a source."""
        source, component = self.credited.sources[number], version.component
        if component.measure.of == "own" or not component.classes:
            if self.batch.plans[source.plan].key != version.plan.key:
                return False
            if not component.classes:
                return True
        return (
            source.counts_for != "pay" and source.credit_class in component.classes and source.role in component.roles
        )

    def _fields(self, version: Version, rows: Ints) -> FactRows:
        credits = self.credited.credits
        return FactRows(
            self.credited.world, version.plan, credits.fact[rows], credits.participant[rows], credits.day[rows]
        )

    def _order(self, version: Version, rows: Ints) -> Ints:
        """The place of each credit among these by measure period, in it by the component's order, then by the order of
        credits, of participants and of plans."""
        keys = sorted({(plan.key, plan.digest) for plan in self.batch.plans})
        rank = np.array([keys.index((plan.key, plan.digest)) for plan in self.batch.plans], dtype=np.int64)
        credited = self.credited
        credits, every = credited.credits, version.component.every
        period = periods_of(self.batch.periods[every], credits.day[rows], f"credit date, by {every}")
        standing = (rank[credits.plan[rows]], credited.person[rows], credited.when[rows])
        order = np.lexsort((*standing, last_key(credited, version, rows), period))
        places = np.empty_like(rows)
        places[order] = np.arange(rows.size)
        return places

    def _earned(self, version: Version) -> tuple[Ints, Ints, Ints, Cells] | None:
        """What was earned of, or released from, the components that are read: by earner."""
        reads = version.component.reads
        assert reads is not None
        found = [self.ledger.earned(reads.what, plan, component) for plan, component in reads.components]
        tables = [each for each in found if each is not None and each.day.size]
        if not tables:
            return None
        person, replicate, day, amount = (
            np.concatenate([getattr(table, name) for table in tables])
            for name in ("person", "replicate", "day", "amount")
        )
        within = inside(version.component.every, day)
        if not within.any():
            return None
        person, replicate, day, amount = (column[within] for column in (person, replicate, day, amount))
        period = periods_of(self.batch.periods[version.component.every], day, f"{reads.what} that is read")
        return person, replicate, period, Cells(amount)

    def _standing(self, place: int, version: Version, bounds: Ints, first: int, last: int) -> _Standing:
        """Who may have a line of the version in the periods from `first` to `last`."""
        assigned = self.batch.assignments
        of_plan = np.array([plan.key == version.plan.key for plan in self.batch.plans], dtype=bool)
        rows = np.flatnonzero(of_plan[assigned.plan]) if assigned.plan.size else assigned.plan
        start = np.maximum(assigned.start[rows], bounds[first])
        end = np.minimum(assigned.end[rows], bounds[last + 1])
        rows, start, end = (each[start < end] for each in (rows, start, end))
        begun = np.searchsorted(bounds, start, side="right") - 1
        count = np.searchsorted(bounds, end - 1, side="right") - begun
        row, period = np.repeat(np.arange(rows.size), count), stepped(begun, count)
        person, day = self.people.places(assigned.participant[rows[row]]), np.minimum(end[row], bounds[period + 1]) - 1
        order = np.lexsort((day, period, person))
        starts = run_starts(person[order], period[order])
        order = order[np.append(starts[1:], order.size) - 1] if order.size else order
        order = order[assigned.plan[rows[row[order]]] == version.plan_place]
        found = _Standing(person[order], period[order], day[order], np.full(order.size, place, dtype=np.int64))
        if self.opened is not None:
            # What the system before paid for a period is not paid again.
            paid = self.opened.person * bounds.size + np.searchsorted(bounds, self.opened.day, side="right") - 1
            found = found.at(~np.isin(found.person * bounds.size + found.period, paid))
        if version.component.pool is not None:
            found = found.at(found.day == bounds[found.period + 1] - 1)
        return self._eligible(found)

    def _eligible(self, standing: _Standing) -> _Standing:
        """Those who meet what their version asks of people."""
        participant = self.people.ids[standing.person]
        if self.variant is not None:
            terms = self.variant(standing.version, participant, standing.day)
            standing = _Standing(standing.person, standing.period, standing.day, terms)
        kept = np.ones(standing.person.size, dtype=bool)
        for place in np.unique(standing.version).tolist():
            condition = self.versions[place].component.eligible
            if condition is not None:
                rows = np.flatnonzero(standing.version == place)
                nothing = np.full(rows.size, -1, dtype=np.int64)
                plan = self.versions[place].plan
                frozen, day = self.versions[place].component.eligible_on, standing.day[rows]
                asked = day if frozen is None else np.full(rows.size, frozen)
                fields = FactRows(self.credited.world, plan, nothing, participant[rows], day, asked)
                kept[rows] = fields.mask(condition)
        return standing if kept.all() else standing.at(kept)

    def _owners(self, version: Version, standing: _Standing) -> Ints:
        """Whose rows count for each line, in the numbers of `_credits`: -1 for nobody's."""
        of = version.component.measure.of
        if version.component.classes and of in ("team", "pool"):
            return self._attribute(of, standing.person, standing.day)
        if of == "company" or not (version.component.classes or version.component.reads):
            return np.zeros(standing.person.size, dtype=np.int64)
        return standing.person

    def _attribute(self, name: str, person: Ints, day: Ints) -> Ints:
        return self.careers.attribute(name, self.people.ids[person], day).codes.astype(np.int64)

    def _pool(self, version: Version, lines: _Lines, share: Ints, bounds: Ints) -> _Lines:
        """Lines of a pool with what each gets of the pot that it has with those of its owner and period."""
        pool = version.component.pool
        assert pool is not None
        standing = lines.standing
        points = None
        if pool.divide == "points":
            periods = (version.component.every, standing.period)
            points = self.quotas.find(pool.points, "number of points", periods, standing.person)
        pots = (lines.replicate * bounds.size + standing.period) * (int(share.max(initial=0)) + 1) + share
        pot = np.unique(pots, return_inverse=True)[1].astype(np.int64)
        part = pool_parts(pool, version.plan, pot, lines.value, points, standing.person)
        # All lines of a pot state one value, and wait together.
        fixed = np.where(lines.waits, 0, part)
        return replace(lines, fixed=fixed)

    def _scorecard(self, place: int, version: Version) -> _Lines | None:
        """Lines of those of whom at least one part has a result."""
        scorecard = version.component.scorecard
        assert scorecard is not None
        bounds = self.batch.periods[version.component.every]
        known = [self.ledger.has_results(version.plan.key, part.component) for part in scorecard.parts]
        person, replicate, start, end = (np.concatenate(columns) for columns in zip(*known, strict=True))
        first = np.searchsorted(bounds[1:] - 1, start, side="left")
        count = np.searchsorted(bounds[1:] - 1, end, side="left") - first
        period = stepped(first, count)
        within = inside(version.component.every, bounds[period])
        if not within.any():
            return None
        person, replicate = np.repeat(person, count)[within], np.repeat(replicate, count)[within]
        period = period[within]
        standing = self._standing(place, version, bounds, int(period.min()), int(period.max()))
        left, right = matches(person * bounds.size + period, standing.person * bounds.size + standing.period)
        replicates = int(replicate.max()) + 1
        key = np.unique(right * replicates + replicate[left])
        standing, replicate = standing.at(key // replicates), key % replicates
        day = bounds[standing.period + 1] - 1
        value, waits = score(scorecard, version.plan, self.ledger, standing.person, replicate, day)
        return _Lines(standing, replicate, value, waits)


def _in_order(batch: Batch, versions: tuple[Version, ...], found: list[_Lines]) -> PeriodSeries:
    """The lines of all versions together; ranks are among them all."""
    person, period, person_day, version = (
        np.concatenate([getattr(lines.standing, name) for lines in found])
        for name in ("person", "period", "day", "version")
    )
    replicate, waits = (np.concatenate([getattr(lines, name) for lines in found]) for name in ("replicate", "waits"))
    opening: Ints | None = None
    if any(lines.opening is not None for lines in found):
        opening = np.concatenate(
            [np.full(lines.replicate.size, -1) if lines.opening is None else lines.opening for lines in found]
        )
    day = np.empty_like(period)
    for place, each in enumerate(versions):
        mine = version == place
        day[mine] = batch.periods[each.component.every][period[mine] + 1] - 1
    values = [taken(lines.value, slice(None)) for lines in found]
    value = Ratios(_stacked([each.top for each in values]), _stacked([each.bottom for each in values]))
    order = np.lexsort((day, replicate, person))
    fixed: Ints | None = None
    if any(lines.fixed is not None for lines in found):
        fixed = np.concatenate(
            [np.zeros(lines.replicate.size, np.int64) if lines.fixed is None else lines.fixed for lines in found]
        )
    cadences = list(dict.fromkeys(each.component.every for each in versions))
    every = np.array([cadences.index(each.component.every) for each in versions], dtype=np.int64)[version]
    contest = ranked(packed(((replicate, int(replicate.max()) + 1), (every, len(cadences)), (period, _PERIODS)))[0])[0]
    for place, each in enumerate(versions):
        rank = each.component.rank
        if rank is not None and (version == place).any():
            fixed = np.zeros(day.size, dtype=np.int64) if fixed is None else fixed
            # Whose place the system before gave is in no contest.
            out = waits if opening is None else waits | (opening >= 0)
            fixed = np.where(version == place, prizes(rank, contest, value, out, person), fixed)
    parts: Ints | None = None
    if any(lines.parts is not None for lines in found):
        parts = np.concatenate(
            [np.zeros(lines.replicate.size, np.int64) if lines.parts is None else lines.parts for lines in found]
        )[order]
    return PeriodSeries(
        versions=versions,
        version=version[order],
        person=person[order],
        replicate=replicate[order],
        period=period[order],
        person_day=person_day[order],
        day=day[order],
        value=taken(choose(waits, Ratios.constant(0), value), order),
        waits=waits[order],
        fixed_earning=None if fixed is None else Ratios.of(fixed[order]),
        parts=parts,
        opening=None if opening is None else opening[order],
    )


def _stacked(columns: list[Whole]) -> Whole:
    return np.concatenate(columns)
