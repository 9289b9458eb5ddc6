"""Rates of exchange as a table: one row a rate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from comp.core.days import DayError, parse_day
from comp.core.errors import ProblemsError
from comp.core.sheets.plain import table_read
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


def lines_of(
    text: str, columns: Sequence[str] = COLUMNS, needed: Sequence[str] = NEEDED
) -> list[tuple[int, dict[str, str]]]:
    """The cells of each line of plain CSV by column, without empty lines. ProblemsError as `table_read`."""
    names, lines = table_read(text, columns, needed, most=ROWS)
    return [(line, dict(zip(names, cells, strict=False))) for line, cells in enumerate(lines, start=2) if any(cells)]


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
