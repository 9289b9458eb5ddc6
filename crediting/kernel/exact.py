"""Exact arithmetic on columns of whole numbers.

A column is int64 where every step provably fits, else an object array of Python ints: the same operations, only slower.
The proof is a bound, worked out in Python ints from the largest values of the columns before anything is multiplied.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from comp.core.rounding import Mode
from crediting.kernel.columns import LARGEST, Codes, Ints
from crediting.kernel.errors import AmountOutOfRange

#: int64 or Python ints in an object array.
Whole = npt.NDArray[Any]
FITS = int(np.iinfo(np.int64).max)


def largest(values: Whole) -> int:
    """The largest absolute value, 0 for an empty column."""
    return max(int(values.max()), -int(values.min())) if values.size else 0


def wide(values: Whole, bound: int) -> Whole:
    """`values`, as Python ints where numbers as large as `bound` would not fit."""
    return values.astype(object) if bound > FITS else values


def money(values: Whole, what: str) -> Ints:
    """`values` as int64, refused where one passes LARGEST."""
    found = largest(values)
    if found > LARGEST:
        raise AmountOutOfRange(f"{what} of {found} minor units is out of range; at most {LARGEST} can be calculated.")
    return values.astype(np.int64, copy=False)


def divided(values: Whole, divisor: int | Whole, mode: Mode) -> Whole:
    """`values / divisor` (positive: one for all rows, or one a row) as the nearest whole numbers; half goes to the even
    neighbour or away from zero."""
    if isinstance(divisor, int) and divisor == 1:
        return values
    values = wide(values, largest(values) + 2 * (divisor if isinstance(divisor, int) else largest(divisor)))
    whole: Whole = values // divisor
    # Written over itself: columns are long, and three of them at once are memory.
    twice = whole * divisor
    np.subtract(values, twice, out=twice)
    twice *= 2
    half = twice == divisor
    # `whole` is the floor, so away from zero means one up for a positive value and none for a negative one.
    up = (twice > divisor) | (half & ((whole & 1) == 1 if mode == "half-even" else values > 0))
    whole += up
    return whole


def scaled(values: Whole, ratio: Fraction, mode: Mode, step: int = 1) -> Whole:
    """The multiples of `step` nearest to `values x ratio`."""
    if step == 1 and ratio == 1:
        return values
    top, bottom = ratio.numerator, ratio.denominator * step
    product = wide(values, largest(values) * abs(top) + bottom) * top
    return divided(product, bottom, mode) * step


def running(values: Whole, starts: Ints, run: Ints) -> Whole:
    """Running sums that begin anew at each of `starts` (rows); `run` says for each row which start is its own."""
    sums = np.cumsum(wide(values, largest(values) * (values.size + 1)))
    if starts.size > 1:
        base = sums[starts] - values[starts]
        sums -= base[run]
    return sums


def sums(values: Whole, starts: Ints) -> Whole:
    """The sum of each run of rows that begins at one of `starts`."""
    if not starts.size:
        return values[:0]
    return np.add.reduceat(wide(values, largest(values) * values.size), starts)


def added(size: int, place: Ints, values: Whole, what: str) -> Ints:
    """The values added up at their places of `size`, refused where a sum passes LARGEST."""
    order = np.argsort(place, kind="stable")
    heads = run_starts(place[order])
    total = np.zeros(size, dtype=np.int64)
    total[place[order][heads]] = money(sums(values[order], heads), what)
    return total


def run_starts(*keys: Whole) -> Ints:
    """The rows at which any of the keys differs from the row above; the first row always."""
    rows = keys[0].size
    new = np.zeros(rows, dtype=bool)
    new[:1] = True
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(new)


def run_numbers(starts: Ints, rows: int) -> Ints:
    """For each row the number of its run."""
    return np.repeat(np.arange(starts.size), np.diff(starts, append=rows))


def codes(values: Sequence[int]) -> Codes:
    """Numbers from -1 on, in 16 bits where they fit."""
    return np.array(values, dtype=np.int16 if max(values, default=0) < 2**15 else np.int64)


def packed(columns: Iterable[tuple[Whole, int]]) -> tuple[Ints, int]:
    """One key that orders rows as the columns do, the first column first, and the number that all keys stay below.

    Each column comes with the number that its values (from 0) stay below.
    """
    key: Ints | None = None
    nothing: Whole = np.zeros(0, dtype=np.int64)
    size = 1
    for values, below in columns:
        if below <= 1:
            nothing = values
            continue
        if size * below > FITS and key is not None:
            key, size = ranked(key)
        if size * below > FITS:
            values, below = ranked(values)
        if key is None:
            key = values.astype(np.int64)
        else:
            key *= below
            key += values
        size *= below
    return np.zeros(nothing.size, dtype=np.int64) if key is None else key, size


def ranked(values: Whole) -> tuple[Ints, int]:
    """Each value's place among the distinct values, and how many there are."""
    distinct, places = np.unique(values, return_inverse=True)
    return places.astype(np.int64), max(int(distinct.size), 1)


def ascending(key: Ints) -> Ints | slice:
    """The rows in the order of the key: all as they stand where they are in order already."""
    if key.size < 2 or bool((key[1:] >= key[:-1]).all()):
        return slice(None)
    return sorted_rows(key)


def merged(key: Ints) -> Ints | slice:
    """As `ascending`, for a key that stands in long ascending runs: they are found and merged, which takes a tenth of
    the time of sorting."""
    if key.size < 2 or bool((key[1:] >= key[:-1]).all()):
        return slice(None)
    return np.argsort(key, kind="stable")


def sorted_rows(key: Ints) -> Ints:
    """The rows in the order of the key, equal ones as they stand.

    Where key and row number fit into one number, numbers are sorted instead of places. Else the rows are first dealt
    out by the highest 16 bits of the key, in one pass, so that those to be sorted stand close together. Either takes
    half the time of sorting places.
    """
    if not key.size:
        return np.zeros(0, dtype=np.int64)
    first, bits = int(key.min()), int(key.size).bit_length()
    span = int(key.max()) - first
    rows = key - first
    if (span + 1) << bits > FITS:
        # The difference of two numbers far apart wraps around, and is right without a sign.
        high = rows.view(np.uint64) >> np.uint64(max(span.bit_length() - 16, 0))
        dealt = np.argsort(high.astype(np.uint16), kind="stable")
        return dealt[np.argsort(key[dealt], kind="stable")]
    rows <<= bits
    rows |= np.arange(key.size)
    rows.sort()
    rows &= (1 << bits) - 1
    return rows
