"""Fields of facts, of their deals and of people, beside any rows (crediting/kernel/fields.py)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from crediting.kernel.columns import MISSING_DAY, MISSING_MONEY, Facts
from crediting.kernel.errors import ColumnAbsent
from crediting.kernel.fields import FactRows, World
from plans.rules.compiled import Group, Leaf
from tests.unit.kernel.world import attributes, day, days, employment, ints, plan, text

NOTHING = ints([])


def facts(**columns):
    """A deal, an invoice of it, and an activity of no deal."""
    given = {
        "text": {"stage": text(["won", None, None])},
        "money": {"amount": ints([10_000, 4_000, MISSING_MONEY])},
        "dates": {"day": days([None, "2026-02-01", "2026-03-01"])},
        "numbers": {"quantity": np.array([Fraction(3, 2), None, Fraction(1, 3)], dtype=object)},
        "booleans": {"custom.new": np.array([1, -1, 0], dtype=np.int8)},
    }
    return Facts(
        ints([7, 8, 9]),
        ints([0, 1, 2]),
        ints([0, 0, 0]),
        kind=text(["deal", "invoice", "activity"]),
        deal=ints([0, 0, -1]),
        **(given | columns),
    )


def rows(world, *, fact=(0, 1, 2), participant=(1, 1, 2), on="2026-06-30"):
    return FactRows(world, plan(), ints(fact), ints(participant), ints([day(on)] * len(fact)))


def test_a_fact_reads_itself_and_its_deal():
    found = rows(World(facts()))
    assert found.column("amount", "money").tolist() == [10_000, 4_000, MISSING_MONEY]
    assert found.column("deal.amount", "money").tolist() == [10_000, 10_000, MISSING_MONEY]
    stage = found.column("deal.stage", "text")
    assert stage.codes.tolist() == [0, 0, -1]
    assert found.column("deal.day", "date").tolist() == [MISSING_DAY] * 3
    assert found.column("deal.custom.new", "boolean").tolist() == [1, 1, -1]


def test_rows_may_repeat_and_skip_facts():
    found = rows(World(facts()), fact=(1, 1, 0))
    assert found.column("amount", "money").tolist() == [4_000, 4_000, 10_000]
    assert found.mask(Leaf("deal.stage", "text", "is", "won")).tolist() == [True] * 3
    assert found.mask(Group("none", (Leaf("stage", "text", "is", "won"),))).tolist() == [True, True, False]


def test_numbers_are_millionths_and_compared_exactly():
    found = rows(World(facts()))
    assert found.column("quantity", "number").tolist() == [1_500_000, MISSING_MONEY, 333_333]
    # A third is more than 0.333333, though its column is not.
    assert found.mask(Leaf("quantity", "number", "more_than", Fraction("0.333333"))).tolist() == [True, False, True]
    held = World(facts(numbers={"quantity": ints([1_500_000, MISSING_MONEY, 0])}))
    leaf = Leaf("quantity", "number", "between", (Fraction(0), Fraction("1.5")))
    assert rows(held).mask(leaf).tolist() == [True, False, True]
    assert rows(held).mask(Leaf("deal.quantity", "number", "is_missing", None)).tolist() == [False, False, True]


def test_a_person_is_read_as_of_the_day():
    world = World(
        facts(),
        attributes((1, "title", "AE", "2026-01-01", "2026-07-01"), (1, "title", "Lead", "2026-07-01", "2027-01-01")),
        employment((1, "2024-01-31", "2025-01-01"), (1, "2025-06-01", "2027-01-01")),
    )
    june, july = rows(world), rows(world, on="2026-07-01")
    words = [world.careers.attribute("title", ints([1]), ints([day("2026-06-30")])).vocabulary]
    assert words == [("AE", "Lead")]
    assert june.column("person.title", "text").codes.tolist() == [0, 0, -1]
    assert july.column("person.title", "text").codes.tolist() == [1, 1, -1]
    assert june.column("person.region", "text").codes.tolist() == [-1, -1, -1]
    assert june.mask(Leaf("person.title", "text", "is", "AE")).tolist() == [True, True, False]
    # From 31 January 2024 to 30 June 2026: 28 whole months and the 29th, which June ends on its 30th.
    assert june.column("person.tenure_months", "number").tolist() == [29_000_000, 29_000_000, MISSING_MONEY]
    assert june.column("person.hired_on", "date").tolist() == [day("2024-01-31")] * 2 + [MISSING_DAY]


def test_a_field_that_nobody_carries_is_refused():
    with pytest.raises(ColumnAbsent, match=r"money field 'custom\.net'"):
        rows(World(facts())).column("deal.custom.net", "money")
    with pytest.raises(ColumnAbsent, match=r"computes no such field"):
        rows(World(facts())).column("computed.margin", "money")
    with pytest.raises(ColumnAbsent, match=r"no person is known"):
        FactRows(World(facts()), plan(), None, None, ints([0, 0, 0])).column("person.title", "text")
