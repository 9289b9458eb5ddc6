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

from crediting.intake.facts import DealFact, Event
from crediting.models import Account, Deal, DealRevision, DealTeam, Fact, FactRevision, RawDelivery
from crediting.services.news import Around, Change, Team, deal_label, told_of_deal, told_of_standing

Order = tuple[int, datetime, str]
DealKey = tuple[int, str]

_DEAL_COLUMNS = (
    *("version", "event_time", "sender_id", "stage", "amount_minor", "currency", "close_date", "engage_date"),
    *("product_id", "account_id", "territory", "values", "custom"),
)


@dataclass(frozen=True, slots=True)
class DealRow:
    """A deal event whose names are known. `team`: [[role key, participant id, weight], …]; `lines`: the product and
    team of each of its lines, where it speaks of them."""

    delivery: RawDelivery
    event: Event
    fact: DealFact
    product: int
    account: int
    team: Team
    lines: Sequence[tuple[int | None, Team]] = ()

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
    _teams_replace([one for one in moved if one.was_team != one.revision.team or one.was_on != one.deal.close_date])
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
        team = [*one.was_team, *one.revision.team]
        label, delivery = deal_label(one.deal), one.revision.delivery_id
        changes += told_of_deal(one.deal, "deal", label, delivery, team, was=one.was, around=around)
    return changes


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
        values=dict(fact.values),
        custom=dict(fact.custom),
        team=row.team,
        lines=None if fact.lines is None else [line.id for line in fact.lines],
        **_said(row.delivery, row.event),
    )


def _teams_replace(moved: Sequence[Moved]) -> None:
    if not moved:
        return
    DealTeam.objects.filter(deal_id__in=[one.deal.pk for one in moved if one.was_team]).delete()
    DealTeam.objects.bulk_create(
        DealTeam(
            deal=one.deal,
            close_date=one.deal.close_date,
            place=place,
            role=role,
            participant_id=participant,
            weight=weight,
        )
        for one in moved
        for place, (role, participant, weight) in enumerate(one.revision.team)
    )
