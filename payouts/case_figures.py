"""The figures of a result that a case file may expect, found by what names them."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from comp.core.days import day_date
from comp.core.money import format_money
from crediting.kernel.conditions import Mask
from payouts.case import Case
from payouts.case_expect import STATES, Expectation
from payouts.kernel.batch import (
    DATED,
    HELD,
    LOST,
    MILLIONTHS,
    MISSING_MONEY,
    NO_RATE,
    WAITING,
    WITHHELD,
    Ints,
    Result,
    Settlements,
)
from payouts.kernel.line_view import line_slices, line_view
from payouts.kernel.say import money_text, percent_text
from plans.rules.compiled import Component

#: What a tranche that is not payable is called, by its state.
STATE_NAMES = {DATED: "", WAITING: "waiting", HELD: "held", WITHHELD: "withheld", LOST: "lost", NO_RATE: "no_rate"}


class Figures:
    """Sums and columns of a result by person, fact, component and period."""

    def __init__(self, case: Case, result: Result) -> None:
        self.case, self.result = case, result
        lines, groups, credits = result.lines, result.groups, result.credits
        self.line_person = groups.participant[lines.group]
        credited = np.maximum(lines.credit, 0)
        own = lines.credit >= 0
        plan_of_credit = _picked(credits.plan, credited, own, 0)
        self.line_plan = plan_of_credit if lines.plan is None else lines.plan
        self.line_fact = _picked(credits.fact, credited, own, -1)
        self.line_credit_fact = self.line_fact
        if lines.fact is not None:
            self.line_fact = lines.fact
        self.components: list[Component] = [
            case.batch.plans[int(plan)].components[int(place)]
            for plan, place in zip(self.line_plan, lines.component, strict=True)
        ]
        self.line_component = np.array([component.key for component in self.components], dtype=object)
        self.group_component = [
            case.batch.plans[int(plan)].components[int(place)]
            for plan, place in zip(groups.plan, groups.component, strict=True)
        ]
        self.group_period = np.array(
            [
                case.periods[component.every][int(period)].key
                for component, period in zip(self.group_component, groups.period, strict=True)
            ],
            dtype=object,
        )

    def of(self, expected: Expectation) -> Mapping[str, Any]:
        """What was found for each figure that the expectation's section has; sums are 0 where nothing is."""
        found: Mapping[str, Any] = getattr(self, f"_{expected.section}")(expected)
        return found

    def units(self, millionths: int) -> Fraction:
        return Fraction(millionths, MILLIONTHS)

    def _in_money(self) -> Mask:
        """Which credits are in money."""
        credits, plans = self.result.credits, self.case.batch.plans
        units = [
            plans[plan].credit_rules[rule].unit == "money"
            for plan, rule in zip(credits.plan.tolist(), credits.rule.tolist(), strict=True)
        ]
        return np.array(units, dtype=bool)

    def told(self, name: str, value: Any) -> str:
        """A figure for people."""
        if value is None:
            return "nothing"
        if name in ("is", "effective_rate"):
            exact = Fraction(value)
            whole = (exact * 10_000).denominator == 1
            return percent_text(exact) if whole else f"{percent_text(exact)} (exactly {exact})"
        if name == "slices":
            return "; ".join(
                f"{percent_text(Fraction(rate))} of {money_text(amount, self.case.currency)}: "
                + money_text(earns, self.case.currency)
                for rate, amount, earns in value
            )
        if name == "amount" and isinstance(value, Fraction):
            return money_text(value, self.case.currency)
        if isinstance(value, bool | str | Fraction) or name in ("tier", "number"):
            return str(value)
        return self._money(value)

    def _money(self, minor: Any) -> str:
        return format_money(int(minor), self.case.currency)

    # ------------------------------------------------------------------ which rows

    def _lines_of(self, expected: Expectation) -> Mask:
        mine = np.ones(self.line_person.size, dtype=bool)
        if expected.person is not None:
            mine &= self.line_person == expected.person
        if expected.fact is not None:
            mine &= (self.line_fact == expected.fact) | (self.line_credit_fact == expected.fact)
        if expected.component is not None:
            mine &= self.line_component == expected.component
        if expected.period is not None and expected.section in ("earnings", "lines"):
            mine &= self.group_period[self.result.lines.group] == expected.period
        return mine

    def _group_of(self, expected: Expectation) -> int | None:
        """The last group that the expectation names: where a new version restarts there are several."""
        groups = self.result.groups
        found = [
            row
            for row in np.flatnonzero(groups.participant == expected.person).tolist()
            if self.group_component[row].key == expected.component and self.group_period[row] == expected.period
        ]
        return found[-1] if found else None

    # ------------------------------------------------------------------ sections

    def _credits(self, expected: Expectation) -> Mapping[str, Any]:
        credits = self.result.credits
        mine = (credits.participant == expected.person) & (credits.fact == expected.fact)
        if expected.role is not None:
            roles = np.array([*credits.role.vocabulary, ""], dtype=object)[credits.role.codes]
            mine &= roles == expected.role
        rows = np.flatnonzero(mine)
        if expected.rule is not None:
            plans = self.case.batch.plans
            rows = np.array(
                [
                    row
                    for row in rows.tolist()
                    if plans[credits.plan[row]].credit_rules[credits.rule[row]].key == expected.rule
                ],
                dtype=np.int64,
            )
        amount = int(credits.amount[rows].sum())
        held = credits.held is not None and bool(rows.size) and bool(credits.held[rows].all())
        return {"amount": amount, "units": amount, "held": held}

    def _attainment(self, expected: Expectation) -> Mapping[str, Any]:
        group, groups = self._group_of(expected), self.result.groups
        if group is None:
            return {"total": 0, "units": 0}
        total, quota = int(groups.total[group]), int(groups.quota[group])
        value = Fraction(total)
        if groups.value_bottom is not None and groups.value_top is not None and groups.value_bottom[group]:
            value = Fraction(int(groups.value_top[group]), int(groups.value_bottom[group]))
        incentive = None if groups.incentive is None else int(groups.incentive[group])
        return {
            "total": total,
            "units": total,
            "is": value / quota if quota not in (0, MISSING_MONEY) else None,
            "quota": None if quota == MISSING_MONEY else quota,
            "incentive": None if incentive == MISSING_MONEY else incentive,
        }

    def _results(self, expected: Expectation) -> Mapping[str, Any]:
        group, groups = self._group_of(expected), self.result.groups
        if group is None or groups.result_bottom is None or groups.result_top is None:
            return {}
        if not groups.result_bottom[group]:
            return {}
        value = Fraction(int(groups.result_top[group]), int(groups.result_bottom[group]))
        return {"is": value, "number": value, "amount": value}

    def _earnings(self, expected: Expectation) -> Mapping[str, Any]:
        lines, mine = self.result.lines, self._lines_of(expected)
        review = 0 if lines.review is None else int(lines.review[mine].sum())
        return {"amount": int(lines.earned[mine].sum()), "review": review}

    def _lines(self, expected: Expectation) -> Mapping[str, Any]:
        """Of the one line that is named; nothing where none or several are."""
        lines, credits = self.result.lines, self.result.credits
        rows = np.flatnonzero(self._lines_of(expected))
        if rows.size != 1:
            return {}
        row = int(rows[0])
        credit = int(lines.credit[row])
        measured = int(credits.amount[credit]) if lines.measured is None else int(lines.measured[row])
        rounded = int(lines.rounded[row])
        return {
            "before": int(lines.before[row]),
            "after": int(lines.after[row]),
            "measured": measured,
            "tier": int(lines.tier_after[row]) + 1,
            "rounded": rounded,
            "earned": int(lines.earned[row]),
            "review": 0 if lines.review is None else int(lines.review[row]),
            "effective_rate": Fraction(int(lines.earned[row]), measured) if measured else None,
            "slices": tuple(
                (part.rate, part.amount_in_slice, part.earns)
                for part in line_slices(line_view(self.case.batch, self.result, row))
            ),
        }

    def _payables(self, expected: Expectation) -> Mapping[str, Any]:
        tranches = self.result.tranches
        mine = self._lines_of(expected)[tranches.line]
        if expected.period in STATES:
            wanted = [code for code, name in STATE_NAMES.items() if name == expected.period]
            mine &= np.isin(self.states(), wanted)
        else:
            keys = np.array([*(period.key for period in self.case.pay_periods), ""], dtype=object)
            mine &= keys[tranches.pay_period] == expected.period
        paid = tranches.amount if tranches.paid_amount is None else tranches.paid_amount
        return {"amount": int(tranches.amount[mine].sum()), "paid_amount": int(paid[mine].sum())}

    def states(self) -> Ints:
        """Where each tranche stands."""
        tranches = self.result.tranches
        if tranches.state is not None:
            return tranches.state.astype(np.int64)
        return np.where(tranches.pay_period < 0, WAITING, DATED)

    def _settlement(self, expected: Expectation) -> Mapping[str, Any]:
        settled = self.result.settlements
        if settled is None:
            return {}
        mine = self._settled(settled, expected)
        return {name: int(getattr(settled, name)[mine].sum()) for name in expected.figures}

    def _settled(self, settled: Settlements, expected: Expectation) -> Mask:
        """The rows of settlements that an expectation names."""
        keys = np.array([period.key for period in self.case.pay_periods], dtype=object)
        mine: Mask = (settled.participant == expected.person) & (keys[settled.pay_period] == expected.period)
        if expected.plan is not None:
            plans = np.array([plan.key for plan in self.case.batch.plans], dtype=object)
            mine &= plans[settled.plan] == expected.plan
        return mine

    def _draws(self, expected: Expectation) -> Mapping[str, Any]:
        settled, draws = self.result.settlements, self.result.draws
        if settled is None or draws is None:
            return {}
        mine = self._settled(settled, expected)[draws.settlement]
        words = np.array([*draws.key.vocabulary, ""], dtype=object)
        mine &= words[draws.key.codes] == expected.draw
        return {name: int(getattr(draws, name)[mine].sum()) for name in expected.figures}

    def _schedules(self, expected: Expectation) -> Mapping[str, Any]:
        schedules = self.result.schedules
        if schedules is None:
            return {"amount": 0}
        months = np.array([f"{day_date(int(day)):%Y-%m}" for day in schedules.month], dtype=object)
        mine = self._lines_of(expected)[schedules.line] & (months == expected.period)
        return {"amount": int(schedules.amount[mine].sum())}

    def _waits(self, expected: Expectation) -> Mapping[str, Any]:
        waits = self.result.waits
        if waits is None:
            return {}
        rows = np.flatnonzero(waits.fact == expected.fact)
        return {"reason": waits.reason.vocabulary[waits.reason.codes[rows[0]]]} if rows.size else {}

    def _totals(self, expected: Expectation) -> Mapping[str, Any]:
        return self.totals(expected.person)

    def totals(self, person: int | None) -> Mapping[str, int]:
        """Over everything, or over one person. Credits in units are no money and stand in no sum with it."""
        result = self.result
        mine = self.line_person == (self.line_person if person is None else person)
        credited = result.credits.amount[self._in_money()]
        if person is not None:
            credited = result.credits.amount[self._in_money() & (result.credits.participant == person)]
        released = result.tranches.amount[mine[result.tranches.line] & (self.states() == DATED)]
        settled = result.settlements
        payout = None
        if settled is not None:
            rows = np.ones(settled.payout.size, dtype=bool)
            if person is not None:
                rows = settled.participant == person
            payout = int(settled.payout[rows].sum())
        return {
            "credited": int(credited.sum()),
            "earned": int(result.lines.earned[mine].sum()),
            "released": int(released.sum()),
            "payout": int(released.sum()) if payout is None else payout,
            "review": 0 if result.lines.review is None else int(result.lines.review[mine].sum()),
        }


def _picked(values: Ints, rows: Ints, known: Mask, otherwise: int) -> Ints:
    if not values.size:
        return np.full(rows.size, otherwise, dtype=np.int64)
    return np.where(known, values[rows], otherwise)
