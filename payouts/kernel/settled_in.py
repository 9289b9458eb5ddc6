"""In which currency accounts are settled, and what the amounts that a settlement states come to in it: number 34 of
docs/plan-language.md. See docs/algorithms/currency.md."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from comp.core.money import minor_digits
from comp.core.rounding import Mode
from crediting.kernel.columns import Text
from crediting.kernel.exact import money
from crediting.kernel.exchange import NO_RATE, SAME, Rates
from crediting.kernel.ratios import Mask
from payouts.kernel.batch import Batch, Ints
from plans.rules.compiled_pay import Settlement


@dataclass(frozen=True, slots=True)
class Stated:
    """How the amounts of one plan version are converted for some accounts: `row` of `Exchange` (NO_RATE, SAME) and the
    decimals of the currency that each is settled in."""

    rates: Rates
    currency: str
    mode: Mode
    row: Ints
    digits: Ints

    def known(self) -> Mask:
        found: Mask = self.row != NO_RATE
        return found

    def pick(self, rows: Ints) -> Stated:
        return Stated(self.rates, self.currency, self.mode, self.row[rows], self.digits[rows])

    def worth(self, amount: int | Ints) -> Ints:
        """Minor units of the plan's currency in those of each account's, each rounded once."""
        found = np.broadcast_to(np.asarray(amount, dtype=np.int64), self.row.shape).copy()
        for digits in np.unique(self.digits[self.row >= 0]).tolist():
            mine = np.flatnonzero((self.row >= 0) & (self.digits == digits))
            source = Text(np.zeros(mine.size, dtype=np.int32), (self.currency,))
            worth = self.rates.convert(found[mine], source, self.row[mine], digits, self.mode)
            found[mine] = money(worth, "An amount that a settlement states")
        return found


def rate_asked(settlement: Settlement, start: int, end: int) -> tuple[str, int]:
    """The kind and day of the rate at which a settlement's amounts are converted in the pay period [start, end)."""
    kind = "average" if settlement.amounts_rate == "period_average" else "spot"
    return kind, end - 1 if settlement.amounts_rate == "period_end" else start


class SettledIn:
    """The currencies of a batch's accounts."""

    def __init__(self, batch: Batch) -> None:
        self._batch, self._rates = batch, Rates(batch.exchange)
        paid_in = batch.pay_currency or {}
        self._people = np.array(sorted(paid_in), dtype=np.int64)
        self._words = tuple(sorted(set(paid_in.values())))
        self._codes = np.array([self._words.index(paid_in[who]) for who in self._people.tolist()], dtype=np.int64)
        keys = {plan.key for plan in batch.plans if plan.settlement is not None and plan.settlement.settle_in == "pay"}
        #: By plan version: whether its plan settles people in the currency that they are paid in.
        self.pays = np.array([plan.key in keys for plan in batch.plans], dtype=bool)

    def currency(self, place: int, participant: int) -> str:
        """The currency that somebody is settled in by a plan version."""
        plan = self._batch.plans[place]
        return (self._batch.pay_currency or {}).get(participant, plan.currency) if self.pays[place] else plan.currency

    def stated(self, place: int, participant: Ints, start: int, end: int) -> Stated:
        """How a version's amounts are converted for these people in the pay period [start, end). A version without a
        settlement states none."""
        plan = self._batch.plans[place]
        settlement = plan.settlement
        row = np.full(participant.size, SAME, dtype=np.int64)
        digits = np.full(participant.size, plan.minor_digits, dtype=np.int64)
        if settlement is not None and self.pays[place] and self._people.size:
            at = np.minimum(np.searchsorted(self._people, participant), self._people.size - 1)
            code = np.where(self._people[at] == participant, self._codes[at], -1)
            kind, day = rate_asked(settlement, start, end)
            for number, target in enumerate(self._words):
                mine = np.flatnonzero(code == number)
                if not mine.size or target == plan.currency:
                    continue
                source = Text(np.zeros(mine.size, dtype=np.int32), (plan.currency,))
                row[mine] = self._rates.find(kind, source, target, np.full(mine.size, day))
                digits[mine] = minor_digits(target)
        return Stated(self._rates, plan.currency, plan.round_mode, row, digits)
