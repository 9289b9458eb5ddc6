"""Why this number: the sentence, the steps, the release, what was sent, what changed; and who may read it."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from payouts.models import Earning
from tests.pages.rep.reading import text
from tests.pages.rep.world import World

As = Callable[[str], Client]


def line(world: World, person: str, deal: str, component: str = "commission") -> str:
    with world.company.scope():
        found = Earning.objects.get(participant=world.people[person], deal__external_id=deal, component=component)
    return f"{world.base}/why/{found.pk}/"


def test_the_result_in_a_sentence_and_in_steps(world: World, as_: As) -> None:
    page = text(as_("Ann").get(line(world, "Ann", "D3")))
    assert "8% and 12% × 1.25 of $12,000.00, because this deal took attainment from 54.5% to 114.5% of quota." in page
    assert "8% of $9,100.00 and 12% of $2,900.00 is $1,076.00." in page
    assert "Earned $1,345.00" in page


def test_the_tier_rows_that_applied_are_marked(world: World, as_: As) -> None:
    page = text(as_("Ann").get(line(world, "Ann", "D3")))
    assert "0% (applied) 8% $9,100.00 $728.00 100% (applied) 12% $2,900.00 $348.00 130% 15% none –" in page


def test_each_part_of_the_release_says_whether_it_is_met_and_who_supplies_it(world: World, as_: As) -> None:
    page = text(as_("Ann").get(line(world, "Ann", "D1")))
    assert "40% at signature met on 12 October 2026; $5.95 more in the November 2026 payout" in page
    assert "Paid: October 2026 payout" in page
    assert "20% at go-live missing: the milestone go-live has to be reported for this deal (CRM, D1)" in page


def test_the_raw_event_behind_it_and_every_revision(world: World, as_: As) -> None:
    page = text(as_("Ann").get(line(world, "Ann", "D1")))
    assert '"amount": "4700.00"' in page
    assert "2 revisions" in page
    reported = page.partition("All that was reported")[2]
    assert "won, $4,700.00, closing 12 Oct 2026" in reported and "won, $4,514.00, closing 12 Oct 2026" in reported
    assert "signature reached, 12 Oct 2026" in reported
    changed = page.partition("How this line changed")[2]
    assert "$361.12 → $376.00" in changed and "Deal D1 won, 4,700.00 USD" in changed


def test_a_bonus_and_its_amount(world: World, as_: As) -> None:
    page = text(as_("Ann").get(line(world, "Ann", "D3", "big-win")))
    assert "Each deal of at least $6,000.00 pays $250.00; this credit earns $250.00." in page


def test_a_rolled_up_credit_names_whose_deal_it_is(world: World, as_: As) -> None:
    page = text(as_("Mia").get(line(world, "Mia", "B1", "team-commission")))
    assert "Whose deals these are Bob Account executive · alone in this role" in page
    assert "Credits of $5,000.00 by your team roll up to you as Manager" in page


def test_a_line_of_somebody_else_is_not_found(world: World, as_: As) -> None:
    address = line(world, "Ann", "D1")
    assert as_("Bob").get(address).status_code == 404
    assert as_("Mia").get(address).status_code == 200
    assert as_("Fay").get(address).status_code == 200
    assert as_("Ann").get(f"{world.base}/why/999999/").status_code == 404
