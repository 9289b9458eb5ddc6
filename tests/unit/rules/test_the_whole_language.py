"""The whole language: a plan with every construct, and what becomes of it when parts go wrong."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from plans.rules.checks import check, errors
from plans.rules.compile import compile_plan
from plans.rules.load import read_yaml
from plans.rules.normal import normalise
from plans.rules.specialise import specialise
from tests.unit.rules.documents import spoiled

WHOLE = read_yaml((Path(__file__).parent / "whole.yaml").read_text())


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_goes_wrong_is_told(data: st.DataObject) -> None:
    document = data.draw(spoiled(WHOLE))
    once = normalise(document)
    assert normalise(once) == once
    problems = check(once)
    assert all(problem.message and problem.path is not None for problem in problems)
    if not errors(problems):
        plan = compile_plan(once)
        for place in range(len(plan.overrides)):
            assert len(specialise(plan, (place,)).components) == len(plan.components)
