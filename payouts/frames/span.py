"""Over which periods the figures of a day have to be worked out together."""

from __future__ import annotations

from collections.abc import Iterable

from plans.rules.compiled import CompiledPlan, Component, OwnPeriods
from plans.rules.specialise import stated

#: From short to long. `all` is the whole time: what lies in one year depends on another one.
LENGTHS = ("month", "quarter", "half", "year", "all")


def longest(plans: Iterable[CompiledPlan], also: str = "month") -> str:
    """The longest period over which lines of any of the plans depend on each other, and at least `also`."""
    found = {also}
    for plan in plans:
        found |= {cap.every for cap in plan.caps}
        found |= {_length(component) for component in stated(plan)}
    return max(found, key=LENGTHS.index)


def _length(component: Component) -> str:
    measure = component.measure
    if (
        measure.window == "rolling"
        or component.budget is not None  # what is left of it
        or component.eligible_on is not None  # who somebody was then
        or component.clawback is not None  # of what was earned years ago
        or any(cap.excess == "carried" and cap.until != "year_end" for cap in component.caps)
        or (component.reads is not None and component.reads.what == "released")  # of what was earned before
    ):
        return "all"
    if measure.window == "year_to_date" or any(cap.per == "year" or cap.excess == "carried" for cap in component.caps):
        return "year"
    # A plan's own periods may lie across those of any calendar.
    return "all" if isinstance(component.every, OwnPeriods) else component.every
