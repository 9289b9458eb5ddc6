"""Who is assigned to a plan, and who reports to whom, as of a day: looked up for many rows at once."""

from __future__ import annotations

import numpy as np

from crediting.kernel.columns import (
    FAR_DAY,
    MISSING_DAY,
    Assignments,
    Attributes,
    Employment,
    Ints,
    Reporting,
    Text,
)
from crediting.kernel.conditions import Mask
from crediting.kernel.errors import BadReporting

#: Ids spread over at most this many times their number are looked up in a table, else by binary search.
_SPREAD = 8


class Places:
    """Finds ids among known ones."""

    def __init__(self, known: Ints) -> None:
        self.ids: Ints = np.unique(known)
        self._first = int(self.ids[0]) if self.ids.size else 0
        extent = int(self.ids[-1]) - self._first + 1 if self.ids.size else 0
        self._table: Ints | None = None
        if 0 < extent <= _SPREAD * self.ids.size + 1024:
            self._table = np.full(extent + 1, -1, dtype=np.int64)
            self._table[self.ids - self._first] = np.arange(self.ids.size)

    def of(self, ids: Ints) -> Ints:
        """The place of each id among the known ones in ascending order, -1 for an unknown one."""
        if self._table is not None:
            extent = self._table.size - 1
            within = (ids >= self._first) & (ids < self._first + extent)
            # The table's last entry is -1 and stands for everything outside.
            return self._table[np.where(within, ids - self._first, extent)]
        if not self.ids.size:
            return np.full(ids.size, -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(self.ids, ids), self.ids.size - 1)
        return np.where(self.ids[places] == ids, places, -1)


class Spans:
    """Half-open day spans of numbered owners, each carrying a value."""

    def __init__(self, owner: Ints, owners: int, start: Ints, end: Ints, value: Ints) -> None:
        order = np.lexsort((value, end, start, owner))
        self._start, self._end, self._value = start[order], end[order], value[order]
        self._count = np.bincount(owner, minlength=owners)
        self._first = np.cumsum(self._count) - self._count
        self._most = int(self._count.max()) if owner.size else 0

    def at(self, owner: Ints, day: Ints) -> Ints:
        """The value of each owner's span that holds the day (of several: the latest to start), -1 where none does."""
        found = np.full(owner.size, -1, dtype=np.int64)
        if not self._most:
            return found
        known = owner >= 0
        count = np.where(known, self._count[owner], 0)
        first = self._first[owner]
        # A person has few spans, so going through their places is cheaper than a binary search a row.
        for place in range(self._most):
            span = np.minimum(first + place, self._start.size - 1)
            holds = (count > place) & (self._start[span] <= day) & (day < self._end[span])
            if place == 0:
                found = np.where(holds, self._value[span], -1)
            else:
                found[holds] = self._value[span[holds]]
        return found


class People:
    """The people that a calculation knows, by their place in the ascending order of ids. Raises BadReporting where
    somebody has two managers on one day."""

    def __init__(self, assignments: Assignments, reporting: Reporting, plans: int, only: Ints | None) -> None:
        _one_manager(reporting)
        self._places = Places(np.concatenate((assignments.participant, reporting.participant, reporting.manager)))
        self.ids = self._places.ids
        self._assigned = Spans(
            assignments.plan * self.ids.size + self.places(assignments.participant),
            plans * self.ids.size,
            assignments.start,
            assignments.end,
            assignments.plan,
        )
        self._managers = Spans(
            self.places(reporting.participant),
            self.ids.size,
            reporting.start,
            reporting.end,
            self.places(reporting.manager),
        )
        self.anyone_reports = bool(reporting.participant.size)
        self._wanted = None if only is None else np.append(np.isin(self.ids, only), False)

    def places(self, ids: Ints) -> Ints:
        """Each person's place, -1 for one who is in no plan and in no reporting line."""
        return self._places.of(ids)

    def credited(self, plan: int, person: Ints, day: Ints) -> Ints:
        """The rows whose person is assigned to the plan on the day, and is one that the result is wanted for."""
        if self._wanted is None:
            return np.flatnonzero(self._in_plan(plan, person, day))
        wanted = np.flatnonzero(self._wanted[person])
        return wanted[self._in_plan(plan, person[wanted], day[wanted])]

    def managers(self, person: Ints, day: Ints) -> Ints:
        """The manager's place as of the day, -1 where there is none."""
        return self._managers.at(person, day)

    def _in_plan(self, plan: int, person: Ints, day: Ints) -> Mask:
        owner = np.where(person >= 0, plan * self.ids.size + person, -1)
        return self._assigned.at(owner, day) >= 0


def _one_manager(reporting: Reporting) -> None:
    """Refuses two reporting lines of one person on one day."""
    order = np.lexsort((reporting.manager, reporting.end, reporting.start, reporting.participant))
    order = order[reporting.start[order] < reporting.end[order]]
    above, below = order[:-1], order[1:]
    doubled = (reporting.participant[above] == reporting.participant[below]) & (
        reporting.end[above] > reporting.start[below]
    )
    if doubled.any():
        place = int(np.argmax(doubled))
        first, second = reporting.manager[above[place]], reporting.manager[below[place]]
        day = np.datetime64(int(reporting.start[below[place]]), "D")
        raise BadReporting(
            f"Participant {reporting.participant[below[place]]} reports to {first} and to {second} on {day}; "
            "a person has at most one manager on a day."
        )


class Careers:
    """What people are by dates: their attributes, and when they are employed and on leave. People by participant id."""

    def __init__(self, attributes: Attributes | None, employment: Employment | None) -> None:
        self._attributes = attributes
        self._described = Places(_NOBODY if attributes is None else attributes.participant)
        self._held: dict[str, Spans] = {}
        start, end, leave = _NOBODY, _NOBODY, _NOBODY
        employed = Places(_NOBODY)
        owner = _NOBODY
        if employment is not None:
            employed = Places(employment.participant)
            owner, leave = employed.of(employment.participant), employment.leave.astype(np.int64)
            start, end = employment.start, employment.end
        self._employed = employed
        people = employed.ids.size
        work, away = np.flatnonzero(leave == 0), np.flatnonzero(leave != 0)
        self._work = Spans(owner[work], people, start[work], end[work], np.ones_like(work))
        self._away = Spans(owner[away], people, start[away], end[away], np.ones_like(away))
        # The last place is everybody without a span of employment.
        self._hired = np.full(people + 1, FAR_DAY, dtype=np.int64)
        np.minimum.at(self._hired, owner[work], start[work])
        self._hired[self._hired == FAR_DAY] = MISSING_DAY

    def attribute(self, name: str, participant: Ints, day: Ints) -> Text:
        """The attribute's value on the day, missing where there is none."""
        given = self._attributes
        if given is None:
            return Text(np.full(participant.size, -1, dtype=np.int32), ())
        if name not in self._held:
            code = given.name.vocabulary.index(name) if name in given.name.vocabulary else None
            rows = np.flatnonzero(given.name.codes == code) if code is not None else _NOBODY
            self._held[name] = Spans(
                self._described.of(given.participant[rows]),
                self._described.ids.size,
                given.start[rows],
                given.end[rows],
                given.value.codes[rows].astype(np.int64),
            )
        codes = self._held[name].at(self._described.of(participant), day)
        return Text(codes.astype(np.int32), given.value.vocabulary)

    def hired(self, participant: Ints) -> Ints:
        """The first day employed, MISSING_DAY for people without a span of employment."""
        return self._hired[self._employed.of(participant)]

    def employed(self, participant: Ints, day: Ints) -> Mask:
        """Whether each is employed on the day; who has no span of employment is."""
        place = self._employed.of(participant)
        return np.asarray((self._hired[place] == MISSING_DAY) | (self._work.at(place, day) >= 0), dtype=bool)

    def on_leave(self, participant: Ints, day: Ints) -> Mask:
        return np.asarray(self._away.at(self._employed.of(participant), day) >= 0, dtype=bool)


_NOBODY = np.zeros(0, dtype=np.int64)
