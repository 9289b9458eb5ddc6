"""Modifiers, kickers, rate tables and limits of a line: numbers worked by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import MISSING_MONEY
from payouts.kernel.rate import rate
from plans.rules.compiled import Dimension, Kicker, Leaf, Modifier, Modifiers, PayCurve, Point, Read, Table
from tests.unit.kernel.rows import Fields, exact, pays, stretch
from tests.unit.kernel.world import bands, commission

DEALS = [60_000, 50_000, 30_000]
SMALL = Leaf("amount", "money", "at_most", 3_000_000)


def sized(amounts: list[int]) -> Fields:
    return Fields({"amount": [each * 100 for each in amounts]})


def modifiers(*factors: str, combine: Any = "multiply") -> Modifiers:
    return Modifiers(combine, tuple(Modifier(f"m{n}", when=SMALL, times=F(each)) for n, each in enumerate(factors)))


@pytest.mark.parametrize(("deals", "total"), [(DEALS, 19_750), (DEALS[::-1], 18_500)])
def test_a_factor_on_the_earning_of_the_30_depends_on_its_place(deals, total):
    assert sum(pays(commission(modifiers=modifiers("1.5")), deals, fields=sized(deals))) == total


@pytest.mark.parametrize(("combine", "paid"), [("multiply", 1_320), ("add", 1_300)])
def test_factors_multiply_or_add(combine, paid):
    made = commission(modifiers=modifiers("1.2", "1.1", combine=combine))
    assert pays(made, [10_000], fields=sized([10_000])) == [paid]
    # The accelerator stands outside.
    made = replace(made, accelerator=bands((0, "2")))
    assert pays(made, [10_000], fields=sized([10_000])) == [2 * paid]


def test_read_factors_come_in_their_order_and_tables_give_cells():
    table = Table("times", (Dimension("amount", "money", (F(0), F(1_000_000)), "above"),), (F(1), F(1, 2)))
    read = Modifier("csat", read=Read("p", "csat", "result"), curve=None)
    made = commission(modifiers=Modifiers("multiply", (Modifier("size", table=table), read)))
    factors = (Ratios.read([F(11, 10), F(1, 3)]),)
    assert pays(made, [9_000, 10_000], fields=sized([9_000, 10_000]), factors=factors) == [990, F(500, 3)]
    nowhere = Fields({"amount": [MISSING_MONEY, 0]})
    assert pays(made, [9_000, 10_000], fields=nowhere, factors=(Ratios.constant(1),)) == [900, 1_000]


def test_kickers_are_added_after_all_factors_with_the_sign_of_the_credit():
    kickers = (Kicker("small", SMALL, F(2, 100), None), Kicker("poc", SMALL, None, 250_00))
    made = commission(modifiers=modifiers("2"), kickers=kickers)
    amounts = [10_000, -5_000, 40_000]
    fields = sized([10_000, 5_000, 40_000])
    assert pays(made, amounts, fields=fields) == [2_000 + 450, -1_000 - 350, 4_000]
    assert pays(made, amounts, fields=fields, plain=np.ones(3, dtype=bool)) == [1_000, -500, 4_000]


def test_a_gate_halves_after_kickers_and_the_limit_of_the_rate_is_last():
    kickers = (Kicker("poc", SMALL, None, 250_00),)
    made = commission(kickers=kickers, limit_rate=F(6, 100))
    half = Ratios.constant(F(1, 2))
    assert pays(made, [10_000, -1_000], fields=sized([10_000, 1_000]), gate_factor=half) == [600, -60]
    assert pays(commission(limit_rate=F(12, 100)), DEALS) == [6_000, 5_500, 3_600]


def test_a_rate_table_of_two_dimensions():
    size = Dimension("amount", "money", (F(0), F(25_000_00)), "above")
    series = Dimension("product.series", "text", values=("GTX", "MG"), otherwise=True)
    table = Table("rate", (size, series), tuple(F(each, 100) for each in (8, 10, 5, 10, 12, 6)))
    made = commission(None, quota=None, missing_quota=None, zero_quota=None, below_zero=None, table=table)
    amounts = [24_999, 25_000, -30_000, 100, 100]
    fields = Fields(
        {
            "amount": [24_999_00, 25_000_00, -30_000_00, 100_00, MISSING_MONEY],
            "product.series": ["GTX", "MG", None, "X", "GTX"],
        }
    )
    lines = stretch([each * 100 for each in amounts], None, fields=fields)
    found = rate(made, lines)
    assert [each / 100 for each in exact(found)] == [F(199_992, 100), 3_000, -1_800, 5, 0]
    assert found.cell.tolist() == [0, 4, 5, 2, -1]
    closed = replace(table, pays="amount", dimensions=(replace(series, otherwise=False),), cells=(F(500_00), F(300_00)))
    assert pays(replace(made, table=closed), amounts, None, fields=fields) == [500, 300, 0, 0, 500]


@pytest.mark.parametrize(("boundary", "rows"), [("above", [0, 0, 1, 1]), ("below", [0, 0, 0, 1])])
def test_bounds_of_a_number_and_who_lies_below_the_first(boundary, rows):
    months = Dimension("person.tenure_months", "number", (F(0), F("12.5")), boundary)
    made = commission(
        None, table=Table("amount", (months,), (F(1), F(2))), quota=None, missing_quota=None, zero_quota=None
    )
    fields = Fields({"person.tenure_months": [0, 12_499_999, 12_500_000, 12_500_001]})
    assert rate(made, stretch([1] * 4, None, fields=fields)).cell.tolist() == rows
    below = Fields({"person.tenure_months": [-1, MISSING_MONEY]})
    assert rate(made, stretch([1] * 2, None, fields=below)).cell.tolist() == [-1, -1]


def test_an_incentive_is_shaped_too():
    curve = PayCurve("share", "attainment", "steps", "above", "zero", None, None, (Point(F(1, 2), F(1)),))
    made = commission(None, kind="incentive", zero_quota="no_pay", missing_incentive="no_pay", below_zero=None)
    made = replace(made, curve=curve, modifiers=modifiers("0.5"))
    assert pays(made, [60_000], incentive=[None], fields=sized([1])) == [0]
    assert pays(made, [60_000], incentive=[1_000], fields=sized([1])) == [500]


@pytest.mark.parametrize(("outcome", "paid"), [("no_pay", 0), ("lowest_tier", 1_250)])
def test_a_line_that_is_not_paid_gets_no_kicker(outcome, paid):
    made = commission(zero_quota=outcome, kickers=(Kicker("poc", SMALL, None, 250_00),))
    assert pays(made, [10_000], 0, fields=sized([10_000])) == [paid]
