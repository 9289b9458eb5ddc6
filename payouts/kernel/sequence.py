"""The order that a component states for its credits: number 5 of docs/plan-language.md.

Credits stand by credit date until something else is stated, so that most components never come here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crediting.kernel.conditions import Mask
from crediting.kernel.credit import Credited
from crediting.kernel.exact import run_numbers, run_starts
from crediting.kernel.fields import FactRows
from payouts.kernel.batch import FAR_DAY, MISSING_DAY, OF_CREDIT, OF_OPENING, Ints
from payouts.kernel.order import Version

#: The order in which credits stand.
STANDING = "credit_date"


def reorders(versions: tuple[Version, ...]) -> bool:
    """Whether some version states an order of its own. Floating rates look up the totals of days: with them all goes by
    credit date."""
    stated = any(version.component.order != STANDING for version in versions)
    return stated and all(version.component.release_rate == "fixed" for version in versions)


def in_stated_order(
    credited: Credited,
    versions: tuple[Version, ...],
    version: Ints,
    groups: Ints,
    period: Ints,
    row: Ints,
    amount: Ints,
    kind: npt.NDArray[np.int8] | None,
) -> Ints:
    """The places of lines, which stand by credit date in groups that begin at `groups`, in the order that the version
    of each group's last credit states: by measure period, in it credits before reversals."""
    group = run_numbers(groups, row.size)
    credit = np.ones(row.size, dtype=bool) if kind is None else kind == OF_CREDIT
    decides = _last_credit(version, credit, group, groups.size)[group]
    key = _keys(credited, versions, decides, row, amount)
    stated = np.array([each.component.order != STANDING for each in versions])[decides]
    behind = stated & ~credit
    if kind is not None:
        behind &= kind != OF_OPENING
    return np.lexsort((np.where(behind, 0, key), behind, period, group))


def in_stated_order_of_all(
    credited: Credited,
    versions: tuple[Version, ...],
    version: Ints,
    owner: Ints,
    begins: Ints,
    row: Ints,
    amount: Ints,
    late: Ints,
    standing: tuple[Ints, ...],
) -> tuple[Ints, ...]:
    """Columns, the first counts most, that order the lines of each owner by the first day of their measure period
    (`begins`), credits before lines that are none (`late`), then as the version of the last credit of that owner and
    period states, then by `standing`, the order by credit date."""
    order = np.lexsort((*reversed(standing), begins, owner))
    starts = run_starts(owner[order], begins[order])
    run = np.empty_like(order)
    run[order] = run_numbers(starts, order.size)
    decides = _last_credit(version[order], late[order] == 0, run[order], starts.size)[run]
    key = np.where(late == 0, _keys(credited, versions, decides, row, amount), 0)
    return begins, late, key, *standing


def last_key(credited: Credited, version: Version, row: Ints) -> Ints:
    """By what the credits of a period follow each other, the smaller first."""
    return _key(credited, version, row, credited.credits.amount[row])


def _last_credit(version: Ints, credit: Mask, run: Ints, runs: int) -> Ints:
    """The version of the last credit of each run; of a run without any it makes no difference."""
    found = np.zeros(runs, dtype=np.int64)
    found[run[credit]] = version[credit]
    return found


def _keys(credited: Credited, versions: tuple[Version, ...], decides: Ints, row: Ints, amount: Ints) -> Ints:
    """The key of each line by the version that decides."""
    found = np.zeros(row.size, dtype=np.int64)
    for place, version in enumerate(versions):
        mine = np.flatnonzero((decides == place) & (row >= 0)) if version.component.order != STANDING else row[:0]
        if mine.size:
            found[mine] = _key(credited, version, row[mine], amount[mine])
    return found


def _key(credited: Credited, version: Version, row: Ints, amount: Ints) -> Ints:
    order, credits = version.component.order, credited.credits
    if order == STANDING:
        return np.zeros_like(row)
    if order == "largest_first":
        return -amount
    if order == "event_time":
        return credited.world.facts.event_time[credits.fact[row]]
    fields = FactRows(credited.world, version.plan, credits.fact[row], credits.participant[row], credits.day[row])
    day: Ints = fields.column(order, "date")
    return np.where(day == MISSING_DAY, FAR_DAY, day)
