"""Every event that a mapping can make is one that Comp reads, with every field that the mapping may fill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from crediting.intake.facts import DealFact, Event, OtherFact
from crediting.intake.mapping import EVENTS, Record, apply
from crediting.intake.mapping.targets import LINE
from crediting.intake.source import Value
from crediting.intake.sources import SOURCES
from crediting.intake.standard import READERS, adapt
from tests.unit.intake.calls import at, changed, said, sample
from tests.unit.intake.test_mappings_make_events import default, folded, made

DEAL = "D-1054"
INVOICE = "in_1RTgBLGgamFOCd3qumdfJio8"
OF_KIND: Mapping[str, Any] = {
    **{"text": "word", "money": "10.00", "number": "1.5", "whole": 3, "day": "2026-03-01", "any": "x"},
}


def fact(record: Record, name: str, zone: str = "UTC") -> OtherFact:
    found = made(record, default(name), zone).fact
    assert isinstance(found, OtherFact)
    return found


def stripe(*names: str, **event: Any) -> dict[tuple[str, str], Record]:
    """The records as they stand after recorded events."""
    changes = [
        change for name in names for change in said(SOURCES["stripe"], changed(sample(f"stripe/{name}.json"), **event))
    ]
    return folded(changes)


def test_a_mapping_can_make_every_event_and_no_other() -> None:
    # People come by our own vocabulary alone: a CRM's records say nothing about who is employed.
    assert set(EVENTS) == set(READERS) - {"person.updated"}


@pytest.mark.parametrize("name", EVENTS)
def test_every_field_that_a_mapping_fills_is_read(name: str) -> None:
    data = {field: OF_KIND[kind] for field, kind in EVENTS[name].fields.items()} | {"version": 1}
    if "currency" in data:
        data["currency"] = "USD"
    if name.startswith("deal.") and name.split(".")[1] in ("prospecting", "engaged", "won", "lost"):
        data["lines"] = [{field: OF_KIND[kind] for field, kind in LINE.fields.items()}]
    if EVENTS[name].rich:
        data |= {"team": [{"role": "ae", "person": "ann", "weight": 1}], "custom": {"x": "y"}}
    found = adapt(json.dumps({"type": name, "timestamp": "2026-03-01T10:00:00Z", "data": data}).encode())
    assert isinstance(found, Event), found
    assert getattr(found.fact, "stands", True) is EVENTS[name].stands


def test_a_paid_invoice_is_an_invoice_and_a_receipt_of_its_deal() -> None:
    records = stripe("invoice.finalized", "invoice.paid")
    invoice, receipt = fact(records["invoice", INVOICE], "stripe"), fact(records["payment", INVOICE], "stripe")
    assert (invoice.kind, invoice.deal, invoice.amount_minor, invoice.currency) == ("invoice", DEAL, 105400, "USD")
    assert dict(invoice.values) == {"invoice_date": "2026-03-01", "paid_date": "2026-03-01", "tax": 0}
    assert (receipt.kind, receipt.id, receipt.amount_minor) == ("receipt", INVOICE, 105400)
    assert receipt.day == date(2026, 3, 1)


def test_an_invoices_tax_stands_beside_its_amount() -> None:
    event = json.loads(sample("stripe/invoice.paid.json"))
    event["data"]["object"] |= {"total": 125426, "currency": "jpy"}
    records = folded(said(SOURCES["stripe"], json.dumps(event).encode()))
    invoice = fact(records["invoice", INVOICE], "stripe")
    assert (invoice.amount_minor, dict(invoice.values)["tax"]) == (105400, 20026)


def test_a_voided_invoice_is_taken_back() -> None:
    assert not fact(stripe("invoice.finalized", "invoice.voided")["invoice", INVOICE], "stripe").stands


def test_only_the_last_failed_payment_is_a_nonpayment_and_paying_takes_it_back() -> None:
    failed = stripe("invoice.payment_failed")["nonpayment", INVOICE]
    assert apply(default("stripe"), failed, zone="UTC") is None, "Stripe will try again"
    given_up = fact(stripe("invoice.payment_failed", "invoice.marked_uncollectible")["nonpayment", INVOICE], "stripe")
    assert (given_up.kind, given_up.deal, given_up.amount_minor, given_up.stands) == ("nonpayment", DEAL, 105400, True)
    assert given_up.day == date(2026, 3, 31)
    event = json.loads(sample("stripe/invoice.paid.json"))
    event["data"]["object"]["attempt_count"] = 5
    late = folded(said(SOURCES["stripe"], changed(json.dumps(event).encode(), created=1775000000)))
    assert not fact(late["nonpayment", INVOICE], "stripe").stands


def test_a_refund_is_a_reversal_and_one_that_fails_is_taken_back() -> None:
    number = "re_3RTgBMGgamFOCd3q0YVxkqL1"
    refund = stripe("refund.created")["refund", number]
    made_of = fact(refund, "stripe")
    assert (made_of.kind, made_of.deal, made_of.amount_minor, made_of.day) == ("refund", DEAL, 20000, date(2026, 3, 8))
    assert not fact(replace(refund, values={**refund.values, "status": "failed"}), "stripe").stands
    assert (
        apply(default("stripe"), stripe("charge.refunded")["charge", "ch_3RTgBMGgamFOCd3q0YVxkqL1"], zone="UTC") is None
    )


def test_a_deleted_subscription_cancels_its_deal_on_the_day_it_ended() -> None:
    subscription = stripe("customer.subscription.deleted")["subscription", "sub_1RTgBLGgamFOCd3qPzcrN6tc"]
    cancelled = fact(subscription, "stripe")
    assert (cancelled.kind, cancelled.deal, cancelled.day) == ("cancellation", DEAL, date(2026, 4, 1))
    other = replace(subscription, values={**subscription.values, "metadata.deal": None})
    (problem,) = apply(default("stripe"), other, zone="UTC") or []
    assert (problem.path, problem.allowed) == ("deal", "a value in metadata.deal")


def test_events_of_test_mode_pay_nobody() -> None:
    for record in stripe("invoice.paid", "refund.created", "customer.subscription.deleted", livemode=False).values():
        assert apply(default("stripe"), record, zone="UTC") is None


def test_a_track_call_is_usage_or_an_activity_as_its_name_says() -> None:
    (usage,) = folded(said(SOURCES["segment"], sample("segment/track.json"))).values()
    reading = fact(usage, "segment")
    assert (reading.kind, reading.deal, reading.day) == ("usage", DEAL, date(2026, 3, 1))
    assert dict(reading.values) == {"contracted": "1000", "used": "412"}
    demo = fact(replace(usage, values={**usage.values, "event": "Demo Held"}), "segment")
    assert (demo.kind, demo.type, demo.account, demo.deal) == ("activity", "demo-held", "acme", DEAL)
    assert apply(default("segment"), replace(usage, values={**usage.values, "event": "Clicked"}), zone="UTC") is None


def test_line_items_that_name_a_deal_are_its_lines() -> None:
    values: dict[str, Value] = {
        **{"dealstage": "closedwon", "deal_currency_code": "USD", "amount": "30.00", "closedate": "1772359260431"},
    }
    deal = Record("deal", "1", values, at("2026-03-01T10:00:00"), 4)

    def item(number: str, amount: str, **more: Value) -> Record:
        found: dict[str, Value] = {"hs_sku": "gtx-pro", "amount": amount, "quantity": "2", "association.deal": "1"}
        return Record("line_item", number, {**found, **more}, deal.at, 1)

    related = [
        item("8", "20"),
        item("7", "10"),
        item("6", "5", **{"association.deal": "2"}),
        item("5", "5", **{"association.deal.1": False}),
        replace(item("4", "5"), gone=True),
    ]
    found = apply(default("hubspot"), deal, zone="UTC", related=related)
    assert isinstance(found, Event)
    assert isinstance(found.fact, DealFact)
    assert found.fact.lines is not None
    assert [(line.id, line.amount_minor, line.product) for line in found.fact.lines] == [
        ("1/7", 1000, "gtx-pro"),
        ("1/8", 2000, "gtx-pro"),
    ]
    none = apply(default("hubspot"), deal, zone="UTC")
    assert isinstance(none, Event)
    assert isinstance(none.fact, DealFact)
    assert none.fact.lines is None, "who keeps no line items says nothing of them"
