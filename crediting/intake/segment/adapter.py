"""What Segment's calls say: a track call is a record of its own under its `messageId`; a group call states traits of an
account, which are folded over time. Other calls say nothing that counts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from comp.core.errors import Problem
from crediting.intake.facts import Event
from crediting.intake.proving import item_id
from crediting.intake.reading import problem, shown
from crediting.intake.records import ID, can_be_kept, flatten, moment, read_body
from crediting.intake.segment import signature
from crediting.intake.signatures import Refused
from crediting.intake.source import Answer, Call, Change, Item, Proven

#: Segment's own limits: 4,000 events of a webhook, 500 KB of a client's batch.
CALLS = 4000
#: These differ each time a call is sent, or prove who sends it.
_OF_THE_SENDING = ("sentAt", "receivedAt", "writeKey")
_SILENT = ("identify", "page", "screen", "alias")


class Segment:
    """Track and group calls."""

    name = "segment"

    def prove(self, call: Call, secrets: Iterable[str], *, now: float, window: int) -> Proven | Refused:
        return signature.prove(call, secrets, now=now, window=window)

    def items(self, body: bytes) -> Sequence[Item] | Problem | None:
        """The calls of a batch; one call alone is a batch of one, so that it is known by its `messageId` too."""
        document, wrong = read_body(body)
        if wrong:
            return wrong
        calls: Any = document
        if isinstance(document, dict):
            calls = document.get("batch", [document])
        if not isinstance(calls, list) or len(calls) > CALLS:
            return problem("batch", shown(calls), f"a list of at most {CALLS} calls")
        return [_item(call) for call in calls]

    def read(self, body: bytes) -> Event | Sequence[Change] | list[Problem]:
        document, wrong = read_body(body)
        if wrong:
            return [wrong]
        if not isinstance(document, dict):
            return [problem("", shown(document), "a call of Segment, an object")]
        return _read(document, body)

    def answer(self, call: Call) -> Answer | None:
        return None


SOURCE = Segment()


def _item(call: Any) -> Item:
    if isinstance(call, dict):
        call = {key: value for key, value in call.items() if key not in _OF_THE_SENDING}
    body = json.dumps(call, ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode()
    number = call.get("messageId") if isinstance(call, dict) else None
    return Item(number if isinstance(number, str) and ID.fullmatch(number) else item_id(body), body)


def _read(call: Mapping[str, Any], body: bytes) -> Sequence[Change] | list[Problem]:
    problems: list[Problem] = []
    kind = call.get("type")
    if kind is None:  # `/v1/track` and `/v1/group` say it in their address alone
        kind = "track" if "event" in call else "group" if "groupId" in call else None
    if kind in _SILENT:
        return ()
    if kind not in ("track", "group"):
        return [problem("type", shown(kind), f"track or group ({', '.join(_SILENT)} are passed over)")]
    stated = call.get("timestamp", call.get("originalTimestamp"))
    at = moment(stated)
    if at is None:
        problems.append(problem("timestamp", shown(stated), "a moment like 2026-11-30T14:05:00Z"))
    if kind == "group":
        name, record = "groupId", call.get("groupId")
        stated_fields: dict[str, Any] = {"groupId": record, "traits": call.get("traits") or {}}
    else:
        name, record = "messageId", call.get("messageId", item_id(body))
        stated_fields = {key: value for key, value in call.items() if key not in _OF_THE_SENDING}
        if not isinstance(call.get("event"), str):
            problems.append(problem("event", shown(call.get("event")), "the name of what was done"))
    if not isinstance(record, str) or not 0 < len(record) <= 200 or not can_be_kept(record):
        problems.append(problem(name, shown(record), "text of 1 to 200 characters"))
    values = flatten(stated_fields, problems)
    if problems or at is None:
        return problems
    return (Change(kind, str(record), values, at, whole=kind == "track"),)
