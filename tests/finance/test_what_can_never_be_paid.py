"""A payment that payroll rejected and that can never be paid: let go by two people, owed again or not owed."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils import timezone

from comp.audit.models import AuditEntry
from comp.people.models import Participant
from crediting.models import Deal, Fact
from payouts.models import Account, CostLine, LedgerEntry, LedgerTransaction, Payment
from payouts.reads import payments as reads
from payouts.reads.going_out import Next, goes_next
from payouts.services import ledger, payment_voids, payments, payroll_answers
from payouts.services.accruals import accrue, policy_set
from payouts.services.batch_steps import BatchError
from payouts.services.contract_costs import cost_policy_set, costs_run
from payouts.services.holds import hold_place, hold_release
from payouts.services.ledger import Row
from tests.finance.cast import FEBRUARY, JANUARY, World
from tests.finance.test_finance_pages import text
from tests.finance.test_payroll import account, answer, batch_of, batch_of_, exported, holds, stand, states
from tests.finance.test_the_months_close import balances


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
    waiting = paying.url("payments/waiting/")
    assert "The payout of February 2026, which is open" in text(paying.client("lena").get(waiting))
    february = paying.approve(paying.submit(FEBRUARY))
    shown = text(paying.client("fiona").get(waiting))
    assert "PAY-000002, January 2026, Sales Owed againNo account known" in shown and "1 in all$40.00" in shown
    assert "February 2026, Sales (posted) $40.00" in shown and "Pay off-cycle" not in shown
    with paying.scope():
        assert goes_next(february) == Next({"USD": 40_00}, {})
        held = hold_place(participant=paying.people["S1"], reason="Account is checked", by=fiona)
        assert goes_next(february) == Next({}, {"USD": 40_00})
    assert "Held Nothing yet, held: Account is checked" in text(paying.client("fiona").get(waiting))
    assert "Issued again, but held$40.00" in text(
        paying.client("fiona").get(paying.url(f"payouts/{february.pk}/export/"))
    )
    with paying.scope():
        hold_release(hold=held, by=frank, reason="It is right")
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


def test_what_is_owed_again_where_nobody_is_paid_any_more_goes_out_off_cycle(paying: World) -> None:
    """The last payout of a group: Tom's bank came back, everybody has left, and no batch would ever take his pay."""
    fiona, frank, rita = (paying.users[name] for name in ("fiona", "frank", "rita"))
    run = exported(paying)
    answer(paying, run, "R1,,USD,rejected,Account closed,,", "T1,,USD,rejected,Account closed,,", rest_paid=True)
    with paying.scope():
        for who in ("R1", "T1"):
            payment = Payment.objects.get(participant__key=who)
            payment_voids.let_go_ask(payment=payment, outcome="owed", reason="Asks for a cheque", by=fiona)
            payment_voids.let_go_confirm(payment=payment, outcome="owed", by=frank)
        rita_owed, tom = Payment.objects.filter(outcome="owed").order_by("number")
        Participant.objects.update(ends_on=FEBRUARY)
        assert batch_of(paying).state == "paid"
    lena, client = paying.client("lena"), paying.client("fiona")
    assert "2 payments wait, and no further payout" in text(client.get(paying.url("payouts/")))
    waiting = paying.url("payments/waiting/")
    shown = text(client.get(waiting))
    assert "2 payments go out with nothing" in shown and "2 in all$135.49" in shown and "Pay off-cycle PAY-" in shown
    assert "Pay off-cycle PAY-" not in text(lena.get(waiting))
    assert "No further payout is planned: pay it off-cycle" in client.get(waiting + "?csv=1").content.decode()
    page = paying.url(f"payments/{tom.pk}/")
    assert "No further payout of Sales is planned" in text(client.get(page))
    with paying.scope(), pytest.raises(BatchError, match="your own pay"):
        payment_voids.payment_off_cycle(payment=rita_owed, by=rita)
    said = text(client.post(page + "step/", {"step": "off_cycle"}, follow=True))
    assert "is due in place of" in said and "$9.99 of this batch is still to be paid" in said
    assert "issued again already" in text(client.post(page + "step/", {"step": "off_cycle"}, follow=True))
    file = client.post(paying.url(f"payouts/{tom.batch_id}/payments/again/"))
    assert b"T1" in file.content and b"9.99" in file.content and b"R1" not in file.content
    assert "1 in all$125.50" in text(client.get(waiting))
    with paying.scope():
        again = Payment.objects.get(reissue_of=tom)
        told = AuditEntry.objects.get(code="payment.again", subject_id=str(tom.pk))
        assert (told.after["again"], told.after["off_cycle"]) == (str(again), True)
        second = again.run
    answer(paying, second, rest_paid=True)
    assert states(paying)["T1"] == "paid" and account(paying, "payable", "T1") == 0
    holds(paying)


def test_the_cost_of_a_contract_is_taken_back_with_pay_that_is_not_owed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tom's 30.00 and 10.00 of two contracts over 12 months, of which payroll pays 15.00 and can never pay the rest: an
    accountant finds the 15.00 alone as cost from March on, and of Rita, who is owed hers again, all of it."""
    fiona, frank = world.users["fiona"], world.users["frank"]
    march = date(2026, 3, 1)
    world.person("T1", "Tom")
    for deal, minor in (("D-5", 30_00), ("D-6", 10_00)):
        world.earn("T1", deal, minor, date(2026, 1, 15))

    def on(day: date) -> None:
        for room in ("ledger", "accruals", "payments"):
            monkeypatch.setattr(f"payouts.services.{room}.today", lambda: day)

    on(date(2026, 1, 31))
    world.approve(world.submit())
    run = exported(world)
    answer(world, run, "R1,,USD,rejected,Account closed,,", "T1,15.00,USD,paid,,,", rest_paid=True)
    with world.scope():
        row = reads.differences_open().get(participant__key="T1")
        payroll_answers.difference_decide(row=row, decision="accepted", reason="All that the account took", by=frank)
        rest = payments.reissues_run(batch=batch_of(world), by=fiona)
    answer(world, rest, "T1,,USD,rejected,Account closed,,")

    def books(month: date) -> None:
        with world.scope():
            accrue(month=month, made_by=fiona)
            costs_run(month=month, made_by=fiona)

    def of(deal: str) -> tuple[int, ...]:
        with world.scope():
            sides = {name: Sum(f"{name}_minor", default=0) for name in ("capitalised", "amortised", "impaired")}
            return tuple(CostLine.objects.filter(deal__external_id=deal).aggregate(**sides).values())

    with world.scope():
        Deal.objects.update(values={"term_months": "12"}, close_date=JANUARY)
        policy_set(trigger="credit_date", share=0, reason="None came")
        said = {"plan": world.plan, "component": "commission", "expedient": False, "months": None}
        cost_policy_set(**said, treatment="term", reason="Renewals pay alike", starts_on=JANUARY)
    on(date(2026, 3, 2))
    books(JANUARY)
    books(FEBRUARY)
    assert (of("D-5"), of("D-6")) == ((30_00, 5_00, 0), (10_00, 1_67, 0))
    on(date(2026, 3, 15))
    with world.scope():
        for who, outcome in (("T1", "not_owed"), ("R1", "owed")):
            payment = Payment.objects.get(participant__key=who, state="rejected")
            payment_voids.let_go_ask(payment=payment, outcome=outcome, reason="Cannot be found", by=fiona)
            payment_voids.let_go_confirm(payment=payment, outcome=outcome, by=frank)
    on(date(2026, 4, 1))
    books(march)
    # Of 40.00 in the component 25.00 are let go: 18.75 of 30.00 and 6.25 of 10.00. What is left bears 3 of 12 months.
    assert (of("D-5"), of("D-6")) == ((11_25, 2_81, 0), (3_75, 94, 0))
    assert of("D-1") == (100_00, 25_00, 0) and of("D-2") == (25_50, 6_38, 0)
    with world.scope():
        booked = balances(month=march)
        tom = LedgerEntry.objects.filter(participant__key="T1").values("account").annotate(minor=Sum("amount_minor"))
        assert {row["account"]: row["minor"] for row in tom if row["minor"]} == {
            "contract_cost": 15_00 - 3_75,
            "amortisation": 3_75,
            "paid": -15_00,
        }
        deal = Deal.objects.get(external_id="D-5").pk
    # Tom's 25.00 go from the asset back to expense, from which the payment that was let go had taken them.
    assert booked["expense"] == 25_00 and sum(booked.values()) == 0
    page = text(world.client("fiona").get(world.url(f"ledger/contracts/{deal}/")))
    assert "Let go as not owed" in page and "TomJanuary 2026, Sales15 Mar$18.75" in page
    with world.scope():  # what was never a cost is not impaired
        deal_6 = Deal.objects.get(external_id="D-6")
        Fact.objects.create(
            **{"kind": "cancellation", "external_id": "X-6", "endpoint": world.endpoint, "deal": deal_6},
            **{"day": date(2026, 4, 10), "stands": True, "version": 1, "sender_id": "x", "revision_id": 1},
            event_time=timezone.now(),
        )
    on(date(2026, 5, 1))
    books(date(2026, 4, 1))
    assert (of("D-5"), of("D-6")) == ((11_25, 3_75, 0), (3_75, 1_25, 2_50)), "taken back once"
    holds(world)
