"""Recorded calls of each source, read into changes of its records."""

from __future__ import annotations

import json
from datetime import timedelta

from crediting.intake.salesforce.records import COMMITS
from crediting.intake.source import Change, Gap
from crediting.intake.sources import SOURCES
from tests.unit.intake.calls import at, bodies, changed, ours, said, sample, soap, wrong

HUBSPOT, SALESFORCE, STRIPE, SEGMENT = (SOURCES[name] for name in ("hubspot", "salesforce", "stripe", "segment"))
DEAL = "0065e00000LtQXyAAN"


def by_record(changes: list[Change]) -> dict[tuple[str, str], Change]:
    return {(change.object, change.id): change for change in changes}


# HubSpot


def test_hubspots_notifications_are_changes_of_one_property_each() -> None:
    found = said(HUBSPOT, sample("hubspot/batch.json"))
    deals = [change for change in found if change.object == "deal"]
    assert {change.id for change in deals} == {"19043876521"}
    assert [dict(change.values) for change in deals] == [
        {},
        {"amount": "1054.00"},
        {"dealstage": "closedwon"},
        {"closedate": "1772359260431"},
        {"association.company.8812457006": True, "association.company": "8812457006"},
        {"hubspot_owner_id": "61204418"},
    ]
    assert deals[1].at == at("2026-03-01T10:00:00.125000")
    assert not any(change.whole or change.gone for change in found)
    assert {change.object for change in found} == {"deal", "company", "line_item"}


def test_hubspots_repeated_attempt_is_the_same_notification() -> None:
    body = sample("hubspot/batch.json")
    again = body.replace(b'"attemptNumber": 0', b'"attemptNumber": 3')
    assert HUBSPOT.items(body) == HUBSPOT.items(again)


def test_hubspots_event_ids_are_not_trusted_to_be_unique() -> None:
    one, two = json.loads(sample("hubspot/batch.json"))[1:3]
    items = HUBSPOT.items(json.dumps([one, {**two, "eventId": one["eventId"]}]).encode())
    assert isinstance(items, list)
    assert items[0].sender_id != items[1].sender_id


def test_hubspot_takes_merged_and_deleted_records_away() -> None:
    found = said(HUBSPOT, sample("hubspot/merge-and-delete.json"))
    assert [(change.object, change.id, change.gone) for change in found] == [
        ("deal", "19043876521", True),
        ("deal", "19043876522", True),
        ("deal", "19043876523", True),
        ("deal", "19043880001", False),
        ("company", "8812457006", True),
        ("company", "8812457006", False),
        ("deal", "19043880001", False),
    ]
    assert found[0].values == {"merged_into": "19043880001"}
    assert found[-1].values == {"amount": None}, "an emptied property is empty"


def test_hubspots_removed_company_stands_no_more() -> None:
    one = json.dumps(json.loads(sample("hubspot/batch.json"))[4]).encode()
    assert said(HUBSPOT, changed(one, associationRemoved=True))[0].values == {"association.company.8812457006": False}
    other = said(HUBSPOT, changed(one, isPrimaryAssociation=False))[0]
    assert other.values == {"association.company.8812457006": True}


def test_one_bad_notification_holds_up_no_other() -> None:
    batch = json.loads(sample("hubspot/batch.json"))
    batch[1:1] = [None, {}, {**batch[1], "occurredAt": "soon"}, 7, [], {**batch[1], "subscriptionType": "deal.wished"}]
    items = HUBSPOT.items(json.dumps(batch).encode())
    assert isinstance(items, list)
    read = [HUBSPOT.read(item.body) for item in items]
    assert sum(isinstance(one, tuple) for one in read) == 8
    assert sum(isinstance(one, list) for one in read) == 6


# Salesforce


def test_an_outbound_message_brings_whole_records() -> None:
    first, second = said(SALESFORCE, sample("salesforce/outbound.xml"))
    assert (first.object, first.id, first.whole, first.gone) == ("Opportunity", DEAL, True, False)
    assert first.at == at("2026-03-01T10:01:00")
    assert first.values["Amount"] == "1054.0"
    assert first.values["Product__c"] == "GTX Pro & Plus"
    assert second.values["Amount"] == "1.2345678E7"


def test_an_outbound_message_is_acknowledged_in_soap() -> None:
    answer = SALESFORCE.answer(soap(sample("salesforce/outbound.xml")))
    assert answer is not None
    assert b"<Ack>true</Ack>" in answer.body
    assert SALESFORCE.answer(ours(b"{}")) is None


def test_a_notification_that_is_sent_again_with_newer_data_is_a_new_item() -> None:
    body = sample("salesforce/outbound.xml")
    newer = body.replace(b"10:01:00.000Z", b"10:09:00.000Z").replace(b">1054.0<", b">2000.0<")
    old, new = SALESFORCE.items(body), SALESFORCE.items(newer)
    assert isinstance(old, list)
    assert isinstance(new, list)
    assert old[0].sender_id != new[0].sender_id
    assert old[1] == new[1]


def test_an_outbound_message_without_the_records_time_asks_for_it() -> None:
    body = sample("salesforce/outbound.xml").replace(b"SystemModstamp", b"Anything")
    assert wrong(SALESFORCE, body) == ["SystemModstamp"] * 2


def test_change_events_say_what_changed_in_every_record_that_they_name() -> None:
    created, one, two, account, deleted = said(SALESFORCE, sample("salesforce/change-events.json"))
    assert created.whole
    assert created.values["Amount"] == "1054.00"
    stage = {"StageName": "Closed Won", "NextStep": None, "LastModifiedDate": "2026-03-01T10:01:00.000Z"}
    assert one.values == two.values == stage
    assert (one.id, two.id) == (DEAL, "0065e00000LtQXzAAN")
    assert not one.whole
    assert one.version % COMMITS == 12004877134305
    assert one.at == at("2026-03-01T10:01:00") + timedelta(microseconds=2)
    assert account.values == {
        "LastModifiedDate": "1772359270000",
        "BillingAddress.Country": "Germany",
        "Industry": None,
    }, "fields that a Pub/Sub client names as null did not change"
    assert (deleted.id, deleted.gone, deleted.values) == ("0065e00000LtQXzAAN", True, {})


def test_a_gap_asks_for_each_record_again() -> None:
    (body,) = bodies(SALESFORCE, sample("salesforce/gap-event.json"))
    gaps = SALESFORCE.read(body)
    assert isinstance(gaps, tuple)
    assert [(gap.object, gap.id) for gap in gaps] == [("Opportunity", DEAL), ("Opportunity", "0065e00000LtQXzAAN")]
    for gap in gaps:
        assert isinstance(gap, Gap)
        assert gap.at == at("2026-03-01T10:01:30")
        assert "Fetch the record" in gap.message


def test_a_record_that_comes_whole_again_stands_above_earlier_changes_and_below_those_of_its_second() -> None:
    _, change, *_ = said(SALESFORCE, sample("salesforce/change-events.json"))
    won, _ = said(SALESFORCE, sample("salesforce/flow-records.json"))
    assert change.at.replace(microsecond=0) == won.at
    assert won.version < change.version < won.version + COMMITS
    later = sample("salesforce/flow-records.json").replace(b"10:01:00.000", b"10:01:01.000")
    assert said(SALESFORCE, later)[0].version > change.version


def test_records_of_a_flow_come_whole_and_may_be_deleted() -> None:
    won, deleted = said(SALESFORCE, sample("salesforce/flow-records.json"))
    assert won.whole
    assert won.values["Owner.Email"] == "ann@acme.example"
    assert won.at == at("2026-03-01T10:01:00")
    assert not any("attributes" in name for name in won.values)
    assert deleted.gone


def test_xml_with_a_document_type_entities_or_depth_is_refused() -> None:
    body = sample("salesforce/outbound.xml").decode()
    start = '<?xml version="1.0" encoding="UTF-8"?>'
    laughs = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
    for hostile in (
        body.replace(start, f'{start}<!DOCTYPE x [<!ENTITY a0 "ha">{laughs}]>').replace("GTX Pro", "&a9;"),
        body.replace(start, f'{start}<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>').replace("GTX Pro", "&f;"),
        body.replace(start, f'{start}<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">'),
        body.replace(start, f'{start}<?xml-stylesheet href="x"?>'),
        body.replace("GTX Pro", "&unknown;"),
        body.replace("1054.0", "<a>" * 30 + "</a>" * 30),
        body.replace("1054.0", "<a/>" * 60_000),
        body.replace("<Notification>", "<Notification><Id>1</Id>" * 2),
        body + body,
        body[:-20],
    ):
        assert wrong(SALESFORCE, hostile.encode()) != [], hostile[:200]


# Stripe


def test_an_invoice_that_is_paid_is_a_payment() -> None:
    found = by_record(said(STRIPE, sample("stripe/invoice.paid.json")))
    number = "in_1RTgBLGgamFOCd3qumdfJio8"
    assert set(found) == {("invoice", number), ("payment", number)}
    invoice = found["invoice", number]
    assert invoice.whole
    assert invoice.values["amount_paid"] == "105400"
    assert invoice.values["parent.subscription_details.metadata.deal"] == "D-1054"
    assert invoice.values["lines.data.0.metadata.deal"] == "D-1054"
    assert "lines.data.1.amount" not in invoice.values


def test_an_invoice_that_is_paid_after_it_failed_is_no_nonpayment_any_more() -> None:
    event = json.loads(sample("stripe/invoice.paid.json"))
    event["data"]["object"]["attempt_count"] = 2
    found = by_record(said(STRIPE, json.dumps(event).encode()))
    assert found["nonpayment", "in_1RTgBLGgamFOCd3qumdfJio8"].gone


def test_events_of_one_second_are_ordered_by_what_they_tell() -> None:
    created = 1772359260
    kinds = ("invoice.finalized", "invoice.payment_failed", "invoice.marked_uncollectible", "invoice.paid")
    moments = [said(STRIPE, changed(sample(f"stripe/{kind}.json"), created=created))[0].at for kind in kinds]
    assert moments == sorted(set(moments))
    assert moments[-1] - moments[0] < timedelta(milliseconds=1)


def test_failed_payments_refunds_and_cancellations_are_records() -> None:
    def kinds(name: str) -> list[tuple[str, bool]]:
        return [(change.object, change.gone) for change in said(STRIPE, sample(f"stripe/{name}.json"))]

    assert kinds("invoice.finalized") == [("invoice", False)]
    assert kinds("invoice.payment_failed") == [("invoice", False), ("nonpayment", False)]
    assert kinds("invoice.marked_uncollectible") == [("invoice", False), ("nonpayment", False)]
    assert kinds("invoice.voided") == [("invoice", False)]
    assert kinds("refund.created") == [("refund", False)]
    assert kinds("charge.refunded") == [("charge", False)]
    assert kinds("customer.subscription.deleted") == [("subscription", False)]


def test_a_stripe_event_is_known_whoever_else_heard_of_it() -> None:
    body = sample("stripe/invoice.paid.json")
    assert STRIPE.items(body) == STRIPE.items(changed(body, pending_webhooks=0))
    items = STRIPE.items(body)
    assert isinstance(items, list)
    assert items[0].sender_id == "evt_1RTgBPGgamFOCd3qF8WzpqN0"


def test_objects_that_mean_nothing_here_are_passed_over() -> None:
    other = changed(sample("stripe/refund.created.json"), data={"object": {"object": "payout", "id": "po_1"}})
    assert said(STRIPE, other) == []
    thin = changed(sample("stripe/refund.created.json"), object="v2.core.event")
    assert wrong(STRIPE, thin) == ["object"]


# Segment


def test_a_track_call_is_a_record_of_its_own() -> None:
    (found,) = said(SEGMENT, sample("segment/track.json"))
    assert (found.object, found.id) == ("track", "segment-b6b1f5f2-9f1a-4f19-8f0a-2b3e5c1d7a90")
    assert found.whole
    assert found.at == at("2026-03-01T10:00:00.220000")
    assert found.values["event"] == "Usage Metered"
    assert found.values["properties.used"] == "412"
    assert found.values["properties.plan.tier"] == "pro"
    assert not {"sentAt", "receivedAt", "writeKey"} & set(found.values)


def test_a_group_call_states_traits_of_an_account() -> None:
    (found,) = said(SEGMENT, sample("segment/group.json"))
    assert (found.object, found.id, found.whole) == ("group", "acme", False)
    assert found.values["traits.industry"] == "retail"
    assert found.values["traits.employees"] == "329"


def test_a_batch_brings_each_call_by_itself_without_its_key() -> None:
    body = sample("segment/batch.json")
    assert [change.object for change in said(SEGMENT, body)] == ["track", "group"], "identify says nothing here"
    assert not any(b"write-key" in one for one in bodies(SEGMENT, body))


def test_calls_of_the_short_addresses_need_no_type() -> None:
    for name in ("track", "group"):
        body = sample(f"segment/{name}.json")
        assert said(SEGMENT, changed(body, type=...))[0].object == name
    assert wrong(SEGMENT, changed(sample("segment/track.json"), type=..., event=...)) == ["type"]
