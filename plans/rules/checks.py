"""Everything that is wrong with a plan document, at once. The language: docs/plan-language.md.

An error keeps a document from being used. A warning is allowed but likely to surprise: a jump of pay at a tier, credit
that nothing counts. The form of each part is judged by plans.rules.language; what parts say together is judged by the
other `checks_` modules.
"""

from __future__ import annotations

from typing import Any

from comp.core.errors import Problem
from plans.rules.about import about
from plans.rules.checks_components import check_components, check_steps
from plans.rules.checks_credit import check_credit
from plans.rules.checks_plan import check_overrides, check_whole
from plans.rules.language import PLAN
from plans.rules.look import Look


def check(document: Any) -> list[Problem]:
    """All problems of a document, in its order. No errors among them: `compile_plan` takes it."""
    problems = _problems(document)
    if isinstance(document, dict) and document.get("overrides"):
        look = Look(about(document).currency)
        check_overrides(look, document, _problems, problems)
        problems += look.problems
    return problems


def _problems(document: Any) -> list[Problem]:
    """All but those of overrides."""
    look = Look()
    known = about(document)
    look.currency = known.currency
    PLAN.check(look, document, "", known)
    if isinstance(document, dict):
        check_credit(look, document)
        check_components(look, document, known)
        check_steps(look, document)
        check_whole(look, document)
    look.sort()
    return look.problems


def errors(problems: list[Problem]) -> list[Problem]:
    """Those that keep a document from being used."""
    return [problem for problem in problems if problem.severity == "error"]
