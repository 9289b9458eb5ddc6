"""What budgets keep: posting what lines earn changes no line, whichever are posted; and how a case says it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from comp.core.errors import ProblemsError
from payouts.case import read_case
from plans.rules.load import read_yaml
from tests.oracle.agree import case_at, judged
from tests.oracle.case import Posted
from tests.oracle.meaning import meaning
from tests.oracle.pick import FEATURES
from tests.oracle.posted import keeps, named
from tests.oracle.reading import OutsideCalendar


def test_posting_what_lines_earn_changes_none() -> None:
    tried = 0
    for number in range(400):
        case, used = case_at(99, number, FEATURES - {"posted"})
        if "budget" not in used:
            continue
        try:
            before = meaning(case)
        except OutsideCalendar:
            continue
        chance, found = Random(number), dict[Posted, Posted]()
        for line in before.lines:
            if keeps(case, line) and chance.random() < 0.6:
                row = named(line, line.earned)
                found.setdefault(replace(row, version=0, earned=0), row)
        if not found:
            continue
        tried += 1
        posted = replace(case, posted=tuple(found.values()))
        assert meaning(posted).lines == before.lines, number
        assert judged(posted, used, str(number), seed=number).different == []
    assert tried > 20


CASE = Path(__file__).parents[2] / "plans" / "budget-a-late-earlier-deal-takes-what-is-left.yaml"


@pytest.mark.parametrize(
    ("change", "path", "says"),
    [
        ({"deal": ...}, "posted[0]", "A line is of a `deal`, or of the period that ends on a `day`."),
        ({"day": "2026-01-31"}, "posted[0]", "A line is of a `deal`, or of the period that ends on a `day`."),
        ({"person": "Ada"}, "posted[0].role", "stands once on the team"),
        ({"role": "se"}, "posted[0].role", "ae"),
        ({"rule": "lost"}, "posted[0].rule", "won"),
        ({"earned": "-1.00"}, "posted[0].earned", ""),
    ],
)
def test_what_a_case_cannot_say_was_posted(change: dict[str, Any], path: str, says: str) -> None:
    document = read_yaml(CASE.read_text(encoding="utf-8"))
    document["posted"][0] = {k: v for k, v in (document["posted"][0] | change).items() if v is not ...}
    with pytest.raises(ProblemsError) as refused:
        read_case(document)
    assert any(each.path == path and says in each.message + each.allowed for each in refused.value.problems), [
        str(each) for each in refused.value.problems
    ]


def test_of_several_rules_and_plans_a_case_says_which() -> None:
    document = read_yaml(CASE.read_text(encoding="utf-8"))
    rules = document["plan"]["credit_rules"]
    rules.append(rules[0] | {"key": "also"})
    with pytest.raises(ProblemsError, match="say which"):
        read_case(document)
    document["posted"] = [row | {"rule": "won", "role": "ae"} for row in document["posted"]]
    kept = read_case(document).batch.kept
    assert kept is not None and kept.rule.vocabulary == ("won",) and kept.earned.tolist() == [10_000, 10_000]
