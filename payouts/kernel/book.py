"""One component's lines while they are worked out, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from crediting.kernel.conditions import Mask
from payouts.kernel.batch import MISSING_MONEY, Codes, Ints, Tranches
from payouts.kernel.measure import Series
from payouts.kernel.rate import Rated


@dataclass(slots=True)
class Book:
    """Columns by line, in the order of the series. `mine` are the lines of each version. Optional columns are None
    where no line has a use for them."""

    series: Series
    mine: list[Ints | slice]
    position: Ints
    quota: Ints
    tier_before: Codes
    tier_after: Codes
    band: Codes
    waiting: npt.NDArray[np.int8]
    rated: list[Rated] = field(default_factory=list)  # by version, until rounded
    rounded: Ints | None = None
    earned: Ints | None = None
    incentive: Ints | None = None
    review: Ints | None = None
    not_before: Ints | None = None  # the earliest release day
    withheld: Mask | None = None  # lines whose tranches a gate withholds
    tranches: Tranches | None = None  # `line` is a place in this book

    @classmethod
    def opened(cls, series: Series) -> Book:
        rows = series.row.size
        counts = np.bincount(series.version, minlength=len(series.versions))
        mine: list[Ints | slice] = [
            slice(None) if count == rows else np.flatnonzero(series.version == version)
            for version, count in enumerate(counts)
        ]
        return cls(
            series=series,
            mine=mine,
            position=np.arange(1, rows + 1) - series.starts[series.group],
            quota=np.full(rows, MISSING_MONEY, dtype=np.int64),
            tier_before=np.full(rows, -1, dtype=np.int16),
            tier_after=np.full(rows, -1, dtype=np.int16),
            band=np.full(rows, -1, dtype=np.int16),
            waiting=np.zeros(rows, dtype=np.int8),
        )
