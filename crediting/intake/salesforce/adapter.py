"""What Salesforce sends: a SOAP body is an outbound message, any other is JSON signed by the Standard Webhooks rules.

An outbound message is signed by nothing: the address is the secret, and the message has to name the organization that
the endpoint is for. An endpoint's secrets are therefore either an organization's id (`00D…`) or a `whsec_` secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from comp.core.errors import Problem
from crediting.intake.facts import Event
from crediting.intake.proving import body_id, instant, item_id, prove_standard
from crediting.intake.reading import problem, shown
from crediting.intake.records import ID, moment, read_body
from crediting.intake.salesforce import records, soap
from crediting.intake.signatures import Refused
from crediting.intake.source import Answer, Call, Change, Gap, Item, Proven

#: An organization's id; of 18 characters the last three only repeat in which case the others stand.
_ORGANIZATION = re.compile(r"00D[0-9A-Za-z]{12}([0-9A-Za-z]{3})?")
#: A trigger runs over at most 200 records at a time.
RECORDS = 200


class Salesforce:
    """Outbound messages, change events and records of flows."""

    name = "salesforce"

    def prove(self, call: Call, secrets: Iterable[str], *, now: float, window: int) -> Proven | Refused:
        known = list(secrets)
        if is_soap(call.body):
            return _prove_message(call, [one for one in known if _ORGANIZATION.fullmatch(one)], now)
        return prove_standard(call, known, now=now, window=window)

    def items(self, body: bytes) -> Sequence[Item] | Problem | None:
        if is_soap(body):
            message = soap.read_message(body)
            if isinstance(message, Problem):
                return message
            return [_notification_item(one) for one in message.notifications]
        document, wrong = read_body(body)
        if wrong:
            return wrong
        if not isinstance(document, list):
            return None
        if len(document) > RECORDS:
            return problem("", f"{len(document)} records", f"at most {RECORDS}")
        return [_record_item(one) for one in document]

    def read(self, body: bytes) -> Event | Sequence[Change | Gap] | list[Problem]:
        document, wrong = read_body(body)
        if wrong:
            return [wrong]
        if not isinstance(document, dict):
            return [problem("", shown(document), "a record or a change event of Salesforce, an object")]
        return records.read(document)

    def answer(self, call: Call) -> Answer | None:
        """Salesforce sends a message again until it is acknowledged in SOAP, for 24 hours."""
        return Answer(200, "text/xml; charset=utf-8", soap.ACKNOWLEDGED) if is_soap(call.body) else None


SOURCE = Salesforce()


def is_soap(body: bytes) -> bool:
    """Whether a body is XML: no JSON starts with `<`."""
    return body[:200].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _prove_message(call: Call, organizations: Sequence[str], now: float) -> Proven | Refused:
    message = soap.read_message(call.body)
    if isinstance(message, Problem):
        return Refused(400, str(message))
    if message.session:
        return Refused(400, "SessionId: leave “Send Session ID” off; no key to Salesforce is kept here")
    if not organizations:
        return Refused(401, "OrganizationId: this endpoint states no organization that may send")
    given = message.organization
    if not _ORGANIZATION.fullmatch(given) or given[:15] not in {one[:15] for one in organizations}:
        return Refused(401, "OrganizationId: another organization than this endpoint is for")
    return Proven(body_id(call.body), instant(now))


def _notification_item(found: soap.Notification | Problem) -> Item:
    """A notification that is sent again may carry newer data under its old id: the record's own time tells them
    apart, and with it the same id and another body is a contradiction."""
    if isinstance(found, Problem):
        body = json.dumps({"problem": [found.path, found.found, found.allowed]}, sort_keys=True).encode()
        return Item(item_id(body), body)
    record = {"attributes": {"type": found.object}, **found.values}
    body = json.dumps(record, ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode()
    at = moment(records.time_of(found.values))
    return _named(found.id, "" if at is None else at.isoformat(), body)


def _record_item(record: Any) -> Item:
    body = records.written(record)
    header = records.header_of(record) if isinstance(record, dict) else None
    if header is not None:
        return _named(header.get("transactionKey"), header.get("sequenceNumber"), body)
    at = moment(records.time_of(record)) if isinstance(record, dict) else None
    return _named(record.get("Id"), at.isoformat(), body) if at is not None else Item(item_id(body), body)


def _named(one: object, other: object, body: bytes) -> Item:
    """The id of both parts where they make one, else a digest."""
    name = f"{one}/{other}" if isinstance(one, str) and isinstance(other, str) and one and other else ""
    return Item(name if ID.fullmatch(name) else item_id(body), body)
