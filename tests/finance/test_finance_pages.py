"""The payout, ledger and audit pages: who may open them, what they show, and the way of a batch by hand."""

from __future__ import annotations

import csv
import io
from datetime import date
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils.html import strip_tags

from comp.people.models import PayGroup
from comp.tenancy.models import Membership
from payouts.models import Batch
from payouts.services import batches
from tests.finance.cast import FEBRUARY, PASSWORD, World, company


def text(answer: object) -> str:
    return " ".join(strip_tags(answer.content.decode()).split())  # type: ignore[attr-defined]


def confirm(client: Client, world: World, who: str) -> None:
    """Gives the password again, as the approval asks."""
    answer = client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert answer.status_code == 302, text(answer)


@pytest.mark.parametrize(
    ("who", "payouts", "ledger", "audit"),
    [
        ("fiona", 200, 200, 200),
        ("lena", 200, 403, 403),
        ("ops", 403, 403, 200),
        ("ada", 403, 403, 200),
        ("rita", 403, 403, 403),
        ("stranger", 404, 404, 404),
    ],
)
def test_who_may_open_what(world: World, who: str, payouts: int, ledger: int, audit: int) -> None:
    batch = world.approve(world.submit())
    client = (company("rival").client("fiona")) if who == "stranger" else world.client(who)
    for rest, status in (
        ("payouts/", payouts),
        (f"payouts/{batch.pk}/", payouts),
        (f"payouts/{batch.pk}/?view=deals", payouts),
        (f"payouts/{batch.pk}/?view=lines&csv=1", payouts),
        ("ledger/", ledger),
        ("ledger/?csv=1", ledger),
        ("audit/", audit),
        ("audit/?csv=1", audit),
    ):
        assert client.get(world.url(rest)).status_code == status, rest


@pytest.mark.parametrize("who", ["lena", "ops", "ada", "rita"])
def test_only_finance_takes_steps(world: World, who: str) -> None:
    batch = world.submit()
    client = world.client(who)
    for rest in ("approve/", "reject/", "export/", "paid/"):
        hidden = who == "lena" and rest in ("approve/", "reject/")  # a chain may name her; this one does not
        assert client.post(world.url(f"payouts/{batch.pk}/{rest}")).status_code == (404 if hidden else 403)
    assert client.post(world.url("payouts/open/sales/")).status_code == 403


def test_a_batch_goes_its_way_by_hand(world: World) -> None:
    fiona, frank = world.client("fiona"), world.client("frank")
    page = text(fiona.get(world.url("payouts/")))
    assert "January 2026" in page and "$165.50" in page and "2 people, 3 lines" in page and "No batch yet" in page
    preview = fiona.get(world.url("payouts/open/sales/"))
    assert "Submit $165.50 for 2 people" in text(preview) and "First payout" in text(preview)

    made = fiona.post(world.url("payouts/open/sales/"), {"starts_on": "2026-01-01"}, follow=True)
    assert "January 2026, Sales is submitted" in text(made)
    assert "You submitted it, so somebody else has to approve it." in text(made)
    with world.scope():
        batch = Batch.objects.get()
    page_url, approve_url = world.url(f"payouts/{batch.pk}/"), world.url(f"payouts/{batch.pk}/approve/")

    assert "Approve $165.50 for 2 people…" in text(frank.get(page_url))
    asked = frank.get(approve_url)
    assert asked.status_code == 302 and asked.url == f"/accounts/reauthenticate/?next={quote(approve_url, safe='')}"
    refused = frank.post(approve_url, {"digest": batch.digest})
    assert refused.status_code == 302 and refused.url == approve_url
    confirm(frank, world, "frank")
    restated = text(frank.get(approve_url))
    assert "Approve $165.50 for 2 people" in restated and batch.digest[:12] in restated
    assert "not what would be approved" in text(frank.post(approve_url, {"digest": "0" * 64}, follow=True))
    assert "is approved and posted" in text(frank.post(approve_url, {"digest": batch.digest}, follow=True))
    assert "it is posted, approved by Frank" in text(frank.post(approve_url, {"digest": batch.digest}, follow=True))

    assert "never exported" in text(fiona.post(page_url + "paid/", follow=True))
    exported = fiona.post(page_url + "export/")
    assert exported["Content-Disposition"].startswith('attachment; filename="payroll_January_2026_Sales_')
    assert list(csv.DictReader(io.StringIO(exported.content.decode())))[-1]["amount"] == "165.50"
    assert "is marked paid" in text(fiona.post(page_url + "paid/", follow=True))
    ledger = text(fiona.get(world.url("ledger/")))
    assert "Balanced" in ledger and "2. Payment of January 2026, Sales" in ledger
    trail = text(fiona.get(world.url("audit/")))
    assert all(code in trail for code in ("batch.submit", "batch.approve", "batch.export", "batch.paid", "Linked"))


def test_a_batch_is_sent_back_with_its_reason(world: World) -> None:
    batch = world.submit()
    frank = world.client("frank")
    url = world.url(f"payouts/{batch.pk}/")
    assert "needs a reason" in text(frank.post(url + "reject/", {"reason": " "}, follow=True))
    page = text(frank.post(url + "reject/", {"reason": "D-2 was <refunded>"}, follow=True))
    assert "is sent back. Its period is open again." in page and "D-2 was &lt;refunded&gt;" in page
    assert "$165.50" in text(frank.get(world.url("payouts/open/sales/")))


def test_a_period_that_moved_on_is_not_submitted_from_an_old_page(world: World) -> None:
    world.submit()
    answer = world.client("frank").post(world.url("payouts/open/sales/"), {"starts_on": "2026-01-01"}, follow=True)
    assert "another period is open now, February 2026" in text(answer)


def test_exceptions_come_first_and_say_why(world: World) -> None:
    world.earn("S1", "D-7", 4_000_00, date(2026, 1, 9))
    world.approve(world.submit())
    world.earn("R1", "D-1", -300_00, date(2026, 1, 10))
    world.person("N1", "Nora New")
    world.earn("N1", "D-8", 50_00, date(2026, 2, 2))
    page = text(world.client("fiona").get(world.url("payouts/open/sales/")))
    assert "Rita Rep Negative" in page and "1 adjustment, −($400.00)" in page
    assert "Sam Seller Nothing after $4,040.00" in page
    assert "Nora New First payout" in page
    assert page.index("Rita Rep Negative") < page.index("Submit for approval")


def test_who_signs_sees_the_batch_before_it(world: World) -> None:
    world.approve(world.submit())
    world.earn("S1", "D-7", 4_000_00, date(2026, 2, 9))
    batch = world.submit(date(2026, 2, 1))
    page = text(world.client("frank").get(world.url(f"payouts/{batch.pk}/")))
    assert "against January 2026, Sales" in page and "posts them once" in page


def test_what_moved_since_submission_is_said(world: World) -> None:
    batch = world.submit()
    world.earn("R1", "D-1", 110_00, date(2026, 1, 10))
    frank = world.client("frank")
    page = text(frank.get(world.url(f"payouts/{batch.pk}/")))
    assert "Recalculated since: +$10.00 today" in page and "Recomputed since+$10.00" in page
    confirm(frank, world, "frank")
    assert "moved since it was submitted: +$10.00" in text(frank.get(world.url(f"payouts/{batch.pk}/approve/")))


def test_finance_of_one_pay_group_sees_no_other(world: World) -> None:
    with world.scope():
        partners = PayGroup.objects.create(
            key="partners", name="Partners", calendar=world.group.calendar, opens_on=date(2026, 1, 1)
        )
    world.person("P1", "Petra Partner", group=partners)
    world.earn("P1", "D-P", 77_77, date(2026, 1, 4))
    batch = world.approve(world.submit())
    with world.scope():
        theirs = batches.batch_submit(pay_group=partners, starts_on=date(2026, 1, 1), submitted_by=world.users["frank"])
        Membership.objects.filter(user=world.users["fiona"]).update(pay_groups=["partners"])
    fiona = world.client("fiona")
    page = text(fiona.get(world.url("payouts/")))
    assert "Partners" in page and "Sales" not in page and "165.50" not in page
    assert fiona.get(world.url(f"payouts/{theirs.pk}/")).status_code == 200
    for rest in (f"payouts/{batch.pk}/", f"payouts/{batch.pk}/approve/", "payouts/open/sales/"):
        assert fiona.get(world.url(rest)).status_code == 404
    for rest in ("export/", "paid/", "reject/"):
        assert fiona.post(world.url(f"payouts/{batch.pk}/{rest}")).status_code == 404
    ledger = text(fiona.get(world.url("ledger/")))
    assert (
        "165.50" not in ledger
        and "Rita" not in ledger
        and "R1" not in fiona.get(world.url("ledger/?csv=1")).content.decode()
    )


def test_lists_narrow_and_download(world: World) -> None:
    batch = world.submit()
    fiona = world.client("fiona")
    url = world.url(f"payouts/{batch.pk}/")
    assert "D-3" not in text(fiona.get(url + "?view=lines&person=R1"))
    rows = list(csv.DictReader(io.StringIO(fiona.get(url + "?view=lines&person=R1&csv=1").content.decode())))
    assert [(row["deal"], row["amount"]) for row in rows] == [("D-1", "100.00"), ("D-2", "25.50")]
    people = list(csv.DictReader(io.StringIO(fiona.get(url + "?csv=1").content.decode())))
    assert [(row["name"], row["payout"], row["look at"]) for row in people] == [
        ("Rita Rep", "125.50", "First payout"),
        ("Sam Seller", "40.00", "First payout"),
    ]
    assert "1–3 of 3" in text(fiona.get(url + "?view=deals&page=zero"))
    assert world.submit(FEBRUARY).lines == 0
    assert "No lines" in text(fiona.get(world.url("payouts/open/sales/")))


def test_the_audit_trail_narrows(world: World) -> None:
    world.approve(world.submit())
    ada = world.client("ada")
    assert "batch.submit" not in text(ada.get(world.url("audit/?code=batch.approve")))
    assert "No entry matches" in text(ada.get(world.url("audit/?actor=nobody")))
    assert "Enter a valid date" in text(ada.get(world.url("audit/?since=yesterday")))
    page = text(ada.get(world.url("audit/?subject=January")))
    assert "January 2026, Sales" in page and "165.50" not in page
    rows = list(csv.DictReader(io.StringIO(ada.get(world.url("audit/?code=batch&csv=1")).content.decode())))
    assert [row["code"] for row in rows] == [
        "batch.post",
        "batch.approve",
        "batch.stage",
        "batch.chain",
        "batch.submit",
        "batch.lock",
    ]
