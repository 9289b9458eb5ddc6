"""Up to 10,000 events in one call: kept as they came, taken each by itself, told of one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from crediting.models import Deal, RawDelivery
from tests.api.conftest import Caller
from tests.intake.sending import deal
from tests.pages.rep.world import World


def won(name: str, amount: str = "1000.00", **more: Any) -> dict[str, Any]:
    told = deal("won", "2026-11-02T10:00:00Z", deal=name, owner="ann", amount=amount, close_date="2026-11-02")
    return {**told, **more}


def send(key: Caller, events: Any, idempotency: str = "k1", path: str = "facts/bulk") -> Any:
    return key.post(path, events, Idempotency_Key=idempotency)


def test_each_item_is_taken_by_itself_and_tells_what_became_of_it(world: World, ops: Caller) -> None:
    events = [won("A1", id="e1"), {"type": "deal.won"}, won("A2"), won("A3", owner=1), won("A1", id="e1"), 7,
              won("A1", "5.00", id="e1"), {**won("A4"), "id": 3}]  # fmt: skip
    unknown = won("A5")
    unknown["data"]["owner"] = "nobody-known"
    answer = send(ops, [*events, unknown])
    assert answer.status_code == 202, answer.content
    assert answer.json() == {"delivery": answer.json()["delivery"], "items": 9, "status": "stored"}
    path = f"deliveries/{answer.json()['delivery']}"
    assert {one["state"] for one in ops.items(f"{path}/items")} == {"pending"}
    world.work()
    items = ops.items(f"{path}/items")
    states = [one["state"] for one in items]
    assert states == ["done", "parked", "done", "done", "seen", "parked", "quarantined", "parked", "waiting"]
    assert items[0]["told"] == [{"kind": "deal", "external_id": "A1"}] and items[0]["sender_id"] == "e1"
    assert items[8]["waits_for"] == [["owner", "nobody-known"]]
    assert "allowed" in items[1]["error"] and items[7]["error"].startswith("id")
    first = ops.get(f"{path}/items?limit=4").json()
    rest = ops.get(f"{path}/items?limit=5&after={first['next']}").json()
    assert first["items"] + rest["items"] == items and rest["next"] is None
    shown = ops.get(path).json()
    assert shown["state"] == "split" and shown["items"]["seen"] == 1 and shown["items"]["done"] == 3
    assert {row["external_id"] for row in ops.items("deals?endpoint=api")} == {"A1", "A2", "A3"}


def test_the_same_body_again_is_seen_and_another_one_refused(world: World, ops: Caller) -> None:
    first, again = send(ops, [won("A1")]), send(ops, [won("A1")])
    assert (first.json()["status"], again.json()["status"]) == ("stored", "seen")
    assert first.json()["delivery"] == again.json()["delivery"]
    assert send(ops, [won("A2")]).status_code == 409
    assert send(ops, [won("A1")], "k2").json()["delivery"] != first.json()["delivery"]
    world.work()
    with world.company.scope():
        assert Deal.objects.count() == 1


def test_ten_thousand_are_taken_and_one_more_is_not(world: World, ops: Caller) -> None:
    events = [won(f"A{n}", id=f"e{n}") for n in range(10_000)]
    assert send(ops, events).status_code == 202
    over = send(ops, [*events, won("over")], "k2")
    assert over.status_code == 422 and "10000 events" in over.json()["errors"][0]["allowed"]
    with world.company.scope():
        assert RawDelivery.objects.count() == 1


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", "[1", "[1,]", "[1] 2", "[,]", "[1 2]", "[" * 100_000, b"\xff", "[" + "9" * 9000 + "]"]
)
def test_what_is_no_array_is_refused_and_nothing_kept(world: World, ops: Caller, body: Any) -> None:
    answer = send(ops, body)
    if body == "[" + "9" * 9000 + "]":
        assert answer.status_code == 202, "an item that is none is told of by itself"
        return
    assert answer.status_code == 422, answer.content
    with world.company.scope():
        assert not RawDelivery.objects.exists()


def test_a_key_is_asked_for_and_the_hook_takes_nothing(world: World, ops: Caller) -> None:
    assert ops.post("facts/bulk", [won("A1")]).status_code == 422
    assert send(ops, [won("A1")], path="facts/bulk?endpoint=crm").status_code == 422, "the CRM signs its own"
    send(ops, [won("A1")])
    with world.company.scope():
        token = RawDelivery.objects.get().endpoint.token
    posted = Client().post(f"/hooks/{token}/", json.dumps(won("A9")), content_type="application/json")
    assert posted.status_code == 401


def test_digits_are_kept_as_they_were_sent(world: World, ops: Caller) -> None:
    text = json.dumps([won("A1")]).replace('"deal": "A1"', '"deal": "A1", "version": 9007199254740993')
    assert "9007199254740993" in text
    assert send(ops, text).status_code == 202
    world.work()
    with world.company.scope():
        assert Deal.objects.get().version == 9007199254740993
