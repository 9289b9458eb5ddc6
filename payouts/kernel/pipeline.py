"""`calculate`: from deals, people and plans to credits, attainments, earnings and payables."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from crediting.kernel.credit import Credited, credit
from crediting.kernel.exact import run_numbers, run_starts
from crediting.kernel.fields import World
from payouts.kernel.batch import MISSING_MONEY, Batch, Groups, Ints, Lines, Result, Tranches
from payouts.kernel.book import Book
from payouts.kernel.measure import Series, measure
from payouts.kernel.order import Version, reading_order
from payouts.kernel.quotas import QuotaBook
from payouts.kernel.rate import Stretch, rate
from payouts.kernel.release import Due, Triggers, tranches
from payouts.kernel.shape import capped_lines, rounded_lines


def calculate(batch: Batch) -> Result:
    """Everything that the plans say about the facts of a batch, exact and traced; the meaning is docs/plan-language.md.

    Pure: the same facts give the same result, in the same order, whatever the order of the rows that came in. Raises a
    KernelError (amount out of range, date outside the calendar, bad quota, absent column, circle of reads) before
    anything is returned.
    """
    order = reading_order(batch.plans)
    work = _Work(batch)
    books: dict[int, Book] = {}
    for place, versions in order:
        book = work.component(versions)
        if book is not None:
            books[place] = book
    return _result(work.credited, [books[place] for place in sorted(books)])


class _Work:
    """The steps of one calculation, component by component; what is read has been worked out before."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        world = World(batch.facts, batch.attributes, batch.employment, batch.exchange)
        self.credited = credit(
            batch.plans, world, batch.teams, batch.reporting, batch.assignments, batch.only, batch.transfers
        )
        self.quotas = QuotaBook(batch, self.credited.people)
        self.triggers = Triggers(batch)

    def component(self, versions: tuple[Version, ...]) -> Book | None:
        """Measure, rate, shape, release: the lines of one component, None where it has none."""
        series = measure(self.batch, self.credited, versions)
        if series is None:
            return None
        book = Book.opened(series)
        self._rate(book)
        book.rounded = rounded_lines(series, book.mine, book.rated)
        book.rated.clear()
        deal = self.credited.credits.fact[series.row]
        book.earned = capped_lines(series, book.mine, book.rounded, deal, self.credited.when[series.row])
        book.tranches = tranches(self.batch, self._due(book), self.triggers)
        return book

    def _due(self, book: Book) -> Due:
        """What of a component is to be released."""
        series, credited, facts = book.series, self.credited, self.batch.facts
        assert book.earned is not None
        fact = credited.credits.fact[series.row]
        period_end = None
        if any(entry.on == "period_end" for version in series.versions for entry in version.component.release):
            period_end = np.empty_like(series.period)
            for version, mine in zip(series.versions, book.mine, strict=True):
                period_end[mine] = self.batch.periods[version.component.every][series.period[mine] + 1]
        held = credited.credits.held
        return Due(
            versions=series.versions,
            stretches=book.mine,
            earned=book.earned,
            day=series.day,
            deal=fact if facts.deal is None else facts.deal[fact],
            participant=credited.credits.participant[series.row],
            period_end=period_end,
            held=None if held is None else held[series.row] == 1,
            withheld=book.withheld,
            not_before=book.not_before,
        )

    def _rate(self, book: Book) -> None:
        """Each version's lines by its own curve."""
        series = book.series
        total = series.after[series.last]
        for version, mine in zip(series.versions, book.mine, strict=True):
            group = series.group[mine]
            heads = run_starts(group)
            quota = self.quotas.quota(version, series.person[group[heads]], series.period[mine][heads])
            book.quota[mine] = quota[run_numbers(heads, group.size)]
            found = rate(
                version.component,
                Stretch(
                    amount=series.amount[mine],
                    whole=series.whole[mine],
                    before=series.before[mine],
                    after=series.after[mine],
                    total=total[group],
                    quota=book.quota[mine],
                    position=book.position[mine],
                    fresh=heads if isinstance(mine, slice) else _fresh(mine, heads),
                ),
            )
            book.tier_before[mine], book.tier_after[mine] = found.tier_before, found.tier_after
            book.band[mine], book.waiting[mine] = found.band, found.waiting
            book.rated.append(found)


def _fresh(lines: Ints, heads: Ints) -> Ints:
    """The places in `lines` of those that do not follow the line before them: a group or version begins there."""
    apart = np.flatnonzero(np.diff(lines) != 1) + 1
    return np.union1d(heads, apart)


def _result(credited: Credited, books: list[Book]) -> Result:
    """The tables of all components, one below the other, by document order."""
    groups: list[Groups] = []
    lines: list[Lines] = []
    parts: list[Tranches] = []
    first_group = first_line = 0
    for book in books:
        groups.append(_groups(credited, book))
        lines.append(_lines(book, first_group))
        assert book.tranches is not None
        book.tranches.line[...] += first_line
        parts.append(book.tranches)
        first_group += book.series.starts.size
        first_line += book.series.row.size
    return Result(
        credited.credits, _joined(Groups, groups), _joined(Lines, lines), _joined(Tranches, parts), credited.waits
    )


def _groups(credited: Credited, book: Book) -> Groups:
    series = book.series
    last = series.last
    version = series.version[last]
    return Groups(
        participant=credited.people[series.person],
        plan=_places(series, "plan_place")[version],
        component=_places(series, "component_place")[version],
        period=series.period[last],
        replicate=series.replicate,
        quota=book.quota[last],
        total=series.after[last],
        lines=last - series.starts + 1,
        incentive=None if book.incentive is None else book.incentive[last],
    )


def _lines(book: Book, first_group: int) -> Lines:
    series = book.series
    assert book.rounded is not None and book.earned is not None
    return Lines(
        credit=series.row,
        group=series.group + first_group,
        component=_places(series, "component_place")[series.version],
        position=book.position,
        before=series.before,
        after=series.after,
        tier_before=book.tier_before,
        tier_after=book.tier_after,
        band=book.band,
        rounded=book.rounded,
        earned=book.earned,
        waiting=book.waiting,
        review=book.review,
    )


def _places(series: Series, name: str) -> Ints:
    return np.array([getattr(version, name) for version in series.versions], dtype=np.int64)


def _joined(kind: Any, tables: list[Any]) -> Any:
    """Tables of the same kind one below the other. A column that only some have is filled where it is absent."""
    if len(tables) == 1:
        return tables[0]
    columns: dict[str, Any] = {}
    for each in fields(kind):
        found = [getattr(table, each.name) for table in tables]
        if any(column is not None for column in found):
            columns[each.name] = np.concatenate(
                [
                    _filled(table, each.name) if column is None else column
                    for table, column in zip(tables, found, strict=True)
                ]
            )
        elif each.default is not None:
            columns[each.name] = np.zeros(0, dtype=np.int8 if each.name == "waiting" else np.int64)
    return kind(**columns)


def _filled(table: Any, name: str) -> Ints:
    """What stands for an optional column that a table has no use for."""
    return np.full(getattr(table, fields(table)[0].name).size, _ABSENT.get(name, 0), dtype=np.int64)


#: What stands in optional columns for rows that have no use for them; 0 in all others.
_ABSENT = {"incentive": MISSING_MONEY, "origin": -1, "exchange": -1}
