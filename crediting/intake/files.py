"""A file's columns matched to the fields of an event, and its rows made that event. The match is a mapping as any
source's (crediting.intake.mapping), of one object: `row`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from comp.core.days import parse_day
from comp.core.errors import Problem
from comp.core.money import parse_money
from crediting.intake.facts import DealFact, Event, Member, fact_key
from crediting.intake.mapping import EVENTS, FORMAT, Record, told
from crediting.intake.mapping.readings import DATE_FORMS, DECIMAL_FORMS, READINGS
from crediting.intake.standard import OWNER_ROLE, adapt

OBJECT = "row"
#: What a file may hold: the event that each row becomes, and what it is called.
KINDS: Mapping[str, str] = {
    "deal.updated": "Deals, with their stage",
    "deal.won": "Won deals",
    "account.updated": "Customers",
    "milestone.reached": "Milestones of deals",
    "usage.reading": "Usage readings",
    "contract.usage": "Contracted usage",
    "invoice.issued": "Invoices",
    "receipt.applied": "Receipts",
    "refund.made": "Refunds",
    "deal.cancelled": "Cancellations",
    "invoice.unpaid": "Unpaid invoices",
    "activity.done": "Activities",
    "score.given": "Scores",
    "hours.worked": "Hours",
    "deal.transferred": "Transfers of deals",
}
#: One who stands on the row, in a role: not a field of the event but of its team.
PERSON, ROLE = "team.person", "team.role"
#: Roles of a person whose row names none.
USUAL_ROLE = "ae"
#: What a file that has no column for it leaves empty, where the event has to speak of it.
_MAY_BE_EMPTY = {"engage_date", "close_date", "sector", "country", "name", "contracted"}
_OTHER_WORDS: Mapping[str, tuple[str, ...]] = {
    "deal": ("dealid", "opportunity", "opportunityid", "dealnumber"),
    "owner": ("rep", "salesrep", "salesagent", "seller", "salesperson", "dealowner", "opportunityowner"),
    "account": ("customer", "company", "accountname", "customername", "client"),
    "product": ("productname", "item", "sku"),
    "amount": ("closevalue", "total", "dealvalue", "netamount", "invoiceamount"),
    "currency": ("currencycode",),
    "close_date": ("closed", "closedon", "closeddate", "closingdate"),
    "engage_date": ("engaged", "engagedon", "createdate", "createddate", "opened"),
    "stage": ("dealstage", "status"),
    "on": ("date", "day", "activitydate", "paidon", "refundedon"),
    "id": ("number", "key", "reference", "invoice", "invoicenumber", "invoiceid"),
    "quantity": ("hours", "qty"),
    "used": ("usage", "unitsused"),
    "from": ("startdate", "validfrom"),
    PERSON: ("person", "rep", "owner", "salesrep", "employee"),
    ROLE: ("role",),
}
_STAGES = {"closed won": "won", "closed lost": "lost", "closedwon": "won", "closedlost": "lost"}
_PLAIN = re.compile(r"[^a-z0-9]+")
#: What a row's message says of any deal.
_OF_EVERY_DEAL = frozenset(
    ("version", "deal", "stage", "owner", "product", "account", "amount", "currency", "engage_date", "close_date")
)
#: The time of an event until its file is taken in.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Said:
    """One row, understood: `key` is what it is about, `id` the same with a digest of all it says, `message` the event
    without its time."""

    line: int
    kind: str
    key: str
    id: str
    message: Mapping[str, Any]


def fields_of(event: str) -> list[str]:
    """The fields that a column may be matched to, those that the event has to state first."""
    target = EVENTS[event]
    others = [name for name in target.fields if name not in target.needed]
    team = [PERSON, ROLE] if target.rich and not event.startswith("deal.") else []
    return [*target.needed, *team, *others]


def guess(event: str, header: Sequence[str]) -> dict[str, str]:
    """Which column is which field, by their names: each field once."""
    free = dict.fromkeys(fields_of(event))
    found: dict[str, str] = {}
    for words in (lambda name: (name.replace("_", ""),), lambda name: _OTHER_WORDS.get(name, ())):
        for column in header:
            plain = _PLAIN.sub("", column.lower())
            field = next((name for name in free if plain in words(name)), None)
            if field and column not in found:
                found[column] = field
                del free[field]
    return found


def forms(rows: Iterable[Sequence[str]]) -> tuple[str, str]:
    """How days and numbers are written, by the cells of some rows: the first form that fits most of them."""
    cells = {cell.strip() for row in rows for cell in row if cell.strip()}
    days = {form: sum(1 for cell in cells if pattern.fullmatch(cell)) for form, pattern in DATE_FORMS.items()}
    read = READINGS["decimal"][0]
    amounts = [cell for cell in cells if re.fullmatch(r"-?[0-9][0-9., ]*", cell)]
    numbers = {
        form: sum(1 for cell in amounts if read(cell, {"form": form}, "", "UTC") is not None) for form in DECIMAL_FORMS
    }
    return max(days, key=lambda form: days[form]), max(numbers, key=lambda form: numbers[form])


def document(
    event: str, columns: Mapping[str, str], *, date_form: str, decimal_form: str, currency: str, stages: Iterable[str]
) -> dict[str, Any]:
    """The mapping of a file. `columns`: our field by column; `currency`: of amounts where no column says it; `stages`:
    the words for stages that the file has."""
    target = EVENTS[event]
    fields: dict[str, Any] = {}
    team: dict[str, Any] = {}
    for column, name in columns.items():
        if name in (PERSON, ROLE):
            team[name] = {"from": column, **({"missing": "empty"} if name == PERSON else {})}
            continue
        kind = target.kind(name)
        rule: dict[str, Any] = {"from": column, "missing": "empty"}
        if kind == "day":
            rule["form"] = date_form
        elif kind in ("money", "number", "whole"):
            rule["form"] = decimal_form
        elif name == "currency":
            rule["as"] = "currency"
        elif name == "stage":
            rule |= {"values": _stages(stages), "otherwise": "keep"}
        fields[name] = rule
    for name in target.needed:
        if name not in fields and name in _MAY_BE_EMPTY:
            fields[name] = {"constant": None}
    if (
        "currency" not in fields
        and "currency" in target.fields
        and any(target.kind(name) == "money" for name in fields)
    ):
        fields["currency"] = {"constant": currency}
    rules: dict[str, Any] = {"object": OBJECT, "event": event, "fields": fields}
    if PERSON in team:
        rules["team"] = [{"role": team.get(ROLE, {"constant": USUAL_ROLE}), "person": team[PERSON]}]
    return {"format": FORMAT, "records": [rules]}


def unmatched(event: str, columns: Mapping[str, str]) -> list[str]:
    """The fields that the event cannot do without and that no column is matched to."""
    target = EVENTS[event]
    matched = set(columns.values())
    missing = [name for name in target.needed if name not in matched | _MAY_BE_EMPTY | {"currency"}]
    return [*missing, *([PERSON] if target.needs_team and PERSON not in matched else [])]


def said(mapping: Mapping[str, Any], header: Sequence[str], line: int, cells: Sequence[str], zone: str) -> Said | str:
    """What a row says, or everything that is wrong with it."""
    record = Record(OBJECT, str(line), dict(zip(header, cells, strict=True)), _EPOCH)
    found = told(mapping, record, zone=zone)
    if found is None:
        return "no rule of the mapping fits the row"
    if not isinstance(found, tuple):
        return "; ".join(map(_told, found))
    message, event = found
    kind, key = fact_key(event.fact)
    text = json.dumps([message["type"], message["data"]], sort_keys=True)
    short = key if len(key) <= 120 else hashlib.sha256(key.encode()).hexdigest()
    digest = hashlib.sha256(text.encode()).hexdigest()[:24]
    return Said(line, kind, key, f"{kind}:{short}:{digest}", {"type": message["type"], "data": message["data"]})


def deal_of(message: Mapping[str, Any]) -> DealFact:
    """The deal that a row's message tells of. Read as the adapter reads it; where it says no more than every deal does,
    without judging once more what was judged."""
    data = message["data"]
    if not data.keys() <= _OF_EVERY_DEAL:
        event = adapt(body(message, _EPOCH))
        assert isinstance(event, Event) and isinstance(event.fact, DealFact), event
        return event.fact
    currency, amount = data["currency"], data["amount"]
    verb = message["type"].partition(".")[2]
    return DealFact(
        deal=data["deal"].strip(),
        stage=data["stage"] if verb == "updated" else verb,
        team=(Member(OWNER_ROLE, (data["owner"] or "").strip(), 1),),
        product=(data["product"] or "").strip(),
        account=(data["account"] or "").strip(),
        amount_minor=None if amount is None else parse_money(amount, currency),
        currency=currency,
        engage_date=_day(data["engage_date"]),
        close_date=_day(data["close_date"]),
        territory="",
        custom=(),
    )


def body(message: Mapping[str, Any], at: datetime) -> bytes:
    """The event as a system would have sent it at that moment."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    whole = {"type": message["type"], "timestamp": moment, "data": message["data"]}
    return json.dumps(whole, ensure_ascii=False).encode()


def _told(problem: Problem) -> str:
    return f"{problem.path.removeprefix('data.')}: {problem.message}"


@lru_cache(maxsize=10_000)
def _day(text: str | None) -> date | None:
    return parse_day(text) if text is not None else None


def _stages(words: Iterable[str]) -> dict[str, str]:
    """Stages as files write them (`Won`, `Closed Won`) to ours; at least one entry, as a mapping's table has."""
    plain = {word: _STAGES.get(word.strip().lower(), word.strip().lower().replace(" ", "-")) for word in words if word}
    return plain or {"won": "won"}
