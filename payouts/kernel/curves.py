"""Every payoff that follows a running total or a value: one piecewise linear function, with jumps.

In the segment that holds x, F(x) = base x scale + slope x x. The scale is the quota where bounds are shares of it, else
1; so a bound is never divided by, and base and slope are whole numbers over one denominator a curve. Marginal,
retroactive and mixed tiers, steps, interpolation and pay by width differ in nothing but their bases and slopes.

Units. What runs through a curve is *raw*: minor units of money, else millionths (of a unit, of a share of 1, of a day),
as quotas are kept. `evaluate` takes x in whole units, as points are written. See docs/algorithms/tiers.md.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import ceil, lcm

import numpy as np

from crediting.kernel.exact import Whole, largest, wide
from crediting.kernel.ratios import Mask, Ratios, choose
from payouts.kernel.batch import MILLIONTHS, MISSING_MONEY, Codes, Ints
from plans.rules.compiled import Columns, PayCurve, Point, Tiers, Unit

#: The name of what lies below the first point of a curve.
BELOW_FIRST = -1

Line = tuple[Fraction, Fraction]
"""Base and slope of one segment."""

NOTHING: Line = (Fraction(0), Fraction(0))


class Curve:
    """Segments in rising order. The first has no start; those after it start at `starts` x scale, that point itself
    included where `above`. `lines` holds the segments' lines, one row a column of a matrix. `names` are the tiers or
    points that they belong to."""

    def __init__(
        self,
        starts: list[Fraction],
        lines: list[list[Line]],
        names: list[int],
        *,
        above: bool,
        by_quota: bool,
        full_points: Fraction | None,
    ) -> None:
        self.starts, self.lines, self.names = starts, lines, names
        self.above, self.by_quota, self.full_points = above, by_quota, full_points
        self._bounds, self._bound_unit = whole_numbers(starts)
        numbers, self.unit = whole_numbers([part for row in lines for line in row for part in line])
        self._bases, self._slopes = _table(numbers[::2]), _table(numbers[1::2])

    def cut(self, x: Ratios, scale: Whole) -> Ratios:
        """x down to the full point that it has reached; as it is where no scale says how far apart they are."""
        if self.full_points is None:
            return x
        point, per = self.full_points.numerator, self.full_points.denominator
        nowhere, scale = scale == 0, np.maximum(scale, 1)
        most = largest(x.top) * per + largest(scale) * point * (largest(x.bottom) + 1)
        step = wide(scale, most) * point
        points = wide(x.top, most) * per // (step * x.bottom)
        cut = Ratios(wide(points, (largest(points) + 1) * largest(step)) * step, _one(per))
        return choose(nowhere, x, cut) if nowhere.any() else cut

    def place(self, x: Ratios, scale: Whole) -> Codes:
        """The segment that holds each x."""
        bounds, unit = self._bounds, self._bound_unit
        most = max(largest(x.top) * unit, largest(scale) * max(map(abs, bounds), default=0) * largest(x.bottom))
        left = wide(x.top, most) * unit if unit > 1 else wide(x.top, most)
        right = wide(scale, most) if _is_one(x.bottom) else wide(scale, most) * x.bottom
        place = np.zeros(left.size, dtype=np.int16)
        for bound in bounds:
            place += (left >= right * bound) if self.above else (left > right * bound)
        return place

    def pay(self, place: Codes, x: Ratios, scale: Whole, column: Ints | None = None) -> Ratios:
        """F(x) in the segments found; the denominators are those of x times `unit`."""
        most = largest(x.top) * largest(self._slopes) + largest(scale) * largest(self._bases) * largest(x.bottom)
        bottom = wide(x.bottom, largest(x.bottom) * self.unit) * self.unit
        paid = wide(x.top, most) * self._pick(self._slopes, place, column)
        if self._bases.any():
            offset = wide(scale, most) * self._pick(self._bases, place, column)
            paid = paid + (offset if _is_one(x.bottom) else offset * x.bottom)
        return Ratios(paid, bottom)

    def slope(self, place: Codes, column: Ints | None = None) -> Ratios:
        """The rate of the segments found."""
        return Ratios(self._pick(self._slopes, place, column), _one(self.unit))

    def flat(self, highest: Mask) -> Codes:
        """The segment that a missing or zero quota puts everything in."""
        return np.where(highest, len(self.names) - 1, 0)

    def _pick(self, table: Whole, place: Codes, column: Ints | None) -> Whole:
        picked: Whole = table[place] if column is None else table[place + column * len(self.names)]
        return picked


def per_unit_of(unit: Unit) -> int:
    """How many raw units one whole unit has; a minor unit of money is raw as it stands."""
    return 1 if unit == "money" else MILLIONTHS


@lru_cache(maxsize=1024)
def of_tiers(tiers: Tiers, kept: int, unit: Unit) -> Curve:
    """The curve of the first `kept` tiers of a commission."""
    by_quota = tiers.axis == "attainment"
    places = range(kept)
    rates = [tiers.rates[place].rates or (tiers.rates[place].rate,) for place in places]
    starts = [tiers.rates[place].start for place in places]
    backs = [_back(tiers, place) for place in places]
    lines = [_tier_lines(starts, list(column), backs) for column in zip(*rates, strict=True)]
    return _scaled(
        starts[1:], lines, list(places), tiers.boundary == "above", by_quota, tiers.full_points, unit, by_quota
    )


def plain_tiers(tiers: Tiers, unit: Unit, quota: Ints, part: Ratios | None = None) -> Ints:
    """How many tiers stay for each line without those that begin at 100% of its quota or above; the first always.
    `part`: of its bounds, where they are prorated."""
    if tiers.axis == "attainment":
        return np.full(quota.size, max(sum(tier.start < 1 for tier in tiers.rates), 1))
    if part is not None:
        held, below = Ratios.of(np.where(quota == MISSING_MONEY, 0, quota)), np.zeros(quota.size, dtype=np.int64)
        for tier in tiers.rates:
            below += held.compare(part.multiply(Ratios.constant(tier.start * per_unit_of(unit)))) > 0
        return np.where(quota == MISSING_MONEY, len(tiers.rates), np.maximum(below, 1))
    # A start is at or above a whole quota when its ceiling is.
    starts = _table([ceil(tier.start * per_unit_of(unit)) for tier in tiers.rates])
    counted = np.maximum(np.searchsorted(starts, quota, side="left"), 1)
    return np.where(quota == MISSING_MONEY, starts.size, counted)


@lru_cache(maxsize=1024)
def of_points(curve: PayCurve, unit: Unit) -> Curve:
    """The curve through points. By a quota it is what the points pay times the quota: who reads it divides by that."""
    by_quota = curve.axis == "attainment"
    starts = [point.at for point in curve.points]
    names = [BELOW_FIRST, *range(len(starts))]
    # Interpolated pay has its points in it: only steps and the names of widths have sides.
    above = curve.boundary == "above" or curve.mode == "interpolated"
    lines = [_point_lines(curve)]
    return _scaled(starts, lines, names, above, by_quota, curve.full_points, unit, False)


def evaluate(curve: PayCurve, x: Ratios, missing: Mask) -> Ratios:
    """What the curve pays at each x: a share, money, a number or a factor. x is in the unit of the curve's axis: a
    ratio for an attainment, minor units for money, else whole units. A missing x pays nothing; as a factor it is 1."""
    line = of_points(curve, "money")
    rows = max(x.top.size, x.bottom.size, missing.size)
    x = Ratios(np.broadcast_to(x.top, rows), x.bottom)
    scale = _one(1)
    x = line.cut(x, scale)
    paid = line.pay(line.place(x, scale), x, scale)
    if not missing.any():
        return paid
    return choose(missing, Ratios.constant(1 if curve.pays == "times" else 0), paid)


def column_of(columns: Columns, value: Ratios, missing: Mask) -> Ints:
    """The column of a matrix that holds each read value; the first where it is missing or below every bound."""
    found = np.zeros(missing.size, dtype=np.int64)
    for start in columns.starts[1:]:
        side = value.compare(Ratios.constant(start))
        found += (side >= 0) if columns.boundary == "above" else (side > 0)
    found[missing] = 0
    return found


def whole_numbers(ratios: list[Fraction]) -> tuple[list[int], int]:
    """The ratios as whole numbers over their least common denominator."""
    bottom = lcm(*(ratio.denominator for ratio in ratios))
    return [ratio.numerator * (bottom // ratio.denominator) for ratio in ratios], bottom


def column_of_numbers(numbers: list[int]) -> Whole:
    """Whole numbers as a column, in 64 bits where they fit."""
    return _table(numbers)


def _scaled(
    starts: list[Fraction],
    lines: list[list[Line]],
    names: list[int],
    above: bool,
    by_quota: bool,
    full_points: Fraction | None,
    unit: Unit,
    pays_money: bool,
) -> Curve:
    """A curve in whole units as one in raw units. Bounds by quota are shares, which have no unit; there a base stands
    times the quota, and becomes money (for tiers) as x does."""
    per = per_unit_of(unit)
    if by_quota:
        if pays_money:
            lines = [[(base / per, slope / per) for base, slope in row] for row in lines]
    else:
        starts = [start * per for start in starts]
        full_points = None if full_points is None else full_points * per
        lines = [[(base, slope / per) for base, slope in row] for row in lines]
    return Curve(starts, lines, names, above=above, by_quota=by_quota, full_points=full_points)


def _back(tiers: Tiers, place: int) -> str:
    if tiers.mode == "retroactive":
        return "all"
    return tiers.rates[place].back or "none" if tiers.mode == "mixed" else "none"


def _tier_lines(starts: list[Fraction], rates: list[Fraction], backs: list[str]) -> list[Line]:
    """Each tier's line: through what the tiers below reach, from where its own rate begins to hold."""
    lines: list[Line] = []
    for place, (rate, back) in enumerate(zip(rates, backs, strict=True)):
        begins, below = place, place - 1
        if back == "tier":
            begins, below = place - 1, place - 2
        if back == "all" or below < 0:
            lines.append((Fraction(0), rate))
        else:
            base, slope = lines[below]
            lines.append((base + (slope - rate) * starts[begins], rate))
    return lines


def _point_lines(curve: PayCurve) -> list[Line]:
    """The line below the first point, then that from each point on."""
    points, zero = curve.points, Fraction(0)
    below = {"first": points[0].pays, "one": Fraction(1)}.get(curve.below or "", zero)
    lines = [(below, zero)]
    if curve.mode == "steps":
        return lines + [(point.pays, zero) for point in points]
    if curve.mode == "by_width":
        reached = zero
        lines = [NOTHING]
        for point, following in zip(points, points[1:], strict=False):
            slope = point.pays / (following.at - point.at)
            lines.append((reached - slope * point.at, slope))
            reached += point.pays
        return [*lines, (reached, zero)]
    slopes = [_slope(left, right) for left, right in zip(points, points[1:], strict=False)]
    slopes.append(slopes[-1] if slopes and curve.beyond == "extend" else zero)
    return lines + [(point.pays - slope * point.at, slope) for point, slope in zip(points, slopes, strict=True)]


def _slope(left: Point, right: Point) -> Fraction:
    return (right.pays - left.pays) / (right.at - left.at)


def _table(numbers: list[int]) -> Whole:
    return np.array(numbers, dtype=object if max(map(abs, numbers), default=0) > 2**62 else np.int64)


def _one(value: int) -> Whole:
    return _table([value])


def _is_one(bottom: Whole) -> bool:
    return bottom.size == 1 and bool(bottom[0] == 1)
