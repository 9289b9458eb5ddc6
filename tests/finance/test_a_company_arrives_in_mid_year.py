"""A switch from another system in the middle of a quarter: what that one credited, paid and still owes comes by file, a
second person signs, and the first period pays what an accountant would write."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import Error, connection, transaction
from django.test import Client

from comp.people.models import Erasure, Participant
from comp.people.services import pay_group_create
from comp.tenancy.models import User
from payouts import verify
from payouts.models import (
    BatchLine,
    BatchSettlement,
    CutOver,
    LedgerEntry,
    LedgerTransaction,
    LegacyFile,
    Opening,
    OpeningBalance,
    OpeningFile,
    OpeningTranche,
    ParallelRun,
    Payable,
    Statement,
)
from payouts.reads.parallel import ties
from payouts.services import batches, cutover_file, cutovers, parallel, parallel_file, replay
from payouts.services.batch_steps import BatchError
from payouts.services.cutovers import CutOverError, Named
from payouts.services.opening_batch import opening_is_stale
from plans import services as plans
from plans.models import Plan
from tests.factories import PASSWORD, person
from tests.payouts.house import House, house, plan_text
from tests.people.test_front_door import signed_in

MARCH = date(2026, 3, 1)
#: A draw of 500 that half of pay gives back, a tenth held back for two periods.
TERMS = """settlement:
  order: [releases, adjustments, clawbacks, carried, recovery, holdback, top_up]
  draw: {kind: recoverable, style: top_up, amount: 500.00, from: 2026-01-01, to: 2026-07-01, test: [releases],
    recovery: {share: 50%, keep: 0.00, after_periods: 0}, on_leaving: owed}
  holdback: {share: 10%, periods: 2}
  negative: carried
"""
RELEASE = "[{share: 50%, on: credit_date}, {share: 50%, on: go-live}]"
#: Ann stands at 110,000 of a quota of 100,000: 10,000 at 10% and 1,500 at 15% were earned, 9,500 of it paid.
OPENINGS = """employee,plan,component,attainment,earned,paid,reference
ann,worked,commission,110000.00,11500.00,9500.00,XA-77
"""
TRANCHES = """employee,plan,component,amount,release_date,deal,milestone
ann,worked,commission,1000.00,2026-03-15,,
ann,worked,commission,1000.00,,OLD-1,go-live
"""
BALANCES = """employee,plan,balance,amount,draw,day
ann,worked,draw,800.00,,2026-01-01
ann,worked,held_back,120.00,,2026-03-31
ann,worked,held_back,80.00,,2026-04-30
ann,worked,carried,-50.00,,
ann,worked,paid_year,10200.00,,
"""


#: Whole months, measured to date.
WHOLE = """  - {key: whole, name: Whole, clause: You earn by tiers., kind: commission, quota: null,
     credits: {classes: [bookings], roles: [ae]}, below_zero: lowest_tier, accelerator: null, cap: null,
     release: [{share: 100%, on: credit_date}],
     measure: {every: month, value: sum, window: year_to_date, of: own, by: period, quota_basis: year},
     tiers: {mode: marginal, axis: amount, boundary: above, rates: [{from: 0.00, rate: 1%}]}}
"""


def arriving(more: str = "") -> House:
    acme = house(plan_text(release=RELEASE) + more + TERMS)
    acme.won("OLD-1", "30000.00", "2026-02-10")  # a part of what the system before counted
    acme.work()
    return acme


def prepared(acme: House) -> CutOver:
    with acme.acme.scope(acme.preparer):
        found = cutovers.cutover_prepare(pay_group=acme.acme.pay_group, source="Xactly", day=MARCH, by=acme.preparer)
        acme.acme.pay_group.refresh_from_db()
        return found


def take(acme: House, cut_over: CutOver) -> None:
    with acme.acme.scope(acme.preparer):
        found = cutover_file.openings_read(OPENINGS, TRANCHES, cut_over=cut_over)
        assert (found.wrong, found.wrong_tranches) == ([], [])
        openings_take(acme, cut_over)
        balances = cutover_file.balances_read(BALANCES, cut_over=cut_over)
        assert balances.wrong == []
        cutovers.balances_take(cut_over=cut_over, file=Named("balances.csv", BALANCES), by=acme.preparer)
    acme.work()
    with acme.acme.scope(acme.preparer):
        cutovers.cutover_refresh(cut_over=cut_over, by=acme.preparer)


def openings_take(acme: House, cut_over: CutOver, text: str = OPENINGS, beside: str = TRANCHES) -> OpeningFile:
    return cutovers.openings_take(
        cut_over=cut_over, file=Named("ann.csv", text), beside=Named("tranches.csv", beside), by=acme.preparer
    )


def sign(
    acme: House, cut_over: CutOver, by: Any = None, *, digest: str = "", no_run: str = "They closed their system"
) -> CutOver:
    by = by or acme.approver
    with acme.acme.scope(by):
        cut_over.refresh_from_db()
        digest = digest or cutovers.sign_digest(cut_over)
        return cutovers.cutover_sign(cut_over=cut_over, signed_by=by, digest=digest, no_run=no_run)


def sound(acme: House) -> None:
    with acme.acme.scope():
        assert replay.differences_found() == []
        assert [problem for check in verify.CHECKS for problem in check().wrong] == []


def parts(statement: Statement) -> dict[str, str]:
    names = ("released", "adjustments", "recovered", "topped_up", "withheld", "carried", "payout")
    found = {name: getattr(statement, f"{name}_minor") for name in names}
    return {name: f"{minor / 100:,.2f}" for name, minor in found.items() if minor}


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


def booked(kind: str = "") -> dict[str, int]:
    """The ledger by account, all of it or of a kind of posting."""
    rows = LedgerEntry.objects.filter(transaction__in=LedgerTransaction.objects.filter(kind__contains=kind))
    found: dict[str, int] = {}
    for account, minor in rows.values_list("account", "amount_minor"):
        found[account] = found.get(account, 0) + minor
    return found


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


def tied_out(acme: House, cut_over: CutOver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Statements of the system before stand; the switch is not signed until what they differ by is explained."""
    with acme.acme.scope(acme.preparer):
        text = "employee,period,amount\nann,2026-01-31,500.00\nann,2026-02-28,9123.45\n"
        found = parallel_file.statements_read(text, cut_over=cut_over, kinds={})
        assert found.wrong == []
        parallel.file_take(
            cut_over=cut_over, name="s.csv", digest="4" * 64, lines=found.lines, kinds={}, by=acme.preparer
        )
    with pytest.raises(CutOverError, match="is unexplained"):
        sign(acme, cut_over)

    def explained(by: User) -> None:
        with acme.acme.scope(by):
            for row in ties(cut_over).filter(open__gt=0):
                said = {"amount_minor": row.rest_minor, "cause": "other_terms", "note": "They guaranteed more"}
                parallel.explain(row=row, by=by, **said)

    own = "you explained a difference"
    not_signed_after(
        lambda: explained(acme.approver), own, "cannot sign what they prepared", acme, cut_over, monkeypatch
    )
    explained(acme.preparer)


@pytest.mark.django_db
def test_until_it_is_signed_all_of_it_may_change_and_nothing_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    acme = arriving()
    cut_over = prepared(acme)
    take(acme, cut_over)
    with acme.acme.scope(acme.preparer):
        CutOver.objects.update(source="Ann's sheet")
        cut_over.refresh_from_db()
        first = cut_over.batch
        file = OpeningFile.objects.get(kind="openings")
        with pytest.raises(CutOverError, match="opened by a file that was taken before"):
            openings_take(acme, cut_over, OPENINGS.replace("XA-77", "XA-78"))
        with pytest.raises(CutOverError, match="it is on 2026-03-01 already"):
            cutovers.cutover_move(cut_over=cut_over, day=MARCH, by=acme.preparer)
        with pytest.raises(CutOverError, match="has a tranche released on 2026-03-15"):
            cutovers.cutover_move(cut_over=cut_over, day=date(2026, 4, 1), by=acme.preparer)
        cutovers.file_take_back(file=file, by=acme.preparer)
        mark = transaction.savepoint()
        cutovers.cutover_move(cut_over=cut_over, day=date(2026, 2, 1), by=acme.approver)
        cut_over.refresh_from_db()
        assert "you moved its day, so somebody else has to sign it." in cutovers.sign_refusals(cut_over, acme.approver)
        transaction.savepoint_rollback(mark)
        cut_over.refresh_from_db()
        assert set(OpeningFile.objects.filter(taken_back_at=None).values_list("kind", flat=True)) == {"balances"}
        with pytest.raises(CutOverError, match="took it back already"):
            cutovers.file_take_back(file=file, by=acme.preparer)
        late = Opening.objects.get(file=file)
        late.pk = late.taken_back_at = late.taken_back_by = None
        with pytest.raises(Error, match="of another cut-over, or taken back"), transaction.atomic():
            late.save(force_insert=True)
    acme.work()
    sound(acme)
    # What waits for it is due since before the switch: ours to pay, and nothing that moved.
    acme.milestone("OLD-1", "go-live", "2026-02-20")
    acme.work()
    # Without its opening OLD-1 is a deal of ours again, and what it released before the switch was paid by them.
    with acme.acme.scope():
        cut_over.refresh_from_db()
        assert cut_over.batch != first and first is not None
        first.refresh_from_db()
        assert first.state == "voided"
    # Another attainment, and another day of a tranche: the same was paid, but it is not the same that is signed. Bob
    # is brought forward with nothing that was paid.
    with acme.acme.scope(acme.preparer):
        plans.assignment_set(participant=bob(), plan=Plan.objects.get(), starts_on=date(2026, 1, 1))
    shown: list[tuple[str, str]] = []
    for opened, waits in (
        (OPENINGS.replace("110000", "120000"), TRANCHES.replace("03-15", "03-16")), (OPENINGS, TRANCHES)
    ):  # fmt: skip
        with acme.acme.scope(acme.preparer):
            if shown:
                cutovers.file_take_back(
                    file=OpeningFile.objects.get(kind="openings", taken_back_at=None), by=acme.preparer
                )
            opened = opened.replace("XA-77", "Ann 77") + "bob,worked,commission,1000.00,0.00,0.00,\n"
            openings_take(acme, cut_over, opened, waits)
        acme.work()
        with acme.acme.scope(acme.preparer):
            batch = cutovers.cutover_refresh(cut_over=cut_over, by=acme.preparer).batch
            cut_over.refresh_from_db()
            assert batch is not None
            shown.append((batch.digest, cutovers.sign_digest(cut_over)))
    assert shown[0][0] == shown[1][0] and shown[0][1] != shown[1][1]
    with pytest.raises(CutOverError, match="not what would be signed"):
        sign(acme, cut_over, digest=shown[0][1])
    with acme.acme.scope(acme.preparer):
        assert Payable.objects.filter(line_kind=5, origin_starts_on__lt=MARCH).exists()
        assert not opening_is_stale(cut_over)
    had_a_hand_in_it(acme, cut_over, monkeypatch)
    with acme.acme.scope(acme.approver), pytest.raises(CutOverError, match="not what would be signed"):
        cutovers.cutover_sign(cut_over=cut_over, signed_by=acme.approver, digest="0" * 64)
    tied_out(acme, cut_over, monkeypatch)
    cut_over = sign(acme, cut_over, no_run="not asked for")
    assert cut_over.no_run == ""
    acme.work()
    with acme.acme.scope(acme.preparer):
        # Who moves to a group that is switched later brings nothing forward twice.
        other = pay_group_create(key="b", name="B", calendar=acme.acme.calendar, opens_on=MARCH)
        Participant.objects.filter(pk=acme.ann.pk).update(pay_group=other)
        later = cutovers.cutover_prepare(pay_group=other, source="Varicent", day=MARCH, by=acme.preparer)
        twice = cutover_file.openings_read(OPENINGS, "", cut_over=later)
        owed = cutover_file.balances_read(BALANCES, cut_over=later)
        assert not twice.rows and not owed.rows
        assert all("a file" in each.message for each in (*twice.wrong, *owed.wrong))
        Participant.objects.filter(pk=acme.ann.pk).update(pay_group=acme.acme.pay_group)
        for act in (
            lambda: cutovers.cutover_move(cut_over=cut_over, day=date(2026, 4, 1), by=acme.preparer),
            lambda: cutovers.file_take_back(file=OpeningFile.objects.get(kind="balances"), by=acme.preparer),
            lambda: cutovers.cutover_abandon(cut_over=cut_over, by=acme.preparer, reason="No"),
        ):
            with pytest.raises(CutOverError, match="signed, and stays as it is"):
                act()
        assert cut_over.batch is not None
        with pytest.raises(BatchError, match="another system paid it"):
            batches.batch_export(batch=cut_over.batch, by=acme.approver)
        gone = {"taken_back_at": cut_over.signed_at, "taken_back_by": acme.preparer}
        opening = Opening.objects.get(taken_back_at=None, participant=acme.ann)
        tranche = OpeningTranche.objects.filter(index=1).last()
        assert tranche is not None
        tranche.pk, tranche.index = None, 9
        for refused in (
            lambda: Opening.objects.filter(taken_back_at=None).update(**gone),
            lambda: OpeningBalance.objects.update(**gone),
            lambda: OpeningBalance.objects.update(amount_minor=1),
            lambda: Opening.objects.filter(pk=opening.pk).delete(),
            lambda: OpeningTranche.objects.update(amount_minor=1),
            lambda: tranche.save(force_insert=True),
            lambda: CutOver.objects.update(day=MARCH + timedelta(days=31)),
            lambda: CutOver.objects.all().delete(),
            lambda: BatchSettlement.objects.update(payout_minor=1),
        ):
            with pytest.raises(Error), transaction.atomic():
                refused()
        # An erasure reaches what names a person all the same.
        gone_for = Erasure.objects.create(
            participant=acme.ann, pseudonym="Person ann", reason="Asked", asked_by=acme.preparer,
            approved_by=acme.approver, approved_at=cut_over.signed_at,
        )  # fmt: skip
        for row, column, text in (
            (cut_over, "source", "Person ann's sheet"),
            (opening, "reference", "Person ann 77"),
            (opening.file, "name", "Person ann.csv"),
        ):
            with connection.cursor() as cursor:
                redacted: list[Any] = [gone_for.pk, row._meta.db_table, row.pk, column, text.encode()]
                cursor.execute("SELECT comp_redact(%s, %s, %s, %s, %s)", redacted)
            row.refresh_from_db()
            assert getattr(row, column) == text
        assert cutovers.sign_digest(cut_over) == cut_over.digest
    sound(acme)


def bob() -> Participant:
    return Participant.objects.get(key="bob")


def had_a_hand_in_it(acme: House, cut_over: CutOver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who moved the day, built the batch, wrote a part of the parallel run or is brought forward does not sign, and
    the database refuses it too."""

    def legacy() -> None:
        LegacyFile.objects.create(cut_over=cut_over, name="l.csv", digest="4" * 64, rows=0, uploaded_by=acme.approver)

    def moved() -> None:
        for day in (MARCH + timedelta(days=31), MARCH):
            CutOver.objects.update(day=day, moved_by=acme.approver)

    grounds: dict[str, tuple[Any, str]] = {
        "you moved its day": (moved, "cannot sign what they prepared"),
        "you uploaded l.csv": (legacy, "cannot sign what they prepared"),
        "you said what rounding is": (
            lambda: ParallelRun.objects.create(cut_over=cut_over, rounding_by=acme.approver),
            "cannot sign what they prepared",
        ),
        "your own pay is in it": (
            lambda: Participant.objects.filter(key="bob").update(user=acme.approver), "cannot sign their own pay"
        ),
        "brought its opening batch up to date": (
            lambda: cutovers.cutover_refresh(cut_over=cut_over, by=acme.approver), "locked it"
        ),
    }  # fmt: skip
    for why, (act, refused) in grounds.items():
        not_signed_after(act, why, refused, acme, cut_over, monkeypatch)
    with pytest.raises(CutOverError, match="say why it is signed without one"):
        sign(acme, cut_over, no_run=" ")
    with monkeypatch.context() as patch, pytest.raises(Error, match="nobody says why"):
        patch.setattr(cutovers, "was_run", lambda *_: True)
        sign(acme, cut_over, no_run=" ")
    with acme.acme.scope(acme.approver):
        with pytest.raises(Error, match="its day is moved by somebody"), transaction.atomic():
            CutOver.objects.update(moved_by=acme.approver)
        with pytest.raises(Error, match="its day is moved by somebody"), transaction.atomic():
            CutOver.objects.update(day=date(2026, 2, 1))
        cut_over.refresh_from_db()


def not_signed_after(
    act: Any, why: str, refused: str, acme: House, cut_over: CutOver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused to the approver by the service, and by the database where the service would not look. `act` is undone."""
    with acme.acme.scope(acme.approver):
        mark = transaction.savepoint()
        act()
        with pytest.raises(CutOverError, match=why):
            sign(acme, cut_over)
        with monkeypatch.context() as patch, pytest.raises((Error, CutOverError), match=refused):
            patch.setattr(cutovers, "sign_refusals", lambda *_: [])
            with transaction.atomic():
                sign(acme, cut_over)
        transaction.savepoint_rollback(mark)


@pytest.mark.django_db
def test_finance_walks_through_a_switch() -> None:
    acme = arriving()
    fay, finn = signed_in(acme.preparer), signed_in(acme.approver)
    begun = {"pay_group": acme.acme.pay_group.pk, "source": "Xactly", "day": "2026-03-01"}
    assert b"No switch" in fay.get("/t/acme/cut-overs/").content
    assert fay.get("/t/acme/cut-overs/new/").status_code == 200
    for day, why in (("2026-03-05", b"within a pay period"), ("9999-12-31", b"No pay period holds 9999-12-31")):
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
