"""What a component measures and reads, in phrases."""

from __future__ import annotations

from comp.core.days import day_date
from plans.rules.compiled import CompiledPlan, Component, Measure, OwnPeriods, Read, Reads, Unit
from plans.rules.phrases import both, condition_words, field_words, named

_VALUE = {
    "attainment": "the attainment of {}",
    "measure": "what {} measures",
    "result": "the result of {}",
    "earning_before_cap": "what {} earns before its cap",
    "earning": "what {} earns",
    "released": "what is released of {}",
}
_OF = {
    "own": "",
    "team": " by everybody of the team",
    "pool": " by everybody of the pool",
    "company": " by the whole company",
}


def component_words(component: str, of: str, plan: CompiledPlan) -> str:
    """`retention`; `retention of the plan success` where it is of another plan than the one that is read aloud."""
    return named(component) if of == plan.key else f"{named(component)} of the plan {named(of)}"


def read_words(read: Read, plan: CompiledPlan) -> str:
    """`the attainment of retention`."""
    return _VALUE[read.value].format(component_words(read.component, read.plan, plan))


def read_unit(plan: CompiledPlan, read: Read) -> tuple[Unit, int]:
    """The unit of what is read, as far as this plan says it, and how much of it (of minor units of money) one of the
    numbers is that it is held against."""
    found = next((each for each in plan.components if (plan.key, each.key) == (read.plan, read.component)), None)
    if read.value == "result" and found is not None and found.curve is not None and found.curve.pays != "share":
        return ("money", 10**plan.minor_digits) if found.curve.pays == "amount" else ("number", 1)
    if read.value == "measure" and found is not None:
        return found.measure.unit, 1
    return ("share", 1) if read.value in ("attainment", "result") else ("money", 1)


def counted_sentence(component: Component, plan: CompiledPlan) -> str:
    """What is counted, how, over which time."""
    currency = plan.currency
    if component.reads is not None:
        return f"Counts {_reads_words(component.reads, plan)}, each {component.every}."
    if not component.classes:
        return f"Looked at each {component.every}."
    what = (
        f"{both(named(name) for name in component.classes)} credit of {both(named(role) for role in component.roles)}"
    )
    if component.when is not None:
        what += f" where {condition_words(component.when, currency)}"
    return f"Counts {what}{_OF[component.measure.of]}, {_how(component.measure, currency)}{_time(component)}"


def _reads_words(reads: Reads, plan: CompiledPlan) -> str:
    what = {"earning": "what is earned", "released": "what is released"}[reads.what]
    levels = "" if reads.depth in (None, 1) else f" down to {reads.depth} levels"
    who = {
        "self": "by yourself",
        "reports": f"by your reports{levels}",
        "downline": "by everybody beneath you",
        "team": "by your team",
    }[reads.of]
    return f"{what} {who} from {both(component_words(key, of, plan) for of, key in reads.components)}"


def _how(measure: Measure, currency: str) -> str:
    match measure.value:
        case "sum":
            return "added up"
        case "count":
            return "one by one"
        case "weighted":
            return f"each times its {field_words(measure.weight or '')}, added up"
        case "share":
            part = "always" if measure.part is None else condition_words(measure.part, currency)
            return "as the share of all of it," if part == "always" else f"as the share of it where {part},"
        case "average":
            return "on average" + (f", weighted by {field_words(measure.weight)}" if measure.weight else "")
        case "last":
            return "the last one" + _each_part(measure)
        case "high_water":
            return "the highest one" + _each_part(measure)
        case _:
            ends = [
                f"the {word} day {'counted' if how == 'in' else 'left out'}"
                for word, how in (("first", measure.first_day), ("last", measure.last_day))
            ]
            return (
                f"as days from {named(measure.from_field or '')} to {named(measure.to_field or '')} on average"
                + (f", weighted by {field_words(measure.weight)}" if measure.weight else "")
                + f" ({both(ends)})"
            )


def _each_part(measure: Measure) -> str:
    return f" of each {both(named(name) for name in measure.per)}, added up" if measure.per else ""


def periods_sentence(own: OwnPeriods) -> str:
    """When periods of the plan's own are."""
    when = both(f"from {day_date(start)} to {day_date(end - 1)}" for start, end in own.spans)
    return f"Each {own} is its own period: {when}. Credit of other days is not counted."


def order_sentence(component: Component) -> str:
    """By what the credits of a measure period follow each other."""
    return f"In each {component.every} credits count one after the other, {order_words(component)}."


def order_words(component: Component) -> str:
    how = {"largest_first": "the larger first", "event_time": "by when each happened"}
    return how.get(component.order, f"by {named(component.order)}")


def _time(component: Component) -> str:
    measure = component.measure
    match measure.window:
        case "year_to_date":
            time = f" each {measure.every}, over the year so far"
        case "rolling":
            time = f" each {measure.every}, over the last {measure.periods} {measure.every}s"
        case _:
            time = f" each {measure.every}"
    if component.quota is not None:
        time += f", against the quota {named(component.quota)}"
        if measure.quota_basis is not None:
            time += {"cumulative": " (the year's quotas so far, added up)", "year": " of the whole year"}[
                measure.quota_basis
            ]
    empty = {"wait": " While there is nothing to measure everything waits.", "zero": " Nothing to measure is zero."}
    return f"{time}.{empty.get(measure.empty or '', '')}"
