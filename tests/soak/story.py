"""What a company's systems send in a soak: seeded, the same for each run, and its company."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.bench.ground import PLAN, QUARTERS, Company, company

#: The benchmark's plan, with pay at the signature, at the go-live and at three quarters of the usage.
STORY_PLAN = PLAN.replace(
    "release: [{share: 100%, on: credit_date}]",
    "release:\n"
    "      - {share: 40%, on: credit_date}\n"
    "      - {share: 30%, on: go-live}\n"
    "      - {share: 30%, on: usage, at: 75%, reading: high_water}",
)
PEOPLE, QUICK_PEOPLE = 40, 8


@dataclass(frozen=True, slots=True)
class Event:
    """One delivery: its id and body."""

    id: str
    body: str


@dataclass(frozen=True, slots=True)
class Place:
    """A company that takes events: its tenant, and where and how it is sent to."""

    company: Company
    endpoint: int
    path: str
    secret: str


def place(slug: str, people: int) -> Place:
    """A company of its own for one run."""
    from comp.tenancy.scope import Actor, Pay, tenant_scope
    from crediting.services.catalogue import account_create, product_create
    from crediting.services.endpoints import endpoint_create

    where = company(slug, people, managers=True, plan_text=STORY_PLAN)
    with tenant_scope(where.tenant, actor=Actor.command("soak"), pay=Pay.everyone()):
        endpoint, secret = endpoint_create(key="crm", name="CRM")
        product_create(key="gtx", name="GTX")
        account_create(key="acme", name="Acme")
    return Place(where, endpoint.pk, f"/hooks/{endpoint.token}/", secret)


def events(seed: int, count: int, people: int) -> list[Event]:
    """`count` events, in time order, of deals of so many people that are engaged, won, corrected, lost again, go live
    and are used."""
    dice = random.Random(seed)
    found: list[Event] = []
    number = 0
    while len(found) < count:
        number += 1
        found += _deal(dice, f"D{number:05}", people // 2)
    return found[:count]


def _deal(dice: random.Random, deal: str, half: int) -> list[Event]:
    seller, helper = dice.randrange(half), half + dice.randrange(half)
    day = QUARTERS[0] + timedelta(days=dice.randrange(360))
    amount = dice.randrange(500_00, 90_000_00)
    stages = ["engaged", "won"] + ["updated"] * dice.choice((0, 0, 1, 2)) + ["lost"] * (dice.random() < 0.08)
    found = []
    for version, stage in enumerate(stages, start=1):
        if stage == "updated":
            amount = dice.randrange(500_00, 90_000_00)
            if dice.random() < 0.3:  # the close moves, maybe into another quarter
                day = QUARTERS[0] + timedelta(days=dice.randrange(360))
        data: dict[str, Any] = {
            "deal": deal,
            "version": version,
            "owner": f"p{seller}",
            "team": [{"role": "se", "person": f"p{helper}"}],
            "product": "gtx",
            "account": "acme",
            "amount": f"{amount // 100}.{amount % 100:02}",
            "currency": "USD",
            "engage_date": "2024-12-01",
            "close_date": None if stage == "engaged" else day.isoformat(),
        }
        if stage == "updated":
            data["stage"] = "won"
        found.append(_event(f"{deal}.{version}", f"deal.{stage}", day, version, data))
    if dice.random() < 0.7:
        live = day + timedelta(days=dice.randrange(5, 60))
        found.append(_event(f"{deal}.live", "milestone.reached", live, 10, _of(deal, live, milestone="go-live")))
        for reading, used in enumerate(sorted(dice.sample(range(10, 130), dice.randrange(3)))):
            on = live + timedelta(days=10 * (reading + 1))
            said = _of(deal, on, used=used, contracted=100)
            found.append(_event(f"{deal}.used{reading}", "usage.reading", on, 20 + reading, said))
    return found


def _of(deal: str, on: date, **more: Any) -> dict[str, Any]:
    return {"deal": deal, "on": on.isoformat(), **more}


def _event(sender_id: str, kind: str, day: date, hour: int, data: dict[str, Any]) -> Event:
    at = datetime(day.year, day.month, day.day, hour % 24, tzinfo=UTC)
    said = {"type": kind, "timestamp": at.isoformat().replace("+00:00", "Z"), "data": data}
    return Event(sender_id, json.dumps(said))
