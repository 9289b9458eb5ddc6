"""The waterfall: from what is released to what is paid, by participant, plan and pay period. See
docs/algorithms/waterfall.md.

One pass over the pay periods in order, all accounts at once: what a period leaves (a draw's balance, carried pay, a
holdback) is what the next one starts from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from fractions import Fraction

import numpy as np

from crediting.kernel.exact import Whole, money, packed, run_starts, scaled, sums
from payouts.kernel.batch import DATED, MISSING_DAY, OF_REVERSAL, Batch, Ints, Settlements
from plans.rules.compiled import CompiledPlan, Draw, Settlement

#: How much of a pay period someone is active: (participants, the plan of each, first day, end) to active and all days.
Active = Callable[[Ints, Ints, int, int], tuple[Ints, Ints]]
_STEPS = ("releases", "adjustments", "clawbacks")


@dataclass(frozen=True, slots=True)
class Movements:
    """What the waterfall takes in. `step` is a place in releases, adjustments, clawbacks; `plan` an index into
    Batch.plans; `origin` the pay period that an adjustment belongs to, -1 where to none."""

    participant: Ints
    plan: Ints
    replicate: Ints
    period: Ints
    step: Ints
    amount: Ints
    origin: Ints


@dataclass(slots=True)
class _Accounts:
    """One row a participant, plan key and replicate."""

    participant: Ints
    family: Ints
    replicate: Ints
    draw_balance: Ints
    carried: Ints
    first_top_up: Ints  # the pay period of the first, FAR where there was none yet

    def pick(self, rows: Ints) -> _Accounts:
        return _Accounts(*(getattr(self, each.name)[rows] for each in fields(self)))


_NEVER = np.iinfo(np.int64).max // 4
_BEFORE = -_NEVER


def settle(batch: Batch, moved: Movements, active: Active | None = None) -> Settlements | None:
    """What each pay period pays, by the settlement of the plan version in force; None where no plan has one.

    Movements of plans without a settlement are left out. `active` prorates draws where a plan asks for it.
    """
    if not any(plan.settlement for plan in batch.plans):
        return None
    return _Waterfall(batch, moved, active).run()


def movements(
    batch: Batch, tranche_line: Ints, tranches: tuple[Ints, Ints, Ints], line: tuple[Ints, Ints, Ints, Ints]
) -> Movements:
    """Movements of a result: `tranches` are amount, pay period and state; `line` participant, plan, replicate, kind."""
    amount, period, state = tranches
    participant, plan, replicate, kind = line
    rows = np.flatnonzero((state == DATED) & (period >= 0) & (amount != 0))
    of = tranche_line[rows]
    step = np.where(kind[of] == OF_REVERSAL, 2, 0)
    return adjusted(
        batch,
        Movements(participant[of], plan[of], replicate[of], period[rows], step, amount[rows], np.full(rows.size, -1)),
    )


def adjusted(batch: Batch, moved: Movements) -> Movements:
    """With the batch's adjustments, each in every replicate of the person's accounts with a settlement."""
    given = batch.adjustments
    if given is None or not given.participant.size:
        return moved
    period = _period_of(batch.pay_periods, given.day)
    origin = np.where(given.origin == MISSING_DAY, -1, _period_of(batch.pay_periods, np.maximum(given.origin, 0)))
    replicates = np.unique(moved.replicate) if moved.replicate.size else np.zeros(1, dtype=np.int64)
    plan = np.array([_first_settled(batch, int(each)) for each in given.participant], dtype=np.int64)
    known = plan >= 0
    times = replicates.size
    columns = (
        np.tile(given.participant[known], times),
        np.tile(plan[known], times),
        np.repeat(replicates, int(known.sum())),
        np.tile(period[known], times),
        np.ones(int(known.sum()) * times, dtype=np.int64),
        np.tile(given.amount[known], times),
        np.tile(origin[known], times),
    )
    return Movements(
        *(
            np.concatenate((getattr(moved, each.name), column))
            for each, column in zip(fields(moved), columns, strict=True)
        )
    )


def _first_settled(batch: Batch, participant: int) -> int:
    """The first plan of a participant that settles: an adjustment is given to a person, not to a plan."""
    plans = np.unique(batch.assignments.plan[batch.assignments.participant == participant])
    return next((int(plan) for plan in plans if batch.plans[int(plan)].settlement), -1)


def _period_of(bounds: Ints, day: Ints) -> Ints:
    return np.clip(np.searchsorted(bounds, day, side="right") - 1, 0, bounds.size - 2)


class _Waterfall:
    def __init__(self, batch: Batch, moved: Movements, active: Active | None) -> None:
        self.batch, self.active = batch, active
        self.bounds = batch.pay_periods
        keys = list(dict.fromkeys(plan.key for plan in batch.plans))
        self.family_of = np.array([keys.index(plan.key) for plan in batch.plans], dtype=np.int64)
        settles = np.array([plan.settlement is not None for plan in batch.plans])
        families = np.unique(self.family_of[settles])
        kept = np.isin(self.family_of[moved.plan], families) if moved.plan.size else np.zeros(0, dtype=bool)
        self.moved = Movements(*(getattr(moved, each.name)[kept] for each in fields(moved)))
        self.assigned = np.flatnonzero(np.isin(self.family_of[batch.assignments.plan], families))
        self.accounts = self._accounts()

    # ------------------------------------------------------------------ accounts

    def _accounts(self) -> _Accounts:
        """Everybody who is assigned to a plan with a settlement, or has a movement in one, by replicate."""
        moved, given = self.moved, self.batch.assignments
        replicates = np.unique(moved.replicate) if moved.replicate.size else np.zeros(1, dtype=np.int64)
        participant = np.concatenate((moved.participant, given.participant[self.assigned]))
        if self.batch.only is not None:
            wanted = np.isin(participant, self.batch.only)
        else:
            wanted = np.ones(participant.size, dtype=bool)
        family = np.concatenate((self.family_of[moved.plan], self.family_of[given.plan[self.assigned]]))
        pairs = np.unique(np.stack((participant[wanted], family[wanted])), axis=1)
        people, families = np.repeat(pairs, replicates.size, axis=1)
        count = people.size
        draw, carried = (self._opening(people, kind) for kind in ("draw", "carried"))
        started = np.where(draw > 0, _BEFORE, _NEVER)
        return (
            _Accounts(people, families, np.tile(replicates, pairs.shape[1]), draw, carried, started)
            if count
            else (_Accounts(*(np.zeros(0, dtype=np.int64) for _ in range(6))))
        )

    def _opening(self, people: Ints, kind: str) -> Ints:
        """The opening balance of each account; a person's is given to the first of the accounts."""
        found = np.zeros(people.size, dtype=np.int64)
        balances = self.batch.balances
        if balances is None or kind not in balances.kind.vocabulary:
            return found
        rows = np.flatnonzero(balances.kind.codes == balances.kind.vocabulary.index(kind))
        ids, place = np.unique(balances.participant[rows], return_inverse=True)
        total = np.zeros(ids.size, dtype=np.int64)
        np.add.at(total, place, balances.amount[rows])
        at = np.minimum(np.searchsorted(ids, people), max(ids.size - 1, 0))
        return np.where(ids[at] == people, total[at], 0) if ids.size else found

    # ------------------------------------------------------------------ the periods

    def run(self) -> Settlements:
        accounts = self.accounts
        rows = accounts.participant.size
        span = self._span()
        if not rows or span is None:
            none = np.zeros(0, dtype=np.int64)
            return Settlements(*(none for _ in fields(Settlements)))
        first, last = span
        inflow = self._inflow(first, last)
        held: dict[int, Ints] = {}
        topped: dict[int, Ints] = {}
        tables: list[dict[str, Ints]] = []
        period = first
        while period <= last:
            back = held.pop(period, None)
            plan = self._plans(period)
            table, due = self._period(period, plan, inflow(period), back, topped)
            for later, amount in due.items():
                held[later] = held.get(later, np.zeros(rows, dtype=np.int64)) + amount
                last = max(last, min(later, self.bounds.size - 2))
            tables.append(table)
            period += 1
        return self._joined(tables)

    def _span(self) -> tuple[int, int] | None:
        """The first and last pay period in which anything moves or a draw is paid."""
        found = [self.moved.period]
        for place, plan in enumerate(self.batch.plans):
            draw = plan.settlement.draw if plan.settlement else None
            rows = self.assigned[self.batch.assignments.plan[self.assigned] == place]
            if draw is None or not rows.size:
                continue
            given = self.batch.assignments
            start = np.maximum(given.start[rows], draw.start)
            end = np.minimum(given.end[rows], draw.end)
            rows = start < end
            found += [_period_of(self.bounds, start[rows]), _period_of(self.bounds, end[rows] - 1)]
        periods = np.concatenate(found)
        return (int(periods.min()), int(periods.max())) if periods.size else None

    def _inflow(self, first: int, last: int) -> Callable[[int], tuple[Ints, Movements]]:
        """For a period: the sums of releases, adjustments and clawbacks by account (a row a step), and the adjustments
        with an origin, one by one."""
        moved, accounts = self.moved, self.accounts
        most = int(max(self.family_of.max(initial=0), 0)) + 1
        below = int(max(accounts.replicate.max(initial=0), moved.replicate.max(initial=0))) + 1
        people, _ = np.unique(np.concatenate((accounts.participant, moved.participant)), return_inverse=True)

        def key(participant: Ints, family: Ints, replicate: Ints) -> Ints:
            return packed(
                ((np.searchsorted(people, participant), people.size + 1), (family, most), (replicate, below))
            )[0]

        mine = key(accounts.participant, accounts.family, accounts.replicate)
        order = np.argsort(mine, kind="stable")
        theirs = key(moved.participant, self.family_of[moved.plan], moved.replicate)
        at = np.minimum(np.searchsorted(mine[order], theirs), max(mine.size - 1, 0))
        known = mine[order][at] == theirs if mine.size else np.zeros(theirs.size, dtype=bool)
        row = order[at] if mine.size else at
        by_period = np.argsort(moved.period, kind="stable")
        starts = np.searchsorted(moved.period[by_period], np.arange(first, last + 2))

        def of(period: int) -> tuple[Ints, Movements]:
            total = np.zeros((len(_STEPS), mine.size), dtype=np.int64)
            none = np.zeros(0, dtype=np.int64)
            if not first <= period <= last:
                return total, Movements(none, none, none, none, none, none, none)
            rows = by_period[starts[period - first] : starts[period - first + 1]]
            rows = rows[known[rows]]
            order = np.lexsort((row[rows], moved.step[rows]))
            rows = rows[order]
            heads = run_starts(moved.step[rows], row[rows]) if rows.size else rows
            total[moved.step[rows][heads], row[rows][heads]] = money(sums(moved.amount[rows], heads), "A pay period")
            late = rows[(moved.step[rows] == 1) & (moved.origin[rows] >= 0)]
            return total, Movements(
                row[late], moved.plan[late], none, none, none, moved.amount[late], moved.origin[late]
            )

        return of

    def _plans(self, period: int) -> Ints:
        """The version that settles each account in the period: the one of the last day on which the person was assigned
        up to the period's end, else the first to come."""
        given, rows = self.batch.assignments, self.assigned
        end = int(self.bounds[period + 1])
        begun = np.minimum(given.end[rows], end) - 1
        begun = np.where(given.start[rows] < end, begun, -given.start[rows] - _NEVER)
        order = np.lexsort((given.plan[rows], begun))
        people = np.unique(given.participant[rows])
        best = np.full((people.size, int(self.family_of.max()) + 1), -1, dtype=np.int64)
        ordered = rows[order]
        # The last assignment written is the one that counts.
        best[np.searchsorted(people, given.participant[ordered]), self.family_of[given.plan[ordered]]] = given.plan[
            ordered
        ]
        at = np.minimum(np.searchsorted(people, self.accounts.participant), max(people.size - 1, 0))
        known = people[at] == self.accounts.participant if people.size else np.zeros(at.size, dtype=bool)
        found = np.where(known, best[at, self.accounts.family] if people.size else -1, -1)
        fallback = np.array(
            [np.flatnonzero(self.family_of == each)[0] for each in range(int(self.family_of.max()) + 1)]
        )
        return np.where(found >= 0, found, fallback[self.accounts.family])

    def _period(
        self,
        period: int,
        plan: Ints,
        inflow: tuple[Ints, Movements],
        back: Ints | None,
        topped: dict[int, Ints],
    ) -> tuple[dict[str, Ints], dict[int, Ints]]:
        """One pay period: its columns, and what is held back until when."""
        total, late = inflow
        rows = self.accounts.participant.size
        columns = {each.name: np.zeros(rows, dtype=np.int64) for each in fields(Settlements)}
        columns["participant"], columns["replicate"] = self.accounts.participant, self.accounts.replicate
        columns["plan"], columns["pay_period"] = plan, np.full(rows, period)
        if back is not None:
            total[0] += back
        due: dict[int, Ints] = {}
        topped[period] = np.zeros(rows, dtype=np.int64)
        for place in np.unique(plan):
            version = self.batch.plans[int(place)]
            mine = np.flatnonzero(plan == place)
            if version.settlement is None:
                columns["released"][mine], columns["adjusted"][mine], columns["clawed_back"][mine] = total[:, mine]
                columns["payout"][mine] = total[:, mine].sum(axis=0)
                continue
            account = self.accounts.pick(mine)
            step = _Step(version, version.settlement, self, period, mine, account, total[:, mine])
            if version.settlement.draw is not None and version.settlement.draw.retest:
                step.retested = _retested(late, mine, topped, rows)
            for name, values in step.run().items():
                columns[name][mine] = values
            topped[period][mine] = step.topped
            for each in ("draw_balance", "carried", "first_top_up"):
                getattr(self.accounts, each)[mine] = getattr(account, each)
            for later, amount in step.due.items():
                due.setdefault(later, np.zeros(rows, dtype=np.int64))[mine] += amount
        return columns, due

    def _joined(self, tables: list[dict[str, Ints]]) -> Settlements:
        """All periods, by account; rows in which nothing stands are left out."""
        rows, count = self.accounts.participant.size, len(tables)
        names = [each.name for each in fields(Settlements)]
        # Account first, then period.
        order = np.arange(rows * count).reshape(count, rows).T.ravel()
        columns = {name: np.concatenate([table[name] for table in tables])[order] for name in names}
        keys = ("participant", "plan", "pay_period", "replicate")
        stands = np.zeros(rows * count, dtype=bool)
        for name in names:
            if name not in keys:
                stands |= columns[name] != 0
        return Settlements(**{name: columns[name][stands] for name in names})


class _Step:
    """The waterfall of one plan version in one pay period, for the accounts at `rows`."""

    def __init__(
        self,
        plan: CompiledPlan,
        settlement: Settlement,
        waterfall: _Waterfall,
        period: int,
        rows: Ints,
        account: _Accounts,
        total: Ints,
    ) -> None:
        self.plan, self.settlement, self.waterfall = plan, settlement, waterfall
        self.period, self.rows, self.account = period, rows, account
        self.total = total
        none = np.zeros(rows.size, dtype=np.int64)
        self.net = none
        self.topped = none
        self.retested = none
        self.forward = none.copy()  # what the cap carries
        self.columns: dict[str, Ints] = {}
        self.due: dict[int, Ints] = {}

    def run(self) -> dict[str, Ints]:
        for name in self.settlement.order:
            getattr(self, f"_{name}")()
        self._close()
        return self.columns

    def _add(self, column: str, amount: Ints) -> None:
        self.columns[column] = self.columns.get(column, np.zeros(self.rows.size, dtype=np.int64)) + amount
        self.net = money(self.net + amount, "A net pay")

    def _releases(self) -> None:
        self._add("released", self.total[0])

    def _adjustments(self) -> None:
        self._add("adjusted", self.total[1])
        # A guarantee of an earlier period, tested again, is taken back as far as late earning reaches.
        self._add("topped_up", -self.retested)

    def _clawbacks(self) -> None:
        self._add("clawed_back", self.total[2])

    def _carried(self) -> None:
        self._add("brought_forward", self.account.carried)
        self.account.carried = np.zeros_like(self.account.carried)

    def _recovery(self) -> None:
        draw = self.settlement.draw
        if draw is None or draw.recovery is None:
            return
        positive = np.maximum(self.net, 0)
        due = np.minimum(self.account.draw_balance, self._share(positive, draw.recovery.share))
        due = np.minimum(due, np.maximum(self.net - draw.recovery.keep, 0))
        passed = self.period - self.account.first_top_up - 1
        taken = np.where(passed >= draw.recovery.after_periods, np.maximum(due, 0), 0)
        self._add("recovered", -taken)
        self.account.draw_balance = self.account.draw_balance - taken

    def _cap(self) -> None:
        if self.settlement.cap is None:
            return
        excess = np.maximum(self.net - self.settlement.cap, 0)
        if self.settlement.cap_excess == "carried":
            self.forward = self.forward + excess
            self.net = self.net - excess
            return
        self._add("capped", -excess)
        if self.settlement.cap_excess == "review":
            self.columns["review"] = excess

    def _holdback(self) -> None:
        if self.settlement.holdback is None:
            return
        kept = self._share(np.maximum(self.net, 0), self.settlement.holdback)
        self._add("held_back", -kept)
        self.due[self.period + self.settlement.holdback_periods] = kept

    def _top_up(self) -> None:
        draw = self.settlement.draw
        if draw is None:
            return
        amount = self._draw_amount(draw)
        if draw.style == "top_up":
            tested = np.zeros(self.rows.size, dtype=np.int64)
            for name in draw.test:
                tested = tested + self.total[_STEPS.index(name)]
            amount = np.where(amount > 0, np.maximum(amount - tested, 0), 0)
        self._add("topped_up", amount)
        self.topped = amount
        if draw.kind == "recoverable":
            self.account.draw_balance = money(self.account.draw_balance + amount, "A draw balance")
            first = np.where(amount > 0, self.period, _NEVER)
            self.account.first_top_up = np.minimum(self.account.first_top_up, first)

    def _draw_amount(self, draw: Draw) -> Ints:
        """The draw of each account in this pay period: nothing outside its dates or while not assigned."""
        start, end = (int(day) for day in self.waterfall.bounds[self.period : self.period + 2])
        amount = np.full(self.rows.size, draw.amount, dtype=np.int64)
        given = self.waterfall.batch.assignments
        there = self.waterfall.assigned[
            (given.start[self.waterfall.assigned] < end) & (given.end[self.waterfall.assigned] > start)
        ]
        family = self.waterfall.family_of[given.plan[there]]
        mine = self.account.family[0] if self.rows.size else -1
        present = np.isin(self.account.participant, given.participant[there[family == mine]])
        if not draw.start <= start < draw.end:
            return np.zeros_like(amount)
        prorated = self.plan.proration is not None and "draw" in self.plan.proration.of
        if prorated and self.waterfall.active is not None:
            assert self.plan.proration is not None
            part, whole = self.waterfall.active(
                self.account.participant, np.full(self.rows.size, self.family_place()), start, end
            )
            unit = 10**self.plan.minor_digits if self.plan.proration.round == "whole" else 1
            steps = [
                scaled(np.array([draw.amount]), Fraction(int(a), int(b) or 1), self.plan.round_mode, unit)[0]
                for a, b in zip(*np.unique(np.stack((part, whole)), axis=1), strict=True)
            ]
            _, place = np.unique(np.stack((part, whole)), axis=1, return_inverse=True)
            amount = np.array(steps, dtype=np.int64)[place.ravel()]
        return np.where(present, amount, 0)

    def family_place(self) -> int:
        """The index of this version among the batch's plans."""
        return next(place for place, plan in enumerate(self.waterfall.batch.plans) if plan is self.plan)

    def _close(self) -> None:
        settlement = self.settlement
        forward = self.forward
        if settlement.minimum is not None:
            small = (self.net > 0) & (self.net < settlement.minimum)
            forward = forward + np.where(small, self.net, 0)
            self.net = np.where(small, 0, self.net)
        if settlement.negative == "carried":
            forward = forward + np.minimum(self.net, 0)
            self.net = np.maximum(self.net, 0)
        self.account.carried = self.account.carried + forward
        self.columns["carried_forward"] = forward
        self.columns["payout"] = self.net
        self._leave()
        self.columns["draw_balance"] = self.account.draw_balance

    def _leave(self) -> None:
        """At the end of employment a draw's balance stays owed, or is written off."""
        draw, employment = self.settlement.draw, self.waterfall.batch.employment
        if draw is None or draw.on_leaving != "written_off" or employment is None:
            return
        start, end = (int(day) for day in self.waterfall.bounds[self.period : self.period + 2])
        spans = np.flatnonzero(employment.leave == 0)
        people, place = np.unique(employment.participant[spans], return_inverse=True)
        last = np.full(people.size, MISSING_DAY, dtype=np.int64)
        np.maximum.at(last, place, employment.end[spans])
        gone = people[(last > start) & (last <= end)]
        left = np.isin(self.account.participant, gone)
        self.columns["written_off"] = np.where(left, self.account.draw_balance, 0)
        self.account.draw_balance = np.where(left, 0, self.account.draw_balance)

    def _share(self, amount: Whole, share: Fraction) -> Ints:
        return scaled(amount, share, self.plan.round_mode).astype(np.int64)


def _retested(late: Movements, mine: Ints, topped: dict[int, Ints], rows: int) -> Ints:
    """What late earning takes back of earlier top-ups: per origin period, as far as that period's top-up goes."""
    found = np.zeros(rows, dtype=np.int64)
    wanted = np.isin(late.participant, mine) & (late.amount > 0)
    for origin in np.unique(late.origin[wanted]):
        left = topped.get(int(origin))
        if left is None:
            continue
        of = np.flatnonzero(wanted & (late.origin == origin))
        amount = np.zeros(rows, dtype=np.int64)
        np.add.at(amount, late.participant[of], late.amount[of])
        taken = np.minimum(amount, left)
        left -= taken
        found += taken
    return found[mine]
