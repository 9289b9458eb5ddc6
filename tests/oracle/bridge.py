"""A case as columns for `payouts.kernel.calculate`, and its result as the oracle's facts.

Rows, plans and vocabularies are shuffled by a seed, because the order of the input means nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, TypeVar

import numpy as np

from payouts.kernel import calculate
from payouts.kernel.batch import (
    FAR_DAY,
    MISSING_DAY,
    MISSING_MONEY,
    Assignments,
    Batch,
    Ints,
    Milestones,
    Quotas,
    Reporting,
    Result,
    Teams,
    Text,
    Usage,
)
from payouts.kernel.batch import Facts as Columns
from plans.rules.compile import compile_plan
from tests.oracle.case import Case, CreditFact, Facts, GroupFact, GroupKey, LineFact, TrancheFact
from tests.oracle.meaning import FIELD_TYPES

EPOCH = date(1970, 1, 1)
Row = TypeVar("Row")


@dataclass(frozen=True)
class Shuffled:
    """A batch and the way back: which version stands at each place of its plans."""

    batch: Batch
    versions: list[int]


def kernel_facts(case: Case, *, seed: int = 0, only: Iterable[int] | None = None) -> Facts:
    """What the kernel says about the case, in the oracle's terms."""
    shuffled = batch_of(case, seed=seed, only=only)
    return facts_of(case, shuffled, calculate(shuffled.batch))


def batch_of(case: Case, *, seed: int = 0, only: Iterable[int] | None = None) -> Shuffled:
    random = Random(seed)

    def shuffle(rows: Iterable[Row]) -> list[Row]:
        rows = list(rows)
        random.shuffle(rows)
        return rows

    def text(values: Sequence[Any]) -> Text:
        vocabulary = shuffle(sorted({value for value in values if value is not None} | {"a word that no row has"}))
        codes = [-1 if value is None else vocabulary.index(value) for value in values]
        return Text(np.array(codes, dtype=np.int32), tuple(vocabulary))

    versions = shuffle(range(len(case.versions)))
    plans = tuple(compile_plan(case.versions[version].document) for version in versions)
    deals = shuffle(case.deals)
    row_of = {deal.id: row for row, deal in enumerate(deals)}
    names = sorted((deal.source, deal.external_id) for deal in case.deals)

    kinds = dict(FIELD_TYPES)
    for version in case.versions:
        kinds |= version.document.get("fields", {})

    def columns(kind: str, column: Callable[[list[Any]], Any]) -> dict[str, Any]:
        return {
            name: column([deal.fields.get(name) for deal in deals]) for name, found in kinds.items() if found == kind
        }

    members = shuffle((row_of[deal.id], place, member) for deal in deals for place, member in enumerate(deal.team))
    reports, quotas = shuffle(case.reports), shuffle(case.quotas)
    milestones, readings = shuffle(case.milestones), shuffle(case.readings)
    assigned = shuffle(
        (held.person, place, max(held.start, version.start), min(day_number(held.end), day_number(version.end)))
        for held in case.assignments
        for place, version in ((place, case.versions[index]) for place, index in enumerate(versions))
        if version.document["key"] == held.plan
    )
    assigned = [row for row in assigned if day_number(row[2]) < row[3]]

    batch = Batch(
        plans=plans,
        periods={every: ints(map(day_number, starts)) for every, starts in case.periods.items()},
        pay_periods=ints(map(day_number, case.pay_periods)),
        facts=Columns(
            id=ints(deal.id for deal in deals),
            rank=ints(7 + 3 * names.index((deal.source, deal.external_id)) for deal in deals),
            event_time=ints(microseconds(deal.event_time) for deal in deals),
            text=columns("text", text),
            money=columns("money", lambda values: ints(MISSING_MONEY if v is None else v for v in values)),
            dates=columns("date", lambda values: ints(MISSING_DAY if v is None else day_number(v) for v in values)),
            numbers=columns("number", objects),
            booleans=columns(
                "boolean", lambda values: np.array([-1 if v is None else v for v in values], dtype=np.int8)
            ),
        ),
        teams=Teams(
            fact=ints(row for row, _, _ in members),
            role=text([member.role for _, _, member in members]),
            participant=ints(member.person for _, _, member in members),
            weight=ints(member.weight for _, _, member in members),
            place=ints(place for _, place, _ in members),
        ),
        reporting=Reporting(
            participant=ints(line.person for line in reports),
            manager=ints(line.manager for line in reports),
            start=ints(day_number(line.start) for line in reports),
            end=ints(day_number(line.end) for line in reports),
        ),
        assignments=Assignments(
            participant=ints(row[0] for row in assigned),
            plan=ints(row[1] for row in assigned),
            start=ints(day_number(row[2]) for row in assigned),
            end=ints(row[3] for row in assigned),
        ),
        quotas=Quotas(
            participant=ints(quota.person for quota in quotas),
            key=text([quota.key for quota in quotas]),
            start=ints(day_number(quota.start) for quota in quotas),
            end=ints(day_number(quota.end) for quota in quotas),
            amount=ints(quota.amount for quota in quotas),
        ),
        milestones=Milestones(
            deal=ints(row_of[reached.deal] for reached in milestones),
            kind=text([reached.kind for reached in milestones]),
            day=ints(day_number(reached.day) for reached in milestones),
        ),
        usage=Usage(
            deal=ints(row_of[reading.deal] for reading in readings),
            day=ints(day_number(reading.day) for reading in readings),
            used=ints(reading.used for reading in readings),
            contracted=ints(reading.contracted for reading in readings),
        ),
        only=None if only is None else ints(only),
    )
    return Shuffled(batch, versions)


def facts_of(case: Case, shuffled: Shuffled, result: Result) -> Facts:
    """The kernel's rows by what they are about, never by where they stand."""
    batch, versions = shuffled.batch, shuffled.versions
    credits, groups, lines, tranches = result.credits, result.groups, result.lines, result.tranches

    credit_facts = [
        CreditFact(
            person=int(credits.participant[row]),
            version=versions[credits.plan[row]],
            deal=int(batch.facts.id[credits.fact[row]]),
            rule=batch.plans[credits.plan[row]].credit_rules[credits.rule[row]].key,
            split=int(credits.split[row]),
            role=word(credits.role, row),
            credit_class=word(credits.credit_class, row),
            rolled=bool(credits.kind[row]),
            day=day_of(credits.day[row]),
            pot=int(credits.pot[row]),
            amount=int(credits.amount[row]),
        )
        for row in range(len(credits.fact))
    ]

    keys, group_facts = [], []
    for row in range(len(groups.participant)):
        plan = batch.plans[groups.plan[row]]
        component = plan.components[groups.component[row]]
        keys.append(
            GroupKey(int(groups.participant[row]), plan.key, component.key, component.every, int(groups.period[row]))
        )
        quota = None if groups.quota[row] == MISSING_MONEY else int(groups.quota[row])
        group_facts.append(
            GroupFact(keys[-1], versions[groups.plan[row]], quota, int(groups.total[row]), int(groups.lines[row]))
        )

    line_facts = [
        LineFact(
            group=keys[lines.group[row]],
            position=int(lines.position[row]),
            credit=credit_facts[lines.credit[row]],
            before=int(lines.before[row]),
            after=int(lines.after[row]),
            rounded=int(lines.rounded[row]),
            earned=int(lines.earned[row]),
            waiting=bool(lines.waiting[row]),
        )
        for row in range(len(lines.credit))
    ]
    tranche_facts = [
        TrancheFact(
            group=line_facts[tranches.line[row]].group,
            position=line_facts[tranches.line[row]].position,
            place=int(tranches.index[row]),
            amount=int(tranches.amount[row]),
            trigger_day=day_or_none(tranches.trigger_day[row]),
            release_day=day_or_none(tranches.release_day[row]),
            pay_period=None if tranches.pay_period[row] == -1 else int(tranches.pay_period[row]),
        )
        for row in range(len(tranches.line))
    ]
    return Facts(
        sorted(credit_facts),
        sorted(group_facts, key=lambda fact: fact.key),
        sorted(line_facts, key=lambda fact: (fact.group, fact.position)),
        sorted(tranche_facts, key=lambda fact: (fact.group, fact.position, fact.place)),
    )


# ------------------------------------------------------------------ values


def ints(values: Iterable[int]) -> Ints:
    return np.array(list(values), dtype=np.int64)


def objects(values: list[Any]) -> Any:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def day_number(day: date | None) -> int:
    return FAR_DAY if day is None else (day - EPOCH).days


def day_of(number: Any) -> date:
    return EPOCH + timedelta(days=int(number))


def day_or_none(number: Any) -> date | None:
    return None if number == MISSING_DAY else day_of(number)


def microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def word(text: Text, row: int) -> str:
    return text.vocabulary[text.codes[row]]
