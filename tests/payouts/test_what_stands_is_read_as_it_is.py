"""Columns that are alike in all that is right are not read of what stands, unless a row is otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from comp.people.models import Participant
from comp.tenancy.rows import rows_change
from payouts.frames import standing as frames
from payouts.frames.sql import FEW_PEOPLE, Columns, Words
from payouts.frames.standing import standing
from payouts.frames.tables import TABLES
from payouts.services import replay
from payouts.services.recompute import right_figures
from payouts.services.replay import _tasks
from tests.payouts.house import House, house
from tests.payouts.test_one_bad_row_stops_nobody_else import also_bob, bobs


@pytest.fixture
def acme() -> House:
    found = house()
    also_bob(found)
    for day in range(11, 15):
        found.won(f"A{day}", f"{day}000.00", f"2026-01-{day}")
        bobs(found, f"B{day}", f"{day}500.00", f"2026-01-{day}")
    found.work()
    return found


def texts(columns: Columns) -> dict[str, list[Any]]:
    """Each column in the order of ids, texts by their words."""
    order = np.argsort(columns["id"])
    return {
        name: [column.words[code] if code >= 0 else None for code in column.codes[order].tolist()]
        if isinstance(column, Words)
        else column[order].tolist()
        for name, column in columns.items()
    }


def read(acme: House) -> dict[str, tuple[dict[str, list[Any]], dict[str, list[Any]]]]:
    """Of each table what is read of some people, and of everybody."""
    found = {}
    with acme.acme.scope():
        [(calendar, span, _, versions, groups)] = [task for task in _tasks() if task[1][0] <= 20_500 < task[1][1]]
        right = right_figures(calendar, span, None, versions, groups)
        # Nobody is the others: so they are more than a few, and all who have lines are among them.
        whom = [*Participant.objects.values_list("id", flat=True), *range(-FEW_PEOPLE, 0)]
        for table in TABLES:
            columns = right.of(table)
            some = standing(table, right=columns, start=span[0], end=span[1], participants=whom)
            every = standing(table, right=columns, start=span[0], end=span[1], participants=None)
            found[table.name] = texts(some), texts(every)
    return found


@pytest.mark.django_db
def test_the_same_is_read_either_way(acme: House, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[bool] = []
    as_usual = frames._as_usual

    def noted(*arguments: Any) -> Any:
        found = as_usual(*arguments)
        tried.append(found is not None)
        return found

    monkeypatch.setattr(frames, "_as_usual", noted)
    sizes = {}
    for name, (some, every) in read(acme).items():
        assert some == every
        sizes[name.partition("_")[2]] = len(some["id"])
    assert {name: size for name, size in sizes.items() if size} == {
        "credit": 8, "earning": 8, "tranche": 8, "attainment": 2,
    }  # fmt: skip
    assert sum(tried) == 4, "as all that is right is"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "otherwise",
    [
        "UPDATE payouts_earning SET currency = 'EUR'",
        "UPDATE payouts_earning SET component = 'another'",
        "UPDATE payouts_tranche SET release_day = release_day + 1",
        "UPDATE payouts_attainment SET quota_minor = NULL",
        "UPDATE crediting_credit SET role = 'helper'",
    ],
)
def test_what_is_otherwise_is_seen(acme: House, otherwise: str) -> None:
    with acme.acme.scope():
        rows_change(f"{otherwise} WHERE id = (SELECT min(id) FROM {otherwise.split()[1]})", [])
    for some, every in read(acme).values():
        assert some == every
    with acme.acme.scope():
        assert replay.differences_found()
