"""Year to date, new versions, overrides, proration and ramps, with numbers worked by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from payouts.kernel import calculate
from payouts.kernel.batch import MISSING_MONEY
from payouts.kernel.errors import BadQuota, ReadingCircle
from payouts.kernel.order import reading_order
from plans.rules.compile import compile_plan
from plans.rules.compiled import (
    Component,
    Gate,
    Measure,
    Ramp,
    Read,
)
from plans.rules.compiled_pay import Proration
from plans.rules.load import read_yaml
from tests.unit.kernel.world import (
    MONTHS,
    Q1,
    YEAR,
    Deal,
    attributes,
    cap,
    commission,
    day,
    employment,
    ints,
    plan,
    tiers,
    world,
)

JANUARY, FEBRUARY, MARCH = ((MONTHS[place], MONTHS[place + 1]) for place in range(3))


def earned(batch: Any) -> list[int]:
    return calculate(batch).lines.earned.tolist()


def to_date(every: Any, basis: Any, attribution: str = "running", **changes: Any) -> Component:
    return commission(
        tiers((0, 5), (100, 7), mode="retroactive", attribution=attribution),
        every=every,
        measure=Measure(every, window="year_to_date", quota_basis=basis),
        **changes,
    )


# ------------------------------------------------------------------ year to date


@pytest.mark.parametrize(("attribution", "february"), [("running", 440_000), ("proportional", 280_000)])
def test_year_to_date_pays_what_is_due_less_what_was_earned_before(attribution, february):
    """5% to 100,000, then 7% on all: January 80,000 pays 4,000; February 40,000 pays 4,400, or 2,800 of its own."""
    deals = [Deal(80_000, "2026-01-15"), Deal(40_000, "2026-02-15")]
    made = plan(to_date("month", "year", attribution))
    assert earned(world(made, deals, quotas=[(1, "sales", YEAR, 100_000)])) == [400_000, february]


def test_a_late_january_moves_february_and_not_more():
    deals = [Deal(80_000, "2026-01-15"), Deal(10_000, "2026-01-20"), Deal(40_000, "2026-02-15")]
    made = plan(to_date("month", "year"))
    assert earned(world(made, deals, quotas=[(1, "sales", YEAR, 100_000)])) == [400_000, 50_000, 460_000]


def test_cumulative_quotas_are_those_of_the_periods_so_far():
    """90,000 of 100,000 in January; in February 130,000 of 130,000: 7% on all less the 5% of 90,000."""
    deals = [Deal(90_000, "2026-01-15"), Deal(40_000, "2026-02-15")]
    quotas = [(1, "sales", JANUARY, 100_000), (1, "sales", FEBRUARY, 30_000)]
    result = calculate(world(plan(to_date("month", "cumulative")), deals, quotas=quotas))
    assert result.lines.earned.tolist() == [450_000, 910_000 - 450_000]
    assert result.groups.period.tolist() == [0] and result.groups.quota.tolist() == [13_000_000]
    assert result.lines.position.tolist() == [1, 2]


def test_a_year_to_date_waits_for_every_quota_on_the_way():
    deals = [Deal(90_000, "2026-03-15")]
    quotas = [(1, "sales", MARCH, 100_000)]
    made = plan(to_date("month", "cumulative"))
    waiting = calculate(world(made, deals, quotas=quotas))
    assert waiting.lines.waiting.tolist() == [1] and waiting.groups.quota.tolist() == [MISSING_MONEY]
    nothing = [(1, "sales", month, 0) for month in (JANUARY, FEBRUARY)]
    assert earned(world(made, deals, quotas=[*nothing, *quotas])) == [450_000]


# ------------------------------------------------------------------ what counts


def test_counts_go_by_the_sign_and_weights_are_rounded_line_by_line():
    deals = [
        Deal(100, "2026-01-10", extra={"quantity": Fraction(1, 3)}),
        Deal(-5, "2026-01-11", extra={"quantity": Fraction(2)}),
        Deal(7, "2026-01-12"),
    ]
    counted = plan(commission(measure=Measure("quarter", value="count", unit="units")))
    result = calculate(world(counted, deals, types={"quantity": "number"}))
    assert result.lines.after.tolist() == [1_000_000, 0, 1_000_000]
    weighted = plan(commission(measure=Measure("quarter", value="weighted", weight="quantity")))
    result = calculate(world(weighted, deals, types={"quantity": "number"}))
    assert result.lines.measured is not None and result.lines.measured.tolist() == [3_333, -1_000, 0]


def test_a_fixed_quota_is_the_same_for_all():
    made = plan(commission(quota=None, quota_fixed=Fraction(5_000_000)))
    assert earned(world(made, [Deal(60_000)], quotas=[])) == [500_000 + 150_000]
    fine = plan(commission(quota=None, quota_fixed=Fraction(1, 3), measure=Measure("quarter", unit="units")))
    with pytest.raises(BadQuota, match="finer than a millionth"):
        calculate(world(fine, [Deal(1)], quotas=[]))


# ------------------------------------------------------------------ new versions


def versions(how: Any, **changes: Any) -> list[Any]:
    """10% then 15%, from July 12% then 18%."""
    by_months = Proration("whole_months", "counts", "counts", "counts", (), "minor")
    first = plan(commission(tiers((0, 10), (100, 15)), every="year"), on_new_version=how, proration=by_months)
    second = replace(first, components=(commission(tiers((0, 12), (100, 18)), every="year", **changes),))
    return [(first, "2026-01-01", "2026-07-01"), (second, "2026-07-01", "2027-01-01")]


SPRING_AND_AUTUMN = [Deal(90_000, "2026-03-15"), Deal(60_000, "2026-09-15")]
YEARLY = [(1, "sales", YEAR, 120_000)]


@pytest.mark.parametrize(
    ("how", "lines"),
    [
        # 9,000, then 30,000 at 12% and 30,000 at 18%.
        ("carry", [900_000, 900_000]),
        # Halves of 60,000: 6,000 and 30,000 at 15%; then 60,000 at 12%.
        ("restart", [1_050_000, 720_000]),
        # All of it by the second: 90,000 at 12%, then as above.
        ("rerun", [1_080_000, 900_000]),
    ],
)
def test_a_new_version_carries_on_restarts_or_rates_all_again(how, lines):
    result = calculate(world(versions(how), SPRING_AND_AUTUMN, quotas=YEARLY))
    assert result.lines.earned.tolist() == lines
    assert sum(lines) in (1_800_000, 1_770_000, 1_980_000)
    if how == "restart":
        assert result.groups.quota.tolist() == [6_000_000, 6_000_000]
        assert result.groups.total.tolist() == [9_000_000, 6_000_000]
        assert result.lines.position.tolist() == [1, 1]
    if how == "rerun":
        assert result.lines.plan is not None and result.lines.plan.tolist() == [1, 1]


def test_a_restart_prorates_caps_and_begins_them_anew():
    made = versions("restart", cap=cap(10_000))
    assert earned(world(made, SPRING_AND_AUTUMN, quotas=YEARLY)) == [1_050_000, 500_000]


def test_the_version_of_the_last_credit_decides():
    made = versions("carry")
    made[1] = (replace(made[1][0], on_new_version="rerun"), *made[1][1:])
    assert earned(world(made, SPRING_AND_AUTUMN, quotas=YEARLY)) == [1_080_000, 900_000]


# ------------------------------------------------------------------ proration


def prorated(method: Any, first: Any = "counts", last: Any = "counts", leave: Any = "counts", **more: Any) -> Any:
    rules = Proration(method, first, last, leave, more.pop("of", ("quota",)), more.pop("round", "minor"))
    return plan(commission(**more), proration=rules)


@pytest.mark.parametrize(
    ("method", "first", "quota"),
    [
        ("calendar_days", "counts", 16_333_333),  # 49 of 90 days
        ("calendar_days", "does_not_count", 16_000_000),  # 48 of 90
        ("whole_months", "counts", 10_000_000),  # March of three
        ("working_days", "counts", 16_406_250),  # 35 of 64
    ],
)
def test_a_quota_of_somebody_hired_in_mid_quarter(method, first, quota):
    batch = world(
        prorated(method, first),
        [Deal(1, "2026-03-01")],
        quotas=[(1, "sales", Q1, 300_000)],
        employment=employment((1, "2026-02-11", "2027-01-01")),
    )
    assert calculate(batch).groups.quota.tolist() == [quota]


def test_leave_and_holidays_are_taken_out_and_quotas_rounded_to_whole_units():
    batch = world(
        prorated("working_days", leave="excluded", round="whole"),
        [Deal(1, "2026-03-30")],
        quotas=[(1, "sales", Q1, 100_000)],
        employment=employment((1, "2025-01-01", "2027-01-01"), leave=[(1, "2026-02-01", "2026-03-01")]),
        holidays=ints([day("2026-01-01")]),
    )
    # 63 working days, 20 of them in February: 100,000 x 43 / 63 = 68,253.97.
    assert calculate(batch).groups.quota.tolist() == [6_825_400]


def test_somebody_who_begins_with_the_period_is_there_all_of_it():
    batch = world(
        prorated("calendar_days", "does_not_count", "does_not_count"),
        [Deal(1, "2026-03-01")],
        employment=employment((1, "2026-01-01", "2026-04-01")),
    )
    assert calculate(batch).groups.quota.tolist() == [10_000_000]


def test_a_prorated_cap():
    batch = world(
        prorated("whole_months", of=("caps",), cap=cap(9_000)),
        [Deal(90_000, "2026-03-01")],
        employment=employment((1, "2026-03-01", "2027-01-01")),
    )
    assert calculate(batch).lines.earned.tolist() == [300_000]


@pytest.mark.parametrize(
    ("hired", "quota"), [("2025-12-15", 2_500_000), ("2025-10-20", 7_500_000), ("2025-09-01", 10_000_000)]
)
def test_a_ramp_goes_month_by_month_and_then_is_over(hired, quota):
    ramp = Ramp("hired", (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4)), ())
    batch = world(plan(commission(ramp=ramp)), [Deal(1)], employment=employment((1, hired, "2027-01-01")))
    assert calculate(batch).groups.quota.tolist() == [quota]


# ------------------------------------------------------------------ reading order


def reading(key: str, other: str) -> Component:
    read = Read("plan", other, "attainment")
    return commission(key=key, gates=(Gate("g", read, Fraction(1), "final", "provisional", None, "withhold"),))


def test_what_is_read_comes_first_and_a_circle_is_refused():
    made = plan(reading("a", "b"), commission(key="b"), commission(key="c"))
    assert [step.family[1] for step in reading_order((made,))] == ["b", "a", "c"]
    result = calculate(world(made, [Deal(60_000)]))
    assert result.lines.component.tolist() == [0, 1, 2] and result.lines.earned.tolist() == [0, 600_000, 600_000]
    with pytest.raises(ReadingCircle, match="plan/a reads plan/b reads plan/a"):
        calculate(world(plan(reading("a", "b"), reading("b", "a")), [Deal(1)]))


# ------------------------------------------------------------------ overrides


OVERRIDDEN = """
format: comp/plan/1
key: plan
name: Plan
currency: USD
on_new_version: carry
rounding: {at: line, mode: half-even, step: minor}
credit_rules:
  - key: won
    fact: deal
    class: bookings
    when: {field: stage, op: is, value: won}
    credit_date: close_date
    amount: amount
    credit: [{role: ae, share: 100%}]
    roll_up: []
components:
  - key: commission
    name: Commission
    clause: You earn a share of each deal you close.
    kind: commission
    credits: {classes: [bookings], roles: [ae]}
    measure: {every: quarter}
    quota: sales
    missing_quota: wait
    zero_quota: wait
    below_zero: lowest_tier
    tiers: {mode: marginal, boundary: above, rates: [{from: 0%, rate: 10%}]}
    accelerator: null
    cap: null
    release: [{share: 100%, on: credit_date}]
overrides:
  - {for: {person: ada}, set: {components.commission.cap: {amount: 1800.00, per: measure_period, excess: lost}}}
  - {for: {region: EMEA}, set: {components.commission.tiers.rates.0.rate: 12%}}
"""


def test_overrides_change_components_for_some_people_by_the_day():
    """EMEA has 12%; Ada's own cap stands over her region's rate, and begins when she moves there."""
    document = compile_plan(read_yaml(OVERRIDDEN))
    deals = [
        Deal(10_000, "2026-01-10"),
        Deal(10_000, "2026-02-10"),
        Deal(10_000, "2026-02-10", team=(("ae", 2),)),
    ]
    people = attributes(
        (1, "region", "APAC", "2026-01-01", "2026-02-01"),
        (1, "region", "EMEA", "2026-02-01", "2027-01-01"),
        (1, "person", "ada", "2026-01-01", "2027-01-01"),
        (2, "region", "EMEA", "2026-01-01", "2027-01-01"),
    )
    quotas = [(1, "sales", Q1, 100_000), (2, "sales", Q1, 100_000)]
    result = calculate(world(document, deals, quotas=quotas, attributes=people))
    assert result.lines.rounded.tolist() == [100_000, 120_000, 120_000]
    assert result.lines.earned.tolist() == [100_000, 80_000, 120_000]
    assert result.lines.component.tolist() == [0, 0, 0]


def test_a_fixed_quota_of_which_proration_leaves_nothing_makes_lines_wait():
    made = prorated("calendar_days", quota=None, quota_fixed=Fraction(100), missing_quota=None, zero_quota=None)
    gone = employment((1, "2025-01-01", "2025-12-31"))
    result = calculate(world(made, [Deal(100)], employment=gone))
    assert result.groups.quota.tolist() == [0] and result.lines.waiting.tolist() == [1]
