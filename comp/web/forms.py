"""What forms of all rooms have in common."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from comp.core.errors import ProblemsError
from comp.core.sheets import Refused, open_sheet


class DateInput(forms.DateInput):
    """The browser's own date field; ISO text whatever the language."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class Suggest(forms.TextInput):
    """Text, with what `offer` gives it offered while one types: values, and words for each. Other text stays
    possible."""

    offered: Sequence[tuple[str, str]] = ()

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        of = f"{(attrs or {}).get('id', name)}-offered"
        field = super().render(name, value, {**(attrs or {}), "list": of, "autocomplete": "off"}, renderer)
        options = format_html_join("", '<option value="{}">{}</option>', self.offered)
        return format_html('{}<datalist id="{}">{}</datalist>', field, of, options)


def offer(form: forms.Form, **offered: Sequence[tuple[str, str]]) -> None:
    """What the fields of these names offer while one types."""
    for name, rows in offered.items():
        widget = form.fields[name].widget
        assert isinstance(widget, Suggest), name
        widget.offered = rows


def add_problems(form: forms.Form, error: ProblemsError) -> None:
    """Puts each problem at the field that it names, else at the top of the form."""
    for problem in error.problems:
        form.add_error(problem.path if problem.path in form.fields else None, str(problem.message))


def table_as_csv(file: Any, *, rows: int | None = None) -> str:
    """An uploaded table, CSV or XLSX, as plain CSV of at most so many `rows`: each row on the line that it has in the
    file, so that errors name the file's own lines. ValidationError where it cannot be read."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    try:
        with tempfile.TemporaryFile() as kept:
            for chunk in file.chunks():
                kept.write(chunk)
            kept.flush()
            sheet = open_sheet(kept)
            writer.writerow(sheet.header)
            line = 1
            for count, row in enumerate(sheet.rows, start=1):
                if rows is not None and count > rows:
                    raise Refused(f"The file has more than {rows:,} rows; upload it in several files.")
                if row.error:
                    raise Refused(f"Line {row.line}: {row.error}.")
                for _ in range(row.line - line - 1):
                    writer.writerow([""] * len(sheet.header))
                # A cell of several lines is one here.
                writer.writerow([" ".join(cell.split()) for cell in row.cells])
                line = row.line
    except Refused as error:
        raise forms.ValidationError(str(error)) from None
    return out.getvalue()
