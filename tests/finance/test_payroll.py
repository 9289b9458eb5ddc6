"""Payments with payroll: what goes out, what comes back, each kind of difference, voiding and issuing again."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from comp.audit.models import AuditEntry
from comp.core.errors import ProblemsError
from comp.tenancy.scope import Pay
from payouts import verify
from payouts.models import AnswerRow, Batch, LedgerEntry, Payment, PayrollAnswer, PayrollFile, PayrollRun, Statement
from payouts.reads import payments as reads
from payouts.services import checklists, payment_voids, payments, payroll_answers, payroll_files, periods
from payouts.services.batch_steps import BatchError
from tests.finance.cast import FEBRUARY, JANUARY, World, company
from tests.finance.test_finance_pages import text


def batch_of(world: World) -> Batch:
    return Batch.objects.get(starts_on=JANUARY)


def exported(world: World) -> PayrollRun:
    with world.scope():
        batch = batch_of(world)
        payroll_files.batch_file(batch=batch, provider=None, by=world.users["fiona"])
        return payments.run_make(batch=batch, by=world.users["fiona"])


def answer(world: World, run: PayrollRun, *rows: str, rest_paid: bool = False, apply: bool = True) -> PayrollAnswer:
    body = "\n".join(("employee,amount,currency,status,reason,reference,paid on", *rows)) + "\n"
    with world.scope():
        found = payroll_answers.answer_read(
            run=run, provider=None, name="a.csv", text=body, rest_paid=rest_paid, by=world.users["fiona"]
        )
        return payroll_answers.answer_apply(answer=found, by=world.users["fiona"]) if apply else found


def stand(world: World) -> dict[str, list[tuple[str, int]]]:
    """Each person's payments in their order: state and amount."""
    found: dict[str, list[tuple[str, int]]] = {}
    with world.scope():
        for payment in Payment.objects.select_related("participant").order_by("number"):
            found.setdefault(payment.participant.key, []).append((payment.state, payment.amount_minor))
    return found


def account(world: World, name: str, who: str = "") -> int:
    with world.scope():
        rows = LedgerEntry.objects.filter(account=name)
        rows = rows.filter(participant__key=who) if who else rows
        return sum(rows.values_list("amount_minor", flat=True))


def holds(world: World) -> None:
    """All that `verify` asks, but of figures: these are put down by hand."""
    asked = [check for check in verify.CHECKS if check is not verify.incremental]
    with world.scope():
        assert [problem for check in asked for problem in check().wrong] == []


def states(world: World) -> dict[str, str]:
    with world.scope():
        rows = Statement.objects.filter(period_starts_on=JANUARY)
        return dict(rows.values_list("participant__key", "state"))


def decide(world: World, who: str, decision: str, reason: str = "Talked to payroll") -> AnswerRow:
    with world.scope():
        row = reads.differences_open().get(participant__key=who)
        return payroll_answers.difference_decide(row=row, decision=decision, reason=reason, by=world.users["frank"])


def test_a_run_asks_for_what_is_owed_and_its_files_are_the_same_again(paying: World) -> None:
    fiona = paying.users["fiona"]
    run = exported(paying)
    assert stand(paying) == {"R1": [("exported", 125_50)], "S1": [("exported", 40_00)], "T1": [("exported", 9_99)]}
    assert (run.payments, run.totals) == (3, {"USD": 175_49}) and exported(paying) == run
    with paying.scope():
        batch = batch_of(paying)
        provider = payroll_files.provider_set(
            key="adp", name="ADP", shape="adp", settings={"company": "AB", "codes": {"*": "COM"}}, by=fiona
        )
        made = [payroll_files.batch_file(batch=batch, provider=provider, by=fiona) for _ in range(2)]
        own = payroll_files.batch_file(batch=batch, provider=None, by=fiona)
        # Another name, and another mapping later: what went out can be made again as it was.
        paying.people["R1"].name = "Rita Married"
        paying.people["R1"].save()
        payroll_files.provider_set(
            provider=provider, key="adp", name="ADP", shape="adp",
            settings={"company": "ABC", "codes": {"*": "COM"}, "grouping": "component"}, by=fiona,
        )  # fmt: skip
        kept = PayrollFile.objects.get(provider=provider)
        assert payroll_files.file_again(kept=kept, by=fiona).body == made[0].body == made[1].body
        assert payroll_files.batch_file(batch=batch, provider=None, by=fiona).body == own.body
        assert b"Rita Rep" in own.body and b"'=Tom" in own.body and b"balance,N1" in own.body
        other = payroll_files.batch_file(batch=batch, provider=provider, by=fiona)
        assert zipfile.ZipFile(io.BytesIO(other.body)).namelist() == ["PRABCEPI.csv", "control.csv"]
        told = AuditEntry.objects.filter(code="batch.export", after__form="adp").order_by("number").first()
        assert told and told.after["rows"] == 3 and told.after["file"] == made[0].digest
        with pytest.raises(ProblemsError, match="company"):
            payroll_files.provider_set(provider=provider, key="adp", name="ADP", shape="adp", settings={}, by=fiona)
        assert [(row.participant.key, row.minor) for row in reads.owed_back(batch)] == [("N1", 12_34)]
    holds(paying)


def test_an_answer_with_every_kind_of_difference(paying: World) -> None:
    paying.person("E1", "Eva Elsewhere")
    run = exported(paying)
    lines = (
        "R1,120.00,USD,paid,,ref-1,2026-02-05",  # another amount
        "S1,,USD,rejected,account closed,,",
        "T1,9.99,EUR,paid,,,",  # another currency
        "E1,1.00,USD,paid,,,",  # nothing was asked for
        "Z9,5.00,USD,paid,,,",  # nobody knows
    )
    read = answer(paying, run, *lines, apply=False)
    assert set(stand(paying)["R1"]) == {("exported", 125_50)}, "reading changes nothing"
    done = answer(paying, run, *lines)
    assert done.strangers == [{"line": 6, "employee": "Z9"}] and read.applied_at is None
    with paying.scope():
        found = {row.participant.key: (row.said, row.difference) for row in AnswerRow.objects.filter(answer=done)}
        assert found == {
            "R1": ("paid", "amount"), "S1": ("rejected", ""), "T1": ("paid", "currency"), "E1": ("paid", "unexpected"),
        }  # fmt: skip
        assert batch_of(paying).state == "posted"
    assert stand(paying)["S1"] == [("rejected", 40_00)] and account(paying, "paid") == 0
    # The same file again, and one like it, change nothing.
    count = account(paying, "paid"), len(stand(paying)), done.pk
    assert answer(paying, run, *lines).pk == done.pk
    assert (account(paying, "paid"), len(stand(paying)), done.pk) == count
    with paying.scope():
        assert PayrollAnswer.objects.filter(applied_at__isnull=False).count() == 1
    with pytest.raises(BatchError, match="allowed: Set aside"):
        decide(paying, "E1", "accepted")
    with pytest.raises(BatchError, match="needs its reason"):
        decide(paying, "R1", "accepted", " ")
    with paying.scope():  # Rita of Finance would decide about her own pay
        own = reads.differences_open().get(participant__key="R1")
        with pytest.raises(BatchError, match="it is your own pay"):
            payroll_answers.difference_decide(row=own, decision="accepted", reason="x", by=paying.users["rita"])
        with pytest.raises(IntegrityError, match="nobody decides about their own pay"), transaction.atomic():
            AnswerRow.objects.filter(pk=own.pk).update(
                decision="accepted", decision_reason="x", decided_by=paying.users["rita"]
            )
    decide(paying, "E1", "set_aside")
    decide(paying, "R1", "accepted")
    # 120.00 is paid, and the rest is due again; Tom was paid in no currency that was asked for.
    assert stand(paying)["R1"] == [("paid", 125_50), ("due", 5_50)]
    assert account(paying, "paid", "R1") == -120_00
    decide(paying, "T1", "rejected")
    assert set(states(paying).values()) == {"approved"}
    with paying.scope():
        assert batch_of(paying).state == "posted" and not reads.differences_open().exists()
        assert reads.open_count(batch_of(paying)) == 3
        with pytest.raises(BatchError, match="nothing of it is with payroll, and 3 of its payments are open"):
            payments.batch_mark_paid(batch=batch_of(paying), paid_by=paying.users["fiona"])
    holds(paying)
    # What is due again goes out in a file of its own; what was rejected after somebody says so.
    with paying.scope():
        for who in ("S1", "T1"):
            payment_voids.payment_again(
                payment=Payment.objects.get(participant__key=who, state="rejected"), by=paying.users["fiona"]
            )
        again = payments.reissues_run(batch=batch_of(paying), by=paying.users["fiona"])
        assert (again.number, again.payments, again.totals) == (1, 3, {"USD": 55_49})
        file = payroll_files.run_file(run=again, provider=None, by=paying.users["fiona"])
        assert file.totals == {"USD": 55_49} and b"balance" not in file.body
    answer(paying, again, "R1,5.50,USD,paid,,,", rest_paid=True)
    assert set(states(paying).values()) == {"paid"} and account(paying, "paid") == -175_49
    assert batch_of_(paying).state == "paid"
    assert account(paying, "payable") == 12_34, "Nora's balance stays"
    holds(paying)


def test_missing_people_and_too_much_money(paying: World) -> None:
    run = exported(paying)
    answer(paying, run, "R1,130.50,USD,paid,,,", "S1,40.00,USD,paid,,,")
    with paying.scope():
        assert {row.participant.key: row.difference for row in reads.differences_open()} == {
            "R1": "amount",
            "T1": "missing",
        }
    assert states(paying)["S1"] == "paid", "of whom nothing is open reads Paid at once"
    decide(paying, "R1", "accepted")
    with paying.scope():
        back = {(row.participant.key, row.minor) for row in reads.owed_back(batch_of(paying))}
        assert back == {("N1", 12_34), ("R1", 5_00)}
        assert batch_of(paying).state == "posted"
    assert account(paying, "payable", "R1") == 5_00
    # A later answer closes what the first left open.
    answer(paying, run, "T1,9.99,USD,paid,,ref-9,2026-02-06")
    with paying.scope():
        assert not reads.differences_open().exists() and batch_of(paying).state == "paid"
        tom = Payment.objects.get(participant__key="T1")
        assert (tom.paid_on, tom.reference) == (date(2026, 2, 6), "ref-9")
    holds(paying)


def test_two_people_void_a_payment_and_it_goes_out_with_the_next(paying: World) -> None:
    fiona, frank, rita = (paying.users[name] for name in ("fiona", "frank", "rita"))
    paid = paying.pay(batch_of_(paying))
    assert paid.state == "paid" and account(paying, "paid") == -175_49
    with paying.scope():
        payment = Payment.objects.get(participant__key="R1")
        with pytest.raises(BatchError, match="needs a reason"):
            payment_voids.void_ask(payment=payment, reason=" ", by=fiona)
        with pytest.raises(BatchError, match="nobody asks"):
            payment_voids.void_confirm(payment=payment, by=frank)
        payment_voids.void_ask(payment=payment, reason="Sent to an old account", by=fiona)
        for who, says in ((fiona, "you asked for it"), (rita, "your own pay")):
            with pytest.raises(BatchError, match=says):
                payment_voids.void_confirm(payment=payment, by=who)
        payment_voids.void_withdraw(payment=payment, by=frank)
        payment_voids.void_ask(payment=payment, reason="Sent to an old account", by=fiona)
        payment_voids.void_confirm(payment=payment, by=frank)
        with pytest.raises(BatchError, match="it is void"):
            payment_voids.void_confirm(payment=payment, by=frank)
    assert stand(paying)["R1"] == [("void", 125_50), ("due", 125_50)]
    assert account(paying, "paid", "R1") == 0 and account(paying, "payable", "R1") == -125_50
    assert states(paying)["R1"] == "approved" and states(paying)["S1"] == "paid"
    holds(paying)
    paying.earn("S1", "D-9", 7_00, date(2026, 2, 3))
    second = paying.approve(paying.submit(FEBRUARY))
    paying.pay(second)
    with paying.scope():
        run = PayrollRun.objects.get(batch=second)
        assert run.totals == {"USD": 132_50}
    assert states(paying)["R1"] == "paid" and account(paying, "paid", "R1") == -125_50
    holds(paying)


def batch_of_(world: World) -> Batch:
    with world.scope():
        return batch_of(world)


def test_what_breaks_off_in_the_middle_leaves_nothing(paying: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = exported(paying)

    def broken(*args: Any, **said: Any) -> Any:
        raise ConnectionError("the server went away")

    with monkeypatch.context() as patched:
        patched.setattr(payments, "batch_follows", broken)
        for step in (lambda: answer(paying, run, rest_paid=True), lambda: paying.pay(batch_of_(paying))):
            with pytest.raises(ConnectionError):
                step()
    assert {state for rows in stand(paying).values() for state, _ in rows} == {"exported"}
    assert account(paying, "paid") == 0
    answer(paying, run, rest_paid=True)
    assert account(paying, "paid") == -175_49 and batch_of_(paying).state == "paid"
    holds(paying)


def test_the_database_refuses(paying: World) -> None:
    paying.pay(batch_of_(paying))
    with paying.scope():
        payment = Payment.objects.get(participant__key="R1")
        same = Payment(
            number=99, batch=payment.batch, participant=payment.participant, pay_group=payment.pay_group, currency="USD"
        )
        for change, says in (
            ({"amount_minor": 1}, "permission denied"),
            ({"state": "exported"}, "cannot go from paid to exported"),
            ({"state": "rejected", "reason": "x"}, "cannot go from paid to rejected"),
            ({"paid_minor": 1}, "what payroll said of it stands"),
            ({"run": None}, "went out already"),
            (
                {"state": "void", "void_reason": "x", "void_asked_by": 1, "voided_by": 2},
                "void as it was asked for before",
            ),
        ):
            with pytest.raises(Exception, match=says), transaction.atomic():
                Payment.objects.filter(pk=payment.pk).update(**change)
        for extra, says in (
            ({"amount_minor": 1, "state": "due"}, "payment_once"),
            ({"amount_minor": 1, "state": "due", "reissue_of": payment, "why": "rest"}, "not what payment"),
            ({"amount_minor": 125_50, "state": "due", "reissue_of": payment, "why": "void"}, "not what payment"),
            ({"amount_minor": 1, "state": "paid"}, "begins as due or exported"),
        ):
            for name, value in extra.items():
                setattr(same, name, value)
            same.pk = None
            with pytest.raises(IntegrityError, match=says), transaction.atomic():
                same.save(force_insert=True)
            same.reissue_of, same.why = None, ""
    with paying.scope(Pay.of([paying.people["S1"].pk])):
        assert list(Payment.objects.values_list("participant__key", flat=True)) == ["S1"]


def test_payments_by_hand_on_their_pages(paying: World) -> None:
    fiona, frank = paying.client("fiona"), paying.client("frank")
    batch = batch_of_(paying)
    url = paying.url(f"payouts/{batch.pk}/")
    paying.earn("R1", "D-1", 110_00, date(2026, 1, 10))
    asked = text(fiona.get(url + "export/"))
    assert "Recalculated since" in asked and "+$10.00" in asked and "$175.49" in asked and "Nora New" in asked
    told = text(fiona.post(url + "export/", follow=True))
    assert "Figures moved since they were approved" in told
    seen = fiona.get(url + "export/").context["seen"]
    assert b"PAY-000001" in fiona.post(url + "export/", {"seen": seen}).content
    provider = {
        "name": "Bank", "key": "bank", "shape": "bank", "grouping": "person", "dates": "YYYY-MM-DD",
        "decimals": "point", "delimiter": "comma", "active": "on",
    }  # fmt: skip
    tried = text(fiona.post(paying.url("payroll/providers/new/"), {**provider, "step": "preview"}))
    assert "Tried on January 2026, Sales" in tried and "125.50" in tried
    assert "Bank is kept" in text(fiona.post(paying.url("payroll/providers/new/"), provider, follow=True))
    refused = fiona.post(paying.url("payroll/providers/new/"), {**provider, "key": "w", "shape": "workday"})
    assert refused.status_code == 422 and "* = CODE" in refused.content.decode()
    body = (
        b"employee,amount,currency,status,reason\nR1,100.00,USD,paid,\nS1,40.00,USD,paid,\nT1,0,USD,rejected,no IBAN\n"
    )
    with paying.scope():
        run = PayrollRun.objects.get()
    upload = {"run": run.pk, "file": SimpleUploadedFile("answer.csv", body)}
    page = fiona.post(url + "answer/", upload, follow=True)
    assert "Another amount" in text(page) and "Take it over" in text(page)
    done = text(fiona.post(page.request["PATH_INFO"] + "apply/", follow=True))
    assert "is taken over" in done and "1 difference waits for a decision" in done
    with paying.scope():
        row = reads.differences_open().get()
        tom = Payment.objects.get(participant__key="T1")
    assert "Rita Rep" in text(frank.get(paying.url("payroll/")))
    decided = frank.post(
        paying.url(f"payroll/differences/{row.pk}/"), {"decision": "accepted", "reason": "Tax"}, follow=True
    )
    assert "accepted as paid" in text(decided)
    listed = text(fiona.get(url + "payments/"))
    assert (
        "no IBAN" in listed
        and "$25.50" in listed
        and "Goes out next" in listed
        and "payments open: 2" in text(fiona.get(url))
    )
    assert "25.50" in fiona.get(url + "payments/?csv=1&state=due").content.decode()
    step = paying.url(f"payments/{tom.pk}/step/")
    assert "is due in place of" in text(fiona.post(step, {"step": "again"}, follow=True))
    assert "issued again already" in text(fiona.post(step, {"step": "again"}, follow=True))
    with paying.scope(Pay.of([paying.people["R1"].pk])):
        mine = reads.of_statement(Statement.objects.get(period_starts_on=JANUARY))
        shown = strip_tags(render_to_string("payouts/payments/_reconciliation.html", {"payments": mine}))
        assert "$100.00of $125.50: Tax" in shown and "in place of PAY-000001" in shown and "goes out next" in shown
    big = SimpleUploadedFile("big.csv", b"employee,amount\n" + b"R1,1\n" * (payroll_answers.MOST_ROWS + 1))
    assert "more than 100,000 rows" in text(fiona.post(url + "answer/", {"run": run.pk, "file": big}))
    stranger = company("rival").client("fiona")
    for rest in ("payroll/", f"payments/{tom.pk}/", f"payouts/{batch.pk}/payments/", f"payouts/{batch.pk}/export/"):
        assert stranger.get(paying.url(rest)).status_code == 404
    assert paying.client("lena").get(url + "payments/").status_code == 200
    assert paying.client("lena").get(paying.url("payroll/")).status_code == 403


def voided(world: World, payment: Payment) -> None:
    payment_voids.void_ask(payment=payment, reason="Wrong account", by=world.users["fiona"])
    payment_voids.void_confirm(payment=payment, by=world.users["frank"])


def test_what_is_voided_meanwhile_is_not_paid_beside_what_replaces_it(paying: World) -> None:
    run = exported(paying)
    rest = ("S1,40.00,USD,,,,", "T1,9.99,USD,,,,")
    with pytest.raises(ProblemsError, match="no negative amount"):
        answer(paying, run, "R1,-50.00,USD,paid,,,", *rest)
    answer(paying, run, "R1,,USD,rejected,Account closed,,", *rest)
    with paying.scope():
        payment_voids.payment_again(payment=Payment.objects.get(participant__key="R1"), by=paying.users["fiona"])
    paying.earn("R1", "D-F", 20_00, date(2026, 2, 3))
    paying.approve(paying.submit(FEBRUARY))
    with paying.scope():
        february = Batch.objects.get(starts_on=FEBRUARY)
        payroll_files.batch_file(batch=february, provider=None, by=paying.users["fiona"])
        run = payments.run_make(batch=february, by=paying.users["fiona"])
    early = answer(paying, run, "R1,145.50,USD,paid,,,", apply=False)
    less = answer(paying, run, "R1,140.00,USD,paid,,,")
    with paying.scope():
        row = AnswerRow.objects.get(answer=less, participant__key="R1")
        voided(paying, Payment.objects.get(amount_minor=125_50, state="exported"))
        with pytest.raises(BatchError, match="payments moved"):
            payroll_answers.difference_decide(row=row, decision="accepted", reason="Yes", by=paying.users["fiona"])
        with pytest.raises(BatchError, match="payments moved"):
            payroll_answers.answer_apply(answer=early, by=paying.users["fiona"])
    # Neither file paid the 20.00 with the others' amount.
    assert stand(paying)["R1"] == [("rejected", 125_50), ("void", 125_50), ("exported", 20_00), ("due", 125_50)]
    holds(paying)


def test_a_batch_is_paid_when_everybody_is_and_goes_on_when_it_is_closed(paying: World) -> None:
    run = exported(paying)
    answer(paying, run, *(f"{who},,USD,rejected,Bank holiday,," for who in ("R1", "S1", "T1")))
    users = paying.users
    with paying.scope():
        batch = batch_of(paying)
        assert batch.state == "posted"
        with pytest.raises(IntegrityError, match="3 of its payments are open"), transaction.atomic():
            Batch.objects.update(state="paid", paid_by=users["fiona"])
    holds(paying)
    with paying.scope():
        for payment in Payment.objects.order_by("number"):
            payment_voids.payment_again(payment=payment, by=users["fiona"])
        again = payments.reissues_run(batch=batch, by=users["fiona"])
    answer(paying, again, "R1,125.50,USD,paid,,,", rest_paid=True)
    with paying.scope():
        batch = batch_of(paying)
        assert batch.state == "paid"
        for check in checklists.checks_open(batch):
            does = check.owner or users["fiona" if checklists.may_do(check, users["fiona"]) else "ops"]
            checklists.check_do(check=check, done_by=does, note="Seen")
        periods.period_close(batch=batch, closed_by=users["fiona"])
        voided(paying, Payment.objects.get(participant__key="R1", state="paid"))
    assert account(paying, "paid") == -49_99 and stand(paying)["R1"][-1] == ("due", 125_50)
    with paying.scope():
        last = payments.reissues_run(batch=batch, by=users["fiona"])
    answer(paying, last, rest_paid=True)
    assert account(paying, "paid") == -175_49 and batch_of_(paying).state == "closed"


def test_a_run_holds_the_batches_of_all_its_payments(paying: World) -> None:
    """What is issued again of a batch before is settled with the run it is in, behind the locks of both batches."""
    run = exported(paying)
    answer(
        paying, run, "R1,100.00,USD,paid,,,", "S1,40.00,USD,rejected,No account,,", "T1,9.99,USD,rejected,No account,,"
    )
    fiona, frank = paying.users["fiona"], paying.users["frank"]
    with paying.scope():
        payment = Payment.objects.get(participant__key="R1")
        payment_voids.void_ask(payment=payment, reason="Stopped", by=fiona)
        payment_voids.void_confirm(payment=payment, by=frank)
    decide(paying, "R1", "set_aside")
    assert batch_of_(paying).state == "posted" and account(paying, "paid") == 0
    holds(paying)
    paying.earn("S1", "D-FEB", 5_00, date(2026, 2, 12))
    paying.approve(paying.submit(FEBRUARY))
    with paying.scope():
        second = Batch.objects.get(starts_on=FEBRUARY)
        payroll_files.batch_file(batch=second, provider=None, by=fiona)
        later = PayrollRun.objects.get(batch=second)
        with CaptureQueriesContext(connection) as asked:
            payments.batch_mark_paid(batch=second, paid_by=frank)
        assert set(Payment.objects.filter(run=later).values_list("batch__starts_on", "state")) == {
            (JANUARY, "paid"),
            (FEBRUARY, "paid"),
        }
    first = next(query["sql"] for query in asked if "FOR UPDATE" in query["sql"] and " IN (" in query["sql"])
    assert "payouts_batch" in first and str(batch_of_(paying).pk) in first
    assert account(paying, "paid") == -130_50
    holds(paying)
