"""Earned lines spread over months: schedules beside the pay (number 33)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from payouts.kernel import calculate
from plans.rules.compiled_pay import Amortise, Clawback
from tests.unit.kernel.world import Deal, bonus, commission, plan, tiers, world

FLAT = tiers((0, 10))
TYPES = {"day": "date", "term_months": "number"}


def spread(months: int | str, start: Any = "credit_date", deals: Any = (), **more: Any):
    component = commission(FLAT, amortise=Amortise(months, start), **more)
    return calculate(world(plan(component), deals or [Deal(100, "2026-01-31")], types=TYPES)).schedules


def rows(schedules) -> list[tuple[int, str, int]]:
    months = schedules.month.astype("datetime64[D]").astype("datetime64[M]")
    assert (months.astype("datetime64[D]").astype(np.int64) == schedules.month).all()
    return [
        (int(line), str(month), int(part))
        for line, month, part in zip(schedules.line, months, schedules.amount, strict=True)
    ]


@pytest.mark.parametrize(("start", "first"), [("credit_date", 1), ("next_month", 2)])
def test_the_months_add_up_to_the_line(start, first):
    # 10.00 in three months: 3.33, 6.67 and 10.00 so far.
    parts = [333, 334, 333]
    assert rows(spread(3, start)) == [(0, f"2026-{first + turn:02}", part) for turn, part in enumerate(parts)]


def test_a_negative_line_and_one_month():
    assert rows(spread(1, deals=[Deal(-100, "2026-01-31")])) == [(0, "2026-01", -1_000)]


def test_schedules_run_beyond_the_calendar():
    found = rows(spread(36))
    assert len(found) == 36
    assert found[-1] == (0, "2028-12", 28)
    assert sum(part for _, _, part in found) == 1_000


def test_a_number_of_months_from_the_fact():
    deals = [
        Deal(100, "2026-01-10", extra={"term_months": months}, name=f"D{place}")
        for place, months in enumerate((2, None, 0))
    ]
    assert rows(spread("term_months", deals=deals)) == [(0, "2026-01", 500), (0, "2026-02", 500)]


def test_a_line_that_earns_nothing_has_none():
    assert rows(spread(3, deals=[Deal(0, "2026-01-10")])) == []
    assert rows(spread(3, deals=[Deal(100, "2026-07-10")])) == []  # waits for its quota


def test_a_reversal_stands_in_the_month_of_its_day():
    back = Clawback(("cancellation",), "original", lowers_measure=False, takes="all")
    gone = Deal(None, None, (), None, kind="cancellation", of="A", extra={"day": "2026-02-20"})
    deals = [Deal(100, "2026-01-10", name="A", extra={"term_months": 2}), gone]
    for months in (2, "term_months"):
        found = rows(spread(months, "next_month", deals, clawback=back))
        assert found == [(0, "2026-02", 500), (0, "2026-03", 500), (1, "2026-02", -1_000)]


def test_only_components_that_say_so_are_spread():
    assert calculate(world(plan(commission(FLAT)), [Deal(100)])).schedules is None
    both = plan(commission(FLAT), bonus(5, amortise=Amortise(2, "credit_date")))
    found = calculate(world(both, [Deal(100), Deal(200, name="B")])).schedules
    # The bonus lines stand behind the two commissions.
    assert [(line, part) for line, _, part in rows(found)] == [(2, 250), (2, 250), (3, 250), (3, 250)]


def test_only_asked_people_are_spread():
    made = plan(commission(FLAT, amortise=Amortise(2, "credit_date")))
    deals = [Deal(100, team=[("ae", 1)]), Deal(100, team=[("ae", 2)], name="B")]
    quotas = [(person, "sales", (20454, 20544), 100) for person in (1, 2)]
    whole = calculate(world(made, deals, quotas=quotas))
    part = calculate(world(made, deals, quotas=quotas, only=[2]))
    assert whole.schedules.line.tolist() == [0, 0, 1, 1]
    assert part.schedules.line.tolist() == [0, 0]
