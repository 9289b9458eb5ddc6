"""What happens to deals and beside them: revisions are added, and what stands is brought up to date, set-wise. The only
writer of facts and their teams. What stands is found as of deals (crediting.services.facts); callers hold the intake
lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from comp.tenancy.rows import rows_store
from crediting.intake.facts import OtherFact
from crediting.models import DealRevision, Fact, FactRevision, FactTeam
from crediting.services.facts import DealKey, DealRow, Order, deals_known, order_of
from crediting.services.news import Change, Team, Told, told_of_contracts, told_of_facts

FactKey = tuple[int, str, str]

_COLUMNS = (
    *("version", "event_time", "sender_id", "stands", "deal_id", "account_id", "product_id"),
    *("type", "day", "currency", "amount_minor", "values", "custom"),
)
#: What makes news where it differs: the event time orders credits, the version and the sender's id nothing.
_SHOWN = tuple(column for column in _COLUMNS if column not in ("version", "sender_id"))


@dataclass(frozen=True, slots=True)
class FactRow:
    """A fact whose names are known, as an event tells of it."""

    endpoint: int
    delivery: int
    order: Order
    fact: OtherFact
    deal: int | None
    account: int | None
    product: int | None
    team: Team

    @property
    def key(self) -> FactKey:
        return self.endpoint, self.fact.kind, self.fact.id


def facts_known(keys: Iterable[FactKey]) -> dict[FactKey, Fact]:
    """The facts as they stand, also those taken back, by endpoint, kind and the source's id."""
    wanted = set(keys)
    if not wanted:
        return {}
    kinds = {kind for _, kind, _ in wanted}  # named too, as the index has them
    found = Fact.objects.filter(
        endpoint_id__in={k[0] for k in wanted}, kind__in=kinds, external_id__in={k[2] for k in wanted}
    )
    return {key: fact for fact in found if (key := (fact.endpoint_id, fact.kind, fact.external_id)) in wanted}


def facts_store(*, rows: Sequence[FactRow], known: Mapping[FactKey, Fact]) -> tuple[list[Change], list[Fact]]:
    """Adds the revisions and brings facts and teams up to date; returns what changed, and the facts whose current
    revision is another one now."""
    if not rows:
        return [], []
    now = timezone.now()
    grouped: dict[FactKey, list[tuple[FactRow, int]]] = defaultdict(list)
    for row, revision in zip(rows, rows_store(FactRevision, [_revision(row, now) for row in rows]), strict=True):
        grouped[row.key].append((row, revision))
    teams = _teams_of(known[key].pk for key in grouped if key in known)
    stand: list[dict[str, Any]] = []
    newer: list[tuple[int, FactRow, Fact | None]] = []
    for key, group in grouped.items():
        before = known.get(key)
        row, revision = max(group, key=lambda one: one[0].order)
        if before is None or row.order > order_of(before):
            newer.append((len(stand), row, before))
            current = _says(row) | {"revision_id": revision, "recorded_at": now}
        else:
            current = {column: getattr(before, column) for column in (*_COLUMNS, "revision_id", "recorded_at")}
        revisions = len(group) + (before.revisions if before else 0)
        named = {"endpoint_id": key[0], "kind": key[1], "external_id": key[2], "revisions": revisions}
        stand.append(named | current)
    ids = rows_store(
        Fact,
        stand,
        once=("endpoint_id", "kind", "external_id"),
        changing=("revision_id", "revisions", "recorded_at", *_COLUMNS),
    )
    moved = [(Fact(id=ids[place], **stand[place]), row, before) for place, row, before in newer]
    _teams_replace(
        [
            (fact, teams.get(fact.pk, []), row.team)
            for fact, row, was in moved
            if teams.get(fact.pk, []) != row.team or (was is not None and was.day != fact.day)
        ]
    )
    told = [
        Told(fact, row.delivery, {member[1] for member in [*teams.get(fact.pk, []), *row.team]}, was=was)
        for fact, row, was in moved
        if _is_news(fact, was) or teams.get(fact.pk, []) != row.team
    ]
    changes = told_of_facts([one for one in told if one.fact.kind != "contract"])
    changes += told_of_contracts([one for one in told if one.fact.kind == "contract"])
    return changes, [fact for fact, _, _ in moved]


def lines_of(rows: Sequence[DealRow]) -> tuple[list[FactRow], dict[FactKey, Fact]]:
    """The lines that deal events speak of, and those that no longer stand since the last of them does not name them;
    and the lines that stand. The deals and their revisions are stored already."""
    speaking = [row for row in rows if row.fact.lines is not None]
    if not speaking:
        return [], {}
    deals = deals_known(row.key for row in speaking)
    tops = _tops(deals)
    found: list[FactRow] = []
    orders: dict[FactKey, tuple[DealKey, Order]] = {}
    for row in speaking:
        for line, (product, team) in zip(row.fact.lines or (), row.lines, strict=True):
            key = (row.key[0], "line", line.id)
            orders[key] = (row.key, max(row.order, orders.get(key, (row.key, row.order))[1]))
            found.append(FactRow(row.key[0], row.delivery.pk, row.order, line, deals[row.key].pk, None, product, team))
    keys = {deal.pk: key for key, deal in deals.items()}
    known: dict[FactKey, Fact] = {}
    for fact in Fact.objects.filter(kind="line", deal_id__in=keys):
        key = (fact.endpoint_id, fact.kind, fact.external_id)
        known[key] = fact
        deal_key = keys[fact.deal_id or 0]
        orders[key] = (deal_key, max(order_of(fact), orders.get(key, (deal_key, order_of(fact)))[1]))
    for key, (deal_key, order) in orders.items():
        top = tops[deal_key]
        if key[2] not in (top.lines or ()) and order < order_of(top):
            gone = OtherFact("line", key[2], stands=False, deal=deal_key[1], currency=top.currency)
            found.append(FactRow(key[0], top.delivery_id, order_of(top), gone, deals[deal_key].pk, None, None, []))
    return found, known


def _tops(deals: Mapping[DealKey, Any]) -> dict[DealKey, DealRevision]:
    """The last revision of each deal that speaks of its lines."""
    found: dict[DealKey, DealRevision] = {}
    rows = DealRevision.objects.filter(
        endpoint_id__in={key[0] for key in deals}, external_id__in={key[1] for key in deals}, lines__isnull=False
    )
    for row in rows:
        key = (row.endpoint_id, row.external_id)
        if key in deals and (key not in found or order_of(row) > order_of(found[key])):
            found[key] = row
    return found


def _says(row: FactRow) -> dict[str, Any]:
    """The columns of what an event says of its fact."""
    fact = row.fact
    version, event_time, sender_id = row.order
    return {
        "version": version,
        "event_time": event_time,
        "sender_id": sender_id,
        "stands": fact.stands,
        "deal_id": row.deal,
        "account_id": row.account,
        "product_id": row.product,
        "type": fact.type,
        "day": fact.day,
        "currency": fact.currency,
        "amount_minor": fact.amount_minor,
        "values": dict(fact.values),
        "custom": dict(fact.custom),
    }


def _revision(row: FactRow, now: datetime) -> dict[str, Any]:
    return _says(row) | {
        "endpoint_id": row.endpoint,
        "kind": row.fact.kind,
        "external_id": row.fact.id,
        "delivery_id": row.delivery,
        "team": row.team,
        "recorded_at": now,
    }


def _is_news(fact: Fact, was: Fact | None) -> bool:
    if was is None:
        return fact.stands
    if not fact.stands and not was.stands:
        return False
    return any(getattr(fact, column) != getattr(was, column) for column in _SHOWN)


def _teams_of(facts: Iterable[int]) -> dict[int, Team]:
    """The own team of each fact, in its own order."""
    found: dict[int, Team] = defaultdict(list)
    wanted = list(facts)
    if wanted:
        rows = FactTeam.objects.filter(fact_id__in=wanted).order_by("fact_id", "place")
        for fact, role, participant, weight in rows.values_list("fact_id", "role", "participant_id", "weight"):
            found[fact].append([role, participant, weight])
    return found


def _teams_replace(moved: Sequence[tuple[Fact, Team, Team]]) -> None:
    """(fact, its team before, its team now) of each."""
    before = [fact.pk for fact, was, _ in moved if was]
    if before:
        FactTeam.objects.filter(fact_id__in=before).delete()
    rows_store(
        FactTeam,
        [
            {
                "fact_id": fact.pk,
                "day": fact.day,
                "place": place,
                "role": role,
                "participant_id": participant,
                "weight": weight,
            }
            for fact, _, now in moved
            for place, (role, participant, weight) in enumerate(now)
        ],
    )
