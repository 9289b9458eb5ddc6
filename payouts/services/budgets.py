"""Budgets by cost centre and period: set one by one or from a file, all of it or nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import IntegrityError, transaction

from comp.audit.services import record
from comp.core.days import DayError, parse_day
from comp.core.errors import Problem, ProblemsError, refused
from comp.core.money import MoneyError, minor_digits, parse_money
from comp.core.sheets.plain import table_read
from payouts.models import Budget

COLUMNS = ("cost_centre", "from", "until", "currency", "amount")
ROWS = 5_000


def budget_set(*, cost_centre: str, starts_on: date, ends_on: date, currency: str, amount_minor: int) -> Budget:
    """What a cost centre may spend from a day to another (exclusive); said again for the same days it replaces."""
    cost_centre = cost_centre.strip()
    if not cost_centre:
        raise refused("cost_centre", cost_centre, "a cost centre", "A budget is of a cost centre.")
    if ends_on <= starts_on:
        message = f"It would end on {ends_on:%-d %B %Y}, before it begins."
        raise refused("ends_on", ends_on, f"a day after {starts_on:%-d %B %Y}", message)
    if amount_minor < 0:
        raise refused("amount", amount_minor, "0 or more", "A budget is no debt.")
    minor_digits(currency)
    key: dict[str, Any] = {"cost_centre": cost_centre, "currency": currency, "starts_on": starts_on, "ends_on": ends_on}
    before = Budget.objects.filter(**key).values_list("amount_minor", flat=True).first()
    try:
        with transaction.atomic():
            row, _ = Budget.objects.update_or_create(**key, defaults={"amount_minor": amount_minor})
    except IntegrityError:
        message = (
            f"{cost_centre}: another budget in {currency} holds some of the days from {starts_on:%-d %B %Y} to "
            f"{ends_on:%-d %B %Y}."
        )
        raise refused("starts_on", starts_on, "days of no other budget", message) from None
    record(
        code="budget.set",
        subject=row,
        before=None if before is None else {"amount_minor": before},
        after={"amount_minor": amount_minor, "currency": currency},
    )
    return row


def budgets_from(text: str) -> int:
    """Sets the budgets of a table in CSV, all or none, and returns how many; ProblemsError names each line that is
    wrong."""
    names, lines = table_read(text, COLUMNS, COLUMNS, most=ROWS)
    problems: list[Problem] = []
    count = 0
    with transaction.atomic():
        for line, cells in enumerate(lines, start=2):
            if not any(cells):
                continue
            try:
                _set(dict(zip(names, cells, strict=False)))
            except (ProblemsError, MoneyError, DayError) as error:
                problems.append(Problem(f"line {line}", ", ".join(cells), "", str(error)))
            count += 1
        if problems:
            raise ProblemsError(problems)
    return count


def _set(row: dict[str, str]) -> None:
    currency = row["currency"].strip().upper()
    budget_set(
        cost_centre=row["cost_centre"],
        starts_on=parse_day(row["from"].strip()),
        ends_on=parse_day(row["until"].strip()),
        currency=currency,
        amount_minor=parse_money(row["amount"].strip(), currency),
    )
