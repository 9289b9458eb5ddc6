"""Worked examples that a plan document carries: case files without a plan. A plan with one that fails is not put in
force. Pure."""

from __future__ import annotations

from typing import Any

from comp.core.errors import CompError, Problem, ProblemsError
from payouts.case import FORMAT, read_case
from payouts.case_report import Report
from payouts.kernel import calculate


def example_problems(document: dict[str, Any]) -> list[Problem]:
    """What is wrong with the examples of a checked plan document: one problem an expectation that does not hold, or a
    case that cannot be read or calculated. Empty where all hold."""
    plan = {key: value for key, value in document.items() if key != "examples"}
    found: list[Problem] = []
    for number, example in enumerate(document.get("examples", [])):
        found += _problems(
            {**example, "format": FORMAT, "plan": plan}, f"examples[{number}]", str(example.get("name", ""))
        )
    return found


def _problems(case: dict[str, Any], path: str, name: str) -> list[Problem]:
    try:
        read = read_case(case)
        if not read.expectations:
            message = "The example expects nothing: say in `expect` what it comes to."
            return [Problem(f"{path}.expect", "nothing", "what the example comes to", message)]
        failures = Report(read, calculate(read.batch, traced=True)).failures()
    except ProblemsError as error:
        return [Problem(f"{path}.{p.path}", p.found, p.allowed, p.message, p.severity) for p in error.problems]
    except CompError as error:
        return [Problem(path, name or "an example", "an example that can be calculated", str(error))]
    return [
        Problem(
            f"{path}.{failure.path}",
            failure.found,
            failure.expected,
            f"The example{f' {name!r}' if name else ''} expects {failure.expected}, the plan comes to {failure.found}.",
        )
        for failure in failures
    ]
