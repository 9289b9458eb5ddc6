"""Computed fields, worked out for all facts at once: columns in, a column out. See docs/algorithms/computed-fields.md.

Inside, every value is a column of exact ratios: money in minor units, dates as day numbers, booleans as 0 and 1, texts
as places in a vocabulary. Beside it stands a mask of the rows in which it is missing; there the ratio is of no meaning.
Only the end rounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from comp.core.spans import whole_months
from crediting.kernel.columns import LARGEST, MILLIONTHS, MISSING_DAY, MISSING_MONEY, Ints, Text
from crediting.kernel.errors import AmountOutOfRange
from crediting.kernel.exact import FITS, Whole, largest
from crediting.kernel.ratios import Mask, Ratios, choose
from plans.rules.expressions import Computed
from plans.rules.fields import FieldType
from plans.rules.syntax import (
    Arithmetic,
    Call,
    Comparison,
    Day,
    Expression,
    Field,
    Flag,
    Logic,
    Money,
    Negative,
    Not,
    Number,
    Word,
)

#: Money, dates and numbers int64, booleans int8.
Column = Ints | npt.NDArray[np.int8] | Text


class Columns(Protocol):
    """Fields beside some rows, as `crediting.kernel.fields.FactRows` gives them: money int64 minor units and numbers
    int64 millionths (`MISSING_MONEY` where missing), dates int64 (`MISSING_DAY`), texts `Text`, booleans int8 (-1)."""

    @property
    def size(self) -> int: ...
    def column(self, field: str, kind: FieldType) -> Any: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Value:
    ratios: Ratios
    missing: Mask
    vocabulary: tuple[str, ...] = ()


_PRESENT: Mask = np.zeros(1, dtype=bool)


def evaluate(computed: Computed, columns: Columns, minor_digits: int) -> Column:
    """The column of a computed field, in the form of those that it reads. Raises `AmountOutOfRange` where a result
    passes LARGEST minor units or millionths."""
    value = _Evaluation(columns, dict(computed.reads), minor_digits).value(computed.expression)
    whole = np.where(np.broadcast_to(value.missing, columns.size), 0, _rounded(computed, value.ratios))
    if computed.type == "text":
        return Text(np.where(value.missing, -1, whole).astype(np.int32), value.vocabulary)
    if computed.type == "boolean":
        return np.where(value.missing, -1, whole).astype(np.int8)
    if computed.type == "date":
        return np.where(value.missing, MISSING_DAY, whole)
    found = largest(whole)
    if found > LARGEST:
        unit = "minor units" if computed.type == "money" else "millionths"
        raise AmountOutOfRange(
            f"{computed.name} of {found} {unit} is out of range; at most {LARGEST} can be calculated."
        )
    return np.where(value.missing, MISSING_MONEY, whole.astype(np.int64))


def _rounded(computed: Computed, ratios: Ratios) -> Whole:
    # Money that states no mode is made of sums only, which are whole already.
    mode = computed.mode or "half-even"
    if computed.type == "money":
        return ratios.rounded(mode)
    if computed.decimals is not None:
        step = MILLIONTHS // 10**computed.decimals
        return ratios.multiply(Ratios.constant(MILLIONTHS)).rounded(mode, step)
    return ratios.top


class _Evaluation:
    """Works out one expression; each field is read once."""

    def __init__(self, columns: Columns, types: Mapping[str, FieldType], minor_digits: int) -> None:
        self._columns = columns
        self._types = types
        self._minor = 10**minor_digits
        self._fields: dict[str, _Value] = {}

    def value(self, node: Expression) -> _Value:
        match node:
            case Field(name):
                if name not in self._fields:
                    kind = self._types[name]
                    self._fields[name] = _read(self._columns.column(name, kind), name, kind)
                return self._fields[name]
            case Number(value):
                return _Value(Ratios.constant(value), _PRESENT)
            case Money(value):
                return _Value(Ratios.constant(value * self._minor), _PRESENT)
            case Day(number):
                return _Value(Ratios.constant(number), _PRESENT)
            case Word(text):
                return _Value(Ratios.constant(0), _PRESENT, (text,))
            case Flag(flag):
                return _Value(Ratios.constant(int(flag)), _PRESENT)
            case Negative(part):
                inner = self.value(part)
                return replace(inner, ratios=inner.ratios.negated())
            case Not(part):
                inner = self.value(part)
                return replace(inner, ratios=Ratios.of(1 - inner.ratios.top))
            case Arithmetic(sign, left, right):
                return _arithmetic(sign, self.value(left), self.value(right))
            case Comparison(relation, left, right):
                return _comparison(relation, self.value(left), self.value(right))
            case Logic(join, parts):
                return _logic(join, [self.value(part) for part in parts])
            case Call(function, parts):
                return _call(function, [self.value(part) for part in parts])


def _read(column: Any, name: str, kind: FieldType) -> _Value:
    if isinstance(column, Text):
        missing = column.codes < 0
        return _Value(Ratios.of(np.where(missing, 0, column.codes.astype(np.int64))), missing, column.vocabulary)
    missing = column < 0 if kind == "boolean" else column == (MISSING_DAY if kind == "date" else MISSING_MONEY)
    whole = np.where(missing, 0, column.astype(np.int64, copy=False))
    if largest(whole) >= FITS:  # what stands for a number that is larger still: nothing is worked out from it
        raise AmountOutOfRange(f"The {kind} field {name} is out of range; less than {FITS} millionths can be read.")
    # Most numbers have few decimals: in lowest terms their products stay within 64 bits.
    return _Value(Ratios.of(whole, MILLIONTHS).reduced() if kind == "number" else Ratios.of(whole), missing)


def _arithmetic(sign: str, left: _Value, right: _Value) -> _Value:
    missing = left.missing | right.missing
    match sign:
        case "+":
            return _Value(left.ratios.add(right.ratios), missing)
        case "-":
            return _Value(left.ratios.subtract(right.ratios), missing)
        case "*":
            return _Value(left.ratios.multiply(right.ratios), missing)
    zero = right.ratios.top == 0
    divisor = Ratios(np.where(zero, 1, right.ratios.top), right.ratios.bottom)
    return _Value(left.ratios.divide(divisor), missing | zero)


def _comparison(relation: str, left: _Value, right: _Value) -> _Value:
    left, right = _aligned(left, right)
    order = left.ratios.compare(right.ratios)
    answers = {
        "<": order < 0,
        "<=": order <= 0,
        ">": order > 0,
        ">=": order >= 0,
        "==": order == 0,
        "!=": order != 0,
    }
    return _Value(Ratios.of(answers[relation].astype(np.int64)), left.missing | right.missing)


def _logic(join: str, parts: Sequence[_Value]) -> _Value:
    answer, missing = parts[0].ratios.top, parts[0].missing
    for part in parts[1:]:
        answer = answer & part.ratios.top if join == "and" else answer | part.ratios.top
        missing = missing | part.missing
    return _Value(Ratios.of(answer), missing)


def _call(function: str, parts: Sequence[_Value]) -> _Value:
    first, *others = parts
    match function:
        case "abs":
            return replace(first, ratios=first.ratios.absolute())
        case "min" | "max":
            for other in others:
                pick = Ratios.smaller if function == "min" else Ratios.larger
                first = _Value(pick(first.ratios, other.ratios), first.missing | other.missing)
            return first
        case "days":
            return _Value(others[0].ratios.subtract(first.ratios), first.missing | others[0].missing)
        case "months":
            start, end = first.ratios.top, others[0].ratios.top
            # Backwards they count below zero, as days do.
            months = whole_months(start, end) - whole_months(end, start)
            return _Value(Ratios.of(months), first.missing | others[0].missing)
        case "if_missing":
            first, other = _aligned(first, others[0])
            return _chosen(first.missing, other, first)
    yes, no = _aligned(*others)
    chosen = _chosen(first.ratios.top != 0, yes, no)
    return replace(chosen, missing=chosen.missing | first.missing)


def _chosen(mask: Mask, yes: _Value, no: _Value) -> _Value:
    missing = np.where(mask, yes.missing, no.missing)
    return _Value(choose(mask, yes.ratios, no.ratios), missing, yes.vocabulary)


def _aligned(left: _Value, right: _Value) -> tuple[_Value, _Value]:
    """Both, texts with one vocabulary: goes through words, not rows."""
    if left.vocabulary == right.vocabulary:
        return left, right
    places = {word: place for place, word in enumerate(left.vocabulary)}
    moved = np.array([places.setdefault(word, len(places)) for word in right.vocabulary] or [0], dtype=np.int64)
    words = tuple(places)
    return replace(left, vocabulary=words), replace(right, ratios=Ratios.of(moved[right.ratios.top]), vocabulary=words)
