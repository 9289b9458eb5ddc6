"""Reading plans: what is in force, and what it compiles to."""

from __future__ import annotations

import json
from datetime import date
from functools import lru_cache

from comp.core.errors import CompError, Problem
from comp.people.selectors import in_force
from plans.models import PlanVersion
from plans.rules.checks import check
from plans.rules.compile import compile_plan
from plans.rules.compiled import CompiledPlan
from plans.rules.values import Document


class DamagedVersion(CompError):
    """A stored document does not have the digest stored beside it."""


def versions_in_force(as_of_day: date) -> list[PlanVersion]:
    """The published versions, one a plan at most, whose days hold the day."""
    rows = PlanVersion.objects.filter(in_force(as_of_day), state=PlanVersion.State.PUBLISHED)
    return list(rows.select_related("plan").order_by("plan__key"))


def version_in_force(*, plan_id: int, day: date) -> PlanVersion | None:
    """The published version of one plan whose days hold the day."""
    rows = PlanVersion.objects.filter(in_force(day), plan_id=plan_id, state=PlanVersion.State.PUBLISHED)
    return rows.select_related("plan").first()


def compiled(version: PlanVersion) -> CompiledPlan:
    """What the kernels read. Equal documents are compiled once a process."""
    plan = _compile(version.document)
    if plan.digest != version.digest:
        raise DamagedVersion(f"{version}: the document's digest is {plan.digest}, stored is {version.digest}.")
    return plan


def document(version: PlanVersion) -> Document:
    """A version's document, a new one at each call: callers may edit it."""
    found: Document = json.loads(version.document)
    return found


def warnings(version: PlanVersion) -> list[Problem]:
    """What is allowed in a version's document and likely to surprise."""
    return [problem for problem in check(document(version)) if problem.severity == "warning"]


@lru_cache(maxsize=256)
def _compile(document: str) -> CompiledPlan:
    return compile_plan(json.loads(document))
