"""Computed fields of a plan document: typed, checked, compiled, read aloud. See docs/algorithms/computed-fields.md.

How the text of an expression is read: `plans.rules.syntax`. How columns of it are worked out:
`crediting.kernel.expressions`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from comp.core.days import day_date
from comp.core.money import PLAN_CURRENCIES, minor_digits
from plans.rules.compiled import RoundMode
from plans.rules.fields import FIELD_TYPES, FieldType
from plans.rules.look import Look, join, listed, shown
from plans.rules.phrases import both, money, named
from plans.rules.syntax import (
    MAX_LENGTH,
    Arithmetic,
    Call,
    Comparison,
    Day,
    Expression,
    ExpressionError,
    Field,
    Flag,
    Logic,
    Money,
    Negative,
    Not,
    Number,
    Word,
    fields_named,
    parse_expression,
    walk,
)
from plans.rules.values import Document, number_text, read_whole

__all__ = [
    "COMPUTED_FIELD",
    "Computed",
    "Expression",
    "ExpressionError",
    "check_computed",
    "compile_computed",
    "computed_types",
    "expression_type",
    "fields_named",
    "parse_expression",
    "words",
]

COMPUTED_FIELD = re.compile(r"computed\.[a-z][a-z0-9_]{0,62}")
MAX_COMPUTED = 50
MAX_DECIMALS = 6

Types = Mapping[str, FieldType]


@dataclass(frozen=True, slots=True)
class Computed:
    """One computed field. `decimals` is None for all but numbers, `mode` where nothing is rounded; `reads` are the
    fields that the expression names, with their types."""

    name: str
    type: FieldType
    decimals: int | None
    mode: RoundMode | None
    expression: Expression
    reads: tuple[tuple[str, FieldType], ...]


# ------------------------------------------------------------------ types

#: What each sign makes of the types left and right of it.
_RESULTS: Mapping[str, Mapping[tuple[FieldType, FieldType], FieldType]] = {
    "+": {("money", "money"): "money", ("number", "number"): "number"},
    "-": {("money", "money"): "money", ("number", "number"): "number"},
    "*": {("money", "number"): "money", ("number", "money"): "money", ("number", "number"): "number"},
    "/": {("money", "money"): "number", ("money", "number"): "money", ("number", "number"): "number"},
}
_EQUALITY = ("==", "!=")
_ORDERED: tuple[FieldType, ...] = ("money", "number", "date")
_AMOUNTS: tuple[FieldType, ...] = ("money", "number")


def expression_type(expression: Expression, types: Types) -> FieldType:
    """The type of what an expression gives. Raises `ExpressionError` for an unknown field and types that do not fit."""
    match expression:
        case Field(name):
            if name not in types:
                raise _unknown(name, types)
            return types[name]
        case Number():
            return "number"
        case Money():
            return "money"
        case Day():
            return "date"
        case Word():
            return "text"
        case Flag():
            return "boolean"
        case Negative(part):
            return _one_of(_AMOUNTS, expression_type(part, types), expression, "the negative of")
        case Arithmetic():
            return _arithmetic_type(expression, types)
        case Comparison():
            return _comparison_type(expression, types)
        case Logic(joined, parts):
            for part in parts:
                _one_of(("boolean",), expression_type(part, types), expression, f"`{joined}` of")
            return "boolean"
        case Not(part):
            return _one_of(("boolean",), expression_type(part, types), expression, "`not` of")
        case Call():
            return _call_type(expression, types)


def _arithmetic_type(node: Arithmetic, types: Types) -> FieldType:
    left, right = expression_type(node.left, types), expression_type(node.right, types)
    results = _RESULTS[node.sign]
    if (left, right) not in results:
        allowed = listed(f"{one} {node.sign} {other}" for one, other in results)
        hint = ""
        if left == right == "date" and node.sign == "-":
            hint = " Write days(from, to)."
        raise _misfit(node, f"{left} {node.sign} {right}", allowed, hint or _money_hint(left, right))
    if node.sign == "/" and isinstance(node.right, Number | Money) and node.right.value == 0:
        raise _misfit(node, "a division by 0", "anything but 0 below the line", " It would always be missing.")
    return results[left, right]


def _comparison_type(node: Comparison, types: Types) -> FieldType:
    left, right = expression_type(node.left, types), expression_type(node.right, types)
    if left != right:
        raise _misfit(
            node,
            f"{left} {node.relation} {right}",
            "two values of one type",
            _money_hint(left, right) or _day_hint(node),
        )
    if node.relation not in _EQUALITY and left not in _ORDERED:
        raise _misfit(
            node, f"{left} {node.relation} {right}", f"== or != between {left}s, an order only of {listed(_ORDERED)}"
        )
    return "boolean"


def _call_type(node: Call, types: Types) -> FieldType:
    found = [expression_type(part, types) for part in node.parts]
    head = f"{node.function} of"
    match node.function:
        case "min" | "max":
            return _one_of(_ORDERED, _same(found, node), node, head)
        case "abs":
            return _one_of(_AMOUNTS, found[0], node, head)
        case "days" | "months":
            for kind in found:
                _one_of(("date",), kind, node, head)
            return "number"
        case "if_missing":
            return _same(found, node)
        case "when":
            _one_of(("boolean",), found[0], node, "a `when` on")
            return _same(found[1:], node)


def _same(found: Sequence[FieldType], node: Call) -> FieldType:
    for other in found[1:]:
        if other != found[0]:
            seen = f"{found[0]} and {other} in {node.function}(...)"
            raise _misfit(node, seen, "values of one type", _money_hint(found[0], other))
    return found[0]


def _one_of(allowed: Sequence[FieldType], found: FieldType, node: Expression, what: str) -> FieldType:
    if found not in allowed:
        raise _misfit(node, f"{what} {found}", listed(allowed))
    return found


def _misfit(node: Expression, found: str, allowed: str, hint: str = "") -> ExpressionError:
    return ExpressionError(f"{_quoted(node)} is {found}; allowed: {allowed}.{hint}", found, allowed)


def _quoted(node: Expression) -> str:
    return f'"{shown(words(node))}"'


def _money_hint(left: FieldType, right: FieldType) -> str:
    return " Write an amount as money(12.50)." if {left, right} == {"money", "number"} else ""


def _day_hint(node: Comparison) -> str:
    dated = isinstance(node.left, Day) or isinstance(node.right, Day)
    return " A quoted text in the form of a date is a date." if dated else ""


def _unknown(name: str, types: Types) -> ExpressionError:
    near = get_close_matches(name, types, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    own = " Fields of your own are custom.*, declared under `fields`, and computed.*."
    return ExpressionError(f"There is no field {shown(name)}.{hint or own}", name, ", ".join(types))


# ------------------------------------------------------------------ words

_SPOKEN = {"+": "plus", "-": "less", "*": "times", "/": "divided by"}
_COMPARED = {
    "<": "is below",
    "<=": "is at most",
    ">": "is above",
    ">=": "is at least",
    "==": "is",
    "!=": "is not",
}


def words(expression: Expression, currency: str | None = None) -> str:
    """An expression read aloud: `amount less cost, divided by amount`. Money is shown in the currency, where given."""
    match expression:
        case Field(name):
            return named(name.removeprefix("computed."))
        case Number(value):
            return number_text(value)
        case Money(value):
            minor = value * 10 ** minor_digits(currency) if currency else value
            return money(int(minor), currency) if currency and minor.denominator == 1 else number_text(value)
        case Day(number):
            return day_date(number).isoformat()
        case Word(text):
            return text
        case Flag(value):
            return "true" if value else "false"
        case Negative(part):
            return f"minus {_part(part, currency)}"
        case Arithmetic(sign, left, right):
            first = words(left, currency) if _leads(left, sign) else _part(left, currency)
            pause = "," if isinstance(left, Arithmetic) and _is_sum(left) and not _is_sum(expression) else ""
            return f"{first}{pause} {_SPOKEN[sign]} {_part(right, currency)}"
        case Comparison(relation, left, right):
            return f"{_side(left, currency)} {_COMPARED[relation]} {_side(right, currency)}"
        case Logic(joined, parts):
            return f" {joined} ".join(_part(part, currency) for part in parts)
        case Not(part):
            return f"not {_part(part, currency)}"
        case Call(function, parts):
            return _call_words(function, [_part(part, currency) for part in parts])


def _call_words(function: str, parts: list[str]) -> str:
    match function:
        case "min" | "max":
            word = {"min": "small", "max": "larg"}[function] + ("er" if len(parts) == 2 else "est")
            return f"the {word} of {both(parts)}"
        case "abs":
            return f"{parts[0]} without its sign"
        case "days":
            return f"the days from {parts[0]} to {parts[1]}"
        case "months":
            return f"the whole months from {parts[0]} to {parts[1]}"
        case "if_missing":
            return f"{parts[0]}, or {parts[1]} where it is missing"
        case _:
            return f"{parts[1]} where {parts[0]}, else {parts[2]}"


def _part(expression: Expression, currency: str | None) -> str:
    text = words(expression, currency)
    return text if isinstance(expression, Field | Number | Money | Day | Word | Flag) else f"({text})"


def _side(expression: Expression, currency: str | None) -> str:
    plain = isinstance(expression, Arithmetic | Call)
    return words(expression, currency) if plain else _part(expression, currency)


def _is_sum(node: Arithmetic) -> bool:
    return node.sign in ("+", "-")


def _leads(left: Expression, sign: str) -> bool:
    """Whether the left side of a sign is heard rightly without parentheses: a chain of like signs, or a plain sum that
    a comma sets apart."""
    if not isinstance(left, Arithmetic):
        return False
    if _is_sum(left) == (sign in ("+", "-")):
        return True
    return _is_sum(left) and not isinstance(left.left, Arithmetic) and not isinstance(left.right, Arithmetic)


# ------------------------------------------------------------------ the document


def computed_types(document: Mapping[str, Any]) -> dict[str, FieldType]:
    """The computed fields of a document with their types. Those that are not well-formed are left out."""
    computed = document.get("computed")
    rows = computed.items() if isinstance(computed, dict) else ()
    return {
        name: row["type"]
        for name, row in rows
        if isinstance(name, str)
        and COMPUTED_FIELD.fullmatch(name)
        and isinstance(row, dict)
        and row.get("type") in FIELD_TYPES
    }


def check_computed(look: Look, document: Document, types: Types) -> dict[str, FieldType]:
    """Report all that is wrong with the computed fields of a document; return them with their types. `types` are all
    other fields that it may name."""
    computed = document.get("computed", {})
    if not isinstance(computed, dict) or len(computed) > MAX_COMPUTED:
        look.wrong("computed", computed, f"a table of at most {MAX_COMPUTED} computed fields, each with its type")
        return {}
    own = computed_types(document)
    needs: dict[str, tuple[str, ...]] = {}
    for name, row in computed.items():
        path = join("computed", str(name))
        if not isinstance(name, str) or not COMPUTED_FIELD.fullmatch(name):
            allowed = "computed. and small letters, digits and underscores, like computed.margin"
            look.report(path, str(name), allowed, f"{shown(name)} is no name for a computed field; allowed: {allowed}.")
        expression = _check_row(look, row, path, {**types, **own}, computed)
        if expression is not None:
            needs[name] = tuple(field for field in fields_named(expression) if field in computed)
    for circle in _in_order(needs)[1]:
        needed = ", which needs ".join(circle[1:])
        message = f"{circle[0]} needs {needed}: nothing can be worked out from itself."
        look.report(join("computed", circle[0]), needed, "fields that do not need themselves", message)
    return own


def _check_row(look: Look, row: Any, path: str, types: Types, computed: Document) -> Expression | None:
    kind = row.get("type") if isinstance(row, dict) else None
    expression = _check_text(look, row, path) if isinstance(row, dict) else None
    required, optional = _keys(kind, expression)
    table = look.table(row, path, required, optional)
    look.word(table, path, "type", FIELD_TYPES)
    look.whole(table, path, "decimals", 0, MAX_DECIMALS)
    look.word(table, path, "mode", ("half-even", "half-up"))
    if expression is None:
        return None
    place = join(path, "is")
    unknown = [name for name in fields_named(expression) if name not in types]
    for name in unknown:
        if name not in computed:  # one without a good type is told where it stands
            _report(look, place, _unknown(name, types))
    _check_money(look, place, expression)
    if not unknown:
        try:
            found = expression_type(expression, types)
            if kind in FIELD_TYPES and found != kind:
                message = f"{_quoted(expression)} gives a {found}; `type` says {kind}."
                look.report(place, found, f"an expression that gives a {kind}", message)
        except ExpressionError as error:
            _report(look, place, error)
    return expression


def _check_text(look: Look, row: Document, path: str) -> Expression | None:
    text = look.text(row, path, "is", MAX_LENGTH)
    if text is None:
        return None
    try:
        return parse_expression(text)
    except ExpressionError as error:
        _report(look, join(path, "is"), error)
        return None


def _keys(kind: Any, expression: Expression | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys that a computed field needs, and those that it may have."""
    if kind == "number":
        return ("type", "decimals", "mode", "is"), ()
    if kind == "money":
        # Where nothing is rounded a mode is not needed, and does no harm.
        rounds = expression is not None and _makes_parts(expression)
        return (("type", "mode", "is"), ()) if rounds else (("type", "is"), ("mode",))
    return ("type", "is"), () if kind in FIELD_TYPES else ("decimals", "mode")


def _makes_parts(expression: Expression) -> bool:
    """Whether anything in it can come to less than a minor unit."""
    return any(isinstance(part, Arithmetic) and not _is_sum(part) for part in walk(expression))


def _check_money(look: Look, path: str, expression: Expression) -> None:
    """Amounts have no more decimals than the currency."""
    if look.currency not in PLAN_CURRENCIES:
        return
    digits = minor_digits(look.currency)
    for part in walk(expression):
        if isinstance(part, Money) and (part.value * 10**digits).denominator != 1:
            written = f"money({number_text(part.value)})"
            allowed = f"an amount{look.in_currency} with at most {digits} decimals"
            look.report(path, written, allowed, f"Found {written}; allowed: {allowed}.")


def _report(look: Look, path: str, error: ExpressionError) -> None:
    look.report(path, error.found, error.allowed, str(error))


def compile_computed(document: Document, types: Types) -> tuple[Computed, ...]:
    """The computed fields of a document in which `check_computed` found no error, each after those it needs, else by
    name: the order of the text does not matter, for it is not kept where documents are stored."""
    types = {**types, **computed_types(document)}
    rows: dict[str, Document] = document.get("computed") or {}
    expressions = {name: parse_expression(rows[name]["is"]) for name in sorted(rows)}
    order, _ = _in_order({name: fields_named(expression) for name, expression in expressions.items()})
    return tuple(
        Computed(
            name=name,
            type=rows[name]["type"],
            decimals=read_whole(rows[name]["decimals"]) if "decimals" in rows[name] else None,
            mode=rows[name].get("mode"),
            expression=expressions[name],
            reads=tuple((field, types[field]) for field in fields_named(expressions[name])),
        )
        for name in order
    )


def _in_order(needs: Mapping[str, Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """The names, each after those it needs, and the circles among them, each from a name back to itself."""
    order: list[str] = []
    circles: list[list[str]] = []
    way: list[str] = []

    def visit(name: str) -> None:
        if name in way:
            circles.append([*way[way.index(name) :], name])
        elif name not in order:
            way.append(name)
            for other in needs[name]:
                if other in needs:
                    visit(other)
            order.append(way.pop())

    for name in needs:
        visit(name)
    return order, circles
