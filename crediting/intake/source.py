"""What a source is: how its calls are proven, taken apart, read and answered. All pure; one folder a source.

A call is proven over its raw bytes and stored; then, in the mailbox, taken apart into items and read. What an item says
is an `Event` in Comp's own words, or `Change`s of records in the source's words, which are folded to the record as it
stands and mapped by the endpoint's field mapping (crediting.intake.mapping).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from comp.core.errors import Problem
from crediting.intake.facts import Event
from crediting.intake.signatures import Refused

#: A value of a record as its source has it: numbers as the text of their digits, never a float.
Value = str | bool | None


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP call as it came. `url` is the whole address that the sender called, undecoded; `headers` by lower-case
    name."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Proven:
    """The sender's id of this call (its own event id, or a digest of the body where it gives none), and when it was
    sent, in UTC."""

    sender_id: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Item:
    """One of a batch: the source's own id of it (blank where it gives none), and its part of the body, that `read`
    takes."""

    sender_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """What a source says of one of its records at a moment. `values` are the fields it states; with `whole` all that it
    has, else those that changed. `gone`: the record was deleted. Of each field the latest by (version, at, the
    delivery's id) stands."""

    object: str
    id: str
    values: Mapping[str, Value]
    at: datetime
    version: int = 0
    whole: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """A record that changed at a moment, and whose change the source could not send: it has to come again whole, as it
    was then or later."""

    object: str
    id: str
    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the source wants to hear when its call is stored."""

    status: int
    content_type: str
    body: bytes


class Source(Protocol):
    """One kind of system. `name` is what endpoints name it by."""

    name: str

    def prove(self, call: Call, secrets: Iterable[str], *, now: float, window: int) -> Proven | Refused:
        """Who sent it: every live secret is tried, in constant time; the time at most `window` seconds away, either
        side, where the source signs one."""
        ...

    def items(self, body: bytes) -> Sequence[Item] | Problem | None:
        """The parts of a batch; None where the call is one item itself."""
        ...

    def read(self, body: bytes) -> Event | Sequence[Change | Gap] | list[Problem]:
        """One item, understood, or everything that is wrong with it. An empty sequence: nothing that counts."""
        ...

    def answer(self, call: Call) -> Answer | None:
        """None: the ordinary JSON answer."""
        ...
