"""From exact earnings to lines: rounding and caps, in the order of number 25 of docs/plan-language.md."""

from __future__ import annotations

from math import lcm

import numpy as np

from crediting.kernel.exact import Whole, divided, largest, money, run_numbers, run_starts, running, wide
from payouts.kernel.batch import Ints
from payouts.kernel.measure import Series
from payouts.kernel.rate import Rated


def rounded_lines(series: Series, stretches: list[Ints | slice], rated: list[Rated]) -> Ints:
    """Earnings rounded as each line's own plan version states."""
    rounded = np.zeros(series.row.size, dtype=np.int64)
    exact: Whole = rounded
    unit = 1
    if any(version.plan.round_at == "curve" for version in series.versions):
        shared = [found.over_one() for found in rated]
        unit = lcm(*(divisor for _, divisor in shared))
        scaled = [wide(earning, largest(earning) * (unit // divisor)) for earning, divisor in shared]
        if any(each.dtype == object for each in scaled):
            exact = rounded.astype(object)
        else:
            exact = rounded.copy()
        for (_, divisor), earning, mine in zip(shared, scaled, stretches, strict=True):
            # A version whose lines are all zero keeps int64, and the factor of another's long decimals may pass it.
            factor = unit // divisor
            exact[mine] = wide(earning, factor) * factor
        sums = running(exact, series.starts, series.group)
    for version, found, mine in zip(series.versions, rated, stretches, strict=True):
        plan = version.plan
        if plan.round_at == "line":
            value = divided(found.earning, found.divisor * plan.round_step, plan.round_mode)
        else:
            divisor = unit * plan.round_step
            value = divided(sums[mine], divisor, plan.round_mode) - divided(
                sums[mine] - exact[mine], divisor, plan.round_mode
            )
        rounded[mine] = money(value * plan.round_step, "An earning")
    return rounded


def capped_lines(series: Series, stretches: list[Ints | slice], rounded: Ints, deal: Ints, when: Ints) -> Ints:
    """What remains of each rounded line below its version's cap on the running sum of lines."""
    capped = {version.component.cap.per for version in series.versions if version.component.cap is not None}
    if not capped:
        return rounded
    sums: dict[str, Whole] = {}
    if "measure_period" in capped:
        sums["measure_period"] = running(rounded, series.starts, series.group)
    if "deal" in capped:
        order = np.lexsort((when, deal, series.group))
        starts = run_starts(series.group[order], deal[order])
        by_deal = running(rounded[order], starts, run_numbers(starts, order.size))
        sums["deal"] = np.empty_like(by_deal)
        sums["deal"][order] = by_deal
    earned = rounded.copy()
    for version, mine in zip(series.versions, stretches, strict=True):
        cap = version.component.cap
        if cap is not None and cap.amount is not None:
            after = sums[cap.per][mine]
            earned[mine] = np.minimum(after, cap.amount) - np.minimum(after - rounded[mine], cap.amount)
    return earned
