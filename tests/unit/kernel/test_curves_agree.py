"""Every mode against the few lines that say what it means, and each line's slices against its earning."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F
from math import floor
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from payouts.kernel.rate import rate
from payouts.kernel.slices import slices
from plans.rules.compiled import Component, PayCurve, Point, Tier, Tiers
from tests.unit.kernel.rows import exact, stretch
from tests.unit.kernel.world import commission, ints

RATES = st.sampled_from([F(0), F(5, 100), F(1, 3), F(12, 100), F("0.333333")])
QUOTAS = st.sampled_from([1, 7, 100, 1_000, 10**14])
AMOUNTS = st.lists(
    st.one_of(st.integers(-300, 300), st.sampled_from([50, 100, -(10**13), 10**14])), min_size=1, max_size=6
)


def held(starts: list[F], x: F, boundary: str) -> int:
    return max([0, *(n for n, start in enumerate(starts) if (x >= start if boundary == "above" else x > start))])


def cut(component: Component, x: F, quota: F) -> F:
    """Limited, then in full points."""
    made = component.tiers or component.curve
    if component.limit_attainment is not None:
        x = min(x, component.limit_attainment * quota)
    return x if made.full_points is None else floor(x / (made.full_points * quota)) * made.full_points * quota


def tier_pay(component: Component, x: F, quota: F) -> F:
    """F(x) of tiers by quota, as numbers 8, 9 and 20 say it."""
    tiers = component.tiers
    starts, rates = [tier.start * quota for tier in tiers.rates], [tier.rate for tier in tiers.rates]
    x = cut(component, x, quota)
    if x < 0 and component.below_zero == "no_pay":
        return F(0)

    def reached(place: int, x: F) -> F:
        """What F of one tier gives at x."""
        back = "none" if place == 0 else tiers.rates[place].back or "none"
        if tiers.mode == "retroactive" or back == "all" or (place == 0) or (back == "tier" and place == 1):
            return rates[place] * x
        begins = place if back == "none" else place - 1
        return reached(begins - 1, starts[begins]) + rates[place] * (x - starts[begins])

    return reached(held(starts, x, tiers.boundary), x)


def point_pay(component: Component, x: F, quota: F, incentive: int) -> F:
    """Incentive x curve, as number 20 says it."""
    curve = component.curve
    x = cut(component, x, quota) / quota
    at, paid = [point.at for point in curve.points], [point.pays for point in curve.points]
    if curve.mode == "by_width":
        ways = zip(at, at[1:], paid, strict=False)
        return incentive * sum(each * min(max((x - a) / (b - a), F(0)), F(1)) for a, b, each in ways)
    side = "above" if curve.mode == "interpolated" else curve.boundary
    if x < at[0] or (x == at[0] and side == "below"):
        return incentive * (paid[0] if curve.below == "first" else F(0))
    place = held(at, x, side)
    if curve.mode == "steps" or (place == len(at) - 1 and (curve.beyond == "last" or place == 0)):
        return incentive * paid[place]
    a, b = (place, place + 1) if place + 1 < len(at) else (place - 1, place)
    return incentive * (paid[a] + (x - at[a]) / (at[b] - at[a]) * (paid[b] - paid[a]))


@st.composite
def tier_sets(draw: Any) -> Component:
    starts = [F(0), *draw(st.sampled_from([[], [F(1, 2)], [F(1), F(6, 5)], [F("0.333333"), F(1), F(3, 2)]]))]
    mode = draw(st.sampled_from(["marginal", "retroactive", "mixed"]))
    backs = st.sampled_from(["none", "tier", "all"]) if mode == "mixed" else st.none()
    rates = [Tier(start, draw(RATES), draw(backs) if n else None) for n, start in enumerate(starts)]
    attribution = draw(st.sampled_from(["running", "proportional"])) if mode == "retroactive" else None
    tiers = Tiers(mode, attribution, draw(st.sampled_from(["above", "below"])), tuple(rates))
    tiers = replace(tiers, full_points=draw(st.sampled_from([None, None, F(1, 100), F(1, 7)])))
    below_zero, limit = draw(st.sampled_from(["lowest_tier", "no_pay"])), draw(st.sampled_from([None, None, F(9, 7)]))
    return commission(tiers, below_zero=below_zero, limit_attainment=limit)


@st.composite
def point_sets(draw: Any) -> Component:
    at = draw(st.sampled_from([[F(0), F(1)], [F(1, 2), F(1), F(3, 2)], [F("0.333333")], [F(1, 2), F(4, 5)]]))
    curve = PayCurve(
        pays="share",
        axis="attainment",
        mode=draw(st.sampled_from(["steps", "interpolated", "by_width"])),
        boundary=draw(st.sampled_from(["above", "below"])),
        below=draw(st.sampled_from(["zero", "first"])),
        beyond=draw(st.sampled_from(["last", "extend"])),
        full_points=draw(st.sampled_from([None, F(1, 100)])),
        points=tuple(Point(each, draw(RATES)) for each in at),
    )
    limit = draw(st.sampled_from([None, F(9, 7)]))
    made = commission(None, below_zero=None, zero_quota="no_pay", missing_incentive="wait", limit_attainment=limit)
    return replace(made, kind="incentive", curve=curve)


@settings(max_examples=300, deadline=None)
@given(tier_sets(), AMOUNTS, QUOTAS)
def test_tiers_pay_what_their_meaning_says(component, amounts, quota):
    lines = stretch(amounts, quota)
    total, tiers = F(sum(amounts)), component.tiers
    wanted = []
    for before, after in zip(lines.before.tolist(), lines.after.tolist(), strict=True):
        if tiers.attribution == "proportional":
            room = quota * (component.limit_attainment or F(10**20))
            final = cut(component, total, F(quota))
            place = held([tier.start * quota for tier in tiers.rates], final, tiers.boundary)
            unpaid = final < 0 and component.below_zero == "no_pay"
            wanted.append(0 if unpaid else (min(after, room) - min(before, room)) * tiers.rates[place].rate)
        else:
            wanted.append(tier_pay(component, F(after), F(quota)) - tier_pay(component, F(before), F(quota)))
    assert exact(rate(component, lines)) == wanted
    assert exact(rate(component, replace(lines, quota_before=lines.quota))) == wanted
    for place, (before, after) in enumerate(zip(lines.before.tolist(), lines.after.tolist(), strict=True)):
        parts = slices(component, before, after, quota, int(total))
        assert sum(part.earns for part in parts) == wanted[place]
        assert all(part.earns == part.rate * part.amount_in_slice for part in parts)


@settings(max_examples=300, deadline=None)
@given(point_sets(), AMOUNTS, QUOTAS, st.sampled_from([0, 1, 999_983, 10**13]))
def test_curves_pay_what_their_meaning_says(component, amounts, quota, incentive):
    lines = stretch(amounts, quota, incentive=np.full(len(amounts), incentive))
    paid = [point_pay(component, F(after), F(quota), incentive) for after in lines.after.tolist()]
    wanted = [after - before for before, after in zip([F(0), *paid], paid, strict=False)]
    assert exact(rate(component, lines)) == wanted
    for place, (before, after) in enumerate(zip(lines.before.tolist(), lines.after.tolist(), strict=True)):
        parts = slices(component, before, after, quota, 0, incentive=incentive, first=place == 0)
        assert sum(part.earns for part in parts) == wanted[place]


@settings(max_examples=150, deadline=None)
@given(tier_sets().filter(lambda made: made.tiers.attribution != "proportional"), AMOUNTS, st.data())
def test_what_was_earned_before_goes_by_the_line_before(component, amounts, data):
    times = replace(component, tiers=replace(component.tiers, pays="times"), missing_incentive="wait")
    times = replace(times, zero_quota="no_pay")
    quotas = data.draw(st.lists(QUOTAS, min_size=len(amounts), max_size=len(amounts)))
    incentives = data.draw(st.lists(st.integers(0, 10**9), min_size=len(amounts), max_size=len(amounts)))
    lines = stretch(
        amounts,
        1,
        incentive=ints(incentives),
        quota_before=ints([1, *quotas[:-1]]),
        incentive_before=ints([0, *incentives[:-1]]),
    )
    lines = replace(lines, quota=ints(quotas))
    wanted = []
    for place, (before, after) in enumerate(zip(lines.before.tolist(), lines.after.tolist(), strict=True)):
        quota, earned = F(quotas[place]), F(0)
        if place:
            past = F(quotas[place - 1])
            earned = tier_pay(times, F(before), past) * incentives[place - 1] / past
        wanted.append(tier_pay(times, F(after), quota) * incentives[place] / quota - earned)
    assert exact(rate(times, lines)) == wanted
