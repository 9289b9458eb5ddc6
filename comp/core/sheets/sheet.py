"""What a table of text is, and how large it may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

#: Of a file: bytes as uploaded; of a table: rows beside the header, columns, characters of a cell.
CSV_BYTES, XLSX_BYTES = 100 * 2**20, 32 * 2**20
ROWS, COLUMNS, CELL = 1_000_000, 200, 10_000


class Refused(Exception):
    """A file that is not read, with the reason as a sentence for whoever uploaded it."""


class Row(NamedTuple):
    """One row: the line of the file that it starts on, a text for each column of the header, or why it cannot be
    read."""

    line: int
    cells: tuple[str, ...]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: what was found out about its form, the names of its columns, and its rows. Reading on may raise
    Refused."""

    form: dict[str, str]
    header: tuple[str, ...]
    rows: Iterator[Row]


def header_of(cells: list[str], line: int) -> tuple[str, ...]:
    """The names of the columns: empty ones at the end are none, one in between is called by its place."""
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise Refused("The file holds no table: there is no row with the names of its columns.")
    if len(names) > COLUMNS:
        raise Refused(f"Line {line} names {len(names)} columns; allowed are {COLUMNS}.")
    names = [name or f"Column {place}" for place, name in enumerate(names, 1)]
    seen: set[str] = set()
    for name in names:
        if len(name) > 200 or not name.isprintable():
            raise Refused(f"Line {line} names a column {name[:40]!r}; allowed are 200 printable characters.")
        if name.casefold() in seen:
            raise Refused(f"Two columns are called “{name}”; each needs a name of its own.")
        seen.add(name.casefold())
    return tuple(names)


def row_of(cells: list[str], line: int, width: int) -> Row | None:
    """A row as wide as the header; None where nothing stands in it."""
    joined = "".join(cells)
    if not joined or joined.isspace():
        return None
    if len(cells) == width and len(joined) <= CELL and "\0" not in joined:
        return Row(line, tuple(cells))
    texts = [*cells, *[""] * (width - len(cells))]
    if any(texts[width:]) or len(cells) < width:
        return Row(line, tuple(texts[:width]), f"{len(cells)} cells where the header has {width}")
    for place, text in enumerate(texts):
        if len(text) > CELL:
            cut = tuple(one[:100] for one in texts[:width])
            return Row(line, cut, f"column {place + 1} has {len(text):,} characters; allowed are {CELL:,}")
        if "\0" in text:
            cut = tuple(one.replace("\0", "") for one in texts[:width])
            return Row(line, cut, f"column {place + 1} holds a NUL character")
    return Row(line, tuple(texts[:width]))


def counted(rows: Iterator[Row | None]) -> Iterator[Row]:
    """The rows that hold something, refused beyond ROWS."""
    number = 0
    for row in rows:
        if row is not None:
            number += 1
            if number > ROWS:
                raise Refused(f"The file has more than {ROWS:,} rows; upload it in parts.")
            yield row
