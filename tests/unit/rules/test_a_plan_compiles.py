from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from comp.core.errors import ProblemsError
from plans.rules.checks import check
from plans.rules.compile import compile_plan
from plans.rules.compiled import (
    Accelerator,
    Band,
    Bonus,
    Cap,
    Condition,
    CreditRule,
    Group,
    Leaf,
    RoleShare,
    RollUp,
    Tier,
    Tiers,
)
from plans.rules.compiled_pay import Tranche
from plans.rules.conditions import check_condition, compile_condition
from plans.rules.edit import set_cap
from plans.rules.fields import OPS, FieldType
from plans.rules.load import read_yaml
from plans.rules.look import Look
from tests.unit.rules.documents import GOOD

TYPES: dict[str, FieldType] = {
    "stage": "text",
    "amount": "money",
    "close_date": "date",
    "custom.months": "number",
    "custom.new": "boolean",
}


def test_the_example_of_the_language_is_a_plan() -> None:
    page = (Path(__file__).parents[3] / "docs" / "plan-language.md").read_text()
    document = read_yaml(page.split("```yaml\n")[1].split("```")[0])
    assert [problem.path for problem in check(document)] == [
        "credit_rules[0].credit[1].role",
        "credit_rules[0].credit[2].role",
        "credit_rules[0].roll_up[0].to",
    ]
    assert compile_plan(document).key == "new-business"


def test_an_account_executive() -> None:
    plan = compile_plan(GOOD["account-executive"])
    assert (plan.key, plan.currency, plan.minor_digits) == ("account-executive", "USD", 2)
    assert (plan.round_at, plan.round_mode, plan.round_step) == ("line", "half-even", 1)
    won = Group("all", (Leaf("stage", "text", "is", "won"),))
    share = RoleShare("ae", Fraction(1))
    assert plan.credit_rules == (CreditRule("won-deals", "bookings", won, "close_date", "amount", (share,), ()),)
    commission, big_win = plan.components
    assert commission.tiers == Tiers(
        "marginal",
        None,
        "above",
        (
            Tier(Fraction(0), Fraction(2, 25)),
            Tier(Fraction(1), Fraction(3, 25)),
            Tier(Fraction(13, 10), Fraction(3, 20)),
        ),
    )
    assert commission.accelerator == Accelerator(
        "above", (Band(0, Fraction(1)), Band(500_000, Fraction(5, 4)), Band(2_500_000, Fraction(3, 2)))
    )
    assert commission.cap == Cap(4_000_000, "measure_period")
    assert commission.release == (
        Tranche(Fraction(2, 5), "signature", None),
        Tranche(Fraction(1, 5), "go-live", None),
        Tranche(Fraction(1, 10), "usage", Fraction(1, 4)),
        Tranche(Fraction(1, 10), "usage", Fraction(1, 2)),
        Tranche(Fraction(1, 5), "usage", Fraction(3, 4)),
    )
    assert (commission.quota, commission.missing_quota, commission.zero_quota) == (
        "new-business",
        "wait",
        "highest_tier",
    )
    assert big_win.bonus == Bonus(25_000, "credit", 600_000, None, None)
    assert (big_win.quota, big_win.missing_quota, big_win.tiers, big_win.below_zero) == (None, None, None, None)


def test_a_manager_rolls_up_in_his_own_plan() -> None:
    plan = compile_plan(GOOD["manager"])
    assert plan.credit_rules[0].roll_up == (RollUp(("ae",), "manager", 1, Fraction(1)),)
    tiers = plan.components[0].tiers
    assert tiers is not None
    assert (tiers.mode, tiers.attribution) == ("retroactive", "running")
    assert [str(problem) for problem in check(GOOD["manager"]) if problem.severity == "warning"] == [
        "components[0].tiers.rates[1]: At 80% of quota pay jumps by 0.4% of quota: "
        "the rate applies to the whole amount.",
        "components[0].tiers.rates[2]: At 100% of quota pay jumps by 0.5% of quota: "
        "the rate applies to the whole amount.",
    ]


def test_a_bonus_for_the_period() -> None:
    goal = compile_plan(GOOD["sales-engineer-csm"]).components[2]
    assert goal.bonus == Bonus(150_000, "measure_period", None, Fraction(1), "above")
    assert (goal.missing_quota, goal.zero_quota) == ("wait", "no_pay")


@pytest.mark.parametrize(
    ("currency", "step", "round_step"), [("USD", "whole", 100), ("JPY", "whole", 1), ("KWD", "whole", 1000)]
)
def test_whole_units(currency: str, step: str, round_step: int) -> None:
    document = GOOD["manager"] | {"currency": currency, "rounding": {"at": "curve", "mode": "half-up", "step": step}}
    assert compile_plan(document).round_step == round_step


@pytest.mark.parametrize(
    ("text", "compiled"),
    [
        ("{field: stage, op: in, value: [won, lost]}", Leaf("stage", "text", "in", ("won", "lost"))),
        ("{field: stage, op: is, value: 2017}", Leaf("stage", "text", "is", "2017")),
        ("{field: amount, op: at_least, value: 5000}", Leaf("amount", "money", "at_least", 500_000)),
        ("{field: amount, op: between, value: [-1.5, 2]}", Leaf("amount", "money", "between", (-150, 200))),
        ("{field: close_date, op: before, value: 1970-01-11}", Leaf("close_date", "date", "before", 10)),
        ("{field: custom.months, op: is, value: 0.25}", Leaf("custom.months", "number", "is", Fraction(1, 4))),
        ("{field: custom.new, op: is, value: false}", Leaf("custom.new", "boolean", "is", False)),
        ("{field: custom.new, op: is_missing}", Leaf("custom.new", "boolean", "is_missing", None)),
        ("all: []", Group("all", ())),
        (
            "none: [{any: [{field: stage, op: is_present}]}]",
            Group("none", (Group("any", (Leaf("stage", "text", "is_present", None),)),)),
        ),
    ],
)
def test_conditions_are_typed_by_their_field(text: str, compiled: Condition) -> None:
    condition = read_yaml(text)
    look = Look("USD")
    check_condition(look, condition, "when", TYPES)
    assert look.problems == []
    assert compile_condition(condition, TYPES, "USD") == compiled


@pytest.mark.parametrize(("field", "kind"), TYPES.items())
def test_each_type_takes_its_comparisons_and_no_others(field: str, kind: FieldType) -> None:
    for op in {op for ops in OPS.values() for op in ops}:
        look = Look("USD")
        check_condition(look, {"field": field, "op": op, "value": object()}, "when", TYPES)
        told = [problem for problem in look.problems if problem.path == "when.op"]
        assert bool(told) == (op not in OPS[kind]), op


def test_depth_is_limited() -> None:
    condition: dict[str, Any] = {"all": []}
    for _ in range(8):
        condition = {"any": [condition]}
    look = Look("USD")
    check_condition(look, condition, "when", TYPES)
    assert [problem.message for problem in look.problems] == ["Conditions nest at most 8 levels deep."]


def test_all_errors_are_raised_at_once() -> None:
    document = set_cap(GOOD["manager"], "team-commission", "5%") | {"format": "x", "currency": "USD"}
    with pytest.raises(ProblemsError) as caught:
        compile_plan(document)
    assert [problem.path for problem in caught.value.problems] == ["format", "components[0].cap.amount"]
