"""Whatever a document holds: `check` tells, what it passes compiles, and all tools agree on what is equal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from comp.core.canonical import digest
from comp.core.errors import ProblemsError
from plans.rules.checks import check, errors
from plans.rules.compile import compile_plan
from plans.rules.diff import diff
from plans.rules.drawn import curve, pay_curve
from plans.rules.load import read_yaml, to_yaml
from plans.rules.normal import normalise
from plans.rules.words import in_words
from tests.unit.rules.documents import GOOD, TEXTS, VALUES, damaged

AE = GOOD["account-executive"]


def rolled(**roll_up: Any) -> dict[str, Any]:
    """The plan of an account executive, whose first credit rule says this of its roll-up, or nothing."""
    first, *others = AE["credit_rules"]
    kept = {key: item for key, item in first.items() if key != "roll_up"}
    return {**AE, "credit_rules": [{**kept, **roll_up}, *others]}


@settings(max_examples=400, deadline=None)
@given(damaged())
def test_check_tells_and_what_passes_compiles(document: dict[str, Any]) -> None:
    problems = check(document)
    assert all(problem.message and problem.severity in ("error", "warning") for problem in problems)
    if errors(problems):
        with pytest.raises(ProblemsError) as caught:
            compile_plan(document)
        assert errors(check(normalise(document))) == list(caught.value.problems)
        return
    plan = compile_plan(document)
    assert plan.digest == digest(normalise(document))
    assert all(section.sentences for section in in_words(plan))
    for component in plan.components:
        assert len(curve(component)) == len(pay_curve(component))


@settings(max_examples=200, deadline=None)
@given(damaged())
def test_yaml_carries_any_document(document: dict[str, Any]) -> None:
    # Whole numbers that are no part of a plan come back as the text of their digits.
    assert to_yaml(read_yaml(to_yaml(document))) == to_yaml(document)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_yaml_carries_any_table(document: dict[str, Any]) -> None:
    assert to_yaml(read_yaml(to_yaml(document))) == to_yaml(document)


@settings(max_examples=200, deadline=None)
@given(damaged())
def test_normal_form_is_normal(document: dict[str, Any]) -> None:
    once = normalise(document)
    assert normalise(once) == once


@settings(max_examples=300, deadline=None)
@given(damaged(), damaged())
@example(rolled(roll_up=[]), rolled())
@example(AE, {**AE, "examples": []})
def test_differences_are_told_exactly_when_there_are_some(old: dict[str, Any], new: dict[str, Any]) -> None:
    changes = diff(old, new)
    assert bool(changes) == (digest(normalise(old)) != digest(normalise(new)))
    assert all(change.sentence.endswith(".") for change in changes)
    assert diff(old, old) == []


@pytest.mark.parametrize("value", [None, [], "text", 1, {}])
def test_what_is_no_table_is_told(value: Any) -> None:
    assert errors(check(value))


@pytest.mark.parametrize("name", sorted(GOOD))
def test_the_library_has_no_errors(name: str) -> None:
    assert errors(check(GOOD[name])) == []
    assert read_yaml(to_yaml(GOOD[name])) == GOOD[name] == normalise(GOOD[name])
