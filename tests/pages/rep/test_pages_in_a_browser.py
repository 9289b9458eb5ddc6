"""The pages of pay in a real browser, at phone and desktop width: accessible, nothing cut off, alive, CSP kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, Playwright, expect
from pytest_django.live_server_helper import LiveServer

from comp.celery import app
from payouts.models import Earning
from tests.browser.looking import WIDTHS, violations
from tests.pages.rep.world import World, selling

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CHROMIUM = ("chromium-headless-shell", "chromium")


@pytest.fixture
def chromium(playwright: Playwright, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    # The bell after each commit rings nobody here: the test does the worker's work itself.
    monkeypatch.setattr(app.conf, "broker_url", "memory://")
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    browser = playwright.chromium.launch(executable_path=found)
    yield browser
    browser.close()


def opened(browser: Browser, server: LiveServer, world: World, name: str, width: int) -> tuple[Page, list[str]]:
    """A page of somebody who is logged in, and what its console complains about."""
    client = Client()
    client.force_login(world.users[name], "django.contrib.auth.backends.ModelBackend")
    context = browser.new_context(viewport={"width": width, "height": 900})
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": client.session.session_key, "url": server.url}
    context.add_cookies([cookie])  # type: ignore[list-item]
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page, complaints


def test_every_page_is_accessible_and_fits_and_home_follows_the_figures(
    chromium: Browser, live_server: LiveServer
) -> None:
    world = selling()
    with world.company.scope():
        lines = dict(Earning.objects.filter(component__contains="commission").values_list("deal__external_id", "id"))
    visits = {
        "Ann": ["home/", "deals/", "statements/", "statements/2026-11-01/"],
        "Mia": ["team/", f"why/{lines['D3']}/"],
    }
    for name, addresses in visits.items():
        page, complaints = opened(chromium, live_server, world, name, 1280)
        for address in addresses:
            page.goto(f"{live_server.url}{world.base}/{address}")
            for width, asked in ((1280, RULES), (360, list(WIDTHS))):
                page.set_viewport_size({"width": width, "height": 900})
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (address, width)
                found = violations(page, {"runOnly": asked})
                assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], (address, width)
            page.set_viewport_size({"width": 1280, "height": 900})
        assert complaints == []

    page, complaints = opened(chromium, live_server, world, "Ann", 390)
    page.goto(f"{live_server.url}{world.base}/home/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Next payout · November 2026 · 30 November")
    expect(page.locator(".hero .amount")).to_have_text("$523.95")
    world.milestone("D3", "signature", "2026-11-19")
    world.work()
    expect(page.locator(".hero .amount")).to_have_text("$1,061.95", timeout=20_000)
    expect(page.locator("#announce")).to_have_text("Your figures have changed.")
    assert complaints == []
