"""The plan versions in force, compiled."""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache

from comp.core.days import day_number
from comp.tenancy.rows import rows_read
from payouts.frames.read_asof import table
from payouts.frames.span import longest
from payouts.kernel.batch import FAR_DAY
from plans.rules.compile import compile_plan
from plans.rules.compiled import CompiledPlan


@dataclass(frozen=True, slots=True)
class Versions:
    """Plan versions in force at some time, as the batch numbers them."""

    id: tuple[int, ...]
    plan_id: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    compiled: tuple[CompiledPlan, ...]

    def every(self, also: str = "month") -> str:
        """The longest period over which their lines depend on each other, and at least `also`."""
        return longest(self.compiled, also)

    def of_plans(self, plans: Container[int]) -> Versions:
        """Those of some plans alone."""
        rows = [
            row for row in zip(*(getattr(self, each.name) for each in fields(self)), strict=True) if row[1] in plans
        ]
        return Versions(*zip(*rows, strict=True)) if rows else NO_VERSIONS

    def levels(self) -> tuple[int, ...]:
        """How many levels each version's credit rolls up; 0 where it does not."""
        return tuple(
            max((step.levels for rule in plan.credit_rules for step in rule.roll_up), default=0)
            for plan in self.compiled
        )


NO_VERSIONS = Versions((), (), (), (), ())


@lru_cache(maxsize=512)
def compiled(digest: str, document: str) -> CompiledPlan:
    """A version's document, compiled once per process."""
    return compile_plan(json.loads(document))


def read_versions(as_of: datetime | None = None, superseded_of: int | None = None) -> Versions:
    """All published versions, or all of one plan that were and are superseded, in the order of their ids."""
    which = "v.state = 'published'" if superseded_of is None else "v.state = 'superseded' AND v.plan_id = %(plan)s"
    rows = rows_read(
        "SELECT v.id, v.plan_id, v.starts_on, v.ends_on, v.digest, v.document "
        f"FROM {table('plans_planversion', as_of)} v WHERE {which} ORDER BY v.id",
        {"as_of": as_of, "plan": superseded_of},
    )
    return Versions(
        id=tuple(row[0] for row in rows),
        plan_id=tuple(row[1] for row in rows),
        starts=tuple(day_number(row[2]) for row in rows),
        ends=tuple(day_number(row[3]) if row[3] else FAR_DAY for row in rows),
        compiled=tuple(compiled(row[4], row[5]) for row in rows),
    )
