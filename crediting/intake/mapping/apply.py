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
from crediting.intake.mapping.targets import EVENTS, Kind, Target
from crediting.intake.reading import shown
from crediting.intake.source import Value
from crediting.intake.standard import adapt

ID, AT = "$id", "$at"


@dataclass(frozen=True, slots=True)
class Record:
    """A source's record as it stands: `values` folded over all its changes, `at` the moment of the last of them,
    `version` how many there were. Of a file: one row."""

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


def apply(document: Mapping[str, Any], record: Record, *, zone: str) -> Event | list[Problem] | None:
    """The event that the record is, by a document that `check` finds nothing wrong with; what has to be asked first; or
    None where it is no fact. `zone` is the company's time zone: it decides on which day a moment lies."""
    rules = next((one for one in document["records"] if _is_for(one, record)), None)
    if rules is None or (record.gone and not any(record.text(name) for name in record.values)):
        return None
    making = _Making(record, zone)
    event = making.event(rules)
    if event is None:
        return making.problems or None
    data = making.data(rules, EVENTS[event])
    if making.problems:
        return making.problems
    at = record.at.isoformat().replace("+00:00", "Z")
    found = adapt(json.dumps({"type": event, "timestamp": at, "data": data}).encode())
    return found if isinstance(found, Event) else [_of_field(problem, rules) for problem in found]


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

    def __init__(self, record: Record, zone: str) -> None:
        self.record, self.zone = record, zone
        self.problems: list[Problem] = []

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

    def data(self, rules: Mapping[str, Any], target: Target) -> dict[str, Any]:
        """The fields that this event has. A mapping may speak of more: of those of its other events."""
        data: dict[str, Any] = {"version": self.record.version}
        custom: dict[str, Any] = {}
        for name, rule in rules["fields"].items():
            kind = target.kind(name)
            if kind is None:
                continue
            value = self.value(name, rule, kind)
            if kind == "any":
                custom[name.removeprefix("custom.")] = _typed(value, rule)
            else:
                data[name] = int(value) if value is not None and kind == "whole" else value
        if custom:
            data["custom"] = custom
        if target.rich and "team" in rules:
            data["team"] = [member for place, one in enumerate(rules["team"]) for member in self.members(place, one)]
        return data

    def members(self, place: int, rule: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
        """One who is named, or each of several in one text."""
        persons = self.value(f"team[{place}].person", rule["person"], "text")
        role = self.value(f"team[{place}].role", rule["role"], "text")
        weight = self.value(f"team[{place}].weight", rule["weight"], "whole") if "weight" in rule else "1"
        for person in (persons or "").split(rule.get("split") or "\n"):
            if person.strip():
                yield {"role": role, "person": person.strip(), "weight": int(weight or 1)}

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
        self.problems.append(Problem(name, found, allowed, f"found {found}, allowed is {allowed}"))


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
