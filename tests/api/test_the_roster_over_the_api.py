"""Many people in one call: tried first, applied whole or not at all, once; and leave and attributes one by one."""

from __future__ import annotations

from datetime import date

from comp.api.grants import Grant
from comp.audit.models import AuditEntry
from comp.people.models import Attribute, Leave, Participant, Position
from plans.models import Quota
from tests.api.conftest import Caller, caller
from tests.pages.rep.world import World

QUARTER = {"key": "sales", "starts_on": "2026-10-01", "ends_on": "2027-01-01", "amount": "90000.00"}
JOINS = {"employee": "e7", "as_of": "2026-11-01", "name": "Rita", "hired": "2026-11-01", "title": "AE", "role": "ae",
         "pay_group": "sales", "manager": "mia", "region": "EMEA", "targets": [QUARTER]}  # fmt: skip
MOVES = {"employee": "ann", "as_of": "2026-03-01", "title": "Senior AE", "leave_from": "2026-12-01"}


def test_a_dry_run_says_what_changes_and_whose_figures(world: World, ops: Caller) -> None:
    answer = ops.post("roster", {"dry_run": True, "rows": [JOINS, MOVES]})
    assert answer.status_code == 200, answer.content
    said = answer.json()
    assert said["applied"] is False and said["errors"] == []
    kinds = [(one["employee"], one["kind"], one["since"]) for one in said["changes"]]
    assert ("e7", "joiner", "2026-11-01") in kinds and ("ann", "leave", "2026-12-01") in kinds
    assert ("ann", "mover", "2026-03-01") in kinds, "dated back"
    affected = {one["employee"]: one["since"] for one in said["affected"]}
    assert affected["ann"] == "2026-03-01" and "mia" in affected and "e7" not in affected
    with world.company.scope():
        assert not Participant.objects.filter(key="e7").exists() and not Leave.objects.exists()


def test_it_is_applied_whole_and_once(world: World, ops: Caller) -> None:
    body = {"rows": [JOINS, MOVES]}
    first, again = (ops.post("roster", body, Idempotency_Key="r-1") for _ in range(2))
    assert first.json() == again.json() and first.json()["applied"] and again["Idempotent-Replay"] == "true"
    with world.company.scope():
        rita = Participant.objects.get(key="e7")
        assert Quota.objects.get(participant=rita).amount_minor == 9_000_000
        assert Attribute.objects.get(participant=rita).value == "EMEA"
        assert Position.objects.filter(participant__key="ann", starts_on=date(2026, 3, 1)).exists()
        entry = AuditEntry.objects.filter(code="participant.create").latest("number")
        assert entry.actor_kind == "key"
    third = ops.post("roster", body)
    assert third.json()["changes"] == [] and third.json()["applied"]


def test_one_wrong_row_and_nothing_stays(world: World, ops: Caller) -> None:
    rows = [JOINS, {**MOVES, "team": "nowhere"}, {"employee": "e7", "as_of": "2026-11-01", "title": "X"}]
    answer = ops.post("roster", {"rows": rows})
    assert answer.status_code == 422
    told = {one["field"]: (one["found"], one["allowed"]) for one in answer.json()["errors"]}
    assert told["rows[1].team"][0] == "nowhere" and told["rows[2].employee"] == ("e7", "one row a person and day")
    tried = ops.post("roster", {"rows": rows, "dry_run": True}).json()
    assert [one["field"] for one in tried["errors"]] == ["rows[1].team", "rows[2].employee"] and tried["changes"]
    with world.company.scope():
        assert not Participant.objects.filter(key="e7").exists()


def test_a_field_is_refused_at_its_place(ops: Caller) -> None:
    rows = [MOVES, {"employee": "ann", "as_of": "1.3.2026", "wage": 5, "targets": [{**QUARTER, "amount": 5}]}]
    without = [MOVES, {**rows[1], "targets": []}]
    told = [one["field"] for one in ops.post("roster", {"rows": without}).json()["errors"]]
    assert told == ["rows[1].wage"]
    rows[1].pop("wage")
    told = [one["field"] for one in ops.post("roster", {"rows": rows}).json()["errors"]]
    assert told == ["rows[1].as_of", "rows[1].targets[0].amount"]
    for wrong in ([], "ann", [[]], None):
        answer = ops.post("roster", {"rows": wrong})
        assert answer.status_code == 422 and answer.json()["errors"][0]["field"].startswith("rows"), wrong


def test_targets_take_the_grant_of_quotas(world: World) -> None:
    key = caller(world.company, world.users["Olga"], Grant.PEOPLE_WRITE)
    assert key.post("roster", {"rows": [JOINS]}).status_code == 403
    assert key.post("roster", {"rows": [MOVES]}).status_code == 200


def test_leave_and_attributes_one_by_one(world: World, ops: Caller) -> None:
    made = ops.post("leave", {"participant": "ann", "starts_on": "2026-12-01"})
    assert made.status_code == 201, made.content
    pk = made.json()["id"]
    assert ops.post("leave", {"participant": "ann", "starts_on": "2026-12-24"}).status_code == 422
    assert ops.post(f"leave/{pk}/end", {"ends_on": "2026-12-20"}).json()["ends_on"] == "2026-12-20"
    assert ops.items("leave?participant=ann&on=2026-12-02")[0]["id"] == pk
    assert ops.ask("DELETE", f"leave/{pk}").status_code == 204 and ops.get(f"leave/{pk}").status_code == 404
    said = {"participant": "ann", "name": "region", "value": "EMEA", "starts_on": "2026-11-01"}
    assert ops.post("attributes", said).json()["value"] == "EMEA"
    assert ops.post("attributes", {**said, "name": "shoe size"}).status_code == 422
    assert ops.items("attributes?participant=ann")[0]["name"] == "region"
