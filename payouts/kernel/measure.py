"""From credits to lines: which credits a component takes, in which order, and their running totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crediting.kernel.credit import Credited, Source
from crediting.kernel.exact import ascending, largest, money, packed, run_numbers, run_starts, running
from payouts.kernel.batch import LARGEST, MISSING_MONEY, Batch, Ints, Quotas
from payouts.kernel.errors import AmountOutOfRange, BadQuota, DateOutsideCalendar
from plans.rules.compiled import CompiledPlan, Component


@dataclass(frozen=True, slots=True)
class Version:
    """A component as one plan version states it. A credit of the plan version is rated by it."""

    plan: CompiledPlan
    plan_place: int
    component: Component
    component_place: int


@dataclass(frozen=True, slots=True)
class Series:
    """All versions of one component, and its lines: groups one after the other, each in the order of its credits.

    Columns are by line, except `starts` (the first line of each group). `version` is a place in `versions`.
    """

    versions: tuple[Version, ...]
    row: Ints  # in Credits
    version: Ints
    amount: Ints
    whole: Ints
    day: Ints
    period: Ints
    starts: Ints
    group: Ints
    before: Ints
    after: Ints


def series_of(plans: Sequence[CompiledPlan]) -> list[tuple[Version, ...]]:
    """The versions of each component, by plan key and component key, in the order in which they first stand."""
    families: dict[tuple[str, str], list[Version]] = {}
    for plan_place, plan in enumerate(plans):
        for component_place, component in enumerate(plan.components):
            family = families.setdefault((plan.key, component.key), [])
            family.append(Version(plan, plan_place, component, component_place))
    return [tuple(family) for family in families.values()]


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
    people = credited.people.size
    key, _ = packed(
        (
            (credited.person[rows], people),
            (cadence_of[version[rows]], len(cadences)),
            (credited.when[rows], credited.moments),
        )
    )
    rows = rows[ascending(key)]
    version, day = version[rows], credited.credits.day[rows]
    period = np.empty_like(day)
    for cadence, every in enumerate(cadences):
        mine = slice(None) if len(cadences) == 1 else cadence_of[version] == cadence
        period[mine] = _periods(batch.periods[every], day[mine], f"credit date, by {every}")
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


def _periods(bounds: Ints, day: Ints, what: str) -> Ints:
    """The period that each day lies in."""
    if not day.size:
        return day
    first, last = int(day.min()), int(day.max())
    if first < bounds[0] or last >= bounds[-1]:
        outside = first if first < bounds[0] else last
        raise DateOutsideCalendar(
            f"The {what} {_iso(outside)} lies outside the calendar, "
            f"which runs from {_iso(int(bounds[0]))} to before {_iso(int(bounds[-1]))}."
        )
    if last - first > day.size:
        return np.searchsorted(bounds, day, side="right") - 1
    by_day = np.searchsorted(bounds, np.arange(first, last + 1), side="right") - 1
    return by_day[day - first]


def _iso(day: int) -> str:
    return str(np.datetime64(day, "D"))


class QuotaBook:
    """Quotas by key, found by participant and measure period."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas

    def find(self, version: Version, bounds: Ints, people: Ints, person: Ints, period: Ints) -> Ints:
        """The quota of each person (a place in `people`) for a period, MISSING_MONEY where there is none."""
        found = np.full(person.size, MISSING_MONEY, dtype=np.int64)
        key, quotas = version.component.quota, self._quotas
        if key not in quotas.key.vocabulary or not people.size:
            return found
        rows = np.flatnonzero(quotas.key.codes == quotas.key.vocabulary.index(key))
        # Start and end must be those of one measure period, the person one of ours.
        index = np.minimum(np.searchsorted(bounds, quotas.start[rows]), bounds.size - 2)
        owner = np.minimum(np.searchsorted(people, quotas.participant[rows]), people.size - 1)
        fits = (bounds[index] == quotas.start[rows]) & (bounds[index + 1] == quotas.end[rows])
        fits &= people[owner] == quotas.participant[rows]
        rows, keys = rows[fits], owner[fits] * bounds.size + index[fits]
        if not rows.size:
            return found
        order = np.argsort(keys, kind="stable")
        rows, keys = rows[order], keys[order]
        wanted = person * bounds.size + period
        place = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
        met = keys[place] == wanted
        twin = np.minimum(place + 1, keys.size - 1)
        doubled = met & (twin > place) & (keys[twin] == wanted)
        found[met] = quotas.amount[rows[place[met]]]
        for wrong, what in ((doubled, "has two quotas"), (met & (found < 0), "has a negative quota")):
            if wrong.any():
                who, when = people[person[wrong][0]], _iso(int(bounds[period[wrong][0]]))
                raise BadQuota(
                    f"Participant {who} {what} {key!r} for the {version.component.every} from {when}; "
                    "at most one quota is allowed, of zero or more."
                )
        if met.any() and largest(found[met]) > LARGEST:
            raise AmountOutOfRange(
                f"A quota {key!r} of {largest(found[met])} minor units is out of range; at most {LARGEST}."
            )
        return found


def pay_periods(bounds: Ints, day: Ints, waiting: Ints) -> Ints:
    """The pay period of each release day, -1 where the row is waiting."""
    found = np.full(day.size, -1, dtype=np.int64)
    due = np.flatnonzero(waiting == 0)
    found[due] = _periods(bounds, day[due], "release date")
    return found
