"""The whole language: what a plan with every construct compiles to, what overrides make of it, what the database cannot
deliver of it, and what becomes of it when parts go wrong."""

from __future__ import annotations

import copy
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comp.core.days import day_number
from comp.core.errors import ProblemsError
from plans.rules.checks import check, errors
from plans.rules.compile import compile_plan
from plans.rules.compiled import (
    Cap,
    Columns,
    CompiledPlan,
    Component,
    Counterpart,
    Dimension,
    Gate,
    Leaf,
    Measure,
    OwnPeriods,
    Part,
    Point,
    Pool,
    Ramp,
    Rank,
    Read,
    Reads,
    RoleShare,
    Scorecard,
    ShareBy,
    Table,
    Tier,
)
from plans.rules.compiled_pay import After, Amortise, Clawback, ClawbackLimit, PaymentCap, PlanCap, Tranche
from plans.rules.load import read_yaml, to_yaml
from plans.rules.normal import normalise
from plans.rules.reach import unsupported
from plans.rules.specialise import specialise
from plans.rules.words import in_words
from tests.unit.rules.documents import GOOD, spoiled

WHOLE = read_yaml((Path(__file__).parent / "whole.yaml").read_text())
PLAN = compile_plan(WHOLE)
HALF = Fraction(1, 2)


def part(key: str, plan: CompiledPlan = PLAN) -> Component:
    return next(component for component in plan.components if component.key == key)


def changed(path: str, value: Any) -> CompiledPlan:
    """The whole plan with one override, of a title."""
    document = copy.deepcopy(WHOLE)
    document["overrides"] = [{"for": {"title": "Senior AE"}, "set": {path: value}}]
    return specialise(compile_plan(document), (0,))


def test_yaml_carries_it() -> None:
    assert read_yaml(to_yaml(WHOLE)) == WHOLE == normalise(WHOLE)


def test_credit_rules() -> None:
    deals, calls, *_ = PLAN.credit_rules
    assert deals.eligible == Leaf("person.region", "text", "is", "EMEA")
    assert deals.hold == Leaf("custom.flagged", "boolean", "is", True)
    assert deals.when == Leaf("computed.margin", "money", "at_least", 10_000)
    by = ShareBy("product.series", (("GTX", Fraction(1, 4)), ("MG", Fraction(1, 10))), Fraction(0))
    assert deals.credit == (
        RoleShare("ae", Fraction(1)),
        RoleShare("se", HALF, None, "equal"),
        RoleShare("csm", Fraction(0), by),
    )
    assert (deals.limit, deals.on_transfer, deals.unit) == (Fraction(3, 2), "follows", "money")
    assert (calls.fact, calls.amount, calls.unit) == ("activity", "one", "units")
    assert [field.name for field in PLAN.computed] == ["computed.margin"]


def test_tiers_of_a_matrix() -> None:
    tiers = part("commission").tiers
    assert tiers is not None
    assert (tiers.mode, tiers.axis, tiers.pays, tiers.full_points) == ("mixed", "attainment", "times", Fraction(1, 100))
    assert tiers.columns == Columns(Read("whole", "retention", "result"), "above", (Fraction(0), Fraction(9, 10)))
    assert tiers.rates == (
        Tier(Fraction(0), Fraction(1), "none", (Fraction(1), Fraction(3, 2))),
        Tier(Fraction(1), Fraction(2), "all", (Fraction(2), Fraction(3))),
    )


def test_what_shapes_a_line() -> None:
    row = part("commission")
    assert row.modifiers is not None
    first, second, third = row.modifiers.each
    assert (first.when, first.times) == (Leaf("term_months", "number", "at_least", Fraction(24)), Fraction(6, 5))
    starts = (Fraction(0), Fraction(2_500_000))
    sizes = Dimension("amount", "money", starts, "above")
    assert second.table == Table("times", (sizes,), (Fraction(0), HALF))
    assert third.read == Read("whole", "retention", "result")
    assert third.curve is not None
    assert (third.curve.pays, third.curve.below, third.curve.beyond) == ("times", "first", "last")
    assert third.curve.points == (Point(Fraction(7, 10), Fraction(4, 5)), Point(Fraction(9, 10), Fraction(11, 10)))
    assert [(kicker.rate, kicker.amount) for kicker in row.kickers] == [(Fraction(1, 50), None), (None, 25_000)]
    assert (row.limit_attainment, row.limit_rate, row.minimum) == (Fraction(3, 2), Fraction(1, 5), 5_000)
    assert row.caps == (
        Cap(5_000_000, "year", "review"),
        Cap(None, "measure_period", "lost", of_incentive=Fraction(2)),
        Cap(None, "measure_period", "lost", of_component=Read("whole", "base", "earning"), share=HALF),
        Cap(None, "measure_period", "lost", of_component=Read("whole", "base", "measure"), share=HALF),
        Cap(1_000_000, "measure_period", "carried", counts=True, until="year_end"),
    )
    share = Fraction(9, 10)
    assert row.gates == (
        Gate(
            "retention", Read("whole", "retention", "result"), share, "final", "withhold", None, "withhold", None, None
        ),
        Gate("g2", Read("other", "base", "attainment"), share, "final", "provisional", None, "cap", 500_000, None),
    )
    assert row.read_keys() == (("whole", "retention"), ("other", "base"), ("whole", "base"))


def test_when_it_is_payable() -> None:
    row = part("commission")
    fifth, tenth = Fraction(1, 5), Fraction(1, 10)
    assert row.release[1:] == (
        Tranche(fifth, "usage", Fraction(3, 4), "live"),
        Tranche(fifth, "paid", None, base="invoiced", tax="without"),
        Tranche(tenth, "date", None, day=day_number(date(2026, 12, 15))),
        Tranche(tenth, "period_end", None, after=After(months=2, day=15)),
    )
    assert row.clawback == Clawback(
        ("cancellation", "refund"),
        "pro_rata",
        "term_months",
        "counts",
        lowers_measure=True,
        takes="all",
        floor=Fraction(1, 4),
        exchange="origin",
    )
    assert row.amortise == Amortise(36, "credit_date")
    assert row.ramp == Ramp("hired", (Fraction(1, 4), HALF), ())


def test_tables_and_curves() -> None:
    table = part("base").table
    assert table is not None
    assert [dimension.rows for dimension in table.dimensions] == [2, 3]
    assert table.cells == tuple(Fraction(each, 100) for each in (8, 10, 5, 10, 12, 6))
    curve = part("calls").curve
    assert curve is not None
    assert (curve.mode, curve.beyond, curve.full_points) == ("interpolated", "extend", Fraction(1, 100))
    assert curve.points[-1] == Point(Fraction(3, 2), Fraction(2))
    assert part("calls").quota_fixed == 40
    assert part("retention").quota_fixed == Fraction(9, 10)


def test_kinds_of_their_own() -> None:
    parts = (Part("retention", Fraction(1)),)
    assert part("card").scorecard == Scorecard("zero", Fraction(0), Fraction(3, 2), parts)
    assert part("pot").pool == Pool(Fraction(1, 50), None, "points", "pool-points", "keep")
    assert part("contest").rank == Rank("high", (500_000, 300_000, 100_000), "share", "keep")
    assert part("override").reads == Reads(
        "earning", "reports", 1, (("whole", "commission"), ("other-plan", "commission"))
    )
    measure = part("retention").measure
    assert (measure.value, measure.window, measure.periods, measure.of, measure.by) == (
        "share",
        "rolling",
        3,
        "team",
        "period",
    )
    assert [component.measure.unit for component in PLAN.components] == [
        "money",
        "money",
        "share",
        "units",
        "share",
        "money",
        "money",
        "money",
        "money",
        "money",
        "units",
    ]
    # A kind that is by period is so in the short form as well.
    assert part("card").measure == Measure("quarter", by="period", unit="share")


def test_the_plan_as_a_whole() -> None:
    assert (PLAN.round_at, PLAN.on_new_version) == ("total", "carry")
    assert PLAN.proration is not None and PLAN.proration.of == (
        "quota",
        "incentive",
        "tiers",
        "caps",
        "plan_caps",
        "draw",
    )
    assert PLAN.employment is not None and PLAN.employment.release_after == "lost"
    some = PlanCap(500_000, "year", "review", ("base", "kickoffs"))
    assert PLAN.caps == (PlanCap(10_000_000, "quarter", "lost"), some)
    assert PLAN.currencies is not None and PLAN.currencies.pay_rate == "release_date"
    settlement = PLAN.settlement
    assert settlement is not None and settlement.draws[0].recovery is not None
    of_the_year = PaymentCap(10_000_000, "year", "carried")
    assert (settlement.caps, settlement.minimum) == (
        (PaymentCap(1_000_000, "pay_period", "lost"), of_the_year),
        10_000,
    )
    assert [draw.key for draw in settlement.draws] == ["all-pay", "of-some", "floor"]
    assert settlement.draws[1].components == ("base",)
    assert settlement.clawback_limit == ClawbackLimit(HALF, 100_000, "carried", "forgiven")
    assert settlement.small_adjustments == 500
    assert (settlement.holdback, settlement.holdback_periods) == (Fraction(1, 10), 3)
    assert (settlement.draws[0].amount, settlement.draws[0].recovery.keep) == (200_000, 100_000)


def test_periods_order_and_terms_of_their_own() -> None:
    row = part("kickoffs")
    spans = tuple(
        (day_number(date(2026, *first)), day_number(date(2026, *behind)))
        for first, behind in (((2, 1), (3, 16)), ((7, 1), (8, 1)))
    )
    assert row.every == OwnPeriods("kickoff", spans)
    assert (row.order, row.eligible_on) == ("largest_first", day_number(date(2026, 1, 1)))
    assert row.counterpart == Counterpart("whole", "steep", HALF, "larger", "credit")
    assert part("worth").measure.per == ("account", "product")
    assert [share.counts_for for share in PLAN.credit_rules[2].credit] == ["quota", "pay"]


def test_overrides_are_in_normal_form() -> None:
    rows = [(row.attribute, row.value, row.settings) for row in PLAN.overrides]
    assert rows == [
        ("region", "EMEA", (("components.base.table.cells.0.0", '"12%"'),)),
        ("person", "ada", (("components.commission.cap.amount", '"60000.00"'),)),
    ]


def test_an_override_changes_only_what_it_names() -> None:
    both = specialise(PLAN, (1, 0))
    table = part("base", both).table
    assert table is not None and table.cells[0] == Fraction(3, 25)
    assert part("commission", both).cap == Cap(6_000_000, "measure_period")
    same = ["retention", "calls", "card", "pot", "contest", "override"]
    assert [part(key, both) for key in same] == [part(key) for key in same]
    assert specialise(PLAN, ()) is PLAN
    assert part("commission", specialise(PLAN, (0,))) == part("commission")


def test_the_later_override_wins() -> None:
    document = copy.deepcopy(WHOLE)
    path = "components.commission.cap.amount"
    amounts = {"person": "4.00", "region": "1.00", "position": "3.00", "title": "2.00"}
    document["overrides"] = [{"for": {name: "x"}, "set": {path: amount}} for name, amount in amounts.items()]
    plan = compile_plan(document)
    caps = [part("commission", specialise(plan, which)).cap for which in ((0, 1, 2, 3), (1, 2, 3), (1, 3), (1,))]
    assert [cap.amount for cap in caps if cap is not None] == [400, 300, 200, 100]


def test_an_override_names_rows_by_key_and_takes_away_by_null() -> None:
    assert part("commission", changed("components.commission.gates.g2.at_least", "80%")).gates[1].at_least == Fraction(
        4, 5
    )
    assert part("commission", changed("components.commission.gates", None)).gates == ()
    assert part("commission", changed("components.commission.minimum", None)).minimum is None


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (
            "components.commission.gates.retentio.at_least",
            "There is no retentio in components.commission.gates. Did you mean retention?",
        ),
        ("components.commission", "A path begins with components, the key of one, and what it changes there."),
        ("components.commission.quota.fixed", "components.commission.quota is new-business; nothing stands below it."),
    ],
)
def test_a_path_that_leads_nowhere_is_told(path: str, told: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        changed(path, "80%")
    assert [problem.message for problem in caught.value.problems] == [told]


def test_overrides_that_break_the_plan_together_are_told() -> None:
    document = copy.deepcopy(GOOD["account-executive"])
    bounds = {"title": ("1", "120%"), "region": ("2", "110%")}
    document["overrides"] = [
        {"for": {name: "x"}, "set": {f"components.commission.tiers.rates.{place}.from": bound}}
        for name, (place, bound) in bounds.items()
    ]
    assert [problem.message for problem in errors(check(document))] == [
        "Together with overrides[0] components[0].tiers.rates[2].from: This tier starts at 110%, the one before it at "
        "120%; bounds have to rise."
    ]


def test_what_the_database_does_not_deliver_is_named() -> None:
    assert [problem.path for plan in GOOD.values() for problem in unsupported(compile_plan(plan))] == []
    paths = {problem.path for problem in unsupported(PLAN)}
    delivered = {
        "settlement",
        "credit_rules[1].fact",
        "credit_rules[1].amount",
        "components[0].clawback",
        "components[1].table",
    }
    assert not delivered & paths


def test_a_budget_that_keeps_what_was_posted_is_delivered_also_by_an_override() -> None:
    document = copy.deepcopy(GOOD["account-executive"])
    budget = {"amount": "9.00", "after_posting": "keep"}
    document["overrides"] = [
        {"for": {"person": "ada"}, "set": {"components.commission.budget": budget}},
        {"for": {"title": "AE"}, "set": {"components.commission.release": [{"share": "100%", "on": "credit_date"}]}},
    ]
    assert errors(check(document)) == []
    assert unsupported(compile_plan(document)) == []


@pytest.mark.parametrize("how", ["restart", "rerun"])
def test_versions_that_restart_or_run_again_are_paid_from_the_database(how: str) -> None:
    terms = {"method": "calendar_days", "first_day": "counts", "last_day": "counts", "leave": "counts"}
    document = {**copy.deepcopy(GOOD["account-executive"]), "on_new_version": how}
    document["proration"] = {**terms, "of": ["quota"], "round": "minor"}
    assert unsupported(compile_plan(document)) == []


def test_a_company_pays_in_its_currency() -> None:
    document = {**copy.deepcopy(GOOD["account-executive"]), "currency": "none"}
    assert errors(check(document)) == []
    plan = compile_plan(document)
    assert [problem.path for problem in unsupported(plan)] == ["currency"]
    assert in_words(plan)[0].sentences[0].startswith("Amounts are plain numbers. ")


def test_quotas_are_kept_in_money_and_as_numbers() -> None:
    document = copy.deepcopy(GOOD["account-executive"])
    counted = document["components"][0]
    counted["measure"] = {"every": "quarter", "value": "count", "window": "discrete", "of": "own", "by": "credit"}
    counted["tiers"] |= {"pays": "per_unit", "rates": [{"from": "0%", "per_unit": "10.00"}]}
    assert errors(check(document)) == [] == unsupported(compile_plan(document))


@pytest.mark.parametrize("method", ["working_days", "calendar_days"])
def test_leave_and_holidays_are_kept(method: str) -> None:
    terms = {"first_day": "counts", "last_day": "counts", "leave": "excluded", "of": ["quota"], "round": "minor"}
    document = copy.deepcopy(GOOD["account-executive"])
    document["proration"] = {**terms, "method": method}
    document["employment"] = {"credits_after": "none", "credits_on_leave": "none", "release_after": "paid"}
    assert unsupported(compile_plan(document)) == []


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whatever_goes_wrong_is_told(data: st.DataObject) -> None:
    document = data.draw(spoiled(WHOLE))
    once = normalise(document)
    assert normalise(once) == once
    problems = check(once)
    assert all(problem.message for problem in problems)
    if not errors(problems):
        plan = compile_plan(once)
        for place in range(len(plan.overrides)):
            assert len(specialise(plan, (place,)).components) == len(plan.components)
        unsupported(plan)


def test_too_many_overrides_are_told_without_trying_each() -> None:
    document = copy.deepcopy(GOOD["account-executive"])
    tried = {"for": {"person": "ada"}, "set": {"components.nothing.cap": None}}
    document["overrides"] = [copy.deepcopy(tried) for _ in range(201)]
    assert [problem.message for problem in check(document)] == ["Found 201 overrides; allowed: 1 to 200."]
