"""Reading facts and figures: what the pages show, in pages of their own."""

from __future__ import annotations

import pytest

from payouts.models import Earning, Statement
from tests.api.conftest import Caller
from tests.pages.rep.world import NOVEMBER, World, selling


@pytest.fixture
def world(db: None) -> World:
    return selling()


def test_lists_come_in_pages_that_neither_overlap_nor_leave_out(world: World, ops: Caller) -> None:
    for path in ("participants", "deals", "earnings", "quotas"):
        whole = ops.items(f"{path}?limit=500")
        assert len(whole) > 2, path
        cursor, seen = "", []
        while cursor is not None:
            answer = ops.get(f"{path}?limit=2" + (f"&after={cursor}" if cursor else "")).json()
            seen += answer["items"]
            cursor = answer["next"]
        assert seen == whole
    for cursor in ("x", "W10", "WyJhIl0", "eyJhIjoxfQ", "W3RydWVd", "WzFlOTlsXQ"):
        assert ops.get(f"participants?after={cursor}").status_code == 422, cursor


def test_facts_stand_with_their_revisions(ops: Caller) -> None:
    deals = ops.items("deals?participant=ann&closed_from=2026-10-01&closed_before=2026-11-01")
    assert [deal["external_id"] for deal in deals] == ["D1", "D2"]
    whole = ops.get(f"deals/{deals[0]['id']}").json()
    assert (whole["amount"], whole["team"]) == ("4700.00", [{"role": "ae", "participant": "ann", "weight": 1}])
    assert [one["amount"] for one in whole["said"]] == ["4514.00", "4700.00"]
    facts = ops.items(f"facts?deal={deals[0]['id']}&kind=milestone")
    assert [fact["type"] for fact in facts] == ["signature"]
    assert len(ops.get(f"facts/{facts[0]['id']}").json()["said"]) == 1


def test_figures_are_those_of_the_pages(world: World, ops: Caller, finance: Caller) -> None:
    earned = ops.items("earnings?participant=ann")
    with world.company.scope():
        rows = {row.pk: row for row in Earning.objects.filter(participant=world.people["Ann"])}
        payout = Statement.objects.get(participant=world.people["Ann"], period_starts_on=NOVEMBER).payout_minor
    assert {one["id"]: one["earned"] for one in earned} == {
        pk: f"{row.earned_minor // 100}.{row.earned_minor % 100:02}" for pk, row in rows.items()
    }
    assert earned[0]["trace"] == f"/t/acme/why/{earned[0]['id']}/"
    assert sum(1 for one in ops.items("credits?participant=ann")) >= 4
    shown = ops.items("statements?participant=ann&from_day=2026-11-01&before_day=2026-12-01")
    assert [one["payout"] for one in shown] == [f"{payout // 100}.{payout % 100:02}"]
    batch = finance.items("batches")[0]
    lines = finance.items(f"batches/{batch['id']}/lines")
    total = sum(int(line["amount"].replace(".", "")) for line in lines)
    assert total == int(batch["totals"]["USD"].replace(".", ""))
