"""Rules by which deals are aligned, over the API: tried, then put in force, once."""

from __future__ import annotations

from crediting.models import Alignment
from tests.api.conftest import Caller
from tests.pages.rep.world import World

RULE = {"role": "ae", "country": "Germany", "participant": "ann", "starts_on": "2026-01-01"}


def test_a_set_is_tried_and_then_put_in_force(world: World, ops: Caller) -> None:
    body = {"name": "2026", "rules": [RULE, {**RULE, "postal": "80", "position": "M-1", "ends_on": "2026-07-01"}]}
    body["rules"][1].pop("participant")
    tried = ops.post("alignments/apply", {**body, "dry_run": True})
    assert tried.status_code == 200, tried.content
    assert tried.json() == {"number": None, "deals": 0, "vacant": 0, "changes": [], "people": []}
    with world.company.scope():
        assert not Alignment.objects.exists()
    first, again = (ops.post("alignments/apply", body, Idempotency_Key="a-1") for _ in range(2))
    assert first.json()["number"] == again.json()["number"] == 1
    (one,) = ops.items("alignments")
    assert (one["number"], one["rows"]) == (1, 2)
    rules = ops.items(f"alignments/{one['id']}/rules")
    assert [(rule["postal"], rule["participant"], rule["position"]) for rule in rules] == [
        ("", "ann", ""), ("80", None, "M-1"),
    ]  # fmt: skip


def test_what_is_wrong_is_told_at_its_place(world: World, ops: Caller) -> None:
    wrong = [RULE, {**RULE, "country": "GERMANY"}, {**RULE, "country": "France", "participant": "nobody"}]
    answer = ops.post("alignments/apply", {"name": "x", "rules": wrong})
    assert answer.status_code == 422
    fields = [one["field"] for one in answer.json()["errors"]]
    assert fields == ["rules[1].starts_on", "rules[2].participant"] or fields == ["rules[2].participant"]
    answer = ops.post("alignments/apply", {"name": "x", "rules": [{**RULE, "starts_on": "soon"}]})
    assert [one["field"] for one in answer.json()["errors"]] == ["rules[0].starts_on"]
