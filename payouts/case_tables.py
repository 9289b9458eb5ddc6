"""The tables of a case file that stand beside its deals: people's dates, transfers, rates of exchange, balances."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from comp.core.money import CURRENCIES
from payouts.kernel.batch import (
    FAR_DAY,
    MISSING_DAY,
    Adjustments,
    Attributes,
    Balances,
    Employment,
    Exchange,
    Ints,
    Relief,
    Text,
    Transfers,
)
from plans.rules.look import join
from plans.rules.values import Document, read_number, read_percent

if TYPE_CHECKING:
    from payouts.case import Reader

#: Sections that convert money.
CONVERTING = ("exchange", "pay_currency")
#: What a participant may be, by dates.
ATTRIBUTES = ("title", "region", "position", "team", "pool")
KEYS = (
    "transfers",
    "attributes",
    "employment",
    "leave",
    "holidays",
    "exchange",
    "pay_currency",
    "adjustments",
    "balances",
    "relief",
)


def transfers(reader: Reader) -> Transfers | None:
    """`{deal, role, from, to, day}`."""
    found, roles = [], []
    for path, row in reader.rows("transfers", reader.document):
        table = reader.look.table(row, path, ("deal", "role", "from", "to", "day"))
        deal, role = reader.fact(table, path, "deal"), reader.look.slug(table, path, "role")
        giver, receiver = reader.person(table, path, "from"), reader.person(table, path, "to")
        day = reader.day(table, path, "day")
        if None not in (deal, role, giver, receiver, day):
            found.append((deal, giver, receiver, day))
            roles.append(role)
    if not found:
        return None
    deals, givers, receivers, days = columns(found, 4)
    return Transfers(deals, text(roles), givers, receivers, days)


def attributes(reader: Reader) -> Attributes:
    """`{person, title, from, to}`: one row may name several attributes. Everybody's own name is the attribute
    `person`."""
    rows: list[tuple[int, int, int]] = []
    names: list[str] = []
    values: list[str] = []
    for path, row in reader.rows("attributes", reader.document):
        table = reader.look.table(row, path, ("person",), ("from", "to", *ATTRIBUTES))
        person = reader.person(table, path)
        start, end = reader.span(table, path) if "from" in table else (-FAR_DAY, reader.until(table, path))
        for name in ATTRIBUTES:
            value = reader.look.text(table, path, name, 120)
            if person is not None and start is not None and value is not None:
                rows.append((person, start, end))
                names.append(name)
                values.append(value)
    for place, name in enumerate(reader.people):
        rows.append((place, -FAR_DAY, FAR_DAY))
        names.append("person")
        values.append(name)
    people, starts, ends = columns(rows, 3)
    return Attributes(people, text(names), text(values), starts, ends)


def employment(reader: Reader) -> Employment | None:
    """`employment` and `leave`: `{person, from, to}`."""
    rows = []
    for leave, key in enumerate(("employment", "leave")):
        for path, row in reader.rows(key, reader.document):
            table = reader.look.table(row, path, ("person", "from"), ("to",))
            person, (start, end) = reader.person(table, path), reader.span(table, path)
            if person is not None and start is not None:
                rows.append((person, leave, start, end))
    if not rows:
        return None
    people, leaves, starts, ends = columns(rows, 4)
    return Employment(people, leaves.astype(np.int8), starts, ends)


def holidays(reader: Reader) -> Ints | None:
    found = [reader.day({"day": value}, path, "day", path) for path, value in reader.rows("holidays", reader.document)]
    return ints(sorted({day for day in found if day is not None})) if found else None


def exchange(reader: Reader) -> Exchange | None:
    """`{from: GBP, to: EUR, kind: spot, rate: 1.20, start: DATE, end: DATE}`."""
    rows = []
    sources, targets, kinds = [], [], []
    for path, row in reader.rows("exchange", reader.document):
        table = reader.look.table(row, path, ("from", "to", "kind", "rate"), ("start", "end"))
        source, target = (currency(reader, table, path, key) for key in ("from", "to"))
        kind = reader.look.word(table, path, "kind", ("spot", "average"))
        rate = read_number(table.get("rate"))
        if rate is None or rate <= 0:
            reader.look.wrong(join(path, "rate"), table.get("rate"), "a rate above 0 with at most 6 decimals, like 1.2")
        start = reader.day(table, path, "start") if "start" in table else -FAR_DAY
        end = reader.day(table, path, "end") if "end" in table else FAR_DAY
        if source and target and kind and rate and start is not None and end is not None:
            rows.append((start, end, rate.numerator, rate.denominator))
            sources.append(source)
            targets.append(target)
            kinds.append(kind)
    if not rows:
        return None
    starts, ends, tops, bottoms = columns(rows, 4)
    return Exchange(text(sources), text(targets), text(kinds), starts, ends, tops, bottoms)


def pay_currency(reader: Reader) -> dict[int, str] | None:
    """`{Ana: USD}`: who is paid in another currency than the plan's."""
    if "pay_currency" not in reader.document:
        return None
    table = reader.look.table(reader.document["pay_currency"], "pay_currency", (), reader.people)
    found = {name: currency(reader, table, "pay_currency", name) for name in table if name in reader.people}
    return {reader.people.index(name): code for name, code in found.items() if code}


def adjustments(reader: Reader) -> Adjustments | None:
    """`{person, day, amount, origin}`."""
    rows = []
    for path, row in reader.rows("adjustments", reader.document):
        table = reader.look.table(row, path, ("person", "day", "amount"), ("origin",))
        person, day = reader.person(table, path), reader.day(table, path, "day")
        with reader.money_in(reader.settled_in(table), path):
            stated = table.get("amount")
            amount = reader.look.money_value(stated, join(path, "amount"), "any") if "amount" in table else None
        origin = reader.day(table, path, "origin") if "origin" in table else MISSING_DAY
        if person is not None and day is not None and amount is not None and origin is not None:
            rows.append((person, day, amount, origin))
    return Adjustments(*columns(rows, 4)) if rows else None


def balances(reader: Reader, draws: Sequence[str]) -> Balances | None:
    """`{person, draw: 3000.00}` (with `of: KEY` where there are several), `{person, carried: -200.00}` or `{person,
    clawback: 100.00}`."""
    rows: list[tuple[int, int]] = []
    kinds = []
    for path, row in reader.rows("balances", reader.document):
        table = reader.look.table(row, path, ("person",), ("draw", "of", "carried", "clawback"))
        person = reader.person(table, path)
        of = reader.one_of(table, path, "of", draws)
        if "of" in table and "draw" not in table:
            reader.look.report(join(path, "of"), table["of"], "beside draw", "`of` says whose balance `draw` is.")
        for kind, sign in (("draw", "zero"), ("carried", "any"), ("clawback", "zero")):
            if kind in table:
                with reader.money_in(reader.settled_in(table), path):
                    amount = reader.look.money_value(table[kind], join(path, kind), sign)
                if person is not None and amount is not None:
                    rows.append((person, amount))
                    kinds.append(f"{kind}:{of}" if of is not None and kind == "draw" else kind)
    if not rows:
        return None
    people, amounts = columns(rows, 2)
    return Balances(people, text(kinds), amounts)


def relief(reader: Reader) -> Relief | None:
    """`{person, key, from, to, share: 50%}`: so much of a quota is taken off on these days."""
    rows, keys = [], []
    for path, row in reader.rows("relief", reader.document):
        table = reader.look.table(row, path, ("person", "key", "from", "to", "share"))
        person, (start, end) = reader.person(table, path), reader.span(table, path)
        key, share = reader.look.slug(table, path, "key"), read_percent(table.get("share"))
        if share is None or not 0 < share <= 1:
            reader.look.wrong(join(path, "share"), table.get("share"), "above 0% to 100%")
        elif person is not None and start is not None and key is not None:
            rows.append((person, start, end, share.numerator, share.denominator))
            keys.append(key)
    if not rows:
        return None
    people, starts, ends, tops, bottoms = columns(rows, 5)
    return Relief(people, text(keys), starts, ends, tops, bottoms)


# ------------------------------------------------------------------ small columns


def currency(reader: Reader, table: Document, path: str, key: str) -> str | None:
    value = table.get(key)
    if isinstance(value, str) and value in CURRENCIES:
        return value
    reader.look.wrong(join(path, key), value, "a currency's code, like EUR")
    return None


def ints(values: Sequence[int | None], missing: int = 0) -> Ints:
    return np.array([missing if value is None else value for value in values], dtype=np.int64)


def columns(rows: Sequence[Any], count: int) -> list[Ints]:
    return [ints([row[place] for row in rows]) for place in range(count)]


def objects(values: Sequence[Fraction | None]) -> Any:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def text(values: Sequence[str | None]) -> Text:
    words = tuple(sorted({value for value in values if value is not None}))
    places = {word: place for place, word in enumerate(words)}
    return Text(np.array([-1 if value is None else places[value] for value in values], dtype=np.int32), words)
