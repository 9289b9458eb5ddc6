"""The kernel runs as many lines of Python for many rows as for few: what it does for a row it does in columns."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from payouts.case import read_case
from payouts.kernel import calculate
from payouts.kernel.batch import MILLIONTHS, MISSING_MONEY, Batch, Ints
from plans.rules.load import read_yaml
from tests.bench.kernel import EVERYTHING, MARGINAL, everything, marginal, plan
from tests.unit.kernel.test_computed_fields import calls

PLANS = Path(__file__).parents[2] / "plans"
#: A case of each kind of rating, shaping, releasing and settling.
CASES = (
    "accelerated-lines-rounded-along-the-curve-and-in-total",
    "at-least-what-the-ae-s-terms-give-for-each-deal",
    "budget-whose-posted-deals-are-corrected",
    "caps-per-credit-and-per-deal-under-review",
    "conditions-on-numbers",
    "contest-with-ties-that-share",
    "euros-paid-in-dollars-at-three-dates",
    "floating-rate-for-this-share-and-trued-up",
    "gate-running-with-catch-up",
    "interpolated-between-points",
    "matrix-of-two-measures",
    "mixed-tiers-that-reach-back-one-tier",
    "modifiers-multiply-and-add",
    "new-version-restarts-with-halved-quotas",
    "overrides-on-reports-and-on-overrides",
    "paid-as-the-customer-pays",
    "plan-cap-over-all-components",
    "pool-by-points-with-the-largest-remainder",
    "prorated-by-working-days",
    "release-in-thirds",
    "retroactive-proportional",
    "rolled-up-to-the-limit",
    "scorecard-of-three-weighted-parts",
    "spiff-budget-to-the-last-cent",
    "spread-evenly-over-the-months",
    "taken-back-by-the-uncollected-share",
    "the-whole-waterfall-in-its-usual-order",
    "year-to-date-due-less-earned-before",
)


@pytest.mark.parametrize(("text", "batch"), [(MARGINAL, marginal), (EVERYTHING, everything)])
def test_a_thousand_credits_and_sixteen_thousand(text: str, batch: Any) -> None:
    compiled = plan(text)
    counts = [lines_of(batch(credits, 20, compiled)) for credits in (1_000, 16_000)]
    assert counts[0] == counts[1]


@pytest.mark.parametrize("name", CASES)
def test_each_deal_of_a_case_many_times(name: str) -> None:
    """What grows a little is what goes by the tiers, periods and versions that more credits reach."""
    document = read_yaml((PLANS / f"{name}.yaml").read_text(encoding="utf-8"))
    document.pop("expect")
    few, many = (lines_of(times(document, count)) for count in (4, 64))
    assert many < 1.1 * few


def test_what_a_cap_carries_goes_period_by_period() -> None:
    """A turn for each period that pays out of what is carried: in proportion to these, whatever the lines of one."""
    document = read_yaml((PLANS / "excess-carried-that-counts-against-the-next-cap.yaml").read_text(encoding="utf-8"))
    document.pop("expect")
    few, many = (lines_of(times(document, count)) for count in (4, 64))
    assert many < 2 * few


def lines_of(batch: Batch) -> int:
    calculate(batch)  # what is worked out once for a plan is kept
    return calls(lambda: calculate(batch))


def times(document: dict[str, Any], count: int) -> Batch:
    """The case with each of its deals so many times, under other names."""
    said = copy.deepcopy(document)
    for turn in range(1, count):
        for deal in document.get("deals", []):
            said["deals"].append({**copy.deepcopy(deal), "id": f"{deal['id']}-{turn}"})
    batch = read_case(said).batch
    # A case keeps numbers as ratios of any precision; facts of the database have them in whole millionths.
    numbers = {name: whole(column) for name, column in batch.facts.numbers.items()}
    return replace(batch, facts=replace(batch.facts, numbers=numbers))


def whole(column: Any) -> Ints:
    if column.dtype != object:
        return np.asarray(column, dtype=np.int64)
    return np.array([MISSING_MONEY if value is None else int(value * MILLIONTHS) for value in column], dtype=np.int64)
