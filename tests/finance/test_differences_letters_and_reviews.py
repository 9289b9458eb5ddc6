"""What else people decide about pay: differences that are small or reach far, side letters, windfalls, debts let go,
quota relief; and that replay and verify know all of it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from comp.core.errors import ProblemsError
from payouts import verify
from payouts.models import Adjustment, Earning, FigureChange, Payable, QuotaRelief, SideLetter, Statement
from payouts.reads.balance import unbalanced
from payouts.reads.debts import owing
from payouts.services import adjustments, adjustments_file, differences, holds, letters, relief, reviews
from payouts.services.adjustments import Wanted
from payouts.services.replay import replay_period
from plans.models import Plan
from tests.finance.cast import FEBRUARY, JANUARY, World
from tests.finance.test_what_people_decide_by_hand import PROOF, assigned, pays
from tests.payouts.house import house

__all__ = ["assigned"]  # a fixture
MARCH = date(2026, 3, 1)


def closed(world: World, *periods: date) -> None:
    for period in periods:
        world.pay(world.approve(world.submit(period)))


def test_small_differences_add_up_and_far_ones_wait_for_a_role(assigned: World) -> None:
    world = assigned
    frank, lena = world.users["frank"], world.users["lena"]
    closed(world, JANUARY)
    with world.scope():
        differences.limits_set(currency="USD", alone_minor=None, small_minor=10_00)
    world.earn("S1", "D-3", 46_00, date(2026, 1, 12))
    with world.scope():
        assert pays(world, "S1", FEBRUARY) == (0, 0) and unbalanced()[1] == []
        assert Payable.objects.get(deal__external_id="D-3").hold.kind == "small"
    world.earn("S1", "D-4", 4_00, date(2026, 1, 13))
    with world.scope():
        assert pays(world, "S1", FEBRUARY) == (10_00, 2)
    world.earn("S1", "D-4", 3_99, date(2026, 1, 13))
    with world.scope():
        assert pays(world, "S1", FEBRUARY) == (0, 0)
        world.people["S1"].ends_on = date(2026, 2, 20)
        world.people["S1"].save()
    world.refresh()
    with world.scope():
        assert pays(world, "S1", FEBRUARY) == (9_99, 2)  # with the last period all of it is paid
        world.people["S1"].ends_on = None
        world.people["S1"].save()
        differences.limits_set(currency="USD", alone_minor=None, small_minor=None)
        assert pays(world, "S1", FEBRUARY) == (9_99, 2)
        differences.reach_set(periods_back=1, approver="revenue_leader")
        assert pays(world, "S1", FEBRUARY) == (9_99, 2)  # one period back is near enough
        differences.reach_set(periods_back=0, approver="revenue_leader")
        assert pays(world, "S1", FEBRUARY) == (0, 0) and unbalanced()[1] == []
        (far,) = differences.far_waiting()
        assert (far.participant, far.origin_starts_on, far.minor, far.lines) == (
            world.people["S1"], JANUARY, 9_99, 2,
        )  # fmt: skip
        with pytest.raises(ProblemsError, match="may not approve"):
            differences.far_approve(waits=far, approved_by=frank, reason="Fine")
        assert differences.far_approve(waits=far, approved_by=lena, reason="The correction is right") == 2
        assert pays(world, "S1", FEBRUARY) == (9_99, 2)
        with pytest.raises(ProblemsError, match="look once more"):
            differences.far_approve(waits=far, approved_by=lena, reason="Again")
    world.earn("S1", "D-4", 5_00, date(2026, 1, 13))
    with world.scope():
        assert pays(world, "S1", FEBRUARY) == (6_00, 1)  # of another amount nobody approved that line


def test_what_is_kept_for_being_small_is_paid_when_the_year_ends(assigned: World) -> None:
    """6.00 to October are kept in November; December is the last period of the fiscal year and pays them."""
    world = assigned
    october, november, december = (date(2026, month, 1) for month in (10, 11, 12))
    with world.scope():
        world.group.opens_on = october
        world.group.save()
    world.refresh()
    closed(world, october)
    with world.scope():
        differences.limits_set(currency="USD", alone_minor=None, small_minor=10_00)
    world.earn("S1", "D-3", 46_00, date(2026, 1, 12))
    with world.scope():
        assert pays(world, "S1", november) == (0, 0) and unbalanced()[1] == []
    closed(world, november)
    with world.scope():
        assert Payable.objects.get(deal__external_id="D-3").hold is None
        assert pays(world, "S1", december) == (6_00, 1) and unbalanced()[1] == []


def test_letters_pay_their_months_once_and_windfalls_and_debts_take_two(assigned: World) -> None:
    world = assigned
    fiona, frank = world.users["fiona"], world.users["frank"]
    with world.scope():
        said = {"participant": world.people["S1"], "plan": world.plan, "text": "1,000 a month", "attachment": PROOF}
        when = {"starts_on": date(2026, 1, 10), "ends_on": date(2026, 3, 10), "reason": "Moved here"}
        with pytest.raises(ProblemsError, match="one of the two"):
            letters.letter_prepare(**said, **when, prepared_by=fiona)
        letter = letters.letter_prepare(**said, **when, prepared_by=fiona, monthly_minor=1_000_00)
        assert letters.letters_pay() == 0
        with pytest.raises(ProblemsError, match="you prepared it"):
            letters.letter_decide(letter=letter, state="approved", decided_by=fiona)
        letters.letter_decide(letter=letter, state="approved", decided_by=frank)
        paid = Adjustment.objects.filter(letter=letter).order_by("day")
        assert list(paid.values_list("day", "amount_minor", "state")) == [
            (day, 1_000_00, "approved") for day in (date(2026, 1, 10), FEBRUARY, MARCH)
        ]
        assert letters.letters_pay() == 0 and SideLetter.objects.get().state == "approved"
        assert pays(world, "S1") == (1_040_00, 2) and unbalanced()[1] == []

        line = Earning.objects.get(deal__external_id="D-1")
        assert reviews.reviews_open() == []
        Earning.objects.filter(pk=line.pk).update(review_minor=77_00)
        with pytest.raises(ProblemsError, match="Nobody decides"):
            reviews.review_prepare(earning=line, accept=True, reason="Mine", prepared_by=world.users["rita"])
        review = reviews.review_prepare(earning=line, accept=True, reason="Sold in earnest", prepared_by=fiona)
        assert reviews.reviews_open() == []
        Earning.objects.filter(pk=line.pk).update(review_minor=76_99)
        with pytest.raises(ProblemsError, match="in excess now"):
            reviews.review_decide(review=review, state="approved", decided_by=frank)
        Earning.objects.filter(pk=line.pk).update(review_minor=77_00)
        review = reviews.review_decide(review=review, state="approved", decided_by=frank)
        assert (review.adjustment.kind, review.adjustment.amount_minor) == ("windfall", 77_00)
        Earning.objects.filter(pk=line.pk).update(review_minor=80_00)
        (more,) = reviews.reviews_open()
        assert more.minor == 3_00
        no = reviews.review_prepare(earning=line, accept=False, reason="A mistake of the sheet", prepared_by=fiona)
        reviews.review_decide(review=no, state="approved", decided_by=frank)
        assert reviews.reviews_open() == []
    closed(world, JANUARY)
    world.earn("S1", "D-3", 0, date(2026, 1, 12))
    with world.scope():
        # Of the letter 1,000.00 come in February and March each; what is taken back is set off against the first.
        assert owing() == [] and pays(world, "S1", FEBRUARY) == (960_00, 2)
        holds.hold_place(reason="Until the letter is clear", by=fiona, plan=world.plan, component="commission")
    world.earn("R1", "D-1", 0, date(2026, 1, 10))
    with world.scope():
        hold = holds.standing().get()
        holds.hold_release(hold=hold, by=frank, reason="It is")
        (owed,) = owing()
        assert (owed.participant, owed.balance, owed.minor) == (world.people["R1"], "", 100_00)
        debt = {"participant": owed.participant, "plan": owed.plan, "reason": "Too old", "prepared_by": fiona}
        with pytest.raises(ProblemsError, match=r"owes \$100.00"):
            reviews.write_off_prepare(**debt, amount_minor=100_01)
        gone = reviews.write_off_prepare(**debt, amount_minor=100_00)
        assert (gone.state, owing()) == ("waiting", [])
        adjustments.adjustment_approve(adjustment=gone, approved_by=frank)
        assert pays(world, "R1", FEBRUARY)[0] == 0 and unbalanced()[1] == []


def test_a_file_counts_whole_or_not_at_all(assigned: World) -> None:
    world = assigned
    head = "employee,plan,amount,reason,day\n"
    with world.scope():
        rows, wrong = adjustments_file.adjustments_read(
            head
            + "S1,ae,10.00,Bonus,2026-01-05\nX9,ae,1,No,\nS1,none,1,No,\nS1,ae,1.001,No,\nS1,ae,5,,\nS1,ae,5,x,soon\n",
            by=world.users["fiona"],
        )
        assert [one.line for one in wrong] == [3, 4, 5, 6, 7] and len(rows) == 1
        assert rows[0][1].content == b"employee,plan,amount,reason,day\r\nS1,ae,10.00,Bonus,2026-01-05\r\n"
        # The same twice, said in other words: which is meant, one bonus or two?
        twice = "employee,plan,amount,reason,day,currency,reference\n"
        twice += "S1,ae,10.00,Bonus,2026-01-05,,\nS1,ae,10,Bonus,2026-01-05,USD,\nS1,ae,10,Bonus,2026-01-05,,Q1\n"
        rows, wrong = adjustments_file.adjustments_read(twice, by=world.users["fiona"])
        assert len(rows) == 2 and [(one.line, one.message[:25]) for one in wrong] == [(3, "It says the same as row 2")]
        for text, says in (
            ("employee,sum\n", "Unknown column 'sum'; allowed are employee, plan"),
            ("employee,plan,amount,reason,amount\nS1,ae,1,Bonus,99\n", "stands there twice"),
            ("employee,plan,amount,reason\rS1,ae,1,Bonus\r", "cannot be read as a table"),
        ):
            with pytest.raises(ProblemsError, match=says):
                adjustments_file.adjustments_read(text, by=world.users["fiona"])
        assert adjustments_file.adjustments_read(head + "S1,ae\n", by=world.users["fiona"])[1][0].line == 2


@pytest.mark.django_db
def test_relief_moves_figures_with_its_cause_and_replay_knows_what_was_decided() -> None:
    acme = house()
    acme.won("A", "120000.00", "2026-01-10")
    acme.won("B", "1000.00", "2026-01-11")
    acme.work()
    with acme.acme.scope(acme.preparer):
        worked = Plan.objects.get(key="worked")
        deal_b = Payable.objects.get(deal__external_id="B").deal
        holds.hold_place(reason="Look at it", by=acme.preparer, deal=deal_b)
        draft = adjustments.adjustment_prepare(
            wanted=Wanted(acme.ann, worked, 50_00, "USD", date(2026, 1, 20), "Promised", "commission"),
            attachment=PROOF, prepared_by=acme.preparer,
        )  # fmt: skip
        waits = adjustments.adjustment_submit(adjustment=draft, by=acme.preparer)
    with acme.acme.scope(acme.approver):
        adjustments.adjustment_approve(adjustment=waits, approved_by=acme.approver)
    acme.close(JANUARY)
    assert acme.statement(JANUARY).payout_minor == 13_000_00 + 50_00
    with acme.acme.scope():
        found = replay_period(acme.acme.pay_group, JANUARY)
        assert (found.found, found.total_minor) == ([], 13_050_00)
        with pytest.raises(ProblemsError, match="has no quota"):
            relief.relief_prepare(
                participant=acme.ann, key="none", starts_on=JANUARY, ends_on=MARCH, percent=Decimal(5), reason="x",
                prepared_by=acme.preparer,
            )  # fmt: skip
        half = relief.relief_prepare(
            participant=acme.ann, key="sales", starts_on=JANUARY, ends_on=date(2026, 4, 1), percent=Decimal(50),
            reason="A new territory", prepared_by=acme.preparer,
        )  # fmt: skip
        acme.work()
        assert acme.earned()["A"] == 13_000_00
        half = relief.relief_decide(relief=half, state="approved", decided_by=acme.approver)
        with pytest.raises(IntegrityError, match="what was asked for stays"), transaction.atomic():
            QuotaRelief.objects.update(percent=Decimal(90))
    acme.work()
    # Of a quota of 50,000: 10% to 50,000, 15% to 60,000, 20% of the other 60,000.
    assert acme.earned()["A"] == 5_000_00 + 1_500_00 + 12_000_00
    with acme.acme.scope():
        causes = FigureChange.objects.filter(deal__external_id="A").order_by("-id")
        assert causes[0].cause.label == "50% off sales, Ann: A new territory"
        row = Payable.objects.get(deal__external_id="A")
        assert (row.kind, row.amount_minor) == ("adjustment", 5_500_00)
        assert [problem for check in verify.CHECKS for problem in check().wrong] == []
        assert replay_period(acme.acme.pay_group, JANUARY).found == []
        relief.relief_revoke(relief=half, by=acme.approver, reason="The territory stays")
    acme.work()
    assert acme.earned()["A"] == 13_000_00
    with acme.acme.scope():
        assert Statement.objects.get(period_starts_on=FEBRUARY).payout_minor == 0
        assert [problem for check in verify.CHECKS for problem in check().wrong] == []
