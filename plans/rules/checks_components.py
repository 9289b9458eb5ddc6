"""What a component's parts say together: what it counts, by credit or by period, what is capped. See
plans.rules.checks."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from plans.rules.about import About, by_period
from plans.rules.checks_credit import check_counted, credited, once, rows_of, slug_of
from plans.rules.checks_rates import NAMES, check_rates
from plans.rules.checks_reads import check_reads
from plans.rules.checks_release import check_release
from plans.rules.forms import table_of
from plans.rules.look import Look, join
from plans.rules.values import Document, percent_text, read_money, read_percent

#: Values of a measure that only a whole period has.
PERIOD_VALUES = ("share", "average", "last", "high_water", "days")


def check_components(look: Look, plan: Document, known: About) -> None:
    """Report what is wrong among components."""
    given = credited(plan)
    keys: dict[str, str] = {}
    for path, component in rows_of(plan, "", "components"):
        once(look, keys, slug_of(component, "key"), join(path, "key"), "component")
        check_counted(look, component, path, given)
        _measured(look, component, path, known)
        if by_period(component):
            _of_a_period(look, component, path)
        if "eligible_on" in component and "eligible" not in component:
            message = (
                "A day is given as of which people are asked, and nothing is asked of them: `eligible` is missing."
            )
            look.report(join(path, "eligible_on"), component["eligible_on"], "eligible beside it", message)
        check_rates(look, component, path, known)
        _kinds(look, component, path, known)
        _ramp(look, component, path)
        _caps(look, component, path)
        check_release(look, plan, component, path, known)
        _ordered(look, component, path)
    check_reads(look, plan, known)


def _measured(look: Look, component: Document, path: str, known: About) -> None:
    """Report credit of several units, and measures that need a whole period."""
    classes = table_of(component.get("credits")).get("classes")
    units = {
        name: known.class_units.get(name, frozenset())
        for name in (classes if isinstance(classes, list) else [])
        if isinstance(name, str)
    }
    if len(set().union(*units.values())) > 1:
        found = ", ".join(
            f"{name} in {NAMES[unit]}" for name, each in sorted(units.items()) for unit in sorted(each, key=str)
        )
        message = f"Credit of several units cannot be added: {found}."
        look.report(join(join(path, "credits"), "classes"), found, "classes of one unit", message)
    measure = table_of(component.get("measure"))
    own = measure.get("every") in known.periods if isinstance(measure.get("every"), str) else False
    for place, row in rows_of(component, path, "caps") if own else ():
        if row.get("excess") == "carried":
            message = "Nothing is carried from one period of the plan's own to the next: they need not join."
            look.report(join(place, "excess"), "carried", "lost or review", message)
    path = join(path, "measure")
    if own and measure.get("window") in ("year_to_date", "rolling"):
        message = f"Periods of the plan's own stand each by itself; found {measure['window']}."
        look.report(join(path, "window"), measure["window"], "discrete", message)
    reasons = []
    if measure.get("value") in PERIOD_VALUES:
        reasons.append(f"`value: {measure['value']}`")
    if measure.get("of") in ("team", "pool", "company"):
        reasons.append(f"`of: {measure['of']}`")
    if measure.get("window") == "rolling":
        reasons.append("`window: rolling`")
    if "reads" in component:
        reasons.append("`reads`")
        if measure.get("value", "sum") != "sum":
            message = f"Earnings that are read are summed; found {measure['value']}, allowed: sum."
            look.report(join(path, "value"), measure["value"], "sum", message)
    kind = component.get("kind")
    if kind in ("result", "pool", "rank"):
        reasons.append(f"A {kind}")
    if measure.get("by") == "credit" and reasons:
        message = f"{reasons[0]} needs `by: period`: no single credit has it."
        look.report(join(path, "by"), "credit", "period", message)
    elif "reads" in component and "by" not in measure:
        message = "`reads` needs the whole form of `measure`, with `by: period`."
        look.report(path, "the short form", "the whole form with by: period", message)
    per: list[Any] = measure["per"] if isinstance(measure.get("per"), list) else []
    for number, name in enumerate(per):
        if name in per[:number]:
            place = join(join(path, "per"), number)
            look.report(place, name, "each once", f"{name} stands here twice.")
    weight = measure.get("weight")
    by_money = isinstance(weight, str) and known.types.get(weight) == "money"
    if measure.get("value") == "weighted" and by_money and known.credits_unit(component) == "money":
        message = f"{weight} is money, and so is the credit: an amount is not weighted by an amount."
        look.report(join(path, "weight"), weight, "a number field", message)


def _ordered(look: Look, component: Document, path: str) -> None:
    """Report an order of lines that nothing goes by, or that does not go with something else."""
    order = component.get("order", "credit_date")
    if not isinstance(order, str) or order == "credit_date":
        return
    path = join(path, "order")
    if component.get("release_rate", "fixed") != "fixed":
        message = f"A floating rate goes by the total of each day, in the order of credit dates; found {order}."
        look.report(path, order, "credit_date", message)
    if not by_period(component):
        return
    if table_of(component.get("measure")).get("value") != "last":
        message = f"Of a whole period only its last credit goes by an order; found {order}."
        look.report(path, order, "no order, or by: credit, or value: last", message)
    elif order == "largest_first":
        message = "The last credit by the largest first is the smallest; that is not measured."
        look.report(path, order, "credit_date, event_time or a date field", message)


def _of_a_period(look: Look, component: Document, path: str) -> None:
    """Report what asks for the fact or the deal of a line, where a line is a whole period."""

    def refuse(place: str, found: Any, why: str) -> None:
        message = f"A line of a measure period belongs to no single fact: {why} needs `by: credit`."
        look.report(place, found, "a component that is measured by credit", message)

    if component.get("accelerator") is not None:
        refuse(join(path, "accelerator"), "an accelerator", "an accelerator")
    if component.get("kind") == "commission" and "table" in component:
        refuse(join(path, "table"), "a table", "a table over its fields")
    if component.get("kind") == "bonus" and table_of(component.get("bonus")).get("per") == "credit":
        refuse(join(join(path, "bonus"), "per"), "credit", "a bonus per credit")
    for place, row in rows_of(table_of(component.get("modifiers")), join(path, "modifiers"), "each"):
        if "reads" not in row:
            refuse(place, row.get("key"), "a modifier over its fields")
    for place, row in rows_of(component, path, "kickers"):
        refuse(place, row.get("key"), "a kicker")
    if "minimum" in component:
        refuse(join(path, "minimum"), "a minimum", "a minimum per credit")
    if table_of(component.get("cap")).get("per") == "deal":
        refuse(join(join(path, "cap"), "per"), "deal", "a cap per deal")
    for place, row in rows_of(component, path, "caps"):
        if row.get("per") == "deal":
            refuse(join(place, "per"), "deal", "a cap per deal")


def _kinds(look: Look, component: Document, path: str, known: About) -> None:
    """Report what is wrong with a scorecard or a pool."""
    kind = component.get("kind")
    if kind == "scorecard":
        card, path = table_of(component.get("scorecard")), join(path, "scorecard")
        parts: dict[str, str] = {}
        rows = rows_of(card, path, "parts")
        for place, row in rows:
            once(look, parts, slug_of(row, "component"), join(place, "component"), "part")
            if known.read_unit({"component": row.get("component"), "value": "result"}) == "money":
                message = f"A score is no sum of money: the result {row['component']} pays an amount."
                look.report(join(place, "component"), row["component"], "a result that is a share or a number", message)
        weights = [read_percent(row.get("weight")) for _, row in rows]
        total = sum((weight for weight in weights if weight is not None), Fraction(0))
        if rows and None not in weights and total != 1:
            message = f"The weights sum to {percent_text(total)}; they have to sum to exactly 100%."
            look.report(join(path, "parts"), percent_text(total), "100%", message)
        least, most = read_percent(card.get("at_least")), read_percent(card.get("at_most"))
        if least is not None and most is not None and least > most:
            message = f"A score of at least {percent_text(least)} and at most {percent_text(most)} cannot be."
            look.report(join(path, "at_least"), percent_text(least), f"up to {percent_text(most)}", message)
    elif kind == "pool" and "share" in table_of(component.get("pool")):
        unit = known.unit(component)
        if unit not in ("money", None):
            message = f"A pool is a share of money, and this is measured in {NAMES[unit]}; write an amount instead."
            look.report(join(join(path, "pool"), "share"), NAMES[unit], "a measure in money", message)


def _ramp(look: Look, component: Document, path: str) -> None:
    ramp = component.get("ramp")
    if not isinstance(ramp, dict):
        return
    path = join(path, "ramp")
    if ramp.get("quota") is None and ramp.get("incentive") is None:
        look.report(path, "nothing", "quota or incentive", "This ramp raises nothing: give quota or incentive.")
    if ramp.get("quota") is not None and not isinstance(component.get("quota"), str):
        message = "This ramp is of a quota, and there is none by key; write `quota: null` here."
        look.report(join(path, "quota"), ramp["quota"], "null", message)
    if ramp.get("incentive") is not None and "incentive" not in component:
        message = "This ramp is of a target incentive, and there is none; write `incentive: null` here."
        look.report(join(path, "incentive"), ramp["incentive"], "null", message)


def _caps(look: Look, component: Document, path: str) -> None:
    rows = rows_of(component, path, "caps")
    for number, (place, row) in enumerate(rows):
        if row.get("excess") != "carried":
            continue
        if number < len(rows) - 1:
            message = "Carried excess stands last and once: what is carried is what all other caps have left."
            look.report(join(place, "excess"), "carried", "carried in the last of the caps", message)
        if row.get("per") in ("credit", "deal", "year"):
            message = f"Excess is carried from one measure period to the next; found per {row['per']}."
            look.report(join(place, "per"), row["per"], "measure_period", message)


def check_steps(look: Look, plan: Document) -> None:
    """Report amounts that the rounding step would change: what they are cut into would not add up to them."""
    step = table_of(plan.get("rounding")).get("step")
    if step not in ("whole", "tens") or look.currency is None:
        return
    unit = 1 if step == "whole" else 10
    found: list[tuple[str, Document, str]] = []
    for path, component in rows_of(plan, "", "components"):
        found += [(join(path, key), table_of(component.get(key)), "amount") for key in ("cap", "minimum", "budget")]
        found += [(join(path, key), table_of(component.get(key)), "amount") for key in ("bonus", "pool")]
        found += [(place, row, "amount") for place, row in rows_of(component, path, "caps")]
        gates = rows_of(component, path, "gates")
        found += [(join(place, "effect"), table_of(row.get("effect")), "cap") for place, row in gates]
        prizes = table_of(component.get("rank")).get("prizes")
        at = join(join(path, "rank"), "prizes")
        for number, prize in enumerate(prizes if isinstance(prizes, list) else []):
            _stepped(look, prize, join(at, number), unit)
    found += [(place, row, "amount") for place, row in rows_of(plan, "", "caps")]
    for place, row, key in found:
        if key in row:
            _stepped(look, row[key], join(place, key), unit)


def _stepped(look: Look, value: Any, path: str, step: int) -> None:
    assert look.currency is not None
    minor = read_money(value, look.currency)
    whole = read_money(str(step), look.currency)
    if minor is not None and whole and minor % whole:
        least = look.amount(whole)
        message = (
            f"Pay is rounded to {least}; {look.amount(minor)} is no multiple of it, so that parts would not add up."
        )
        look.report(path, look.amount(minor), f"a multiple of {least}", message)
