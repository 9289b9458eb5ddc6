"""Which dates a credit date may be: a computed one is always one of the days that its expression names."""

from __future__ import annotations

from comp.core.days import day_date
from plans.rules.compiled import CompiledPlan
from plans.rules.syntax import Call, Day, Expression, Field


def credit_dates(plan: CompiledPlan, field: str) -> frozenset[str]:
    """The date fields of facts of which a credit date is one; a day that the expression states itself stands as
    `2026-01-31`. Nothing reckons with days, so there are no others."""
    if not field.startswith("computed."):
        return frozenset((field,))
    (computed,) = (each for each in plan.computed if each.name == field)
    return _outcomes(plan, computed.expression)


def _outcomes(plan: CompiledPlan, expression: Expression) -> frozenset[str]:
    match expression:
        case Field(name):
            return credit_dates(plan, name)
        case Day(number):
            return frozenset((day_date(number).isoformat(),))
        case Call(function, parts):
            chosen = parts[1:] if function == "when" else parts
            return frozenset().union(*(_outcomes(plan, part) for part in chosen))
    raise TypeError(f"no expression of a date: {expression!r}")
