"""Measure periods of a plan's own: where they begin and end beside a calendar."""

from __future__ import annotations

import numpy as np
import pytest

from payouts.kernel.spans import bounds, inside
from plans.rules.compiled import OwnPeriods

YEARS = np.array([0, 365, 730])


@pytest.mark.parametrize(
    ("spans", "edges"),
    [
        (((10, 20), (20, 30), (40, 50)), [0, 10, 20, 30, 40, 50, 730]),
        (((0, 20), (700, 730)), [0, 20, 700, 730]),
        # One that goes on beyond the calendar is whole, and ends when it says.
        (((-30, 20), (700, 800)), [-30, 20, 700, 800]),
        (((-30, 800),), [-30, 800]),
        (((-30, -20), (800, 810)), [-30, -20, 0, 730, 800, 810]),
    ],
)
def test_the_calendar_cuts_no_period(spans: tuple[tuple[int, int], ...], edges: list[int]) -> None:
    own = OwnPeriods("kickoff", spans)
    found = bounds(own, YEARS)
    assert found.tolist() == edges
    assert all(start in found and end in found for start, end in spans)
    within = inside(own, np.arange(-40, 820))
    assert within.sum() == sum(end - start for start, end in spans)
