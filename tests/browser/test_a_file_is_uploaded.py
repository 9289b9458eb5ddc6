"""A file of deals on its way through the pages, with the real worker behind them, at both widths and in both lights."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Stack
from tests.browser.looking import DESK, PHONE, watched

pytestmark = pytest.mark.browser

#: Of the manager, so that nobody's figures that other tests count on move.
FILE = (
    "Opportunity;Sales agent;Product;Customer;Close value;Close date;Remark\n"
    "U-1;mia-varga;gtx-pro;acme;1.054,10;01.11.2026;first\n"
    "U-2;nobody-known;gtx-pro;acme;2.200,00;02.11.2026;second\n"
    "U-3;mia-varga;gtx-pro;acme;many;03.11.2026;a remark that is rather long, as people write them in files\n"
)
#: Where pictures of the pages are put, for whoever wants to look at them.
PICTURES = os.environ.get("COMP_PICTURES")


def look(stack: Stack, path: str, name: str) -> list[str]:
    """What is wrong with a page, at both widths and in both lights."""
    if stack.looking is None:
        stack.looking = watched(stack.site.visit(stack.cast.email["ops"]))
    eyes = stack.looking
    eyes.faults.clear()
    eyes.open(path)
    eyes.everything()
    for size, scheme in product((DESK, PHONE), ("light", "dark")) if PICTURES else ():
        eyes.page.set_viewport_size(size)  # type: ignore[arg-type]
        eyes.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        eyes.page.screenshot(path=Path(str(PICTURES)) / f"{name}-{size['width']}-{scheme}.png", full_page=True)
    eyes.page.set_viewport_size(DESK)  # type: ignore[arg-type]
    eyes.page.emulate_media(color_scheme="light")
    return list(eyes.faults)


def test_a_file_goes_its_way(stack: Stack) -> None:
    uploads = stack.cast.url("uploads/")
    faults = look(stack, uploads, "empty")
    page = stack.site.open(stack.cast.email["ops"], uploads)
    page.get_by_label("File").set_input_files({"name": "q4.csv", "mimeType": "text/csv", "buffer": FILE.encode()})
    page.get_by_label("It holds").select_option("deal.won")
    page.get_by_label("It belongs to").select_option("new")
    page.get_by_label("Name, where it is new").fill("Old CRM")
    page.get_by_role("button", name="Upload and look").click()
    expect(page.get_by_role("heading", name="q4.csv")).to_be_visible()
    expect(page.get_by_label("Close value is")).to_have_value("amount")
    expect(page.get_by_label("Days are written")).to_have_value("DD.MM.YYYY")
    expect(page.get_by_label("Numbers are written")).to_have_value("1.234,5")
    here = page.url.removeprefix(stack.site.address)
    faults += look(stack, here, "matching")
    page.get_by_label("Remark is").select_option("custom")
    page.get_by_role("button", name="Check every row").click()
    expect(page.get_by_role("button", name="Take in 2 rows")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("“nobody-known” is no participant known here.")).to_be_visible()
    faults += look(stack, here, "checked")
    page.get_by_role("button", name="Take in 2 rows").click()
    expect(page.get_by_text("1 done, 1 waiting")).to_be_visible(timeout=20_000)
    faults += look(stack, here, "taken")
    faults += look(stack, uploads, "list")
    assert not faults, "\n".join(faults)
