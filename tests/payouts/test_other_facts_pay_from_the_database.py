"""Credit of order lines, milestones, receipts, usage, activities; releases by cash and what takes back: the database's
figures, worked by hand, and the same whether worked in one by one or all anew."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from comp.core.days import day_number
from crediting.models import Credit
from payouts.frames.figures import figures
from payouts.frames.read import calendars, enclosing, pay_groups, read_batch, read_versions
from payouts.kernel import calculate
from payouts.models import Attainment, Earning, Tranche
from payouts.services import replay
from tests.intake.sending import event
from tests.payouts.house import House, house, plan_text
from tests.payouts.test_the_whole_language_pays_from_the_database import full_agrees
from tests.people.test_front_door import signed_in


def of_fact(kind: str, *, on: str = "day", amount: str = "amount", when: str = "[]", release: str = "") -> str:
    """The house's plan, crediting another kind of fact at a flat 10% without a quota's tiers."""
    text = plan_text(release=release or "[{share: 100%, on: credit_date}]")
    text = text.replace("fact: deal", f"fact: {kind}").replace("credit_date: close_date", f"credit_date: {on}")
    text = text.replace("    amount: amount\n", f"    amount: {amount}\n")
    text = text.replace("{all: [{field: stage, op: is, value: won}]}", f"{{all: {when}}}")
    start, end = text.index("rates: [{from: 0%"), text.index("    accelerator:")
    return text[:start] + "rates: [{from: 0%, rate: 10%}]\n" + text[end:]


def send(of: House, kind: str, at: str = "2026-02-01T10:00:00Z", **data: Any) -> None:
    of.crm.send(event(kind, at, **data))


def earned(of: House) -> list[tuple[str, int]]:
    """Each line's day and earning, in order."""
    with of.acme.scope():
        rows = Earning.objects.order_by("credit_date", "fact").values_list("credit_date", "earned_minor")
        return [(str(day), minor) for day, minor in rows]


def reads_agree(of: House) -> None:
    """Whoever is asked for, and whether their facts are looked for or all are read, now or as of now: the same."""
    with of.acme.scope():
        groups, versions = pay_groups(), read_versions()
        calendar = calendars()[of.acme.pay_group.pk]
        found = []
        for as_of in (None, timezone.now()):
            for headcount in (10_000, 0):
                lines = []
                for start in (date(2026, 1, 1), date(2026, 4, 1)):
                    span = enclosing(calendar, versions.every(), day_number(start))
                    source = read_batch(
                        calendar=calendar, versions=versions, start=span[0], end=span[1],
                        participants=[of.ann.pk], as_of=as_of, headcount=headcount,
                    )  # fmt: skip
                    right = figures(calculate(source.batch), source, groups).within(*span).earnings
                    names = ("fact", "credit_date", "earned_minor", "credit_minor", "position")
                    lines += sorted(zip(*(right[name].tolist() for name in names), strict=True))
                found.append(lines)
    assert found[0] == found[1] == found[2] == found[3]


def pages_tell(of: House) -> None:
    """Every line's page opens, for Finance."""
    reads_agree(of)
    client = Client()
    client.force_login(of.preparer, backend="django.contrib.auth.backends.ModelBackend")
    with of.acme.scope():
        lines = list(Earning.objects.values_list("id", flat=True))
    for line in lines:
        answer = client.get(f"/t/acme/why/{line}/")
        assert answer.status_code == 200, (line, answer.content[:500])


@pytest.mark.django_db
def test_order_lines_credit_by_their_own_product() -> None:
    """Of a deal of 100,000 the lines of GTX alone credit: 60,000 and 5,000 at 10%."""
    acme = house(of_fact("line", on="deal.close_date", when="[{field: product.series, op: is, value: GTX}]"))
    lines = [
        {"line": "1", "product": "gtx-pro", "amount": "60000.00", "quantity": 3},
        {"line": "2", "product": "mg", "amount": "35000.00"},
        {"line": "3", "product": "gtx-pro", "amount": "5000.00"},
    ]
    acme.won("A", "100000.00", "2026-01-10", lines=lines, version=1)
    acme.work()
    assert earned(acme) == [("2026-01-10", 600_000), ("2026-01-10", 50_000)]
    with acme.acme.scope():
        assert set(Credit.objects.values_list("deal__external_id", flat=True)) == {"A"}
    full_agrees(acme)
    pages_tell(acme)
    # The deal's date moves, and one line goes.
    acme.won("A", "100000.00", "2026-01-20", lines=lines[:2], version=2)
    acme.work()
    assert earned(acme) == [("2026-01-20", 600_000)]
    full_agrees(acme)
    pages_tell(acme)


@pytest.mark.django_db
def test_milestones_credit_on_their_own_day() -> None:
    acme = house(of_fact("milestone", amount="deal.amount", when="[{field: type, op: is, value: go-live}]"))
    acme.won("A", "60000.00", "2026-01-10", version=1)
    acme.milestone("A", "go-live", "2026-03-05")
    acme.milestone("A", "signature", "2026-01-12")
    acme.work()
    assert earned(acme) == [("2026-03-05", 600_000)]
    acme.won("A", "50000.00", "2026-01-10", at="2026-03-06T10:00:00Z", version=2)
    acme.work()
    assert earned(acme) == [("2026-03-05", 500_000)]
    full_agrees(acme)
    pages_tell(acme)
    acme.milestone("A", "go-live", "2026-03-05", reached=False, at="2026-03-07T10:00:00Z")
    acme.work()
    assert earned(acme) == []
    full_agrees(acme)
    pages_tell(acme)


@pytest.mark.django_db
def test_paid_as_the_customer_pays() -> None:
    """Receipts of 40,000 and 20,000 credit on their days; the second is withdrawn again."""
    acme = house(of_fact("receipt"))
    acme.won("A", "60000.00", "2026-01-10")
    for key, amount, day in (("R1", "40000.00", "2026-02-01"), ("R2", "20000.00", "2026-03-01")):
        send(acme, "receipt.applied", id=key, deal="A", amount=amount, currency="USD", on=day)
    acme.work()
    assert earned(acme) == [("2026-02-01", 400_000), ("2026-03-01", 200_000)]
    full_agrees(acme)
    pages_tell(acme)
    send(acme, "receipt.withdrawn", "2026-03-02T00:00:00Z", id="R2")
    acme.work()
    assert earned(acme) == [("2026-02-01", 400_000)]
    full_agrees(acme)
    pages_tell(acme)


@pytest.mark.django_db
def test_a_fact_of_another_team_is_credited_to_it() -> None:
    """A hand-over of Bob's deal that Ann did: the fact's own team stands in the deal's place."""
    acme = house(of_fact("activity", amount="deal.amount", when="[{field: type, op: is, value: demo}]"))
    acme.won("A", "60000.00", "2026-01-10", owner="bob")
    own = {"team": [{"role": "ae", "person": "ann"}]}
    send(acme, "activity.done", id="1", type="demo", deal="A", on="2026-02-01", **own)
    send(acme, "activity.done", id="2", type="demo", deal="A", on="2026-02-02")
    acme.work()
    assert earned(acme) == [("2026-02-01", 600_000)]
    full_agrees(acme)
    pages_tell(acme)


@pytest.mark.django_db
def test_usage_of_an_account_is_held_against_its_contract() -> None:
    """In units: 30 of 100, 60 of 100 and 60 of the 50 that are contracted from March on; counted where the contract is
    used to the half, at 2.00 a unit."""
    text = of_fact("usage", amount="used", when="[{field: computed.half, op: at_least, value: 0}]")
    text = text.replace(
        "credit_rules:", "computed:\n  computed.half: {type: number, decimals: 2, mode: half-even, "
        "is: used - contracted / 2}\ncredit_rules:", 1,
    )  # fmt: skip
    start, end = text.index("    quota: sales"), text.index("    accelerator:")
    text = (
        text[:start] + "    quota: null\n    below_zero: lowest_tier\n    tiers:\n      mode: marginal\n"
        "      axis: units\n      pays: per_unit\n      boundary: above\n"
        "      rates: [{from: 0, per_unit: 2.00}]\n" + text[end:]
    )
    acme = house(text)
    of = {"account": "acme", "product": "mg", "team": [{"role": "ae", "person": "ann"}]}
    contract = {"account": "acme", "product": "mg"}
    send(acme, "contract.usage", contracted=100, **contract, **{"from": "2026-01-01"})
    for day, used in (("2026-01-31", 30), ("2026-02-28", 60), ("2026-03-31", 60)):
        send(acme, "usage.reading", on=day, used=used, **of)
    acme.work()
    assert earned(acme) == [("2026-02-28", 12_000), ("2026-03-31", 12_000)]
    full_agrees(acme)
    pages_tell(acme)
    send(acme, "contract.usage", contracted=50, **contract, **{"from": "2026-01-15"})
    acme.work()
    assert earned(acme) == [("2026-01-31", 6_000), ("2026-02-28", 12_000), ("2026-03-31", 12_000)]
    with acme.acme.scope():
        assert Attainment.objects.get().total_minor == 150_000_000  # millionths of a unit
    full_agrees(acme)
    pages_tell(acme)


@pytest.mark.django_db
def test_cash_releases_what_a_deal_earned_in_parts() -> None:
    """6,000.00 on 60,000 invoiced: 20,000 paid release a third, a refund of 5,000 takes a twelfth back."""
    acme = house(plan_text(release="[{share: 100%, on: paid, base: invoiced, tax: without}]"))
    acme.won("A", "60000.00", "2026-01-10")
    cash = {"deal": "A", "currency": "USD"}
    send(acme, "invoice.issued", id="I", amount="60000.00", invoice_date="2026-01-15", tax="6000.00", **cash)
    send(acme, "receipt.applied", id="R", amount="20000.00", on="2026-02-01", **cash)
    acme.work()
    with acme.acme.scope():
        parts = list(Tranche.objects.order_by("part").values_list("amount_minor", "release_day"))
    assert parts == [(200_000, date(2026, 2, 1)), (400_000, None)]
    send(acme, "refund.made", id="F", amount="5000.00", on="2026-02-20", **cash)
    acme.work()
    with acme.acme.scope():
        parts = list(Tranche.objects.order_by("part").values_list("amount_minor", "release_day"))
    assert parts == [(200_000, date(2026, 2, 1)), (-50_000, date(2026, 2, 20)), (450_000, None)]
    full_agrees(acme)
    pages_tell(acme)


@pytest.mark.django_db
def test_a_cancellation_in_a_later_quarter_takes_back() -> None:
    """Of 6,000.00 a cancellation after 3 of 12 months takes nine twelfths back, in the quarter after."""
    taken = (
        "    clawback: {on: [cancellation], formula: pro_rata, term_months: 12, failing_month: does_not_count, "
        "lowers_measure: false, takes: all}\n"
    )
    acme = house(plan_text().replace("    cap: null\n", f"    cap: null\n{taken}"))
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    assert earned(acme) == [("2026-01-10", 600_000)]
    send(acme, "deal.cancelled", "2026-04-20T10:00:00Z", id="C", deal="A", on="2026-04-10", type="churn")
    acme.work()
    assert earned(acme) == [("2026-01-10", 600_000), ("2026-04-10", -450_000)]
    full_agrees(acme)
    pages_tell(acme)
    send(acme, "cancellation.withdrawn", "2026-04-21T10:00:00Z", id="C")
    acme.work()
    assert earned(acme) == [("2026-01-10", 600_000)]
    full_agrees(acme)
    pages_tell(acme)


@pytest.mark.django_db
def test_a_statement_says_until_when_a_line_may_be_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it within 90 days from 10 January: the last is 9 April."""
    within = "clawback: {on: [cancellation], formula: window, window: {days: 90}, lowers_measure: false, takes: all}"
    acme = house(plan_text().replace("    cap: null\n", f"    cap: null\n    {within}\n"))
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    for day, told in ((date(2026, 1, 11), True), (date(2026, 4, 9), True), (date(2026, 4, 10), False)):
        monkeypatch.setattr("payouts.reads.statements.today", lambda day=day: day)
        page = signed_in(acme.approver).get(f"/t/acme/statements/2026-01-01/{acme.ann.pk}/").content.decode()
        assert "$6,000.00" in page
        assert ('may be taken back until <time class="nowrap" datetime="2026-04-09">' in page) == told, day


@pytest.mark.django_db
def test_standard_fields_of_a_deal_are_read() -> None:
    """10% of the margin of deals of the region EMEA that begin before May."""
    fields = "computed:\n  computed.margin: {type: money, is: amount - cost}\n"
    where = "{field: region, op: is, value: EMEA}, {field: start_date, op: before, value: 2026-05-01}"
    text = plan_text().replace("credit_rules:", f"{fields}credit_rules:", 1)
    text = text.replace("    amount: amount\n", "    amount: computed.margin\n").replace(
        "value: won}]", f"value: won}}, {where}]"
    )
    acme = house(text)
    acme.won("A", "60000.00", "2026-01-10", cost="20000.00", region="EMEA", start_date="2026-02-01")
    acme.won("B", "60000.00", "2026-01-11", cost="20000.00", region="EMEA", start_date="2026-06-01")
    acme.won("C", "60000.00", "2026-01-12", region="EMEA", start_date="2026-02-01")
    acme.work()
    assert acme.earned() == {"A": 400_000}
    full_agrees(acme)
    pages_tell(acme)


@pytest.mark.django_db
def test_a_posted_period_is_found_again_as_it_was_known() -> None:
    acme = house(of_fact("receipt"))
    acme.won("A", "60000.00", "2026-01-10")
    send(acme, "receipt.applied", id="R1", deal="A", amount="40000.00", currency="USD", on="2026-01-20")
    acme.work()
    batch = acme.close(date(2026, 1, 1))
    later = "2026-02-10T10:00:00Z"
    send(acme, "receipt.applied", later, id="R1", deal="A", amount="30000.00", currency="USD", on="2026-01-20")
    acme.won("A", "60000.00", "2026-01-10", owner="bob", at=later, version=2)
    acme.work()
    with acme.acme.scope():
        found = replay.replay_period(acme.acme.pay_group, date(2026, 1, 1))
    assert found.found == [] and found.lines == 1
    assert batch.totals == {"USD": 400_000}
    full_agrees(acme)
    pages_tell(acme)
