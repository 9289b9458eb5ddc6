"""The kernel runs as many lines of Python for many rows as for few, and calls as many functions for nine futures as for
two: what it does for a row it does in columns."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from payouts.case import read_case
from payouts.kernel import calculate
from payouts.kernel.batch import MILLIONTHS, MISSING_MONEY, Batch, Text
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
EVERY = sorted(PLANS.glob("*.yaml"))
#: Every sixth, by name: neighbours are alike.
SOME = EVERY[::6]


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


@pytest.mark.parametrize("path", SOME, ids=lambda path: path.stem)
def test_nine_futures_take_no_more_python_than_two(path: Path) -> None:
    batch = read_case(read_yaml(path.read_text(encoding="utf-8"))).batch
    calculate(batch)  # what is worked out once for a plan is kept
    assert functions_of(futures(batch, 9)) <= functions_of(futures(batch, 2))


def test_each_future_pays_as_the_first() -> None:
    """That the futures are whole: teams, milestones, readings and transfers go with their facts."""
    for path in EVERY[::10]:
        batch = read_case(read_yaml(path.read_text(encoding="utf-8"))).batch
        if batch.kept is None:
            once, often = calculate(batch), calculate(futures(batch, 3))
            assert often.lines.earned.sum() == 3 * once.lines.earned.sum(), path.stem
            assert often.tranches.amount.sum() == 3 * once.tranches.amount.sum(), path.stem


def lines_of(batch: Batch) -> int:
    calculate(batch)  # what is worked out once for a plan is kept
    return calls(lambda: calculate(batch))


def functions_of(batch: Batch) -> int:
    """How many of Python's functions are called: a tenth of the time that counting lines takes."""
    count = 0

    def note(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        calculate(batch)
    finally:
        sys.setprofile(before)
    return count


def times(document: dict[str, Any], count: int) -> Batch:
    """The case with each of its deals so many times, under other names."""
    said = copy.deepcopy(document)
    for turn in range(1, count):
        for deal in document.get("deals", []):
            said["deals"].append({**copy.deepcopy(deal), "id": f"{deal['id']}-{turn}"})
    batch = read_case(said).batch
    numbers = {name: whole(column) for name, column in batch.facts.numbers.items()}
    return replace(batch, facts=replace(batch.facts, numbers=numbers))


def futures(batch: Batch, count: int) -> Batch:
    """The same facts in so many replicates."""
    size = batch.facts.id.size
    again = _tiled(batch.facts, count, {"deal": size})
    assert again.replicate is None or not again.replicate.any()
    facts = replace(again, replicate=np.repeat(np.arange(count), size))
    found = {"facts": facts}
    for name, of in (("teams", "fact"), ("milestones", "deal"), ("usage", "deal"), ("transfers", "deal")):
        found[name] = _tiled(getattr(batch, name), count, {of: size})
    return replace(batch, **found)


def _tiled(rows: Any, count: int, rows_of: Mapping[str, int]) -> Any:
    """Every column so many times; of a column in `rows_of`, rows among so many, each time those of its own copy."""
    if rows is None:
        return None
    return replace(
        rows, **{each.name: _column(getattr(rows, each.name), count, rows_of.get(each.name)) for each in fields(rows)}
    )


def _column(values: Any, count: int, step: int | None) -> Any:
    if values is None:
        return None
    if isinstance(values, Mapping):
        return {name: _column(one, count, None) for name, one in values.items()}
    if isinstance(values, Text):
        return replace(values, codes=np.tile(values.codes, count))
    values = whole(values)
    tiled = np.tile(values, count)
    if step is not None:
        copies = np.repeat(np.arange(count), values.size) * step
        tiled = np.where(tiled < 0, tiled, tiled + copies)
    return tiled


def whole(column: Any) -> Any:
    """A case keeps numbers as ratios of any precision, each an object of Python's; facts of the database have them in
    whole millionths."""
    if column.dtype != object:
        return column
    return np.array([MISSING_MONEY if value is None else round(value * MILLIONTHS) for value in column], dtype=np.int64)
