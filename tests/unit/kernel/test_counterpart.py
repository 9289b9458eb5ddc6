"""A counterpart's terms across plans: what they need of each other is found out when they are worked out."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from payouts.case import read_case
from payouts.case_report import Report
from payouts.kernel import calculate
from payouts.kernel.errors import UnlikeTerms
from plans.rules.counterpart import KINDS
from plans.rules.load import read_yaml
from plans.rules.words import in_words

PLANS = Path(__file__).parents[2] / "plans"
DEALS = (PLANS / "at-least-what-the-ae-s-terms-give-for-each-deal.yaml").read_text(encoding="utf-8")


def worked_out(*changes: tuple[str, str]) -> Report:
    text = DEALS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    case = read_case(read_yaml(text))
    return Report(case, calculate(case.batch, traced=True))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ([("terms: ae-plan/commission", "terms: ae-plna/commission")], "there is none"),
        ([("terms: ae-plan/commission", "terms: ae-plan/commissions")], "there is none"),
        (
            [("quota: q\n          missing_quota: wait\n          zero_quota: wait\n"
              "          below_zero: lowest_tier\n          tiers: {mode: marginal, axis: amount",
              "quota: null\n          below_zero: lowest_tier\n          tiers: {mode: marginal, axis: amount")],
            "its terms go by a quota, and this component has none",
        ),
        ([("amount: amount, credit: [{role: ae", "amount: one, credit: [{role: ae"),
          ("rates: [{from: 0%, rate: 4%}, {from: 100%, rate: 12%}]}",
           "pays: per_unit, rates: [{from: 0%, per_unit: 4.00}, {from: 100%, per_unit: 12.00}]}")],
         "it measures units, and this one money"),
    ],
)  # fmt: skip
def test_terms_that_cannot_rate_are_refused(changes, why):
    with pytest.raises(UnlikeTerms) as caught:
        worked_out(*changes)
    assert why in str(caught.value)
    assert "cannot rate se-plan/overlay" in str(caught.value)


def test_the_story_says_what_the_terms_would_give():
    report = worked_out()
    told = [step.sentence for line in report.lines for step in line.steps if step.label_code == "counterpart"]
    assert told[2] == "By the terms of ae-plan/commission it would be $1,200.00; at least that counts: $1,200.00."
    plan = report.case.batch.plans[1]
    sentence = "Each credit pays at least what the terms of commission of the plan AE plan would give for it."
    assert sentence in in_words(plan)[-1].sentences


@pytest.mark.parametrize(("pays", "word"), [("larger", "at most"), ("smaller", "at least")])
def test_what_is_taken_back_is_told_the_other_way_round(pays, word):
    report = worked_out(
        ("amount: 10000.01, close_date", "amount: -10000.01, close_date"),
        ("pays: larger, per: credit", f"pays: {pays}, per: credit"),
    )
    told = [
        step.sentence
        for line in report.lines
        if line.view.measured < 0
        for step in line.steps
        if step.label_code == "counterpart"
    ]
    assert told and all(f"; {word} that counts: " in sentence for sentence in told)


def test_lines_of_a_version_without_a_counterpart_are_not_told_of_one():
    text = (PLANS / "in-transition-at-least-what-the-old-plan-would-pay.yaml").read_text(encoding="utf-8")
    case = read_case(read_yaml(text))
    report = Report(case, calculate(case.batch, traced=True))
    told = {line.name: [step.label_code for step in line.steps] for line in report.lines}
    assert "counterpart" in told["C"]
    assert "counterpart" not in told["D"]


def test_a_line_that_waits_for_an_incentive_of_the_terms_alone_says_so():
    text = (PLANS / "a-counterpart-s-terms-capped-by-a-target-incentive.yaml").read_text(encoding="utf-8")
    case = read_case(read_yaml(text))
    report = Report(case, calculate(case.batch, traced=True))
    told = [step.sentence for line in report.lines for step in line.steps if step.label_code == "waits"]
    assert told == ["It earns nothing yet: the target incentive of its counterpart's terms is missing."]


def with_twins(document):
    """A case in which each commission, bonus and incentive pays, per deal or per period, no less (or no more) than
    what a twin of it would; None where none may."""
    changed = copy.deepcopy(document)
    plans = [changed["plan"]] if "plan" in changed else [row["document"] for row in changed["plans"]]
    found = False
    for plan in plans:
        if "library" in plan or "file" in plan or plan.get("overrides"):
            return None
        for number, component in enumerate(list(plan["components"])):
            reads = "columns" in component.get("tiers", {}) or "reads" in str(component.get("modifiers", ""))
            if component["kind"] not in KINDS or reads or {"release_rate", "counterpart"} & set(component):
                continue
            twin = {**copy.deepcopy(component), "key": f"twin-{component['key']}", "name": "Twin"}
            per, pays = (("credit", "larger"), ("measure_period", "smaller"))[number % 2]
            component["counterpart"] = {"terms": twin["key"], "share": "100%", "pays": pays, "per": per}
            plan["components"].append(twin)
            found = True
    return changed if found else None


def earned(document):
    case = read_case({key: value for key, value in document.items() if key != "expect"})
    result, found = calculate(case.batch), {}
    lines = result.lines
    for row in range(lines.credit.size):
        group = int(lines.group[row])
        component = case.batch.plans[int(result.groups.plan[group])].components[int(result.groups.component[group])]
        who = (component.key, int(result.groups.participant[group]), int(result.groups.period[group]))
        told = (int(lines.position[row]), int(lines.rounded[row]), int(lines.earned[row]))
        if not component.key.startswith("twin-"):
            found.setdefault(who, []).append(told)
    return found


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_terms_of_a_twin_change_nothing(path):
    document = read_yaml(path.read_text(encoding="utf-8"))
    twins = with_twins(document)
    # A plan cap is of all components together: there a twin takes its part.
    if twins is None or "caps:\n" in path.read_text() or "\n  caps: " in path.read_text():
        pytest.skip("no component here may have a counterpart")
    assert earned(twins) == earned(document)
