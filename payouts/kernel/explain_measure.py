"""What a line measures, against which quota and incentive, and what its gates read: the middle of its story."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from payouts.kernel.batch import MISSING_MONEY, OF_PERIOD
from payouts.kernel.line_view import LineView
from payouts.kernel.reads import cadence
from payouts.kernel.say import Step, day_text, figure_text, money_text, number_text, percent_text, times_text
from plans.rules.compiled import CompiledPlan, Component, Gate, Read, Unit
from plans.rules.phrases import both, named
from plans.rules.words_reads import order_words

#: What each value of a measure is called.
_VALUES = {
    "sum": "sum",
    "count": "number",
    "weighted": "weighted sum",
    "share": "share",
    "average": "average",
    "last": "last amount",
    "high_water": "largest amount",
    "days": "average number of days",
}
_OF = {"own": "your", "team": "the team's", "pool": "the pool's", "company": "everybody's"}
#: What counts in a proration.
_COUNTED = {"calendar_days": "days", "working_days": "working days", "whole_months": "months"}
_READERS = {
    "self": "you",
    "reports": "the people who report to you",
    "downline": "everybody below you",
    "team": "your team",
}


def measure_steps(view: LineView) -> Iterator[Step]:
    """What it measures; the quota and incentive as they count for this person; what is read, and what it waits for."""
    yield from _prorated(view, "quota")
    yield from _prorated(view, "incentive")
    yield from _bounds(view)
    if view.kind != OF_PERIOD:
        yield _position(view)
    elif view.component.pool is None or view.component.pool.amount is None:
        yield _period(view)
    for gate in view.component.gates:
        yield from _gate(view, gate)
    waiting = int(view.result.lines.waiting[view.row])
    if waiting:
        yield _waits(view, waiting)


def _prorated(view: LineView, what: str) -> Iterator[Step]:
    """How a quota or incentive came about, where a ramp or a proration had a part in it."""
    steps, found = view.steps, view.steps.get(what)
    if found is None:
        return
    unit = view.component.measure.unit if what == "quota" else "money"
    per = view.per if what == "quota" else 1

    def said(value: Fraction) -> str:
        return figure_text(value / per, unit, view.plan.currency)

    name = "quota" if what == "quota" else "target incentive"
    kept, relief, ramp, active = (steps.get(f"{what}.{part}") for part in ("kept", "relief", "ramp", "active"))
    if kept is None or (relief is None and ramp is None and active is None):
        if what == "incentive":
            yield Step(what, f"The {name} is {said(found)}.", int(found), "money", {"kept": None})
        return
    told = []
    if relief is not None:
        told.append(f"relief leaves {percent_text(relief)} of it")
    if ramp is not None:
        told.append(f"by the ramp it is {percent_text(ramp)} of it")
    if active is not None:
        top, bottom = _active(view, what)
        rules = view.plan.proration
        counted = "" if rules is None else _COUNTED[rules.method]
        told.append(f"{top} of {bottom} {counted} count")
    sentence = f"The {name} is {said(kept)}; {' and '.join(told)}: {said(found)}."
    detail = {"kept": int(kept), "relief": relief, "ramp": ramp, "active": active}
    yield Step(what, sentence, int(found), "money" if unit == "money" else "none", detail)


def _bounds(view: LineView) -> Iterator[Step]:
    """The part of their bounds that tiers in money or units begin at."""
    part, rules = view.steps.get("bounds.active"), view.plan.proration
    if part is None or part == 1 or rules is None:
        return
    top, bottom = _active(view, "bounds")
    sentence = f"{top} of {bottom} {_COUNTED[rules.method]} count: tiers begin at that part of their bounds"
    assert view.component.tiers is not None
    starts = [tier.start * part for tier in view.component.tiers.rates[1:]]
    unit: Unit = "money" if view.component.tiers.axis == "amount" else "units"
    if starts:
        sentence += f", {', '.join(figure_text(start, unit, view.plan.currency) for start in starts)}"
    yield Step("bounds", f"{sentence}.", part, "share", {"active": part, "starts": tuple(starts)})


def _active(view: LineView, what: str) -> tuple[int, int]:
    """The days that count, and all of them."""
    assert view.result.traces is not None
    rows = view.result.traces.rows(view.row)
    return next((top, bottom) for name, top, bottom in rows if name == f"{what}.active")


def _position(view: LineView) -> Step:
    """The running total that a credit moves, and the attainment."""
    component, unit, currency = view.component, view.component.measure.unit, view.plan.currency
    before, after, quota = view.before, view.after, view.known("quota")
    position = int(view.result.lines.position[view.row])
    per, every = view.per, "fiscal year" if cadence(component) == "year" else component.every

    def said(value: int) -> str:
        return figure_text(Fraction(value, per), unit, currency)

    order = "" if component.order == "credit_date" else f" ({order_words(component)})"
    sentence = f"As credit {position} of the {every}{order} it takes the total from {said(before)} to {said(after)}"
    attainment = None
    if quota:
        attainment = (Fraction(before, quota), Fraction(after, quota))
        low, high = (percent_text(each) for each in attainment)
        sentence += f", from {low} to {high} of the quota of {said(quota)}"
    detail = {"position": position, "before": before, "after": after, "measured": view.measured, "quota": quota}
    return Step("position", f"{sentence}.", after, "money", {**detail, "attainment": attainment})


def _period(view: LineView) -> Step:
    """What a period measures, and the attainment."""
    component, unit = view.component, view.component.measure.unit
    value, quota = view.steps.get("value"), view.known("quota")
    if value is None:
        return Step("measure", f"In this {component.every} there is nothing to measure yet.", None, "none")
    detail: dict[str, object] = {"value": value, "quota": quota, "attainment": None}
    if component.scorecard is not None:
        sentence = f"{_parts(view)} make {percent_text(value)}{_clipped(component)}"
    else:
        parts = view.known("parts")
        many = "" if parts is None else f", {parts} added up,"
        sentence = f"{_made_of(component)}{many} is {figure_text(value, unit, view.plan.currency)}"
    if quota:
        attainment = value * view.per / quota
        detail["attainment"] = attainment
        said = figure_text(Fraction(quota, view.per), unit, view.plan.currency)
        sentence += f", {percent_text(attainment)} of the quota of {said}"
    return Step("measure", f"{sentence}.", value, "money" if unit == "money" else "none", detail)


def _made_of(component: Component) -> str:
    """What a period's measure is made of."""
    measure, reads = component.measure, component.reads
    when = {
        "discrete": f"this {measure.every}",
        "year_to_date": "the fiscal year so far",
        "rolling": f"this {measure.every} and the {measure.periods - 1} before",
    }[measure.window]
    if reads is not None:
        what = "was earned of" if reads.what == "earning" else "was released of"
        components = " and ".join(name for _, name in reads.components)
        return f"What {what} {components} by {_READERS[reads.of]} in {when}"
    each = f", for each {both(named(name) for name in measure.per)}" if measure.per else ""
    return f"The {_VALUES[measure.value]} of {_OF[measure.of]} credits in {when}{each}"


def _parts(view: LineView) -> str:
    """The parts of a scorecard with the result that each brought."""
    assert view.component.scorecard is not None
    told = []
    for part in view.component.scorecard.parts:
        found = _result_of(view, part.component)
        told.append(f"{percent_text(part.weight)} of {part.component} ({_said(found)})")
    return " and ".join(told)


def _said(found: Fraction | None) -> str:
    return "no result" if found is None else percent_text(found)


def _result_of(view: LineView, key: str) -> Fraction | None:
    """The result of a component of the same plan and person in the period that holds the line's day."""
    groups, plans = view.result.groups, view.batch.plans
    if groups.result_top is None or groups.result_bottom is None:
        return None
    replicate = int(groups.replicate[view.group])
    for row in range(groups.participant.size):
        plan = plans[int(groups.plan[row])]
        component = plan.components[int(groups.component[row])]
        if (plan.key, component.key) != (view.plan.key, key) or int(groups.participant[row]) != view.participant:
            continue
        bounds, period = view.batch.periods[cadence(component)], int(groups.period[row])
        holds = int(bounds[period]) <= view.day < int(bounds[period + 1])
        if holds and int(groups.replicate[row]) == replicate and groups.result_bottom[row]:
            return Fraction(int(groups.result_top[row]), int(groups.result_bottom[row]))
    return None


def _clipped(component: Component) -> str:
    scorecard = component.scorecard
    assert scorecard is not None
    ends = (("at least", scorecard.at_least), ("at most", scorecard.at_most))
    bounds = [f"{word} {percent_text(bound)}" for word, bound in ends if bound is not None]
    return f" ({' and '.join(bounds)})" if bounds else ""


def read_text(view: LineView, read: Read, value: Fraction | None) -> str:
    """A figure that is read, with its value."""
    what = read.value.replace("_", " ")
    return f"the {what} of {read.component} is {read_value(view, read, value)}"


def read_value(view: LineView, read: Read, value: Fraction | None) -> str:
    if value is None:
        return "missing"
    if read.value == "attainment":
        return percent_text(value)
    plan, found = _found(view, read)
    if read.value in ("earning", "earning_before_cap", "released") or found is None:
        return money_text(value, plan.currency)
    if read.value == "result":
        pays = "number" if found.curve is None else found.curve.pays
        if pays == "amount":
            return money_text(value * 10**plan.minor_digits, plan.currency)
        return percent_text(value) if pays == "share" else number_text(value)
    unit: Unit = found.measure.unit
    return figure_text(value, unit, plan.currency)


def _found(view: LineView, read: Read) -> tuple[CompiledPlan, Component | None]:
    """What is read, with the plan whose currency it is in; this one where no plan has it."""
    named = ((plan, each) for plan in view.batch.plans if plan.key == read.plan for each in plan.components)
    return next(((plan, each) for plan, each in named if each.key == read.component), (view.plan, None))


def _gate(view: LineView, gate: Gate) -> Iterator[Step]:
    """What a gate reads, whether it is met, and what follows where it is not."""
    met = view.steps.get(f"gate:{gate.key}")
    if met is None:
        return
    value = view.steps.get(f"reads:{gate.key}")
    asked = read_value(view, gate.read, gate.at_least)
    sentence = f"For gate {gate.key} {read_text(view, gate.read, value)}"
    since = view.known(f"since:{gate.key}")
    if since is not None:
        sentence += f", and {asked} is asked: nothing is released before {day_text(since)}, when that was reached"
        yield Step("gate", f"{sentence}.", value, "none", {"gate": gate.key, "met": True, "asked": gate.at_least})
        return
    sentence += f", and {asked} is asked: it is {'met' if met else 'not met'}"
    if not met:
        sentence += _effect(view, gate)
    elif gate.read_at == "final" and gate.until_known == "withhold":
        sentence += ", and nothing is released before that is final"
    yield Step("gate", f"{sentence}.", value, "none", {"gate": gate.key, "met": bool(met), "asked": gate.at_least})


def _effect(view: LineView, gate: Gate) -> str:
    if gate.catch_up:
        return ", and nothing is released until it is"
    if gate.effect == "withhold":
        return ", and the line earns nothing"
    if gate.effect == "no_accelerators":
        return ", and accelerators are left out"
    if gate.effect == "cap":
        assert gate.cap is not None
        return f", and the {view.component.every} earns at most {money_text(gate.cap, view.plan.currency)}"
    assert gate.times is not None
    return f", and the earning counts {times_text(gate.times)}"


def _waits(view: LineView, waiting: int) -> Step:
    """What an unrated line waits for."""
    component = view.component
    if waiting == 1:
        kept = int(view.result.groups.quota[view.group])
        state = "zero" if kept == 0 and kept != MISSING_MONEY else "missing"
        what = f"the quota {component.quota or 'of the plan'} is {state}"
    elif waiting == 2:
        named = component.incentive or "of its counterpart's terms"
        what, state = f"the target incentive {named} is missing", "missing"
    else:
        what, state = "what it measures is not known", "measure"
    return Step("waits", f"It earns nothing yet: {what}.", 0, "money", {"quota_key": component.quota, "state": state})
