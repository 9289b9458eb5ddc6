"""The library's templates: right, readable, and each proved by its examples."""

from __future__ import annotations

import re

import pytest

from payouts.examples import example_problems
from plans.curves import sketch
from plans.rules.checks import check
from plans.rules.compile import compile_plan
from plans.rules.load import read_yaml
from plans.rules.templates import FOLDER, GROUPS, Template, template, templates
from plans.rules.words import in_words

#: The incentive types and outcome-based mixes that the library has to have, each by the template that is one.
ASKED_FOR = {
    "new business with deal-size accelerators": "new-business",
    "early-stage one-time bonus with ramp": "early-stage",
    "expansion": "expansion",
    "retention and churn reduction": "retention",
    "implementation milestones": "implementation",
    "personal and company goals": "goals",
    "collections": "collections",
    "qualified leads": "qualified-leads",
    "deal finalisation": "deal-finalisation",
    "partner referral fee": "partner-referral",
    "reseller margin": "reseller-margin",
    "co-sell": "co-sell",
    "team pools and shared goals": "team-pool",
    "SPIFF": "spiff",
    "balanced scorecard": "scorecard",
    "usage and consumption tiers": "usage-tiers",
    "time to value": "time-to-value",
    "customer satisfaction score": "satisfaction",
    "hunter 75/25": "hunter",
    "hunter-farmer 50/50": "hunter-farmer",
    "farmer 33/67": "farmer",
    "transition, 20 to 30%": "outcome-transition-1",
    "transition, then more": "outcome-transition-2",
    "transition, 60 to 80%": "outcome-transition-3",
    "closing bonus and 75% consumption": "closing-and-consumption",
    "residual with a draw": "residual",
    "manager's override": "manager-override",
}
#: A key or a word of the language in a sentence: joined by underscores, or with a dot between words.
RAW = re.compile(r"\b[a-z]+_[a-z_]+\b|\b(?:custom|computed|deal|person)\.[a-z]")

every_template = pytest.mark.parametrize("found", templates(), ids=lambda found: found.key)


def test_each_incentive_type_has_its_template() -> None:
    assert set(ASKED_FOR.values()) == {found.key for found in templates()}


def test_each_file_of_the_folder_stands_in_one_group() -> None:
    keys = [key for members in GROUPS.values() for key in members]
    assert sorted(keys) == sorted(path.stem for path in FOLDER.glob("*.yaml"))
    assert [found.key for found in templates()] == keys
    assert template("spiff") in templates()
    assert template("nowhere") is None


@every_template
def test_a_template_has_nothing_wrong_and_nothing_that_surprises(found: Template) -> None:
    assert check(read_yaml(found.text)) == []


@every_template
def test_it_has_a_curve_that_bends_or_rises(found: Template) -> None:
    drawn = [one for part in compile_plan(read_yaml(found.text)).components if (one := sketch(part)) is not None]
    assert drawn
    assert all(one.line.startswith("M2.0 ") and " L118.0 " in one.line for one in drawn)


@every_template
def test_its_examples_hold_and_say_their_arithmetic(found: Template) -> None:
    document = read_yaml(found.text)
    assert example_problems(document) == []
    assert len(document["examples"]) >= 3
    assert [example.name for example in found.examples] == [example["name"] for example in document["examples"]]
    assert all(len(example.arithmetic) > 40 for example in found.examples)


@every_template
def test_a_wrong_figure_in_an_example_is_told(found: Template) -> None:
    """Every example expects something that the plan decides: no example is empty of meaning."""
    document = read_yaml(found.text)
    for number, example in enumerate(document["examples"]):
        expected = example["expect"]
        rows = expected.get("earnings") or expected.get("payables") or expected.get("totals") or expected.get("lines")
        if rows is None:
            rows = expected["settlement"]
        figure = next(name for name in ("amount", "earned", "payout") if name in rows[0])
        rows[0][figure] = "987654.32"
        assert any(problem.path.startswith(f"examples[{number}]") for problem in example_problems(document))


@every_template
def test_it_reads_aloud_without_raw_keys(found: Template) -> None:
    sections = in_words(compile_plan(read_yaml(found.text)))
    said = [sentence for section in sections for sentence in (section.title, *section.sentences)]
    assert not [sentence for sentence in said if RAW.search(sentence)]
    assert found.sentence.endswith(".")
    for part in read_yaml(found.text)["components"]:
        assert part["clause"].endswith("."), part["key"]
