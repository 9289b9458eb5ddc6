"""A switch from another system, of somebody who is paid in another currency than their plan's: what that one paid is
taken at its own rate, what it still owes at ours, and balances are of the currency of pay."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from comp.core.errors import CompError
from comp.core.money import CURRENCIES, minor_digits
from payouts.models import BatchLine, CutOver, LegacyFile, OpeningTranche, Payable, TieOut, Tranche
from payouts.reads.digests import switch_digest
from payouts.services import cutover_file, cutovers, parallel, parallel_file, replay
from payouts.services.cutovers import Named
from plans import services as plans
from plans.models import Plan
from tests.factories import person
from tests.finance.switch import MARCH, booked, openings_take, parts, prepared, sign, sound
from tests.payouts.test_people_are_paid_in_their_own_currency import JANUARY, abroad, rate, text

#: In euros, settled in dollars at the rate of each month's first day.
TERMS = """settlement:
  order: [releases, adjustments, clawbacks, carried, recovery, top_up]
  settle_in: pay
  amounts_rate: period_start
  draw: {kind: recoverable, style: top_up, amount: 500.00, from: 2026-01-01, to: 2026-07-01, test: [releases],
    recovery: {share: 50%, keep: 0.00, after_periods: 0}, on_leaving: owed}
  negative: carried
"""
HEADER = "employee,plan,component,attainment,earned,paid,rate\n"
#: 80,000 EUR at 10%, of which 6,000.00 EUR were paid: 6,525.00 USD.
OPENINGS = HEADER + "ann,worked,commission,80000.00,8000.00,6000.00,1.0875\n"
TRANCHES = """employee,plan,component,amount,release_date
ann,worked,commission,1500.00,2026-03-15
ann,worked,commission,500.00,2026-04-20
"""
BALANCES = """employee,plan,balance,amount,day,currency
ann,worked,draw,800.00,2026-01-01,USD
ann,worked,carried,-50.00,,
"""


@pytest.mark.django_db
def test_what_was_paid_at_the_old_systems_rate_is_not_owed_again() -> None:
    acme = abroad(text(more=TERMS))
    with acme.acme.scope(acme.ops):
        bob = person(acme.acme, "Bob")
        plans.assignment_set(participant=bob, plan=Plan.objects.get(key="worked"), starts_on=JANUARY)
    rate(acme, "EUR", "USD", "1.10")
    cut_over = prepared(acme)
    acme.work()
    with acme.acme.scope(acme.preparer):
        # Every row says what is wrong with it.
        wrong = ["ann,worked,commission,1.00,1.00,1.00,", "ann,worked,commission,1.00,1.00,1.00,-1",
                 "ann,worked,commission,1.00,1.00,1.00,much", "ann,worked,commission,1.00,1.00,1.00,1_0875",
                 "bob,worked,commission,1.00,1.00,1.00,1.1"]  # fmt: skip
        found = cutover_file.openings_read(HEADER + "\n".join(wrong), "", cut_over=cut_over)
        missing = "write the rate at which the system before paid"
        for one, words in zip(found.wrong, (missing, missing, missing, missing, "Bob is paid in EUR"), strict=True):
            assert words in one.message
        euros = BALANCES.replace("USD", "EUR")
        assert "settles Ann in USD, not in EUR" in cutover_file.balances_read(euros, cut_over=cut_over).wrong[0].message
        taken = cutover_file.openings_read(OPENINGS, TRANCHES, cut_over=cut_over)
        assert (taken.wrong, taken.wrong_tranches) == ([], [])
        assert taken.totals() == {
            "earned": {"EUR": 800_000}, "paid": {"EUR": 600_000}, "unreleased": {"EUR": 200_000},
            "paid out": {"USD": 652_500},
        }  # fmt: skip
        openings_take(acme, cut_over, OPENINGS, TRANCHES)
        cutovers.balances_take(cut_over=cut_over, file=Named("balances.csv", BALANCES), by=acme.preparer)
    acme.work()
    with acme.acme.scope(acme.preparer):
        cutovers.cutover_refresh(cut_over=cut_over, by=acme.preparer)
    sound(acme)
    with acme.acme.scope():
        line = BatchLine.objects.get(batch__state="in_review")
        assert (line.amount_minor, line.currency, line.line_kind) == (652_500, "USD", 5)
        assert (line.trace["rate"], line.trace["plan_minor"]) == ("1.0875", 600_000)
        first = OpeningTranche.objects.get(index=0)
        assert (first.paid_minor, first.paid_in, first.paid_rate) == (652_500, "USD", Decimal("1.0875"))
        rows = Tranche.objects.order_by("index").values_list("plan_minor", "amount_minor", "currency", "rate__rate")
        assert [(*row[:3], row[3] is None) for row in rows] == [
            (600_000, 652_500, "USD", True), (150_000, 165_000, "USD", False), (50_000, 55_000, "USD", False),
        ]  # fmt: skip
        with pytest.raises(IntegrityError, match="tranche_converted_by_a_rate"), transaction.atomic():
            Tranche.objects.update(rate=None, line_kind=0)
        # What was paid is the amount at its rate, and whoever signs signs both.
        assert more_paid(cut_over, 652_500, "1.0875") != more_paid(cut_over, 652_500, "1.0875000001")
        with pytest.raises(IntegrityError, match="600000 EUR at 1.0875000000 are not the 652501 that"):
            more_paid(cut_over, 652_501, "1.0875")
    seen = Client()
    seen.force_login(acme.approver)
    page = seen.get(f"/t/acme/cut-overs/{cut_over.pk}/").content.decode()
    assert "$6,525.00" in page and "at 1.0875" in page
    sign(acme, cut_over)
    acme.work()
    sound(acme)
    with acme.acme.scope():
        assert booked("opening") == {"draw": 80_000, "carried": 5_000, "opening": -85_000}

    # Another rate moves what is still owed, and nothing of what was paid.
    rate(acme, "EUR", "USD", "1.12")
    acme.won("NEW-1", "1000.00", "2026-03-12", currency="EUR")
    acme.work()
    with acme.acme.scope():
        assert not Payable.objects.filter(origin_starts_on__lt=MARCH).exists()
    # 1,680.00 and 112.00, less the 50.00 that are carried: half of 1,742.00 would be 871.00, and 800.00 are owed.
    march = acme.statement(MARCH)
    assert march.currency == "USD" and parts(march) == {
        "released": "1,792.00", "recovered": "-800.00", "carried": "-50.00", "payout": "942.00",
    }  # fmt: skip
    sound(acme)
    acme.close(MARCH)
    acme.work()
    with acme.acme.scope():
        assert replay.replay_period(acme.acme.pay_group, MARCH).found == []
        # Bob earns nothing, and is lent 500.00 EUR.
        assert booked() == {
            "expense": 179_200, "draw": 50_000, "carried": 0, "opening": -85_000, "payable": 0,
            "paid": -94_200 - 50_000,
        }  # fmt: skip
    april = acme.statement(date(2026, 4, 1))
    # 560.00, and the draw of 500.00 EUR is 560.00.
    assert parts(april) == {"released": "560.00", "payout": "560.00"}
    sound(acme)


def more_paid(cut_over: CutOver, minor: int, rate: str) -> str:
    """The digest that would be signed if one opening more stood, of which so much was paid; it does not."""
    with transaction.atomic():
        first = OpeningTranche.objects.select_related("opening").get(index=0)
        first.opening.pk, first.opening.day, first.opening.earned_minor = None, date(2026, 1, 31), first.amount_minor
        first.opening.save(force_insert=True)
        first.pk, first.opening_id, first.paid_minor, first.paid_rate = None, first.opening.pk, minor, Decimal(rate)
        first.save(force_insert=True)
        digest = switch_digest(CutOver.objects.get(pk=cut_over.pk))
        transaction.set_rollback(True)
    return digest


@pytest.mark.django_db
def test_the_database_knows_the_decimals_of_each_currency() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT c, comp_minor_digits(c) FROM unnest(%s::text[]) c", [sorted(CURRENCIES)])
        assert dict(cursor.fetchall()) == {currency: minor_digits(currency) for currency in CURRENCIES}


@pytest.mark.django_db
def test_facts_paid_before_are_taken_at_our_rate_and_a_corrected_one_says_why() -> None:
    """Nothing was brought forward of the deal of February: 1,000.00 EUR were paid, by our rate 1,100.00 USD."""
    acme = abroad(text())
    rate(acme, "EUR", "USD", "1.10")
    acme.won("OLD", "10000.00", "2026-02-10", currency="EUR")
    acme.work()
    cut_over = prepared(acme)
    acme.work()
    with acme.acme.scope(acme.preparer):
        cutovers.cutover_refresh(cut_over=cut_over, by=acme.preparer)
    with acme.acme.scope():
        line = BatchLine.objects.get()
        assert (line.amount_minor, line.currency) == (110_000, "USD")
        assert (line.trace["plan_minor"], line.trace["rate_from"], line.trace["rate"]) == (100_000, "EUR", 1.1)
    sign(acme, cut_over)
    rate(acme, "EUR", "USD", "1.12")
    acme.work()
    with acme.acme.scope():
        row = Payable.objects.select_related("cause").get()
        assert (row.kind, row.amount_minor, row.posted_minor) == ("adjustment", 2_000, 110_000)
        assert row.cause is not None and (row.cause.kind, "EUR" in row.cause.label) == ("rate", True), row.cause.label
    sound(acme)


@pytest.mark.django_db
def test_nobody_is_tied_out_whose_plan_lacks_a_rate() -> None:
    """Both sides are compared when the average is known, 1.08: 540.00 are lent in January, and given back of the
    1,100.00 of February."""
    acme = abroad(text(more=TERMS.replace("period_start", "period_average")))
    rate(acme, "EUR", "USD", "1.10")
    acme.won("OLD", "10000.00", "2026-02-10", currency="EUR")
    acme.work()
    cut_over = prepared(acme)
    acme.work()

    def take(cut_over: CutOver) -> None:
        rows = "employee,period,amount,currency\nann,2026-02-28,560.00,USD\n"
        with acme.acme.scope(acme.preparer):
            found = parallel_file.statements_read(rows, cut_over=cut_over, kinds={})
            assert found.wrong == []
            said = {"name": "s.csv", "digest": "4" * 64, "lines": found.lines, "kinds": {}}
            parallel.file_take(cut_over=cut_over, by=acme.preparer, **said)

    with pytest.raises(CompError, match="Ann cannot be settled from 1 January 2026 on: no rate of exchange"):
        take(cut_over)
    with acme.acme.scope():
        assert not LegacyFile.objects.exists()
    rate(acme, "EUR", "USD", "1.08", kind="average")
    take(cut_over)
    with acme.acme.scope():
        row = TieOut.objects.get(period_starts_on=date(2026, 2, 1))
        assert (row.theirs_minor, row.ours_minor) == (56_000, 56_000)
