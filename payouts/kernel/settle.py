"""From what is released to what is paid, by participant, plan and pay period: number 34 of docs/plan-language.md. See
docs/algorithms/waterfall.md.

One pass over the pay periods in order, all accounts at once: what a period leaves (a draw's balance, carried pay, a
holdback) is what the next one starts from. One period alone, started from what those before it left, is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from crediting.kernel.exact import money, packed, run_starts, sums
from crediting.kernel.ratios import Mask
from payouts.kernel.accounts import Accounts, places_of
from payouts.kernel.batch import (
    DATED,
    FAR_DAY,
    MISSING_DAY,
    OF_REVERSAL,
    Batch,
    DrawBalances,
    Ints,
    Retests,
    Settlements,
    Text,
)
from payouts.kernel.settled_in import SettledIn
from payouts.kernel.steps import NEVER, STEPS, Active, Period, Step
from plans.rules.compiled_pay import Settlement

_NONE = np.zeros(0, dtype=np.int64)
_RELEASES, _ADJUSTMENTS, _CLAWBACKS = range(len(STEPS))
#: The columns that make a row: balances alone do not.
_MOVED = (
    "released",
    "adjusted",
    "clawed_back",
    "recovered",
    "capped",
    "held_back",
    "topped_up",
    "payout",
    "review",
    "written_off",
    "forgiven",
)
_OF_DRAWS = ("recovered", "topped_up", "written_off", "balance")


@dataclass(frozen=True, slots=True)
class Movements:
    """What the waterfall takes in. `step` is a place in STEPS; `plan` an index into Batch.plans, `component` one into
    its components, -1 for none. `origin` is the pay period that an adjustment belongs to, of all else its own."""

    participant: Ints
    plan: Ints
    replicate: Ints
    period: Ints
    step: Ints
    amount: Ints
    component: Ints
    origin: Ints


@dataclass(frozen=True, slots=True)
class Settled:
    """What the pay periods pay. `keyed`: some plan gives its draws keys; `waits`: the participants who are not settled
    for want of a rate, each with the version that would, and the pay period from which on."""

    settlements: Settlements
    draws: DrawBalances
    retests: Retests
    keyed: bool
    waits: tuple[Ints, Ints, Ints] = (_NONE, _NONE, _NONE)


def movements(tranche_line: Ints, tranches: tuple[Ints, Ints, Ints], line: tuple[Ints, ...]) -> Movements:
    """Movements of a result: `tranches` are amount, pay period and state; `line` participant, plan, replicate, kind and
    component."""
    amount, period, state = tranches
    participant, plan, replicate, kind, component = line
    rows = np.flatnonzero((state == DATED) & (period >= 0) & (amount != 0))
    of = tranche_line[rows]
    step = np.where(kind[of] == OF_REVERSAL, _CLAWBACKS, _RELEASES)
    return Movements(
        participant[of], plan[of], replicate[of], period[rows], step, amount[rows], component[of], period[rows]
    )


def settle(batch: Batch, moved: Movements, active: Active, period: int | None = None) -> Settled | None:
    """What each pay period pays, by the settlement of the plan version in force, and what becomes of each draw; None
    where no plan has one. Movements of plans without a settlement are left out. `active` prorates draws. `period`: of
    this pay period alone, which starts from the batch's balances, a row for every account. Who waits for the rate by
    which the amounts of a settlement are converted has no row, from the pay period on that would move something."""
    if not any(plan.settlement for plan in batch.plans):
        return None
    return _Waterfall(batch, moved, active, period).run()


class _Waterfall:
    def __init__(self, batch: Batch, moved: Movements, active: Active, period: int | None) -> None:
        self.batch, self.active, self.alone = batch, active, period
        self.bounds = batch.pay_periods
        self.accounts = Accounts(batch, (moved.participant, moved.plan, moved.replicate), period or 0)
        self.family, self.slots, self.assigned = self.accounts.family, self.accounts.slots, self.accounts.assigned
        kept = self.accounts.settled[self.family[moved.plan]]
        self.moved = Movements(*(getattr(moved, each.name)[kept] for each in fields(moved)))
        self.account = self.accounts.account
        self.retests: list[tuple[int, Ints, int, int, Ints]] = []
        self.settled_in = SettledIn(batch)
        #: The pay period from which on a missing rate keeps an account from being settled.
        self.waits = np.full(self.account.participant.size, NEVER, dtype=np.int64)

    # ------------------------------------------------------------------ the periods

    def run(self) -> Settled:
        rows, span = self.account.participant.size, self._span() if self.alone is None else (self.alone, self.alone)
        keyed = any(slots != ["draw"] for slots in self.slots)
        if not rows or span is None:
            words = Text(_NONE.astype(np.int32), ())
            draws = DrawBalances(_NONE, words, *(_NONE for _ in _OF_DRAWS))
            nothing = Settlements(*(_NONE for _ in fields(Settlements)))
            return Settled(nothing, draws, Retests(_NONE, words, _NONE, _NONE), keyed)
        first, last = span
        inflow, late, parts = self._inflow(), self._late(), self._parts()
        year = np.searchsorted(self.batch.periods["year"], self.bounds[:-1], side="right")
        held, topped = self.accounts.held, self.accounts.topped
        tables: list[dict[str, Ints]] = []
        for place in range(first, self.bounds.size - 1 if self.alone is None else last + 1):
            # Behind the last movement only what is carried, kept or owed may still move.
            account = self.account
            if place > last and not (held or account.carried.any() or account.kept.any() or account.clawback.any()):
                break
            if place > first and year[place] != year[place - 1]:
                self.account.paid = np.zeros_like(self.account.paid)
            of = {key: sums(place) for key, sums in parts.items()}
            closes = place + 1 == year.size or bool(year[place + 1] != year[place])
            period = Period(place, inflow(place), of, late(place), held.pop(place, None), topped, held, closes)
            tables.append(self._period(period))
        settled, stands = self._joined(tables, first)
        unsettled: Ints = np.flatnonzero(self.waits < NEVER)
        waits = self.account.participant[unsettled], self.accounts.plans(last)[unsettled], self.waits[unsettled]
        retests = self._retests(stands, first, len(tables))
        return Settled(settled, self._draws(tables, stands), retests, keyed, waits)

    def _span(self) -> tuple[int, int] | None:
        """The first and last pay period in which anything moves, a draw is paid or somebody leaves."""
        found = [self.moved.period]
        if self.batch.adjustments is not None:
            found.append(self.accounts.at(self.batch.adjustments.day))
        account = self.account
        if self.accounts.held or any(each.any() for each in (account.draws, account.carried, account.clawback)):
            found.append(np.zeros(1, dtype=np.int64))
        given = self.batch.assignments
        for place, plan in enumerate(self.batch.plans):
            rows = self.assigned[given.plan[self.assigned] == place]
            if plan.settlement is None or not rows.size:
                continue
            for draw in plan.settlement.draws:
                # The draw's last pay period begins within its dates, and may go on beyond them.
                behind = self.bounds[self.accounts.at(np.array([draw.end - 1])) + 1]
                start, end = np.maximum(given.start[rows], draw.start), np.minimum(given.end[rows], behind)
                there = start < end
                found += [self.accounts.at(start[there]), self.accounts.at(end[there] - 1)]
            if _forgets(plan.settlement):
                people, last = self.left()
                gone = last[np.isin(people, given.participant[rows])]
                found.append(self.accounts.at(gone[gone < FAR_DAY] - 1))
        periods = np.concatenate(found)
        return (int(periods.min()), int(periods.max())) if periods.size else None

    def left(self) -> tuple[Ints, Ints]:
        """Participants with the first day after their last employment."""
        employment = self.batch.employment
        if employment is None:
            return _NONE, _NONE
        spans = np.flatnonzero(employment.leave == 0)
        people, place = np.unique(employment.participant[spans], return_inverse=True)
        last = np.full(people.size, MISSING_DAY, dtype=np.int64)
        np.maximum.at(last, place, employment.end[spans])
        return people, last

    def _parts(self) -> dict[str, _Sums]:
        """What comes in by lines of the components that draws are of, by component."""
        settlements = [plan.settlement for plan in self.batch.plans if plan.settlement is not None]
        keys = {key for settlement in settlements for draw in settlement.draws for key in draw.components}
        names = [np.array([component.key for component in plan.components]) for plan in self.batch.plans]
        found: dict[str, _Sums] = {}
        for key in sorted(keys):
            mine = np.zeros(self.moved.plan.size, dtype=bool)
            for place in np.unique(self.moved.plan).tolist():
                rows = self.moved.plan == place
                mine[rows] = (names[place][self.moved.component[rows]] == key) & (self.moved.component[rows] >= 0)
            columns = {each.name: getattr(self.moved, each.name)[mine] for each in fields(Movements)}
            found[key] = _Sums(*self._rows_of(Movements(**columns)))
        return found

    def _inflow(self) -> _Sums:
        """What comes in, by pay period: a row a step, a column an account."""
        moved = self.moved
        count, period, step, row, amount = self._rows_of(moved)
        given = self.batch.adjustments
        if given is None:
            return _Sums(count, period, step, row, amount)
        to, which = self.accounts.given(given.participant)
        return _Sums(
            count,
            np.concatenate((period, self.accounts.at(given.day[which]))),
            np.concatenate((step, np.full(which.size, _ADJUSTMENTS))),
            np.concatenate((row, to)),
            np.concatenate((amount, given.amount[which])),
        )

    def _rows_of(self, moved: Movements) -> tuple[int, Ints, Ints, Ints, Ints]:
        """How many accounts there are, and of movements: pay period, step, account, amount."""
        account = self.account
        people, families, replicates = (
            np.unique(np.concatenate(pair))
            for pair in (
                (account.participant, moved.participant),
                (account.family, self.family[moved.plan]),
                (account.replicate, moved.replicate),
            )
        )

        def key(participant: Ints, family: Ints, replicate: Ints) -> Ints:
            return packed(
                (
                    (np.searchsorted(people, participant), people.size),
                    (np.searchsorted(families, family), families.size),
                    (np.searchsorted(replicates, replicate), replicates.size),
                )
            )[0]

        # Accounts stand in the order of the key.
        mine = key(account.participant, account.family, account.replicate)
        row = places_of(mine, key(moved.participant, self.family[moved.plan], moved.replicate))
        return mine.size, moved.period, moved.step, row, moved.amount

    def _late(self) -> _Late:
        """Adjustments that belong to an earlier pay period, for guarantees that are tested again."""
        given, mine = self.batch.adjustments, self.moved.step == _ADJUSTMENTS
        moved = Movements(*(getattr(self.moved, each.name)[mine] for each in fields(Movements)))
        _, period, _, row, amount = self._rows_of(moved)
        late = [each[row >= 0] for each in (period, row, moved.origin, amount)]
        if given is not None:
            to, which = self.accounts.given(given.participant)
            known = given.origin[which] != MISSING_DAY
            to, which = to[known], which[known]
            more = (self.accounts.at(given.day[which]), to, self.accounts.at(given.origin[which]), given.amount[which])
            late = [np.concatenate(pair) for pair in zip(late, more, strict=True)]
        return _Late(*late)

    def _period(self, period: Period) -> dict[str, Ints]:
        """One pay period: its columns by account; of draws two-dimensional ones, a column a draw."""
        account, plan = self.account, self.accounts.plans(period.place)
        columns = {each.name: np.zeros(plan.size, dtype=np.int64) for each in fields(Settlements)}
        columns["participant"], columns["replicate"] = account.participant, account.replicate
        columns["plan"], columns["pay_period"] = plan, np.full(plan.size, period.place)
        columns["exchange"] = np.full(plan.size, -1, dtype=np.int64)
        by_draw = {f"draws.{name}": np.zeros_like(account.draws) for name in _OF_DRAWS}
        period.topped[period.place] = np.zeros_like(account.draws)
        waiting = np.zeros(plan.size, dtype=bool)
        for place in np.unique(plan).tolist():
            mine = np.flatnonzero((plan == place) & (self.waits == NEVER))
            bounds = self.bounds[period.place : period.place + 2].tolist()
            stated = self.settled_in.stated(place, account.participant[mine], *bounds)
            known = stated.known()
            waiting[mine[~known]] = True
            self.waits[mine[~known & self._moves(period, place, mine)]] = period.place
            mine, stated = mine[known], stated.pick(np.flatnonzero(known))
            slots = self.slots[int(self.family[place])]
            step = Step(self.batch, place, self.active, period, mine, account.pick(mine), stated, slots, self.left)
            columns["exchange"][mine] = np.maximum(stated.row, -1)
            for name, values in step.run().items():
                columns[name][mine] = values
            for name, values in step.by_draw.items():
                by_draw[f"draws.{name}"][mine] = values
            self.retests += [(period.place, *each) for each in step.retests]
            account.put(mine, step.account)
        by_draw["draws.balance"] = account.draws.copy()
        columns["waits"] = (waiting | (self.waits < NEVER)).astype(np.int64)
        return columns | by_draw

    def _moves(self, period: Period, place: int, rows: Ints) -> Mask:
        """Which of these accounts the pay period may move: something comes in, comes back or stands, or the version
        that settles them pays a draw."""
        account, settlement = self.account.pick(rows), self.batch.plans[place].settlement
        found = period.total[:, rows].any(axis=0) | account.draws.any(axis=1)
        for stands in (account.carried, account.clawback, account.kept):
            found |= stands != 0
        if period.back is not None:
            found |= period.back[rows] != 0
        start, end = self.bounds[period.place : period.place + 2].tolist()
        if settlement is not None and any(draw.start <= start < draw.end for draw in settlement.draws):
            given, mine = self.batch.assignments, self.assigned
            there = (self.family[given.plan[mine]] == self.family[place]) & (given.start[mine] < end)
            there &= given.end[mine] > start
            found |= np.isin(account.participant, given.participant[mine[there]])
        return np.asarray(found, dtype=bool)

    def _joined(self, tables: list[dict[str, Ints]], first: int) -> tuple[Settlements, Ints]:
        """All periods, by account; one in which nothing moves for an account has no row. Beside them where each row
        stood: the account times the periods, plus the period."""
        rows, count = self.account.participant.size, len(tables)
        order = np.arange(rows * count).reshape(count, rows).T.ravel()
        columns = {
            each.name: np.concatenate([table[each.name] for table in tables])[order] for each in fields(Settlements)
        }
        stands = np.zeros(rows * count, dtype=bool)
        for name in _MOVED:
            stands |= columns[name] != 0
        for name, opening in self.accounts.opened.items():
            standing = columns[name].reshape(rows, count)
            stands |= (standing != np.column_stack((opening, standing[:, :-1]))).ravel()
        for place, accounts, *_ in self.retests:
            stands[accounts * count + place - first] = True
        if self.alone is not None:
            stands[:] = True
        stands &= np.concatenate([table["waits"] for table in tables])[order] == 0
        settled = Settlements(**{name: column[stands] for name, column in columns.items()})
        return settled, np.flatnonzero(stands)

    def _draws(self, tables: list[dict[str, Ints]], stands: Ints) -> DrawBalances:
        """What becomes of each draw in the rows that stand, by row."""
        account, period = np.divmod(stands, len(tables))
        words = tuple(sorted({key for slots in self.slots for key in slots}))
        family = self.account.family[account]
        width = self.account.draws.shape[1]
        code = np.full((len(self.slots), width), -1, dtype=np.int32)
        for place, slots in enumerate(self.slots):
            code[place, : len(slots)] = [words.index(key) for key in slots]
        values = {name: np.stack([table[f"draws.{name}"] for table in tables])[period, account] for name in _OF_DRAWS}
        row, slot = np.nonzero(np.any([column != 0 for column in values.values()], axis=0))
        found = {name: column[row, slot] for name, column in values.items()}
        return DrawBalances(row, Text(code[family[row], slot], words), **found)

    def _retests(self, stands: Ints, first: int, periods: int) -> Retests:
        """What was taken back of old top-ups, in the rows that stand."""
        words = tuple(sorted({key for slots in self.slots for key in slots}))
        found: list[Ints] = []
        for place, accounts, slot, origin, amounts in self.retests:
            row = np.searchsorted(stands, accounts * periods + place - first)
            codes = np.array([words.index(slots[slot]) if slot < len(slots) else -1 for slots in self.slots])
            key = codes[self.account.family[accounts]]
            found.append(np.stack((row, key, np.full_like(row, origin), amounts)).astype(np.int64))
        columns = np.concatenate([np.zeros((4, 0), dtype=np.int64), *found], axis=1)
        return Retests(columns[0], Text(columns[1].astype(np.int32), words), columns[2], columns[3])


class _Sums:
    """Amounts by pay period, step and account."""

    def __init__(self, accounts: int, period: Ints, step: Ints, account: Ints, amount: Ints) -> None:
        self._accounts = accounts
        known = account >= 0
        period, step, account, amount = (column[known] for column in (period, step, account, amount))
        order = np.lexsort((account, step, period))
        period, step, account, amount = (column[order] for column in (period, step, account, amount))
        heads = run_starts(period, step, account)
        self._period, self._step, self._account = period[heads], step[heads], account[heads]
        self._amount = money(sums(amount, heads), "What a pay period takes in")

    def __call__(self, period: int) -> Ints:
        total = np.zeros((len(STEPS), self._accounts), dtype=np.int64)
        rows = slice(*np.searchsorted(self._period, (period, period + 1)))
        total[self._step[rows], self._account[rows]] = self._amount[rows]
        return total


@dataclass(frozen=True, slots=True)
class _Late:
    """Adjustments with the pay period that they belong to."""

    period: Ints
    account: Ints
    origin: Ints
    amount: Ints

    def __call__(self, period: int) -> tuple[Ints, Ints, Ints]:
        rows = self.period == period
        return self.account[rows], self.origin[rows], self.amount[rows]


def _forgets(settlement: Settlement) -> bool:
    """Whether leaving changes a balance."""
    limit = settlement.clawback_limit
    written = any(draw.on_leaving == "written_off" for draw in settlement.draws)
    forgives = limit is not None and limit.on_leaving == "forgiven"
    return written or forgives or settlement.small_adjustments is not None
