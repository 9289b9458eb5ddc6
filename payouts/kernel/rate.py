"""From running totals to exact earnings: tiers, accelerator, bonus. See docs/algorithms/tiers.md.

A line's exact earning is a whole number over a denominator that its plan version fixes: rates, bounds and factors
become whole numbers over their least common denominators, so nothing is rounded and most plans stay in int64.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Literal

import numpy as np

from crediting.kernel.conditions import Mask
from crediting.kernel.exact import Whole, largest, wide
from payouts.kernel.batch import MISSING_MONEY, Ints
from plans.rules.compiled import Accelerator, Bonus, Boundary, Component, Tiers

#: How a line with a missing or zero quota is rated: by the quota, not yet, not at all, or by one tier throughout.
BY_QUOTA, WAITS, NO_PAY, LOWEST, HIGHEST = range(5)
_OUTCOMES = {"wait": WAITS, "no_pay": NO_PAY, "lowest_tier": LOWEST, "highest_tier": HIGHEST}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Lines of one plan version, in their order. `fresh` are the places of those that do not follow the line before
    them here: the first of a group, and the first after another version."""

    amount: Ints
    whole: Ints
    before: Ints
    after: Ints
    total: Ints  # of the line's group
    quota: Ints  # MISSING_MONEY where there is none
    position: Ints
    fresh: Ints

    def befores(self, afters: Whole, at_fresh: Whole) -> Whole:
        """What a function of the running total gives at `before`, from what it gives at `after`."""
        befores = np.empty_like(afters)
        befores[1:] = afters[:-1]
        befores[self.fresh] = at_fresh
        return befores


@dataclass(frozen=True, slots=True)
class Rated:
    """Exact earnings `earning / divisor` in minor units, and the trace."""

    earning: Whole
    divisor: int
    tier_before: Ints
    tier_after: Ints
    band: Ints
    waiting: Ints


def rate(component: Component, lines: Stretch) -> Rated:
    """The exact earning of each line before rounding."""
    outcome = _outcomes(component, lines.quota)
    none = np.full(lines.amount.size, -1, dtype=np.int64)
    band = none
    tier_before = tier_after = none
    earning: Whole
    if component.bonus is not None:
        earning, divisor = _bonus(component.bonus, lines, outcome), 1
    else:
        assert component.tiers is not None
        curve = _Curve(component.tiers, component.below_zero == "no_pay")
        earning, divisor, tier_before, tier_after = curve.rate(lines, outcome)
        if component.accelerator is not None:
            band = _bands(component.accelerator, np.abs(lines.whole))
            factors, bottom = whole_numbers([each.times for each in component.accelerator.bands])
            factor = np.array(factors, dtype=object if largest_of(factors) > 2**62 else np.int64)
            earning = wide(earning, largest(earning) * largest_of(factors)) * factor[band]
            divisor *= bottom
    if outcome is not None:
        idle = (outcome == WAITS) | (outcome == NO_PAY)
        earning = np.where(idle, 0, earning)
        tier_before, tier_after = np.where(idle, -1, tier_before), np.where(idle, -1, tier_after)
        waiting = (outcome == WAITS).astype(np.int64)
    else:
        waiting = np.zeros_like(none)
    return Rated(earning, divisor, tier_before, tier_after, band, waiting)


def whole_numbers(ratios: list[Fraction]) -> tuple[list[int], int]:
    """The ratios as whole numbers over their least common denominator."""
    bottom = lcm(*(ratio.denominator for ratio in ratios))
    return [ratio.numerator * (bottom // ratio.denominator) for ratio in ratios], bottom


def largest_of(numbers: list[int]) -> int:
    return max((abs(number) for number in numbers), default=0)


def _outcomes(component: Component, quota: Ints) -> Ints | None:
    """For each line how it is rated, None where all are rated by their quota."""
    if component.quota is None:
        return None
    missing, zero = quota == MISSING_MONEY, quota == 0
    if not missing.any() and not zero.any():
        return None
    assert component.missing_quota is not None and component.zero_quota is not None
    outcome = np.full(quota.size, BY_QUOTA)
    outcome[missing] = _OUTCOMES[component.missing_quota]
    outcome[zero] = _OUTCOMES[component.zero_quota]
    return outcome


def _bands(accelerator: Accelerator, size: Ints) -> Ints:
    starts = np.array([band.start for band in accelerator.bands], dtype=np.int64)
    side: Literal["left", "right"] = "right" if accelerator.boundary == "above" else "left"
    found = np.searchsorted(starts, size, side=side) - 1
    # A deal of exactly 0.00 has no band below it.
    return np.maximum(found, 0)


def _bonus(bonus: Bonus, lines: Stretch, outcome: Ints | None) -> Whole:
    if bonus.per == "credit":
        signs = np.sign(lines.amount)
        if bonus.min_deal is not None:
            signs *= np.abs(lines.whole) >= bonus.min_deal
        earning: Whole = signs * bonus.amount
        return earning
    assert bonus.at is not None and bonus.boundary is not None
    reached_after = _reached(bonus.at, bonus.boundary, lines.after, lines.quota)
    reached_before = _reached(bonus.at, bonus.boundary, lines.before, lines.quota)
    if outcome is not None:
        flat = outcome != BY_QUOTA
        reached_after[flat] = outcome[flat] == HIGHEST
        reached_before[flat] = reached_after[flat] & (lines.position[flat] > 1)
    return (reached_after.astype(np.int64) - reached_before) * bonus.amount


def _reached(at: Fraction, boundary: Boundary, total: Ints, quota: Ints) -> Mask:
    top, bottom = at.numerator, at.denominator
    quota = np.maximum(quota, 0)
    left = wide(total, largest(total) * bottom) * bottom
    right = wide(quota, largest(quota) * top) * top
    reached: Mask = (left >= right) if boundary == "above" else (left > right)
    return reached


class _Curve:
    """The tiers of a commission as whole numbers."""

    def __init__(self, tiers: Tiers, no_pay_below_zero: bool) -> None:
        self.tiers = tiers
        self.no_pay_below_zero = no_pay_below_zero
        self.bounds, self.bound_unit = whole_numbers([tier.start for tier in tiers.rates])
        self.rates, self.rate_unit = whole_numbers([tier.rate for tier in tiers.rates])
        # A marginal curve adds up slices whose ends are multiples of 1 / bound_unit, a retroactive one none.
        self.divisor = self.rate_unit * (self.bound_unit if tiers.mode == "marginal" else 1)

    def rate(self, lines: Stretch, outcome: Ints | None) -> tuple[Whole, int, Ints, Ints]:
        """Exact earnings, their divisor, and the tiers that hold `before` and `after`."""
        totals, quota = (lines.after, lines.before, lines.total), np.maximum(lines.quota, 0)
        # Everything below is at most a total or bound, times the steps between rates; twice, for a difference.
        most = max(*(largest(total) for total in totals), 1) * self.bound_unit + largest(quota) * self.bounds[-1]
        steps = sum(abs(b - a) for a, b in zip([0, *self.rates], self.rates, strict=False))
        bound = 2 * most * max(steps, largest_of(self.rates), 1)
        after, before, total = (wide(each, bound) for each in totals)
        quota = wide(quota, bound)
        fresh = lines.fresh
        fresh_outcome = None if outcome is None else outcome[fresh]
        tier_after, earned_after = self.at(after, quota, outcome)
        tier_fresh, earned_fresh = self.at(before[fresh], quota[fresh], fresh_outcome)
        tier_before = lines.befores(tier_after, tier_fresh)
        if self.tiers.attribution == "proportional":
            share = self._rate_of(self.at(total, quota, outcome)[0], total.dtype)
            if self.no_pay_below_zero:
                share = np.where((total < 0) & _by_quota(outcome, total.size), 0, share)
            earning = wide(lines.amount, bound) * share
        else:
            earning = earned_after - lines.befores(earned_after, earned_fresh)
        return earning, self.divisor, tier_before, tier_after

    def at(self, total: Whole, quota: Whole, outcome: Ints | None) -> tuple[Ints, Whole]:
        """The tier that holds each running total, and what the curve pays there (times the divisor)."""
        above = self.tiers.boundary == "above"
        marginal = self.tiers.mode == "marginal"
        tier = np.zeros(total.size, dtype=np.int64)
        point = total * self.bound_unit
        paid = point * self.rates[0]
        for place in range(1, len(self.rates)):
            beyond = point - quota * self.bounds[place]
            tier += (beyond >= 0) if above else (beyond > 0)
            if marginal:
                paid += np.maximum(beyond, 0) * (self.rates[place] - self.rates[place - 1])
        if outcome is not None:
            flat = outcome != BY_QUOTA
            tier[flat] = np.where(outcome[flat] == HIGHEST, len(self.rates) - 1, 0)
        if not marginal:
            paid = total * self._rate_of(tier, total.dtype)
        elif outcome is not None:
            paid[flat] = point[flat] * self._rate_of(tier[flat], total.dtype)
        if self.no_pay_below_zero:
            paid = np.where((total < 0) & _by_quota(outcome, total.size), 0, paid)
        return tier, paid

    def _rate_of(self, tier: Ints, kind: np.dtype[np.generic]) -> Whole:
        return np.array(self.rates, dtype=kind)[tier]


def _by_quota(outcome: Ints | None, rows: int) -> Mask:
    """Where the tiers of the quota apply: a tier that applies to everything applies below zero too."""
    return np.ones(rows, dtype=bool) if outcome is None else outcome == BY_QUOTA
