"""What rows come to in the windows of periods: their sums, the last, the largest. See docs/algorithms/measures.md."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crediting.kernel.exact import Whole, run_starts, sums
from payouts.kernel.batch import Ints
from plans.rules.compiled import Measure


@dataclass(frozen=True, slots=True)
class Cells:
    """What rows, or runs of rows, bring to a value. With `order` the one that comes last in it counts, else their sum;
    `bottom` is what is divided by, where anything is, or how many parts were added up; `part` what rows are parted by
    until then."""

    top: Whole
    bottom: Whole | None = None
    order: Ints | None = None
    part: Ints | None = None

    def at(self, rows: Ints | slice) -> Cells:
        return Cells(self.top[rows], *(None if each is None else each[rows] for each in self._others()))

    def _others(self) -> tuple[Whole | None, Ints | None, Ints | None]:
        return self.bottom, self.order, self.part


def combined(key: Ints, cells: Cells) -> tuple[Ints, Cells]:
    """The distinct keys in ascending order, and what the rows of each come to; with `part` a row each part."""
    if cells.order is None:
        order = np.argsort(key, kind="stable")
        starts = run_starts(key[order])
        bottom = None if cells.bottom is None else sums(cells.bottom[order], starts)
        return key[order][starts], Cells(sums(cells.top[order], starts), bottom)
    parted = () if cells.part is None else (cells.part,)
    order = np.lexsort((cells.order, *parted, key))
    starts = run_starts(key[order], *(part[order] for part in parted))
    last = np.append(starts[1:], order.size) - 1 if order.size else starts
    return key[order][starts], cells.at(order[last])


def added_up(key: Ints, cells: Cells) -> tuple[Ints, Cells]:
    """What the parts of each key come to together; rows as `combined` gives them."""
    starts = run_starts(key)
    return key[starts], Cells(sums(cells.top, starts), np.diff(starts, append=key.size))


def matches(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """All pairs of a row on the left and one on the right with equal keys: by row on the left, then on the right."""
    order = np.argsort(right, kind="stable")
    first = np.searchsorted(right[order], left, side="left")
    count = np.searchsorted(right[order], left, side="right") - first
    return np.repeat(np.arange(left.size), count), order[stepped(first, count)]


def stepped(first: Ints, count: Ints) -> Ints:
    """For each row the numbers first, first + 1, ..., `count` of them, one row after the other."""
    before = np.cumsum(count) - count
    return np.arange(int(count.sum())) - np.repeat(before - first, count)


def windows(measure: Measure, bounds: Ints, years: Ints, period: Ints) -> tuple[Ints, Ints]:
    """The periods in whose window rows of these periods lie: the place of the row, and the period, each pair once."""
    last = bounds.size - 2
    if measure.window == "rolling":
        until = np.minimum(period + measure.periods - 1, last)
    elif measure.window == "year_to_date":
        year = np.searchsorted(years, bounds[period], side="right")
        until = np.searchsorted(bounds, years[np.minimum(year, years.size - 1)], side="left") - 1
        until = np.maximum(np.minimum(until, last), period)
    else:
        until = period
    count = until - period + 1
    return np.repeat(np.arange(period.size), count), stepped(period, count)
