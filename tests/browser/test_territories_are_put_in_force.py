"""Territories on their pages, at both widths and in both lights: nothing yet, what is wrong, what would change, what
is in force; and an endpoint's settings that go with them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Stack
from tests.browser.test_a_file_is_uploaded import look
from tests.browser.test_the_main_job import post
from tests.intake.sending import deal

pytestmark = pytest.mark.browser

WRONG = "role,country,participant,from\nae,Germany,mia-varga,2026-01-01\nae,GERMANY,nobody,2026-01-01\n"
RIGHT = "role,country,participant,position,from\nae,,mia-varga,,2025-01-01\nae,Germany,,DE-1,2025-01-01\n"


def test_territories_go_their_way(stack: Stack) -> None:
    cast, ops = stack.cast, stack.cast.email["ops"]
    here = cast.url("territories/")
    faults = look(stack, here, "territories-empty")
    page = stack.site.open(ops, cast.url("endpoints/"))
    page.get_by_role("main").get_by_role("link").filter(has_text="CRM").first.click()
    page.get_by_label("Account executive").check()
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.get_by_text("is kept")).to_be_visible()
    faults += look(stack, page.url.removeprefix(stack.site.address), "territories-endpoint")
    day = cast.today.isoformat()
    post(stack, deal("won", deal="D-nobody", owner=None, amount="900.00", close_date=day), "nobody")
    page.goto(here)

    def upload(text: str) -> None:
        page.get_by_label("Rules, CSV or XLSX").set_input_files(
            {"name": "rules.csv", "mimeType": "text/csv", "buffer": text.encode()}
        )
        page.get_by_role("button", name="Show what they change").click()

    upload(WRONG)
    expect(page.get_by_text("1 error.")).to_be_visible()
    upload(RIGHT)
    expect(
        page.get_by_role("cell", name="D-nobody").or_(page.get_by_role("rowheader", name="D-nobody"))
    ).to_be_visible()
    preview = page.url.removeprefix(stack.site.address)
    faults += look(stack, preview, "territories-preview")
    faults += look(stack, f"{preview}?show=people", "territories-people")
    faults += look(stack, f"{preview}?show=rules", "territories-rules")
    page.get_by_role("button", name="Put in force, moving 1 deal").click()
    expect(page.get_by_text("Alignment 1 is in force. 1 deal moved.")).to_be_visible()
    faults += look(stack, preview, "territories-in-force")
    faults += look(stack, here, "territories-list")
    assert not faults, "\n".join(faults)
