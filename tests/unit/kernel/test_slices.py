"""What stands behind the earning of one line, part by part: numbers worked by hand, and in sum what was rated."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F
from typing import Any

import pytest

from crediting.kernel.ratios import Ratios
from payouts.kernel.rate import rate
from payouts.kernel.slices import BELOW_ZERO, EARNED_BEFORE, Side, slices
from plans.rules.compiled import Dimension, Measure, Table, Tier, Tiers
from tests.unit.kernel.rows import Fields, exact, stretch
from tests.unit.kernel.test_curves import incentive, mixed, points
from tests.unit.kernel.world import USUAL, commission, ints, tiers

QUOTA = 100_000_00


def parts(component: Any, before: int, after: int, quota: int | None = QUOTA, **more: Any) -> list[tuple[Any, ...]]:
    """Tier, rate, amount and earning, in whole units."""
    found = slices(component, before * 100, after * 100, quota, 140_000_00, **more)
    return [(part.tier, part.rate, part.amount_in_slice / 100, part.earns / 100) for part in found]


def test_a_marginal_line_over_two_bounds():
    assert parts(commission(USUAL), 60_000, 140_000) == [
        (0, F(10, 100), 40_000, 4_000),
        (1, F(15, 100), 20_000, 3_000),
        (2, F(20, 100), 20_000, 4_000),
    ]


def test_a_line_back_over_a_bound():
    assert parts(commission(USUAL), 110_000, 90_000) == [
        (0, F(10, 100), -10_000, -1_000),
        (1, F(15, 100), -10_000, -1_500),
    ]


def test_a_retroactive_line_re_rates_what_came_before():
    running = commission(replace(USUAL, mode="retroactive", attribution="running"))
    assert parts(running, 60_000, 110_000) == [(1, F(15, 100), 50_000, 7_500), (0, F(5, 100), 60_000, 3_000)]
    shares = commission(replace(USUAL, mode="retroactive", attribution="proportional"))
    assert parts(shares, 60_000, 110_000) == [(2, F(20, 100), 50_000, 10_000)]


def test_a_tier_that_pays_back_is_a_slice_of_its_own():
    component = commission(mixed((0, 0, "none"), (80, 10, "all")))
    assert parts(component, 60_000, 110_000) == [
        (0, 0, 20_000, 0),
        (1, F(10, 100), 80_000, 8_000),
        (1, F(10, 100), 30_000, 3_000),
    ]


def test_below_zero_and_beyond_the_limit():
    no_pay = commission(USUAL, below_zero="no_pay")
    assert parts(no_pay, -20_000, 10_000) == [(BELOW_ZERO, 0, 20_000, 0), (0, F(10, 100), 10_000, 1_000)]
    limited = commission(USUAL, limit_attainment=F(12, 10))
    assert parts(limited, 110_000, 140_000) == [(1, F(15, 100), 10_000, 1_500)]


def test_points_and_what_stands_at_nothing():
    component = incentive(points((50, 50), (100, 100), mode="interpolated", below="first"))
    assert parts(component, 0, 60_000, incentive=10_000_00, first=True) == [
        (-1, 0, 0, 5_000),
        (0, F(1, 10), 10_000, 1_000),
    ]
    steps = incentive(points((50, 50), (100, 100)))
    assert parts(steps, 40_000, 110_000, incentive=10_000_00) == [(0, 0, 0, 5_000), (1, 0, 0, 5_000)]
    assert parts(steps, 40_000, 110_000) == []


def test_what_was_earned_before_by_another_quota():
    component = commission(tiers((0, 10), (100, 20)))
    before = Side(50_000_00)
    assert parts(component, 60_000, 110_000, earlier=before) == [
        (0, F(10, 100), 100_000, 10_000),
        (1, F(20, 100), 10_000, 2_000),
        (EARNED_BEFORE, 0, -60_000, -7_000),
    ]
    lines = stretch([60_000_00, 50_000_00], QUOTA, quota_before=ints([50_000_00] * 2))
    assert exact(rate(component, lines))[1] == 5_000_00


def test_units_values_and_cells():
    rates = (Tier(F(0), F(5_00)), Tier(F(10), F(7_00)))
    by_unit = commission(Tiers("marginal", None, "above", rates, axis="units", pays="per_unit"))
    by_unit = replace(by_unit, quota=None, missing_quota=None, zero_quota=None, measure=Measure("month", unit="units"))
    found = slices(by_unit, 6_000_000, 14_500_000, None, 0)
    assert [(part.rate, part.amount_in_slice, part.earns) for part in found] == [(500, 4, 2_000), (700, F(9, 2), 3_150)]

    curve = points((90, 50), (100, 100), mode="interpolated")
    by_value = incentive(curve, measure=Measure("quarter", "share", by="period", unit="share"))
    lines = stretch([0], 900_000, incentive=ints([1_000_00]), value=Ratios.constant(F(17, 20)))
    found = slices(by_value, 0, 0, 900_000, 0, incentive=1_000_00, value=F(17, 20))
    assert sum(part.earns for part in found) == exact(rate(by_value, lines))[0] != 0

    table = Table("rate", (Dimension("amount", "money", (F(0), F(100)), "above"),), (F(1, 10), F(2, 10)))
    by_cell = commission(None, table=table, quota=None, missing_quota=None, zero_quota=None)
    assert parts(by_cell, 0, 50, None, cell=1) == [(1, F(2, 10), 50, 10)]
    assert parts(by_cell, 0, 50, None, cell=-1) == []
    assert exact(rate(by_cell, stretch([50_00], None, fields=Fields({"amount": [50_00]})))) == [10_00]


@pytest.mark.parametrize(("plain", "rates"), [(False, [F(10, 100), F(15, 100)]), (True, [F(10, 100)])])
def test_without_accelerators_one_tier_is_left(plain, rates):
    assert [rate for _, rate, _, _ in parts(commission(USUAL), 60_000, 110_000, plain=plain)] == rates
