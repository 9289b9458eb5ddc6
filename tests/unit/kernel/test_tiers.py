"""Tier modes, boundary sides, quotas and order: numbers worked by hand (docs/algorithms/tiers.md)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from payouts.kernel import calculate
from payouts.kernel.errors import BadQuota
from plans.rules.compiled import Component
from tests.unit.kernel.world import Q1, USUAL, YEAR, Deal, bands, bonus, commission, plan, tiers, world

DEALS = [Deal(60_000, "2026-01-11"), Deal(50_000, "2026-01-12"), Deal(30_000, "2026-01-13")]
REVERSED = [Deal(30_000, "2026-01-11"), Deal(50_000, "2026-01-12"), Deal(60_000, "2026-01-13")]
USUAL_RATES = ((0, 10), (100, 15), (120, 20))


def earned(component: Component, deals: list[Deal] = DEALS, **changes: Any) -> list[float]:
    result = calculate(world(plan(component), deals, **changes))
    return [value / 100 for value in result.lines.earned.tolist()]


@pytest.mark.parametrize(
    ("curve", "lines"),
    [
        (USUAL, [6_000, 5_500, 5_500]),
        (tiers(*USUAL_RATES, mode="retroactive", attribution="running"), [6_000, 10_500, 11_500]),
        (tiers(*USUAL_RATES, mode="retroactive", attribution="proportional"), [12_000, 10_000, 6_000]),
    ],
    ids=["marginal", "retroactive running", "retroactive proportional"],
)
def test_credits_of_140000_pay_by_mode(curve, lines):
    assert earned(commission(curve)) == lines


def test_reversed_order_pays_other_lines_and_the_same_total():
    assert earned(commission(), REVERSED) == [3_000, 5_000, 9_000]


@pytest.mark.parametrize(("deals", "total"), [(DEALS, 19_750), (REVERSED, 18_500)])
def test_a_kicker_on_the_earning_of_the_30_depends_on_its_place(deals, total):
    # The factor is for small deals here, so that it falls on the 30 alone.
    assert sum(earned(commission(accelerator=bands((0, "1.5"), (30_001, "1"))), deals)) == total


def test_lines_know_their_place_and_tiers():
    lines = calculate(world(plan(), DEALS)).lines
    assert lines.position.tolist() == [1, 2, 3]
    assert lines.before.tolist() == [0, 6_000_000, 11_000_000]
    assert lines.after.tolist() == [6_000_000, 11_000_000, 14_000_000]
    assert lines.tier_before.tolist() == [0, 0, 1]
    assert lines.tier_after.tolist() == [0, 1, 2]


@pytest.mark.parametrize(("boundary", "paid", "tier"), [("above", 15_000, 1), ("below", 10_000, 0)])
def test_exactly_100_percent_belongs_to_the_stated_side(boundary, paid, tier):
    curve = tiers(*USUAL_RATES, mode="retroactive", attribution="running", boundary=boundary)
    result = calculate(world(plan(commission(curve)), [Deal(100_000)]))
    assert result.lines.earned.tolist() == [paid * 100]
    assert result.lines.tier_after.tolist() == [tier]


def test_attainment_is_never_rounded_before_the_tier_test():
    curve = tiers((0, 10), (100, 15), mode="retroactive", attribution="running")
    assert earned(commission(curve), [Deal("99999.99")]) == [10_000.00]


@pytest.mark.parametrize(
    ("boundary", "amount", "factor"),
    [("above", 25_000, 2), ("below", 25_000, 1), ("above", -25_000, 2), ("above", "24999.99", 1), ("below", 0, 1)],
)
def test_the_accelerator_goes_by_the_size_of_the_deal(boundary, amount, factor):
    component = commission(accelerator=bands((0, "1"), (25_000, "2"), boundary=boundary))
    assert earned(component, [Deal(amount)]) == [round(float(amount) * factor / 10, 2)]


@pytest.mark.parametrize(
    ("zero", "paid", "tier"),
    [("highest_tier", 2_000, 2), ("lowest_tier", 1_000, 0), ("no_pay", 0, -1), ("wait", 0, -1)],
)
def test_a_zero_quota_has_its_stated_outcome(zero, paid, tier):
    result = calculate(world(plan(commission(zero_quota=zero)), [Deal(10_000)], quotas=[(1, "sales", Q1, 0)]))
    assert result.lines.earned.tolist() == [paid * 100]
    assert result.lines.tier_after.tolist() == [tier]
    assert result.lines.waiting.tolist() == [zero == "wait"]


def test_a_tier_for_everything_applies_below_zero_too():
    component = commission(zero_quota="highest_tier", below_zero="no_pay")
    deals = [Deal(-10_000, "2026-01-11"), Deal(30_000, "2026-01-12")]
    assert earned(component, deals, quotas=[(1, "sales", Q1, 0)]) == [-2_000, 6_000]


@pytest.mark.parametrize(("missing", "paid"), [("lowest_tier", [6_000, 5_000, 3_000]), ("wait", [0, 0, 0])])
def test_a_missing_quota_has_its_stated_outcome(missing, paid):
    assert earned(commission(missing_quota=missing), quotas=[]) == paid


def test_a_quota_for_other_days_is_not_this_quarters():
    start, end = Q1
    assert earned(commission(), quotas=[(1, "sales", (start, end + 1), 100_000)]) == [0, 0, 0]


def test_a_negative_or_doubled_quota_is_refused():
    with pytest.raises(BadQuota, match="negative quota 'sales'"):
        calculate(world(plan(), DEALS, quotas=[(1, "sales", Q1, -1)]))
    with pytest.raises(BadQuota, match="two quotas 'sales' for the quarter from 2026-01-01"):
        calculate(world(plan(), DEALS, quotas=[(1, "sales", Q1, 1), (1, "sales", Q1, 2)]))


@pytest.mark.parametrize(
    ("below", "lines"), [("lowest_tier", [-2_000, 3_000]), ("no_pay", [0, 1_000])], ids=["charged", "not charged"]
)
@pytest.mark.parametrize("curve", [USUAL, tiers(*USUAL_RATES, mode="retroactive", attribution="running")])
def test_a_running_total_below_zero(below, lines, curve):
    deals = [Deal(-20_000, "2026-01-11"), Deal(30_000, "2026-01-12")]
    assert earned(commission(curve, below_zero=below), deals) == lines


@pytest.mark.parametrize(("below", "lines"), [("lowest_tier", [1_000, -3_000]), ("no_pay", [0, 0])])
def test_a_final_total_below_zero_proportionally(below, lines):
    curve = tiers(*USUAL_RATES, mode="retroactive", attribution="proportional")
    deals = [Deal(10_000, "2026-01-11"), Deal(-30_000, "2026-01-12")]
    assert earned(commission(curve, below_zero=below), deals) == lines


def test_a_credit_that_falls_back_over_a_bound_takes_back_what_was_earned_there():
    assert earned(commission(), [Deal(110_000, "2026-01-11"), Deal(-20_000, "2026-01-12")]) == [11_500, -2_500]


def test_a_new_version_in_mid_period_carries_the_running_total():
    first = plan(commission(tiers((0, 10), (100, 15)), every="year"))
    second = plan(commission(tiers((0, 12), (100, 18)), every="year"))
    versions = [(first, "2026-01-01", "2026-07-01"), (second, "2026-07-01", "2027-01-01")]
    deals = [Deal(90_000, "2026-03-01"), Deal(60_000, "2026-08-01")]
    result = calculate(world(versions, deals, quotas=[(1, "sales", YEAR, 120_000)]))
    assert result.lines.earned.tolist() == [900_000, 900_000]
    assert result.groups.total.tolist() == [15_000_000]
    assert result.groups.plan.tolist() == [1]


def test_each_version_has_its_own_quota_and_its_own_measure_period():
    versions = [
        (plan(commission(quota="old")), "2026-01-01", "2026-02-01"),
        (plan(commission(quota="new")), "2026-02-01", "2026-03-01"),
        (plan(commission(quota="new", every="month", missing_quota="lowest_tier")), "2026-03-01", "2027-01-01"),
    ]
    deals = [Deal(60_000, f"2026-0{month}-11") for month in (1, 2, 3)]
    result = calculate(world(versions, deals, quotas=[(1, "old", Q1, 50_000), (1, "new", Q1, 100_000)]))
    # By the old quota 50,000 at 10% and 10,000 at 15%; by the new one 40,000 at 10% and 20,000 at 15%; then anew.
    assert result.lines.earned.tolist() == [650_000, 700_000, 600_000]
    assert result.groups.total.tolist() == [12_000_000, 6_000_000]
    assert result.groups.quota[0] == 10_000_000


def test_rates_that_no_decimal_holds_are_exact():
    third = commission(tiers((0, Fraction(100, 3)), (Fraction(200, 3), 50)))
    assert earned(third, [Deal(90_000)]) == [33_888.89]


@pytest.mark.parametrize(
    ("changes", "lines"),
    [({}, [500, -500, 0, 500]), ({"min_deal": 500_000}, [500, 0, 0, 500])],
    ids=["every deal", "large deals"],
)
def test_a_bonus_per_credit(changes, lines):
    deals = [Deal(amount, f"2026-01-1{place}") for place, amount in enumerate((5_000, "-4999.99", 0, 60_000))]
    assert earned(bonus(500, **changes), deals) == lines


@pytest.mark.parametrize(
    ("boundary", "quota", "zero", "lines"),
    [
        ("above", 110_000, "no_pay", [0, 1_000, 0]),
        ("below", 110_000, "no_pay", [0, 0, 1_000]),
        ("above", 0, "highest_tier", [1_000, 0, 0]),
        ("above", 0, "lowest_tier", [0, 0, 0]),
        ("above", 0, "no_pay", [0, 0, 0]),
        ("above", 0, "wait", [0, 0, 0]),
    ],
)
def test_a_bonus_for_reaching_quota(boundary, quota, zero, lines):
    component = bonus(1_000, "measure_period", at=Fraction(1), boundary=boundary, zero_quota=zero)
    assert earned(component, quotas=[(1, "sales", Q1, quota)]) == lines


def test_a_bonus_for_reaching_quota_is_taken_back_when_the_total_falls_below():
    component = bonus(1_000, "measure_period", at=Fraction(1), boundary="above")
    assert earned(component, [Deal(100_000, "2026-01-11"), Deal(-1, "2026-01-12")]) == [1_000, -1_000]
