"""A won deal that no rate of exchange reaches gives no credit, and nobody is left to find that out: it is asked about,
shown to those whom it would credit, and credited by itself once it can be."""

from __future__ import annotations

from datetime import date

import pytest

from comp.core.errors import ProblemsError
from comp.people.rates import rate_set
from crediting.models import DataIssue, WaitingCredit
from crediting.services.issues import issue_close, issue_replay
from payouts.services import replay
from tests.intake.sending import deal
from tests.payouts.house import House, house, plan_text

MARCH, LATER = date(2026, 3, 1), date(2026, 3, 20)
CONVERTING = plan_text().replace("credit_rules:", "currencies: {pay_rate: credit_date}\ncredit_rules:", 1)


def rate(of: House, value: str | None, starts_on: date, ends_on: date | None = None) -> None:
    with of.acme.scope(of.ops):
        rate_set(source="GBP", target="USD", kind="spot", starts_on=starts_on, ends_on=ends_on, rate=value)
    of.work()


def asked(of: House, state: str = "open") -> list[tuple[str, str, str, int]]:
    with of.acme.scope():
        rows = DataIssue.objects.filter(kind__in=["rate", "convert"], state=state).order_by("kind", "value")
        return list(rows.values_list("kind", "value", "message", "waiting"))


def waiting(of: House) -> list[tuple[str, str, str]]:
    with of.acme.scope():
        assert replay.differences_found() == []
        rows = WaitingCredit.objects.order_by("deal__external_id")
        return list(rows.values_list("deal__external_id", "reason", "currency"))


@pytest.mark.django_db
def test_a_deal_before_the_first_rate_waits_is_asked_about_and_credited() -> None:
    """1,000 GBP at 1.25 are 1,250 USD, of which 10% are 125; at 1.50 they are 1,500: 150."""
    acme = house(CONVERTING)
    rate(acme, "1.50", LATER)
    acme.won("A", "1000.00", "2026-03-05", currency="GBP")
    acme.won("B", "2000.00", "2026-03-09", currency="GBP")
    acme.won("C", "1000.00", "2026-03-25", currency="GBP")
    acme.work()
    assert acme.earned() == {"C": 15_000}
    assert waiting(acme) == [("A", "rate", "GBP"), ("B", "rate", "GBP")]
    said = "2 deals in GBP wait: no rate from GBP to USD holds on 2 days from 5 March 2026 to 9 March 2026."
    assert asked(acme) == [("rate", "GBP/USD", said, 2)]
    # Nobody can say that it is answered while it is not.
    with acme.acme.scope(acme.ops):
        issue = DataIssue.objects.get(kind="rate")
        for act in (issue_close, issue_replay):
            with pytest.raises(ProblemsError, match="by itself"):
                act(issue=issue, user=acme.ops)
    # A rate that reaches one of them: the question is about the other.
    rate(acme, "1.25", MARCH, date(2026, 3, 6))
    assert acme.earned() == {"A": 12_500, "C": 15_000}
    assert asked(acme) == [
        ("rate", "GBP/USD", "1 deal in GBP waits: no rate from GBP to USD holds on 9 March 2026.", 1)
    ]
    rate(acme, "1.25", date(2026, 3, 6))
    assert acme.earned() == {"A": 12_500, "B": 25_000, "C": 15_000}
    assert waiting(acme) == [] and asked(acme) == []
    assert [row[:2] for row in asked(acme, "resolved")] == [("rate", "GBP/USD")]
    # Rates that are taken back make them wait again, and nothing is paid as if pounds were dollars.
    for starts_on in (MARCH, date(2026, 3, 6), LATER):
        rate(acme, None, starts_on)
    assert acme.earned() == {}
    assert len(waiting(acme)) == 3 and asked(acme)[0][3] == 3


@pytest.mark.django_db
def test_a_plan_that_converts_nothing_is_asked_about_until_a_version_converts() -> None:
    acme = house()
    rate(acme, "1.25", date(2026, 1, 1))
    acme.won("A", "1000.00", "2026-03-05", currency="GBP")
    acme.work()
    assert acme.earned() == {}
    assert waiting(acme) == [("A", "currency", "GBP")]
    said = "1 deal in GBP waits: the plan Worked converts no other currencies."
    assert asked(acme) == [("convert", "GBP/worked", said, 1)]
    acme.publish(CONVERTING)
    assert acme.earned() == {"A": 12_500}
    assert waiting(acme) == [] and asked(acme) == []


@pytest.mark.django_db
def test_a_lost_deal_waits_for_nothing() -> None:
    acme = house(CONVERTING)
    rate(acme, "1.50", LATER)
    acme.won("A", "1000.00", "2026-03-05", currency="GBP")
    acme.work()
    assert len(waiting(acme)) == 1
    at = "2026-03-06T10:00:00Z"
    acme.crm.send(deal("lost", at, deal="A", owner="ann", amount="1000.00", close_date="2026-03-05", currency="GBP"))
    acme.work()
    assert waiting(acme) == [] and asked(acme) == []
