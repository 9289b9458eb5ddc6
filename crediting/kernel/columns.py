"""What crediting takes and gives: columns, no I/O.

Conventions: days are int64 counted from 1970-01-01, `MISSING_DAY` where there is none; intervals are half-open
[start, end); money is int64 minor units; indexes point into the arrays of the same batch or result; -1 means none.
Text that conditions read is a `Text` column: int32 codes into a vocabulary, -1 where missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from comp.core.money import LARGEST

#: LARGEST: no amount, quota or running total may pass this many minor units; more raises AmountOutOfRange.
__all__ = [
    "FAR_DAY",
    "LARGEST",
    "MISSING_DAY",
    "MISSING_MONEY",
    "ROLLED_SPLIT",
    "Assignments",
    "Credits",
    "Deals",
    "Ints",
    "Reporting",
    "Teams",
    "Text",
]

Ints = npt.NDArray[np.int64]
MISSING_DAY = int(np.iinfo(np.int64).min)
MISSING_MONEY = int(np.iinfo(np.int64).min)
FAR_DAY = int(np.iinfo(np.int64).max)
#: The split number of a rolled-up credit is this plus the place of its entry in the rule's `roll_up`.
ROLLED_SPLIT = 10_000


@dataclass(frozen=True, slots=True)
class Text:
    codes: npt.NDArray[np.int32]
    vocabulary: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deals:
    """One row a deal (and replicate). `rank` orders deals by (source, external id) in code-point order: only its order
    counts. `text`, `money`, `dates`, `numbers`, `booleans` hold the fields that conditions, credit dates and amounts
    name (`stage`, `product.series`, `amount`, `close_date`, `custom.x`); one that a plan reads may not be left out.
    Numbers are Fractions in an object array, None where missing; booleans are int8 with -1 where missing."""

    id: Ints
    rank: Ints
    event_time: Ints  # microseconds since 1970-01-01 UTC
    text: Mapping[str, Text]
    money: Mapping[str, Ints]
    dates: Mapping[str, Ints]
    numbers: Mapping[str, npt.NDArray[np.object_]] = field(default_factory=dict)
    booleans: Mapping[str, npt.NDArray[np.int8]] = field(default_factory=dict)
    replicate: Ints | None = None  # None: all zero


@dataclass(frozen=True, slots=True)
class Teams:
    """Who stands on which deal: one row a deal, role and person, in the deal's own order."""

    deal: Ints  # row in Deals
    role: Text
    participant: Ints  # participant id
    weight: Ints  # positive
    place: Ints  # the place in the deal's team list, from 0: the split number


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
class Credits:
    """One row a credit. (deal, participant, plan, rule, role, split) is unique within a replicate."""

    deal: Ints  # row in Deals
    participant: Ints
    plan: Ints  # index into Batch.plans
    rule: Ints  # index into plan.credit_rules
    role: Text
    credit_class: Text
    kind: npt.NDArray[np.int8]  # 0 direct, 1 rolled up
    split: Ints
    day: Ints
    pot: Ints  # direct: the role's pot that was divided; rolled: the sum of the parts before the limit
    amount: Ints
