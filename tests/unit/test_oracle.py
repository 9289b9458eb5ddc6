"""The oracle against numbers worked by hand: what it says must be right before anything is compared with it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest

from tests.oracle.case import Fact, Member, Milestone, Reading, Reports, Version
from tests.oracle.fields import Sight
from tests.oracle.meaning import meaning
from tests.oracle.plain import HEAD, JANUARY, JULY, MANAGER, REP, case, deal, marginal, plan, retroactive
from tests.oracle.reading import rounded


def earned(document: dict[str, Any], *amounts: int, quota: int | None = 100_000_00, **changes: Any) -> list[int]:
    """What each of these deals, in this order, earns; amounts in cents."""
    deals = (deal(amount, place) for place, amount in enumerate(amounts))
    return [line.earned for line in meaning(case(document, *deals, quota=quota, **changes)).lines]


@pytest.mark.parametrize(
    ("tiers", "amounts", "lines"),
    [
        (marginal(), (60_000_00, 50_000_00, 30_000_00), [6_000_00, 5_500_00, 5_500_00]),
        (marginal(), (30_000_00, 50_000_00, 60_000_00), [3_000_00, 5_000_00, 9_000_00]),
        (retroactive("running"), (60_000_00, 50_000_00, 30_000_00), [6_000_00, 10_500_00, 11_500_00]),
        (retroactive("proportional"), (60_000_00, 50_000_00, 30_000_00), [12_000_00, 10_000_00, 6_000_00]),
        (retroactive("running"), (100_000_00,), [15_000_00]),
        (retroactive("running", "below"), (100_000_00,), [10_000_00]),
        (retroactive("running", "below"), (100_000_01,), [15_000_00]),
        (retroactive("proportional"), (99_999_99, 1), [15_000_00, 0]),
    ],
)
def test_tiers_earn_what_the_handbook_says(tiers: dict[str, Any], amounts: tuple[int, ...], lines: list[int]) -> None:
    assert earned(plan(tiers), *amounts) == lines


@pytest.mark.parametrize(
    ("changes", "quota", "lines"),
    [
        ({"missing_quota": "wait"}, None, [0, 0]),
        ({"missing_quota": "lowest_tier"}, None, [10_00, -20_00]),
        ({"zero_quota": "wait"}, 0, [0, 0]),
        ({"zero_quota": "no_pay"}, 0, [0, 0]),
        ({"zero_quota": "lowest_tier"}, 0, [10_00, -20_00]),
        ({"zero_quota": "highest_tier"}, 0, [20_00, -40_00]),
        ({"below_zero": "lowest_tier"}, 1_000_00, [10_00, -20_00]),
        ({"below_zero": "no_pay"}, 1_000_00, [10_00, -10_00]),
    ],
)
def test_no_quota_and_a_total_below_zero_have_stated_outcomes(
    changes: dict[str, str], quota: int | None, lines: list[int]
) -> None:
    document = plan(**changes)
    assert earned(document, 100_00, -200_00, quota=quota) == lines


def test_a_line_waits_only_for_its_quota() -> None:
    waiting = meaning(case(plan(), deal(100), quota=None)).lines
    assert [line.waiting for line in waiting] == [True]
    assert [line.waiting for line in meaning(case(plan(), deal(100))).lines] == [False]


def test_a_kicker_multiplies_the_earning_of_its_deal() -> None:
    # 1.5 on the deal of 30: 6,000 + 5,500 + 8,250 = 19,750; reversed 4,500 + 5,000 + 9,000 = 18,500.
    bands = [{"from": "0.00", "times": "1.5"}, {"from": "30000.01", "times": "1"}]
    document = plan(accelerator={"boundary": "above", "bands": bands})
    assert sum(earned(document, 60_000_00, 50_000_00, 30_000_00)) == 19_750_00
    assert sum(earned(document, 30_000_00, 50_000_00, 60_000_00)) == 18_500_00


def test_a_new_version_in_mid_year_carries_the_running_total() -> None:
    # Quota 120,000; 10% then 15%, from July 12% and 18%; 90 then 60: 9,000 + 30 x 12% + 30 x 18% = 18,000.
    old, new = plan(marginal(rates="0% 10%, 100% 15%")), plan(marginal(rates="0% 12%, 100% 18%"))
    versions = (Version(old, JANUARY, JULY), Version(new, JULY, None))
    deals = (deal(90_000_00, 0), deal(60_000_00, 1, JULY))
    facts = meaning(case(old, *deals, quota=120_000_00, versions=versions))
    assert [line.earned for line in facts.lines] == [9_000_00, 9_000_00]
    assert facts.groups[0].key.version == 1


@pytest.mark.parametrize(
    ("pot", "weights", "parts"),
    [
        (100_00, (1, 1, 1), [33_34, 33_33, 33_33]),
        (-100_00, (1, 1, 1), [-33_34, -33_33, -33_33]),
        (1, (1, 1), [1, 0]),
        (10, (1, 2, 4), [1, 3, 6]),  # 1.43, 2.86, 5.71: the two left over go to .86 and .71
        (0, (1, 5), [0, 0]),
    ],
)
def test_a_pot_is_divided_without_loss(pot: int, weights: tuple[int, ...], parts: list[int]) -> None:
    team = tuple(Member(person, "ae", weight) for person, weight in enumerate(weights, start=1))
    credits = meaning(case(plan(), deal(pot, team=team))).credits
    assert [credit.amount for credit in sorted(credits, key=lambda credit: credit.split)] == parts


def test_a_part_of_somebody_outside_the_plan_is_not_credited_and_still_rolls_up() -> None:
    document = plan()
    document["credit_rules"][0]["roll_up"] = [{"from": ["ae"], "to": "manager", "levels": 1, "limit": "100%"}]
    team = (Member(9, "ae", 3), Member(REP, "ae", 1))
    reports = tuple(Reports(person, MANAGER, JANUARY, None) for person in (9, REP))
    credits = meaning(case(document, deal(100_00, team=team), reports=reports)).credits
    assert [(credit.person, credit.role, credit.split, credit.amount) for credit in credits] == [
        (REP, "ae", 1, 25_00),
        (MANAGER, "manager", 10_000, 100_00),
    ]


def test_rolled_credit_counts_each_part_once_whatever_the_paths_and_keeps_its_limit() -> None:
    # 100 of an AE and 50 of an SE beneath one head, reached directly and through the manager: 150, at most 100.
    document = plan()
    rule = document["credit_rules"][0]
    rule["credit"].append({"role": "se", "share": "50%"})
    rule["roll_up"] = [{"from": ["ae", "se"], "to": "manager", "levels": 2, "limit": "100%"}]
    reports = (
        Reports(REP, MANAGER, JANUARY, None),
        Reports(9, MANAGER, JANUARY, None),
        Reports(MANAGER, HEAD, JANUARY, None),
        Reports(REP, HEAD, JANUARY, None),
        Reports(HEAD, REP, JANUARY, None),  # a circle brings nobody his own credit twice
    )
    team = (Member(REP, "ae", 1), Member(9, "se", 1))
    rolled = [
        c for c in meaning(case(document, deal(-100_00, team=team), reports=reports)).credits if c.kind == "rolled"
    ]
    assert [(credit.person, credit.pot, credit.amount) for credit in rolled] == [
        (MANAGER, -150_00, -100_00),
        (HEAD, -150_00, -100_00),
    ]


@pytest.mark.parametrize(
    ("at", "mode", "step", "lines"),
    [
        ("line", "half-even", "minor", [0, 2, 2]),  # 0.5, 1.5 and 2.5 cents
        ("line", "half-up", "minor", [1, 2, 3]),
        ("curve", "half-even", "minor", [0, 2, 2]),  # sums 0.5, 2, 4.5 -> 0, 2, 4
        ("curve", "half-up", "minor", [1, 1, 3]),  # 1, 2, 5
        ("line", "half-up", "whole", [0, 0, 0]),
    ],
)
def test_rounding_is_where_and_how_it_is_stated(at: str, mode: str, step: str, lines: list[int]) -> None:
    document = plan() | {"rounding": {"at": at, "mode": mode, "step": step}}
    assert earned(document, 5, 15, 25) == lines


def test_rounding_away_from_zero_is_symmetric() -> None:
    half_up, half_even = ({"rounding": {"mode": mode}} for mode in ("half-up", "half-even"))
    halves = [Fraction(number, 2) for number in (-5, -3, -1, 1, 3, 5)]
    assert [rounded(half, half_up, step=1) for half in halves] == [-3, -2, -1, 1, 2, 3]
    assert [rounded(half, half_even, step=1) for half in halves] == [-2, -2, 0, 0, 2, 2]


def test_a_cap_cuts_what_comes_after_it_is_reached() -> None:
    cap = {"amount": "10000.00", "per": "measure_period", "excess": "lost"}
    # Sums 6,000, 11,500, 17,000 and, back at 90 of 100 thousand, 9,000.
    assert earned(plan(cap=cap), 60_000_00, 50_000_00, 30_000_00, -50_000_00) == [6_000_00, 4_000_00, 0, -1_000_00]
    cap["per"] = "deal"
    assert earned(plan(cap=cap), 60_000_00, 130_000_00, 1_000_00) == [6_000_00, 10_000_00, 200_00]


def bonus(**keys: str) -> dict[str, Any]:
    document = plan(kind="bonus", bonus={"amount": "500.00"} | keys)
    if keys["per"] == "credit":
        document["components"][0]["quota"] = None
    return document


def test_a_bonus_for_each_credit_is_paid_and_taken_back() -> None:
    document = bonus(per="credit", min_deal="5000.00")
    amounts = (5_000_00, 4_999_99, -5_000_00, 0)
    assert earned(document, *amounts) == [500_00, 0, -500_00, 0]


@pytest.mark.parametrize(
    ("boundary", "quota", "zero", "lines"),
    [
        ("above", 100_00, "no_pay", [0, 500_00, 0, -500_00]),
        ("below", 100_00, "no_pay", [0, 0, 500_00, -500_00]),
        ("above", 0, "no_pay", [0, 0, 0, 0]),
        ("above", 0, "lowest_tier", [0, 0, 0, 0]),
        ("above", 0, "highest_tier", [500_00, 0, 0, 0]),
        ("above", None, "no_pay", [0, 0, 0, 0]),
    ],
)
def test_a_bonus_for_the_period_is_paid_once_reached(
    boundary: str, quota: int | None, zero: str, lines: list[int]
) -> None:
    document = bonus(per="measure_period", at="100%", boundary=boundary)
    document["components"][0] |= {"zero_quota": zero, "missing_quota": "lowest_tier"}
    assert earned(document, 99_99, 1, 1, -100_00, quota=quota) == lines


def test_tranches_add_up_and_wait_for_their_triggers() -> None:
    release = [
        {"share": "33.333333%", "on": "signature"},
        {"share": "33.333333%", "on": "go-live"},
        {"share": "33.333334%", "on": "usage", "at": "50%"},
    ]
    may, june = date(2026, 5, 31), date(2026, 6, 1)
    facts = meaning(
        case(
            plan(release=release),
            deal(1_000_00, day=may),
            milestones=(Milestone(0, "signature", JANUARY), Milestone(0, "kick-off", may)),
            readings=(Reading(0, june, 1, 2), Reading(0, july := JULY, 9, 10), Reading(0, may, 9, 0)),
        )
    )
    assert july > june
    assert [(t.amount, t.trigger_day, t.release_day, t.pay_period) for t in facts.tranches] == [
        (33_33, JANUARY, may, 4),  # signed before the credit date: released on it
        (33_34, None, None, None),
        (33_33, june, june, 5),
    ]


def test_conditions_read_text_exactly_and_treat_a_missing_value_as_no_match() -> None:
    found = Fact(0, "crm", "1", datetime(2026, 1, 1, tzinfo=UTC), {"stage": "won", "amount": 500}, ())
    sight = Sight(case(plan(), found), plan(), found, REP, JANUARY)

    def leaf(field: str, op: str, value: Any = None) -> bool:
        return sight.holds({"field": field, "op": op, "value": value})

    assert leaf("stage", "is", "won") and not leaf("stage", "is", "Won") and leaf("stage", "starts_with", "wo")
    assert leaf("amount", "between", ["5.00", "6.00"]) and not leaf("amount", "more_than", "5.00")
    assert not leaf("product", "is_not", "GTX") and not leaf("product", "not_in", ["GTX"])
    assert leaf("product", "is_missing") and not leaf("product", "is_present")
    assert sight.holds({"none": [{"any": []}, {"field": "product", "op": "is", "value": "GTX"}]})
