"""Measure periods that a plan states itself. They need not join: between them nothing is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crediting.kernel.conditions import Mask
from payouts.kernel.batch import Batch, Ints
from plans.rules.compiled import Every, OwnPeriods


def with_own_periods(batch: Batch) -> Batch:
    """The batch with the bounds of all periods that its plans state."""
    own = {
        component.every
        for plan in batch.plans
        for component in plan.components
        if isinstance(component.every, OwnPeriods) and component.every not in batch.periods
    }
    if not own:
        return batch
    years = batch.periods["year"]
    return replace(batch, periods={**batch.periods, **{every: bounds(every, years) for every in own}})


def bounds(own: OwnPeriods, years: Ints) -> Ints:
    """The first days of the periods and of the times between them, from the calendar's first day to its end. A period
    that goes on beyond the calendar is not cut by it."""
    calendar = years[[0, -1]]
    edges = np.array([day for span in own.spans for day in span], dtype=np.int64)
    return np.unique(np.concatenate((calendar[~inside(own, calendar)], edges)))


def inside(every: Every, day: Ints) -> Mask:
    """Which days lie in a period."""
    if not isinstance(every, OwnPeriods):
        return np.ones(day.size, dtype=bool)
    starts, ends = np.array(every.spans, dtype=np.int64).T
    place = np.searchsorted(starts, day, side="right") - 1
    found: Mask = (place >= 0) & (day < ends[np.maximum(place, 0)])
    return found
