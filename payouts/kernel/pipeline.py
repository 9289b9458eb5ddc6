"""`calculate`: from deals, people and plans to credits, attainments, earnings and payables."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from crediting.kernel.credit import credit
from crediting.kernel.exact import money, run_numbers, run_starts
from crediting.kernel.fields import World
from crediting.kernel.ratios import Mask, Ratios
from payouts.kernel.base import BroughtForward, Stretch
from payouts.kernel.batch import MISSING_DAY, MISSING_MONEY, OF_CREDIT, OF_OPENING, OF_PERIOD, Batch, Ints, Result
from payouts.kernel.book import Book, Second
from payouts.kernel.caps import Caps, capped_plans
from payouts.kernel.carry import with_carried
from payouts.kernel.closing import paid, release, scheduled, settled
from payouts.kernel.counterpart import mixed, shared, terms_of
from payouts.kernel.floating import float_rates, floats
from payouts.kernel.gates import Effects, Places, effects, factors
from payouts.kernel.groups import COUNTS_FOR_BOTH, PAY_ONLY, QUOTA_ONLY, Series
from payouts.kernel.measure import fields_of, measure, moments
from payouts.kernel.openings import OpeningBook, set_earned, with_opened_people
from payouts.kernel.order import Step, Version, reading_order
from payouts.kernel.periods import PeriodSeries, looks_at_others, period_lines
from payouts.kernel.quotas import QuotaBook
from payouts.kernel.rate import Rated, rate
from payouts.kernel.reads import Ledger, taken, unit_size
from payouts.kernel.release import Triggers
from payouts.kernel.result import assembled, only_of, tables
from payouts.kernel.shape import raised_lines, rounded_lines
from payouts.kernel.shared import results
from payouts.kernel.spans import with_own_periods
from payouts.kernel.takeback import take_back
from payouts.kernel.trace import Notes, Trace, traces
from payouts.kernel.variants import Variants
from plans.rules.compiled import Component, Read


def calculate(batch: Batch, *, traced: bool = False) -> Result:
    """Everything that the plans say about the facts of a batch, exact; `traced` with the steps of every line. The
    meaning is docs/plan-language.md.

    Pure: the same facts give the same result, in the same order, whatever the order of the rows that came in. Raises a
    KernelError (amount out of range, date outside the calendar, bad quota, absent column, circle of reads) before
    anything is returned.
    """
    batch = with_opened_people(with_own_periods(batch))
    steps = reading_order(batch.plans, batch.in_force)
    work = _Work(batch, traced)
    for step in steps:
        work.component(step)
    return work.result()


class _Work:
    """The steps of one calculation, component by component; what is read has been worked out before.

    What the credits of a component earn is worked out for some people after the other, so that the columns at work are
    never longer than memory is quick for, and time grows with the number of credits and no faster.
    """

    def __init__(self, batch: Batch, traced: bool) -> None:
        self.batch, self.traced = batch, traced
        self.everybody = batch.only is None or looks_at_others(batch.plans)
        world = World(batch.facts, batch.attributes, batch.employment, batch.exchange)
        only = None if self.everybody else batch.only
        self.credited = credit(
            batch.plans, world, batch.teams, batch.reporting, batch.assignments, only, batch.transfers
        )
        self.quotas = QuotaBook(batch, self.credited.people)
        self.triggers = Triggers(batch)
        self.ledger = Ledger(batch.plans, batch.periods, self.credited.people)
        self.variants = Variants(batch, world.careers)
        self.openings = OpeningBook(batch, self.credited.people, only)
        self.blocks = blocks(self.credited.person)
        self.books: dict[int, list[Book]] = {}

    def component(self, step: Step) -> None:
        """The lines of one component: those of credits, and those of periods where some version measures so."""
        versions, variant = self.variants.extended(step.versions)
        books: list[Book] = []
        given = self.openings.of(versions, variant)
        opened, whole = (None if given is None else given.measured_by(versions, by) for by in ("credit", "period"))
        for block in self._blocks(step, versions) or [slice(0, 0)]:
            theirs = None if opened is None else opened.among(self.credited, block)
            credited = measure(self.batch, self.credited, versions, variant, self.triggers.cash, block, theirs)
            if credited is not None:
                books.append(self._book(credited))
        if any(version.component.measure.by == "period" for version in versions):
            lines = period_lines(self.batch, self.credited, self.ledger, self.quotas, versions, variant, whole)
            if lines is not None:
                books.append(self._book(_of_periods(lines), lines))
        if step.is_read and books:
            self._tell(step, books)
        self.books[step.place] = books

    def _blocks(self, step: Step, versions: tuple[Version, ...]) -> list[slice]:
        """The rows of credits that are worked out together: all where people share a budget, and where the place of
        reversals in the order of all credits is read."""
        for version in versions:
            if version.component.budget is not None or (step.is_read and version.component.clawback is not None):
                return [slice(0, self.credited.person.size)]
        return self.blocks

    def result(self) -> Result:
        """The tables of all components, one below the other, by document order."""
        books = [book for place in sorted(self.books) for book in self.books[place]]
        self.books.clear()
        self._close(books)
        spread = scheduled(self.credited, books)
        told = traces([(book.trace, book.series.row.size) for book in books]) if self.traced else None
        result = replace(assembled(self.credited, books), schedules=spread, traces=told)
        if self.batch.only is not None and self.everybody:
            result = only_of(result, self.batch.only)
        return settled(self.batch, self.quotas, result)

    def _close(self, books: list[Book]) -> None:
        """Plan caps, budgets, tranches and what is taken back."""
        for book in capped_plans(self.batch, self.credited, self.quotas, books):
            book.tranches = None
        for book in books:
            if book.tranches is None:
                self._release(book)
            take_back(self.credited, self.triggers.cash, book)
            paid(self.batch, self.credited, book)

    def _book(self, series: Series, of_periods: PeriodSeries | None = None) -> Book:
        """Rate and shape."""
        book = Book.opened(series)
        if self.traced:
            book.trace = Trace()
            if of_periods is not None:
                notes = book.trace.at(series.row.size)
                notes.note("person_day", of_periods.person_day)
                if of_periods.parts is not None:
                    notes.note("parts", of_periods.parts, of_periods.parts > 0)
        self._rate(book)
        book.rounded = rounded_lines(series, book.mine, book.rated)
        theirs = None
        if book.second:
            second = [book.second[place].rated if place in book.second else own for place, own in enumerate(book.rated)]
            theirs = rounded_lines(series, book.mine, second)
        book.rated.clear()
        raised_lines(book, theirs)
        book.second.clear()
        set_earned(self.batch, book)
        Caps(self.batch, self.credited, self.quotas, self.ledger, book).apply()
        book = with_carried(self.batch, self.quotas, self.ledger, book)
        if floats(book):
            self._release(book)
        return book

    def _release(self, book: Book) -> None:
        """The tranches of a component; where rates float, they say what its lines earn."""
        release(self.batch, self.credited, self.triggers, book)
        if not floats(book):
            return

        def rating(place: int, totals: Ints) -> Rated:
            version, mine = book.series.versions[place], book.mine[place]
            # Asked anew: carried excess may have come among the lines.
            gates = effects(version.component, self.ledger, self._places(book, mine))
            return rate(version.component, self._stretch(book, version, mine, gates, totals))

        float_rates(book, rating)

    def _rate(self, book: Book) -> None:
        """Each version's lines by its own curve."""
        series = book.series
        for place, version in enumerate(series.versions):
            self._amounts(book, version, book.lines_of(place))
        self._parts(book)
        totals = series.totals if any(self._by_total(version) for version in series.versions) else series.after
        for place, (version, mine) in enumerate(zip(series.versions, book.mine, strict=True)):
            if not series.row[mine].size:
                book.rated.append(NOTHING)
                continue
            component = version.component
            gates = Effects()
            if component.gates:
                notes = book.notes(mine)
                gates = book.effects[place] = effects(component, self.ledger, self._places(book, mine), notes)
            lines = self._stretch(book, version, mine, gates, totals, book.notes(mine))
            found = self._rated(book, place, lines, gates, totals)
            if book.reversal is not None:
                found = replace(found, earning=np.where(book.reversal[mine], 0, found.earning))
            book.tier_before[mine], book.tier_after[mine] = found.tier_before, found.tier_after
            book.band[mine], book.waiting[mine] = found.band, found.waiting
            book.rated.append(found)
            if component.kind == "result":
                self._result(book, component, mine, gates)
        if book.reversal is not None:
            book.waiting[book.reversal] = 0
            for trace in (book.tier_before, book.tier_after, book.band):
                trace[book.reversal] = -1
        self._release_bounds(book)

    def _by_total(self, version: Version) -> bool:
        """Whether lines are rated, by their own terms or a counterpart's, by what their group comes to."""
        found = self._rating(version)
        return any(each.tiers is not None and each.tiers.attribution == "proportional" for each in found)

    def _rating(self, version: Version) -> list[Component]:
        """The components by whose terms lines of a version are rated: its own, and those of a counterpart."""
        found = [version.component]
        if version.component.counterpart is not None:
            found += [terms.version.component for terms in terms_of(self.batch, version)]
        return found

    def _rated(self, book: Book, place: int, lines: Stretch, gates: Effects, totals: Ints) -> Rated:
        """The lines of a version by its own curve; and beside it by the terms of a counterpart, where it has one."""
        version, mine = book.series.versions[place], book.mine[place]
        stated = version.component.counterpart
        if stated is None:
            return rate(version.component, lines, book.notes(mine))
        day = book.series.day[mine]
        waits, there = np.zeros(day.size, dtype=np.int8), np.zeros(day.size, dtype=bool)
        second: list[tuple[Mask, Rated]] = []
        for terms in terms_of(self.batch, version):
            component = terms.version.component
            theirs = self._stretch(book, terms.version, mine, gates, totals)
            # The person's time is that of the line's own plan.
            bounds = self._part(book, replace(version, component=component), mine)
            inside = (day >= terms.start) & (day < terms.end)
            rated = shared(stated, rate(component, replace(theirs, part=bounds)))
            waits = np.where(inside, rated.waiting, waits)
            second.append((inside, rated))
            there |= inside
        if waits.any():
            waiting = waits != 0 if lines.waits is None else lines.waits | (waits != 0)
            lines = replace(lines, waits=waiting)
        found = rate(version.component, lines, book.notes(mine))
        found = replace(found, waiting=np.where(waits != 0, waits, found.waiting))
        result = found
        for inside, rated in second:
            result = mixed(inside, rated, result)
        idle = found.waiting != 0 if book.reversal is None else (found.waiting != 0) | book.reversal[mine]
        book.second[place] = Second(replace(result, earning=np.where(idle, 0, result.earning)), there)
        return found

    def _amounts(self, book: Book, version: Version, mine: Ints | slice) -> None:
        """The quota and the incentive of each line of a version: alike within a group and period."""
        series = book.series
        group, period = series.group[mine], series.period[mine]
        heads = run_starts(group) if series.year is None else run_starts(group, period)
        run = run_numbers(heads, group.size)
        person, partial = series.person[group[heads]], None
        if series.partial is not None:
            partial = series.partial[mine][heads]
        notes = book.notes(mine)
        notes = None if notes is None else notes.spread(run)
        book.quota[mine] = self.quotas.quota(version, person, period[heads], partial, notes)[run]
        if version.component.incentive is not None:
            assert book.incentive is not None
            book.incentive[mine] = self.quotas.incentive(version, person, period[heads], partial, notes)[run]

    def _parts(self, book: Book) -> None:
        """Which part of its bounds each line of a year to date goes by, where its versions may differ in that."""
        series = book.series
        if series.year is None or len(series.versions) < 2:
            return
        if not any(_prorates(each) for version in series.versions for each in self._rating(version)):
            return
        lines = [book.lines_of(place) for place in range(len(series.versions))]
        found = [self._share(book, version, mine) for version, mine in zip(series.versions, lines, strict=True)]
        if all(part is None for part in found):
            return
        whole = np.ones(series.row.size, dtype=np.int64)
        top, bottom = whole.copy(), whole
        for part, mine in zip(found, lines, strict=True):
            if part is not None:
                top[mine], bottom[mine] = part.top, part.bottom
        book.parts = Ratios(top, bottom)

    def _part(self, book: Book, version: Version, mine: Ints | slice, notes: Notes | None = None) -> Ratios | None:
        """Which part of its bounds in money or units each line of a version goes by; None where they are whole."""
        return self._share(book, version, mine, notes) if _prorates(version.component) else None

    def _share(self, book: Book, version: Version, mine: Ints | slice, notes: Notes | None = None) -> Ratios | None:
        """Which part bounds in money or units of each line of a version are of those of a whole period, whether or not
        it goes by such; None where all are whole."""
        series = book.series
        partial = None if series.partial is None else series.partial[mine]
        person, period = series.person[series.group[mine]], series.period[mine]
        return self.quotas.bounds(version, person, period, partial, notes)

    def _stretch(
        self,
        book: Book,
        version: Version,
        mine: Ints | slice,
        gates: Effects,
        totals: Ints,
        notes: Notes | None = None,
    ) -> Stretch:
        """The lines of one version with all that decides what they earn; what they read goes into the notes."""
        series, component = book.series, version.component
        column = quota_before = incentive_before = part_before = given = None
        read: tuple[Ratios, ...] = ()
        if component.modifiers is not None:
            read = factors(component, self.ledger, self._places(book, mine), notes)
        if component.tiers is not None and component.tiers.columns is not None:
            at = self._places(book, mine)
            column = self.ledger.column(component.tiers.columns, at.person, at.replicate, at.day)
            if notes is not None:
                notes.note("reads:columns", *_known(self.ledger, component.tiers.columns.read, at))
                notes.note("column", column)
        if series.year is not None:
            # What was due before a line went by what the line before it went by.
            quota_before = _line_before(series, book.quota)[mine]
            incentive_before = None if book.incentive is None else _line_before(series, book.incentive)[mine]
            if book.parts is not None and _prorates(component):
                top, bottom = (_line_before(series, each)[mine] for each in (book.parts.top, book.parts.bottom))
                part_before = Ratios(top, bottom)
        part = self._part(book, version, mine, notes)
        incentive = None if book.incentive is None else book.incentive[mine]
        value = None if series.value is None else taken(series.value, mine)
        if series.given is not None and component.kind in ("pool", "rank"):
            given = taken(series.given, mine)
        elif component.kind == "result":
            given = Ratios.of(np.zeros(series.row[mine].size, dtype=np.int64))
        elif component.kind == "scorecard":
            assert value is not None and incentive is not None
            given = value.multiply(Ratios.of(np.where(incentive == MISSING_MONEY, 0, incentive)))
        asks = component.modifiers is not None or component.kickers or component.table is not None
        group = series.group[mine]
        return Stretch(
            amount=series.amount[mine],
            whole=self._whole(book, component, mine),
            before=series.before[mine],
            after=series.after[mine],
            total=totals[mine],
            quota=book.quota[mine],
            position=book.position[mine],
            fresh=series.starts if isinstance(mine, slice) else _fresh(mine, run_starts(group)),
            measured=None if series.measured is None else series.measured[mine],
            incentive=incentive,
            quota_before=quota_before,
            incentive_before=incentive_before,
            part=part,
            part_before=part_before,
            column=column,
            plain=gates.plain,
            value=value,
            waits=None if series.waits is None else series.waits[mine],
            given=given,
            fields=fields_of(self.credited, version, series.row[mine]) if asks and value is None else None,
            factors=read,
            gate_factor=gates.factor,
            measured_only=_counting(series, mine, QUOTA_ONLY),
            paid_only=_counting(series, mine, PAY_ONLY),
            forward=None if series.opening is None else self._forward(series, series.opening).at(mine),
        )

    def _forward(self, series: Series, opening: Ints) -> BroughtForward:
        """Of each group that begins with an opening, the first line that pays by what it measures."""
        assert series.kind is not None and self.batch.openings is not None
        pays = series.kind == OF_CREDIT
        if series.counts is not None:
            pays &= series.counts == COUNTS_FOR_BOTH
        first = np.flatnonzero(pays & (opening[series.starts] >= 0)[series.group])
        first = first[run_starts(series.group[first])]
        of = opening[series.starts][series.group[first]]
        there = np.zeros(opening.size, dtype=bool)
        there[first] = True
        measured, earned = np.zeros(opening.size, dtype=np.int64), np.zeros(opening.size, dtype=np.int64)
        measured[first], earned[first] = self.batch.openings.measured[of], self.batch.openings.earned[of]
        return BroughtForward(there, measured, earned)

    def _whole(self, book: Book, component: Component, mine: Ints | slice) -> Ints | None:
        """The whole amounts of the facts of lines, where something goes by them."""
        bonus = component.bonus
        if not self.traced and component.accelerator is None and (bonus is None or bonus.min_deal is None):
            return None
        row = book.series.row[mine]
        if book.series.kind is None:
            return self.credited.whole(row)
        known = row >= 0
        found = np.zeros(row.size, dtype=np.int64)
        found[known] = self.credited.whole(row[known])
        return found

    def _places(self, book: Book, mine: Ints | slice) -> Places:
        """Where the lines of a version stand when they read."""
        series = book.series
        group = series.group[mine]
        when = None if series.value is not None else self.credited.when[series.row[mine]]
        return Places(series.person[group], series.replicate[group], series.day[mine], when)

    def _result(self, book: Book, component: Component, mine: Ints | slice, gates: Effects) -> None:
        """What a result component gives others to read."""
        series = book.series
        assert series.value is not None and series.waits is not None
        if book.result is None:
            rows = series.row.size
            nothing = np.zeros(rows, dtype=np.int64)
            book.result = Ratios(nothing, nothing + 1), np.ones(rows, dtype=bool)
        value, missing = results(
            component, taken(series.value, mine), series.waits[mine], book.quota[mine], gates.unpaid, gates.factor
        )
        before, absent = book.result
        top, bottom = (np.array(each, dtype=object) for each in (before.top, before.bottom))
        found = taken(Ratios(*np.broadcast_arrays(value.top, value.bottom, missing)[:2]), slice(None))
        top[mine], bottom[mine], absent[mine] = found.top, found.bottom, missing
        book.result = Ratios(top, bottom).reduced(), absent

    def _release_bounds(self, book: Book) -> None:
        """From when on gates let the lines' tranches be released."""
        rows = book.series.row.size
        for place, found in book.effects.items():
            mine = book.mine[place]
            if found.not_before is not None:
                if book.not_before is None:
                    book.not_before = np.full(rows, MISSING_DAY, dtype=np.int64)
                book.not_before[mine] = found.not_before
            if found.withheld is not None:
                book.withheld = np.zeros(rows, dtype=bool) if book.withheld is None else book.withheld
                book.withheld[mine] = found.withheld

    def _tell(self, step: Step, books: list[Book]) -> None:
        """Let later components read this one, as it stands before plan caps, budgets and clawbacks."""
        for book in books:
            if book.tranches is None:
                self._release(book)
        groups, lines, parts = tables(self.credited, books)
        day = np.concatenate([book.series.day for book in books])
        quota = np.concatenate([book.quota for book in books])
        by_credit = [book for book in books if book.series.value is None]
        when = None
        if by_credit:
            # A line of a period has no place in the order of credits: it is behind all.
            when = np.concatenate(
                [
                    moments(self.credited, book.series)
                    if book.series.value is None
                    else np.full(book.series.row.size, self.credited.moments)
                    for book in books
                ]
            )
        self.ledger.add(step.versions, groups, lines, parts, day=day, when=when, quota=quota)


#: So many credits are worked out together, and more where they are one person's.
BLOCK = 1 << 18


def blocks(person: Ints) -> list[slice]:
    """The rows of credits, which stand by person, in blocks; none holds a part of somebody's."""
    cuts = [0]
    while cuts[-1] < person.size:
        last = person[min(cuts[-1] + BLOCK, person.size) - 1]
        cuts.append(int(np.searchsorted(person, last, side="right")))
    return [slice(first, behind) for first, behind in pairwise(cuts)]


def _known(ledger: Ledger, read: Read, at: Places) -> tuple[Ratios, Mask]:
    """The final figure that lines read, and where there is one."""
    value, missing = ledger.final(read, at.person, at.replicate, at.day)
    return value, ~missing


#: What no lines are rated as.
_NONE = np.zeros(0, dtype=np.int64)
NOTHING = Rated(_NONE, 1, _NONE, _NONE, _NONE, _NONE, _NONE)


def _of_periods(lines: PeriodSeries) -> Series:
    """Lines of periods as a series: each a group of its own."""
    rows = lines.version.size
    total = np.zeros(rows, dtype=np.int64)
    for place, version in enumerate(lines.versions):
        mine = np.flatnonzero(lines.version == place)
        shown = taken(lines.value, mine).multiply(Ratios.constant(unit_size(version.component)))
        total[mine] = money(shown.rounded(version.plan.round_mode), "A measure")
    nothing = np.zeros(rows, dtype=np.int64)
    opening = np.zeros(rows, dtype=bool) if lines.opening is None else lines.opening >= 0
    return Series(
        versions=lines.versions,
        row=np.full(rows, -1, dtype=np.int64),
        version=lines.version,
        amount=total,
        day=lines.day,
        period=lines.period,
        starts=np.arange(rows),
        group=np.arange(rows),
        before=nothing,
        after=total,
        person=lines.person,
        replicate=lines.replicate,
        kind=np.where(opening, OF_OPENING, OF_PERIOD).astype(np.int8),
        value=lines.value,
        waits=lines.waits,
        given=lines.fixed_earning,
        opening=lines.opening,
    )


def _prorates(component: Component) -> bool:
    """Whether its tiers begin at amounts of a whole period, which a part of it may shrink."""
    return component.tiers is not None and component.tiers.prorates


def _counting(series: Series, mine: Ints | slice, only: int) -> Mask | None:
    """The lines of credit that counts for one thing only, None where there are none."""
    found: Mask | None = None if series.counts is None else series.counts[mine] == only
    return None if found is None or not found.any() else found


def _line_before(series: Series, column: Ints) -> Ints:
    """Of each line that of the line before it in its group, its own for the first."""
    found = np.concatenate((column[:1], column[:-1]))
    found[series.starts] = column[series.starts]
    return found


def _fresh(lines: Ints, heads: Ints) -> Ints:
    """The places in `lines` of those that do not follow the line before them: a group or version begins there."""
    apart = np.flatnonzero(np.diff(lines) != 1) + 1
    return np.union1d(heads, apart)
