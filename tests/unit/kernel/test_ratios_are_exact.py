"""Columns of ratios against plain Fractions, small and far beyond 64 bits."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comp.core.rounding import round_fraction
from crediting.kernel.exact import FITS
from crediting.kernel.ratios import Ratios, choose

SIZES = st.sampled_from([3, 10**3, 10**9, 10**15, FITS, 10**25])
FRACTIONS = SIZES.flatmap(
    lambda most: st.builds(Fraction, st.integers(-most, most), SIZES.flatmap(lambda most: st.integers(1, most)))
)
PAIRS = st.lists(st.tuples(FRACTIONS, FRACTIONS), max_size=6)


def column(values: list[Fraction]) -> Ratios:
    return Ratios.read(values)


def positive(ratios: Ratios) -> bool:
    return bool((ratios.bottom > 0).all())


@given(PAIRS)
def test_arithmetic_is_that_of_fractions(pairs):
    ones, others = [one for one, _ in pairs], [other for _, other in pairs]
    left, right = column(ones), column(others)
    for found, expected in (
        (left.add(right), [one + other for one, other in pairs]),
        (left.subtract(right), [one - other for one, other in pairs]),
        (left.multiply(right), [one * other for one, other in pairs]),
        (left.smaller(right), [min(pair) for pair in pairs]),
        (left.larger(right), [max(pair) for pair in pairs]),
        (left.negated(), [-one for one in ones]),
        (left.absolute(), [abs(one) for one in ones]),
        (left.reduced(), ones),
    ):
        assert found.fractions() == expected
        assert positive(found)
    assert left.compare(right).tolist() == [(one > other) - (one < other) for one, other in pairs]


@given(PAIRS)
def test_division_is_that_of_fractions_and_by_0_is_refused(pairs):
    left, right = column([one for one, _ in pairs]), column([other for _, other in pairs])
    if any(other == 0 for _, other in pairs):
        with pytest.raises(ZeroDivisionError):
            left.divide(right)
    else:
        found = left.divide(right)
        assert found.fractions() == [one / other for one, other in pairs]
        assert positive(found)


@given(st.lists(FRACTIONS, max_size=6), FRACTIONS)
def test_one_row_stands_for_every_row(values, constant):
    several, one = column(values), Ratios.constant(constant)
    assert several.multiply(one).fractions() == [value * constant for value in values]
    assert one.subtract(several).fractions() == [constant - value for value in values]
    assert several.compare(one).tolist() == [(value > constant) - (value < constant) for value in values]
    picked = choose(np.array([value < 0 for value in values], dtype=bool), one, several)
    assert picked.fractions() == [constant if value < 0 else value for value in values]


@given(st.lists(st.integers(-(10**15), 10**15), max_size=6), st.integers(1, 10**15))
def test_whole_numbers_over_one_denominator_keep_it_once(values, per):
    ratios = Ratios.of(np.array(values, dtype=np.int64), per)
    assert ratios.fractions() == [Fraction(value, per) for value in values]
    assert ratios.bottom.size == ratios.reduced().bottom.size == 1
    assert ratios.reduced().fractions() == ratios.fractions()


@given(st.lists(FRACTIONS, max_size=6), st.sampled_from(["half-even", "half-up"]), st.sampled_from([1, 2, 1000]))
def test_rounded_is_the_rounding_of_the_core(values, mode, step):
    assert column(values).rounded(mode, step).tolist() == [round_fraction(value, mode, step) for value in values]


@pytest.mark.parametrize(("mode", "expected"), [("half-even", [-2, 0, 0, 2, 2]), ("half-up", [-3, -1, 1, 2, 3])])
def test_exact_halves_go_as_the_mode_says(mode, expected):
    halves = [Fraction(-5, 2), Fraction(-1, 2), Fraction(1, 2), Fraction(3, 2), Fraction(5, 2)]
    assert Ratios.read(halves).rounded(mode).tolist() == expected
    assert Ratios.of(np.array([-5, -1, 1, 3, 5]), 2).rounded(mode).tolist() == expected


def test_64_bits_are_kept_where_lowest_terms_fit():
    """10^15 / (10^12 x 3) squared passes 64 bits on the way, its lowest terms do not."""
    values = Ratios.of(np.array([10**15, 2 * 10**15]), 3 * 10**12)
    square = values.multiply(values)
    assert square.fractions() == [Fraction(1000, 3) ** 2, Fraction(2000, 3) ** 2]
    assert square.top.dtype == np.int64
    large = Ratios.of(np.array([10**15])).multiply(Ratios.of(np.array([10**15])))
    assert large.top.dtype == object
    assert large.divide(Ratios.constant(10**20)).top.dtype == np.int64
