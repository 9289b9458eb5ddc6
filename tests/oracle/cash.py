"""What customers have paid of a deal (28, 30)."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.oracle.book import Line
    from tests.oracle.case import Case


def money_in(case: Case, deal: int) -> list[tuple[date, int]]:
    """Days and amounts: receipts less refunds."""
    found = []
    for fact in case.facts:
        if fact.deal == deal and fact.kind in ("receipt", "refund"):
            day: Any = fact.fields.get("day")
            amount: Any = fact.fields.get("amount")
            if day is not None and amount is not None:
                found.append((day, amount if fact.kind == "receipt" else -amount))
    return found


def base_of(case: Case, deal: int, stated: dict[str, Any]) -> int | None:
    """What there is to pay: all invoices, or the amount of the deal."""
    if stated["base"] == "contracted":
        found: Any = case.fact(deal).fields.get("amount")
        return found  # type: ignore[no-any-return]
    invoices = [fact for fact in case.facts if fact.deal == deal and fact.kind == "invoice"]
    total = 0
    for invoice in invoices:
        names = ("amount", "tax") if stated["tax"] == "with" else ("amount",)
        total += sum(int(invoice.fields.get(name) or 0) for name in names)  # type: ignore[arg-type]
    return total if invoices else None


def share_collected(case: Case, line: Line, stated: dict[str, Any], day: date) -> Fraction | None:
    """min(1, max(0, cash / base)) on a day; None without a base above zero."""
    deal = None if line.ordered is None else line.ordered.fact.belongs_to
    base = None if deal is None else base_of(case, deal, stated)
    if deal is None or base is None or base <= 0:
        return None
    cash = sum(amount for when, amount in money_in(case, deal) if when <= day)
    return min(Fraction(1), max(Fraction(0), Fraction(cash, base)))
