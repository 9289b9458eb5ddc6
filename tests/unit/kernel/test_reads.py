"""What is read of finished components: figures, running ones, gates, columns and factors, by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from payouts.kernel.batch import MISSING_DAY, MISSING_MONEY, Groups, Ints, Lines, Tranches
from payouts.kernel.order import reading_order
from payouts.kernel.reads import Ledger
from plans.rules.compiled import Columns, CompiledPlan, Gate, Measure, Modifier, PayCurve, Point, Read
from tests.unit.kernel.world import PERIODS, commission, day, ints, plan

PEOPLE = ints([11, 12, 13])
X = plan(commission())
#: January to March of people 11 and 12: lines of 60 and 50, and one of 30; quotas of 100 and none.
CREDITS = [
    # person, after, earned, day, when
    (0, 6_000, 600, "2026-01-10", 100),
    (0, 11_000, 500, "2026-02-10", 300),
    (1, 3_000, 300, "2026-02-20", 400),
]


def ledger(
    chosen: CompiledPlan = X, quotas: tuple[int, int] = (10_000, MISSING_MONEY), first: int = 0, **columns: Any
) -> Ledger:
    """Of the quarter: people 11 and 12 have a group, 13 has none."""
    book = Ledger([chosen], PERIODS, PEOPLE)
    zero = ints([0, 0])
    groups = Groups(PEOPLE[:2], zero, zero, zero, zero, ints(quotas), ints([11_000, 3_000]), ints([2, 1]), **columns)
    person, after, earned = (ints(line[place] for line in CREDITS) for place in (0, 1, 2))
    none = ints([-1] * 3)
    lines = Lines(
        credit=none,
        group=person + first,
        component=none + 1,
        position=none + 2,
        before=none + 1,
        after=after,
        tier_before=none,
        tier_after=none,
        band=none,
        rounded=earned + 7,
        earned=earned,
        waiting=np.zeros(3, dtype=np.int8),
    )
    released = ints([day("2026-01-31"), MISSING_DAY, day("2026-02-28"), MISSING_DAY])
    tranches = Tranches(
        ints([0, 0, 1, 2]) + first, ints([0, 1, 0, 0]), ints([200, 400, 500, 300]), released, released, none
    )
    versions = reading_order((chosen,))[0].versions
    days, when = ints(day(line[3]) for line in CREDITS), ints(line[4] for line in CREDITS)
    book.add(versions, groups, lines, tranches, day=days, when=when, first_group=first, first_line=first)
    return book


def read(value: Any, book: Ledger, on: str = "2026-03-15", replicate: int = 0) -> list[Any]:
    """The figure of each of the three people, None where it is missing."""
    where = (ints([0, 1, 2]), ints([replicate] * 3), ints([day(on)] * 3))
    return shown(*book.final(Read("plan", "commission", value), *where))


def shown(values: Any, missing: Any) -> list[Any]:
    return [None if gone else value for value, gone in zip(values.fractions(), missing, strict=True)]


def gate(at_least: Any, value: Any = "measure", **changes: Any) -> Gate:
    given = {"read_at": "final", "until_known": "withhold", "catch_up": None, "effect": "withhold"} | changes
    return Gate("g", Read("plan", "commission", value), Fraction(at_least), **given)


@pytest.mark.parametrize("first", [0, 40])
def test_figures_of_a_finished_component(first):
    book = ledger(first=first)
    assert read("measure", book) == [11_000, 3_000, None]
    assert read("attainment", book) == [Fraction(11, 10), None, None]
    assert read("earning", book) == [1_100, 300, None]
    assert read("earning_before_cap", book) == [1_114, 307, None]
    # 2.00 and 5.00 are released, 4.00 and 3.00 wait.
    assert read("released", book) == [700, 0, None]
    assert read("result", book) == [None, None, None]


def test_another_period_replicate_or_component_has_no_figure():
    book = ledger()
    assert read("measure", book, on="2026-04-01") == [None, None, None]
    assert read("measure", book, replicate=1) == [None, None, None]
    nothing = book.final(Read("plan", "other", "measure"), ints([0]), ints([0]), ints([day("2026-01-01")]))
    assert shown(*nothing) == [None]


def test_a_quota_of_zero_says_nothing_of_attainment():
    assert read("attainment", ledger(quotas=(0, 6_000))) == [None, Fraction(1, 2), None]


def test_results_and_ratios_are_read_exactly():
    share = plan(commission(measure=Measure("quarter", "share", by="period", empty="wait", unit="share")))
    exact = {"value_top": ints([1, 0]), "value_bottom": ints([7, 0])}
    book = ledger(share, quotas=(500_000, 500_000), result_top=ints([5, 0]), result_bottom=ints([4, 0]), **exact)
    assert read("result", book) == [Fraction(5, 4), None, None]
    # A share that waits is missing; 1/7 of a fixed 50% is 2/7 of it.
    assert read("measure", book) == [Fraction(1, 7), None, None]
    assert read("attainment", book) == [Fraction(2, 7), None, None]


def test_units_are_read_as_whole_ones():
    units = plan(commission(measure=Measure("quarter", unit="units")))
    book = ledger(units, quotas=(22_000, 3_000))
    assert read("measure", book) == [Fraction(11, 1000), Fraction(3, 1000), None]
    assert read("attainment", book) == [Fraction(1, 2), 1, None]


def test_a_running_figure_goes_up_to_the_same_place_in_the_order():
    book = ledger()
    for value, expected in (
        ("measure", [0, 6_000, 6_000, 11_000, 11_000]),
        ("attainment", [0, Fraction(3, 5), Fraction(3, 5), Fraction(11, 10), Fraction(11, 10)]),
    ):
        when = ints([99, 100, 299, 300, 900])
        zero = ints([0] * 5)
        found = book.running(Read("plan", "commission", value), zero, zero, zero + day("2026-03-01"), when)
        assert shown(*found) == expected
    one, none = ints([1]), ints([0])
    where = (none + day("2026-03-01"), ints([1]))
    assert shown(*book.running(Read("plan", "commission", "attainment"), one, none, *where)) == [None]
    assert shown(*book.running(Read("plan", "commission", "measure"), one, none, *where)) == [0]
    assert shown(*book.running(Read("plan", "commission", "measure"), one + 1, none, *where)) == [None]


def test_a_gate_is_met_by_what_is_there_and_enough():
    book = ledger()
    where = (ints([0, 1, 2]), ints([0] * 3), ints([day("2026-03-15")] * 3))
    assert book.met(gate(11_000), *where).tolist() == [True, False, False]
    assert book.met(gate("1.1", "attainment"), *where).tolist() == [True, False, False]
    # Nothing is asked, but where nothing is there it is not met.
    assert book.met(gate(0), *where).tolist() == [True, True, False]
    running = gate(6_000, read_at="running", until_known=None, catch_up=False)
    assert book.met(running, *where, ints([99, 900, 900])).tolist() == [False, False, False]
    assert book.met(running, *where, ints([100, 900, 900])).tolist() == [True, False, False]


def test_the_day_on_which_a_gate_was_first_met():
    book = ledger()
    where = (ints([0, 1, 2]), ints([0] * 3), ints([day("2026-01-15")] * 3))

    def days(asked: Any, value: Any = "measure") -> list[Any]:
        found: Ints = book.met_day(gate(asked, value, read_at="running", catch_up=True), *where)
        return [None if each == MISSING_DAY else str(np.datetime64(int(each), "D")) for each in found]

    assert days(3_000) == ["2026-01-10", "2026-02-20", None]
    assert days(6_001) == ["2026-02-10", None, None]
    assert days(1, "attainment") == ["2026-02-10", None, None]
    assert days(0) == ["2026-01-15"] * 3


def test_a_final_figure_is_known_on_the_last_day_of_its_period():
    book = ledger()
    found = book.known_day(Read("plan", "commission", "measure"), ints([day("2026-02-10"), day("2026-04-01")]))
    assert found.tolist() == [day("2026-03-31"), day("2026-06-30")]


def test_the_column_that_holds_the_figure():
    where = (ints([0, 1, 2]), ints([0] * 3), ints([day("2026-03-15")] * 3))
    starts = (Fraction(0), Fraction(3_000), Fraction(11_000))
    columns = Columns(Read("plan", "commission", "measure"), "above", starts)
    assert ledger().column(columns, *where).tolist() == [2, 1, 0]
    assert ledger().column(replace(columns, boundary="below"), *where).tolist() == [1, 0, 0]


def test_a_factor_by_a_figure_is_1_where_nothing_is_read():
    points = (Point(Fraction(1_000), Fraction(1, 2)), Point(Fraction(11_000), Fraction(3, 2)))
    curve = PayCurve("times", "value", "interpolated", "above", "first", "last", None, points)
    modifier = Modifier("m", read=Read("plan", "commission", "measure"), curve=curve)
    where = (ints([0, 1, 2]), ints([0] * 3), ints([day("2026-03-15")] * 3))
    # 30.00 is a fifth of the way from 10.00 to 110.00: 0.5 + 0.2.
    assert ledger().factor(modifier, *where).fractions() == [Fraction(3, 2), Fraction(7, 10), 1]


def test_of_stretches_the_last_says_the_measure_and_all_the_earnings():
    """Person 11 has two groups in one quarter, as a restart leaves them."""
    book = Ledger([X], PERIODS, PEOPLE)
    zero = ints([0, 0])
    groups = Groups(ints([11, 11]), zero, zero, zero, zero, ints([10_000, 4_000]), ints([6_000, 5_000]), zero + 1)
    none, earned = zero - 1, ints([600, 500])
    after = ints([6_000, 5_000])
    lines = Lines(none, ints([0, 1]), zero, zero + 1, zero, after, none, none, none, earned, earned, zero)
    tranches = Tranches(ints([0, 1]), zero, earned, earned, earned, zero)
    days = ints([day("2026-01-10"), day("2026-02-10")])
    versions = reading_order((X,))[0].versions
    book.add(versions, groups, lines, tranches, day=days, when=ints([1, 2]))
    assert read("measure", book) == [5_000, None, None]
    assert read("attainment", book) == [Fraction(5, 4), None, None]
    assert read("earning", book) == [1_100, None, None]


def test_year_to_date_by_credit_is_read_by_the_year():
    yearly = plan(commission(measure=Measure("quarter", window="year_to_date", quota_basis="cumulative")))
    assert read("measure", ledger(yearly), on="2026-11-11") == [11_000, 3_000, None]


def test_of_versions_by_different_periods_the_shorter_is_read():
    monthly = plan(commission(every="month", measure=Measure("month")), digest="1" * 64)
    book = Ledger([X, monthly], PERIODS, PEOPLE)
    zero = ints([0, 0])
    # The first quarter by one version, and its month of March by the other.
    groups = Groups(ints([11, 11]), ints([0, 1]), zero, ints([0, 2]), zero, zero, ints([6_000, 5_000]), ints([1, 1]))
    none, earned = zero - 1, ints([600, 500])
    lines = Lines(none, ints([0, 1]), zero, zero + 1, zero, zero, none, none, none, earned, earned, zero)
    tranches = Tranches(ints([0, 1]), zero, earned, earned, earned, zero)
    versions = reading_order((X, monthly))[0].versions
    book.add(versions, groups, lines, tranches, day=ints([day("2026-01-10"), day("2026-03-10")]), when=None)
    assert read("measure", book) == [5_000, None, None]
    assert read("measure", book, on="2026-02-15") == [6_000, None, None]
