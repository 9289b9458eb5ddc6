"""A delivery that is a batch: each of its items waits, fails or counts alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from comp.core.errors import Problem
from crediting.intake.reading import problem
from crediting.intake.source import Item
from crediting.intake.sources import SOURCES, Standard
from crediting.models import DataIssue, Deal, RawDelivery
from crediting.services.endpoints import endpoint_create
from tests.intake.sending import Sender, deal


class Lists(Standard):
    """Lists of Comp's own events, with or without ids of their own."""

    name = "lists"

    def items(self, body: bytes) -> Sequence[Item] | Problem | None:
        found = json.loads(body)
        if not isinstance(found, list):
            return None if isinstance(found, dict) else problem("", "a word", "a list")
        return [Item(str(one.get("id", "")), json.dumps(one["event"]).encode()) for one in found]


@pytest.fixture
def lists(crm: Sender, monkeypatch: pytest.MonkeyPatch) -> Sender:
    monkeypatch.setitem(SOURCES, "lists", Lists())  # type: ignore[arg-type]
    with crm.company.scope():
        endpoint, secret = endpoint_create(key="lists", name="Lists", adapter="lists")
    return Sender(crm.company, endpoint, secret)


def batch(*events: tuple[str, dict[str, Any]]) -> bytes:
    return json.dumps([{"id": name, "event": body} for name, body in events]).encode()


def states(where: Sender) -> dict[str, str]:
    with where.company.scope():
        return dict(RawDelivery.objects.values_list("sender_id", "state"))


def test_one_bad_item_holds_up_no_other(lists: Sender) -> None:
    good, bad, broken = deal(deal="D1"), deal(deal="D2", owner="zoe"), {"type": "nothing"}
    lists.send(batch(("a", good), ("", bad), ("", broken), ("d", deal(deal="D4"))), "batch-1")
    lists.drain()
    assert states(lists) == {
        "batch-1": "split", "a": "done", "batch-1/1": "waiting", "batch-1/2": "parked", "d": "done",
    }  # fmt: skip
    with lists.company.scope():
        assert sorted(Deal.objects.values_list("external_id", flat=True)) == ["D1", "D4"]
        places = RawDelivery.objects.exclude(parent=None).order_by("place").values_list("place", flat=True)
        assert list(places) == [0, 1, 2, 3]


def test_an_item_counts_once_whatever_batches_it_comes_in(lists: Sender) -> None:
    lists.send(batch(("a", deal(deal="D1")), ("a", deal(deal="D1"))), "batch-1")
    lists.drain()
    lists.send(batch(("a", deal(deal="D1")), ("b", deal(deal="D2"))), "batch-2")
    lists.send(deal(deal="D2"), "b")
    lists.drain()
    assert states(lists) == {"batch-1": "split", "a": "done", "batch-2": "split", "b": "done"}
    with lists.company.scope():
        assert Deal.objects.get(external_id="D1").revisions == 1


def test_the_same_id_with_another_body_is_set_aside_and_shown(lists: Sender) -> None:
    lists.send(batch(("a", deal(amount="1")), ("a", deal(amount="2"))), "batch-1")
    lists.drain()
    with lists.company.scope():
        kept = RawDelivery.objects.filter(sender_id="a").order_by("place").values_list("state", flat=True)
        assert list(kept) == ["done", "quarantined"]
        assert Deal.objects.get().amount_minor == 100
        assert DataIssue.objects.get().kind == "conflict"


def test_what_is_no_batch_is_parked_with_the_reason(lists: Sender) -> None:
    lists.send(b'"word"', "word")
    lists.drain()
    assert states(lists) == {"word": "parked"}


def test_a_long_id_of_a_batch_still_names_its_items(lists: Sender) -> None:
    lists.send(batch(("", deal(deal="D1")), ("", deal(deal="D2"))), "x" * 200)
    lists.drain()
    assert sorted(states(lists).values()) == ["done", "done", "split"]
