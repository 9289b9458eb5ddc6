"""A batch or an open period as tables to download: by person, by deal, line by line. A cell is a plain value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from comp.core.money import plain_money
from payouts import selectors_batches as reads
from payouts.reads.batch_people import people_of
from payouts.reads.labels import line_label
from payouts.selectors_batches import Subject

Row = tuple[Any, ...]
PEOPLE = ("employee", "name", "currency", "released", "adjustments", "settled", "payout", "before", "lines", "look at")
DEALS = ("deal", "customer", "product", "people", "lines", "currency", "amount")
LINES = (
    "employee", "name", "deal", "plan", "component", "part", "credit date", "kind", "belongs to", "currency", "amount",
)  # fmt: skip


def amount(minor: int, currency: str) -> Decimal | None:
    return Decimal(plain_money(int(minor), currency)) if currency else None


def people_rows(subject: Subject) -> Iterator[Row]:
    found = people_of(subject, 0)
    for p in found.rows_of(found.with_lines):
        sums = (p.released_minor, p.adjustments_minor, p.settled_minor, p.minor)
        before = None if p.before_minor is None else amount(p.before_minor, p.currency)
        look_at = "; ".join(reason.text for reason in p.reasons)
        yield (p.key, p.name, p.currency, *(amount(minor, p.currency) for minor in sums), before, p.lines, look_at)


def deal_rows(subject: Subject) -> Iterator[Row]:
    for row in reads.deals(subject):
        names = (row[name] for name in ("deal__external_id", "deal__account__name", "deal__product__name"))
        yield (*names, row["people"], row["lines"], row["currency"], amount(row["minor"], row["currency"]))


def narrowed(subject: Subject, person: str = "", deal: str = "") -> QuerySet[Any]:
    """The subject's lines, of one person or of one deal alone where they are named."""
    rows = reads.lines(subject)
    rows = rows.filter(participant__key=person) if person else rows
    return rows.filter(deal__external_id=deal) if deal else rows


def line_rows(lines: Iterable[Any]) -> Iterator[Row]:
    for line in lines:
        yield (
            line.participant.key,
            line.participant.name,
            line.deal.external_id if line.deal else line_label(line, None),
            line.plan.name,
            line.component,
            line.index + 1,
            line.credit_date,
            line.get_kind_display(),
            line.origin_starts_on,
            line.currency,
            amount(line.amount_minor, line.currency),
        )
