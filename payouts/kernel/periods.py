"""Lines of periods: one a participant and period, with the value of its window. See docs/algorithms/measures.md."""

from __future__ import annotations

from dataclasses import dataclass

from crediting.kernel.conditions import Mask
from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import Ints
from payouts.kernel.order import Version


@dataclass(frozen=True, slots=True)
class PeriodSeries:
    """The period lines of one component, by participant, replicate and period: one row each, a group of its own.

    `value` is exact, in minor units of money or whole units of everything else (never millionths); 0 where it `waits`:
    there was nothing to divide by, or a part of a scorecard is missing. Of a scorecard it is the score, by which the
    incentive is multiplied. `fixed_earning` is what a line of a pool or rank earns, in minor units; None for all other
    kinds, which earn by their curve.
    """

    versions: tuple[Version, ...]
    version: Ints  # a place in `versions`
    person: Ints  # a place in the people of the credits
    replicate: Ints
    period: Ints  # in Batch.periods of the version's `every`
    person_day: Ints  # the last day assigned in the period: attributes, eligibility, reporting
    day: Ints  # the line's own: the last of the period
    value: Ratios
    waits: Mask
    fixed_earning: Ratios | None = None
