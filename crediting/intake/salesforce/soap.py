"""Outbound messages: SOAP read without document types, entities or depth, and its acknowledgement.

Python's expat is driven by handlers of our own: a document type, and with it every entity, ends the reading at once;
nothing outside the text is ever looked up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat
from xml.sax.saxutils import escape

from comp.core.errors import Problem
from crediting.intake.reading import BODY_LIMIT, problem
from crediting.intake.records import can_be_kept

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
OUTBOUND = "http://soap.sforce.com/2005/09/outbound"
_TYPE = "http://www.w3.org/2001/XMLSchema-instance type"
_NIL = "http://www.w3.org/2001/XMLSchema-instance nil"
#: Envelope, Body, notifications, Notification, sObject, field, and two for compound fields.
DEPTH_LIMIT = 8
#: Salesforce sends at most 100 notifications a call, and up to some hundred fields in each.
NOTIFICATIONS, ELEMENT_LIMIT = 100, 50_000

ACKNOWLEDGED = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    f'<soapenv:Envelope xmlns:soapenv="{ENVELOPE}"><soapenv:Body>'
    f'<notificationsResponse xmlns="{OUTBOUND}"><Ack>true</Ack></notificationsResponse>'
    "</soapenv:Body></soapenv:Envelope>"
).encode()


@dataclass(slots=True)
class Element:
    """One element: its name with its namespace before it, its `xsi:type` without the prefix, its text."""

    name: str
    type: str = ""
    nil: bool = False
    text: str = ""
    inner: list[Element] = field(default_factory=list)

    def only(self, name: str) -> Element | None:
        """The one element of this name, of whatever namespace; None where there is none or more."""
        found = [element for element in self.inner if local(element.name) == name]
        return found[0] if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class Notification:
    """One record as it stood when it was sent. Fields that are empty are left out by Salesforce."""

    id: str
    object: str
    values: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Message:
    """One call: whose it is, and its notifications. One that could not be read stands as its problem."""

    organization: str
    session: str
    notifications: list[Notification | Problem]


class _Stop(Exception):
    """The text is not read further; the message says what was found."""


def local(name: str) -> str:
    """The name without its namespace."""
    return name.rpartition(" ")[2]


def read_message(body: bytes) -> Message | Problem:
    """The outbound message in a body."""
    root = read_xml(body)
    if isinstance(root, Problem):
        return root
    inside = root.only("Body") if root.name == f"{ENVELOPE} Envelope" else None
    call = inside.only("notifications") if inside is not None else None
    if call is None or call.name != f"{OUTBOUND} notifications":
        return problem(
            "", f"<{local(root.name)[:60]}>", "a SOAP envelope with the notifications of an outbound message"
        )
    organization, session = call.only("OrganizationId"), call.only("SessionId")
    sent = [element for element in call.inner if local(element.name) == "Notification"]
    if organization is None or not organization.text.strip():
        return problem("OrganizationId", "nothing", "the id of the organization that sends")
    if not 1 <= len(sent) <= NOTIFICATIONS:
        return problem("Notification", f"{len(sent)} notifications", f"1 to {NOTIFICATIONS}")
    return Message(
        organization.text.strip(),
        session.text.strip() if session is not None else "",
        [_notification(element, place) for place, element in enumerate(sent)],
    )


def _notification(element: Element, place: int) -> Notification | Problem:
    number, record = element.only("Id"), element.only("sObject")
    if number is None or not number.text.strip() or record is None or not record.type:
        return problem(f"Notification[{place}]", "a part of it missing", "an Id and an sObject with its xsi:type")
    values: dict[str, str | None] = {}
    for one in record.inner:
        _field(one, local(one.name), values)
    if len(values) > 1000 or not all(can_be_kept(name) and can_be_kept(text or "") for name, text in values.items()):
        return problem(f"Notification[{place}]", "too many or too long fields", "1,000 fields of 10,000 characters")
    return Notification(number.text.strip(), record.type, values)


def _field(element: Element, name: str, values: dict[str, str | None]) -> None:
    """A field's text; of a compound field (`BillingAddress`) each part as `BillingAddress.City`."""
    for one in element.inner:
        _field(one, f"{name}.{local(one.name)}", values)
    if not element.inner:
        values[name] = None if element.nil or not element.text else element.text


def read_xml(body: bytes) -> Element | Problem:
    """The root element of a UTF-8 XML text without a document type."""
    if len(body) > BODY_LIMIT:
        return problem("", f"{len(body)} bytes", f"at most {BODY_LIMIT} bytes")
    # The encoding is given, not taken from the text: no text chooses how it is read.
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    top = Element("")
    open_: list[Element] = [top]
    count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(open_) > DEPTH_LIMIT:
            raise _Stop(f"elements more than {DEPTH_LIMIT} deep")
        if count > ELEMENT_LIMIT:
            raise _Stop(f"more than {ELEMENT_LIMIT} elements")
        kind = attributes.get(_TYPE, "").rpartition(":")[2]
        element = Element(name, kind, attributes.get(_NIL) in ("true", "1"))
        open_[-1].inner.append(element)
        open_.append(element)

    def end(_name: str) -> None:
        open_.pop()

    def text(data: str) -> None:
        open_[-1].text += data

    def refuse(*_: object) -> NoReturn:
        raise _Stop("a document type, an entity or a processing instruction")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.ProcessingInstructionHandler = refuse
    parser.ExternalEntityRefHandler = parser.UnparsedEntityDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (_Stop, expat.ExpatError, ValueError) as error:
        return problem("", str(error)[:200], "well-formed XML in UTF-8 without a document type")
    return top.inner[0]


def fault(reason: str) -> bytes:
    """Why a message is not acknowledged. Salesforce shows the reason beside the message that it will send again."""
    text = escape(reason.encode("ascii", "backslashreplace").decode())
    return (
        f'<soapenv:Envelope xmlns:soapenv="{ENVELOPE}"><soapenv:Body><soapenv:Fault>'
        f"<faultcode>soapenv:Client</faultcode><faultstring>{text}</faultstring>"
        "</soapenv:Fault></soapenv:Body></soapenv:Envelope>"
    ).encode()
