"""Whatever happens, and in whatever order: what stands, change by change, is what everything worked out anew gives.

A manager who is paid by what reports earn, a contest between all, a cap whose excess is carried: each reads what is
earned by others, or in other periods.
"""

from __future__ import annotations

import contextlib
from datetime import date
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comp.core.errors import ProblemsError
from comp.people import services as people
from comp.people.models import Participant
from payouts.models import Batch
from payouts.selectors import open_period
from payouts.services import replay
from payouts.verify import identity
from plans import services as plans
from plans.models import Plan, PlanAssignment
from tests.payouts.house import House, house, plan_text
from tests.payouts.test_what_others_do_is_paid import OVERRIDE, PRIZES, QUARTER, join, with_component

CARRIED = "    caps: [{amount: 5000.00, per: measure_period, excess: carried, counts: false, until: used_up}]\n"
PARTED = "[{share: 60%, on: credit_date}, {share: 40%, on: signature}]"
SETTLED = """settlement:
  order: [releases, adjustments, clawbacks, carried, recovery, cap, holdback, top_up]
  draw: {kind: recoverable, style: top_up, amount: 2000.00, from: 2026-01-01, to: 2026-07-01, test: [releases],
    recovery: {share: 50%, keep: 500.00, after_periods: 1}, on_leaving: owed}
  cap: {amount: 6000.00, excess: carried}
  holdback: {share: 10%, periods: 2}
  negative: carried
"""
TEXTS = (
    with_component(plan_text(), OVERRIDE),
    with_component(plan_text(release=PARTED), OVERRIDE + PRIZES),
    with_component(plan_text().replace("    cap: null\n", f"    cap: null\n{CARRIED}"), OVERRIDE),
    with_component(plan_text(top="30%").replace("on_new_version: carry", "on_new_version: rerun"), PRIZES),
    with_component(plan_text(release=PARTED), OVERRIDE) + SETTLED,
)
_numbers = count(1)

DEALS, PEOPLE = st.sampled_from("ABCD"), st.sampled_from(["ann", "bob", "max"])
DAYS = st.dates(date(2026, 1, 1), date(2026, 8, 31))
STEPS = st.one_of(
    st.tuples(st.just("deal"), DEALS, PEOPLE, st.integers(-20, 90), DAYS),
    st.tuples(st.just("deal"), DEALS, PEOPLE, st.integers(-20, 90), DAYS),
    st.tuples(st.just("signed"), DEALS, DAYS),
    st.tuples(st.just("plan"), st.sampled_from(TEXTS), st.sampled_from([date(2026, 1, 1), date(2026, 5, 15)])),
    st.tuples(st.just("line"), PEOPLE, PEOPLE, DAYS),
    st.tuples(st.just("quota"), PEOPLE, st.integers(1, 20)),
    st.tuples(st.just("leaves"), PEOPLE, DAYS),
    st.tuples(st.just("close")),
)


@pytest.mark.django_db
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.sampled_from(TEXTS), st.lists(STEPS, min_size=4, max_size=8))
def test_incremental_is_full(text: str, steps: list[tuple[Any, ...]]) -> None:
    acme = house(text, slug=f"acme-{next(_numbers)}")
    for name in ("Bob", "Max"):
        join(acme, name)
    acme.work()
    for place, (kind, *rest) in enumerate(steps, start=1):
        {
            "deal": _deal, "signed": _signed, "plan": _plan, "line": _line, "quota": _quota, "leaves": _leaves,
            "close": _close,
        }[kind](acme, place, *rest)  # fmt: skip
        acme.work()
        with acme.acme.scope():
            assert replay.differences_found() == [], f"after step {place}, {kind}"
            assert identity().wrong == []


def _deal(acme: House, place: int, key: str, owner: str, thousands: int, day: date) -> None:
    acme.won(key, f"{thousands * 1000}.00", day.isoformat(), owner=owner, version=place, at="2026-09-01T10:00:00Z")


def _signed(acme: House, place: int, key: str, day: date) -> None:
    acme.milestone(key, "signature", day.isoformat(), at=f"2026-09-01T10:{place:02}:00Z")


def _plan(acme: House, place: int, text: str, starts_on: date) -> None:
    with contextlib.suppress(ProblemsError):  # it says what the version in force says
        acme.publish(text, starts_on=starts_on)


def _line(acme: House, place: int, who: str, manager: str, day: date) -> None:
    with acme.acme.scope(acme.ops):
        below, above = (Participant.objects.get(key=key) for key in (who, manager))
        with contextlib.suppress(ProblemsError):  # a circle, or a day that is taken
            people.reporting_line_set(participant=below, manager=above, starts_on=day)


def _quota(acme: House, place: int, who: str, tens: int) -> None:
    with acme.acme.scope(acme.ops):
        amount = QUARTER | {"amount_minor": tens * 1_000_000}
        plans.quota_set(participant=Participant.objects.get(key=who), key="sales", **amount)


def _leaves(acme: House, place: int, who: str, day: date) -> None:
    with acme.acme.scope(acme.ops):
        found = PlanAssignment.objects.filter(participant__key=who, plan=Plan.objects.get(key="worked")).first()
        if found is not None and day > found.starts_on:
            plans.assignment_end(assignment=found, ends_on=day)


def _close(acme: House, place: int) -> None:
    with acme.acme.scope():
        acme.acme.pay_group.refresh_from_db()
        starts_on = open_period(acme.acme.pay_group).start
    acme.close(date.fromordinal(date(1970, 1, 1).toordinal() + starts_on))
    with acme.acme.scope():
        assert Batch.objects.exists()
