from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comp.core.canonical import CanonicalError, canonical_json, digest
from comp.core.chain import GENESIS, ChainError, link

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def test_the_form() -> None:
    value = {"b": [1, True, None], "a": "ä\n", "Z": {"y": Decimal("1.50"), "x": -3}}
    assert canonical_json(value) == '{"Z":{"x":-3,"y":"1.50"},"a":"ä\\n","b":[1,true,null]}'
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_large_and_small_decimals_have_no_exponent() -> None:
    assert canonical_json([Decimal("1E+3"), Decimal("1E-7")]) == '["1000","0.0000001"]'


@given(VALUES)
def test_reads_back_and_repeats(value: Any) -> None:
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(TEXTS, st.integers(), max_size=8), st.randoms())
def test_the_order_of_keys_does_not_matter(table: dict[str, int], chance: random.Random) -> None:
    keys = list(table)
    chance.shuffle(keys)
    assert digest({key: table[key] for key in keys}) == digest(table)


def test_texts_are_not_normalised() -> None:
    assert digest("\u00e9") != digest("e\u0301")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (1.5, r"\$: 1.5 is float"),
        ({"a": [0, 2.0]}, r"\$.a\[1\]: 2.0 is float"),
        ({1: "a"}, "the key 1 is int"),
        (Decimal("NaN"), "has to be finite"),
        ({"a", "b"}, "is set"),
        (b"a", "is bytes"),
        ("\ud800", "half of a surrogate pair"),
    ],
)
def test_refuses_what_has_no_one_form(value: Any, reason: str) -> None:
    with pytest.raises(CanonicalError, match=reason):
        canonical_json(value)


def test_a_link_holds_all_before_it() -> None:
    first = link(GENESIS, "a")
    # (head -c 32 /dev/zero; printf a) | sha256sum
    assert first == "41a0370c3d9f42773a59e8e01651911cf43b1e3f66944cbb690029debc4eb647"
    assert link(first, "b") != link(GENESIS, "b")
    assert link(first, "b") != link(first, "c")
    with pytest.raises(ChainError, match="64 lower-case hex digits"):
        link(first.upper(), "b")
    with pytest.raises(ChainError, match="'' is no link"):
        link("", "b")
