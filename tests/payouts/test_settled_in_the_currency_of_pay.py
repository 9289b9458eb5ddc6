"""Who is paid in another currency than the plan's is settled in it, where the plan says so: from the rate that is
missing to the batch that keeps it. A year of closes stands in tests/closes."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from django.db import transaction
from django.test import Client

from comp.outbox.models import Message
from payouts.models import BatchDraw, BatchSettlement, Settlement, Unsettled
from payouts.services import batches, replay, unconverted
from payouts.services.batch_steps import BatchError
from plans import services as plans
from plans.models import Plan
from tests.factories import person
from tests.payouts.house import House
from tests.payouts.test_people_are_paid_in_their_own_currency import abroad, asked, rate, stands, text

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
SETTLED = """settlement:
  order: [releases, adjustments, clawbacks, carried, recovery, holdback, top_up]
  settle_in: pay
  amounts_rate: period_average
  draw:
    {kind: recoverable, style: advance, amount: 500.00, from: 2026-01-01, to: 2026-02-01, on_leaving: owed,
     recovery: {share: 50%, keep: 100.00, after_periods: 0}}
  holdback: {share: 10%, periods: 1}
  negative: carried
"""


def settled(of: House) -> list[tuple[str, int, int, int, int, Fraction | None]]:
    with of.acme.scope():
        rows = Settlement.objects.select_related("rate").order_by("period_starts_on")
        return [
            (row.currency, row.released_minor, row.topped_up_minor, row.payout_minor, row.draw_balance_minor,
             None if row.rate is None or row.rate.rate is None else Fraction(row.rate.rate))
            for row in rows
        ]  # fmt: skip


@pytest.mark.django_db
def test_what_a_plan_states_waits_for_its_rate_and_no_period_is_locked_without_it() -> None:
    """10,000 EUR earn 1,000.00 EUR, 1,100.00 USD; the draw of 500.00 EUR waits for January's average, 1.08."""
    acme = abroad(text(more=SETTLED))
    with acme.acme.scope(acme.ops):
        # Nothing is settled of him, who comes when the draw is gone, or of her, who left: nobody asks for a rate.
        worked = Plan.objects.get(key="worked")
        bob, cleo = (person(acme.acme, name, currency="GBP") for name in ("Bob", "Cleo"))
        plans.assignment_set(participant=bob, plan=worked, starts_on=FEBRUARY)
        plans.assignment_set(participant=cleo, plan=worked, starts_on=date(2025, 6, 1), ends_on=JANUARY)
    rate(acme, "EUR", "USD", "1.10")
    acme.won("A", "10000.00", "2026-01-10", currency="EUR")
    acme.work()
    waits = "1 settlement waits: no average rate from EUR to USD that holds on 1 January 2026."
    assert settled(acme) == [] and asked(acme) == [("pay_rate", waits, 1)]
    stands(acme)
    why = "Ann cannot be settled: there is no average rate from EUR to USD that holds on 1 January 2026. Enter it"
    with acme.acme.scope(acme.preparer), pytest.raises(BatchError, match=why):
        batches.batch_submit(pay_group=acme.acme.pay_group, starts_on=JANUARY, submitted_by=acme.preparer)
    seen = Client()
    seen.force_login(acme.preparer)
    assert why in seen.get("/t/acme/payouts/open/sales/").content.decode()
    owing = seen.get("/t/acme/debts/").content.decode()
    assert f"{why} (Rates of exchange). What they owe is not known until then." in owing
    assert "Not settled: no average rate from EUR to USD that holds on 1 January 2026" in owing
    assert "not known yet" in owing and "Not settled: no average" in seen.get("/t/acme/debts/?csv=1").content.decode()
    assert acme.ann.user is not None
    seen.force_login(acme.ann.user)
    told = seen.get("/t/acme/statements/2026-01-01/").content.decode()
    assert "not in it yet: there is no average rate from EUR to USD that holds on 1 January 2026." in told

    # 1,100.00 less a tenth, and 540.00 in advance.
    rate(acme, "EUR", "USD", "1.08", kind="average")
    assert asked(acme) == []
    assert settled(acme) == [("USD", 110_000, 54_000, 153_000, 54_000, Fraction("1.08"))]
    stands(acme)
    seen = Client()
    assert acme.ann.user is not None
    seen.force_login(acme.ann.user)
    page = seen.get("/t/acme/statements/2026-01-01/").content.decode()
    assert "Settled in USD: amounts that the plan states in EUR count at 1.08." in page
    assert "1 EUR is 1.08 USD, the average rate from 1 January 2026" in page and "$540.00" in page
    assert "€1,000.00" in page and "$1,100.00" in page

    batch = acme.close(JANUARY)
    assert batch.totals == {"USD": 153_000}
    # What was lent and held back at 1.08 and 1.10 stays; A is another amount in the period that is open.
    rate(acme, "EUR", "USD", "1.20", kind="average")
    rate(acme, "EUR", "USD", "1.00")
    acme.won("B", "4000.00", "2026-02-10", currency="EUR")
    acme.work()
    stands(acme)
    # 400.00 of B, 110.00 that come back and -100.00 of A are 410.00: half of it would be 205.00, and 120.00 are left.
    assert settled(acme) == [("USD", 51_000, 0, 18_450, 33_500, Fraction("1.2"))]
    acme.close(FEBRUARY)
    with acme.acme.scope():
        kept = BatchSettlement.objects.order_by("period_starts_on").values_list("rate__rate", "recovered_minor")
        assert [(Fraction(used or 0), minor) for used, minor in kept] == [
            (Fraction("1.08"), 0),
            (Fraction("1.2"), -20_500),
        ]
        assert set(BatchDraw.objects.values_list("currency", flat=True)) == {"USD"}
        for starts_on in (JANUARY, FEBRUARY):
            assert replay.replay_period(acme.acme.pay_group, starts_on).found == []
    stands(acme)


@pytest.mark.django_db
def test_many_deals_of_somebody_who_waits_for_a_rate_ask_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits stands beside the settlements: the same wait is no news, and its question works nobody out anew."""
    acme = abroad(text(more=SETTLED))
    rate(acme, "EUR", "USD", "1.10")
    acme.won("A", "10000.00", "2026-01-10", currency="EUR")
    acme.work()

    def told() -> int:
        with acme.acme.scope():
            return Message.objects.filter(topic="payables.waiting").count()

    def worked_out(*_: object) -> None:
        raise AssertionError("a question is counted, not worked out")

    monkeypatch.setattr(unconverted, "right_settlements", worked_out)
    before = told()
    assert [count for _, _, count in asked(acme)] == [1]
    for round_ in range(10):
        for number in range(10):
            acme.won(f"B{round_}{number}", "100.00", "2026-01-11", currency="EUR")
        acme.work()
    assert told() == before and [count for _, _, count in asked(acme)] == [1]
    monkeypatch.undo()
    stands(acme)
    with acme.acme.scope(), transaction.atomic():
        Unsettled.objects.all().delete()
        [wrong] = replay.differences_found()
        assert wrong == "Ann: the settlement that stands is not what the payables give"
        transaction.set_rollback(True)
    with acme.acme.scope(acme.preparer), pytest.raises(BatchError, match="Ann cannot be settled: there is no average"):
        batches.batch_submit(pay_group=acme.acme.pay_group, starts_on=JANUARY, submitted_by=acme.preparer)
    rate(acme, "EUR", "USD", "1.08", kind="average")
    assert asked(acme) == [] and acme.close(JANUARY).totals == {"USD": 252_000}


@pytest.mark.django_db
def test_many_deals_that_wait_for_a_rate_ask_once_a_turn() -> None:
    acme = abroad(text())
    for number in range(100):
        acme.won(f"A{number}", "100.00", "2026-01-10", currency="EUR")
    acme.work()
    said = "100 payables wait in EUR: no rate from EUR to USD holds on 10 January 2026."
    with acme.acme.scope():
        assert Message.objects.filter(topic="payables.waiting").count() == 1
    assert asked(acme) == [("pay_rate", said, 100)]
