"""Leaves of conditions, answered for columns at once."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from crediting.kernel.columns import MILLIONTHS, MISSING_DAY, MISSING_MONEY, Text
from plans.rules.compiled import Leaf

Mask = npt.NDArray[np.bool_]

_TESTS: dict[str, Callable[[Any, Any], Any]] = {
    "is": lambda found, value: found == value,
    "is_not": lambda found, value: found != value,
    "at_least": lambda found, value: found >= value,
    "on_or_after": lambda found, value: found >= value,
    "at_most": lambda found, value: found <= value,
    "more_than": lambda found, value: found > value,
    "less_than": lambda found, value: found < value,
    "before": lambda found, value: found < value,
    "between": lambda found, value: (found >= value[0]) & (found <= value[1]),
}
_TEXT_TESTS: dict[str, Callable[[str, Any], bool]] = {
    "is": lambda found, value: found == value,
    "is_not": lambda found, value: found != value,
    "in": lambda found, value: found in value,
    "not_in": lambda found, value: found not in value,
    "contains": lambda found, value: value in found,
    "starts_with": lambda found, value: found.startswith(value),
}
_MISSING: dict[str, object] = {"money": MISSING_MONEY, "date": MISSING_DAY, "number": MISSING_MONEY, "boolean": -1}


def answer(leaf: Leaf, values: Any) -> Mask:
    """For each row whether the leaf is true. `values` is a column of the leaf's type: `Text`, or whole numbers (numbers
    in millionths, or Fractions with None where missing)."""
    if isinstance(values, Text):
        return _text_answer(leaf, values)
    exact = values.dtype == object
    missing = values == (None if exact else _MISSING[leaf.type])
    if leaf.op == "is_missing":
        return np.asarray(missing, dtype=bool)
    present = np.asarray(~missing, dtype=bool)
    if leaf.op == "is_present":
        return present
    value = leaf.value if exact or leaf.type != "number" else _millionths(leaf.value)
    answers = np.zeros(values.size, dtype=bool)
    answers[present] = _TESTS[leaf.op](values[present], value)
    return answers


def _text_answer(leaf: Leaf, text: Text) -> Mask:
    # One answer for each word, and a last one for a missing text, which code -1 picks.
    answers = np.zeros(len(text.vocabulary) + 1, dtype=bool)
    if leaf.op in ("is_missing", "is_present"):
        answers[:-1] = leaf.op == "is_present"
        answers[-1] = leaf.op == "is_missing"
    else:
        test = _TEXT_TESTS[leaf.op]
        answers[:-1] = [test(word, leaf.value) for word in text.vocabulary]
    found: Mask = answers[text.codes]
    return found


def _millionths(value: Any) -> Any:
    """A number, or a pair of them, in millionths: a whole number, for a plan's numbers have at most 6 decimals."""
    if isinstance(value, tuple):
        return tuple(_millionths(each) for each in value)
    scaled = Fraction(value) * MILLIONTHS
    return scaled.numerator if scaled.denominator == 1 else scaled
