"""Deals in another currency are credited at the rate of their credit date; a new rate redoes its days alone."""

from __future__ import annotations

from datetime import date

import pytest

from comp.core.errors import ProblemsError
from comp.people.models import ExchangeRate
from comp.people.rates import rate_set
from crediting.models import DataIssue
from payouts.models import FigureChange
from payouts.services import replay
from tests.payouts.house import House, house, plan_text

JANUARY, MARCH = date(2026, 1, 1), date(2026, 3, 1)


def converting() -> House:
    return house(plan_text().replace("credit_rules:", "currencies: {pay_rate: credit_date}\ncredit_rules:", 1))


def rate(of: House, value: str | None, starts_on: date, source: str = "EUR") -> None:
    with of.acme.scope(of.ops):
        rate_set(source=source, target="USD", kind="spot", starts_on=starts_on, rate=value)
    of.work()


@pytest.mark.django_db
def test_a_deal_waits_for_a_rate_and_is_paid_at_its_days() -> None:
    """50,000 EUR at 1.10 are 55,000 USD, of which 10% are 5,500; at 1.20 they are 60,000: 6,000."""
    acme = converting()
    acme.won("A", "50000.00", "2026-02-10", currency="EUR")
    acme.won("Y", "1000000", "2026-02-11", currency="JPY")
    acme.work()
    assert acme.earned() == {}
    with acme.acme.scope():
        waiting = DataIssue.objects.filter(kind="currency", state="open")
        assert sorted(waiting.values_list("value", flat=True)) == ["A", "Y"]
    rate(acme, "1.10", JANUARY)
    assert acme.earned() == {"A": 550_000}
    rate(acme, "0.0065", JANUARY, source="JPY")  # 6,500 USD
    assert acme.earned() == {"A": 550_000, "Y": 65_000}
    rate(acme, "1.20", JANUARY)
    assert acme.earned() == {"A": 600_000, "Y": 65_000}
    with acme.acme.scope():
        assert FigureChange.objects.latest("id").cause.label == "EUR to USD (spot) 1.2 from 1 January 2026"
        assert replay.differences_found() == []
    rate(acme, "1.50", MARCH)
    assert acme.earned()["A"] == 600_000
    rate(acme, None, JANUARY)
    assert acme.earned() == {"Y": 65_000}
    with acme.acme.scope():
        assert replay.differences_found() == []


@pytest.mark.django_db
def test_the_same_rate_again_is_no_revision_and_wrong_ones_are_refused() -> None:
    acme = converting()
    rate(acme, "1.10", JANUARY)
    rate(acme, "1.1000", JANUARY)
    with acme.acme.scope():
        assert ExchangeRate.objects.count() == 1
        for wrong in ("0", "-1", "NaN", "1e20", "1.00000000001", "one"):
            with pytest.raises(ProblemsError, match="cannot be"):
                rate_set(source="EUR", target="USD", kind="spot", starts_on=JANUARY, rate=wrong)
        with pytest.raises(ProblemsError, match="Unknown currency"):
            rate_set(source="EUX", target="USD", kind="spot", starts_on=JANUARY, rate="1")
