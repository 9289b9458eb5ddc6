"""The gallery in a real browser, at phone and desktop width, light and dark: accessible, nothing cut off, CSP kept."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.browser.looking import COLOURS, WIDTHS, violations
from tests.web.standalone import ROOT

pytestmark = pytest.mark.browser

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CHROMIUM = ("chromium-headless-shell", "chromium")


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The gallery's address, served without a database by a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "django", "runserver", f"127.0.0.1:{port}", "--noreload"],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.web.standalone", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 20
        while True:
            try:
                urlopen(f"{address}/page/404.html", timeout=2).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    browser = playwright.chromium.launch(executable_path=found)
    yield browser
    browser.close()


def opened(browser: Browser, address: str, width: int, scheme: str) -> tuple[Page, list[str]]:
    """The page, and what its console complained about (a breach of the CSP is such a complaint)."""
    page = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme).new_page()  # type: ignore[arg-type]
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    return page, complaints


def test_the_gallery_is_accessible_and_fits(site: str, chromium: Browser) -> None:
    """All of axe's rules once; those that ask for colours in each light, those that ask for widths at each width."""
    page, complaints = opened(chromium, f"{site}/design/", 1280, "light")
    for width, scheme, asked in (
        (1280, "light", RULES),
        (390, "light", WIDTHS),
        (360, "light", WIDTHS),
        (360, "dark", COLOURS),
        (1280, "dark", COLOURS),
    ):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = violations(page, {"runOnly": list(asked)})
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], (width, scheme)
    assert complaints == []


def test_a_live_region_follows_and_tells(site: str, chromium: Browser) -> None:
    page, complaints = opened(chromium, f"{site}/design/", 1280, "light")
    region = page.locator("#next-payout")
    expect(page.locator("#announce")).to_have_text("Your next payout has changed.", timeout=20_000)
    expect(region).to_have_class("live fresh")
    assert complaints == []


def test_a_dialog_opens_by_keyboard_holds_the_focus_and_closes(site: str, chromium: Browser) -> None:
    page, _ = opened(chromium, f"{site}/design/", 390, "light")
    page.get_by_role("button", name="Approve…").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Approve $418,260.14 for 35 people")
    assert dialog.is_visible()
    assert [one["id"] for one in violations(page, {"runOnly": RULES})] == []
    page.keyboard.press("Escape")
    assert not dialog.is_visible()


def test_the_bar_at_the_bottom_keeps_the_rest_behind_more(site: str, chromium: Browser) -> None:
    page, _ = opened(chromium, f"{site}/design/", 360, "light")
    menu = page.get_by_role("navigation", name="Main")
    assert menu.get_by_role("link", name="Home").is_visible()
    assert not menu.get_by_role("link", name="Questions").is_visible()
    menu.get_by_role("button", name="More").click()
    assert menu.locator("#more").get_by_role("link", name="Questions").is_visible()


def test_the_skip_link_leads_to_the_content(site: str, chromium: Browser) -> None:
    page, _ = opened(chromium, f"{site}/design/", 1280, "light")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("code", [400, 403, 404, 500])
def test_error_pages_are_accessible_and_need_no_context(site: str, chromium: Browser, code: int) -> None:
    page, complaints = opened(chromium, f"{site}/page/{code}.html", 390, "light")
    assert [one["id"] for one in violations(page, {"runOnly": RULES})] == []
    assert complaints == []
