"""Which part of a period somebody is on a plan: number 26 of docs/plan-language.md. See docs/algorithms/proration.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from comp.core.spans import calendar_days, full_months, whole_months, working_days
from crediting.kernel.exact import Whole, run_starts
from crediting.kernel.people import Places
from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import FAR_DAY, Batch, Ints
from plans.rules.compiled import Proration, Ramp

_NONE = np.zeros(0, dtype=np.int64)
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
        """The days of each period [start, end) on which a version of the plan is the person's: those assigned to it,
        from the period's first day where no other version was before it, to its last where none is after it."""
        first, behind = end.copy(), start.copy()
        own_start, own_end, others = np.full_like(start, FAR_DAY), np.full_like(end, -FAR_DAY), []
        for place in range(len(self._batch.plans)):
            if self._batch.plans[place].key != plan:
                continue
            spans = self._spans(self._batch.assignments.plan == place)
            for turn in range(spans.most):
                a, b = spans.at(person, turn)
                within = (a < end) & (b > start) & (b > a)
                if place == version:
                    own_start[within] = np.minimum(own_start, a)[within]
                    own_end[within] = np.maximum(own_end, b)[within]
                else:
                    others.append((a, within))
        first, behind = np.maximum(own_start, start), np.minimum(own_end, end)
        earlier, later = np.zeros(start.size, dtype=bool), np.zeros(start.size, dtype=bool)
        for a, within in others:
            earlier |= within & (a < own_start)
            later |= within & (a >= own_start)
        first, behind = np.where(earlier, first, start), np.where(later, behind, end)
        return first, np.maximum(first, behind)

    def assigned(self, plan: str, person: Ints, start: Ints, end: Ints) -> Ints:
        """Whether each person is assigned to the plan on some day of [start, end)."""
        spans = self._of(plan, employed=False, leave=False)
        found = np.zeros(person.size, dtype=bool)
        for turn in range(spans.most):
            a, b = spans.at(person, turn)
            found |= (a < end) & (b > start) & (b > a)
        return found

    def ramp(self, ramp: Ramp, plan: str, shares: tuple, person: Ints, start: Ints) -> Ratios:  # type: ignore[type-arg]
        """The percentage of each person in a period that begins on `start`; whole where nobody says when it began."""
        begun = self._begun(ramp, plan)[person]
        known = begun < FAR_DAY
        place = whole_months(np.where(known, np.minimum(begun, start), start), start)
        place = np.where(known, np.minimum(place, len(shares)), len(shares))
        bottoms = [share.denominator for share in (*shares, 1)]
        tops = [share.numerator for share in (*shares, 1)]
        return Ratios(np.array(tops, dtype=np.int64)[place], np.array(bottoms, dtype=np.int64)[place])

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
            return full_months
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

    def _spans(self, mine: Ints) -> Stretches:
        return self._sweep(np.flatnonzero(mine), False, False)

    def _sweep(self, assigned: Ints, employed: bool, leave: bool) -> Stretches:
        """Goes through the days on which anything begins or ends, person by person."""
        assignments, employment = self._batch.assignments, self._batch.employment
        layers = [
            (
                self._places.of(assignments.participant[assigned]),
                assignments.start[assigned],
                assignments.end[assigned],
            )
        ]
        needed = 1
        if employment is not None and (employed or leave):
            person = self._places.of(employment.participant)
            work, away = employment.leave == 0, employment.leave == 1
            if employed:
                free = np.setdiff1d(np.arange(self._people), person[work])
                layers.append((person[work], employment.start[work], employment.end[work]))
                layers.append((free, np.full(free.size, -FAR_DAY), np.full(free.size, FAR_DAY)))
                needed = 2
        level: Whole = _NONE
        owner = np.concatenate([each[0] for each in layers] * 2)
        day = np.concatenate([each[1] for each in layers] + [each[2] for each in layers])
        # Spans of one kind may touch or overlap: each kind is counted in digits of its own.
        sizes = [each[0].size for each in layers]
        digit = np.repeat([1, 1 << 20, 1 << 20][: len(layers)], sizes)
        level = np.concatenate((digit, -digit))
        if employment is not None and leave and employed:
            mine = np.flatnonzero(away)
            owner = np.concatenate((owner, person[mine], person[mine]))
            day = np.concatenate((day, employment.start[mine], employment.end[mine]))
            level = np.concatenate((level, np.full(mine.size, 1 << 40), np.full(mine.size, -(1 << 40))))
        known = owner >= 0
        owner, day, level = owner[known], day[known], level[known]
        order = np.lexsort((day, owner))
        owner, day = owner[order], day[order]
        heads = run_starts(owner, day)
        settled = np.cumsum(level[order])[np.append(heads[1:], owner.size) - 1] if owner.size else _NONE
        owner, day = owner[heads], day[heads]
        active = (settled % (1 << 20) > 0) & (settled < 1 << 40)
        if needed == 2:
            active &= (settled >> 20) % (1 << 20) > 0
        # Everything has ended by a person's last day here, so no stretch runs on into the next person.
        before = np.append(False, active[:-1]) if active.size else active
        begins, ends = active & ~before, ~active & before
        count = np.bincount(owner[begins], minlength=self._people)
        return Stretches(np.cumsum(count) - count, count, day[begins], day[ends])
