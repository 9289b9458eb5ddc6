"""The documents of the library, and documents that went wrong at random."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from plans.rules.load import read_yaml

LIBRARY = sorted((Path(__file__).parents[3] / "plans" / "rules" / "library").glob("*.yaml"))
#: Without their examples: what goes wrong here is the promise.
GOOD: dict[str, dict[str, Any]] = {
    path.stem: {key: value for key, value in read_yaml(path.read_text()).items() if key != "examples"}
    for path in LIBRARY
}

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
#: What may stand where something else belongs.
SCALARS = st.sampled_from(
    ["", "0%", "12.50 %", "-5%", "100%", "1", "007.10", "25000.00", "-3", "1e3", "won", "above", "usage", "credit_date",
     "retroactive", "bonus", "2026-11-30", "marginal", "ae", "measure_period", "null", "true", "on"]
) | st.sampled_from([None, True, False, 0, 1, 12, -1]) | TEXTS  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """A good document of the library with a few places replaced, dropped, doubled or renamed."""
    return draw(spoiled(GOOD[draw(st.sampled_from(sorted(GOOD)))]))


@st.composite
def spoiled(draw: st.DrawFn, good: dict[str, Any]) -> dict[str, Any]:
    """A document with a few places replaced, dropped, doubled or renamed."""
    document = copy.deepcopy(good)
    for _ in range(draw(st.integers(0, 4))):
        places = list(_places(document))
        if not places:
            break
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        act = draw(st.sampled_from(["replace", "drop", "double", "rename"]))
        if act == "drop":
            del holder[key]
        elif act == "double" and isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        elif act == "rename" and isinstance(holder, dict):
            holder[draw(TEXTS)] = holder.pop(key)
        else:
            holder[key] = draw(VALUES)
    return document


def _places(value: Any) -> Any:
    if isinstance(value, dict):
        for key, item in value.items():
            yield value, key
            yield from _places(item)
    elif isinstance(value, list):
        for key, item in enumerate(value):
            yield value, key
            yield from _places(item)
