"""A statement: the sum, its parts, its lines, adjustments, what still waits; open and closed alike."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from decimal import Decimal

from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.pages.rep.reading import text
from tests.pages.rep.world import NOVEMBER, World

As = Callable[[str], Client]


def test_released_and_adjustments_make_the_payout(world: World, as_: As) -> None:
    page = text(as_("Ann").get(f"{world.base}/statements/2026-11-01/"))
    assert "Released in this period $518.00 3 lines" in page
    assert "Prior-period adjustments $5.95 1 adjustment" in page
    assert "Payout $523.95" in page
    assert "2 lines · 12% from 100%, at 129.5% of $20,000.00 · Account executive, version 1" in page


def test_an_adjustment_names_its_period_and_cause(world: World, as_: As) -> None:
    page = text(as_("Ann").get(f"{world.base}/statements/2026-11-01/"))
    assert "New business commission, signature October 2026 Deal D1 won, 4,700.00 USD $144.45 $5.95" in page


def test_a_closed_statement_keeps_what_its_batch_took(world: World, as_: As) -> None:
    page = text(as_("Ann").get(f"{world.base}/statements/2026-10-01/"))
    assert "Paid Paid on 31 October" in page or "Paid on" in page
    assert "$642.45" in page
    # D1 was credited with 4,514.00 then, and earned 361.12; today's correction is November's.
    assert "$4,514.00 8% $361.12 $144.45" in page
    assert "2 lines · 8% from 0%, at 53.5% of $20,000.00" in page


def test_what_was_earned_and_waits_stands_below(world: World, as_: As) -> None:
    page = text(as_("Ann").get(f"{world.base}/statements/2026-11-01/"))
    below = page.partition("Earned in this period, still waiting")[2]
    assert "$1,345.00 $1,345.00 Waiting: signature and 4 more" in below
    assert "Total of 2 $1,561.00" in below


def test_a_submitted_statement_says_the_same_as_the_open_one_said(world: World, as_: As) -> None:
    ann = as_("Ann")
    address = f"{world.base}/statements/2026-11-01/"
    before = text(ann.get(address))
    world.submit(NOVEMBER)
    after = text(ann.get(address))
    begin, end = "What it is made of", "Earned in this period"
    assert before.partition(begin)[2].partition(end)[0] == after.partition(begin)[2].partition(end)[0]


def test_the_csv_sums_to_the_payout(world: World, as_: As) -> None:
    answer = as_("Ann").get(f"{world.base}/statements/2026-11-01/?csv=1")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert sum(Decimal(row["Amount"]) for row in rows) == Decimal("523.95")
    assert {row["Kind"] for row in rows} == {"Released", "Adjustment"}


def test_statements_of_others_open_only_behind_the_wall(world: World, as_: As) -> None:
    ann = world.people["Ann"].pk
    address = f"{world.base}/statements/2026-11-01/{ann}/"
    assert "Ann · statement · November 2026" in text(as_("Mia").get(address))
    assert as_("Fay").get(address).status_code == 200
    assert as_("Bob").get(address).status_code == 404
    assert as_("Fay").get(f"{world.base}/statements/2026-11-01/").status_code == 403
    assert as_("Ann").get(f"{world.base}/statements/2026-11-02/").status_code == 404
    assert as_("Ann").get(f"{world.base}/statements/2026-13-01/").status_code == 404


def test_a_statement_asks_a_fixed_number_of_questions(
    world: World, as_: As, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    ann = as_("Ann")
    for deal in range(20, 30):
        world.won(f"E{deal}", "2026-11-18", "6500.00")
        world.milestone(f"E{deal}", "signature", "2026-11-18")
    world.work()
    with django_assert_max_num_queries(46):
        ann.get(f"{world.base}/statements/2026-11-01/")
