"""Tiers in every mode, curves through points and matrices: numbers worked by hand (docs/algorithms/tiers.md)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import MISSING_MONEY
from payouts.kernel.curves import evaluate
from payouts.kernel.rate import rate
from plans.rules.compiled import Columns, Measure, PayCurve, Point, Read, Tier, Tiers
from tests.unit.kernel.rows import exact, pays, stretch
from tests.unit.kernel.world import USUAL, bands, bonus, commission, ints, percent, tiers

DEALS = [60_000, 50_000, 30_000]
TENTHS = tiers((0, 10), (100, 20))


def mixed(*rates: tuple[Any, Any, Any]) -> Tiers:
    made = tuple(Tier(percent(start), percent(rate), back) for start, rate, back in rates)
    return Tiers("mixed", None, "above", made)


def points(
    *found: tuple[Any, Any], pays: Any = "share", axis: Any = "attainment", mode: Any = "steps", **more: Any
) -> Any:
    """A curve through (at, pays), both in percent; amounts of money in whole units."""
    scale = {"share": F(1, 100), "times": F(1, 100), "number": F(1), "amount": F(100)}[pays]
    made = tuple(Point(percent(at) if axis == "attainment" else F(at), F(each) * scale) for at, each in found)
    keys = {"boundary": "above", "below": "zero", "beyond": "last", "full_points": None} | more
    return PayCurve(pays, axis, mode, points=made, **keys)


def incentive(curve: PayCurve, **more: Any) -> Any:
    keys = {
        "kind": "incentive",
        "below_zero": None,
        "zero_quota": "no_pay",
        "missing_incentive": "wait",
        "curve": curve,
    }
    return replace(commission(None), **keys | more)


@pytest.mark.parametrize(
    ("curve", "lines"),
    [
        (USUAL, [6_000, 5_500, 5_500]),
        (replace(USUAL, mode="retroactive", attribution="running"), [6_000, 10_500, 11_500]),
        (replace(USUAL, mode="retroactive", attribution="proportional"), [12_000, 10_000, 6_000]),
        (mixed((0, 10, "none"), (100, 15, "none"), (120, 20, "none")), [6_000, 5_500, 5_500]),
        (mixed((0, 10, "none"), (100, 15, "all"), (120, 20, "all")), [6_000, 10_500, 11_500]),
        # 15% x 110,000, then 18,000 + 20% x 20,000.
        (mixed((0, 10, "none"), (100, 15, "tier"), (120, 20, "none")), [6_000, 10_500, 5_500]),
        # 20% back to 100%: 10,000 + 20% x 40,000.
        (mixed((0, 10, "none"), (100, 15, "none"), (120, 20, "tier")), [6_000, 5_500, 6_500]),
        (mixed((0, 10, "none"), (100, 15, "none"), (120, 20, "all")), [6_000, 5_500, 16_500]),
        (tiers((0, 10), (100, 5)), [6_000, 4_500, 1_500]),
        # A threshold of 80%: on the excess, and from the first unit.
        (mixed((0, 0, "none"), (80, 10, "none")), [0, 3_000, 3_000]),
        (mixed((0, 0, "none"), (80, 10, "all")), [0, 11_000, 3_000]),
    ],
    ids=[
        "marginal",
        "running",
        "proportional",
        "mixed none",
        "mixed all",
        "one tier back",
        "back to the tier below",
        "all from the third",
        "declining",
        "threshold, excess",
        "threshold, from the first",
    ],
)
def test_140000_by_mode(curve, lines):
    assert pays(commission(curve), DEALS) == lines


def test_each_alone_starts_from_zero():
    curve = Tiers("each", None, "above", (Tier(F(0), F(1, 10)), Tier(F(4_000_000), F(15, 100))), axis="amount")
    component = commission(curve, quota=None, missing_quota=None, zero_quota=None)
    assert pays(component, [*DEALS, -50_000], None) == [7_000, 5_500, 3_000, -5_000]
    assert pays(replace(component, below_zero="no_pay"), [30_000, -50_000], None) == [3_000, 0]


@pytest.mark.parametrize("boundary", ["above", "below"])
@pytest.mark.parametrize("bound", [100_000_00, 120_000_00])
def test_just_below_on_and_just_above_a_bound(boundary, bound):
    component = commission(replace(USUAL, mode="retroactive", attribution="running", boundary=boundary))
    rates = {100_000_00: (F(10, 100), F(15, 100)), 120_000_00: (F(15, 100), F(20, 100))}[bound]
    for amount, beyond in ((bound - 1, False), (bound, boundary == "above"), (bound + 1, True)):
        assert exact(rate(component, stretch([amount], 100_000_00))) == [amount * rates[beyond]]


@pytest.mark.parametrize(("below", "lines"), [("lowest_tier", [-2_000, 3_000]), ("no_pay", [0, 1_000])])
def test_below_zero_in_mixed_tiers(below, lines):
    curve = mixed((0, 10, "none"), (100, 15, "all"))
    assert pays(commission(curve, below_zero=below), [-20_000, 30_000]) == lines


def test_full_points_pay_nothing_in_between():
    curve = replace(TENTHS, full_points=F(1, 10))
    assert pays(commission(curve), [55_000, 9_000, 5_999, 31_000]) == [5_000, 1_000, 0, 4_000]
    # -1,000 lies in the point from -10,000 to 0.
    assert pays(commission(curve), [-1_000, 2_000]) == [-1_000, 1_000]


def test_pay_by_the_unit_and_by_full_tens():
    rates = (Tier(F(0), F(5_00)), Tier(F(10), F(7_00)))
    curve = Tiers("marginal", None, "above", rates, axis="units", pays="per_unit")
    no_quota = {"quota": None, "missing_quota": None, "zero_quota": None, "measure": Measure("quarter", unit="units")}
    units = [6_000_000, 8_500_000]
    assert exact(rate(commission(curve, **no_quota), stretch(units, None))) == [30_00, 51_50]
    tens = replace(curve, full_points=F(10))
    assert exact(rate(commission(tens, **no_quota), stretch(units, None))) == [0, 50_00]
    by_quota = replace(curve, axis="attainment", rates=(rates[0], Tier(F(1), F(7_00))))
    measured = commission(by_quota, measure=Measure("quarter", unit="units"))
    assert exact(rate(measured, stretch(units, 10_000_000))) == [30_00, 51_50]


@pytest.mark.parametrize(("column", "lines"), [(0, [3_000, 3_000]), (1, [3_600, 3_600])])
def test_a_matrix_of_two_measures(column, lines):
    columns = Columns(Read("plan", "retention", "attainment"), "above", (F(0), F(9, 10)))
    rows = (Tier(F(0), F(0), None, (F(5, 100), F(6, 100))), Tier(F(1), F(0), None, (F(10, 100), F(12, 100))))
    component = commission(Tiers("marginal", None, "above", rows, columns=columns))
    assert pays(component, [60_000, 50_000], column=np.full(2, column)) == lines
    # The column moved since the line before: 12% beyond, and what stood before is taken by the line's own.
    assert pays(component, [60_000, 50_000], column=ints([0, 1])) == [3_000, 7_200 - 3_600]


def test_a_rate_from_quota_and_incentive():
    curve = Tiers("marginal", None, "above", (Tier(F(0), F(1)), Tier(F(1), F(3, 2))), pays="times")
    component = commission(curve, zero_quota="no_pay", missing_incentive="wait")
    assert pays(component, [300_000, 30_000], 300_000, incentive=[20_000] * 2) == [20_000, 3_000]
    assert pays(component, [100, 200], 0, incentive=[20_000] * 2) == [0, 0]
    assert pays(component, [1], 300_000, incentive=[20_000]) == [F(1, 15)]
    found = rate(component, stretch([100, 100], 100, incentive=ints([MISSING_MONEY, 50])))
    assert (exact(found), found.waiting.tolist()) == ([0, 75], [2, 0])


def test_steps_pay_the_last_point_reached():
    curve = points((50, 50), (100, 100))
    assert pays(incentive(curve), DEALS, incentive=[10_000] * 3) == [5_000, 5_000, 0]
    assert pays(incentive(curve), [49_999, 1, 1], incentive=[10_000] * 3) == [0, 5_000, 0]
    below = replace(curve, boundary="below", below="first")
    assert pays(incentive(below), [50_000, 50_000, 1], incentive=[10_000] * 3) == [5_000, 0, 5_000]


@pytest.mark.parametrize(
    ("beyond", "lines"), [("last", [2_000, 10_000, 6_000, 2_000]), ("extend", [2_000, 10_000, 6_000, 12_000])]
)
def test_interpolated_between_points(beyond, lines):
    curve = points((50, 0), (100, 100), (150, 200), mode="interpolated", beyond=beyond)
    assert pays(incentive(curve), [*DEALS, 60_000], incentive=[10_000] * 4) == lines


def test_interpolated_starts_with_a_jump_or_from_the_first():
    curve = points((50, 50), (100, 100), mode="interpolated")
    assert pays(incentive(curve), [49_999, 1, 25_000], incentive=[10_000] * 3) == [0, 5_000, 2_500]
    assert pays(incentive(replace(curve, below="first")), [10_000, 40_000], incentive=[10_000] * 2) == [5_000, 0]


def test_by_width_each_point_pays_on_its_way():
    curve = points((0, 40), (50, 60), (100, 0), mode="by_width")
    assert pays(incentive(curve), DEALS, incentive=[10_000] * 3) == [5_200, 4_800, 0]
    late = points((50, 100), (100, 0), mode="by_width")
    assert pays(incentive(late), [40_000, 35_000], incentive=[10_000] * 2) == [0, 5_000]


def test_money_by_attainment_and_by_value_in_full_points():
    curve = points((50, 100), (100, 300), pays="amount", mode="interpolated", full_points=F(1, 100))
    # Money is paid without a target incentive: none is named, and no outcome stated for a missing one.
    assert pays(incentive(curve, missing_incentive=None), [50_000, 25_900]) == [100, 100]
    by_value = points((0, 0), (1_000_00, 50), pays="amount", axis="value", mode="interpolated", beyond="extend")
    component = incentive(by_value, quota=None, missing_quota=None, zero_quota=None, missing_incentive=None)
    assert pays(component, [500, 1_500], None) == [25, 75]


def test_a_period_is_paid_by_its_value():
    """90% of satisfied answers against a quota of 90%, and 85% against it."""
    curve = points((90, 50), (100, 100), mode="interpolated")
    component = incentive(curve, measure=Measure("quarter", "share", by="period", unit="share"))
    lines = stretch(
        [0, 0, 0],
        900_000,
        incentive=np.full(3, 1_000_00),
        value=Ratios.read([F(9, 10), F(17, 20), F(1, 2)]),
        waits=np.array([False, False, True]),
    )
    found = rate(component, lines)
    assert exact(found) == [1_000_00, (50 + F(50, 10) * (F(850, 9) - 90)) * 1_000, 0]
    assert (found.waiting.tolist(), found.tier_after.tolist()) == ([0, 0, 3], [-1, -1, -1])
    days = points((0, 500), (30, 0), pays="amount", axis="value", mode="interpolated")
    by_days = incentive(days, quota=None, missing_quota=None, zero_quota=None, missing_incentive=None)
    by_days = replace(by_days, measure=Measure("quarter", "days", by="period", unit="days"))
    assert exact(rate(by_days, stretch([0], None, value=Ratios.read([F(21, 2)])))) == [F(325_00)]


def test_year_to_date_pays_what_is_due_less_what_was_earned_before():
    curve = tiers((0, 5), (100, 7), mode="retroactive", attribution="running")
    quota = {"quota_before": [100_000] * 2}
    assert pays(commission(curve), [80_000, 40_000], **quota) == [4_000, 4_400]
    shares = replace(curve, attribution="proportional")
    total = ints([80_000_00, 120_000_00])
    assert pays(commission(shares), [80_000, 40_000], total=total, **quota) == [4_000, 2_800]
    # Quotas of the months so far: 100,000 and 200,000. February takes back what January ran ahead.
    so_far = ints([100_000, 200_000])
    grown = replace(stretch([150_000, 50_000], None, quota_before=so_far[[0, 0]]), quota=so_far)
    assert exact(rate(commission(TENTHS), grown)) == [20_000, 0]
    # The month before had no quota yet, and earned nothing: the line that has one earns it all.
    waited = replace(grown, quota_before=np.full(2, MISSING_MONEY))
    assert exact(rate(commission(TENTHS), waited)) == [20_000, 20_000]


def test_the_limit_of_attainment_cuts_what_counts():
    assert pays(commission(limit_attainment=F(12, 10)), DEALS) == [6_000, 5_500, 1_500]
    shares = tiers((0, 10), (100, 20), mode="retroactive", attribution="proportional")
    assert pays(commission(shares, limit_attainment=F(12, 10)), DEALS) == [12_000, 10_000, 2_000]
    curve = points((50, 50), (100, 100), mode="interpolated", beyond="extend")
    assert pays(incentive(curve, limit_attainment=F(11, 10)), DEALS, incentive=[10_000] * 3) == [6_000, 5_000, 0]


def test_without_accelerators_tiers_from_the_quota_on_are_left_out():
    component = commission(accelerator=bands((0, "0.5"), (40_000, "2")))
    assert pays(component, DEALS) == [12_000, 11_000, 2_750]
    assert pays(component, DEALS, plain=np.ones(3, dtype=bool)) == [6_000, 5_000, 1_500]
    # With another axis it is the quota that says which: 30,000 and 40,000 stay below one of 45,000.
    rates = tuple(Tier(F(start), F(times)) for start, times in ((0, 1), (40_000_00, 2), (45_000_00, 4)))
    absolute = replace(
        commission(Tiers("each", None, "above", rates, axis="amount", pays="times")), zero_quota="no_pay"
    )
    target = {"incentive": [45_000, 45_000], "plain": np.array([True, False])}
    assert pays(absolute, [50_000, 50_000], 45_000, **target) == [60_000, 70_000]
    late = rate(commission(), stretch([60_000, 50_000], 100_000, plain=np.array([False, True])))
    assert (exact(late), late.tier_after.tolist()) == ([6_000, 5_000], [0, 0])


def test_a_bonus_of_a_period_goes_by_its_value():
    component = bonus(500, "measure_period", at=F(1), boundary="above")
    lines = stretch([0, 0], 100_00, value=Ratios.read([F(99_99), F(100_00)]))
    assert exact(rate(component, lines)) == [0, 500_00]


def test_an_earning_given_by_the_kind_is_only_shaped():
    component = commission(None, kind="pool", quota=None, missing_quota=None, zero_quota=None, below_zero=None)
    lines = stretch([0, 0], None, given=Ratios.read([F(1, 3), F(2)]), gate_factor=Ratios.constant(F(1, 2)))
    assert exact(rate(component, lines)) == [F(1, 6), 1]


def test_no_lines_are_rated_to_nothing():
    empty = stretch([1], 1)
    empty = replace(empty, **{name: getattr(empty, name)[:0] for name in empty.__slots__[:8]})
    for component in (commission(), commission(replace(TENTHS, full_points=F(1, 10))), bonus(5)):
        assert rate(component, empty).earning.size == 0


def test_what_a_result_or_a_read_factor_is():
    value = Ratios.read([F(6, 10), F(8, 10), F(2), F(0)])
    missing = np.array([False, False, False, True])
    curve = points((70, 80), (90, 110), pays="times", mode="interpolated", below="first")
    assert evaluate(curve, value, missing).fractions() == [F(8, 10), F(95, 100), F(11, 10), 1]
    assert evaluate(replace(curve, below="one"), value, missing).fractions() == [1, F(95, 100), F(11, 10), 1]
    steps = points((70, 3), (90, 5), pays="number")
    assert evaluate(steps, value, missing).fractions() == [0, 3, 5, 0]
