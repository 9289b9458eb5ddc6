"""What a mapping can make: the events of docs/intake.md, the fields of each and what a field holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from crediting.intake.standard_parts import MORE
from plans.rules.fields import FACT_FIELDS

Kind = Literal["text", "money", "number", "whole", "day", "any"]
CUSTOM = re.compile(r"custom\.[a-z][a-z0-9_]{0,62}")
_KINDS: Mapping[str, Kind] = {"text": "text", "money": "money", "number": "number", "date": "day"}
#: The standard fields that any fact may state beside its own.
_MORE: Mapping[str, Kind] = {name: _KINDS[FACT_FIELDS[name]] for name in MORE}


@dataclass(frozen=True, slots=True)
class Target:
    """An event's fields, those that a mapping has to speak of, and whether it may bring a team and custom fields.
    `stands`: false where it takes a fact back. `needs_team`: it has no other way to say whose it is."""

    fields: Mapping[str, Kind]
    needed: tuple[str, ...]
    rich: bool = True
    stands: bool = True
    needs_team: bool = False

    def kind(self, name: str) -> Kind | None:
        """What a field of this event holds; None where it has no such field."""
        if self.rich and CUSTOM.fullmatch(name):
            return "any"
        return self.fields.get(name)


def _deal(*stage: str) -> Target:
    needed = ("deal", *stage, "owner", "product", "account", "amount", "currency", "engage_date", "close_date")
    days: dict[str, Kind] = {"engage_date": "day", "close_date": "day"}
    fields: dict[str, Kind] = {**dict.fromkeys(needed, "text"), "amount": "money", **days, "type": "text", **_MORE}
    return Target(fields, needed)


_FACT: Mapping[str, Kind] = {
    **{"id": "text", "deal": "text", "account": "text", "product": "text", "type": "text"},
    **{"on": "day", "amount": "money", "currency": "text"},
    **_MORE,
}
_OF_NO_ID: Mapping[str, Kind] = {name: kind for name, kind in _FACT.items() if name != "id"}
_MILESTONE: Mapping[str, Kind] = {**{n: kind for n, kind in _OF_NO_ID.items() if n != "type"}, "milestone": "text"}
_COUNTS: Mapping[str, Kind] = {"used": "whole", "contracted": "whole"}


def _fact(*needed: str) -> Target:
    return Target(_FACT, ("id", *needed))


def _only(*names: str) -> Target:
    """What takes a fact back: it says which, and no more."""
    fields: Mapping[str, Kind] = {**_FACT, "milestone": "text", "from": "day"}
    return Target({name: fields[name] for name in names}, (), rich=False, stands=False)


#: An order line of a deal, in the deal's currency.
LINE = Target({"line": "text", "product": "text", "type": "text", "on": "day", "amount": "money", **_MORE}, ("line",))
#: The events that bring a deal's lines.
WITH_LINES = ("deal.updated", "deal.prospecting", "deal.engaged", "deal.won", "deal.lost")

EVENTS: Mapping[str, Target] = {
    "account.updated": Target(
        dict.fromkeys(("account", "name", "sector", "country", "state", "postal"), "text"),
        ("account", "name", "sector", "country"),
        rich=False,
    ),
    "deal.updated": _deal("stage"),
    **dict.fromkeys(("deal.prospecting", "deal.engaged", "deal.won", "deal.lost"), _deal()),
    "milestone.reached": Target(_MILESTONE, ("deal", "milestone", "on")),
    "milestone.withdrawn": _only("deal", "milestone", "on"),
    "usage.reading": Target({**_OF_NO_ID, **_COUNTS}, ("on", "used")),
    "usage.withdrawn": _only("deal", "account", "product", "on"),
    "contract.usage": Target(
        {"account": "text", "product": "text", "from": "day", "contracted": "whole"},
        ("account", "product", "from", "contracted"),
        rich=False,
    ),
    "contract.withdrawn": _only("account", "product", "from"),
    "invoice.issued": _fact("amount", "currency", "invoice_date"),
    "invoice.updated": _fact("amount", "currency", "invoice_date"),
    "invoice.voided": _only("id"),
    "receipt.applied": _fact("amount", "currency", "on"),
    "receipt.withdrawn": _only("id"),
    "refund.made": _fact("deal", "amount", "currency", "on"),
    "refund.withdrawn": _only("id"),
    "deal.cancelled": _fact("deal", "on"),
    "cancellation.withdrawn": _only("id"),
    "invoice.unpaid": _fact("deal", "on"),
    "nonpayment.withdrawn": _only("id"),
    "activity.done": _fact("type", "on"),
    "activity.withdrawn": _only("id"),
    "score.given": _fact("type", "value", "on"),
    "score.withdrawn": _only("id"),
    "hours.worked": Target(_FACT, ("id", "quantity", "on"), needs_team=True),
    "hours.withdrawn": _only("id"),
    "deal.transferred": Target(
        {**dict.fromkeys(("id", "deal", "role", "from", "to", "reason"), "text"), "on": "day"},
        ("id", "deal", "role", "from", "to", "on"),
        rich=False,
    ),
    "transfer.withdrawn": _only("id"),
}
