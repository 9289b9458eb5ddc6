"""One pay period settled from what those before it left is the same period in one run over all of them."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from payouts.kernel import calculate
from payouts.kernel.batch import Balances, Batch, Settlements, Text
from payouts.kernel.clawback import _formula, free_from
from payouts.kernel.closing import moved
from payouts.kernel.quotas import QuotaBook
from payouts.kernel.settle import Settled, settle
from plans.rules.compiled import CompiledPlan
from plans.rules.compiled_pay import Clawback, ClawbackLimit, PaymentCap, Proration, Recovery
from tests.unit.kernel.test_settlement import ORDER, adjusted, cancelled, draw, made, opening, settling
from tests.unit.kernel.world import Deal, day, employment, ints, text, world

#: Not asked by formulas of time.
NO_CASH: Any = None
#: Person, plan, kind, day: an amount each.
Stood = Counter[tuple[int, int, str, int]]


def generated(pick: random.Random, key: str) -> CompiledPlan:
    """A plan with every step, in some order."""
    tail = pick.sample(ORDER[4:], 4)
    head = pick.choice((ORDER[:4], ("releases", "clawbacks", "adjustments", "carried")))
    recovery = Recovery(Fraction(1, pick.randint(1, 3)), pick.randint(0, 50_000), pick.randint(0, 2))
    retests = pick.random() < 0.5
    excess = pick.choice(("carried", "forgiven"))
    given = {
        "draws": (
            draw(pick.randint(100, 900), key="own", components=("commission",), recovery=recovery, on_leaving="owed"),
            draw(pick.randint(500, 2_500), key="floor", kind="guarantee", retest=retests, end=day("2026-07-01")),
            draw(pick.randint(100, 900), key="all", recovery=recovery, on_leaving="written_off", test=("top_up",)),
        ),
        "caps": (
            PaymentCap(pick.randint(500, 2_500) * 100, "pay_period", pick.choice(("lost", "carried", "review"))),
            PaymentCap(pick.randint(2_000, 9_000) * 100, "year", pick.choice(("lost", "carried"))),
        ),
        "holdback": Fraction(pick.randint(1, 30), 100),
        "holdback_periods": pick.randint(1, 4),
        "minimum": pick.choice((None, 100_00)),
        "negative": pick.choice(("carried", "collected")),
        "small_adjustments": None if retests else pick.choice((None, 50_00)),
        "clawback_limit": pick.choice(
            (None, ClawbackLimit(Fraction(1, 2), 200_00, excess, "owed" if excess == "carried" else None))
        ),
    }
    rules = Proration("calendar_days", "counts", "counts", "excluded", ("draw",), "minor")
    return made(settling((*head, *tail), **given), key=key, proration=pick.choice((None, rules)))


def history(seed: int) -> Batch:
    """A year of two people, of whom one leaves, on two plans."""
    pick = random.Random(seed)
    deals = [
        Deal(
            minor=pick.randint(1, 300_000),
            close=f"2026-{month:02}-{pick.randint(10, 28)}",
            name=f"M{month}-{person}",
            team=(("ae", person),),
            extra={"day": None},
        )
        for month in range(1, 12)
        for person in (1, 2)
        if pick.random() < 0.8
    ]
    names = [deal.name for deal in deals]
    facts = [
        cancelled(name, f"2026-{int(name[1:].split('-')[0]) + 1:02}-20")
        for name in pick.sample(names, 4)
        if not name.startswith("M11")
    ]
    late = []
    for _ in range(8):
        month = pick.randint(3, 12)
        origin = pick.choice((None, f"2026-{pick.randint(1, month):02}-15"))
        late.append((pick.choice((1, 2)), f"2026-{month:02}-10", pick.choice((-300, -20, 10, 30, 700)), origin))
    return world(
        [(generated(pick, key), "2026-01-01", "2027-01-01") for key in ("first", "second")],
        deals + facts,
        people=(1, 2),
        quotas=(),
        types={"day": "date"},
        adjustments=adjusted(*late),
        balances=opening((1, "carried", pick.randint(-300, 300)), (2, "draw:all", 70), (1, "clawback", 40)),
        employment=employment((1, "2025-01-01", "2026-10-15"), (2, "2026-01-11", "2030-01-01")),
    )


def balances_of(stood: Stood) -> Balances:
    rows = [(*key, amount) for key, amount in sorted(stood.items()) if amount or key[2].startswith("began")]
    return Balances(
        ints(row[0] for row in rows),
        text([row[2] for row in rows]) if rows else Text(np.zeros(0, dtype=np.int32), ()),
        ints(row[4] for row in rows),
        ints(row[1] for row in rows),
        ints(row[3] for row in rows),
    )


def left(batch: Batch, settled: Settled, stood: Stood, period: int) -> Stood:
    """What a period leaves, from the columns that are stored of it."""
    found: Stood = Counter({key: amount for key, amount in stood.items() if not key[2].startswith("draw:")})
    rows, bounds = settled.settlements, batch.pay_periods
    start = int(bounds[period])
    for row in range(rows.participant.size):
        person, plan = int(rows.participant[row]), int(rows.plan[row])
        found[person, plan, "carried", 0] = int(rows.carried_forward[row])
        found[person, plan, "clawback", 0] = int(rows.clawback_balance[row])
        found[person, plan, "kept", 0] = int(rows.kept_adjustments[row])
        found[person, plan, "paid", 0] += int(rows.payout[row])
        found.pop((person, plan, "held", start), None)
        settlement = batch.plans[plan].settlement
        assert settlement is not None
        later = period + settlement.holdback_periods
        if rows.held_back[row] and later < bounds.size - 1:
            found[person, plan, "held", int(bounds[later])] -= int(rows.held_back[row])
    draws = settled.draws
    for row in range(draws.settlement.size):
        key = draws.key.vocabulary[draws.key.codes[row]]
        at = int(draws.settlement[row])
        person, plan = int(rows.participant[at]), int(rows.plan[at])
        found[person, plan, f"draw:{key}", 0] = int(draws.balance[row])
        own = int(draws.topped_up[row]) + _retested(settled, at, key)
        found[person, plan, f"topped:{key}", start] += own
        settlement = batch.plans[plan].settlement
        assert settlement is not None
        kind = next(each.kind for each in settlement.draws if each.key == key)
        began = [each for each in found if each[:3] == (person, plan, f"began:{key}")]
        if own > 0 and kind == "recoverable" and not began:
            found[person, plan, f"began:{key}", start] = 0
    retests = settled.retests
    for row in range(retests.amount.size):
        at, key = int(retests.settlement[row]), retests.key.vocabulary[retests.key.codes[row]]
        of = int(rows.participant[at]), int(rows.plan[at]), f"topped:{key}", int(bounds[retests.pay_period[row]])
        found[of] -= int(retests.amount[row])
    return found


def _retested(settled: Settled, at: int, key: str) -> int:
    retests = settled.retests
    same = [retests.key.vocabulary[code] == key for code in retests.key.codes]
    return int(retests.amount[(retests.settlement == at) & np.array(same, dtype=bool)].sum())


def rows_of(batch: Batch, settled: Settled) -> dict[tuple[int, int, int], dict[str, Any]]:
    """By person, plan and pay period the columns that are not 0, and those of each draw."""
    found: dict[tuple[int, int, int], dict[str, Any]] = defaultdict(dict)
    table = settled.settlements
    named = [each.name for each in fields(Settlements)][4:]
    for row in range(table.participant.size):
        at = int(table.participant[row]), int(table.plan[row]), int(table.pay_period[row])
        found[at] = {name: int(getattr(table, name)[row]) for name in named}
    for row in range(settled.draws.settlement.size):
        at = int(settled.draws.settlement[row])
        key = int(table.participant[at]), int(table.plan[at]), int(table.pay_period[at])
        for name in ("recovered", "topped_up", "written_off", "balance"):
            of = settled.draws.key.vocabulary[settled.draws.key.codes[row]]
            found[key][f"{of}.{name}"] = int(getattr(settled.draws, name)[row])
    return {at: {name: value for name, value in row.items() if value} for at, row in found.items()}


@pytest.mark.parametrize("seed", range(25))
def test_period_by_period_is_one_run(seed: int) -> None:
    batch = history(seed)
    result = calculate(batch)
    inflow, active = moved(batch, result), QuotaBook(batch, np.array([1, 2])).active
    whole = settle(batch, inflow, active)
    assert whole is not None
    expected = rows_of(batch, whole)
    stood: Stood = Counter()
    given = batch.balances
    assert given is not None
    for place, kind in enumerate(given.kind.codes.tolist()):
        # What is given to a person is of the first plan.
        stood[int(given.participant[place]), 0, given.kind.vocabulary[kind], 0] += int(given.amount[place])
    for person in (1, 2):
        if stood[person, 0, "draw:all", 0]:
            stood[person, 0, "began:all", int(batch.pay_periods[0]) - 1] = 0
    for period in range(12):
        alone = settle(replace(batch, balances=balances_of(stood)), inflow, active, period)
        assert alone is not None
        found = rows_of(batch, alone)
        assert set(found) >= {at for at in expected if at[2] == period}
        for at, row in found.items():
            # A period in which nothing moves has no row in the whole.
            assert row == expected.get(at, row), (seed, at)
            assert at in expected or not row.get("payout")
        stood = left(batch, alone, stood, period)


def test_an_adjustment_of_a_plan_is_settled_by_that_plan() -> None:
    first, second = (made(settling(draw=draw(2_000, "guarantee", retest=True)), key=key) for key in ("a", "b"))
    batch = world([(first, "2026-01-01", "2027-01-01"), (second, "2026-01-01", "2027-01-01")], [], people=(1,))
    inflow = moved(batch, calculate(batch))
    more = {"participant": 1, "plan": 1, "replicate": 0, "period": 1, "step": 1, "amount": 500_00, "component": 0}
    joined = {name: np.append(getattr(inflow, name), value) for name, value in {**more, "origin": 0}.items()}
    found = settle(batch, type(inflow)(**joined), QuotaBook(batch, np.array([1])).active)
    assert found is not None
    rows = found.settlements
    seen = {
        (int(plan), int(period)): (int(rows.adjusted[row]) // 100, int(rows.topped_up[row]) // 100)
        for row, (plan, period) in enumerate(zip(rows.plan, rows.pay_period, strict=True))
    }
    # Only the guarantee of that plan is tested again: 500 of the 2,000 of January go back.
    assert seen[0, 1] == (0, 2_000) and seen[1, 1] == (500, 1_500)
    assert found.retests.amount.tolist() == [500_00] and found.retests.pay_period.tolist() == [0]


def test_balances_of_a_plan_stand_in_that_plan() -> None:
    plans = [(made(settling(), key=key), "2026-01-01", "2027-01-01") for key in ("a", "b")]
    days = ints((0, day("2026-02-03")))
    balances = Balances(ints((1, 1)), text(["carried", "held"]), ints((70, 30)), ints((1, 1)), days)
    batch = world(plans, [], people=(1,), balances=balances)
    found = calculate(batch).settlements
    assert found is not None
    assert [(int(p), int(at), int(m)) for p, at, m in zip(found.plan, found.pay_period, found.payout, strict=True)] == [
        (1, 0, 70),
        (1, 1, 30),
    ]


@pytest.mark.parametrize(
    ("clawback", "first"),
    [
        (Clawback(("cancellation",), "window", window_days=90), "2026-04-15"),
        (Clawback(("cancellation",), "window", window_months=3, failing_month="counts"), "2026-03-15"),
        (Clawback(("cancellation",), "pro_rata", term_months=12, failing_month="does_not_count"), "2027-01-15"),
        (Clawback(("cancellation",), "table", table=((0, Fraction(1)), (6, Fraction(0)))), "2026-07-15"),
        (Clawback(("cancellation",), "original"), None),
    ],
)
def test_from_when_nothing_is_taken_back(clawback: Clawback, first: str | None) -> None:
    assert free_from(clawback, day("2026-01-15")) == (day(first) if first else None)
    if first:
        for before, left in ((0, False), (1, True)):
            until = ints((day(first) - before,))
            share = _formula(clawback, ints((0,)), ints((day("2026-01-15"),)), until, None, NO_CASH)
            assert bool(share.top[0]) is left
