"""The curves of a component as corners of lines to draw."""

from __future__ import annotations

from fractions import Fraction

from plans.rules.compiled import Component, PayCurve, Tiers

Point = tuple[Fraction, Fraction]


def curve(component: Component, highest: Fraction | None = None) -> list[Point]:
    """The rate at each attainment, as corners of a line to draw: where a rate changes both rates stand at its bound.
    Ends at `highest`, else a quarter of the last bound (at least a quarter of quota) beyond the last bound."""
    if component.tiers is None:
        return []
    rates = component.tiers.rates
    end = _end(component.tiers, highest)
    points: list[Point] = []
    for tier, following in zip(rates, [*rates[1:], None], strict=True):
        if tier.start > end:
            break
        points.append((tier.start, tier.rate))
        points.append((min(following.start, end) if following else end, tier.rate))
    return points


def pay_curve(component: Component, highest: Fraction | None = None) -> list[Point]:
    """What is earned at each attainment, as a share of quota, before accelerator and cap: corners of a line to draw. A
    retroactive tier jumps: both values stand at its bound."""
    if component.curve is not None:
        return _of_points(component.curve)
    if component.tiers is None or component.tiers.axis != "attainment" or component.tiers.columns is not None:
        return []
    if component.tiers.mode == "mixed":
        return _mixed(component.tiers, _end(component.tiers, highest))
    points: list[Point] = []
    earned = Fraction(0)
    corners = curve(component, highest)
    for (start, rate), (stop, _) in zip(corners[::2], corners[1::2], strict=True):
        if component.tiers.mode == "retroactive":
            points += [(start, start * rate), (stop, stop * rate)]
        else:
            points.append((start, earned))
            earned += (stop - start) * rate
            points.append((stop, earned))
    return points


def _end(tiers: Tiers, highest: Fraction | None) -> Fraction:
    last = tiers.rates[-1].start
    return highest if highest is not None else last + max(last, Fraction(1)) / 4


def _mixed(tiers: Tiers, end: Fraction) -> list[Point]:
    """Each tier's stretch: from what it reaches back to, at its own rate."""
    points: list[Point] = []
    starts = [tier.start for tier in tiers.rates]
    # What is earned at the start of each tier by the tier below it.
    reached = [Fraction(0)]
    for place, tier in enumerate(tiers.rates):
        if tier.start > end:
            break
        base, since = reached[place], tier.start
        if tier.back == "all":
            base, since = Fraction(0), Fraction(0)
        elif tier.back == "tier":
            base, since = reached[place - 1], starts[place - 1]
        stop = min(starts[place + 1], end) if place + 1 < len(starts) else end
        points += [(tier.start, base + tier.rate * (tier.start - since)), (stop, base + tier.rate * (stop - since))]
        reached.append(points[-1][1])
    return points


def _of_points(curve: PayCurve) -> list[Point]:
    """A curve against attainment, in shares of the target incentive; none where it is of something else."""
    if curve.axis != "attainment" or curve.pays != "share" or not curve.points:
        return []
    points = [(point.at, point.pays) for point in curve.points]
    if curve.mode == "interpolated":
        first = (
            [(Fraction(0), Fraction(0)), (points[0][0], Fraction(0))] if curve.below == "zero" and points[0][0] else []
        )
        return first + points
    corners: list[Point] = []
    paid = Fraction(0)
    for (at, pays), following in zip(points, [*points[1:], None], strict=True):
        stop = following[0] if following else at + Fraction(1, 4)
        if curve.mode == "by_width":
            corners += [(at, paid), (stop, paid + pays)]
            paid += pays
        else:
            corners += [(at, pays), (stop, pays)]
    return [(Fraction(0), Fraction(0)), (corners[0][0], Fraction(0)), *corners] if corners[0][0] else corners
