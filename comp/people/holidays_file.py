"""A calendar's holidays as a table: one row a day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from comp.core.days import DayError, parse_day
from comp.core.errors import ProblemsError, refused
from comp.people.models import Holiday
from comp.people.rates_file import Wrong
from comp.people.timeline import check_dates

COLUMNS = ("day", "name")
MOST = Holiday._meta.get_field("name").max_length


def holidays_read(rows: Iterable[tuple[int, Mapping[str, str]]]) -> tuple[dict[date, str], list[Wrong]]:
    """The holidays of lines of a file, and what is wrong with others."""
    found: dict[date, str] = {}
    wrong: list[Wrong] = []
    lines: dict[date, int] = {}
    for line, cells in rows:
        try:
            day, name = _holiday(cells)
        except ProblemsError as error:  # without the fields' own names: a file has columns
            wrong.append(Wrong(line, " ".join(str(problem.message) for problem in error.problems)))
            continue
        except DayError as error:
            wrong.append(Wrong(line, str(error)))
            continue
        if day in found:
            wrong.append(Wrong(line, f"Line {lines[day]} names {day:%-d %B %Y} already."))
            continue
        found[day], lines[day] = name, line
    return found, wrong


def _holiday(cells: Mapping[str, str]) -> tuple[date, str]:
    day, name = parse_day(cells.get("day", "")), cells.get("name", "")
    check_dates(day, None)
    if not name or len(name) > (MOST or 0):
        allowed = f"1 to {MOST} characters"
        message = f"The name of {day:%-d %B %Y} has {len(name)} characters; allowed are {allowed}."
        raise refused("name", name, allowed, message)
    return day, name
