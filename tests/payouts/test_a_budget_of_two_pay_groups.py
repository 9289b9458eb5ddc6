"""A budget that keeps what was posted stops at the last cent, whichever of two pay groups takes its part when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import count

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comp.core.days import day_date
from comp.people import services as people
from comp.people.models import Participant, PayGroup
from comp.people.selectors import today
from payouts.frames.read_kept import STANDING, asked, pairs_keeping
from payouts.frames.read_plans import read_versions
from payouts.frames.story import line_story
from payouts.models import Batch, Earning, GivenUp
from payouts.selectors import open_period
from payouts.services import batches, replay
from payouts.services.negatives import negative_policy_set
from payouts.verify import identity
from plans import services as plans
from plans.models import Plan
from tests.intake.sending import deal
from tests.payouts.house import PLAN, House, house

SPIFF = """  - key: spiff
    name: Spiff
    clause: You earn 100.00 for each deal, while the budget lasts.
    kind: bonus
    credits: {classes: [bookings], roles: [ae]}
    measure: {every: quarter}
    quota: null
    bonus: {amount: 100.00, per: credit}
    cap: null
    budget: {amount: 250.00, after_posting: keep}
    release: [{share: 100%, on: credit_date}]
"""
BUDGET = 250_00
_numbers = count(1)


@dataclass
class Groups:
    """Ann is paid by one group, Cyd by another; deals are named for whose they are."""

    at: House
    groups: dict[str, PayGroup]
    told: int = 0
    locked: dict[str, Batch] = field(default_factory=dict)

    def says(self, key: str, stage: str) -> None:
        self.told += 1
        owner = {"a": "ann", "b": "cyd", "c": "dan"}[key[0]]
        day = f"2026-01-{10 + int(key[1]) * 2 + (key[0] == 'b'):02}"
        moment = f"2026-12-31T10:{self.told // 60:02}:{self.told % 60:02}Z"
        self.at.crm.send(deal(stage, moment, deal=key, owner=owner, amount="1000.00", close_date=day))
        self.at.work()

    def lock(self, name: str) -> None:
        """Takes the group's open period, if the one before is posted."""
        if name in self.locked:
            return
        with self.at.acme.scope(self.at.preparer):
            group = PayGroup.objects.get(pk=self.groups[name].pk)
            starts_on = day_date(open_period(group).start)
            self.locked[name] = batches.batch_submit(
                pay_group=group, starts_on=starts_on, submitted_by=self.at.preparer
            )
        self.at.work()

    def decide(self, name: str, *, approve: bool) -> None:
        batch = self.locked.pop(name, None)
        if batch is None:
            return
        with self.at.acme.scope(self.at.approver):
            if approve:
                batches.batch_approve(batch=batch, approved_by=self.at.approver, digest=batch.digest)
            else:
                batches.batch_reject(batch=batch, rejected_by=self.at.approver, reason="Once more, please.")
        self.at.work()

    def close(self, name: str) -> None:
        self.lock(name)
        self.decide(name, approve=True)

    def earned(self) -> dict[str, int]:
        with self.at.acme.scope():
            return dict(Earning.objects.values_list("deal__external_id", "earned_minor"))

    def kept(self) -> int:
        with self.at.acme.scope(), connection.cursor() as cursor:
            everybody = list(Participant.objects.values_list("id", flat=True))
            said = asked(pairs_keeping(read_versions()), everybody)
            cursor.execute(f"SELECT coalesce(sum(earned), 0) FROM ({STANDING}) kept", said)
            return int(cursor.fetchone()[0])

    def right(self) -> None:
        """What stands is the budget's, is what everything worked out anew gives, and batches are what was known."""
        assert sum(self.earned().values()) <= BUDGET
        assert all(minor >= 0 for minor in self.earned().values())
        assert self.kept() <= BUDGET
        with self.at.acme.scope():
            assert replay.differences_found() == []
            assert identity().wrong == []
            for batch in Batch.objects.exclude(state="rejected").select_related("pay_group"):
                assert replay.replay_period(batch.pay_group, batch.starts_on).found == []


def two_groups() -> Groups:
    at = house(PLAN.partition("components:\n")[0] + "components:\n" + SPIFF, slug=f"acme-{next(_numbers)}")
    acme = at.acme
    with acme.scope(at.ops):
        other = people.pay_group_create(key="other", name="Other", calendar=acme.calendar, opens_on=date(2026, 1, 1))
        cyd = people.participant_create(
            key="cyd", name="Cyd", currency="USD", pay_group=other, starts_on=date(2026, 1, 1)
        )
        plans.assignment_set(participant=cyd, plan=Plan.objects.get(), starts_on=date(2026, 1, 1))
    with acme.scope(at.approver):
        for group in (acme.pay_group, other):
            negative_policy_set(pay_group=group, currency="USD", way="carry", share=Decimal(100), keep_minor=0)
    at.work()
    return Groups(at, {"a": acme.pay_group, "b": other})


@pytest.mark.django_db
def test_what_was_given_up_and_taken_by_another_group_is_not_kept_twice() -> None:
    both = two_groups()
    for key in ("a1", "a2"):
        both.says(key, "won")
    both.close("a")
    assert both.earned() == {"a1": 100_00, "a2": 100_00}

    both.says("a2", "lost")  # 100.00 are the budget's again: Ann owes them, and no batch took them back yet
    both.says("b3", "won")
    both.close("b")  # takes what was given up
    with both.at.acme.scope():
        assert list(GivenUp.objects.values_list("participant__name", "kept_minor", "earned_minor")) == [
            ("Ann", 10_000, 0)
        ]
        noted = GivenUp.objects.get()
        noted.pk, noted.split = None, 9
        with pytest.raises(IntegrityError, match="it is posted, and what lines had given up"), transaction.atomic():
            noted.save(force_insert=True)
    both.says("a2", "won")
    assert both.earned() == {"a1": 100_00, "a2": 50_00, "b3": 100_00}, "what is left, though its deal is of before b3"
    both.right()
    with both.at.acme.scope():
        steps = line_story(Earning.objects.get(deal__external_id="a2"), {})
    assert steps is not None
    with both.at.acme.scope():
        day = f"{today():%-d %B %Y}"
    assert [step.sentence for step in steps if step.label_code == "budget"] == [
        "A batch took $100.00 of the budget before. This line had come to nothing when a batch took others of it on "
        f"{day}, so it keeps nothing; $50.00 of the budget of $250.00 were left: $50.00."
    ]
    both.lock("a")  # takes 50.00 back
    assert both.kept() == BUDGET
    both.says("b3", "lost")
    both.decide("a", approve=True)
    both.close("a")  # takes what b3 gave up before Cyd's batch takes it back
    both.says("b3", "won")
    both.close("b")
    assert both.earned() == {"a1": 100_00, "a2": 100_00, "b3": 50_00}
    both.right()


@pytest.mark.django_db
def test_what_counts_for_nothing_gives_nothing_up() -> None:
    both = two_groups()
    both.says("a1", "won")
    both.says("a2", "won")
    both.close("a")
    both.says("a2", "lost")
    both.says("b3", "won")
    both.lock("b")
    both.says("a2", "won")
    assert both.earned()["a2"] == 50_00
    both.decide("b", approve=False)
    assert both.earned() == {"a1": 100_00, "a2": 100_00, "b3": 50_00}, "Cyd's batch was sent back: Ann keeps hers"
    both.right()


@pytest.mark.django_db
def test_what_is_taken_back_by_a_batch_that_is_sent_back_is_given_up_all_the_same() -> None:
    both = two_groups()
    both.says("a1", "won")
    both.says("a2", "won")
    both.close("a")
    both.says("a2", "lost")
    both.lock("a")  # takes the 100.00 back
    both.says("b3", "won")
    both.close("b")  # takes what was free by that
    both.decide("a", approve=False)
    assert both.kept() <= BUDGET, "what Ann's batch had taken back is Cyd's by now"
    both.says("a2", "won")
    assert both.earned() == {"a1": 100_00, "a2": 50_00, "b3": 100_00}
    both.close("a")
    assert both.kept() == BUDGET
    both.right()


@pytest.mark.django_db
def test_who_took_behind_a_batch_that_is_sent_back_keeps_it() -> None:
    both = two_groups()
    acme = both.at.acme
    with acme.scope(both.at.ops):
        third = people.pay_group_create(key="third", name="Third", calendar=acme.calendar, opens_on=date(2026, 1, 1))
        dan = people.participant_create(
            key="dan", name="Dan", currency="USD", pay_group=third, starts_on=date(2026, 1, 1)
        )
        plans.assignment_set(participant=dan, plan=Plan.objects.get(), starts_on=date(2026, 1, 1))
    both.groups["c"] = third
    for key in ("a1", "a2"):
        both.says(key, "won")
    both.close("a")
    for key in ("a1", "a2"):
        both.says(key, "lost")
    both.says("b1", "won")
    both.lock("b")
    for key in ("c2", "c3"):
        both.says(key, "won")
    both.close("c")  # 150.00 that Cyd's batch left
    both.decide("b", approve=False)
    assert both.kept() == 150_00, "what Ann gave up is Dan's, whatever becomes of Cyd's batch"
    for key in ("a1", "a2"):
        both.says(key, "won")
    both.right()


DEALS = st.sampled_from(["a1", "a2", "b1", "b2", "b3"])
GROUPS = st.sampled_from("ab")
STEPS = st.one_of(
    st.tuples(st.just("won"), DEALS),
    st.tuples(st.just("won"), DEALS),
    st.tuples(st.just("lost"), DEALS),
    st.tuples(st.just("lock"), GROUPS),
    st.tuples(st.just("post"), GROUPS),
    st.tuples(st.just("back"), GROUPS),
)


@pytest.mark.django_db
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(STEPS, min_size=12, max_size=16))
def test_a_budget_stops_at_the_last_cent_whoever_takes_what_when(steps: list[tuple[str, str]]) -> None:
    both = two_groups()
    for key in ("a1", "b1", "a2"):
        both.says(key, "won")
    both.close("a")
    for kind, which in steps:
        {
            "won": lambda key: both.says(key, "won"),
            "lost": lambda key: both.says(key, "lost"),
            "lock": both.lock,
            "post": both.close,
            "back": lambda name: both.decide(name, approve=False),
        }[kind](which)
        assert sum(both.earned().values()) <= BUDGET
        assert both.kept() <= BUDGET
    both.right()
