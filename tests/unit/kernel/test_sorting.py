"""Rows in the order of a key: the same rows whichever way the key's size lets them be found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crediting.kernel.columns import Facts
from crediting.kernel.credit import _sequence
from crediting.kernel.exact import merged, sorted_rows

ENDS = (-(2**63), -(2**63) + 1, -1, 0, 1, 2**15, 2**16, 2**62, 2**63 - 1)
#: Narrow keys fit into one number beside the row, wide ones do not; both with many alike.
KEYS = st.one_of(
    st.lists(st.integers(-3, 3), max_size=60),
    st.lists(st.one_of(st.sampled_from(ENDS), st.integers(-(2**63), 2**63 - 1)), max_size=60),
)


def whole(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@given(KEYS)
def test_rows_come_by_key_and_equal_ones_as_they_stand(values):
    expected = sorted(range(len(values)), key=values.__getitem__)
    assert sorted_rows(whole(values)).tolist() == expected
    assert np.arange(len(values))[merged(whole(values))].tolist() == expected


@pytest.mark.parametrize("span", [2**20, 2**62])
def test_many_rows(span):
    key = np.random.default_rng(1).integers(0, span, 70_000) // 3 * 3
    assert (sorted_rows(key) == np.argsort(key, kind="stable")).all()


@given(st.lists(st.tuples(st.sampled_from((0, 5, 2**61)), st.integers(0, 3)), max_size=40))
def test_facts_come_by_time_then_by_rank_and_twins_share_a_place(pairs):
    nothing = whole([])
    facts = Facts(nothing, nothing, nothing, {}, {}, {})
    facts = replace(facts, event_time=whole([time for time, _ in pairs]), rank=whole([rank for _, rank in pairs]))
    distinct = sorted(set(pairs))
    assert _sequence(facts).tolist() == [distinct.index(pair) for pair in pairs]
