"""Deals, holds, adjustments, rules and batches in any order: nothing appears or vanishes, nothing held is ever taken,
and a statement is the sum of its lines."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import date

import pytest

from comp.core.errors import CompError
from payouts.models import Adjustment, Batch, BatchHeld, BatchLine, Hold, LedgerEntry, Payable, Statement
from payouts.models.manual import State
from payouts.reads.balance import unbalanced
from payouts.selectors_batches import open_of
from payouts.services import batches, differences, holds
from payouts.services.adjustments import adjustment_approve, adjustment_refuse
from tests.finance.cast import JANUARY, World
from tests.finance.test_what_people_decide_by_hand import assigned, made

__all__ = ["assigned"]  # a fixture
STEPS = 40


@pytest.mark.parametrize("seed", [1, 2])
def test_any_order_of_decisions(assigned: World, seed: int) -> None:
    world, choose = assigned, random.Random(seed)
    people, deals = sorted(world.people), [f"D-{n}" for n in range(1, 9)]

    def day() -> date:
        return date(2026, choose.randint(1, 4), choose.randint(1, 28))

    def earn() -> None:
        number = choose.choice(deals)
        whose = people[int(number[2:]) % len(people)]
        world.earn(whose, f"{whose}-{number}", choose.randint(0, 9_000), choose.choice([None, day(), day()]))

    def adjust() -> None:
        found = made(world, choose.choice(people), choose.choice([-7_00, 3_00, 12_34]), "frank", day=day())
        if found.state == State.WAITING and choose.random() < 0.8:
            decide = adjustment_approve if choose.random() < 0.7 else None
            if decide:
                decide(adjustment=found, approved_by=world.users["fiona"])
            else:
                adjustment_refuse(adjustment=found, refused_by=world.users["fiona"], reason="No")

    def hold() -> None:
        payable = choose.choice(list(Payable.objects.all()) or [None])
        what = {"plan": world.plan, "component": "commission"} if payable is None else choose.choice(
            [{"deal": payable.deal}, {"participant": payable.participant}, {"plan": world.plan}]
        )  # fmt: skip
        holds.hold_place(reason="Look", by=world.users["fiona"], **{k: v for k, v in what.items() if v is not None})

    def release() -> None:
        stands = list(holds.standing())
        if stands:
            holds.hold_release(hold=choose.choice(stands), by=world.users["frank"], reason="Fine")

    def rule() -> None:
        small, back = choose.choice([None, 5_00, 60_00]), choose.choice([None, 0, 1, 2])
        differences.limits_set(currency="USD", alone_minor=choose.choice([None, 20_00]), small_minor=small)
        differences.reach_set(periods_back=back, approver="finance")

    def approve_far() -> None:
        for waits in differences.far_waiting()[:1]:
            differences.far_approve(waits=waits, approved_by=world.users["frank"], reason="Right")

    def close() -> None:
        found = Batch.objects.filter(state=Batch.State.SUBMITTED).first()
        if found is None:
            starts = open_of(world.group).starts_on
            batches.batch_submit(pay_group=world.group, starts_on=starts, submitted_by=world.users["fiona"])
        elif choose.random() < 0.3:
            batches.batch_reject(batch=found, rejected_by=world.users["lena"], reason="Once more")
        else:
            batches.batch_approve(batch=found, approved_by=world.users["lena"], digest=found.digest)

    acts: list[Callable[[], None]] = [earn, earn, adjust, adjust, hold, release, release, rule, approve_far, close]
    done = 0
    for _ in range(STEPS):
        with world.scope():
            with suppress(CompError):
                choose.choice(acts)()
                done += 1
            assert unbalanced()[1] == []
            for statement in Statement.objects.filter(state=Statement.State.OPEN):
                mine = Payable.objects.filter(participant=statement.participant, hold=None)
                assert statement.payout_minor == sum(mine.values_list("amount_minor", flat=True))
    with world.scope():
        assert done > STEPS // 2 and Hold.objects.exists() and Adjustment.objects.exists()
        for batch in Batch.objects.all():
            left = set(BatchHeld.objects.filter(batch=batch).values_list("participant_id", "fact", "rule"))
            taken = set(BatchLine.objects.filter(batch=batch).values_list("participant_id", "fact", "rule"))
            assert not left & taken
        assert sum(LedgerEntry.objects.values_list("amount_minor", flat=True)) == 0
        assert Batch.objects.filter(starts_on=JANUARY).exists()
