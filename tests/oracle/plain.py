"""Plain cases to vary: one plan, one representative, deals in order."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from tests.oracle.case import Assignment, Case, Fact, Member, Quota, Version

REP, MANAGER, HEAD = 1, 2, 3
JANUARY, JULY = date(2026, 1, 1), date(2026, 7, 1)
YEAR = (date(2026, 1, 1), date(2027, 1, 1))
MONTHS = (*(date(2026, month, 1) for month in range(1, 13)), date(2027, 1, 1))


def plan(tiers: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Ten percent to 100% of the quota, 15% to 120%, 20% beyond; `changes` go into the component."""
    component = {
        "key": "commission",
        "name": "Commission",
        "clause": "You earn a share of each deal.",
        "kind": "commission",
        "credits": {"classes": ["bookings"], "roles": ["ae"]},
        "measure": {"every": "year"},
        "quota": "sales",
        "missing_quota": "wait",
        "zero_quota": "wait",
        "below_zero": "lowest_tier",
        "tiers": tiers or marginal(),
        "accelerator": None,
        "cap": None,
        "release": [{"share": "100%", "on": "credit_date"}],
    }
    return {
        "format": "comp/plan/1",
        "key": "sales",
        "name": "Sales",
        "currency": "USD",
        "on_new_version": "carry",
        "rounding": {"at": "line", "mode": "half-even", "step": "minor"},
        "fields": {},
        "credit_rules": [
            {
                "key": "won",
                "fact": "deal",
                "class": "bookings",
                "when": {"all": []},
                "credit_date": "close_date",
                "amount": "amount",
                "credit": [{"role": "ae", "share": "100%"}],
                "roll_up": [],
            }
        ],
        "components": [component | changes],
    }


def marginal(boundary: str = "above", rates: str = "0% 10%, 100% 15%, 120% 20%", **more: str) -> dict[str, Any]:
    tiers = [dict(zip(("from", "rate"), tier.split(), strict=True)) for tier in rates.split(",")]
    return {"mode": "marginal", "boundary": boundary, "rates": tiers} | more


def retroactive(attribution: str, boundary: str = "above") -> dict[str, Any]:
    return marginal(boundary) | {"mode": "retroactive", "attribution": attribution}


def deal(amount: int, place: int = 0, day: date = JANUARY, team: tuple[Member, ...] = (Member(REP, "ae", 1),)) -> Fact:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return Fact(place, "crm", f"D{place:03}", moment, {"amount": amount, "close_date": day}, team)


def case(document: dict[str, Any], *facts: Fact, quota: int | None = 100_000_00, **changes: Any) -> Case:
    rows: dict[str, Any] = {
        "versions": (Version(document, JANUARY, None),),
        "assignments": tuple(Assignment(person, "sales", JANUARY, None) for person in (REP, MANAGER, HEAD)),
        "reports": (),
        "facts": facts,
        "quotas": () if quota is None else (Quota(REP, "sales", *YEAR, quota),),
        "milestones": (),
        "readings": (),
        "periods": {"month": MONTHS, "quarter": MONTHS[::3], "year": YEAR},
        "pay_periods": MONTHS,
    }
    return Case(**(rows | changes))
