"""What waits for a rate of exchange is asked about: one question a cause, opened, counted and closed by what stands.
Nobody answers it here: a rate that is entered, or a plan version that converts, takes up again what waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db.models import Count, F, Max, Min, Q, QuerySet
from django.utils import timezone

from comp.tenancy.selectors import own_currency
from crediting.models import DataIssue, Deal, Fact, RawDelivery, WaitingCredit
from crediting.services.issues import CONVERT, OF_CREDITS, RATE
from crediting.services.locks import intake_ask

Reason, State = WaitingCredit.Reason, DataIssue.State


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it should stand. `delivery` finds the one that first asks it."""

    kind: str
    value: str
    message: str
    waiting: int
    delivery: Callable[[], RawDelivery]


def on_credits_waiting(payload: dict[str, Any]) -> None:
    """Some credits wait, or wait no more: the questions say what stands now. Sees everybody's credits."""
    questions_stand(OF_CREDITS, questions())


def questions_stand(kinds: Sequence[str], questions: Iterable[Asked]) -> None:
    """Opens, counts and closes the questions of these kinds, so that exactly these stand open."""
    intake_ask()
    known = {(issue.kind, issue.value): issue for issue in DataIssue.objects.filter(kind__in=kinds)}
    for asked in questions:
        issue = known.pop((asked.kind, asked.value), None)
        if issue is None:
            issue = DataIssue(kind=asked.kind, value=asked.value)
        if issue.pk is None or issue.state == State.RESOLVED:
            issue.first_delivery = asked.delivery()
            issue.endpoint_id = issue.first_delivery.endpoint_id
            issue.state, issue.opened_at = State.OPEN, timezone.now()
            issue.resolved_at, issue.resolved_by, issue.resolution = None, None, ""
        issue.message, issue.waiting = asked.message, asked.waiting
        issue.save()
    for issue in known.values():
        if issue.state == State.OPEN:
            issue.state, issue.waiting, issue.resolved_at = State.RESOLVED, 0, timezone.now()
            issue.resolution = "nothing waits for it any more"
            issue.save()


def questions() -> Iterator[Asked]:
    """What has to be asked about the credits that wait now: of a pair of currencies its rate, whatever the plan; of a
    plan how it converts a currency."""
    own = own_currency()
    counts: dict[str, Any] = {
        "facts": Count("fact", distinct=True),
        "others": Count("fact", distinct=True, filter=~Q(fact=F("deal_id")) | Q(deal=None)),
        "days": Count("credit_date", distinct=True),
        "first": Min("credit_date"),
        "last": Max("credit_date"),
    }
    rates = WaitingCredit.objects.filter(reason=Reason.RATE)
    by_currency: Iterable[Any] = rates.values("currency").annotate(**counts).order_by("currency")
    for row in by_currency:
        currency = row["currency"]
        first, last = f"{row['first']:%-d %B %Y}", f"{row['last']:%-d %B %Y}"
        when = first if row["days"] == 1 else f"{row['days']} days from {first} to {last}"
        yield Asked(
            kind=RATE,
            value=f"{currency}/{own}",
            message=f"{_waiting(row)}: no rate from {currency} to {own} holds on {when}.",
            waiting=row["facts"],
            delivery=partial(first_delivery, rates.filter(currency=currency)),
        )
    plans = WaitingCredit.objects.filter(reason=Reason.CURRENCY)
    of_plan = plans.values("currency", "plan_id", "plan__key", "plan__name")
    by_plan: Iterable[Any] = of_plan.annotate(**counts).order_by("currency", "plan__key")
    for row in by_plan:
        currency = row["currency"]
        yield Asked(
            kind=CONVERT,
            value=f"{currency}/{row['plan__key']}",
            message=f"{_waiting(row)}: the plan {row['plan__name']} converts no other currencies.",
            waiting=row["facts"],
            delivery=partial(first_delivery, plans.filter(currency=currency, plan_id=row["plan_id"])),
        )


def _waiting(row: dict[str, Any]) -> str:
    """`3 deals in GBP wait`."""
    what = "event" if row["others"] else "deal"
    one = row["facts"] == 1
    return f"{row['facts']} {what if one else f'{what}s'} in {row['currency']} {'waits' if one else 'wait'}"


def first_delivery(rows: QuerySet[WaitingCredit]) -> RawDelivery:
    """The delivery by which the first of these facts says what it says now."""
    return delivery_of(rows.order_by("credit_date", "fact").values_list("fact", flat=True)[0])


def delivery_of(fact: int) -> RawDelivery:
    """The delivery by which a deal or another fact says what it says now."""
    thing = Deal.objects.filter(pk=fact).first() or Fact.objects.get(pk=fact)
    return thing.revision.delivery
