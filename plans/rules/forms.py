"""The parts that the form of a plan document is declared from (plans.rules.language).

Each part says three things about one value: what is wrong with it, its normal form, and its JSON Schema. So what is
checked, what is stored and what an editor offers cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from comp.core.canonical import canonical_json
from comp.core.money import PLAN_CURRENCIES
from plans.rules.about import About
from plans.rules.conditions import MAX_TEXT, check_condition, normal_condition
from plans.rules.look import Look, listed, shown
from plans.rules.values import (
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


class AsIs:
    """A value whose normal form is itself."""

    def normal(self, value: Any, about: About) -> Any:
        return value


# ------------------------------------------------------------------ single values


@dataclass(frozen=True)
class Word(AsIs):
    """One of a few words."""

    allowed: tuple[str, ...]

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        look.word_value(value, path, self.allowed)

    def schema(self) -> Schema:
        return {"enum": list(self.allowed)}


@dataclass(frozen=True)
class Text(AsIs):
    most: int

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        look.text_value(value, path, self.most)

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1, "maxLength": self.most}


@dataclass(frozen=True)
class Slug(AsIs):
    """A key."""

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        look.slug_value(value, path)

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/key"}


@dataclass(frozen=True)
class Flag(AsIs):
    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        if not isinstance(value, bool):
            look.wrong(path, value, "true or false")

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
class Date(AsIs):
    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        if read_date(value) is None:
            look.wrong(path, value, "a date like 2026-11-30")

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/date"}


@dataclass(frozen=True)
class Currency(AsIs):
    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        if not isinstance(value, str) or value not in PLAN_CURRENCIES:
            look.wrong(path, value, "a known code of ISO 4217, like USD, EUR or JPY, or none for plain numbers")

    def schema(self) -> Schema:
        return {"type": "string", "pattern": "^([A-Z]{3}|none)$"}


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
class Field(AsIs):
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
class Anything(AsIs):
    """What another problem keeps from being judged, or what is judged elsewhere."""

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        pass

    def schema(self) -> Schema:
        return {}


@dataclass(frozen=True)
class Refused(AsIs):
    """What has no place here, for a reason that is told."""

    why: str

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        look.report(path, value, "nothing", f"{self.why} Found {shown(value)}; allowed: nothing.")

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
