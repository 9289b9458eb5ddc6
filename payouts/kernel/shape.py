"""From exact earnings to rounded lines: g and h of number 25 of docs/plan-language.md."""

from __future__ import annotations

from math import lcm

import numpy as np

from crediting.kernel.exact import Whole, divided, largest, money, ranked, run_numbers, run_starts, running, sums, wide
from payouts.kernel.batch import Ints
from payouts.kernel.book import Book
from payouts.kernel.measure import Series
from payouts.kernel.rate import Rated
from plans.rules.compiled import CompiledPlan


def rounded_lines(series: Series, stretches: list[Ints | slice], rated: list[Rated]) -> Ints:
    """Earnings rounded as each line's own plan version states."""
    rounded = np.zeros(series.row.size, dtype=np.int64)
    along: tuple[Whole, Whole, int] | None = None
    if any(version.plan.round_at == "curve" for version in series.versions):
        along = _along_the_curve(series, stretches, rated)
    for version, found, mine in zip(series.versions, rated, stretches, strict=True):
        plan = version.plan
        if plan.round_at == "line":
            value = divided(found.earning, found.divisor * plan.round_step, plan.round_mode)
        elif plan.round_at == "total":
            value = _by_total(plan, series.group[mine], found)
        else:
            assert along is not None
            exact, upto, unit = along
            divisor = unit * plan.round_step
            value = divided(upto[mine], divisor, plan.round_mode) - divided(
                upto[mine] - exact[mine], divisor, plan.round_mode
            )
        rounded[mine] = money(value * plan.round_step, "An earning")
    return rounded


def _along_the_curve(series: Series, stretches: list[Ints | slice], rated: list[Rated]) -> tuple[Whole, Whole, int]:
    """The exact earnings of all lines over one unit, and their running sums in each group."""
    shared = [found.over_one() for found in rated]
    unit = lcm(*(divisor for _, divisor in shared))
    scaled = [wide(earning, largest(earning) * (unit // divisor)) for earning, divisor in shared]
    wanted = object if any(each.dtype == object for each in scaled) else np.int64
    exact: Whole = np.zeros(series.row.size, dtype=wanted)
    for (_, divisor), earning, mine in zip(shared, scaled, stretches, strict=True):
        # A version whose lines are all zero keeps int64, and the factor of another's long decimals may pass it.
        factor = unit // divisor
        exact[mine] = wide(earning, factor) * factor
    return exact, running(exact, series.starts, series.group), unit


def _by_total(plan: CompiledPlan, group: Ints, rated: Rated) -> Whole:
    """The steps of each line of a version: of each group as many as its exact sum rounds to, by largest remainder."""
    if not group.size:
        return group
    earning, divisor = rated.over_one()
    divisor *= plan.round_step
    starts = run_starts(group)
    run = run_numbers(starts, group.size)
    total = divided(sums(earning, starts), divisor, plan.round_mode)
    earning = wide(earning, largest(earning) + divisor)
    steps = earning // divisor
    remainder, _ = ranked(earning - steps * divisor)
    left = total - sums(steps, starts)
    by_remainder = np.lexsort((-remainder, run))
    turn = np.arange(group.size) - starts[run]
    steps[by_remainder] += turn < left[run]
    return steps


def raised_lines(book: Book) -> None:
    """Lines brought up to the minimum of their version; those that wait stay at nothing."""
    for version, mine in zip(book.series.versions, book.mine, strict=True):
        minimum = version.component.minimum
        if minimum is None or book.rounded is None:
            continue
        sign = np.sign(book.series.amounts[mine])
        sign[book.waiting[mine] != 0] = 0
        if book.reversal is not None:
            sign[book.reversal[mine]] = 0
        earned = book.rounded[mine]
        raised = np.where(sign > 0, np.maximum(earned, minimum), earned)
        book.rounded[mine] = np.where(sign < 0, np.minimum(raised, -minimum), raised)
