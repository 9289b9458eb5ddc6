"""Who is credited with what: match, split, eligibility, roll-up and order (docs/algorithms/crediting.md)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from payouts.kernel import calculate
from payouts.kernel.batch import LARGEST, Result
from payouts.kernel.errors import AmountOutOfRange, ColumnAbsent
from plans.rules.compiled import Group, Leaf, RollUp
from tests.unit.kernel.world import WON, Deal, commission, plan, rule, world

UP = RollUp(("ae",), "manager", 1, Fraction(1))


def amounts(result: Result) -> dict[tuple[int, str], list[int]]:
    """Amounts by participant and role, in order."""
    found: dict[tuple[int, str], list[int]] = {}
    credits = result.credits
    for participant, role, amount in zip(credits.participant, credits.role.codes, credits.amount, strict=True):
        found.setdefault((int(participant), credits.role.vocabulary[role]), []).append(int(amount))
    return found


def credited(rules, deal, **changes):
    return amounts(calculate(world(plan(rules=[rules]), [deal], **changes)))


@pytest.mark.parametrize(
    ("minor", "weights", "parts"),
    [
        (10_000, (1, 1, 1), [3_334, 3_333, 3_333]),
        (-10_000, (1, 1, 1), [-3_334, -3_333, -3_333]),
        (10_001, (1, 1, 1), [3_334, 3_334, 3_333]),
        (10_000, (1, 2, 4), [1_429, 2_857, 5_714]),
        (1, (1, 1, 1), [1, 0, 0]),
        (0, (3, 1, 1), [0, 0, 0]),
    ],
)
def test_a_pot_is_divided_by_largest_remainder(minor, weights, parts):
    team = [("ae", person, weight) for person, weight in enumerate(weights, 1)]
    found = credited(rule(), Deal(minor=minor, team=team))
    assert [found[person, "ae"] for person in (1, 2, 3)] == [[part] for part in parts]


def test_shares_beyond_100_percent_are_each_their_own_pot():
    rules = rule(("ae", 100), ("se", 50), ("csm", 25))
    found = credited(rules, Deal(100, team=[("ae", 1), ("se", 2), ("csm", 3)]))
    assert found == {(1, "ae"): [10_000], (2, "se"): [5_000], (3, "csm"): [2_500]}


@pytest.mark.parametrize(("mode", "pot"), [("half-even", 2), ("half-up", 3)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_pot_is_rounded_by_the_plans_mode(mode, pot, sign):
    rules = rule(("ae", 50))
    result = calculate(world(plan(rules=[rules], round_mode=mode), [Deal(minor=5 * sign)]))
    assert result.credits.amount.tolist() == [pot * sign]


def test_a_part_whose_person_is_not_in_the_plan_is_not_credited():
    found = credited(rule(), Deal(100, team=[("ae", 1), ("ae", 9)]), people=[1])
    assert found == {(1, "ae"): [5_000]}


@pytest.mark.parametrize(
    "deal",
    [Deal(100, close=None), Deal(None), Deal(100, stage="lost"), Deal(100, stage=None), Deal(100, close="2025-12-31")],
    ids=["no credit date", "no amount", "lost", "no stage", "before the assignment"],
)
def test_a_deal_that_gives_no_credit(deal):
    assert credited(rule(), deal) == {}


@pytest.mark.parametrize(
    ("leaf", "value", "true"),
    [
        (Leaf("f", "text", "in", ("a", "b")), "b", True),
        (Leaf("f", "text", "not_in", ("a", "b")), None, False),
        (Leaf("f", "text", "is_not", "a"), None, False),
        (Leaf("f", "text", "is_not", "a"), "A", True),
        (Leaf("f", "text", "contains", "an"), "banana", True),
        (Leaf("f", "text", "starts_with", "an"), "banana", False),
        (Leaf("f", "text", "is_missing", None), None, True),
        (Leaf("f", "text", "is_present", None), "", True),
        (Leaf("f", "number", "between", (Fraction(1), Fraction(2))), Fraction(2), True),
        (Leaf("f", "number", "more_than", Fraction(2)), Fraction(2), False),
        (Leaf("f", "number", "is_not", Fraction(2)), None, False),
        (Leaf("f", "number", "is_missing", None), None, True),
        (Leaf("f", "date", "before", 20_000), "2026-01-01", False),
        (Leaf("f", "date", "on_or_after", 20_454), "2026-01-01", True),
        (Leaf("f", "boolean", "is", False), False, True),
        (Leaf("f", "boolean", "is", False), None, False),
        (Leaf("amount", "money", "at_least", 10_000), None, True),
        (Leaf("amount", "money", "less_than", 10_000), None, False),
    ],
)
def test_conditions(leaf, value, true):
    rules = rule(when=leaf)
    found = credited(rules, Deal(100, extra={"f": value}), types={"f": leaf.type})
    assert bool(found) is true


def test_conditions_nest():
    lost = Leaf("stage", "text", "is", "lost")
    for condition, true in [
        (Group("all", ()), True),
        (Group("any", ()), False),
        (Group("none", ()), True),
        (Group("any", (lost, WON)), True),
        (Group("none", (lost, WON)), False),
        (Group("all", (WON, Group("none", (lost,)))), True),
    ]:
        assert bool(credited(rule(when=condition), Deal(100))) is true


def test_a_field_without_a_column_is_refused():
    with pytest.raises(ColumnAbsent, match=r"number field 'custom\.x'"):
        credited(rule(when=Leaf("custom.x", "number", "is_missing", None)), Deal(100))


REPORTING = [(1, 3, "2026-01-01", "2027-01-01"), (2, 3, "2026-01-01", "2027-01-01"), (3, 4, "2026-01-01", "2027-01-01")]


def test_two_parts_under_one_manager_roll_up_to_the_whole():
    found = credited(rule(roll_up=[UP]), Deal(100, team=[("ae", 1, 6), ("ae", 2, 4)]), reporting=REPORTING)
    assert found == {(1, "ae"): [6_000], (2, "ae"): [4_000], (3, "manager"): [10_000]}


@pytest.mark.parametrize("amount", [100, -100])
def test_overlay_parts_roll_up_to_the_limit(amount):
    up = RollUp(("ae", "overlay"), "manager", 1, Fraction(1))
    rules = rule(("ae", 100), ("overlay", 50), roll_up=[up])
    result = calculate(
        world(plan(rules=[rules]), [Deal(amount, team=[("ae", 1), ("overlay", 2)])], reporting=REPORTING)
    )
    assert amounts(result)[3, "manager"] == [amount * 100]
    rolled = result.credits.kind == 1
    assert result.credits.pot[rolled].tolist() == [amount * 150]
    assert result.credits.split[rolled].tolist() == [10_000]


def test_a_part_counts_once_for_a_manager_whatever_the_paths():
    # 1 and 3 stand on the deal, 1 reports to 3: at two levels both parts reach 4, each once, and 3 gets only 1's.
    found = credited(
        rule(roll_up=[RollUp(("ae",), "manager", 2, Fraction(1))]),
        Deal(100, team=[("ae", 1), ("ae", 3)]),
        reporting=REPORTING,
    )
    assert (found[3, "manager"], found[4, "manager"]) == ([5_000], [10_000])


def test_nobody_rolls_up_to_himself_even_in_a_circle():
    circle = [(1, 2, "2026-01-01", "2027-01-01"), (2, 1, "2026-01-01", "2027-01-01")]
    found = credited(rule(roll_up=[RollUp(("ae",), "manager", 9, Fraction(1))]), Deal(100), reporting=circle)
    assert found == {(1, "ae"): [10_000], (2, "manager"): [10_000]}


def test_the_manager_is_the_one_of_the_credit_date():
    lines = [(1, 3, "2026-01-01", "2026-01-15"), (1, 4, "2026-01-15", "2027-01-01")]
    assert (4, "manager") in credited(rule(roll_up=[UP]), Deal(100), reporting=lines)
    assert (3, "manager") in credited(rule(roll_up=[UP]), Deal(100, close="2026-01-14"), reporting=lines)


def test_a_manager_rolls_up_parts_of_people_outside_the_plan():
    found = credited(rule(roll_up=[UP]), Deal(100), reporting=REPORTING, people=[3])
    assert found == {(3, "manager"): [10_000]}


def test_rules_are_those_of_the_version_in_force_on_the_credit_date():
    versions = [
        (plan(rules=[rule(("ae", 100))]), "2026-01-01", "2026-02-01"),
        (plan(rules=[rule(("ae", 50))]), "2026-02-01", "2027-01-01"),
    ]
    result = calculate(world(versions, [Deal(100, "2026-01-31"), Deal(100, "2026-02-01")]))
    assert result.credits.amount.tolist() == [10_000, 5_000]
    assert result.credits.plan.tolist() == [0, 1]
    assert result.groups.total.tolist() == [15_000]


def test_credits_stand_in_their_total_order():
    # By credit date, event time, source and external id, split number, then the place of the rule.
    first, second = rule(key="first"), rule(key="second")
    deals = [
        Deal(minor=5, event=1, name="a", team=[("se", 2), ("ae", 1), ("ae", 1)]),
        Deal(minor=30, event=0, name="z"),
        Deal(minor=40, event=0, name="b"),
        Deal(minor=50, event=9, name="c", close="2026-01-14"),
    ]
    component = commission(every="quarter")
    result = calculate(world(plan(component, rules=[first, second]), deals))
    rows = result.lines.credit
    assert result.credits.amount[rows].tolist() == [50, 50, 40, 40, 30, 30, 3, 3, 2, 2]
    assert result.credits.rule[rows].tolist() == [0, 1] * 5
    assert result.lines.position.tolist() == list(range(1, 11))


@pytest.mark.parametrize("minor", [LARGEST + 1, -LARGEST - 1])
def test_an_amount_out_of_range_is_refused(minor):
    with pytest.raises(AmountOutOfRange):
        credited(rule(), Deal(minor=minor))
    assert credited(rule(), Deal(minor=minor, stage="lost")) == {}


def test_a_running_total_out_of_range_is_refused():
    with pytest.raises(AmountOutOfRange, match="A running total"):
        calculate(world(plan(), [Deal(minor=LARGEST), Deal(minor=1)]))


def test_large_weights_divide_exactly():
    team = [("ae", 1, 10**15), ("ae", 2, 10**15 - 1)]
    found = credited(rule(), Deal(minor=10**15, team=team))
    assert found[1, "ae"] == [500_000_000_000_000]
    assert found[2, "ae"] == [500_000_000_000_000]


def test_nothing_in_nothing_out():
    result = calculate(world(plan(), []))
    assert result.credits.amount.size == result.lines.credit.size == result.groups.total.size == 0
    assert result.lines.waiting.dtype == np.int8
