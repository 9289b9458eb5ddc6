"""A plan whose components read each other, from its text to what is paid; for everybody, and for one alone."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from payouts.case import Case, read_case
from payouts.kernel import calculate
from payouts.kernel.batch import MISSING_DAY, Batch
from plans.rules.load import read_yaml
from tests.unit.kernel.world import day, ints

TEXT = (Path(__file__).parent / "cases" / "overrides-results-pools-and-ranks.yaml").read_text(encoding="utf-8")
#: By person and component: what each line earns.
EARNED = {
    ("Ben", "commission"): [100_00, 300_00],
    ("Cy", "commission"): [200_00],
    ("Ada", "override"): [10_00, 30_00],
    ("Ben", "override"): [20_00],
    ("Ada", "override-two"): [10_00],
    ("Ben", "mix"): [0],
    ("Cy", "mix"): [0],
    ("Ben", "volume"): [0],
    ("Cy", "volume"): [0],
    ("Ben", "card"): [500_00],
    ("Cy", "card"): [0],
    ("Ada", "pot"): [20_00],
    ("Ben", "pot"): [20_00],
    ("Cy", "pot"): [20_00],
    ("Ada", "purse"): [33_34],
    ("Ben", "purse"): [33_33],
    ("Cy", "purse"): [33_33],
    ("Ben", "gated"): [100_00, 400_00],
    ("Cy", "gated"): [0],
    ("Ben", "race"): [500_00],
    ("Cy", "race"): [300_00],
}
RESULTS = {
    ("Ben", "mix"): Fraction(1, 2),
    ("Cy", "mix"): Fraction(2),
    ("Ben", "volume"): Fraction(1, 2),
    ("Cy", "volume"): Fraction(1, 4),
}


@pytest.fixture(scope="module")
def case() -> Case:
    return read_case(read_yaml(TEXT))


def told(case: Case, batch: Batch) -> tuple[dict[Any, list[int]], dict[Any, Fraction]]:
    found = calculate(batch)
    groups, lines = found.groups, found.lines
    keys = [component.key for component in batch.plans[0].components]
    names = [
        (case.people[person], keys[component])
        for person, component in zip(groups.participant.tolist(), groups.component.tolist(), strict=True)
    ]
    earned: dict[Any, list[int]] = {}
    for group, amount in zip(lines.group.tolist(), lines.earned.tolist(), strict=True):
        earned.setdefault(names[group], []).append(amount)
    results = {}
    if groups.result_top is not None and groups.result_bottom is not None:
        for name, top, bottom in zip(names, groups.result_top.tolist(), groups.result_bottom.tolist(), strict=True):
            if bottom:
                results[name] = Fraction(top, bottom)
    return earned, results


def test_everything_comes_to_what_was_worked_by_hand(case):
    assert told(case, case.batch) == (EARNED, RESULTS)


@pytest.mark.parametrize("name", ["Ada", "Ben", "Cy"])
def test_one_alone_gets_what_he_gets_among_all(case, name):
    """What he depends on is read, though only his own is returned."""
    alone = told(case, replace(case.batch, only=ints([case.people.index(name)])))
    for found, all_of_them in zip(alone, (EARNED, RESULTS), strict=True):
        assert found == {key: value for key, value in all_of_them.items() if key[0] == name}


def test_gates_say_when_it_is_released(case):
    found = calculate(case.batch)
    keys = [component.key for component in case.batch.plans[0].components]
    gated = found.groups.component[found.lines.group[found.tranches.line]] == keys.index("gated")
    released = [None if each == MISSING_DAY else each for each in found.tranches.release_day[gated].tolist()]
    assert released == [None, day("2026-03-31"), day("2026-03-31")]
