"""Of each field the latest value stands, whatever the order in which changes come."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from crediting.intake.folding import EMPTY, State, fold, from_json, record_of, to_json
from crediting.intake.mapping import Record
from crediting.intake.source import Change, Value
from tests.unit.intake.calls import at

NOON = at("2026-03-01T12:00:00")

CHANGES = st.lists(
    st.builds(
        Change,
        st.just("deal"),
        st.just("1"),
        st.dictionaries(st.sampled_from("abc"), st.none() | st.booleans() | st.sampled_from("xyz"), max_size=2),
        st.integers(0, 3).map(lambda minutes: NOON + timedelta(minutes=minutes)),
        st.integers(0, 2),
        st.booleans(),
        st.booleans(),
    ),
    max_size=7,
)


def folded(changes: list[tuple[str, Change]]) -> State:
    return reduce(lambda state, one: fold(state, one[1], one[0]), changes, EMPTY)


def told(*changes: Change) -> Record:
    return record_of("deal", "1", folded([(f"d{place}", change) for place, change in enumerate(changes)]))


def change(minute: int, *, whole: bool = False, gone: bool = False, **values: Value) -> Change:
    return Change("deal", "1", values, NOON + timedelta(minutes=minute), whole=whole, gone=gone)


@given(changes=CHANGES, data=st.data())
def test_the_order_of_arrival_changes_nothing(changes: list[Change], data: st.DataObject) -> None:
    named = [(f"d{place}", one) for place, one in enumerate(changes)]
    state = folded(named)
    assert folded(data.draw(st.permutations(named))) == state
    assert from_json(json.loads(json.dumps(to_json(state)))) == state


def test_each_field_stands_by_its_latest_change() -> None:
    found = told(change(2, stage="won"), change(1, stage="open", amount="5"), change(3, owner=None))
    assert found.values == {"stage": "won", "amount": "5", "owner": None}
    assert (found.at, found.version) == (NOON + timedelta(minutes=3), 3)


def test_a_whole_record_empties_what_it_does_not_state() -> None:
    found = told(change(1, a="old", b="old"), change(2, whole=True, a="new"), change(3, c="late"))
    assert found.values == {"a": "new", "c": "late"}
    assert told(change(3, c="late"), change(2, whole=True, a="new"), change(1, a="old", b="old")).values == found.values


def test_a_record_that_is_gone_comes_back_only_when_it_is_said_to_be_there() -> None:
    gone = (change(1, a="x"), change(2, gone=True))
    assert told(*gone).gone
    assert told(*gone, change(3, a="y")).gone
    assert not told(*gone, change(3)).gone
    assert not told(*gone, change(3, whole=True, a="y")).gone
    assert told(change(3, gone=True), change(2, whole=True, a="y")).gone


def test_a_version_outranks_the_moment() -> None:
    one = Change("deal", "1", {"a": "second"}, NOON, version=2)
    two = Change("deal", "1", {"a": "first"}, NOON + timedelta(hours=1), version=1)
    assert told(one, two).values == told(two, one).values == {"a": "second"}
