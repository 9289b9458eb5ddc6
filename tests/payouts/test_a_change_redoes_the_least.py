"""A change redoes those whose figures it can move, for the periods that it can reach, and nobody else; and what stands
is what a recomputation of everything gives."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from comp.core.days import day_date
from comp.core.errors import ProblemsError
from comp.people import services as people
from comp.people.models import CreditRole, Participant, Team
from payouts.services import recompute, replay
from payouts.verify import identity
from plans import services as plans
from plans.models import Plan, PlanAssignment
from tests.factories import person, published
from tests.intake.sending import event
from tests.payouts.house import House, house, plan_text
from tests.payouts.test_what_others_do_is_paid import OVERRIDE, PRIZES, QUARTER

CLAWBACK = (
    "    clawback: {on: [cancellation], formula: pro_rata, term_months: 12, failing_month: does_not_count, "
    "lowers_measure: false, takes: all}\n"
)
CARRIED = "    caps: [{amount: 5000.00, per: measure_period, excess: carried, counts: false, until: used_up}]\n"
BUDGET = "    budget: {amount: 8000.00, after_posting: redivide}\n"
POOL = """
  - key: share
    name: Share
    clause: You share 1% of what your team sells.
    kind: pool
    credits: {classes: [bookings], roles: [ae]}
    measure: {every: quarter, value: sum, window: discrete, of: team, by: period}
    pool: {share: 1%, divide: equal, after_posting: redivide}
    cap: null
    release: [{share: 100%, on: credit_date}]
"""
MANAGED = OVERRIDE.replace("components: [commission]", "components: [worked/commission]").replace("override", "managed")


def own_class(text: str, key: str) -> str:
    """A plan of its own key, whose credit nobody else measures."""
    return text.replace("key: worked", f"key: {key}").replace("bookings", key)


def with_line(text: str, line: str) -> str:
    return text.replace("    cap: null\n", f"    cap: null\n{line}", 1)


def alone(component: str, key: str) -> str:
    """A plan that has only this component beside the credit of deals."""
    return plan_text().replace("key: worked", f"key: {key}").partition("components:\n")[0] + "components:" + component


#: Key, text, and who is on it. Ann's plan is plain. Pam and Pat are of team A, Pete of team B.
PLANS = {
    "clawed": (own_class(with_line(plan_text(), CLAWBACK), "clawed"), ["Cleo"]),
    "carried": (own_class(with_line(plan_text(), CARRIED), "carried"), ["Carl"]),
    "pooled": (own_class(alone(POOL, "pooled"), "pooled"), ["Pam", "Pat", "Pete"]),
    "ranked": (own_class(alone(PRIZES, "ranked"), "ranked"), ["Rita", "Rob"]),
    "budgeted": (own_class(with_line(plan_text(), BUDGET), "budgeted"), ["Bea", "Bert"]),
    "managing": (alone(MANAGED, "managing"), ["Max"]),
}
TEAMS = {"Pam": "A", "Pat": "A", "Pete": "B", "Ann": "A"}
_numbers = count(1)


def company(slug: str = "acme") -> House:
    """Ann reports to Max, who is paid by what she earns; all others have plans of their own kinds."""
    acme = house(slug=slug)
    with acme.acme.scope(acme.ops):
        role = CreditRole.objects.get(key="ae")
        teams = {key: people.team_create(key=key.lower(), name=key) for key in ("A", "B")}
        for key, (text, names) in PLANS.items():
            version = published(key, ops=acme.ops, other=acme.other_ops, text=text)
            for name in names:
                one = person(acme.acme, name)
                plans.assignment_set(participant=one, plan=version.plan, starts_on=date(2026, 1, 1))
                plans.quota_set(participant=one, key="sales", **QUARTER)
        for name, key in TEAMS.items():
            people.position_set(
                participant=Participant.objects.get(name=name), title="AE", credit_role=role, team=teams[key],
                starts_on=date(2026, 1, 1),
            )  # fmt: skip
        people.reporting_line_set(
            participant=acme.ann, manager=Participant.objects.get(name="Max"), starts_on=date(2026, 1, 1)
        )
    acme.work()
    return acme


@dataclass
class Redone:
    """What recomputations redid: who, from which day to which."""

    calls: list[tuple[tuple[int, ...] | None, date, date]] = field(default_factory=list)

    def told(self, of: House) -> set[tuple[str, str, str]]:
        with of.acme.scope():
            names = dict(Participant.objects.values_list("id", "name"))
        calls, self.calls = self.calls, []
        return {
            (names[one], str(start), str(end)) for who, start, end in calls for one in (names if who is None else who)
        }


@pytest.fixture
def redone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Redone]:
    found, real = Redone(), recompute._redo

    def spy(calendar: Any, piece: recompute.Piece, who: Any, *rest: Any) -> None:
        found.calls.append((None if who is None else tuple(who), day_date(piece.span[0]), day_date(piece.span[1])))
        real(calendar, piece, who, *rest)

    monkeypatch.setattr(recompute, "_redo", spy)
    yield found


def agrees(of: House) -> None:
    with of.acme.scope():
        assert replay.differences_found() == [] and identity().wrong == []


FIRST = ("2026-01-01", "2026-04-01")


@pytest.mark.django_db
def test_a_deal_redoes_its_people_and_who_reads_them(redone: Redone) -> None:
    acme = company()
    redone.calls.clear()
    one = {name: {(name, *FIRST)} for name in ("Ann", "Pam", "Pat", "Pete", "Rita", "Rob", "Max")}
    whole = {name: {(name, "1989-01-01", "2102-01-01")} for name in ("Cleo", "Carl", "Bea", "Bert")}
    both = one | whole
    for owner, whom in {
        "ann": ["Ann", "Max"],
        "pam": ["Pam", "Pat"],
        "pete": ["Pete"],
        "rob": ["Rita", "Rob"],
        "cleo": ["Cleo"],
        "carl": ["Carl"],
        "bert": ["Bea", "Bert"],
    }.items():
        acme.won(owner, "60000.00", "2026-02-10", owner=owner)
        acme.work()
        assert redone.told(acme) == set().union(*(both[name] for name in whom)), owner
    agrees(acme)


@pytest.mark.django_db
def test_a_change_of_configuration_redoes_those_it_concerns(redone: Redone) -> None:
    acme = company()
    redone.calls.clear()
    with acme.acme.scope(acme.ops):
        pat = Participant.objects.get(name="Pat")
        plans.quota_set(participant=pat, key="sales", **QUARTER | {"amount_minor": 500_000})
    acme.work()
    assert {name for name, *_ in redone.told(acme)} == {"Pam", "Pat"}, "who shares a pot with him"
    with acme.acme.scope(acme.ops):
        draft = plans.version_draft(
            plan=Plan.objects.get(key="ranked"), text=PLANS["ranked"][0].replace("500.00", "600.00"),
            starts_on=date(2026, 1, 1), note="More for the first", prepared_by=acme.ops,
        )  # fmt: skip
    with acme.acme.scope(acme.other_ops):
        plans.version_publish(version=draft, published_by=acme.other_ops)
    acme.work()
    assert {name for name, *_ in redone.told(acme)} == {"Rita", "Rob"}
    with acme.acme.scope(acme.ops):
        people.reporting_line_set(participant=pat, manager=acme.ann, starts_on=date(2026, 2, 1))
    acme.work()
    # Where they were before nobody asks: everybody of a team's plan is looked at.
    assert {name for name, *_ in redone.told(acme)} == {"Pat", "Ann", "Max", "Pam", "Pete"}
    agrees(acme)


NAMES = st.sampled_from(["ann", "bea", "bert", "carl", "cleo", "max", "pam", "pat", "pete", "rita", "rob"])
DAYS = st.dates(date(2026, 1, 1), date(2026, 8, 31))


class Others(RuleBasedStateMachine):
    """A company whose plans read others: managers, pots, contests, budgets, clawbacks, carried excess."""

    acme: House

    @initialize()
    def begins(self) -> None:
        self.acme = company(f"least-{next(_numbers)}")
        self.last = 0

    def _next(self) -> int:
        self.last += 1
        return self.last

    @rule(key=st.sampled_from("ABCD"), owner=NAMES, thousands=st.integers(-20, 90), day=DAYS)
    def a_deal_or_its_correction(self, key: str, owner: str, thousands: int, day: date) -> None:
        at = f"2026-09-01T10:00:{self._next():02}Z"
        self.acme.won(key, f"{thousands}000.00", day.isoformat(), owner=owner, version=self.last, at=at)

    @rule(key=st.sampled_from("ABCD"), day=DAYS)
    def a_cancellation(self, key: str, day: date) -> None:
        said = {"id": f"C{key}", "deal": key, "on": day.isoformat(), "type": "churn"}
        self.acme.crm.send(event("deal.cancelled", f"2026-09-01T11:00:{self._next():02}Z", **said))

    @rule(who=NAMES, tens=st.integers(1, 20))
    def a_quota(self, who: str, tens: int) -> None:
        with self.acme.acme.scope(self.acme.ops):
            amount = QUARTER | {"amount_minor": tens * 1_000_000}
            plans.quota_set(participant=Participant.objects.get(key=who), key="sales", **amount)

    @rule(key=st.sampled_from(sorted(PLANS)), more=st.integers(1, 5), starts_on=DAYS)
    def a_plan(self, key: str, more: int, starts_on: date) -> None:
        """Other rates, shares and prizes; or a line more, or none."""
        text = PLANS[key][0].replace("rate: 20%", f"rate: {20 + more}%").replace("500.00, 300.00", f"{more}00.00")
        text = text.replace("share: 1%", f"share: {more}%").replace(CLAWBACK, "" if more > 3 else CLAWBACK)
        text = text.replace(CARRIED, BUDGET if more > 3 else CARRIED)
        with self.acme.acme.scope(self.acme.ops), contextlib.suppress(ProblemsError):
            draft = plans.version_draft(
                plan=Plan.objects.get(key=key), text=text, starts_on=starts_on, note="A change",
                prepared_by=self.acme.ops,
            )  # fmt: skip
            with self.acme.acme.scope(self.acme.other_ops):
                plans.version_publish(version=draft, published_by=self.acme.other_ops)

    @rule(who=NAMES, key=st.sampled_from(sorted(PLANS)), day=DAYS, leaves=st.booleans())
    def who_is_on_what(self, who: str, key: str, day: date, leaves: bool) -> None:
        with self.acme.acme.scope(self.acme.ops), contextlib.suppress(ProblemsError):
            one, plan = Participant.objects.get(key=who), Plan.objects.get(key=key)
            found = PlanAssignment.objects.filter(participant=one, plan=plan).first()
            if found is None:
                plans.assignment_set(participant=one, plan=plan, starts_on=day)
            else:
                plans.assignment_end(assignment=found, ends_on=day if leaves else None)

    @rule(who=NAMES, team=st.sampled_from("ab"), day=DAYS)
    def a_team(self, who: str, team: str, day: date) -> None:
        with self.acme.acme.scope(self.acme.ops):
            role = CreditRole.objects.get(key="ae")
            people.position_set(
                participant=Participant.objects.get(key=who), title="AE", credit_role=role,
                team=Team.objects.get(key=team), starts_on=day,
            )  # fmt: skip

    @rule(who=NAMES, manager=NAMES, day=DAYS)
    def a_line(self, who: str, manager: str, day: date) -> None:
        with self.acme.acme.scope(self.acme.ops), contextlib.suppress(ProblemsError):
            below, above = (Participant.objects.get(key=key) for key in (who, manager))
            people.reporting_line_set(participant=below, manager=above, starts_on=day)

    @invariant()
    def what_stands_is_right(self) -> None:
        self.acme.work()
        agrees(self.acme)


@pytest.mark.django_db
def test_the_least_is_enough() -> None:
    few = settings(
        max_examples=5, stateful_step_count=8, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck), print_blob=True,
    )  # fmt: skip
    run_state_machine_as_test(Others, settings=few)
