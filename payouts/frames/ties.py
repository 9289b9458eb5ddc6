"""Which plans are worked out together: those whose figures read one another's, and how far their people's depend on
those of others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import lru_cache

from payouts.frames.read_plans import Versions
from payouts.frames.span import Reach, reach
from plans.rules.compiled import CompiledPlan, Component
from plans.rules.specialise import stated

Keys = frozenset[str]


@dataclass(frozen=True, slots=True)
class Ties:
    """What of others the figures of a plan's people go by.

    `gives`: the classes of credit that the plan gives. `reads`: the keys of plans whose lines or terms are read, of
    whomever. `measures`: of whom (team, pool, company) credits of which classes are measured, whichever plan gives
    them. `shares`: with whom (plan, team, pool) there is one pot, contest or budget. `earnings`: of whom (reports, with
    the levels; downline; team) lines of which plans are read.
    """

    gives: Keys = frozenset()
    reads: Keys = frozenset()
    measures: frozenset[tuple[str, Keys]] = frozenset()
    shares: Keys = frozenset()
    earnings: frozenset[tuple[str, int | None, Keys]] = frozenset()

    @property
    def with_others(self) -> bool:
        return bool(self.measures or self.shares or self.earnings)

    @property
    def of_whom(self) -> set[str]:
        """Of whom anything is measured, shared or read."""
        return {*self.shares, *(of for of, _ in self.measures), *(of for of, _, _ in self.earnings)}

    def __or__(self, other: Ties) -> Ties:
        return Ties(*(getattr(self, each.name) | getattr(other, each.name) for each in fields(Ties)))


@lru_cache(maxsize=512)
def ties_of(plan: CompiledPlan) -> Ties:
    """Of a version, its overrides included."""
    found = Ties(gives=frozenset(rule.credit_class for rule in plan.credit_rules))
    for component in stated(plan):
        found |= _of_component(component)
    return found


def _of_component(component: Component) -> Ties:
    measure, reads, counterpart = component.measure, component.reads, component.counterpart
    keys = {plan for plan, _ in component.read_keys()} | ({counterpart.plan} if counterpart is not None else set())
    measures: set[tuple[str, Keys]] = set()
    shares: set[str] = set()
    earnings: set[tuple[str, int | None, Keys]] = set()
    if measure.of != "own" and component.classes:
        measures.add((measure.of, frozenset(component.classes)))
    if component.rank is not None or component.budget is not None:
        shares.add("plan")
    if component.pool is not None:
        shares.add(measure.of if measure.of in ("team", "pool") and component.classes else "plan")
    if reads is not None and reads.of != "self":
        depth = (reads.depth or 1) if reads.of == "reports" else None
        earnings.add((reads.of, depth, frozenset(plan for plan, _ in reads.components)))
    return Ties(
        reads=frozenset(keys), measures=frozenset(measures), shares=frozenset(shares), earnings=frozenset(earnings)
    )


def ties_by_plan(*versions: Versions) -> dict[int, Ties]:
    """Plan id to its ties, by any of these versions."""
    found: dict[int, Ties] = {}
    for each in versions:
        for plan_id, plan in zip(each.plan_id, each.compiled, strict=True):
            found[plan_id] = found.get(plan_id, Ties()) | ties_of(plan)
    return found


class Circles:
    """The plans in force, by what has to be worked out together."""

    def __init__(self, versions: Versions) -> None:
        self.versions = versions
        self.ties = ties_by_plan(versions)
        self._ids = dict(zip((plan.key for plan in versions.compiled), versions.plan_id, strict=True))
        self._circles: dict[frozenset[int], frozenset[int]] = {}
        self._with_others: dict[frozenset[int], bool] = {}
        self._reach: dict[frozenset[int], Reach] = {}
        self._of: dict[frozenset[int], Versions] = {}

    def around(self, plans: Iterable[int]) -> frozenset[int]:
        """These plans, and all that their figures depend on."""
        asked = frozenset(plans)
        if asked not in self._circles:
            found: set[int] = set()
            fresh = {plan for plan in asked if plan in self.ties}
            while fresh:
                found |= fresh
                fresh = {other for plan in fresh for other in self._before(self.ties[plan])} - found
            self._circles[asked] = frozenset(found)
        return self._circles[asked]

    def _before(self, ties: Ties) -> set[int]:
        found = {self._ids[key] for key in ties.reads if key in self._ids}
        for _, classes in ties.measures:
            found |= {plan for plan, other in self.ties.items() if other.gives & classes}
        return found

    def with_others(self, plans: frozenset[int]) -> bool:
        if plans not in self._with_others:
            self._with_others[plans] = any(self.ties[plan].with_others for plan in plans)
        return self._with_others[plans]

    def reach(self, plans: frozenset[int]) -> Reach:
        """How far lines of these plans depend on each other."""
        if plans not in self._reach:
            self._reach[plans] = reach(self.of(plans).compiled)
        return self._reach[plans]

    def of(self, plans: frozenset[int]) -> Versions:
        """The versions of these plans alone; each set of plans gives the same object."""
        if plans not in self._of:
            self._of[plans] = self.versions if plans >= self.ties.keys() else self.versions.of_plans(plans)
        return self._of[plans]
