"""Rates of exchange as a table: one row a rate."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from comp.core.days import DayError, parse_day
from comp.core.errors import ProblemsError, refused
from comp.people.models import ExchangeRate
from comp.people.rates import Rate, rate_checked

#: `target`, `kind` and `until` may be left out: the company's currency, of the day, until the next rate.
COLUMNS = ("source", "target", "kind", "from", "until", "rate")
NEEDED = ("source", "from", "rate")
#: More is for several files.
ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a row."""

    line: int
    message: str


def columns_checked(names: Iterable[str], columns: Sequence[str] = COLUMNS, needed: Sequence[str] = NEEDED) -> None:
    """ProblemsError for a table that has others (of rates, unless said): a typing error would pass in silence."""
    given = list(names)
    allowed = f"{', '.join(columns)}; {', '.join(needed)} are needed"
    for name in [name for name in given if name not in columns]:
        raise refused("file", name, allowed, f"Unknown column {name!r}; allowed are {allowed}.")
    for name in [name for name in needed if name not in given]:
        raise refused("file", ", ".join(given), allowed, f"The column {name!r} is missing; allowed are {allowed}.")


def lines_of(
    text: str, columns: Sequence[str] = COLUMNS, needed: Sequence[str] = NEEDED
) -> list[tuple[int, dict[str, str]]]:
    """The cells of each line of a CSV by column, without empty lines. ProblemsError as `columns_checked`."""
    table = csv.reader(io.StringIO(text))
    names = next(table, [])
    columns_checked(names, columns, needed)
    return [(line, dict(zip(names, cells, strict=False))) for line, cells in enumerate(table, start=2) if any(cells)]


def rates_read(rows: Iterable[tuple[int, Mapping[str, str]]], *, own: str) -> tuple[list[Rate], list[Wrong]]:
    """The rates of lines of a file, `own` being the company's currency, and what is wrong with others."""
    rates: list[Rate] = []
    wrong: list[Wrong] = []
    seen: dict[tuple[object, ...], int] = {}
    for line, cells in rows:
        try:
            rate = _rate(cells, own)
        except (ProblemsError, DayError) as error:
            wrong.append(Wrong(line, str(error)))
            continue
        key = (rate.source, rate.target, rate.kind, rate.starts_on)
        if key in seen:
            wrong.append(Wrong(line, f"Line {seen[key]} gives a rate of this pair and kind for that day already."))
            continue
        seen[key] = line
        rates.append(rate)
    return rates, wrong


def _rate(cells: Mapping[str, str], own: str) -> Rate:
    until = cells.get("until", "")
    return rate_checked(
        source=cells["source"].upper(),
        target=(cells.get("target") or own).upper(),
        kind=cells.get("kind") or ExchangeRate.Kind.SPOT,
        starts_on=parse_day(cells["from"]),
        ends_on=parse_day(until) if until else None,
        rate=cells["rate"],
    )
