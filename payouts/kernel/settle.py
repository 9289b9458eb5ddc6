"""From what is released to what is paid, by participant, plan and pay period: number 34 of docs/plan-language.md. See
docs/algorithms/waterfall.md.

One pass over the pay periods in order, all accounts at once: what a period leaves (a draw's balance, carried pay, a
holdback) is what the next one starts from.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from crediting.kernel.exact import added, money, packed, run_numbers, run_starts, sums
from payouts.kernel.batch import DATED, FAR_DAY, MISSING_DAY, OF_REVERSAL, Batch, DrawBalances, Ints, Settlements, Text
from payouts.kernel.steps import BEFORE, NEVER, STEPS, Account, Active, Period, Step
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
    """What the waterfall takes in. `step` is a place in releases, adjustments, clawbacks; `plan` an index into
    Batch.plans, `component` one into its components."""

    participant: Ints
    plan: Ints
    replicate: Ints
    period: Ints
    step: Ints
    amount: Ints
    component: Ints


def movements(tranche_line: Ints, tranches: tuple[Ints, Ints, Ints], line: tuple[Ints, ...]) -> Movements:
    """Movements of a result: `tranches` are amount, pay period and state; `line` participant, plan, replicate, kind and
    component."""
    amount, period, state = tranches
    participant, plan, replicate, kind, component = line
    rows = np.flatnonzero((state == DATED) & (period >= 0) & (amount != 0))
    of = tranche_line[rows]
    step = np.where(kind[of] == OF_REVERSAL, _CLAWBACKS, _RELEASES)
    return Movements(participant[of], plan[of], replicate[of], period[rows], step, amount[rows], component[of])


def settle(batch: Batch, moved: Movements, active: Active) -> tuple[Settlements | None, DrawBalances | None]:
    """What each pay period pays, by the settlement of the plan version in force, and what becomes of each draw; None
    where no plan has one (gives its draws keys). Movements of plans without a settlement are left out. `active`
    prorates draws."""
    if not any(plan.settlement for plan in batch.plans):
        return None, None
    return _Waterfall(batch, moved, active).run()


class _Waterfall:
    def __init__(self, batch: Batch, moved: Movements, active: Active) -> None:
        self.batch, self.active = batch, active
        self.bounds = batch.pay_periods
        keys = sorted({plan.key for plan in batch.plans})
        #: The place of each version's plan among the keys.
        self.family = np.array([keys.index(plan.key) for plan in batch.plans], dtype=np.int64)
        settles = np.array([plan.settlement is not None for plan in batch.plans])
        families = np.unique(self.family[settles])
        kept = np.isin(self.family[moved.plan], families)
        self.moved = Movements(*(getattr(moved, each.name)[kept] for each in fields(moved)))
        self.assigned = np.flatnonzero(np.isin(self.family[batch.assignments.plan], families))
        self.slots = [self._slots(key) for key in keys]
        self.account, self.first = self._accounts()
        self._open_draws()
        self.owed = self.account.clawback.copy()

    def _slots(self, key: str) -> list[str]:
        """The draws of a plan in all its versions."""
        settlements = [plan.settlement for plan in self.batch.plans if plan.key == key]
        draws = [draw.key for settlement in settlements if settlement is not None for draw in settlement.draws]
        return list(dict.fromkeys(draws)) or ["draw"]

    # ------------------------------------------------------------------ accounts

    def _accounts(self) -> tuple[Account, Ints]:
        """One account for everybody who is assigned to a plan with a settlement, or has a movement in one, by
        replicate: by participant, plan key and replicate. Beside them which are the first of their participants, in
        each replicate: what is given to a person and to no plan is theirs."""
        moved, given = self.moved, self.batch.assignments
        replicates = np.unique(moved.replicate) if moved.replicate.size else np.zeros(1, dtype=np.int64)
        participant = np.concatenate((moved.participant, given.participant[self.assigned]))
        family = np.concatenate((self.family[moved.plan], self.family[given.plan[self.assigned]]))
        if self.batch.only is not None:
            wanted = np.isin(participant, self.batch.only)
            participant, family = participant[wanted], family[wanted]
        pairs = np.unique(np.stack((participant, family)), axis=1)
        people, families = np.repeat(pairs, replicates.size, axis=1)
        heads = np.zeros(pairs.shape[1], dtype=bool)
        heads[run_starts(pairs[0])] = True
        first = np.repeat(heads, replicates.size)
        carried, owed = (np.where(first, self._opening(people, kind), 0) for kind in ("carried", "clawback"))
        draws = np.zeros((people.size, max(map(len, self.slots))), dtype=np.int64)
        rows = np.tile(replicates, pairs.shape[1])
        none = np.zeros_like(carried)
        account = Account(people, families, rows, draws, carried, owed, none, draws + NEVER, none.copy())
        return account, np.flatnonzero(first)

    def _open_draws(self) -> None:
        """What each account's draws start from: a balance that names no draw is of the first of the version that
        settles the first pay period."""
        account, plan = self.account, self._plans(0)
        people, families, found = account.participant, account.family, account.draws
        for place in np.unique(plan[self.first]).tolist():
            settlement, slots = self.batch.plans[place].settlement, self.slots[self.family[place]]
            draws = [draw.key for draw in settlement.draws] if settlement is not None else []
            mine = self.first[plan[self.first] == place]
            found[mine, slots.index(draws[0] if draws else min(slots))] = self._opening(people[mine], "draw")
        for key in sorted({key for slots in self.slots for key in slots}):
            opening = self._opening(people, f"draw:{key}")
            has = np.array([key in slots for slots in self.slots])[families] & (opening != 0)
            # Of the first of the plans that have it; every replicate of an account stands beside the others.
            rows = np.flatnonzero(has)
            heads = run_starts(people[rows]) if rows.size else rows
            run = run_numbers(heads, rows.size)
            mine = rows[families[rows] == families[rows][heads][run]]
            slots = np.array([slots.index(key) if key in slots else 0 for slots in self.slots])[families[mine]]
            found[mine, slots] += opening[mine]
        account.first_top_up[found > 0] = BEFORE

    def _opening(self, people: Ints, kind: str) -> Ints:
        """The opening balance of each person."""
        balances = self.batch.balances
        if balances is None or kind not in balances.kind.vocabulary:
            return np.zeros_like(people)
        rows = np.flatnonzero(balances.kind.codes == balances.kind.vocabulary.index(kind))
        ids, place = np.unique(balances.participant[rows], return_inverse=True)
        total = added(ids.size + 1, place, balances.amount[rows], "The opening balances of a person")
        return total[_places(ids, people)]

    # ------------------------------------------------------------------ the periods

    def run(self) -> tuple[Settlements, DrawBalances | None]:
        rows, span = self.account.participant.size, self._span()
        named = any(slots != ["draw"] for slots in self.slots)
        if not rows or span is None:
            nothing = DrawBalances(_NONE, Text(_NONE.astype(np.int32), ()), *(_NONE for _ in _OF_DRAWS))
            return Settlements(*(_NONE for _ in fields(Settlements))), nothing if named else None
        first, last = span
        inflow, late, parts = self._inflow(), self._late(), self._parts()
        year = np.searchsorted(self.batch.periods["year"], self.bounds[:-1], side="right")
        held: dict[int, Ints] = {}
        topped: dict[int, Ints] = {}
        tables: list[dict[str, Ints]] = []
        for place in range(first, self.bounds.size - 1):
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
        settled, stands = self._joined(tables)
        return settled, self._draws(tables, stands) if named else None

    def _span(self) -> tuple[int, int] | None:
        """The first and last pay period in which anything moves, a draw is paid or somebody leaves."""
        found = [self.moved.period]
        if self.batch.adjustments is not None:
            found.append(self._at(self.batch.adjustments.day))
        if self.account.draws.any() or self.account.carried.any() or self.account.clawback.any():
            found.append(np.zeros(1, dtype=np.int64))
        given = self.batch.assignments
        for place, plan in enumerate(self.batch.plans):
            rows = self.assigned[given.plan[self.assigned] == place]
            if plan.settlement is None or not rows.size:
                continue
            for draw in plan.settlement.draws:
                # The draw's last pay period begins within its dates, and may go on beyond them.
                behind = self.bounds[self._at(np.array([draw.end - 1])) + 1]
                start, end = np.maximum(given.start[rows], draw.start), np.minimum(given.end[rows], behind)
                there = start < end
                found += [self._at(start[there]), self._at(end[there] - 1)]
            if _forgets(plan.settlement):
                people, last = self.left()
                gone = last[np.isin(people, given.participant[rows])]
                found.append(self._at(gone[gone < FAR_DAY] - 1))
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

    def _at(self, day: Ints) -> Ints:
        """The pay period of each day; the nearest where the calendar ends before."""
        return np.clip(np.searchsorted(self.bounds, day, side="right") - 1, 0, self.bounds.size - 2)

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
                mine[rows] = names[place][self.moved.component[rows]] == key
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
        to, which = self._given(given.participant)
        return _Sums(
            count,
            np.concatenate((period, self._at(given.day[which]))),
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
        row = _places(mine, key(moved.participant, self.family[moved.plan], moved.replicate))
        return mine.size, moved.period, moved.step, row, moved.amount

    def _late(self) -> _Late:
        """Adjustments that belong to an earlier pay period, for guarantees that are tested again."""
        given = self.batch.adjustments
        if given is None:
            return _Late(_NONE, _NONE, _NONE, _NONE)
        to, which = self._given(given.participant)
        known = given.origin[which] != MISSING_DAY
        to, which = to[known], which[known]
        return _Late(self._at(given.day[which]), to, self._at(given.origin[which]), given.amount[which])

    def _given(self, participant: Ints) -> tuple[Ints, Ints]:
        """Where what is given to persons goes: rows of accounts, one a replicate, and which of those given."""
        account, rows = self.account, []
        for replicate in np.unique(account.replicate):
            mine = self.first[account.replicate[self.first] == replicate]
            rows.append(np.append(mine, -1)[_places(account.participant[mine], participant)])
        to = np.concatenate([_NONE, *rows])
        which = np.tile(np.arange(participant.size), len(rows))
        return to[to >= 0], which[to >= 0]

    def _plans(self, period: int) -> Ints:
        """The version that settles each account: the one of the last day of the pay period, or before it, on which the
        person was assigned; else of the first day after it; else the plan's first."""
        given, rows = self.batch.assignments, self.assigned
        end = int(self.bounds[period + 1])
        nearness = np.where(given.start[rows] < end, np.minimum(given.end[rows], end) - 1, -given.start[rows] - NEVER)
        order = np.lexsort((given.plan[rows], nearness))
        family, person = self.family[given.plan[rows]][order], given.participant[rows][order]
        people = np.unique(person)
        best = np.full((people.size + 1, int(self.family.max()) + 1), -1, dtype=np.int64)
        # The last one written is the one that counts.
        best[np.searchsorted(people, person), family] = given.plan[rows][order]
        found = best[_places(people, self.account.participant), self.account.family]
        versions = np.array([int(np.flatnonzero(self.family == each)[0]) for each in range(best.shape[1])])
        return np.where(found >= 0, found, versions[self.account.family])

    def _period(self, period: Period) -> dict[str, Ints]:
        """One pay period: its columns by account; of draws two-dimensional ones, a column a draw."""
        account, plan = self.account, self._plans(period.place)
        columns = {each.name: np.zeros(plan.size, dtype=np.int64) for each in fields(Settlements)}
        columns["participant"], columns["replicate"] = account.participant, account.replicate
        columns["plan"], columns["pay_period"] = plan, np.full(plan.size, period.place)
        by_draw = {f"draws.{name}": np.zeros_like(account.draws) for name in _OF_DRAWS}
        period.topped[period.place] = np.zeros_like(account.draws)
        for place in np.unique(plan).tolist():
            mine = np.flatnonzero(plan == place)
            slots = self.slots[int(self.family[place])]
            step = Step(self.batch, place, self.active, period, mine, account.pick(mine), slots, self.left)
            for name, values in step.run().items():
                columns[name][mine] = values
            for name, values in step.by_draw.items():
                by_draw[f"draws.{name}"][mine] = values
            account.put(mine, step.account)
        by_draw["draws.balance"] = account.draws.copy()
        return columns | by_draw

    def _joined(self, tables: list[dict[str, Ints]]) -> tuple[Settlements, Ints]:
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
        for name, opening in (("clawback_balance", self.owed), ("kept_adjustments", np.zeros_like(self.owed))):
            standing = columns[name].reshape(rows, count)
            stands |= (standing != np.column_stack((opening, standing[:, :-1]))).ravel()
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


def _places(known: Ints, wanted: Ints) -> Ints:
    """The place of each value among known ones in ascending order, -1 where it is not among them."""
    if not known.size:
        return np.full(wanted.size, -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(known, wanted), known.size - 1)
    return np.where(known[at] == wanted, at, -1)
