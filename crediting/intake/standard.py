"""The adapter of Comp's own events, `{"type", "timestamp", "data"}` over Standard Webhooks. See docs/intake.md and
docs/events.schema.json.

Every deal and account event carries the whole state, so the current state is that of the greatest (version, event time,
sender's id):
a pure function of the set of events, in whatever order they arrive.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from comp.core.errors import Problem
from comp.core.money import CURRENCIES, MoneyError, parse_money
from crediting.intake.facts import AccountFact, DealFact, Event, Fact, Member, MilestoneFact, UsageFact
from crediting.intake.reading import Number, Reader, is_clean, plain_decimal, problem, read_json, shown

#: The convention of this adapter: a deal's owner stands on it in this role, unless its team names one of that role
#: itself.
OWNER_ROLE = "ae"
STAGES = ("prospecting", "engaged", "won", "lost")
TEAM_LIMIT, CUSTOM_LIMIT, CUSTOM_TEXT = 50, 50, 1000
WEIGHT_LIMIT = 1_000_000

_WORD = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_CUSTOM_KEY = re.compile(r"[a-z][a-z0-9_]{0,62}")
_CODE = re.compile(r"[A-Z]{3}")


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
    fact = reader(inner, kind.partition(".")[2])
    return problems or Event(kind, at, version, fact)


def _account(data: Reader, verb: str) -> Fact:
    data.only("account", "name", "sector", "country", "version")
    account = data.text("account", 200)
    return AccountFact(
        account=account,
        name=data.text("name", 200, blank=True, default="") or account,
        sector=data.text("sector", 80, blank=True),
        country=data.text("country", 80, blank=True),
    )


def _deal(data: Reader, verb: str) -> Fact:
    data.only(
        *("deal", "version", "stage", "owner", "team", "product", "account", "amount", "currency"),
        *("engage_date", "close_date", "territory", "custom"),
    )
    if verb == "updated":
        stage = data.pattern("stage", _WORD, f"a word such as {', '.join(STAGES)}")
    else:
        stage = data.pattern("stage", re.compile(verb), f"{verb}, as the type says", default=verb)
    currency = data.pattern("currency", _CODE, "a currency code of ISO 4217")
    if currency and currency not in CURRENCIES:
        data.wrong("currency", currency, "a currency code of ISO 4217")
    return DealFact(
        deal=data.text("deal", 120),
        stage=stage,
        team=_team(data, data.text("owner", 200, blank=True)),
        product=data.text("product", 200, blank=True),
        account=data.text("account", 200, blank=True),
        amount_minor=_amount(data, currency),
        currency=currency,
        engage_date=data.day("engage_date", empty=True),
        close_date=data.day("close_date", empty=True),
        territory=data.text("territory", 60, blank=True, default=""),
        custom=_custom(data),
    )


def _amount(data: Reader, currency: str) -> int | None:
    """Minor units of a decimal in plain digits: as text, or as a JSON number whose digits were never a float."""
    value = data.values.get("amount")
    if value is None and "amount" in data.values:
        return None
    text = plain_decimal(value)
    if text is None:
        found = shown(value) if "amount" in data.values else "nothing"
        data.wrong("amount", found, 'plain digits such as "25000.00", or null')
        return None
    if currency not in CURRENCIES:
        return None  # said already
    try:
        return parse_money(text, currency)
    except MoneyError as error:
        data.problems.append(Problem(f"{data.path}.amount", text, f"an amount in {currency}", str(error)))
        return None


def _team(data: Reader, owner: str) -> tuple[Member, ...]:
    """The owner first, then the team in the source's own order: the place in it is the split number."""
    rows: Any = [] if data.values.get("team") is None else data.values["team"]
    members: list[Member] = []
    if not isinstance(rows, list) or len(rows) > TEAM_LIMIT:
        data.wrong("team", shown(rows), f"a list of at most {TEAM_LIMIT} members")
        rows = []
    for place, row in enumerate(rows):
        if not isinstance(row, dict):
            data.wrong(f"team[{place}]", shown(row), 'an object such as {"role": "se", "person": "…"}')
            continue
        one = Reader(row, f"{data.path}.team[{place}]", data.problems)
        one.only("role", "person", "weight")
        members.append(
            Member(one.text("role", 50), one.text("person", 200), one.integer("weight", 1, WEIGHT_LIMIT, default=1))
        )
    if len({(m.role, m.person) for m in members}) < len(members):
        data.wrong("team", "one person twice in one role", "each person once in each role")
    if not any(member.role == OWNER_ROLE for member in members):
        members.insert(0, Member(OWNER_ROLE, owner, 1))
    return tuple(members)


def _custom(data: Reader) -> tuple[tuple[str, str | int | bool | None], ...]:
    """The tenant's own fields: flat. Whole numbers stay numbers, decimals are kept as the text of their digits."""
    rows: Any = {} if data.values.get("custom") is None else data.values["custom"]
    if not isinstance(rows, dict) or len(rows) > CUSTOM_LIMIT:
        data.wrong("custom", shown(rows), f"an object of at most {CUSTOM_LIMIT} fields")
        return ()
    found: list[tuple[str, str | int | bool | None]] = []
    for key, value in sorted(rows.items()):
        place = f"custom.{key[:63]}"
        if not _CUSTOM_KEY.fullmatch(key):
            data.wrong("custom", f"the field {shown(key)}", "a lower-case name of letters, digits and _")
        elif isinstance(value, Number):
            if plain_decimal(value) is None:
                data.wrong(place, shown(value), "a number in plain digits")
            else:
                found.append((key, int(value) if len(value) <= 18 and "." not in value else str(value)))
        elif value is None or isinstance(value, bool) or _is_short_text(value):
            found.append((key, value))
        else:
            data.wrong(place, shown(value), f"text of at most {CUSTOM_TEXT} characters, a number, true, false or null")
    return tuple(found)


def _is_short_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= CUSTOM_TEXT and is_clean(value)


def _milestone(data: Reader, verb: str) -> Fact:
    data.only("deal", "milestone", "on", "version")
    day = data.day("on")
    return MilestoneFact(
        deal=data.text("deal", 120),
        kind=data.pattern("milestone", _WORD, "a word such as go-live"),
        reached=verb == "reached",
        day=day,  # type: ignore[arg-type]  # None only beside a problem, and then the fact is not used
    )


def _usage(data: Reader, verb: str) -> Fact:
    data.only("deal", "on", "used", "contracted", "version")
    day = data.day("on")
    return UsageFact(
        deal=data.text("deal", 120),
        day=day,  # type: ignore[arg-type]  # as above
        used=data.integer("used", 0),
        contracted=data.integer("contracted", 0),
    )


READERS: dict[str, Callable[[Reader, str], Fact]] = {
    "account.updated": _account,
    "deal.prospecting": _deal,
    "deal.engaged": _deal,
    "deal.won": _deal,
    "deal.lost": _deal,
    "deal.updated": _deal,
    "milestone.reached": _milestone,
    "milestone.withdrawn": _milestone,
    "usage.reading": _usage,
}
