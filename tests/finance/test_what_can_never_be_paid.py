"""A payment that payroll rejected and that can never be paid: let go by two people, owed again or not owed."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from comp.audit.models import AuditEntry
from payouts.models import Account, LedgerTransaction, Payment
from payouts.reads import payments as reads
from payouts.services import ledger, payment_voids, payments
from payouts.services.batch_steps import BatchError
from payouts.services.ledger import Row
from tests.finance.cast import FEBRUARY, World
from tests.finance.test_finance_pages import text
from tests.finance.test_payroll import account, answer, batch_of, batch_of_, exported, holds, stand, states


def test_what_can_never_be_paid_is_let_go_by_two_people(paying: World) -> None:
    """Rita is paid at the second try. Sam's 40.00 are owed again and go out in February; Tom's 9.99 are not owed."""
    fiona, frank, rita = (paying.users[name] for name in ("fiona", "frank", "rita"))
    run = exported(paying)
    answer(paying, run, *(f"{who},,USD,rejected,Account closed,," for who in ("R1", "S1", "T1")))
    ask, confirm = payment_voids.let_go_ask, payment_voids.let_go_confirm
    with paying.scope():
        of = {each.participant.key: each for each in Payment.objects.select_related("participant")}
        for outcome, reason, by, says in (
            ("", "Gone", fiona, "has to be chosen. Allowed: Owed again"),
            ("owed", " ", fiona, "needs a reason"),
            ("owed", "Gone", rita, "your own pay"),
        ):
            with pytest.raises(BatchError, match=says):
                ask(payment=of["R1"], outcome=outcome, reason=reason, by=by)
        with pytest.raises(BatchError, match="nobody asks for it"):
            confirm(payment=of["R1"], outcome="owed", by=frank)
        ask(payment=of["R1"], outcome="not_owed", reason="Gone", by=fiona)
        for by, outcome, says in (
            (fiona, "not_owed", "you asked for it"),
            (rita, "not_owed", "your own pay"),
            (frank, "owed", "something else is asked for by now: Not owed"),
        ):
            with pytest.raises(BatchError, match=says):
                confirm(payment=of["R1"], outcome=outcome, by=by)
        with pytest.raises(BatchError, match="Fiona has asked for it to be void already"):
            payment_voids.payment_again(payment=of["R1"], by=frank)
        # The database refuses each of these too.
        for change, says in (
            ({"voided_by": fiona}, "payment_void_two_people"),
            ({"voided_by": rita}, "nobody decides about their own pay"),
            ({"voided_by": frank, "outcome": ""}, "let go with what becomes of it"),
            ({"voided_by": frank, "outcome": "owed"}, "void as it was asked for before"),
            ({"voided_by": frank, "void_reason": "Moved"}, "void as it was asked for before"),
            ({"state": "rejected", "outcome": "forfeit"}, "payment_outcome"),
        ):
            with pytest.raises(IntegrityError, match=says), transaction.atomic():
                Payment.objects.filter(pk=of["R1"].pk).update(**{"state": "void"} | change)
        payment_voids.void_withdraw(payment=of["R1"], by=frank)
        payment_voids.payment_again(payment=of["R1"], by=fiona)
        with pytest.raises(BatchError, match="issued again already"):
            ask(payment=of["R1"], outcome="owed", reason="Gone", by=fiona)
        change = {"state": "void", "voided_by": frank, "void_asked_by": fiona, "void_reason": "x", "outcome": "owed"}
        with pytest.raises(IntegrityError, match="issued again already"), transaction.atomic():
            Payment.objects.filter(pk=of["R1"].pk).update(**change)
        ask(payment=of["S1"], outcome="owed", reason="No account known", by=fiona)
        confirm(payment=of["S1"], outcome="owed", by=frank)
        with pytest.raises(BatchError, match="it is void; only a rejected payment is let go"):
            confirm(payment=of["S1"], outcome="owed", by=frank)
        assert batch_of(paying).state == "posted" and reads.open_count(batch_of(paying)) == 2
    page = paying.url(f"payments/{of['T1'].pk}/")
    assert "It can never be paid" in text(paying.client("fiona").get(page))
    said = {"step": "let_go", "outcome": "not_owed", "reason": "Paid in cash by the branch"}
    assert "Somebody else has to confirm" in text(paying.client("fiona").post(page + "step/", said, follow=True))
    shown = text(paying.client("frank").get(page))
    assert "Not owed: what was expensed is taken back" in shown and "Let go of PAY-000003" in shown
    said = {"step": "let_go_confirm", "outcome": "not_owed"}
    assert "is void, and nothing of it is open" in text(paying.client("frank").post(page + "step/", said, follow=True))
    assert [account(paying, name, "T1") for name in ("expense", "payable", "paid")] == [0, 0, 0]
    assert [account(paying, name, "S1") for name in ("expense", "payable", "paid")] == [40_00, -40_00, 0]
    with paying.scope():
        batch = batch_of(paying)
        told = AuditEntry.objects.get(code="payment.let_go", after__outcome="not_owed")
        assert told.after["ledger"] == batch.ledger_head and told.reason == "Paid in cash by the branch"
        sam, amount = paying.people["S1"], 40_00
        rows = [
            Row(sam.pk, sam.pay_group_id, name, "USD", minor)
            for name, minor in ((Account.PAYABLE, amount), (Account.EXPENSE, -amount))
        ]
        says = pytest.raises(IntegrityError, match="was not owed 4000 minor units of USD, and payments say 0")
        with says, transaction.atomic():
            ledger.post_rows(kind=LedgerTransaction.Kind.NOT_OWED, rows=rows, batch=batch, part=9)
        again = {"batch": batch, "participant": paying.people["T1"], "pay_group": batch.pay_group, "amount_minor": 9_99}
        with pytest.raises(IntegrityError, match="not what payment"), transaction.atomic():
            Payment.objects.create(number=99, currency="USD", reissue_of=of["T1"], why="void", **again)
        second = payments.reissues_run(batch=batch, by=fiona)
        assert second.totals == {"USD": 125_50}
    answer(paying, second, rest_paid=True)
    assert batch_of_(paying).state == "paid"
    assert {who: states(paying)[who] for who in ("R1", "S1", "T1")} == {
        "R1": "paid",
        "S1": "approved",
        "T1": "approved",
    }
    holds(paying)
    paying.earn("S1", "D-9", 7_00, date(2026, 2, 3))
    february = paying.approve(paying.submit(FEBRUARY))
    url = paying.url(f"payouts/{february.pk}/")
    assert "$40.00" in text(paying.client("fiona").get(url + "export/"))
    paying.pay(february)
    assert sorted(stand(paying)["S1"]) == [("paid", 7_00), ("paid", 40_00), ("void", 40_00)]
    assert account(paying, "paid", "S1") == -47_00 and account(paying, "payable", "S1") == 0
    assert states(paying)["S1"] == "paid" and states(paying)["T1"] == "approved"
    with paying.scope():
        told = AuditEntry.objects.get(code="payment.again", subject_id=str(of["S1"].pk))
        assert told.after["again"] == str(Payment.objects.get(reissue_of=of["S1"]))
    holds(paying)
