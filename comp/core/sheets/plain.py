"""Plain CSV with the columns of one kind of table, as pages keep it between a file's check and its taking. It comes
back from a browser, so nothing is believed of it that was seen at the upload."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from comp.core.errors import refused


def table_read(
    text: str, columns: Sequence[str], needed: Sequence[str], *, most: int
) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of plain CSV with these columns, of which some are `needed`; empty rows hold the place of
    empty lines. ProblemsError for another table, and for one of more than `most` rows that say something."""
    table = csv.reader(io.StringIO(text))
    try:
        names = next(table, [])
        lines = list(table)
    except csv.Error as error:
        raise refused("file", str(error), "a table", f"The file cannot be read as a table: {error}.") from None
    allowed = f"{', '.join(columns)}; {', '.join(needed)} are needed"
    for name in [name for name in names if name not in columns]:
        raise refused("file", name, allowed, f"Unknown column {name!r}; allowed are {allowed}.")
    for name in [name for name in needed if name not in names]:
        raise refused("file", ", ".join(names), allowed, f"The column {name!r} is missing; allowed are {allowed}.")
    if twice := [name for name in columns if names.count(name) > 1]:
        raise refused("file", twice[0], "each column once", f"The column {twice[0]!r} stands there twice.")
    rows = sum(any(cells) for cells in lines)
    if rows > most:
        many, said = f"{rows:,} rows", f"{most:,} rows"
        raise refused("file", many, said, f"The file has {many}; allowed are {said}. Upload it in several files.")
    for line, cells in enumerate(lines, start=2):
        if len(cells) > len(names):
            has, named = f"{len(cells)} cells", f"{len(names)} columns"
            raise refused("file", has, named, f"Line {line} has {has}; the first line names {named}.")
    return names, lines
