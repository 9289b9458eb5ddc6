"""The list of one's own lines, and a manager's team."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from django.test import Client

from tests.pages.rep.reading import text
from tests.pages.rep.world import World

As = Callable[[str], Client]


def test_lines_with_their_states_and_a_total_of_all(world: World, as_: As) -> None:
    page = text(as_("Ann").get(f"{world.base}/deals/"))
    assert (
        "Stanredtax · GTX Pro New business commission 14 Nov $3,000.00 12% $360.00 Waiting: go-live and 3 more" in page
    )
    assert "Isdom · GTX Pro Big win bonus 20 Oct $6,200.00 bonus $250.00 Paid" in page
    assert "Total of 6" in page and "$3,201.00" in page
    # Deals too small for the bonus are no lines of it.
    assert "Acme · GTX Pro Big win bonus" not in page


def test_search_by_customer_or_deal(world: World, as_: As) -> None:
    ann = as_("Ann")
    assert "Total of 2" in text(ann.get(f"{world.base}/deals/?q=konex"))
    assert "Total of 1" in text(ann.get(f"{world.base}/deals/?q=d4"))
    assert "No line here" in text(ann.get(f"{world.base}/deals/?q=nothing"))


def test_the_csv_has_all_lines_and_every_state(world: World, as_: As) -> None:
    rows = list(csv.DictReader(io.StringIO(as_("Ann").get(f"{world.base}/deals/?csv=1").content.decode())))
    first = next(row for row in rows if row["Deal"] == "D1")
    assert (first["Earned"], first["Waiting"], first["Payable"], first["Paid"]) == (
        "376.00",
        "225.60",
        "5.95",
        "144.45",
    )


def test_the_team_with_the_furthest_behind_first(world: World, as_: As) -> None:
    page = text(as_("Mia").get(f"{world.base}/team/"))
    assert page.index("Bob Account executive") < page.index("Ann Account executive")
    assert "30.4 points behind" in page and "74 points ahead" in page
    assert "Total of 2 $523.95" in page
    assert as_("Ann").get(f"{world.base}/team/").status_code == 403


def test_a_quarter_beyond_the_calendars_is_none_and_no_search_holds_nul(world: World, as_: As) -> None:
    ann = as_("Ann")
    for day in ("0001-01-01", "9999-12-31", "2026-02-31"):
        assert "Total of 6" in text(ann.get(f"{world.base}/deals/?from={day}"))
    assert ann.get(f"{world.base}/deals/?q=%00").status_code == 400
    assert ann.post(f"{world.base}/deals/", {"q": "a\0b"}).status_code == 400
