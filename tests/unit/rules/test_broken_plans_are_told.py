"""Each file of tests/broken_plans opens with the problems that it has, one to a line: `# error path: message`."""

from __future__ import annotations

from pathlib import Path

import pytest

from comp.core.errors import ProblemsError
from plans.rules.checks import check
from plans.rules.compile import compile_plan
from plans.rules.load import read_yaml

BROKEN = sorted((Path(__file__).parents[2] / "broken_plans").glob("*.yaml"))


def told(text: str) -> list[str]:
    try:
        problems = check(read_yaml(text))
    except ProblemsError as error:
        problems = list(error.problems)
    return [f"# {problem.severity} {problem}" for problem in problems]


def test_there_are_broken_plans() -> None:
    assert len(BROKEN) >= 150


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_every_problem_is_told(path: Path) -> None:
    text = path.read_text()
    expected = [line for line in text.splitlines() if line.startswith(("# error", "# warning"))]
    assert expected
    assert told(text) == expected


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_only_warnings_compile(path: Path) -> None:
    text = path.read_text()
    if "# error" not in text:
        compile_plan(read_yaml(text))
        return
    with pytest.raises(ProblemsError) as caught:
        compile_plan(read_yaml(text))
    assert all(problem.severity == "error" for problem in caught.value.problems)
