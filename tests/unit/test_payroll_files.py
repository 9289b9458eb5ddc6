"""Payroll files as providers' imports and spreadsheets read them, and payroll's answers as they are written."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from datetime import date
from typing import Any

import pytest
from openpyxl import load_workbook

from comp.core.errors import ProblemsError
from payouts.exports.answers import read_answer
from payouts.exports.files import ExportError, File, Head, Pay, own_file, provider_file
from payouts.exports.mapping import AnswerForm, form_of, pairs_of

HEAD = Head(
    batch="January 2026, Sales",
    batch_id="260101",
    pay_group="Sales",
    starts_on=date(2026, 1, 1),
    ends_on=date(2026, 1, 31),
    pay_on=date(2026, 2, 5),
    digest="d" * 64,
    people=3,
    lines=5,
)
EVIL = '=HYPERLINK("http://evil")'
PAYS = [
    Pay("R1", "Rita Rep", "USD", 125_50, "PAY-000001", "ae", "commission", 2),
    Pay("=X1", EVIL, "USD", 7_00, "PAY-000003"),
    Pay("R1", "Rita Rep", "USD", -5_00, "PAY-000001", "ae", "bonus", 1),
    Pay("S1", "@Sam", "USD", 40_00, "PAY-000002", "se", "commission", 1),
]
CODES = {"codes": {"ae/bonus": "BON", "ae": "COM", "*": "MISC"}}


def inside(file: File, name: str) -> str:
    with zipfile.ZipFile(io.BytesIO(file.body)) as archive:
        return archive.read(name).decode()


def rows(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text), delimiter=delimiter))


def test_adps_file_begins_with_its_three_columns_and_is_named_as_it_wants() -> None:
    file = provider_file(form_of("adp", {**CODES, "company": "AB", "grouping": "component"}), HEAD, PAYS)
    text = inside(file, "PRAB_EPI.csv")
    assert rows(text) == [
        ["Co Code", "Batch ID", "File #", "Earnings 3 Code", "Earnings 3 Amount"],
        ["AB", "260101", "'=X1", "MISC", "7.00"],
        ["AB", "260101", "R1", "BON", "-5.00"],
        ["AB", "260101", "R1", "COM", "125.50"],
        ["AB", "260101", "S1", "MISC", "40.00"],
    ]
    assert (file.rows, file.totals, file.digest) == (4, {"USD": 167_50}, hashlib.sha256(text.encode()).hexdigest())
    control = {(what, currency): value for what, _, currency, value in rows(inside(file, "control.csv"))}
    assert control["total", "USD"] == "167.50" and control["rows", ""] == "4" and control["payments", ""] == "3"
    assert control["digest of the rows", ""] == file.digest and control["digest of the batch", ""] == "d" * 64
    with pytest.raises(ExportError, match="no column for the currency, and the payments are in EUR, USD"):
        provider_file(form_of("adp", {**CODES, "company": "AB"}), HEAD, [*PAYS, Pay("E1", "Eve", "EUR", 1, "PAY-4")])
    euros = form_of("adp", {**CODES, "company": "AB", "currency": "EUR"})
    assert provider_file(euros, HEAD, [*PAYS, Pay("E1", "Eve", "EUR", 1, "PAY-4")]).totals == {"EUR": 1}


def test_workdays_and_the_banks_files() -> None:
    file = provider_file(form_of("workday", CODES), HEAD, PAYS[:1])
    assert rows(inside(file, "workday.csv"))[1] == ["R1", "COM", "125.50", "USD", "2026-01-01", "2026-01-31", "260101"]
    bank = provider_file(form_of("bank", {"grouping": "component", "dates": "DD.MM.YYYY"}), HEAD, PAYS[:1])
    assert rows(inside(bank, "bank.csv")) == [
        ["Payee reference", "Amount", "Currency", "Date", "Reference"],
        ["R1", "125.50", "USD", "05.02.2026", "PAY-000001"],
    ]
    yen = provider_file(
        form_of("bank", {}), HEAD, [Pay("J1", "Jun", "JPY", 1234, "P"), Pay("K1", "Kai", "KWD", 1, "P")]
    )
    assert [row[1] for row in rows(inside(yen, "bank.csv"))[1:]] == ["1234", "0.001"]


def test_a_workbook_holds_numbers_and_no_formula() -> None:
    file = provider_file(form_of("xlsx", CODES), HEAD, PAYS)
    book = load_workbook(io.BytesIO(file.body))
    sheet = book["Payments"]
    kinds = {cell.data_type for line in sheet.iter_rows(min_row=2) for cell in line}
    assert kinds == {"s", "n"} and "f" not in kinds
    by_title = {cell.value: cell.column for cell in sheet[1]}
    amounts = [sheet.cell(row, by_title["Amount"]).value for row in range(2, sheet.max_row + 1)]
    assert amounts == [7, -5, 125.5, 40]
    assert sheet.cell(2, by_title["Name"]).value == f"'{EVIL}"
    control = [[cell.value for cell in line] for line in book["Control"].iter_rows()]
    assert ["total", "", "USD", "167.50"] in control and ["digest of the rows", "", "", file.digest] in control


@pytest.mark.parametrize("shape", ["csv", "xlsx", "adp", "workday", "bank"])
def test_the_same_rows_are_the_same_bytes_in_whatever_order(shape: str) -> None:
    form = form_of(shape, {**CODES, "company": "ABC", "grouping": "component"})
    first, second = (provider_file(form, HEAD, pays) for pays in (PAYS, reversed(PAYS)))
    assert first.body == second.body and first.digest == second.digest


def test_columns_signs_and_days_of_ones_own() -> None:
    settings = {
        **CODES,
        "columns": [["=Nr", "employee"], ["Betrag", "amount"], ["Tag", "pay_on"]],
        "decimals": "comma",
        "delimiter": "semicolon",
        "dates": "DD/MM/YYYY",
    }
    file = provider_file(form_of("csv", settings), HEAD, PAYS[:1])
    assert rows(inside(file, "csv.csv"), ";") == [["'=Nr", "Betrag", "Tag"], ["R1", "125,50", "05/02/2026"]]


def test_comps_own_file_tells_its_totals_and_its_digest() -> None:
    file = own_file(HEAD, PAYS[:1], [Pay("N1", "Nora", "USD", -12_34, "")])
    found = rows(file.body.decode())
    assert [row[0] for row in found] == ["record", "pay", "balance", "file", "total"]
    text = file.body.decode()
    above = text[: text.index("file,,SHA-256")]
    assert found[3][8] == hashlib.sha256(above.encode()).hexdigest() == file.digest
    assert found[4][6] == "125.50" and found[2][6] == "-12.34"


@pytest.mark.parametrize(
    ("shape", "settings", "says"),
    [
        ("paper", {}, "Found paper; allowed: csv, xlsx, adp, workday, bank"),
        ("adp", CODES, "ADP's company code"),
        ("workday", {}, "a line “\\* = CODE”"),
        ("csv", {**CODES, "columns": [["Who", "employee"], ["What", "shoe size"]]}, "What = shoe size"),
        ("csv", {**CODES, "columns": [["Who", "employee"]]}, "at least employee and amount"),
        ("bank", {"dates": "tomorrow"}, "Found tomorrow"),
        ("bank", {"answer": {"paid": ["ok"], "rejected": ["OK"]}}, "“ok” means both"),
    ],
)
def test_a_mapping_that_cannot_be_used_says_why(shape: str, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ProblemsError, match=says):
        form_of(shape, settings)


def test_pairs_of_lines() -> None:
    assert pairs_of("a/b = C = D\n\n * = X", "codes") == [("a/b", "C = D"), ("*", "X")]
    with pytest.raises(ProblemsError, match="line 2: nonsense"):
        pairs_of("a = b\nnonsense", "codes")


def test_an_answer_is_read_whole_or_not_at_all() -> None:
    form = form_of(
        "bank", {"answer": {"columns": {"employee": "Pers.-Nr.", "amount": "Betrag"}, "paid": ["Ja"]}}
    ).answer
    header = ["PERS.-NR.", "Betrag", "Status", "Reason", "Paid on", "Currency"]
    good = [(2, ["'=X1", "7,00", "ja", "", "2026-02-05", ""]), (4, ["S1", "", "Rejected", "closed account", "", "eur"])]
    said = read_answer(form, "DD.MM.YYYY", "comma", header, good, lambda _: "USD")
    assert [(s.line, s.employee, s.currency, s.minor, s.paid, s.paid_on) for s in said] == [
        (2, "=X1", "USD", 700, True, date(2026, 2, 5)),
        (4, "S1", "EUR", 0, False, None),
    ]
    bad = [
        (2, ["R1", "1.2.3", "paid", "", "", ""]),
        (3, ["", "1", "ja", "", "", ""]),
        (4, ["R1", "1,00", "perhaps", "", "", ""]),
        (5, ["R1", "", "ja", "", "", ""]),
        (6, ["R1", "1,00", "rejected", "", "", ""]),
        (7, ["R1", "1,00", "ja", "", "5th", ""]),
        (8, ["R1", "1,00", "ja", "", "", "XYZ"]),
    ]
    with pytest.raises(ProblemsError) as refused:
        read_answer(form, "DD.MM.YYYY", "comma", header, bad, lambda _: "USD")
    assert [problem.path for problem in refused.value.problems] == [f"line {line}" for line in range(2, 9)]
    with pytest.raises(ProblemsError, match="No column “amount”"):
        read_answer(AnswerForm(), "YYYY-MM-DD", "point", ["employee"], [], lambda _: "USD")
