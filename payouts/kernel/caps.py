"""What caps, plan caps and budgets leave of lines: i to l of number 25 of docs/plan-language.md.

A cap with limit L on the running sum S of the lines that it covers makes a line min(L, S) less min(L, S before it).
Caps differ only in the lines that they cover, and in the order of those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from crediting.kernel.conditions import Mask
from crediting.kernel.credit import Credited
from crediting.kernel.exact import Whole, money, run_numbers, run_starts, running, scaled
from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import MISSING_DAY, MISSING_MONEY, OF_CARRY, OF_CREDIT, OF_PERIOD, Batch, Ints
from payouts.kernel.book import Book
from payouts.kernel.groups import credited_or, periods_of, yearly
from payouts.kernel.kept import kept_by, rooms
from payouts.kernel.order import Version
from payouts.kernel.quotas import QuotaBook
from payouts.kernel.reads import Ledger
from payouts.kernel.sequence import in_stated_order_of_all, reorders
from plans.rules.compiled import Cap
from plans.rules.compiled_pay import PlanCap


@dataclass(frozen=True, slots=True)
class Covered:
    """Lines in an order in which those that share a cap stand together. `order` None: as they stand."""

    order: Ints | None
    starts: Ints
    run: Ints

    @classmethod
    def by(cls, *keys: Ints, within: tuple[Ints, ...] = ()) -> Covered:
        """Lines that agree in all keys, in the order of `within` (the first counts most), then as they stand."""
        order = np.lexsort((*reversed(within), *keys))
        starts = run_starts(*(key[order] for key in keys))
        return cls(order, starts, run_numbers(starts, order.size))

    def sums(self, earned: Ints) -> Whole:
        """By line, the running sum up to it."""
        if self.order is None:
            return running(earned, self.starts, self.run)
        upto = running(earned[self.order], self.starts, self.run)
        found = np.empty_like(upto)
        found[self.order] = upto
        return found

    def rooms(self, limit: Ints, kept: Ints, least: Ints) -> Whole:
        """By line, how far the running sum may go where lines keep something (payouts.kernel.kept)."""
        assert self.order is not None
        upto = running(least[self.order], self.starts, self.run)
        found = np.empty_like(upto)
        found[self.order] = rooms(limit[self.order], kept[self.order], upto, self.starts)
        return found


@dataclass(frozen=True, slots=True)
class _Step:
    """A cap, and the lines of its version that it is for; None: all."""

    cap: Cap
    name: str
    only: Mask | None = None


def below(limit: int | Ints, upto: Whole, earned: Ints) -> Ints:
    """What a cap leaves of lines."""
    left: Ints = (np.minimum(upto, limit) - np.minimum(upto - earned, limit)).astype(np.int64)
    return left


class Caps:
    """The caps of one component's lines."""

    def __init__(self, batch: Batch, credited: Credited, quotas: QuotaBook, ledger: Ledger, book: Book) -> None:
        self._batch, self._credited, self._quotas, self._ledger = batch, credited, quotas, ledger
        self._book = book
        self._covered: dict[str, Covered] = {}

    def apply(self) -> None:
        """Everything from i to j, from `rounded` to `earned` and `review`."""
        book = self._book
        assert book.rounded is not None
        book.earned = book.rounded
        steps = [self._steps(place, version) for place, version in enumerate(book.series.versions)]
        unpaid = [effects.unpaid is not None for effects in book.effects.values()]
        if not any(steps) and not any(unpaid):
            return
        book.earned = book.rounded.copy()
        for place, mine in enumerate(book.mine):
            effects = book.effects.get(place)
            if effects is not None and effects.unpaid is not None:
                book.earned[mine] = np.where(effects.unpaid, 0, book.earned[mine])
                notes = book.notes(mine)
                if notes is not None:
                    notes.note("withheld", book.earned[mine], effects.unpaid)
        for turn in range(max(map(len, steps))):
            self._step([each[turn] if turn < len(each) else None for each in steps])

    def _steps(self, place: int, version: Version) -> list[_Step | None]:
        component, effects = version.component, self._book.effects.get(place)
        found: list[_Step | None] = [
            None if cap is None else _Step(cap, f"cap:{turn}" if turn > 1 else "cap")
            for turn, cap in enumerate((component.cap, *component.caps), 1)
        ]
        if effects is not None:
            keys = [gate.key for gate in component.gates if gate.effect == "cap"]
            found += [
                _Step(Cap(amount, "measure_period"), f"gate_cap:{key}", unmet)
                for key, (amount, unmet) in zip(keys, effects.caps, strict=True)
            ]
        return found if any(found) else []

    def _step(self, steps: list[_Step | None]) -> None:
        """One cap of each version, on what all caps before have left."""
        book = self._book
        before = book.earnings
        sums: dict[str, Whole] = {}
        after = before.copy()
        for place, (step, mine) in enumerate(zip(steps, book.mine, strict=True)):
            if step is None or not before[mine].size:
                continue
            cap = step.cap
            if cap.per not in sums:
                sums[cap.per] = before if cap.per == "credit" else self._lines(cap.per).sums(before)
            limit = self._limit(place, cap, mine, step.only is not None)
            left = below(limit, sums[cap.per][mine], before[mine])
            after[mine] = left if step.only is None else np.where(step.only, left, before[mine])
            notes = book.notes(mine)
            if notes is not None:
                notes.note(f"{step.name}.limit", np.broadcast_to(limit, left.size), step.only)
                notes.note(step.name, left, step.only)
            excess = before[mine] - after[mine]
            if cap.excess == "review":
                book.review = np.zeros_like(before) if book.review is None else book.review
                book.review[mine] += excess
            elif cap.excess == "carried":
                book.owed = np.zeros_like(before) if book.owed is None else book.owed
                book.owed[mine] += excess
        book.earned = after

    def _limit(self, place: int, cap: Cap, mine: Ints | slice, only_some: bool) -> int | Ints:
        """The limit of each line of a version; of a gate, which is for `only_some` lines, as it is stated."""
        book, series = self._book, self._book.series
        version = series.versions[place]
        mode = version.plan.round_mode
        person = series.person[series.group[mine]]
        if cap.of_incentive is not None:
            assert book.incentive is not None
            incentive = np.where(book.incentive[mine] == MISSING_MONEY, 0, book.incentive[mine])
            return money(scaled(incentive, cap.of_incentive, mode), "A cap")
        if cap.of_component is not None:
            assert cap.share is not None
            replicate = series.replicate[series.group[mine]]
            # Where nothing is read it is 0.
            value, _ = self._ledger.final(cap.of_component, person, replicate, series.day[mine])
            limit = money(value.multiply(Ratios.constant(cap.share)).rounded(mode), "A cap")
            return np.maximum(limit, 0)
        assert cap.amount is not None
        whole = only_some or cap.per not in ("measure_period", "year")
        if whole or (version.plan.proration is None and series.partial is None):
            return cap.amount
        by_year = cap.per == "year" or yearly(version)
        partial = None if series.partial is None else series.partial[mine]
        period = series.period[mine]
        if by_year:
            period = periods_of(self._batch.periods["year"], series.day[mine], "day of a line, by year")
        every = "year" if by_year else version.component.every
        return self._quotas.cap(version, cap.amount, (every, period), person, partial)

    def _lines(self, per: str) -> Covered:
        if per not in self._covered:
            self._covered[per] = self._cover(per)
        return self._covered[per]

    def _cover(self, per: str) -> Covered:
        series = self._book.series
        if per == "measure_period":
            return Covered(None, series.starts, series.group)
        if per == "deal":
            facts, fact = self._batch.facts, self._credited.credits.fact
            of = credited_or(fact, series.row, np.full(series.row.size, -1, dtype=np.int64))
            deal = of if facts.deal is None else np.where(of >= 0, facts.deal[of], -1)
            # A fact without a deal is one of its own; no deal's are openings.
            apart = np.where(of >= 0, facts.id.size + of, -1)
            return Covered.by(np.where(deal >= 0, deal, apart), series.group)
        year = periods_of(self._batch.periods["year"], series.day, "day of a line, by year")
        stretch = np.full(series.row.size, -1, dtype=np.int64)
        if series.partial is not None:
            plans = np.array([version.plan_place for version in series.versions])
            stretch = np.where(series.partial, plans[series.version], -1)
        person, replicate = series.person[series.group], series.replicate[series.group]
        keys = (stretch, year, replicate, person)
        within: tuple[Ints, ...] = (series.in_turn,)
        if reorders(series.versions):
            within = _as_stated(self._batch, self._credited, self._book, Covered.by(*keys), within)
        return Covered.by(*keys, within=within)


def capped_plans(batch: Batch, credited: Credited, quotas: QuotaBook, books: Sequence[Book]) -> list[Book]:
    """Plan caps, then budgets, on the lines of all components; the books that they concern."""
    concerned: list[Book] = []
    for key in dict.fromkeys(plan.key for plan in batch.plans if plan.caps):
        mine = [book for book in books if book.series.versions[0].plan.key == key]
        if mine:
            _by_plan(batch, quotas, _Together.of(credited, mine))
            concerned += mine
    for book in books:
        if any(version.component.budget is not None for version in book.series.versions):
            _by_budget(batch, credited, _Together.of(credited, [book]))
            concerned += [] if book in concerned else [book]
    return concerned


@dataclass(frozen=True, slots=True)
class _Together:
    """The lines of several books, and what orders them: day, lines of periods behind those of credits, then `when`."""

    books: list[Book]
    book: Ints
    plan: Ints
    person: Ints
    replicate: Ints
    day: Ints
    in_turn: Ints
    late: Ints
    when: Ints
    earned: Ints

    @classmethod
    def of(cls, credited: Credited, books: list[Book]) -> _Together:
        columns = [_columns(credited, number, book) for number, book in enumerate(books)]
        return cls(books, *(np.concatenate(each) for each in zip(*columns, strict=True)))

    def capped(
        self, covered: Covered, limits: Mapping[int, tuple[int | Ints, bool]], name: str, named: Mask | None = None
    ) -> None:
        """The lines of each plan version below its limit (one for all, or one a line); what goes beyond it is lost, or
        kept for review. Only those `named` count and are cut."""
        before = self.earned.copy()
        upto = covered.sums(before if named is None else np.where(named, before, 0))
        first = np.cumsum([0, *(book.series.row.size for book in self.books)])
        # Lines at a floating rate count, and only others are cut.
        fixed = np.concatenate([_at_fixed_rate(book) for book in self.books])
        for plan, (limit, review) in limits.items():
            rows = np.flatnonzero((self.plan == plan) & (fixed if named is None else fixed & named))
            limit = np.broadcast_to(limit, self.plan.size)
            self.earned[rows] = below(limit[rows], upto[rows], before[rows])
            for number, book in enumerate(self.books):
                mine = rows[self.book[rows] == number]
                notes = book.notes(mine - first[number])
                if notes is not None:
                    notes.note(f"{name}.limit", limit[mine])
                    notes.note(name, self.earned[mine])
                if not review:
                    continue
                book.review = np.zeros(book.series.row.size, dtype=np.int64) if book.review is None else book.review
                book.review[mine - first[number]] += before[mine] - self.earned[mine]

    def written(self) -> None:
        for number, book in enumerate(self.books):
            book.earned = self.earned[self.book == number]


def _at_fixed_rate(book: Book) -> Mask:
    """The lines that may be cut: openings stand as they are given, too."""
    stated = np.array([version.component.release_rate == "fixed" for version in book.series.versions])
    found: Mask = stated[book.series.version]
    return found if book.series.opening is None else found & (book.series.opening < 0)


def _columns(credited: Credited, number: int, book: Book) -> tuple[Ints, ...]:
    series = book.series
    rows = series.row.size
    plans = np.array([version.plan_place for version in series.versions])
    late = np.zeros(rows, dtype=np.int64)
    if series.kind is not None:
        late = ((series.kind == OF_PERIOD) | (series.kind == OF_CARRY)).astype(np.int64)
    # Reversals come after caps.
    earned = book.earnings if book.reversal is None else np.where(book.reversal, 0, book.earnings)
    return (
        np.full(rows, number, dtype=np.int64),
        plans[series.version],
        series.person[series.group],
        series.replicate[series.group],
        series.day,
        series.in_turn,
        late,
        credited_or(credited.when, series.row, np.zeros_like(series.row)),
        earned,
    )


def _as_stated(
    batch: Batch, credited: Credited, book: Book, covered: Covered, standing: tuple[Ints, ...]
) -> tuple[Ints, ...]:
    """What orders lines that share a cap in each measure period, where the component states an order of its own."""
    series = book.series
    begins, owner = np.empty_like(series.day), np.empty_like(series.day)
    for place, version in enumerate(series.versions):
        mine = series.version == place
        begins[mine] = batch.periods[version.component.every][series.period[mine]]
    owner[covered.order] = covered.run
    late = np.zeros_like(series.day) if series.kind is None else (series.kind != OF_CREDIT).astype(np.int64)
    if series.opening is not None:
        opening = series.opening >= 0
        begins[opening], late[opening] = MISSING_DAY, 0
    return in_stated_order_of_all(
        credited, series.versions, series.version, owner, begins, series.row, series.amount, late, standing
    )


def _by_plan(batch: Batch, quotas: QuotaBook, lines: _Together) -> None:
    most = max(len(plan.caps) for plan in batch.plans)
    for turn in range(most):
        stated = {
            place: plan.caps[turn]
            for place, plan in enumerate(batch.plans)
            if turn < len(plan.caps) and (lines.plan == place).any()
        }
        for every in dict.fromkeys(cap.every for cap in stated.values()):
            period = periods_of(batch.periods[every], lines.day, f"day of a line, by {every}")
            order = (lines.in_turn, lines.late, lines.when, lines.book)
            limits = {
                place: (quotas.plan_cap(batch.plans[place], cap, period, lines.person), cap.excess == "review")
                for place, cap in stated.items()
                if cap.every == every
            }
            covered = Covered.by(period, lines.replicate, lines.person, within=order)
            lines.capped(covered, limits, f"plan_cap:{turn + 1}", _named(lines, stated))
    lines.written()


def _named(lines: _Together, stated: dict[int, PlanCap]) -> Mask | None:
    """The lines of the components that a plan cap of their version names; None where it is for all."""
    if not any(cap.components for cap in stated.values()):
        return None
    found = np.ones(lines.plan.size, dtype=bool)
    key = np.array([book.series.versions[0].component.key for book in lines.books])[lines.book]
    for place, cap in stated.items():
        if cap.components:
            found &= (lines.plan != place) | np.isin(key, cap.components)
    return found


def _by_budget(batch: Batch, credited: Credited, lines: _Together) -> None:
    """The lines of one book below its budget: what batches took stays, the rest is first come, first served."""
    (book,) = lines.books
    order: tuple[Ints, ...] = (lines.in_turn, lines.late, lines.when, lines.person)
    if reorders(book.series.versions):
        standing = (lines.in_turn, lines.when, lines.person)
        order = _as_stated(batch, credited, book, Covered.by(lines.replicate), standing)
    covered = Covered.by(lines.replicate, within=order)
    budgets = [version.component.budget for version in book.series.versions]
    stated = np.array([budget is not None for budget in budgets])[book.series.version] & _at_fixed_rate(book)
    limit = np.array([0 if budget is None else budget.amount for budget in budgets])[book.series.version]
    earned, cut = lines.earned, np.flatnonzero(stated)
    upto, kept = covered.sums(earned), kept_by(batch, credited, book)
    notes = book.notes(cut)
    if kept is None:
        left = below(limit, upto, earned)
    else:
        # What a line pays at least: all where it is not cut, and below zero; else what it keeps.
        least = np.where(stated & (earned >= 0), kept.amount, earned)
        room = covered.rooms(limit, np.where(stated, kept.amount, 0), least)
        before = np.minimum(limit, room - least)
        left = (np.minimum(room, upto) - np.minimum(before, upto - earned)).astype(np.int64)
        if notes is not None:
            notes.note("budget.kept", kept.amount[cut], kept.amount[cut] > 0)
            notes.note("budget.had", kept.had[cut], kept.had[cut] > 0)
            notes.note("budget.day", kept.day[cut], (kept.amount[cut] > 0) | (kept.had[cut] > 0))
            notes.note("budget.left", np.maximum(before - (upto - earned), 0)[cut], earned[cut] > 0)
    book.earned = np.where(stated, left, earned)
    if notes is not None:
        notes.note("budget.limit", limit[cut])
        notes.note("budget", book.earned[cut])
