"""Whose figures move with somebody's: those above, on the lines of reporting, and those who share what a plan pays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import date

from comp.core.days import day_number
from comp.people.models import Attribute, Position
from comp.tenancy.rows import rows_read
from payouts.frames.read import Versions
from payouts.frames.sql import numbers
from payouts.frames.ties import Ties, ties_by_plan
from payouts.kernel.batch import FAR_DAY
from plans.models import PlanAssignment

_PLANS_OF = "SELECT participant_id, plan_id FROM plans_planassignment WHERE participant_id = ANY(%s::bigint[])"


def plans_of(people: Iterable[int]) -> dict[int, set[int]]:
    """The plans that each of the people was ever on; of nobody else any."""
    found: dict[int, set[int]] = defaultdict(set, {person: set() for person in people})
    for person, plan in rows_read(_PLANS_OF, [numbers(sorted(found))]):
        found[person].add(plan)
    return found


@dataclass(frozen=True, slots=True)
class Places:
    """The teams, or the pools: which ones a person ever was in, and who was ever in each."""

    of: dict[int, set[str]]
    who: dict[str, set[int]]

    def mates(self, people: Iterable[int]) -> set[int]:
        return set().union(*(self.who[place] for person in people for place in self.of.get(person, ())))


@dataclass(frozen=True, slots=True)
class Readers:
    """Who moves with whom. `ties` of each plan; `assigned` the people who are or were on it; `above` everybody's
    managers, and `places` their teams and pools, of all times."""

    ties: Mapping[int, Ties]
    assigned: Mapping[int, Set[int]]
    above: Mapping[int, Collection[int]]
    places: Mapping[str, Places]
    keys: Mapping[int, str]

    def moved_with(self, people: Set[int], *, anywhere: bool = False) -> set[int]:
        """The people, and everybody whose figures depend on theirs: who reads is read in turn. `anywhere`: they may
        have been in teams and pools where nothing says so any more."""
        # By plan, whose figures of it move: credits are those of the people alone, all else follows.
        moved = {plan: set(self.assigned.get(plan, set()) & people) for plan in self.ties}
        size = -1
        while size < (size := sum(map(len, moved.values()))):
            for plan, ties in self.ties.items():
                if ties.with_others or ties.reads:
                    moved[plan] |= self._of_plan(plan, ties, people, moved, anywhere)
        return set(people).union(*moved.values())

    def _of_plan(
        self, plan: int, ties: Ties, people: Set[int], moved: Mapping[int, Set[int]], anywhere: bool
    ) -> set[int]:
        """The people on a plan whose figures of it move with those that move."""
        mine = self.assigned.get(plan, set())
        met = self._together(moved[other] & mine for other, key in self.keys.items() if key in ties.reads)
        for of, classes in ties.measures:
            giving = (self.assigned.get(other, set()) for other, each in self.ties.items() if each.gives & classes)
            met |= self._mates(of, self._together(giving) & people, mine, anywhere)
        for of in ties.shares:
            met |= self._mates(of, moved[plan] & mine, mine, anywhere)
        for of, depth, keys in ties.earnings:
            those = self._together(moved[other] for other, key in self.keys.items() if key in keys)
            met |= self._mates(of, those, mine, anywhere) if of == "team" else mine & _higher(those, self.above, depth)
        return met

    @staticmethod
    def _together(found: Iterable[Set[int]]) -> set[int]:
        return set().union(*found)

    def _mates(self, of: str, people: Set[int], mine: Set[int], anywhere: bool) -> set[int]:
        """Those on a plan who were ever in one team or pool with any of the people; all, where nothing narrower is
        shared."""
        if not people:
            return set()
        places = self.places.get(of)
        return set(mine) if places is None or anywhere else set(mine & places.mates(people))


def readers_of(versions: Versions, *also: Versions) -> Readers | None:
    """Who moves with whom by these versions, and others that were in force; None where nobody does."""
    ties = ties_by_plan(versions, *also)
    if not any(each.with_others for each in ties.values()):
        return None
    assigned: dict[int, set[int]] = defaultdict(set)
    for plan, person in PlanAssignment.objects.values_list("plan_id", "participant_id"):
        assigned[plan].add(person)
    of = {whom for each in ties.values() for whom in each.of_whom}
    keys = {
        plan_id: plan.key
        for each in (versions, *also)
        for plan_id, plan in zip(each.plan_id, each.compiled, strict=True)
    }
    return Readers(ties, assigned, ReportingLines().managers, _places(of), keys)


def _places(of: Set[str]) -> dict[str, Places]:
    rows: dict[str, Iterable[tuple[int, str]]] = {}
    if "team" in of:
        rows["team"] = Position.objects.exclude(team=None).values_list("participant_id", "team__key")
    if "pool" in of:
        rows["pool"] = Attribute.objects.filter(name="pool").values_list("participant_id", "value")
    found = {name: Places(defaultdict(set), defaultdict(set)) for name in rows}
    for name, pairs in rows.items():
        for person, place in pairs:
            found[name].of[person].add(place)
            found[name].who[place].add(person)
    return found


def _higher(people: Set[int], above: Mapping[int, Collection[int]], depth: int | None = None) -> set[int]:
    """Who stands above the people, so many levels up; None: all of them."""
    found: set[int] = set()
    level, levels = set(people), 0
    while level and (depth is None or levels < depth):
        level = {manager for person in level for manager in above.get(person, ())} - found
        found |= level
        levels += 1
    return found


_LINES = "SELECT participant_id, manager_id, starts_on, ends_on FROM people_reportingline"


#: Those of some people and of everybody who ever stood above them.
_LINES_OF = """
WITH RECURSIVE up AS (
    SELECT participant_id, manager_id, starts_on, ends_on FROM people_reportingline
    WHERE participant_id = ANY(%s::bigint[])
    UNION
    SELECT l.participant_id, l.manager_id, l.starts_on, l.ends_on
    FROM up CROSS JOIN LATERAL (SELECT * FROM people_reportingline WHERE participant_id = up.manager_id) l
) SELECT * FROM up
"""


class ReportingLines:
    """Who stands above whom, read once: above everybody, or above the people who are named and asked about."""

    def __init__(self, people: Iterable[int] | None = None) -> None:
        self.above: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        rows = rows_read(_LINES, []) if people is None else rows_read(_LINES_OF, [numbers(sorted(set(people)))])
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
