"""How quickly the oracle works: the same plan and deals as the kernel's benchmark, in loops and Fractions."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

import numpy as np

from comp.core.calendars import measure_periods, periods
from comp.core.days import day_date
from plans.rules.load import read_yaml
from plans.rules.normal import normalise
from tests.bench.kernel import CALENDAR, SEED
from tests.oracle.case import Assignment, Case, Fact, Member, Quota, Version
from tests.oracle.meaning import meaning

CREDITS = 2_000
PEOPLE = 20


def oracle_credits_per_s(plan_text: str, samples: int) -> list[float]:
    """Lines a second, of several runs over one small company."""
    case = company(plan_text)
    meaning(case)
    speeds = []
    for _ in range(samples):
        start = time.perf_counter()
        lines = len(meaning(case).lines)
        speeds.append(lines / (time.perf_counter() - start))
    return speeds


def company(plan_text: str) -> Case:
    random = np.random.default_rng(SEED)
    start = date(2026, 1, 1)
    deals = []
    for number in range(CREDITS // 2):
        person = int(random.integers(1, PEOPLE + 1))
        deals.append(
            Fact(
                id=number + 1,
                source="crm",
                external_id=f"D-{number}",
                event_time=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=int(random.integers(0, 10**6))),
                fields={
                    "stage": "won",
                    "amount": int(random.integers(10_000, 2_000_000)),
                    "close_date": start + timedelta(days=int(random.integers(0, 365))),
                },
                team=(Member(person, "ae", 1), Member(person % PEOPLE + 1, "se", 1)),
            )
        )
    every = {each: measure_periods(CALENDAR, each, 2026, 2027) for each in ("month", "quarter", "half", "year")}
    pay = periods(CALENDAR, 2026, 2027)
    quarters = [(day_date(p.start), day_date(p.end)) for p in every["quarter"][:4]]
    return Case(
        versions=(Version(normalise(read_yaml(plan_text)), start, None),),
        assignments=tuple(Assignment(person, "bench", start, None) for person in range(1, PEOPLE + 1)),
        reports=(),
        facts=tuple(deals),
        quotas=tuple(
            Quota(person, "sales", first, end, 12_500_000) for person in range(1, PEOPLE + 1) for first, end in quarters
        ),
        milestones=(),
        readings=(),
        periods={
            name: tuple(day_date(day) for day in (*(p.start for p in found), found[-1].end))
            for name, found in every.items()
        },
        pay_periods=tuple(day_date(day) for day in (*(p.start for p in pay), pay[-1].end)),
    )
