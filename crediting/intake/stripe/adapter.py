"""What Stripe's events say: each carries one object whole, as it stood when the event was made.

An event's time is in whole seconds, and an invoice is finalized and paid within one: the kind of event orders those.
A payment and a nonpayment are records of their own beside the invoice that they belong to, under its id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from comp.core.errors import Problem
from crediting.intake.facts import Event
from crediting.intake.proving import item_id
from crediting.intake.reading import problem, shown
from crediting.intake.records import ID, epoch, flatten, read_body, whole
from crediting.intake.signatures import Refused
from crediting.intake.source import Answer, Call, Change, Item, Proven, Value
from crediting.intake.stripe import signature

#: The objects that are read. Events of others are stored and say nothing.
OBJECTS = ("invoice", "charge", "refund", "subscription", "customer", "credit_note", "dispute")
_MINOR = re.compile(r"-?[0-9]{1,18}")
#: Within one second the later kind of event tells the later state.
_ORDER = (
    *("created", "updated", "finalized", "sent", "payment_action_required", "payment_failed", "overdue"),
    *("marked_uncollectible", "succeeded", "payment_succeeded", "paid", "refunded", "failed", "voided"),
    *("closed", "deleted"),
)
_PAID = ("invoice.paid", "invoice.payment_succeeded")
_UNPAID = ("invoice.payment_failed", "invoice.marked_uncollectible")
_SETTLED = (*_PAID, "invoice.voided")
#: Events that take the object away. A subscription that is deleted is kept, as cancelled.
_GONE = ("invoice.deleted", "customer.deleted")


class Stripe:
    """Snapshot events of Stripe's API."""

    name = "stripe"

    def prove(self, call: Call, secrets: Iterable[str], *, now: float, window: int) -> Proven | Refused:
        return signature.prove(call, secrets, now=now, window=window)

    def items(self, body: bytes) -> Sequence[Item] | Problem | None:
        """The event under its own id, without the count of other endpoints that are still to hear of it, which differs
        from one attempt to the next."""
        document, wrong = read_body(body)
        if wrong:
            return wrong
        if not isinstance(document, dict):
            return problem("", shown(document), "an event of Stripe, an object")
        event = {key: value for key, value in document.items() if key != "pending_webhooks"}
        written = json.dumps(event, ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode()
        number = document.get("id")
        return [Item(number if isinstance(number, str) and ID.fullmatch(number) else item_id(written), written)]

    def read(self, body: bytes) -> Event | Sequence[Change] | list[Problem]:
        document, wrong = read_body(body)
        if wrong:
            return [wrong]
        if not isinstance(document, dict) or document.get("object") != "event":
            found = shown(document.get("object")) if isinstance(document, dict) else shown(document)
            return [problem("object", found, '"event": a snapshot event, not a thin one')]
        return _read(document)

    def answer(self, call: Call) -> Answer | None:
        return None


SOURCE = Stripe()


def _read(event: Mapping[str, Any]) -> Sequence[Change] | list[Problem]:
    problems: list[Problem] = []
    kind, at, data = event.get("type"), epoch(whole(event.get("created"))), event.get("data")
    stated = data.get("object") if isinstance(data, dict) else None
    if not isinstance(kind, str) or not 0 < len(kind) <= 100:
        problems.append(problem("type", shown(kind), "such as invoice.paid"))
    if at is None:
        problems.append(problem("created", shown(event.get("created")), "seconds since 1970, before 2200"))
    if not isinstance(stated, dict):
        problems.append(problem("data.object", shown(stated), "an object"))
    if problems or not isinstance(kind, str) or at is None or not isinstance(stated, dict):
        return problems
    name, number = stated.get("object"), stated.get("id")
    if name not in OBJECTS:
        return ()
    if not isinstance(number, str) or not ID.fullmatch(number):
        return [problem("data.object.id", shown(number), "the object's id")]
    # Of a list (an invoice's lines) the first entry is read: a record's fields have fixed names.
    values = flatten(stated, problems, entries=1)
    if problems:
        return problems
    if isinstance(event.get("livemode"), bool):
        values["livemode"] = event["livemode"]  # not every object says it itself
    if name == "invoice":
        values["total_tax"] = _tax(values)
    verb = kind.rpartition(".")[2]
    at += timedelta(microseconds=_ORDER.index(verb) + 1 if verb in _ORDER else 0)
    found = [Change(name, number, values, at, whole=True, gone=kind in _GONE)]
    if kind in _PAID:
        found.append(Change("payment", number, values, at, whole=True))
    if kind in _UNPAID:
        found.append(Change("nonpayment", number, values, at, whole=True))
    if kind in _SETTLED and _had_failed(values):
        found.append(Change("nonpayment", number, values, at, whole=True, gone=True))
    return tuple(found)


def _tax(invoice: Mapping[str, Value]) -> str | None:
    """What the total holds beyond the total without tax: Stripe names the tax itself in ways that differ by version."""
    gross, net = (_MINOR.fullmatch(str(invoice.get(name))) for name in ("total", "total_excluding_tax"))
    return str(int(gross[0]) - int(net[0])) if gross and net else None


def _had_failed(invoice: Mapping[str, Value]) -> bool:
    """Whether a payment of the invoice may have failed before."""
    attempts = whole(invoice.get("attempt_count"))
    given_up = invoice.get("status_transitions.marked_uncollectible_at") is not None
    return attempts is None or attempts > 1 or given_up
