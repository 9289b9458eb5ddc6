"""Tables as workbooks: numbers stay numbers, and text is written as text, which no spreadsheet takes for a formula."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal

import xlsxwriter
from django.http import HttpResponse
from django.utils.text import get_valid_filename

from comp.web.csv import Cell, safe_cell

#: A workbook states when it was made: always then, so that the same rows are the same bytes.
MADE = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def workbook(sheets: Iterable[tuple[str, Sequence[str], Iterable[Sequence[Cell]]]]) -> bytes:
    """Sheets of a name, a header and rows."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    book.set_properties({"created": MADE.replace(tzinfo=None)})
    bold = book.add_format({"bold": True})
    for name, header, rows in sheets:
        sheet = book.add_worksheet(name)
        for column, title in enumerate(header):
            sheet.write_string(0, column, title, bold)
        for line, row in enumerate(rows, start=1):
            for column, value in enumerate(row):
                if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
                    sheet.write_number(line, column, value)
                elif isinstance(value, str):
                    sheet.write_string(line, column, value)
                else:
                    sheet.write_string(line, column, safe_cell(value))
    book.close()
    return out.getvalue()


def xlsx_response(name: str, content: bytes) -> HttpResponse:
    """A workbook as a download called `name`.xlsx."""
    media = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    answer = HttpResponse(content, content_type=media)
    answer["Content-Disposition"] = f'attachment; filename="{get_valid_filename(name)}.xlsx"'
    answer["Cache-Control"] = "no-store"
    return answer
