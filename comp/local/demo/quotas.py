"""Quotas, which the CRM does not have: what each person did in a quarter, held against an attainment drawn by seed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from comp.local.demo import source
from comp.local.demo.companies import SEED, Company
from comp.local.demo.events import months, team_of
from comp.local.demo.source import Opportunity

#: Attainments are drawn between these percentages.
LOWEST, HIGHEST = 60, 160
STEP = Decimal(500)
SHARES = {"se": Decimal("0.50"), "csm": Decimal("0.25")}
KEYS = {
    "ae": "new-business",
    "manager": "team-bookings",
    "se": "supported-bookings",
    "csm": "adopted-bookings",
}


@dataclass(frozen=True, slots=True)
class QuotaRow:
    person: str
    key: str
    starts_on: date
    ends_on: date
    amount: Decimal  # of the company's currency


def quarters(opportunities: Sequence[Opportunity], today: date) -> list[tuple[date, date]]:
    """The calendar quarters, half-open, that hold a paid month."""
    found = []
    for month in months(opportunities, today):
        start = month.replace(month=(month.month - 1) // 3 * 3 + 1)
        end = (start + timedelta(days=95)).replace(day=1)
        if (start, end) not in found:
            found.append((start, end))
    return found


def quotas(company: Company, opportunities: Sequence[Opportunity], today: date) -> list[QuotaRow]:
    """One for each person and quarter. In the running quarter what was done so far stands for its share of the days."""
    manager = {agent.name: agent.manager for agent in source.agents()}
    found = []
    for start, end in quarters(opportunities, today):
        done: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for row in opportunities:
            if row.stage != "Won" or row.closed is None or not start <= row.closed < end:
                continue
            amount = Decimal(row.amount)
            done["ae", row.agent] += amount
            done["manager", manager[row.agent]] += amount
            for role, person in team_of(company, row).items():
                done[role, person] += amount * SHARES[role]
        elapsed = Decimal((min(today + timedelta(days=1), end) - start).days) / (end - start).days
        for role, person in sorted({*done, *(("ae", name) for name in manager)}):
            dice = random.Random(f"{SEED}/{company.slug}/quota/{role}/{person}/{start.month}")
            attainment = Decimal(dice.randint(LOWEST, HIGHEST)) / 100
            amount = done[role, person] / elapsed / attainment
            rounded = max((amount / STEP).quantize(Decimal(1), ROUND_HALF_UP) * STEP, 10 * STEP)
            found.append(QuotaRow(person, KEYS[role], start, end, rounded))
    return found
