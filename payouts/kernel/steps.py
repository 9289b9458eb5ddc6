"""The steps of the waterfall in one pay period, for accounts settled by one plan version: number 34 of
docs/plan-language.md. See docs/algorithms/waterfall.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from fractions import Fraction

import numpy as np

from crediting.kernel.exact import money, scaled
from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import Batch, Ints
from plans.rules.compiled import Draw, Settlement

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
    draw_balance: Ints
    carried: Ints
    first_top_up: Ints  # the pay period of the first

    def pick(self, rows: Ints) -> Account:
        return Account(*(getattr(self, each.name)[rows] for each in fields(self)))

    def put(self, rows: Ints, other: Account) -> None:
        for name in ("draw_balance", "carried", "first_top_up"):
            getattr(self, name)[rows] = getattr(other, name)


@dataclass(frozen=True, slots=True)
class Period:
    """A pay period of all accounts: what comes in (a row a step), adjustments with the period they belong to, the
    holdbacks that come back, and what earlier periods topped up and later ones will give back."""

    place: int
    total: Ints
    late: tuple[Ints, Ints, Ints]  # account, origin, amount
    back: Ints | None
    topped: dict[int, Ints]
    held: dict[int, Ints]


@dataclass(slots=True)
class Step:
    """The waterfall of the accounts at `rows`."""

    batch: Batch
    plan: int
    active: Active
    period: Period
    rows: Ints
    account: Account
    left: Callable[[], tuple[Ints, Ints]]
    net: Ints = field(init=False)
    moved: dict[str, Ints] = field(init=False)  # by step, signed as it acts on the net
    forward: Ints = field(init=False)  # what is carried into the next period
    columns: dict[str, Ints] = field(init=False)

    def run(self) -> dict[str, Ints]:
        """The columns of Settlements that are not 0."""
        version = self.batch.plans[self.plan]
        self.net, self.forward = self._nothing(), self._nothing()
        self.moved, self.columns = {}, {}
        if version.settlement is None:
            self._straight()
            return self.columns
        start = self.account.draw_balance.copy()
        for name in version.settlement.order:
            match name:
                case "releases":
                    back = self.period.back
                    self._move(name, "released", self._total(name) + (0 if back is None else back[self.rows]))
                case "adjustments":
                    self._adjustments(version.settlement)
                case "clawbacks":
                    self._move(name, "clawed_back", self._total(name))
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
        self.columns |= {"payout": self.net, "draw_balance": self.account.draw_balance}

    def _adjustments(self, settlement: Settlement) -> None:
        self._move("adjustments", "adjusted", self._total("adjustments"))
        if settlement.draw is not None and settlement.draw.retest:
            # What is taken back of an old top-up is gone from the adjustment that it was tested with.
            self._move("adjustments", "topped_up", -self._retested())

    def _recovery(self, settlement: Settlement, start: Ints) -> None:
        draw = settlement.draw
        if draw is None or draw.recovery is None:
            return
        share = self._share(np.maximum(self.net, 0), draw.recovery.share)
        due = np.minimum(np.minimum(start, share), np.maximum(self.net - draw.recovery.keep, 0))
        passed = self.period.place - self.account.first_top_up - 1
        taken = np.where(passed >= draw.recovery.after_periods, np.maximum(due, 0), 0)
        self._move("recovery", "recovered", -taken)
        self.account.draw_balance = self.account.draw_balance - taken

    def _cap(self, settlement: Settlement) -> None:
        if settlement.cap is None:
            return
        excess = np.maximum(self.net - settlement.cap, 0)
        carried = settlement.cap_excess == "carried"
        self._move("cap", "" if carried else "capped", -excess)
        if carried:
            self.forward = self.forward + excess
        elif settlement.cap_excess == "review":
            self.columns["review"] = excess

    def _holdback(self, settlement: Settlement) -> None:
        if settlement.holdback is None:
            return
        kept = self._share(np.maximum(self.net, 0), settlement.holdback)
        self._move("holdback", "held_back", -kept)
        if kept.any():
            later = self.period.place + settlement.holdback_periods
            held = self.period.held.setdefault(later, np.zeros(self.period.total.shape[1], dtype=np.int64))
            held[self.rows] += kept

    def _top_up(self, settlement: Settlement) -> None:
        draw = settlement.draw
        if draw is None:
            return
        amount = self._draw_amount(draw)
        if draw.style == "top_up":
            tested = sum((self.moved.get(name, self._nothing()) for name in draw.test), self._nothing())
            amount = np.where(amount > 0, np.maximum(amount - tested, 0), 0)
        self._move("top_up", "topped_up", amount)
        self.period.topped[self.period.place][self.rows] = amount
        if draw.kind == "recoverable":
            self.account.draw_balance = money(self.account.draw_balance + amount, "A draw balance")
            first = np.where(amount > 0, self.period.place, NEVER)
            self.account.first_top_up = np.minimum(self.account.first_top_up, first)

    def _draw_amount(self, draw: Draw) -> Ints:
        """The draw of each account: nothing in pay periods that begin outside its dates, or while not assigned."""
        start, end = (int(day) for day in self.batch.pay_periods[self.period.place : self.period.place + 2])
        if not draw.start <= start < draw.end:
            return self._nothing()
        version, given = self.batch.plans[self.plan], self.batch.assignments
        versions = [place for place, each in enumerate(self.batch.plans) if each.key == version.key]
        there = np.isin(given.plan, versions) & (given.start < end) & (given.end > start)
        present = np.isin(self.account.participant, given.participant[there])
        amount = np.full(self.rows.size, draw.amount, dtype=np.int64)
        if version.proration is not None and "draw" in version.proration.of:
            part, whole = self.active(self.account.participant, np.full(self.rows.size, self.plan), start, end)
            unit = 10**version.minor_digits if version.proration.round == "whole" else 1
            amount = money(Ratios.of(amount).multiply(Ratios(part, whole)).rounded(version.round_mode, unit), "A draw")
        return np.where(present, amount, 0)

    def _retested(self) -> Ints:
        """What late earning takes back of top-ups of the pay periods that it belongs to, as far as those go."""
        account, origin, amount = self.period.late
        found = np.zeros(self.period.total.shape[1], dtype=np.int64)
        for place in np.unique(origin).tolist():
            left = self.period.topped.get(place)
            if left is None or place == self.period.place:
                continue
            of = np.flatnonzero((origin == place) & np.isin(account, self.rows))
            late = np.zeros_like(found)
            np.add.at(late, account[of], amount[of])
            taken = np.minimum(np.maximum(late, 0), left)
            left -= taken
            found += taken
        return found[self.rows]

    def _close(self, settlement: Settlement) -> None:
        """What is left of the net is paid, as far as it is not carried."""
        forward, net = self.forward, self.net
        if settlement.minimum is not None:
            small = (net > 0) & (net < settlement.minimum)
            forward, net = forward + np.where(small, net, 0), np.where(small, 0, net)
        if settlement.negative == "carried":
            forward, net = forward + np.minimum(net, 0), np.maximum(net, 0)
        self.account.carried = money(self.account.carried + forward, "A balance")
        self._leave(settlement)
        self.columns |= {
            "carried_forward": self.account.carried,
            "payout": net,
            "draw_balance": self.account.draw_balance,
        }

    def _leave(self, settlement: Settlement) -> None:
        """At the end of employment a draw's balance stays owed, or is written off."""
        if settlement.draw is None or settlement.draw.on_leaving != "written_off":
            return
        start, end = (int(day) for day in self.batch.pay_periods[self.period.place : self.period.place + 2])
        people, last = self.left()
        gone = np.isin(self.account.participant, people[(last > start) & (last <= end)])
        self.columns["written_off"] = np.where(gone, self.account.draw_balance, 0)
        self.account.draw_balance = np.where(gone, 0, self.account.draw_balance)

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
