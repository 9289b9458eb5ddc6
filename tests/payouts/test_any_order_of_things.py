"""A machine that does anything in any order: events, corrections, milestones, plans, quotas, closes, replays and late
news. After each step what stands is what a recomputation of everything gives, and what was posted stays."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from comp.core.days import day_date
from payouts.models import Batch
from payouts.selectors import open_period
from payouts.services import replay
from payouts.verify import batch_digests, identity, ledger_balance
from tests.payouts import test_whatever_happens_the_figures_agree as steps
from tests.payouts.house import House, house
from tests.payouts.test_what_others_do_is_paid import join

_numbers = count(1)
DEALS, PEOPLE = st.sampled_from("ABC"), st.sampled_from(["ann", "bob"])
AMOUNTS, DAYS = st.integers(-20, 90), st.dates(date(2026, 1, 1), date(2026, 5, 31))


class Anything(RuleBasedStateMachine):
    """One company. `posted`: the lines' digest of each batch when it was paid."""

    acme: House

    @initialize(text=st.sampled_from(steps.TEXTS))
    def begins(self, text: str) -> None:
        self.acme = house(text, slug=f"any-{next(_numbers)}")
        join(self.acme, "Bob")
        self.posted: dict[int, str] = {}
        self.last = 0

    def _next(self) -> int:
        self.last += 1
        return self.last

    @rule(key=DEALS, owner=PEOPLE, thousands=AMOUNTS, day=DAYS)
    def a_deal_or_its_correction(self, key: str, owner: str, thousands: int, day: date) -> None:
        steps._deal(self.acme, self._next(), key, owner, thousands, day)

    @precondition(lambda self: self.posted)
    @rule(key=DEALS, owner=PEOPLE, thousands=AMOUNTS, data=st.data())
    def an_event_of_a_posted_period_comes_late(self, key: str, owner: str, thousands: int, data: Any) -> None:
        with self.acme.acme.scope():
            batch = Batch.objects.get(pk=data.draw(st.sampled_from(sorted(self.posted))))
        day = batch.starts_on + timedelta(days=9)
        steps._deal(self.acme, self._next(), key, owner, thousands, day)

    @rule(key=DEALS, day=DAYS)
    def a_milestone(self, key: str, day: date) -> None:
        steps._signed(self.acme, self._next(), key, day)

    @rule(text=st.sampled_from(steps.TEXTS), starts_on=st.sampled_from([date(2026, 1, 1), date(2026, 2, 15)]))
    def a_plan_is_published(self, text: str, starts_on: date) -> None:
        steps._plan(self.acme, 0, text, starts_on)

    @rule(who=PEOPLE, tens=st.integers(1, 20))
    def a_quota_changes(self, who: str, tens: int) -> None:
        steps._quota(self.acme, 0, who, tens)

    @rule()
    def a_period_is_closed(self) -> None:
        self.acme.work()
        with self.acme.acme.scope():
            starts_on = day_date(open_period(self.acme.acme.pay_group).start)
        batch = self.acme.close(starts_on)
        self.posted[batch.pk] = batch.digest

    @precondition(lambda self: self.posted)
    @rule(data=st.data())
    def a_posted_period_is_replayed(self, data: Any) -> None:
        """As of its submission it gives what was posted, whatever came since."""
        with self.acme.acme.scope():
            batch = Batch.objects.get(pk=data.draw(st.sampled_from(sorted(self.posted))))
            assert replay.replay_period(batch.pay_group, batch.starts_on).found == []

    @invariant()
    def what_stands_is_right(self) -> None:
        self.acme.work()
        with self.acme.acme.scope():
            assert replay.differences_found() == []
            assert identity().wrong == []

    @invariant()
    def what_was_posted_stays(self) -> None:
        with self.acme.acme.scope():
            assert dict(Batch.objects.values_list("id", "digest")) == self.posted
            assert batch_digests().wrong == [] and ledger_balance().wrong == []

    def teardown(self) -> None:
        if not hasattr(self, "acme"):
            return
        with self.acme.acme.scope():
            for batch in Batch.objects.select_related("pay_group"):
                assert replay.replay_period(batch.pay_group, batch.starts_on).found == []


@pytest.mark.django_db
def test_anything_in_any_order_leaves_the_right_figures() -> None:
    few = settings(
        max_examples=4, stateful_step_count=8, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck), print_blob=True,
    )  # fmt: skip
    run_state_machine_as_test(Anything, settings=few)
