"""Nine futures of a worked case take as many calls of Python's functions as two."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crediting.kernel.fields import _millionths
from payouts.case import read_case
from payouts.kernel import calculate
from payouts.kernel.batch import Batch, Text
from plans.rules.load import read_yaml

CASES = sorted((Path(__file__).parents[2] / "plans").glob("*.yaml"))
#: Every sixth, by name: neighbours are alike.
SOME = CASES[::6]


def futures(batch: Batch, times: int) -> Batch:
    """The same facts in so many replicates."""
    size = batch.facts.id.size
    again = _tiled(batch.facts, times, {"deal": size})
    assert again.replicate is None or not again.replicate.any()
    facts = replace(again, replicate=np.repeat(np.arange(times), size))
    found = {"facts": facts}
    for name, of in (("teams", "fact"), ("milestones", "deal"), ("usage", "deal"), ("transfers", "deal")):
        found[name] = _tiled(getattr(batch, name), times, {of: size})
    return replace(batch, **found)


def _tiled(rows: Any, times: int, rows_of: Mapping[str, int]) -> Any:
    """Every column so many times; of a column in `rows_of`, rows among so many, each time those of its own copy."""
    if rows is None:
        return None
    return replace(
        rows, **{each.name: _column(getattr(rows, each.name), times, rows_of.get(each.name)) for each in fields(rows)}
    )


def _column(values: Any, times: int, step: int | None) -> Any:
    if values is None:
        return None
    if isinstance(values, Mapping):
        return {name: _column(one, times, None) for name, one in values.items()}
    if isinstance(values, Text):
        return replace(values, codes=np.tile(values.codes, times))
    if values.dtype == object:
        # Numbers of case files are fractions, each an object of Python's; those of the database are whole millionths.
        values = _millionths(values)
    tiled = np.tile(values, times)
    if step is not None:
        copies = np.repeat(np.arange(times), values.size) * step
        tiled = np.where(tiled < 0, tiled, tiled + copies)
    return tiled


def calls(batch: Batch) -> int:
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


@pytest.mark.parametrize("path", SOME, ids=lambda path: path.stem)
def test_nine_futures_take_no_more_python_than_two(path):
    batch = read_case(read_yaml(path.read_text(encoding="utf-8"))).batch
    calculate(batch)  # what is worked out once for a plan is kept
    assert calls(futures(batch, 9)) <= calls(futures(batch, 2))


def test_each_future_pays_as_the_first():
    """That the futures are whole: teams, milestones, readings and transfers go with their facts."""
    for path in CASES[::10]:
        batch = read_case(read_yaml(path.read_text(encoding="utf-8"))).batch
        if batch.kept is None:
            once, often = calculate(batch), calculate(futures(batch, 3))
            assert often.lines.earned.sum() == 3 * once.lines.earned.sum(), path.stem
            assert often.tranches.amount.sum() == 3 * once.tranches.amount.sum(), path.stem
