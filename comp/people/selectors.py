"""Reading people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from comp.people.models import ExchangeRate, Participant, ReportingLine
from comp.tenancy.models import Tenant
from comp.tenancy.scope import current_tenant_id

#: No reporting line is followed further down than this; cycles cannot arise (the service refuses them), this bounds a
#: damaged table.
DEPTH = 20


def own_participant(*, user_id: int) -> Participant | None:
    """The participant that a user is in the current tenant."""
    return Participant.objects.filter(user_id=user_id).first()


def today(tenant: Tenant | None = None, *, at: datetime | None = None) -> date:
    """The tenant's local day, now or at a moment."""
    tenant = tenant or Tenant.objects.get(pk=current_tenant_id())
    return (at or timezone.now()).astimezone(ZoneInfo(tenant.time_zone)).date()


def in_force(day: date) -> Q:
    """Rows whose [starts_on, ends_on) holds the day."""
    return Q(starts_on__lte=day) & (Q(ends_on=None) | Q(ends_on__gt=day))


def downline_ids(*, manager_id: int, day: date | None = None) -> list[int]:
    """Everybody beneath a manager as of a day (today), all levels."""
    return sorted(_closure([manager_id], day or today()) - {manager_id})


def _closure(managers: Iterable[int], day: date) -> set[int]:
    found = set(managers)
    level = set(found)
    for _ in range(DEPTH):
        lines = ReportingLine.objects.filter(in_force(day), manager_id__in=level)
        level = set(lines.values_list("participant_id", flat=True)) - found
        if not level:
            break
        found |= level
    return found


def convertible(currency: str) -> set[str]:
    """The currencies that some rate takes to this one."""
    found = ExchangeRate.objects.filter(target=currency, rate__isnull=False)
    return set(found.order_by().values_list("source", flat=True).distinct())


def rate_pairs() -> list[str]:
    """Every pair of currencies that a rate was said of, as `GBP/USD`."""
    pairs = ExchangeRate.objects.order_by("source", "target").values_list("source", "target").distinct()
    return [f"{source}/{target}" for source, target in pairs]


def rates_standing(pair: str = "") -> QuerySet[ExchangeRate]:
    """The rates that were not taken back, each as it was said last: of a pair or of all, the newest first."""
    later = ExchangeRate.objects.filter(
        source=OuterRef("source"),
        target=OuterRef("target"),
        kind=OuterRef("kind"),
        starts_on=OuterRef("starts_on"),
        revision__gt=OuterRef("revision"),
    )
    found = ExchangeRate.objects.filter(~Exists(later), rate__isnull=False)
    if pair:
        source, _, target = pair.partition("/")
        found = found.filter(source=source, target=target)
    return found.order_by("-starts_on", "source", "target", "kind")


def rates_on(day: date, pair: str = "") -> list[ExchangeRate]:
    """The rate of each pair and kind that holds on a day."""
    begun = rates_standing(pair).filter(starts_on__lte=day)
    latest = begun.order_by("source", "target", "kind", "-starts_on").distinct("source", "target", "kind")
    return [rate for rate in latest if rate.ends_on is None or rate.ends_on > day]
