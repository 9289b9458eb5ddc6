"""The oracle against the numbers that domain.md worked by hand, item by item."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest

from tests.oracle.amounts import prorated
from tests.oracle.case import Assignment, Case, Fact, Facts, Member, Quota, Rate, Span, Version
from tests.oracle.meaning import meaning
from tests.oracle.plain import JANUARY, MONTHS, REP, YEAR, case, deal, marginal, plan
from tests.oracle.reading import divided, whole_months

FLAT = "0% 10%"
JULY = date(2026, 7, 1)
HALVES = (date(2026, 1, 1), date(2026, 7, 1), date(2027, 1, 1))
PERIODS = {"month": MONTHS, "quarter": MONTHS[::3], "half": HALVES, "year": YEAR}


def facts_of(document: dict[str, Any], *facts: Fact, quota: int | None = 100_000_00, **changes: Any) -> Facts:
    return meaning(case(document, *facts, quota=quota, **({"periods": PERIODS} | changes)))


def earned(document: dict[str, Any], *facts: Fact, **changes: Any) -> list[int]:
    return [line.earned for line in facts_of(document, *facts, **changes).lines]


def measured(**more: Any) -> dict[str, Any]:
    return {"every": "month", "value": "sum", "window": "discrete", "of": "own", "by": "credit"} | more


def happened(kind: str, day: date, amount: int | None, number: int = 90) -> Fact:
    fields: dict[str, Any] = {"day": day} | ({} if amount is None else {"amount": amount})
    return Fact(number, "crm", f"R{number}", datetime(2026, 1, 1, tzinfo=UTC), fields, (), kind, 0)


# ------------------------------------------------------------------ 1 tier modes


def test_one_retroactive_to_one_tier_only() -> None:
    # 10% to 100, 15% to 120 and 20% on the tier below too: 100 x 10% + 40 x 20% = 18,000 for 140,000.
    tiers = marginal() | {"mode": "mixed"}
    for tier, back in zip(tiers["rates"], ("none", "none", "tier"), strict=True):
        tier["back"] = back
    assert sum(earned(plan(tiers), deal(140_000_00))) == 18_000_00
    for tier in tiers["rates"]:
        tier["back"] = "all"
    tiers["rates"][0]["back"] = "none"
    assert sum(earned(plan(tiers), deal(140_000_00))) == 28_000_00


def test_each_alone_from_zero() -> None:
    # 60 and 110 alone: 6,000 and 100 x 10% + 10 x 15%.
    tiers = marginal() | {"mode": "each"}
    assert earned(plan(tiers), deal(60_000_00, 0), deal(110_000_00, 1)) == [6_000_00, 11_500_00]


@pytest.mark.parametrize(
    ("mode", "attained", "pays"),
    [
        ("interpolated", 75, 250_00),
        ("interpolated", 50, 0),
        ("interpolated", 120, 700_00),
        ("steps", 99, 0),
        ("steps", 100, 500_00),
        ("by_width", 75, 0),
    ],
)
def test_interpolated_steps_and_amounts_by_width(mode: str, attained: int, pays: int) -> None:
    points = [{"at": "50%", "pays": "0%"}, {"at": "100%", "pays": "50%"}, {"at": "150%", "pays": "100%"}]
    curve = {
        "pays": "share",
        "axis": "attainment",
        "mode": mode,
        "boundary": "above",
        "below": "zero",
        "beyond": "last",
    }
    document = plan(
        kind="incentive", missing_quota="wait", zero_quota="wait", incentive="target", missing_incentive="wait"
    )
    component = document["components"][0]
    component |= {"curve": curve | {"points": points}, "tiers": None}
    quotas = (Quota(REP, "sales", *YEAR, 100_000_00), Quota(REP, "target", *YEAR, 1_000_00))
    assert sum(earned(document, deal(attained * 1_000_00), quotas=quotas)) == pays


# ------------------------------------------------------------------ 5 corrections and reversals


@pytest.mark.parametrize(
    ("clawback", "takes"),
    [
        ({"formula": "original"}, -6_000_00),
        ({"formula": "pro_rata", "term_months": 12, "failing_month": "does_not_count"}, -3_500_00),
        ({"formula": "window", "window": {"months": 6}, "failing_month": "does_not_count"}, -6_000_00),
        ({"formula": "window", "window": {"days": 30}}, 0),
        (
            {
                "formula": "table",
                "table": [{"from": 0, "share": "100%"}, {"from": 5, "share": "50%"}],
                "failing_month": "does_not_count",
            },
            -3_000_00,
        ),
    ],
)
def test_cancelling_sixty_thousand_after_five_months(clawback: dict[str, Any], takes: int) -> None:
    # 6,000 earned; a term of 12 months cancelled after month 5 gives back 7 of 12: 3,500.
    stated = {"on": ["cancellation"], "lowers_measure": False, "takes": "all"} | clawback
    reversal = happened("cancellation", date(2026, 6, 1), 60_000_00)
    lines = facts_of(plan(clawback=stated), deal(60_000_00), reversal).lines
    assert [(line.kind, line.earned) for line in lines] == [("credit", 6_000_00), ("reversal", takes)]


def test_cancelling_the_fifty_as_a_correction_takes_eight_thousand() -> None:
    # 60, 50 and 30 earn 17,000; without the 50 they earn 9,000.
    stated = {"on": ["cancellation"], "formula": "recompute"}
    deals = deal(60_000_00, 1), deal(50_000_00, 0, date(2026, 1, 2)), deal(30_000_00, 2, date(2026, 1, 3))
    document = plan(clawback=stated)
    before, after = earned(document, *deals), earned(document, *deals, happened("cancellation", JULY, 50_000_00))
    assert sum(before) == 17_000_00 and sum(after) - sum(before) == -8_000_00


# ------------------------------------------------------------------ 6 year to date


def test_retroactive_year_to_date_pays_what_is_due_less_what_was_earned() -> None:
    # 5% to 100k, then 7% on all: January 80k pays 4,000, February 40k 4,400; a late January 10k makes it 500 + 4,600.
    tiers = marginal(rates="0% 5%, 100% 7%") | {"mode": "retroactive", "attribution": "running"}
    document = plan(tiers, measure=measured(window="year_to_date", quota_basis="year"))
    first, second = deal(80_000_00, 0, date(2026, 1, 5)), deal(40_000_00, 2, date(2026, 2, 5))
    assert earned(document, first, second) == [4_000_00, 4_400_00]
    late = deal(10_000_00, 1, date(2026, 1, 6))
    assert earned(document, first, late, second) == [4_000_00, 500_00, 4_600_00]


def test_this_periods_credits_at_the_tier_of_the_year() -> None:
    tiers = marginal(rates="0% 5%, 100% 7%") | {"mode": "retroactive", "attribution": "proportional"}
    document = plan(tiers, measure=measured(window="year_to_date", quota_basis="year"))
    deals = deal(80_000_00, 0, date(2026, 1, 5)), deal(40_000_00, 1, date(2026, 2, 5))
    assert earned(document, *deals) == [4_000_00, 2_800_00]


# ------------------------------------------------------------------ 7 and 8 rounding, proration, versions


def test_a_hundred_in_three() -> None:
    assert divided(100_00, {1: 1, 2: 1, 3: 1}) == {1: 33_34, 2: 33_33, 3: 33_33}


def prorating(**changes: Any) -> dict[str, Any]:
    stated = {"method": "calendar_days", "first_day": "counts", "last_day": "counts", "leave": "counts"}
    return {"proration": stated | {"of": ["quota"], "round": "minor"} | changes}


@pytest.mark.parametrize(
    ("changes", "quota"),
    [
        ({}, 163_333_33),  # 49 of 90 days
        ({"first_day": "does_not_count"}, 160_000_00),  # 48 of 90
        ({"method": "whole_months"}, 100_000_00),  # March of three months
        ({"method": "working_days"}, 164_062_50),  # 35 of 64
        ({"round": "whole"}, 163_333_00),
        ({"of": ["caps"]}, 300_000_00),
    ],
)
def test_hired_on_the_eleventh_of_february(changes: dict[str, Any], quota: int) -> None:
    document = plan() | prorating(**changes)
    world = hired(document)
    found = prorated(world, REP, 0, None, False, "quota", 300_000_00, JANUARY, date(2026, 4, 1), "money")
    assert found == quota


def hired(document: dict[str, Any]) -> Case:
    return case(document, spans=(Span(REP, False, date(2026, 2, 11), None),), periods=PERIODS)


@pytest.mark.parametrize(("how", "total"), [("carry", 18_000_00), ("restart", 17_700_00), ("rerun", 19_800_00)])
def test_a_new_version_in_mid_year(how: str, total: int) -> None:
    # 120,000 at 10% then 15%, from July 12% and 18%; credits of 90 and 60; a restart halves the quota by months.
    more = prorating(method="whole_months") | {"on_new_version": how}
    old = plan(marginal(rates="0% 10%, 100% 15%")) | more
    new = plan(marginal(rates="0% 12%, 100% 18%")) | more
    versions = Version(old, JANUARY, JULY), Version(new, JULY, None)
    deals = deal(90_000_00, 0), deal(60_000_00, 1, JULY)
    assert sum(earned(old, *deals, quota=120_000_00, versions=versions)) == total


# ------------------------------------------------------------------ 9 draws


@pytest.mark.parametrize(("order", "payout"), [(("recovery", "cap"), 9_000_00), (("cap", "recovery"), 7_000_00)])
def test_recover_then_cap_or_cap_then_recover(order: tuple[str, str], payout: int) -> None:
    # Earned 12,000, cap 10,000, draw balance 3,000.
    from tests.oracle.case import Balance

    draw = {
        "kind": "recoverable",
        "style": "top_up",
        "amount": "1.00",
        "from": "2026-12-01",
        "to": "2026-12-02",
        "test": ["releases"],
        "recovery": {"share": "100%", "keep": "0.00", "after_periods": 0},
        "on_leaving": "owed",
    }
    settlement = {
        "order": ["releases", "adjustments", "clawbacks", "carried", *order, "top_up"],
        "cap": {"amount": "10000.00", "excess": "lost"},
        "draw": draw,
        "negative": "carried",
    }
    document = plan(marginal(rates=FLAT)) | {"settlement": settlement}
    rows = facts_of(document, deal(120_000_00), balances=(Balance(REP, "draw", 3_000_00),)).settlements
    assert rows[0].payout == payout


def test_a_recoverable_draw_of_two_thousand() -> None:
    # 1,200, 1,700 and 600 are lifted to 2,000: balances of 800, 1,100 and 2,500.
    draw = {
        "kind": "recoverable",
        "style": "top_up",
        "amount": "2000.00",
        "from": "2026-01-01",
        "to": "2026-04-01",
        "test": ["releases"],
        "recovery": {"share": "100%", "keep": "2000.00", "after_periods": 0},
        "on_leaving": "owed",
    }
    order = ["releases", "adjustments", "clawbacks", "carried", "recovery", "top_up"]
    document = plan(marginal(rates=FLAT)) | {"settlement": {"order": order, "draw": draw, "negative": "carried"}}
    deals = [
        deal(amount, place, date(2026, place + 1, 5)) for place, amount in enumerate((12_000_00, 17_000_00, 6_000_00))
    ]
    rows = facts_of(document, *deals, assignments=(Assignment(REP, "sales", JANUARY, None),)).settlements
    assert [(row.payout, row.draw_balance) for row in rows] == [
        (2_000_00, 800_00),
        (2_000_00, 1_100_00),
        (2_000_00, 2_500_00),
    ]


# ------------------------------------------------------------------ 11 and 12 splits, currencies


def test_ae_se_and_csm_may_come_to_175_percent_and_a_limit_holds() -> None:
    document = plan()
    rule = document["credit_rules"][0]
    rule["credit"] += [{"role": "se", "share": "50%"}, {"role": "csm", "share": "25%"}]
    team = Member(1, "ae", 1), Member(2, "se", 1), Member(3, "csm", 1)
    assert sum(credit.amount for credit in facts_of(document, deal(100_00, team=team)).credits) == 175_00
    rule["limit"] = "120%"
    assert [credit.amount for credit in facts_of(document, deal(100_00, team=team)).credits] == [100_00, 20_00, 0]


@pytest.mark.parametrize(
    ("at", "paid"), [("credit_date", 11_000_00), ("period_average", 10_800_00), ("release_date", 10_500_00)]
)
def test_a_hundred_thousand_euros_paid_in_dollars(at: str, paid: int) -> None:
    # 10% with 1.10 on booking, 1.08 average, 1.05 at payment.
    document = plan(marginal(rates=FLAT), release=[{"share": "100%", "on": "date", "day": "2026-03-10"}])
    document |= {"currency": "EUR", "currencies": {"pay_rate": at}}
    rates = (
        Rate("EUR", "USD", "spot", JANUARY, date(2026, 3, 1), Fraction("1.10")),
        Rate("EUR", "USD", "spot", date(2026, 3, 1), None, Fraction("1.05")),
        Rate("EUR", "USD", "average", JANUARY, None, Fraction("1.08")),
    )
    facts = facts_of(document, deal(100_000_00), rates=rates, pay_currency=((REP, "USD"),))
    assert [row.paid for row in facts.tranches] == [paid]


# ------------------------------------------------------------------ 13 floating rates


@pytest.mark.parametrize(("how", "rest"), [("this_share", 7_200_00), ("true_up", 8_000_00)])
def test_a_rate_that_rises_between_tranches(how: str, rest: int) -> None:
    # 10,000 earned at 10%, 40% of it released, then 12%: the rest is 7,200 or 8,000.
    tiers = marginal(rates="0% 10%, 200% 12%") | {"mode": "retroactive", "attribution": "proportional"}
    release = [{"share": "40%", "on": "credit_date"}, {"share": "60%", "on": "date", "day": "2026-06-01"}]
    document = plan(tiers, release=release, release_rate=how)
    facts = facts_of(document, deal(100_000_00, 0), deal(100_000_00, 1, date(2026, 3, 1)))
    assert [row.amount for row in facts.tranches if row.position == 1] == [4_000_00, rest]


def test_whole_months_of_the_calendar_page() -> None:
    assert whole_months(date(2026, 1, 31), date(2026, 2, 28)) == 1
    assert whole_months(date(2026, 2, 28), date(2026, 3, 30)) == 1
