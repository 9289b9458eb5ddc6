"""What openings are refused for, by the kernel and where a case is read; and that they move nothing before them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comp.core.errors import ProblemsError
from payouts.case import read_case
from payouts.kernel import Batch, calculate
from payouts.kernel.batch import OF_OPENING
from payouts.kernel.errors import BadOpening
from payouts.kernel.openings import refusal, version_for
from plans.rules.load import read_yaml

CASES = Path(__file__).resolve().parents[2] / "plans"


def document(name: str) -> Any:
    return read_yaml((CASES / f"{name}.yaml").read_text(encoding="utf-8"))


def batch_of(name: str) -> Batch:
    return read_case(document(name)).batch


def moved(batch: Batch, **columns: Any) -> Batch:
    assert batch.openings is not None
    return replace(batch, openings=replace(batch.openings, **columns))


def test_tranches_add_up_and_one_opening_stands_for_a_period() -> None:
    batch = batch_of("opening-below-zero")
    assert batch.openings is not None and batch.opening_tranches is not None
    with pytest.raises(BadOpening, match="earned -99999, and its tranches add up to -100000"):
        calculate(moved(batch, earned=np.array([-99_999])))
    twice = {name: np.repeat(getattr(batch.openings, name), 2) for name in batch.openings.__slots__}
    tranches = {
        name: np.repeat(getattr(batch.opening_tranches, name), 2) for name in ("index", "amount", "release_day")
    }
    doubled = replace(
        moved(batch, **twice), opening_tranches=replace(batch.opening_tranches, opening=np.array([0, 1]), **tranches)
    )
    with pytest.raises(BadOpening, match="two openings for sales/commission in the period from 2026-01-01"):
        calculate(doubled)


def test_whole_periods_are_opened_on_their_last_day() -> None:
    batch = batch_of("openings-of-whole-periods-of-a-team")
    assert batch.openings is not None
    with pytest.raises(BadOpening, match="2026-03-30 lies inside a quarter"):
        calculate(moved(batch, day=batch.openings.day - 1))


def test_what_cannot_be_opened_says_why() -> None:
    scorecard = batch_of("scorecard-of-three-weighted-parts").plans[0]
    said = {component.kind: refusal(component) for component in scorecard.components}
    assert said["scorecard"] is None and said["result"] is not None and "earns nothing" in said["result"]
    found = document("opening-below-zero")
    found["openings"][0]["tranches"] = [{"amount": "-999.00", "on": "2026-01-31"}, {"amount": "1.00"}]
    del found["openings"][0]["measured"]
    with pytest.raises(ProblemsError) as error:
        read_case(found)
    told = " ".join(problem.message for problem in error.value.problems)
    for said_of in ("write `measured`", "released on a day", "add up to what it earned"):
        assert said_of in told


def test_people_without_a_plan_keep_what_was_brought_forward() -> None:
    batch = batch_of("opening-whose-tranches-wait")
    nobody = replace(
        batch.assignments, **{name: getattr(batch.assignments, name)[:0] for name in batch.assignments.__slots__}
    )
    lines = calculate(replace(batch, assignments=nobody)).lines
    assert lines.kind is not None and lines.kind.tolist() == [OF_OPENING] and lines.earned.tolist() == [600_000]
    assert calculate(replace(batch, only=np.array([99]))).lines.earned.size == 0


def test_the_version_of_an_opening() -> None:
    spans = [(0, 10), (10, 20), (30, 40)]
    assert [version_for(spans, day) for day in (5, 10, 25, 50, -3)] == [0, 1, 2, 2, 0]
