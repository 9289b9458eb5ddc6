"""Payroll files: from rows to bytes. The same rows, head and form give the same bytes, whenever and wherever.

A file that a provider's import reads holds its rows and nothing else; what it adds up to stands beside it, in
`control.csv` of the same archive (on a sheet of its own in a workbook): count, total per currency, digest, and what is
not paid. The digest is the SHA-256 of the rows as CSV, as `sha256sum` gives it of the file in the archive.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import xlsxwriter

from comp.core.cells import harmless
from comp.core.errors import CompError
from comp.core.money import minor_digits, plain_money
from payouts.exports.mapping import DATES, DECIMALS, DELIMITERS, Form

CSV, XLSX, ZIP = (
    "text/csv; charset=utf-8",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/zip",
)
#: Archives and workbooks state a time of their own making: always this one, so that the same rows are the same bytes.
_MADE = (2000, 1, 1, 0, 0, 0)
_OWN = ("record", "employee", "name", "period", "pay_on", "currency", "amount", "lines", "digest", "reference")


class ExportError(CompError):
    """A file cannot be made of these rows in this form; the message says why."""


@dataclass(frozen=True, slots=True)
class Pay:
    """A payment, or a component's part of one. `lines` and `digest`: of the person's lines behind it."""

    employee: str
    name: str
    currency: str
    minor: int
    reference: str
    plan: str = ""
    component: str = ""
    lines: int = 0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """What all rows share. `digest` is the batch's, that its approval bound; `ends_on` the period's last day."""

    batch: str
    batch_id: str
    pay_group: str
    starts_on: date
    ends_on: date
    pay_on: date
    digest: str
    people: int
    lines: int


@dataclass(frozen=True, slots=True)
class File:
    """A file for payroll, with what it adds up to. `digest` is that of its rows."""

    name: str
    content_type: str
    body: bytes
    rows: int
    totals: dict[str, int]
    digest: str
    table: tuple[tuple[str, ...], ...] = ()  # its cells, with their titles


def own_file(head: Head, pays: Iterable[Pay], unpaid: Iterable[Pay] = ()) -> File:
    """Comp's own form: a `pay` row a payment, a `balance` row for whoever owes money back, then what it adds up to."""
    rows = _sorted(pays)
    totals = totals_of(rows)
    table = [_own("pay", pay, head) for pay in rows] + [_own("balance", pay, head) for pay in _sorted(unpaid)]
    digest = _digest(_csv(_OWN, table))
    period, pay_on = head.starts_on.isoformat(), head.pay_on.isoformat()
    table.append(("file", "", "SHA-256 of the rows above", period, pay_on, "", "", str(len(rows)), digest, ""))
    for currency, minor in totals.items():
        amount = plain_money(minor, currency)
        table.append(
            ("total", "", f"{head.people} people", period, pay_on, currency, amount, str(head.lines), head.digest, "")
        )
    name = f"payroll {head.batch} {head.digest[:8]}.csv"
    return File(name, CSV, _csv(_OWN, table).encode(), len(rows), totals, digest)


def _own(record: str, pay: Pay, head: Head) -> tuple[str, ...]:
    return (
        record,
        harmless(pay.employee),
        harmless(pay.name),
        head.starts_on.isoformat(),
        head.pay_on.isoformat(),
        pay.currency,
        plain_money(pay.minor, pay.currency),
        str(pay.lines),
        pay.digest,
        pay.reference,
    )


def provider_file(form: Form, head: Head, pays: Iterable[Pay], unpaid: Iterable[Pay] = ()) -> File:
    """The file as a provider wants it. Raises ExportError where the form cannot tell currencies apart."""
    rows = _sorted(pay for pay in pays if form.currency in ("", pay.currency))
    totals = totals_of(rows)
    if len(totals) > 1 and "currency" not in {name for _, name in form.columns}:
        found = ", ".join(totals)
        raise ExportError(
            f"The file has no column for the currency, and the payments are in {found}. "
            "State in the provider's settings which one it is for, and use another provider for each other one."
        )
    header = tuple(harmless(title) for title, _ in form.columns)
    names = [name for _, name in form.columns]
    table = [tuple(_cell(form, head, pay, name) for name in names) for pay in rows]
    text = _csv(header, table, DELIMITERS[form.delimiter])
    digest = _digest(text)
    control = _control(head, rows, totals, digest, _sorted(unpaid))
    base = f"payroll {head.batch} {digest[:8]}"
    if form.shape == "xlsx":
        amounts = [place for place, name in enumerate(names) if name == "amount"]
        body = _workbook(header, table, rows, amounts, control)
        return File(f"{base}.xlsx", XLSX, body, len(rows), totals, digest, (header, *table))
    inner = f"PR{form.company:_<3}EPI.csv" if form.shape == "adp" else f"{form.shape}.csv"
    body = _archive({inner: text, "control.csv": _csv(("what", "employee", "currency", "value"), control)})
    return File(f"{base}.zip", ZIP, body, len(rows), totals, digest, (header, *table))


def totals_of(rows: Iterable[Pay]) -> dict[str, int]:
    """Minor units by currency, in its order."""
    found: dict[str, int] = {}
    for row in rows:
        found[row.currency] = found.get(row.currency, 0) + row.minor
    return dict(sorted(found.items()))


# ------------------------------------------------------------------ rows


def _sorted(pays: Iterable[Pay]) -> list[Pay]:
    return sorted(pays, key=lambda pay: (pay.employee, pay.currency, pay.reference, pay.plan, pay.component))


def _cell(form: Form, head: Head, pay: Pay, name: str) -> str:
    match name:
        case "amount":
            return plain_money(pay.minor, pay.currency).replace(".", DECIMALS[form.decimals])
        case "code":
            return harmless(form.code(pay.plan, pay.component))
        case "starts_on" | "ends_on" | "pay_on":
            return format(getattr(head, name), DATES[form.dates])
        case "batch" | "batch_id" | "pay_group":
            return harmless(getattr(head, name))
        case "company":
            return form.company
        case _:
            return harmless(getattr(pay, name))


def _control(
    head: Head, rows: Sequence[Pay], totals: dict[str, int], digest: str, unpaid: Sequence[Pay]
) -> list[tuple[str, str, str, str]]:
    """What the file adds up to, then who is not paid because of owing money back."""
    return [
        ("batch", "", "", harmless(head.batch)),
        ("digest of the batch", "", "", head.digest),
        ("digest of the rows", "", "", digest),
        ("rows", "", "", str(len(rows))),
        ("payments", "", "", str(len({row.reference for row in rows}))),
        *(("total", "", currency, plain_money(minor, currency)) for currency, minor in totals.items()),
        *(
            ("not paid, owed back", harmless(pay.employee), pay.currency, plain_money(pay.minor, pay.currency))
            for pay in unpaid
        ),
    ]


# ------------------------------------------------------------------ bytes


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]], delimiter: str = ",") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _archive(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, _MADE)
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, text.encode(), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _workbook(
    header: Sequence[str],
    table: Sequence[Sequence[str]],
    pays: Sequence[Pay],
    amounts: Sequence[int],
    control: Sequence[Sequence[str]],
) -> bytes:
    """Amounts as numbers, everything else as text, which no spreadsheet takes for a formula."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    book.set_properties({"created": datetime(*_MADE, tzinfo=UTC)})
    bold = book.add_format({"bold": True})
    digits = {pay.currency: minor_digits(pay.currency) for pay in pays}
    shown = {code: book.add_format({"num_format": f"0.{'0' * n}" if n else "0"}) for code, n in sorted(digits.items())}
    sheet = book.add_worksheet("Payments")
    for column, title in enumerate(header):
        sheet.write_string(0, column, title, bold)
    for line, (cells, pay) in enumerate(zip(table, pays, strict=True), 1):
        for column, text in enumerate(cells):
            if column in amounts:
                sheet.write_number(line, column, Decimal(plain_money(pay.minor, pay.currency)), shown[pay.currency])
            else:
                sheet.write_string(line, column, text)
    beside = book.add_worksheet("Control")
    for line, row in enumerate(control):
        for column, text in enumerate(row):
            beside.write_string(line, column, text)
    book.close()
    return out.getvalue()
