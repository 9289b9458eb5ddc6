"""Excess over a cap that is carried into later measure periods: number 25 of docs/plan-language.md.

One pass over the periods in order, all people at once: what a period pays of what is owed depends on the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from crediting.kernel.exact import Whole, money, run_numbers, run_starts, scaled, sums
from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import MISSING_DAY, MISSING_MONEY, OF_CARRY, OF_CREDIT, Batch, Ints
from payouts.kernel.book import Book
from payouts.kernel.groups import COUNTS_FOR_BOTH, Reversed, Series, way, yearly
from payouts.kernel.order import Version
from payouts.kernel.quotas import QuotaBook
from payouts.kernel.reads import Ledger, taken
from plans.rules.compiled import Cap, Every


@dataclass(frozen=True, slots=True)
class _Carried:
    """Carried lines: one row each."""

    person: Ints
    replicate: Ints
    version: Ints
    period: Ints
    day: Ints
    amount: Ints


def with_carried(batch: Batch, quotas: QuotaBook, ledger: Ledger, book: Book) -> Book:
    """The book with its carried lines, each the last of its group; the same book where nothing is owed."""
    if book.owed is None or not book.owed.any():
        return book
    found: list[_Carried] = []
    ways = [way(version) for version in book.series.versions]
    for each in dict.fromkeys(ways):
        every, by_year = each
        mine = np.array([other == each for other in ways])[book.series.version[book.series.last]]
        if mine.any():
            found += _Passage(batch, quotas, ledger, book, "year" if by_year else every, mine).run()
    if not found:
        return book
    extra = _Carried(*(np.concatenate([getattr(each, f.name) for each in found]) for f in fields(_Carried)))
    return _inserted(quotas, book, extra, ways)


def _carrying(version: Version) -> Cap | None:
    return next((cap for cap in version.component.caps if cap.excess == "carried"), None)


class _Passage:
    """What is owed to each person (and replicate), period by period of one way of grouping."""

    def __init__(self, batch: Batch, quotas: QuotaBook, ledger: Ledger, book: Book, every: Every, groups: Ints) -> None:
        self.batch, self.quotas, self.ledger, self.every = batch, quotas, ledger, every
        series = book.series
        assert book.owed is not None
        self.versions, self.bounds = series.versions, batch.periods[every]
        self.carries = np.array([_carrying(version) is not None for version in self.versions])
        rows = np.flatnonzero(groups)
        last = series.last[rows]
        span = series.period if series.year is None else np.where(series.year >= 0, series.year, series.period)
        # The terms are those of the group's last line that its version carries; what waits or takes back is not capped.
        capped = self.carries[series.version] & (book.waiting == 0)
        if book.reversal is not None:
            capped &= ~book.reversal
        carrying = np.maximum.reduceat(np.where(capped, np.arange(series.row.size), -1), series.starts)[rows]
        self.period, self.version = span[last], np.where(carrying >= 0, series.version[carrying], -1)
        self.owed = sums(book.owed, series.starts)[rows]
        self.earned = sums(book.earnings, series.starts)[rows]
        width = int(series.replicate.max(initial=0)) + 1
        owners, self.owner = np.unique(series.person[rows] * width + series.replicate[rows], return_inverse=True)
        self.person, self.replicate = owners // width, owners % width
        self.years = np.searchsorted(batch.periods["year"], self.bounds[:-1], side="right") - 1

    def run(self) -> list[_Carried]:
        found: list[_Carried] = []
        due = np.zeros(self.person.size, dtype=np.int64)
        terms = np.full(self.person.size, -1, dtype=np.int64)
        first, last = int(self.period.min()), int(self.period.max())
        for period in range(first, self.bounds.size - 1):
            if period > last and not due.any():
                break
            if period > first and self.years[period] != self.years[period - 1]:
                ends = np.array(
                    [(cap := _carrying(each)) is not None and cap.until == "year_end" for each in self.versions]
                )
                due[(terms >= 0) & ends[terms]] = 0
            mine = np.flatnonzero(self.period == period)
            earned, owed = np.zeros_like(due), np.zeros_like(due)
            np.add.at(earned, self.owner[mine], self.earned[mine])
            np.add.at(owed, self.owner[mine], self.owed[mine])
            stated = mine[self.version[mine] >= 0]
            terms[self.owner[stated]] = self.version[stated]
            paid = self._paid(period, due, earned, terms)
            rows = np.flatnonzero(paid)
            if rows.size:
                day = np.full(rows.size, self.bounds[period + 1] - 1)
                found.append(
                    _Carried(
                        self.person[rows],
                        self.replicate[rows],
                        terms[rows],
                        np.full(rows.size, period),
                        day,
                        paid[rows],
                    )
                )
            # Below zero where a reversal takes back what an opening lay above the cap: that was never carried.
            due = money(due - paid + np.maximum(owed, 0), "Carried excess")
        return found

    def _paid(self, period: int, due: Ints, earned: Ints, terms: Ints) -> Ints:
        """What a period pays each of what is due."""
        paid = np.zeros_like(due)
        for place in np.unique(terms[due > 0]).tolist():
            rows = np.flatnonzero((due > 0) & (terms == place))
            version = self.versions[place]
            cap = _carrying(version)
            assert cap is not None
            room = self._limit(version, cap, rows, period)
            if cap.counts:
                room = room - earned[rows]
            paid[rows] = np.minimum(due[rows], np.maximum(room, 0))
        return paid

    def _limit(self, version: Version, cap: Cap, rows: Ints, period: int) -> Ints:
        plan, person = version.plan, self.person[rows]
        places = np.full(rows.size, period, dtype=np.int64)
        if cap.amount is not None:
            return self.quotas.cap(version, cap.amount, (self.every, places), person)
        if cap.of_incentive is not None:
            incentive = self.quotas.incentive(version, person, places)
            limit = scaled(np.where(incentive == MISSING_MONEY, 0, incentive), cap.of_incentive, plan.round_mode)
            return money(limit, "A cap")
        assert cap.of_component is not None and cap.share is not None
        day = np.full(rows.size, self.bounds[period + 1] - 1)
        value, _ = self.ledger.final(cap.of_component, person, self.replicate[rows], day)
        return np.maximum(money(value.multiply(Ratios.constant(cap.share)).rounded(plan.round_mode), "A cap"), 0)


def _inserted(quotas: QuotaBook, book: Book, extra: _Carried, ways: list[tuple[Every, bool]]) -> Book:
    """The book with more lines behind those of their groups, and groups where there were none."""
    series = book.series
    lines, more = series.row.size, extra.person.size
    way_of = np.array([list(dict.fromkeys(ways)).index(each) for each in ways])
    span = series.period if series.year is None else np.where(series.year >= 0, series.year, series.period)
    keys = (
        np.concatenate((span, extra.period)),
        np.concatenate((series.replicate[series.group], extra.replicate)),
        way_of[np.concatenate((series.version, extra.version))],
        np.concatenate((series.person[series.group], extra.person)),
    )
    order = np.lexsort(keys)
    new = order >= lines
    # A carried line goes with the group before it where that is of the same person and period.
    first = np.zeros(order.size, dtype=bool)
    first[run_starts(*(key[order] for key in keys))] = True
    alone = new & first
    owner = np.concatenate((series.group, np.full(more, -1)))[order]
    owner[alone] = series.starts.size + np.arange(int(alone.sum()))
    behind = np.flatnonzero(new & ~first)
    owner[behind] = owner[behind - 1]
    starts = run_starts(owner)
    group = run_numbers(starts, order.size)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)

    def placed(column: Any, values: Any) -> Any:
        return np.concatenate((column, np.broadcast_to(np.asarray(values, dtype=column.dtype), more)))[order]

    by_year = np.array([yearly(version) for version in series.versions])[extra.version]
    columns: dict[str, Any] = {
        "row": placed(series.row, -1),
        "version": placed(series.version, extra.version),
        "amount": placed(series.amount, 0),
        "day": placed(series.day, extra.day),
        "period": placed(series.period, _own_period(quotas, series, extra, by_year)),
        "before": placed(series.before, 0),
        "after": placed(series.after, 0),
        "measured": placed(series.amounts, 0),
        "year": None if series.year is None else placed(series.year, np.where(by_year, extra.period, -1)),
        "partial": None if series.partial is None else placed(series.partial, False),
        "kind": placed(np.full(lines, OF_CREDIT, np.int8) if series.kind is None else series.kind, OF_CARRY),
        "counts": None if series.counts is None else placed(series.counts, COUNTS_FOR_BOTH),
        "waits": None if series.waits is None else placed(series.waits, False),
        "opening": None if series.opening is None else placed(series.opening, -1),
    }
    for name in ("value", "given"):
        ratios = getattr(series, name)
        if ratios is not None:
            columns[name] = Ratios(*(placed(each, fill) for each, fill in _sides(taken(ratios, slice(None)), lines)))
    person = np.concatenate((series.person[series.group], extra.person))[order][starts]
    replicate = np.concatenate((series.replicate[series.group], extra.replicate))[order][starts]
    moved = tuple(
        Reversed(each.version, replace(each.rows, line=place[each.rows.line]), place[each.lines])
        for each in series.reversed
    )
    found = replace(series, **columns, starts=starts, group=group, person=person, replicate=replicate, reversed=moved)
    grown = Book.opened(found)
    for name, fill in _FILLS.items():
        column = getattr(book, name)
        setattr(grown, name, None if column is None else placed(column, fill))
    assert grown.earned is not None and grown.rounded is not None
    grown.earned[place[lines:]] = grown.rounded[place[lines:]] = extra.amount
    grown.result = book.result
    if book.trace is not None:
        grown.trace = book.trace.moved(place)
        grown.trace.at(order.size, place[lines:]).note("carried", extra.amount)
    # What stands of a group stands on its last line.
    found.before[behind] = found.after[behind] = found.after[behind - 1]
    grown.quota[behind] = grown.quota[behind - 1]
    if grown.incentive is not None:
        grown.incentive[behind] = grown.incentive[behind - 1]
    return grown


#: What carried lines have in the columns of a book.
_FILLS: dict[str, int] = {
    "quota": MISSING_MONEY,
    "incentive": MISSING_MONEY,
    "tier_before": -1,
    "tier_after": -1,
    "band": -1,
    "waiting": 0,
    "rounded": 0,
    "earned": 0,
    "review": 0,
    "owed": 0,
    "not_before": MISSING_DAY,
    "withheld": 0,
}


def _sides(values: Ratios, lines: int) -> list[tuple[Whole, int]]:
    return [(np.broadcast_to(values.top, lines), 0), (np.broadcast_to(values.bottom, lines), 1)]


def _own_period(quotas: QuotaBook, series: Series, extra: _Carried, by_year: Ints) -> Ints:
    """The period of each carried line in the version's own cadence: of a year the last."""
    found = extra.period.copy()
    for place, version in enumerate(series.versions):
        mine = by_year & (extra.version == place)
        found[mine] = quotas.period_at(version.component.every, extra.day[mine])
    return found
