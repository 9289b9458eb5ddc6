"""Conditions of credit rules, answered for all facts at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from crediting.kernel.columns import MISSING_DAY, MISSING_MONEY, Facts
from crediting.kernel.errors import ColumnAbsent
from plans.rules.compiled import Condition, Leaf

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


class Conditions:
    """Answers conditions over one set of facts, each leaf once: rules and plan versions mostly share theirs."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._answers: dict[Leaf, Mask] = {}

    def mask(self, condition: Condition) -> Mask:
        """For each deal whether the condition is true. Not to be written to."""
        if isinstance(condition, Leaf):
            if condition not in self._answers:
                self._answers[condition] = self._leaf(condition)
            return self._answers[condition]
        answer = np.full(self.facts.id.size, condition.join != "any")
        for part in condition.parts:
            if condition.join == "all":
                answer &= self.mask(part)
            elif condition.join == "any":
                answer |= self.mask(part)
            else:
                answer &= ~self.mask(part)
        return answer

    def _leaf(self, leaf: Leaf) -> Mask:
        if leaf.type == "text":
            return self._text_leaf(leaf)
        values = column(self.facts, leaf.type, leaf.field)
        missing = values == _MISSING[leaf.type]
        if leaf.op == "is_missing":
            return np.asarray(missing, dtype=bool)
        present = np.asarray(~missing, dtype=bool)
        if leaf.op == "is_present":
            return present
        answer = np.zeros(values.size, dtype=bool)
        answer[present] = _TESTS[leaf.op](values[present], leaf.value)
        return answer

    def _text_leaf(self, leaf: Leaf) -> Mask:
        text = column(self.facts, "text", leaf.field)
        # One answer for each word, and a last one for a missing text, which code -1 picks.
        answers = np.zeros(len(text.vocabulary) + 1, dtype=bool)
        if leaf.op in ("is_missing", "is_present"):
            answers[:-1] = leaf.op == "is_present"
            answers[-1] = leaf.op == "is_missing"
        else:
            test = _TEXT_TESTS[leaf.op]
            answers[:-1] = [test(word, leaf.value) for word in text.vocabulary]
        answer: Mask = answers[text.codes]
        return answer


_MISSING: dict[str, object] = {"money": MISSING_MONEY, "date": MISSING_DAY, "number": None, "boolean": -1}


def column(facts: Facts, kind: str, field: str) -> Any:
    """The facts' column of a field, refused where the batch carries none: as a missing one it would pay nothing."""
    columns: Any = {
        "text": facts.text,
        "money": facts.money,
        "date": facts.dates,
        "number": facts.numbers,
        "boolean": facts.booleans,
    }[kind]
    if field not in columns:
        raise ColumnAbsent(f"A plan reads the {kind} field {field!r}; the facts carry {', '.join(columns) or 'none'}.")
    return columns[field]
