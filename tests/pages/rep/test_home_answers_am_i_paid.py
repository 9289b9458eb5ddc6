"""Home: the next payout and why, the quarter's money by state, attainment, what changed, what was paid."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client
from pytest_django import DjangoAssertNumQueries

from payouts.models import Earning
from payouts.reads.payout import by_state
from payouts.reads.periods import open_span, pay_group_of, span_holding
from tests.pages.rep.reading import text
from tests.pages.rep.world import NOVEMBER, OCTOBER, World, hired

As = Callable[[str], Client]


def test_the_open_payout_its_day_and_its_deals(world: World, as_: As) -> None:
    page = text(as_("Ann").get(f"{world.base}/home/"))
    assert "Next payout · November 2026 · 30 November" in page
    assert "$523.95" in page
    assert "Both deals of November 2026 are in this payout; $1,561.00 of what they earned still waits." in page


def test_a_deal_that_waits_is_named_with_what_for(world: World, as_: As) -> None:
    world.won("D5", "2026-11-17", "2000.00", account="acme")
    world.work()
    page = text(as_("Ann").get(f"{world.base}/home/"))
    assert "2 of 3 deals of November 2026 are in this payout; Acme waits for its signature." in page


def test_a_batch_comes_before_the_open_period_and_the_state_follows(world: World, as_: As) -> None:
    ann = as_("Ann")
    batch = world.submit(NOVEMBER)
    world.won("D6", "2026-12-02", "6000.00")
    world.work()
    page = text(ann.get(f"{world.base}/home/"))
    assert "Next payout · November 2026" in page and "In batch Both deals" in page
    assert "The next one holds $250.00 so far." in page
    world.approve(batch)
    assert "Approved Both deals" in text(ann.get(f"{world.base}/home/"))
    world.pay(batch)
    page = text(ann.get(f"{world.base}/home/"))
    assert "Next payout · December 2026" in page
    assert "$1,166.40 in all." in page


def test_the_states_of_the_quarter_sum_to_what_was_earned(world: World) -> None:
    world.submit(NOVEMBER)
    with world.company.scope():
        for name in ("Ann", "Bob", "Mia"):
            person = world.people[name]
            group = pay_group_of(person)
            quarter = span_holding(group, OCTOBER, "quarter")
            earned, *states = by_state(person, quarter, open_span(group), NOVEMBER)
            assert earned.minor == sum(row.earned_minor for row in Earning.objects.filter(participant=person))
            assert earned.minor == sum(state.minor for state in states)


def test_each_state_leads_to_its_lines_with_the_same_total(world: World, as_: As) -> None:
    ann = as_("Ann")
    assert f"{world.base}/deals/?from=2026-10-01&amp;state=waiting" in ann.get(f"{world.base}/home/").content.decode()
    for state, total in (("waiting", "$2,034.60"), ("payable", "$523.95"), ("paid", "$642.45")):
        page = text(ann.get(f"{world.base}/deals/?from=2026-10-01&state={state}"))
        assert f"{total}" in page.partition("Total of")[2]


def test_attainment_with_pace_and_the_way_to_the_next_tier(world: World, as_: As) -> None:
    page = text(as_("Ann").get(f"{world.base}/home/"))
    assert "129.5% $25,900.00 of $20,000.00" in page
    assert "$100.00 or about 1 deal to 15%" in page
    assert "Pace for today 55.4%" in page  # 51 of 92 days


def test_what_changed_names_old_new_and_cause(world: World, as_: As) -> None:
    page = text(as_("Ann").get(f"{world.base}/home/"))
    assert "Acme · GTX Pro: $361.12 → $376.00" in page
    assert "Deal D1 won, 4,700.00 USD" in page


def test_the_figures_answer_only_when_they_changed(world: World, as_: As) -> None:
    ann = as_("Ann")
    page = ann.get(f"{world.base}/home/")
    address = f"{world.base}/home/figures/?v={page.context['version']}"
    assert ann.get(address).status_code == 204
    world.milestone("D3", "signature", "2026-11-19")
    world.work()
    answer = ann.get(address)
    assert "$1,061.95" in text(answer) and "<html" not in answer.content.decode()


def test_somebody_without_figures_reads_what_will_come(db: None) -> None:
    world = hired()
    world.work()
    bob = Client()
    bob.force_login(world.users["Bob"], "django.contrib.auth.backends.ModelBackend")
    page = text(bob.get(f"{world.base}/home/"))
    assert "Next payout · October 2026" in page and "No deal of October 2026 is credited yet." in page
    assert "Nothing changed" in page and "No payout yet" in page
    assert "0.0% $0.00 of $20,000.00" in page
    assert "No deal is credited to you yet" in text(bob.get(f"{world.base}/deals/"))
    assert "No statement yet" in text(bob.get(f"{world.base}/statements/"))


def test_home_asks_a_fixed_number_of_questions(
    world: World, as_: As, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    ann = as_("Ann")
    ann.get(f"{world.base}/home/")
    with django_assert_max_num_queries(43):
        ann.get(f"{world.base}/home/")
