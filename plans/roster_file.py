"""A roster as a table: one row says what somebody is as of a day. Read here into rows; what they change is worked out
in plans.roster.

Columns: `employee` (the number, needed) and any of `as_of`, `name`, `email`, `hired`, `left` (the first day no longer
employed; empty: none known), `title`, `role`, `team`, `territory`, `manager` (an employee number), `region`,
`position`, `pool`, `pay_group`, `currency` (what somebody new is paid in, else the company's), `leave_from`, `leave_to`
(the first day back) and `target:KEY:FROM:UNTIL` (an amount of money for a measure period). A column that is not there
says nothing. Days are YYYY-MM-DD.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from comp.core.days import DayError, parse_day
from comp.core.errors import CompError, Problem, ProblemsError, refused

COLUMNS = (
    *("employee", "as_of", "name", "email", "hired", "left", "title", "role", "team", "territory", "manager"),
    *("region", "position", "pool", "cost_centre", "entity", "pay_group", "currency", "leave_from", "leave_to"),
)
DAYS = ("as_of", "hired", "left", "leave_from", "leave_to")
#: More is for several files.
ROWS, CHARACTERS = 20_000, 5_000_000
LENGTHS = {
    **{"name": 150, "email": 254, "title": 120, "region": 120, "position": 120, "pool": 120},
    **{"cost_centre": 120, "entity": 120, "currency": 3},
}


@dataclass(frozen=True, slots=True)
class Target:
    """A column `target:KEY:FROM:UNTIL`."""

    column: str
    key: str
    starts_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class RosterRow:
    """`texts` and `days` hold the columns that the file has; an empty day is None."""

    line: int
    employee: str
    texts: dict[str, str]
    days: dict[str, date | None]
    targets: dict[Target, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with a row: where, what stood there, what may stand there."""

    line: int
    column: str
    found: str
    allowed: str
    message: str


def roster_read(text: str) -> tuple[list[RosterRow], list[RowError]]:
    """The rows of a file, and what is wrong with others. ProblemsError where it is no such table at all."""
    if len(text) > CHARACTERS:
        allowed = f"{CHARACTERS:,} characters"
        raise refused("file", f"{len(text):,} characters", allowed, f"The file is too long; allowed are {allowed}.")
    text = text.removeprefix("\ufeff")
    head = text.partition("\n")[0]
    try:
        table = list(csv.reader(io.StringIO(text), delimiter=";" if head.count(";") > head.count(",") else ","))
    except csv.Error as error:
        raise refused("file", "a table that cannot be read", "CSV", f"This is no CSV: {error}.") from None
    if not table or len(table) > ROWS + 1:
        found, allowed = f"{max(len(table) - 1, 0):,} rows", f"a line of column names and up to {ROWS:,} rows"
        raise refused("file", found, allowed, f"The file has {found}; allowed are {allowed}.")
    names = [name.strip() for name in table[0]]
    targets = _columns(names)
    rows: list[RosterRow] = []
    errors: list[RowError] = []
    seen: dict[tuple[str, str], int] = {}
    for line, cells in enumerate(table[1:], start=2):
        cells = [_plain(cell) for cell in cells]
        if not any(cells):
            continue
        if len(cells) != len(names):
            found, allowed = f"{len(cells)} cells", f"{len(names)} cells"
            errors.append(RowError(line, "", found, allowed, f"The row has {found}; the first line names {allowed}."))
            continue
        given = dict(zip(names, cells, strict=True))
        key = (given["employee"], given.get("as_of", ""))
        if key in seen:
            message = f"Line {seen[key]} speaks of {key[0]} as of that day already."
            errors.append(RowError(line, "employee", key[0], "one row a person and day", message))
            continue
        seen[key] = line
        row = _row(line, given, targets, errors)
        if row is not None:
            rows.append(row)
    return rows, errors


def _columns(names: list[str]) -> dict[str, Target]:
    """The columns of targets, by name. Refuses columns that mean nothing here: a typing error would pass in silence."""
    problems: list[Problem] = []
    targets: dict[str, Target] = {}
    for place, name in enumerate(names):
        if name in names[:place]:
            problems.append(Problem(name, name, "each column once", f"The column {name} is there twice."))
        if name in COLUMNS:
            continue
        parts = name.split(":")
        try:
            if parts[0] != "target" or len(parts) != 4:
                raise DayError(name)
            targets[name] = Target(name, parts[1], parse_day(parts[2]), parse_day(parts[3]))
        except DayError:
            allowed = f"{', '.join(COLUMNS)}, target:KEY:FROM:UNTIL"
            problems.append(Problem(name, name, allowed, f"Unknown column {name!r}; allowed are {allowed}."))
    if "employee" not in names:
        message = "The first line has to name the column employee."
        problems.append(Problem("employee", ", ".join(names)[:200], "employee", message))
    if problems:
        raise ProblemsError(problems)
    return targets


def _row(line: int, given: dict[str, str], targets: dict[str, Target], errors: list[RowError]) -> RosterRow | None:
    found: list[RowError] = []
    days: dict[str, date | None] = {}
    for name in DAYS:
        if name in given:
            try:
                days[name] = parse_day(given[name]) if given[name] else None
            except CompError as error:
                found.append(RowError(line, name, given[name], "a day, YYYY-MM-DD", str(error)))
    if not given["employee"] or len(given["employee"]) > 60:
        message = "A row needs the employee number of at most 60 characters."
        found.append(RowError(line, "employee", given["employee"][:80], "an employee number", message))
    for name, most in LENGTHS.items():
        if len(given.get(name, "")) > most:
            allowed = f"at most {most} characters"
            found.append(RowError(line, name, given[name][:80], allowed, f"The {name} is too long: {allowed}."))
    if found:
        errors.extend(found)
        return None
    texts = {name: value for name, value in given.items() if name in COLUMNS and name not in DAYS}
    amounts = {targets[name]: value for name, value in given.items() if name in targets and value}
    return RosterRow(line, given["employee"], texts, days, amounts)


def _plain(cell: str) -> str:
    """Without blanks about it, and without the apostrophe that spreadsheets keep a text from being a formula with."""
    text: str = cell.strip()
    return text[1:] if text[:2] in ("'=", "'+", "'-", "'@") else text


def told(line: int, error: ProblemsError) -> list[RowError]:
    """The problems of a service as those of a row."""
    columns: dict[str, Any] = {"starts_on": "as_of", "ends_on": "left", "amount": "target"}
    return [
        RowError(line, columns.get(p.path, p.path), str(p.found), str(p.allowed), str(p.message))
        for p in error.problems
    ]
