"""From deliveries to what stands: whatever the order, the duplicates and the batches."""

from __future__ import annotations

import json
import random
import time
from datetime import date, datetime
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from comp.outbox.models import Message
from comp.people.models import Participant
from crediting.models import (
    Account,
    DataIssue,
    Deal,
    DealRevision,
    DealTeam,
    Fact,
    FactRevision,
    RawDelivery,
)
from crediting.services import facts, mailbox
from crediting.services.locks import INTAKE
from tests.factories import company
from tests.intake.sending import Sender, catalogue, deal, event, sender


def news() -> list[dict[str, Any]]:
    return [
        change
        for message in Message.objects.filter(topic="facts.changed").order_by("id")
        for change in message.payload["changes"]
    ]


def standing() -> list[Any]:
    """Everything that stands, in the source's own words: equal for equal sets of events."""
    columns = ("external_id", "version", "sender_id", "stage", "amount_minor", "close_date", "revisions", "custom")
    found: list[Any] = list(Deal.objects.order_by("external_id").values_list(*columns))
    found += DealTeam.objects.order_by("deal__external_id", "place").values_list(
        "deal__external_id", "place", "role", "participant__key", "weight"
    )
    found += Fact.objects.order_by("kind", "external_id").values_list(
        "deal__external_id", "kind", "external_id", "sender_id", "version", "day", "stands", "values", "revisions"
    )
    found += Account.objects.order_by("key").values_list("key", "name", "sector", "country")
    found += DealRevision.objects.order_by("sender_id").values_list("external_id", "sender_id", "stage")
    found += DataIssue.objects.filter(state="open").order_by("kind", "value").values_list("kind", "value", "waiting")
    return found


def test_a_won_deal_stands_with_its_team_and_is_told(crm: Sender) -> None:
    delivery = crm.send(deal(version=2, owner="Ann", team=[{"role": "manager", "person": "bob", "weight": 3}]))[
        "delivery"
    ]
    assert crm.drain() == 1
    with crm.company.scope():
        found = Deal.objects.get()
        assert (found.stage, found.amount_minor, found.close_date) == ("won", 451400, date(2026, 3, 1))
        people = dict(Participant.objects.values_list("key", "id"))
        team = list(DealTeam.objects.order_by("place").values_list("role", "participant_id", "weight"))
        assert team == [("ae", people["ann"], 1), ("manager", people["bob"], 3)]
        assert news() == [
            {
                "deal": found.pk,
                "kind": "deal",
                "label": "Deal D1 won, 4,514.00 USD",
                "delivery": delivery,
                "participants": sorted(people.values()),
                "dates": {"close_date": ["2026-03-01"], "engage_date": ["2026-01-10"]},
            }
        ]
        assert RawDelivery.objects.get().state == "done"


def test_a_change_tells_of_people_and_dates_before_and_after(crm: Sender) -> None:
    crm.send(deal(version=1))
    crm.drain()
    crm.send(deal(version=2, owner="bob", close_date="2026-05-01"))
    crm.drain()
    with crm.company.scope():
        told = news()[-1]
        assert told["participants"] == sorted(Participant.objects.values_list("id", flat=True))
        assert told["dates"]["close_date"] == ["2026-03-01", "2026-05-01"]
        assert [row.participant.key for row in DealTeam.objects.all()] == ["bob"]


def test_an_older_revision_is_kept_and_changes_nothing(crm: Sender) -> None:
    crm.send(deal(version=5))
    crm.drain()
    crm.send(deal("engaged", version=4, at="2027-01-01T00:00:00Z"))
    crm.drain()
    with crm.company.scope():
        assert (Deal.objects.get().stage, Deal.objects.get().revisions) == ("won", 2)
        assert len(news()) == 1


def test_without_versions_the_event_time_decides_and_then_the_senders_id(crm: Sender) -> None:
    crm.send(deal(amount="1"), "b")
    crm.send(deal(amount="2"), "a")
    crm.send(deal(amount="3", at="2026-02-01T00:00:00+14:00"), "z")
    crm.drain()
    with crm.company.scope():
        assert Deal.objects.get().amount_minor == 100


def test_a_deal_that_has_no_date_is_not_told_of(crm: Sender) -> None:
    crm.send(deal("prospecting", engage_date=None, amount=None))
    crm.drain()
    with crm.company.scope():
        assert Deal.objects.count() == 1
        assert news() == []
    crm.send(deal("prospecting", version=1, engage_date=None, amount=None, custom={"signed_on": "2026-02-01"}))
    crm.drain()
    crm.send(deal("prospecting", version=2, engage_date=None, amount=None))
    crm.drain()
    with crm.company.scope():
        assert len(news()) == 2  # a plan may take a custom date for its credit date: that it came and that it went


def test_milestones_and_readings_wait_for_their_deal(crm: Sender) -> None:
    crm.send(event("milestone.reached", deal="D1", milestone="go-live", on="2026-04-01"))
    crm.send(event("usage.reading", deal="D1", on="2026-04-30", used=5, contracted=20))
    crm.drain()
    with crm.company.scope():
        issue = DataIssue.objects.get()
        assert (issue.kind, issue.value, issue.state, issue.waiting) == ("deal", "D1", "open", 2)
    crm.send(deal())
    crm.drain()
    with crm.company.scope():
        assert Fact.objects.get(kind="milestone").type == "go-live"
        assert Fact.objects.get(kind="usage").values == {"used": "5", "contracted": "20"}
        assert set(RawDelivery.objects.values_list("state", flat=True)) == {"done"}
        issue = DataIssue.objects.get()
        assert (issue.state, issue.waiting) == ("resolved", 0)
        assert [change["label"] for change in news()] == [
            "Deal D1 won, 4,514.00 USD",
            "Deal D1: go-live reached on 1 Apr 2026",
            "Deal D1: 5 of 20 used by 30 Apr 2026",
        ]


def test_a_milestone_said_twice_is_told_once_and_taken_back_is_told(crm: Sender) -> None:
    crm.send(deal())
    for number, kind in ((1, "reached"), (1, "reached"), (2, "withdrawn")):
        at = f"2026-04-0{number}T00:00:00Z"
        crm.send(event(f"milestone.{kind}", at, deal="D1", milestone="go-live", on="2026-04-01"))
        crm.drain()
    with crm.company.scope():
        assert FactRevision.objects.count() == 3
        told = [change["label"] for change in news() if change["kind"] == "milestone"]
        assert told == ["Deal D1: go-live reached on 1 Apr 2026", "Deal D1: go-live taken back"]


def test_an_accounts_sector_is_told_to_the_deals_that_read_it(crm: Sender) -> None:
    crm.send(deal())
    crm.drain()
    crm.send(event("account.updated", account="acme", name="Acme Corporation", sector="medical", country="Kenya"))
    crm.send(event("account.updated", account="New Ltd", sector="medical", country=None), "m")
    crm.send(
        event("account.updated", "2026-02-01T00:00:00Z", account="New Ltd", sector="technology", country=None), "z"
    )
    crm.drain()
    with crm.company.scope():
        assert news()[-1]["label"] == "Account Acme Corporation: sector medical, country Kenya"
        assert Account.objects.get(key="New Ltd").sector == "medical"


def test_any_order_and_any_duplicates_give_the_same(db: None) -> None:
    chance = random.Random(3)
    events: list[tuple[str, dict[str, Any]]] = []
    for number in range(25):
        name = f"D{number}"
        for version, kind in enumerate(chance.sample(("prospecting", "engaged", "won", "updated", "lost"), 4)):
            said: dict[str, Any] = {"stage": "won"} if kind == "updated" else {}
            said |= {"amount": chance.choice(("10", "20.5", None)), "owner": chance.choice(("ann", "bob"))}
            at = f"2026-03-{chance.randrange(1, 28):02}T00:00:00Z"
            events.append(
                (f"{name}.{version}", deal(kind, at, deal=name, version=chance.choice((0, 0, version)), **said))
            )
        day = f"2026-04-{chance.randrange(1, 28):02}"
        events.append((f"{name}.m", event("milestone.reached", deal=name, milestone="go-live", on=day)))
        events.append((f"{name}.u", event("usage.reading", deal=name, on=day, used=number, contracted=30)))
        account = {"account": chance.choice(("acme", "isdom")), "sector": chance.choice(("medical", "technolgy"))}
        events.append(
            (f"{name}.a", event("account.updated", f"2026-02-{number + 1:02}T00:00:00Z", **account, country="US"))
        )

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
    assert found[0] == found[1]
    assert found[0] == found[2]
    assert any(row[:2] == ("sector", "technolgy") for row in found[0])


def test_one_that_the_database_refuses_is_parked_alone(crm: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    build = facts._revision

    def poisoned(row: facts.DealRow, now: datetime) -> dict[str, Any]:
        revision = build(row, now)
        if row.fact.deal == "D2":
            revision["stage"] = "x" * 500
        return revision

    for number in (1, 2, 3):
        crm.send(deal(deal=f"D{number}"))
    with monkeypatch.context() as patch:
        patch.setattr(facts, "_revision", poisoned)
        crm.drain()
    with crm.company.scope():
        assert list(RawDelivery.objects.order_by("id").values_list("state", flat=True)) == ["done", "parked", "done"]
        assert "DataError" in RawDelivery.objects.get(state="parked").error
        assert DataIssue.objects.get().kind == "adapter"
        assert sorted(Deal.objects.values_list("external_id", flat=True)) == ["D1", "D3"]


def test_what_came_in_cannot_be_changed(crm: Sender) -> None:
    crm.send(deal())
    crm.drain()
    with crm.company.scope():
        for model, column in ((RawDelivery, "body"), (RawDelivery, "sender_id"), (DealRevision, "amount_minor")):
            with pytest.raises(DatabaseError), transaction.atomic():
                model.objects.update(**{column: b"x" if column == "body" else "1"})
            with pytest.raises(DatabaseError), transaction.atomic():
                model.objects.all()._raw_delete("default")


def test_five_hundred_deliveries_take_a_bounded_number_of_queries(
    crm: Sender, django_assert_max_num_queries: Any
) -> None:
    for number in range(500):
        body = json.dumps(deal(deal=f"D{number}", version=number % 3)).encode()
        with crm.company.scope():
            RawDelivery.objects.create(
                endpoint=crm.endpoint,
                sender_id=f"m{number}",
                sent_at="2026-03-01T00:00:00Z",
                body=body,
                body_sha256="x",
            )
    started = time.perf_counter()
    with django_assert_max_num_queries(50):
        crm.drain()
    print(f"500 deliveries in {time.perf_counter() - started:.2f} s")
    with crm.company.scope():
        assert Deal.objects.count() == 500
        assert Message.objects.filter(topic="facts.changed").count() == 1


@pytest.mark.django_db
def test_many_that_wait_are_set_aside_by_one_statement(crm: Sender) -> None:
    """A sender whose every event asks holds the intake no longer than one whose events are taken."""
    for number in range(40):
        crm.send(deal("won", "2026-03-01T10:00:00Z", deal=f"D{number}", owner=f"nobody-{number % 3}"))
    with CaptureQueriesContext(connection) as asked:
        crm.drain()
    updates = [each["sql"] for each in asked if each["sql"].lstrip().startswith("UPDATE crediting_rawdelivery")]
    assert len(asked) < 40 and not any("CASE WHEN" in each["sql"] for each in asked) and len(updates) <= 2
    with crm.company.scope():
        rows = RawDelivery.objects.filter(state="waiting", attempts=1, processed_at__isnull=False)
        assert rows.count() == 40 and rows.exclude(error="").exclude(waits_for=[]).count() == 40


@pytest.mark.django_db(transaction=True)
def test_a_drain_gives_way_to_another_that_takes_long(
    crm: Sender, owner_connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "DRAIN_WAIT", "50ms")
    tenant = crm.company.tenant.pk
    crm.send(deal())
    with owner_connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [INTAKE, tenant])
        assert cursor.fetchone() == (True,)
        assert mailbox.mailbox_drain(tenant) == 0  # this worker is free for others
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [INTAKE, tenant])
    with crm.company.scope():
        assert RawDelivery.objects.get().state == "pending"
    assert mailbox.mailbox_drain(tenant) == 1
    assert mailbox.mailbox_drain(tenant) == 0
