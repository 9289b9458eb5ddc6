"""What payroll answers: rows of a table, read as amounts, states and days. What cannot be read is told by its line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from comp.core.errors import Problem, ProblemsError
from comp.core.money import CURRENCIES, MoneyError, parse_money
from payouts.exports.mapping import DATES, DECIMALS, AnswerForm

#: Problems told at most: beyond, the file is another one than was meant.
MOST = 100


@dataclass(frozen=True, slots=True)
class Said:
    """One row of an answer. `minor` is 0 where a rejection states no amount; an empty currency is the person's own."""

    line: int
    employee: str
    currency: str
    minor: int
    paid: bool
    reason: str = ""
    reference: str = ""
    paid_on: date | None = None


def read_answer(
    form: AnswerForm,
    dates: str,
    decimals: str,
    header: Sequence[str],
    rows: Iterable[tuple[int, Sequence[str]]],
    currency: Callable[[str], str],
) -> list[Said]:
    """The rows of an answer, by line. `currency` says that of an employee's rows without one. Raises ProblemsError
    with all that cannot be read: an answer is read whole or not at all."""
    places = {name.strip().casefold(): place for place, name in enumerate(header)}
    columns = {field: places.get(title.strip().casefold()) for field, title in form.columns.items()}
    missing = [form.columns[field] for field in ("employee", "amount") if columns[field] is None]
    if missing:
        found = ", ".join(header)[:200]
        raise ProblemsError(
            [Problem("header", found, ", ".join(missing), f"No column “{name}”. Found: {found}.") for name in missing]
        )
    said: list[Said] = []
    problems: list[Problem] = []
    for line, cells in rows:
        texts = {field: cells[place].strip() if place is not None else "" for field, place in columns.items()}
        try:
            said.append(_row(form, dates, decimals, line, texts, currency))
        except ValueError as error:
            problems.append(Problem(f"line {line}", "", "", f"Line {line}: {error}"))
        if len(problems) == MOST:
            break
    if problems:
        raise ProblemsError(problems)
    return said


def _row(
    form: AnswerForm, dates: str, decimals: str, line: int, texts: Mapping[str, str], currency: Callable[[str], str]
) -> Said:
    employee = texts["employee"].removeprefix("'")
    if not employee:
        raise ValueError("no employee is named.")
    status = texts["status"].casefold()
    if status and status not in (*form.paid, *form.rejected):
        allowed = ", ".join((*form.paid, *form.rejected))
        raise ValueError(f"“{texts['status'][:40]}” is no status; allowed: {allowed}.")
    paid = status not in form.rejected
    own = texts["currency"].upper() or currency(employee)
    if own not in CURRENCIES:
        raise ValueError(f"“{own[:10]}” is no currency.")
    amount = texts["amount"].replace(DECIMALS[decimals], ".") if decimals == "comma" else texts["amount"]
    if not amount and paid:
        raise ValueError("it says paid, and no amount.")
    try:
        minor = parse_money(amount, own) if amount else 0
    except MoneyError as error:
        raise ValueError(str(error)) from None
    if minor < 0:
        raise ValueError(f"payroll pays no negative amount, and it says {amount}.")
    if not paid and not texts["reason"]:
        raise ValueError("a rejection needs its reason.")
    return Said(line, employee, own, minor, paid, texts["reason"], texts["reference"], _day(texts["paid_on"], dates))


def _day(text: str, dates: str) -> date | None:
    """A day as the provider writes it, or as a workbook's own days are read."""
    if not text:
        return None
    for pattern in (DATES[dates], "%Y-%m-%d"):
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    raise ValueError(f"“{text[:20]}” is no day; write it as {dates}.")
