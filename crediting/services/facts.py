"""Facts: revisions are added, and what stands is brought up to date, set-wise. The only writer of deals, teams,
milestones and readings.

What stands is the greatest revision by (version, event time, sender's id) of all that are stored, so a drain may bring
them in any
order. Callers hold the intake lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from comp.core.days import DayError, parse_day
from comp.core.money import plain_money
from crediting.intake.facts import DealFact, Event, MilestoneFact, UsageFact
from crediting.models import (
    Account,
    Deal,
    DealRevision,
    DealTeam,
    MilestoneRevision,
    RawDelivery,
    UsageReading,
)

Order = tuple[int, datetime, str]
DealKey = tuple[int, str]
Team = list[list[Any]]
#: A change as "facts.changed" tells it.
Change = dict[str, Any]

_DEAL_COLUMNS = (
    *("version", "event_time", "sender_id", "stage", "amount_minor", "currency", "close_date", "engage_date"),
    *("product_id", "account_id", "territory", "custom"),
)


@dataclass(frozen=True, slots=True)
class DealRow:
    """A deal event whose names are known. `team`: [[role key, participant id, weight], …]."""

    delivery: RawDelivery
    event: Event
    fact: DealFact
    product: int
    account: int
    team: Team

    @property
    def key(self) -> DealKey:
        return self.delivery.endpoint_id, self.fact.deal

    @property
    def order(self) -> Order:
        return self.event.version, self.event.at, self.delivery.sender_id


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account event; `key` is the account's here, `sector` what its word means here."""

    delivery: RawDelivery
    event: Event
    key: str
    name: str
    sector: str
    country: str


@dataclass(slots=True)
class Moved:
    """A deal whose current revision is another one now, and what it said and who stood on it before."""

    deal: Deal
    revision: DealRevision
    was: Deal | None
    was_team: Team = field(default_factory=list)


def order_of(row: Deal | DealRevision | MilestoneRevision | UsageReading) -> Order:
    """By this the revisions of one thing are compared; the greatest stands."""
    return row.version, row.event_time, row.sender_id


def deals_known(keys: Iterable[DealKey]) -> dict[DealKey, Deal]:
    """The deals as they stand, by endpoint and the source's id."""
    wanted = set(keys)
    if not wanted:
        return {}
    found = Deal.objects.filter(endpoint_id__in={k[0] for k in wanted}, external_id__in={k[1] for k in wanted})
    return {key: deal for deal in found if (key := (deal.endpoint_id, deal.external_id)) in wanted}


def deals_store(*, rows: Sequence[DealRow], known: dict[DealKey, Deal]) -> list[Moved]:
    """Adds the revisions and brings deals and teams up to date; returns the deals whose current revision changed."""
    if not rows:
        return []
    revisions = DealRevision.objects.bulk_create([_revision(row) for row in rows])
    grouped: dict[DealKey, list[DealRevision]] = defaultdict(list)
    for revision in revisions:
        grouped[(revision.endpoint_id, revision.external_id)].append(revision)
    teams = teams_of(deal.pk for key in grouped if (deal := known.get(key)))
    upserted: list[Deal] = []
    moved: list[Moved] = []
    for key, group in grouped.items():
        before = known.get(key)
        newest = max(group, key=order_of)
        newer = before is None or order_of(newest) > order_of(before)
        current: Any = newest if newer else before
        deal = Deal(
            endpoint_id=key[0],
            external_id=key[1],
            revision_id=newest.pk if newer else before.revision_id,  # type: ignore[union-attr]
            revisions=len(group) + (before.revisions if before else 0),
            recorded_at=current.recorded_at,
            **{column: getattr(current, column) for column in _DEAL_COLUMNS},
        )
        upserted.append(deal)
        if newer:
            moved.append(Moved(deal, newest, before, teams.get(before.pk, []) if before else []))
    Deal.objects.bulk_create(
        upserted,
        update_conflicts=True,
        unique_fields=["tenant", "endpoint", "external_id"],
        update_fields=["revision_id", "revisions", "recorded_at", *_DEAL_COLUMNS],
    )
    _teams_replace([one for one in moved if one.was_team != one.revision.team])
    return moved


def teams_of(deals: Iterable[int]) -> dict[int, Team]:
    """Who stands on each deal, in the deal's own order."""
    found: dict[int, Team] = defaultdict(list)
    wanted = list(deals)
    if wanted:
        rows = DealTeam.objects.filter(deal_id__in=wanted).order_by("deal_id", "place")
        for deal, role, participant, weight in rows.values_list("deal_id", "role", "participant_id", "weight"):
            found[deal].append([role, participant, weight])
    return found


def milestones_store(*, rows: Sequence[tuple[RawDelivery, Event, MilestoneFact, Deal]]) -> list[Change]:
    """Adds milestone revisions; returns the changes of what stands of each deal and kind."""
    if not rows:
        return []
    before = _current(MilestoneRevision, (row[3].pk for row in rows), "kind")
    added = MilestoneRevision.objects.bulk_create(
        MilestoneRevision(
            deal=deal, kind=fact.kind, reached=fact.reached, day=fact.day, delivery=delivery, **_said(delivery, event)
        )
        for delivery, event, fact, deal in rows
    )
    deals = {row[3].pk: row[3] for row in rows}
    return _news(before, added, deals, "kind", ("reached", "day"), _milestone_label)


def readings_store(*, rows: Sequence[tuple[RawDelivery, Event, UsageFact, Deal]]) -> list[Change]:
    """Adds usage readings; returns the changes of what stands of each deal and day."""
    if not rows:
        return []
    before = _current(UsageReading, (row[3].pk for row in rows), "day")
    added = UsageReading.objects.bulk_create(
        UsageReading(
            deal=deal,
            day=fact.day,
            used=fact.used,
            contracted=fact.contracted,
            delivery=delivery,
            **_said(delivery, event),
        )
        for delivery, event, fact, deal in rows
    )
    deals = {row[3].pk: row[3] for row in rows}
    return _news(before, added, deals, "day", ("used", "contracted"), _usage_label)


def accounts_store(*, rows: Sequence[AccountRow]) -> tuple[list[Change], set[str]]:
    """Brings accounts up to date; returns the changes of deals that read them, and the keys of the accounts that are
    new."""
    if not rows:
        return [], set()
    newest: dict[str, AccountRow] = {}
    for row in sorted(rows, key=lambda r: (r.event.version, r.event.at, r.delivery.sender_id)):
        newest[row.key] = row
    known = {account.key: account for account in Account.objects.filter(key__in=newest)}
    saved: list[Account] = []
    altered: dict[int, AccountRow] = {}
    for key, row in newest.items():
        before = known.get(key)
        order = (row.event.version, row.event.at, row.delivery.sender_id)
        if before and before.event_time and order <= (before.version, before.event_time, before.sender_id):
            continue
        shows = {"name": row.name, "sector": row.sector, "country": row.country}
        if before and any(getattr(before, column) != value for column, value in shows.items()):
            altered[before.pk] = row
        saved.append(Account(key=key, version=order[0], event_time=order[1], sender_id=order[2], **shows))
    Account.objects.bulk_create(
        saved,
        update_conflicts=True,
        unique_fields=["tenant", "key"],
        update_fields=["name", "sector", "country", "version", "event_time", "sender_id"],
    )
    changes: list[Change] = []
    deals = list(Deal.objects.filter(account_id__in=altered).order_by("id")) if altered else []
    teams = teams_of(deal.pk for deal in deals)
    for deal in deals:
        row = altered[deal.account_id or 0]
        label = f"Account {row.name}: sector {row.sector or 'none'}, country {row.country or 'none'}"
        changes += change(deal, "deal", label, row.delivery.pk, teams.get(deal.pk, []))
    return changes, newest.keys() - known.keys()


def deal_changes(moved: Iterable[Moved]) -> list[Change]:
    """What to tell of deals that moved: people and dates of before and after. One that has no date on either side can
    credit nothing."""
    changes: list[Change] = []
    for one in moved:
        label = f"Deal {one.deal.external_id} {one.deal.stage}{_amount(one.deal)}"
        team = [*one.was_team, *one.revision.team]
        changes += change(one.deal, "deal", label, one.revision.delivery_id, team, one.was)
    return changes


def change(
    deal: Deal,
    kind: str,
    label: str,
    delivery: int,
    team: Iterable[Sequence[Any]],
    was: Deal | None = None,
) -> list[Change]:
    """The entry of "facts.changed"; none for a deal that has no date, was or is: it can credit nothing."""
    states = [deal, was] if was else [deal]
    dates = {
        "close_date": sorted({state.close_date.isoformat() for state in states if state.close_date}),
        "engage_date": sorted({state.engage_date.isoformat() for state in states if state.engage_date}),
    }
    if not any(dates.values()) and not any(_is_day(value) for state in states for value in state.custom.values()):
        return []
    people = sorted({member[1] for member in team})
    return [
        {"deal": deal.pk, "kind": kind, "label": label, "delivery": delivery, "participants": people, "dates": dates}
    ]


def _is_day(value: object) -> bool:
    """Whether a plan could take a custom field's value for its credit date."""
    try:
        return isinstance(value, str) and bool(parse_day(value))
    except DayError:
        return False


# ------------------------------------------------------------------ pieces


def _said(delivery: RawDelivery, event: Event) -> dict[str, Any]:
    return {"version": event.version, "event_time": event.at, "sender_id": delivery.sender_id}


def _revision(row: DealRow) -> DealRevision:
    fact = row.fact
    return DealRevision(
        endpoint_id=row.delivery.endpoint_id,
        external_id=fact.deal,
        delivery=row.delivery,
        stage=fact.stage,
        amount_minor=fact.amount_minor,
        currency=fact.currency,
        close_date=fact.close_date,
        engage_date=fact.engage_date,
        product_id=row.product,
        account_id=row.account,
        territory=fact.territory,
        custom=dict(fact.custom),
        team=row.team,
        **_said(row.delivery, row.event),
    )


def _teams_replace(moved: Sequence[Moved]) -> None:
    if not moved:
        return
    DealTeam.objects.filter(deal_id__in=[one.deal.pk for one in moved if one.was_team]).delete()
    DealTeam.objects.bulk_create(
        DealTeam(deal=one.deal, place=place, role=role, participant_id=participant, weight=weight)
        for one in moved
        for place, (role, participant, weight) in enumerate(one.revision.team)
    )


def _current(model: Any, deals: Iterable[int], by: str) -> dict[tuple[int, Any], Any]:
    """The revision that stands, by deal and kind or day."""
    return _greatest(model.objects.filter(deal_id__in=set(deals)), by)


def _greatest(rows: Iterable[Any], by: str) -> dict[tuple[int, Any], Any]:
    found: dict[tuple[int, Any], Any] = {}
    for row in rows:
        key = (row.deal_id, getattr(row, by))
        if key not in found or order_of(row) > order_of(found[key]):
            found[key] = row
    return found


def _news(
    before: dict[tuple[int, Any], Any],
    added: Iterable[Any],
    deals: dict[int, Deal],
    by: str,
    shows: tuple[str, ...],
    label: Any,
) -> list[Change]:
    """What stands otherwise than before, on deals that have a date."""
    teams = teams_of(deals)
    changes: list[Change] = []
    for key, row in _greatest(added, by).items():
        old = before.get(key)
        if old is not None and order_of(row) < order_of(old):
            continue
        if old is None or any(getattr(old, column) != getattr(row, column) for column in shows):
            deal = deals[row.deal_id]
            kind, text = label(deal, row)
            changes += change(deal, kind, text, row.delivery_id, teams.get(deal.pk, []))
    return changes


def _milestone_label(deal: Deal, row: MilestoneRevision) -> tuple[str, str]:
    what = f"reached on {row.day:%-d %b %Y}" if row.reached else "taken back"
    return "milestone", f"Deal {deal.external_id}: {row.kind} {what}"


def _usage_label(deal: Deal, row: UsageReading) -> tuple[str, str]:
    return "usage", f"Deal {deal.external_id}: {row.used:,} of {row.contracted:,} used by {row.day:%-d %b %Y}"


def _amount(deal: Deal) -> str:
    if deal.amount_minor is None:
        return ""
    return f", {Decimal(plain_money(deal.amount_minor, deal.currency)):,} {deal.currency}"
