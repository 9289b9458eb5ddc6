"""Rates of exchange, what waits for them, people and calendars by date: their pages, both widths, both lights."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Stack
from tests.browser.test_a_file_is_uploaded import look
from tests.browser.test_the_main_job import post
from tests.intake.sending import deal

pytestmark = pytest.mark.browser

FILE = "source,from,rate,until\nNOK,2026-01-01,0.091,\nNOK,2026-02-01,0.0925,\nSEK,2026-01-01,many,\n"


def test_rates_go_their_way(stack: Stack) -> None:
    cast, ops = stack.cast, stack.cast.email["ops"]
    faults = look(stack, cast.url("rates/"), "rates-empty")
    faults += look(stack, cast.url("rates/new/"), "rates-new")
    page = stack.site.open(ops, cast.url("rates/new/"))
    page.get_by_label("One unit of").fill("nok")
    page.get_by_label("Rate", exact=True).fill("0.09")
    page.get_by_role("button", name="Enter the rate").click()
    expect(page.get_by_role("heading", name="NOK to USD from")).to_be_visible()
    here = page.url.removeprefix(stack.site.address)
    page.get_by_label("Rate", exact=True).fill("0.0905")
    page.get_by_role("button", name="Say this instead").click()
    expect(page.get_by_role("cell", name="0.0905")).to_be_visible()
    faults += look(stack, here, "rates-history")
    upload = cast.url("rates/upload/")
    faults += look(stack, upload, "rates-upload")
    page = stack.site.open(ops, upload)
    for text, seen in ((FILE, "1 row cannot be read."), (FILE.replace("many", "0.1"), "Enter 3 rates")):
        page.get_by_label("Rates, CSV or XLSX").set_input_files(
            {"name": "rates.csv", "mimeType": "text/csv", "buffer": text.encode()}
        )
        page.get_by_role("button", name="Check it").click()
        expect(page.get_by_text(seen)).to_be_visible()
    page.get_by_role("button", name="Enter 3 rates").click()
    expect(page.get_by_text("3 of 3 rates are new or others")).to_be_visible()
    faults += look(stack, cast.url("rates/"), "rates-list")
    assert not faults, "\n".join(faults)


def test_people_and_calendars_by_date(stack: Stack) -> None:
    cast = stack.cast
    page = stack.site.open(cast.email["ops"], cast.url("people/?q=Ann"))
    page.get_by_role("link", name="Ann Okafor", exact=True).click()
    here = page.url.removeprefix(stack.site.address)
    faults = look(stack, here, "person-empty")
    page.get_by_text("Say one").click()
    page.get_by_label("Value").fill("EMEA")
    page.get_by_role("button", name="Say it").click()
    expect(page.get_by_role("cell", name="EMEA")).to_be_visible()
    faults += look(stack, here, "person")
    faults += look(stack, cast.url("calendars/"), "calendars")
    page.goto(cast.url("calendars/"))
    page.get_by_role("link", name="Monthly").click()
    here = page.url.removeprefix(stack.site.address)
    faults += look(stack, here, "calendar-empty")
    page.get_by_label("Day").fill(f"{cast.today.year}-12-25")
    page.get_by_label("Name").fill("Christmas Day")
    page.get_by_role("button", name="Add the day").click()
    expect(page.get_by_role("cell", name="Christmas Day", exact=True)).to_be_visible()
    faults += look(stack, here, "calendar")
    assert not faults, "\n".join(faults)


def test_what_waits_is_told(stack: Stack) -> None:
    cast = stack.cast
    page = stack.site.open(cast.email["ops"], cast.url("rates/new/"))
    page.get_by_label("One unit of").fill("GBP")
    page.get_by_label("Rate", exact=True).fill("1.25")
    page.get_by_role("button", name="Enter the rate").click()
    expect(page.get_by_role("heading", name="GBP to USD from")).to_be_visible()
    day = cast.today.isoformat()
    won = deal("won", deal="D-pounds", owner="mia-varga", amount="900.00", currency="GBP", close_date=day)
    post(stack, won, "pounds")
    page.goto(cast.url("issues/"))
    asked, until = page.get_by_role("link", name="GBP/"), time.monotonic() + 20
    while not asked.count() and time.monotonic() < until:
        page.reload()
    faults = look(stack, cast.url("issues/"), "waits-issues")
    asked.click()
    expect(page.get_by_role("link", name="Open the plan")).to_be_visible()
    faults += look(stack, page.url.removeprefix(stack.site.address), "waits-issue")
    page.get_by_role("table", name="Credits that wait").get_by_role("link").click()
    expect(page.get_by_text("The credit of Mia Varga waits")).to_be_visible()
    faults += look(stack, page.url.removeprefix(stack.site.address), "waits-deal")
    assert not faults, "\n".join(faults)
