"""A record as it stands, made an event of Comp's: or what is to be asked before it can be one.

What is made is an event of docs/intake.md as text, and read by the adapter of those: a mapping can bring in nothing
that a system could not have sent itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from comp.core.errors import Problem
from crediting.intake.facts import Event
from crediting.intake.mapping.readings import NUMERIC, READINGS, USUAL, Rule
from crediting.intake.mapping.targets import EVENTS, LINE, WITH_LINES, Kind, Target
from crediting.intake.reading import shown
from crediting.intake.source import Value
from crediting.intake.standard import adapt

ID, AT = "$id", "$at"


@dataclass(frozen=True, slots=True)
class Record:
    """A source's record as it stands: `values` folded over all its changes, `at` the moment of the last of them,
    `version` how many there were (with those of all that ever belonged to it, where such are kept). Of a file: one
    row."""

    object: str
    id: str
    values: Mapping[str, Value]
    at: datetime
    version: int = 0
    gone: bool = False

    def text(self, name: str) -> str:
        """A field's value as text; "" where it has none. `$id` and `$at` are the record's own."""
        if name == ID:
            return self.id
        if name == AT:
            return self.at.isoformat().replace("+00:00", "Z")
        value = self.values.get(name)
        return "" if value is None else value if isinstance(value, str) else str(value).lower()


def apply(
    document: Mapping[str, Any], record: Record, *, zone: str, related: Iterable[Record] | None = None
) -> Event | list[Problem] | None:
    """The event that the record is, by a document that `check` finds nothing wrong with; what has to be asked first; or
    None where it is no fact. `zone` is the company's time zone: it decides on which day a moment lies. `related` are
    all records that belong to this one (see `owners_of`); None where the caller keeps none: then lines and members from
    records of their own are not spoken of."""
    found = told(document, record, zone=zone, related=related)
    return found[1] if isinstance(found, tuple) else found


def told(
    document: Mapping[str, Any], record: Record, *, zone: str, related: Iterable[Record] | None = None
) -> tuple[dict[str, Any], Event] | list[Problem] | None:
    """As `apply`, the event beside the message that a system would have sent of it."""
    rules = next((one for one in document["records"] if _is_for(one, record)), None)
    if rules is None or (record.gone and not any(record.text(name) for name in record.values)):
        return None
    making = _Making(record, zone, [])
    event = making.event(rules)
    if event is None:
        return making.problems or None
    data = {"version": record.version, **making.data(rules["fields"], EVENTS[event])}
    own = sorted(related or (), key=lambda one: (one.object, one.id))
    if EVENTS[event].rich and "team" in rules:
        data["team"] = [one for place, rule in enumerate(rules["team"]) for one in making.members(place, rule, own)]
    if event in WITH_LINES and "lines" in rules and related is not None:
        data["lines"] = making.lines(rules["lines"], own)
    if making.problems:
        return making.problems
    at = record.at.isoformat().replace("+00:00", "Z")
    message = {"type": event, "timestamp": at, "data": data}
    found = adapt(json.dumps(message).encode())
    return (message, found) if isinstance(found, Event) else [_of_field(problem, rules) for problem in found]


def owners_of(document: Mapping[str, Any], record: Record) -> list[tuple[str, str]]:
    """The records, by object and id, that this one belongs to as a line or a member: they are to be made again when it
    changes."""
    return [
        (rules["object"], record.text(part["belongs_to"]))
        for rules in document["records"]
        for part in _parts(rules)
        if part["object"] == record.object and record.text(part["belongs_to"])
    ]


def parts_of(document: Mapping[str, Any], object: str) -> list[tuple[str, str]]:
    """Where the records that belong to one of this object are found: their object, and their field that names it."""
    found = [part for rules in document["records"] if rules["object"] == object for part in _parts(rules)]
    return sorted({(part["object"], part["belongs_to"]) for part in found})


def _parts(rules: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rules about records that belong to this one."""
    lines = [rules["lines"]] if "lines" in rules else []
    return [*lines, *(one for one in rules.get("team", ()) if "object" in one)]


def _is_for(rules: Mapping[str, Any], record: Record) -> bool:
    return bool(rules["object"] == record.object) and all(_holds(one, record) for one in rules.get("when", ()))


def _holds(condition: Mapping[str, Any], record: Record) -> bool:
    text = record.text(condition["field"])
    if "missing" in condition:
        return bool(condition["missing"]) is (text == "")
    if "in" in condition or "is" in condition:
        return text in condition.get("in", (condition.get("is"),))
    return text not in condition.get("not_in", (condition.get("is_not"),))


class _Making:
    """Reads the fields of one record, and keeps what has to be asked."""

    def __init__(self, record: Record, zone: str, problems: list[Problem], place: str = "") -> None:
        self.record, self.zone, self.problems, self.place = record, zone, problems, place

    def event(self, rules: Mapping[str, Any]) -> str | None:
        """The event that it makes; None where it makes none, or where that has to be asked."""
        if not self.record.gone:
            stated = rules["event"]
            return stated if isinstance(stated, str) else self.value("event", stated, "text")
        gone = str(rules.get("gone", "ask"))
        if gone == "ask":
            found = f"{self.record.object} {shown(self.record.id)} deleted at its source"
            self.ask("gone", found, "what a deleted record means, stated in the mapping")
        return None if gone in ("ask", "ignore") else gone

    def data(self, rules: Mapping[str, Rule], target: Target) -> dict[str, Any]:
        """The fields that this event has. A mapping may speak of more: of those of its other events."""
        data: dict[str, Any] = {}
        custom: dict[str, Any] = {}
        for name, rule in rules.items():
            kind = target.kind(name)
            if kind is None:
                continue
            value = self.value(name, rule, kind)
            if kind == "any":
                custom[name.removeprefix("custom.")] = _typed(value, rule)
            else:
                data[name] = int(value) if value is not None and kind == "whole" else value
        return {**data, "custom": custom} if custom else data

    def lines(self, rule: Mapping[str, Any], related: Iterable[Record]) -> list[dict[str, Any]]:
        """The records that are lines of this one."""
        return [self.of(one, "lines").data(rule["fields"], LINE) for one in self.own(rule, related)]

    def members(self, place: int, rule: Mapping[str, Any], related: Iterable[Record]) -> Iterable[dict[str, Any]]:
        """One who is named, each of several in one text, or one of each record that belongs to this one."""
        if "object" in rule:
            for one in self.own(rule, related):
                yield from self.of(one, f"team[{place}]").persons(rule)
        else:
            yield from self.of(self.record, f"team[{place}]").persons(rule)

    def persons(self, rule: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
        persons = self.value("person", rule["person"], "text")
        role = self.value("role", rule["role"], "text")
        weight = self.value("weight", rule["weight"], "whole") if "weight" in rule else "1"
        for person in (persons or "").split(rule.get("split") or "\n"):
            if person.strip():
                yield {"role": role, "person": person.strip(), "weight": int(weight or 1)}

    def own(self, rule: Mapping[str, Any], related: Iterable[Record]) -> Iterable[Record]:
        """Those related records that a rule is about, that name this record and still stand."""
        for one in related:
            name, owner = rule["belongs_to"], self.record.id
            taken_off = one.gone or one.text(f"{name}.{owner}") == "false"
            if one.object == rule["object"] and one.text(name) == owner and not taken_off:
                yield one

    def of(self, record: Record, place: str) -> _Making:
        """The same for another record; what has to be asked of it is told with its place."""
        return _Making(
            record, self.zone, self.problems, f"{place}." if record is self.record else f"{place}.{record.id}."
        )

    def value(self, name: str, rule: Rule, kind: Kind) -> str | None:
        """The field's text, in the form that the event wants; None where it is empty, or has to be asked."""
        if "constant" in rule:
            constant = rule["constant"]
            return constant if constant is None else str(constant)
        reading = rule.get("as", USUAL[kind])
        names = [rule["from"]] if isinstance(rule["from"], str) else rule["from"]
        source = next((one for one in names if self.stated(one, reading)), None)
        if source is None:
            if rule.get("missing", "ask") == "ask":
                self.ask(name, "nothing", f"a value in {' or '.join(names)}")
            return None
        text = self.record.text(source)
        mapped = self.mapped(name, rule, text)
        if mapped is None:
            return None
        read, _, allowed = READINGS[reading]
        found = read(mapped, rule, self.record.text(rule.get("currency", "")), self.zone)
        if found is None:
            form = f" like {rule['form']}" if "form" in rule else ""
            self.ask(name, f"{shown(mapped)} in {source}", f"{allowed}{form}")
        return found

    def stated(self, source: str, reading: str) -> bool:
        """Whether a field has a value. An association does while the record that it names is not taken off again."""
        text = self.record.text(source).strip()
        if reading == "association" and text:
            return self.record.text(f"{source}.{text}") != "false"
        return text != ""

    def mapped(self, name: str, rule: Rule, text: str) -> str | None:
        """Through the rule's table of values. A value that is not in it is asked, unless the rule says otherwise."""
        values = rule.get("values")
        if values is None or text in values:
            return text if values is None else str(values[text])
        otherwise = rule.get("otherwise", "ask")
        if otherwise == "keep":
            return text
        if otherwise == "ask":
            self.ask(name, shown(text), f"a value that the mapping knows: {', '.join(list(values)[:20])}")
            return None
        return str(otherwise["value"])

    def ask(self, name: str, found: str, allowed: str) -> None:
        self.problems.append(Problem(f"{self.place}{name}", found, allowed, f"found {found}, allowed is {allowed}"))


def _typed(value: str | None, rule: Rule) -> Any:
    """A custom field's value: a whole number and a truth are themselves, all else is text."""
    reading = rule.get("as", "text")
    if reading == "boolean" and value is not None:
        return value == "true"
    if reading in NUMERIC and value is not None and value.lstrip("-").isdigit() and len(value) <= 18:
        return int(value)
    return value


def _of_field(problem: Problem, rules: Mapping[str, Any]) -> Problem:
    """Told by our field's name, and by the source's field that it is read from."""
    path = problem.path.removeprefix("data.")
    rule = rules["fields"].get(path)
    source = rule.get("from") if isinstance(rule, Mapping) else None
    message = f"{problem.message} (from {source})" if isinstance(source, str) else problem.message
    return Problem(path, problem.found, problem.allowed, message)
