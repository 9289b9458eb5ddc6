"""The values that a period can be measured by. See docs/algorithms/measures.md."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from crediting.kernel.columns import MILLIONTHS, MISSING_DAY, MISSING_MONEY
from crediting.kernel.conditions import Mask
from crediting.kernel.credit import Credited
from crediting.kernel.exact import Whole, divided, largest, money, ranked, wide
from crediting.kernel.fields import FactRows, World
from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import Ints
from payouts.kernel.reads import DIVIDED, unit_size
from payouts.kernel.windows import Cells
from plans.rules.compiled import CompiledPlan, Component, Measure
from plans.rules.fields import FieldType


def cells_of(
    component: Component,
    plan: CompiledPlan,
    credited: Credited,
    rows: Ints,
    fields: FactRows,
    order: Callable[[], Ints],
) -> Cells:
    """What each of these rows of credits brings to the measure's value. `fields` are those of the rows; `order` gives
    their places in the order of the component's credits."""
    measure, amount = component.measure, credited.credits.amount[rows]
    if measure.value == "count":
        return Cells(np.sign(amount))
    if measure.value == "weighted":
        return Cells(weighted(measure, plan, credited.world, fields, amount))
    if measure.value == "share":
        assert measure.part is not None
        return Cells(np.where(fields.mask(measure.part), amount, 0), amount)
    if measure.value == "average":
        weight, _ = _weight(measure, plan, credited.world, fields)
        known = weight != MISSING_MONEY
        weight = np.where(known, weight, 0)
        return Cells(_product(amount, weight), weight)
    if measure.value == "days":
        days, known = _days(measure, fields)
        weight, _ = _weight(measure, plan, credited.world, fields)
        weight = np.where(known & (weight != MISSING_MONEY), weight, 0)
        return Cells(_product(days, weight), weight)
    if measure.value == "last":
        return Cells(amount, order=order(), part=_parts(measure, fields, credited, rows))
    if measure.value == "high_water":
        return Cells(amount, order=amount, part=_parts(measure, fields, credited, rows))
    return Cells(amount)


def _parts(measure: Measure, fields: FactRows, credited: Credited, rows: Ints) -> Ints | None:
    """A number for the deal, or the texts, that each row is of; None where rows are not parted."""
    found: Ints | None = None
    for name in measure.per:
        if name == "deal":
            fact, deal = credited.credits.fact[rows], credited.world.facts.deal
            codes = fact if deal is None else deal[fact]
        else:
            codes = fields.column(name, "text").codes.astype(np.int64)
        # What misses one has -1, which becomes the lowest number.
        number, numbers = ranked(codes)
        found = number if found is None else ranked(found * numbers + number)[0]
    return found


def value_of(component: Component, cells: Cells) -> tuple[Ratios, Mask]:
    """The exact value of each window, in minor units of money or whole units of everything else, and where there is
    nothing to divide by and the measure says to wait."""
    measure, size = component.measure, unit_size(component)
    if measure.value not in DIVIDED:
        per = 1 if measure.value == "count" else size
        return Ratios.of(cells.top, per), np.zeros(cells.top.size, dtype=bool)
    assert cells.bottom is not None
    nothing: Mask = np.asarray(cells.bottom == 0, dtype=bool)
    sign = np.where(cells.bottom < 0, -1, 1)
    top = np.where(nothing, 0, cells.top * sign)
    bottom = np.where(nothing, 1, cells.bottom * sign)
    if measure.value == "average":
        bottom = wide(bottom, largest(bottom) * size) * size
    waits = nothing if measure.empty == "wait" else np.zeros_like(nothing)
    return Ratios(top, bottom).reduced(), waits


def weighted(measure: Measure, plan: CompiledPlan, world: World, fields: FactRows, amount: Ints) -> Ints:
    """credit x weight, rounded to the minor unit (or millionth); 0 where the weight is missing."""
    weight, kind = _weight(measure, plan, world, fields)
    weight = np.where(weight == MISSING_MONEY, 0, weight)
    size = MILLIONTHS if kind == "number" else 10**plan.minor_digits
    return money(divided(_product(amount, weight), size, plan.round_mode), "A weighted amount")


def _weight(measure: Measure, plan: CompiledPlan, world: World, fields: FactRows) -> tuple[Ints, FieldType]:
    """The weight of each row, in millionths or minor units: 1 each where none is named."""
    if measure.weight is None:
        return np.ones(fields.size, dtype=np.int64), "number"
    kind = _kind(measure.weight, plan, world)
    found: Ints = fields.column(measure.weight, kind)
    return found, kind


def _kind(field: str, plan: CompiledPlan, world: World) -> FieldType:
    """Whether a weight is a number or money."""
    for computed in plan.computed:
        if computed.name == field:
            return computed.type
    return "money" if field.removeprefix("deal.") in world.facts.money else "number"


def _days(measure: Measure, fields: FactRows) -> tuple[Ints, Mask]:
    """How many days lie between the two dates of each row, and where both are there."""
    assert measure.from_field is not None and measure.to_field is not None
    start: Ints = fields.column(measure.from_field, "date")
    end: Ints = fields.column(measure.to_field, "date")
    known = (start != MISSING_DAY) & (end != MISSING_DAY)
    extra = (measure.first_day == "in") + (measure.last_day == "in") - 1
    return np.where(known, np.where(known, end, 0) - np.where(known, start, 0) + extra, 0), known


def _product(left: Ints, right: Ints) -> Whole:
    return wide(left, largest(left) * largest(right)) * right
