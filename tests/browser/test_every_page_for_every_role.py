"""Each role walks all pages that it can reach: accessible, within the policy, complete, at desk and phone width."""

from __future__ import annotations

from collections import Counter
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import resolve
from playwright.sync_api import Page

from tests.browser.conftest import Stack
from tests.browser.looking import watched

pytestmark = pytest.mark.browser

Kind = tuple[str, ...]
#: Pages of one kind that a role opens: the second is often in another state. Of a filter or a view one is enough.
OF_A_KIND = 2

#: Some pages that each role must have come to, so that a walk that found no links fails.
REACHES = {
    "rep": {"home", "my_deals", "statement_list", "statement", "why", "deal", "delivery"}
    | {"my_disputes", "dispute", "dispute_add", "dispute_add_statement"},
    "newcomer": {"home", "my_deals", "statement_list"},
    "manager": {"home", "team", "statement", "why"},
    "ops": {"plan_list", "template_list", "template_preview", "version", "version_edit", "version_diff", "issue"}
    | {"delivery", "assignment_add", "audit", "job_list", "endpoint_list", "endpoint", "endpoint_add"}
    | {"endpoint_mapping", "upload_list", "upload", "roster_list", "roster", "webhook_list", "webhook", "webhook_add"}
    | {"key_list", "key_add", "dispute_list", "dispute"},
    "finance": {"batch_list", "batch", "batch_submit", "ledger", "audit", "decision_list", "deputy_list", "rule_list"}
    | {"adjustment_list", "adjustment_add", "adjustment_upload", "adjustment_limits", "hold_list", "hold_add"}
    | {"letter_list", "letter_add", "relief_list", "relief_add", "review_list", "debt_list", "difference_list"},
    "leader": {"batch_list", "batch", "plan_list", "assignment_list"},
    "administrator": {"plan_list", "assignment_list", "audit", "rule_list", "rule_new"},
}


@pytest.mark.parametrize("who", REACHES)
def test_portal_pages(stack: Stack, who: str) -> None:
    cast, eyes = stack.cast, watched(stack.site.visit(stack.cast.email[who]))
    waiting, met = [cast.url("")], Counter[Kind]()
    asked = set(waiting)
    while waiting:
        eyes.open(waiting.pop(0))
        eyes.everything()
        for url in links(eyes.page, stack.site.address):
            kind = kind_of(url)
            if url not in asked and kind and met[kind] < (1 if urlsplit(url).query else OF_A_KIND):
                met[kind] += 1
                asked.add(url)
                waiting.append(url)
    assert REACHES[who] <= {kind[0] for kind in met}
    assert eyes.faults == []
    print(f"{who}: {len(asked)} pages")
    eyes.page.context.close()


def links(page: Page, address: str) -> list[str]:
    """Where the page leads to inside the company, downloads left out."""
    here = "all => all.filter((a) => !a.hasAttribute('download')).map((a) => a.href)"
    found: list[str] = page.eval_on_selector_all("a[href]", here)
    start = f"{address}/t/"
    return [url.partition("#")[0] for url in dict.fromkeys(found) if url.startswith(start)]


def kind_of(url: str) -> Kind:
    """Pages of one kind differ in what they show, not in what they are. Empty for a file."""
    parts = urlsplit(url)
    asks = sorted(parse_qs(parts.query))
    if {"csv", "format"} & set(asks) or ("/plans/" in parts.path and parts.path.endswith("/export/")):
        return ()
    found = resolve(parts.path)
    return (str(found.url_name), *sorted(found.kwargs), "?", *asks)


@pytest.mark.parametrize("who", ["ops", "administrator"])
def test_administration_keeps_to_its_policy(stack: Stack, who: str) -> None:
    """Every list, one row of it, its history and the form for a new one. axe judges the portal only."""
    site = stack.site
    eyes = watched(site.visit(stack.cast.email[who]))
    eyes.open(stack.cast.url(""))
    eyes.open("/admin/")
    lists = [url for url in admin_links(eyes.page) if url.rstrip("/").count("/") == 3]
    assert len(lists) > 2
    opened: set[str] = set()
    for url in lists:
        eyes.open(url)
        eyes.policy()
        ours = [one for one in admin_links(eyes.page) if one.startswith(url) and one != url]
        for more in (*[one for one in ours if "/change/" in one][:1], *[one for one in ours if "/add/" in one][:1]):
            if more not in opened:
                opened.add(more)
                eyes.open(more)
                eyes.policy()
                for history in [one for one in admin_links(eyes.page) if "/history/" in one][:1]:
                    eyes.open(history)
                    eyes.policy()
    assert eyes.faults == []
    eyes.page.context.close()


def admin_links(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all("a[href]", "all => all.map((a) => a.href)")
    paths = [urlsplit(url).path for url in found]
    return [path for path in dict.fromkeys(paths) if path.startswith("/admin/")]


def test_pages_of_the_account(stack: Stack) -> None:
    outside = watched(stack.site.visit())
    for path in ("/accounts/login/", "/accounts/password/reset/", "/accounts/signup/"):
        outside.open(path)
        outside.everything()
    inside = watched(stack.site.visit(stack.cast.email["of both"]))
    for path in (
        *("/choose/", "/accounts/password/change/", "/accounts/reauthenticate/", "/accounts/logout/"),
        *("/accounts/email/", "/accounts/2fa/", "/accounts/2fa/totp/activate/"),
    ):
        inside.open(path)
        inside.everything()
    assert outside.faults + inside.faults == []


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        ("rep", "payouts/", 403),
        ("rep", "nowhere/", 404),
        ("rep", "why/1000000/", 404),
        ("administrator", "payouts/", 403),
        ("stranger", "home/", 404),
        ("stranger", "payouts/", 404),
    ],
)
def test_refusals_are_pages_too(stack: Stack, who: str, path: str, status: int) -> None:
    eyes = watched(stack.site.visit(stack.cast.email[who]))
    eyes.open(stack.cast.url(path), status)
    eyes.everything()
    assert eyes.page.get_by_role("link").count(), "a page without a way out"
    assert eyes.faults == []


def test_who_belongs_to_two_companies_chooses(stack: Stack) -> None:
    page = stack.site.open(stack.cast.email["of both"], "/choose/")
    page.get_by_role("link", name="Rival").click()
    page.wait_for_url("**/t/rival/**")
    page.get_by_role("button", name="switch company").click()
    page.get_by_role("link", name="Acme").click()
    page.wait_for_url("**/t/acme/**")
