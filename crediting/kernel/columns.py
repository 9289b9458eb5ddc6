"""What crediting takes and gives: columns, no I/O.

Conventions: days are int64 counted from 1970-01-01, `MISSING_DAY` where there is none; intervals are half-open
[start, end); money is int64 minor units; indexes point into the arrays of the same batch or result; -1 means none.
Text that conditions read is a `Text` column: int32 codes into a vocabulary, -1 where missing. Quantities, number
fields and everything counted in units are int64 millionths, `MISSING_MONEY` where missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from comp.core.money import LARGEST

#: LARGEST: no amount, quota or running total may pass this many minor units; more raises AmountOutOfRange.
__all__ = [
    "DIRECT",
    "FAR_DAY",
    "LARGEST",
    "MILLIONTHS",
    "MISSING_DAY",
    "MISSING_MONEY",
    "ROLLED",
    "ROLLED_SPLIT",
    "TRANSFERRED",
    "Assignments",
    "Attributes",
    "Codes",
    "Credits",
    "Employment",
    "Exchange",
    "Facts",
    "Ints",
    "Reporting",
    "Teams",
    "Text",
    "Transfers",
    "Waits",
]

Ints = npt.NDArray[np.int64]
#: A column of small numbers, in as few bytes as hold them all: to look up by and to compare, not to calculate with.
Codes = npt.NDArray[np.signedinteger[Any]]
MISSING_DAY = int(np.iinfo(np.int64).min)
MISSING_MONEY = int(np.iinfo(np.int64).min)
FAR_DAY = int(np.iinfo(np.int64).max)
#: The split number of a rolled-up credit is this plus the place of its entry in the rule's `roll_up`.
ROLLED_SPLIT = 10_000
#: A unit of a quantity.
MILLIONTHS = 10**6
#: The kinds of credit.
DIRECT, ROLLED, TRANSFERRED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Text:
    codes: npt.NDArray[np.int32]
    vocabulary: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """One row a fact (and replicate): deals, and what happens to them or beside them. `kind` is None where all are
    deals; `deal` is the row of the deal that a fact belongs to, its own row for a deal, -1 for a fact without one
    (None: every fact is a deal of its own). `rank` orders facts by (source, external id) in code-point order: only its
    order counts. `text`, `money`, `dates`, `numbers`, `booleans` hold the fields that plans name (`stage`, `amount`,
    `close_date`, `custom.x`; not `deal.*`, `computed.*` and `person.*`, which the kernel works out); one that a plan
    reads may not be left out. Numbers are Fractions in an object array (None where missing) or int64 millionths;
    booleans are int8 with -1 where missing. `currency` of the money fields: None where all are in the plans'."""

    id: Ints
    rank: Ints
    event_time: Ints  # microseconds since 1970-01-01 UTC
    text: Mapping[str, Text]
    money: Mapping[str, Ints]
    dates: Mapping[str, Ints]
    numbers: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    booleans: Mapping[str, npt.NDArray[np.int8]] = field(default_factory=dict)
    replicate: Ints | None = None  # None: all zero
    kind: Text | None = None
    deal: Ints | None = None
    currency: Text | None = None


@dataclass(frozen=True, slots=True)
class Teams:
    """Who stands on which fact: one row a fact, role and person, in the fact's own order. A fact without rows of its
    own has those of its deal."""

    fact: Ints  # row in Facts
    role: Text
    participant: Ints  # participant id
    weight: Ints  # positive
    place: Ints  # the place in the fact's team list, from 0: the split number


@dataclass(frozen=True, slots=True)
class Transfers:
    """A deal handed from one person to another in a role."""

    deal: Ints  # row in Facts
    role: Text
    giver: Ints  # participant ids
    receiver: Ints
    day: Ints


@dataclass(frozen=True, slots=True)
class Reporting:
    participant: Ints
    manager: Ints
    start: Ints
    end: Ints  # FAR_DAY where open


@dataclass(frozen=True, slots=True)
class Assignments:
    """Person to plan version: the assignment's dates intersected with the version's dates."""

    participant: Ints
    plan: Ints  # index into Batch.plans
    start: Ints
    end: Ints


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a participant is, by dates: `name` is title, region, position, team, pool or person (the participant's own
    key, always)."""

    participant: Ints
    name: Text
    value: Text
    start: Ints
    end: Ints


@dataclass(frozen=True, slots=True)
class Employment:
    """Spans of employment (`leave` 0) and of leave (1). A participant without a span of employment is employed."""

    participant: Ints
    leave: npt.NDArray[np.int8]
    start: Ints
    end: Ints


@dataclass(frozen=True, slots=True)
class Exchange:
    """Rates of exchange: one unit of `source` is `top` / `bottom` units of `target` on [start, end). Units are whole
    ones, not minor units. `kind` is spot or average."""

    source: Text
    target: Text
    kind: Text
    start: Ints
    end: Ints
    top: Ints
    bottom: Ints


@dataclass(frozen=True, slots=True)
class Credits:
    """One row a credit. (fact, participant, plan, rule, role, split) is unique within a replicate."""

    fact: Ints  # row in Facts
    participant: Ints
    plan: Codes  # index into Batch.plans
    rule: Codes  # index into plan.credit_rules
    role: Text
    credit_class: Text
    kind: npt.NDArray[np.int8]  # DIRECT, ROLLED, TRANSFERRED
    split: Ints
    day: Ints
    pot: Ints  # direct: the role's pot that was divided; rolled: the sum of the parts before the limit
    amount: Ints
    held: npt.NDArray[np.int8] | None = None  # 1 where held; None: none is
    exchange: Ints | None = None  # row in Exchange at which its fact was converted, -1 for none; None: none was


@dataclass(frozen=True, slots=True)
class Waits:
    """Credits that cannot be given yet, named as in `Credits`: by plan, rule, replicate and the order of facts, then by
    participant, role and split."""

    fact: Ints  # row in Facts
    participant: Ints
    plan: Ints  # index into Batch.plans
    rule: Ints
    role: Text
    split: Ints
    day: Ints  # the credit date
    reason: Text  # "rate": no rate of exchange holds the day; "currency": the plan converts nothing
    currency: Text  # the fact's, or its deal's, that there is no rate for

    def by_fact(self) -> Ints:
        """Of each fact and rule the first row: the facts that wait, once a rule."""
        new = np.ones(self.fact.size, dtype=bool)
        new[1:] = False
        for column in (self.fact, self.rule, self.plan):
            new[1:] |= column[1:] != column[:-1]
        return np.flatnonzero(new)
