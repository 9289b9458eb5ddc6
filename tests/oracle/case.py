"""A case and the facts that follow from it, as plain Python values.

A case holds plan documents as people write them (text percentages, text money) and all that the language reads
beside them. Days are `datetime.date`, intervals half-open [start, end) with None for an open end, money is whole minor
units, numbers are Fractions of one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
class Fact:
    """`fields` by name; an absent name is a missing value. The place in `team` is the split number. `deal` is the id of
    the deal that a fact of another kind belongs to. `currency` is that of the money fields, None for the plan's."""

    id: int
    source: str
    external_id: str
    event_time: datetime
    fields: dict[str, Value]
    team: tuple[Member, ...]
    kind: str = "deal"
    deal: int | None = None
    currency: str | None = None

    @property
    def belongs_to(self) -> int | None:
        """The id of the deal that this is, or belongs to."""
        return self.id if self.kind == "deal" else self.deal


@dataclass(frozen=True)
class Quota:
    """An amount kept by key for a period: minor units, or millionths where it is counted otherwise."""

    person: int
    key: str
    start: date
    end: date
    amount: int


@dataclass(frozen=True)
class Relief:
    """So much less of a quota while it lasts."""

    person: int
    key: str
    start: date
    end: date
    share: Fraction


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
class Transfer:
    deal: int
    role: str
    giver: int
    receiver: int
    day: date


@dataclass(frozen=True)
class Attribute:
    """`name` is title, region, position, team, pool or person."""

    person: int
    name: str
    value: str
    start: date
    end: date | None


@dataclass(frozen=True)
class Span:
    """Employment, or leave."""

    person: int
    leave: bool
    start: date
    end: date | None


@dataclass(frozen=True)
class Rate:
    """One unit of `source` is `rate` units of `target`; `kind` is spot or average."""

    source: str
    target: str
    kind: str
    start: date
    end: date | None
    rate: Fraction


@dataclass(frozen=True)
class Adjustment:
    person: int
    day: date
    amount: int
    origin: date | None


@dataclass(frozen=True)
class Balance:
    """What a person starts from: `kind` is draw, draw:KEY, carried or clawback."""

    person: int
    kind: str
    amount: int


@dataclass(frozen=True)
class Opening:
    """What the system before measured and earned; its tranches with their release days, None for one that waits."""

    person: int
    version: int
    component: str
    day: date
    measured: int
    earned: int
    tranches: tuple[tuple[int, date | None], ...]


@dataclass(frozen=True)
class Posted:
    """What a line earned of a budget when a batch last took it. A line of a credit is named by fact, split, rule and
    role; one of a period by its day and the length of its periods, `rule`."""

    person: int
    version: int
    component: str
    kind: str
    fact: int | None
    split: int
    day: date | None
    rule: str
    role: str
    earned: int


@dataclass(frozen=True)
class Case:
    """`periods` maps month, quarter, half and year to first days, closed by the first day after the last. `facts` are
    deals and all else that happened. `between` are the lengths and places of what is no period, but the time
    between two of a plan's own."""

    versions: tuple[Version, ...]
    assignments: tuple[Assignment, ...]
    reports: tuple[Reports, ...]
    facts: tuple[Fact, ...]
    quotas: tuple[Quota, ...]
    milestones: tuple[Milestone, ...]
    readings: tuple[Reading, ...]
    periods: dict[str, tuple[date, ...]]
    pay_periods: tuple[date, ...]
    transfers: tuple[Transfer, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    spans: tuple[Span, ...] = ()
    rates: tuple[Rate, ...] = ()
    holidays: tuple[date, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    balances: tuple[Balance, ...] = ()
    pay_currency: tuple[tuple[int, str], ...] = ()
    relief: tuple[Relief, ...] = ()
    openings: tuple[Opening, ...] = ()
    posted: tuple[Posted, ...] = ()
    between: frozenset[tuple[str, int]] = frozenset()
    # The version on which a person is on a day, once it has been asked for.
    seen: dict[tuple[int, str, date], int | None] = field(default_factory=dict, compare=False, repr=False)

    def fact(self, number: int) -> Fact:
        return next(fact for fact in self.facts if fact.id == number)


class CreditFact(NamedTuple):
    """`version` is the place of the version in `Case.versions`; `rule` the key of its rule; `kind` is direct, rolled or
    transferred."""

    person: int
    version: int
    fact: int
    rule: str
    split: int
    role: str
    credit_class: str
    kind: str
    day: date
    pot: int
    amount: int
    held: bool = False


class WaitFact(NamedTuple):
    """A fact that waits for a rate of exchange."""

    fact: int
    version: int
    rule: str


class GroupKey(NamedTuple):
    """A participant's component in a measure period; `version` is that of its last line."""

    person: int
    plan: str
    component: str
    every: str
    period: int
    version: int


class GroupFact(NamedTuple):
    """`value` is exact where it is a ratio (and `total` then None); `result` that of a result component."""

    key: GroupKey
    quota: int | None
    incentive: int | None
    total: int | None
    value: Fraction | None
    result: Fraction | None
    lines: int


class LineFact(NamedTuple):
    """`waiting`: 0 no, 1 its quota, 2 its incentive, 3 what it measures. `kind`: credit, period, reversal, carry or
    opening. `credit` is None for what is no credit's; `fact` is the reversing one of a reversal. `tiers` are
    the places of the tiers that hold `before` and `after`, None where none is looked at; `band` that of the
    accelerator. `exact` is the earning before rounding, as the trace adds it up, None where nothing is rated; `left`
    the last step of the trace, which is what is earned."""

    group: GroupKey
    position: int
    kind: str
    day: date
    version: int
    credit: CreditFact | None
    fact: int | None
    measured: int | None
    before: int | None
    after: int | None
    tiers: tuple[int | None, int | None]
    band: int | None
    rounded: int
    earned: int
    review: int
    waiting: int
    exact: Fraction | None
    left: int


class TrancheFact(NamedTuple):
    """`state`: dated, waiting, held, withheld, lost or no rate. `paid` is the amount in the participant's currency."""

    group: GroupKey
    position: int
    place: int
    part: int
    amount: int
    trigger_day: date | None
    release_day: date | None
    pay_period: int | None
    state: str
    paid: int | None
    rate: Rate | None


class SettlementFact(NamedTuple):
    person: int
    plan: str
    pay_period: int
    released: int
    adjusted: int
    clawed_back: int
    brought_forward: int
    recovered: int
    capped: int
    held_back: int
    topped_up: int
    carried_forward: int
    payout: int
    draw_balance: int
    review: int
    written_off: int
    forgiven: int
    clawback_balance: int
    kept_adjustments: int

    @property
    def moves(self) -> bool:
        """Whether anything happens: balances that only stand are not told."""
        amounts = (self.released, self.adjusted, self.clawed_back, self.recovered, self.capped, self.held_back)
        return any(amounts + (self.topped_up, self.payout, self.review, self.written_off, self.forgiven))


class DrawFact(NamedTuple):
    """One draw of a row, signed as it acts on the net; the balance is that at the end."""

    person: int
    plan: str
    pay_period: int
    key: str
    recovered: int
    topped_up: int
    written_off: int
    balance: int


class ScheduleFact(NamedTuple):
    group: GroupKey
    position: int
    month: date
    amount: int


@dataclass(frozen=True)
class Facts:
    """Everything that a case means, each list sorted. Two results are the same when their Facts are equal."""

    credits: list[CreditFact]
    groups: list[GroupFact]
    lines: list[LineFact]
    tranches: list[TrancheFact]
    waits: list[WaitFact]
    settlements: list[SettlementFact]
    schedules: list[ScheduleFact]
    draws: list[DrawFact]
