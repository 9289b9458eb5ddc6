"""The waterfall of a pay period out of the database: what comes in, what taken batches left, and what the kernel makes
of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
from django.db import connection

from comp.core.calendars import PayCalendar
from comp.core.days import day_date, day_number
from payouts.frames import read_people
from payouts.frames.inflow import BESIDE, Account, Inflow, Place
from payouts.frames.negatives import Owner, Straight, set_off, terms_of
from payouts.frames.read import Versions, bounds, calendars, read_versions
from payouts.frames.read_asof import table
from payouts.kernel.batch import (
    MISSING_DAY,
    OF_REVERSAL,
    Balances,
    Batch,
    Facts,
    Milestones,
    Quotas,
    Reporting,
    Settlements,
    Teams,
    Text,
    Usage,
)
from payouts.kernel.quotas import QuotaBook
from payouts.kernel.set_off import Terms
from payouts.kernel.settle import Movements, Settled, settle
from payouts.kernel.settled_in import SettledIn, rate_asked
from payouts.kernel.steps import STEPS
from payouts.models.figures import LineNamed

_NONE = np.zeros(0, dtype=np.int64)
_NO_TEXT = Text(_NONE.astype(np.int32), ())
_RELEASES, _ADJUSTMENTS, _CLAWBACKS = range(len(STEPS))
#: In which column of a settlement they come in.
_COLUMN = ("released", "adjusted", "clawed_back")
#: The columns of payouts.kernel.batch.Settlements that are amounts.
AMOUNTS = tuple(
    name for name in Settlements.__slots__ if name not in ("participant", "plan", "pay_period", "replicate", "exchange")
)
#: What a row without any of these says nothing by.
_SAYS = (*AMOUNTS, "inflow", "returned", "opened_carried", "opened_clawback", "opened_kept")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Waterfalls:
    """Rows of Settlement and of DrawStanding, as columns by name; and who is not settled for want of a rate."""

    settlements: list[Row]
    draws: list[Row]
    waits: list[AwaitsRate] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AwaitsRate:
    """A plan that cannot settle somebody in the currency that they are paid in: no rate of the kind holds the day."""

    participant: int
    plan: int
    source: str
    target: str
    kind: str
    day: date


# ------------------------------------------------------------------ what was left

#: What the taken batches changed, and what was written off: an account's balances before the period. What a review let
#: pass of a cap is not of what the year's cap counts.
_LEFT = f"""
WITH beside AS (
    SELECT l.batch_id, l.participant_id, l.plan_id, sum(l.amount_minor) AS minor
    FROM payouts_batchline l JOIN ({BESIDE}) r ON r.participant_id = l.participant_id AND r.rule = l.rule
    WHERE l.line_kind = {LineNamed.Kind.MANUAL} AND l.batch_id = ANY(%(batches)s)
    GROUP BY l.batch_id, l.participant_id, l.plan_id
)
SELECT participant_id, plan_id, sum(carried)::bigint, sum(owed)::bigint, sum(kept)::bigint, sum(paid)::bigint,
    sum(held)::bigint, max(currency)
FROM (
    SELECT s.participant_id, s.plan_id, s.currency, s.carried_forward_minor - s.opened_carried_minor AS carried,
        s.clawback_balance_minor - s.opened_clawback_minor AS owed,
        s.kept_adjustments_minor - s.opened_kept_minor AS kept,
        CASE WHEN s.period_starts_on >= o.year_starts AND s.period_starts_on < o.year_ends
            THEN s.payout_minor - coalesce(x.minor, 0) ELSE 0 END AS paid,
        CASE WHEN s.returns_on <= o.starts_on THEN -s.held_back_minor ELSE 0 END - s.returned_minor AS held
    FROM payouts_batchsettlement s JOIN unnest(%(people)s::bigint[], %(starts)s::date[], %(year_starts)s::date[],
        %(year_ends)s::date[]) AS o(participant_id, starts_on, year_starts, year_ends) USING (participant_id)
        LEFT JOIN beside x USING (batch_id, participant_id, plan_id)
    WHERE s.batch_id = ANY(%(batches)s)
    UNION ALL
    SELECT a.participant_id, a.plan_id, a.currency, CASE a.balance WHEN 'carried' THEN a.amount_minor ELSE 0 END,
        CASE a.balance WHEN 'clawback' THEN -a.amount_minor ELSE 0 END, 0, 0, 0
    FROM payouts_adjustment a
    WHERE a.participant_id = ANY(%(people)s) AND a.state = 'approved' AND a.balance IN ('carried', 'clawback')
        AND (%(as_of)s::timestamptz IS NULL OR a.decided_at <= %(as_of)s)
) each GROUP BY participant_id, plan_id
"""
#: The same of draws: what is owed, and the first period whose top-up was.
_DRAWS_LEFT = """
SELECT participant_id, plan_id, key, sum(minor)::bigint, min(period_starts_on) FILTER (WHERE drawn)
FROM (
    SELECT participant_id, plan_id, key, balance_minor - opened_minor AS minor, period_starts_on,
        balance_minor - opened_minor - recovered_minor + written_off_minor > 0 AS drawn
    FROM payouts_batchdraw WHERE participant_id = ANY(%(people)s) AND batch_id = ANY(%(batches)s)
    UNION ALL
    SELECT participant_id, plan_id, substr(balance, 6), -amount_minor, day, false FROM payouts_adjustment
    WHERE participant_id = ANY(%(people)s) AND state = 'approved' AND balance LIKE 'draw:%%'
        AND (%(as_of)s::timestamptz IS NULL OR decided_at <= %(as_of)s)
) each GROUP BY participant_id, plan_id, key
"""
#: By how much earlier periods were topped up, less what was taken back since.
_TOPPED = """
SELECT participant_id, plan_id, key, origin_starts_on, sum(topped_up_minor)::bigint FROM payouts_batchdraw
WHERE batch_id = ANY(%(batches)s) AND (participant_id, plan_id, origin_starts_on) IN (
    SELECT * FROM unnest(%(late_people)s::bigint[], %(late_plans)s::bigint[], %(late_days)s::date[]))
GROUP BY participant_id, plan_id, key, origin_starts_on
"""
#: Whose pay by a plan is held as a whole: nothing of it is settled meanwhile.
_HELD = """
SELECT o.participant_id, h.plan_id FROM {holds} h JOIN unnest(%(people)s::bigint[]) AS o(participant_id)
    -- A plan may be held for everybody.
    ON coalesce(h.participant_id = o.participant_id, h.plan_id IS NOT NULL)
WHERE h.kind = 'placed' AND h.released_at IS NULL AND h.batch_id IS NULL AND h.deal_id IS NULL AND h.component = ''
"""


def settled_plans(versions: Versions) -> frozenset[int]:
    """The plans of which a version settles."""
    rows = zip(versions.plan_id, versions.compiled, strict=True)
    return frozenset(plan for plan, says in rows if says.settlement is not None)


def wholly_held(people: Collection[int], as_of: datetime | None = None) -> set[tuple[int, int | None]]:
    """The people, and those of a plan (None: of all), whose pay is held as a whole."""
    return set(_rows(_HELD.format(holds=table("payouts_hold", as_of)), {"people": list(people), "as_of": as_of}))


@dataclass(slots=True)
class _Left:
    """What an account was left with; `held` comes back now."""

    carried: int = 0
    owed: int = 0
    kept: int = 0
    paid: int = 0
    held: int = 0
    currency: str = ""

    def kinds(self) -> dict[str, int]:
        return {"carried": self.carried, "clawback": self.owed, "kept": self.kept, "paid": self.paid}


# ------------------------------------------------------------------ the kernel's answer


def waterfalls(
    *,
    places: Mapping[int, Place],
    inflow: Sequence[Inflow],
    batches: Sequence[int],
    versions: Versions | None = None,
    as_of: datetime | None = None,
    held: Collection[tuple[int, int | None]] = (),
) -> Waterfalls:
    """What the settlements of their plans, and the rule for pay below zero, make of what came in for these people, each
    in their period, started from what `batches` (those taken before) left. Accounts in `held` are left out, and so are
    those that nothing moves."""
    versions, terms = versions or read_versions(as_of), terms_of(places, as_of)
    shapes = calendars(as_of)
    found = Waterfalls([], [])
    together: dict[tuple[PayCalendar, date], list[int]] = defaultdict(list)
    for person, place in places.items():
        together[shapes[place.group], place.starts_on].append(person)
    for (calendar, starts_on), people in together.items():
        mine = set(people)
        one = OnePeriod(calendar, starts_on, sorted(people), versions, as_of)
        rows = one.settle([row for row in inflow if row.account[0] in mine], batches, set(held), terms)
        found.waits.extend(rows.waits)
        for target, source in ((found.settlements, rows.settlements), (found.draws, rows.draws)):
            target += [{**row, "pay_group_id": places[row["participant_id"]].group} for row in source]
    return found


class OnePeriod:
    """One pay period of people who share a calendar."""

    def __init__(
        self, calendar: PayCalendar, starts_on: date, people: list[int], versions: Versions, as_of: datetime | None
    ) -> None:
        self.calendar, self.starts_on, self.people, self.versions, self.as_of = (
            calendar, starts_on, people, versions, as_of,
        )  # fmt: skip
        self.bounds = bounds(calendar, "pay")
        self.place = int(np.searchsorted(self.bounds, day_number(starts_on)))
        #: The rates are read where they are asked for: the row of `Exchange` and that of the database.
        self.rates = _NONE
        #: The first version of each plan, and the plan of each.
        self.of_plan = {plan: place for place, plan in reversed(list(enumerate(versions.plan_id)))}

    def settle(
        self,
        inflow: Sequence[Inflow],
        batches: Sequence[int],
        held: set[tuple[int, int | None]],
        terms: Mapping[Owner, Terms],
    ) -> Waterfalls:
        inflow = [row for row in inflow if row.account[1] in self.of_plan]
        left = self._left(batches)
        told = self._settled(inflow, batches, held, left)
        if terms or any(stood.carried for stood in left.values()):
            straight = self._straight(inflow, held, left, told.settlements)
            more = set_off(
                settled=told.settlements, straight=straight, terms=terms, blank=_SAYS, starts_on=self.starts_on
            )
            told.settlements.extend(more)
        return told

    def _settled(
        self,
        inflow: Sequence[Inflow],
        batches: Sequence[int],
        held: set[tuple[int, int | None]],
        left: Mapping[Account, _Left],
    ) -> Waterfalls:
        """What plans make of it that have a settlement."""
        if not any(plan.settlement for plan in self.versions.compiled):
            return Waterfalls([], [])
        draws = self._draws_left(batches)
        topped = self._topped(batches, inflow)
        batch = self.batch(self._balances(left, draws, topped))
        active = QuotaBook(batch, np.array(self.people, dtype=np.int64)).active
        settled = settle(batch, self._movements(inflow), active, self.place)
        if settled is None:
            return Waterfalls([], [])
        told = self._told(settled, inflow, left, draws, held, SettledIn(batch))
        told.waits.extend(self._waits(settled, held, SettledIn(batch)))
        return told

    def _straight(
        self,
        inflow: Sequence[Inflow],
        held: set[tuple[int, int | None]],
        left: Mapping[Account, _Left],
        rows: Sequence[Row],
    ) -> dict[Account, Straight]:
        """What those plans pay that settle nothing in this period. One that pays in two currencies is left out: it has
        no one balance."""
        of_version = dict(zip(self.versions.id, self.versions.compiled, strict=True))
        stands = {(row["participant_id"], row["plan_id"]): row for row in rows}
        currencies = {account: {stood.currency} for account, stood in left.items() if stood.carried}
        for each in inflow:
            currencies.setdefault(each.account, set()).add(each.currency)
        found: dict[Account, Straight] = {}
        for account, own in currencies.items():
            row = stands.get(account)
            version: int | None = self._in_force(account[1]) if row is None else row["plan_version_id"]
            if version is None or of_version[version].settlement is not None:
                continue
            if len(own) == 1 and not held & {account, (account[0], None)}:
                carried = left.get(account, _Left()).carried
                found[account] = Straight(of_version[version].key, version, min(own), carried, row)
        for each in inflow:
            if each.account in found:
                found[each.account].sums[_COLUMN[self._step(each)]] += each.minor
        return found

    def _in_force(self, plan: int) -> int | None:
        """The version of a plan in force on the period's last day, else the last before it, else its first."""
        rows = [place for place, of in enumerate(self.versions.plan_id) if of == plan]
        end = int(self.bounds[self.place + 1])
        begun = [place for place in rows if self.versions.starts[place] < end]
        last = max(begun, key=lambda place: self.versions.starts[place], default=None)
        return self.versions.id[rows[0] if last is None else last] if rows else None

    # -------------------------------------------------------------- in

    def batch(self, balances: Balances | None) -> Batch:
        """What the waterfall of these people reads beside what comes in."""
        params: dict[str, Any] = {"as_of": self.as_of, "only": self.people}
        exchange, paid_in = None, None
        if any(plan.settlement is not None and plan.settlement.settle_in == "pay" for plan in self.versions.compiled):
            exchange, self.rates = read_people.exchange(self.as_of)
            paid_in = read_people.pay_currency(self.versions.compiled, self.people, self.as_of)
        return Batch(
            plans=self.versions.compiled,
            periods={every: bounds(self.calendar, every) for every in ("month", "quarter", "half", "year")},
            pay_periods=self.bounds,
            facts=Facts(_NONE, _NONE, _NONE, {}, {}, {}),
            teams=Teams(_NONE, _NO_TEXT, _NONE, _NONE, _NONE),
            reporting=Reporting(_NONE, _NONE, _NONE, _NONE),
            assignments=read_people.assignments(self.versions, params, self.as_of),
            quotas=Quotas(_NONE, _NO_TEXT, _NONE, _NONE, _NONE),
            milestones=Milestones(_NONE, _NO_TEXT, _NONE),
            usage=Usage(_NONE, _NONE, _NONE, _NONE),
            employment=read_people.employment(self.as_of, self.people),
            holidays=np.array(self.calendar.holidays, dtype=np.int64) if self.calendar.holidays else None,
            only=np.array(self.people, dtype=np.int64),
            balances=balances,
            exchange=exchange,
            pay_currency=paid_in or None,
        )

    def _left(self, batches: Sequence[int]) -> dict[Account, _Left]:
        year = bounds(self.calendar, "year")
        at = int(np.searchsorted(year, self.bounds[self.place], side="right"))
        starts, ends = (day_date(int(day)) for day in year[at - 1 : at + 1])
        params = self._params(batches) | {
            "starts": [self.starts_on] * len(self.people),
            "year_starts": [starts] * len(self.people),
            "year_ends": [ends] * len(self.people),
        }
        return {(row[0], row[1]): _Left(*row[2:]) for row in _rows(_LEFT, params)}

    def _draws_left(self, batches: Sequence[int]) -> dict[tuple[Account, str], tuple[int, date | None]]:
        rows = _rows(_DRAWS_LEFT, self._params(batches))
        return {((person, plan), key): (minor, began) for person, plan, key, minor, began in rows}

    def _topped(self, batches: Sequence[int], inflow: Sequence[Inflow]) -> list[tuple[Account, str, date, int]]:
        late = {(*row.account, row.origin) for row in inflow if row.origin < self.starts_on and self._step(row) == 1}
        if not late:
            return []
        people, plans, days = (list(column) for column in zip(*late, strict=True))
        params = {**self._params(batches), "late_people": people, "late_plans": plans, "late_days": days}
        return [((row[0], row[1]), *row[2:]) for row in _rows(_TOPPED, params)]

    def _params(self, batches: Sequence[int]) -> dict[str, Any]:
        return {"people": self.people, "batches": list(batches), "as_of": self.as_of}

    @staticmethod
    def _step(row: Inflow) -> int:
        if row.line_kind == OF_REVERSAL:
            return _CLAWBACKS
        return _RELEASES if row.kind == "release" else _ADJUSTMENTS

    def _movements(self, inflow: Sequence[Inflow]) -> Movements:
        at = {version: place for place, version in enumerate(self.versions.id)}
        keys = [{each.key: number for number, each in enumerate(says.components)} for says in self.versions.compiled]
        rows = []
        for row in inflow:
            if row.beside:
                continue
            own = at.get(row.version, self.of_plan[row.account[1]])
            component = keys[own].get(row.component, -1)
            origin = int(np.searchsorted(self.bounds, day_number(row.origin), side="right")) - 1
            step = self._step(row)
            origin = origin if step == _ADJUSTMENTS else self.place
            rows.append((row.account[0], own, 0, self.place, step, row.minor, component, origin))
        columns = np.array(rows, dtype=np.int64).reshape(-1, 8).T
        return Movements(*columns)

    def _balances(
        self,
        left: Mapping[Account, _Left],
        draws: Mapping[tuple[Account, str], tuple[int, date | None]],
        topped: Sequence[tuple[Account, str, date, int]],
    ) -> Balances:
        rows: list[tuple[int, int, str, int, int]] = []  # participant, plan, kind, amount, day
        for account, stood in left.items():
            rows += [(*account, kind, minor, MISSING_DAY) for kind, minor in stood.kinds().items() if minor]
            if stood.held:
                rows.append((*account, "held", stood.held, day_number(self.starts_on)))
        for (account, key), (minor, began) in draws.items():
            rows.append((*account, f"draw:{key}", minor, MISSING_DAY))
            if began is not None:
                rows.append((*account, f"began:{key}", 0, day_number(began)))
        rows += [(*account, f"topped:{key}", minor, day_number(origin)) for account, key, origin, minor in topped]
        rows = [row for row in rows if row[1] in self.of_plan]
        words = tuple(sorted({row[2] for row in rows}))
        codes = np.array([words.index(row[2]) for row in rows], dtype=np.int32)
        person, plan, amount, day = (
            np.array(column, dtype=np.int64)
            for column in (
                [row[0] for row in rows],
                [self.of_plan[row[1]] for row in rows],
                [row[3] for row in rows],
                [row[4] for row in rows],
            )
        )
        return Balances(person, Text(codes, words), amount, plan, day)

    # -------------------------------------------------------------- out

    def _told(
        self,
        settled: Settled,
        inflow: Sequence[Inflow],
        left: Mapping[Account, _Left],
        draws: Mapping[tuple[Account, str], tuple[int, date | None]],
        held: set[tuple[int, int | None]],
        settled_in: SettledIn,
    ) -> Waterfalls:
        table, found = settled.settlements, Waterfalls([], [])
        came: dict[Account, int] = defaultdict(int)
        beside: dict[Account, int] = defaultdict(int)
        for each in inflow:
            came[each.account] += each.minor
            beside[each.account] += each.minor if each.beside else 0
        names: dict[int, Row] = {}
        for row in range(table.participant.size):
            version = int(table.plan[row])
            account = int(table.participant[row]), self.versions.plan_id[version]
            if held & {account, (account[0], None)}:
                continue
            stood = left.get(account, _Left())
            columns = {name: int(getattr(table, name)[row]) for name in AMOUNTS} | {
                "inflow": came.get(account, 0),
                "returned": stood.held,
                "opened_carried": stood.carried,
                "opened_clawback": stood.owed,
                "opened_kept": stood.kept,
            }
            for name in ("adjusted", "payout"):
                columns[name] += beside[account]
            said: Row = {
                "participant_id": account[0],
                "plan_id": account[1],
                "period_starts_on": self.starts_on,
                "currency": settled_in.currency(version, account[0]),
            }
            names[row] = said
            if any(columns[name] for name in _SAYS):
                used = int(table.exchange[row])
                more = {
                    "plan_version_id": self.versions.id[version],
                    "returns_on": self._returns(columns, version),
                    "rate_id": None if used < 0 else int(self.rates[used]),
                }
                found.settlements.append(said | more | {f"{name}_minor": value for name, value in columns.items()})
        for row, key, origin, amounts in self._of_draws(settled):
            if row in names:
                said = names[row]
                opened = draws.get(((said["participant_id"], said["plan_id"]), key), (0, None))[0]
                own = origin == self.starts_on
                of_draw: Row = {"key": key, "origin_starts_on": origin, "opened_minor": opened if own else 0}
                found.draws.append(said | of_draw | amounts)
        return found

    def _waits(
        self, settled: Settled, held: set[tuple[int, int | None]], settled_in: SettledIn
    ) -> Iterator[AwaitsRate]:
        """Who is not settled, and the rate that is asked for."""
        start, end = self.bounds[self.place : self.place + 2].tolist()
        for person, version, _ in zip(*(column.tolist() for column in settled.waits), strict=True):
            says, account = self.versions.compiled[version], (person, self.versions.plan_id[version])
            if says.settlement is not None and not held & {account, (person, None)}:
                kind, day = rate_asked(says.settlement, start, end)
                target = settled_in.currency(version, person)
                yield AwaitsRate(*account, says.currency, target, kind, day_date(day))

    def _returns(self, columns: Mapping[str, int], version: int) -> date | None:
        """The pay period in which what is held back comes back; none where the calendar ends before."""
        settlement = self.versions.compiled[version].settlement
        if not columns["held_back"] or settlement is None:
            return None
        later = self.place + settlement.holdback_periods
        return day_date(int(self.bounds[later])) if later < self.bounds.size - 1 else None

    def _of_draws(self, settled: Settled) -> list[tuple[int, str, date, Row]]:
        """Row of the settlement, key of the draw, the period topped up, amounts."""
        draws, retests = settled.draws, settled.retests
        back: dict[tuple[int, str], int] = defaultdict(int)
        found: list[tuple[int, str, date, Row]] = []
        for row in range(retests.amount.size):
            at, key = int(retests.settlement[row]), retests.key.vocabulary[int(retests.key.codes[row])]
            amount, origin = int(retests.amount[row]), day_date(int(self.bounds[retests.pay_period[row]]))
            back[at, key] += amount
            found.append((at, key, origin, _amounts(topped_up=-amount)))
        for row in range(draws.settlement.size):
            at, key = int(draws.settlement[row]), draws.key.vocabulary[int(draws.key.codes[row])]
            amounts = _amounts(
                recovered=int(draws.recovered[row]),
                topped_up=int(draws.topped_up[row]) + back.pop((at, key), 0),
                written_off=int(draws.written_off[row]),
                balance=int(draws.balance[row]),
            )
            if any(amounts.values()):
                found.append((at, key, self.starts_on, amounts))
        # Where both were alike the draw itself says nothing.
        found += [(at, key, self.starts_on, _amounts(topped_up=amount)) for (at, key), amount in back.items()]
        return found


def _amounts(recovered: int = 0, topped_up: int = 0, written_off: int = 0, balance: int = 0) -> Row:
    return {
        "recovered_minor": recovered,
        "topped_up_minor": topped_up,
        "written_off_minor": written_off,
        "balance_minor": balance,
    }


def _rows(query: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return cursor.fetchall()
