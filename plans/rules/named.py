"""Every field that a plan version names, with its type and the place that names it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from plans.rules.compiled import CompiledPlan, Component, Condition, Group, Measure, Table
from plans.rules.fields import FACT_FIELDS, FieldType
from plans.rules.specialise import specialise


class Named(NamedTuple):
    path: str
    field: str
    kind: FieldType


def named_fields(plan: CompiledPlan) -> Iterator[Named]:
    """In document order; a field comes as often as it is named. Fields of deals (`deal.*`), of people (`person.*`) and
    computed ones come under their own names; what a computed field reads comes too, and what an override names."""
    for computed in plan.computed:
        yield from (Named(f"computed.{computed.name}", field, kind) for field, kind in computed.reads)
    for number, rule in enumerate(plan.credit_rules):
        path = f"credit_rules[{number}]"
        for key, condition in (("when", rule.when), ("eligible", rule.eligible), ("hold", rule.hold)):
            yield from _of_condition(f"{path}.{key}", condition)
        yield Named(f"{path}.credit_date", rule.credit_date, "date")
        if rule.amount != "one":
            yield Named(f"{path}.amount", rule.amount, "money" if rule.unit == "money" else "number")
        yield from (Named(f"{path}.credit", entry.by.field, "text") for entry in rule.credit if entry.by is not None)
    for number, component in enumerate(plan.components):
        yield from _of_component(f"components[{number}]", component)
    for place in range(len(plan.overrides)):
        for number, component in enumerate(specialise(plan, (place,)).components):
            if component != plan.components[number]:
                yield from _of_component(f"overrides[{place}].components[{number}]", component)


def _of_component(path: str, component: Component) -> Iterator[Named]:
    yield from _of_condition(f"{path}.eligible", component.eligible)
    yield from _of_condition(f"{path}.credits.when", component.when)
    yield from _of_measure(f"{path}.measure", component.measure)
    if component.order not in ("credit_date", "event_time", "largest_first"):
        yield Named(f"{path}.order", component.order, "date")
    yield from _of_table(f"{path}.table", component.table)
    for modifier in component.modifiers.each if component.modifiers is not None else ():
        yield from _of_condition(f"{path}.modifiers", modifier.when)
        yield from _of_table(f"{path}.modifiers", modifier.table)
    for kicker in component.kickers:
        yield from _of_condition(f"{path}.kickers", kicker.when)
    if component.clawback is not None and isinstance(component.clawback.term_months, str):
        yield Named(f"{path}.clawback", component.clawback.term_months, "number")
    if component.amortise is not None and isinstance(component.amortise.months, str):
        yield Named(f"{path}.amortise", component.amortise.months, "number")


def _of_condition(path: str, condition: Condition | None) -> Iterator[Named]:
    if isinstance(condition, Group):
        for part in condition.parts:
            yield from _of_condition(path, part)
    elif condition is not None:
        yield Named(path, condition.field, condition.type)


def _of_measure(path: str, measure: Measure) -> Iterator[Named]:
    yield from _of_condition(path, measure.part)
    if measure.weight is not None:
        yield Named(path, measure.weight, FACT_FIELDS.get(measure.weight.removeprefix("deal."), "number"))
    yield from (Named(path, name, "date") for name in (measure.from_field, measure.to_field) if name is not None)
    yield from (Named(path, name, "text") for name in measure.per if name != "deal")


def _of_table(path: str, table: Table | None) -> Iterator[Named]:
    for dimension in table.dimensions if table is not None else ():
        yield Named(path, dimension.field, dimension.type)
