"""The pages of holds, adjustments and all else that people decide by hand: what each role sees and does there."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from payouts.models import Adjustment, Earning, Hold, Payable, QuotaRelief, SideLetter, Statement, WindfallReview
from plans.models import Quota
from tests.finance.cast import JANUARY, World
from tests.finance.test_what_people_decide_by_hand import assigned

__all__ = ["assigned"]  # a fixture


def sent(client: Client, url: str, **said: Any) -> Any:
    answer = client.post(url, said)
    assert answer.status_code == 302, answer.content.decode()
    return client.get(answer["Location"]).content.decode()


def proof() -> SimpleUploadedFile:
    return SimpleUploadedFile("why.txt", b"Agreed on the phone.")


def test_an_adjustment_goes_its_way_through_the_pages(assigned: World) -> None:
    world = assigned
    fiona, frank, rita = (world.client(name) for name in ("fiona", "frank", "rita"))
    assert "No adjustment" in fiona.get(world.url("adjustments/")).content.decode()
    said = {"participant": "R1", "plan": world.plan.pk, "amount": "250.00", "day": "2026-01-15", "reason": "Promised"}
    wrong = fiona.post(world.url("adjustments/new/"), {**said, "attachment": proof(), "participant": "X9"})
    assert wrong.status_code == 422 and "Nobody whose pay you see" in wrong.content.decode()
    page = sent(fiona, world.url("adjustments/new/"), **said, attachment=proof())
    assert "ADJ-000001" in page and "Withdraw it" in page and ">Approve<" not in page
    with world.scope():
        row = Adjustment.objects.get()
    own = world.url(f"adjustments/{row.pk}/")
    assert rita.get(own).status_code == 404
    page = sent(frank, f"{own}decide/", act="approved", reason="Seen the mail")
    assert "ADJ-000001 is approved" in page and "Seen the mail" in page
    page = rita.get(own).content.decode()
    assert "it credits Rita Rep $250.00, decided by Fiona and Frank." in page
    assert rita.get(f"{own}attachment/").content == b"Agreed on the phone."
    assert world.client("lena").get(own).status_code == 200 and world.client("ada").get(own).status_code == 404
    page = rita.get(world.url("statements/2026-01-01/")).content.decode()
    assert "ADJ-000001" in page and f"/adjustments/{row.pk}/" in page
    listed = fiona.get(world.url("adjustments/?csv=1&state=approved&person=Rita")).content.decode()
    assert "ADJ-000001,R1,Rita Rep,Manual adjustment" in listed and "250.00,USD" in listed
    assert "Nobody" not in fiona.get(world.url(f"adjustments/new/?answers={row.pk}")).content.decode()

    table = "employee,plan,amount,reason\nS1,ae,12.50,A bonus\nR1,ae,-2.00,A correction\n"
    shown = fiona.post(world.url("adjustments/upload/"), {"file": SimpleUploadedFile("june.csv", table.encode())})
    page = shown.content.decode()
    assert "Enter 2 adjustments" in page and "$12.50" in page
    page = sent(fiona, world.url("adjustments/upload/"), checked=shown.context["text"], name="june.csv")
    assert "june.csv" in page and "waits for a second person" in page
    with world.scope():
        file = Adjustment.objects.filter(file__isnull=False)[0].file_id
    page = sent(frank, world.url(f"adjustments/files/{file}/"), act="refused", reason="")
    assert "Say why" in page
    sent(frank, world.url(f"adjustments/files/{file}/"), act="approved", reason="")
    assert "$260.50 approved" in fiona.get(world.url("adjustments/")).content.decode()
    bad = fiona.post(
        world.url("adjustments/upload/"),
        {"file": SimpleUploadedFile("a.csv", b"employee,plan,amount,reason\nX,y,1,z\n")},
    )
    assert "1 row cannot be taken" in bad.content.decode()

    page = sent(frank, world.url("adjustments/limits/"), which="limits", currency="usd", alone="100", small="")
    assert "$100.00" in page and "all are paid" in page
    assert (
        frank.post(world.url("adjustments/limits/"), {"which": "limits", "currency": "USD", "alone": "x"}).status_code
        == 422
    )
    sent(frank, world.url("adjustments/limits/"), which="reach", periods_back="0", approver="finance")


def test_holds_letters_relief_windfalls_and_debts_have_pages(assigned: World) -> None:
    world = assigned
    fiona, frank, rita = (world.client(name) for name in ("fiona", "frank", "rita"))
    none = fiona.post(world.url("holds/new/"), {"reason": "Why not"})
    assert none.status_code == 422 and "Say what is held" in none.content.decode()
    page = sent(fiona, world.url("holds/new/"), deal="D-1", reason="The contract is disputed")
    assert "Rita Rep: Deal D-1" in page and "$100.00" in page
    page = rita.get(world.url("statements/2026-01-01/")).content.decode()
    assert "by Fiona: The contract is disputed" in page
    assert "$100.00 held" in fiona.get(world.url("holds/")).content.decode()
    assert "D-1" in fiona.get(world.url("holds/?csv=1")).content.decode()
    assert "$100.00 of 1 person, not in it" in fiona.get(world.url("payouts/open/sales/")).content.decode()
    with world.scope():
        hold = Hold.objects.get()
    assert "A hold" not in sent(frank, world.url(f"holds/{hold.pk}/release/"), reason="Settled")
    assert "Nothing is held" in fiona.get(world.url("holds/")).content.decode()
    assert "Released" in fiona.get(world.url("holds/?all=1")).content.decode()

    when = {"starts_on": "2026-01-01", "ends_on": "2026-03-01", "reason": "Moved here"}
    said = {"participant": "S1", "plan": world.plan.pk, "text": "1,000 a month", "monthly": "1000", **when}
    page = sent(fiona, world.url("side-letters/new/"), **said, attachment=proof())
    assert "Waits for approval" in page
    with world.scope():
        letter = SideLetter.objects.get()
    page = sent(frank, world.url(f"side-letters/{letter.pk}/decide/"), act="approved")
    assert "Paid on 1 Jan 2026" in page and "Paid on 1 Feb 2026" in page
    assert frank.get(world.url(f"side-letters/{letter.pk}/?file=1")).content == b"Agreed on the phone."
    assert str(letter) in frank.get(world.url("side-letters/?csv=1")).content.decode()

    with world.scope():
        Quota.objects.create(
            participant=world.people["S1"], key="sales", starts_on=JANUARY, ends_on=date(2026, 4, 1),
            amount_minor=1_000_00, currency="USD",
        )  # fmt: skip
    page = sent(fiona, world.url("relief/new/"), participant="S1", key="sales", percent="50", **when)
    with world.scope():
        eased = QuotaRelief.objects.get()
    assert "50% off sales, Sam Seller" in page
    page = sent(frank, world.url(f"relief/{eased.pk}/decide/"), act="approved")
    assert "Take it back" in page
    assert "Taken back" in sent(frank, world.url(f"relief/{eased.pk}/decide/"), act="revoke", reason="Wrong person")

    with world.scope():
        line = Earning.objects.get(deal__external_id="D-2")
        Earning.objects.filter(pk=line.pk).update(review_minor=7_00)
    assert "To review" in fiona.get(world.url("reviews/")).content.decode()
    page = sent(fiona, world.url(f"reviews/new/{line.pk}/"), accept="yes", reason="It was earned")
    review = page.split("/reviews/")[-1].split("/")[0] if "/decide/" in page else ""
    assert review == "" and "to be paid" in page  # its preparer has no form to decide
    with world.scope():
        found = WindfallReview.objects.get()
    assert "Paid" in sent(frank, world.url(f"reviews/{found.pk}/decide/"), act="approved")
    with world.scope():
        paid = Payable.objects.get(amount_minor=7_00)
    assert paid.line_kind == 4 and paid.component == "commission"
    assert "Nobody owes anything" in fiona.get(world.url("debts/")).content.decode()
    assert fiona.get(world.url("debts/new/?person=1")).status_code == 302
    assert "No difference waits" in fiona.get(world.url("differences/")).content.decode()
    with world.scope():
        assert Statement.objects.get(participant=world.people["R1"]).payout_minor == 125_50 + 7_00
    for room in ("adjustments", "holds", "side-letters", "relief", "reviews", "debts", "differences"):
        assert rita.get(world.url(f"{room}/")).status_code == 403
        assert world.client("lena").get(world.url(f"{room}/")).status_code == 200
