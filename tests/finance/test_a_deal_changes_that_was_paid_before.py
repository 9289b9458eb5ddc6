"""A deal that another system paid changes after the switch: no pay moves, somebody is asked to look, and the adjustment
stands ready."""

from __future__ import annotations

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.html import escape

from comp.people.models import Participant
from crediting.models import DataIssue
from payouts.models import Adjustment, Opening, Payable
from payouts.services import cutovers, parallel, parallel_file
from plans import services as plans
from plans.models import Plan
from tests.finance.switch import MARCH, openings_take, prepared, sign, sound
from tests.intake.sending import deal
from tests.payouts.house import House, house, plan_text

OPENINGS = "employee,plan,component,attainment,earned,paid\nann,worked,commission,30000.00,3000.00,3000.00\n"
STATEMENTS = """employee,period,amount,component,deal
ann,2026-02-28,1000.00,commission,OLD
ann,2026-02-28,2100.00,commission,OTHER
"""


def asked(of: House) -> list[tuple[str, str, str]]:
    with of.acme.scope():
        return list(DataIssue.objects.order_by("id").values_list("kind", "value", "state"))


@pytest.mark.django_db
def test_whoever_changes_what_was_paid_before_is_told_and_asked() -> None:
    acme = house(plan_text().replace("amount: amount", "amount: cost"))
    acme.won("OLD", "10000.00", "2026-02-10", cost="10000.00")
    acme.won("OTHER", "20000.00", "2026-02-11", cost="20000.00")
    acme.work()
    cut_over = prepared(acme)
    with acme.acme.scope(acme.preparer):
        openings_take(acme, cut_over, OPENINGS, "")
    acme.work()
    with acme.acme.scope(acme.preparer):
        cutovers.cutover_refresh(cut_over=cut_over, by=acme.preparer)
    # Before it is signed its files can still be taken back: nobody is asked.
    acme.won("OTHER", "21000.00", "2026-02-11", version=2, at="2026-02-20T10:00:00Z", cost="21000.00")
    acme.work()
    assert asked(acme) == []
    with acme.acme.scope(acme.preparer):
        cutovers.cutover_refresh(cut_over=cut_over, by=acme.preparer)
        found = parallel_file.statements_read(STATEMENTS, cut_over=cut_over, kinds={})
        assert found.wrong == []
        said = {"name": "s.csv", "digest": "4" * 64, "lines": found.lines, "kinds": {}}
        parallel.file_take(cut_over=cut_over, by=acme.preparer, **said)
    sign(acme, cut_over, no_run="")
    acme.work()

    # Said again as it stood, and a milestone: nothing that changes what was paid.
    acme.won("OTHER", "21000.00", "2026-02-11", version=3, at="2026-03-01T10:00:00Z", cost="21000.00", tax="5.00")
    acme.milestone("OTHER", "signature", "2026-03-02")
    acme.won("NEW", "5000.00", "2026-03-05")
    acme.work()
    assert asked(acme) == []
    acme.crm.send(
        deal(
            "lost",
            "2026-03-10T10:00:00Z",
            deal="OLD",
            owner="ann",
            amount="10000.00",
            close_date="2026-02-10",
            cost="10000.00",
        )
    )
    acme.won("LATE", "7000.00", "2026-02-25", at="2026-03-11T10:00:00Z")
    acme.work()
    assert sorted(asked(acme)) == [("opened", "LATE", "open"), ("opened", "OLD", "open")]
    with acme.acme.scope():
        assert not Payable.objects.filter(origin_starts_on__lt=MARCH).exists()
        issue = DataIssue.objects.get(value="OLD")
    assert "Ann" in issue.message and "Deal OLD lost" in issue.message and "28 February 2026" in issue.message

    seen = Client()
    seen.force_login(acme.ops)
    page = seen.get(f"/t/acme/issues/{issue.pk}/").content.decode()
    assert "Paid before the switch" in page and "Enter an adjustment" not in page
    seen.force_login(acme.preparer)
    page = seen.get(f"/t/acme/cut-overs/{cut_over.pk}/").content.decode()
    assert "Changed since it was signed" in page and "/t/acme/adjustments/new/?deal=OLD" in page
    form = seen.get("/t/acme/adjustments/new/?deal=OLD").content.decode()
    assert "Paid for deal OLD before the switch: Ann $1,000.00, Commission" in form
    for value in ("ann", "commission", "-1000.00", "2026-02-28"):
        assert f'value="{value}"' in form, value
    assert "Deal OLD, which Xactly paid: " in form
    seen.force_login(acme.ops)
    seen.post(f"/t/acme/issues/{issue.pk}/resolve/", {"act": "close"})
    answered = [("opened", "LATE", "open"), ("opened", "OLD", "resolved")]
    assert sorted(asked(acme)) == answered
    # What it said by then is dealt with: said once more it asks nothing.
    lost = {"deal": "OLD", "owner": "ann", "amount": "10000.00", "close_date": "2026-02-10", "cost": "10000.00"}
    acme.crm.send(deal("lost", "2026-03-12T10:00:00Z", **lost))
    acme.work()
    assert sorted(asked(acme)) == answered
    # Another figure that the plan goes by asks, though the deal's amount is what it was.
    acme.won("OTHER", "21000.00", "2026-02-11", version=4, at="2026-03-13T10:00:00Z", cost="15000.00")
    acme.crm.send(deal("won", "2026-03-14T10:00:00Z", **lost))
    acme.work()
    assert sorted(asked(acme)) == [("opened", key, "open") for key in ("LATE", "OLD", "OTHER")]
    sound(acme)


SHARED = """employee,plan,component,attainment,earned,paid
ann,worked,commission,6000.00,600.00,600.00
bob,worked,commission,4000.00,400.00,400.00
"""
PAID_TO_BOTH = "employee,period,amount,component,deal\nann,2026-02-28,600.00,,OLD\nbob,2026-02-28,400.00,,OLD\n"


@pytest.mark.django_db
def test_each_who_was_paid_for_a_deal_has_an_adjustment_ready() -> None:
    acme = house(plan_text())
    with acme.acme.scope(acme.ops):
        bob, plan = Participant.objects.get(key="bob"), Plan.objects.get(key="worked")
        plans.assignment_set(participant=bob, plan=plan, starts_on=date(2026, 1, 1))
    team = [{"role": "ae", "person": who, "weight": weight} for who, weight in (("ann", 3), ("bob", 2))]
    acme.won("OLD", "10000.00", "2026-02-10", owner=None, team=team)
    acme.work()
    cut_over = prepared(acme)
    with acme.acme.scope(acme.preparer):
        openings_take(acme, cut_over, SHARED, "")
        found = parallel_file.statements_read(PAID_TO_BOTH, cut_over=cut_over, kinds={})
        assert found.wrong == []
        said = {"name": "s.csv", "digest": "4" * 64, "lines": found.lines, "kinds": {}}
        parallel.file_take(cut_over=cut_over, by=acme.preparer, **said)
    acme.work()
    with acme.acme.scope(acme.preparer):
        cutovers.cutover_refresh(cut_over=cut_over, by=acme.preparer)
    sign(acme, cut_over, no_run="")
    old = {"deal": "OLD", "owner": None, "team": team, "amount": "10000.00", "close_date": "2026-02-10"}
    acme.crm.send(deal("lost", "2026-03-10T10:00:00Z", **old))
    acme.work()
    assert asked(acme) == [("opened", "OLD", "open")]
    with acme.acme.scope():
        openings = dict(Opening.objects.values_list("participant__key", "id"))

    seen = Client()
    seen.force_login(acme.preparer)
    page = seen.get(f"/t/acme/cut-overs/{cut_over.pk}/").content.decode()
    first = seen.get("/t/acme/adjustments/new/?deal=OLD").content.decode()
    for who, amount in (("ann", "600.00"), ("bob", "400.00")):
        address = f"/t/acme/adjustments/new/?deal=OLD&opening={openings[who]}"
        assert escape(address) in page and escape(address) in first
        own = seen.get(address).content.decode()
        assert f'value="{who}"' in own and f'value="-{amount}"' in own
        assert f'{escape(address)}" aria-current="page">{who.title()} ${amount}, Commission' in own
        form = {"participant": who, "plan": plan.pk, "component": "commission", "amount": f"-{amount}"}
        proof = SimpleUploadedFile("lost.txt", b"The customer went away.", content_type="text/plain")
        seen.post(address, {**form, "origin": "2026-02-28", "reason": "Deal OLD is lost", "attachment": proof})
    assert 'value="ann"' in first, "unless one is asked for it is the first"
    with acme.acme.scope():
        entered = Adjustment.objects.order_by("id").values_list("participant__key", "amount_minor")
        assert list(entered) == [("ann", -600_00), ("bob", -400_00)]
