"""From base earnings to exact earnings: accelerators, factors, kickers, gates that multiply, the most a line is paid.
Meaning: docs/plan-language.md, 11, 18 and 25 a to f. How: docs/algorithms/tiers.md.

A line's exact earning is a whole number over a denominator. Where plan texts alone fix the denominator, all lines of a
plan version share it; an incentive over a quota gives each line its own. Nothing is rounded here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from crediting.kernel.exact import Whole
from crediting.kernel.fields import RowFields
from crediting.kernel.ratios import Mask, Ratios, choose
from payouts.kernel.base import (
    WAITS,
    Base,
    Stretch,
    base_of,
    fields_of_fact,
    measured_of,
    nothing_paid,
    nowhere,
    outcomes_of,
    pays_by_tier,
    without_incentive,
)
from payouts.kernel.batch import MISSING_MONEY, Codes, Ints
from payouts.kernel.curves import column_of_numbers, whole_numbers
from payouts.kernel.tables import cells
from payouts.kernel.trace import Notes
from plans.rules.compiled import Accelerator, Component, Modifier

#: What a line waits for: nothing, its quota, its incentive, or what it measures or reads.
FOR_NOTHING, FOR_QUOTA, FOR_INCENTIVE, FOR_MEASURE = range(4)
ONE = Ratios.constant(1)


@dataclass(frozen=True, slots=True)
class Rated:
    """Exact earnings `earning / divisor` in minor units, and the trace. `cell`: of a rate table, -1 elsewhere."""

    earning: Whole
    divisor: int | Whole
    tier_before: Codes
    tier_after: Codes
    band: Codes
    waiting: Codes
    cell: Codes


def rate(component: Component, lines: Stretch, notes: Notes | None = None) -> Rated:
    """The exact earning of each line before rounding; the steps to it go into the notes."""
    rows = lines.amount.size
    outcome = outcomes_of(component, lines.quota)
    waiting, idle = _waiting(component, lines, outcome)
    if notes is not None:
        if lines.whole is not None and lines.value is None:
            notes.note("whole", lines.whole)
        elif lines.value is not None:
            notes.note("value", lines.value, None if lines.waits is None else ~lines.waits)
        notes = notes.only(~idle)
    base = base_of(component, lines, outcome)
    if notes is not None:
        _note_inputs(notes, component, lines, base)
    earning, band = base.earning, nowhere(rows)
    if base.made_up is not None:
        if notes is not None and lines.forward is not None:
            notes.note("made_up", base.made_up, lines.forward.there)
        earning = earning.add(base.made_up)
    if component.accelerator is not None:
        assert lines.whole is not None
        band = _bands(component.accelerator, np.abs(lines.whole))
        numbers, bottom = whole_numbers([each.times for each in component.accelerator.bands])
        factor = Ratios.of(column_of_numbers(numbers)[band], bottom)
        factor = _plain(factor, lines.plain)
        _note(notes, "accelerator", factor)
        earning = earning.multiply(factor)
    if component.modifiers is not None:
        factor = _modified(component, lines, notes)
        _note(notes, "modifiers", factor)
        earning = earning.multiply(factor)
    for kicker in component.kickers:
        paid = fields_of_fact(lines).mask(kicker.when)
        if lines.plain is not None:
            paid = paid & ~lines.plain
        if kicker.rate is not None:
            extra = measured_of(component, lines).multiply(Ratios.constant(kicker.rate))
        else:
            assert kicker.amount is not None
            extra = Ratios.of(np.sign(lines.amount) * kicker.amount)
        if notes is not None:
            notes.note(f"kicker:{kicker.key}", extra, paid)
        earning = earning.add(Ratios(np.where(paid, extra.top, 0), extra.bottom))
    if lines.gate_factor is not None:
        _note(notes, "gates", lines.gate_factor)
        earning = earning.multiply(lines.gate_factor)
    if component.limit_rate is not None:
        before = earning
        earning = _limited(earning, measured_of(component, lines), component.limit_rate)
        if notes is not None:
            notes.note("limit_rate", earning, before.compare(earning) != 0)
    _note(notes, "exact", earning)
    return _settled(base, earning, band, waiting, idle)


def _note_inputs(notes: Notes, component: Component, lines: Stretch, base: Base) -> None:
    """What decides the base earning, and that."""
    if component.tiers is not None and component.tiers.attribution == "proportional":
        notes.note("total", lines.total)
    for step, before in (("quota.before", lines.quota_before), ("incentive.before", lines.incentive_before)):
        if before is not None:
            notes.note(step, before, before != MISSING_MONEY)
    if lines.part_before is not None:
        notes.note("bounds.before", lines.part_before)
    if component.table is not None:
        notes.note("cell", base.cell)
    notes.note("base", base.earning)


def _note(notes: Notes | None, step: str, value: Ratios) -> None:
    if notes is not None:
        notes.note(step, value)


def _waiting(component: Component, lines: Stretch, outcome: Ints | None) -> tuple[Codes, Mask]:
    """What each line waits for, and which earn nothing for want of something. What is measured is waited for first,
    then the quota, then the incentive."""
    waiting = np.zeros(lines.amount.size, dtype=np.int8)
    idle = np.zeros(lines.amount.size, dtype=bool)
    if component.missing_incentive is not None:
        missing = without_incentive(lines.incentive, waiting.size)
        waiting[missing] = FOR_INCENTIVE if component.missing_incentive == "wait" else FOR_NOTHING
        idle |= missing
    if outcome is not None:
        waiting[outcome == WAITS] = FOR_QUOTA
        idle |= nothing_paid(outcome, idle.size)
    if lines.waits is not None:
        waiting[lines.waits] = FOR_MEASURE
        idle |= lines.waits
    if lines.measured_only is not None:
        idle |= lines.measured_only
    if lines.paid_only is not None and not pays_by_tier(component):
        idle |= lines.paid_only
    return waiting, idle


def _settled(base: Base, earning: Ratios, band: Codes, waiting: Codes, idle: Mask) -> Rated:
    """Lines that wait or are not paid earn nothing and lie in no tier."""
    top = earning.top
    before, after, cell = base.tier_before, base.tier_after, base.cell
    if idle.any():
        top = np.where(idle, 0, top)
        before, after, cell = (np.where(idle, -1, each) for each in (before, after, cell))
    divisor = int(earning.bottom[0]) if earning.bottom.size == 1 else earning.bottom
    return Rated(np.broadcast_to(top, waiting.size), divisor, before, after, band, waiting, cell)


def _bands(accelerator: Accelerator, size: Ints) -> Codes:
    starts = np.array([band.start for band in accelerator.bands], dtype=np.int64)
    side: Literal["left", "right"] = "right" if accelerator.boundary == "above" else "left"
    found = np.searchsorted(starts, size, side=side) - 1
    # A deal of exactly 0.00 has no band below it.
    return np.maximum(found, 0)


def _modified(component: Component, lines: Stretch, notes: Notes | None) -> Ratios:
    """The factors of all modifiers together."""
    assert component.modifiers is not None
    read = iter(lines.factors)
    add = component.modifiers.combine == "add"
    result = ONE
    for modifier in component.modifiers.each:
        factor = next(read) if modifier.read is not None else _factor(modifier, fields_of_fact(lines))
        factor = _plain(factor, lines.plain)
        _note(notes, f"modifier:{modifier.key}", factor)
        result = result.add(factor.subtract(ONE)) if add else result.multiply(factor)
    return result


def _factor(modifier: Modifier, fields: RowFields) -> Ratios:
    if modifier.table is not None:
        numbers, bottom = whole_numbers([*modifier.table.cells, Fraction(1)])
        return Ratios.of(column_of_numbers(numbers)[cells(modifier.table, fields)], bottom)
    assert modifier.when is not None and modifier.times is not None
    numbers, bottom = whole_numbers([modifier.times, Fraction(1)])
    times, one = column_of_numbers(numbers)
    return Ratios.of(np.where(fields.mask(modifier.when), times, one), bottom)


def _plain(factor: Ratios, plain: Mask | None) -> Ratios:
    """The factor, at most 1 where accelerators are left out."""
    return factor if plain is None else choose(plain & (factor.top > factor.bottom), ONE, factor)


def _limited(earning: Ratios, measured: Ratios, limit: Fraction) -> Ratios:
    """At most the limit x m for m > 0, at least that for m < 0."""
    room = measured.multiply(Ratios.constant(limit))
    sides = earning.compare(room)
    beyond = ((measured.top > 0) & (sides > 0)) | ((measured.top < 0) & (sides < 0))
    return choose(beyond, room, earning)
