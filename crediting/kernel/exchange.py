"""Rates of exchange by dates, and amounts converted at them. See docs/algorithms/currency.md."""

from __future__ import annotations

import numpy as np

from comp.core.money import LARGEST, minor_digits
from comp.core.rounding import Mode
from crediting.kernel.columns import MISSING_MONEY, Exchange, Ints, Text
from crediting.kernel.errors import BadRate
from crediting.kernel.exact import divided, largest, wide

#: In place of a row of `Exchange`: no rate holds the day; nothing is to be converted.
NO_RATE, SAME = -1, -2


class Rates:
    """Finds the rate that holds a day. Raises BadRate where two hold one day, or one is not positive."""

    def __init__(self, exchange: Exchange | None) -> None:
        self._exchange = exchange
        self._known: dict[tuple[str, str, str], Ints] = {}
        if exchange is None:
            return
        wrong = np.flatnonzero((exchange.top <= 0) | (exchange.bottom <= 0))
        if wrong.size:
            row = int(wrong[0])
            found = f"{exchange.top[row]}/{exchange.bottom[row]}"
            raise BadRate(f"The rate {self._named(row)} is {found}; a rate is more than zero.")
        order = np.lexsort((exchange.start, exchange.kind.codes, exchange.target.codes, exchange.source.codes))
        self._order = order[exchange.start[order] < exchange.end[order]]
        above, below = self._order[:-1], self._order[1:]
        doubled = exchange.end[above] > exchange.start[below]
        for column in (exchange.source.codes, exchange.target.codes, exchange.kind.codes):
            doubled &= column[above] == column[below]
        if doubled.any():
            row = int(below[doubled][0])
            day = np.datetime64(int(exchange.start[row]), "D")
            raise BadRate(f"There are two rates {self._named(row)} on {day}; at most one holds a day.")

    def find(self, kind: str, source: Text, target: str, day: Ints) -> Ints:
        """The row of `Exchange` that takes each row's source to the target on its day. NO_RATE where there is none,
        SAME where the source is the target or is not stated."""
        # The last place stands for a source that is not stated.
        own = [NO_RATE if word != target else SAME for word in source.vocabulary]
        found: Ints = np.array([*own, SAME], dtype=np.int64)[source.codes]
        for code, word in enumerate(source.vocabulary):
            spans = self._spans(kind, word, target)
            if word == target or not spans.size:
                continue
            exchange = self._given()
            rows = np.flatnonzero(source.codes == code)
            place = np.searchsorted(exchange.start[spans], day[rows], side="right") - 1
            span = spans[np.maximum(place, 0)]
            holds = (place >= 0) & (day[rows] < exchange.end[span])
            found[rows[holds]] = span[holds]
        return found

    def convert(self, amount: Ints, source: Text, rate: Ints, digits: int, mode: Mode) -> Ints:
        """Amounts in minor units of their sources, as minor units of a target with so many digits, each rounded once;
        `rate` is what `find` gave. MISSING_MONEY where there is no rate. What passes LARGEST becomes LARGEST + 1, so
        that it is refused where it is used, and only there."""
        result = np.where(rate == NO_RATE, MISSING_MONEY, amount)
        rows = np.flatnonzero((rate >= 0) & (amount != MISSING_MONEY))
        if not rows.size:
            return result
        exchange, used = self._given(), rate[rows]
        steps = np.array([digits - minor_digits(word) for word in source.vocabulary], dtype=np.int64)
        step = steps[source.codes[rows]]
        top = _times(exchange.top[used], 10 ** np.maximum(step, 0))
        bottom = _times(exchange.bottom[used], 10 ** np.maximum(-step, 0))
        exact = divided(_times(amount[rows], top), bottom, mode)
        result[rows] = np.clip(exact, -LARGEST - 1, LARGEST + 1).astype(np.int64)
        return result

    def _spans(self, kind: str, source: str, target: str) -> Ints:
        """The rows of one kind, source and target, by their first day."""
        key = (kind, source, target)
        if key not in self._known:
            spans = np.zeros(0, dtype=np.int64)
            if self._exchange is not None:
                given = self._exchange
                spans = self._order
                for text, word in ((given.kind, kind), (given.source, source), (given.target, target)):
                    code = text.vocabulary.index(word) if word in text.vocabulary else None
                    spans = spans[text.codes[spans] == code] if code is not None else spans[:0]
            self._known[key] = spans
        return self._known[key]

    def _given(self) -> Exchange:
        assert self._exchange is not None
        return self._exchange

    def _named(self, row: int) -> str:
        given = self._given()
        kind, source, target = (text.vocabulary[text.codes[row]] for text in (given.kind, given.source, given.target))
        return f"{source} to {target} ({kind})"


def _times(left: Ints, right: Ints) -> Ints:
    product: Ints = wide(left, largest(left) * largest(right)) * right
    return product
