"""What happens to deals and beside them: it stands by the set of its events, waits for what it names, and is told."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

from comp.people.models import Participant
from crediting.models import DataIssue, Deal, DealTeam, Fact, FactRevision, FactTeam, RawDelivery
from crediting.services.endpoints import endpoint_create
from tests.factories import company
from tests.intake.sending import Sender, catalogue, deal, event, sender
from tests.intake.test_the_mailbox_makes_facts import news


def invoice(amount: str = "100.00", **more: Any) -> dict[str, Any]:
    said = {"id": "I1", "deal": "D1", "amount": amount, "currency": "USD", "invoice_date": "2026-04-01", **more}
    return event("invoice.issued", **said)


def lines(*said: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"line": name, "product": "mg", "amount": amount, "quantity": 2} for name, amount in said]


def standing() -> list[Any]:
    columns = ("kind", "external_id", "deal__external_id", "stands", "amount_minor", "day", "values", "version")
    found: list[Any] = list(Fact.objects.order_by("kind", "external_id").values_list(*columns))
    found += FactTeam.objects.order_by("fact__kind", "fact__external_id", "place").values_list(
        "fact__kind", "fact__external_id", "place", "role", "participant__key", "weight"
    )
    return found


def test_one_number_names_a_deal_or_a_fact(crm: Sender) -> None:
    for number in range(3):
        crm.send(deal(deal=f"D{number}"))
        crm.drain()
        crm.send(invoice(id=f"I{number}", deal=f"D{number}"))
        crm.drain()
    with crm.company.scope():
        ids = [*Deal.objects.values_list("id", flat=True), *Fact.objects.values_list("id", flat=True)]
        assert len(set(ids)) == 6


def test_an_invoice_is_told_with_the_people_and_dates_of_its_deal(crm: Sender) -> None:
    crm.send(deal())
    crm.drain()
    crm.send(invoice(tax="7.00", team=[{"role": "manager", "person": "bob"}]))
    crm.drain()
    with crm.company.scope():
        fact = Fact.objects.get()
        assert (fact.kind, fact.amount_minor, fact.values) == (
            "invoice",
            10000,
            {"invoice_date": "2026-04-01", "tax": 700},
        )
        told = news()[-1]
        assert told["fact"] == fact.pk and told["deal"] == Deal.objects.get().pk
        assert told["label"] == "Invoice I1 of deal D1, 100.00 USD on 1 Apr 2026"
        assert told["participants"] == sorted(Participant.objects.values_list("id", flat=True))
        assert told["dates"] == {
            "close_date": ["2026-03-01"], "engage_date": ["2026-01-10"], "day": ["2026-04-01"],
            "invoice_date": ["2026-04-01"],
        }  # fmt: skip
    crm.send(event("invoice.voided", "2026-05-01T00:00:00Z", id="I1"))
    crm.drain()
    with crm.company.scope():
        assert not Fact.objects.get().stands and not FactTeam.objects.exists()
        told = news()[-1]
        assert told["label"] == "Invoice I1 taken back"
        assert told["dates"]["day"] == ["2026-04-01"] and len(told["participants"]) == 2


def test_who_stands_on_it_knows_its_day(crm: Sender) -> None:
    crm.send(deal(version=1))
    crm.drain()
    crm.send(invoice(team=[{"role": "manager", "person": "bob"}]))
    crm.send(deal(version=2, close_date="2026-05-01"))
    crm.drain()
    crm.send(event("invoice.updated", "2026-05-02T00:00:00Z", **{**invoice()["data"], "invoice_date": "2026-04-09",
                   "team": [{"role": "manager", "person": "bob"}]}))  # fmt: skip
    crm.drain()
    with crm.company.scope():
        assert DealTeam.objects.get().close_date == Deal.objects.get().close_date == date(2026, 5, 1)
        assert FactTeam.objects.get().day == Fact.objects.get().day == date(2026, 4, 9)


def test_what_changes_a_deal_is_told_with_the_dates_of_its_facts(crm: Sender) -> None:
    crm.send(deal(version=1))
    crm.drain()
    crm.send(invoice(team=[{"role": "manager", "person": "bob"}]))
    crm.drain()
    crm.send(deal(version=2, amount="1.00"))
    crm.drain()
    with crm.company.scope():
        assert news()[-1]["dates"]["invoice_date"] == ["2026-04-01"]
        assert len(news()[-1]["participants"]) == 2


def test_facts_beside_deals_need_none(crm: Sender) -> None:
    sdr = [{"role": "ae", "person": "ann"}]
    crm.send(event("activity.done", id="A1", type="demo", on="2026-01-05", team=sdr, custom={"seen_on": "2026-01-06"}))
    crm.send(event("score.given", id="S1", type="csat", value="4.50", on="2026-01-07", account="acme"))
    crm.drain()
    with crm.company.scope():
        activity, score = Fact.objects.order_by("kind")
        assert (activity.type, score.values, score.account.key) == ("demo", {"value": "4.5"}, "acme")
        assert [change["dates"] for change in news()] == [
            {"day": ["2026-01-05"], "custom.seen_on": ["2026-01-06"]}, {"day": ["2026-01-07"]},
        ]  # fmt: skip
        assert news()[0]["deal"] is None


def test_each_word_that_a_fact_names_is_asked_for(crm: Sender) -> None:
    crm.send(invoice(product="nothing", team=[{"role": "sdr", "person": "zoe"}]))
    crm.send(invoice(id="I2", deal=None, currency="EUR"))
    crm.drain()
    with crm.company.scope():
        asked = set(DataIssue.objects.values_list("kind", "value"))
        assert asked == {
            ("deal", "D1"), ("product", "nothing"), ("role", "sdr"), ("owner", "zoe"), ("currency", "invoice I2"),
        }  # fmt: skip
    crm.send(event("invoice.updated", "2026-03-02T00:00:00Z", **invoice(id="I2", deal=None)["data"]))
    crm.drain()
    with crm.company.scope():
        assert RawDelivery.objects.filter(state="waiting").count() == 1  # the one in euros is history by now
        assert Fact.objects.get().revisions == 2


def test_a_billing_systems_facts_belong_to_another_systems_deals(crm: Sender) -> None:
    with crm.company.scope():
        endpoint, secret = endpoint_create(key="billing", name="Billing", deals_from=crm.endpoint)
    billing = Sender(crm.company, endpoint, secret)
    billing.send(invoice())
    crm.drain()
    with crm.company.scope():
        assert DataIssue.objects.get().kind == "deal"
    crm.send(deal())
    crm.drain()
    with crm.company.scope():
        assert Fact.objects.get().deal == Deal.objects.get()
        assert DataIssue.objects.get().state == "resolved"


def test_a_deal_that_speaks_of_lines_replaces_them_all(crm: Sender) -> None:
    crm.send(deal(version=1, lines=lines(("a", "10.00"), ("b", "20.00"))))
    crm.drain()
    crm.send(deal(version=2, amount="7.00"))
    crm.send(deal(version=3, lines=lines(("b", "25.00"))))
    crm.drain()
    with crm.company.scope():
        found = list(Fact.objects.order_by("external_id").values_list("external_id", "stands", "amount_minor"))
        assert found == [("D1/a", False, None), ("D1/b", True, 2500)]
        assert FactRevision.objects.count() == 4
        assert {change["label"] for change in news()[-2:]} == {
            "Line a of deal D1 taken back", "Line b of deal D1, 25.00 USD",
        }  # fmt: skip


def test_any_order_of_lines_and_facts_gives_the_same(db: None) -> None:
    chance = random.Random(11)
    events: list[tuple[str, dict[str, Any]]] = []
    for number in range(12):
        name = f"D{number}"
        for version in range(4):
            said: dict[str, Any] = {"deal": name, "version": version}
            if chance.random() < 0.7:
                some = chance.sample("abcd", chance.randrange(4))
                said["lines"] = lines(*((one, str(chance.randrange(1, 9))) for one in some))
            events.append((f"{name}.{version}", deal(**said)))
            at = f"2026-03-0{chance.randrange(1, 5)}T00:00:00Z"
            kind = chance.choice(("invoice.issued", "invoice.updated", "invoice.voided"))
            whom = [{"role": "ae", "person": chance.choice(("ann", "bob"))}]
            body = invoice(str(version + 1), id=f"I{number}", deal=name, team=whom)["data"]
            events.append((f"{name}.i{version}", event(kind, at, **body)))
    found = []
    for run in range(3):
        where = company(f"house-{run}")
        with where.scope():
            catalogue(where)
        crm = sender(where)
        sent = events * (1 + run)
        if run:
            chance.shuffle(sent)
        for sender_id, body in sent:
            crm.send(body, sender_id)
            if chance.random() < 0.1:
                crm.drain()
        crm.drain()
        with where.scope():
            found.append(standing())
    assert found[0] == found[1] == found[2]
    assert any(not row[3] for row in found[0]) and len(found[0]) > 30


def test_a_contract_is_told_to_the_readings_that_it_counts_for(crm: Sender) -> None:
    used = {"account": "acme", "product": "mg", "team": [{"role": "ae", "person": "ann"}]}
    crm.send(event("usage.reading", on="2026-01-31", used=5, **used))
    crm.send(event("usage.reading", on="2026-02-28", used=9, contracted=10, **used))
    crm.drain()
    with crm.company.scope():
        before = len(news())
    crm.send(event("contract.usage", account="acme", product="mg", contracted=100, **{"from": "2026-01-01"}))
    crm.drain()
    with crm.company.scope():
        told = news()[before:]
        assert [change["dates"] for change in told] == [{"day": ["2026-01-31"]}]
        assert told[0]["label"] == "Contract acme/mg/2026-01-01 on 1 Jan 2026"
