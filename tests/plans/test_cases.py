"""The worked examples beside this file: plans, people and facts whose figures were worked by hand in their comments."""

from __future__ import annotations

from pathlib import Path

import pytest

from payouts.case import read_case
from payouts.case_report import Report
from payouts.kernel import calculate
from plans.rules.load import read_yaml

CASES = sorted(Path(__file__).parent.glob("*.yaml"))


def test_there_are_worked_examples() -> None:
    assert len(CASES) >= 400


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_worked_example(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# "), "a worked example begins with its arithmetic"
    case = read_case(read_yaml(text))
    assert case.expectations, "a worked example says what it expects"
    failures = Report(case, calculate(case.batch, traced=True)).failures()
    assert not failures, "\n".join(map(str, failures))
