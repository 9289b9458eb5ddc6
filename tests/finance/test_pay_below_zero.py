"""Pay below zero, and pay above a settlement's cap, from the first line to the ledger: each waits until it is said what
becomes of it. The amounts are worked by hand."""

from __future__ import annotations

from datetime import date

import pytest
from django.db.models import Sum

from comp.core.errors import ProblemsError
from comp.people.selectors import today
from comp.people.services import participant_change, pay_group_create
from payouts import verify
from payouts.models import (
    AccrualVariance,
    Batch,
    BatchSettlement,
    LedgerEntry,
    NegativeDecision,
    Settlement,
    SettlementReview,
)
from payouts.models.manual import State
from payouts.reads.accounting import month_after
from payouts.reads.debts import owing
from payouts.services import accruals, adjustments, batches, cap_reviews, negatives, periods, reviews
from payouts.services.batch_steps import BatchError
from payouts.services.replay import replay_period
from plans.models import Plan
from tests.finance.test_pages_of_what_people_decide import sent
from tests.payouts.house import House, house, plan_text
from tests.people.test_front_door import signed_in

JANUARY, FEBRUARY, MARCH, APRIL = (date(2026, month, 1) for month in range(1, 5))


def sound(acme: House) -> None:
    with acme.acme.scope():
        assert [problem for check in verify.CHECKS for problem in check().wrong] == []
        for batch in Batch.objects.filter(run=0).exclude(state__in=["rejected", "voided"]).select_related("pay_group"):
            assert replay_period(batch.pay_group, batch.starts_on).found == []


def books(acme: House, account: str) -> int:
    with acme.acme.scope():
        return LedgerEntry.objects.filter(account=account).aggregate(minor=Sum("amount_minor"))["minor"] or 0


def paid(acme: House, starts_on: date) -> tuple[int, int, int]:
    """A statement's lines, what is carried, and the payout, in whole units."""
    one = acme.statement(starts_on)
    lines = one.released_minor + one.adjustments_minor
    return lines // 100, one.carried_minor // 100, one.payout_minor // 100


@pytest.mark.django_db
def test_what_is_owed_is_decided_set_off_in_part_and_let_go_of_a_leaver() -> None:
    acme = house()
    fay, finn = signed_in(acme.preparer), signed_in(acme.approver)
    acme.won("A", "20000.00", "2026-01-12")
    acme.work()
    acme.close(JANUARY)
    acme.won("A", "0.00", "2026-01-12", at="2026-02-20T10:00:00Z", version=2)
    acme.won("B", "5000.00", "2026-02-10")
    acme.work()
    assert paid(acme, FEBRUARY) == (-1_500, 0, -1_500)
    shown = "Ann with −($1,500.00) would be paid less than nothing. Choose what becomes of pay below zero of Sales"
    with acme.acme.scope(acme.preparer):
        group = acme.acme.pay_group
        with pytest.raises(BatchError, match="would be paid less than nothing. Choose"):
            batches.batch_submit(pay_group=group, starts_on=FEBRUARY, submitted_by=acme.preparer)
        with pytest.raises(ProblemsError, match="Only where the rule asks"):
            negatives.negative_prepare(
                participant=acme.ann, currency="USD", way="carry", reason="Small", prepared_by=acme.preparer
            )
    assert shown in fay.get("/t/acme/payouts/open/sales/").content.decode()

    rule = {"which": "below", "pay_group": acme.acme.pay_group.pk, "of_currency": "usd"}
    wrong = finn.post("/t/acme/adjustments/limits/", {**rule, "way": "ask", "share": "101", "keep": "x"})
    assert wrong.status_code == 422
    page = sent(finn, "/t/acme/adjustments/limits/", **rule, way="ask", share="50", keep="600")
    assert "Decided person by person" in page and "50%" in page and "$600.00" in page
    with acme.acme.scope(acme.preparer), pytest.raises(BatchError, match="Two people decide what becomes of each"):
        batches.batch_submit(pay_group=group, starts_on=FEBRUARY, submitted_by=acme.preparer)
    assert "To be decided" in fay.get("/t/acme/debts/").content.decode()
    add = f"/t/acme/below-zero/new/{acme.ann.pk}/"
    page = sent(fay, add, way="carry", reason="She sells again in March")
    assert "Carried, and no pay set against it" in page and ">Approve<" not in page
    with acme.acme.scope():
        one = NegativeDecision.objects.get()
    assert "waits for a second person" in fay.get("/t/acme/debts/").content.decode()
    sent(finn, f"/t/acme/below-zero/{one.pk}/decide/", act="approved")
    assert paid(acme, FEBRUARY) == (-1_500, 1_500, 0)
    with acme.acme.scope(acme.preparer), pytest.raises(BatchError, match="pay carried from one period to the next"):
        periods.off_cycle_lock(pay_group=group, people=[acme.ann], locked_by=acme.preparer)
    # What was decided is of 1,500 and no more.
    acme.won("B", "4000.00", "2026-02-10", at="2026-02-21T10:00:00Z", version=2)
    acme.work()
    assert paid(acme, FEBRUARY) == (-1_600, 0, -1_600)
    acme.won("B", "5000.00", "2026-02-10", at="2026-02-22T10:00:00Z", version=3)
    acme.work()
    acme.close(FEBRUARY)
    sound(acme)
    assert books(acme, "carried") == 1_500_00

    # In March 1,000: nothing is set off until it is decided, then half of it at most, and 600 are left.
    acme.won("C", "10000.00", "2026-03-10")
    acme.work()
    assert paid(acme, MARCH) == (1_000, 0, 1_000)
    with acme.acme.scope(acme.preparer):
        said = {"participant": acme.ann, "currency": "USD", "prepared_by": acme.preparer}
        with pytest.raises(ProblemsError, match="is no way"):
            negatives.negative_prepare(**said, way="forget", reason="x")
        more = negatives.negative_prepare(**said, way="set_off", reason="She sold enough")
        assert more.amount_minor == 1_500_00
    with acme.acme.scope(acme.approver):
        negatives.negative_decide(decision=more, state=State.APPROVED, decided_by=acme.approver)
        assert paid(acme, MARCH) == (1_000, -400, 600)
        participant_change(participant=acme.ann, ends_on=APRIL)
    acme.work()
    acme.close(MARCH)
    page = finn.get(f"/t/acme/statements/2026-03-01/{acme.ann.pk}/").content.decode()
    assert "Carried into the next period: −($1,100.00)." in page
    sound(acme)

    # She has left with 1,100 owed: two people let it go.
    with acme.acme.scope(acme.preparer):
        (owed,) = owing()
        assert (owed.what, owed.minor) == ("Carried", 1_100_00)
        gone = reviews.write_off_prepare(
            participant=acme.ann, plan=owed.plan, balance=owed.balance, amount_minor=1_100_00, reason="She has left",
            prepared_by=acme.preparer,
        )  # fmt: skip
    with acme.acme.scope(acme.approver):
        adjustments.adjustment_approve(adjustment=gone, approved_by=acme.approver)
        assert owing() == [] and not Settlement.objects.exclude(carried_forward_minor=0).exists()
    acme.close(APRIL)
    sound(acme)
    assert (books(acme, "carried"), books(acme, "expense"), -books(acme, "paid")) == (0, 2_600_00, 2_600_00)


CAP = """settlement:
  order: [releases, adjustments, clawbacks, carried, cap]
  cap: {amount: 1000.00, excess: review}
  negative: carried
"""


@pytest.mark.django_db
def test_what_a_settlements_cap_takes_is_paid_in_part_beside_it() -> None:
    acme = house(plan_text() + CAP)
    fay, finn = signed_in(acme.preparer), signed_in(acme.approver)
    acme.won("A", "20000.00", "2026-01-12")
    acme.work()
    with acme.acme.scope():
        assert acme.statement(JANUARY).payout_minor == 1_000_00 and cap_reviews.cap_reviews_open() == []
    acme.close(JANUARY)
    assert "Payment cap" in fay.get("/t/acme/reviews/").content.decode()
    assert "payment cap,1000.00,USD,To review" in fay.get("/t/acme/reviews/?csv=1").content.decode()
    with acme.acme.scope(acme.preparer):
        (capped,) = cap_reviews.cap_reviews_open()
        assert capped.amount_minor == 1_000_00
        with pytest.raises(ProblemsError, match="above the cap: 0 to so much"):
            cap_reviews.cap_review_prepare(
                settlement=capped.settlement, pay_minor=1_000_01, reason="Sold in earnest", prepared_by=acme.preparer
            )
    page = sent(fay, f"/t/acme/caps/new/{capped.settlement.pk}/", pay="600.00", reason="Sold in earnest")
    assert "$600.00" in page and ">Approve<" not in page
    with acme.acme.scope():
        row = SettlementReview.objects.get()
        assert cap_reviews.cap_reviews_open() == []
        with pytest.raises(ProblemsError, match="you prepared it"):
            cap_reviews.cap_review_decide(review=row, state=State.APPROVED, decided_by=acme.preparer)
    page = sent(finn, f"/t/acme/caps/{row.pk}/decide/", act="approved")
    assert "ADJ-000001" in page
    # February: 1,500 are cut to 1,000 again; the 600 of January are paid beside it.
    acme.won("B", "15000.00", "2026-02-12")
    acme.work()
    with acme.acme.scope():
        one = Settlement.objects.get()
        assert (one.released_minor, one.adjusted_minor, one.capped_minor) == (1_500_00, 600_00, -500_00)
        assert acme.statement(FEBRUARY).payout_minor == 1_600_00
    acme.close(FEBRUARY)
    sound(acme)
    with acme.acme.scope(acme.preparer):
        (capped,) = cap_reviews.cap_reviews_open()
        assert (capped.amount_minor, capped.settlement.period_starts_on) == (500_00, FEBRUARY)
        no = cap_reviews.cap_review_prepare(
            settlement=capped.settlement, pay_minor=0, reason="A mistake of the sheet", prepared_by=acme.preparer
        )
    with acme.acme.scope(acme.approver):
        cap_reviews.cap_review_decide(review=no, state=State.APPROVED, decided_by=acme.approver)
        assert cap_reviews.cap_reviews_open() == [] and BatchSettlement.objects.count() == 2
    assert "Not paid" in finn.get("/t/acme/reviews/").content.decode()
    # From March a cap of the year: of its 3,000 are 2,000 paid; the 600 beside it took nothing of it.
    text = plan_text() + CAP.replace(
        "cap: {amount: 1000.00, excess: review}", "caps: [{amount: 3000.00, per: year, excess: lost}]"
    )
    acme.publish(text, starts_on=MARCH)
    acme.won("C", "20000.00", "2026-03-12")
    acme.work()
    assert acme.statement(MARCH).payout_minor == 1_000_00
    sound(acme)


@pytest.mark.django_db
def test_what_was_let_go_is_owed_again_when_its_cause_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    acme = house()
    with acme.acme.scope(acme.approver):
        negatives.negative_policy_set(pay_group=acme.acme.pay_group, currency="USD", way="carry")
    acme.won("A", "20000.00", "2026-01-12")
    acme.won("B", "10000.00", "2026-01-13")
    acme.work()
    acme.close(JANUARY)

    def let_go(balance: str, minor: int) -> None:
        with acme.acme.scope(acme.preparer):
            found = {"participant": acme.ann, "plan": Plan.objects.get(), "prepared_by": acme.preparer}
            row = reviews.write_off_prepare(**found, balance=balance, amount_minor=minor, reason="The customer's fault")
        with acme.acme.scope(acme.approver):
            adjustments.adjustment_approve(adjustment=row, approved_by=acme.approver)

    # Cancelled in February: -2,000, carried; 1,500 of it are let go, and 500 are owed still.
    acme.won("A", "0.00", "2026-01-12", at="2026-02-20T10:00:00Z", version=2)
    acme.work()
    acme.close(FEBRUARY)
    let_go("carried", 1_500_00)
    sound(acme)

    def rule(way: str, **more: bool) -> None:
        with acme.acme.scope(acme.approver):
            negatives.negative_policy_set(pay_group=acme.acme.pay_group, currency="USD", way=way, **more)

    # Where no rule sets it off any more, what is carried stands, for all to see, beside pay: somebody has to say so.
    with pytest.raises(ProblemsError, match=r"carried of Ann \(\$500.00\). To collect from now on, say that it stays"):
        rule("collect")
    with pytest.raises(ProblemsError, match="it stays only where pay below zero is collected"):
        rule("carry", carried_stays=True)
    finn, below = signed_in(acme.approver), {"which": "below", "pay_group": acme.acme.pay_group.pk}
    terms = {**below, "of_currency": "usd", "way": "collect", "share": "100", "keep": "0"}
    limits = "/t/acme/adjustments/limits/"
    assert "say that it stays under Debts" in finn.post(limits, terms, follow=True).content.decode()
    # She moves to a group that has no rule, then to one that collects and does not say what becomes of it.
    with acme.acme.scope(acme.approver):
        of = acme.acme.pay_group
        other = pay_group_create(key="service", name="Service", calendar=of.calendar, opens_on=MARCH)
        participant_change(participant=acme.ann, pay_group=other)
    acme.work()

    def lock() -> None:
        with acme.acme.scope(acme.preparer):
            batches.batch_submit(pay_group=other, starts_on=MARCH, submitted_by=acme.preparer)

    no_rule = pytest.raises(
        BatchError, match=r"Ann \(\$500.00\), and no rule of Service in USD says what becomes of it"
    )
    with no_rule:
        lock()
    shown = finn.get("/t/acme/payouts/open/service/").content.decode()
    assert "no rule of Service in USD says what becomes of it" in shown
    with acme.acme.scope(acme.approver):
        participant_change(participant=acme.ann, pay_group=of)
    acme.work()
    assert "What was carried before stays under Debts" in sent(finn, limits, **terms, carried_stays="on")
    acme.won("C", "3000.00", "2026-03-03")
    acme.work()
    assert paid(acme, MARCH) == (300, 0, 300)
    with acme.acme.scope(acme.preparer):
        assert [(each.what, each.minor) for each in owing()] == [("Carried", 500_00)]
    sound(acme)
    acme.won("C", "0.00", "2026-03-03", at="2026-03-04T10:00:00Z", version=2)
    rule("carry")
    # It was a mistake of the source's: 2,000 come back, of which 1,500 answer what was let go, and 500 what is carried.
    acme.won("A", "20000.00", "2026-01-12", at="2026-03-05T10:00:00Z", version=3)
    acme.work()
    assert paid(acme, MARCH) == (500, -500, 0)
    sound(acme)
    acme.close(MARCH)
    sound(acme)
    # What is undone is in no month's accrual: nobody is owed it.
    with acme.acme.scope(acme.approver):
        months = [month_after(today()), month_after(month_after(today()))]
        monkeypatch.setattr(accruals, "today", lambda: month_after(months[-1]))
        assert accruals.accrue(month=months[0], made_by=acme.approver).totals == {}
    # And cancelled again, and so on: half of it this time. What was let go counts again, as far as it goes.
    acme.won("A", "10000.00", "2026-01-12", at="2026-04-05T10:00:00Z", version=4)
    acme.work()
    assert paid(acme, APRIL) == (0, 0, 0)
    sound(acme)
    with acme.acme.scope(acme.approver):
        assert accruals.accrue(month=months[1], made_by=acme.approver).totals == {"USD": 0}
        missed = dict(AccrualVariance.objects.values_list("component", "amount_minor"))
        assert missed == {"commission": -1_000_00, "": 1_000_00}
        assert AccrualVariance.objects.get(component="").cause == "manual"
    acme.close(APRIL)
    assert (books(acme, "carried"), books(acme, "expense"), -books(acme, "paid")) == (0, 3_000_00, 3_000_00)
    sound(acme)
