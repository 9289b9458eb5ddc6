"""A recompute reads deals, then teams, milestones and usage; what intake adds in between is left to its own scope."""

from __future__ import annotations

import numpy as np

from payouts.frames.read_facts import of_rows
from payouts.frames.sql import Words


def test_rows_of_a_deal_that_came_meanwhile_never_count_for_another() -> None:
    deals = np.array([10, 20, 40], dtype=np.int64)
    found = {
        "fact": np.array([40, 30, 10, 50], dtype=np.int64),
        "role": Words(np.array([0, 1, 0, 1], dtype=np.int64), ("ae", "se")),
        "weight": np.array([1, 2, 3, 4], dtype=np.int64),
    }

    kept = of_rows(found, deals)

    assert kept["fact"].tolist() == [2, 0]  # 30 would have stood in the place of 40, 50 behind the last
    assert kept["weight"].tolist() == [1, 3]
    assert [kept["role"].words[code] for code in kept["role"].codes] == ["ae", "ae"]
