"""Rounding, caps, release and the columns' promises: exact at any size, the same in any order of rows."""

from __future__ import annotations

import random
from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
import pytest

import crediting.kernel.exact as exact
from payouts.kernel import Result, calculate
from payouts.kernel.batch import LARGEST, MISSING_DAY
from payouts.kernel.errors import AmountOutOfRange, DateOutsideCalendar
from plans.rules.compiled import RollUp
from tests.unit.kernel.world import (
    Q1,
    YEAR,
    Deal,
    bands,
    bonus,
    cap,
    commission,
    day,
    plan,
    release,
    rule,
    tiers,
    world,
)


def lines_of(made, deals, **changes):
    return calculate(world(made, deals, **changes)).lines


FIVES = [Deal(minor=5, close=f"2026-01-1{place}") for place in range(4)]


@pytest.mark.parametrize(
    ("at", "mode", "lines"),
    [
        ("line", "half-even", [0, 0, 0, 0]),
        ("line", "half-up", [1, 1, 1, 1]),
        # Exact running sums 0.5, 1, 1.5, 2.
        ("curve", "half-even", [0, 1, 1, 0]),
        ("curve", "half-up", [1, 0, 1, 0]),
    ],
)
def test_rounding_by_line_and_along_the_curve(at, mode, lines):
    assert lines_of(plan(round_at=at, round_mode=mode), FIVES).earned.tolist() == lines
    negative = [replace(deal, minor=-5) for deal in FIVES]
    assert lines_of(plan(round_at=at, round_mode=mode), negative).earned.tolist() == [-line for line in lines]


def test_rounding_to_whole_units():
    deals = [Deal(1_234, "2026-01-10"), Deal(1_235, "2026-01-11"), Deal(1_255, "2026-01-12")]
    assert lines_of(plan(round_step=100), deals).earned.tolist() == [12_300, 12_400, 12_600]
    assert lines_of(plan(round_step=100, round_at="curve"), deals).earned.tolist() == [12_300, 12_400, 12_500]


def test_curve_rounding_runs_on_over_a_new_version():
    rates = ((0, 10),), ((0, Fraction(100, 7)),)
    versions = [
        (plan(commission(tiers(*rates[0])), round_at="curve"), "2026-01-01", "2026-01-12"),
        (plan(commission(tiers(*rates[1])), round_at="curve"), "2026-01-12", "2027-01-01"),
    ]
    # 0.5 and 1, then 5/7 more each: 1.714 and 2.428.
    assert lines_of(versions, FIVES).earned.tolist() == [0, 1, 1, 0]


DEALS = [Deal(60_000, "2026-01-11"), Deal(50_000, "2026-01-12"), Deal(-30_000, "2026-01-13")]


def test_a_cap_on_the_measure_period():
    lines = lines_of(plan(commission(cap=cap(10_000))), DEALS)
    assert lines.rounded.tolist() == [600_000, 550_000, -350_000]
    # Sums of 6,000, 11,500 and 8,000 against the cap of 10,000.
    assert lines.earned.tolist() == [600_000, 400_000, -200_000]


def test_a_cap_on_each_deal():
    team = [("ae", 1), ("ae", 1)]
    deals = [Deal(60_000, "2026-01-11", team), Deal(20_000, "2026-01-12", team)]
    lines = lines_of(plan(commission(cap=cap(5_000, "deal"))), deals)
    assert lines.rounded.tolist() == [300_000, 300_000, 100_000, 100_000]
    assert lines.earned.tolist() == [300_000, 200_000, 100_000, 100_000]


def test_a_cap_on_a_deal_begins_anew_in_each_measure_period():
    # The same deal is credited in January by its close and in May by its start.
    rules = [rule(), rule(key="start", credit_date="custom.start")]
    deal = Deal(60_000, "2026-01-11", extra={"custom.start": "2026-05-01"})
    component = commission(cap=cap(7_000, "deal"), missing_quota="lowest_tier")
    lines = calculate(world(plan(component, rules=rules), [deal], types={"custom.start": "date"})).lines
    assert lines.position.tolist() == [1, 1]
    assert lines.earned.tolist() == [600_000, 600_000]


@pytest.mark.parametrize(
    ("minor", "step", "parts"),
    [(5, 1, [2, 2, 1]), (-5, 1, [-2, -2, -1]), (0, 1, [0, 0, 0]), (10_100, 100, [5_000, 2_600, 2_500])],
)
def test_tranches_are_rounded_along_the_line(minor, step, parts):
    component = commission(tiers((0, 100)), release=release((50, "signature"), (25, "go-live"), (25, "use")))
    result = calculate(world(plan(component, round_step=step), [Deal(minor=minor)]))
    assert result.tranches.amount.tolist() == parts


def test_tranches_are_cumulative_and_add_up_to_the_line():
    third = Fraction(100, 3)
    component = commission(tiers((0, 100)), release=release((third, "signature"), (third, "go-live"), (third, "use")))
    result = calculate(world(plan(component), [Deal(100)]))
    assert result.tranches.amount.tolist() == [3_333, 3_334, 3_333]
    assert result.tranches.index.tolist() == [0, 1, 2]
    assert result.tranches.line.tolist() == [0, 0, 0]


def test_tranches_are_released_by_their_triggers():
    component = commission(release=release((40, "signature"), (10, "credit_date"), (25, "go-live"), (25, "usage 75")))
    deal = Deal(
        10_000,
        "2026-02-15",
        milestones=[("signature", "2026-03-10"), ("signature", "2026-02-01")],
        usage=[("2026-03-05", 74, 100), ("2026-04-02", 75, 100), ("2026-05-01", 10, 100)],
    )
    tranches = calculate(world(plan(component), [deal])).tranches
    assert tranches.amount.tolist() == [40_000, 10_000, 25_000, 25_000]
    # The earliest signature was before the credit date, so the credit date releases.
    assert tranches.trigger_day.tolist() == [day("2026-02-01"), day("2026-02-15"), MISSING_DAY, day("2026-04-02")]
    assert tranches.release_day.tolist() == [day("2026-02-15"), day("2026-02-15"), MISSING_DAY, day("2026-04-02")]
    assert tranches.pay_period.tolist() == [1, 1, -1, 3]


def test_usage_of_nothing_contracted_never_releases():
    component = commission(release=release((100, "usage 50")))
    readings = [("2026-03-05", 10, 0), ("2026-03-06", 10, -5), ("2026-03-07", 10**18, 10**18)]
    for usage, waits in ((readings[:2], True), (readings, False)):
        tranches = calculate(world(plan(component), [Deal(10_000, usage=usage)])).tranches
        assert (tranches.pay_period.tolist() == [-1]) is waits


def test_dates_outside_the_calendar_are_refused():
    plans = [(plan(), "2025-01-01", "2028-01-01")]
    for close in ("2025-12-31", "2027-01-01"):
        with pytest.raises(DateOutsideCalendar, match=f"credit date, by quarter {close} lies outside the calendar"):
            calculate(world(plans, [Deal(10, close)]))
    late = Deal(10, milestones=[("go-live", "2027-01-01")])
    with pytest.raises(DateOutsideCalendar, match="release date 2027-01-01"):
        calculate(world(plan(commission(release=release((100, "go-live")))), [late]))


def rich_world(**changes):
    """Two versions, split teams, roll-ups over two levels, negative deals, caps, bonuses and tranches at once."""
    source = random.Random(7)
    people = range(1, 9)
    deals = [
        Deal(
            minor=source.randrange(-(10**6), 5 * 10**6),
            close=f"2026-{source.randrange(1, 13):02}-{source.randrange(1, 29):02}",
            event=source.randrange(3),
            team=[(source.choice(("ae", "se")), source.choice(people), source.randrange(1, 4)) for _ in range(4)],
            milestones=[("go-live", f"2026-{source.randrange(1, 13):02}-05")] * source.randrange(2),
            usage=[(f"2026-{source.randrange(1, 13):02}-07", source.randrange(100), 100) for _ in range(3)],
        )
        for _ in range(120)
    ]
    rules = [
        rule(("ae", 100), ("se", 50), roll_up=[RollUp(("ae", "se"), "manager", 2, Fraction(3, 4))]),
        rule(("se", 30), key="second"),
    ]
    components = (
        commission(roles=("ae", "manager"), accelerator=bands((0, "1"), (25_000, "1.25")), cap=cap(9_000)),
        commission(
            tiers((0, 3), (50, Fraction(100, 7)), mode="retroactive", attribution="running", boundary="below"),
            key="overlay",
            roles=("se",),
            every="month",
            quota="overlay",
            missing_quota="lowest_tier",
            release=release((50, "go-live"), (50, "usage 50")),
        ),
        bonus(500, min_deal=10_000, cap=cap(900, "deal")),
    )
    first = plan(*components, rules=rules, round_at="curve")
    second = plan(*components[:2], rules=rules[:1], round_mode="half-up")
    return world(
        [(first, "2026-01-01", "2026-05-10"), (second, "2026-05-10", "2027-01-01")],
        deals,
        people=people,
        quotas=[(person, "sales", Q1, 40_000) for person in people]
        + [(person, "overlay", (Q1[0], Q1[0] + 31), 5_000) for person in people],
        reporting=[(person, person // 2, "2026-01-01", "2027-01-01") for person in people if person > 1],
        **changes,
    )


def same(one: Result, other: Result, deals=None) -> None:
    """Every column equal; credits name the same deals, by name where the rows were shuffled."""
    for table in fields(Result):
        if getattr(one, table.name) is None:
            assert getattr(other, table.name) is None
            continue
        for column in fields(type(getattr(one, table.name))):
            left, right = (getattr(getattr(each, table.name), column.name) for each in (one, other))
            if (table.name, column.name) == ("credits", "fact") and deals is not None:
                right = np.array(deals)[right]
            if left is None or right is None:
                assert left is right, column.name
                continue
            if hasattr(left, "codes"):
                assert left.vocabulary == right.vocabulary
                left, right = left.codes, right.codes
            assert left.dtype == right.dtype, column.name
            assert np.array_equal(left, right), (table.name, column.name)


def test_the_order_of_rows_changes_nothing():
    order = list(range(120))
    random.Random(3).shuffle(order)
    result = calculate(rich_world())
    assert result.lines.credit.size > 300
    same(result, calculate(rich_world(order=order)), order)


def test_python_ints_give_what_int64_gives(monkeypatch):
    result = calculate(rich_world())
    monkeypatch.setattr(exact, "FITS", 0)
    # Packed sort keys have to stay int64 in any case.
    monkeypatch.setattr("crediting.kernel.credit.packed", _packed_in_int64)
    monkeypatch.setattr("payouts.kernel.measure.packed", _packed_in_int64)
    same(result, calculate(rich_world()))


def _packed_in_int64(columns):
    key = None
    size = 1
    for codes, below in columns:
        key = codes.astype(np.int64) if key is None else key * below + codes
        size *= below
    assert size < 2**63
    return key, size


def test_keys_too_wide_for_64_bits_still_order():
    rows = 500
    source = np.random.default_rng(5)
    columns = [(source.integers(0, 2**40, rows), 2**40) for _ in range(3)] + [(source.integers(0, 3, rows), 3)]
    key, below = exact.packed(columns)
    assert key.max() < below
    assert np.array_equal(np.argsort(key, kind="stable"), np.lexsort([codes for codes, _ in reversed(columns)]))


def test_only_restricts_what_is_returned_and_nothing_else():
    whole, some = calculate(rich_world()), calculate(rich_world(only=[2, 5]))
    mine = np.isin(whole.groups.participant, [2, 5])
    assert mine.any() and not mine.all()
    assert np.array_equal(whole.groups.total[mine], some.groups.total)
    assert np.array_equal(whole.lines.earned[mine[whole.lines.group]], some.lines.earned)


def test_replicates_are_futures_of_their_own():
    deals = [
        Deal(60_000, "2026-01-11"),
        Deal(50_000, "2026-01-12", replicate=1),
        Deal(60_000, "2026-01-10", replicate=1),
    ]
    result = calculate(world(plan(), deals))
    assert result.groups.replicate.tolist() == [0, 1]
    assert result.groups.total.tolist() == [6_000_000, 11_000_000]
    assert result.lines.earned.tolist() == [600_000, 600_000, 550_000]


def test_the_largest_amounts_are_exact():
    # Rates and bounds whose denominators leave no room in 64 bits.
    odd = tiers((0, Fraction(100, 9_973)), (Fraction("33.333333"), Fraction("12.345678")))
    component = commission(odd, accelerator=bands((0, "1.234567")))
    amount, quota = LARGEST - 1, LARGEST // 2 + 3
    result = calculate(world(plan(component), [Deal(minor=amount)], quotas=[(1, "sales", Q1, Fraction(quota, 100))]))
    bound = quota * Fraction("0.33333333")
    exactly = (bound / 9_973 + (amount - bound) * Fraction("0.12345678")) * Fraction("1.234567")
    assert result.lines.earned.tolist() == [round(exactly)]


def test_an_earning_out_of_range_is_refused():
    with pytest.raises(AmountOutOfRange, match="An earning"):
        calculate(world(plan(commission(tiers((0, 200)))), [Deal(minor=LARGEST)]))


def test_a_measure_over_the_year_and_the_month():
    deals = [Deal(60_000, "2026-01-31"), Deal(60_000, "2026-02-01")]
    year = calculate(world(plan(commission(every="year")), deals, quotas=[(1, "sales", YEAR, 100_000)]))
    assert year.lines.earned.tolist() == [600_000, 700_000]
    month = calculate(world(plan(commission(every="month", missing_quota="lowest_tier")), deals))
    assert month.groups.period.tolist() == [0, 1]
    assert month.lines.earned.tolist() == [600_000, 600_000]
