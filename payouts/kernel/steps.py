"""The steps of the waterfall in one pay period, for accounts settled by one plan version: number 34 of
docs/plan-language.md. See docs/algorithms/waterfall.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from fractions import Fraction

import numpy as np

from crediting.kernel.exact import added, money, scaled
from crediting.kernel.ratios import Mask, Ratios
from payouts.kernel.batch import Batch, Ints
from payouts.kernel.settled_in import Stated
from plans.rules.compiled_pay import Draw, Settlement

#: How much of a pay period someone is active: (participants, the plan of each, first day, end) to active and all days.
Active = Callable[[Ints, Ints, int, int], tuple[Ints, Ints]]
#: What comes into a pay period.
STEPS = ("releases", "adjustments", "clawbacks")
#: In place of a pay period: none yet, and one before the first.
NEVER = int(np.iinfo(np.int64).max // 4)
BEFORE = -NEVER


@dataclass(slots=True)
class Account:
    """One row a participant, plan and replicate, with what it stands at."""

    participant: Ints
    family: Ints
    replicate: Ints
    draws: Ints  # balances, a column a draw of the plan
    carried: Ints
    clawback: Ints  # what is owed of clawbacks
    kept: Ints  # adjustments that were too small to act
    first_top_up: Ints  # the pay period of the first of each draw
    paid: Ints  # so far in the fiscal year

    def pick(self, rows: Ints) -> Account:
        return Account(*(getattr(self, each.name)[rows] for each in fields(self)))

    def put(self, rows: Ints, other: Account) -> None:
        for name in ("draws", "carried", "clawback", "kept", "first_top_up", "paid"):
            getattr(self, name)[rows] = getattr(other, name)


@dataclass(frozen=True, slots=True)
class Period:
    """A pay period of all accounts: what comes in (a row a step; `of` by component), adjustments with the period they
    belong to, the holdbacks that come back, and what earlier periods topped up (a column a draw) and later ones will
    give back."""

    place: int
    total: Ints
    of: dict[str, Ints]
    late: tuple[Ints, Ints, Ints]  # account, origin, amount
    back: Ints | None
    topped: dict[int, Ints]
    held: dict[int, Ints]
    closes: bool  # the fiscal year


@dataclass(slots=True)
class Step:
    """The waterfall of the accounts at `rows`."""

    batch: Batch
    plan: int
    active: Active
    period: Period
    rows: Ints
    account: Account
    stated: Stated  # what the version's amounts come to for each account
    slots: list[str]  # the draws of the plan, in the order of Account.draws
    left: Callable[[], tuple[Ints, Ints]]
    net: Ints = field(init=False)
    moved: dict[str, Ints] = field(init=False)  # by step, signed as it acts on the net
    own: dict[tuple[str, str], Ints] = field(init=False)  # by draw with components and step, what is of these
    forward: Ints = field(init=False)  # what is carried into the next period
    columns: dict[str, Ints] = field(init=False)
    by_draw: dict[str, Ints] = field(init=False)  # recovered, topped_up and written_off, a column a draw
    #: What was taken back of old top-ups: accounts, the place of the draw, the pay period topped up, amounts.
    retests: list[tuple[Ints, int, int, Ints]] = field(init=False)

    def run(self) -> dict[str, Ints]:
        """The columns of Settlements that are not 0."""
        version = self.batch.plans[self.plan]
        self.net, self.forward = self._nothing(), self._nothing()
        self.moved, self.own, self.columns, self.retests = {}, {}, {}, []
        self.by_draw = {name: np.zeros_like(self.account.draws) for name in ("recovered", "topped_up", "written_off")}
        if version.settlement is None:
            self._straight()
            return self.columns
        start = self.account.draws.copy()
        for name in version.settlement.order:
            match name:
                case "releases":
                    back = self.period.back
                    self._move(name, "released", self._total(name) + (0 if back is None else back[self.rows]))
                    self._part(version.settlement, name)
                case "adjustments":
                    self._adjustments(version.settlement)
                case "clawbacks":
                    self._clawbacks(version.settlement)
                case "carried":
                    self._move(name, "brought_forward", self.account.carried)
                    self.account.carried = self._nothing()
                case "recovery":
                    self._recovery(version.settlement, start)
                case "cap":
                    self._cap(version.settlement)
                case "holdback":
                    self._holdback(version.settlement)
                case "top_up":
                    self._top_up(version.settlement)
        self._close(version.settlement)
        return self.columns

    def _straight(self) -> None:
        """A version without a settlement pays what comes in, and leaves balances as they stand."""
        for name, column in zip(STEPS, ("released", "adjusted", "clawed_back"), strict=True):
            self._move(name, column, self._total(name))
        if self.period.back is not None:
            self._move("releases", "released", self.period.back[self.rows])
        self.columns |= {"brought_forward": self.account.carried, "carried_forward": self.account.carried}
        self._balances(self.net)

    def _balances(self, payout: Ints) -> None:
        """What is paid, and what is owed at the end."""
        self.account.paid = money(self.account.paid + payout, "What a year pays")
        self.columns |= {"payout": payout, "clawback_balance": self.account.clawback}
        self.columns["kept_adjustments"] = self.account.kept
        self.columns["draw_balance"] = money(self.account.draws.sum(axis=1), "A draw balance")

    def _part(self, settlement: Settlement, step: str) -> None:
        """What a step adds by lines of the components that a draw is of."""
        for draw in settlement.draws:
            if draw.components:
                found = (self.period.of[key][STEPS.index(step), self.rows] for key in draw.components)
                self.own[draw.key, step] = money(sum(found, self._nothing()), "The pay of a draw's components")

    def _adjustments(self, settlement: Settlement) -> None:
        given = money(self._total("adjustments") + self.account.kept, "Adjustments")
        least = settlement.small_adjustments
        small = np.zeros(self.rows.size, dtype=bool)
        if least is not None and not self.period.closes:
            small = (np.abs(given) < self.stated.worth(least)) & ~self._leavers()
        self.account.kept = np.where(small, given, 0)
        self._move("adjustments", "adjusted", np.where(small, 0, given))
        if any(draw.retest for draw in settlement.draws):
            # What is taken back of an old top-up is gone from the adjustment that it was tested with.
            self._move("adjustments", "topped_up", -self._retested(settlement))

    def _clawbacks(self, settlement: Settlement) -> None:
        """What reversals take, as far as a limit lets them: the rest stays owed, or is forgiven."""
        limit = settlement.clawback_limit
        due = money(self.account.clawback - self._total("clawbacks"), "What is owed of clawbacks")
        taken = due
        if limit is None:
            self._part(settlement, "clawbacks")
        else:
            share = self._share(np.maximum(self.net, 0), limit.share)
            most = np.minimum(share, np.maximum(self.net - self.stated.worth(limit.keep), 0))
            taken = np.minimum(due, most)
        self._move("clawbacks", "clawed_back", -taken)
        self.account.clawback = due - taken
        if limit is not None and limit.excess == "forgiven":
            self._forgive(np.ones(self.rows.size, dtype=bool))

    def _forgive(self, whom: Mask) -> None:
        gone = np.where(whom, self.account.clawback, 0)
        self.columns["forgiven"] = self.columns.get("forgiven", self._nothing()) + gone
        self.account.clawback = self.account.clawback - gone

    def _recovery(self, settlement: Settlement, start: Ints) -> None:
        for draw in settlement.draws:
            if draw.recovery is None:
                continue
            slot, base = self.slots.index(draw.key), np.maximum(self.net, 0)
            if draw.components:
                base = np.clip(self._of(draw, ("releases", "clawbacks")), 0, base)
            share, keep = self._share(base, draw.recovery.share), self.stated.worth(draw.recovery.keep)
            due = np.minimum(np.minimum(start[:, slot], share), np.maximum(base - keep, 0))
            passed = self.period.place - self.account.first_top_up[:, slot] - 1
            taken = np.where(passed >= draw.recovery.after_periods, np.maximum(due, 0), 0)
            self._move("recovery", "recovered", -taken)
            self.own[draw.key, "recovery"] = -taken
            self.by_draw["recovered"][:, slot] -= taken
            self.account.draws[:, slot] -= taken

    def _of(self, draw: Draw, steps: tuple[str, ...]) -> Ints:
        """What steps have added so far to the pay of the components of a draw."""
        found = (self.own.get((draw.key, step), self._nothing()) for step in steps)
        return money(sum(found, self._nothing()), "The pay of a draw's components")

    def _cap(self, settlement: Settlement) -> None:
        for cap in settlement.caps:
            amount = self.stated.worth(cap.amount)
            most = np.maximum(amount - self.account.paid, 0) if cap.per == "year" else amount
            excess = np.maximum(self.net - most, 0)
            carried = cap.excess == "carried"
            self._move("cap", "" if carried else "capped", -excess)
            if carried:
                self.forward = self.forward + excess
            elif cap.excess == "review":
                self.columns["review"] = self.columns.get("review", self._nothing()) + excess

    def _holdback(self, settlement: Settlement) -> None:
        if settlement.holdback is None:
            return
        kept = self._share(np.maximum(self.net, 0), settlement.holdback)
        self._move("holdback", "held_back", -kept)
        if kept.any():
            later = self.period.place + settlement.holdback_periods
            held = self.period.held.setdefault(later, np.zeros(self.period.total.shape[1], dtype=np.int64))
            held[self.rows] = money(held[self.rows] + kept, "What is held back until one pay period")

    def _top_up(self, settlement: Settlement) -> None:
        for draw in settlement.draws:
            slot = self.slots.index(draw.key)
            amount, there = self._draw_amount(draw)
            if draw.style == "top_up":
                if draw.components:
                    tested = self._of(draw, draw.test)
                else:
                    tested = sum((self.moved.get(name, self._nothing()) for name in draw.test), self._nothing())
                amount = np.where(there, np.maximum(amount - tested, 0), 0)
            self._move("top_up", "topped_up", amount)
            self.by_draw["topped_up"][:, slot] += amount
            self.period.topped[self.period.place][self.rows, slot] = amount
            if draw.kind == "recoverable":
                self.account.draws[:, slot] = money(self.account.draws[:, slot] + amount, "A draw balance")
                first = np.where(amount > 0, self.period.place, NEVER)
                self.account.first_top_up[:, slot] = np.minimum(self.account.first_top_up[:, slot], first)

    def _draw_amount(self, draw: Draw) -> tuple[Ints, Mask]:
        """The draw of each account, and whether it has one: none in pay periods that begin outside its dates, or while
        not assigned. One that is prorated to nothing is there all the same."""
        start, end = (int(day) for day in self.batch.pay_periods[self.period.place : self.period.place + 2])
        if not draw.start <= start < draw.end:
            return self._nothing(), np.zeros(self.rows.size, dtype=bool)
        version, given = self.batch.plans[self.plan], self.batch.assignments
        versions = [place for place, each in enumerate(self.batch.plans) if each.key == version.key]
        there = np.isin(given.plan, versions) & (given.start < end) & (given.end > start)
        present = np.isin(self.account.participant, given.participant[there])
        amount = np.full(self.rows.size, draw.amount, dtype=np.int64)
        if version.proration is not None and "draw" in version.proration.of:
            part, whole = self.active(self.account.participant, np.full(self.rows.size, self.plan), start, end)
            unit = 10**version.minor_digits if version.proration.round == "whole" else 1
            amount = money(Ratios.of(amount).multiply(Ratios(part, whole)).rounded(version.round_mode, unit), "A draw")
        return np.where(present, self.stated.worth(amount), 0), present

    def _retested(self, settlement: Settlement) -> Ints:
        """What late earning takes back of top-ups of the pay periods that it belongs to, as far as those go: of one
        guarantee after the other."""
        account, origin, amount = self.period.late
        found = np.zeros(self.period.total.shape[1], dtype=np.int64)
        for place in np.unique(origin).tolist():
            left = self.period.topped.get(place)
            if left is None or place == self.period.place:
                continue
            of = np.flatnonzero((origin == place) & np.isin(account, self.rows))
            late = np.maximum(added(found.size, account[of], amount[of], "What late earning adds to a pay period"), 0)
            for slot in (self.slots.index(draw.key) for draw in settlement.draws if draw.retest):
                taken = np.minimum(late, left[:, slot])
                left[:, slot] -= taken
                late -= taken
                found += taken
                back = np.flatnonzero(taken)
                if back.size:
                    self.retests.append((back, slot, place, taken[back]))
                self.by_draw["topped_up"][:, slot] -= taken[self.rows]
        return found[self.rows]

    def _close(self, settlement: Settlement) -> None:
        """What is left of the net is paid, as far as it is not carried."""
        forward, net = self.forward, self.net
        if settlement.minimum is not None:
            small = (net > 0) & (net < self.stated.worth(settlement.minimum))
            forward, net = forward + np.where(small, net, 0), np.where(small, 0, net)
        if settlement.negative == "carried":
            forward, net = forward + np.minimum(net, 0), np.maximum(net, 0)
        self.account.carried = money(self.account.carried + forward, "A balance")
        self._leave(settlement)
        self.columns["carried_forward"] = self.account.carried
        self._balances(net)

    def _leave(self, settlement: Settlement) -> None:
        """At the end of employment the balance of a draw stays owed, or is written off; so do clawbacks."""
        written = [self.slots.index(draw.key) for draw in settlement.draws if draw.on_leaving == "written_off"]
        limit = settlement.clawback_limit
        forgives = limit is not None and limit.on_leaving == "forgiven"
        if not written and not forgives:
            return
        gone = self._leavers()
        for slot in written:
            self.by_draw["written_off"][gone, slot] = self.account.draws[gone, slot]
            self.account.draws[gone, slot] = 0
        self.columns["written_off"] = self.by_draw["written_off"].sum(axis=1)
        if forgives:
            self._forgive(gone)

    def _leavers(self) -> Mask:
        """Whose last day employed lies in this pay period."""
        start, end = (int(day) for day in self.batch.pay_periods[self.period.place : self.period.place + 2])
        people, last = self.left()
        return np.isin(self.account.participant, people[(last > start) & (last <= end)])

    def _move(self, step: str, column: str, amount: Ints) -> None:
        """Lets an amount act on the net."""
        self.net = money(self.net + amount, "A net pay")
        self.moved[step] = self.moved.get(step, self._nothing()) + amount
        if column:
            self.columns[column] = self.columns.get(column, self._nothing()) + amount

    def _total(self, step: str) -> Ints:
        found: Ints = self.period.total[STEPS.index(step), self.rows]
        return found

    def _share(self, amount: Ints, share: Fraction) -> Ints:
        return scaled(amount, share, self.batch.plans[self.plan].round_mode).astype(np.int64)

    def _nothing(self) -> Ints:
        return np.zeros(self.rows.size, dtype=np.int64)
