"""Reading and writing through the same services as the pages, in one shape."""

from __future__ import annotations

from typing import Any

import pytest

from comp.audit.models import AuditEntry
from comp.people.models import Participant
from plans.models import Quota
from tests.api.conftest import OPS, Caller, caller
from tests.factories import library
from tests.pages.rep.world import World

CLEO = {"key": "cleo", "name": "Cleo", "currency": "USD", "pay_group": "sales", "starts_on": "2026-11-01"}


def test_people_are_added_and_changed_by_their_services(world: World, ops: Caller) -> None:
    answer = ops.post("participants", CLEO)
    assert answer.status_code == 201, answer.content
    assert answer.json() == {**CLEO, "email": "", "ends_on": None}
    place = {"participant": "cleo", "title": "Seller", "credit_role": "ae", "starts_on": "2026-11-01"}
    assert ops.post("positions", place).status_code == 201
    line = ops.post("reporting-lines", {"participant": "cleo", "manager": "mia", "starts_on": "2026-11-01"})
    assert line.status_code == 201, line.content
    ended = ops.post(f"reporting-lines/{line.json()['id']}/end", {"ends_on": "2026-12-01"})
    assert ended.json()["ends_on"] == "2026-12-01"
    changed = ops.ask("PATCH", "participants/cleo", {"name": "Cleo Two"})
    assert changed.status_code == 200 and changed.json()["name"] == "Cleo Two"
    with world.company.scope():
        entry = AuditEntry.objects.filter(code="participant.create").latest("number")
        assert (entry.actor_kind, entry.actor_label) == ("key", "Test, of Olga")
        assert entry.user_id == world.users["Olga"].pk


def test_every_refusal_names_field_found_and_allowed(ops: Caller) -> None:
    answer = ops.post("participants", {**CLEO, "currency": 5, "starts_on": "1.11.2026", "colour": "red"})
    assert answer.status_code == 422
    told = {one["field"]: one for one in answer.json()["errors"]}
    assert "colour" in told
    answer = ops.post("participants", {**CLEO, "currency": 5, "starts_on": "1.11.2026"})
    told = {one["field"]: (one["found"], one["allowed"]) for one in answer.json()["errors"]}
    assert told == {"currency": ("5", "text of 1 to 3 characters"),
                    "starts_on": ("'1.11.2026'", "a day such as 2026-01-31")}  # fmt: skip
    answer = ops.post("participants", {**CLEO, "pay_group": "nobody"})
    assert answer.json()["errors"][0]["field"] == "pay_group"
    assert ops.post("participants", {**CLEO, "key": "ann"}).status_code == 422, "the service's own refusal"
    assert ops.get("participants?pay_grup=sales").status_code == 422, "a misspelt filter would be none"
    assert ops.get("participants?after=%00").status_code == 400


@pytest.mark.parametrize(
    "body",
    ["{", "[]", "1", '"x"', "null", '{"key": NaN}', '{"a": 1, "a": 2}', '{"key": "\\u0000"}', '{"key": "\\ud800"}',
     "[" * 100_000, '{"key": ' + "9" * 5000 + "}", b"\xff\xfe", '{"key": {"a": []}}', '{"key": 1e400}'],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_said_to_be_so(ops: Caller, body: Any) -> None:
    answer = ops.post("participants", body)
    assert answer.status_code in (400, 422) and answer.json()["errors"]


def test_a_write_is_done_once_under_its_idempotency_key(world: World, ops: Caller) -> None:
    first = ops.post("participants", CLEO, Idempotency_Key="a-1")
    again = ops.post("participants", CLEO, Idempotency_Key="a-1")
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json()
    assert again["Idempotent-Replay"] == "true"
    other = ops.post("participants", {**CLEO, "name": "Another"}, Idempotency_Key="a-1")
    assert other.status_code == 409 and other.json()["errors"]
    refused = ops.post("participants", {**CLEO, "key": "ann"}, Idempotency_Key="a-2")
    mended = ops.post("participants", {**CLEO, "key": "dora"}, Idempotency_Key="a-2")
    assert (refused.status_code, mended.status_code) == (422, 201), "what was refused did nothing"
    stranger = caller(world.company, world.users["Otto"], *OPS)
    assert stranger.post("participants", CLEO, Idempotency_Key="a-1").status_code == 422, "a key's own"
    assert ops.post("participants", CLEO, Idempotency_Key="é").status_code in (400, 422)
    with world.company.scope():
        assert Participant.objects.filter(key="cleo").count() == 1


def test_a_version_is_drafted_by_one_and_published_by_another(world: World, ops: Caller) -> None:
    assert ops.post("plans", {"key": "next", "name": "Next"}).status_code == 201
    shown = ops.get("plans/account-executive/versions/1").json()
    document = {**shown["document"], "name": "Account executive 2027"}
    wrong = {"document": {**document, "currency": "XXX"}, "starts_on": "2027-01-01", "note": "Wrong"}
    assert ops.post("plans/account-executive/versions", wrong).json()["errors"][0]["field"] == "currency"
    text = {"document": library("account-executive"), "starts_on": "2027-01-01", "note": "As YAML"}
    assert ops.post("plans/account-executive/versions", text).status_code == 201
    draft = ops.post(
        "plans/account-executive/versions", {"document": document, "starts_on": "2027-01-01", "note": "A new year"}
    )
    assert draft.status_code == 201, draft.content
    path = f"plans/account-executive/versions/{draft.json()['number']}"
    changed = ops.ask("PUT", path, {"document": document, "starts_on": "2027-02-01", "note": "Later"})
    assert changed.status_code == 200 and changed.json()["starts_on"] == "2027-02-01"
    own = ops.post(f"{path}/publish", None)
    assert own.status_code == 422 and "prepared" in own.json()["errors"][0]["message"]
    other = caller(world.company, world.users["Otto"], *OPS)
    published = other.post(f"{path}/publish", None)
    assert published.status_code == 200 and published.json()["state"] == "published"


def test_assignments_and_quotas(world: World, ops: Caller) -> None:
    row = next(one for one in ops.items("assignments?participant=ann") if one["plan"] == "account-executive")
    ended = ops.post(f"assignments/{row['id']}/end", {"ends_on": "2027-01-01"})
    assert ended.json()["ends_on"] == "2027-01-01"
    again = {"participant": "ann", "plan": "account-executive", "starts_on": "2027-01-01"}
    assert ops.post("assignments", again).status_code == 201
    quota = {"participant": "ann", "key": "new-business", "starts_on": "2027-01-01", "ends_on": "2027-04-01",
             "amount": "21000.50", "currency": "USD"}  # fmt: skip
    made = ops.post("quotas", quota)
    assert made.status_code == 201 and made.json()["amount"] == "21000.50"
    for amount in ("1e3", "1_000", "٣", "1.001", "-1", 5, "NaN"):
        assert ops.post("quotas", {**quota, "amount": amount}).status_code == 422, amount
    assert ops.ask("DELETE", f"quotas/{made.json()['id']}", Idempotency_Key="d").status_code == 204
    assert ops.ask("DELETE", f"quotas/{made.json()['id']}", Idempotency_Key="d").status_code == 204
    assert ops.get(f"quotas/{made.json()['id']}").status_code == 404
    with world.company.scope():
        assert not Quota.objects.filter(starts_on="2027-01-01").exists()
