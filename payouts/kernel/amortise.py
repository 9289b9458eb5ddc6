"""Earned lines spread over months: schedules beside the pay, which they never move. See number 33 of
docs/plan-language.md."""

from __future__ import annotations

import numpy as np

from comp.core.rounding import Mode
from comp.core.spans import add_months, day_in_month
from crediting.kernel.columns import Ints
from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import Schedules


def schedules(line: Ints, earned: Ints, day: Ints, months: Ints, delay: Ints, mode: Mode) -> Schedules:
    """One row a line and month: the rounded cumulative part less the one before, so that the months of a line sum to
    it. `months` is each line's number of months, `delay` how many after its day's the first is; a line of none has no
    schedule."""
    count = np.where(earned != 0, np.maximum(months, 0), 0)
    of = np.repeat(np.arange(line.size), count)
    turn = np.arange(of.size) - np.repeat(np.cumsum(count) - count, count) + 1
    due = Ratios.of(earned[of]).multiply(Ratios(turn, count[of])).rounded(mode).astype(np.int64)
    before = np.roll(due, 1)
    before[turn == 1] = 0
    return Schedules(line[of], add_months(day_in_month(day, np.int64(1))[of], turn - 1 + delay[of]), due - before)
