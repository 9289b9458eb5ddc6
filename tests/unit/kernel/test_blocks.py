"""People are worked out some after the other where they are many: that changes no row and no order of rows."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from crediting.kernel.columns import Text
from payouts.kernel import calculate, pipeline
from payouts.kernel.errors import KernelError
from tests.oracle.agree import case_at
from tests.oracle.bridge import batch_of
from tests.oracle.pick import FEATURES


def columns(table: Any, path: str = "") -> dict[str, Any]:
    """All columns of a result by their names; texts as words, whatever other words their vocabulary holds."""
    if isinstance(table, Text):
        return {path: [None if code < 0 else table.vocabulary[code] for code in table.codes]}
    if not is_dataclass(table):
        return {path: table.tolist() if isinstance(table, np.ndarray) else table}
    found: dict[str, Any] = {}
    for each in fields(table):
        found |= columns(getattr(table, each.name), f"{path}.{each.name}")
    return found


def figures(case: Any) -> dict[str, Any] | None:
    """None where a case is refused. A trace is a value, over whichever denominator."""
    try:
        found = columns(calculate(batch_of(case).batch, traced=True))
    except KernelError:
        return None
    found[".traces"] = list(map(Fraction, found.pop(".traces.top"), found.pop(".traces.bottom")))
    return found


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    in_blocks = 0
    for number in range(120):
        case, _ = case_at(21, number, FEATURES)
        whole = figures(case)
        with monkeypatch.context() as small:
            small.setattr(pipeline, "BLOCK", 1)
            assert figures(case) == whole, number
        in_blocks += whole is not None and len(set(whole[".credits.participant"])) > 1
    assert in_blocks > 30


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ([], []),
        ([4], [(0, 1)]),
        ([1, 1, 1, 1], [(0, 4)]),
        ([1, 2, 2, 2, 3], [(0, 4), (4, 5)]),
        ([1, 2, 3], [(0, 2), (2, 3)]),
    ],
)
def test_a_block_ends_with_a_person(monkeypatch: pytest.MonkeyPatch, person, expected) -> None:
    monkeypatch.setattr(pipeline, "BLOCK", 2)
    found = pipeline.blocks(np.array(person, dtype=np.int64))
    assert [(each.start, each.stop) for each in found] == expected
