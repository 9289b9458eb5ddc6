"""Which part of a period somebody is on a plan: number 26 of docs/plan-language.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from comp.core.spans import calendar_days, whole_months, working_days
from crediting.kernel.conditions import Mask
from crediting.kernel.exact import run_starts
from crediting.kernel.people import Places
from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import FAR_DAY, Batch, Ints
from payouts.kernel.reads import taken
from plans.rules.compiled import Ramp
from plans.rules.compiled_pay import Proration

_NONE = np.zeros(0, dtype=np.int64)
#: What holds a person on a day.
_ASSIGNED, _EMPLOYED, _AWAY = range(3)
#: How many days of [start, end) count.
Count = Callable[[Ints, Ints], Ints]


@dataclass(frozen=True, slots=True)
class Stretches:
    """Half-open day spans by person, apart from each other and in order. `first` and `count` are by person."""

    first: Ints
    count: Ints
    start: Ints
    end: Ints

    @property
    def most(self) -> int:
        return int(self.count.max(initial=0))

    def at(self, person: Ints, place: int) -> tuple[Ints, Ints]:
        """Each person's stretch at a place, an empty one where there are fewer."""
        there = self.count[person] > place
        row = np.where(there, self.first[person] + place, 0)
        return np.where(there, self.start[row], 0), np.where(there, self.end[row], 0)


class Presence:
    """When people are assigned to a plan, employed and not on leave. A person is a place in `people` (ids)."""

    def __init__(self, batch: Batch, people: Ints) -> None:
        self._batch = batch
        self._places = Places(people)
        self._people = people.size
        self._stretches: dict[tuple[str, bool, bool], Stretches] = {}

    def share(
        self, rules: Proration, plan: str, person: Ints, start: Ints, end: Ints, window: tuple[Ints, Ints] | None
    ) -> Ratios:
        """The active part of each period [start, end), of a window of it only where one is given; 1 where the period
        holds nothing that counts."""
        count = self._count(rules)
        total = count(start, end)
        active = self._active(rules, plan, person, start, end, window, count)
        return Ratios(np.where(total == 0, 1, active), np.where(total == 0, 1, total))

    def window_share(self, rules: Proration, start: Ints, end: Ints, window: tuple[Ints, Ints]) -> Ratios:
        """The part of each period that a window of it is, whoever is there."""
        count = self._count(rules)
        total, part = count(start, end), count(*window)
        return Ratios(np.where(total == 0, 1, part), np.where(total == 0, 1, total))

    def window(self, plan: str, version: int, person: Ints, start: Ints, end: Ints) -> tuple[Ints, Ints]:
        """The days of each period [start, end) that belong to a version of the plan: from the first on which it is the
        person's, or the period's first where no other version was before it, to where the next one begins, or the
        period's last."""
        first = end
        others: list[tuple[Ints, Mask]] = []
        for place, each in enumerate(self._batch.plans):
            if each.key != plan:
                continue
            spans = self._sweep(np.flatnonzero(self._batch.assignments.plan == place), False, False)
            for turn in range(spans.most):
                begins, ends = spans.at(person, turn)
                within = (begins < end) & (ends > start)
                if place == version:
                    first = np.where(within, np.minimum(first, np.maximum(begins, start)), first)
                else:
                    others.append((begins, within))
        before, behind = np.zeros(start.size, dtype=bool), end
        for begins, within in others:
            before |= within & (begins < first)
            behind = np.where(within & (begins >= first), np.minimum(behind, begins), behind)
        return np.where(before, first, start), behind

    def ramp(self, ramp: Ramp, shares: tuple[Fraction, ...], plan: str, person: Ints, start: Ints) -> Ratios:
        """The percentage of each person in a period that begins on `start`; whole where nobody says when it began."""
        begun = self._begun(ramp, plan)[person]
        known = begun < FAR_DAY
        place = whole_months(np.where(known, np.minimum(begun, start), start), start)
        place = np.where(known, np.minimum(place, len(shares)), len(shares))
        return taken(Ratios.read([*shares, Fraction(1)]), place)

    def _begun(self, ramp: Ramp, plan: str) -> Ints:
        """The first day employed, or assigned to the plan, by person; FAR_DAY where there is none."""
        first = np.full(self._people, FAR_DAY, dtype=np.int64)
        if ramp.start == "assigned":
            mine = self._on(plan)
            person, day = self._batch.assignments.participant[mine], self._batch.assignments.start[mine]
        else:
            employment = self._batch.employment
            if employment is None:
                return first
            mine = employment.leave == 0
            person, day = employment.participant[mine], employment.start[mine]
        person = self._places.of(person)
        np.minimum.at(first, person[person >= 0], day[person >= 0])
        return first

    def _active(
        self,
        rules: Proration,
        plan: str,
        person: Ints,
        start: Ints,
        end: Ints,
        window: tuple[Ints, Ints] | None,
        count: Count,
    ) -> Ints:
        spans = self._of(plan, employed=True, leave=rules.leave == "excluded")
        low, high = (start, end) if window is None else window
        found = np.zeros(person.size, dtype=np.int64)
        for turn in range(spans.most):
            first, behind = spans.at(person, turn)
            if rules.first_day == "does_not_count":
                first = first + ((first > start) & (first < end))
            if rules.last_day == "does_not_count":
                behind = behind - ((behind > start) & (behind < end))
            found += count(np.clip(first, low, high), np.clip(behind, low, high))
        return found

    def _count(self, rules: Proration) -> Count:
        if rules.method == "calendar_days":
            return calendar_days
        if rules.method == "whole_months":
            months = self._batch.periods["month"]
            return lambda start, end: np.maximum(
                np.searchsorted(months, end, side="right") - np.searchsorted(months, start) - 1, 0
            )
        holidays = self._batch.holidays if self._batch.holidays is not None else _NONE
        return lambda start, end: working_days(start, end, holidays)

    def _on(self, plan: str) -> Ints:
        """The rows of assignments to any version of a plan."""
        versions = [place for place, each in enumerate(self._batch.plans) if each.key == plan]
        return np.flatnonzero(np.isin(self._batch.assignments.plan, versions))

    def _of(self, plan: str, *, employed: bool, leave: bool) -> Stretches:
        key = (plan, employed, leave)
        if key not in self._stretches:
            self._stretches[key] = self._sweep(self._on(plan), employed, leave)
        return self._stretches[key]

    def _sweep(self, assigned: Ints, employed: bool, leave: bool) -> Stretches:
        """The stretches of days on which a person is assigned, and employed and not on leave where that is asked: by
        going through the days on which any span of these begins or ends, person by person."""
        assignments, employment = self._batch.assignments, self._batch.employment
        owner = self._places.of(assignments.participant[assigned])
        spans = [(_ASSIGNED, owner, assignments.start[assigned], assignments.end[assigned])]
        employed = employed and employment is not None
        if employed:
            assert employment is not None
            person, work, away = self._places.of(employment.participant), employment.leave == 0, employment.leave == 1
            spans.append((_EMPLOYED, person[work], employment.start[work], employment.end[work]))
            # Everybody without employment rows is employed.
            others = np.setdiff1d(np.arange(self._people), person[work])
            spans.append((_EMPLOYED, others, np.full(others.size, -FAR_DAY), np.full(others.size, FAR_DAY)))
            if leave:
                spans.append((_AWAY, person[away], employment.start[away], employment.end[away]))
        owner = np.concatenate([each[1] for each in spans] * 2)
        day = np.concatenate([each[2] for each in spans] + [each[3] for each in spans])
        rows = owner.size // 2
        change = np.zeros((2 * rows, 3), dtype=np.int64)
        kind = np.repeat([each[0] for each in spans], [each[1].size for each in spans])
        change[np.arange(rows), kind] = 1
        change[np.arange(rows, 2 * rows), kind] = -1
        order = np.lexsort((day, owner))
        order = order[owner[order] >= 0]
        owner, day = owner[order], day[order]
        last = np.append(run_starts(owner, day)[1:], owner.size) - 1 if owner.size else order
        owner, day, holding = owner[last], day[last], np.cumsum(change[order], axis=0)[last]
        active = (holding[:, _ASSIGNED] > 0) & (holding[:, _AWAY] == 0)
        if employed:
            active &= holding[:, _EMPLOYED] > 0
        # All spans of a person have ended by the last of these days, so no stretch runs on into the next person.
        before = np.zeros_like(active)
        before[1:] = active[:-1]
        begins, ends = active & ~before, ~active & before
        count = np.bincount(owner[begins], minlength=self._people)
        return Stretches(np.cumsum(count) - count, count, day[begins], day[ends])
