"""Adjustments from a table: one row an adjustment, read and checked as a whole before any is made."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from comp.core.days import DayError, parse_day
from comp.core.errors import ProblemsError, refused
from comp.core.money import MoneyError, parse_money
from comp.core.sheets.plain import table_read
from comp.people.models import Participant, PayGroup
from comp.tenancy.models import User
from payouts.services.adjustments import Wanted, due_now, wanted_checked
from payouts.services.attachments import File
from plans.models import Plan

#: Where left out `day` is the last of the open period, or today, `currency` the person's, and `belongs_to` (a day of
#: the period) the day's own. Rows that say the same are two by their `reference`.
COLUMNS = ("employee", "plan", "amount", "reason", "component", "day", "belongs_to", "currency", "reference")
NEEDED = COLUMNS[:4]
#: More is for several files.
ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a row."""

    line: int
    message: str


def adjustments_read(
    text: str, *, by: User, groups: Iterable[PayGroup] | None = None
) -> tuple[list[tuple[Wanted, File]], list[Wrong]]:
    """The adjustments of plain CSV, each with its own row as proof, and what is wrong with others, which includes a row
    that says again what one before it says. ProblemsError for a table that is none of adjustments. `groups`: only
    people of these are found."""
    names, lines = table_read(text, COLUMNS, NEEDED, most=ROWS)
    rows = Participant.objects.all() if groups is None else Participant.objects.filter(pay_group__in=groups)
    people = {row.key: row for row in rows.select_related("pay_group__calendar")}
    plans = {row.key: row for row in Plan.objects.all()}
    found: list[tuple[Wanted, File]] = []
    wrong: list[Wrong] = []
    seen: dict[tuple[Wanted, str], int] = {}
    for line, cells in enumerate(lines, start=2):
        if not any(cells):
            continue
        row = row_of(names, cells)
        try:
            wanted = _wanted(row, people, plans)
            wanted_checked(wanted, by)
        except (ProblemsError, MoneyError, DayError) as error:
            wrong.append(Wrong(line, str(error)))
            continue
        first = seen.setdefault((wanted, row.get("reference", "")), line)
        if first != line:
            text = f"It says the same as row {first}. Where both are meant, a column reference tells them apart."
            wrong.append(Wrong(line, text))
        else:
            found.append((wanted, File(f"row-{line}.csv", _csv(names, cells))))
    return found, wrong


def row_of(names: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """A row by its columns; what it leaves out is empty."""
    return dict(zip_longest(names, (cell.strip() for cell in cells[: len(names)]), fillvalue=""))


def digest_of(text: str) -> str:
    """By which the same file is known again, whatever it is called."""
    return hashlib.sha256(text.encode()).hexdigest()


def _wanted(row: Mapping[str, str], people: Mapping[str, Participant], plans: Mapping[str, Plan]) -> Wanted:
    person, plan = people.get(row["employee"]), plans.get(row["plan"])
    if person is None:
        raise refused("employee", row["employee"], "an employee number", f"Nobody has the number {row['employee']!r}.")
    if plan is None:
        raise refused("plan", row["plan"], ", ".join(sorted(plans)), f"There is no plan {row['plan']!r}.")
    currency = row.get("currency") or person.currency
    return Wanted(
        participant=person,
        plan=plan,
        amount_minor=parse_money(row["amount"], currency),
        currency=currency,
        day=parse_day(row["day"]) if row.get("day") else due_now(person),
        reason=row["reason"],
        component=row.get("component", ""),
        origin=parse_day(row["belongs_to"]) if row.get("belongs_to") else None,
    )


def _csv(*rows: Iterable[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()
