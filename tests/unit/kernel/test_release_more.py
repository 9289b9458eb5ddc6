"""Release by dates, period ends, live usage and cash; triggers that are moved; floating rates; pay currencies
(numbers 28, 29, 31 and 32)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from payouts.kernel import calculate
from payouts.kernel.batch import DATED, HELD, LOST, MISSING_DAY, NO_RATE, WAITING, Exchange
from payouts.kernel.errors import AmountOutOfRange, DateOutsideCalendar
from plans.rules.compiled import Leaf
from plans.rules.compiled_pay import After, Currencies, EmploymentRules, Tranche
from tests.unit.kernel.world import (
    MONTHS,
    Deal,
    commission,
    day,
    employment,
    exchange,
    plan,
    release,
    rule,
    text,
    tiers,
    world,
)

FLAT = tiers((0, 10))
WHOLE = Fraction(1)
TYPES = {"day": "date", "tax": "money"}
A = Deal(1_000, "2026-01-15", name="A")


def fact(kind: str, on: str, amount: Any = None, **more: Any) -> Deal:
    tax = more.pop("tax", None)
    return Deal(amount, None, (), None, kind=kind, of="A", extra={"day": on, "tax": tax}, **more)


def run(facts, *entries: Tranche, made: dict[str, Any] | None = None, **more: Any):
    component = commission(FLAT, release=entries, **more.pop("component", {}))
    return calculate(world(plan(component, **made or {}), facts, types=TYPES, **more))


def rows(result) -> list[tuple[int, int, str]]:
    """Index, minor units, release day (empty where there is none)."""
    parts = result.tranches
    named = ["" if each == MISSING_DAY else iso(each) for each in parts.release_day.tolist()]
    return list(zip(parts.index.tolist(), parts.amount.tolist(), named, strict=True))


def iso(number: int) -> str:
    return str(np.datetime64(number, "D"))


@pytest.mark.parametrize(
    ("entry", "released"),
    [
        (Tranche(WHOLE, "date", None, day=day("2026-04-07")), "2026-04-07"),
        (Tranche(WHOLE, "date", None, day=day("2026-01-02")), "2026-01-15"),
        (Tranche(WHOLE, "period_end", None), "2026-03-31"),
        (Tranche(WHOLE, "credit_date", None, after=After(days=30)), "2026-02-14"),
        (Tranche(WHOLE, "credit_date", None, after=After(months=1)), "2026-02-15"),
        (Tranche(WHOLE, "period_end", None, after=After(months=1)), "2026-04-30"),
        (Tranche(WHOLE, "period_end", None, after=After(months=2, day=15)), "2026-05-15"),
        (Tranche(WHOLE, "period_end", None, after=After(months=3, day=31)), "2026-06-30"),
        (Tranche(WHOLE, "credit_date", None, after=After(months=0, day=28)), "2026-01-28"),
        (Tranche(WHOLE, "credit_date", None, after=After(periods=1)), "2026-02-01"),
        (Tranche(WHOLE, "credit_date", None, after=After(periods=3)), "2026-04-01"),
    ],
)
def test_days_and_what_moves_them(entry, released):
    assert rows(run([A], entry)) == [(0, 10_000, released)]


def test_a_release_behind_the_calendar_is_refused():
    with pytest.raises(DateOutsideCalendar, match="13 pay periods after"):
        run([A], Tranche(WHOLE, "credit_date", None, after=After(periods=13)))


QUARTERS = tuple(Tranche(Fraction(1, 4), "usage", Fraction(at, 100)) for at in (25, 50, 75, 100))
LIVE = tuple(replace(each, reading="live") for each in QUARTERS)
READINGS = [("2026-02-01", 60, 100), ("2026-03-01", 40, 100), ("2026-04-01", 80, 100), ("2026-05-01", 70, 100)]


def test_one_reading_crosses_two_thresholds():
    first = replace(A, usage=READINGS[:1])
    assert rows(run([first], *QUARTERS))[:3] == [(0, 2_500, "2026-02-01"), (1, 2_500, "2026-02-01"), (2, 2_500, "")]


def test_high_water_stays_and_live_falls_back():
    deal = replace(A, usage=READINGS)
    assert [row[2] for row in rows(run([deal], *QUARTERS))] == ["2026-02-01", "2026-02-01", "2026-04-01", ""]
    # 50% stands again from April on, and 75% no longer.
    assert [row[2] for row in rows(run([deal], *LIVE))] == ["2026-02-01", "2026-04-01", "", ""]


def test_what_is_contracted_later_is_the_new_base():
    deal = replace(A, usage=[("2026-02-01", 60, 100), ("2026-03-01", 60, 200), ("2026-04-01", 100, 200)])
    assert [row[2] for row in rows(run([deal], *LIVE))] == ["2026-02-01", "2026-04-01", "", ""]


PAID = Tranche(WHOLE, "paid", None, base="invoiced", tax="without")


def test_release_by_cash_in_thirds():
    cash = [fact("receipt", f"2026-0{month}-01", 100) for month in (2, 3, 4)]
    result = run([A, fact("invoice", "2026-01-20", 300), *cash], PAID)
    # 100.00 at one third, two thirds and all of the invoice.
    assert rows(result) == [(0, 3_333, "2026-02-01"), (0, 3_334, "2026-03-01"), (0, 3_333, "2026-04-01")]
    assert result.tranches.part.tolist() == [0, 1, 2]


def test_what_is_not_paid_waits_as_the_last_part():
    result = run([A, fact("invoice", "2026-01-20", 300), fact("receipt", "2026-02-01", 100)], PAID)
    assert rows(result) == [(0, 3_333, "2026-02-01"), (0, 6_667, "")]


def test_refunds_take_back_parts_and_more_than_the_base_releases_no_more():
    facts = [
        A,
        fact("invoice", "2026-01-20", 200),
        fact("receipt", "2026-02-01", 150),
        fact("refund", "2026-03-01", 50),
        fact("receipt", "2026-04-01", 500),
        fact("refund", "2026-05-01", 50),
    ]
    # 75%, 50%, all; 550 less 500 paid is still all of 200, so that May is no part.
    assert rows(run(facts, PAID)) == [(0, 7_500, "2026-02-01"), (0, -2_500, "2026-03-01"), (0, 5_000, "2026-04-01")]


@pytest.mark.parametrize(
    ("entry", "released"),
    [
        (PAID, 5_000),
        (replace(PAID, tax="with"), 4_167),  # 100 of 240
        (replace(PAID, base="contracted"), 1_000),  # 100 of 1,000
    ],
)
def test_what_cash_is_held_against(entry, released):
    facts = [A, fact("invoice", "2026-01-20", 200, tax=4_000), fact("receipt", "2026-02-01", 100)]
    assert rows(run(facts, entry))[0] == (0, released, "2026-02-01")


def test_invoices_of_a_deal_that_would_wrap_are_refused():
    # 18,447 x 10^15 is 255,926,290,448,384 above 2^64: in 64 bits it would pass for an amount.
    invoices = [fact("invoice", "2026-01-20", 10**13) for _ in range(18_447)]
    with pytest.raises(AmountOutOfRange, match="What is invoiced for a deal"):
        run([A, *invoices], PAID)


def test_nothing_invoiced_releases_nothing():
    assert rows(run([A, fact("receipt", "2026-02-01", 100)], PAID)) == [(0, 10_000, "")]
    assert rows(run([A], PAID)) == [(0, 10_000, "")]


def test_parts_by_cash_after_other_tranches_and_moved():
    half = Fraction(1, 2)
    moved = replace(PAID, share=half, after=After(days=10))
    facts = [A, fact("invoice", "2026-01-20", 100), fact("receipt", "2026-02-01", 40)]
    assert rows(run(facts, Tranche(half, "credit_date", None), moved)) == [
        (0, 5_000, "2026-01-15"),
        (1, 2_000, "2026-02-11"),
        (1, 3_000, ""),
    ]


def test_what_is_released_on_or_after_the_last_day_employed_is_lost():
    entries = release((50, "credit_date"), (30, "go-live"), (20, "handed-over"))
    deal = replace(A, milestones=[("go-live", "2026-05-31"), ("handed-over", "2026-06-01")])
    rules = {"employment": EmploymentRules("count", "count", "lost")}
    career = employment((1, "2025-01-01", "2026-06-01"))
    result = run([deal], *entries, made=rules, employment=career)
    assert result.tranches.state.tolist() == [DATED, DATED, LOST]
    assert result.tranches.pay_period.tolist() == [0, 4, -1]
    kept = run([deal], *entries, made={"employment": EmploymentRules("count", "count", "paid")}, employment=career)
    assert kept.tranches.state is None


def test_held_credit_holds_all_its_tranches():
    made = {"rules": [rule(hold=Leaf("stage", "text", "is", "won"))]}
    result = calculate(world(plan(commission(FLAT, release=release((50, "credit_date"), (50, "x"))), **made), [A]))
    assert result.lines.earned.tolist() == [10_000]
    assert result.tranches.state.tolist() == [HELD, HELD]
    assert result.tranches.release_day.tolist() == [MISSING_DAY, MISSING_DAY]


# ------------------------------------------------------------------ floating rates

TEN_TWELVE = tiers((0, 10), (100, 12), mode="retroactive", attribution="proportional")
LATER = [
    Deal(100_000, "2026-01-15", name="A", milestones=[("go-live", "2026-03-01")]),
    Deal(60_000, "2026-02-15", name="B"),
]


def floating(facts, rate, entries, quota=120_000):
    component = commission(TEN_TWELVE, release=entries, release_rate=rate)
    return calculate(world(plan(component), facts, quotas=[(1, "sales", (MONTHS[0], MONTHS[3]), quota)]))


@pytest.mark.parametrize(("rate", "rest", "line"), [("this_share", 7_200, 12_000), ("true_up", 8_000, 12_000)])
def test_the_rest_at_the_rate_of_its_day(rate, rest, line):
    # 10,000 at 10%, of which 40% is released; at go-live the group stands at 160,000 and 12%.
    result = floating(LATER, rate, release((40, "credit_date"), (60, "go-live")))
    assert (result.tranches.amount // 100).tolist()[:2] == [4_000, rest]
    assert int(result.lines.earned[0]) // 100 == line


def test_fixed_rates_go_by_the_final_total():
    result = floating(LATER, "fixed", release((40, "credit_date"), (60, "go-live")))
    assert (result.tranches.amount // 100).tolist()[:2] == [4_800, 7_200]


def test_a_waiting_tranche_is_shown_at_todays_rate():
    deals = [replace(LATER[0], milestones=()), LATER[1]]
    parts = floating(deals, "true_up", release((40, "credit_date"), (60, "go-live")))
    assert (parts.tranches.amount // 100).tolist()[:2] == [4_000, 8_000]
    # The line is shown at the value last released: 10%.
    assert int(parts.lines.earned[0]) // 100 == 10_000
    none = floating(deals, "true_up", release((100, "go-live")))
    assert (none.tranches.amount // 100).tolist() == [12_000, 7_200]
    assert (none.lines.earned // 100).tolist() == [12_000, 7_200]


def test_a_rate_that_falls_is_trued_up_downwards():
    facts = [
        Deal(130_000, "2026-01-15", name="A", milestones=[("go-live", "2026-03-01")]),
        Deal(-60_000, "2026-02-15", name="B"),
    ]
    entries = release((50, "credit_date"), (50, "go-live"))
    # 15,600 at 12%, then 13,000 at 10%.
    assert (floating(facts, "this_share", entries).tranches.amount // 100).tolist()[:2] == [7_800, 6_500]
    assert (floating(facts, "true_up", entries).tranches.amount // 100).tolist()[:2] == [7_800, 5_200]


# ------------------------------------------------------------------ pay currencies

YEAR = ("2026-01-01", "2027-01-01")


def in_dollars(pay_rate: Any, *rates: Any, entries=((100, "credit_date"),), **more: Any):
    made = plan(commission(FLAT, release=release(*entries)), currency="EUR", currencies=Currencies(pay_rate))
    deal = Deal(100_000, "2026-01-15", name="A", milestones=[("signed", "2026-02-20")])
    return calculate(world(made, [deal], pay_currency={1: "USD"}, exchange=rates[0] if rates else None, **more))


def both(*tables):
    """Tables of rates as one."""

    def words(name):
        return text([getattr(each, name).vocabulary[code] for each in tables for code in getattr(each, name).codes])

    def numbers(name):
        return np.concatenate([getattr(each, name) for each in tables])

    return Exchange(
        *(words(name) for name in ("source", "target", "kind")),
        *(numbers(name) for name in ("start", "end", "top", "bottom")),
    )


SPOT = exchange(("EUR", "USD", "1.10", "2026-01-01", "2026-02-01"), ("EUR", "USD", "1.05", "2026-02-01", "2026-03-01"))
AVERAGE = exchange(("EUR", "USD", "1.08", "2026-01-01", "2026-04-01"), kind="average")


@pytest.mark.parametrize(
    ("pay_rate", "paid", "row"),
    [("credit_date", 11_000, 0), ("period_average", 10_800, 2), ("release_date", 10_500, 1)],
)
def test_the_rate_of_the_stated_day(pay_rate, paid, row):
    # 10,000.00 EUR earned in January, released on 20 February.
    result = in_dollars(pay_rate, both(SPOT, AVERAGE), entries=((100, "signed"),))
    assert result.tranches.amount.tolist() == [1_000_000]
    assert result.tranches.paid_amount.tolist() == [paid * 100]
    assert result.tranches.exchange.tolist() == [row]


def test_each_tranche_alone_and_waiting_without_a_rate():
    parts = in_dollars("release_date", SPOT, entries=((50, "credit_date"), (25, "signed"), (25, "go-live"))).tranches
    assert parts.paid_amount.tolist() == [550_000, 262_500, 0]
    assert parts.state.tolist() == [DATED, DATED, WAITING]
    later = exchange(("EUR", "USD", "1.10", "2026-01-01", "2026-02-01"))
    parts = in_dollars("release_date", later, entries=((50, "credit_date"), (50, "signed"))).tranches
    assert parts.state.tolist() == [DATED, NO_RATE]
    assert parts.release_day.tolist() == [day("2026-01-15"), MISSING_DAY]
    assert parts.pay_period.tolist() == [0, -1]
    assert parts.exchange.tolist() == [0, -1]
    assert in_dollars("release_date").tranches.state.tolist() == [NO_RATE]


def test_who_is_paid_in_the_plans_currency_needs_no_rate():
    made = plan(commission(FLAT), currency="EUR", currencies=Currencies("credit_date"))
    parts = calculate(world(made, [A], pay_currency={1: "EUR", 2: "USD"})).tranches
    assert (parts.paid_amount.tolist(), parts.exchange.tolist(), parts.state.tolist()) == ([10_000], [-1], [DATED])


def test_a_plan_without_currencies_converts_nothing():
    parts = calculate(world(plan(commission(FLAT), currency="EUR"), [A], pay_currency={1: "USD"})).tranches
    assert parts.paid_amount is None


def test_yen_have_no_minor_unit():
    made = plan(commission(FLAT), currencies=Currencies("credit_date"))
    rates = exchange(("USD", "JPY", "149.5", *YEAR))
    parts = calculate(world(made, [Deal(1_005, "2026-01-15")], pay_currency={1: "JPY"}, exchange=rates)).tranches
    # 100.50 dollars are 15,024.75 yen.
    assert parts.paid_amount.tolist() == [15_025]
