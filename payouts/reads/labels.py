"""What lines are called: by their deal, by their period, by what they take back."""

from __future__ import annotations

from datetime import date
from typing import Any

from crediting.models import Deal
from payouts.models.figures import LineNamed
from plans.rules.phrases import named

Kind = LineNamed.Kind


def deal_label(deal: Deal) -> str:
    """`Acme · MG Advanced`; the source's own number where it names no customer."""
    names = [str(one) for one in (deal.account, deal.product) if one is not None]
    return " · ".join(names) if deal.account is not None else " · ".join([f"Deal {deal.external_id}", *names])


def customer(deal: Deal | None) -> str:
    """The customer's name, or the deal's number; nothing without a deal."""
    if deal is None:
        return ""
    return deal.account.name if deal.account is not None else f"deal {deal.external_id}"


def period_label(every: str, starts_on: date) -> str:
    """`January 2026`, `Quarter from 1 January 2026`."""
    if every == "month" and starts_on.day == 1:
        return f"{starts_on:%B %Y}"
    name = {"half": "Half year"}.get(every, named(every).capitalize())
    return f"{name} from {starts_on:%-d %B %Y}"


def line_label(line: Any, deal: Deal | None) -> str:
    """What a line (an earning, a payable, a batch line) is for; `deal` is the one that its fact belongs to."""
    match line.line_kind:
        case Kind.PERIOD:
            return period_label(line.rule, line.period)
        case Kind.CARRIED:
            return f"Carried into {period_label(line.rule, line.period)}"
        case Kind.MANUAL:
            return str(line.rule)
        case Kind.OPENING:
            return f"Brought forward, up to {line.period:%-d %B %Y}"
    name = deal_label(deal) if deal is not None else f"Fact {line.fact}"
    return f"Taken back: {name}" if line.line_kind == Kind.REVERSAL else name
