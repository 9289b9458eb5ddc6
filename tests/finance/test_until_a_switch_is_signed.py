"""Until a switch is signed all of it may change, and nothing afterwards; who had a hand in it does not sign it."""

from __future__ import annotations

import re
from datetime import date, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import Error, connection, transaction

from comp.people.models import Erasure, Participant
from comp.people.services import pay_group_create
from comp.tenancy.models import User
from payouts.models import (
    BatchSettlement,
    CutOver,
    LegacyFile,
    Opening,
    OpeningBalance,
    OpeningFile,
    OpeningTranche,
    ParallelRun,
    Payable,
)
from payouts.reads.parallel import ties
from payouts.services import batches, cutover_file, cutovers, parallel, parallel_file
from payouts.services.batch_steps import BatchError
from payouts.services.cutovers import CutOverError
from payouts.services.opening_batch import opening_is_stale
from plans import services as plans
from plans.models import Plan
from tests.finance.switch import (
    BALANCES,
    MARCH,
    OPENINGS,
    TRANCHES,
    arriving,
    openings_take,
    prepared,
    sign,
    sound,
    take,
)
from tests.payouts.house import House


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
        with pytest.raises(CutOverError, match="it is on 1 March 2026 already"):
            cutovers.cutover_move(cut_over=cut_over, day=MARCH, by=acme.preparer)
        with pytest.raises(CutOverError, match="has a tranche released on 15 March 2026"):
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
        assert cutovers.sign_digest(cut_over) == cut_over.digest == bound_at_first(cut_over)
    sound(acme)


def bound_at_first(cut_over: CutOver) -> str:
    """The digest as it was before it bound what was paid abroad: switches that were signed by it stay signed."""
    assert cut_over.batch is not None
    said = {
        "company": cut_over.tenant_id, "switch": cut_over.pk, "switch_day": cut_over.day,
        "batch_digest": cut_over.batch.digest,
    }  # fmt: skip
    first: Any = import_module("payouts.migrations.0042_who_signs_a_switch_signs_all_of_it")
    query = re.sub(rf"\b({'|'.join(said)})\b", r"%(\1)s", first.DIGEST.split("$$")[1])
    with connection.cursor() as cursor:
        cursor.execute(query, said)
        return str(cursor.fetchone()[0])


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
