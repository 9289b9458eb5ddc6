"""Payables in the currency that people are paid in: the pay side of number 32 of docs/plan-language.md. See
docs/algorithms/currency.md."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from comp.core.money import minor_digits
from crediting.kernel.columns import MISSING_DAY, MISSING_MONEY, Text
from crediting.kernel.exact import money
from crediting.kernel.exchange import NO_RATE as WITHOUT
from crediting.kernel.exchange import Rates
from payouts.kernel.batch import AS_PAID, DATED, NO_RATE, WAITING, Batch, Ints, Tranches
from plans.rules.compiled import CompiledPlan


def converts(batch: Batch) -> bool:
    """Whether anybody may be paid in another currency than a plan's."""
    return batch.pay_currency is not None and any(plan.currencies is not None for plan in batch.plans)


def pay(
    batch: Batch,
    rates: Rates,
    parts: Tranches,
    plan: Ints,
    participant: Ints,
    day: Ints,
    released: Ints,
    given: Ints | None = None,
) -> Tranches:
    """The tranches with what each is worth to its participant; one without a rate has nothing and waits. `plan`,
    `participant` and `day` (the credit date) are by line; `released` is the release day of each tranche by which a rate
    is found. `given`: what another system paid of each in its participant's currency, MISSING_MONEY for none."""
    assert batch.pay_currency is not None
    currencies = tuple(sorted(set(batch.pay_currency.values())))
    ids = np.array(sorted(batch.pay_currency), dtype=np.int64)
    code_of = np.array([currencies.index(batch.pay_currency[int(each)]) for each in ids], dtype=np.int64)
    at = np.minimum(np.searchsorted(ids, participant), max(ids.size - 1, 0))
    code = np.where(ids[at] == participant, code_of[at], -1) if ids.size else np.full(participant.size, -1)
    paid, row = parts.amount.copy(), np.full(parts.line.size, -1, dtype=np.int64)
    state = parts.state
    state = np.where(parts.release_day == MISSING_DAY, WAITING, DATED).astype(np.int8) if state is None else state
    state = state.copy()
    as_paid = np.zeros(row.size, dtype=bool) if given is None else given != MISSING_MONEY
    for place, version in enumerate(batch.plans):
        for number, target in enumerate(currencies):
            if version.currencies is None or target == version.currency:
                continue
            mine = ((plan == place) & (code == number))[parts.line]
            if given is not None:
                paid = np.where(mine & as_paid, given, paid)
                row = np.where(mine & as_paid, AS_PAID, row)
            mine = np.flatnonzero(mine & ~as_paid)
            if not mine.size:
                continue
            found = _rows(version, rates, target, released[mine], day[parts.line[mine]])
            source = _currency(version, mine.size)
            worth = rates.convert(parts.amount[mine], source, found, minor_digits(target), version.round_mode)
            known = found != WITHOUT
            paid[mine] = money(np.where(worth == MISSING_MONEY, 0, worth), "A payable")
            row[mine] = np.where(known, found, -1)
            state[mine[~known & (state[mine] == DATED)]] = NO_RATE
    waits = state == NO_RATE
    return replace(
        parts,
        paid_amount=paid,
        exchange=row,
        state=state,
        release_day=np.where(waits, MISSING_DAY, parts.release_day),
        pay_period=np.where(waits, -1, parts.pay_period),
    )


def _rows(version: CompiledPlan, rates: Rates, target: str, release_day: Ints, day: Ints) -> Ints:
    """The rows of `Exchange` at which tranches are converted."""
    assert version.currencies is not None
    stated = version.currencies.pay_rate
    kind = "average" if stated == "period_average" else "spot"
    return rates.find(kind, _currency(version, day.size), target, release_day if stated == "release_date" else day)


def _currency(version: CompiledPlan, rows: int) -> Text:
    return Text(np.zeros(rows, dtype=np.int32), (version.currency,))
