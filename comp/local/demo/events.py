"""What the CRM would have sent of the whole time, in time order: pure, and the same at every call.

A chunk is what arrives within one pay month: chunk 0 lies before the first month that is paid, the last one is open.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from comp.local.demo import source
from comp.local.demo.companies import CURRENCY, ENGINEERS, SEED, SUCCESS, Company
from comp.local.demo.source import Opportunity

#: Product prices from which a sales engineer stands on the deal.
ENGINEERED = 1000
#: One in this many won deals arrives in the month after its own, once that was submitted.
LATE_ONE_IN = 100
#: Of won deals: how many go live; of those: how many are measured.
LIVE_PERCENT, MEASURED_PERCENT = 75, 50
#: (percent used, days since go-live or the reading before). Most use most of it by the first reading.
READINGS = (((80, 20),), ((55, 20), (85, 30)), ((30, 15), (55, 25), (80, 30)), ((40, 40),))
READINGS_WEIGHTS = (5, 2, 1, 2)
STRANGER = "Robin Castellane"  # owns a deal and is nobody here
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event as it is posted. `shard` (the deal or account) keeps its events in order over parallel connections."""

    id: str
    shard: str
    at: datetime
    chunk: int
    body: str


@dataclass(frozen=True, slots=True)
class Milestone:
    """A milestone's day; for a usage reading also how many of how many."""

    kind: str
    day: date
    used: int = 0
    contracted: int = 0


def chosen(company: Company, today: date, limit: int | None = None) -> list[Opportunity]:
    """The company's opportunities with its own amounts; `limit` takes so many, spread evenly."""
    rows = source.opportunities(today)[:: company.every]
    if limit is not None and limit < len(rows):
        rows = [rows[place * len(rows) // limit] for place in range(limit)]
    return [_own(row, company.factor) for row in rows]


def months(opportunities: Sequence[Opportunity], today: date) -> list[date]:
    """The first days of the months that are paid: from the first close to today's."""
    day = min((row.closed for row in opportunities if row.closed), default=today).replace(day=1)
    found = []
    while day <= today:
        found.append(day)
        day = (day + timedelta(days=32)).replace(day=1)
    return found


def milestones(company: Company, deal: Opportunity, today: date) -> list[Milestone]:
    """What is generated of a won deal up to today: signature at once, then go-live, then usage."""
    if deal.stage != "Won" or deal.closed is None:
        return []
    dice = _dice(company.slug, deal.id, "milestones")
    found = [Milestone("signature", deal.closed)]
    live = deal.closed + timedelta(days=dice.randint(10, 45))
    if dice.randrange(100) < LIVE_PERCENT:
        found.append(Milestone("go-live", live))
        if dice.randrange(100) < MEASURED_PERCENT:
            contracted = 20 * dice.randint(5, 200)
            day = live
            for percent, days in dice.choices(READINGS, READINGS_WEIGHTS)[0]:
                day += timedelta(days=days + dice.randint(0, 15))
                used = contracted * (percent + dice.randint(0, 12)) // 100
                found.append(Milestone("usage", day, used, contracted))
    return [one for one in found if one.day <= today]


def is_late(company: Company, deal: Opportunity, last_month: date) -> bool:
    """Whether the deal's closing arrives a month late. Those of the open month cannot."""
    if not company.late or deal.stage != "Won" or deal.closed is None or deal.closed >= last_month:
        return False
    return _dice(company.slug, deal.id, "late").randrange(LATE_ONE_IN) == 0


def deliveries(company: Company, today: date, limit: int | None = None) -> list[Delivery]:
    """Everything, by chunk, then by time, then by id."""
    rows = chosen(company, today, limit)
    found = [*_accounts(company, rows, today), *_deals(company, rows, today)]
    return sorted(found, key=lambda one: (one.chunk, one.at, one.id))


# ------------------------------------------------------------------ accounts


def _accounts(company: Company, rows: Sequence[Opportunity], today: date) -> Iterator[Delivery]:
    at = _moment(min((row.engaged for row in rows if row.engaged), default=today) - timedelta(days=7), 0)
    for row in source.accounts():
        data = {
            "account": row["account"],
            "name": row["account"],
            "sector": row["sector"],
            "country": row["office_location"],
        }
        yield _delivery(f"account-{row['account'].replace(' ', '-')}", row["account"], at, 0, "account.updated", data)


# ------------------------------------------------------------------ deals


def _deals(company: Company, rows: Sequence[Opportunity], today: date) -> Iterator[Delivery]:
    paid = months(rows, today)
    teams = _Teams(company)
    for row in rows:
        dice = _dice(company.slug, row.id, "hours")
        minute = dice.randint(0, 200)
        if row.stage == "Prospecting":
            day = today - timedelta(days=dice.randint(1, 120))
            data = _snapshot(row, teams, "prospecting")
            yield _deal(row, _moment(day, minute), _chunk(day, paid), data)
            continue
        assert row.engaged is not None
        data = _snapshot(row, teams, "engaged")
        yield _deal(row, _moment(row.engaged, minute), _chunk(row.engaged, paid), data)
        if row.closed is None:
            continue
        late = int(is_late(company, row, paid[-1]))
        chunk = _chunk(row.closed, paid) + late
        data = _snapshot(row, teams, row.stage.lower())
        yield _deal(row, _moment(row.closed, minute + 200), chunk, data)
        for place, one in enumerate(milestones(company, row, today)):
            yield _milestone(row, one, place, max(chunk, _chunk(one.day, paid)))
    if company.late:
        yield from _questions(rows, teams, today, paid)


def _questions(rows: Sequence[Opportunity], teams: _Teams, today: date, paid: list[date]) -> Iterator[Delivery]:
    """Two deals that nobody can answer by looking: they stay open in the inbox."""
    model = next((row for row in rows if row.stage == "Won"), None)
    if model is None:
        return
    day = max(today - timedelta(days=3), paid[-1])
    nobodys = Opportunity("QSTNOWNR", STRANGER, model.product, model.account, "Won", day, day, "3393")
    amountless = Opportunity("QSTAMNT0", model.agent, model.product, model.account, "Won", day, day, "")
    for row in (nobodys, amountless):
        yield _deal(row, _moment(day, 300), _chunk(day, paid), _snapshot(row, teams, "won"))


class _Teams:
    """Who stands beside the owner: by office, by product price, and for a fifth of the deals the fourth of each."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.office = {agent.name: agent.office for agent in source.agents()}
        self.price = {row["product"].replace(" ", ""): int(row["sales_price"]) for row in source.products()}

    def of(self, row: Opportunity) -> list[dict[str, Any]]:
        """Sales engineer and customer success manager of a deal, as the CRM's event names them."""
        if not self.company.overlays:
            return []
        dice = _dice(self.company.slug, row.id, "team")
        place = ("Central", "East", "West").index(self.office.get(row.agent, "West"))
        place = 3 if dice.randrange(5) == 0 else place
        team = [{"role": "csm", "person": SUCCESS[place][0]}]
        if self.price[row.product.replace(" ", "")] >= ENGINEERED:
            team.insert(0, {"role": "se", "person": ENGINEERS[place][0]})
        return team


def team_of(company: Company, row: Opportunity) -> dict[str, str]:
    """Person by role (se, csm) of a deal."""
    return {member["role"]: member["person"] for member in _Teams(company).of(row)}


def _snapshot(row: Opportunity, teams: _Teams, stage: str) -> dict[str, Any]:
    closed = stage in ("won", "lost")
    return {
        "deal": row.id,
        "stage": stage,
        "owner": row.agent,
        "team": teams.of(row),
        "product": row.product,
        "account": row.account,
        "amount": (row.amount or None) if closed else None,
        "currency": CURRENCY,
        "engage_date": row.engaged.isoformat() if row.engaged else None,
        "close_date": row.closed.isoformat() if closed and row.closed else None,
        "territory": teams.office.get(row.agent, "").lower(),
    }


def _deal(row: Opportunity, at: datetime, chunk: int, data: dict[str, Any]) -> Delivery:
    return _delivery(f"{row.id}-{data['stage']}", row.id, at, chunk, f"deal.{data['stage']}", data)


def _milestone(row: Opportunity, one: Milestone, place: int, chunk: int) -> Delivery:
    at = _moment(one.day, 420 + place)
    data: dict[str, Any] = {"deal": row.id, "on": one.day.isoformat()}
    if one.kind == "usage":
        data |= {"used": one.used, "contracted": one.contracted}
        return _delivery(f"{row.id}-usage-{place}", row.id, at, chunk, "usage.reading", data)
    data["milestone"] = one.kind
    return _delivery(f"{row.id}-{one.kind}", row.id, at, chunk, "milestone.reached", data)


# ------------------------------------------------------------------ pieces


def _delivery(key: str, shard: str, at: datetime, chunk: int, kind: str, data: dict[str, Any]) -> Delivery:
    body = json.dumps({"type": kind, "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "data": data})
    return Delivery(f"crm-{key}", shard, at, chunk, body)


def _own(row: Opportunity, factor: Decimal) -> Opportunity:
    if factor == 1 or not row.amount:
        return row
    amount = (Decimal(row.amount) * factor).quantize(CENT)
    return Opportunity(row.id, row.agent, row.product, row.account, row.stage, row.engaged, row.closed, str(amount))


def _chunk(day: date, paid: list[date]) -> int:
    return sum(start <= day for start in paid)


def _moment(day: date, minute: int) -> datetime:
    """Within the working day of Chicago, where it is the same day."""
    return datetime.combine(day, time(14), UTC) + timedelta(minutes=minute)


def _dice(*words: str) -> random.Random:
    """Dice of their own for each thing, so that no thing's fate depends on another's."""
    return random.Random("/".join((SEED, *words)))
