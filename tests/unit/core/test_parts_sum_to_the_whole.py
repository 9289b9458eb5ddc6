from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comp.core.rounding import (
    Mode,
    RoundingError,
    cumulative_parts,
    largest_remainder,
    round_fraction,
    round_ratio,
)

MODES: list[Mode] = ["half-even", "half-up"]
THIRDS = [Fraction(1, 3)] * 3


@pytest.mark.parametrize(
    ("numerator", "denominator", "even", "up"),
    [
        (5, 2, 2, 3),
        (7, 2, 4, 4),
        (-5, 2, -2, -3),
        (-7, 2, -4, -4),
        (5, -2, -2, -3),
        (1, 2, 0, 1),
        (-1, 2, 0, -1),
        (49, 100, 0, 0),
        (51, 100, 1, 1),
        (0, 7, 0, 0),
        (10**40 + 5, 10, 10**39, 10**39 + 1),
    ],
)
def test_halves_go_where_the_mode_says(numerator: int, denominator: int, even: int, up: int) -> None:
    assert round_ratio(numerator, denominator, "half-even") == even
    assert round_ratio(numerator, denominator, "half-up") == up


@given(st.integers(), st.integers().filter(bool), st.sampled_from(MODES))
def test_no_whole_number_is_nearer(numerator: int, denominator: int, mode: Mode) -> None:
    assert abs(round_ratio(numerator, denominator, mode) - Fraction(numerator, denominator)) <= Fraction(1, 2)


@given(st.decimals(-(10**12), 10**12, places=3), st.sampled_from(MODES))
def test_agrees_with_decimal(value: Decimal, mode: Mode) -> None:
    rounding = ROUND_HALF_EVEN if mode == "half-even" else ROUND_HALF_UP
    assert round_fraction(Fraction(value), mode) == int(value.quantize(Decimal(1), rounding=rounding))


@pytest.mark.parametrize(
    ("value", "step", "even", "up"),
    [
        (Fraction(1250), 100, 1200, 1300),
        (Fraction(1350), 100, 1400, 1400),
        (Fraction(-1250), 100, -1200, -1300),
        (Fraction(1249), 100, 1200, 1200),
    ],
)
def test_rounds_to_whole_units(value: Fraction, step: int, even: int, up: int) -> None:
    assert round_fraction(value, "half-even", step) == even
    assert round_fraction(value, "half-up", step) == up


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (10_000, [1, 1, 1], [3334, 3333, 3333]),
        (-10_000, [1, 1, 1], [-3334, -3333, -3333]),
        (10_001, [1, 1, 1], [3334, 3334, 3333]),
        (100, [1, 2, 4], [14, 29, 57]),  # remainders 2/7, 4/7, 1/7: the second gets the unit
        (1, [1, 1], [1, 0]),
        (2, [0, 1, 0], [0, 2, 0]),
        (0, [3, 5], [0, 0]),
        (7, [5], [7]),
    ],
)
def test_parts_at_one_time(total: int, weights: list[int], parts: list[int]) -> None:
    assert largest_remainder(total, weights) == parts


@given(st.integers(-(10**15), 10**15), st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any))
def test_parts_sum_and_stand_within_one_unit_of_their_share(total: int, weights: list[int]) -> None:
    parts = largest_remainder(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1


def test_parts_over_time() -> None:
    assert cumulative_parts(10_000, THIRDS, "half-even") == [3333, 3334, 3333]
    assert cumulative_parts(-10_000, THIRDS, "half-even") == [-3333, -3334, -3333]
    assert cumulative_parts(1, [Fraction(1, 2), Fraction(1, 2)], "half-even") == [0, 1]
    assert cumulative_parts(1, [Fraction(1, 2), Fraction(1, 2)], "half-up") == [1, 0]
    assert cumulative_parts(300, [Fraction(1, 2), Fraction(1, 2)], "half-even", 100) == [200, 100]


@given(
    st.integers(-(10**15), 10**15),
    st.lists(st.integers(1, 100), min_size=1, max_size=12),
    st.sampled_from(MODES),
)
def test_shares_of_one_release_all(total: int, weights: list[int], mode: Mode) -> None:
    shares = [Fraction(weight, sum(weights)) for weight in weights]
    assert sum(cumulative_parts(total, shares, mode)) == total


def test_refuses_what_has_no_meaning() -> None:
    with pytest.raises(RoundingError, match="5/0"):
        round_ratio(5, 0, "half-even")
    with pytest.raises(RoundingError, match="'up'"):
        round_ratio(5, 2, "up")  # type: ignore[arg-type]
    with pytest.raises(RoundingError, match="not 0"):
        round_fraction(Fraction(1), "half-even", 0)
    with pytest.raises(RoundingError, match="at least one has to be positive"):
        largest_remainder(5, [0, 0])
    with pytest.raises(RoundingError, match="at least one has to be positive"):
        largest_remainder(5, [])
    with pytest.raises(RoundingError, match="from 0"):
        largest_remainder(5, [2, -1])
