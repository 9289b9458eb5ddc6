"""Payables that wait for a rate of exchange are asked about, as credits are (crediting.services.waiting)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.db.models import QuerySet

from crediting.models import Credit, RawDelivery
from crediting.services.issues import PAY_RATE
from crediting.services.waiting import Asked, delivery_of, questions_stand
from payouts.models import Tranche
from payouts.reads.unconverted import missing_rates


def on_payables_waiting(payload: dict[str, Any]) -> None:
    """Some payables wait, or wait no more: the questions say what stands now. Sees everybody's pay."""
    questions_stand([PAY_RATE], questions())


def questions() -> Iterator[Asked]:
    """What has to be asked about the payables that wait now: of a pair of currencies and a kind its rate."""
    for rate in missing_rates():
        when = f"{rate.first}" if rate.first == rate.last else f"days from {rate.first} to {rate.last}"
        waits = f"{rate.payables:,} payable{' waits' if rate.payables == 1 else 's wait'}"
        yield Asked(
            kind=PAY_RATE,
            value=f"{rate.source}/{rate.target} {rate.kind}",
            message=f"{waits} in {rate.source}: no {rate.name} from {rate.source} to {rate.target} holds on {when}.",
            waiting=rate.payables,
            delivery=partial(_delivery, rate.rows),
        )


def _delivery(rows: QuerySet[Tranche]) -> RawDelivery:
    """That of the first fact among these, or of one that their people are credited with: a bonus of a period has none
    of its own."""
    facts = rows.exclude(fact=0).order_by("credit_date", "fact").values_list("fact", flat=True)[:1]
    if not facts:
        credits = Credit.objects.filter(participant__in=rows.values("participant"))
        credited = credits.order_by("credit_date", "fact").values_list("fact", flat=True).first()
        return delivery_of(credited) if credited else RawDelivery.objects.earliest("id")
    return delivery_of(facts[0])
