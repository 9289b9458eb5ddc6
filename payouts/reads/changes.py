"""What moved since a moment, by cause: "why did my number change"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Max, Min, Sum

from comp.core.money import format_money
from comp.people.models import Participant
from crediting.models import Deal
from payouts.models import Cause, Earning, FigureChange
from payouts.reads.labels import deal_label


@dataclass(frozen=True)
class Moved:
    """What one cause moved: how many lines, from what to what. `earning_id` where it is a single line that stands."""

    what: str
    minor: int
    currency: str
    cause: Cause
    at: datetime
    earning_id: int | None


def moved(participant: Participant, since: datetime, count: int = 6) -> list[Moved]:
    """The latest `count` causes that moved this person's lines after a moment."""
    changes = FigureChange.objects.filter(participant=participant, at__gt=since).order_by()
    groups = list(
        changes.values("cause_id", "currency")
        .annotate(
            before=Sum("before_minor"),
            after=Sum("after_minor"),
            lines=Count("id"),
            latest=Max("at"),
            deal=Min("deal_id"),
            deals=Count("deal_id", distinct=True),
            component=Min("component"),
        )
        .exclude(before=F("after"))
        .order_by("-latest", "-cause_id")[:count]
    )
    causes = Cause.objects.in_bulk([group["cause_id"] for group in groups])
    single = {group["deal"] for group in groups if group["deals"] == 1}
    deals = Deal.objects.select_related("account", "product").in_bulk(single)
    standing: dict[tuple[int, str], int] = {}
    for pk, deal_id, component in Earning.objects.filter(participant=participant, fact__in=single).values_list(
        "id", "fact", "component"
    ):
        standing[deal_id, component] = pk
    found = []
    for group in groups:
        deal = deals.get(group["deal"]) if group["deals"] == 1 else None
        before, after = (format_money(int(group[side]), group["currency"]) for side in ("before", "after"))
        name = deal_label(deal) if deal is not None else f"{group['lines']:,} line{'' if group['lines'] == 1 else 's'}"
        found.append(
            Moved(
                # What is new has no figure before; what it brought stands beside it.
                what=f"{name}: {before} → {after}" if group["before"] else name,
                minor=int(group["after"] - group["before"]),
                currency=group["currency"],
                cause=causes[group["cause_id"]],
                at=group["latest"],
                earning_id=standing.get((group["deal"], group["component"])) if deal is not None else None,
            )
        )
    return found


def of_line(earning: Earning) -> list[FigureChange]:
    """The way of one line: each change with its cause, latest first."""
    rows = FigureChange.objects.filter(
        participant_id=earning.participant_id,
        line_kind=earning.line_kind,
        fact=earning.fact,
        origin=earning.origin,
        period=earning.period,
        plan_id=earning.plan_id,
        component=earning.component,
    )
    return list(rows.select_related("cause").order_by("-at", "-id")[:50])
