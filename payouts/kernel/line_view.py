"""One line of a traced result with all that it stands on, and its parts by rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from crediting.kernel.columns import ROLLED_SPLIT
from crediting.kernel.people import Careers
from payouts.kernel.batch import MILLIONTHS, OF_CREDIT, Batch, Result
from payouts.kernel.order import Version
from payouts.kernel.slices import Side, Slice, slices
from payouts.kernel.variants import Variants
from plans.rules.compiled import CompiledPlan, Component, CountsFor


@dataclass(frozen=True, slots=True)
class LineView:
    """`row` in Lines, `group` in Groups, `credit` and `fact` rows or -1. `plan` and `component` are those that rate the
    line, with the person's overrides. `steps` is the trace: empty where it was not asked for."""

    batch: Batch
    result: Result
    row: int
    group: int
    kind: int
    plan: CompiledPlan
    component: Component
    participant: int
    credit: int
    fact: int
    day: int
    measured: int
    steps: Mapping[str, Fraction]

    @property
    def per(self) -> int:
        """How many of what totals and quotas are kept in are one of the measure's unit (minor units are their own)."""
        return 1 if self.component.measure.unit == "money" else MILLIONTHS

    def known(self, step: str) -> int | None:
        """A whole number that was noted, None where none was."""
        value = self.steps.get(step)
        return None if value is None else int(value)

    @property
    def before(self) -> int:
        return int(self.result.lines.before[self.row])

    @property
    def after(self) -> int:
        return int(self.result.lines.after[self.row])

    @property
    def counts_for(self) -> CountsFor:
        """What the line's credit counts for; of a line of a period both."""
        if self.credit < 0:
            return "both"
        credits = self.result.credits
        rule = self.batch.plans[int(credits.plan[self.credit])].credit_rules[int(credits.rule[self.credit])]
        split = int(credits.split[self.credit])
        if split >= ROLLED_SPLIT:
            return rule.rolled_for(split - ROLLED_SPLIT)
        return rule.counts_for(credits.role.vocabulary[int(credits.role.codes[self.credit])])

    @property
    def plain(self) -> bool:
        """Whether a gate leaves out accelerators."""
        unmet = [gate.key for gate in self.component.gates if self.steps.get(f"gate:{gate.key}") == 0]
        return any(gate.effect == "no_accelerators" and gate.key in unmet for gate in self.component.gates)


def line_view(batch: Batch, result: Result, row: int) -> LineView:
    """The line at a row of the result."""
    lines, groups, credits = result.lines, result.groups, result.credits
    group, credit = int(lines.group[row]), int(lines.credit[row])
    kind = OF_CREDIT if lines.kind is None else int(lines.kind[row])
    place = int(credits.plan[credit] if lines.plan is None else lines.plan[row])
    participant = int(groups.participant[group])
    day = int(credits.day[credit] if lines.day is None else lines.day[row])
    steps = {} if result.traces is None else result.traces.of(row)
    plan, component = _terms(batch, place, int(lines.component[row]), participant, int(steps.get("person_day", day)))
    return LineView(
        batch=batch,
        result=result,
        row=row,
        group=group,
        kind=kind,
        plan=plan,
        component=component,
        participant=participant,
        credit=credit,
        fact=int(credits.fact[credit] if lines.fact is None else lines.fact[row]),
        day=day,
        measured=int(credits.amount[credit] if lines.measured is None else lines.measured[row]),
        steps=steps,
    )


def _terms(batch: Batch, place: int, component: int, participant: int, day: int) -> tuple[CompiledPlan, Component]:
    """The plan and component as they are for a person on a day, overrides and all."""
    plan = batch.plans[place]
    version = Version(plan, place, plan.components[component], component)
    if plan.overrides:
        versions, variant = Variants(batch, Careers(batch.attributes, batch.employment)).extended((version,))
        if variant is not None:
            which = variant(np.zeros(1, dtype=np.int64), np.array([participant]), np.array([day]))
            version = versions[int(which[0])]
    return version.plan, version.component


def line_slices(view: LineView) -> list[Slice]:
    """The parts of a line by rate: they add up to its base earning. None where the line is not rated by a curve, tiers
    or a table."""
    component, steps = view.component, view.steps
    if "base" not in steps or not (component.tiers or component.curve or component.table) or component.kind == "result":
        return []
    earlier, part = None, steps.get("bounds.active", Fraction(1))
    if view.result.traces is not None and _runs_over_periods(component):
        past = steps.get("bounds.before", part)
        earlier = Side(view.known("quota.before"), view.known("incentive.before"), view.known("column") or 0, past)
    return slices(
        component,
        view.before,
        view.after,
        view.known("quota"),
        view.known("total") or 0,
        incentive=view.known("incentive"),
        column=view.known("column") or 0,
        part=part,
        earlier=earlier,
        first=int(view.result.lines.position[view.row]) == 1,
        plain=view.plain,
        measured=view.measured,
        value=steps.get("value"),
        cell=view.known("cell"),
        paid_only=view.counts_for == "pay",
    )


def _runs_over_periods(component: Component) -> bool:
    """Whether a line's quota may differ from that of the line before it."""
    measure = component.measure
    return measure.window == "year_to_date" and measure.by == "credit"
