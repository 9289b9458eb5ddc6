"""A row that cannot be calculated keeps its own person's figures waiting, in sight, and nobody else's."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from comp.core.money import LARGEST, plain_money
from comp.outbox.models import Message
from comp.people.models import Participant
from crediting.models import RawDelivery
from payouts.models import ChangedScope, Earning
from payouts.services import claims, replay
from payouts.services.batches import BatchError, batch_submit
from plans import services as plans
from plans.models import Plan
from tests.intake.sending import deal
from tests.payouts.house import House, house, plan_text

#: The most that a deal may be; two of them are more than a running total may be.
TOO_MUCH = plain_money(LARGEST, "USD")
SIGNED = (
    plan_text()
    .replace("credit_date: close_date", "credit_date: custom.signed_on")
    .replace("credit_rules:", "fields: {custom.signed_on: date}\ncredit_rules:")
)


def also_bob(of: House) -> Participant:
    """Bob, on Ann's plan, with a quota."""
    with of.acme.scope(of.ops):
        bob = Participant.objects.get(name="Bob")
        plans.assignment_set(participant=bob, plan=Plan.objects.get(key="worked"), starts_on=date(2026, 1, 1))
        plans.quota_set(
            participant=bob, key="sales", starts_on=date(2026, 1, 1), ends_on=date(2026, 4, 1),
            amount_minor=10_000_000, currency="USD",
        )  # fmt: skip
    of.work()
    return bob


def bobs(of: House, key: str, amount: str, day: str, at: str = "") -> None:
    of.crm.send(deal("won", at or f"{day}T10:00:00Z", deal=key, owner="bob", amount=amount, close_date=day))


def due_now(of: House) -> None:
    with of.acme.scope():
        ChangedScope.objects.update(due_at=timezone.now())


@pytest.mark.django_db
def test_one_persons_impossible_figures_wait_with_their_error_and_the_rest_goes_on() -> None:
    acme = house()
    bob = also_bob(acme)
    acme.won("A", "60000.00", "2026-01-10")
    bobs(acme, "B", "50000.00", "2026-01-11")
    bobs(acme, "X", TOO_MUCH, "2026-01-12")
    bobs(acme, "Y", TOO_MUCH, "2026-01-13")
    acme.work()
    assert acme.earned() == {"A": 600000}
    with acme.acme.scope():
        waiting = list(ChangedScope.objects.all())
        assert {(scope.participant_id, scope.attempts) for scope in waiting} == {(bob.pk, 1)}
        assert all("AmountOutOfRange" in scope.error and scope.due_at > timezone.now() for scope in waiting)
    with acme.acme.scope(acme.preparer), pytest.raises(BatchError, match="Bob: AmountOutOfRange"):
        batch_submit(pay_group=acme.acme.pay_group, starts_on=date(2026, 1, 1), submitted_by=acme.preparer)
    # The cure is news about Bob, and takes up what waited.
    bobs(acme, "X", "10.00", "2026-01-12", at="2026-01-20T10:00:00Z")
    bobs(acme, "Y", "20.00", "2026-01-13", at="2026-01-20T10:00:00Z")
    acme.work()
    assert acme.earned() == {"A": 600000, "B": 500000, "X": 100, "Y": 200}
    with acme.acme.scope():
        assert not ChangedScope.objects.exists()
        assert replay.differences_found() == []


@pytest.mark.django_db
def test_what_fails_again_is_tried_less_and_less_often() -> None:
    acme = house()
    acme.won("A", TOO_MUCH, "2026-01-10")
    acme.won("B", TOO_MUCH, "2026-01-11")
    for attempts in range(1, 4):
        due_now(acme)
        acme.work()
        with acme.acme.scope():
            waiting = list(ChangedScope.objects.all())
            assert {scope.attempts for scope in waiting} == {attempts}
            latest = timezone.now() + timedelta(seconds=2**attempts)
            assert all(timezone.now() < scope.due_at < latest for scope in waiting)


@pytest.mark.django_db
def test_a_time_limit_is_nobodys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")

    def late(*_: object, **__: object) -> None:
        raise SoftTimeLimitExceeded

    with monkeypatch.context() as patch:
        patch.setattr(claims, "recompute", late)
        with pytest.raises(SoftTimeLimitExceeded):
            acme.work()
        patch.undo()
        patch.setattr("crediting.services.mailbox.deals_store", late)
        acme.won("B", "50000.00", "2026-01-12")
        with pytest.raises(SoftTimeLimitExceeded):
            acme.work()
    with acme.acme.scope():
        assert set(RawDelivery.objects.values_list("state", flat=True)) == {"done", "pending"}
        assert set(ChangedScope.objects.values_list("attempts", flat=True)) == {0}
        assert not Message.objects.exclude(error="").exists()
    acme.work()
    assert acme.earned() == {"A": 600000, "B": 550000}


@pytest.mark.django_db
@pytest.mark.parametrize("day", ["1970-01-01", "1989-12-31", "2100-01-01", "2150-06-30"])
def test_a_day_that_no_calendar_holds_is_a_question(day: str) -> None:
    acme = house()
    acme.won("A", "60000.00", day)
    acme.milestone("A", "go-live", day, at="2026-01-10T12:00:00Z")
    acme.won("B", "50000.00", "2026-01-12")
    acme.work()
    assert acme.earned() == {"B": 500000}
    with acme.acme.scope():
        assert RawDelivery.objects.filter(state="parked").count() == 2
        assert not ChangedScope.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("day", ["0001-01-01", "1989-12-31", "2150-06-30", "9999-12-31", "2026-02-31", "soon"])
def test_a_custom_credit_date_that_is_none_waits_alone(day: str) -> None:
    acme = house(SIGNED)
    acme.won("A", "60000.00", "2026-01-10", custom={"signed_on": day})
    acme.won("B", "50000.00", "2026-01-12", custom={"signed_on": "2026-01-12"})
    acme.work()
    assert acme.earned() == {"B": 500000}
    with acme.acme.scope():
        assert not ChangedScope.objects.exists() and not Message.objects.filter(done_at=None).exists()
        assert replay.differences_found() == []


@pytest.mark.django_db
@pytest.mark.parametrize("day", ["1990-01-01", "2099-12-31"])
def test_the_first_and_the_last_day_of_all_calendars_count(day: str) -> None:
    acme = house()
    acme.won("A", "60000.00", day)
    acme.work()
    with acme.acme.scope():
        assert not ChangedScope.objects.exists()
        assert RawDelivery.objects.get().state == "done"


@pytest.mark.django_db
def test_an_open_ended_change_reaches_custom_credit_dates_behind_the_last_close() -> None:
    acme = house(SIGNED)
    acme.won("A", "60000.00", "2026-01-10", custom={"signed_on": "2027-08-20"})
    acme.work()
    with acme.acme.scope(acme.ops):
        plans.quota_set(
            participant=acme.ann, key="sales", starts_on=date(2027, 7, 1), ends_on=date(2027, 10, 1),
            amount_minor=10_000_000, currency="USD",
        )  # fmt: skip
    acme.work()
    assert acme.earned() == {"A": 600000}
    acme.publish(SIGNED.replace("{from: 0%, rate: 10%}", "{from: 0%, rate: 11%}"))
    assert acme.earned() == {"A": 660000}
    # The plan takes another date: what stood under the old one goes.
    acme.publish(plan_text())
    assert acme.earned() == {"A": 600000}
    with acme.acme.scope():
        assert Earning.objects.get().credit_date == date(2026, 1, 10)
        assert replay.differences_found() == []
