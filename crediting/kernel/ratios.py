"""Columns of exact ratios: each row with a numerator and a denominator of its own.

For what whole numbers over one known denominator cannot hold: an amount over a quota, a share of days, a computed
field. Nothing is rounded until `rounded` is asked for, and nothing wraps: before a product is taken its largest
possible value is worked out; where that passes 64 bits both sides are brought to lowest terms, and where that does not
help they become Python ints (see `crediting.kernel.exact`).

A column of one row stands for every row, so that a constant, or a denominator that all rows share, is kept once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from comp.core.rounding import Mode
from crediting.kernel.exact import FITS, Whole, divided, largest, wide

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Ratios:
    """`top / bottom`, row by row; each of them a column of all rows, or of one row that stands for every row.

    `bottom` is positive. No marker of missing values may stand in `top`: put 0 there, and keep a mask.
    """

    top: Whole
    bottom: Whole

    @classmethod
    def of(cls, values: Whole, per: int = 1) -> Ratios:
        """`values / per`: whole numbers over one positive denominator."""
        return cls(values, _column(per))

    @classmethod
    def constant(cls, value: Fraction | int) -> Ratios:
        """One value for every row."""
        return cls(_column(value.numerator), _column(value.denominator))

    @classmethod
    def read(cls, values: Sequence[Fraction | int]) -> Ratios:
        """A column of Fractions. Goes through them one by one: for the edges, not for the way inside."""
        tops = np.array([value.numerator for value in values], dtype=object)
        bottoms = np.array([value.denominator for value in values], dtype=object)
        return cls(_narrow(tops), _narrow(bottoms))

    def fractions(self) -> list[Fraction]:
        """The values one by one, for tests and traces."""
        tops, bottoms = np.broadcast_arrays(self.top, self.bottom)
        return [Fraction(int(top), int(bottom)) for top, bottom in zip(tops, bottoms, strict=True)]

    def negated(self) -> Ratios:
        return Ratios(-self.top, self.bottom)

    def absolute(self) -> Ratios:
        return Ratios(np.abs(self.top), self.bottom)

    def inverse(self) -> Ratios:
        """`1 / value`. Raises ZeroDivisionError where any value is 0: who divides says first what that means."""
        if not self.top.all():
            raise ZeroDivisionError("A column of ratios that holds 0 was to be divided by.")
        return Ratios(np.where(self.top < 0, -self.bottom, self.bottom), np.abs(self.top))

    def add(self, other: Ratios) -> Ratios:
        left, right = _crossing(self, other)
        if _same(left.bottom, right.bottom):
            return _settled(left.top + right.top, left.bottom)
        common = np.gcd(left.bottom, right.bottom)
        step = right.bottom // common
        return _settled(left.top * step + right.top * (left.bottom // common), left.bottom * step)

    def subtract(self, other: Ratios) -> Ratios:
        return self.add(other.negated())

    def multiply(self, other: Ratios) -> Ratios:
        left, right = self, other
        if _product(left, right) > FITS:
            left, right = left.reduced(), right.reduced()
            if (bound := _product(left, right)) > FITS:
                left, right = left._wide(bound), right._wide(bound)
        return _settled(left.top * right.top, left.bottom * right.bottom)

    def divide(self, other: Ratios) -> Ratios:
        """Raises ZeroDivisionError where any row of `other` is 0."""
        return self.multiply(other.inverse())

    def compare(self, other: Ratios) -> npt.NDArray[np.int8]:
        """-1 where the value is below the other's, 0 where they are equal, 1 where it is above."""
        left, right = _crossing(self, other)
        if _same(left.bottom, right.bottom):
            ours, theirs = left.top, right.top
        else:
            ours, theirs = left.top * right.bottom, right.top * left.bottom
        return (ours > theirs).astype(np.int8) - (ours < theirs).astype(np.int8)

    def smaller(self, other: Ratios) -> Ratios:
        return choose(self.compare(other) <= 0, self, other)

    def larger(self, other: Ratios) -> Ratios:
        return choose(self.compare(other) >= 0, self, other)

    def rounded(self, mode: Mode, step: int = 1) -> Whole:
        """The multiples of `step` nearest to the values; an exact half goes as `comp.core.rounding` says."""
        bottom = self.bottom if step == 1 else wide(self.bottom, largest(self.bottom) * step) * step
        divisor = int(bottom[0]) if bottom.size == 1 else bottom
        nearest = divided(self.top, divisor, mode)
        return nearest if step == 1 else wide(nearest, (largest(nearest) + 1) * step) * step

    def reduced(self) -> Ratios:
        """The same values in lowest terms, in 64 bits where they fit. Where all rows share one denominator they go on
        sharing it, and only what divides all of them is taken out."""
        if self.bottom.size == 1:
            common = np.gcd(self.bottom, np.gcd.reduce(self.top, keepdims=True))
        else:
            common = np.gcd(self.top, self.bottom)
        return Ratios(_narrow(self.top // common), _narrow(self.bottom // common))

    def _wide(self, bound: int) -> Ratios:
        return Ratios(wide(self.top, bound), wide(self.bottom, bound))


def choose(mask: Mask, yes: Ratios, no: Ratios) -> Ratios:
    """The rows of `yes` where the mask says so, else those of `no`."""
    top = np.where(mask, yes.top, no.top)
    bottom = yes.bottom if _same(yes.bottom, no.bottom) else np.where(mask, yes.bottom, no.bottom)
    return Ratios(top, bottom)


def _column(value: int) -> Whole:
    return np.array([value], dtype=object if abs(value) > FITS else np.int64)


def _same(left: Whole, right: Whole) -> bool:
    """Whether two denominators are one and the same for every row, as far as a glance can tell."""
    return left is right or (left.size == 1 and right.size == 1 and bool(left[0] == right[0]))


def _product(left: Ratios, right: Ratios) -> int:
    """No number in the product of two ratios is larger."""
    return max(largest(left.top) * largest(right.top), largest(left.bottom) * largest(right.bottom))


def _cross(left: Ratios, right: Ratios) -> int:
    """No number is larger when two ratios are brought to a common denominator and added."""
    if _same(left.bottom, right.bottom):
        return largest(left.top) + largest(right.top)
    below, beside = largest(left.bottom), largest(right.bottom)
    return max(largest(left.top) * beside + largest(right.top) * below, below * beside)


def _crossing(left: Ratios, right: Ratios) -> tuple[Ratios, Ratios]:
    """Both, so that they can be brought to a common denominator and added without passing 64 bits."""
    if _cross(left, right) > FITS:
        left, right = left.reduced(), right.reduced()
        if (bound := _cross(left, right)) > FITS:
            left, right = left._wide(bound), right._wide(bound)
    return left, right


def _settled(top: Whole, bottom: Whole) -> Ratios:
    """A result; one that needed Python ints on the way goes back to 64 bits where lowest terms fit."""
    result = Ratios(top, bottom)
    return result.reduced() if top.dtype == object or bottom.dtype == object else result


def _narrow(values: Whole) -> Whole:
    return values.astype(np.int64) if values.dtype == object and largest(values) <= FITS else values
