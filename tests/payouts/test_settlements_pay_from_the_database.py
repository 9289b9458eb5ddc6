"""What the waterfall of a plan makes of payables: standing while a period is open, frozen with its batch, started from
what the batches before it left."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.db import Error, transaction

from comp.core.days import day_date
from comp.people.services import participant_change, pay_group_create
from comp.tenancy.capabilities import Role
from comp.tenancy.models import User
from payouts import verify
from payouts.case import Case
from payouts.frames.waterfall import AMOUNTS
from payouts.kernel import calculate
from payouts.models import Batch, BatchDraw, BatchSettlement, Hold, Settlement, Statement
from payouts.selectors import open_period
from payouts.services import batches, replay
from payouts.services.holds import hold_place, hold_release
from payouts.services.partial import batch_approve_part
from plans.models import Plan
from plans.rules.load import read_yaml
from plans.services import assignment_set
from tests.factories import member, person
from tests.payouts.cases import World, fits, world
from tests.payouts.house import House, house, plan_text
from tests.people.test_front_door import signed_in

CASES = Path(__file__).resolve().parent.parent / "plans"
NAMES = (
    "recoverable-draw-against-three-months",
    "recovery-after-two-full-periods",
    "draw-prorated-for-a-joiner",
    "draw-written-off-on-leaving",
    "payment-caps-one-after-the-other",
    "payment-cap-of-the-year-carried",
    "payouts-below-the-minimum-are-carried",
    "a-settlement-that-a-new-version-changes",
    "a-draw-and-a-cap-settled-in-euros",
)
Rows = Counter[tuple[Any, ...]]


def of_kernel(case: Case) -> tuple[Rows, Rows]:
    """Person, plan, first day of the pay period and amounts of each settlement; the same of each draw."""
    result = calculate(case.batch)
    table, draws = result.settlements, result.draws
    assert table is not None
    at = [
        (
            case.people[int(table.participant[row])],
            case.batch.plans[int(table.plan[row])].key,
            day_date(int(case.batch.pay_periods[table.pay_period[row]])),
        )
        for row in range(table.participant.size)
    ]
    settled = Counter((*at[row], *(int(getattr(table, name)[row]) for name in AMOUNTS)) for row in range(len(at)))
    if draws is None:
        return settled, Counter()
    names = ("recovered", "topped_up", "written_off", "balance")
    rows = range(draws.settlement.size)
    keys = [draws.key.vocabulary[code] for code in draws.key.codes.tolist()]
    return settled, Counter(
        (*at[int(draws.settlement[row])], keys[row], *(int(getattr(draws, name)[row]) for name in names))
        for row in rows
    )


def closed(built: World, periods: int) -> None:
    """Closes so many periods, each as it stands then."""
    acme = built.acme
    preparer, approver = member(acme, Role.FINANCE, "Fay Finance"), member(acme, Role.FINANCE, "Finn Finance")
    for _ in range(periods):
        with acme.scope():
            assert replay.differences_found() == []
        close(built, preparer, approver)
        built.work()
    with acme.scope():
        assert [problem for check in verify.CHECKS for problem in check().wrong] == []


def close(built: World, preparer: User, approver: User) -> None:
    acme = built.acme
    with acme.scope(preparer):
        starts_on = day_date(open_period(acme.pay_group).start)
        batch = batches.batch_submit(pay_group=acme.pay_group, starts_on=starts_on, submitted_by=preparer)
    with acme.scope(approver):
        batches.batch_approve(batch=batch, approved_by=approver, digest=batch.digest)


@pytest.mark.django_db
@pytest.mark.parametrize("name", NAMES)
def test_batches_pay_what_the_kernel_settles(name: str) -> None:
    """Each period is settled from what the batches before it took: as the kernel does in one run over all of them."""
    path = CASES / f"{name}.yaml"
    assert fits(read_yaml(path.read_text(encoding="utf-8"), "case")) == ""
    built = world(path)
    settled, draws = of_kernel(built.case)
    first = open_day(built)
    last = max((key[2] for key in settled), default=first)
    closed(built, (last.year - first.year) * 12 + last.month - first.month + 1)
    with built.acme.scope():
        of = ("participant__name", "plan__key", "period_starts_on")
        found = BatchSettlement.objects.values_list(*of, *(f"{amount}_minor" for amount in AMOUNTS))
        # A period in which nothing moves has no row of the kernel's: what stood stands.
        assert set(settled) <= {tuple(row) for row in found}
        paid = sum(row[3 + AMOUNTS.index("payout")] for row in found)
        assert paid == sum(row[3 + AMOUNTS.index("payout")] for row in settled)
        names = ("key", "recovered_minor", "topped_up_minor", "written_off_minor", "balance_minor")
        stood = {tuple(row) for row in BatchDraw.objects.values_list(*of, *names)}
        assert set(draws) <= stood


def open_day(built: World) -> Any:
    with built.acme.scope():
        return day_date(open_period(built.acme.pay_group).start)


# ------------------------------------------------------------------ a year that an accountant would follow

#: A guarantee of 2,000 until July that is tested again, at most 6,000 a month with the rest carried, and a tenth held
#: back for two periods.
TERMS = """settlement:
  order: [releases, adjustments, clawbacks, carried, cap, holdback, top_up]
  draw: {kind: guarantee, style: top_up, amount: 2000.00, from: 2026-01-01, to: 2026-07-01, test: [releases],
    retest: true}
  cap: {amount: 6000.00, excess: carried}
  holdback: {share: 10%, periods: 2}
  negative: carried
"""
COLUMNS = ("released", "adjustments", "topped_up", "withheld", "carried", "payout")


def paid(acme: House, month: int) -> tuple[int, ...]:
    """A month's statement in whole units."""
    statement = acme.statement(date(2026, month, 1))
    return tuple(getattr(statement, f"{name}_minor") // 100 for name in COLUMNS)


def sound(acme: House) -> None:
    with acme.acme.scope():
        assert replay.differences_found() == []
        assert [problem for check in verify.CHECKS for problem in check().wrong] == []


@pytest.mark.django_db
def test_a_guarantee_a_cap_and_a_holdback_over_months_that_late_deals_change() -> None:
    acme = house(plan_text() + TERMS)
    acme.won("A", "12000.00", "2026-01-12")  # earns 1,200
    acme.work()
    # 1,200, of which a tenth is held back; topped up by the 800 that it lacks.
    assert paid(acme, 1) == (1_200, 0, 800, -120, 0, 1_880)
    january = acme.close(date(2026, 1, 1))
    with acme.acme.scope():
        assert january.totals == {"USD": 188_000}
        assert BatchSettlement.objects.get().returns_on == date(2026, 3, 1)
    # Late news of January: 500 more. The guarantee is tested again and takes it back; February has nothing.
    acme.won("L", "5000.00", "2026-01-20")
    acme.work()
    assert paid(acme, 2) == (0, 500, 2_000 - 500, 0, 0, 2_000)
    sound(acme)
    # Sent back, the period is settled from the same balances again.
    with acme.acme.scope(acme.preparer):
        batch = batches.batch_submit(
            pay_group=acme.acme.pay_group, starts_on=date(2026, 2, 1), submitted_by=acme.preparer
        )
    # What comes back counts as released, and a tenth of it is held back again.
    assert paid(acme, 3) == (0, 0, 1_880, 120 - 12, 0, 1_988)
    with acme.acme.scope(acme.approver):
        batches.batch_reject(batch=batch, rejected_by=acme.approver, reason="Not yet")
    acme.work()
    assert paid(acme, 2) == (0, 500, 1_500, 0, 0, 2_000)
    acme.close(date(2026, 2, 1))
    # In March 83,000 fill the quota: 8,300. The 120 of January come back, 8,420 in all: 6,000 at most, 2,420 carried,
    # 600 of the rest held back.
    acme.won("B", "83000.00", "2026-03-10")
    acme.work()
    assert paid(acme, 3) == (8_300, 0, 0, 120 - 600, -2_420, 5_400)
    acme.close(date(2026, 3, 1))
    # A was never won: 1,200 go back. Of January 700 were topped up still; what stands is less, and April pays for it.
    acme.won("A", "0.00", "2026-01-12", at="2026-04-01T10:00:00Z", version=2)
    acme.work()
    april = paid(acme, 4)
    assert april[:3] == (0, -1_200, 2_000) and april[-1] == sum(april[:-1])
    sound(acme)
    acme.close(date(2026, 4, 1))
    sound(acme)
    with acme.acme.scope():
        for batch in Batch.objects.exclude(state="rejected").select_related("pay_group"):
            assert replay.replay_period(batch.pay_group, batch.starts_on).found == []
        frozen = BatchSettlement.objects.filter(period_starts_on=date(2026, 3, 1))
        with pytest.raises(Error, match="permission denied|never"), transaction.atomic():
            frozen.update(payout_minor=1)
    page = signed_in(acme.approver).get(f"/t/acme/statements/2026-03-01/{acme.ann.pk}/").content.decode()
    assert "How the period is settled" in page and "Carried into the next period: $2,420.00." in page


@pytest.mark.django_db
def test_a_person_without_pay_is_topped_up_and_one_who_is_held_is_not() -> None:
    acme = house(plan_text() + TERMS)
    assert paid(acme, 1) == (0, 0, 2_000, 0, 0, 2_000)
    with acme.acme.scope():
        assert BatchSettlement.objects.count() == 0
    batch = acme.close(date(2026, 1, 1))
    assert (batch.people, batch.lines, batch.totals) == (1, 0, {"USD": 200_000})
    acme.won("A", "12000.00", "2026-02-12")
    acme.work()
    with acme.acme.scope(acme.preparer):
        hold_place(reason="Under inquiry", by=acme.preparer, participant=acme.ann)
    acme.work()
    assert paid(acme, 2) == (0, 0, 0, 0, 0, 0)
    sound(acme)
    # Who has no line at all is held as well: the top-up alone would have been paid.
    acme.won("A", "0.00", "2026-02-12", at="2026-06-01T10:00:00Z", version=2)
    with acme.acme.scope(acme.preparer):
        hold_release(hold=Hold.objects.get(), by=acme.preparer, reason="Found nothing")
    acme.work()
    assert paid(acme, 2) == (0, 0, 2_000, 0, 0, 2_000)
    with acme.acme.scope(acme.preparer):
        hold = hold_place(reason="Once more", by=acme.preparer, participant=acme.ann)
        assert not Settlement.objects.filter(participant=acme.ann).exists()
    sound(acme)
    with acme.acme.scope(acme.preparer):
        hold_release(hold=hold, by=acme.preparer, reason="Nothing again")
    assert paid(acme, 2) == (0, 0, 2_000, 0, 0, 2_000)
    sound(acme)
    with acme.acme.scope(acme.preparer):  # and so where the plan is held for everybody
        hold_place(reason="The plan is disputed", by=acme.preparer, plan=Plan.objects.get(key="worked"))
        assert not Settlement.objects.filter(participant=acme.ann).exists()
    sound(acme)


@pytest.mark.django_db
def test_who_is_settled_without_a_line_can_be_left_out() -> None:
    acme = house(plan_text() + TERMS)
    with acme.acme.scope(acme.ops):
        bob = person(acme.acme, "Robert")
        assignment_set(participant=bob, plan=Plan.objects.get(key="worked"), starts_on=date(2026, 1, 1))
    acme.work()
    with acme.acme.scope(acme.preparer):
        batch = batches.batch_submit(
            pay_group=acme.acme.pay_group, starts_on=date(2026, 1, 1), submitted_by=acme.preparer
        )
        assert (batch.lines, batch.totals) == (0, {"USD": 400_000})
    with acme.acme.scope(acme.approver):
        made = batch_approve_part(batch=batch, people=[bob], reason="On leave", by=acme.approver)
        assert made.totals == {"USD": 200_000}
        assert not BatchSettlement.objects.filter(batch=made, participant=bob).exists()
        batches.batch_approve(batch=made, approved_by=acme.approver, digest=made.digest)
        hold_release(hold=Hold.objects.get(), by=acme.approver, reason="Back")
    acme.work()
    with acme.acme.scope():
        # What stands for the open period is settled again: with the draw of this period.
        assert Settlement.objects.get(participant=bob).payout_minor == 200_000
    sound(acme)


@pytest.mark.django_db
def test_who_moved_to_another_group_follows_a_batch_that_is_sent_back() -> None:
    acme = house(plan_text() + TERMS)
    with acme.acme.scope(acme.preparer):
        batch = batches.batch_submit(
            pay_group=acme.acme.pay_group, starts_on=date(2026, 1, 1), submitted_by=acme.preparer
        )
        other = pay_group_create(key="other", name="Other", calendar=acme.acme.calendar, opens_on=date(2026, 1, 1))
        acme.ann.refresh_from_db()
        participant_change(participant=acme.ann, pay_group=other)
    acme.work()
    assert paid(acme, 2) == (0, 0, 2_000, 0, 0, 2_000)
    with acme.acme.scope(acme.approver):
        batches.batch_reject(batch=batch, rejected_by=acme.approver, reason="Not yet")
        # January is open again, in the group that pays her now: its top-up has no line that would have led to her.
        assert Statement.objects.get().pay_group == other and Settlement.objects.get().pay_group == other
    assert paid(acme, 1) == (0, 0, 2_000, 0, 0, 2_000)
    sound(acme)


@pytest.mark.django_db
def test_who_moves_to_a_group_that_is_behind_is_not_missed_in_the_periods_it_closes() -> None:
    acme = house(plan_text() + TERMS)
    acme.close(date(2026, 1, 1))
    with acme.acme.scope(acme.preparer):
        other = pay_group_create(key="other", name="Other", calendar=acme.acme.calendar, opens_on=date(2026, 1, 1))
        acme.ann.refresh_from_db()
        participant_change(participant=acme.ann, pay_group=other)
    # Late news of January, which she was paid for: February pays it, as a release, for her new group has not closed it.
    acme.won("A", "5000.00", "2026-01-20")
    acme.work()
    assert paid(acme, 2) == (500, 0, 1_500, -50, 0, 1_950)
    with acme.acme.scope(acme.preparer):
        january = batches.batch_submit(pay_group=other, starts_on=date(2026, 1, 1), submitted_by=acme.preparer)
        assert (january.people, january.lines) == (0, 0)
        assert replay.replay_period(other, date(2026, 1, 1)).found == []
    with acme.acme.scope(acme.approver):
        batches.batch_approve(batch=january, approved_by=acme.approver, digest=january.digest)
    with acme.acme.scope(acme.preparer):
        batches.batch_submit(pay_group=other, starts_on=date(2026, 2, 1), submitted_by=acme.preparer)
        for month in (1, 2):
            assert replay.replay_period(other, date(2026, month, 1)).found == []
        assert replay.replay_period(acme.acme.pay_group, date(2026, 1, 1)).found == []
    sound(acme)
