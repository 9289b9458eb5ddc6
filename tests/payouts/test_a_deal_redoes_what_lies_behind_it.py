"""By onward plans a deal redoes only what stands from its day on; what it earned on a day not read is told once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from comp.core.days import day_date, parse_day
from comp.outbox.services import messages_drain
from crediting.models import Deal
from crediting.services.mailbox import mailbox_drain
from payouts.frames.onward import onward
from payouts.frames.read import read_versions
from payouts.models import Cause, Earning, FigureChange
from payouts.services import recompute
from payouts.services.claims import figures_lock
from tests.factories import published
from tests.payouts.house import House, house, plan_text
from tests.payouts.test_figures_follow_facts import changes, full_agrees

BY_TOTAL = ("mode: marginal\n", "mode: retroactive\n      attribution: proportional\n")


@pytest.fixture
def acme() -> House:
    found = house()
    for day in range(10, 16):
        found.won(f"D{day}", "20000.00", f"2026-01-{day}")
    found.work()
    return found


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The days of the lines that each turn compares with what stands."""
    found: list[list[str]] = []
    standing = recompute.standing

    def noted(table: Any, **asked: Any) -> Any:
        rows = standing(table, **asked)
        if table.name == "payouts_earning":
            days: Sequence[int] = np.sort(rows["credit_date"]).tolist()
            found.append([f"{day_date(day):%d}" for day in days])
        return rows

    monkeypatch.setattr(recompute, "standing", noted)
    return found


@pytest.mark.django_db
def test_only_what_lies_behind_a_deal_is_compared(acme: House, compared: list[list[str]]) -> None:
    acme.won("D14", "30000.00", "2026-01-14", at="2026-01-14T12:00:00Z")
    acme.work()
    assert compared == [["14", "15"]]
    assert acme.earned() == {**{f"D{day}": 200000 for day in range(10, 14)}, "D14": 350000, "D15": 350000}
    full_agrees(acme)


@pytest.mark.django_db
def test_a_deal_that_moves_is_compared_from_its_earlier_day_on(acme: House, compared: list[list[str]]) -> None:
    acme.won("D15", "20000.00", "2026-01-12", at="2026-01-15T12:00:00Z")
    acme.work()
    assert compared == [["12", "13", "14", "15"]]
    full_agrees(acme)
    acme.won("D11", "20000.00", "2026-02-12", at="2026-02-12T12:00:00Z")
    acme.work()
    assert compared[1:] == [["11", "12", "12", "13", "14"]]
    full_agrees(acme)


@pytest.mark.django_db
def test_whatever_is_no_deal_is_compared_as_a_whole(acme: House, compared: list[list[str]]) -> None:
    with acme.acme.scope(acme.ops):
        published("worked", ops=acme.ops, other=acme.other_ops, text=plan_text(top="25%"))
    acme.work()
    assert compared
    assert all(days == ["10", "11", "12", "13", "14", "15"] for days in compared)
    full_agrees(acme)


@pytest.mark.django_db
def test_a_plan_that_reaches_back_is_compared_as_a_whole(compared: list[list[str]]) -> None:
    acme = house(plan_text().replace(*BY_TOTAL))
    with acme.acme.scope():
        assert not onward(read_versions().compiled)
    for day in (10, 11, 12):
        acme.won(f"D{day}", "40000.00", f"2026-01-{day}")
    acme.work()
    acme.won("D12", "70000.00", "2026-01-12", at="2026-01-12T12:00:00Z")
    acme.work()
    assert compared[-1] == ["10", "11", "12"]
    full_agrees(acme)


def redone_before_its_news(acme: House, moved_to: str) -> None:
    """D11 moves; before its news is handed on, D13 is redone, as another worker would that is at it."""
    acme.won("D11", "20000.00", moved_to, at="2026-01-11T12:00:00Z")
    tenant = acme.acme.tenant.pk
    while mailbox_drain(tenant):
        pass
    with acme.acme.scope():
        assert figures_lock(wait_ms=1000)
        cause = Cause.objects.filter(deal__external_id="D13").latest("id")
        day = parse_day("2026-01-13")
        reason = recompute.Reason(cause.pk, cause.kind, cause.deal_id)
        recompute.recompute([recompute.Mark(acme.ann.pk, day, day + timedelta(days=1), reason)])
    while messages_drain(tenant):
        pass
    acme.work()


@pytest.mark.django_db
@pytest.mark.parametrize("moved_to", ["2026-01-14", "2026-01-10"])
def test_what_moved_before_its_news_is_told_once(acme: House, moved_to: str) -> None:
    redone_before_its_news(acme, moved_to)
    full_agrees(acme)
    with acme.acme.scope():
        for deal in Deal.objects.all():
            told = [row.after_minor - row.before_minor for row in FigureChange.objects.filter(deal=deal)]
            assert sum(told) == sum(Earning.objects.filter(deal=deal).values_list("earned_minor", flat=True)), changes(
                acme
            )
