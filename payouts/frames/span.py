"""Over which periods the figures of a day have to be worked out together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from plans.rules.compiled import CompiledPlan, Component, OwnPeriods
from plans.rules.specialise import stated

#: From short to long. `all` is the whole time: what lies in one year depends on another one.
LENGTHS = ("month", "quarter", "half", "year", "all")


@dataclass(frozen=True, slots=True)
class Reach:
    """How far lines depend on each other: within whole periods of the length `every`, and where windows roll on periods
    before those. `windows` are lengths of periods and how many of them, one behind the other."""

    every: str
    windows: tuple[tuple[str, int], ...] = ()


def longest(plans: Iterable[CompiledPlan], also: str = "month") -> str:
    """The longest period over which lines of any of the plans depend on each other, and at least `also`."""
    found = reach(plans)
    return "all" if found.windows else max(found.every, also, key=LENGTHS.index)


def reach(plans: Iterable[CompiledPlan]) -> Reach:
    """How far lines of any of the plans depend on each other."""
    plans = list(plans)
    components = [(plan.key, component) for plan in plans for component in stated(plan)]
    lengths = {"month", *(cap.every for plan in plans for cap in plan.caps)}
    every = max(lengths | {_length(component) for _, component in components}, key=LENGTHS.index)
    if every == "all":
        return Reach(every)
    # Where components read each other a window may look at what another window made.
    chained = any(component.read_keys() or component.counterpart is not None for _, component in components)
    windows: dict[tuple[str, ...], int] = {}
    for plan, component in components:
        if component.measure.window == "rolling" and isinstance(component.every, str):
            of = (component.every, *((plan, component.key) if chained else ()))
            windows[of] = max(windows.get(of, 0), component.measure.periods - 1)
    return Reach(every, tuple((of[0], before) for of, before in sorted(windows.items())))


def _length(component: Component) -> str:
    """Leaving out what a rolling window looks back at."""
    if (
        component.budget is not None  # what is left of it
        or component.eligible_on is not None  # who somebody was then
        or component.clawback is not None  # of what was earned years ago
        or any(cap.excess == "carried" and cap.until != "year_end" for cap in component.caps)
        or (component.reads is not None and component.reads.what == "released")  # of what was earned before
    ):
        return "all"
    yearly = component.measure.window == "year_to_date"
    if yearly or any(cap.per == "year" or cap.excess == "carried" for cap in component.caps):
        return "year"
    # A plan's own periods may lie across those of any calendar.
    return "all" if isinstance(component.every, OwnPeriods) else component.every
