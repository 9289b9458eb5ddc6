"""Pay below zero that no plan's settlement takes care of: what of it is carried, and what of later pay is set against
it. See docs/algorithms/waterfall.md.

A person's whole: what all their plans pay together, whole minor units of one currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Terms:
    """A negative payout is carried as a whole where it and what is carried already come to `most` (None: to anything),
    else nothing of it. Of pay a `share` is set off, rounded down, and `keep` is left."""

    most: int | None
    share: Fraction
    keep: int = 0


def moved(pay: int, owed: int, terms: Terms) -> int:
    """How much of what is paid is set against what is owed; negative: what is carried of pay below zero."""
    if pay < 0:
        return pay if terms.most is None or owed - pay <= terms.most else 0
    return max(min(owed, int(pay * terms.share), pay - terms.keep), 0)


def parted(total: int, of: Mapping[Key, int]) -> dict[Key, int]:
    """An amount taken from what stands by key, one after the other."""
    found: dict[Key, int] = {}
    for key, standing in of.items():
        found[key] = min(total, standing)
        total -= found[key]
    return found
