"""Whether a mapping says everything that it has to and nothing else: every problem at once, each with its path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from comp.core.calendars import CalendarError, day_of
from comp.core.errors import Problem
from comp.core.money import CURRENCIES
from crediting.intake.mapping.readings import DATE_FORMS, DECIMAL_FORMS, READINGS, USUAL
from crediting.intake.mapping.targets import EVENTS, LINE, WITH_LINES, Kind, Target
from crediting.intake.reading import problem
from plans.rules.load import read_table

FORMAT = "comp/mapping/1"
#: Of records, fields, conditions, team members; and of the entries of one table of values.
LIMIT, VALUES_LIMIT, TEXT_LIMIT = 100, 2000, 1000
_RECORD = ("object", "when", "event", "gone", "fields", "team", "lines")
_RULE = ("from", "constant", "as", "form", "values", "otherwise", "missing", "currency", "digits", "zone")
_TESTS = ("is", "is_not", "in", "not_in", "missing")
#: Which keys of a rule mean something with which readings.
_GOES_WITH = {
    "form": ("date", "decimal", "number"),
    "currency": ("minor",),
    "digits": ("minor",),
    "zone": ("moment", "epoch_s", "epoch_ms"),
}


def read_mapping(text: str) -> dict[str, Any]:
    """The document of a YAML text (or JSON, which is YAML). Raises ProblemsError; what it says is for `check`."""
    return read_table(text, "mapping")


def check(document: object) -> list[Problem]:
    """Everything that is wrong with a mapping."""
    look = _Look()
    table = look.table("", document, ("format", "records"))
    if table.get("format") != FORMAT:
        look.wrong("format", table.get("format"), FORMAT)
    for place, one in enumerate(look.rows("records", table.get("records"), least=1)):
        look.record(f"records[{place}]", one)
    return look.problems


class _Look:
    """Reads what may be wrong anywhere; each reader gives back something of the right type."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def wrong(self, path: str, found: object, allowed: str) -> None:
        self.problems.append(problem(path, _shown(found), allowed))

    def table(self, path: str, found: object, allowed: Iterable[str] | None = None) -> Mapping[str, Any]:
        if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
            self.wrong(path, found, "a table")
            return {}
        if allowed is not None:
            for key in sorted(found.keys() - set(allowed)):
                self.wrong(_join(path, key), f"the key {key[:60]}", ", ".join(allowed))
        return found

    def rows(self, path: str, found: object, *, least: int = 0, most: int = LIMIT) -> list[Any]:
        if not isinstance(found, list) or not least <= len(found) <= most:
            self.wrong(path, found, f"a list of {least} to {most}")
            return []
        return found

    def text(self, path: str, found: object) -> str:
        if not isinstance(found, str) or not 0 < len(found) <= TEXT_LIMIT:
            self.wrong(path, found, f"a text of 1 to {TEXT_LIMIT} characters")
            return ""
        return found

    def word(self, path: str, found: object, allowed: Iterable[str]) -> None:
        if found not in allowed if isinstance(found, str) else True:
            self.wrong(path, found, ", ".join(allowed))

    def record(self, path: str, found: object) -> None:
        rules = self.table(path, found, _RECORD)
        self.text(f"{path}.object", rules.get("object"))
        for place, one in enumerate(self.rows(f"{path}.when", rules.get("when", []))):
            self.condition(f"{path}.when[{place}]", one)
        made = self.events(f"{path}.event", rules.get("event"))
        gone = rules.get("gone", "ask")
        self.word(f"{path}.gone", gone, ("ask", "ignore", *EVENTS))
        targets = [EVENTS[name] for name in (*made, gone) if isinstance(name, str) and name in EVENTS]
        self.fields(f"{path}.fields", rules.get("fields"), targets)
        for place, one in enumerate(self.rows(f"{path}.team", rules.get("team", []))):
            self.member(f"{path}.team[{place}]", one)
        if "lines" in rules:
            self.lines(f"{path}.lines", rules["lines"], made)
        if not rules.get("team") and any(target.needs_team for target in targets):
            self.wrong(f"{path}.team", "no team", "whose it is: these events have no owner")
        if rules.get("team") and targets and not any(target.rich for target in targets):
            self.wrong(f"{path}.team", "a team", "none: these events have no team")

    def events(self, path: str, found: object) -> Iterable[str]:
        """The events that a record may become: one, or one by a field's value."""
        if not isinstance(found, Mapping):
            self.word(path, found, EVENTS)
            return [found] if isinstance(found, str) else []
        self.rule(path, found, "text")
        values = found.get("values")
        otherwise = found.get("otherwise", "ask")
        made = [*values.values()] if isinstance(values, Mapping) else []
        if isinstance(otherwise, Mapping):
            made.append(otherwise.get("value"))
        if not made or otherwise == "keep" or found.get("missing") == "empty" or "constant" in found:
            self.wrong(path, "a rule that may make no event", "a field with a table of values that are events, or ask")
        for name in made:
            self.word(path, name, EVENTS)
        return [name for name in made if isinstance(name, str)]

    def condition(self, path: str, found: object) -> None:
        condition = self.table(path, found, ("field", *_TESTS))
        self.text(f"{path}.field", condition.get("field"))
        tests = [key for key in _TESTS if key in condition]
        if len(tests) != 1:
            self.wrong(path, ", ".join(tests) or "no test", f"one of {', '.join(_TESTS)}")
        for key in tests:
            value = condition[key]
            if key == "missing":
                if not isinstance(value, bool):
                    self.wrong(f"{path}.missing", value, "true or false")
            elif key in ("in", "not_in"):
                for place, one in enumerate(self.rows(f"{path}.{key}", value, least=1, most=VALUES_LIMIT)):
                    self.text(f"{path}.{key}[{place}]", one)
            else:
                self.text(f"{path}.{key}", value)

    def fields(self, path: str, found: object, targets: list[Target]) -> None:
        """Each of a field that one of the events has; and all that any of the events has to state."""
        rules = self.table(path, found)
        for name, rule in rules.items():
            kinds = {kind for target in targets if (kind := target.kind(name))}
            if kinds:
                self.rule(f"{path}.{name}", rule, kinds.pop())
            elif targets:
                known = sorted({known for target in targets for known in target.fields})
                self.wrong(f"{path}.{name}", f"the field {name[:60]}", f"custom.… or one of {', '.join(known)}")
        for name in dict.fromkeys(name for target in targets for name in target.needed):
            if name not in rules:
                self.wrong(f"{path}.{name}", "nothing", "a rule; `constant: null` where it is to stay empty")

    def lines(self, path: str, found: object, made: Iterable[str]) -> None:
        """Records that are a deal's lines."""
        lines = self.table(path, found, ("object", "belongs_to", "fields"))
        for key in ("object", "belongs_to"):
            self.text(f"{path}.{key}", lines.get(key))
        self.fields(f"{path}.fields", lines.get("fields"), [LINE])
        if not set(made) & set(WITH_LINES):
            self.wrong(path, "lines", f"none: only {', '.join(WITH_LINES)} have lines")

    def member(self, path: str, found: object) -> None:
        member = self.table(path, found, ("object", "belongs_to", "role", "person", "weight", "split"))
        for key in ("object", "belongs_to"):
            if "object" in member or "belongs_to" in member:
                self.text(f"{path}.{key}", member.get(key))
        kinds: Mapping[str, Kind] = {"role": "text", "person": "text", "weight": "whole"}
        for name, kind in kinds.items():
            if name in member or name != "weight":
                self.rule(f"{path}.{name}", member.get(name), kind)
        if "split" in member:
            self.text(f"{path}.split", member["split"])

    def rule(self, path: str, found: object, kind: Kind) -> None:
        """How one field is filled."""
        rule = self.table(path, found, _RULE)
        if not isinstance(found, Mapping):
            return
        if ("from" in rule) == ("constant" in rule):
            self.wrong(path, "both" if "from" in rule else "neither", "either from or constant")
        if "constant" in rule:
            self.constant(path, rule, kind)
            return
        names = rule.get("from")
        for place, one in enumerate(self.rows(f"{path}.from", names, least=1) if isinstance(names, list) else [names]):
            self.text(f"{path}.from[{place}]" if isinstance(names, list) else f"{path}.from", one)
        reading = rule.get("as", USUAL[kind])
        self.word(f"{path}.as", reading, [name for name, (_, kinds, _) in READINGS.items() if kind in kinds])
        self.word(f"{path}.missing", rule.get("missing", "ask"), ("ask", "empty"))
        for key, readings in _GOES_WITH.items():
            if key in rule and reading not in readings:
                self.wrong(f"{path}.{key}", f"{key} beside {reading}", f"{key} with {' or '.join(readings)}")
        if "form" in rule:
            self.word(f"{path}.form", rule["form"], DATE_FORMS if reading == "date" else DECIMAL_FORMS)
        if reading == "minor":
            self.text(f"{path}.currency", rule.get("currency"))
            self.digits(f"{path}.digits", rule.get("digits", {}))
        if "zone" in rule:
            self.zone(f"{path}.zone", rule["zone"])
        self.values(path, rule)

    def constant(self, path: str, rule: Mapping[str, Any], kind: Kind) -> None:
        for key in sorted(rule.keys() - {"constant"}):
            self.wrong(f"{path}.{key}", f"{key} beside a constant", "the constant alone")
        value = rule["constant"]
        if value is None:
            return
        read, _, allowed = READINGS[USUAL[kind]]
        if read(self.text(f"{path}.constant", value), {}, "", "UTC") is None:
            self.wrong(f"{path}.constant", value, f"{allowed}, or null")

    def digits(self, path: str, found: object) -> None:
        for code, digits in self.table(path, found).items():
            if code not in CURRENCIES:
                self.wrong(f"{path}.{code}", code, "a currency code of ISO 4217")
            self.word(f"{path}.{code}", digits, ("0", "1", "2", "3"))

    def zone(self, path: str, found: object) -> None:
        try:
            day_of(datetime(2026, 1, 1, tzinfo=UTC), self.text(path, found) or "UTC")
        except CalendarError:
            self.wrong(path, found, "a time zone such as Europe/Berlin or UTC")

    def values(self, path: str, rule: Mapping[str, Any]) -> None:
        if "values" not in rule:
            if "otherwise" in rule:
                self.wrong(f"{path}.otherwise", "otherwise without values", "a table of values beside it")
            return
        values = self.table(f"{path}.values", rule["values"])
        if not 1 <= len(values) <= VALUES_LIMIT:
            self.wrong(f"{path}.values", f"{len(values)} values", f"1 to {VALUES_LIMIT}")
        for key, value in values.items():
            self.text(f"{path}.values.{key}", value)
        otherwise = rule.get("otherwise", "ask")
        if isinstance(otherwise, Mapping):
            self.text(f"{path}.otherwise.value", self.table(f"{path}.otherwise", otherwise, ("value",)).get("value"))
        else:
            self.word(f"{path}.otherwise", otherwise, ("ask", "keep"))


def _join(path: str, key: str) -> str:
    return f"{path}.{key[:60]}" if path else key[:60]


def _shown(found: object) -> str:
    if found is None:
        return "nothing"
    if isinstance(found, str):
        return found if 0 < len(found) <= 80 else f"{found[:77]}..." if found else "an empty text"
    return "a table" if isinstance(found, Mapping) else "a list" if isinstance(found, list) else str(found)[:80]
