"""Digest for digest: every posted statement is worked out again as of its own moment, five plan versions, a
reorganisation, other quotas, corrected deals and a move to another pay group later."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.core.management import call_command

from comp.people import services as people
from comp.people.models import Participant
from payouts.models import Batch, Statement
from payouts.services.negatives import negative_policy_set
from payouts.services.replay import Replay, replay_period
from plans import services as plans
from plans.models import Plan, PlanVersion
from tests.payouts.house import House, house, plan_text

MONTHS = [date(2026, month, 1) for month in range(1, 6)]


def replayed(of: House, starts_on: date) -> Replay:
    with of.acme.scope():
        return replay_period(of.acme.pay_group, starts_on)


def statements(of: House) -> dict[date, dict[str, str]]:
    """The posted ones: digest by period and employee."""
    with of.acme.scope():
        found: dict[date, dict[str, str]] = {}
        rows = Statement.objects.exclude(state="open").values_list("period_starts_on", "participant__key", "digest")
        for starts_on, key, said in rows:
            found.setdefault(starts_on, {})[key] = said
        return found


def equal(of: House, posted: dict[date, dict[str, str]]) -> None:
    for starts_on, said in posted.items():
        result = replayed(of, starts_on)
        assert result.found == [], (starts_on, result.found)
        empty = {key: digest for key, digest in said.items() if key not in result.digests}
        assert {**result.digests, **empty} == said


@pytest.mark.django_db
def test_five_versions_and_a_reorganisation_later() -> None:
    acme = house(quota_minor=5_000_000)
    with acme.acme.scope(acme.ops):
        bob = Participant.objects.get(key="bob")
        boss = people.participant_create(
            key="E-1", name="Bo Ss", currency="USD", pay_group=acme.acme.pay_group, starts_on=date(2026, 1, 1)
        )
        worked = Plan.objects.get(key="worked")
        plans.assignment_set(participant=bob, plan=worked, starts_on=date(2026, 1, 1))
        plans.quota_set(
            participant=bob, key="sales", starts_on=date(2026, 1, 1), ends_on=date(2026, 4, 1), amount_minor=4_000_000,
            currency="USD",
        )  # fmt: skip
        for person in (acme.ann, bob):
            people.reporting_line_set(participant=person, manager=boss, starts_on=date(2026, 1, 1))
        negative_policy_set(pay_group=acme.acme.pay_group, currency="USD", way="carry")
    acme.work()
    posted: dict[date, dict[str, str]] = {}
    tops = ["21%", "22%", "23%", "24%", "25%"]
    for number, (month, top) in enumerate(zip(MONTHS, tops, strict=True), start=1):
        day = month + timedelta(days=9)
        for owner in ("ann", "bob"):
            acme.won(f"{owner}-{number}", f"{30_000 + 1_000 * number}.00", day.isoformat(), owner=owner)
        if number > 1:  # a deal of the month before was another amount, and one was never won
            before = MONTHS[number - 2] + timedelta(days=9)
            at = f"{day.isoformat()}T11:00:00Z"
            acme.won(f"ann-{number - 1}", f"{28_500 + number}.00", before.isoformat(), at=at)
        acme.work()
        acme.close(month)
        posted = statements(acme)
        assert set(posted) == set(MONTHS[:number]) and {"ann", "bob"} <= set(posted[month])
        # Five versions, each from the first day on: what was posted before is corrected in the period that is open.
        acme.publish(plan_text(top=top), starts_on=date(2026, 1, 1), note=f"Version {number}")
        equal(acme, posted)
    with acme.acme.scope():
        assert PlanVersion.objects.filter(plan=worked).exclude(state="draft").count() >= 6
    with acme.acme.scope(acme.ops):
        # Reorganised from the beginning, quotas changed, somebody gone, somebody paid elsewhere.
        people.reporting_line_set(participant=bob, manager=acme.ann, starts_on=date(2026, 2, 1))
        plans.quota_set(
            participant=acme.ann, key="sales", starts_on=date(2026, 1, 1), ends_on=date(2026, 4, 1),
            amount_minor=7_000_000, currency="USD",
        )  # fmt: skip
        other = people.pay_group_create(
            key="other", name="Other", calendar=acme.acme.calendar, opens_on=date(2026, 1, 1)
        )
        people.participant_change(participant=bob, pay_group=other)
        people.participant_change(participant=acme.ann, ends_on=date(2026, 8, 1))
    acme.work()
    equal(acme, posted)
    assert statements(acme) == posted
    call_command("replay", "--tenant", "acme", "--period", "2026-02")
    with acme.acme.scope():
        batch = Batch.objects.get(starts_on=MONTHS[1])
        later = replay_period(acme.acme.pay_group, MONTHS[1], batch.locked_at + timedelta(days=4000))
    assert any("digest" in wrong for wrong in later.found)  # as of another moment it is another statement
