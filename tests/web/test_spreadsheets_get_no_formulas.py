"""CSV: text that could start a formula is made harmless, numbers stay numbers."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from comp.web.csv import csv_response, csv_text, safe_cell


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("＝1", "'＝1"),
        ("Acme = best", "Acme = best"),
        ("", ""),
        (None, ""),
        (-412, "-412"),
        (Decimal("-412.30"), "-412.30"),
        (Decimal("1E+3"), "1000"),
        (True, "yes"),
        (dt.date(2026, 11, 30), "2026-11-30"),
    ],
)
def test_a_cell(value: object, text: str) -> None:
    assert safe_cell(value) == text  # type: ignore[arg-type]


def test_floats_and_endless_numbers_are_refused() -> None:
    with pytest.raises(TypeError, match="found float"):
        safe_cell(1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="found NaN"):
        safe_cell(Decimal("NaN"))


def test_the_whole_table_is_written_before_the_answer_leaves() -> None:
    asked = []

    def rows():  # type: ignore[no-untyped-def]
        asked.append(True)
        yield ["Acme, Inc.", Decimal("-328.00")]

    answer = csv_response("statement 2026-11", ["Customer", "Earned"], rows())
    assert asked and not answer.streaming
    assert answer.content.decode() == 'Customer,Earned\r\n"Acme, Inc.",-328.00\r\n'
    assert answer["Content-Disposition"] == 'attachment; filename="statement_2026-11.csv"'
    assert answer["Cache-Control"] == "no-store"


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="found 1 cells, the header has 2"):
        csv_text(["a", "b"], [["x"]])
