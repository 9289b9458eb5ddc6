"""Credits that wait for a rate of exchange, in words: whose, of what, and why. The pay wall decides which are seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.db.models import QuerySet

from comp.tenancy.selectors import own_currency
from crediting.models import DataIssue, Deal, Fact, WaitingCredit

Reason = WaitingCredit.Reason


@dataclass(frozen=True, slots=True)
class Waiting:
    """One or several people's credit of a deal (None: of a fact without one) on a day. `why` is half a sentence."""

    people: tuple[str, ...]
    deal: Deal | None
    label: str
    day: date
    why: str


def waiting() -> QuerySet[WaitingCredit]:
    """All that wait, the oldest first."""
    return WaitingCredit.objects.order_by("credit_date", "fact", "participant", "plan", "rule", "role", "split")


def waiting_of_person(participant_id: int) -> QuerySet[WaitingCredit]:
    return waiting().filter(participant_id=participant_id)


def waiting_for(issue: DataIssue) -> QuerySet[WaitingCredit]:
    """The credits that wait for the answer of a question of crediting.services.waiting."""
    currency, _, asked = issue.value.partition("/")
    rows = waiting().filter(currency=currency)
    if issue.kind == "rate":
        return rows.filter(reason=Reason.RATE)
    return rows.filter(reason=Reason.CURRENCY, plan__key=asked)


def waiting_told(rows: Iterable[WaitingCredit]) -> list[Waiting]:
    """Rows in words, in their order; those that wait for one thing with one fact are told together."""
    found: dict[tuple[object, ...], list[WaitingCredit]] = {}
    for row in rows:
        found.setdefault((row.fact, row.credit_date, row.reason, row.currency, row.plan_id), []).append(row)
    own = own_currency() if found else ""
    together = list(found.values())
    firsts = [each[0] for each in together]
    deals = Deal.objects.select_related("account", "product").in_bulk({row.deal_id for row in firsts if row.deal_id})
    others = Fact.objects.in_bulk({row.fact for row in firsts if row.fact != row.deal_id})
    told = []
    for each in together:
        row = each[0]
        deal, fact = deals.get(row.deal_id or 0), others.get(row.fact)
        people = dict.fromkeys(credit.participant.name for credit in each)
        told.append(Waiting(tuple(people), deal, _label(deal, fact), row.credit_date, _why(row, own)))
    return told


def _label(deal: Deal | None, fact: Fact | None) -> str:
    """`Acme`, `Deal D-1`, `receipt R-1 of Acme`."""
    name = "" if deal is None else deal.account.name if deal.account else f"Deal {deal.external_id}"
    if fact is None:
        return name
    return f"{fact} of {name}" if name else f"{fact}".capitalize()


def _why(row: WaitingCredit, own: str) -> str:
    if row.reason == Reason.RATE:
        return f"no rate of exchange from {row.currency} to {own} holds on {row.credit_date:%-d %B %Y}"
    return f"the plan {row.plan_version}, converts no other currencies, and the deal is in {row.currency}"
