"""Choices read from a tape of chance, and the constructs that may be chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Option = TypeVar("Option")

#: What generated cases are made of beside the core form.
FEATURES = {
    # credits
    "fact kinds",
    "units",
    "computed",
    "eligible",
    "component eligible",
    "eligible on",
    "hold",
    "split kinds",
    "share by",
    "limit",
    "counts for",
    "transfers",
    "employment",
    "currencies",
    # measures
    "count",
    "credits when",
    "year to date",
    "by period",
    "ratios",
    "others",
    "rolling",
    "reads",
    "fixed quota",
    "proration",
    "ramp",
    # rates
    "tier modes",
    "tier axes",
    "times",
    "full points",
    "columns",
    "table",
    "incentive",
    "result",
    "scorecard",
    "pool",
    "rank",
    # shape
    "modifiers",
    "kickers",
    "limits",
    "minimum",
    "caps",
    "carried",
    "budget",
    "gates",
    "running gates",
    "plan caps",
    "rounding",
    # versions and people
    "restart",
    "rerun",
    "overrides",
    # release and pay
    "release days",
    "live usage",
    "paid",
    "after",
    "floating",
    "clawback",
    "amortise",
    "pay currency",
    "settled in pay",
    "settlement",
    "floor",
    "rate of origin",
    "payment caps",
    "clawback limit",
    "small adjustments",
    "draws",
    "capped components",
    "measured cap",
    "prorated plan caps",
    "relief",
    "parts of a measure",
    "order",
    "counterpart",
    "result in money",
    "prorated tiers",
    "no currency",
    "own periods",
    "read between periods",
    "quota between periods",
    "other lengths",
    "carried under restart",
    "openings",
    "posted",
}


#: Bytes of chance that a case may use up; the largest cases take nearly as many.
TAPE = 2400


class Pick:
    """Choices read from a tape of bytes, each an index into written options; past the end the first option.

    One draw a case, where a draw for each choice would be slow and would let hypothesis mix parts of one example into
    the next instead of making new ones. It still shrinks: a smaller byte is a plainer choice.
    """

    def __init__(self, tape: bytes, features: frozenset[str] | set[str] = frozenset(FEATURES)) -> None:
        self._tape = iter(tape)
        self.features = set(features)
        self.used: set[str] = set()

    def one(self, options: Sequence[Option]) -> Option:
        return options[self.upto(len(options) - 1)]

    def upto(self, highest: int) -> int:
        number, reach = 0, 1
        while reach <= highest:
            number, reach = number * 256 + next(self._tape, 0), reach * 256
        return number % (highest + 1)

    def seldom(self, out_of: int) -> bool:
        """True once in `out_of` times."""
        return self.upto(out_of - 1) == out_of - 1

    def some(self, options: Sequence[Option]) -> list[Option]:
        """At least one of the options, in their order."""
        chosen = 1 + self.upto(2 ** len(options) - 2)
        return [option for place, option in enumerate(options) if chosen >> place & 1]

    def has(self, feature: str, out_of: int) -> bool:
        """Whether a construct occurs here: once in `out_of` times, where it is switched on at all."""
        assert feature in FEATURES, feature
        chosen = self.seldom(out_of) and feature in self.features
        if chosen:
            self.used.add(feature)
        return chosen

    @contextmanager
    def without(self, *features: str) -> Iterator[None]:
        """Some constructs switched off for a while."""
        before = set(self.features)
        self.features -= set(features)
        yield
        self.features = before
