"""What components read of each other: that it is there, in units that match, and never in a circle. See
plans.rules.checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from plans.rules.about import About, by_period
from plans.rules.checks_credit import once, rows_of, slug_of
from plans.rules.checks_rates import NAMES, unit_text, value_of
from plans.rules.counterpart import KINDS, needs_of_document, unlike
from plans.rules.forms import table_of
from plans.rules.look import Look, join
from plans.rules.values import Document

#: One read: where it stands, the component it names, and what it takes.
Found = tuple[str, str, str]


def check_reads(look: Look, plan: Document, known: About) -> None:
    """Report reads of what is not there, circles, and results that nobody reads."""
    own = str(plan.get("key"))
    reads: dict[str, list[Found]] = {}
    read: set[str] = set()
    for path, component in rows_of(plan, "", "components"):
        key = slug_of(component, "key")
        found = [(place, _local(name, own), value) for place, name, value in _reads(component, path)]
        for place, name, value in found:
            if "/" not in name:
                read.add(name)
                _readable(look, place, name, value, known)
                if place.endswith("of_component") and value == "measure":
                    _in_money(look, place, name, known)
            elif value == "measure":
                message = (
                    f"What {name} measures is counted in a unit that only its own plan knows; "
                    "read its attainment or result."
                )
                look.report(join(place, "value"), value, "attainment, result or what it earns", message)
        if key is not None:
            reads.setdefault(key, []).extend(found)
        _gates(look, component, path, known, own)
        _counterpart(look, component, path, known, own)
    _circles(look, reads)
    for path, component in rows_of(plan, "", "components"):
        key = slug_of(component, "key")
        if component.get("kind") == "result" and key is not None and key not in read:
            message = f"Nothing in this plan reads the result {key}, and it pays nothing by itself."
            look.warn(path, key, "a result that a gate, modifier, matrix or scorecard reads", message)


def _local(name: str, own: str) -> str:
    """The name of a component, without the plan where that is this one."""
    return name.removeprefix(f"{own}/")


def _reads(component: Document, path: str) -> Iterator[Found]:
    """All that a component reads, in the order of the text."""
    reads = table_of(component.get("reads"))
    names = reads.get("components")
    for number, name in enumerate(names if isinstance(names, list) else []):
        if isinstance(name, str):
            yield join(join(join(path, "reads"), "components"), number), name, str(reads.get("what"))
    places = [(join(join(path, "tiers"), "columns"), table_of(table_of(component.get("tiers")).get("columns")))]
    places += rows_of(table_of(component.get("modifiers")), join(path, "modifiers"), "each")
    places += rows_of(component, path, "gates")
    for place, row in places:
        each = table_of(row.get("reads"))
        if isinstance(each.get("component"), str):
            yield join(place, "reads"), each["component"], str(each.get("value"))
    for place, row in rows_of(component, path, "caps"):
        each = table_of(row.get("of_component"))
        if isinstance(each.get("component"), str):
            yield join(place, "of_component"), each["component"], str(each.get("value", "earning"))
    card = table_of(component.get("scorecard"))
    for place, row in rows_of(card, join(path, "scorecard"), "parts"):
        if isinstance(row.get("component"), str):
            yield join(place, "component"), row["component"], "result"


def _readable(look: Look, path: str, name: str, value: str, known: About) -> None:
    """Report a component of this plan that is not there, or that has nothing of the kind."""
    component = known.components.get(name)
    if component is None:
        _unknown(look, path, name, known)
        return
    is_result = component.get("kind") == "result"
    why = ""
    if value == "result" and not is_result:
        why = f"{name} is no result: only a component of kind result has one."
    elif value in ("earning_before_cap", "earning", "released") and is_result:
        why = f"{name} is a result: it pays nothing, so that no {value} can be read."
    elif value == "attainment" and component.get("quota") is None:
        why = f"{name} has no quota, so that it has no attainment."
    elif value == "measure" and component.get("kind") == "pool" and "credits" not in component:
        why = f"{name} is a pool of an amount: it measures nothing."
    if why:
        look.report(path, value, "what the component has", why)


def _in_money(look: Look, path: str, name: str, known: About) -> None:
    """A cap is money: what it is a share of has to be."""
    unit = known.unit(known.components.get(name))
    if unit not in (None, "money"):
        message = f"{name} is measured in {NAMES[unit]}; a cap is a share of money."
        look.report(join(path, "value"), "measure", "earning, or what is measured in money", message)


def _counterpart(look: Look, component: Document, path: str, known: About, own: str) -> None:
    """Report terms of this plan that a component's lines cannot be rated by."""
    stated = table_of(component.get("counterpart"))
    name, place = _local(str(stated.get("terms")), own), join(join(path, "counterpart"), "terms")
    if "terms" not in stated or "/" in name:
        return
    if name == component.get("key"):
        message = f"{name} is this component itself: its own terms rate it already."
        look.report(place, name, "another component", message)
    elif name not in known.components:
        _unknown(look, place, name, known)
    else:
        mine, theirs = (needs_of_document(each, known) for each in (component, known.components[name]))
        why = unlike(mine, theirs)
        if why is not None and mine.kind in KINDS:
            message = f"The terms of {name} cannot rate this component: {why}."
            look.report(place, name, "terms that go by what this component has", message)


def _unknown(look: Look, path: str, name: str, known: About) -> None:
    """Report a component that is not there."""
    near = get_close_matches(name, known.components, 1)
    others = ", ".join(known.components) or "none"
    hint = f"Did you mean {near[0]}?" if near else f"Components are {others}; of another plan: plan/component."
    look.report(path, name, others, f"There is no component {name} in this plan. {hint}")


def _circles(look: Look, reads: Mapping[str, list[Found]]) -> None:
    """Report each circle of components once, where its first component reads the next."""
    done: set[str] = set()
    way: list[str] = []

    def visit(key: str) -> None:
        if key in way:
            circle = [*way[way.index(key) :], key]
            text = " -> ".join(circle)
            place = next(place for place, name, _ in reads[circle[0]] if name == circle[1])
            message = f"Components read each other in a circle: {text}. What is read has to come first."
            look.report(place, text, "reads without a circle", message)
        elif key in reads and key not in done:
            way.append(key)
            for name in dict.fromkeys(name for _, name, _ in reads[key]):
                visit(name)
            done.add(way.pop())

    for key in reads:
        visit(key)


def _never_met(look: Look, gate: Document, path: str, known: About, own: str) -> None:
    """Report a gate on a result that is always less."""
    read = table_of(gate.get("reads"))
    curve = table_of(known.components.get(_local(str(read.get("component")), own), {}).get("curve"))
    if read.get("value") != "result" or curve.get("mode") == "by_width" or curve.get("beyond") == "extend":
        return
    unit = known.read_unit(read)
    least = value_of(gate.get("at_least"), unit, look)
    paid = [value_of(row.get("pays"), unit, look) for _, row in rows_of(curve, "", "points")]
    most = max((each for each in paid if each is not None), default=None)
    if least is not None and most is not None and None not in paid and least > most:
        text = unit_text(least, unit, look)
        message = f"This gate is never met: {read['component']} comes to at most {unit_text(most, unit, look)}."
        look.report(join(path, "at_least"), text, f"up to {unit_text(most, unit, look)}", message)


def _gates(look: Look, component: Document, path: str, known: About, own: str) -> None:
    keys: dict[str, str] = {}
    for place, gate in rows_of(component, path, "gates"):
        once(look, keys, slug_of(gate, "key"), join(place, "key"), "gate")
        _never_met(look, gate, place, known, own)
        if gate.get("read_at") != "running":
            continue
        read = table_of(gate.get("reads"))
        other: Any = known.components.get(_local(str(read.get("component")), own), {})
        if read.get("value") not in ("measure", "attainment", None):
            message = f"Only a measure or an attainment runs along with the credits; found {read['value']}."
            look.report(join(join(place, "reads"), "value"), read["value"], "measure or attainment", message)
        elif by_period(component) or by_period(other) or other.get("kind") == "scorecard":
            message = "`running` goes credit by credit: both components have to be measured by credit."
            look.report(join(place, "read_at"), "running", "final", message)
        elif any(each.get("order", "credit_date") != "credit_date" for each in (component, other)):
            message = "`running` goes by credit dates: neither component may have another `order`."
            look.report(join(place, "read_at"), "running", "final", message)
        if gate.get("catch_up") is True and gate.get("effect") not in ("withhold", None):
            message = "Only what is withheld can be caught up: `catch_up: true` needs `effect: withhold`."
            look.report(join(place, "catch_up"), "true", "false", message)
