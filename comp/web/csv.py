"""CSV for people's spreadsheets: numbers stay numbers, and no cell can become a formula."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.http import HttpResponse
from django.utils import timezone
from django.utils.text import get_valid_filename

from comp.core.cells import harmless

Cell = str | int | Decimal | dt.date | dt.datetime | bool | None


def safe_cell(value: Cell) -> str:
    """The cell's text. Text that could start a formula gets an apostrophe before it; numbers and dates stay."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case Decimal():
            if not value.is_finite():
                raise ValueError(f"CSV cell: found {value}, allowed are finite numbers")
            return format(value, "f")
        case dt.datetime():
            return timezone.localtime(value).isoformat(sep=" ", timespec="seconds")
        case dt.date():
            return value.isoformat()
        case str():
            return harmless(value)
        case _:
            kind = type(value).__name__
            raise TypeError(f"CSV cell: found {kind}, allowed are text, int, Decimal, date, datetime, bool and None")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """The whole table as text, lines ended by CR LF as RFC 4180 has it."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([safe_cell(name) for name in header])
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"CSV row: found {len(row)} cells, the header has {len(header)}")
        writer.writerow([safe_cell(value) for value in row])
    return out.getvalue()


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> HttpResponse:
    """The table as a download called `name`.csv.

    Written out here and now, not streamed: a stream would read its rows after the request's transaction is over, and
    the tenant's wall with it.
    """
    answer = HttpResponse(csv_text(header, rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{get_valid_filename(name)}.csv"'
    answer["Cache-Control"] = "no-store"
    return answer
