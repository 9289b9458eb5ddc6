"""One component's lines while they are worked out, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crediting.kernel.conditions import Mask
from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import MISSING_MONEY, OF_REVERSAL, Codes, Ints, Tranches
from payouts.kernel.gates import Effects
from payouts.kernel.groups import Series
from payouts.kernel.rate import Rated
from payouts.kernel.trace import Notes, Trace


class Second(NamedTuple):
    """Lines of a version as a counterpart's terms rate them, and where there are such terms: elsewhere as their own."""

    rated: Rated
    there: Mask


@dataclass(slots=True)
class Book:
    """Columns by line, in the order of the series. `mine` are the lines of each version but for openings, which none
    rates. Columns that may be None are so where no line has a use for them, or while they have not been worked out."""

    series: Series
    mine: list[Ints | slice]
    position: Ints
    quota: Ints
    tier_before: Codes
    tier_after: Codes
    band: Codes
    waiting: npt.NDArray[np.int8]
    incentive: Ints | None = None
    parts: Ratios | None = None  # of bounds, of a year to date whose versions may prorate them otherwise
    rated: list[Rated] = field(default_factory=list)  # by version, until rounded
    second: dict[int, Second] = field(default_factory=dict)  # by the terms of counterparts, likewise
    effects: dict[int, Effects] = field(default_factory=dict)  # of gates, by version
    rounded: Ints | None = None
    earned: Ints | None = None
    review: Ints | None = None
    owed: Ints | None = None  # the excess that is carried into later periods
    not_before: Ints | None = None  # the earliest release day, MISSING_DAY where any is right
    withheld: Mask | None = None  # lines whose tranches a gate withholds
    result: tuple[Ratios, Mask] | None = None  # of a result: its value, and where it is missing
    tranches: Tranches | None = None  # `line` is a place in this book
    trace: Trace | None = None

    @classmethod
    def opened(cls, series: Series) -> Book:
        rows = series.row.size
        counts = np.bincount(series.version, minlength=len(series.versions))
        mine: list[Ints | slice] = [
            slice(None) if count == rows else np.flatnonzero(series.version == version)
            for version, count in enumerate(counts)
        ]
        if series.opening is not None:
            mine = [
                np.flatnonzero((series.version == version) & (series.opening < 0)) for version in range(counts.size)
            ]
        incentive = any(version.component.incentive is not None for version in series.versions)
        return cls(
            series=series,
            mine=mine,
            position=np.arange(1, rows + 1) - series.starts[series.group],
            quota=np.full(rows, MISSING_MONEY, dtype=np.int64),
            tier_before=np.full(rows, -1, dtype=np.int16),
            tier_after=np.full(rows, -1, dtype=np.int16),
            band=np.full(rows, -1, dtype=np.int16),
            waiting=np.zeros(rows, dtype=np.int8),
            incentive=np.full(rows, MISSING_MONEY, dtype=np.int64) if incentive else None,
        )

    def lines_of(self, place: int) -> Ints | slice:
        """The lines of a version, openings and all."""
        if self.series.opening is None:
            return self.mine[place]
        return np.flatnonzero(self.series.version == place)

    @property
    def earnings(self) -> Ints:
        """What the lines earn as far as the steps have come."""
        assert self.earned is not None
        return self.earned

    def notes(self, mine: Ints | slice = slice(None)) -> Notes | None:
        """Where the steps of these lines are noted, None where nobody asks. Reversals are not rated and have none."""
        if self.trace is None:
            return None
        notes = self.trace.at(self.series.row.size, mine)
        return notes if self.reversal is None else notes.only(~self.reversal[mine])

    @property
    def reversal(self) -> Mask | None:
        """Which lines are reversals; None where none is."""
        if not self.series.reversed or self.series.kind is None:
            return None
        found: Mask = self.series.kind == OF_REVERSAL
        return found
