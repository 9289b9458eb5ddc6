"""Rate tables of several dimensions: which cell holds each row."""

from __future__ import annotations

from math import ceil, floor

import numpy as np

from crediting.kernel.fields import RowFields
from payouts.kernel.batch import MILLIONTHS, MISSING_DAY, MISSING_MONEY, Ints, Text
from plans.rules.compiled import Dimension, Table

NO_CELL = -1


def cells(table: Table, fields: RowFields) -> Ints:
    """The cell that holds each row, in row-major order; NO_CELL where no row of some dimension does."""
    place: Ints | None = None
    for dimension in table.dimensions:
        mine = _row(dimension, fields)
        if place is None:
            place = mine
        else:
            place = np.where((place < 0) | (mine < 0), NO_CELL, place * dimension.rows + mine)
    assert place is not None
    return place


def _row(dimension: Dimension, fields: RowFields) -> Ints:
    found = fields.column(dimension.field, dimension.type)
    if dimension.type == "text":
        return _word_row(dimension, found)
    missing = found == (MISSING_DAY if dimension.type == "date" else MISSING_MONEY)
    value = np.abs(np.where(missing, 0, found)) if dimension.type == "money" else found
    return np.where(missing, NO_CELL, np.searchsorted(_least(dimension), value, side="right") - 1)


def _least(dimension: Dimension) -> Ints:
    """The least whole number that each row holds. Nothing lies below the first row, so its bound is its own."""
    per = MILLIONTHS if dimension.type == "number" else 1
    starts = [start * per for start in dimension.starts]
    least = [ceil(start) if dimension.boundary == "above" else floor(start) + 1 for start in starts]
    least[0] = ceil(starts[0])
    return np.array(least, dtype=np.int64)


def _word_row(dimension: Dimension, found: Text) -> Ints:
    otherwise = len(dimension.values) if dimension.otherwise else NO_CELL
    rows = {word: row for row, word in enumerate(dimension.values)}
    # One row for each word, and a last one for a missing text, which code -1 picks.
    answers = np.array([rows.get(word, otherwise) for word in found.vocabulary] + [otherwise], dtype=np.int64)
    picked: Ints = answers[found.codes]
    return picked
