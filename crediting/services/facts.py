"""Deals and accounts: revisions are added, and what stands is brought up to date, set-wise. The only writer of deals,
their teams and, from events, accounts.

What stands is the greatest revision by (version, event time, sender's id) of all that are stored, so a drain may bring
them in any order. Callers hold the intake lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.utils import timezone

from comp.tenancy.rows import models_read, rows_read, rows_store
from crediting.intake.facts import DealFact, Event
from crediting.models import Account, Deal, DealRevision, DealTeam, Fact, FactRevision, RawDelivery
from crediting.services.news import Around, Change, Team, deal_label, told_of_deal, told_of_standing

Order = tuple[int, datetime, str]
DealKey = tuple[int, str]

_DEAL_COLUMNS = (
    *("version", "event_time", "sender_id", "stage", "amount_minor", "currency", "close_date", "engage_date"),
    *("product_id", "account_id", "territory", "values", "custom", "aligned"),
)

_ACCOUNT_COLUMNS = ("name", "sector", "country", "state", "postal")


@dataclass(frozen=True, slots=True)
class DealRow:
    """A deal event whose names are known. `team`: [[role key, participant id, weight], …]; `lines`: the product and
    team of each of its lines, where it speaks of them. `by_alignment`: the roles that are left to the alignment, who
    stands on the deal by it then is in the team, and `aligned` says how."""

    delivery: RawDelivery
    event: Event
    fact: DealFact
    product: int
    account: int
    team: Team
    lines: Sequence[tuple[int | None, Team]] = ()
    by_alignment: Sequence[str] = ()
    aligned: dict[str, Any] | None = None

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
    state: str
    postal: str


@dataclass(slots=True)
class Moved:
    """A deal whose current revision is another one now, who stands on it, the delivery that it came by, and what it
    said and who stood on it before."""

    deal: Deal
    team: Team
    delivery: RawDelivery
    was: Deal | None
    was_team: Team = field(default_factory=list)

    @property
    def was_on(self) -> date | None:
        return self.was.close_date if self.was else None


def order_of(row: Deal | DealRevision | Fact | FactRevision) -> Order:
    """By this the revisions of one thing are compared; the greatest stands."""
    return row.version, row.event_time, row.sender_id


def deals_known(keys: Iterable[DealKey]) -> dict[DealKey, Deal]:
    """The deals as they stand, by endpoint and the source's id."""
    wanted = set(keys)
    if not wanted:
        return {}
    named = [list({key[0] for key in wanted}), list({key[1] for key in wanted})]
    found = models_read(Deal, "endpoint_id = ANY(%s::bigint[]) AND external_id = ANY(%s::text[])", named)
    return {key: deal for deal in found if (key := (deal.endpoint_id, deal.external_id)) in wanted}


def deals_store(*, rows: Sequence[DealRow], known: dict[DealKey, Deal]) -> list[Moved]:
    """Adds the revisions and brings deals and teams up to date; returns the deals whose current revision changed."""
    if not rows:
        return []
    now = timezone.now()
    grouped: dict[DealKey, list[tuple[DealRow, int]]] = defaultdict(list)
    for row, revision in zip(rows, rows_store(DealRevision, [_revision(row, now) for row in rows]), strict=True):
        grouped[row.key].append((row, revision))
    teams = teams_of(deal.pk for key in grouped if (deal := known.get(key)))
    stand: list[dict[str, Any]] = []
    newer: list[tuple[int, DealRow, Deal | None]] = []
    for key, group in grouped.items():
        before = known.get(key)
        row, revision = max(group, key=lambda one: one[0].order)
        if before is None or row.order > order_of(before):
            newer.append((len(stand), row, before))
            current = _says(row) | {"revision_id": revision, "recorded_at": now}
        else:
            current = {column: getattr(before, column) for column in (*_DEAL_COLUMNS, "revision_id", "recorded_at")}
        revisions = len(group) + (before.revisions if before else 0)
        stand.append({"endpoint_id": key[0], "external_id": key[1], "revisions": revisions} | current)
    ids = rows_store(
        Deal,
        stand,
        once=("endpoint_id", "external_id"),
        changing=("revision_id", "revisions", "recorded_at", *_DEAL_COLUMNS),
    )
    moved = [
        Moved(
            Deal(id=ids[place], **stand[place]),
            row.team,
            row.delivery,
            before,
            teams.get(before.pk, []) if before else [],
        )
        for place, row, before in newer
    ]
    teams_replace([one for one in moved if one.was_team != one.team or one.was_on != one.deal.close_date])
    return moved


_TEAMS = """
SELECT deal_id, role, participant_id, weight FROM crediting_dealteam WHERE deal_id = ANY(%s::bigint[])
ORDER BY deal_id, place
"""


def teams_of(deals: Iterable[int]) -> dict[int, Team]:
    """Who stands on each deal, in the deal's own order."""
    found: dict[int, Team] = defaultdict(list)
    wanted = list(deals)
    if wanted:
        for deal, role, participant, weight in rows_read(_TEAMS, [wanted]):
            found[deal].append([role, participant, weight])
    return found


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
        shows = {name: getattr(row, name) for name in _ACCOUNT_COLUMNS}
        if before and any(getattr(before, column) != value for column, value in shows.items()):
            altered[before.pk] = row
        saved.append(Account(key=key, version=order[0], event_time=order[1], sender_id=order[2], **shows))
    Account.objects.bulk_create(
        saved,
        update_conflicts=True,
        unique_fields=["tenant", "key"],
        update_fields=[*_ACCOUNT_COLUMNS, "version", "event_time", "sender_id"],
    )
    return _of_accounts(altered), newest.keys() - known.keys()


def _of_accounts(altered: dict[int, AccountRow]) -> list[Change]:
    """What to tell of the deals and facts whose accounts are not what they were."""
    if not altered:
        return []
    changes: list[Change] = []
    deals = list(Deal.objects.filter(account_id__in=altered).order_by("id"))
    teams, around = teams_of(deal.pk for deal in deals), Around(deal.pk for deal in deals)
    for deal in deals:
        row = altered[deal.account_id or 0]
        changes += told_of_deal(
            deal, "deal", _account_label(row), row.delivery.pk, teams.get(deal.pk, []), around=around
        )
    for account, row in altered.items():
        facts = Fact.objects.filter(account_id=account, stands=True).order_by("id")
        changes += told_of_standing(facts, _account_label(row), row.delivery.pk)
    return changes


def _account_label(row: AccountRow) -> str:
    return f"Account {row.name}: sector {row.sector or 'none'}, country {row.country or 'none'}"


def deal_changes(moved: Sequence[Moved]) -> list[Change]:
    """What to tell of deals that moved: people and dates of before and after. One that has no date on either side can
    credit nothing."""
    around = Around(one.deal.pk for one in moved if one.was)
    changes: list[Change] = []
    for one in moved:
        team = [*one.was_team, *one.team]
        label, delivery = deal_label(one.deal), one.delivery.pk
        changes += told_of_deal(one.deal, "deal", label, delivery, team, was=one.was, around=around)
    return changes


# ------------------------------------------------------------------ pieces


def _says(row: DealRow) -> dict[str, Any]:
    """The columns of what an event says of its deal."""
    fact = row.fact
    version, event_time, sender_id = row.order
    return {
        "version": version,
        "event_time": event_time,
        "sender_id": sender_id,
        "stage": fact.stage,
        "amount_minor": fact.amount_minor,
        "currency": fact.currency,
        "close_date": fact.close_date,
        "engage_date": fact.engage_date,
        "product_id": row.product,
        "account_id": row.account,
        "territory": fact.territory,
        "values": dict(fact.values),
        "custom": dict(fact.custom),
        "aligned": row.aligned,
    }


def _revision(row: DealRow, now: datetime) -> dict[str, Any]:
    return _says(row) | {
        "endpoint_id": row.delivery.endpoint_id,
        "external_id": row.fact.deal,
        "delivery_id": row.delivery.pk,
        "team": row.team,
        "lines": None if row.fact.lines is None else [line.id for line in row.fact.lines],
        "derived": 0,
        "recorded_at": now,
    }


def teams_replace(moved: Sequence[Moved]) -> None:
    """Brings who stands on these deals to what their revisions say."""
    if not moved:
        return
    DealTeam.objects.filter(deal_id__in=[one.deal.pk for one in moved if one.was_team]).delete()
    rows_store(
        DealTeam,
        [
            {
                "deal_id": one.deal.pk,
                "close_date": one.deal.close_date,
                "place": place,
                "role": role,
                "participant_id": participant,
                "weight": weight,
            }
            for one in moved
            for place, (role, participant, weight) in enumerate(one.team)
        ],
    )
