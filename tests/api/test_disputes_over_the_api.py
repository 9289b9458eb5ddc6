"""Disputes by a key: the queue, one with its thread, and the steps, by the services of the pages."""

from __future__ import annotations

from datetime import timedelta

import pytest

from comp.api.grants import Grant
from comp.api.models import KeptAnswer
from comp.people.selectors import today
from comp.tenancy.models import Membership
from payouts.models import Dispute, Earning, Statement
from payouts.services.disputes import dispute_open
from tests.api.conftest import Caller, caller
from tests.pages.rep.world import NOVEMBER, World, selling


@pytest.fixture
def world(db: None) -> World:
    return selling()


@pytest.fixture
def fay(world: World) -> Caller:
    return caller(world.company, world.users["Fay"], Grant.DISPUTES_READ, Grant.DISPUTES_WRITE)


def questioned(world: World) -> Dispute:
    ann = world.users["Ann"]
    with world.company.scope(ann):
        line = Earning.objects.filter(participant=world.people["Ann"], deal__external_id="D3").latest("earned_minor")
        return dispute_open(by=ann, category="rate", expectation="It is 12%.", expected_minor=99_00, earning=line)


def test_a_dispute_goes_its_way_over_the_api(world: World, fay: Caller) -> None:
    with world.company.scope():
        line = Earning.objects.filter(participant=world.people["Ann"], deal__external_id="D2").latest("earned_minor")
        statement = Statement.objects.get(participant=world.people["Ann"], period_starts_on=NOVEMBER)
    said = {"category": "credit", "expectation": "Half of it is hers.", "expected": "12.50"}
    made = fay.post("disputes", {**said, "earning": line.pk})
    assert made.status_code == 201, made.content
    one = made.json()
    assert (one["number"], one["state"], one["opened_by"], one["expected"]) == ("D-1", "open", "Fay", "12.50")
    assert one["before"] == f"{line.earned_minor // 100}.{line.earned_minor % 100:02}" and one["after"] is None
    again = fay.post("disputes", {**said, "earning": line.pk})
    assert again.status_code == 422 and "D-1" in again.json()["errors"][0]["message"]
    for wrong in ({}, {"earning": line.pk, "statement": statement.pk}, {"earning": 0}, {"statement": 10**9}):
        assert fay.post("disputes", {**said, **wrong}).status_code == 422, wrong
    assert fay.post("disputes", {**said, "expected": "1e3", "statement": statement.pk}).status_code == 422
    assert fay.post("disputes", {**said, "statement": statement.pk}).json()["number"] == "D-2"
    at = f"disputes/{one['id']}"
    promised = (today(world.company.tenant) + timedelta(days=5)).isoformat()
    assert fay.post(f"{at}/take", {"promised_on": promised}).json()["owner"] == "Fay"
    assert fay.post(f"{at}/take", {"promised_on": promised, "owner": "ann@acme.test"}).status_code == 422
    olga = world.users["Olga"].email
    assert fay.post(f"{at}/take", {"promised_on": promised, "owner": olga}).json()["owner"] == "Olga"
    assert fay.post(f"{at}/say", {"words": "Looked into."}).status_code == 200
    done = fay.post(f"{at}/decide", {"decision": "split", "words": "Shared.", "deal": line.deal_id}).json()
    assert (done["state"], done["changed_deal"], done["after"]) == ("decided", line.deal_id, done["before"])
    assert [entry["kind"] for entry in done["thread"]] == ["taken", "taken", "said"]
    assert fay.get(at).json() == done
    assert fay.post(f"{at}/withdraw", {}).status_code == 422
    second = fay.items("disputes?state=open")[0]["id"]
    assert fay.post(f"disputes/{second}/withdraw", {}).json()["state"] == "withdrawn"
    for wrong in ({"adjustment": "ADJ-000009"}, {"plan_version": 10**9}, {"fact": 10**9}, {"deal": 10**9}):
        body = {"decision": "data_fix", "words": "So", **wrong}
        assert fay.post(f"disputes/{second}/decide", body).status_code == 422


def test_the_queue_comes_in_pages_and_is_narrowed(world: World, fay: Caller) -> None:
    questioned(world)
    with world.company.scope():
        statement = Statement.objects.get(participant=world.people["Bob"], period_starts_on=NOVEMBER)
    said = {"category": "missing_deal", "expectation": "B2 is missing."}
    assert fay.post("disputes", {**said, "statement": statement.pk}).status_code == 201
    first = fay.get("disputes?limit=1").json()
    then = fay.get(f"disputes?limit=1&after={first['next']}").json()
    assert [one["number"] for one in (*first["items"], *then["items"])] == ["D-1", "D-2"] and then["next"] is None
    assert [one["number"] for one in fay.items("disputes?participant=bob")] == ["D-2"]
    assert fay.items("disputes?state=decided") == []
    assert fay.get("disputes?participant=nobody").status_code == 422


def test_a_key_needs_the_grant_and_sees_the_pay_of_its_maker(world: World, fay: Caller) -> None:
    dispute = questioned(world)
    reads = caller(world.company, world.users["Fay"], Grant.DISPUTES_READ)
    other = caller(world.company, world.users["Olga"], Grant.FIGURES_READ)
    assert reads.post(f"disputes/{dispute.pk}/say", {"words": "I"}).status_code == 403
    assert reads.get(f"disputes/{dispute.pk}").status_code == 200
    assert other.get(f"disputes/{dispute.pk}").status_code == 403
    with world.company.scope():
        Membership.objects.filter(user=world.users["Fay"]).update(pay_groups=["another"])
    assert reads.get(f"disputes/{dispute.pk}").status_code == 404
    assert fay.post(f"disputes/{dispute.pk}/say", {"words": "I"}).status_code == 404
    assert fay.items("disputes") == []


def test_what_is_kept_of_an_answer_shows_no_pay(world: World, fay: Caller) -> None:
    """The same request again is answered as the key may see it now."""
    with world.company.scope():
        line = Earning.objects.filter(participant=world.people["Ann"], deal__external_id="D2").latest("earned_minor")
    said = {"earning": line.pk, "category": "rate", "expectation": "It is 12%.", "expected": "98.76"}
    made = fay.post("disputes", said, Idempotency_Key="one")
    at = f"disputes/{made.json()['id']}"
    first = fay.post(f"{at}/say", {"words": "Looked into."}, Idempotency_Key="two")
    assert (made.status_code, first.status_code) == (201, 200)
    with world.company.scope():
        kept = dict(KeptAnswer.objects.values_list("key", "body"))
        assert kept == dict.fromkeys(("one", "two"), f'{{"id": {made.json()["id"]}}}')
    again = fay.post("disputes", said, Idempotency_Key="one")
    assert (again.status_code, again["Idempotent-Replay"], again.json()) == (201, "true", made.json())
    again = fay.post(f"{at}/say", {"words": "Looked into."}, Idempotency_Key="two")
    assert (again.status_code, again["Idempotent-Replay"], again.json()) == (200, "true", first.json())
    with world.company.scope():
        Membership.objects.filter(user=world.users["Fay"]).update(pay_groups=["another"])
    for path, body, key in (("disputes", said, "one"), (f"{at}/say", {"words": "Looked into."}, "two")):
        again = fay.post(path, body, Idempotency_Key=key)
        assert again.status_code == 404 and "12%" not in again.content.decode()
        assert fay.post(path, {**body, "words": "Other"}, Idempotency_Key=key).status_code == 409
