"""From credits to lines: which credits a component takes, in which order, and their running totals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crediting.kernel.credit import Credited, Source
from crediting.kernel.exact import ascending, money, packed, run_numbers, run_starts, running
from payouts.kernel.batch import Batch, Ints
from payouts.kernel.errors import DateOutsideCalendar
from payouts.kernel.order import Version


@dataclass(frozen=True, slots=True)
class Series:
    """All versions of one component, and its lines: groups one after the other, each in the order of its credits.

    Columns are by line, except `starts` (the first line of each group), `person` (a place in the people of the credits)
    and `replicate`, which are by group. `version` is a place in `versions`; `row` is -1 for a line that is no credit's.
    """

    versions: tuple[Version, ...]
    row: Ints  # in Credits
    version: Ints
    amount: Ints  # the measure amount
    whole: Ints
    day: Ints
    period: Ints
    starts: Ints
    group: Ints
    before: Ints
    after: Ints
    person: Ints
    replicate: Ints

    @property
    def last(self) -> Ints:
        """The last line of each group."""
        return np.append(self.starts[1:], self.row.size) - 1


def measure(batch: Batch, credited: Credited, versions: tuple[Version, ...]) -> Series | None:
    """The lines of one component, None where it takes no credit."""
    taken_by = np.array([_taken_by(source, versions) for source in credited.sources], dtype=np.int64)
    if not (taken_by >= 0).any():
        return None
    version = taken_by[credited.source]
    rows = np.flatnonzero(version >= 0)
    if not rows.size:
        return None
    cadences = list(dict.fromkeys(each.component.every for each in versions))
    cadence_of = np.array([cadences.index(each.component.every) for each in versions])
    key, _ = packed(
        (
            (credited.person[rows], credited.people.size),
            (cadence_of[version[rows]], len(cadences)),
            (credited.when[rows], credited.moments),
        )
    )
    rows = rows[ascending(key)]
    del key
    version, day = version[rows], credited.credits.day[rows]
    period = np.empty_like(day)
    for cadence, every in enumerate(cadences):
        mine = slice(None) if len(cadences) == 1 else cadence_of[version] == cadence
        period[mine] = periods_of(batch.periods[every], day[mine], f"credit date, by {every}")
    starts = run_starts(credited.person[rows], cadence_of[version], credited.replicate[rows], period)
    group = run_numbers(starts, rows.size)
    amount = credited.credits.amount[rows]
    after = money(running(amount, starts, group), "A running total")
    return Series(
        versions=versions,
        row=rows,
        version=version,
        amount=amount,
        whole=credited.whole[rows],
        day=day,
        period=period,
        starts=starts,
        group=group,
        before=after - amount,
        after=after,
        person=credited.person[rows[starts]],
        replicate=credited.replicate[rows[starts]],
    )


def _taken_by(source: Source, versions: tuple[Version, ...]) -> int:
    """The place of the version that takes a source's credits, -1 where none does."""
    for place, version in enumerate(versions):
        component = version.component
        if (
            source.plan == version.plan_place
            and source.credit_class in component.classes
            and source.role in component.roles
        ):
            return place
    return -1


def periods_of(bounds: Ints, day: Ints, what: str) -> Ints:
    """The period that each day lies in."""
    if not day.size:
        return day
    first, last = int(day.min()), int(day.max())
    if first < bounds[0] or last >= bounds[-1]:
        outside = first if first < bounds[0] else last
        raise DateOutsideCalendar(
            f"The {what} {iso(outside)} lies outside the calendar, "
            f"which runs from {iso(int(bounds[0]))} to before {iso(int(bounds[-1]))}."
        )
    if last - first > day.size:
        return np.searchsorted(bounds, day, side="right") - 1
    by_day = np.searchsorted(bounds, np.arange(first, last + 1), side="right") - 1
    return by_day[day - first]


def iso(day: int) -> str:
    return str(np.datetime64(day, "D"))


def pay_periods(bounds: Ints, day: Ints, waiting: Ints) -> Ints:
    """The pay period of each release day, -1 where the row is waiting."""
    found = np.full(day.size, -1, dtype=np.int64)
    due = np.flatnonzero(waiting == 0)
    found[due] = periods_of(bounds, day[due], "release date")
    return found
