"""Rounding of totals, minimums, gates, caps of every kind, carried excess, plan caps and budgets, worked by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from payouts.kernel import calculate
from payouts.kernel.batch import OF_CARRY, OF_CREDIT, OF_PERIOD
from plans.rules.compiled import (
    Budget,
    Cap,
    Component,
    Gate,
    Measure,
    PayCurve,
    Point,
    Read,
)
from plans.rules.compiled_pay import PlanCap, Proration
from tests.unit.kernel.world import MONTHS, Q1, Deal, commission, day, employment, ints, plan, tiers, world

TENTH = tiers((0, 10))
QUARTERS = [(MONTHS[place], MONTHS[place + 3]) for place in range(0, 12, 3)]
ALWAYS = [(1, "sales", quarter, 100_000) for quarter in QUARTERS]


def flat(**changes: Any) -> Component:
    return commission(TENTH, **changes)


def lines(component: Component, deals: list[Deal], **changes: Any) -> Any:
    more = {"quotas": ALWAYS} | {
        name: changes.pop(name) for name in list(changes) if name in ("quotas", "only", "people")
    }
    return calculate(world(plan(component, **changes), deals, **more)).lines


# ------------------------------------------------------------------ rounding, minimum


def test_the_total_is_rounded_and_shown_by_largest_remainder():
    """0.5, 0.4 and 0.7 of a cent are 2 cents: the largest remainders get them."""
    deals = [Deal(minor=5, close="2026-01-10"), Deal(minor=4, close="2026-01-11"), Deal(minor=7, close="2026-01-12")]
    assert lines(flat(), deals, round_at="total").earned.tolist() == [1, 0, 1]
    assert lines(flat(), deals).earned.tolist() == [0, 0, 1]
    backwards = [Deal(minor=-5, close="2026-01-10"), Deal(minor=-4, close="2026-01-11")]
    assert lines(flat(), backwards, round_at="total").earned.tolist() == [-1, 0]


def test_the_total_is_rounded_in_steps_group_by_group():
    deals = [Deal(1_004, "2026-01-10"), Deal(1_004, "2026-01-11"), Deal(1_009, "2026-05-11")]
    found = lines(flat(), deals, round_at="total", round_step=100)
    assert found.earned.tolist() == [10_100, 10_000, 10_100]


def test_a_minimum_works_on_both_signs():
    deals = [Deal(100, "2026-01-10"), Deal(900, "2026-01-11"), Deal(-100, "2026-01-12"), Deal(0, "2026-01-13")]
    assert lines(flat(minimum=5_000), deals).earned.tolist() == [5_000, 9_000, -5_000, 0]
    assert lines(flat(minimum=5_000), deals, quotas=[]).earned.tolist() == [0, 0, 0, 0]


# ------------------------------------------------------------------ caps


def test_caps_act_in_order_each_on_what_the_one_before_left():
    caps = (Cap(30_000, "credit"), Cap(70_000, "year", "review"))
    deals = [Deal(2_000, "2026-01-10"), Deal(5_000, "2026-02-10"), Deal(4_000, "2026-05-10")]
    found = lines(flat(caps=caps), deals)
    assert found.rounded.tolist() == [20_000, 50_000, 40_000]
    assert found.earned.tolist() == [20_000, 30_000, 20_000]
    assert found.review is not None and found.review.tolist() == [0, 0, 10_000]


def test_a_cap_gives_back_when_the_sum_falls():
    deals = [Deal(8_000, "2026-01-10"), Deal(8_000, "2026-01-11"), Deal(-8_000, "2026-01-12")]
    found = lines(flat(cap=None, caps=(Cap(100_000, "year"),)), deals)
    assert found.earned.tolist() == [80_000, 20_000, -20_000]


def test_a_cap_by_the_incentive_and_one_by_another_component():
    half = Cap(None, "measure_period", of_incentive=Fraction(1, 2))
    quotas = [*ALWAYS, (1, "target", Q1, 1_000)]
    capped = flat(incentive="target", missing_incentive="wait", caps=(half,))
    found = lines(capped, [Deal(10_000), Deal(10_000, "2026-05-01")], quotas=quotas)
    assert found.earned.tolist() == [50_000, 0] and found.waiting.tolist() == [0, 2]

    beside = Cap(None, "measure_period", of_component=Read("plan", "base", "earning"), share=Fraction(1, 4))
    both = plan(flat(caps=(beside,)), flat(key="base"))
    result = calculate(world(both, [Deal(10_000)], quotas=ALWAYS))
    assert result.lines.earned.tolist() == [25_000, 100_000]


def test_carried_excess_is_paid_in_later_periods_while_there_is_room():
    """100.00 a quarter: 250.00 are earned in the first, nothing in the second, 70.00 in the third."""
    deals = [Deal(2_500, "2026-01-10"), Deal(700, "2026-07-10")]
    carried = Cap(10_000, "measure_period", "carried", counts=True, until="used_up")
    result = calculate(world(plan(flat(caps=(carried,))), deals, quotas=ALWAYS))
    found = result.lines
    assert found.earned.tolist() == [10_000, 10_000, 7_000, 3_000, 2_000]
    assert found.kind is not None and found.kind.tolist() == [OF_CREDIT, OF_CARRY, OF_CREDIT, OF_CARRY, OF_CARRY]
    assert found.day is not None and found.day[1] == day("2026-06-30")
    assert found.position.tolist() == [1, 1, 1, 2, 1]
    assert result.groups.period.tolist() == [0, 1, 2, 3]
    assert result.groups.total.tolist() == [250_000, 0, 70_000, 0]
    assert result.tranches.amount.tolist() == [10_000, 10_000, 7_000, 3_000, 2_000]
    assert result.tranches.release_day.tolist() == [
        day(each) for each in ("2026-01-10", "2026-06-30", "2026-07-10", "2026-09-30", "2026-12-31")
    ]


def test_carried_excess_that_does_not_count_has_a_cap_of_its_own():
    deals = [Deal(1_700, "2026-01-10"), Deal(1_000, "2026-04-10")]
    carried = Cap(10_000, "measure_period", "carried", counts=False, until="used_up")
    assert lines(flat(caps=(carried,)), deals).earned.tolist() == [10_000, 10_000, 7_000]


@pytest.mark.parametrize(("until", "amounts"), [("year_end", [10_000]), ("used_up", [10_000, 10_000, 5_000])])
def test_what_is_owed_ends_with_the_year_or_when_it_is_used_up(until, amounts):
    carried = Cap(10_000, "measure_period", "carried", counts=True, until=until)
    batch = world(plan(flat(caps=(carried,))), [Deal(2_500, "2026-12-10")], quotas=ALWAYS)
    starts = ints([*MONTHS[::3], *(day(f"2027-{month}-01") for month in ("04", "07", "10")), day("2028-01-01")])
    periods = {"quarter": starts, "year": starts[::4]}
    found = calculate(replace(batch, periods=periods, pay_periods=starts))
    assert found.lines.earned.tolist() == amounts


# ------------------------------------------------------------------ gates


def gated(**changes: Any) -> Gate:
    terms = {
        "at_least": Fraction(1),
        "read_at": "final",
        "until_known": "provisional",
        "catch_up": None,
        "effect": "withhold",
    }
    return Gate("gate", Read("plan", "base", "attainment"), **(terms | changes))


def beside_base(gate: Gate, deals: list[Deal], curve: Any = TENTH) -> Any:
    made = plan(commission(curve, gates=(gate,)), flat(key="base"))
    return calculate(world(made, deals, quotas=ALWAYS))


NEARLY = [Deal(60_000, "2026-01-10"), Deal(30_000, "2026-02-10")]
REACHED = [*NEARLY, Deal(50_000, "2026-03-10")]


def test_a_gate_withholds_what_is_earned_until_it_is_met():
    assert beside_base(gated(), NEARLY).lines.earned.tolist()[:2] == [0, 0]
    assert beside_base(gated(), REACHED).lines.earned.tolist()[:3] == [600_000, 300_000, 500_000]


def test_gates_leave_out_accelerators_cap_and_multiply():
    curve = tiers((0, 10), (50, 20), (80, 30), (100, 40))
    plain = beside_base(gated(at_least=Fraction(2), effect="no_accelerators"), REACHED, curve)
    # 50,000 at 10%, 30,000 at 20% and the rest at 30%: the tier from 100% is left out.
    assert plain.lines.earned.tolist()[:3] == [700_000, 700_000, 1_500_000]
    capped = beside_base(gated(at_least=Fraction(2), effect="cap", cap=800_000), REACHED)
    assert capped.lines.earned.tolist()[:3] == [600_000, 200_000, 0]
    half = beside_base(gated(at_least=Fraction(2), effect="times", times=Fraction(1, 2)), REACHED)
    assert half.lines.earned.tolist()[:3] == [300_000, 150_000, 250_000]


def test_a_running_gate_catches_up_or_does_not():
    each = beside_base(gated(read_at="running", until_known=None, catch_up=False), REACHED)
    assert each.lines.earned.tolist()[:3] == [0, 0, 500_000]
    later = beside_base(gated(read_at="running", until_known=None, catch_up=True), REACHED)
    assert later.lines.earned.tolist()[:3] == [600_000, 300_000, 500_000]
    assert later.tranches.release_day.tolist()[:3] == [day("2026-03-10")] * 3


def test_what_is_withheld_until_known_is_released_when_the_period_ends():
    found = beside_base(gated(until_known="withhold"), REACHED)
    assert found.tranches.release_day.tolist()[:3] == [day("2026-03-31")] * 3


# ------------------------------------------------------------------ shared limits


def test_a_plan_cap_covers_all_components_in_the_order_of_credits():
    made = plan(flat(), flat(key="other"), caps=(PlanCap(150_000, "quarter", "review"),))
    result = calculate(world(made, [Deal(5_000, "2026-01-10"), Deal(5_000, "2026-02-10")], quotas=ALWAYS))
    assert result.lines.earned.tolist() == [50_000, 50_000, 50_000, 0]
    assert result.lines.review is not None and result.lines.review.tolist() == [0, 0, 0, 50_000]
    assert result.tranches.amount.tolist() == [50_000, 50_000, 50_000, 0]


@pytest.mark.parametrize("only", [None, [2]])
def test_a_budget_is_for_who_comes_first(only):
    deals = [Deal(5_000, "2026-01-10"), Deal(5_000, "2026-01-09", team=(("ae", 2),)), Deal(5_000, "2026-01-08")]
    quotas = [*ALWAYS, (2, "sales", Q1, 100_000)]
    found = lines(flat(budget=Budget(120_000, "keep")), deals, quotas=quotas, only=only)
    assert found.earned.tolist() == ([50_000, 20_000, 50_000] if only is None else [50_000])
    assert found.credit.tolist() == ([0, 1, 2] if only is None else [0])


# ------------------------------------------------------------------ lines of periods


def test_an_incentive_is_paid_by_period_and_by_credit():
    points = (Point(Fraction(1, 2), Fraction(0)), Point(Fraction(1), Fraction(1)), Point(Fraction(3, 2), Fraction(2)))
    curve = PayCurve("share", "attainment", "interpolated", "above", "zero", "last", None, points)
    quotas = [*ALWAYS, (1, "target", Q1, 6_000)]
    kind: dict[str, Any] = {"kind": "incentive", "curve": curve, "incentive": "target", "missing_incentive": "wait"}
    deals = [Deal(75_000, "2026-01-10"), Deal(45_000, "2026-02-10")]
    whole = replace(commission(None), measure=Measure("quarter", by="period"), **kind)
    result = calculate(world(plan(whole), deals, quotas=quotas))
    # 120% of quota pays 140% of 6,000.
    assert result.lines.earned.tolist() == [840_000]
    assert result.lines.kind is not None and result.lines.kind.tolist() == [OF_PERIOD]
    assert result.lines.credit.tolist() == [-1] and result.groups.total.tolist() == [12_000_000]
    assert result.groups.incentive is not None and result.groups.incentive.tolist() == [600_000]
    assert result.tranches.release_day.tolist() == [day("2026-03-31")]
    by_credit = replace(commission(None), **kind)
    assert calculate(world(plan(by_credit), deals, quotas=quotas)).lines.earned.tolist() == [300_000, 540_000]


def test_a_prorated_incentive():
    points = (Point(Fraction(0), Fraction(1)),)
    curve = PayCurve("share", "attainment", "steps", "above", "first", None, None, points)
    made = plan(
        replace(commission(None), kind="incentive", curve=curve, incentive="target", missing_incentive="wait"),
        proration=Proration("calendar_days", "counts", "counts", "counts", ("incentive",), "minor"),
    )
    batch = world(
        made,
        [Deal(10, "2026-03-01")],
        quotas=[*ALWAYS, (1, "target", Q1, 9_000)],
        employment=employment((1, "2026-03-02", "2027-01-01")),
    )
    assert calculate(batch).lines.earned.tolist() == [300_000]


def test_the_year_is_covered_whatever_the_measure_period():
    found = lines(
        flat(caps=(Cap(60_000, "year"),), every="month"),
        [Deal(5_000), Deal(5_000, "2026-02-10")],
        quotas=[(1, "sales", (MONTHS[place], MONTHS[place + 1]), 1) for place in range(12)],
    )
    assert found.earned.tolist() == [50_000, 10_000]
