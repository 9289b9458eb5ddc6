"""Cash against what was invoiced or contracted: which share of a deal is paid, from which day on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from crediting.kernel.columns import MISSING_DAY, MISSING_MONEY, Facts, Ints
from crediting.kernel.exact import money, run_numbers, run_starts, running, sums
from payouts.kernel.errors import ColumnAbsent
from payouts.kernel.reads import tally

Base = Literal["invoiced", "contracted"]


@dataclass(frozen=True, slots=True)
class Steps:
    """The days on which the cash of a deal changed, deal by deal in order of days. Row r of deal d stands at
    `first[d]` to `first[d] + count[d]`. The share paid from `day` on is `paid` / `base`, both whole, base positive."""

    first: Ints  # by fact row
    count: Ints
    day: Ints
    paid: Ints  # 0 to base
    base: Ints


@dataclass(frozen=True, slots=True)
class Returns:
    """What reverses deals, deal by deal in order, with the part of the deal that is reversed so far: `part` of `whole`.
    Those of deal d stand at `first[d]` to `first[d] + count[d]`."""

    first: Ints  # by fact row
    count: Ints
    fact: Ints
    day: Ints
    part: Ints
    whole: Ints


class Cash:
    """Invoices, receipts, refunds and reversals of the deals of a batch, in their own currency."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._steps: dict[tuple[Base, str | None], Steps] = {}
        self._returns: dict[tuple[str, ...], Returns] = {}

    def returns(self, kinds: tuple[str, ...]) -> Returns:
        """The reversals of these kinds, worked out once."""
        if kinds not in self._returns:
            self._returns[kinds] = self._reversals(kinds)
        return self._returns[kinds]

    def steps(self, base: Base, tax: str | None) -> Steps:
        key = (base, tax if base == "invoiced" else None)
        if key not in self._steps:
            self._steps[key] = self._work_out(*key)
        return self._steps[key]

    def paid_on(self, base: Base, tax: str | None, deal: Ints, day: Ints) -> tuple[Ints, Ints]:
        """The share of each deal (a fact row) paid by the end of a day, as `paid` and `base`; 0 of 1 where nothing
        is."""
        steps = self.steps(base, tax)
        paid, whole = np.zeros(deal.size, dtype=np.int64), np.ones(deal.size, dtype=np.int64)
        known = np.flatnonzero(deal >= 0)
        if not steps.day.size or not known.size:
            return paid, whole
        # Days are searched within each deal's stretch: deal first, then day, in one ascending key.
        first_day, last_day = int(steps.day.min()), int(steps.day.max())
        width = last_day - first_day + 2
        of = np.repeat(np.arange(steps.count.size), steps.count)
        keys = of * width + (steps.day - first_day)
        wanted = deal[known] * width + np.clip(day[known] - first_day, -1, width - 1)
        place = np.searchsorted(keys, wanted, side="right") - 1
        met = (place >= steps.first[deal[known]]) & (steps.count[deal[known]] > 0)
        rows, place = known[met], place[met]
        paid[rows], whole[rows] = steps.paid[place], steps.base[place]
        return paid, whole

    def _work_out(self, base: Base, tax: str | None) -> Steps:
        facts = self._facts
        rows = facts.id.size
        none = np.zeros(0, dtype=np.int64)
        if facts.kind is None or facts.deal is None:
            return Steps(np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64), none, none, none)
        whole = self._base(base, tax)
        amount, day = self.column("money", "amount"), self.column("date", "day")
        sign = np.zeros(rows, dtype=np.int64)
        sign[self.of_kind("receipt")] = 1
        sign[self.of_kind("refund")] = -1
        moves = np.flatnonzero((sign != 0) & (facts.deal >= 0) & (amount != MISSING_MONEY) & (day != MISSING_DAY))
        moves = moves[whole[facts.deal[moves]] > 0]
        moves = moves[np.lexsort((day[moves], facts.deal[moves]))]
        deal, when = facts.deal[moves], day[moves]
        starts = run_starts(deal, when)
        moved = sums(amount[moves] * sign[moves], starts)
        deal, when = deal[starts], when[starts]
        heads = run_starts(deal)
        cash = money(running(moved, heads, run_numbers(heads, deal.size)), "The cash of a deal") if deal.size else none
        count = np.bincount(deal, minlength=rows)
        limit = whole[deal]
        return Steps(np.cumsum(count) - count, count, when, np.clip(cash, 0, limit), limit)

    def _reversals(self, kinds: tuple[str, ...]) -> Returns:
        facts = self._facts
        rows = facts.id.size
        none = np.zeros(0, dtype=np.int64)
        if facts.kind is None or facts.deal is None:
            return Returns(np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64), none, none, none, none)
        found = np.concatenate([self.of_kind(kind) for kind in kinds])
        if not found.size:
            return Returns(np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64), none, none, none, none)
        amounts, days = self.column("money", "amount"), self.column("date", "day")
        found = found[(facts.deal[found] >= 0) & (days[found] != MISSING_DAY)]
        order = np.lexsort((facts.rank[found], facts.event_time[found], days[found], facts.deal[found]))
        found = found[order]
        deal = facts.deal[found]
        count = np.bincount(deal, minlength=rows)
        whole = np.abs(np.where(amounts[deal] == MISSING_MONEY, 0, amounts[deal]))
        part = np.abs(np.where(amounts[found] == MISSING_MONEY, whole, amounts[found]))
        # A deal without an amount is reversed whole.
        part, whole = np.where(whole == 0, 1, np.minimum(part, whole)), np.maximum(whole, 1)
        heads = run_starts(deal) if deal.size else deal
        run = run_numbers(heads, deal.size)
        upto = np.cumsum(part)
        base = (upto[heads] - part[heads])[run] if deal.size else upto
        return Returns(np.cumsum(count) - count, count, found, days[found], np.minimum(upto - base, whole), whole)

    def _base(self, base: Base, tax: str | None) -> Ints:
        """By fact row: what the deal's cash is held against; 0 where nothing is."""
        facts = self._facts
        assert facts.deal is not None
        amount = self.column("money", "amount")
        if base == "contracted":
            return np.where(amount == MISSING_MONEY, 0, amount)
        what = "What is invoiced for a deal"
        invoices = self.of_kind("invoice")
        invoices = invoices[(facts.deal[invoices] >= 0) & (amount[invoices] != MISSING_MONEY)]
        whole = money(tally(amount[invoices], facts.deal[invoices], facts.id.size), what)
        if tax == "with":
            taxes = self.column("money", "tax")
            taxed = invoices[taxes[invoices] != MISSING_MONEY]
            whole = whole + money(tally(taxes[taxed], facts.deal[taxed], facts.id.size), what)
        return money(whole, what)

    def of_kind(self, kind: str) -> Ints:
        """The rows of a kind of fact."""
        kinds = self._facts.kind
        if kinds is None or kind not in kinds.vocabulary:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(kinds.codes == kinds.vocabulary.index(kind))

    def column(self, kind: Literal["money", "date"], name: str) -> Ints:
        """A field of the facts. Refused where the batch carries no such column."""
        columns = self._facts.money if kind == "money" else self._facts.dates
        if name not in columns:
            raise ColumnAbsent(f"What happens to a deal is read from the {kind} field {name!r}; the facts carry none.")
        return columns[name]
