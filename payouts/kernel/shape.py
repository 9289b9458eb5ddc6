"""From exact earnings to rounded lines: g and h of number 25 of docs/plan-language.md."""

from __future__ import annotations

from math import lcm

import numpy as np

from crediting.kernel.exact import (
    FITS,
    Whole,
    divided,
    largest,
    money,
    ranked,
    run_numbers,
    run_starts,
    running,
    sums,
    wide,
)
from payouts.kernel.batch import Ints
from payouts.kernel.book import Book
from payouts.kernel.counterpart import countered
from payouts.kernel.groups import QUOTA_ONLY, Series
from payouts.kernel.rate import Rated
from plans.rules.compiled import CompiledPlan


def rounded_lines(series: Series, stretches: list[Ints | slice], rated: list[Rated]) -> Ints:
    """Earnings rounded as each line's own plan version states."""
    # What no version rates, an opening, adds nothing to the sums that lines are compared by.
    rounded = np.empty(series.row.size, dtype=np.int64) if series.opening is None else np.zeros_like(series.row)
    along: tuple[Whole, Whole, int | Whole] | None = None
    if any(version.plan.round_at == "curve" for version in series.versions):
        exact, unit = _over_groups(series.starts, series.group, stretches, rated)
        along = exact, running(exact, series.starts, series.group), unit
    for version, found, mine in zip(series.versions, rated, stretches, strict=True):
        plan = version.plan
        if plan.round_at == "line":
            value = divided(found.earning, _times(found.divisor, plan.round_step), plan.round_mode)
        elif plan.round_at == "total":
            continue
        else:
            assert along is not None
            exact, upto, unit = along
            divisor = _times(unit if isinstance(unit, int) else unit[mine], plan.round_step)
            value = divided(upto[mine], divisor, plan.round_mode) - divided(
                upto[mine] - exact[mine], divisor, plan.round_mode
            )
        if plan.round_step != 1:
            value = value * plan.round_step
        rounded[mine] = money(value, "An earning")
    for place in dict.fromkeys(each.plan_place for each in series.versions if each.plan.round_at == "total"):
        # Lines that overrides concern are of the same version as those beside them.
        alike = [number for number, each in enumerate(series.versions) if each.plan_place == place]
        alike = [number for number in alike if series.row[stretches[number]].size]
        if not alike:
            continue
        plan = series.versions[alike[0]].plan
        rows, parts = _together([stretches[number] for number in alike])
        value = _by_total(plan, series.group[rows], parts, [rated[number] for number in alike])
        rounded[rows] = money(value * plan.round_step if plan.round_step != 1 else value, "An earning")
    return rounded


def _together(stretches: list[Ints | slice]) -> tuple[Ints | slice, list[Ints | slice]]:
    """The lines of several stretches in the order of the series, and where among them those of each stand."""
    if len(stretches) == 1:
        return stretches[0], [slice(None)]
    # A slice is all lines, and stands alone.
    several = [each for each in stretches if not isinstance(each, slice)]
    rows: Ints = np.sort(np.concatenate(several))
    return rows, [np.searchsorted(rows, each) for each in several]


def _over_groups(
    starts: Ints, group: Ints, stretches: list[Ints | slice], rated: list[Rated]
) -> tuple[Whole, int | Whole]:
    """The exact earnings of all lines over one unit a group, and that unit: one for all, or one a line. A group begins
    at each of `starts`."""
    fixed = [found.divisor for found in rated if isinstance(found.divisor, int)]
    if len(fixed) < len(rated):
        tops, bottoms = (np.full(group.size, fill, dtype=object) for fill in (0, 1))
        for found, mine in zip(rated, stretches, strict=True):
            tops[mine], bottoms[mine] = found.earning, found.divisor
        units = np.lcm.reduceat(bottoms, starts)[group]
        exact = tops * (units // bottoms)
        fits = largest(exact) * group.size <= FITS and largest(units) <= FITS
        return (exact.astype(np.int64), units.astype(np.int64)) if fits else (exact, units)
    unit = lcm(*fixed)
    scaled = [
        wide(found.earning, largest(found.earning) * (unit // by)) for found, by in zip(rated, fixed, strict=True)
    ]
    exact = np.zeros(group.size, dtype=object if any(each.dtype == object for each in scaled) else np.int64)
    for divisor, earning, mine in zip(fixed, scaled, stretches, strict=True):
        # A version whose lines are all zero keeps int64, and the factor of another's long decimals may pass it.
        factor = unit // divisor
        exact[mine] = wide(earning, factor) * factor
    return exact, unit


def _by_total(plan: CompiledPlan, group: Ints, stretches: list[Ints | slice], rated: list[Rated]) -> Whole:
    """The steps of each line of a version: of each group as many as its exact sum rounds to, by largest remainder."""
    starts = run_starts(group)
    run = run_numbers(starts, group.size)
    earning, unit = _over_groups(starts, run, stretches, rated)
    divisor = _times(unit, plan.round_step)
    each = divisor if isinstance(divisor, int) else divisor[starts]
    total = divided(sums(earning, starts), each, plan.round_mode)
    earning = wide(earning, largest(earning) + (divisor if isinstance(divisor, int) else largest(divisor)))
    steps = earning // divisor
    remainder, _ = ranked(earning - steps * divisor)
    left = total - sums(steps, starts)
    by_remainder = np.lexsort((-remainder, run))
    turn = np.arange(group.size) - starts[run]
    steps[by_remainder] += turn < left[run]
    return steps


def _times(divisor: int | Whole, step: int) -> int | Whole:
    """The divisor of so many minor units."""
    return divisor * step if isinstance(divisor, int) else wide(divisor, largest(divisor) * step) * step


def raised_lines(book: Book, theirs: Ints | None = None) -> None:
    """Lines by the terms of their counterparts (`theirs`: what those give), then brought up to the minimum of their
    version; those that wait stay at nothing."""
    rated = book.waiting == 0 if book.reversal is None else (book.waiting == 0) & ~book.reversal
    if book.series.opening is not None:
        rated &= book.series.opening < 0
    notes = book.notes()
    if notes is not None and book.rounded is not None:
        notes.note("rounded", book.rounded, rated)
    if theirs is not None:
        countered(book, theirs, rated)
    for version, mine in zip(book.series.versions, book.mine, strict=True):
        minimum = version.component.minimum
        if minimum is None or book.rounded is None:
            continue
        sign = np.where(rated[mine], np.sign(book.series.amounts[mine]), 0)
        if book.series.counts is not None:
            sign = np.where(book.series.counts[mine] == QUOTA_ONLY, 0, sign)
        earned = book.rounded[mine]
        raised = np.where(sign > 0, np.maximum(earned, minimum), earned)
        raised = np.where(sign < 0, np.minimum(raised, -minimum), raised)
        notes = book.notes(mine)
        if notes is not None:
            notes.note("minimum", raised, raised != earned)
        book.rounded[mine] = raised
