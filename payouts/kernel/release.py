"""From earnings to payables: tranches, their triggers and pay periods. See docs/algorithms/release.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from comp.core.rounding import Mode
from comp.core.spans import add_months, day_in_month
from crediting.kernel.conditions import Mask
from crediting.kernel.exact import Whole, largest, run_numbers, run_starts, scaled, wide
from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import (
    DATED,
    FAR_DAY,
    HELD,
    LOST,
    MISSING_DAY,
    WAITING,
    WITHHELD,
    Batch,
    Codes,
    Ints,
    Tranches,
    Usage,
)
from payouts.kernel.cash import Cash
from payouts.kernel.errors import DateOutsideCalendar
from payouts.kernel.groups import pay_periods
from payouts.kernel.order import Version
from plans.rules.compiled import CompiledPlan
from plans.rules.compiled_pay import Tranche


class Triggers:
    """The day on which each deal meets a trigger, MISSING_DAY while it does not."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._days: dict[tuple[str, Fraction | None, str], Ints] = {}
        self.cash = Cash(batch.facts)

    def days(self, entry: Tranche) -> Ints:
        """By fact row, for a milestone or usage entry."""
        key = (entry.on, entry.at, entry.reading)
        if key not in self._days:
            self._days[key] = self._milestone(entry.on) if entry.at is None else self._usage(entry.at, entry.reading)
        return self._days[key]

    def employed_until(self, participant: Ints) -> Ints:
        """The first day after each participant's last employment; FAR_DAY where no employment is known."""
        employment = self._batch.employment
        if employment is None or not participant.size:
            return np.full(participant.size, FAR_DAY, dtype=np.int64)
        spans = np.flatnonzero(employment.leave == 0)
        people, place = np.unique(employment.participant[spans], return_inverse=True)
        if not people.size:
            return np.full(participant.size, FAR_DAY, dtype=np.int64)
        last = np.full(people.size, MISSING_DAY, dtype=np.int64)
        np.maximum.at(last, place, employment.end[spans])
        at = np.minimum(np.searchsorted(people, participant), people.size - 1)
        return np.where(people[at] == participant, last[at], FAR_DAY)

    def _milestone(self, kind: str) -> Ints:
        milestones = self._batch.milestones
        if kind not in milestones.kind.vocabulary:
            return self._earliest(milestones.deal[:0], milestones.day[:0])
        rows = np.flatnonzero(milestones.kind.codes == milestones.kind.vocabulary.index(kind))
        return self._earliest(milestones.deal[rows], milestones.day[rows])

    def _usage(self, at: Fraction, reading: str) -> Ints:
        usage = self._batch.usage
        used = wide(usage.used, largest(usage.used) * at.denominator) * at.denominator
        due = wide(usage.contracted, largest(usage.contracted) * at.numerator) * at.numerator
        reached = (usage.contracted > 0) & (used >= due)
        if reading == "live":
            # Only what was read after the last reading that fell short still stands. A later one of that day does away
            # with it; of equals the lowest counts.
            fell = np.flatnonzero(~reached & self._last_of_day(usage))
            reached &= self._last_of_day(usage)
            short = np.full(self._batch.facts.id.size, MISSING_DAY, dtype=np.int64)
            np.maximum.at(short, usage.deal[fell], usage.day[fell])
            reached &= usage.day > short[usage.deal]
        rows = np.flatnonzero(reached)
        return self._earliest(usage.deal[rows], usage.day[rows])

    @staticmethod
    def _last_of_day(usage: Usage) -> Mask:
        """The readings after which none of their deal and day came."""
        if usage.order is None:
            return np.ones(usage.deal.size, dtype=bool)
        by_day = np.lexsort((usage.order, usage.day, usage.deal))
        starts = run_starts(usage.deal[by_day], usage.day[by_day])
        last = usage.order[by_day][np.append(starts[1:], by_day.size)[run_numbers(starts, by_day.size)] - 1]
        found = np.empty(usage.deal.size, dtype=bool)
        found[by_day] = usage.order[by_day] == last
        return found

    def _earliest(self, deal: Ints, day: Ints) -> Ints:
        days = np.full(self._batch.facts.id.size, FAR_DAY, dtype=np.int64)
        np.minimum.at(days, deal, day)
        days[days == FAR_DAY] = MISSING_DAY
        return days


def parts(earned: Ints, plan: CompiledPlan, release: tuple[Tranche, ...]) -> list[Whole]:
    """The amount of each tranche: the rounded cumulative share less the one before."""
    found: list[Whole] = []
    share = Fraction(0)
    before: Whole | None = None
    for entry in release:
        share += entry.share
        due = scaled(earned, share, plan.round_mode, plan.round_step)
        found.append(due if before is None else due - before)
        before = due
    return found


@dataclass(frozen=True, slots=True)
class Due:
    """Lines of one component that are to be released. `stretches` are the lines of each version; `deal` is the row of
    the deal that a line belongs to (-1: none), `participant` an id, `period_end` the first day after the measure
    period. The columns that may be None are so where no line has a use for them."""

    versions: tuple[Version, ...]
    stretches: list[Ints | slice]
    earned: Ints
    day: Ints
    deal: Ints | None = None
    participant: Ints | None = None
    period_end: Ints | None = None
    held: Mask | None = None  # with its credit
    withheld: Mask | None = None  # by a gate
    not_before: Ints | None = None  # the earliest release day, MISSING_DAY where any is right
    at_once: Mask | None = None  # released whole on its own day: reversals, carried excess


def tranches(batch: Batch, due: Due, triggers: Triggers) -> Tranches:
    """The tranches of lines, by line, release entry and part."""
    stretches = due.stretches
    counts = np.zeros(due.earned.size, dtype=np.int16)
    if due.at_once is not None:
        stretches = [_picked(lines, ~due.at_once) for lines in stretches]
        counts[due.at_once] = 1
    for version, lines in zip(due.versions, stretches, strict=True):
        counts[lines] = len(version.component.release)
    first = np.cumsum(counts, dtype=np.int64) - counts
    rows = int(counts.sum())
    index: Codes = np.empty(rows, dtype=np.int16)
    amount, trigger = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int64)
    if due.at_once is not None:
        row = first[due.at_once]
        index[row], amount[row], trigger[row] = 0, due.earned[due.at_once], due.day[due.at_once]
    in_parts: list[_InParts] = []
    for version, lines in zip(due.versions, stretches, strict=True):
        release = version.component.release
        at: Callable[[int], Ints | slice]
        if isinstance(lines, slice):
            at = _every(len(release))
        else:
            at = _beyond(first[lines])
        for place, part in enumerate(parts(due.earned[lines], version.plan, release)):
            entry = release[place]
            index[at(place)] = place
            amount[at(place)] = part
            if entry.on == "paid":
                trigger[at(place)] = MISSING_DAY
                in_parts.append(_InParts(version, entry, np.arange(rows)[at(place)], _deals(due, lines)))
            else:
                trigger[at(place)] = _moved(batch, entry, _trigger(entry, due, lines, triggers))
    del first
    line = np.repeat(np.arange(due.earned.size), counts)
    del counts
    number = None
    if in_parts:
        line, index, amount, trigger, number = _in_parts(batch, in_parts, triggers.cash, line, index, amount, trigger)
    waiting = trigger == MISSING_DAY
    release_day = due.day[line]
    np.maximum(release_day, trigger, out=release_day)
    release_day[waiting] = MISSING_DAY
    if due.not_before is not None:
        bound = due.not_before[line]
        if due.at_once is not None:
            bound = np.where(due.at_once[line], MISSING_DAY, bound)
        release_day = np.where(waiting, MISSING_DAY, np.maximum(release_day, bound))
    state = _states(due, line, release_day, triggers)
    if state is not None:
        release_day = np.where(state == DATED, release_day, MISSING_DAY)
    period = pay_periods(batch.pay_periods, release_day, release_day == MISSING_DAY)
    return Tranches(line, index, amount, trigger, release_day, period, part=number, state=state)


def _picked(lines: Ints | slice, wanted: Mask) -> Ints:
    """Those of a stretch that are wanted."""
    return np.flatnonzero(wanted) if isinstance(lines, slice) else lines[wanted[lines]]


def _trigger(entry: Tranche, due: Due, lines: Ints | slice, triggers: Triggers) -> Ints:
    """The day on which each line meets an entry's trigger."""
    if entry.on == "credit_date":
        return due.day[lines]
    if entry.on == "date":
        return np.full(due.day[lines].size, entry.day, dtype=np.int64)
    if entry.on == "period_end":
        assert due.period_end is not None
        return due.period_end[lines] - 1
    deal = _deals(due, lines)
    if deal.size and int(deal.min()) < 0:
        return np.where(deal < 0, MISSING_DAY, triggers.days(entry)[np.maximum(deal, 0)])
    return triggers.days(entry)[deal]


def _deals(due: Due, lines: Ints | slice) -> Ints:
    assert due.deal is not None, "something that happens to a deal releases"
    return due.deal[lines]


def _moved(batch: Batch, entry: Tranche, day: Ints) -> Ints:
    """The trigger day moved by the entry's `after`; a missing one stays missing."""
    after = entry.after
    if after is None:
        return day
    met = day != MISSING_DAY
    moved = day.copy()
    if after.days is not None:
        moved[met] += after.days
    elif after.periods is not None:
        bounds = batch.pay_periods
        place = pay_periods(bounds, day, ~met)[met] + after.periods
        if place.size and int(place.max()) >= bounds.size:
            raise DateOutsideCalendar(
                f"A release {after.periods} pay periods after its trigger lies behind the calendar's last period."
            )
        moved[met] = bounds[place]
    else:
        assert after.months is not None
        moved[met] = add_months(day[met], np.int64(after.months))
        if after.day is not None:
            moved[met] = day_in_month(moved[met], np.int64(after.day))
    return moved


def _states(due: Due, line: Ints, release_day: Ints, triggers: Triggers) -> npt.NDArray[np.int8] | None:
    """Where each tranche stands; None where all are dated or wait for their triggers."""
    losing = [
        lines
        for version, lines in zip(due.versions, due.stretches, strict=True)
        if version.plan.employment is not None and version.plan.employment.release_after == "lost"
    ]
    if due.held is None and due.withheld is None and not losing:
        return None
    state = np.where(release_day == MISSING_DAY, WAITING, DATED).astype(np.int8)
    if losing:
        ends = np.full(due.earned.size, FAR_DAY, dtype=np.int64)
        for lines in losing:
            assert due.participant is not None
            ends[lines] = triggers.employed_until(due.participant[lines])
        state[(state == DATED) & (release_day >= ends[line])] = LOST
    if due.withheld is not None:
        state[due.withheld[line]] = WITHHELD
    if due.held is not None:
        state[due.held[line]] = HELD
    if due.at_once is not None:
        state[due.at_once[line]] = DATED
    return state


@dataclass(frozen=True, slots=True)
class _InParts:
    """Tranches of one entry that cash releases: their rows, and the deal of each."""

    version: Version
    entry: Tranche
    rows: Ints
    deal: Ints


def _in_parts(
    batch: Batch, found: list[_InParts], cash: Cash, line: Ints, index: Codes, amount: Ints, trigger: Ints
) -> tuple[Ints, Codes, Ints, Ints, Ints]:
    """The tranches with those that cash releases cut into parts: one a day on which the share paid moved, then what
    still waits."""
    whole = np.ones(line.size, dtype=bool)
    tables = []
    for each in found:
        whole[each.rows] = False
        entry, plan = each.entry, each.version.plan
        assert entry.base is not None
        steps = cash.steps(entry.base, entry.tax)
        deal = np.maximum(each.deal, 0)
        count = np.where(each.deal >= 0, steps.count[deal], 0) if steps.count.size else np.zeros_like(each.deal)
        # One row a step and a last one for the rest.
        of = np.repeat(np.arange(each.rows.size), count + 1)
        turn = np.arange(of.size) - np.repeat(np.cumsum(count + 1) - count - 1, count + 1)
        rest = turn == count[of]
        tranche = amount[each.rows][of]
        due = tranche.copy()
        day = np.full(of.size, MISSING_DAY, dtype=np.int64)
        at = (steps.first[deal][of] + turn)[~rest] if steps.first.size else of[~rest]
        product = wide(tranche[~rest], largest(tranche) * largest(steps.base) + largest(steps.base)) * steps.paid[at]
        due[~rest] = divided_by(product, steps.base[at], plan.round_mode, plan.round_step)
        day[~rest] = steps.day[at]
        before = np.roll(due, 1)
        before[turn == 0] = 0
        part = due - before
        # Parts of nothing are left out; a tranche keeps at least its last one.
        kept = part != 0
        none = np.bincount(of, weights=kept, minlength=each.rows.size) == 0
        kept |= rest & none[of]
        of, part, day = of[kept], part[kept], day[kept]
        heads = run_starts(of)
        number = np.arange(of.size) - heads[run_numbers(heads, of.size)]
        rows = each.rows[of]
        tables.append((line[rows], index[rows], part, _moved(batch, entry, day), number))
    plain = np.flatnonzero(whole)
    tables.append((line[plain], index[plain], amount[plain], trigger[plain], np.zeros(plain.size, dtype=np.int64)))
    joined = [np.concatenate(columns) for columns in zip(*tables, strict=True)]
    order = np.lexsort((joined[4], joined[1], joined[0]))
    line, index, amount, trigger, number = (column[order] for column in joined)
    return line, index, amount, trigger, number


def divided_by(values: Whole, divisor: Ints, mode: Mode, step: int) -> Ints:
    """The multiples of `step` nearest to `values / divisor`, a positive divisor a row."""
    return Ratios(values, divisor).rounded(mode, step)


def _every(count: int) -> Callable[[int], slice]:
    return lambda place: slice(place, None, count)


def _beyond(first: Ints) -> Callable[[int], Ints]:
    return lambda place: first + place
