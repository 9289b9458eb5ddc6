"""Laws of the kernel, each with its exact conditions, on generated plans over all constructs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from comp.core.money import minor_digits
from payouts.kernel.errors import AmountOutOfRange, DateOutsideCalendar
from plans.rules.compile import compile_plan
from plans.rules.compiled import CompiledPlan
from plans.rules.fields import FACT_FIELDS
from tests.oracle.agree import case_at
from tests.oracle.bridge import kernel_facts
from tests.oracle.case import Case, Fact, Facts, Member, Version
from tests.oracle.pick import FEATURES
from tests.oracle.plain import JANUARY, REP, case, deal, marginal, plan

SHARED = {"pool", "rank", "budget", "others", "reads"}


def worlds(
    seed: int, count: int, without: set[str], wanted: Callable[[Case], bool] = lambda _: True
) -> Iterator[tuple[Case, Facts]]:
    """Of so many cases without some constructs those that are wanted and not refused, with what the kernel says."""
    for number in range(count):
        found, _ = case_at(seed, number, FEATURES - without)
        if not wanted(found):
            continue
        try:
            facts = kernel_facts(found)
        except (AmountOutOfRange, DateOutsideCalendar):
            continue
        yield found, facts


def test_without_shared_pots_adding_a_participant_changes_nobody_else() -> None:
    """The newcomer stands on no team and has no manager; plans look at nobody else."""
    for each, before in worlds(11, 60, SHARED):
        plans = {held.plan for held in each.assignments} or {"plan-a"}
        newcomer = (
            tuple(replace(each.assignments[0], person=99, plan=plan) for plan in plans) if each.assignments else ()
        )
        fact = Fact(
            5_000,
            "crm",
            "ZZZ",
            each.facts[0].event_time,
            {"amount": 1, "close_date": JANUARY.replace(year=2024), "stage": "won"},
            (Member(99, "ae", 1),),
            currency=each.facts[0].currency,
        )
        after = kernel_facts(replace(each, assignments=each.assignments + newcomer, facts=(*each.facts, fact)))
        assert others_than(after, 99) == before


def others_than(facts: Facts, person: int) -> Facts:
    return Facts(
        [credit for credit in facts.credits if credit.person != person],
        [group for group in facts.groups if group.key.person != person],
        [line for line in facts.lines if line.group.person != person],
        [row for row in facts.tranches if row.group.person != person],
        [row for row in facts.waits if row.fact != 5_000],
        [row for row in facts.settlements if row.person != person],
        [row for row in facts.schedules if row.group.person != person],
        [row for row in facts.draws if row.person != person],
    )


def test_what_is_taken_back_and_sent_again_returns_the_old_figures() -> None:
    for each, _ in worlds(12, 60, set()):
        before = kernel_facts(each, seed=1)
        deals = [fact for fact in each.facts if fact.kind == "deal"]
        without = [fact for fact in each.facts if fact.belongs_to != deals[-1].id]
        gone = replace(
            each,
            facts=tuple(without),
            milestones=tuple(row for row in each.milestones if row.deal != deals[-1].id),
            readings=tuple(row for row in each.readings if row.deal != deals[-1].id),
            transfers=tuple(row for row in each.transfers if row.deal != deals[-1].id),
        )
        if without:
            kernel_facts(gone)
        assert kernel_facts(each, seed=2) == before


def test_tranches_sum_to_their_line() -> None:
    """Where the rate does not float: all that is dated, waits, is held, withheld or lost is what the line earned."""
    for _, facts in worlds(13, 120, {"floating"}):
        sums: Counter[Any] = Counter()
        for tranche in facts.tranches:
            sums[tranche.group, tranche.position] += tranche.amount
        results = {group.key for group in facts.groups if group.result is not None}
        for line in facts.lines:
            if line.group not in results:
                assert sums[line.group, line.position] == line.earned, line


def test_rounding_by_total_and_curve_sums_to_the_rounded_whole() -> None:
    """One version, nothing that shapes lines one by one: the lines add up to the rounded exact sum."""
    for at in ("curve", "total"):
        document = plan(marginal(rates="0% 3.333333%, 100% 7.777777%")) | {
            "rounding": {"at": at, "mode": "half-even", "step": "minor"}
        }
        deals = [deal(amount, place) for place, amount in enumerate((10_01, 33_33, 5, 77_77, 99_999_99, 1_23))]
        lines = kernel_facts(case(document, *deals)).lines
        whole = kernel_facts(case(document, deal(sum(int(d.fields["amount"]) for d in deals)))).lines  # type: ignore[arg-type]
        assert sum(line.rounded for line in lines) == whole[0].rounded


@pytest.mark.parametrize("mode", ["half-even", "half-up"])
@pytest.mark.parametrize("part", [1, 7, 33_33, 59_999_99])
def test_with_rounding_along_the_curve_splitting_a_deal_changes_no_total(mode: str, part: int) -> None:
    """Marginal or running tiers; the halves stand side by side in the order, and no size of a deal matters."""
    for attribution in (None, "running"):
        tiers = marginal(rates="0% 3.333333%, 50% 12.345678%, 100% 15%")
        if attribution:
            tiers |= {"mode": "retroactive", "attribution": attribution}
        document = plan(tiers) | {"rounding": {"at": "curve", "mode": mode, "step": "minor"}}
        whole = [deal(60_000_00, 0), deal(50_000_01, 2)]
        halves = [deal(part, 0), deal(60_000_00 - part, 1), deal(50_000_01, 2)]
        totals = [sum(line.earned for line in kernel_facts(case(document, *deals)).lines) for deals in (whole, halves)]
        assert totals[0] == totals[1]


def test_scaling_by_the_minor_unit_changes_no_ratio() -> None:
    """The same numbers in a currency of 0, 2 or 3 digits earn the same minor units, where amounts are minor units and
    rounding is to the minor unit."""
    found = []
    for currency in ("JPY", "USD", "KWD"):
        document = plan(marginal()) | {"currency": currency}
        lines = kernel_facts(case(document, *(deal(amount, place) for place, amount in enumerate((60_001, 50_003, 7)))))
        found.append([line.earned for line in lines.lines])
    assert found[0] == found[1] == found[2]


def test_scaling_by_the_minor_unit_changes_nothing_on_generated_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans and facts with the same numbers of minor units, in currencies of 0, 2 and 3 digits, earn the same numbers
    of minor units, as long as nothing counts in whole units of money: pay and prorated quotas are rounded to the minor
    unit, nothing is weighted by money, no formula mixes money with numbers, nothing is in another currency, no override
    has a part of the plan read anew."""
    without = {"computed", "currencies", "pay currency", "no currency", "overrides", "rounding"}

    def wanted(each: Case) -> bool:
        return not any(in_whole_units(version.document) for version in each.versions)

    checked = 0
    for each, _ in worlds(16, 150, without, wanted):
        found = [scaled_facts(each, currency, monkeypatch) for currency in ("JPY", "USD", "KWD")]
        checked += len(found[0].lines)
        assert found[0] == found[1] == found[2]
    assert checked > 200


def in_whole_units(document: dict[str, Any]) -> bool:
    if document["rounding"]["step"] != "minor" or document.get("proration", {}).get("round") == "whole":
        return True
    types = {**FACT_FIELDS, **document.get("fields", {})}
    weights = (component["measure"].get("weight") for component in document["components"])
    return any(types[weight.removeprefix("deal.")] == "money" for weight in weights if weight)


def scaled_facts(each: Case, currency: str, monkeypatch: pytest.MonkeyPatch) -> Facts:
    """What the kernel makes of a case whose plans are compiled as they are, and then are in another currency."""

    def compiled(document: dict[str, Any]) -> CompiledPlan:
        return replace(compile_plan(document), currency=currency, minor_digits=minor_digits(currency))

    with monkeypatch.context() as patch:
        patch.setattr("tests.oracle.bridge.compile_plan", compiled)
        return kernel_facts(each)


def test_removing_a_withholding_gate_never_lowers_pay_that_is_not_negative() -> None:
    """Gates that only withhold, no caps (one line's pay may use up another's), no negative line."""
    shaping = {"caps", "carried", "plan caps", "settlement", "floating", "overrides", "clawback"} | SHARED
    shaping |= {"modifiers", "columns", "scorecard", "counterpart"}

    def wanted(each: Case) -> bool:
        documents = [version.document for version in each.versions]
        components = [component for document in documents for component in document["components"]]
        held = any(withholding(component) for component in components)
        return held and not read_by_others(documents) and not any(component.get("cap") for component in components)

    checked = 0
    for each, facts in worlds(14, 800, shaping, wanted):
        open_case = replace(
            each, versions=tuple(Version(without_gates(v.document), v.start, v.end) for v in each.versions)
        )
        before = {(line.group[:5], line.position, line.kind): line for line in facts.lines}
        after = {(line.group[:5], line.position, line.kind): line for line in kernel_facts(open_case).lines}
        assert before.keys() == after.keys()
        for key, line in before.items():
            if after[key].earned >= 0:
                checked += 1
                assert line.earned <= after[key].earned
    assert checked > 20


def withholding(component: dict[str, Any]) -> bool:
    return any(gate["effect"] == "withhold" for gate in component.get("gates", ()))


def read_by_others(documents: list[dict[str, Any]]) -> bool:
    """Pay that others read may lower theirs: a curve may fall, a gate may open another factor."""
    text = repr(documents)
    return any(word in text for word in ("'modifiers'", "'columns'", "'scorecard'", "'of_component'", "'times': '0"))


def without_gates(document: dict[str, Any]) -> dict[str, Any]:
    document = deepcopy(document)
    for component in document["components"]:
        if withholding(component):
            component["gates"] = [gate for gate in component["gates"] if gate["effect"] != "withhold"]
            if not component["gates"]:
                del component["gates"]
    return document


def test_the_identity_of_settlements_holds_in_each_period() -> None:
    """All that acts on the net is the payout and what is carried forward."""
    seen = 0
    for _, facts in worlds(15, 250, set()):
        for row in facts.settlements:
            net = row.released + row.adjusted + row.clawed_back + row.brought_forward + row.recovered
            net += row.capped + row.held_back + row.topped_up
            seen += 1
            assert net == row.payout + row.carried_forward, row
    assert seen > 50


def test_a_day_later_in_the_same_period_is_the_same_pay() -> None:
    """One deal in a year: its day moves no amount, only the day."""
    earned = {
        kernel_facts(case(plan(), deal(60_000_00, 0, JANUARY + timedelta(days=days)))).lines[0].earned
        for days in (0, 1, 180, 364)
    }
    assert earned == {6_000_00}
    assert kernel_facts(case(plan(), deal(1_00))).lines[0].group.person == REP
