"""From earnings to payables: tranches, their triggers and pay periods. See docs/algorithms/release.md."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from crediting.kernel.exact import Whole, largest, scaled, wide
from payouts.kernel.batch import FAR_DAY, MISSING_DAY, Batch, Ints, Tranches
from payouts.kernel.measure import Series, pay_periods
from plans.rules.compiled import CompiledPlan, Tranche


class Triggers:
    """The day on which each deal meets a trigger, MISSING_DAY while it does not."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._days: dict[tuple[str, Fraction | None], Ints] = {}

    def days(self, entry: Tranche) -> Ints:
        """By deal, for a milestone or usage entry."""
        key = (entry.on, entry.at)
        if key not in self._days:
            self._days[key] = self._usage(entry.at) if entry.at is not None else self._milestone(entry.on)
        return self._days[key]

    def _milestone(self, kind: str) -> Ints:
        milestones = self._batch.milestones
        if kind not in milestones.kind.vocabulary:
            return self._earliest(milestones.deal[:0], milestones.day[:0])
        rows = np.flatnonzero(milestones.kind.codes == milestones.kind.vocabulary.index(kind))
        return self._earliest(milestones.deal[rows], milestones.day[rows])

    def _usage(self, at: Fraction) -> Ints:
        usage = self._batch.usage
        used = wide(usage.used, largest(usage.used) * at.denominator) * at.denominator
        due = wide(usage.contracted, largest(usage.contracted) * at.numerator) * at.numerator
        rows = np.flatnonzero((usage.contracted > 0) & (used >= due))
        return self._earliest(usage.deal[rows], usage.day[rows])

    def _earliest(self, deal: Ints, day: Ints) -> Ints:
        days = np.full(self._batch.facts.id.size, FAR_DAY, dtype=np.int64)
        np.minimum.at(days, deal, day)
        days[days == FAR_DAY] = MISSING_DAY
        return days


def parts(earned: Ints, plan: CompiledPlan, release: tuple[Tranche, ...]) -> list[Whole]:
    """The amount of each tranche: the rounded cumulative share less the one before."""
    found: list[Whole] = []
    share = Fraction(0)
    before: Whole = np.zeros_like(earned)
    for entry in release:
        share += entry.share
        due = scaled(earned, share, plan.round_mode, plan.round_step)
        found.append(due - before)
        before = due
    return found


def tranches(
    batch: Batch, series: Series, deal: Ints, earned: Ints, triggers: Triggers, stretches: list[Ints | slice]
) -> Tranches:
    """The tranches of a series' lines. `stretches` are the lines of each version."""
    counts = np.array([len(version.component.release) for version in series.versions])[series.version]
    first = np.cumsum(counts) - counts
    rows = int(counts.sum())
    index, amount, trigger = (np.empty(rows, dtype=np.int64) for _ in range(3))
    for version, lines in zip(series.versions, stretches, strict=True):
        release = version.component.release
        at: Callable[[int], Ints | slice]
        if isinstance(lines, slice):
            at = _every(len(release))
        else:
            at = _beyond(first[lines])
        for place, part in enumerate(parts(earned[lines], version.plan, release)):
            entry = release[place]
            index[at(place)] = place
            amount[at(place)] = part
            trigger[at(place)] = series.day[lines] if entry.on == "credit_date" else triggers.days(entry)[deal[lines]]
    line = np.repeat(np.arange(series.row.size), counts)
    waiting = trigger == MISSING_DAY
    release_day = np.where(waiting, MISSING_DAY, np.maximum(trigger, series.day[line]))
    period = pay_periods(batch.pay_periods, release_day, waiting)
    return Tranches(line, index, amount, trigger, release_day, period)


def _every(count: int) -> Callable[[int], slice]:
    return lambda place: slice(place, None, count)


def _beyond(first: Ints) -> Callable[[int], Ints]:
    return lambda place: first + place
