"""The parts of a form that hold others: lists, tables, and what depends on what stands in it. See plans.rules.forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plans.rules.about import NOTHING, About
from plans.rules.forms import AsIs, Form, Percent, Schema, any_of
from plans.rules.look import MAX_SLUG, Look, join, shown
from plans.rules.values import SLUG, read_percent

MAX_WORDS = 20


@dataclass(frozen=True)
class Opt:
    """A key that may be absent. Null or an empty table there says nothing, and goes."""

    form: Form

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        self.form.check(look, value, path, about)

    def normal(self, value: Any, about: About) -> Any:
        return self.form.normal(value, about)

    def schema(self) -> Schema:
        return self.form.schema()


@dataclass(frozen=True)
class Null:
    """A value that may be null, where that is said."""

    form: Form

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        if value is not None:
            self.form.check(look, value, path, about)

    def normal(self, value: Any, about: About) -> Any:
        return None if value is None else self.form.normal(value, about)

    def schema(self) -> Schema:
        return any_of([self.form.schema(), {"type": "null"}])


@dataclass(frozen=True)
class Nothing(AsIs):
    """Null and nothing else; `why` is told."""

    why: str

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        if value is not None:
            look.report(path, value, "null", self.why.format(found=shown(value)))

    def schema(self) -> Schema:
        return {"type": "null"}


@dataclass(frozen=True)
class Needed:
    """A value that may not be null; `why` is told where it is."""

    form: Form
    why: str
    allowed: str

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        if value is None:
            look.report(path, "null", self.allowed, self.why)
        else:
            self.form.check(look, value, path, about)

    def normal(self, value: Any, about: About) -> Any:
        return self.form.normal(value, about)

    def schema(self) -> Schema:
        return self.form.schema()


@dataclass(frozen=True)
class Either:
    """A percentage where a percent sign stands, else of the other form."""

    form: Form

    def _form(self, value: Any) -> Form:
        return self.form if read_percent(value) is None else Percent()

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        self._form(value).check(look, value, path, about)

    def normal(self, value: Any, about: About) -> Any:
        return self._form(value).normal(value, about)

    def schema(self) -> Schema:
        return any_of([Percent().schema(), self.form.schema()])


@dataclass(frozen=True)
class ComponentName(AsIs):
    """The key of a component, or `plan/component` for one of another plan."""

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        parts = value.split("/") if isinstance(value, str) else []
        if not 1 <= len(parts) <= 2 or not all(len(part) <= MAX_SLUG and SLUG.fullmatch(part) for part in parts):
            look.wrong(path, value, "the key of a component, or plan/component for one of another plan")

    def schema(self) -> Schema:
        return {"type": "string", "pattern": "^[a-z0-9]+([-_][a-z0-9]+)*(/[a-z0-9]+([-_][a-z0-9]+)*)?$"}


@dataclass(frozen=True)
class Rows:
    form: Form
    least: int
    most: int
    what: str

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        for place, row in look.list_rows(value, path, self.least, self.most, self.what):
            look.visit(place)
            self.form.check(look, row, place, about)

    def normal(self, value: Any, about: About) -> Any:
        return [self.form.normal(row, about) for row in value] if isinstance(value, list) else value

    def schema(self) -> Schema:
        return {"type": "array", "minItems": self.least, "maxItems": self.most, "items": self.form.schema()}


@dataclass(frozen=True)
class Cells:
    """Lists in lists, so many in each: one cell for each row of every dimension."""

    cell: Form
    sizes: tuple[int, ...]

    def _form(self) -> Form:
        form = self.cell
        for size in reversed(self.sizes):
            form = Rows(form, size, size, "cells")
        return form

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        self._form().check(look, value, path, about)

    def normal(self, value: Any, about: About) -> Any:
        return self._form().normal(value, about)

    def schema(self) -> Schema:
        # How deep and how wide goes by the dimensions, which a schema cannot count.
        return {"type": "array", "items": any_of([self.cell.schema(), {"type": "array"}])}


@dataclass(frozen=True)
class Slugs(AsIs):
    """A list of different keys."""

    what: str
    least: int = 1

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        look.slugs_value(value, path, self.what, self.least)

    def schema(self) -> Schema:
        return {"type": "array", "minItems": self.least, "uniqueItems": True, "items": {"$ref": "#/$defs/key"}}


@dataclass(frozen=True)
class Words(AsIs):
    """A list of different words, out of a few."""

    allowed: tuple[str, ...]
    least: int = 1

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        if not isinstance(value, list) or not self.least <= len(value) <= MAX_WORDS:
            look.wrong(path, value, f"a list of some of {', '.join(self.allowed)}")
            return
        seen: list[Any] = []
        for number, word in enumerate(value):
            place = join(path, number)
            look.word_value(word, place, self.allowed)
            if word in seen:
                look.report(place, word, "each once", f"{shown(word)} stands here twice.")
            seen.append(word)

    def schema(self) -> Schema:
        items = {"enum": list(self.allowed)}
        return {"type": "array", "minItems": self.least, "uniqueItems": True, "items": items}


@dataclass(frozen=True)
class Table:
    """A table with its keys; all that are not `Opt` have to stand."""

    keys: Mapping[str, Form]

    @property
    def required(self) -> list[str]:
        return [key for key, form in self.keys.items() if not isinstance(form, Opt)]

    @property
    def optional(self) -> list[str]:
        return [key for key, form in self.keys.items() if isinstance(form, Opt)]

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        table = look.table(value, path, self.required, self.optional)
        for key, form in self.keys.items():
            if key in table:
                place = join(path, key)
                look.visit(place)
                form.check(look, table[key], place, about)

    def normal(self, value: Any, about: About) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            key: self.keys[key].normal(item, about) if key in self.keys else item
            for key, item in value.items()
            if not (isinstance(self.keys.get(key), Opt) and (item is None or item == {}))
        }

    def schema(self) -> Schema:
        return {
            "type": "object",
            "properties": {key: form.schema() for key, form in self.keys.items()},
            "required": self.required,
            "additionalProperties": False,
        }


@dataclass(frozen=True)
class By:
    """A value whose form depends on what stands in it, or around it. `pick` gives the form; `exemplars` are values in
    small for which it gives, together, all forms that there are. With `switch` the word at that key tells them apart;
    an exemplar without it is for all other words."""

    pick: Callable[[Any, About], Form]
    exemplars: tuple[Any, ...]
    switch: str | None = None

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        self.pick(value, about).check(look, value, path, about)

    def normal(self, value: Any, about: About) -> Any:
        form = self.pick(value, about)
        if isinstance(value, dict) and isinstance(form, Table):
            empty = [key for key in value if key not in form.keys and (value[key] is None or value[key] == {})]
            # A null says nothing where its key has no place in this form, but in another.
            known = {key for table in self._tables() for key in table.keys} if empty else set()
            value = {key: item for key, item in value.items() if key not in empty or key not in known}
        return form.normal(value, about)

    def _tables(self) -> list[Table]:
        return [form for form in (self.pick(row, NOTHING) for row in self.exemplars) if isinstance(form, Table)]

    def schema(self) -> Schema:
        forms = [self.pick(row, NOTHING) for row in self.exemplars]
        others = [form.schema() for form in forms if not isinstance(form, Table)]
        tables: dict[str | None, list[Table]] = {}
        for row, form in zip(self.exemplars, forms, strict=True):
            if isinstance(form, Table):
                tables.setdefault(row.get(self.switch) if self.switch is not None else None, []).append(form)
        if not tables:
            return any_of(others)
        merged = _union([table for same in tables.values() for table in same])
        if self.switch is not None:
            conditions = [_only(self.switch, word, list(tables), same, merged) for word, same in tables.items()]
            telling = [condition for condition in conditions if condition["then"]]
            merged |= {"allOf": telling} if telling else {}
        return any_of([merged, *others]) if others else merged


def _union(tables: Sequence[Table]) -> Schema:
    """Every key of some tables, those required that stand in all of them."""
    properties: dict[str, list[Schema]] = {}
    for table in tables:
        for key, form in table.keys.items():
            properties.setdefault(key, []).append(form.schema())
    required = [key for key in tables[0].required if all(key in table.required for table in tables)]
    return {
        "type": "object",
        "properties": {key: any_of(forms) for key, forms in properties.items()},
        "required": required,
        "additionalProperties": False,
    }


def _only(switch: str, word: str | None, words: list[str | None], tables: Sequence[Table], merged: Schema) -> Schema:
    """What one word of a switch says beside the union of all: what has to stand, and what may not."""
    known = {key for table in tables for key in table.keys}
    required = [key for key in tables[0].required if all(key in table.required for table in tables)]
    more = [key for key in required if key not in merged["required"]]
    never = [key for key in merged["properties"] if key not in known]
    then: Schema = {"required": more} if more else {}
    if never:
        then["properties"] = dict.fromkeys(never, False)
    others = [each for each in words if each is not None]
    asked: Schema = {"properties": {switch: {"const": word}}, "required": [switch]}
    if word is None:
        asked = {"not": {"properties": {switch: {"enum": others}}, "required": [switch]}}
    return {"if": asked, "then": then}
