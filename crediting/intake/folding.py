"""A source's record, folded over its changes: of each field the latest value, whatever the order of arrival.

Changes are ordered by (version, moment, the delivery's id). A whole record empties every field that was stated before
it and that it does not state. The state is plain JSON, to be kept beside the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from crediting.intake.mapping import Record
from crediting.intake.source import Change, Value

#: Where a change stands among all of its record: version, moment, delivery.
Order = tuple[int, str, str]
_FIRST: Order = (-1, "", "")


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a record. `fields`: each value with the change it is of; `whole`: the last change that stated
    everything; `gone`: whether it is, by which change; `last`: the latest change; `count`: of all changes."""

    fields: Mapping[str, tuple[Value, Order]]
    whole: Order = _FIRST
    gone: tuple[bool, Order] = (False, _FIRST)
    last: Order = _FIRST
    count: int = 0


EMPTY = State({})


def fold(state: State, change: Change, delivery: str) -> State:
    """The state with one change more. Each change is to be folded once: deliveries come in once by their ids.

    A record that is gone is brought back by a change that states it whole or that states nothing but that it is there,
    not by a field that changed after it.
    """
    order: Order = (change.version, _text(change.at), delivery)
    fields = dict(state.fields)
    for name, value in change.values.items():
        if name not in fields or fields[name][1] < order:
            fields[name] = (value, order)
    tells = change.gone or change.whole or not change.values
    gone = (change.gone, order) if tells and order > state.gone[1] else state.gone
    whole = max(state.whole, order) if change.whole else state.whole
    return State(fields, whole, gone, max(state.last, order), state.count + 1)


def record_of(object: str, id: str, state: State) -> Record:
    """The record as it stands, for the mapping."""
    values = {name: value for name, (value, order) in state.fields.items() if order >= state.whole}
    at = datetime.fromisoformat(state.last[1]) if state.last[1] else datetime(1970, 1, 1, tzinfo=UTC)
    return Record(object, id, values, at, state.count, state.gone[0])


def to_json(state: State) -> dict[str, Any]:
    """The state as JSON keeps it."""
    return {
        "fields": {name: [value, list(order)] for name, (value, order) in state.fields.items()},
        "whole": list(state.whole),
        "gone": [state.gone[0], list(state.gone[1])],
        "last": list(state.last),
        "count": state.count,
    }


def from_json(kept: Mapping[str, Any]) -> State:
    """What `to_json` wrote."""
    return State(
        {name: (value, _order(order)) for name, (value, order) in kept["fields"].items()},
        _order(kept["whole"]),
        (kept["gone"][0], _order(kept["gone"][1])),
        _order(kept["last"]),
        kept["count"],
    )


def _order(kept: list[Any]) -> Order:
    version, moment, delivery = kept
    return int(version), str(moment), str(delivery)


def _text(at: datetime) -> str:
    """Moments as texts of one length, which sort as they do."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
