"""A period sent back behind a later one, a pay group that opens later, a person who changes groups: each cent once."""

from __future__ import annotations

from datetime import date

import pytest

from comp.people import services as people
from comp.people.models import PayGroup
from payouts import verify
from payouts.models import Batch, Payable, Statement
from payouts.services import batches, replay
from tests.payouts.house import House, house


def submit(of: House, starts_on: date, group: PayGroup | None = None) -> Batch:
    with of.acme.scope(of.preparer):
        return batches.batch_submit(pay_group=group or of.acme.pay_group, starts_on=starts_on, submitted_by=of.preparer)


def open_statements(of: House) -> list[tuple[date, int]]:
    with of.acme.scope():
        found = Statement.objects.filter(state="open").order_by("period_starts_on")
        return list(found.values_list("period_starts_on", "payout_minor"))


def all_agrees(of: House) -> None:
    with of.acme.scope():
        assert verify.identity().wrong == []
        assert replay.differences_found() == []
        for batch in Batch.objects.exclude(state="rejected"):
            assert replay.replay_period(batch.pay_group, batch.starts_on).found == []


def another_group(of: House, key: str, opens_on: date) -> PayGroup:
    return people.pay_group_create(key=key, name=key.title(), calendar=of.acme.calendar, opens_on=opens_on)


@pytest.mark.django_db
def test_a_period_sent_back_behind_a_later_one_takes_nothing_of_it_back() -> None:
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "30000.00", "2026-02-10")
    acme.work()
    january, _ = submit(acme, date(2026, 1, 1)), submit(acme, date(2026, 2, 1))
    with acme.acme.scope(acme.approver):
        batches.batch_reject(batch=january, rejected_by=acme.approver, reason="Look at A again")
    assert open_statements(acme) == [(date(2026, 1, 1), 600000)]
    all_agrees(acme)
    # A deal of February that comes now is due now: its period is taken.
    acme.won("C", "1000.00", "2026-02-11")
    acme.work()
    assert open_statements(acme) == [(date(2026, 1, 1), 610000)]
    assert submit(acme, date(2026, 1, 1)).totals == {"USD": 610000}
    assert open_statements(acme) == [(date(2026, 3, 1), 0)]
    all_agrees(acme)


@pytest.mark.django_db
def test_what_is_due_follows_a_group_that_opens_later() -> None:
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    with acme.acme.scope(acme.ops):
        people.named_change(row=acme.acme.pay_group, opens_on=date(2026, 2, 1))
    acme.work()
    assert open_statements(acme) == [(date(2026, 2, 1), 600000)]
    assert submit(acme, date(2026, 2, 1)).totals == {"USD": 600000}
    all_agrees(acme)
    with acme.acme.scope(acme.ops):  # years later than anything that was taken
        people.named_change(row=acme.acme.pay_group, opens_on=date(2029, 2, 1))
    acme.work()
    assert open_statements(acme) == [(date(2029, 2, 1), 0)]


@pytest.mark.django_db
def test_who_moves_to_a_group_that_is_behind_pays_nothing_back_and_leaves_no_second_statement() -> None:
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "30000.00", "2026-02-10")
    acme.work()
    submit(acme, date(2026, 1, 1))
    submit(acme, date(2026, 2, 1))
    with acme.acme.scope(acme.ops):
        behind = another_group(acme, "behind", date(2026, 1, 1))
        people.participant_change(participant=acme.ann, pay_group=behind)
    acme.work()
    with acme.acme.scope():
        assert not Payable.objects.exists()
    all_agrees(acme)


@pytest.mark.django_db
def test_who_moves_to_a_group_that_is_ahead_leaves_no_open_statement_behind() -> None:
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    with acme.acme.scope(acme.ops):
        ahead = another_group(acme, "ahead", date(2026, 3, 1))
        people.participant_change(participant=acme.ann, pay_group=ahead)
    acme.work()
    assert open_statements(acme) == [(date(2026, 3, 1), 600000)]
    assert submit(acme, date(2026, 3, 1), ahead).totals == {"USD": 600000}
    all_agrees(acme)


@pytest.mark.django_db
def test_figures_before_a_first_day_that_moved_follow_their_person() -> None:
    acme = house()
    acme.won("A", "60000.00", "2026-01-05")
    acme.work()
    with acme.acme.scope(acme.ops):
        other = another_group(acme, "other", date(2026, 1, 1))
        people.participant_change(participant=acme.ann, pay_group=other, starts_on=date(2026, 5, 1))
    acme.work()
    assert submit(acme, date(2026, 1, 1), other).totals == {"USD": 600000}
    all_agrees(acme)


@pytest.mark.django_db
def test_who_is_paid_every_week_is_paid_by_the_week_of_release() -> None:
    acme = house()
    with acme.acme.scope(acme.ops):
        weekly = people.calendar_create(key="weekly", name="Weekly", kind="weekly", anchor=date(2026, 1, 5))
        field = people.pay_group_create(key="field", name="Field", calendar=weekly, opens_on=date(2026, 1, 1))
        people.participant_change(participant=acme.ann, pay_group=field)
    acme.won("A", "60000.00", "2026-01-01")
    acme.won("B", "30000.00", "2026-01-05")
    acme.work()
    first = submit(acme, date(2025, 12, 29), field)
    assert (first.name, first.totals) == ("29 Dec 2025 – 4 Jan 2026, Field", {"USD": 600000})
    assert open_statements(acme) == [(date(2026, 1, 5), 300000)]
    # The quarter's total goes on over the weeks: what passes the quota earns the higher rate.
    acme.won("C", "20000.00", "2026-01-14")
    acme.work()
    assert submit(acme, date(2026, 1, 5), field).totals == {"USD": 300000}
    assert open_statements(acme) == [(date(2026, 1, 12), 250000)]
    all_agrees(acme)
