"""Records of Salesforce as JSON: as Apex writes them (`JSON.serialize`), and as change events tell what changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from comp.core.errors import Problem
from crediting.intake.reading import Number, problem, shown
from crediting.intake.records import can_be_kept, epoch, flatten, moment, whole
from crediting.intake.source import Change, Gap, Value

#: Which of a record's own fields tell when it was last changed, the surest first.
TIMES = ("SystemModstamp", "LastModifiedDate")
#: The commit's milliseconds leave room below for the place in its transaction.
SEQUENCE_LIMIT = 999
#: More than any number of a commit.
COMMITS = 10**20
RECORD_LIMIT = 2000
_ID = re.compile(r"[0-9A-Za-z]{15}([0-9A-Za-z]{3})?")
_OBJECT = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_WHOLE_CHANGES, _CHANGES = ("CREATE", "UNDELETE", "SNAPSHOT"), ("CREATE", "UNDELETE", "SNAPSHOT", "UPDATE", "DELETE")


def time_of(record: Mapping[str, Any]) -> object:
    """The text of the record's last change, as it is sent."""
    return next((record[name] for name in TIMES if record.get(name) is not None), None)


def header_of(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The header of a change event, whether the event stands bare or in its envelope (`payload`)."""
    inside = document.get("payload", document)
    header = inside.get("ChangeEventHeader") if isinstance(inside, dict) else None
    return header if isinstance(header, dict) else None


def written(record: object) -> bytes:
    """One record of a list as a body of its own; numbers keep their digits."""
    return json.dumps(record, ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode()


def read(document: dict[str, Any]) -> Sequence[Change | Gap] | list[Problem]:
    """A change event, a record, or what an outbound message could not say."""
    said = document.get("problem")
    if isinstance(said, list) and len(said) == 3 and all(isinstance(part, str) for part in said):
        return [problem(*said)]
    header = header_of(document)
    if header is not None:
        return _event(header, document.get("payload", document))
    return _record(document)


def _record(document: dict[str, Any]) -> Sequence[Change] | list[Problem]:
    """A whole record: what it does not name is empty."""
    problems: list[Problem] = []
    attributes = document.get("attributes")
    kind = _object(attributes.get("type") if isinstance(attributes, dict) else None, "attributes.type", problems)
    record = _record_id(document.get("Id"), "Id", problems)
    at = moment(time_of(document))
    if at is None:
        problems.append(problem(TIMES[0], shown(time_of(document)), "the record's SystemModstamp: send it too"))
    values = flatten(_fields(document, ("attributes",)), problems)
    if problems or at is None:
        return problems
    gone = values.get("IsDeleted") in (True, "true")
    return (Change(kind, record, values, at, _order(at), whole=True, gone=gone),)


def _event(header: dict[str, Any], payload: dict[str, Any]) -> Sequence[Change | Gap] | list[Problem]:
    problems: list[Problem] = []
    kind = _object(header.get("entityName"), "ChangeEventHeader.entityName", problems)
    change = header.get("changeType")
    if not isinstance(change, str) or change.removeprefix("GAP_") not in (*_CHANGES, "OVERFLOW"):
        problems.append(problem("ChangeEventHeader.changeType", shown(change), ", ".join(_CHANGES)))
        return problems
    ids: Any = header.get("recordIds")
    if not isinstance(ids, list) or not 1 <= len(ids) <= RECORD_LIMIT:
        problems.append(problem("ChangeEventHeader.recordIds", shown(ids), f"a list of 1 to {RECORD_LIMIT} ids"))
        return problems
    named = [_record_id(one, "ChangeEventHeader.recordIds", problems) for one in ids]
    when = _when(header, problems)
    if change.startswith("GAP_"):
        gaps = [_fetch_again(kind, one, change, when[0]) for one in dict.fromkeys(named)] if when else []
        return problems or tuple(gaps)
    values = _changed(header, payload, change, problems)
    if problems or when is None:
        return problems
    at, version = when
    whole_record, gone = change in _WHOLE_CHANGES, change == "DELETE"
    return tuple(Change(kind, one, values, at, version, whole_record, gone) for one in dict.fromkeys(named))


def _when(header: dict[str, Any], problems: list[Problem]) -> tuple[datetime, int] | None:
    """The commit's time (whole seconds, often) and its order; changes of one commit follow by their sequence number."""
    at = epoch(whole(header.get("commitTimestamp")), unit=1000)
    version, sequence = whole(header.get("commitNumber", Number("0"))), whole(header.get("sequenceNumber", Number("1")))
    for key, found in (("commitTimestamp", at), ("commitNumber", version), ("sequenceNumber", sequence)):
        if found is None:
            problems.append(problem(f"ChangeEventHeader.{key}", shown(header.get(key)), "a whole number"))
    if at is None or version is None or sequence is None:
        return None
    return at + timedelta(microseconds=min(sequence, SEQUENCE_LIMIT)), _order(at, version)


def _order(at: datetime, commit: int = 0) -> int:
    """By the second, which records and change events both tell, and in it by the commit's number: a record that is sent
    again whole stands above the changes of earlier seconds, and below those of its own."""
    return int(at.timestamp()) * COMMITS + commit


def _changed(header: dict[str, Any], payload: dict[str, Any], change: str, problems: list[Problem]) -> dict[str, Value]:
    """All fields of a new record, those that changed of another. A client of the Pub/Sub API names every field, most
    of them null: `changedFields` says which of them mean something."""
    values = flatten(_fields(payload, ("ChangeEventHeader",)), problems)
    if change in _WHOLE_CHANGES:
        return values
    if change == "DELETE":
        return {}
    found: dict[str, Value] = {}
    for key in ("changedFields", "nulledFields"):
        names: Any = header.get(key, [])
        if not isinstance(names, list) or not all(isinstance(name, str) and can_be_kept(name) for name in names):
            problems.append(problem(f"ChangeEventHeader.{key}", shown(names), "a list of field names"))
        elif any(name.startswith("0x") or "-0x" in name for name in names):
            problems.append(problem(f"ChangeEventHeader.{key}", "bit maps", "names: let the client decode them"))
        else:
            found |= {full: values.get(full) for name in names for full in _below(name, values)}
    if not found and not header.get("changedFields"):
        return values  # CometD: only what changed is there
    return found


def _below(name: str, values: Mapping[str, Value]) -> Iterable[str]:
    """The name itself, or the parts of a compound field that are there."""
    inside = [full for full in values if full.startswith(f"{name}.")]
    return inside or [name]


def _fields(record: dict[str, Any], without: tuple[str, ...]) -> dict[str, Any]:
    """The record's fields. A related record (`Account`) brings attributes of its own, that say nothing."""
    return {
        key: _fields(value, ("attributes",)) if isinstance(value, dict) else value
        for key, value in record.items()
        if key not in without
    }


def _fetch_again(kind: str, record: str, change: str, at: datetime) -> Gap:
    message = f"{change}: Salesforce could not send what changed. Fetch the record and send it again as it stands."
    return Gap(kind, record, at.replace(microsecond=0), message)


def _object(found: object, path: str, problems: list[Problem]) -> str:
    if isinstance(found, str) and _OBJECT.fullmatch(found):
        return found
    problems.append(problem(path, shown(found), "the name of an object, such as Opportunity"))
    return ""


def _record_id(found: object, path: str, problems: list[Problem]) -> str:
    if isinstance(found, str) and _ID.fullmatch(found):
        return found
    problems.append(problem(path, shown(found), "the id of a record, 15 or 18 letters and digits"))
    return ""
