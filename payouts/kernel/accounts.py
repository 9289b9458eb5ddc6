"""The accounts of the waterfall, and what they start from. See docs/algorithms/waterfall.md."""

from __future__ import annotations

import numpy as np

from crediting.kernel.exact import added, run_numbers, run_starts
from payouts.kernel.batch import Batch, Ints
from payouts.kernel.steps import BEFORE, NEVER, Account

_NONE = np.zeros(0, dtype=np.int64)


class Accounts:
    """One account a participant, plan with a settlement, and replicate, as it stands before the pay period `first`.

    `family`: the place of each version's plan among all keys; `settled`: which of those have a settlement; `slots`:
    the draws of each; `assigned`: rows of assignments to them. `held` is what comes back, by pay period; `topped` by
    how much earlier periods were topped up, a column a draw; `opened` balances that a first row is compared with.
    """

    def __init__(self, batch: Batch, moved: tuple[Ints, Ints, Ints], first: int) -> None:
        """`moved`: participant, plan and replicate of what comes in."""
        self.batch, self.bounds = batch, batch.pay_periods
        keys = sorted({plan.key for plan in batch.plans})
        self.family = np.array([keys.index(plan.key) for plan in batch.plans], dtype=np.int64)
        self.settled = np.zeros(len(keys), dtype=bool)
        self.settled[self.family[[plan.settlement is not None for plan in batch.plans]]] = True
        self.assigned = np.flatnonzero(self.settled[self.family[batch.assignments.plan]])
        self.slots = [self._slots(key) for key in keys]
        self.account = self._accounts(*moved)
        self._open()
        self._open_draws(first)
        self.opened = {"clawback_balance": self.account.clawback.copy(), "kept_adjustments": self.account.kept.copy()}

    def _slots(self, key: str) -> list[str]:
        """The draws of a plan in all its versions."""
        settlements = [plan.settlement for plan in self.batch.plans if plan.key == key]
        draws = [draw.key for settlement in settlements if settlement is not None for draw in settlement.draws]
        return list(dict.fromkeys(draws)) or ["draw"]

    def _accounts(self, participant: Ints, plan: Ints, replicate: Ints) -> Account:
        """One account for everybody who is assigned to a plan with a settlement, has a movement in one or stands at
        anything in one, by replicate: by participant, plan key and replicate."""
        given, stood = self.batch.assignments, self._stood()
        mine = self.settled[self.family[plan]]
        participant, plan, replicate = participant[mine], plan[mine], replicate[mine]
        replicates = np.unique(replicate) if replicate.size else np.zeros(1, dtype=np.int64)
        participant = np.concatenate((participant, given.participant[self.assigned], stood[0]))
        family = np.concatenate((self.family[plan], self.family[given.plan[self.assigned]], stood[1]))
        if self.batch.only is not None:
            wanted = np.isin(participant, self.batch.only)
            participant, family = participant[wanted], family[wanted]
        pairs = np.unique(np.stack((participant, family)), axis=1)
        people, families = np.repeat(pairs, replicates.size, axis=1)
        draws = np.zeros((people.size, max(map(len, self.slots))), dtype=np.int64)
        rows = np.tile(replicates, pairs.shape[1])
        carried, owed, kept, paid = (np.zeros_like(people) for _ in range(4))
        return Account(people, families, rows, draws, carried, owed, kept, draws + NEVER, paid)

    def _stood(self) -> tuple[Ints, Ints]:
        """Whose balances are of a plan with a settlement, and of which."""
        balances = self.batch.balances
        if balances is None or balances.plan is None:
            return _NONE, _NONE
        mine = np.flatnonzero(balances.plan >= 0)
        family = self.family[balances.plan[mine]]
        kept = self.settled[family]
        return balances.participant[mine[kept]], family[kept]

    def _open(self) -> None:
        """What the accounts start from, without what is of a draw."""
        account = self.account
        account.carried, account.clawback = self._opening("carried"), self._opening("clawback")
        account.kept, account.paid = self._opening("kept"), self._opening("paid")
        self.held: dict[int, Ints] = {}
        to, day, amount = self._dated("held")
        period = self.at(day)
        for place in np.unique(period).tolist():
            mine = period == place
            self.held[place] = added(account.participant.size, to[mine], amount[mine], "What is held back")

    def _open_draws(self, period: int) -> None:
        """What each account's draws start from: a balance that names no draw is of the first of the version that
        settles that pay period."""
        account, plan = self.account, self.plans(period)
        people, families, found = account.participant, account.family, account.draws
        unnamed = self._opening("draw")
        for place in np.unique(plan).tolist():
            settlement, slots = self.batch.plans[place].settlement, self.slots[self.family[place]]
            draws = [draw.key for draw in settlement.draws] if settlement is not None else []
            mine = np.flatnonzero(plan == place)
            found[mine, slots.index(draws[0] if draws else min(slots))] = unnamed[mine]
        keys = sorted({key for slots in self.slots for key in slots})
        for key in keys:
            has = np.array([key in slots for slots in self.slots])
            opening = self._of_persons(f"draw:{key}")
            # Of the first of the plans that have it; every replicate of an account stands beside the others.
            rows = np.flatnonzero(has[families] & (opening != 0))
            heads = run_starts(people[rows]) if rows.size else rows
            run = run_numbers(heads, rows.size)
            mine = rows[families[rows] == families[rows][heads][run]]
            found[mine, self._slot(key)[families[mine]]] += opening[mine]
            own = self._opening(f"draw:{key}", of_plans=True)
            rows = np.flatnonzero(own)
            found[rows, self._slot(key)[families[rows]]] += own[rows]
        account.first_top_up[found > 0] = BEFORE
        self.topped: dict[int, Ints] = {}
        for key in keys:
            to, day, _ = self._dated(f"began:{key}")
            began = np.where(day < self.bounds[0], BEFORE, self.at(day))
            account.first_top_up[to, self._slot(key)[families[to]]] = began
            to, day, amount = self._dated(f"topped:{key}")
            at = self.at(day)
            for place in np.unique(at).tolist():
                those = at == place
                columns = self.topped.setdefault(place, np.zeros_like(found))
                columns[to[those], self._slot(key)[families[to[those]]]] += amount[those]

    def _slot(self, key: str) -> Ints:
        """The place of a draw among those of each plan; 0 where it has none of that key."""
        return np.array([slots.index(key) if key in slots else 0 for slots in self.slots], dtype=np.int64)

    def _rows(self, kind: str) -> Ints:
        """The balances of a kind."""
        balances = self.batch.balances
        if balances is None or kind not in balances.kind.vocabulary:
            return _NONE
        return np.flatnonzero(balances.kind.codes == balances.kind.vocabulary.index(kind))

    def _opening(self, kind: str, *, of_plans: bool = False) -> Ints:
        """The opening balance of each account; `of_plans`: without what is of a person and no plan."""
        balances, rows = self.batch.balances, self._rows(kind)
        if balances is None or not rows.size:
            return np.zeros_like(self.account.participant)
        if of_plans:
            rows = rows[balances.plan[rows] >= 0] if balances.plan is not None else _NONE
        to, which = self.given(balances.participant[rows], self._families(rows))
        return added(
            self.account.participant.size, to, balances.amount[rows][which], "The opening balances of a person"
        )

    def _of_persons(self, kind: str) -> Ints:
        """The opening balance of each account's person, of what is of no plan."""
        balances, rows = self.batch.balances, self._rows(kind)
        people = self.account.participant
        if balances is None or not rows.size:
            return np.zeros_like(people)
        rows = rows[self._families(rows) < 0]
        ids, place = np.unique(balances.participant[rows], return_inverse=True)
        total = added(ids.size + 1, place, balances.amount[rows], "The opening balances of a person")
        return total[places_of(ids, people)]

    def _dated(self, kind: str) -> tuple[Ints, Ints, Ints]:
        """Of balances with a day: account, day, amount."""
        balances, rows = self.batch.balances, self._rows(kind)
        if balances is None or balances.day is None or not rows.size:
            return _NONE, _NONE, _NONE
        to, which = self.given(balances.participant[rows], self._families(rows))
        return to, balances.day[rows][which], balances.amount[rows][which]

    def _families(self, rows: Ints) -> Ints:
        """Which plan balances are of, -1 for those of none."""
        balances = self.batch.balances
        if balances is None or balances.plan is None:
            return np.full(rows.size, -1, dtype=np.int64)
        plan = balances.plan[rows]
        return np.where(plan >= 0, np.append(self.family, -1)[plan], -1)

    def at(self, day: Ints) -> Ints:
        """The pay period of each day; the nearest where the calendar ends before."""
        return np.clip(np.searchsorted(self.bounds, day, side="right") - 1, 0, self.bounds.size - 2)

    def given(self, participant: Ints, family: Ints | None = None) -> tuple[Ints, Ints]:
        """Where what is given goes: rows of accounts, one a replicate, and which of those given. What is given to
        persons (-1) and no plan is of their first account."""
        # Accounts are pairs of a person and a plan, in order, each once a replicate.
        account, width = self.account, int(self.family.max()) + 1
        replicates = np.arange(max(np.unique(account.replicate).size, 1))
        persons, families = account.participant[:: replicates.size], account.family[:: replicates.size]
        people, heads = np.unique(persons, return_index=True)
        at = places_of(people, participant)
        of = np.append(families[heads], -1)[at]
        if family is not None:
            of = np.where(family >= 0, family, of)
        known = np.searchsorted(people, persons) * width + families
        pair = places_of(known, np.where(at >= 0, at * width + of, -1))
        to = np.where(pair >= 0, pair * replicates.size + replicates[:, None], -1).ravel()
        which = np.tile(np.arange(participant.size), replicates.size)
        return to[to >= 0], which[to >= 0]

    def plans(self, period: int) -> Ints:
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
        found = best[places_of(people, self.account.participant), self.account.family]
        versions = np.array([int(np.flatnonzero(self.family == each)[0]) for each in range(best.shape[1])])
        return np.where(found >= 0, found, versions[self.account.family])


def places_of(known: Ints, wanted: Ints) -> Ints:
    """The place of each value among known ones in ascending order, -1 where it is not among them."""
    if not known.size:
        return np.full(wanted.size, -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(known, wanted), known.size - 1)
    return np.where(known[at] == wanted, at, -1)
