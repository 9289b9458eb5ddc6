"""What HubSpot's notifications say: each names one record and what changed of it.

A call is a list of up to 100 notifications; each comes in by itself, under an id made of its own numbers. HubSpot
promises neither order nor that `eventId` is unique, so the record is folded by `occurredAt`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from comp.core.errors import Problem
from crediting.intake.facts import Event
from crediting.intake.hubspot import signature
from crediting.intake.proving import item_id
from crediting.intake.reading import Number, problem, shown
from crediting.intake.records import can_be_kept, epoch, read_body, whole
from crediting.intake.signatures import Refused
from crediting.intake.source import Answer, Call, Change, Item, Proven, Value

#: HubSpot says at most 100 notifications a call; more are no reason to lose them.
NOTIFICATIONS = 1000
#: The numbers that subscriptions of expanded object support name objects by.
OBJECT_TYPES = {
    **{"0-1": "contact", "0-2": "company", "0-3": "deal", "0-5": "ticket", "0-7": "product", "0-8": "line_item"},
    **{"0-14": "quote", "0-53": "invoice", "0-69": "subscription", "0-101": "commerce_payment", "0-123": "order"},
}
#: What makes one notification another than the next; its `attemptNumber` does not.
_ID_PARTS = ("eventId", "subscriptionId", "objectId", "fromObjectId", "toObjectId", "occurredAt")
_VERBS = ("creation", "propertyChange", "deletion", "privacyDeletion", "restore", "merge", "associationChange")


class HubSpot:
    """Notifications of HubSpot's webhooks, versions 3 and expanded object support."""

    name = "hubspot"

    def prove(self, call: Call, secrets: Iterable[str], *, now: float, window: int) -> Proven | Refused:
        return signature.prove(call, secrets, now=now, window=window)

    def items(self, body: bytes) -> Sequence[Item] | Problem | None:
        document, wrong = read_body(body)
        if wrong:
            return wrong
        if not isinstance(document, list):
            return None
        if len(document) > NOTIFICATIONS:
            return problem("", f"{len(document)} notifications", f"at most {NOTIFICATIONS}")
        return [_item(notification) for notification in document]

    def read(self, body: bytes) -> Event | Sequence[Change] | list[Problem]:
        document, wrong = read_body(body)
        if wrong:
            return [wrong]
        if not isinstance(document, dict):
            return [problem("", shown(document), "a notification of HubSpot, an object")]
        return _read(document)

    def answer(self, call: Call) -> Answer | None:
        return None


SOURCE = HubSpot()


def _item(notification: Any) -> Item:
    """Its own id and body, numbers as their digits. A repeated attempt counts up `attemptNumber`: without it the bodies
    are equal."""
    if isinstance(notification, dict):
        notification = {key: value for key, value in notification.items() if key != "attemptNumber"}
    body = json.dumps(notification, ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode()
    parts = [whole(notification.get(key)) for key in _ID_PARTS] if isinstance(notification, dict) else []
    if not parts or parts[0] is None:
        return Item(item_id(body), body)
    return Item("-".join("" if part is None else str(part) for part in parts), body)


def _read(notification: dict[str, Any]) -> Sequence[Change] | list[Problem]:
    problems: list[Problem] = []
    kind, verb = _kind(notification, problems)
    at = epoch(whole(notification.get("occurredAt")), unit=1000)
    if at is None:
        problems.append(
            problem("occurredAt", shown(notification.get("occurredAt")), "milliseconds since 1970, before 2200")
        )
    if problems or at is None:
        return problems
    if verb == "associationChange":
        changes = _association(notification, at, problems)
    elif verb == "merge":
        changes = _merge(notification, kind, at, problems)
    else:
        changes = _one(notification, kind, verb, at, problems)
    return problems or changes


def _kind(notification: dict[str, Any], problems: list[Problem]) -> tuple[str, str]:
    """The object and the verb of `deal.propertyChange`, or of `object.propertyChange` with its `objectTypeId`."""
    text = notification.get("subscriptionType")
    kind, _, verb = text.partition(".") if isinstance(text, str) and len(text) <= 100 else ("", "", "")
    if verb not in _VERBS or not kind or not can_be_kept(kind):
        problems.append(problem("subscriptionType", shown(text), f"an object and one of {', '.join(_VERBS)}"))
    if kind == "object":
        number = notification.get("objectTypeId")
        if not isinstance(number, str) or not 0 < len(number) <= 40 or not can_be_kept(number):
            problems.append(problem("objectTypeId", shown(number), 'the type of the object, such as "0-3"'))
            number = ""
        kind = OBJECT_TYPES.get(number, number)
    return kind, verb


def _id(notification: dict[str, Any], key: str, problems: list[Problem]) -> str:
    found = whole(notification.get(key))
    if found is None:
        problems.append(problem(key, shown(notification.get(key)), "the id of an object, a whole number"))
    return str(found)


def _one(
    notification: dict[str, Any], kind: str, verb: str, at: datetime, problems: list[Problem]
) -> tuple[Change, ...]:
    record = _id(notification, "objectId", problems)
    if verb in ("deletion", "privacyDeletion"):
        return (Change(kind, record, {}, at, gone=True),)
    values: dict[str, Value] = {}
    if verb == "propertyChange":
        name, value = notification.get("propertyName"), notification.get("propertyValue")
        if not isinstance(name, str) or not 0 < len(name) <= 200 or not can_be_kept(name):
            problems.append(problem("propertyName", shown(name), "the name of a property"))
        elif not (value is None or isinstance(value, bool) or (isinstance(value, str) and can_be_kept(value))):
            problems.append(problem("propertyValue", shown(value), "a text, a number, true, false or null"))
        else:
            # An emptied property comes as "".
            values[name] = str(value) if isinstance(value, Number) else (None if value == "" else value)
    return (Change(kind, record, values, at),)


def _merge(notification: dict[str, Any], kind: str, at: datetime, problems: list[Problem]) -> tuple[Change, ...]:
    """The merged records are gone. The one that stands tells its values by notifications of their own; where it is a
    new one, the one it was made of is gone too."""
    merged: Any = notification.get("mergedObjectIds")
    if not isinstance(merged, list) or not merged or len(merged) > 1000 or any(whole(one) is None for one in merged):
        problems.append(problem("mergedObjectIds", shown(merged), "a list of object ids"))
        return ()
    primary = _id(notification, "primaryObjectId", problems)
    stands = primary
    if notification.get("newObjectId") is not None:
        stands = _id(notification, "newObjectId", problems)
    ids = sorted({primary, *(str(whole(one)) for one in merged)} - {stands})
    return (*(Change(kind, one, {"merged_into": stands}, at, gone=True) for one in ids), Change(kind, stands, {}, at))


def _association(notification: dict[str, Any], at: datetime, problems: list[Problem]) -> tuple[Change, ...]:
    """`association.company.77` says whether that company stands on the record; `association.company` which is the
    latest named as its only or primary one (see the mapping's reading `association`)."""
    text = notification.get("associationType")
    one, _, other = text.lower().partition("_to_") if isinstance(text, str) and len(text) <= 100 else ("", "", "")
    removed, primary = notification.get("associationRemoved"), notification.get("isPrimaryAssociation", True)
    if not one or not other or not can_be_kept(one + other):
        problems.append(problem("associationType", shown(text), "such as DEAL_TO_COMPANY"))
    for key, found in (("associationRemoved", removed), ("isPrimaryAssociation", primary)):
        if not isinstance(found, bool):
            problems.append(problem(key, shown(found), "true or false"))
    record, named = _id(notification, "fromObjectId", problems), _id(notification, "toObjectId", problems)
    values: dict[str, Value] = {f"association.{other}.{named}": removed is False}
    if primary is True and removed is False:
        values[f"association.{other}"] = named
    return (Change(one, record, values, at),)
