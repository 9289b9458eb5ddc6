"""What goes into `calculate` and what comes out: columns, no I/O.

Conventions: days are int64 counted from 1970-01-01, `MISSING_DAY` where there is none; intervals are half-open
[start, end); money is int64 minor units; indexes point into the arrays of the same batch or result; -1 means none.
Text that conditions read is a `Text` column: int32 codes into a vocabulary, -1 where missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crediting.kernel.columns import (
    FAR_DAY,
    LARGEST,
    MISSING_DAY,
    MISSING_MONEY,
    ROLLED_SPLIT,
    Assignments,
    Credits,
    Deals,
    Ints,
    Reporting,
    Teams,
    Text,
)
from plans.rules.compiled import CompiledPlan

__all__ = [
    "FAR_DAY",
    "LARGEST",
    "MISSING_DAY",
    "MISSING_MONEY",
    "ROLLED_SPLIT",
    "Assignments",
    "Batch",
    "Credits",
    "Deals",
    "Groups",
    "Ints",
    "Lines",
    "Milestones",
    "Quotas",
    "Reporting",
    "Result",
    "Teams",
    "Text",
    "Tranches",
    "Usage",
]


@dataclass(frozen=True, slots=True)
class Quotas:
    participant: Ints
    key: Text
    start: Ints  # first day of the measure period that it is for: matched exactly with `end`
    end: Ints
    amount: Ints


@dataclass(frozen=True, slots=True)
class Milestones:
    deal: Ints  # row in Deals
    kind: Text
    day: Ints  # only milestones that stand reached


@dataclass(frozen=True, slots=True)
class Usage:
    deal: Ints
    day: Ints
    used: Ints
    contracted: Ints


@dataclass(frozen=True, slots=True)
class Batch:
    """`periods` maps month, quarter and year to the sorted first days of consecutive periods, closed by the first day
    after the last. `pay_periods` is the same for the pay calendar. A credit date or release date outside them raises
    DateOutsideCalendar.
    `only` limits what is returned (not what is read) to these participants; None returns all."""

    plans: tuple[CompiledPlan, ...]
    periods: Mapping[str, Ints]
    pay_periods: Ints
    deals: Deals
    teams: Teams
    reporting: Reporting
    assignments: Assignments
    quotas: Quotas
    milestones: Milestones
    usage: Usage
    only: Ints | None = None


# ------------------------------------------------------------------ results


@dataclass(frozen=True, slots=True)
class Groups:
    """One row a participant, plan key, component key, measure period and replicate. `total` is the measure's value,
    `quota` MISSING_MONEY where none. The attainment is total / quota, never stored rounded."""

    participant: Ints
    plan: Ints  # index of the version of the group's last line
    component: Ints  # index into that plan's components
    period: Ints  # index into Batch.periods[every]
    replicate: Ints
    quota: Ints
    total: Ints
    lines: Ints  # how many


@dataclass(frozen=True, slots=True)
class Lines:
    """One row a credit and component. Rows of a group stand together, in order."""

    credit: Ints  # row in Credits
    group: Ints  # row in Groups
    component: Ints  # index into the components of the credit's plan
    position: Ints  # from 1
    before: Ints
    after: Ints
    tier_before: Ints  # index of the tier that holds `before` / `after` by the boundary side; -1 for a bonus
    tier_after: Ints
    band: Ints  # accelerator band, -1 where none
    rounded: Ints  # the earning before the cap
    earned: Ints  # after the cap
    waiting: npt.NDArray[np.int8]  # 0 no, 1 waits for its quota


@dataclass(frozen=True, slots=True)
class Tranches:
    """One row a line and release entry."""

    line: Ints  # row in Lines
    index: Ints  # place in component.release
    amount: Ints
    trigger_day: Ints  # MISSING_DAY while not met
    release_day: Ints  # MISSING_DAY while waiting
    pay_period: Ints  # index into Batch.pay_periods, -1 while waiting


@dataclass(frozen=True, slots=True)
class Result:
    credits: Credits
    groups: Groups
    lines: Lines
    tranches: Tranches
