"""From running totals and values to the base earning of a line: F and what was earned before it. Meaning:
docs/plan-language.md, 7 to 10, 13, 17 and 20. How: docs/algorithms/tiers.md."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from crediting.kernel.exact import Whole, largest, wide
from crediting.kernel.fields import RowFields
from crediting.kernel.ratios import Mask, Ratios, choose
from payouts.kernel.batch import MISSING_MONEY, Codes, Ints
from payouts.kernel.curves import Curve, column_of_numbers, of_points, of_tiers, per_unit_of, plain_tiers, whole_numbers
from payouts.kernel.tables import cells
from plans.rules.compiled import Bonus, Boundary, Component, Table

#: How a line with a missing or zero quota is rated: by the quota, not yet, not at all, or by one tier throughout.
BY_QUOTA, WAITS, NO_PAY, LOWEST, HIGHEST = range(5)
_OUTCOMES = {"wait": WAITS, "no_pay": NO_PAY, "lowest_tier": LOWEST, "highest_tier": HIGHEST}
_ONE = np.ones(1, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Lines of one plan version, in their order. `fresh` are the places of those that do not follow the line before
    them here: the first of a group, and the first after another version.

    Amounts, totals and quotas are minor units, or millionths of whatever else is measured. Where the rest is None it
    does not occur: `measured` is then the amount, and what stood before a line had the quota and incentive of the
    line itself. `value` makes the lines those of periods, each F(value): minor units of money, else whole units.
    """

    amount: Ints
    whole: Ints | None  # of the line's fact; None where nothing goes by it
    before: Ints
    after: Ints
    total: Ints  # of the line's group; for proportional attribution
    quota: Ints  # MISSING_MONEY where there is none
    position: Ints
    fresh: Ints
    measured: Ints | None = None  # the measure amount m
    incentive: Ints | None = None  # MISSING_MONEY where there is none
    quota_before: Ints | None = None  # those of the line before, for totals that run over several periods
    incentive_before: Ints | None = None
    part: Ratios | None = None  # of the bounds of tiers in money or units, where they are prorated
    part_before: Ratios | None = None  # that of the line before, where another version may have rated it
    column: Ints | None = None  # of a matrix
    plain: Mask | None = None  # where a gate leaves out accelerators
    value: Ratios | None = None
    waits: Mask | None = None  # where the measure, or what it reads, has no value yet
    given: Ratios | None = None  # the base earning where the kind fixes it: scorecard, pool, rank
    fields: RowFields | None = None
    factors: tuple[Ratios, ...] = ()  # one a read modifier, in document order
    gate_factor: Ratios | None = None
    measured_only: Mask | None = None  # credit that counts for the quota and not for pay
    paid_only: Mask | None = None  # credit that counts for pay and not for the quota: totals pass it by
    forward: BroughtForward | None = None


@dataclass(frozen=True, slots=True)
class BroughtForward:
    """What stands of openings at lines of credits: `there` is the first that pays behind each."""

    there: Mask
    measured: Ints
    earned: Ints

    def at(self, rows: Ints | slice) -> BroughtForward:
        return BroughtForward(self.there[rows], self.measured[rows], self.earned[rows])


@dataclass(frozen=True, slots=True)
class _Side:
    """What decides F on one side of a line."""

    quota: Ints
    incentive: Ints | None
    column: Ints | None
    outcome: Ints | None
    part: Ratios | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """The base earning, and its trace. `made_up`: by what it is more where an opening earned less than is due of it."""

    earning: Ratios
    tier_before: Codes
    tier_after: Codes
    cell: Codes
    made_up: Ratios | None = None


def pays_by_tier(component: Component) -> bool:
    """Whether there is a rate that holds at a running total, for credit that does not move it."""
    tiers = component.tiers
    return tiers is not None and tiers.mode != "each" and tiers.pays != "times"


def base_of(component: Component, lines: Stretch, outcome: Ints | None) -> Base:
    none = nowhere(lines.amount.size)
    if lines.given is not None:
        return Base(lines.given, none, none, none)
    if component.bonus is not None:
        return Base(Ratios.of(_bonus(component, component.bonus, lines, outcome)), none, none, none)
    if component.table is not None:
        cell = cells(component.table, fields_of_fact(lines))
        return Base(_by_cell(component, component.table, cell, lines), none, none, cell)
    if lines.plain is None or component.tiers is None:
        return _along(component, _curve(component), lines, outcome)
    tiers, unit = component.tiers, component.measure.unit
    kept = np.where(lines.plain, plain_tiers(tiers, unit, lines.quota, lines.part), len(tiers.rates))
    found: Base | None = None
    for count in np.unique(kept).tolist():
        mine, other = kept == count, _along(component, of_tiers(tiers, count, unit), lines, outcome)
        found = other if found is None else _chosen(mine, other, found)
    return found if found is not None else _along(component, _curve(component), lines, outcome)


def _chosen(mask: Mask, yes: Base, no: Base) -> Base:
    return Base(
        choose(mask, yes.earning, no.earning),
        np.where(mask, yes.tier_before, no.tier_before),
        np.where(mask, yes.tier_after, no.tier_after),
        no.cell,
        no.made_up if yes.made_up is None or no.made_up is None else choose(mask, yes.made_up, no.made_up),
    )


def _along(component: Component, curve: Curve, lines: Stretch, outcome: Ints | None) -> Base:
    """The earning of tiers or of a curve through points."""
    base = _by_totals(component, curve, lines, outcome)
    if lines.paid_only is None or not pays_by_tier(component):
        return base
    side = _Side(lines.quota, lines.incentive, lines.column, outcome, lines.part)
    earning, place = _own_at(component, curve, lines, lines.before, side)
    return _chosen(lines.paid_only, Base(earning, place, place, base.cell), base)


def _by_totals(component: Component, curve: Curve, lines: Stretch, outcome: Ints | None) -> Base:
    """What the running totals, or lines alone, earn along the curve."""
    side = _Side(lines.quota, lines.incentive, lines.column, outcome, lines.part)
    x = _alone(component, lines)
    if x is not None:
        place, earned = _at(component, curve, x, side)
        zero = Ratios.of(np.zeros_like(lines.amount))
        return _traced(component, _weighed(component, earned, side), _at(component, curve, zero, side)[0], place)
    if component.tiers is not None and component.tiers.attribution == "proportional":
        earning = _proportional(component, curve, lines, side)
        inputs = (_input(component, curve, Ratios.of(each), side) for each in (lines.before, lines.after))
        before_place, after_place = (_place(curve, *each, outcome) for each in inputs)
        return _traced(component, earning, before_place, after_place)
    tier_after, earned = _at(component, curve, Ratios.of(lines.after), side)
    if _is_followed(lines):
        # Line by line, what F was before a line is what it was after the line above.
        fresh = lines.fresh
        first = _Side(lines.quota[fresh], None, None, None if outcome is None else outcome[fresh])
        tier_fresh, began = _at(component, curve, Ratios.of(lines.before[fresh]), first)
        tier_before = _shifted(tier_after, fresh, tier_fresh)
        before, earlier = Ratios(_shifted(earned.top, fresh, began.top), earned.bottom), side
    else:
        earlier = _earlier(component, lines, outcome)
        tier_before, before = _at(component, curve, Ratios.of(lines.before), earlier)
        tier_before = np.where(_not_rated(component, earlier, lines.before.size), -1, tier_before)
    if component.curve is not None or earlier.outcome is not None:
        unearned = (lines.position == 1) | nothing_paid(earlier.outcome, lines.position.size)
        before = Ratios(np.where(unearned, 0, before.top), before.bottom)
    if lines.quota_before is None and lines.incentive_before is None:
        earning = _weighed(component, earned.subtract(before), side)
    else:
        earning = _weighed(component, earned, side).subtract(_weighed(component, before, earlier))
    found = _traced(component, earning, tier_before, tier_after)
    if lines.forward is None or not pays_what_is_due(component):
        return found
    return replace(found, made_up=_made_up(component, curve, lines.forward, earlier))


def pays_what_is_due(component: Component) -> bool:
    """Whether a line pays what is due of the whole total less what was earned before, by whomever: to date, or where a
    rate comes to hold for all. Else lines go on by slices."""
    tiers = component.tiers
    return component.measure.window == "year_to_date" or tiers is None or tiers.mode != "marginal"


def _made_up(component: Component, curve: Curve, forward: BroughtForward, earlier: _Side) -> Ratios:
    """What is due of what openings measured, by what stood at the line before, less what they earned."""
    _, due = _at(component, curve, Ratios.of(forward.measured), earlier)
    due = Ratios(np.where(nothing_paid(earlier.outcome, forward.there.size), 0, due.top), due.bottom)
    missing = _weighed(component, due, earlier).subtract(Ratios.of(forward.earned))
    return choose(forward.there, missing, Ratios.constant(0))


def _earlier(component: Component, lines: Stretch, outcome: Ints | None) -> _Side:
    """What decides F at `before`: what stood at the line before."""
    quota = lines.quota if lines.quota_before is None else lines.quota_before
    return _Side(
        quota,
        lines.incentive if lines.incentive_before is None else lines.incentive_before,
        lines.column,
        outcome if lines.quota_before is None else outcomes_of(component, quota),
        lines.part if lines.part_before is None else lines.part_before,
    )


def _alone(component: Component, lines: Stretch) -> Ratios | None:
    """What a line is rated by alone: the value of a period, or each credit from zero; None where totals run."""
    if lines.value is not None:
        per = Ratios.constant(per_unit_of(component.measure.unit))
        return Ratios(np.broadcast_to(lines.value.top, lines.amount.size), lines.value.bottom).multiply(per)
    if component.tiers is not None and component.tiers.mode == "each":
        return Ratios.of(lines.amount if lines.measured is None else lines.measured)
    return None


def _traced(component: Component, earning: Ratios, before: Codes, after: Codes) -> Base:
    """A curve through points has no tiers, and neither of them cells."""
    none = nowhere(after.size)
    return Base(earning, before, after, none) if component.tiers is not None else Base(earning, none, none, none)


def nowhere(rows: int) -> Codes:
    """Of lines that lie in no tier, band or cell: one number that stands for every row."""
    return np.broadcast_to(np.int16(-1), rows)


def _is_followed(lines: Stretch) -> bool:
    """Whether each line begins on the curve on which the line above ends."""
    changing = (lines.quota_before, lines.incentive_before, lines.column, lines.plain, lines.part)
    return all(each is None for each in changing)


def _at(component: Component, curve: Curve, x: Ratios, side: _Side) -> tuple[Codes, Ratios]:
    """The segment that holds each x, and F(x) but for its weight."""
    x, scale = _input(component, curve, x, side)
    place = _place(curve, x, scale, side.outcome)
    paid = curve.pay(place, x, scale, side.column)
    if side.part is not None:
        paid = paid.multiply(Ratios(_ONE, side.part.bottom))
    if component.below_zero == "no_pay" and component.tiers is not None:
        paid = Ratios(np.where((x.top < 0) & _by_quota(side.outcome, x.top.size), 0, paid.top), paid.bottom)
    return place, paid


def _weighed(component: Component, paid: Ratios, side: _Side) -> Ratios:
    weight = _weight(component, side)
    return paid if weight is None else paid.multiply(weight)


def _input(component: Component, curve: Curve, x: Ratios, side: _Side) -> tuple[Ratios, Whole]:
    """x as F takes it, limited and in full points, and the scale of the bounds: 0 where no quota counts. Where bounds
    are prorated all three, x, its bounds and F, are as many times as large as the whole of the days."""
    x = _below_limit(component, x, side)
    scale: Whole = np.maximum(side.quota, 0) if curve.by_quota else np.ones(1, dtype=np.int64)
    if side.outcome is not None:
        scale = np.where(side.outcome == BY_QUOTA, scale, 0)
    x = curve.cut(x, scale)
    if side.part is None:
        return x, scale
    return x.multiply(Ratios.of(side.part.bottom)), scale * side.part.top


def _below_limit(component: Component, x: Ratios, side: _Side) -> Ratios:
    """The part of x up to the limit of attainment, where there is a quota."""
    limit = component.limit_attainment
    if limit is None:
        return x
    quota = np.maximum(side.quota, 0)
    below = largest(x.bottom)
    most = max(largest(x.top), below) * limit.denominator + largest(quota) * limit.numerator * below
    mine, room = wide(x.top, most) * limit.denominator, wide(quota, most) * limit.numerator * x.bottom
    kept = np.where((mine > room) & (quota > 0), room, mine)
    return Ratios(kept, wide(x.bottom, most) * limit.denominator)


def _place(curve: Curve, x: Ratios, scale: Whole, outcome: Ints | None) -> Codes:
    place = curve.place(x, scale)
    if outcome is not None:
        flat = outcome != BY_QUOTA
        place[flat] = curve.flat(outcome[flat] == HIGHEST)
    return place


def _proportional(component: Component, curve: Curve, lines: Stretch, side: _Side) -> Ratios:
    """Each line's own amount at the rate of the tier that holds the final total."""
    own = None
    if component.limit_attainment is not None:
        ends = [_below_limit(component, Ratios.of(each), side) for each in (lines.after, lines.before)]
        own = ends[0].subtract(ends[1])
    return _weighed(component, _own_at(component, curve, lines, lines.total, side, own)[0], side)


def _own_at(
    component: Component, curve: Curve, lines: Stretch, total: Ints, side: _Side, own: Ratios | None = None
) -> tuple[Ratios, Codes]:
    """Each line's own amount (a part of it, where that is given) at the rate that holds a total, and its segment."""
    if own is None:
        own = Ratios.of(lines.amount if lines.measured is None else lines.measured)
    x, scale = _input(component, curve, Ratios.of(total), side)
    place = _place(curve, x, scale, side.outcome)
    earning = own.multiply(curve.slope(place, side.column))
    if component.below_zero == "no_pay":
        unpaid = (total < 0) & _by_quota(side.outcome, total.size)
        earning = Ratios(np.where(unpaid, 0, earning.top), earning.bottom)
    return earning, place


def _curve(component: Component) -> Curve:
    if component.tiers is not None:
        return of_tiers(component.tiers, len(component.tiers.rates), component.measure.unit)
    assert component.curve is not None
    return of_points(component.curve, component.measure.unit)


def _weight(component: Component, side: _Side) -> Ratios | None:
    """What turns F into money: the incentive where it is paid as a share or multiple of that, over the quota where F is
    in attainment. 0 where one of them is not there."""
    if component.tiers is not None:
        shares = divides = component.tiers.pays == "times"
    else:
        assert component.curve is not None
        shares, divides = component.curve.pays == "share", component.curve.axis == "attainment"
    if not shares and not divides:
        return None
    top = bottom = np.ones(1, dtype=np.int64)
    if shares:
        assert side.incentive is not None
        top = np.where(side.incentive == MISSING_MONEY, 0, side.incentive)
    if divides:
        counts = side.quota > 0
        top, bottom = np.where(counts, top, 0), np.where(counts, side.quota, 1)
    return Ratios(top, bottom)


def outcomes_of(component: Component, quota: Ints) -> Ints | None:
    """For each line how it is rated, None where all are rated by their quota."""
    if component.missing_quota is None and component.zero_quota is None and component.quota_fixed is None:
        return None
    missing, zero = quota == MISSING_MONEY, quota == 0
    if not missing.any() and not zero.any():
        return None
    outcome = np.full(quota.size, BY_QUOTA)
    # Of a quota that is the same for all nothing is stated: where proration leaves nothing of it, its lines wait.
    outcome[missing] = _OUTCOMES[component.missing_quota or "wait"]
    outcome[zero] = _OUTCOMES[component.zero_quota or "wait"]
    return outcome


def _by_quota(outcome: Ints | None, rows: int) -> Mask:
    """Where the tiers of the quota apply: a tier that applies to everything applies below zero too."""
    return np.ones(rows, dtype=bool) if outcome is None else outcome == BY_QUOTA


def nothing_paid(outcome: Ints | None, rows: int) -> Mask:
    """Where the quota lets nothing be paid, or not yet."""
    return np.zeros(rows, dtype=bool) if outcome is None else (outcome == WAITS) | (outcome == NO_PAY)


def _not_rated(component: Component, side: _Side, rows: int) -> Mask:
    """Where the quota or the incentive of a side lets nothing be paid, or not yet."""
    unpaid = nothing_paid(side.outcome, rows)
    if component.missing_incentive is not None:
        unpaid = unpaid | without_incentive(side.incentive, rows)
    return unpaid


def without_incentive(incentive: Ints | None, rows: int) -> Mask:
    """Where there is no target incentive: nowhere is one where the lines' own component names none, and only the terms
    of a counterpart do."""
    return np.ones(rows, dtype=bool) if incentive is None else incentive == MISSING_MONEY


def _shifted(afters: Whole, fresh: Ints, at_fresh: Whole) -> Whole:
    """What a function of the running total gives at `before`, from what it gives at `after`."""
    befores = np.empty_like(afters, dtype=object if at_fresh.dtype == object else None)
    befores[1:] = afters[:-1]
    befores[fresh] = at_fresh
    return befores


def _bonus(component: Component, bonus: Bonus, lines: Stretch, outcome: Ints | None) -> Whole:
    if bonus.per == "credit":
        signs = np.sign(lines.amount)
        if bonus.min_deal is not None:
            assert lines.whole is not None
            signs *= np.abs(lines.whole) >= bonus.min_deal
        earning: Whole = signs * bonus.amount
        return earning
    assert bonus.at is not None and bonus.boundary is not None
    if lines.value is not None:
        value = lines.value.multiply(Ratios.constant(per_unit_of(component.measure.unit)))
        reached = _reached(bonus.at, bonus.boundary, value, lines.quota, outcome)
        return reached.astype(np.int64) * bonus.amount
    quota_before = lines.quota if lines.quota_before is None else lines.quota_before
    outcome_before = outcome if lines.quota_before is None else outcomes_of(component, quota_before)
    after = _reached(bonus.at, bonus.boundary, Ratios.of(lines.after), lines.quota, outcome)
    before = _reached(bonus.at, bonus.boundary, Ratios.of(lines.before), quota_before, outcome_before)
    before &= lines.position > 1
    return (after.astype(np.int64) - before) * bonus.amount


def _reached(at: Fraction, boundary: Boundary, total: Ratios, quota: Ints, outcome: Ints | None) -> Mask:
    sides = total.compare(Ratios.of(np.maximum(quota, 0)).multiply(Ratios.constant(at)))
    reached: Mask = (sides >= 0) if boundary == "above" else (sides > 0)
    return reached if outcome is None else np.where(outcome == BY_QUOTA, reached, outcome == HIGHEST)


def measured_of(component: Component, lines: Stretch) -> Ratios:
    """The measure amount m in whole units, or minor units of money; of a period its value."""
    if lines.value is not None:
        return lines.value
    return Ratios.of(lines.amount if lines.measured is None else lines.measured, per_unit_of(component.measure.unit))


def _by_cell(component: Component, table: Table, cell: Ints, lines: Stretch) -> Ratios:
    """What a rate table pays."""
    numbers, bottom = whole_numbers([*table.cells, Fraction(0)])
    # NO_CELL picks the last, which pays nothing.
    paid = Ratios.of(column_of_numbers(numbers)[cell], bottom)
    measured = measured_of(component, lines)
    return paid.multiply(measured if table.pays == "rate" else Ratios.of(np.sign(measured.top)))


def fields_of_fact(lines: Stretch) -> RowFields:
    assert lines.fields is not None, "a component with conditions on the fact is rated credit by credit"
    return lines.fields
