"""Errors that name the thing, what was found and what is allowed.

A problem is a value, so that everything wrong with a document or an upload can be shown at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


class CompError(Exception):
    """Base of all errors that Comp raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong (or, as a warning, surprising) at one place. `message` is a sentence that says it all."""

    path: str
    found: str
    allowed: str
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ProblemsError(CompError):
    """What was given cannot be used; `problems` says all that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def told(error: Exception) -> str:
    """What an error says to people: its sentences alone, without the places that forms and files name."""
    problems = error.problems if isinstance(error, ProblemsError) else ()
    return " ".join(problem.message for problem in problems) or str(error)


def refused(path: str, found: object, allowed: str, message: str) -> ProblemsError:
    """The error of a single problem."""
    return ProblemsError([Problem(path, str(found), allowed, message)])
