"""The main job with five people at their own windows: a deal is won, seen, explained, changed by a plan, paid."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Stack
from tests.browser.looking import Eyes, watched
from tests.factories import PASSWORD
from tests.intake.sending import deal, event

pytestmark = pytest.mark.browser

#: The page asks every three seconds; the rest is the way from the hook to the figure.
SEEN_WITHIN_MS = 10_000


def post(stack: Stack, body: dict[str, Any], sender_id: str) -> None:
    """As a CRM does it: signed by the official library, over HTTP."""
    raw = json.dumps(body).encode()
    headers = {**stack.cast.crm.sign(raw, sender_id), "content-type": "application/json"}
    answer = requests.post(f"{stack.site.address}{stack.cast.crm.url}", raw, headers=headers, timeout=10)
    assert answer.status_code == 202, answer.text


def step(page: Page, word: str) -> Locator:
    """This quarter's money in one state, on the home page."""
    return page.get_by_role("list", name=re.compile("^Money earned in")).get_by_role("listitem").filter(
        has=page.locator(".name", has_text=re.compile(rf"^\s*{word}\s*$"))
    ).locator(".sum")  # fmt: skip


def cents(text: str) -> int:
    return int(re.sub(r"[^0-9]", "", text))


def dollars(minor: int) -> str:
    return f"${minor // 100:,}.{minor % 100:02}"


@contextmanager
def without_reload(page: Page) -> Iterator[None]:
    """What changes inside does so on the page as it stands."""
    page.evaluate("window.stood = true")
    yield
    assert page.evaluate("window.stood") is True, "the page was loaded again"


def confirm(page: Page) -> None:
    """Says again who is there, as every approval asks."""
    expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()


def forced(page: Page, path: str, **values: str) -> str:
    """The answer to a form that the page does not offer, posted all the same."""
    token = page.locator("input[name=csrfmiddlewaretoken]").first.input_value()
    answer = page.request.post(path, form={"csrfmiddlewaretoken": token, **values}, headers={"Referer": page.url})
    assert answer.ok
    return answer.text()


def test_from_a_won_deal_to_paid_money(stack: Stack) -> None:
    cast, site = stack.cast, stack.site
    eyes: list[Eyes] = []

    def window(who: str, path: str) -> Page:
        eyes.append(watched(site.visit(cast.email[who])))
        eyes[-1].open(cast.url(path))
        return eyes[-1].page

    ann = window("rep", "home/")
    earned = cents(step(ann, "Earned").inner_text())
    payable = cents(step(ann, "Payable").inner_text())

    # A deal is won: the open page changes by itself. 8% of 4,000.00, of which 40% comes with the signature.
    day, at = cast.today.isoformat(), f"{cast.today}T11:00:00Z"
    with without_reload(ann):
        post(stack, deal("won", at, deal="D-live", owner="ann-okafor", amount="4000.00", close_date=day), "live-1")
        answered = time.monotonic()
        expect(step(ann, "Earned")).to_have_text(dollars(earned + 320_00), timeout=SEEN_WITHIN_MS)
        print(f"\nthe open page changed {time.monotonic() - answered:.1f} s after the webhook's answer")
        expect(ann.locator("#announce")).to_have_text("Your figures have changed.")
        post(stack, event("milestone.reached", at, deal="D-live", milestone="signature", on=day), "live-2")
        expect(step(ann, "Payable")).to_have_text(dollars(payable + 128_00), timeout=SEEN_WITHIN_MS)

    # Why, down to the raw event.
    ann.get_by_role("link", name="Acme Corporation · GTX Pro", exact=True).first.click()
    main = ann.locator("main")
    expect(main).to_contain_text("8% of $4,000.00")
    expect(main).to_contain_text("Account executive, version 1")
    line = ann.url
    ann.get_by_role("link", name=re.compile("^delivery [0-9]+$")).first.click()
    expect(ann.get_by_role("region").filter(has_text="D-live")).to_contain_text('"amount": "4000.00"')
    ann.goto(cast.url("home/"))

    # Sales Ops raises the first tier in the form; who prepared it cannot publish it.
    olga = window("ops", "plans/account-executive/versions/1/edit/")
    first = olga.get_by_label("Rate, row 1", exact=True)
    expect(first).to_have_value("8%")
    first.fill("10%")
    expect(olga.get_by_role("complementary", name="What it says now")).to_contain_text("10%")
    olga.get_by_label("In force from").fill(cast.month.isoformat())
    olga.get_by_label("Why, in a sentence").fill("A strong year deserves a better start")
    olga.get_by_role("button", name="Keep the draft").click()
    expect(olga.get_by_text("Version 2 is kept as a draft.")).to_be_visible()
    olga.get_by_role("link", name="Publish…").click()
    expect(olga.get_by_text("somebody else has to read and publish it")).to_be_visible()
    publish = cast.url("plans/account-executive/versions/2/publish/")
    assert "in force from" not in forced(olga, publish)
    olga.reload()
    expect(olga.get_by_role("heading", name="Publish version 2")).to_be_visible()

    # Another one of Sales Ops publishes: the figures move, and say by what. 2% more of 9,000.00.
    otto = window("other ops", "plans/account-executive/versions/2/publish/")
    expect(otto.locator("main")).to_contain_text("8%")
    with without_reload(ann):
        otto.get_by_role("button", name="Publish version 2").click()
        expect(otto.get_by_text("is in force from")).to_be_visible()
        expect(step(ann, "Earned")).to_have_text(dollars(earned + 320_00 + 180_00), timeout=SEEN_WITHIN_MS)
    expect(ann.locator("main")).to_contain_text(re.compile(r"Account executive, version 2 published"))
    ann.goto(line)
    expect(ann.locator("main")).to_contain_text("10% of $4,000.00")
    expect(ann.locator("main")).to_contain_text("version 2 published")
    ann.goto(cast.url("home/"))

    # Finance submits; who submitted cannot approve, not even by its address.
    fay = window("finance", "payouts/")
    fay.goto(cast.url(f"payouts/open/{cast.acme.pay_group.key}/"))
    fay.get_by_role("button", name=re.compile("^Submit")).click()
    expect(fay.get_by_text("You submitted it")).to_be_visible()
    expect(fay.get_by_role("link", name=re.compile("^Approve"))).to_have_count(0)
    batch = fay.url
    digest = fay.locator(".foot code").first.inner_text()
    fay.goto(f"{batch}approve/")
    confirm(fay)
    fay.get_by_role("button", name=re.compile("^Approve")).click()
    expect(fay.get_by_role("alert").or_(fay.locator(".messages"))).to_contain_text("somebody else")
    expect(ann.locator("main")).to_contain_text("In batch", timeout=SEEN_WITHIN_MS)

    # A second person approves, after the password once more.
    finn = window("other finance", "payouts/")
    finn.goto(batch)
    finn.get_by_role("link", name=re.compile("^Approve")).click()
    confirm(finn)
    expect(finn.locator("main")).to_contain_text(digest[:12])
    with without_reload(ann):
        finn.get_by_role("button", name=re.compile("^Approve")).click()
        expect(finn.get_by_text("is approved and posted")).to_be_visible()
        expect(ann.locator("main .hero")).to_contain_text("Approved", timeout=SEEN_WITHIN_MS)

    # Paid once payroll has its file.
    finn.get_by_role("link", name="Export for payroll").click()
    with finn.expect_download() as file:
        finn.get_by_role("button", name="Export").click()
    assert "Ann Okafor" in file.value.path().read_text()
    finn.go_back()
    finn.reload()
    paid = cents(step(ann, "Paid").inner_text())
    finn.get_by_role("button", name=re.compile("^Mark .* as paid$")).click()
    expect(finn.get_by_text("Its people read Paid now.")).to_be_visible()
    expect(step(ann, "Paid")).not_to_have_text(dollars(paid), timeout=SEEN_WITHIN_MS)
    ann.goto(cast.url(f"statements/{cast.month}/"))
    expect(ann.locator("main .hero")).to_contain_text("Paid")

    for one in eyes:
        one.policy()
        one.page.context.close()
    assert [fault for one in eyes for fault in one.faults] == []


def test_a_question_is_answered_and_the_deal_that_waited_arrives(stack: Stack) -> None:
    cast, day = stack.cast, stack.cast.today.isoformat()
    ann = stack.site.open(cast.email["rep"], cast.url("deals/"))
    expect(ann.locator("main")).not_to_contain_text("$1,357.00")
    post(
        stack,
        deal("won", deal="D-waits", owner="ann-okafor", product="MG Specail", amount="1357.00", close_date=day),
        "waits-1",
    )
    olga = stack.site.open(cast.email["ops"], cast.url("issues/"))
    asked = olga.get_by_role("link", name="MG Specail")
    until = time.monotonic() + SEEN_WITHIN_MS / 1000
    while not asked.count() and time.monotonic() < until:
        olga.reload()
    asked.click()
    expect(olga.get_by_label("It means")).to_have_value("mg")
    olga.get_by_role("button", name="Save and take 1 delivery").click()
    expect(olga.get_by_text("MG Specail means mg from now on.")).to_be_visible()
    credit = ann.locator("main").get_by_text("$1,357.00")
    until = time.monotonic() + SEEN_WITHIN_MS / 1000
    while not credit.count() and time.monotonic() < until:
        ann.reload()
    expect(credit.first).to_be_visible()
    for page in (ann, olga):
        page.context.close()
