"""What holds keep out of a batch or an open period, and what they keep back of a batch that was locked before them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import connection
from django.db.models import Count, QuerySet, Sum

from comp.core.money import format_money
from comp.tenancy.scope import current_tenant_id
from payouts.models import Batch, BatchHeld, Hold, Payable
from payouts.selectors_batches import Subject

#: A batch of which something is to come: what is held now is kept back.
UNDER_WAY = (Batch.State.IN_REVIEW, Batch.State.SUBMITTED, Batch.State.APPROVED, Batch.State.POSTED)


def held_inside(batch: Batch) -> dict[int, Hold]:
    """Participant id to the first hold that was placed since the batch was locked and meets something of theirs in it.
    As the scope sees pay."""
    found: dict[int, int] = {}
    if not Hold.objects.filter(kind=Hold.Kind.PLACED, released_at=None, batch=None).exists():
        return {}  # asked before each part of a posting: most often without looking at any line
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM comp_held_in_batch(%s, %s) ORDER BY 1, 2", [current_tenant_id(), batch.pk])
        for hold, person in cursor.fetchall():
            found.setdefault(person, hold)
    holds = Hold.objects.select_related("placed_by").in_bulk(set(found.values()))
    return {person: holds[hold] for person, hold in found.items()}


def batches_held(batches: Collection[int]) -> set[int]:
    """Which of these batches are held as a whole."""
    rows = Hold.objects.filter(kind=Hold.Kind.PLACED, released_at=None, batch__in=batches)
    return set(rows.values_list("batch_id", flat=True))


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
