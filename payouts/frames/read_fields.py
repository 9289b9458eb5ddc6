"""Which fields and which kinds of facts the plans in force read, and how a field stands in the database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np

from comp.core.days import day_number, parse_day
from comp.core.errors import CompError
from comp.core.money import LARGEST, parse_money
from comp.core.rounding import round_fraction
from payouts.frames.read_asof import as_date
from payouts.frames.sql import NONE, Words, day, number
from payouts.kernel.batch import FAR_DAY, MILLIONTHS, Ints, Text
from plans.rules.compiled import CompiledPlan
from plans.rules.dates import credit_dates
from plans.rules.fields import YEARS as YEARS
from plans.rules.named import named_fields
from plans.rules.specialise import stated

KINDS = ("text", "money", "date", "number", "boolean")
#: What the share of a deal that is paid is worked out from.
CASH = ("invoice", "receipt", "refund")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?", re.ASCII)

_NAMES = {"source": "e.key", "product": "p.key", "product.series": "p.series", "currency": "d.currency"}
_ACCOUNT = {"account": "a.key", "account.sector": "a.sector", "account.country": "a.country"}
#: The fields of deals and of other facts that stand in columns; the others stand in `values`.
_OF_DEALS = {
    **_NAMES,
    **_ACCOUNT,
    "stage": "d.stage",
    "territory": "d.territory",
    "amount": number("d.amount_minor"),
    "close_date": day("d.close_date"),
    "engage_date": day("d.engage_date"),
}
_OF_FACTS = {**_NAMES, **_ACCOUNT, "type": "d.type", "amount": number("d.amount_minor"), "day": day("d.day")}
_DATES = {"deal": ("close_date", "engage_date"), "fact": ("day",)}


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields that conditions, amounts and credit dates name, by type; what may be the credit date of each kind of
    fact that is credited, a field or a stated day (`plans.rules.dates`); and which kinds are read beside them, as what
    happens to deals; and whether deals are handed on."""

    text: tuple[str, ...]
    money: tuple[str, ...]
    date: tuple[str, ...]
    number: tuple[str, ...]
    boolean: tuple[str, ...]
    credited: tuple[tuple[str, str], ...]
    happening: tuple[str, ...]
    transfers: bool = False

    @property
    def days(self) -> tuple[str, ...]:
        """The dates on which lines may lie: credit dates, and the day of what takes back."""
        taken = {"day"} if self.happening else set()
        return tuple(sorted(taken | {field.removeprefix("deal.") for _, field in self.credited}))

    @property
    def only_deals(self) -> bool:
        return not self.happening and all(kind == "deal" for kind, _ in self.credited)

    def named(self) -> list[tuple[str, str]]:
        """Every field, with its type."""
        return [(field, kind) for kind in KINDS for field in getattr(self, kind)]


def fields_of(plans: Iterable[CompiledPlan]) -> Fields:
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    credited: set[tuple[str, str]] = set()
    happening: set[str] = set()
    transfers = False
    for plan in plans:
        transfers |= any(rule.on_transfer is not None for rule in plan.credit_rules)
        for rule in plan.credit_rules:
            credited.update((rule.fact, field) for field in credit_dates(plan, rule.credit_date))
        for _, field, kind in named_fields(plan):
            if not field.startswith(("computed.", "person.")):
                found[kind].add(field.removeprefix("deal."))
        for component in stated(plan):
            clawback = component.clawback
            cash = [tranche.tax for tranche in component.release if tranche.on == "paid"]
            if clawback is not None:
                happening.update(clawback.on)
                cash += [clawback.tax] if clawback.formula == "uncollected" else []
            if cash:
                happening.update(CASH)
            if "with" in cash:
                found["money"].add("tax")
    if happening:
        found["money"].add("amount")
        found["date"].add("day")
    of = {kind: tuple(sorted(names)) for kind, names in found.items()}
    return Fields(**of, credited=tuple(sorted(credited)), happening=tuple(sorted(happening)), transfers=transfers)


def column(field: str, of: str, row: str = "d") -> tuple[str, bool]:
    """SQL of a field of a row, a deal or another fact (`of`); and whether it is text that `typed` reads. The row is
    `d` for a field of its source, product or account."""
    if field.startswith("custom."):
        return f"({row}.custom ->> '{safe(field[7:])}')", True
    columns = _OF_DEALS if of == "deal" else _OF_FACTS
    if field in columns:
        return columns[field], not columns[field].startswith("coalesce")
    return f"({row}.values ->> '{safe(field)}')", True


def inside(field: str, of: str, row: str = "d") -> str:
    """SQL: a date of a row lies in the span. A field that is no column is compared as text: ISO dates sort like the
    days they name, and a custom one that is no date at all is read as missing later. A stated day may be any row's."""
    if is_day(field):
        return f"('{field}'::date >= {as_date('start')} AND '{field}'::date < {as_date('end')})"
    if field in _DATES[of]:
        return f"({row}.{field} >= {as_date('start')} AND {row}.{field} < {as_date('end')})"
    value = f'{column(field, of, row)[0]} COLLATE "C"'
    return f"({value} >= {as_date('start')}::text AND {value} < {as_date('end')}::text)"


def is_day(field: str) -> bool:
    """Whether it is a stated day, not a field."""
    return field[:1].isdigit()


def ends(field: str, of: str) -> tuple[str, str]:
    """SQL: the first and last day of a date of `d`, and the condition on its rows."""
    if is_day(field):
        return f"min('{field}'::date), max('{field}'::date)", "true"
    if field in _DATES[of]:
        return f"min(d.{field})::date, max(d.{field})::date", "true"
    # Its month is enough, and reads where the day does not: 31 April is found to be none later.
    value = f"(left({column(field, of)[0]}, 7) || '-01')"
    where = f"{value} ~ '^(199[0-9]|20[0-9][0-9])-(0[1-9]|1[0-2])-01$'"
    value += ' COLLATE "C"'
    return f"min({value})::date, max({value})::date", where


def typed(words: Words, field: str, kind: str, currency: str) -> Any:
    """A column of texts in its type. What does not read as that type is missing, never something else: of a custom
    field that may be; a standard one was read by intake."""
    if kind == "text":
        return text(words)
    read = _custom(kind, currency) if field.startswith("custom.") else _standard(kind)
    empty: Any = -1 if kind == "boolean" else NONE
    dtype: Any = np.int8 if kind == "boolean" else np.int64
    values = np.array([*(read(word) if word else empty for word in words.words), empty], dtype=dtype)
    return values[words.codes]


def text(words: Words) -> Text:
    """An empty text is a missing one."""
    codes = words.codes.astype(np.int32)
    if "" in words.words:
        codes[codes == words.words.index("")] = -1
    return Text(codes, words.words)


def within_years(days: Ints) -> Ints:
    """A custom date that no calendar reaches is a missing credit date: its credit waits."""
    first, last = day_number(date(YEARS[0], 1, 1)), day_number(date(YEARS[-1], 12, 31))
    kept: Ints = np.where((days < first) | (days > last), NONE, days)
    return kept


def _custom(kind: str, currency: str) -> Callable[[str], int]:
    def value(word: str) -> int:
        try:
            match kind:
                case "money":
                    return parse_money(word, currency)
                case "date":
                    return day_number(parse_day(word))
                case "boolean":
                    return {"true": 1, "false": 0}.get(word, -1)
                case _:
                    found = millionths(word) if _NUMBER.fullmatch(word) else NONE
                    return found if abs(found) <= LARGEST else NONE  # too large to be held: missing
        except CompError:
            return NONE

    return value


def _standard(kind: str) -> Callable[[str], int]:
    """As intake keeps them: money in minor units. A number too large to be held becomes the largest there is, so that
    it is refused as an amount, and only there."""
    match kind:
        case "money":
            return int
        case "date":
            return lambda word: day_number(parse_day(word))
        case _:
            return lambda word: max(-FAR_DAY, min(FAR_DAY, millionths(word)))


def millionths(word: str) -> int:
    """A number in whole millionths."""
    return round_fraction(Fraction(word) * MILLIONTHS, "half-even")


def safe(name: str) -> str:
    """A field's name as it may stand in SQL (plan documents admit slugs only; this is the second lock)."""
    if not name.replace("_", "").replace("-", "").isalnum() or not name.isascii():
        raise ValueError(f"field {name!r}: letters, digits, - and _ are allowed")
    return name
