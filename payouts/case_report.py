"""What a case comes to: each line with its story, and where it differs from `expect`. In words: `case_statement`; every
intermediate as JSON: `case_json`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core.money import format_money
from payouts.case import Case
from payouts.case_expect import WAITING, Expectation
from payouts.case_figures import STATE_NAMES, Figures
from payouts.kernel.batch import DATED, MILLIONTHS, Result
from payouts.kernel.explain import explain, explain_settlement
from payouts.kernel.line_view import LineView, line_view
from payouts.kernel.say import Names, Step, figure_text, money_text, trigger_text


@dataclass(frozen=True, slots=True)
class Payable:
    """A tranche: a row in Tranches, the key of its pay period or its state, and what releases it."""

    row: int
    amount: int
    where: str
    trigger: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of any kind. `name`: the fact, or the period where there is none; `period`: of its measure."""

    view: LineView
    name: str
    role: str | None
    period: str
    steps: tuple[Step, ...]
    payables: tuple[Payable, ...]

    @property
    def earned(self) -> int:
        return int(self.view.result.lines.earned[self.view.row])


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that does not hold. `trace` tells how the figure came about."""

    path: str
    expected: str
    found: str
    trace: tuple[str, ...]

    def __str__(self) -> str:
        told = "".join(f"\n    {sentence}" for sentence in self.trace)
        return f"{self.path}: expected {self.expected}, found {self.found}{told}"


class Report:
    """A case and its traced result, with names and the story of each line."""

    def __init__(self, case: Case, result: Result) -> None:
        self.case = case
        self.result = result
        self.figures = Figures(case, result)
        self._states = self.figures.states()
        self.names = Names(lambda person: case.people[person], self.fact_name)
        self.lines = list(self._lines())

    # ------------------------------------------------------------------ expectations

    def failures(self) -> list[Failure]:
        """The expectations that do not hold."""
        return [failure for each in self.case.expectations if (failure := self._failure(each)) is not None]

    def _failure(self, expected: Expectation) -> Failure | None:
        found = self.figures.of(expected)
        for name, value in expected.figures.items():
            if found.get(name) != value:
                path = expected.path if name == "amount" else f"{expected.path}.{name}"
                said, come_to = (self.figures.told(name, each) for each in (value, found.get(name)))
                return Failure(path, said, come_to, tuple(self._trace(expected)))
        return None

    def _trace(self, expected: Expectation) -> Iterator[str]:
        """What leads to the figures that an expectation is about."""
        for line in self.lines:
            if self._concerns(expected, line):
                for step in line.steps:
                    yield f"{line.name}, {line.view.component.key} {line.period}: {step.sentence}"
        settled = self.result.settlements
        if settled is not None and expected.section in ("settlement", "draws", "totals"):
            for row in np.flatnonzero(settled.participant == expected.person).tolist():
                period = self.pay_period(int(settled.pay_period[row]))
                if expected.period in (None, period):
                    for step in explain_settlement(self.case.batch, self.result, row):
                        yield f"{period}: {step.sentence}"

    def _concerns(self, expected: Expectation, line: Line) -> bool:
        """Whether a line is one that the expectation is about."""
        view, credits = line.view, self.result.credits
        facts = {view.fact, int(credits.fact[view.credit]) if view.credit >= 0 else -1}
        measured = expected.section in ("attainment", "results", "earnings", "lines")
        return (
            expected.person in (None, view.participant)
            and (expected.fact is None or expected.fact in facts)
            and expected.role in (None, line.role)
            and expected.component in (None, view.component.key)
            and (not measured or expected.period in (None, line.period))
        )

    # ------------------------------------------------------------------ names

    def fact_name(self, fact: int) -> str:
        """A fact by its kind and id."""
        kinds = self.case.batch.facts.kind
        kind = "deal" if kinds is None else kinds.vocabulary[int(kinds.codes[fact])]
        return f"The {kind} {self.case.facts[fact]}"

    def pay_period(self, place: int) -> str:
        return WAITING if place < 0 else self.case.pay_periods[place].key

    def money(self, minor: Any) -> str:
        return format_money(int(minor), self.case.currency)

    def credited(self, row: int) -> str:
        """The amount of a credit: money, or units."""
        credits = self.result.credits
        rule = self.case.batch.plans[int(credits.plan[row])].credit_rules[int(credits.rule[row])]
        amount = int(credits.amount[row])
        if rule.unit == "money":
            return money_text(amount, self.case.currency)
        return figure_text(self.figures.units(amount), "units", self.case.currency)

    # ------------------------------------------------------------------ from columns to rows

    def _lines(self) -> Iterator[Line]:
        case, result = self.case, self.result
        credits = result.credits
        for row in range(result.lines.credit.size):
            view = line_view(case.batch, result, row)
            period = self.figures.group_period[view.group]
            role = None
            if view.credit >= 0:
                role = credits.role.vocabulary[int(credits.role.codes[view.credit])]
            yield Line(
                view=view,
                name=case.facts[view.fact] if view.fact >= 0 else period,
                role=role,
                period=period,
                steps=tuple(explain(case.batch, result, row, self.names)) if result.traces is not None else (),
                payables=tuple(self._payables(view)),
            )

    def _payables(self, view: LineView) -> Iterator[Payable]:
        parts, release = self.result.tranches, view.component.release
        low, high = np.searchsorted(parts.line, [view.row, view.row + 1]).tolist()
        states = self._states
        for row in range(low, high):
            dated = int(states[row]) == DATED
            where = self.pay_period(int(parts.pay_period[row])) if dated else STATE_NAMES[int(states[row])]
            place = int(parts.index[row])
            trigger = trigger_text(release[place]) if place < len(release) else ""
            yield Payable(row, int(parts.amount[row]), where, trigger)


def per_unit(unit: str) -> int:
    """How many of what totals are kept in are one of the unit (minor units are their own)."""
    return 1 if unit == "money" else MILLIONTHS
