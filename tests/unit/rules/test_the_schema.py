"""docs/plan.schema.json: up to date, and of one mind with `check` on the form of plans."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from comp.core.errors import ProblemsError
from plans.rules.checks import check, errors
from plans.rules.load import read_yaml
from plans.rules.schema import plan_schema, schema_text
from tests.unit.rules.documents import LIBRARY

ROOT = Path(__file__).parents[3]
BROKEN = sorted((ROOT / "tests" / "broken_plans").glob("*.yaml"))
WHOLE = Path(__file__).parent / "whole.yaml"
SCHEMA = Draft202012Validator(plan_schema())

#: Broken in their form alone, one for each way in which a form can be.
MISFORMED = [
    "bands-in-percent",
    "cap-per-year",
    "clawback-recomputed-and-lowered",
    "clawback-without-a-term",
    "commission-with-a-bonus",
    "condition-of-two-joins",
    "condition-without-value",
    "draw-without-recovery",
    "employment-half-written",
    "fact-unknown",
    "format-of-another-version",
    "gate-final-with-catch-up",
    "key-with-spaces",
    "kind-unknown",
    "marginal-with-attribution",
    "measure-share-without-part",
    "missing-keys",
    "no-credit-rules",
    "pool-without-points",
    "rate-with-too-many-decimals",
    "reads-without-depth",
    "release-by-usage-without-a-bound",
    "result-with-a-release",
    "scorecard-with-credits",
    "section-is-a-list",
    "settlement-with-an-unknown-step",
    "share-as-a-plain-number",
    "tier-in-money",
    "tiers-per-unit-as-a-percentage",
    "unknown-key-with-a-near-one",
]


def test_the_committed_schema_is_up_to_date() -> None:
    committed = (ROOT / "docs" / "plan.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(), "run: python -m plans.rules.schema > docs/plan.schema.json"
    Draft202012Validator.check_schema(json.loads(committed))


@pytest.mark.parametrize("path", [*LIBRARY, WHOLE], ids=lambda path: path.stem)
def test_good_plans_have_the_form(path: Path) -> None:
    assert list(SCHEMA.iter_errors(read_yaml(path.read_text()))) == []


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_what_check_allows_has_the_form(path: Path) -> None:
    try:
        document = read_yaml(path.read_text())
    except ProblemsError:
        return  # no plan at all
    if not errors(check(document)):
        assert list(SCHEMA.iter_errors(document)) == []


@pytest.mark.parametrize("name", MISFORMED)
def test_what_is_misformed_is_refused(name: str) -> None:
    text = (ROOT / "tests" / "broken_plans" / f"{name}.yaml").read_text()
    assert not SCHEMA.is_valid(read_yaml(text))
