"""What several of Comp's own events are made of: money, numbers, standard fields, teams, custom fields."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from comp.core.errors import Problem
from comp.core.money import CURRENCIES, MoneyError, parse_money
from crediting.intake.facts import Custom, Member, Values
from crediting.intake.reading import Number, Reader, is_clean, plain_decimal, shown
from plans.rules.fields import FACT_FIELDS

TEAM_LIMIT, CUSTOM_LIMIT, CUSTOM_TEXT = 50, 50, 1000
WEIGHT_LIMIT = 1_000_000
TEXT_LIMIT = 120
#: The standard fields that any fact may state, beside those that stand in columns of their own.
MORE = (
    *("region", "territory", "list_price", "cost", "tax", "quantity", "value", "term_months"),
    *("invoice_date", "due_date", "paid_date", "start_date", "end_date"),
)

WORD = re.compile(r"[a-z][a-z0-9_-]{0,39}")
CODE = re.compile(r"[A-Z]{3}")
_CUSTOM_KEY = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,6})?")


def amount(data: Reader, key: str, currency: str, *, needed: bool = False) -> int | None:
    """Minor units of a decimal in plain digits: as text, or as a JSON number whose digits were never a float. None
    where it is null, or (unless `needed`) not stated."""
    value = data.values.get(key)
    if value is None and (key in data.values or not needed):
        return None
    text = plain_decimal(value)
    if text is None:
        found = shown(value) if key in data.values else "nothing"
        data.wrong(key, found, 'plain digits such as "25000.00", or null')
        return None
    if currency not in CURRENCIES:
        return None  # said already
    try:
        return parse_money(text, currency)
    except MoneyError as error:
        data.problems.append(Problem(f"{data.path}.{key}", text, f"an amount in {currency}", str(error)))
        return None


def number(data: Reader, key: str) -> str | None:
    """A number in plain digits, as the shortest text of it: 5.0 is 5."""
    value = data.values.get(key)
    text = plain_decimal(value)
    if text is None or not _NUMBER.fullmatch(text):
        allowed = "a number in plain digits, at most 18 before the point and 6 behind it"
        data.wrong(key, shown(value) if key in data.values else "nothing", allowed)
        return None
    short = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if short == "-0" else short


def values(data: Reader, names: Iterable[str], currency: str) -> Values:
    """Those standard fields that are stated and not null, each in the type that the plan language gives it."""
    found: list[tuple[str, int | str]] = []
    for name in sorted(names):
        if data.values.get(name) is None:
            continue
        value: int | str | None
        match FACT_FIELDS[name]:
            case "money":
                value = amount(data, name, currency)
            case "number":
                value = number(data, name)
            case "date":
                day = data.day(name)
                value = day.isoformat() if day else None
            case _:
                value = data.text(name, TEXT_LIMIT, blank=True) or None
        if value is not None:
            found.append((name, value))
    return tuple(found)


def members(data: Reader) -> tuple[Member, ...]:
    """The team in the source's own order."""
    rows: Any = [] if data.values.get("team") is None else data.values["team"]
    found: list[Member] = []
    if not isinstance(rows, list) or len(rows) > TEAM_LIMIT:
        data.wrong("team", shown(rows), f"a list of at most {TEAM_LIMIT} members")
        rows = []
    for place, row in enumerate(rows):
        if not isinstance(row, dict):
            data.wrong(f"team[{place}]", shown(row), 'an object such as {"role": "se", "person": "…"}')
            continue
        one = Reader(row, f"{data.path}.team[{place}]", data.problems)
        one.only("role", "person", "weight")
        found.append(
            Member(one.text("role", 50), one.text("person", 200), one.integer("weight", 1, WEIGHT_LIMIT, default=1))
        )
    if len({(m.role, m.person) for m in found}) < len(found):
        data.wrong("team", "one person twice in one role", "each person once in each role")
    return tuple(found)


def custom(data: Reader) -> Custom:
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
