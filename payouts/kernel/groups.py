"""Lines in groups: measure periods, running totals, and what a new version in mid-period means for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from crediting.kernel.conditions import Mask
from crediting.kernel.credit import Credited
from crediting.kernel.exact import Whole, money, run_numbers, run_starts, running
from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import MISSING_DAY, OF_CREDIT, OF_OPENING, Batch, Codes, Ints
from payouts.kernel.clawback import Reversals
from payouts.kernel.errors import DateOutsideCalendar
from payouts.kernel.order import Version
from payouts.kernel.sequence import in_stated_order, reorders
from payouts.kernel.variants import Variant
from plans.rules.compiled import Every

#: What a credit counts for.
COUNTS_FOR_BOTH, QUOTA_ONLY, PAY_ONLY = range(3)
_COUNTS = {"both": COUNTS_FOR_BOTH, "quota": QUOTA_ONLY, "pay": PAY_ONLY}


@dataclass(frozen=True, slots=True)
class Reversed:
    """The reversals among the lines of a series: `lines` are their places, `rows` those of one version."""

    version: int
    rows: Reversals  # `line` is the place of the origin in the series
    lines: Ints


@dataclass(frozen=True, slots=True)
class Series:
    """All versions of one component, and its lines: groups one after the other, each in the order of its credits.

    Columns are by line, except `starts` (the first line of each group), `person` (a place in the people of the credits)
    and `replicate`, which are by group. `version` is a place in `versions`. `row` is the credit, of a reversal that of
    its origin, -1 for a line of a period and for an opening. The columns that may be None are so where no line has a
    use for them.
    """

    versions: tuple[Version, ...]
    row: Ints  # in Credits
    version: Codes
    amount: Ints  # of the credit
    day: Ints
    period: Ints  # in Batch.periods of the version's `every`
    starts: Ints
    group: Ints
    before: Ints
    after: Ints
    person: Ints
    replicate: Ints
    measured: Ints | None = None  # the measure amount; None: the amount
    year: Ints | None = None  # the fiscal year that the line's group is for, -1 where it is for a period
    partial: Mask | None = None  # whether the line's group is a stretch of one version
    kind: npt.NDArray[np.int8] | None = None
    reversed: tuple[Reversed, ...] = ()
    value: Ratios | None = None  # of lines of periods
    waits: Mask | None = None
    given: Ratios | None = None
    counts: npt.NDArray[np.int8] | None = None  # COUNTS_FOR_BOTH, QUOTA_ONLY or PAY_ONLY; None: all for both
    opening: Ints | None = None  # row in Openings, -1 for none

    @property
    def last(self) -> Ints:
        """The last line of each group."""
        return np.append(self.starts[1:], self.row.size) - 1

    @property
    def amounts(self) -> Ints:
        """The measure amount of each line."""
        return self.amount if self.measured is None else self.measured

    @property
    def in_turn(self) -> Ints:
        """By what day each line stands where lines of several groups are in one order: openings are before all."""
        if self.opening is None:
            return self.day
        return np.where(self.opening >= 0, MISSING_DAY, self.day)

    @property
    def totals(self) -> Ints:
        """By line the final total of its group; of a year to date that at the end of the line's own period."""
        if self.year is None:
            total: Ints = self.after[self.last][self.group]
            return total
        starts = run_starts(self.group, self.period)
        last = np.append(starts[1:], self.row.size) - 1
        upto: Ints = self.after[last][run_numbers(starts, self.row.size)]
        return upto


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines in order, in no groups yet."""

    row: Ints
    version: Codes
    day: Ints
    measured: Ints | None
    every: slice | None = None  # where lines are all credits as they stand: parts of their columns serve as they are
    amount: Ints | None = None  # what is left of the credits' amounts, None: all
    kind: npt.NDArray[np.int8] | None = None
    reversed: tuple[Reversed, ...] = ()
    person: Ints | None = None  # None, as the two below: those of the credits
    replicate: Ints | None = None
    opening: Ints | None = None  # row in Openings, -1 for none; None: for all


def ways_of(versions: tuple[Version, ...]) -> tuple[Ints, int]:
    """By version a number of how its lines are grouped, and how many such there are."""
    kinds = [way(each) for each in versions]
    distinct = list(dict.fromkeys(kinds))
    return np.array([distinct.index(each) for each in kinds], dtype=np.int64), len(distinct)


def way(version: Version) -> tuple[Every, bool]:
    """How a version's lines are grouped: by periods of which length, and whether all of a fiscal year are one group.
    Nothing goes on from groups of one way to those of another."""
    return version.component.every, yearly(version)


def yearly(version: Version) -> bool:
    """Whether a version's lines of a fiscal year are one group."""
    measure = version.component.measure
    return measure.window == "year_to_date" and measure.by == "credit"


def grouped(
    batch: Batch, credited: Credited, versions: tuple[Version, ...], variant: Variant | None, lines: Lines
) -> Series:
    """Groups with their running totals, each line by the version that rates it."""
    row, version, day = lines.row, lines.version, lines.day
    every_of = [each.component.every for each in versions]
    period = np.empty_like(day)
    for every in dict.fromkeys(every_of):
        mine: slice | Mask = slice(None)
        if len(set(every_of)) > 1:
            mine = np.array([each == every for each in every_of])[version]
        period[mine] = periods_of(batch.periods[every], day[mine], f"credit date, by {every}")
    year = _years(batch, versions, version, day)
    span = period if year is None else np.where(year >= 0, year, period)
    cadence_of, _ = ways_of(versions)
    at = row if lines.every is None else lines.every
    person = credited.person[at] if lines.person is None else lines.person
    replicate = credited.replicate[at] if lines.replicate is None else lines.replicate
    starts = run_starts(person, cadence_of[version], replicate, span)
    partial = None
    if len({each.plan_place for each in versions}) > 1:
        version, starts, partial, order = _decided(versions, lines, version, starts)
        if order is not None:
            lines = _moved(lines, order)
            row, day, at, period = lines.row, lines.day, lines.row, period[order]
            year = None if year is None else year[order]
    if variant is not None:
        # A reversal goes by what held when its line was credited.
        version = variant(version, credited.people[person], credited_or(credited.credits.day, row, day))
    group = run_numbers(starts, row.size)
    amount = credited.credits.amount[at] if lines.amount is None else lines.amount
    if reorders(versions):
        turn = period if lines.opening is None else np.where(lines.opening >= 0, -1, period)
        order = in_stated_order(credited, versions, version, starts, turn, row, amount, lines.kind)
        lines = _moved(lines, order)
        row, day, version, period, amount = lines.row, lines.day, version[order], period[order], amount[order]
    measured = amount if lines.measured is None else lines.measured
    counts = _counts(credited, row)
    raising = measured if counts is None else np.where(counts == PAY_ONLY, 0, measured)
    after = money(running(raising, starts, group), "A running total")
    return Series(
        versions=versions,
        row=row,
        version=version,
        amount=amount,
        day=day,
        period=period,
        starts=starts,
        group=group,
        before=after - raising,
        after=after,
        person=person[starts],
        replicate=replicate[starts],
        measured=lines.measured,
        year=year,
        partial=partial,
        kind=lines.kind,
        reversed=lines.reversed,
        counts=counts,
        opening=lines.opening,
    )


def credited_or(column: Whole, row: Ints, otherwise: Whole) -> Whole:
    """A column of credits at these rows, what stands in `otherwise` for lines that are no credit's (-1)."""
    known = row >= 0
    found: Whole = column[row] if known.all() else otherwise.copy()
    found[known] = column[row[known]]
    return found


def grouping_starts(batch: Batch, versions: tuple[Version, ...], version: Ints, day: Ints) -> Ints:
    """The first day of the measure period, or fiscal year, of which lines with these days are a group."""
    found = np.empty_like(day)
    for place, each in enumerate(versions):
        mine = np.flatnonzero(version == place)
        every: Every = "year" if yearly(each) else each.component.every
        bounds = batch.periods[every]
        found[mine] = bounds[periods_of(bounds, day[mine], f"day of an opening, by {every}")]
    return found


def _counts(credited: Credited, row: Ints) -> npt.NDArray[np.int8] | None:
    """What each credit counts for, None where all count for both."""
    counts = np.array([_COUNTS[each.counts_for] for each in credited.sources], dtype=np.int8)
    if not counts.any():
        return None
    # What is no credit's has source -1, which picks the last.
    source = credited_or(credited.source, row, np.full(row.size, -1))
    found = np.append(counts, np.int8(COUNTS_FOR_BOTH))[source]
    return found if found.any() else None


def _moved(lines: Lines, order: Ints) -> Lines:
    """The lines at other places."""
    place = np.empty_like(order)
    place[order] = np.arange(order.size)

    def moved(column: Any) -> Any:
        return None if column is None else column[order]

    return Lines(
        row=lines.row[order],
        version=lines.version[order],
        day=lines.day[order],
        measured=moved(lines.measured),
        amount=moved(lines.amount),
        kind=moved(lines.kind),
        reversed=moved_reversals(lines.reversed, place),
        person=moved(lines.person),
        replicate=moved(lines.replicate),
        opening=moved(lines.opening),
    )


def moved_reversals(found: tuple[Reversed, ...], place: Ints) -> tuple[Reversed, ...]:
    """Reversals whose lines now stand at these places."""
    return tuple(
        replace(each, rows=replace(each.rows, line=place[each.rows.line]), lines=place[each.lines]) for each in found
    )


def _years(batch: Batch, versions: tuple[Version, ...], version: Ints, day: Ints) -> Ints | None:
    """The fiscal year of each line that runs to date, -1 for others; None where all are others."""
    to_date = np.array([yearly(each) for each in versions])
    if not to_date.any():
        return None
    return np.where(to_date[version], periods_of(batch.periods["year"], day, "credit date, by year"), -1)


def _decided(
    versions: tuple[Version, ...], lines: Lines, version: Ints, starts: Ints
) -> tuple[Ints, Ints, Mask | None, Ints | None]:
    """What a new version in mid-period means for each group, by the version of its last credit: the versions of the
    lines, the groups' first lines, and which lines stand in a stretch of one version. The last says in which order,
    None where they stand as they stood: a reversal goes to the stretch of the version that gave its line the credit."""
    rows = version.size
    group = run_numbers(starts, rows)
    # A reversal goes with the credit before it, or else with its group's first; where there is none it stands alone.
    places = np.arange(rows)
    leading = places
    if lines.kind is not None:
        credit = (lines.kind == OF_CREDIT) | (lines.kind == OF_OPENING)
        before = np.maximum.accumulate(np.where(credit, places, -1))
        after = np.minimum.accumulate(np.where(credit, places, rows)[::-1])[::-1]
        behind = before >= starts[group]
        ahead = (after < rows) & (group[np.minimum(after, rows - 1)] == group)
        leading = np.where(behind, before, np.where(ahead, after, places))
    plan_of = np.array([each.plan_place for each in versions])
    plan = plan_of[version[leading]]
    last = np.append(starts[1:], rows) - 1
    decides = np.array([each.plan.on_new_version for each in versions])[version[leading[last]]]
    partial = (decides == "restart")[group]
    if (decides == "rerun").any():
        by_last = plan[last][group]
        to = np.full((len(versions), int(plan_of.max()) + 1), -1, dtype=np.int64)
        for place in range(len(versions) - 1, -1, -1):
            to[:, plan_of[place]] = place
        again = (decides == "rerun")[group]
        if lines.kind is not None:
            again &= (lines.kind == OF_CREDIT) | (lines.kind == OF_OPENING)
        version = np.where(again, to[version, by_last], version)
    if not partial.any():
        return version, starts, None, None
    # Stretches stand as their versions came into force, whatever is taken back first.
    turns = list(dict.fromkeys(plan_of.tolist()))
    turn = np.array([turns.index(place) for place in plan_of], dtype=np.int64)
    stretch = np.where(partial, turn[version], -1)
    if not ((np.diff(stretch) < 0) & (np.diff(group) == 0)).any():
        return version, run_starts(group, stretch), partial, None
    order = np.lexsort((places, stretch, group))
    group, stretch, partial = group[order], stretch[order], partial[order]
    return version[order], run_starts(group, stretch), partial, order


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


def pay_periods(bounds: Ints, day: Ints, waiting: Mask) -> Ints:
    """The pay period of each release day, -1 where the row is waiting."""
    if not waiting.any():
        return periods_of(bounds, day, "release date")
    found = np.full(day.size, -1, dtype=np.int64)
    due = np.flatnonzero(~waiting)
    found[due] = periods_of(bounds, day[due], "release date")
    return found
