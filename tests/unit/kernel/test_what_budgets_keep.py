"""Posting what lines earn under a budget changes no line, whichever of them are posted."""

from __future__ import annotations

from dataclasses import replace
from random import Random

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
