"""CSV and XLSX become the same rows of text, whatever program wrote them."""

from __future__ import annotations

import io
import tempfile
from datetime import date, datetime

import openpyxl
import pytest
import xlsxwriter

from comp.core.sheets import Refused, Row, Sheet, open_sheet
from tests.unit.core.workbooks import STYLES, WORKBOOK, packed, parts, text


def opened(content: bytes) -> Sheet:
    file = tempfile.TemporaryFile()  # noqa: SIM115  (the child reads on)
    file.write(content)
    file.seek(0)
    return open_sheet(file)


def rows(content: bytes) -> list[Row]:
    return list(opened(content).rows)


def cells(content: bytes) -> list[tuple[str, ...]]:
    return [row.cells for row in rows(content)]


TEXT = "Deal;Amount;Note\r\nD1;1.054,10;“Grüße”\r\n"


@pytest.mark.parametrize(
    ("codec", "told"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("cp1252", "Latin-1 (Windows-1252)"),
    ],
)
def test_the_encoding_is_found_out_and_told(codec: str, told: str) -> None:
    found = opened(TEXT.encode(codec))
    assert found.form == {"kind": "CSV", "encoding": told, "delimiter": "semicolon"}
    assert found.header == ("Deal", "Amount", "Note")
    assert list(found.rows) == [Row(2, ("D1", "1.054,10", "“Grüße”"))]


@pytest.mark.parametrize(("sign", "told"), [(",", "comma"), (";", "semicolon"), ("\t", "tab")])
def test_the_delimiter_is_found_out_and_told(sign: str, told: str) -> None:
    found = opened(f'a{sign}"b,;,;"{sign}c\n1{sign}2{sign}3\n'.encode())
    assert found.form["delimiter"] == told and [row.cells for row in found.rows] == [("1", "2", "3")]


def test_quotes_newlines_and_empty_lines() -> None:
    found = rows(b'\nid,note\n1,"two\nlines, and ""quotes"""\n\n , \n2,x\n')
    assert found == [Row(3, ("1", 'two\nlines, and "quotes"')), Row(7, ("2", "x"))]


def test_a_ragged_row_is_an_error_of_its_own_line() -> None:
    found = rows(b"id,amount\n1,2\n3\n4,5,6\n7,8,\n")
    assert [(row.line, row.error) for row in found] == [
        (2, ""), (3, "1 cells where the header has 2"), (4, "3 cells where the header has 2"), (5, ""),
    ]  # fmt: skip


def test_a_cell_too_long_is_an_error_of_its_own_line() -> None:
    found = rows(b"id,amount\n1," + b"x" * 10_001 + b"\n2,3\n")
    assert [row.error for row in found] == ["column 2 has 10,001 characters; allowed are 10,000", ""]


@pytest.mark.parametrize("by", ["xlsxwriter", "openpyxl"])
def test_a_workbook_of_either_library(by: str) -> None:
    out = io.BytesIO()
    at = datetime.fromisoformat("2026-11-30 14:05:06")
    values = ["D1", 1054.1, 0.1 + 0.2, date(2026, 11, 30), at, True, "two\nlines & <signs>", 12]
    header = ["Id", "Amount", "Sum", "Day", "At", "Truth", "Text", "Count"]
    if by == "openpyxl":
        book = openpyxl.Workbook()
        book.active.append(header)
        book.active.append(values)
        book.save(out)
    else:
        with xlsxwriter.Workbook(out, {"strings_to_formulas": False}) as made:
            page = made.add_worksheet("Deals")
            page.write_row(0, 0, header)
            day = made.add_format({"num_format": "dd.mm.yyyy"})
            moment = made.add_format({"num_format": 'yyyy"-"mm"-"dd hh:mm'})
            for place, value in enumerate(values):
                page.write(1, place, value, {3: day, 4: moment}.get(place))
    expected = ("D1", "1054.1", "0.3", "2026-11-30", "2026-11-30T14:05:06", "true", "two\nlines & <signs>", "12")
    assert cells(out.getvalue()) == [expected]


def number(value: str, style: int = 0) -> str:
    return f'<c s="{style}"><v>{value}</v></c>'


@pytest.mark.parametrize(
    ("stored", "style", "said"),
    [
        ("1054.0999999999999", 0, "1054.1"),
        ("9007199254740993", 0, "9007199254740990"),  # fifteen digits, as spreadsheets show it
        ("1.5E-3", 0, "0.0015"),
        ("-0", 0, "0"),
        ("1", 1, "1900-01-01"),
        ("59", 2, "1900-02-28"),
        ("61", 2, "1900-03-01"),
        ("46356", 1, "2026-11-30"),
        ("46356.999999", 1, "2026-12-01"),
    ],
)
def test_numbers_and_days_are_exact(stored: str, style: int, said: str) -> None:
    assert cells(packed(parts(text("a") + number(stored, style)))) == [("a", said)]


def test_days_since_1904() -> None:
    book = WORKBOOK.replace("<workbookPr/>", '<workbookPr date1904="1"/>')
    found = opened(packed(parts(text("a") + number("44894", 1), workbook=book)))
    assert [row.cells for row in found.rows] == [("a", "2026-11-30")] and found.form["dates"] == "since 1904"


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("<c><f>1+1</f></c>", "a formula without a stored value"),
        ('<c t="e"><v>#REF!</v></c>', "the error #REF!"),
        ('<c t="s"><v>7</v></c>', "a text that the workbook does not hold"),
        ("<c><v>1e999</v></c>", "where a number should stand"),
        ("<c><v>NaN</v></c>", "where a number should stand"),
        (number("60", 1), "where a day should stand"),
        (number("-1", 1), "where a day should stand"),
        (number("99999999", 1), "where a day should stand"),
        ('<c r="ZZ2"><v>1</v></c>', "a value to the right of column 200"),
    ],
)
def test_a_cell_that_cannot_be_read_is_an_error_of_its_row(cell: str, reason: str) -> None:
    [bad, good] = rows(packed(parts(text("a") + cell, text("b") + number("1"))))
    assert reason in bad.error and good == Row(3, ("b", "1"))


def test_a_formula_counts_by_its_stored_value_and_is_not_evaluated() -> None:
    assert cells(packed(parts(text("a") + "<c><f>1+1</f><v>3</v></c>"))) == [("a", "3")]


def test_shared_texts_without_their_readings() -> None:
    shared = (
        '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        "<si><r><t>To</t></r><r><t>kyo</t></r><rPh><t>no</t></rPh></si><si><t>a_x000D_b</t></si></sst>"
    )
    row = '<c t="s"><v>0</v></c><c t="s"><v>1</v></c>'
    assert cells(packed(parts(row, shared=shared, styles=STYLES))) == [("Tokyo", "a\rb")]


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(Refused, match="Two columns are called “amount”"):
        opened(b"Amount,amount\n1,2\n")


def test_merged_cells_stand_in_their_first_and_the_others_are_empty() -> None:
    out = io.BytesIO()
    book = openpyxl.Workbook()
    for row in (["Id", "Amount", "Note"], ["D1", 5, "x"], ["D2", 6, "y"]):
        book.active.append(row)
    book.active.merge_cells("A2:A3")
    book.active.merge_cells("B3:C3")
    book.save(out)
    assert cells(out.getvalue()) == [("D1", "5", "x"), ("", "6", "")]
