"""Deals won, corrected and taken back while batches go their way, through the real hooks and kernel: after every step
all that `verify` looks at holds."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal

import pytest

from comp.core.days import day_date
from payouts import verify
from payouts.models import Batch, BatchLine, Payable, Statement
from payouts.models.manual import State
from payouts.reads.negatives import undecided
from payouts.selectors import open_period
from payouts.services import batches, negatives
from payouts.services.batch_steps import BatchError
from payouts.services.negatives import negative_policy_set
from tests.payouts.house import House, house

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)


def holds(of: House) -> None:
    with of.acme.scope():
        assert [problem for check in verify.CHECKS for problem in check().wrong] == []


def payable(of: House) -> dict[str, int]:
    with of.acme.scope():
        return dict(Payable.objects.values_list("deal__external_id", "amount_minor"))


def locked(of: House, starts_on: date) -> tuple[object, ...]:
    with of.acme.scope():
        statement = Statement.objects.filter(period_starts_on=starts_on).values().get()
        lines = list(BatchLine.objects.filter(period_starts_on=starts_on).order_by("id").values())
        return statement, lines


@pytest.mark.django_db
def test_late_and_corrected_deals_are_answered_in_the_open_period() -> None:
    acme = house()
    acme.won("B", "50000.00", "2026-01-12")
    acme.won("C", "70000.00", "2026-01-13")
    acme.work()
    acme.close(JANUARY)
    before = locked(acme, JANUARY)
    # B earns 5,000; C 5,000 up to the quota and 3,000 of 20,000 above it at 15%.
    assert acme.statement(JANUARY).payout_minor == 500000 + 500000 + 300000
    # Late, and earlier in January: A takes the first 60,000, B and C move up the tiers.
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    total = 10_000_00 + 20_000_00 * 15 // 100 + 60_000_00 * 20 // 100
    moved = payable(acme)
    assert sum(moved.values()) == total - 1_300_000 and moved["A"] == 600000
    with acme.acme.scope():
        assert set(Payable.objects.values_list("kind", "origin_starts_on")) == {("adjustment", JANUARY)}
    holds(acme)
    acme.close(FEBRUARY)
    assert payable(acme) == {} and locked(acme, JANUARY) == before
    statement = acme.statement(FEBRUARY)
    assert (statement.released_minor, statement.adjustments_minor) == (0, total - 1_300_000)
    holds(acme)


@pytest.mark.django_db
@pytest.mark.parametrize(("seed", "way"), [(1, "carry"), (2, "ask"), (3, "collect")])
def test_thirty_steps_at_random(seed: int, way: str) -> None:
    dice = random.Random(seed)
    acme = house()
    with acme.acme.scope(acme.approver):
        negative_policy_set(
            pay_group=acme.acme.pay_group, currency="USD", way=way, share=Decimal("33.3"), keep_minor=1_00
        )
    steps = 0
    for minute in range(30):
        at = f"2026-06-{1 + minute // 20:02}T{8 + minute % 12:02}:{minute:02}:00Z"
        step = dice.choice(["won", "won", "won", "won", "submit", "approve", "reject", "pay"])
        if step == "won":
            day = date(2026, dice.randint(1, 4), dice.randint(1, 28))
            amount = dice.choice(["0.00", "0.01", "999.99", "25000.00", "100000.00", "-1500.00"])
            acme.won(f"D{dice.randint(1, 6)}", amount, day.isoformat(), at=at)
            acme.work()
            steps += 1
        else:
            steps += _batch_step(acme, step)
        holds(acme)
    assert steps > 15


def _batch_step(of: House, step: str) -> bool:
    """Takes the step with the first batch that can; False when none can."""
    with of.acme.scope(of.approver):
        group = of.acme.pay_group
        if step == "submit":
            starts_on = day_date(open_period(group).start)
            for short in undecided(group, starts_on):
                with pytest.raises(BatchError, match="would be paid less than nothing. Two people decide"):
                    batches.batch_submit(pay_group=group, starts_on=starts_on, submitted_by=of.preparer)
                one = negatives.negative_prepare(
                    participant=short.participant, currency="USD", way="set_off", reason="Set it off",
                    prepared_by=of.preparer,
                )  # fmt: skip
                negatives.negative_decide(decision=one, state=State.APPROVED, decided_by=of.approver)
            batches.batch_submit(pay_group=group, starts_on=starts_on, submitted_by=of.preparer)
            return True
        wanted = "posted" if step == "pay" else "submitted"
        found = Batch.objects.filter(state=wanted).order_by("starts_on").first()
        if found is None:
            return False
        if step == "approve":
            batches.batch_approve(batch=found, approved_by=of.approver, digest=found.digest)
        elif step == "reject":
            batches.batch_reject(batch=found, rejected_by=of.approver, reason="Look again")
        else:
            batches.batch_export(batch=found, by=of.approver)
            batches.batch_mark_paid(batch=found, paid_by=of.approver)
        return True
