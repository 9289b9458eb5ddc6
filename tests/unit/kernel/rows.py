"""Lines for rating alone: one group of credits under one plan version, and fields beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from crediting.kernel.conditions import answer
from payouts.kernel.base import Stretch
from payouts.kernel.batch import MISSING_MONEY, Text
from payouts.kernel.rate import Rated, rate
from plans.rules.compiled import Component
from tests.unit.kernel.world import ints


class Fields:
    """Columns beside rows, given as they are: text as words, the rest as numbers."""

    def __init__(self, columns: Mapping[str, Sequence[Any]]) -> None:
        self.columns = columns

    @property
    def size(self) -> int:
        return len(next(iter(self.columns.values())))

    def column(self, field: str, kind: str) -> Any:
        values = self.columns[field]
        if kind != "text":
            return ints(values)
        words = tuple(sorted({word for word in values if word is not None}))
        return Text(np.array([words.index(word) if word is not None else -1 for word in values], dtype=np.int32), words)

    def mask(self, condition: Any) -> Any:
        return answer(condition, self.column(condition.field, condition.type))


def stretch(amounts: Sequence[int], quota: int | None, **more: Any) -> Stretch:
    """One group of credits in minor units (or millionths), in order."""
    amount = ints(amounts)
    after = np.cumsum(amount)
    lines: dict[str, Any] = {
        "amount": amount,
        "whole": np.abs(amount),
        "before": after - amount,
        "after": after,
        "total": np.full(amount.size, after[-1]),
        "quota": np.full(amount.size, MISSING_MONEY if quota is None else quota),
        "position": np.arange(1, amount.size + 1),
        "fresh": ints([0]),
    }
    return Stretch(**lines | more)


def exact(rated: Rated) -> list[Fraction]:
    """Earnings in minor units."""
    divisors = np.broadcast_to(rated.divisor, rated.earning.size)
    return [Fraction(int(top), int(bottom)) for top, bottom in zip(rated.earning, divisors, strict=True)]


def pays(component: Component, amounts: Sequence[int], quota: int | None = 100_000, **more: Any) -> list[Any]:
    """What credits of whole units earn, in whole units; incentives and quotas are whole units too."""
    columns = {
        name: ints([MISSING_MONEY if each is None else each * 100 for each in more.pop(name)])
        for name in ("incentive", "quota_before", "incentive_before")
        if name in more
    }
    lines = stretch([each * 100 for each in amounts], None if quota is None else quota * 100, **columns, **more)
    return [value / 100 for value in exact(rate(component, lines))]
