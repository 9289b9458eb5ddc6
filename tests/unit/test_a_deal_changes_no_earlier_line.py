"""Where a plan is onward (payouts.frames.onward), a deal that comes, goes, moves or changes leaves everything of an
earlier credit date as it is: on generated plans over all constructs, with those that others pay by left out less often.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from payouts.frames.onward import onward
from payouts.kernel.errors import KernelError
from plans.rules.checks import check, errors
from plans.rules.compiled import (
    Accelerator,
    Bonus,
    Cap,
    CompiledPlan,
    CreditRule,
    Kicker,
    Measure,
    PayCurve,
    Ramp,
    Table,
    Tier,
    Tiers,
)
from plans.rules.compiled_pay import Tranche
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


def mixed(case: Case, random: Random) -> Case:
    """The case with versions that go on another way: most carry, and of a few some restart where others carry."""
    versions, ways = [], ("carry",) if random.random() < 0.8 else ("carry", "restart")
    for version in case.versions:
        document = version.document | {"on_new_version": random.choice(ways)}
        versions.append(version if errors(check(document)) else replace(version, document=document))
    return replace(case, versions=tuple(versions), seen={})


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
            other = replace(case, facts=facts, seen={})
            yield without(other, deal) if changed is None else other, min(days, default=None)


def without(case: Case, deal: Fact) -> Case:
    """Without what happened to a deal."""
    return replace(
        case,
        milestones=tuple(row for row in case.milestones if row.deal != deal.id),
        readings=tuple(row for row in case.readings if row.deal != deal.id),
        transfers=tuple(row for row in case.transfers if row.deal != deal.id),
        seen={},
    )


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
        [row for row in found.schedules if (row.group, row.position) in kept],
    )
    return [[without_version(row) for row in table] for table in tables]


def without_version(row: Any) -> Any:
    return row._replace(group=row.group._replace(version=0)) if "group" in row._fields else row


@dataclass
class Seen:
    """How many altered cases were compared that something came of, of how many in which a plan has two versions in one
    period; and where an earlier row was another one."""

    compared: int = 0
    of_two_versions: int = 0
    wrong: list[str] = field(default_factory=list)


def changed_before(seed: int, numbers: range, features: frozenset[str]) -> Seen:
    seen = Seen()
    for number in numbers:
        random = Random(number)
        case = mixed(case_at(seed, number, features)[0], random)
        if not is_onward(case):
            continue
        try:
            stands = kernel_facts(case, seed=number)
        except KernelError:
            continue
        of_two = len({(line.group, line.version) for line in stands.lines}) > len({line.group for line in stands.lines})
        for place, (other, day) in enumerate(others(case, random)):
            try:
                found = kernel_facts(other, seed=number)
            except KernelError:
                continue
            if stands.lines == found.lines:
                continue  # it gives nobody anything
            seen.compared += 1
            seen.of_two_versions += of_two
            for ours, theirs in zip(before(stands, day), before(found, day), strict=True):
                if ours != theirs:
                    seen.wrong.append(f"{seed}-{number}, {place}: {[row for row in ours if row not in theirs][:1]}")
                    break
    return seen


@pytest.mark.parametrize(
    ("features", "cases", "least", "of_two_versions"),
    [(FEATURES - REACHING, 150, 150, 10), (FEATURES - {"fact kinds"}, 300, 5, 0)],
    ids=["onward", "any"],
)
def test_what_lies_before_a_deal_does_not_move(
    features: set[str], cases: int, least: int, of_two_versions: int
) -> None:
    seen = changed_before(20261122, range(cases), frozenset(features))
    assert not seen.wrong
    assert seen.compared >= least
    assert seen.of_two_versions >= of_two_versions


#: What `onward` has looked at: a new field is asked there, or does not matter to it, and is named here then.
LOOKED_AT: dict[type, set[str]] = {
    CompiledPlan: {
        *("key", "name", "currency", "minor_digits", "digest", "round_at", "round_mode", "round_step"),
        *("credit_rules", "components", "on_new_version", "computed", "proration", "employment", "caps"),
        *("currencies", "overrides", "settlement", "document"),
    },
    CreditRule: {
        *("key", "credit_class", "when", "credit_date", "amount", "credit", "roll_up", "fact", "unit"),
        *("eligible", "hold", "limit", "on_transfer"),
    },
    Measure: {
        *("every", "value", "window", "periods", "of", "by", "weight", "part", "from_field", "to_field"),
        *("first_day", "last_day", "empty", "quota_basis", "per", "unit"),
    },
    Tiers: {"mode", "attribution", "boundary", "rates", "axis", "pays", "full_points", "columns"},
    Tier: {"start", "rate", "back", "rates"},
    Cap: {"amount", "per", "excess", "of_incentive", "of_component", "share", "counts", "until"},
    Bonus: {"amount", "per", "min_deal", "at", "boundary"},
    Accelerator: {"boundary", "bands"},
    Kicker: {"key", "when", "rate", "amount"},
    Table: {"pays", "dimensions", "cells"},
    PayCurve: {"pays", "axis", "mode", "boundary", "below", "beyond", "full_points", "points"},
    Ramp: {"start", "quota", "incentive"},
    Tranche: {"share", "on", "at", "reading", "base", "tax", "day", "after"},
}


@pytest.mark.parametrize("of", LOOKED_AT, ids=lambda of: of.__name__)
def test_a_new_field_is_looked_at(of: type) -> None:
    assert {each.name for each in fields(of)} == LOOKED_AT[of]
