"""What is paid in another currency than the plan's: what waits for a rate of exchange, and by which rate the rest was
converted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db.models import Count, F, Max, Min, QuerySet
from django.db.models.functions import Coalesce, Greatest

from comp.people.models import ExchangeRate
from payouts.models import Tranche
from payouts.reads.plans import Version, versions


@dataclass(frozen=True, slots=True)
class MissingRate:
    """A rate that payables wait for: one unit of `source` in units of `target`, on days from the first to the last."""

    source: str
    target: str
    kind: str  # of people_exchangerate
    first: date
    last: date
    payables: int
    rows: QuerySet[Tranche]

    @property
    def name(self) -> str:
        return "average rate" if self.kind == "average" else "rate"


def waiting_payables() -> QuerySet[Tranche]:
    """Those that have no rate yet, the oldest first."""
    rows = Tranche.objects.filter(state=Tranche.State.NO_RATE).exclude(amount_minor=0)
    return rows.order_by("credit_date", "fact", "component", "index", "part", "id")


def missing_rates() -> list[MissingRate]:
    """What all payables that wait are waiting for, by currencies and kind."""
    of = ("currency", "participant__currency", "plan_version_id")
    # The day of release is not known of what waits: it is that of the trigger, or the credit's.
    met = Greatest(F("credit_date"), Coalesce(F("trigger_day"), F("credit_date")))
    counted: Any = waiting_payables().order_by().values(*of)
    counted = counted.annotate(
        payables=Count("id"), first=Min("credit_date"), last=Max("credit_date"), met_first=Min(met), met_last=Max(met)
    )
    groups = list(counted)
    known = versions(row["plan_version_id"] for row in groups)
    found: dict[tuple[str, str, str], MissingRate] = {}
    for row in groups:
        version = known[row["plan_version_id"]]
        key = (row["currency"], row["participant__currency"], rate_kind(version))
        first, last = (rate_day(version, row[end], row[f"met_{end}"]) for end in ("first", "last"))
        payables = row["payables"]
        if (other := found.get(key)) is not None:
            first, last, payables = min(first, other.first), max(last, other.last), payables + other.payables
            found[key] = replace(other, first=first, last=last, payables=payables)
        else:
            rows = waiting_payables().filter(currency=key[0], participant__currency=key[1])
            found[key] = MissingRate(*key, first, last, payables, rows)
    return [found[key] for key in sorted(found)]


def exchange_words(rate: ExchangeRate) -> str:
    """By which rate something was converted."""
    number = f"{rate.rate.normalize():f}" if rate.rate is not None else "nothing"
    kind = "average " if rate.kind == ExchangeRate.Kind.AVERAGE else ""
    return f"1 {rate.source} is {number} {rate.target}, the {kind}rate from {rate.starts_on:%-d %B %Y}"


def rate_kind(version: Version) -> str:
    """Of the kind is the rate that the version converts pay by."""
    return "average" if _stated(version) == "period_average" else "spot"


def rate_day(version: Version, credit_date: date, released: date) -> date:
    """By the rate of which day the version converts."""
    return released if _stated(version) == "release_date" else credit_date


def _stated(version: Version) -> str:
    currencies = version.says.currencies
    return currencies.pay_rate if currencies is not None else "credit_date"
