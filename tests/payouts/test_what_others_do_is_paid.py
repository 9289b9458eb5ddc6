"""Lines that depend on other people follow them: managers who read their reports, shared pots and contests, budgets."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Sum
from django.test import Client

from comp.people import services as people
from comp.people.models import Participant
from comp.tenancy.capabilities import Role
from comp.tenancy.scope import Pay
from payouts.frames.story import line_story
from payouts.frames.ties import Ties
from payouts.models import Earning, FigureChange, Payable, Tranche
from payouts.reads.balance import unbalanced
from payouts.services import batches, replay
from payouts.services.partial import batch_approve_part
from payouts.services.readers import Places, Readers
from plans import services as plans
from plans.models import Plan
from tests.factories import member, person
from tests.payouts.house import House, house, plan_text
from tests.payouts.test_the_whole_language_pays_from_the_database import full_agrees

OVERRIDE = """
  - key: override
    name: Override
    clause: You earn 20% of what your reports earn.
    kind: commission
    reads: {what: earning, of: reports, depth: 1, components: [commission]}
    measure: {every: quarter, value: sum, window: discrete, of: own, by: period}
    quota: null
    below_zero: lowest_tier
    tiers: {mode: marginal, axis: amount, boundary: above, rates: [{from: 0.00, rate: 20%}]}
    accelerator: null
    cap: null
    release: [{share: 100%, on: credit_date}]
"""
PRIZES = """
  - key: contest
    name: Contest
    clause: The two who sell most in a quarter win 500.00 and 300.00.
    kind: rank
    credits: {classes: [bookings], roles: [ae]}
    measure: {every: quarter, value: sum, window: discrete, of: own, by: period}
    rank: {order: high, prizes: [500.00, 300.00], ties: share, after_posting: redivide}
    cap: null
    release: [{share: 100%, on: credit_date}]
"""
QUARTER = {"starts_on": date(2026, 1, 1), "ends_on": date(2026, 4, 1), "amount_minor": 10_000_000, "currency": "USD"}


def with_component(text: str, more: str) -> str:
    return text.rstrip("\n") + "\n" + more.strip("\n") + "\n"


def join(acme: House, name: str) -> Participant:
    """Somebody more on the plan, with a quota."""
    with acme.acme.scope(acme.ops):
        one = Participant.objects.filter(name=name).first() or person(acme.acme, name)
        plans.assignment_set(participant=one, plan=Plan.objects.get(key="worked"), starts_on=date(2026, 1, 1))
        plans.quota_set(participant=one, key="sales", **QUARTER)
    return one


def lines(acme: House, component: str) -> dict[str, int]:
    """What each earns of a component, all of their lines together."""
    with acme.acme.scope():
        rows = Earning.objects.filter(component=component).values_list("participant__name")
        return dict(rows.annotate(Sum("earned_minor")))


@pytest.mark.django_db
def test_a_manager_is_paid_by_what_reports_earn() -> None:
    """20% of Ann's 6,000 is 1,200; corrected to 7,000, 1,400; and it stays with whoever is her manager."""
    acme = house(with_component(plan_text(), OVERRIDE))
    boss = join(acme, "Max")
    with acme.acme.scope(acme.ops):
        people.reporting_line_set(participant=acme.ann, manager=boss, starts_on=date(2026, 1, 1))
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    assert lines(acme, "override") == {"Max": 120_000}
    acme.won("A", "70000.00", "2026-01-10", at="2026-02-11T10:00:00Z", version=2)
    acme.work()
    assert lines(acme, "override") == {"Max": 140_000}
    full_agrees(acme)
    with acme.acme.scope():
        line = Earning.objects.get(component="override")
        assert (line.line_kind, line.fact, line.deal, line.rule) == (1, 0, None, "quarter")
        assert (line.period, line.credit_date) == (date(2026, 1, 1), date(2026, 3, 31))
        changes = FigureChange.objects.filter(component="override").order_by("id")
        assert [(one.before_minor, one.after_minor) for one in changes] == [(0, 120_000), (120_000, 140_000)]
        assert changes[1].cause.label.startswith("Deal A")
    other = join(acme, "Vera")
    with acme.acme.scope(acme.ops):
        people.reporting_line_set(participant=acme.ann, manager=other, starts_on=date(2026, 2, 1))
    acme.work()
    assert lines(acme, "override") == {"Vera": 140_000}
    full_agrees(acme)


@pytest.mark.django_db
def test_a_line_of_a_period_is_paid_adjusted_and_shown() -> None:
    """Closed at 1,200 in March; a late deal of January brings 500 more in April."""
    acme = house(with_component(plan_text(), OVERRIDE))
    boss = join(acme, "Max")
    user = member(acme.acme, Role.REPRESENTATIVE, "Max Member")
    with acme.acme.scope(acme.ops):
        people.reporting_line_set(participant=acme.ann, manager=boss, starts_on=date(2026, 1, 1))
        people.participant_change(participant=boss, user=user)
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    for month in (1, 2, 3):
        acme.close(date(2026, month, 1))
    acme.won("B", "25000.00", "2026-01-20")
    acme.work()
    with acme.acme.scope():
        payable = Payable.objects.get(participant=boss)
        assert (payable.kind, payable.amount_minor, payable.posted_minor) == ("adjustment", 50_000, 120_000)
        assert payable.origin_starts_on == date(2026, 3, 1)
        line = Earning.objects.get(participant=boss)
    full_agrees(acme)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    slug = acme.acme.tenant.slug
    told = client.get(f"/t/{slug}/why/{line.pk}/").content.decode()
    assert "Quarter from 1 January 2026" in told and "$8,500.00" in told and "$1,700.00" in told
    deals = client.get(f"/t/{slug}/deals/").content.decode()
    assert "Quarter from 1 January 2026" in deals and "$1,700.00" in deals
    for period, amount in (("2026-03-01", "$1,200.00"), ("2026-04-01", "$500.00")):
        shown = client.get(f"/t/{slug}/statements/{period}/")
        assert shown.status_code == 200 and amount in shown.content.decode()
        assert amount[1:].replace(",", "") in client.get(f"/t/{slug}/statements/{period}/?csv=1").content.decode()
    assert client.get(f"/t/{slug}/home/").status_code == 200


@pytest.mark.django_db
def test_a_contest_moves_for_everybody_in_it() -> None:
    acme = house(with_component(plan_text(), PRIZES))
    join(acme, "Bob")
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "50000.00", "2026-01-10", owner="bob")
    acme.work()
    assert lines(acme, "contest") == {"Ann": 50_000, "Bob": 30_000}
    acme.won("C", "20000.00", "2026-02-10", owner="bob")
    acme.work()
    assert lines(acme, "contest") == {"Ann": 30_000, "Bob": 50_000}
    full_agrees(acme)
    with acme.acme.scope(acme.ops):
        assignment = plans.PlanAssignment.objects.get(participant=acme.ann)
        plans.assignment_end(assignment=assignment, ends_on=date(2026, 1, 5))
    acme.work()
    assert lines(acme, "contest") == {"Bob": 50_000}
    full_agrees(acme)


@pytest.mark.django_db
def test_a_posted_prize_stays() -> None:
    """Ann was paid the first prize and Bob the second. A late deal of Bob's turns that round: both stay as posted, also
    when Ann is no longer of the contest; Cleo, who was paid nothing of it yet, gets what is hers now."""
    acme = house(with_component(plan_text(), PRIZES.replace("redivide", "keep").replace("300.00]", "300.00, 100.00]")))
    join(acme, "Bob")
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "50000.00", "2026-01-10", owner="bob")
    acme.work()
    for month in (1, 2, 3):
        acme.close(date(2026, month, 1))
    acme.won("C", "20000.00", "2026-02-10", owner="bob")
    join(acme, "Cleo")
    acme.won("D", "10000.00", "2026-02-10", owner="cleo")
    acme.work()
    assert lines(acme, "contest") == {"Ann": 30_000, "Bob": 50_000, "Cleo": 10_000}
    prizes = Payable.objects.filter(component="contest")
    with acme.acme.scope():
        assert [(row.participant.name, row.amount_minor) for row in prizes.all()] == [("Cleo", 10_000)]
        assert unbalanced()[1] == []
    full_agrees(acme)
    with acme.acme.scope(acme.ops):
        assignment = plans.PlanAssignment.objects.get(participant=acme.ann)
        plans.assignment_end(assignment=assignment, ends_on=date(2026, 1, 5))
    acme.work()
    assert lines(acme, "contest") == {"Bob": 50_000, "Cleo": 30_000}
    with acme.acme.scope():
        assert [(row.participant.name, row.amount_minor) for row in prizes.all()] == [("Cleo", 30_000)]
        assert unbalanced()[1] == []
    full_agrees(acme)


@pytest.mark.django_db
def test_a_budget_is_given_to_those_who_come_first() -> None:
    """Of 8,000 for all, Ann's 6,000 leave Bob 2,000 of his 5,000; her deal taken back leaves him all of it."""
    budget = "    budget: {amount: 8000.00, after_posting: redivide}\n"
    text = plan_text().replace("    cap: null\n", f"    cap: null\n{budget}")
    acme = house(text)
    join(acme, "Bob")
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "50000.00", "2026-02-10", owner="bob")
    acme.work()
    assert lines(acme, "commission") == {"Ann": 600_000, "Bob": 200_000}
    acme.won("A", "0.00", "2026-01-10", at="2026-02-11T10:00:00Z", version=2)
    acme.work()
    assert lines(acme, "commission") == {"Ann": 0, "Bob": 500_000}
    full_agrees(acme)


@pytest.mark.django_db
def test_a_budget_keeps_what_a_batch_took() -> None:
    """Of 8,000 Ann's 6,000 and 2,000 of Bob's 5,000 are taken in January. Cleo's late deal stands before both and gets
    nothing, until the batch is sent back: then her 4,000 come first, and of Bob's deal nothing is paid. Who is left out
    of a batch keeps nothing of it either."""
    budget = "    budget: {amount: 8000.00, after_posting: keep}\n"
    acme = house(plan_text().replace("    cap: null\n", f"    cap: null\n{budget}"))
    join(acme, "Bob")
    join(acme, "Cleo")
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "50000.00", "2026-01-20", owner="bob")
    acme.work()
    with acme.acme.scope(acme.preparer):
        batch = batches.batch_submit(
            pay_group=acme.acme.pay_group, starts_on=date(2026, 1, 1), submitted_by=acme.preparer
        )
    acme.won("C", "40000.00", "2026-01-05", owner="cleo")
    acme.work()
    assert lines(acme, "commission") == {"Ann": 600_000, "Bob": 200_000, "Cleo": 0}
    with acme.acme.scope():
        assert not Payable.objects.exists() and unbalanced()[1] == []
    full_agrees(acme)
    with acme.acme.scope(pay=Pay.of([acme.ann.pk])):
        story = line_story(Earning.objects.get(participant=acme.ann), {})
    assert story is not None, "what others keep is read also by who may not see it"
    told = " ".join(step.sentence for step in story)
    on = batch.locked_at.astimezone(ZoneInfo(acme.acme.tenant.time_zone)).date()
    assert f"It keeps $6,000.00 that a batch took on {on:%-d %B %Y};" in told, told
    assert "$0.00 of the budget of $8,000.00 were left: $6,000.00." in told, told

    with acme.acme.scope(acme.approver):
        batches.batch_reject(batch=batch, rejected_by=acme.approver, reason="A deal is missing")
    acme.work()
    assert lines(acme, "commission") == {"Ann": 400_000, "Bob": 0, "Cleo": 400_000}
    full_agrees(acme)

    with acme.acme.scope(acme.preparer):
        batch = batches.batch_submit(
            pay_group=acme.acme.pay_group, starts_on=date(2026, 1, 1), submitted_by=acme.preparer
        )
    acme.won("D", "30000.00", "2026-01-03", owner="bob")
    acme.work()
    assert lines(acme, "commission") == {"Ann": 400_000, "Bob": 0, "Cleo": 400_000}
    with acme.acme.scope(acme.approver):
        cleo = Participant.objects.get(name="Cleo")
        batch_approve_part(batch=batch, people=[cleo], reason="Asked the customer", by=acme.approver)
    acme.work()
    # Ann keeps 4,000.00. Of the other 4,000.00 Bob's 3,000.00 come first, then Cleo's.
    assert lines(acme, "commission") == {"Ann": 400_000, "Bob": 300_000, "Cleo": 100_000}
    full_agrees(acme)
    with acme.acme.scope():
        first = replay.replay_period(acme.acme.pay_group, date(2026, 1, 1))
    assert first.found == [] and first.total_minor == 400_000


@pytest.mark.django_db
def test_what_is_released_after_leaving_is_lost() -> None:
    text = plan_text(release="[{share: 50%, on: credit_date}, {share: 50%, on: go-live}]")
    terms = "employment: {credits_after: none, credits_on_leave: count, release_after: lost}\n"
    acme = house(text.replace("credit_rules:", f"{terms}credit_rules:", 1))
    acme.won("A", "60000.00", "2026-01-10")
    acme.milestone("A", "go-live", "2026-03-10")
    acme.work()
    with acme.acme.scope(acme.ops):
        people.participant_change(participant=acme.ann, ends_on=date(2026, 2, 15))
    acme.work()
    with acme.acme.scope():
        found = list(Tranche.objects.order_by("index").values_list("state", "release_day"))
    assert found == [(Tranche.State.DATED, date(2026, 1, 10)), (Tranche.State.LOST, None)]
    full_agrees(acme)


def test_who_moves_with_whom() -> None:
    """Ana and Ben (1, 2) report to Max (3), he to Vera (4); 1 is in the team north, 2 in the south. Everybody sells by
    plan 6; plan 7 pays for those below, 8 has a pot for all and 9 one for each team, 10 a share of what north sells."""
    above = {1: {3}, 2: {3}, 3: {4}}
    teams = Places({1: {"north"}, 2: {"south"}, 3: {"north"}}, {"north": {1, 3}, "south": {2}})
    sold = frozenset({"bookings"})
    plain = Ties(gives=sold)
    below = Ties(reads=frozenset({"6"}), earnings=frozenset({("downline", None, frozenset({"6"}))}))
    direct = Ties(reads=frozenset({"6"}), earnings=frozenset({("reports", 1, frozenset({"6"}))}))
    pot, team_pot = Ties(shares=frozenset({"plan"})), Ties(shares=frozenset({"team"}))
    team = Ties(measures=frozenset({("team", sold)}))

    def moved(who: set[int], ties: dict[int, Ties], on: dict[int, set[int]], *, anywhere: bool = False) -> set[int]:
        keys = {plan: str(plan) for plan in (6, *ties)}
        return Readers({6: plain, **ties}, on, above, {"team": teams}, keys).moved_with(who, anywhere=anywhere)

    everybody = {1, 2, 3, 4}
    assert moved({1}, {}, {6: everybody}) == {1}
    assert moved({1}, {7: below}, {6: everybody, 7: {1, 3, 4}}) == {1, 3, 4}
    assert moved({1}, {7: direct}, {6: everybody, 7: {3, 4}}) == {1, 3}, "what Max earns by plan 6 stays"
    assert moved({3}, {7: direct}, {6: everybody, 7: {3, 4}}) == {3, 4}
    assert moved({1}, {7: below}, {6: {2, 3}, 7: {3, 4}}) == {1}, "what she is paid by nobody reads"
    assert moved({1}, {8: pot}, {6: everybody, 8: {1, 2}}) == {1, 2}
    assert moved({3}, {8: pot}, {6: everybody, 8: {1, 2}}) == {3}
    both = {6: everybody, 7: {4}, 8: {2, 4}}
    assert moved({1}, {7: below, 8: pot}, both) == {1, 4}, "the pot is not of what 4 is paid by plan 7"
    assert moved({1}, {7: below, 8: pot | Ties(reads=frozenset({"7"}))}, both) == {1, 2, 4}
    assert moved({1}, {9: team_pot}, {6: everybody, 9: {1, 2, 3}}) == {1, 3}
    assert moved({1}, {10: team}, {6: {1, 2}, 10: {2, 3}}) == {1, 3}
    assert moved({1}, {10: team}, {6: {2}, 10: {2, 3}}) == {1}, "of her nothing is credited"
    assert moved({1}, {9: team_pot}, {6: everybody, 9: {1, 2, 3}}, anywhere=True) == {1, 2, 3}
