"""Whose figures move with somebody's: those above, on the lines of reporting, and those who share what a plan pays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import date

from comp.core.days import day_number
from comp.people.models import ReportingLine
from payouts.frames.read import Versions
from payouts.kernel.batch import FAR_DAY
from plans.rules.compiled import CompiledPlan, Component
from plans.rules.specialise import stated


@dataclass(frozen=True, slots=True)
class Sharing:
    """How figures of a plan's people depend on others. Whose plan reads the credits of all, or what is earned by a
    team, moves with anybody; where there is one pot or contest, with everybody of the plan; where earnings of those
    below are read, with all of them."""

    anybody: bool = False
    of_plan: bool = False
    below: bool = False

    def __bool__(self) -> bool:
        return self.anybody or self.of_plan or self.below

    def __or__(self, other: Sharing) -> Sharing:
        return Sharing(self.anybody or other.anybody, self.of_plan or other.of_plan, self.below or other.below)


def sharing_of(plan: CompiledPlan) -> Sharing:
    """Of a version, its overrides included."""
    found = Sharing()
    for component in stated(plan):
        found |= _of_component(component)
    return found


def _of_component(component: Component) -> Sharing:
    reads = component.reads.of if component.reads is not None else "self"
    return Sharing(
        anybody=component.measure.of != "own" or reads == "team",
        of_plan=any(each is not None for each in (component.pool, component.rank, component.budget)),
        below=reads in ("reports", "downline"),
    )


def reading(
    people: Set[int],
    plans: Mapping[int, Sharing],
    assigned: Mapping[int, Set[int]],
    above: Mapping[int, Collection[int]],
    *,
    moved: bool = False,
) -> set[int]:
    """The people, and everybody whose figures depend on theirs. `plans` are those that share, `assigned` the people who
    are or were on each, `above` everybody's managers of all times. Who reads is read in turn. `moved`: the people may
    have been on a plan where no row says so any more."""
    found: set[int] = set(people)
    fresh: set[int] = set(people)
    while fresh:
        higher = _higher(fresh, above)
        met: set[int] = set()
        for plan, sharing in plans.items():
            mine = assigned.get(plan, set())
            if sharing.anybody or (sharing.of_plan and (moved or mine & fresh)):
                met |= mine
            elif sharing.below:
                met |= mine & higher
        fresh = met - found
        found |= fresh
    return found


def _higher(people: Set[int], above: Mapping[int, Collection[int]]) -> set[int]:
    found: set[int] = set()
    level: set[int] = set(people)
    while level:
        level = {manager for person in level for manager in above.get(person, ())} - found
        found |= level
    return found


def sharing_plans(*versions: Versions) -> dict[int, Sharing]:
    """Plan id to how its people depend on others, by any of these versions; only plans where they do."""
    found: dict[int, Sharing] = defaultdict(Sharing)
    for each in versions:
        for plan_id, plan in zip(each.plan_id, each.compiled, strict=True):
            found[plan_id] |= sharing_of(plan)
    return {plan_id: sharing for plan_id, sharing in found.items() if sharing}


class ReportingLines:
    """Who stands above whom, read once."""

    def __init__(self) -> None:
        self.above: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        rows = ReportingLine.objects.values_list("participant_id", "manager_id", "starts_on", "ends_on")
        for person, manager, starts, ends in rows:
            self.above[person].append((manager, day_number(starts), day_number(ends) if ends else FAR_DAY))

    def of(self, people: Iterable[int], day: date, levels: int) -> set[int]:
        """The people and those above them on a day, so many levels up."""
        number = day_number(day)
        found, level = set(people), set(people)
        for _ in range(levels):
            level = {m for person in level for m, start, end in self.above[person] if start <= number < end} - found
            if not level:
                break
            found |= level
        return found

    @property
    def managers(self) -> dict[int, set[int]]:
        """Everybody's managers, of all times."""
        return {person: {manager for manager, _, _ in rows} for person, rows in self.above.items()}

    def ever(self, people: Iterable[int]) -> set[int]:
        """The people and everybody who ever stood above them."""
        found, level = set(people), set(people)
        while level:
            level = {m for person in level for m, _, _ in self.above[person]} - found
            found |= level
        return found
