"""What Comp's own events may say, and that bad ones become problems, never exceptions and never floats."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from crediting.intake.facts import DealFact, Event, Member
from crediting.intake.standard import adapt
from tests.intake.sending import deal, event

ROOT = Path(__file__).resolve().parents[2]


def taken(body: dict[str, Any] | bytes) -> Event:
    found = adapt(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert isinstance(found, Event), found
    return found


def wrong(body: dict[str, Any] | bytes) -> list[str]:
    found = adapt(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert isinstance(found, list)
    return [problem.path for problem in found]


def hr(**data: Any) -> dict[str, Any]:
    whole = {"person": "e1", "as_of": "2026-01-01", "name": "Rita", "hired": "2026-01-01", "pay_group": "sales"}
    return event("person.updated", **{**whole, "title": "AE", "role": "ae", **data})


def target(**more: Any) -> dict[str, Any]:
    whole = {"key": "sales", "from": "2026-01-01", "until": "2026-04-01", "amount": "100.00", "currency": "USD"}
    return {**whole, **more}


def test_a_deal_is_read_whole() -> None:
    found = taken(deal(version=3, team=[{"role": "se", "person": "bob", "weight": 2}], custom={"margin": 0.31, "n": 5}))
    assert found == Event(
        "deal.won",
        datetime(2026, 3, 1, 10, tzinfo=UTC),
        3,
        DealFact(
            deal="D1",
            stage="won",
            team=(Member("ae", "ann", 1), Member("se", "bob", 2)),
            product="gtx-pro",
            account="acme",
            amount_minor=451400,
            currency="USD",
            engage_date=date(2026, 1, 10),
            close_date=date(2026, 3, 1),
            territory="",
            custom=(("margin", "0.31"), ("n", 5)),
        ),
    )


def test_a_team_that_names_an_ae_takes_the_owners_place() -> None:
    fact = taken(deal(team=[{"role": "ae", "person": "bob"}])).fact
    assert isinstance(fact, DealFact)
    assert fact.team == (Member("ae", "bob", 1),)


@pytest.mark.parametrize(
    ("text", "minor"),
    [('"1054.00"', 105400), ("1054.00", 105400), ("1054", 105400), ('"-3.5"', -350), ("0.1", 10), ("null", None)],
)
def test_amounts_are_digits(text: str, minor: int | None) -> None:
    body = json.dumps(deal(amount="@")).replace('"@"', text).encode()
    fact = taken(body).fact
    assert isinstance(fact, DealFact)
    assert fact.amount_minor == minor


@pytest.mark.parametrize(
    "text",
    [
        '"1e3"',
        "1e3",
        "1E3",
        "NaN",
        "Infinity",
        "-Infinity",
        '"NaN"',
        '"1_000"',
        '"1,000"',
        '" 1"',
        '"+1"',
        '"1."',
        '".5"',
    ]
    + ['"١٢"', "1.001", '"1' + "0" * 40 + '"', "9" * 5000, "true", "[]", '""', "0x10", "01"],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    wrong(json.dumps(deal(amount="@")).replace('"@"', text).encode())


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"deal": ""}, "data.deal"),
        ({"deal": 7}, "data.deal"),
        ({"deal": "x" * 121}, "data.deal"),
        ({"owner": "a\u0000b"}, "data.owner"),
        ({"owner": "\ud800"}, "data.owner"),
        ({"currency": "usd"}, "data.currency"),
        ({"currency": "XXQ"}, "data.currency"),
        ({"close_date": "2026-02-30"}, "data.close_date"),
        ({"close_date": "20260201"}, "data.close_date"),
        ({"close_date": "0001-01-01"}, "data.close_date"),
        ({"version": -1}, "data.version"),
        ({"version": 1.0}, "data.version"),
        ({"version": 2**63}, "data.version"),
        ({"stage": "lost"}, "data.stage"),
        ({"ammount": "1"}, "data.ammount"),
        ({"team": [{"role": "se"}]}, "data.team[0].person"),
        ({"team": [{"role": "se", "person": "bob", "weight": 0}]}, "data.team[0].weight"),
        ({"team": [{"role": "se", "person": "bob"}] * 2}, "data.team"),
        ({"team": {}}, "data.team"),
        ({"custom": {"A b": 1}}, "data.custom"),
        ({"custom": {"a": [1]}}, "data.custom.a"),
        ({"custom": {"a": 1e400}}, ""),
        ({"cost": "1.001"}, "data.cost"),
        ({"quantity": "1.0000001"}, "data.quantity"),
        ({"start_date": "2026-02-30"}, "data.start_date"),
        ({"lines": [{"line": "1"}, {"line": "1"}]}, "data.lines"),
        ({"lines": [{"line": "1", "amount": "x"}]}, "data.lines[0].amount"),
    ],
)
def test_each_problem_names_its_place(said: dict[str, Any], path: str) -> None:
    assert wrong(deal(**said)) == [path]


def test_days_and_people_that_contradict_each_other_are_problems() -> None:
    assert wrong(hr(hired="2026-02-01", left="2026-02-01", manager="e1")) == ["data.left", "data.manager"]
    assert wrong(hr(leave=[{"from": "2026-02-01", "until": "2026-02-01"}])) == ["data.leave[0].until"]
    assert wrong(hr(leave=[{"from": "2026-02-01"}, {"from": "2026-03-01"}])) == ["data.leave"]
    assert wrong(hr(targets=[target(), target()])) == ["data.targets"]
    assert wrong(hr(targets=[target(amount="-1"), target(currency="XXQ", key="other")])) == [
        "data.targets[0].amount", "data.targets[1].currency",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        "{}".encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"1" * 9000,
    ]
    + [b'{"type":"deal.won","type":"deal.lost"}', b'{"type":[],"data":[],"timestamp":{}}', b'{"data":{"deal":NaN}}'],
)
def test_bodies_that_are_no_event_are_problems(body: bytes) -> None:
    assert wrong(body)


def test_milestones_readings_and_accounts() -> None:
    assert taken(event("milestone.reached", deal="D1", milestone="go-live", on="2026-04-01")).version == 0
    assert wrong(event("milestone.reached", deal="D1", milestone="Go live", on=None)) == ["data.on", "data.milestone"]
    assert taken(event("usage.reading", deal="D1", on="2026-04-01", used=5, contracted=20))
    assert wrong(event("usage.reading", deal="D1", on="2026-04-01", used=-5, contracted="20")) == [
        "data.used",
        "data.contracted",
    ]
    assert taken(event("account.updated", account="Acme", sector=None, country=None))
    assert wrong(event("deal.exploded")) == ["type"]


def test_ten_thousand_mangled_bodies_raise_nothing() -> None:
    chance = random.Random(5)
    good = json.dumps(deal(team=[{"role": "se", "person": "bob"}], custom={"a": 1.5})).encode()
    for _ in range(10_000):
        body = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(body))
            if chance.random() < 0.5:
                body[at] = chance.randrange(256)
            else:
                del body[at : at + chance.randrange(1, 12)]
        assert isinstance(adapt(bytes(body)), Event | list)


SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "events.schema.json").read_text()))


@pytest.mark.parametrize(
    "body",
    [
        deal(kind, stage=kind if kind != "updated" else "won")
        for kind in ("prospecting", "engaged", "won", "lost", "updated")
    ]
    + [
        deal(
            team=[{"role": "se", "person": "bob", "weight": 2}], custom={"a": 1.5, "b": None}, version=1, territory=None
        )
    ]
    + [deal(owner=None, product="", account=None, amount=None), deal(amount=12.5), deal(team=None, custom=None)]
    + [event("account.updated", account="A", name=None, sector="x", country=None)]
    + [event("milestone.withdrawn", deal="D", milestone="go-live", on="2026-01-01", version=2)]
    + [event("usage.reading", deal="D", on="2026-01-01", used=0, contracted=0)]
    + [event("usage.reading", account="A", product="P", on="2026-01-01", used=7)]
    + [event("usage.withdrawn", account="A", product="P", on="2026-01-01", version=3)]
    + [event("contract.usage", account="A", product="P", contracted=100, **{"from": "2026-01-01"})]
    + [event("contract.withdrawn", account="A", product="P", **{"from": "2026-01-01"})]
    + [event("invoice.issued", id="I1", deal="D", amount="100.00", currency="USD", invoice_date="2026-01-01", tax=7)]
    + [event("invoice.voided", id="I1"), event("receipt.withdrawn", id="R1"), event("refund.withdrawn", id="F1")]
    + [event("receipt.applied", id="R1", deal="D", amount="40.00", currency="USD", on="2026-02-01")]
    + [event("refund.made", id="F1", deal="D", amount="10", currency="USD", on="2026-03-01", type="complaint")]
    + [event("deal.cancelled", id="C1", deal="D", on="2026-03-01"), event("cancellation.withdrawn", id="C1")]
    + [event("invoice.unpaid", id="N1", deal="D", on="2026-03-01", amount=None)]
    + [event("activity.done", id="A1", type="demo", on="2026-01-05", team=[{"role": "sdr", "person": "ann"}])]
    + [event("score.given", id="S1", type="csat", value="4.5", on="2026-01-05", account="A")]
    + [event("hours.worked", id="H1", quantity=7.25, on="2026-01-05", team=[{"role": "ae", "person": "ann"}])]
    + [hr(), hr(email="rita@acme.test", left="2026-03-01", team="north", manager="e2", region=None, position="P-7")]
    + [hr(leave=[{"from": "2026-02-01", "until": None}, {"from": "2026-01-05", "until": "2026-01-09"}], targets=[])]
    + [hr(targets=[target(), target(amount=5, **{"from": "2026-04-01", "until": "2026-07-01"})], email="", version=3)]
    + [event("deal.transferred", id="T1", deal="D", role="ae", to="bo", on="2026-01-05", **{"from": "ann"})]
    + [event("transfer.withdrawn", id="T1", reason="by mistake"), event("transfer.withdrawn", id="T1", deal="D")]
    + [
        deal(
            cost="10.00",
            quantity="2.5",
            term_months=12,
            start_date="2026-04-01",
            region="EMEA",
            type="renewal",
            lines=[{"line": "1", "product": "mg", "amount": "100.00", "quantity": 2, "team": None}, {"line": "2"}],
        )  # fmt: skip
    ],
)
def test_the_documented_schema_and_the_adapter_accept_the_same(body: dict[str, Any]) -> None:
    SCHEMA.validate(body)
    taken(body)


@pytest.mark.parametrize(
    "body",
    [deal(deal=""), deal(stage="lost"), deal("updated"), deal(amount="1e3"), deal(amount="1_0"), deal(version=-1)]
    + [
        deal(ammount="1"),
        deal(team=[{"role": "se"}]),
        deal(custom={"A b": 1}),
        deal(custom={"a": []}),
        deal(currency="usd"),
    ]
    + [event("usage.reading", deal="D", on="2026-01-01", used=-1, contracted=0), event("deal.exploded")]
    + [event("usage.reading", deal="D", on="2026-01-01", used=1), event("usage.reading", on="2026-01-01", used=1)]
    + [event("contract.usage", account="A", product="P", **{"from": "2026-01-01"})]
    + [event("invoice.issued", id="I1", deal="D", amount="100.00", invoice_date="2026-01-01")]
    + [event("invoice.issued", id="I1", amount=None, currency="USD", invoice_date="2026-01-01")]
    + [event("receipt.applied", id="", amount="1", currency="USD", on="2026-02-01")]
    + [event("refund.made", id="F1", deal="", amount="10", currency="USD", on="2026-03-01")]
    + [event("deal.cancelled", deal="D", on="2026-03-01"), event("activity.done", id="A1", on="2026-01-05")]
    + [event("score.given", id="S1", type="csat", value="1e3", on="2026-01-05")]
    + [event("score.given", id="S1", type="csat", value="1.0000001", on="2026-01-05")]
    + [event("hours.worked", id="H1", quantity=1, on="2026-01-05", hours=3)]
    + [hr(person=""), hr(name=None), hr(hired=None), hr(as_of="soon"), hr(email="rita"), hr(role=""), hr(salary="1")]
    + [hr(leave=None), hr(leave=[{"until": "2026-02-01"}]), hr(leave=[{"from": "2026-02-01", "days": 3}]), hr(team=7)]
    + [hr(targets=[target(amount=None)]), hr(targets=[target(key="Sales!")]), hr(targets=[{"key": "sales"}])]
    + [event("deal.transferred", id="T1", deal="D", role="ae", to="bo", on="2026-01-05")]
    + [event("deal.transferred", id="T1", role="ae", to="bo", on="2026-01-05", **{"from": "ann"})]
    + [deal(lines=[{"line": ""}]), deal(lines=[{"line": "1", "deal": "D2"}]), deal(lines=None), deal(day="2026-01-01")]
    + [
        event("milestone.reached", deal="D", milestone="Go live", on="2026-01-01"),
        deal(at="yesterday"),
        deal(close_date=5),
    ]
    + [{key: value for key, value in deal().items() if key != left} for left in ("type", "timestamp", "data")],
)
def test_the_documented_schema_and_the_adapter_refuse_the_same(body: dict[str, Any]) -> None:
    assert not SCHEMA.is_valid(body)
    wrong(body)


@pytest.mark.parametrize("key", ["a\0b", "a\ud800b"])
def test_an_unknown_key_is_told_in_text_that_a_database_keeps(key: str) -> None:
    path = wrong(event("milestone.reached", deal="D1", milestone="go-live", on="2026-03-01", **{key: 1}))[0]
    assert path.isprintable()
