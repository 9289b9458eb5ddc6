"""Reversals: what a cancelled, refunded or unpaid deal takes back of the lines that it earned (number 30)."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from payouts.kernel import calculate
from payouts.kernel.batch import DATED, HELD, LOST, OF_CREDIT, OF_REVERSAL
from plans.rules.compiled import (
    Budget,
    Leaf,
    Measure,
    Reads,
    RollUp,
)
from plans.rules.compiled_pay import Clawback, PlanCap
from tests.unit.kernel.world import (
    MISSING_DAY,
    MISSING_MONEY,
    Deal,
    bonus,
    cap,
    commission,
    day,
    ints,
    plan,
    release,
    rule,
    tiers,
    world,
)

FLAT = tiers((0, 10))
DAYS = {"day": "date", "term_months": "number"}


def clawback(formula: Any = "original", **more: Any) -> Clawback:
    stated: dict[str, Any] = {"on": ("cancellation",), "formula": formula}
    if formula != "recompute":
        stated |= {"lowers_measure": False, "takes": "all"}
    return Clawback(**stated | more)


def cancelled(deal: str, on: str, amount: Any = None, kind: str = "cancellation", **more: Any) -> Deal:
    return Deal(amount, None, (), None, kind=kind, of=deal, extra={"day": day(on)} | more.pop("extra", {}), **more)


def run(facts, stated, curve=None, **more):
    component = commission(*([curve] if curve else []), clawback=stated, **more.pop("component", {}))
    facts = [replace(fact, extra=dict(fact.extra)) for fact in facts]
    made = plan(component, **more.pop("plan", {}))
    batch = world(made, facts, types={}, **more)
    return calculate(_dated(batch, facts))


def _dated(batch, facts):
    """The batch with the days and terms of its facts."""
    dates = dict(batch.facts.dates) | {"day": ints(fact.extra.get("day", MISSING_DAY) for fact in facts)}
    months = ints(
        MISSING_MONEY if "term_months" not in fact.extra else fact.extra["term_months"] * 10**6 for fact in facts
    )
    return replace(batch, facts=replace(batch.facts, dates=dates, numbers={"term_months": months}))


SIXTY, FIFTY, THIRTY = (
    Deal(60_000, "2026-01-10", name="A"),
    Deal(50_000, "2026-01-20", name="B"),
    Deal(30_000, "2026-02-10", name="C"),
)
THREE = [SIXTY, FIFTY, THIRTY]


def earned(result) -> list[int]:
    """Lines of credits, then those of reversals, in whole units."""
    lines = result.lines
    kind = lines.kind.tolist() if lines.kind is not None else [OF_CREDIT] * lines.earned.size
    rows = sorted(range(len(kind)), key=lambda row: kind[row] == OF_REVERSAL)
    return [Fraction(int(lines.earned[row]), 100) for row in rows]


def test_the_original_earning_is_taken_back():
    # In order the three earn 6,000, 5,500 and 5,500 (domain.md, 3 and 5).
    result = run([*THREE, cancelled("B", "2026-02-01")], clawback())
    assert earned(result) == [6_000, 5_500, 5_500, -5_500]


def test_as_a_correction_the_whole_period_is_worked_out_again():
    # 140,000 earn 17,000, 90,000 earn 9,000: 8,000 less, and no line for the reversal.
    result = run([*THREE, cancelled("B", "2026-02-01")], clawback("recompute"))
    assert earned(result) == [6_000, 0, 3_000]
    assert result.lines.measured.tolist() == [6_000_000, 0, 3_000_000]
    assert result.lines.kind is None


def test_a_correction_of_half_a_deal():
    result = run([*THREE, cancelled("B", "2026-02-01", 25_000)], clawback("recompute"))
    assert earned(result) == [6_000, 2_500, 3_750]


@pytest.mark.parametrize(
    ("formula", "on", "taken"),
    [
        # 6,000 earned on 10 January over 12 months; after 5 months 7 are left.
        (clawback("pro_rata", term_months=12, failing_month="does_not_count"), "2026-06-10", 3_500),
        (clawback("pro_rata", term_months=12, failing_month="does_not_count"), "2026-06-09", 4_000),
        (clawback("pro_rata", term_months=12, failing_month="counts"), "2026-06-10", 3_000),
        (clawback("pro_rata", term_months=4, failing_month="counts"), "2026-06-10", 0),
        (clawback("pro_rata", term_months="term_months", failing_month="does_not_count"), "2026-06-10", 4_750),
        (clawback("window", window_days=30), "2026-02-08", 6_000),
        (clawback("window", window_days=30), "2026-02-09", 0),
        (clawback("window", window_months=6, failing_month="does_not_count"), "2026-07-09", 6_000),
        (clawback("window", window_months=6, failing_month="does_not_count"), "2026-07-10", 0),
        (clawback("window", window_months=6, failing_month="counts"), "2026-06-10", 0),
        (clawback("window", window_months=6, failing_month="counts"), "2026-06-09", 6_000),
    ],
)
def test_by_elapsed_time(formula, on, taken):
    deal = replace(SIXTY, extra={"term_months": 24})
    assert earned(run([deal, cancelled("A", on)], formula)) == [6_000, -taken]


STEPS = ((0, Fraction(1)), (6, Fraction(1, 2)), (12, Fraction(0)))


@pytest.mark.parametrize(
    ("failing", "on", "taken"),
    [
        ("does_not_count", "2026-07-09", 6_000),
        ("does_not_count", "2026-07-10", 3_000),
        ("counts", "2026-06-09", 6_000),
        ("counts", "2026-06-10", 3_000),
        ("counts", "2026-12-10", 0),
    ],
)
def test_by_a_table_of_months(failing, on, taken):
    assert earned(run([SIXTY, cancelled("A", on)], clawback("table", table=STEPS, failing_month=failing))) == [
        6_000,
        -taken,
    ]


def test_a_term_that_nobody_states_has_not_been_served():
    formula = clawback("pro_rata", term_months="term_months", failing_month="does_not_count")
    assert earned(run([SIXTY, cancelled("A", "2026-06-10")], formula)) == [6_000, -6_000]


def test_what_was_not_collected():
    # Invoiced 60,000, paid 45,000 by the day on which the rest was given up: a quarter of 6,000.
    facts = [
        SIXTY,
        cancelled("A", "2026-01-31", 60_000, "invoice"),
        cancelled("A", "2026-02-10", 40_000, "receipt"),
        cancelled("A", "2026-02-20", 5_000, "receipt"),
        cancelled("A", "2026-05-01", None, "nonpayment"),
        cancelled("A", "2026-05-02", 15_000, "receipt"),
    ]
    formula = clawback("uncollected", on=("nonpayment",), base="invoiced", tax="without")
    assert earned(run(facts, formula)) == [6_000, -1_500]


def test_shares_are_cumulated_up_to_the_whole():
    facts = [SIXTY] + [cancelled("A", f"2026-0{month}-01", 25_000) for month in (2, 3, 4)]
    result = run(facts, clawback())
    # 25/60, 50/60 and, of 75/60, all: 2,500, 2,500 and 1,000.
    assert earned(result) == [6_000, -2_500, -2_500, -1_000]
    assert result.lines.origin.tolist() == [-1, 0, 0, 0]
    assert result.lines.fact.tolist() == [0, 1, 2, 3]


def test_never_less_than_before_is_taken_and_nothing_is_given_back():
    # Half at once is 3,000; the other half after 9 of 12 months is 1,500 of all, less than what is gone already.
    facts = [SIXTY, cancelled("A", "2026-01-11", 30_000), cancelled("A", "2026-10-11", 30_000)]
    formula = clawback("pro_rata", term_months=12, failing_month="does_not_count")
    assert earned(run(facts, formula)) == [6_000, -3_000, 0]


def test_each_is_rounded_on_what_is_taken_so_far():
    facts = [Deal(minor=1_000, close="2026-01-10", name="A")]
    facts += [cancelled("A", f"2026-02-0{turn}", minor=333) for turn in (1, 2, 3)]
    # 1.00 at thirds of 99.9%: 0.333, 0.666 and 0.999 of it.
    lines = run(facts, clawback()).lines
    assert lines.earned.tolist() == [100, -33, -34, -33]


def test_a_negative_line_is_taken_back_the_other_way():
    lines = run([Deal(-600, "2026-01-10", name="A"), cancelled("A", "2026-02-01", 300)], clawback(), FLAT).lines
    assert lines.earned.tolist() == [-6_000, 3_000]


def test_a_reversal_before_the_line_takes_nothing_and_on_its_day_all():
    assert earned(run([SIXTY, cancelled("A", "2026-01-09")], clawback())) == [6_000]
    assert earned(run([SIXTY, cancelled("A", "2026-01-10")], clawback())) == [6_000, -6_000]


def test_only_named_kinds_reverse():
    facts = [SIXTY, cancelled("A", "2026-02-01", None, "refund")]
    assert earned(run(facts, clawback())) == [6_000]
    assert earned(run(facts, clawback(on=("cancellation", "refund")))) == [6_000, -6_000]


def test_the_measure_is_lowered_at_the_place_of_the_reversal():
    facts = [SIXTY, FIFTY, cancelled("B", "2026-02-01"), THIRTY]
    # 110,000 less 50,000, so that the 30,000 go from 60,000 to 90,000, at 10%.
    lines = run(facts, clawback(lowers_measure=True)).lines
    assert lines.kind.tolist() == [OF_CREDIT, OF_CREDIT, OF_REVERSAL, OF_CREDIT]
    assert lines.earned.tolist() == [600_000, 550_000, -550_000, 300_000]
    assert lines.before.tolist() == [0, 6_000_000, 11_000_000, 6_000_000]
    assert lines.after.tolist() == [6_000_000, 11_000_000, 6_000_000, 9_000_000]
    assert lines.measured.tolist() == [6_000_000, 5_000_000, -5_000_000, 3_000_000]


@pytest.mark.parametrize(("time", "place"), [(1, 1), (3, 2)])
def test_on_one_day_event_times_order_credits_and_reversals(time, place):
    facts = [
        replace(SIXTY, close="2026-01-10"),
        replace(FIFTY, close="2026-02-10", event=2),
        cancelled("A", "2026-02-10", event=time),
    ]
    assert run(facts, clawback(lowers_measure=True)).lines.kind.tolist().index(OF_REVERSAL) == place


def test_a_later_period_may_hold_a_reversal_only():
    result = run([SIXTY, cancelled("A", "2026-05-01")], clawback(lowers_measure=True))
    assert result.groups.period.tolist() == [0, 1]
    assert result.groups.total.tolist() == [6_000_000, -6_000_000]
    assert result.groups.lines.tolist() == [1, 1]
    assert earned(result) == [6_000, -6_000]
    assert result.tranches.release_day.tolist() == [day("2026-01-10"), day("2026-05-01")]
    assert result.tranches.pay_period.tolist() == [0, 4]


def test_what_rolled_up_follows_where_its_own_component_says_so():
    own = commission(FLAT, clawback=clawback())
    team = commission(FLAT, key="team", roles=("manager",), quota=None, missing_quota="lowest_tier")
    rules = [rule(roll_up=[RollUp(("ae",), "manager", 1, Fraction(1))])]
    facts = [SIXTY, cancelled("A", "2026-02-01")]
    for stated, expected in ((None, [6_000, 6_000, -6_000]), (clawback(), [6_000, 6_000, -6_000, -6_000])):
        made = plan(own, replace(team, clawback=stated), rules=rules)
        batch = _dated(world(made, facts, reporting=[(1, 2, "2026-01-01", "2027-01-01")]), facts)
        assert earned(calculate(batch)) == expected


def test_the_version_that_earned_says_the_formula():
    versions = [
        (plan(commission(FLAT, clawback=clawback())), "2026-01-01", "2026-01-15"),
        (plan(commission(FLAT)), "2026-01-15", "2027-01-01"),
    ]
    facts = [SIXTY, FIFTY, cancelled("A", "2026-02-01"), cancelled("B", "2026-02-02")]
    result = calculate(_dated(world(versions, facts), facts))
    assert result.lines.earned.tolist() == [600_000, 500_000, -600_000]
    assert result.lines.plan.tolist() == [0, 1, 0]


def test_a_reversal_takes_what_caps_left_and_takes_no_part_in_them():
    more = {"component": {"cap": cap(8_000)}}
    assert earned(run([*THREE, cancelled("B", "2026-02-01")], clawback(), **more)) == [6_000, 2_000, 0, -2_000]


def test_a_bonus_is_taken_back():
    made = plan(replace(bonus(500), clawback=clawback()))
    facts = [SIXTY, cancelled("A", "2026-02-01", 15_000)]
    assert earned(calculate(_dated(world(made, facts), facts))) == [500, -125]
    made = plan(replace(bonus(500), clawback=clawback("recompute")))
    facts = [SIXTY, cancelled("A", "2026-02-01")]
    assert earned(calculate(_dated(world(made, facts), facts))) == [0]


HALVES = release((50, "credit_date"), (25, "signed"), (25, "live"))


def tranches(result) -> list[tuple[int, int, int]]:
    """Of the first line: index, amount in whole units, state."""
    parts = result.tranches
    mine = parts.line == 0
    columns = (parts.index[mine], parts.amount[mine] // 100, parts.state[mine])
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_only_what_is_released_is_taken_back_and_the_rest_shrinks():
    signed = replace(SIXTY, milestones=[("signed", "2026-03-01")])
    facts = [signed, cancelled("A", "2026-02-01", 30_000)]
    result = run(facts, clawback(takes="released"), component={"release": HALVES})
    # Half of 3,000 back; of 1,500 and 1,500 to come half is lost.
    assert earned(result) == [6_000, -1_500]
    assert tranches(result) == [(0, 3_000, DATED), (1, 750, DATED), (1, 750, LOST), (2, 750, 1), (2, 750, LOST)]
    assert result.tranches.part.tolist() == [0, 0, 1, 0, 1, 0]


def test_a_second_reversal_counts_what_the_first_made_lost():
    signed = replace(SIXTY, milestones=[("signed", "2026-03-01")])
    facts = [signed, cancelled("A", "2026-02-01", 30_000), cancelled("A", "2026-04-01", 15_000)]
    result = run(facts, clawback(takes="released"), component={"release": HALVES})
    # Three quarters of the 4,500 released, less 750 lost and 1,500 taken; of the last 1,500 three quarters are lost.
    assert earned(result) == [6_000, -1_500, -1_125]
    assert tranches(result) == [(0, 3_000, DATED), (1, 750, DATED), (1, 750, LOST), (2, 375, 1), (2, 1_125, LOST)]
    # What is left in all is a quarter of 6,000.
    parts = result.tranches
    assert int(parts.amount[parts.state != LOST].sum()) == 150_000


def test_a_tranche_that_is_lost_whole_is_one_row():
    result = run([SIXTY, cancelled("A", "2026-02-01")], clawback(takes="released"), component={"release": HALVES})
    assert earned(result) == [6_000, -3_000]
    assert tranches(result) == [(0, 3_000, DATED), (1, 1_500, LOST), (2, 1_500, LOST)]


def test_the_order_of_rows_changes_nothing():
    facts = [SIXTY, FIFTY, cancelled("B", "2026-02-01", 10_000), THIRTY, cancelled("A", "2026-02-01")]
    made = plan(commission(release=HALVES, clawback=clawback(takes="released", lowers_measure=True)))
    straight = calculate(_dated(world(made, facts), facts))
    order = [3, 1, 4, 0, 2]
    turned = calculate(_dated(world(made, facts, order=order), [facts[row] for row in order]))
    assert straight.lines.earned.tolist() == turned.lines.earned.tolist()
    assert straight.lines.fact.tolist() == [order[row] for row in turned.lines.fact.tolist()]
    assert straight.tranches.amount.tolist() == turned.tranches.amount.tolist()


@pytest.mark.parametrize("takes", ["all", "released"])
@pytest.mark.parametrize("seed", range(6))
def test_a_deal_cancelled_bit_by_bit_leaves_nothing(takes, seed):
    pick = random.Random(seed)
    thirds = tuple(replace(entry, share=Fraction(1, 3)) for entry in HALVES)
    facts: list[Deal] = []
    for name in "PQRS":
        signed = [("signed", f"2026-0{pick.randint(2, 9)}-15")] if pick.random() < 0.6 else []
        facts.append(
            Deal(minor=pick.choice((-1, 1)) * pick.randint(3, 99_999), close="2026-01-10", name=name, milestones=signed)
        )
        parts = sorted(pick.sample(range(2, 12), 3))
        facts += [cancelled(name, f"2026-{month:02}-01", minor=abs(facts[-1].minor or 0) // 3 + 1) for month in parts]
    result = run(facts, clawback(takes=takes, lowers_measure=True), component={"release": thirds})
    lines, parts_ = result.lines, result.tranches
    kept = np.where(parts_.state == LOST, 0, parts_.amount)
    owner = np.where(lines.origin < 0, np.arange(lines.origin.size), lines.origin)
    net = np.zeros(lines.origin.size, dtype=np.int64)
    np.add.at(net, owner[parts_.line], kept)
    assert not net.any()
    # The parts of a line still sum to it, and the totals come back to nothing.
    whole = np.zeros(lines.origin.size, dtype=np.int64)
    np.add.at(whole, parts_.line, parts_.amount)
    assert whole.tolist() == lines.earned.tolist()
    assert int(lines.measured.sum()) == 0


def test_a_year_to_date_comes_down_where_the_customer_left():
    to_date = Measure("month", window="year_to_date", quota_basis="year", periods=1)
    facts = [
        Deal(80_000, "2026-01-10", name="A"),
        Deal(40_000, "2026-02-10", name="B"),
        cancelled("A", "2026-03-01"),
        Deal(20_000, "2026-03-10", name="C"),
    ]
    curve = tiers((0, 5), (100, 7))
    component = commission(curve, every="month", measure=to_date, clawback=clawback(lowers_measure=True))
    batch = _dated(world(plan(component), facts, quotas=[(1, "sales", (20454, 20819), 100_000)]), facts)
    result = calculate(batch)
    # 4,000; 1,000 and 20,000 at 7%; then 4,000 back, and from 40,000 to 60,000 again at 5%.
    assert (result.lines.earned // 100).tolist() == [4_000, 2_400, -4_000, 1_000]
    assert result.groups.total.tolist() == [6_000_000]


def test_replicates_are_reversed_apart():
    facts = [
        replace(SIXTY, replicate=0),
        replace(SIXTY, replicate=1, name="A2"),
        replace(cancelled("A2", "2026-02-01"), replicate=1),
    ]
    lines = run(facts, clawback()).lines
    assert lines.earned.tolist() == [600_000, 600_000, -600_000]
    assert lines.origin.tolist() == [-1, -1, 1]


def test_held_credit_is_taken_back_on_the_day():
    made = plan(commission(FLAT, clawback=clawback()), rules=[rule(hold=Leaf("stage", "text", "is", "won"))])
    facts = [SIXTY, cancelled("A", "2026-02-01")]
    parts = calculate(_dated(world(made, facts), facts)).tranches
    assert parts.state.tolist() == [HELD, DATED]


@pytest.mark.parametrize(
    ("choice", "expected"), [("restart", [6_000, 6_000, -6_000]), ("rerun", [7_200, 6_000, -7_200])]
)
def test_a_new_version_that_restarts_or_rates_anew(choice, expected):
    versions = [
        (plan(commission(tiers((0, rate)), clawback=clawback()), on_new_version=choice), *span)
        for rate, span in ((10, ("2026-01-01", "2026-01-15")), (12, ("2026-01-15", "2027-01-01")))
    ]
    facts = [SIXTY, FIFTY, cancelled("A", "2026-02-01")]
    assert earned(calculate(_dated(world(versions, facts), facts))) == expected


def test_plan_caps_and_budgets_come_before_reversals():
    facts = [*THREE, cancelled("B", "2026-02-01")]
    # The quarter's 8,000 leave 6,000, 2,000 and nothing.
    by_plan = {"caps": (PlanCap(800_000, "quarter", "lost"),)}
    assert earned(run(facts, clawback(), plan=by_plan)) == [6_000, 2_000, 0, -2_000]
    budget = {"budget": Budget(800_000, "keep")}
    assert earned(run(facts, clawback(), component=budget)) == [6_000, 2_000, 0, -2_000]


def test_what_others_read_is_read_without_reversals():
    reads = Reads("earning", "self", None, (("plan", "commission"),))
    measure = Measure("quarter", by="period")
    over = commission(FLAT, key="over", classes=(), roles=(), reads=reads, measure=measure, missing_quota="lowest_tier")
    made = plan(commission(FLAT, clawback=clawback()), over)
    facts = [SIXTY, cancelled("A", "2026-02-01")]
    assert earned(calculate(_dated(world(made, facts), facts))) == [6_000, 600, -6_000]
