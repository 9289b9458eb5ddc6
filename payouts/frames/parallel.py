"""What Comp would have paid a group's people in pay periods that another system paid: what stands released in them,
what people decided by hand, and what the waterfall of their plans makes of both. Nothing is written. docs/cutover.md"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np

from comp.core.days import day_date, day_number
from comp.core.errors import CompError
from comp.tenancy.rows import rows_read
from payouts.frames.inflow import Account, Place
from payouts.frames.negatives import Straight, set_off, terms_of
from payouts.frames.read import Versions, bounds, calendars, read_versions
from payouts.frames.waterfall import OnePeriod, settled_plans
from payouts.kernel.batch import OF_REVERSAL, Batch, Ints
from payouts.kernel.quotas import QuotaBook
from payouts.kernel.settle import Movements, Settled, settle
from payouts.kernel.settled_in import SettledIn
from payouts.kernel.steps import STEPS
from payouts.models.figures import LineNamed

_RELEASES, _ADJUSTMENTS, _CLAWBACKS = range(len(STEPS))
#: In which column of a settlement they come in.
_COLUMN = ("released", "adjusted", "clawed_back")

#: What is released, by the pay period of its release. Of what is brought forward the first tranche was paid before.
_RELEASED = """
SELECT t.participant_id, t.plan_id, t.plan_version_id, t.component, t.line_kind, t.period_starts_on, t.deal_id,
    t.currency, sum(t.amount_minor)::bigint
FROM payouts_tranche t
WHERE t.pay_group_id = %(group)s AND t.period_starts_on < %(behind)s AND t.release_day IS NOT NULL
    AND NOT (t.line_kind = %(opening)s AND t."index" = 0)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
"""
_BY_HAND = """
SELECT a.participant_id, a.plan_id, a.plan_version_id, a.component, a.day, a.currency, a.amount_minor
FROM payouts_adjustment a
WHERE a.pay_group_id = %(group)s AND a.state = 'approved' AND a.balance = '' AND a.day < %(behind)s
"""
_ASSIGNED = """
SELECT participant_id FROM plans_planassignment WHERE plan_id = ANY(%s)
    AND participant_id IN (SELECT id FROM people_participant WHERE pay_group_id = %s)
"""


class Paid(NamedTuple):
    """What Comp would pay for one thing: `kind` as payouts.kernel.tieout.KINDS has it, `place` the pay period's in its
    calendar."""

    participant: int
    plan: int
    version: int
    component: str
    kind: str
    place: int
    deal: int | None
    currency: str
    minor: int
    step: int


def would_pay(group: int, first: date, behind: date, covered: Mapping[int, date], anew: Iterable[Paid]) -> list[Paid]:
    """What the pay periods from `first` to before `behind` (both first days of one) would pay. Whoever settles by
    period is settled from the first period in which anything of theirs is released.

    Of people in `covered` openings stand for everything up to that day: in the periods that begin until then `anew` is
    taken for what is released."""
    calendar = calendars()[group]
    edges = bounds(calendar, "pay")
    params = {"group": group, "behind": behind, "opening": LineNamed.Kind.OPENING}
    until = {who: place_of(edges, day) for who, day in covered.items()}
    found = [row for row in anew if row.place <= until[row.participant]]
    for who, plan, version, component, line_kind, starts_on, deal, currency, minor in rows_read(_RELEASED, params):
        place = place_of(edges, starts_on)
        if place > until.get(who, -1):
            step = step_of(line_kind)
            found.append(Paid(who, plan, version, component, "commission", place, deal, currency, minor, step))
    for who, plan, version, component, day, currency, minor in rows_read(_BY_HAND, params):
        place = place_of(edges, day)
        found.append(Paid(who, plan, version, component, "adjustment", place, None, currency, minor, _ADJUSTMENTS))
    start, end = place_of(edges, first), place_of(edges, behind)
    versions = read_versions()
    plans = settled_plans(versions)
    found += list(_settled(group, found, versions, plans, end))
    found += list(_set_off(group, found, versions, plans, end))
    return [row for row in found if start <= row.place < end and row.minor]


def step_of(line_kind: int) -> int:
    """The place in payouts.kernel.steps.STEPS of what a line releases."""
    return _CLAWBACKS if line_kind == OF_REVERSAL else _RELEASES


def place_of(edges: Ints, day: date) -> int:
    """The pay period that holds a day."""
    return int(np.searchsorted(edges, day_number(day), side="right")) - 1


# ------------------------------------------------------------------ what the waterfall makes of it


def _settled(group: int, rows: Sequence[Paid], versions: Versions, plans: Collection[int], end: int) -> Iterator[Paid]:
    """What the settlements of these `plans` add, or take, in the pay periods before `end`."""
    if not plans:
        return
    rows = [row for row in rows if row.plan in plans]
    people = {who for (who,) in rows_read(_ASSIGNED, [sorted(plans), group])} | {row.participant for row in rows}
    if not people:
        return
    calendar = calendars()[group]
    edges = bounds(calendar, "pay")
    every = OnePeriod(calendar, day_date(int(edges[0])), sorted(people), versions, None)
    batch = every.batch(None)
    active = QuotaBook(batch, np.array(sorted(people), dtype=np.int64)).active
    found = settle(batch, _movements(rows, versions), active)
    if found is not None:
        _all_settled(found, batch, end)
        yield from _told(found, rows, versions, end, SettledIn(batch))


def _all_settled(found: Settled, batch: Batch, end: int) -> None:
    """CompError where somebody is not settled before `end` for want of a rate of exchange: what Comp would have paid
    them nobody knows then."""
    who, _, since = found.waits
    late = np.flatnonzero(since < end)
    if late.size:
        first = late[np.lexsort((who[late], since[late]))[0]]
        [(name,)] = rows_read("SELECT name FROM people_participant WHERE id = %s", [int(who[first])])
        raise CompError(
            f"{name} cannot be settled from {day_date(int(batch.pay_periods[since[first]])):%-d %B %Y} on: no rate of "
            "exchange converts the amounts that their plan states. Enter it (Rates of exchange), and tie out again."
        )


def _movements(rows: Sequence[Paid], versions: Versions) -> Movements:
    at = {version: place for place, version in enumerate(versions.id)}
    of_plan = {plan: place for place, plan in reversed(list(enumerate(versions.plan_id)))}
    keys = [{each.key: number for number, each in enumerate(says.components)} for says in versions.compiled]
    table = []
    for row in rows:
        own = at.get(row.version, of_plan[row.plan])
        component = keys[own].get(row.component, -1)
        table.append((row.participant, own, 0, row.place, row.step, row.minor, component, row.place))
    return Movements(*np.array(table, dtype=np.int64).reshape(-1, 8).T)


def _told(found: Settled, rows: Sequence[Paid], versions: Versions, end: int, settled_in: SettledIn) -> Iterator[Paid]:
    """The parts of each settlement, which add up to what it pays less what came in."""
    came: dict[tuple[int, int, int], int] = defaultdict(int)
    released: dict[tuple[int, int, int], int] = defaultdict(int)
    for row in rows:
        came[row.participant, row.plan, row.place] += row.minor
        if row.step == _RELEASES:
            released[row.participant, row.plan, row.place] += row.minor
    table = found.settlements
    for place in np.flatnonzero(table.pay_period < end).tolist():
        version = int(table.plan[place])
        at = int(table.participant[place]), versions.plan_id[version], int(table.pay_period[place])
        parts = {
            "draw": int(table.topped_up[place]),
            "recovery": int(table.recovered[place]),
            "cap": int(table.capped[place]),
            "holdback": int(table.held_back[place] + table.released[place]) - released[at],
        }
        parts["carried"] = int(table.payout[place]) - came[at] - sum(parts.values())
        for kind, minor in parts.items():
            currency = settled_in.currency(version, at[0])
            yield Paid(at[0], at[1], versions.id[version], "", kind, at[2], None, currency, minor, _RELEASES)


def _set_off(
    group: int, rows: Sequence[Paid], versions: Versions, settled: Collection[int], end: int
) -> Iterator[Paid]:
    """What the company's rule for pay below zero carries of the plans that settle nothing, and sets against later pay,
    in the pay periods before `end`. A plan that pays somebody in two currencies has no one balance, and is left out."""
    places: dict[int, list[Paid]] = defaultdict(list)
    named: dict[Account, set[str]] = defaultdict(set)
    for row in rows:
        places[row.place].append(row)
        named[row.participant, row.plan].add(row.currency)
    edges, keys = bounds(calendars()[group], "pay"), dict(zip(versions.id, versions.compiled, strict=True))
    people = {who for who, plan in named if plan not in settled}
    carried: dict[Account, Straight] = {}
    for place in range(min(places, default=end), end):
        day = day_date(int(edges[place]))
        terms = terms_of(dict.fromkeys(people, Place(group, day)), None)
        if not terms:
            return
        straight = carried
        base: list[dict[str, Any]] = []
        for row in places[place]:
            account = row.participant, row.plan
            if row.plan in settled:
                base.append({"participant_id": account[0], "currency": row.currency, "payout_minor": row.minor})
            elif len(named[account]) == 1:
                own = Straight(keys[row.version].key, row.version, row.currency)
                straight.setdefault(account, own).sums[_COLUMN[row.step]] += row.minor
        carried = {}
        for left in set_off(settled=base, straight=straight, terms=terms, blank=(), starts_on=day):
            who, plan, version = left["participant_id"], left["plan_id"], left["plan_version_id"]
            minor, before = left["carried_forward_minor"], left["opened_carried_minor"]
            yield Paid(who, plan, version, "", "carried", place, None, left["currency"], before - minor, _RELEASES)
            if minor:
                carried[who, plan] = Straight(keys[version].key, version, left["currency"], minor)
