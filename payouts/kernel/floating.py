"""Rates that go on moving until money is released. See number 29 of docs/plan-language.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np

from crediting.kernel.exact import money, run_numbers, run_starts
from crediting.kernel.ratios import Ratios, choose
from payouts.kernel.batch import MISSING_DAY, Ints
from payouts.kernel.book import Book
from payouts.kernel.groups import Series
from payouts.kernel.rate import Rated

#: The lines of the version at a place, rated as though these (by line of the book) were the totals of their groups.
Rating = Callable[[int, Ints], Rated]


def floats(book: Book) -> bool:
    """Whether some version's tranches go by the rate of their release day."""
    return any(version.component.release_rate != "fixed" for version in book.series.versions)


def float_rates(book: Book, rating: Rating) -> None:
    """Sets the tranches of such lines by their release days, and their lines to the value that was released last."""
    assert book.tranches is not None and book.rounded is not None
    series, parts = book.series, book.tranches
    amount = parts.amount.copy()
    book.earned, book.rounded = book.earnings.copy(), book.rounded.copy()
    for place, (version, mine) in enumerate(zip(series.versions, book.mine, strict=True)):
        component, plan = version.component, version.plan
        lines = np.arange(series.row.size)[mine]
        if component.release_rate == "fixed" or not lines.size:
            continue
        own = np.flatnonzero(~book.reversal[lines]) if book.reversal is not None else np.arange(lines.size)
        first = np.searchsorted(parts.line, lines)

        def value(totals: Ints, place: int = place) -> Ratios:
            return _paid(book, place, rating(place, totals))

        totals = series.totals
        shown = value(totals)
        latest = np.full(lines.size, MISSING_DAY, dtype=np.int64)
        share, before = Fraction(0), np.zeros(lines.size, dtype=np.int64)
        for step, entry in enumerate(component.release):
            share += entry.share
            day = np.full(lines.size, MISSING_DAY, dtype=np.int64)
            day[own] = parts.release_day[first[own] + step]
            at = totals.copy()
            at[lines] = np.where(day == MISSING_DAY, totals[lines], _total_on(series, lines, day))
            worth = value(at)
            part = entry.share if component.release_rate == "this_share" else share
            due = worth.multiply(Ratios.constant(part)).rounded(plan.round_mode, plan.round_step)
            if component.release_rate == "true_up":
                due = due - before
            before = before + due
            amount[first[own] + step] = money(due[own], "A tranche")
            newer = (day != MISSING_DAY) & (day >= latest)
            shown, latest = choose(newer, worth, shown), np.where(newer, day, latest)
        earned = money(shown.rounded(plan.round_mode, plan.round_step), "An earning")
        book.earned[lines[own]] = book.rounded[lines[own]] = earned[own]
        if book.trace is not None:
            book.trace.at(series.row.size, lines[own]).note("floating", earned[own])
    book.tranches = replace(parts, amount=amount)


def _paid(book: Book, place: int, found: Rated) -> Ratios:
    """What the lines earn, nothing where a gate withholds it."""
    effects = book.effects.get(place)
    earning = found.earning
    if effects is not None and effects.unpaid is not None:
        earning = np.where(effects.unpaid, 0, earning)
    return Ratios(earning, np.array([found.divisor]) if isinstance(found.divisor, int) else found.divisor)


def _total_on(series: Series, lines: Ints, day: Ints) -> Ints:
    """The running total of each line's group at the end of a day, of a year to date at most that of its own period."""
    in_turn = np.maximum(series.in_turn, series.day.min() - 1)
    if series.year is not None:
        starts = run_starts(series.group, series.period)
        last = np.append(starts[1:], series.row.size) - 1
        day = np.minimum(day, series.day[last][run_numbers(starts, series.row.size)][lines])
    start, width = int(in_turn.min()), int(in_turn.max()) - int(in_turn.min()) + 2
    keys = series.group * width + (in_turn - start)
    wanted = series.group[lines] * width + np.clip(day, start, start + width - 1) - start
    return series.after[np.searchsorted(keys, wanted, side="right") - 1]
