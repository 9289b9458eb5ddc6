"""Each account executive's quarters, worked out from the CRM's file by a few plain lines, equal what Comp says."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from django.db.models import Sum

from comp.local.demo.companies import MAIN
from comp.local.demo.events import deliveries
from comp.people.models import Participant
from comp.tenancy.models import Tenant
from comp.tenancy.scope import Pay, tenant_scope
from payouts.models import Earning, Statement
from plans.models import Quota
from tests.demo.conftest import Demo

pytestmark = pytest.mark.django_db

PIPELINE = Path("comp/local/demo/crm_sales_opportunities/sales_pipeline.csv")
CENT = Decimal("0.01")
#: The plan, said once more: from this share of quota on, this rate.
TIERS = ((Decimal(0), Decimal("0.08")), (Decimal(1), Decimal("0.12")), (Decimal("1.3"), Decimal("0.15")))
CAP = Decimal(30000)
BONUS, BIG = Decimal(250), Decimal(6000)
#: Shares released so far: at signature, go-live, and 25, 50 and 75 percent of the usage.
RELEASED = (Decimal("0.4"), Decimal("0.6"), Decimal("0.7"), Decimal("0.8"), Decimal(1))


def won_deals(demo: Demo) -> dict[tuple[str, date], list[tuple[str, Decimal]]]:
    """By agent and quarter: deals in order, with their amounts. The hour of an event, which the file lacks, is taken
    from what was posted."""
    posted = {}
    for one in deliveries(MAIN, demo.today, demo.limit):
        if '"deal.won"' in one.body:
            posted[one.shard] = one.at
    with PIPELINE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if demo.limit < len(rows):
        rows = [rows[place * len(rows) // demo.limit] for place in range(demo.limit)]
    shift = demo.today - date(2017, 12, 31)
    found = defaultdict(list)
    for row in rows:
        if row["deal_stage"] == "Won":
            day = date.fromisoformat(row["close_date"]) + shift
            quarter = date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
            order = (day, posted[row["opportunity_id"]], row["opportunity_id"])
            found[row["sales_agent"], quarter].append((*order, Decimal(row["close_value"])))
    return {key: [(deal, amount) for _, _, deal, amount in sorted(lines)] for key, lines in found.items()}


def curve(total: Decimal, quota: Decimal) -> Decimal:
    """What a running total earns before anything else."""
    bounds = [*(at * quota for at, _ in TIERS), Decimal("Infinity")]
    return sum(
        (
            rate * (min(total, end) - start)
            for (start, end), (_, rate) in zip(pairwise(bounds), TIERS, strict=True)
            if total > start
        ),
        Decimal(0),
    )


def commissions(lines: list[tuple[str, Decimal]], quota: Decimal) -> list[tuple[str, Decimal]]:
    """The commission of each deal of a quarter."""
    found, total, before_cap = [], Decimal(0), Decimal(0)
    for deal, amount in lines:
        times = Decimal("1.5") if amount >= 25000 else Decimal("1.25") if amount >= 5000 else Decimal(1)
        earned = ((curve(total + amount, quota) - curve(total, quota)) * times).quantize(CENT, ROUND_HALF_EVEN)
        found.append((deal, min(CAP, before_cap + earned) - min(CAP, before_cap)))
        total, before_cap = total + amount, before_cap + earned
    return found


def released(line: Decimal, steps: set[int]) -> Decimal:
    """What of a line is paid when these steps of the release are reached."""
    before, found = Decimal(0), Decimal(0)
    for step, share in enumerate(RELEASED):
        upto = (share * line).quantize(CENT, ROUND_HALF_EVEN)
        found += upto - before if step in steps else 0
        before = upto
    return found


def steps_reached(demo: Demo) -> dict[str, set[int]]:
    """Which steps of the release each deal reached, by the events that were posted."""
    found: dict[str, set[int]] = defaultdict(set)
    for one in deliveries(MAIN, demo.today, demo.limit):
        event = json.loads(one.body)
        data = event["data"]
        if event["type"] == "milestone.reached":
            found[data["deal"]].add({"signature": 0, "go-live": 1}[data["milestone"]])
        if event["type"] == "usage.reading":
            percent = Decimal(data["used"]) * 100 / data["contracted"]
            found[data["deal"]] |= {step for step, at in ((2, 25), (3, 50), (4, 75)) if percent >= at}
    return found


def test_every_quarter_of_every_account_executive_to_the_cent(demo: Demo) -> None:
    deals = won_deals(demo)
    steps = steps_reached(demo)
    paid: dict[str, Decimal] = defaultdict(Decimal)
    with tenant_scope(Tenant.objects.get(slug="meridian").pk, pay=Pay.everyone()):
        for (agent, quarter), lines in deals.items():
            person = Participant.objects.get(name=agent)
            quota = Quota.objects.get(participant=person, key="new-business", starts_on=quarter)
            expected = commissions(lines, Decimal(quota.amount_minor) / 100)
            bonuses = [BONUS for _, amount in lines if amount >= BIG]
            earned = Earning.objects.filter(participant=person, period_starts_on=quarter)
            sums = dict(earned.values_list("component").annotate(Sum("earned_minor")))
            assert Decimal(sums["commission"]) / 100 == sum(line for _, line in expected), (agent, quarter)
            assert Decimal(sums["big-win"]) / 100 == sum(bonuses), (agent, quarter)
            paid[agent] += sum(bonuses) + sum(released(line, steps[deal]) for deal, line in expected)
        for agent, amount in paid.items():
            statements = Statement.objects.filter(participant__name=agent)
            total = statements.aggregate(total=Sum("payout_minor"))["total"]
            assert Decimal(total) / 100 == amount, agent
            assert statements.filter(state=Statement.State.OPEN).count() == 1
    assert len({agent for agent, _ in deals}) == 30  # five agents of the file have no opportunity
    assert len(deals) > 80  # quarters of somebody


def test_the_last_day_of_the_file_is_today(demo: Demo) -> None:
    days = [one.at.date() for one in deliveries(MAIN, demo.today)]
    assert max(days) == demo.today
    assert max(days) - min(days) < timedelta(days=500)
