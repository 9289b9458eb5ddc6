"""A switch from another system in the middle of a quarter: what that one credited, paid and still owes comes by file, a
second person signs, and the first period pays what an accountant would write."""

from __future__ import annotations

import re
from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from payouts.models import (
    BatchLine,
    BatchSettlement,
    CutOver,
    Opening,
    OpeningFile,
    Statement,
)
from payouts.services import batches, cutover_file, cutovers, replay
from payouts.services.batch_steps import BatchError
from payouts.services.cutovers import CutOverError, Named
from plans import services as plans
from plans.models import Plan
from tests.factories import PASSWORD, person
from tests.finance.switch import (
    BALANCES,
    MARCH,
    OPENINGS,
    TRANCHES,
    WHOLE,
    arriving,
    booked,
    parts,
    prepared,
    sign,
    sound,
    take,
)
from tests.payouts.house import house, plan_text
from tests.people.test_front_door import signed_in


@pytest.mark.django_db
def test_what_another_system_paid_is_not_owed_again_and_what_it_owes_is_paid() -> None:
    acme = arriving()
    cut_over = prepared(acme)
    acme.work()
    take(acme, cut_over)
    sound(acme)
    with acme.acme.scope():
        # OLD-1 lies before the switch, in a period that is opened: it is a part of the opening, and earns nothing.
        line = BatchLine.objects.get(batch__state="in_review")
        assert (line.amount_minor, line.line_kind, line.rule) == (950_000, 5, "opening")
    # Nothing is paid before the switch is signed, and not by who prepared it.
    with acme.acme.scope(acme.preparer), pytest.raises(BatchError, match="is not signed yet"):
        batches.batch_submit(pay_group=acme.acme.pay_group, starts_on=MARCH, submitted_by=acme.preparer)
    with pytest.raises(CutOverError, match="you prepared it"):
        sign(acme, cut_over, acme.preparer)
    with pytest.raises(CutOverError, match="no parallel run was made; say why"):
        sign(acme, cut_over, no_run=" ")
    cut_over = sign(acme, cut_over)
    assert cut_over.no_run == "They closed their system"
    acme.work()
    sound(acme)
    with acme.acme.scope():
        assert booked("opening") == {
            "draw": 80_000, "held_back": -20_000, "carried": 5_000, "opening": -65_000
        }  # fmt: skip
        before = Statement.objects.get(period_starts_on=date(2026, 2, 1))
        assert (before.state, before.run, before.payout_minor) == ("paid", -1, 1_020_000)

    # March: the tranche of the 15th; the milestone of the old deal comes by hook, and a new deal.
    acme.milestone("OLD-1", "go-live", "2026-03-10")
    acme.won("NEW-1", "20000.00", "2026-03-12")
    acme.work()
    # 20,000 from 110% on: 10,000 at 15% and 10,000 at 20% earn 3,500, half of it now. 1,000 + 1,000 + 1,750 + the 120
    # that come back, less the 50 carried: 3,820. The draw of 800 is given back; a tenth of 3,020 is held back.
    march = acme.statement(MARCH)
    assert parts(march) == {
        "released": "3,750.00", "recovered": "-800.00", "withheld": "-182.00", "carried": "-50.00",
        "payout": "2,718.00",
    }  # fmt: skip
    sound(acme)
    acme.close(MARCH)
    acme.work()
    with acme.acme.scope():
        replayed = replay.replay_period(acme.acme.pay_group, MARCH)
        assert replayed.found == []
        assert booked() == {
            "expense": 375_000, "draw": 0, "carried": 0, "held_back": -20_000 - 18_200, "opening": -65_000,
            "payable": 0, "paid": -271_800,
        }  # fmt: skip
        assert sum(booked().values()) == 0
        # April begins with what is left of them: 80 come back.
        assert BatchSettlement.objects.filter(batch__kind="regular").get().carried_forward_minor == 0
    april = acme.statement(date(2026, 4, 1))
    # 80 come back, of which a tenth is held back again; the draw tops up what they lack of 500.
    assert parts(april) == {"topped_up": "420.00", "withheld": "72.00", "payout": "492.00"}
    sound(acme)


@pytest.mark.django_db
def test_a_cap_of_the_year_knows_what_was_paid_before_and_in_which_year() -> None:
    capped = """settlement:
  order: [releases, adjustments, clawbacks, carried, cap]
  caps: [{amount: 2500.00, per: year, excess: lost}]
  negative: carried
"""
    acme = house(plan_text() + capped)
    start, year = date(2025, 10, 1), date(2026, 1, 1)
    with acme.acme.scope(acme.ops):
        bob = person(acme.acme, "Bo", starts_on=start)
        plan = Plan.objects.get(key="worked")
        draft = plans.version_draft(
            plan=plan, text=plan_text() + capped, starts_on=start, ends_on=year, note="Before", prepared_by=acme.ops
        )
    with acme.acme.scope(acme.other_ops):
        plans.version_publish(version=draft, published_by=acme.other_ops)
        plans.assignment_set(participant=bob, plan=plan, starts_on=start)
        for day, minor in ((start, 10_000_000), (year, 10_000_000)):
            until = year if day == start else date(2026, 4, 1)
            plans.quota_set(
                participant=bob, key="sales", starts_on=day, ends_on=until, amount_minor=minor, currency="USD"
            )
    acme.work()
    cut_over = prepared(acme)
    acme.work()
    rows = """employee,plan,component,attainment,earned,paid,through
bo,worked,commission,90000.00,9000.00,9000.00,2025-12-31
bo,worked,commission,20000.00,2000.00,2000.00,
"""
    with acme.acme.scope(acme.preparer):
        cutovers.openings_take(cut_over=cut_over, file=Named("openings.csv", rows), by=acme.preparer)
    acme.work()
    cut_over = sign(acme, cut_over)
    acme.work()
    with acme.acme.scope():
        # No balance was brought forward; of both openings one is of this year.
        left = BatchSettlement.objects.get(batch=cut_over.batch)
        assert (left.inflow_minor, left.topped_up_minor, left.payout_minor) == (1_100_000, -900_000, 200_000)
    acme.won("NEW-1", "10000.00", "2026-03-12", owner="bo")
    acme.work()
    with acme.acme.scope():
        # 1,000 are earned, and 500 are left of the 2,500 that a year may pay.
        march = Statement.objects.get(participant=bob, period_starts_on=MARCH)
        assert parts(march) == {"released": "1,000.00", "withheld": "-500.00", "payout": "500.00"}
    sound(acme)


@pytest.mark.django_db
def test_a_file_counts_whole_and_everything_wrong_with_it_is_said() -> None:
    acme = arriving(WHOLE)
    cut_over = prepared(acme)
    header = "employee,plan,component,attainment,earned,paid,through,currency\n"
    wrong = {
        "nobody,worked,commission,1.00,1.00,1.00,,": "Nobody has the number 'nobody'",
        "ann,other,commission,1.00,1.00,1.00,,": "There is no plan 'other'",
        "ann,worked,bonus,1.00,1.00,1.00,,": "has no component 'bonus'; it has commission",
        "ann,worked,commission,1.00,1.00,1.00,2026-03-01,": "is not before the switch",
        "ann,worked,commission,1.00,1.00,1.00,,EUR": "is in USD, not in EUR",
        "ann,worked,commission,much,1.00,1.00,,": "much",
        "ann,worked,commission,1.00,5.00,3.00,,": "Earned is $2.00 off from paid and unreleased",
        "ann,worked,commission,1.00,1.00,1.00,2026-02-10,": "opened by line 8 already",
        "ann,worked,whole,1.00,1.00,1.00,2026-02-10,": "lies inside a month: a component that pays whole periods",
        "ann,worked,commission,1.00,1.00,1.00,0001-01-01,": "outside the years 1990 to 2099",
    }
    waits = {
        "ann,worked,commission,1.00,2026-02-15,,": "lies before the switch",
        "ann,worked,commission,1.00,,OLD-1,arrival": "allowed: go-live",
        "ann,worked,commission,1.00,,OLD-9,go-live": "There is no deal 'OLD-9'",
        "ann,worked,commission,1.00,,,": "write one of the two",
        "ann,worked,commission,1.00,9999-12-31,,": "outside the years 1990 to 2099",
    }
    owed = {
        "ann,worked,draw,-1.00,,": "above zero",
        "ann,worked,draw,1.00,other,": "named by its key (draw)",
        "ann,worked,held_back,1.00,,": "on which what is held back comes back",
        "ann,worked,held_back,1.00,,2026-02-01": "on or after the switch",
        "ann,worked,luck,1.00,,": "There is no balance 'luck'",
        "ann,worked,held_back,1.00,,9999-12-31": "outside the years 1990 to 2099",
    }
    with acme.acme.scope(acme.preparer):
        first, rest = OPENINGS.splitlines()[0], "employee,plan,component,amount,release_date,deal,milestone\n"
        found = cutover_file.openings_read(header + "\n".join(wrong), "", cut_over=cut_over)
        said(wrong, found.wrong)
        both = cutover_file.openings_read(OPENINGS, rest + "\n".join(waits), cut_over=cut_over)
        said(waits, both.wrong_tranches)
        assert first.startswith("employee")
        said(
            owed,
            cutover_file.balances_read(
                "employee,plan,balance,amount,draw,day\n" + "\n".join(owed), cut_over=cut_over
            ).wrong,
        )
        with pytest.raises(CutOverError, match="whole or not at all"):
            cutovers.openings_take(cut_over=cut_over, file=Named("a.csv", header + "\n".join(wrong)), by=acme.preparer)
        assert not OpeningFile.objects.exists() and not Opening.objects.exists()
        # Each of whole periods is opened for itself, to date or not.
        each = "".join(f"ann,worked,whole,1.00,1.00,1.00,{day},\n" for day in ("2026-01-31", "2026-02-28"))
        months = cutover_file.openings_read(header + each, "", cut_over=cut_over)
        assert (len(months.rows), months.wrong) == (2, [])
        cutovers.cutover_abandon(cut_over=cut_over, by=acme.preparer, reason="Not this year")
        acme.acme.pay_group.refresh_from_db()
        assert acme.acme.pay_group.opens_on == date(2026, 1, 1)


def said(rows: dict[str, str], wrong: list[cutover_file.Wrong]) -> None:
    assert [each.line for each in wrong] == list(range(2, 2 + len(rows)))
    for each, text in zip(wrong, rows.values(), strict=True):
        assert text in each.message


@pytest.mark.django_db
def test_finance_walks_through_a_switch() -> None:
    acme = arriving()
    fay, finn = signed_in(acme.preparer), signed_in(acme.approver)
    begun = {"pay_group": acme.acme.pay_group.pk, "source": "Xactly", "day": "2026-03-01"}
    assert b"No switch" in fay.get("/t/acme/cut-overs/").content
    assert fay.get("/t/acme/cut-overs/new/").status_code == 200
    for day, why in (("2026-03-05", b"within a pay period"), ("9999-12-31", b"No pay period holds 31 December 9999")):
        assert why in fay.post("/t/acme/cut-overs/new/", {**begun, "day": day}).content
    home = fay.post("/t/acme/cut-overs/new/", begun)["Location"]
    assert "No file yet" in fay.get(home).content.decode()
    acme.work()
    # Wrong rows are told and downloaded; right ones are shown before they count.
    wrong = upload(fay, home + "openings/", file=OPENINGS.replace("ann", "nobody"), tranches=TRANCHES)
    assert "Nobody has the number &#x27;nobody&#x27;" in wrong and "cannot be taken" in wrong
    said = {"checked": OPENINGS.replace("ann", "nobody"), "beside": "", "wrong": "1"}
    assert b"Openings,2," in fay.post(home + "openings/", said).content
    shown = upload(fay, home + "openings/", file=OPENINGS, tranches=TRANCHES)
    assert "What would be brought forward" in shown and "$11,500.00" in shown and "$2,000.00" in shown
    checked = {"checked": OPENINGS, "beside": TRANCHES, "name": "o.csv", "beside_name": "t.csv"}
    assert fay.post(home + "openings/", checked)["Location"] == home
    assert "Draw owed" in upload(fay, home + "balances/", file=BALANCES)
    assert fay.post(home + "balances/", {"checked": BALANCES, "name": "b.csv"})["Location"] == home
    acme.work()
    page = fay.get(home).content.decode()
    assert re.search(r"People</dt>\s*<dd[^>]*>\s*1\s*<", page)
    assert "Figures from before the switch moved" in page and "go-live of OLD-1" in page and "You prepared it" in page
    fay.post(home + "step/", {"act": "refresh"})
    assert "Figures from before the switch moved" not in fay.get(home).content.decode()
    assert fay.get(home + "sign/").status_code == 302
    for act, state in (("parallel", "Parallel run"), ("preparing", "Preparing")):
        fay.post(home + "step/", {"act": act})
        assert state in fay.get(home).content.decode()
    assert finn.get(home + "sign/").status_code == 302  # asks for the password first
    finn.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = finn.get(home + "sign/").content.decode()
    assert "You are about to sign" in page and "No parallel run was made" in page and "$9,500.00" in page
    with acme.acme.scope():
        switch = CutOver.objects.get()
        batch, digest = switch.batch, cutovers.sign_digest(switch)
        assert batch is not None and digest in page and batch.digest not in page
    reason = "No statements are left"
    signed = finn.post(home + "sign/", {"digest": digest, "no_run": reason}, follow=True)
    assert "is signed" in signed.content.decode()
    page = fay.get(home).content.decode()
    assert "Take back" not in page and "none was made" in page and f"without a parallel run: {reason}" in page
    statement = finn.get(f"/t/acme/statements/2026-02-01/{acme.ann.pk}/?run=-1")
    assert statement.status_code == 200 and "rought forward" in statement.content.decode()
    # It is no batch of ours: neither in the list nor by its number.
    assert "Xactly" not in finn.get("/t/acme/payouts/").content.decode()
    assert finn.get(f"/t/acme/payouts/{batch.pk}/").status_code == 404


def upload(client: Client, url: str, **files: str) -> str:
    said = {name: SimpleUploadedFile(f"{name}.csv", text.encode()) for name, text in files.items()}
    return client.post(url, said).content.decode()
