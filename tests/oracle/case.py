"""A case and the facts that follow from it, as plain Python values.

A case holds plan documents as people write them (text percentages, text money) and all that the language reads
beside them. Days are `datetime.date`, intervals half-open [start, end) with None for an open end, money is whole minor
units.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any, NamedTuple

Value = str | int | Fraction | date | bool | None


@dataclass(frozen=True)
class Version:
    """One plan version and the dates on which it is in force. `document["key"]` names the plan."""

    document: dict[str, Any]
    start: date
    end: date | None


@dataclass(frozen=True)
class Assignment:
    person: int
    plan: str
    start: date
    end: date | None


@dataclass(frozen=True)
class Reports:
    person: int
    manager: int
    start: date
    end: date | None


@dataclass(frozen=True)
class Member:
    person: int
    role: str
    weight: int


@dataclass(frozen=True)
class Deal:
    """`fields` by name; an absent name is a missing value. The place in `team` is the split number."""

    id: int
    source: str
    external_id: str
    event_time: datetime
    fields: dict[str, Value]
    team: tuple[Member, ...]


@dataclass(frozen=True)
class Quota:
    person: int
    key: str
    start: date
    end: date
    amount: int


@dataclass(frozen=True)
class Milestone:
    deal: int
    kind: str
    day: date


@dataclass(frozen=True)
class Reading:
    deal: int
    day: date
    used: int
    contracted: int


@dataclass(frozen=True)
class Case:
    """`periods` maps month, quarter and year to first days, closed by the first day after the last."""

    versions: tuple[Version, ...]
    assignments: tuple[Assignment, ...]
    reports: tuple[Reports, ...]
    deals: tuple[Deal, ...]
    quotas: tuple[Quota, ...]
    milestones: tuple[Milestone, ...]
    readings: tuple[Reading, ...]
    periods: dict[str, tuple[date, ...]]
    pay_periods: tuple[date, ...]


class CreditFact(NamedTuple):
    """`version` is the place of the version in `Case.versions`; `rule` the key of its rule."""

    person: int
    version: int
    deal: int
    rule: str
    split: int
    role: str
    credit_class: str
    rolled: bool
    day: date
    pot: int
    amount: int


class GroupKey(NamedTuple):
    """A participant's component in a measure period."""

    person: int
    plan: str
    component: str
    every: str
    period: int


class GroupFact(NamedTuple):
    key: GroupKey
    version: int
    quota: int | None
    total: int
    lines: int


class LineFact(NamedTuple):
    group: GroupKey
    position: int
    credit: CreditFact
    before: int
    after: int
    rounded: int
    earned: int
    waiting: bool


class TrancheFact(NamedTuple):
    group: GroupKey
    position: int
    place: int
    amount: int
    trigger_day: date | None
    release_day: date | None
    pay_period: int | None


@dataclass(frozen=True)
class Facts:
    """Everything that a case means, each list sorted. Two results are the same when their Facts are equal."""

    credits: list[CreditFact]
    groups: list[GroupFact]
    lines: list[LineFact]
    tranches: list[TrancheFact]
