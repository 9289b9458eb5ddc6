"""Exact rounding and exact division of whole amounts. See docs/algorithms/rounding.md.

Everything is `int` or `Fraction`: nothing here can lose a unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from comp.core.errors import CompError

Mode = Literal["half-even", "half-up"]


class RoundingError(CompError):
    """A rounding was asked for that has no meaning: an unknown mode, no weight at all, a step below one."""


def round_ratio(numerator: int, denominator: int, mode: Mode) -> int:
    """`numerator / denominator` as the nearest whole number. Exactly half goes to the even neighbour (`half-even`)
    or away from zero (`half-up`)."""
    if denominator == 0:
        raise RoundingError(f"Cannot round {numerator}/0: the denominator has to differ from zero.")
    negative = (numerator < 0) != (denominator < 0)
    whole, rest = divmod(abs(numerator), abs(denominator))
    twice = 2 * rest - abs(denominator)
    if mode == "half-even":
        up = twice > 0 or (twice == 0 and whole % 2 == 1)
    elif mode == "half-up":
        up = twice >= 0
    else:
        raise RoundingError(f"Unknown rounding mode {mode!r}; allowed are half-even and half-up.")
    return -(whole + up) if negative else whole + up


def round_fraction(value: Fraction, mode: Mode, step: int = 1) -> int:
    """The multiple of `step` (in minor units) nearest to `value` (in minor units)."""
    if step < 1:
        raise RoundingError(f"A rounding step is a positive whole number of minor units, not {step}.")
    return step * round_ratio(value.numerator, value.denominator * step, mode)


def largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """Divide `total` minor units by `weights` into parts whose sum is exactly `total`.

    Each part is the floor of its exact share; the units left over go one each to the largest remainders, ties to the
    earlier place. The parts of a negative total are the negated parts of the positive one.
    """
    if any(weight < 0 for weight in weights):
        raise RoundingError(f"Weights are whole numbers from 0, not {list(weights)}.")
    whole = sum(weights)
    if whole == 0:
        raise RoundingError(f"Cannot divide {total} by weights {list(weights)}: at least one has to be positive.")
    if total < 0:
        return [-part for part in largest_remainder(-total, weights)]
    shares = [divmod(total * weight, whole) for weight in weights]
    parts = [part for part, _ in shares]
    left = total - sum(parts)
    by_remainder = sorted(range(len(parts)), key=lambda place: (-shares[place][1], place))
    for place in by_remainder[:left]:
        parts[place] += 1
    return parts


def cumulative_parts(total: int, shares: Sequence[Fraction], mode: Mode, step: int = 1) -> list[int]:
    """Divide `total` minor units over time: with cumulative shares S, part i is
    round(S[i] * total) - round(S[i-1] * total).

    What was released up to any moment is then the rounded share of the whole, so no part depends on a later one. Where
    the shares sum to 1 and `total` is a multiple of `step` the parts sum to `total`.
    """
    parts: list[int] = []
    share = Fraction(0)
    released = 0
    for part in shares:
        share += part
        due = round_fraction(share * total, mode, step)
        parts.append(due - released)
        released = due
    return parts
