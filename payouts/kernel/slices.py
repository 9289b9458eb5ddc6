"""The parts of one line by rate, in exact Fractions: what stands behind an earning when somebody asks why.

The same curves as those that rate all lines, walked along for one. What the slices of a line earn adds up to its exact
base earning: before accelerator, factors and kickers.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor

import numpy as np

from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import MISSING_MONEY
from payouts.kernel.curves import Curve, of_points, of_tiers, per_unit_of, plain_tiers
from plans.rules.compiled import Component, Tiers

#: The tier of a slice below zero that pays nothing.
BELOW_ZERO = -1
#: What the total before has earned where quota or incentive changed since the line before.
EARNED_BEFORE = -2
NOTHING = Fraction(0)


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a credit at one rate. `tier` is the tier, point or table cell (-1 below the first point), `tier_start`
    its bound as the plan says it. `amount_in_slice` and `earns` are exact: minor units of money (units, shares and days
    as they are), `earns` always money. Where a credit reaches a tier that pays back, or a step, a slice also re-rates
    what came before it: its `rate` is the difference, or 0 where it is no rate but an amount."""

    tier: int
    tier_start: Fraction
    rate: Fraction
    amount_in_slice: Fraction
    earns: Fraction


@dataclass(frozen=True, slots=True)
class Side:
    """What decides the curve on one side of a line: minor units, or millionths of what else is measured."""

    quota: int | None
    incentive: int | None = None
    column: int = 0
    part: Fraction = Fraction(1)  # of the bounds in money or units, where they are prorated


def flat_tier(component: Component, quota: int | None) -> int | None:
    """The tier that a missing or zero quota puts everything in; None where it pays nothing or the tiers apply."""
    if component.tiers is None or component.tiers.pays == "times":
        return None
    return {"lowest_tier": 0, "highest_tier": len(component.tiers.rates) - 1}.get(_outcome(component, quota) or "")


def pays_nothing(component: Component, quota: int | None) -> bool:
    """Whether the quota lets a component pay nothing: it is waited for, or stated to."""
    return _outcome(component, quota) in ("wait", "no_pay")


def tier_of(tiers: Tiers, total: int, quota: int) -> int:
    """The tier that holds a running total."""
    curve = of_tiers(tiers, len(tiers.rates), "money")
    return curve.names[_place(curve, Fraction(total), Fraction(quota if curve.by_quota else 1))]


def slices(
    component: Component,
    before: int,
    after: int,
    quota: int | None,
    total: int,
    *,
    incentive: int | None = None,
    column: int = 0,
    part: Fraction = Fraction(1),
    earlier: Side | None = None,
    first: bool = False,
    plain: bool = False,
    measured: int | None = None,
    value: Fraction | None = None,
    cell: int | None = None,
    paid_only: bool = False,
) -> list[Slice]:
    """The parts of a line by rate: their `earns` add up to its exact base earning. Empty for a bonus, for what its kind
    fixes (scorecard, pool, rank), and where nothing is paid because of the quota or incentive.

    `total` is the group's final total, which only proportional attribution reads; `earlier` decides what the total
    before has earned, where that is not as for the line; `first` says that nothing stood before it; `plain` leaves out
    accelerators; `measured` is m where it is not the difference of the totals; `value` is that of a period, in minor
    units or whole units; `cell` is that of a rate table; `paid_only` says that the totals pass the line by.
    """
    per = per_unit_of(component.measure.unit)
    own = Fraction(after - before if measured is None else measured)
    if component.table is not None:
        return _of_cell(component, cell, value if value is not None else own / per)
    side = Side(quota, incentive, column, part)
    walk = _Walk(component, side, plain)
    if component.tiers is None and component.curve is None or walk.unpaid:
        return []
    if value is not None:
        return walk.slices(None, value * per)
    if paid_only:
        return [walk.rated(Fraction(before), own)]
    if component.tiers is not None and component.tiers.mode == "each":
        return walk.slices(None, own)
    if component.tiers is not None and component.tiers.attribution == "proportional":
        return [walk.rated(Fraction(total), walk.limited(Fraction(after)) - walk.limited(Fraction(before)))]
    if first:
        return walk.slices(None, Fraction(after))
    if earlier is None:
        return walk.slices(Fraction(before), Fraction(after))
    past = _Walk(component, earlier, plain)
    earned = sum((part.earns for part in past.slices(None, Fraction(before))), NOTHING)
    parts = walk.slices(None, Fraction(after))
    return [*parts, Slice(EARNED_BEFORE, NOTHING, NOTHING, Fraction(-before, per), -earned)]


class _Walk:
    """One curve with the quota, incentive and column that decide it."""

    def __init__(self, component: Component, side: Side, plain: bool) -> None:
        self.component, self.side = component, side
        self.per = per_unit_of(component.measure.unit)
        self.flat = flat_tier(component, side.quota)
        self.weight = self._weight()
        self.unpaid = self.weight is None or (self.flat is None and _outcome(component, side.quota) is not None)
        if component.tiers is not None:
            self.curve = of_tiers(component.tiers, self._kept(component.tiers, plain), component.measure.unit)
            if self.flat:
                self.flat = len(self.curve.names) - 1
        elif component.curve is not None:
            self.curve = of_points(component.curve, component.measure.unit)
        self.full = self.scale = Fraction(1)
        if component.tiers is not None or component.curve is not None:
            self.full = Fraction((side.quota or 0) if self.curve.by_quota else 1)
            self.scale = self.full * side.part

    def slices(self, before: Fraction | None, after: Fraction) -> list[Slice]:
        """From what F is before to what it is after; from nothing where there is no before."""
        if self.unpaid:
            return []
        start, end = self.input(before or NOTHING), self.input(after)
        if self.flat is not None:
            return [self._part(self.flat, end - start)]
        tiers = self.component.tiers
        if tiers is not None and tiers.mode == "retroactive":
            return self._retroactive(start, end)
        found = []
        standing = self._at(self._place(start), start)
        if before is None and standing:
            found.append(self._jump(self._place(start), NOTHING, standing))
        if tiers is not None and self.component.below_zero == "no_pay":
            below = min(end, NOTHING) - min(start, NOTHING)
            if below:
                found.append(Slice(BELOW_ZERO, NOTHING, NOTHING, below / self.per, NOTHING))
            start, end = max(start, NOTHING), max(end, NOTHING)
        return [*found, *self._walked(start, end)]

    def rated(self, total: Fraction, part: Fraction) -> Slice:
        """`part` at the rate of the tier that holds the total."""
        if self.flat is not None:
            return self._part(self.flat, part)
        total = self.input(total)
        if total < 0 and self.component.below_zero == "no_pay":
            return Slice(BELOW_ZERO, NOTHING, NOTHING, part / self.per, NOTHING)
        return self._part(self._place(total), part)

    def limited(self, x: Fraction) -> Fraction:
        limit = self.component.limit_attainment
        return x if limit is None or not self.side.quota else min(x, limit * self.side.quota)

    def input(self, x: Fraction) -> Fraction:
        """x as the curve takes it: limited, and in full points."""
        x, points = self.limited(x), self.curve.full_points
        if points is None or self.flat is not None or not self.full:
            return x
        return floor(x / (points * self.full)) * points * self.full

    def _retroactive(self, before: Fraction, after: Fraction) -> list[Slice]:
        own, earlier = self.rated(after, after - before), self.rated(before, before)
        lift = own.rate - earlier.rate
        if not before or not lift:
            return [own]
        amount = before / self.per
        return [own, Slice(earlier.tier, earlier.tier_start, lift, amount, lift * amount)]

    def _walked(self, before: Fraction, after: Fraction) -> list[Slice]:
        """Segment by segment, with a slice for each jump on the way."""
        low, high, sign = min(before, after), max(before, after), 1 if after >= before else -1
        first, last = self._place(low), self._place(high)
        found: list[Slice] = []
        for place in range(first, last + 1):
            start = low if place == first else self.curve.starts[place - 1] * self.scale
            end = high if place == last else self.curve.starts[place] * self.scale
            if place > first:
                jump = self._at(place, start) - self._at(place - 1, start)
                if jump:
                    found.append(self._jump(place, start * sign, jump * sign))
            if end != start and (self.component.tiers is not None or self._slope(place)):
                found.append(self._part(place, (end - start) * sign))
        return found

    def _jump(self, place: int, amount: Fraction, earns: Fraction) -> Slice:
        re_rates = self.component.tiers is not None and amount
        rate = earns * self.per / amount if re_rates else NOTHING
        return Slice(
            self.curve.names[place], self._start(place), rate, amount / self.per if re_rates else NOTHING, earns
        )

    def _part(self, place: int, part: Fraction) -> Slice:
        slope = self._slope(place)
        return Slice(self.curve.names[place], self._start(place), slope * self.per, part / self.per, slope * part)

    def _start(self, place: int) -> Fraction:
        """The bound of a tier or point as the plan says it."""
        name = self.curve.names[place]
        if self.component.tiers is not None:
            return self.component.tiers.rates[name].start
        assert self.component.curve is not None
        return self.component.curve.points[name].at if name >= 0 else NOTHING

    def _place(self, x: Fraction) -> int:
        return _place(self.curve, x, self.scale)

    def _slope(self, place: int) -> Fraction:
        assert self.weight is not None
        return self.curve.lines[self.side.column][place][1] * self.weight

    def _at(self, place: int, x: Fraction) -> Fraction:
        assert self.weight is not None
        base, slope = self.curve.lines[self.side.column][place]
        return (base * self.scale + slope * x) * self.weight

    def _kept(self, tiers: Tiers, plain: bool) -> int:
        quota = MISSING_MONEY if self.side.quota is None else self.side.quota
        part = Ratios.constant(self.side.part)
        counts = plain_tiers(tiers, self.component.measure.unit, np.array([quota], dtype=np.int64), part)
        return int(counts[0]) if plain else len(tiers.rates)

    def _weight(self) -> Fraction | None:
        """What turns F into money, None where its quota or incentive is not there."""
        component, side = self.component, self.side
        if component.tiers is not None:
            shares = divides = component.tiers.pays == "times"
        elif component.curve is not None:
            shares, divides = component.curve.pays == "share", component.curve.axis == "attainment"
        else:
            return None
        if (shares and side.incentive is None) or (divides and not side.quota):
            return None
        return Fraction((side.incentive or 0) if shares else 1, (side.quota or 1) if divides else 1)


def _outcome(component: Component, quota: int | None) -> str | None:
    """What is stated for a missing or zero quota; None where the quota is there, or none is asked for."""
    return component.missing_quota if quota is None else component.zero_quota if quota == 0 else None


def _place(curve: Curve, x: Fraction, scale: Fraction) -> int:
    """The segment that holds x."""
    return sum(x >= start * scale if curve.above else x > start * scale for start in curve.starts)


def _of_cell(component: Component, cell: int | None, own: Fraction) -> list[Slice]:
    assert component.table is not None
    if cell is None or cell < 0:
        return []
    paid = component.table.cells[cell]
    if component.table.pays == "rate":
        return [Slice(cell, NOTHING, paid, own, paid * own)]
    return [Slice(cell, NOTHING, NOTHING, own, paid * ((own > 0) - (own < 0)))]
