"""Where a plan is onward (payouts.frames.onward), a deal that comes, goes, moves or changes leaves everything of an
earlier credit date as it is: on generated plans over all constructs, with those that others pay by left out less often.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from payouts.frames.onward import onward
from payouts.kernel.errors import KernelError
from tests.oracle.agree import case_at
from tests.oracle.bridge import compiled_once, kernel_facts
from tests.oracle.case import Case, Fact, Facts
from tests.oracle.pick import FEATURES

#: Each makes most plans something that a later deal may reach back into: a case of all of them is hardly ever onward.
REACHING = frozenset(
    {
        *("fact kinds", "transfers", "count", "by period", "ratios", "others", "rolling", "reads", "columns"),
        *("result", "scorecard", "pool", "rank", "modifiers", "carried", "budget", "gates", "running gates"),
        *("plan caps", "rerun", "floating", "clawback", "amortise", "order", "counterpart", "result in money"),
        *("openings", "posted", "eligible on", "measured cap"),
    }
)


def is_onward(case: Case) -> bool:
    return not case.openings and onward(compiled_once(version.document) for version in case.versions)


def others(case: Case, random: Random) -> Iterator[tuple[Case, date | None]]:
    """The case with one of its deals gone, of another amount, or on another day; and the first day on which that deal
    is or was credited, None where it never is."""
    deals = [fact for fact in case.facts if fact.kind == "deal"]
    names = {rule["credit_date"] for version in case.versions for rule in version.document["credit_rules"]}
    for deal in deals:
        for changed in (None, dearer(deal), later(deal, names, random.choice((-40, -1, 1, 40)))):
            facts = tuple(changed or deal if fact is deal else fact for fact in case.facts)
            if changed is None:
                facts = tuple(fact for fact in facts if fact.belongs_to != deal.id)
            days = {day for each in (deal, changed) if each is not None for day in credited(each, names)}
            about = {"milestones", "readings", "transfers"} if changed is None else set()
            rest = {name: tuple(row for row in getattr(case, name) if row.deal != deal.id) for name in about}
            yield replace(case, facts=facts, seen={}, **rest), min(days, default=None)


def dearer(deal: Fact) -> Fact:
    fields = {name: value * 3 if type(value) is int else value for name, value in deal.fields.items()}
    return replace(deal, fields=fields)


def later(deal: Fact, names: set[str], days: int) -> Fact:
    fields = dict(deal.fields)
    for name in names:
        value = fields.get(name)
        if isinstance(value, date):
            fields[name] = value + timedelta(days=days)
    return replace(deal, fields=fields)


def credited(deal: Fact, names: set[str]) -> set[date]:
    stated = {date.fromisoformat(name) for name in names if name[:1].isdigit()}
    return stated | {value for name in names if isinstance(value := deal.fields.get(name), date)}


def before(found: Facts, day: date | None) -> list[list[Any]]:
    """What is credited before the day. That a group's last line is of another version is no change of a line."""
    lines = [line for line in found.lines if day is None or line.day < day]
    kept = {(line.group, line.position) for line in lines}
    tables = (
        [credit for credit in found.credits if day is None or credit.day < day],
        lines,
        [tranche for tranche in found.tranches if (tranche.group, tranche.position) in kept],
    )
    return [[without_version(row) for row in table] for table in tables]


def without_version(row: Any) -> Any:
    return row._replace(group=row.group._replace(version=0)) if "group" in row._fields else row


def changed_before(seed: int, numbers: range, features: frozenset[str]) -> tuple[int, list[str]]:
    """How many altered cases were compared, and where an earlier line was another one."""
    compared, wrong = 0, []
    for number in numbers:
        case, _ = case_at(seed, number, features)
        if not is_onward(case):
            continue
        try:
            stands = kernel_facts(case, seed=number)
        except KernelError:
            continue
        for place, (other, day) in enumerate(others(case, Random(number))):
            try:
                found = kernel_facts(other, seed=number)
            except KernelError:
                continue
            if stands.lines == found.lines:
                continue  # it gives nobody anything
            compared += 1
            for ours, theirs in zip(before(stands, day), before(found, day), strict=True):
                if ours != theirs:
                    wrong.append(f"{seed}-{number}, {place}: {[row for row in ours if row not in theirs][:1]}")
                    break
    return compared, wrong


@pytest.mark.parametrize("features", [FEATURES - REACHING, FEATURES - {"fact kinds"}], ids=["onward", "any"])
def test_what_lies_before_a_deal_does_not_move(features: frozenset[str]) -> None:
    compared, wrong = changed_before(20261122, range(300 if features & REACHING else 60), frozenset(features))
    assert not wrong
    assert compared
