"""Reading endpoints for the pages: how they do, and what their records look like."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from crediting.models import EndpointSecret, HookEndpoint, RawDelivery, Rereading, SourceRecord
from crediting.services.rates import refused_lately
from crediting.services.records import plain

State = RawDelivery.State
#: Of the latest so many deliveries of the company the last hour is told; examples of fields are of so many records.
RECENT, EXAMPLES = 100_000, 200
#: Examples of one field, and how long each may be.
SHOWN, SHOWN_LENGTH = 3, 60


@dataclass(slots=True)
class Health:
    """How an endpoint does: what stands open in it, the last hour, and how long a delivery takes to be taken."""

    last: datetime | None = None
    hour: int = 0
    refused: int | None = None
    states: Counter[str] = field(default_factory=Counter)
    oldest: datetime | None = None
    slowest: timedelta | None = None

    @property
    def failures(self) -> int:
        return self.states[State.PARKED] + self.states[State.QUARANTINED]

    @property
    def waiting(self) -> int:
        return self.states[State.WAITING]


def endpoints() -> QuerySet[HookEndpoint]:
    """Those in use first, by name."""
    return HookEndpoint.objects.select_related("deals_from").order_by("-active", "name", "id")


def health_of(endpoints: Iterable[HookEndpoint]) -> dict[int, Health]:
    """By endpoint. Batches are not counted beside their items."""
    found = {endpoint.pk: Health() for endpoint in endpoints}
    rows = RawDelivery.objects.filter(endpoint_id__in=found)
    still = rows.filter(state__in=[State.PENDING, State.WAITING, State.PARKED, State.QUARANTINED])
    for endpoint, state, count in still.values_list("endpoint_id", "state").annotate(rows=Count("id")).order_by():
        found[endpoint].states[state] = count
    top = RawDelivery.objects.aggregate(top=Max("id"))["top"] or 0
    hour = timezone.now() - timedelta(hours=1)
    recent = rows.filter(pk__gt=top - RECENT).exclude(state=State.SPLIT)
    counted = recent.values("endpoint_id").annotate(
        last=Max("received_at"), hour=Count("id", filter=Q(received_at__gte=hour))
    )
    for row in counted.order_by():
        found[row["endpoint_id"]].last, found[row["endpoint_id"]].hour = row["last"], row["hour"]
    for pk, health in found.items():
        _lag(pk, health, recent)
        health.last = health.last or rows.filter(endpoint_id=pk).aggregate(last=Max("received_at"))["last"]
        health.refused = refused_lately(pk, time.time())
    return found


def _lag(endpoint: int, health: Health, recent: QuerySet[RawDelivery]) -> None:
    """The oldest that is still to be taken, and the longest that one of the last hundred took."""
    own = recent.filter(endpoint_id=endpoint)
    health.oldest = own.filter(state=State.PENDING).order_by("id").values_list("received_at", flat=True).first()
    taken = own.filter(state=State.DONE, attempts=1, processed_at__isnull=False).order_by("-id")
    took = [done - came for came, done in taken.values_list("received_at", "processed_at")[:100] if done]
    health.slowest = max(took, default=None)


def live_secrets(endpoint: HookEndpoint) -> list[EndpointSecret]:
    """The secrets that verify now, the newest first; never what they are."""
    live = EndpointSecret.objects.filter(endpoint=endpoint).filter(Q(ends_at=None) | Q(ends_at__gt=timezone.now()))
    return list(live.defer("secret").order_by("-id"))


def rereading_of(endpoint: HookEndpoint) -> Rereading | None:
    """The last work of reading an endpoint's records again, done or not."""
    return Rereading.objects.filter(mapping__endpoint=endpoint).select_related("mapping").order_by("-id").first()


def examples(endpoint: HookEndpoint) -> dict[str, dict[str, list[str]]]:
    """The fields of an endpoint's records that came last, by object, each with some of its values."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for record in SourceRecord.objects.filter(endpoint=endpoint).order_by("-carrier_id", "-id")[:EXAMPLES]:
        for name, value in plain(record).values.items():
            values = found[record.object][name]
            text = "" if value is None else str(value)[:SHOWN_LENGTH]
            if text and text not in values and len(values) < SHOWN:
                values.append(text)
    return {object: dict(sorted(fields.items())) for object, fields in sorted(found.items())}


@dataclass(frozen=True, slots=True)
class Row:
    """One field of ours in a mapping: where it is from, how it is read, and values that were seen there."""

    ours: str
    theirs: str
    reading: str
    values: list[tuple[str, str]]
    seen: list[str]


def mapping_rows(
    document: Mapping[str, Any], seen: Mapping[str, Mapping[str, list[str]]]
) -> list[tuple[str, list[Row]]]:
    """What a mapping says, by object: our fields at the left, the source's at the right."""
    found = []
    for rules in document["records"]:
        fields = seen.get(rules["object"], {})
        said = [("event", rules["event"])] if isinstance(rules["event"], dict) else []
        rows = [_row(name, rule, fields) for name, rule in [*said, *rules["fields"].items()]]
        event = rules["event"] if isinstance(rules["event"], str) else "by its value"
        found.append((f"{rules['object']} → {event}", rows))
    return found


def _row(name: str, rule: Mapping[str, Any], seen: Mapping[str, list[str]]) -> Row:
    if "constant" in rule:
        constant = rule["constant"]
        return Row(name, "always empty" if constant is None else f"always “{constant}”", "", [], [])
    names = [rule["from"]] if isinstance(rule["from"], str) else list(rule["from"])
    values = [(str(key), str(value)) for key, value in rule.get("values", {}).items()]
    shown = next((seen[one] for one in names if seen.get(one)), [])
    return Row(name, " or ".join(names), rule.get("as", "text"), values, shown)
