"""What holds keep out of a batch or an open period."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet, Sum

from comp.core.money import format_money
from payouts.models import Batch, BatchHeld, Payable
from payouts.selectors_batches import Subject


def held_words(subject: Subject) -> str:
    """How much of how many people stays behind; nothing where nothing does."""
    rows: QuerySet[Any]
    if isinstance(subject, Batch):
        rows = BatchHeld.objects.filter(batch=subject)
    else:
        mine = {"pay_group": subject.pay_group, "period_starts_on": subject.starts_on}
        rows = Payable.objects.filter(**mine, hold__isnull=False)
    sums = list(rows.order_by().values("currency").annotate(minor=Sum("amount_minor")).order_by("currency"))
    if not sums:
        return ""
    people = rows.aggregate(people=Count("participant_id", distinct=True))["people"]
    amounts = ", ".join(format_money(int(row["minor"]), row["currency"]) for row in sums)
    return f"{amounts} of {people:,} {'person' if people == 1 else 'people'}, not in it"
