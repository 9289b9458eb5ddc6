"""The parts that the form of a plan document is declared from (plans.rules.language).

Each part says three things about one value: what is wrong with it, its normal form, and its JSON Schema. So what is
checked, what is stored and what an editor offers cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from comp.core.canonical import canonical_json
from comp.core.money import CURRENCIES
from plans.rules.about import About
from plans.rules.conditions import MAX_TEXT, check_condition, normal_condition
from plans.rules.look import MAX_SLUG, Look, join, listed, shown
from plans.rules.values import (
    SLUG,
    Document,
    money_text,
    number_text,
    percent_text,
    read_date,
    read_money,
    read_number,
    read_percent,
    read_whole,
    written,
)

Schema = dict[str, Any]
MAX_WORDS = 20


class Form(Protocol):
    """What may stand at one place of a document."""

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        """Report all that is wrong with the value."""

    def normal(self, value: Any, about: About) -> Any:
        """The value in normal form; one that cannot be read is left as it is."""

    def schema(self) -> Schema:
        """The JSON Schema of the value as it may be written."""


# ------------------------------------------------------------------ single values


@dataclass(frozen=True)
class Word:
    """One of a few words."""

    allowed: tuple[str, ...]

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        look.word_value(value, path, self.allowed)

    def normal(self, value: Any, about: About) -> Any:
        return value

    def schema(self) -> Schema:
        return {"enum": list(self.allowed)}


@dataclass(frozen=True)
class Text:
    most: int

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        look.text_value(value, path, self.most)

    def normal(self, value: Any, about: About) -> Any:
        return value

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1, "maxLength": self.most}


@dataclass(frozen=True)
class Slug:
    """A key."""

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        look.slug_value(value, path)

    def normal(self, value: Any, about: About) -> Any:
        return value

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/key"}


@dataclass(frozen=True)
class Flag:
    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        if not isinstance(value, bool):
            look.wrong(path, value, "true or false")

    def normal(self, value: Any, about: About) -> Any:
        return value

    def schema(self) -> Schema:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Whole:
    low: int
    high: int

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        look.whole_value(value, path, self.low, self.high)

    def normal(self, value: Any, about: About) -> Any:
        whole = read_whole(value)
        return value if whole is None else whole

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/whole"}


@dataclass(frozen=True)
class Percent:
    """A percentage from 0%, or above it."""

    zero: bool = True

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        look.percent_value(value, path, zero=self.zero)

    def normal(self, value: Any, about: About) -> Any:
        share = read_percent(value)
        return value if share is None else percent_text(share)

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/percentage"}


@dataclass(frozen=True)
class Factor:
    """A plain decimal from 0 to 1000."""

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        look.factor_value(value, path)

    def normal(self, value: Any, about: About) -> Any:
        return _number(value)

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/number"}


@dataclass(frozen=True)
class Number:
    """A plain decimal: from zero, above zero, or any."""

    sign: Literal["positive", "zero", "any"]

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        number = read_number(value)
        low = {"positive": " above 0", "zero": " from 0", "any": ""}[self.sign]
        if number is None or (self.sign == "zero" and number < 0) or (self.sign == "positive" and number <= 0):
            look.wrong(path, value, f"a plain number{low} with at most 6 decimals, like 40")

    def normal(self, value: Any, about: About) -> Any:
        return _number(value)

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/number"}


@dataclass(frozen=True)
class Money:
    """An amount in the plan's currency: from zero, above zero, or any."""

    sign: Literal["positive", "zero", "any"] = "positive"

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        look.money_value(value, path, self.sign)

    def normal(self, value: Any, about: About) -> Any:
        minor = read_money(value, about.currency) if about.currency is not None else None
        return value if minor is None or about.currency is None else money_text(minor, about.currency)

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/amount"}


@dataclass(frozen=True)
class Date:
    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        if read_date(value) is None:
            look.wrong(path, value, "a date like 2026-11-30")

    def normal(self, value: Any, about: About) -> Any:
        return value

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/date"}


@dataclass(frozen=True)
class Currency:
    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        if not isinstance(value, str) or value not in CURRENCIES:
            look.wrong(path, value, "a known code of ISO 4217, like USD, EUR or JPY")

    def normal(self, value: Any, about: About) -> Any:
        return value

    def schema(self) -> Schema:
        return {"type": "string", "pattern": "^[A-Z]{3}$"}


@dataclass(frozen=True)
class FieldText:
    """A text that a field is compared with."""

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT:
            look.wrong(path, value, f"a text of 1 to {MAX_TEXT} characters (in quotes where it reads as true or null)")

    def normal(self, value: Any, about: About) -> Any:
        return value if isinstance(value, str) else (written(value) or value)

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/scalar"}


@dataclass(frozen=True)
class Field:
    """The name of a field of the fact (or of the person), of one of some types; or one of a few words beside."""

    kinds: tuple[str, ...]
    words: tuple[str, ...] = ()
    person: bool = False

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        if isinstance(value, str) and value in self.words:
            return
        types = about.person_types if self.person else about.types
        names = [name for name, kind in types.items() if kind in self.kinds and not name.startswith("deal.")]
        also = f", or {listed(self.words)}" if self.words else ""
        allowed = f"a {listed(self.kinds)} field: {listed(names)}{also}"
        if not isinstance(value, str) or value not in types:
            look.unknown_field(value, path, types, f"; allowed is {allowed}", allowed)
        elif types[value] not in self.kinds:
            look.report(path, value, allowed, f"{value} is a {types[value]}; allowed is {allowed}.")

    def normal(self, value: Any, about: About) -> Any:
        return value

    def schema(self) -> Schema:
        return {"type": "string", "maxLength": 80}


@dataclass(frozen=True)
class When:
    """A condition over fields of the fact; with `person` of the person too."""

    person: bool = False

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        check_condition(look, value, path, about.person_types if self.person else about.types)

    def normal(self, value: Any, about: About) -> Any:
        return normal_condition(value, about.person_types if self.person else about.types, about.currency)

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/condition"}


@dataclass(frozen=True)
class Anything:
    """What another problem keeps from being judged, or what is judged elsewhere."""

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        pass

    def normal(self, value: Any, about: About) -> Any:
        return value

    def schema(self) -> Schema:
        return {}


@dataclass(frozen=True)
class Refused:
    """What has no place here, for a reason that is told."""

    why: str

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        look.report(path, value, "nothing", f"{self.why} Found {shown(value)}; allowed: nothing.")

    def normal(self, value: Any, about: About) -> Any:
        return value

    def schema(self) -> Schema:
        return {"not": {}}


@dataclass(frozen=True)
class Fields:
    """A table of names, judged by a function of its own."""

    judge: Callable[[Look, Any, str, About], None]
    entry: Schema
    form: Form | None = None  # of each value

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        self.judge(look, value, path, about)

    def normal(self, value: Any, about: About) -> Any:
        if self.form is None or not isinstance(value, dict):
            return value
        return {key: self.form.normal(item, about) for key, item in value.items()}

    def schema(self) -> Schema:
        return {"type": "object", "additionalProperties": self.entry}


# ------------------------------------------------------------------ what holds others


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
class Nothing:
    """Null and nothing else; `why` is told."""

    why: str

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        if value is not None:
            look.report(path, value, "null", self.why.format(found=shown(value)))

    def normal(self, value: Any, about: About) -> Any:
        return value

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
class ComponentName:
    """The key of a component, or `plan/component` for one of another plan."""

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        parts = value.split("/") if isinstance(value, str) else []
        if not 1 <= len(parts) <= 2 or not all(len(part) <= MAX_SLUG and SLUG.fullmatch(part) for part in parts):
            look.wrong(path, value, "the key of a component, or plan/component for one of another plan")

    def normal(self, value: Any, about: About) -> Any:
        return value

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
class Slugs:
    """A list of different keys."""

    what: str
    least: int = 1

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        look.slugs_value(value, path, self.what, self.least)

    def normal(self, value: Any, about: About) -> Any:
        return value

    def schema(self) -> Schema:
        return {"type": "array", "minItems": self.least, "uniqueItems": True, "items": {"$ref": "#/$defs/key"}}


@dataclass(frozen=True)
class Words:
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

    def normal(self, value: Any, about: About) -> Any:
        return value

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
    """A value whose form depends on what stands in it, or around it. `variants` are all forms that `pick` may give;
    with `switch` they are told apart by the word at that key."""

    pick: Callable[[Any, About], Form]
    variants: tuple[Form, ...]
    switch: str | None = None

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        self.pick(value, about).check(look, value, path, about)

    def normal(self, value: Any, about: About) -> Any:
        form = self.pick(value, about)
        if isinstance(value, dict) and isinstance(form, Table):
            # A null says nothing where its key has no place in this form, but in another.
            known = {key for each in self.variants if isinstance(each, Table) for key in each.keys}
            value = {
                key: item
                for key, item in value.items()
                if key in form.keys or key not in known or not (item is None or item == {})
            }
        return form.normal(value, about)

    def schema(self) -> Schema:
        tables = [form for form in self.variants if isinstance(form, Table)]
        others = [form.schema() for form in self.variants if not isinstance(form, Table)]
        if not tables:
            return any_of(others)
        merged = self._merged(tables)
        return any_of([merged, *others]) if others else merged

    def _merged(self, tables: Sequence[Table]) -> Schema:
        merged = _union(tables)
        words: dict[str, list[Table]] = {}
        for table in tables:
            form = table.keys.get(self.switch) if self.switch is not None else None
            if isinstance(form, Word) and len(form.allowed) == 1:
                words.setdefault(form.allowed[0], []).append(table)
        if words and self.switch is not None:
            merged["properties"][self.switch] = {"enum": list(words)}
            merged["allOf"] = [
                {
                    "if": {"properties": {self.switch: {"const": word}}, "required": [self.switch]},
                    "then": _only(same, set(merged["properties"])),
                }
                for word, same in words.items()
            ]
        return merged


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


def _only(tables: Sequence[Table], known: set[str]) -> Schema:
    """What holds beside the union for one word of a switch: what has to stand, and what may not."""
    union = _union(tables)
    none = dict.fromkeys(sorted(known - set(union["properties"])), False)
    return {"required": union["required"], **({"properties": none} if none else {})}


def any_of(schemas: Sequence[Schema]) -> Schema:
    """One of several schemas, each named once."""
    flat: dict[str, Schema] = {}
    for schema in schemas:
        for each in schema["anyOf"] if set(schema) == {"anyOf"} else [schema]:
            flat.setdefault(canonical_json(each), each)
    found = list(flat.values())
    return found[0] if len(found) == 1 else {"anyOf": found}


def table_of(value: Any) -> Document:
    """The value where it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def tables_of(value: Any) -> list[Document]:
    """The tables of a list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _number(value: Any) -> Any:
    number = read_number(value)
    return value if number is None else number_text(number)
