"""The adapter of Comp's own events, `{"type", "timestamp", "data"}` over Standard Webhooks. See docs/intake.md and
docs/events.schema.json.

Every event carries the whole state of its thing, so what stands is that of the greatest (version, event time, sender's
id): a pure function of the set of events, in whatever order they arrive.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from comp.core.errors import Problem
from comp.core.money import CURRENCIES
from crediting.intake.facts import AccountFact, DealFact, Event, Fact, Member, OtherFact
from crediting.intake.reading import Reader, problem, read_json, shown
from crediting.intake.standard_facts import KINDS, line, other_fact
from crediting.intake.standard_parts import CODE, MORE, WORD, amount, custom, members, values
from crediting.intake.standard_people import person

#: The convention of this adapter: a deal's owner stands on it in this role, unless its team names one of that role
#: itself.
OWNER_ROLE = "ae"
STAGES = ("prospecting", "engaged", "won", "lost")
LINE_LIMIT = 500
#: The standard fields that a deal may state beside its own.
DEAL_MORE = ("type", *(name for name in MORE if name != "territory"))


def adapt(body: bytes) -> Event | list[Problem]:
    """One delivery's body as an event, or everything that is wrong with it."""
    document, wrong = read_json(body)
    if wrong:
        return [wrong]
    if not isinstance(document, dict):
        return [problem("", shown(document), "a JSON object")]
    problems: list[Problem] = []
    envelope = Reader(document, "", problems)
    kind, data = document.get("type"), document.get("data")
    at = envelope.moment("timestamp")
    reader = READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        envelope.wrong("type", shown(kind), f"one of {', '.join(READERS)}")
    if not isinstance(data, dict):
        envelope.wrong("data", shown(data), "an object")
    if reader is None or not isinstance(data, dict) or not isinstance(kind, str):
        return problems
    inner = Reader(data, "data", problems)
    version = inner.integer("version", 0, default=0)
    fact = reader(inner, kind if reader is other_fact else kind.partition(".")[2])
    return problems or Event(kind, at, version, fact)


def _account(data: Reader, verb: str) -> Fact:
    data.only("account", "name", "sector", "country", "state", "postal", "version")
    account = data.text("account", 200)
    return AccountFact(
        account=account,
        name=data.text("name", 200, blank=True, default="") or account,
        sector=data.text("sector", 80, blank=True),
        country=data.text("country", 80, blank=True),
        state=data.text("state", 80, blank=True, default=""),
        postal=data.text("postal", 20, blank=True, default=""),
    )


def _deal(data: Reader, verb: str) -> Fact:
    data.only(
        *("deal", "version", "stage", "owner", "team", "product", "account", "amount", "currency"),
        *("engage_date", "close_date", "territory", "custom", "lines", *DEAL_MORE),
    )
    if verb == "updated":
        stage = data.pattern("stage", WORD, f"a word such as {', '.join(STAGES)}")
    else:
        stage = data.pattern("stage", re.compile(verb), f"{verb}, as the type says", default=verb)
    currency = data.pattern("currency", CODE, "a currency code of ISO 4217")
    if currency and currency not in CURRENCIES:
        data.wrong("currency", currency, "a currency code of ISO 4217")
    deal = data.text("deal", 120)
    return DealFact(
        deal=deal,
        stage=stage,
        team=_team(data),
        product=data.text("product", 200, blank=True),
        account=data.text("account", 200, blank=True),
        amount_minor=amount(data, "amount", currency, needed=True),
        currency=currency,
        engage_date=data.day("engage_date", empty=True),
        close_date=data.day("close_date", empty=True),
        territory=data.text("territory", 60, blank=True, default=""),
        custom=custom(data),
        values=values(data, DEAL_MORE, currency),
        lines=_lines(data, deal, currency),
    )


def _team(data: Reader) -> tuple[Member, ...]:
    """The owner first, then the team in the source's own order: the place in it is the split number."""
    owner = data.text("owner", 200, blank=True)
    team = members(data)
    if not any(member.role == OWNER_ROLE for member in team):
        return (Member(OWNER_ROLE, owner, 1), *team)
    return team


def _lines(data: Reader, deal: str, currency: str) -> tuple[OtherFact, ...] | None:
    """All lines of the deal; None where the event does not speak of them."""
    if "lines" not in data.values:
        return None
    rows = data.values["lines"]
    if not isinstance(rows, list) or len(rows) > LINE_LIMIT:
        data.wrong("lines", shown(rows), f"a list of at most {LINE_LIMIT} lines")
        return None
    found = []
    for place, row in enumerate(rows):
        if not isinstance(row, dict):
            data.wrong(f"lines[{place}]", shown(row), 'an object such as {"line": "1", "product": "…", "amount": "…"}')
            continue
        found.append(line(Reader(row, f"{data.path}.lines[{place}]", data.problems), deal, currency))
    if len({one.id for one in found}) < len(found):
        data.wrong("lines", "one line twice", "each line once")
    return tuple(found)


READERS: dict[str, Callable[[Reader, str], Fact]] = {
    "account.updated": _account,
    "person.updated": person,
    "deal.prospecting": _deal,
    "deal.engaged": _deal,
    "deal.won": _deal,
    "deal.lost": _deal,
    "deal.updated": _deal,
    **dict.fromkeys(KINDS, other_fact),
}
