"""The expressions of computed fields: what they are made of, and how their text is read.

Python's own parser settles precedence and parentheses, and nothing else: before it sees a text, every name, number and
quoted text has become a placeholder, and only the signs of `_SIGNS` and the words of `_JOINS` are left as they are. No
attribute, literal or keyword of Python can reach it, and nothing is ever evaluated by Python.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from itertools import pairwise
from typing import Literal, cast, get_args

from comp.core.days import DayError, day_number, parse_day
from comp.core.errors import CompError

MAX_LENGTH = 500
MAX_DEPTH = 20
MAX_TEXT = 200

Sign = Literal["+", "-", "*", "/"]
Relation = Literal["<", "<=", ">", ">=", "==", "!="]
Function = Literal["min", "max", "abs", "days", "months", "if_missing", "when"]


@dataclass(frozen=True, slots=True)
class Field:
    name: str


@dataclass(frozen=True, slots=True)
class Number:
    value: Fraction


@dataclass(frozen=True, slots=True)
class Money:
    value: Fraction  # in whole units of the plan's currency: 12.50 is 25/2


@dataclass(frozen=True, slots=True)
class Day:
    number: int  # from 1970-01-01


@dataclass(frozen=True, slots=True)
class Word:
    text: str


@dataclass(frozen=True, slots=True)
class Flag:
    value: bool


@dataclass(frozen=True, slots=True)
class Negative:
    part: Expression


@dataclass(frozen=True, slots=True)
class Arithmetic:
    sign: Sign
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Comparison:
    relation: Relation
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Logic:
    join: Literal["and", "or"]
    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Expression


@dataclass(frozen=True, slots=True)
class Call:
    function: Function
    parts: tuple[Expression, ...]


Expression = (
    Field | Number | Money | Day | Word | Flag | Negative | Arithmetic | Comparison | Logic | Not | Call
)  # fmt: skip


class ExpressionError(CompError):
    """An expression cannot be read, or its parts do not fit together. `position` counts characters from 1."""

    def __init__(self, message: str, found: str, allowed: str, position: int | None = None) -> None:
        self.found, self.allowed, self.position = found, allowed, position
        super().__init__(message if position is None else f"{message} (character {position})")


#: How many values each function takes.
_TAKES: Mapping[Function, tuple[int, int]] = {
    "min": (2, 20),
    "max": (2, 20),
    "abs": (1, 1),
    "days": (2, 2),
    "months": (2, 2),
    "if_missing": (2, 2),
    "when": (3, 3),
}
FUNCTIONS: tuple[str, ...] = (*get_args(Function), "money")
_JOINS = ("and", "or", "not")
_KNOWN = (*FUNCTIONS, *_JOINS, "true", "false")

_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<name>[^\W\d]\w*(?:\.\w+)*)"
    r"|(?P<number>[0-9][\w.]*)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<sign><=|>=|==|!=|\*\*|//|:=|&&|\|\||.)",
    re.DOTALL,
)
_NAME = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*")
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,6})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SIGNS = ("+", "-", "*", "/", "(", ")", ",", "<", "<=", ">", ">=", "==", "!=")
#: What people write instead, and what to write here.
_INSTEAD = {
    "**": "Write the product out: a * a.",
    "//": "Write /; `decimals` and `mode` say how the result is rounded.",
    "%": "Write a share as a decimal: 0.15.",
    "=": "Write ==.",
    ":=": "Write ==.",
    "&": "Write and.",
    "&&": "Write and.",
    "|": "Write or.",
    "||": "Write or.",
    "!": "Write not.",
    "\N{MINUS SIGN}": "Write -.",
    "\N{EN DASH}": "Write -.",
    "\N{MULTIPLICATION SIGN}": "Write *.",
    "\N{DIVISION SIGN}": "Write /.",
    "\N{LESS-THAN OR EQUAL TO}": "Write <=.",
    "\N{GREATER-THAN OR EQUAL TO}": "Write >=.",
    "\N{NOT EQUAL TO}": "Write !=.",
    "'": "The quoted text does not end.",
    '"': "The quoted text does not end.",
    "if": "Write when(condition, a, b).",
    "is": "Write ==.",
}
_PLACES = f"names, numbers, quoted texts and {' '.join(_SIGNS)}"
_BETWEEN = "one of + - * / < <= > >= == != and or"

_ARITHMETIC: Mapping[type[ast.operator], Sign] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_RELATIONS: Mapping[type[ast.cmpop], Relation] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


def parse_expression(text: str) -> Expression:
    """The expression that a text says. Raises `ExpressionError`. What its names mean is for `expression_type`."""
    text = text.strip()
    if not 1 <= len(text) <= MAX_LENGTH:
        allowed = f"1 to {MAX_LENGTH} characters"
        raise ExpressionError(f"An expression has {allowed}, not {len(text):,}.", f"{len(text):,} characters", allowed)
    tokens = [_allowed(token) for token in _TOKEN.finditer(text) if token.lastgroup != "space"]
    _check_apart(tokens)
    _check_nesting(tokens)
    source = [" "] * len(text)
    for token in tokens:
        kept = token.lastgroup == "sign" or token[0] in _JOINS
        source[token.start() : token.end()] = token[0] if kept else "x" * len(token[0])
    try:
        tree = ast.parse("".join(source), mode="eval")
    except SyntaxError:
        raise _disorder(tokens) from None
    return _Reader({token.start(): token for token in tokens}).read(tree.body)


def parts_of(expression: Expression) -> tuple[Expression, ...]:
    """The expressions that an expression is made of, in order."""
    match expression:
        case Arithmetic(_, left, right) | Comparison(_, left, right):
            return (left, right)
        case Negative(part) | Not(part):
            return (part,)
        case Logic(_, parts) | Call(_, parts):
            return parts
        case _:
            return ()


def walk(expression: Expression) -> Iterator[Expression]:
    """The expression and all that it is made of, in the order of its text."""
    yield expression
    for part in parts_of(expression):
        yield from walk(part)


def fields_named(expression: Expression) -> tuple[str, ...]:
    """The fields that an expression names, each once, in the order of its text."""
    return tuple(dict.fromkeys(part.name for part in walk(expression) if isinstance(part, Field)))


class _Reader:
    """Turns Python's tree, whose names are all placeholders, into an expression."""

    def __init__(self, tokens: Mapping[int, re.Match[str]]) -> None:
        self._tokens = tokens

    def read(self, node: ast.expr, depth: int = 1) -> Expression:
        if depth > MAX_DEPTH:
            raise _too_deep(node.col_offset)
        match node:
            case ast.Name():
                return _operand(self._tokens[node.col_offset])
            case ast.BinOp(left, operator, right):
                sign = _ARITHMETIC[type(operator)]
                return Arithmetic(sign, self.read(left, depth + 1), self.read(right, depth + 1))
            case ast.UnaryOp(ast.USub(), part):
                return Negative(self.read(part, depth + 1))
            case ast.UnaryOp(ast.Not(), part):
                return Not(self.read(part, depth + 1))
            case ast.BoolOp(operator, values):
                join: Literal["and", "or"] = "and" if isinstance(operator, ast.And) else "or"
                return Logic(join, tuple(self.read(value, depth + 1) for value in values))
            case ast.Compare(left, [operator], [right]):
                relation = _RELATIONS[type(operator)]
                return Comparison(relation, self.read(left, depth + 1), self.read(right, depth + 1))
            case ast.Compare():
                message = "One comparison holds two values; join several with `and`: a < b and b < c"
                raise ExpressionError(message, "a chain", "a < b and b < c", node.col_offset + 1)
            case ast.Call(ast.Name(), parts, []) if node.func.col_offset == node.col_offset:
                return self._call(self._tokens[node.col_offset], parts, depth)
            case ast.Tuple() if node.elts:
                message = "A comma stands only between the values of a function, like min(a, b)"
                raise ExpressionError(message, ",", "a function's values", node.col_offset + 1)
        token = self._tokens[node.col_offset]
        raise _refused(token, f"`{token[0]}` has no place here")

    def _call(self, token: re.Match[str], parts: list[ast.expr], depth: int) -> Expression:
        name = token[0]
        if name not in FUNCTIONS:
            near = get_close_matches(name, FUNCTIONS, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            known = ", ".join(FUNCTIONS)
            raise ExpressionError(
                f"There is no function `{name}`; known are {known}.{hint}", name, known, _place(token)
            )
        if name == "money":
            value = self.read(parts[0], depth + 1) if len(parts) == 1 else None
            if not isinstance(value, Number):
                raise _refused(token, "money(...) takes one plain number", "money(12.50)")
            return Money(value.value)
        function = cast(Function, name)
        least, most = _TAKES[function]
        if not least <= len(parts) <= most:
            takes = str(least) if least == most else f"{least} to {most}"
            raise _refused(token, f"Values in {name}(...): {len(parts)}", takes)
        return Call(function, tuple(self.read(part, depth + 1) for part in parts))


def _operand(token: re.Match[str]) -> Expression:
    text = token[0]
    if token.lastgroup == "number":
        return Number(Fraction(text))
    if token.lastgroup == "text":
        text = text[1:-1]
        # What has the form of a date is one, so that no date is ever compared letter by letter.
        return Day(day_number(parse_day(text))) if _DATE.fullmatch(text) else Word(text)
    if text in ("true", "false"):
        return Flag(text == "true")
    if text in FUNCTIONS:
        raise _refused(token, f"Found the function `{text}` without its values", f"{text}(...)")
    return Field(text)


def _allowed(token: re.Match[str]) -> re.Match[str]:
    """The token where it may stand in an expression at all."""
    text, kind = token[0], token.lastgroup
    if kind == "name" and not _NAME.fullmatch(text):
        near = get_close_matches(text.lower(), _KNOWN, 1, 0.8)
        allowed = "words of small letters, digits and underscores, each with a letter first, joined by dots"
        raise _refused(
            token, f"`{_short(text)}` is no name of a field", allowed, f"Did you mean {near[0]}?" if near else ""
        )
    if kind == "number" and not _NUMBER.fullmatch(text):
        allowed = "a plain decimal with at most 15 digits and 6 decimals, like 1250.5"
        raise _refused(token, f"`{_short(text)}` is no number", allowed)
    if kind == "text":
        _check_text(token)
    if kind == "sign" and text not in _SIGNS:
        raise _refused(token, f"`{text}` has no place in an expression", _PLACES, _INSTEAD.get(text, ""))
    return token


def _check_text(token: re.Match[str]) -> None:
    text = token[0][1:-1]
    if not 1 <= len(text) <= MAX_TEXT or "\\" in text or not text.isprintable():
        allowed = f"1 to {MAX_TEXT} characters without a backslash"
        raise _refused(token, f"{_short(token[0])} is no text to compare with", allowed)
    if _DATE.fullmatch(text):
        try:
            parse_day(text)
        except DayError as error:
            raise _refused(token, str(error).rstrip("."), "a date like '2026-11-30'") from None


def _check_apart(tokens: list[re.Match[str]]) -> None:
    """The placeholders of two tokens that touch would become one."""
    for before, token in pairwise(tokens):
        if before.end() == token.start() and "sign" not in (before.lastgroup, token.lastgroup):
            message = f"Found {_short(token[0])} right after {_short(before[0])}"
            raise _refused(token, message, "a space or a sign between them")


def _check_nesting(tokens: list[re.Match[str]]) -> None:
    """Before Python's parser sees it: a text that is not read does not cost its stack either."""
    depth = 0
    for token in tokens:
        depth += (token[0] == "(") - (token[0] == ")")
        if depth > MAX_DEPTH:
            raise _too_deep(token.start())


def _disorder(tokens: list[re.Match[str]]) -> ExpressionError:
    """Why the tokens are no expression: values and signs take turns, and each parenthesis has its other."""
    opened: list[re.Match[str]] = []
    before = None
    value_next = True
    for token in tokens:
        text, word = token[0], token.lastgroup != "sign" and token[0] not in _JOINS
        after = f"after `{_short(before[0])}`" if before else "at the start"
        if text == "(" and (value_next or (before and before.lastgroup == "name")):
            opened.append(token)
            value_next = True
        elif text == ")" and not opened:
            return _refused(token, "This parenthesis closes nothing", "one ( for each )")
        elif text == ")" and (not value_next or before is opened[-1]):
            opened.pop()
            value_next = False
        elif value_next and (word or text in ("-", "not")):
            value_next = not word
        elif value_next:
            return _refused(token, f"Found `{text}` where a value is expected, {after}", "a name, a number or (")
        elif word or text in ("(", "not"):
            return _refused(
                token, f"Found `{_short(text)}` where a sign is expected, {after}", _BETWEEN, _INSTEAD.get(text, "")
            )
        else:
            value_next = True
        before = token
    if value_next:
        return _refused(tokens[-1], f"Nothing follows `{tokens[-1][0]}`", "a name, a number or (")
    if opened:
        return _refused(opened[-1], "This parenthesis is not closed", "one ) for each (")
    return _refused(tokens[0], "This cannot be read; put each `not` into parentheses", "a + (b - c), a and (not b)")


def _refused(token: re.Match[str], message: str, allowed: str = _PLACES, hint: str = "") -> ExpressionError:
    said = f"{message}; allowed: {allowed}.{' ' if hint else ''}{hint}"
    return ExpressionError(said, _short(token[0]), allowed, _place(token))


def _too_deep(offset: int) -> ExpressionError:
    allowed = f"{MAX_DEPTH} steps"
    message = f"An expression is at most {MAX_DEPTH} steps deep; divide it into several computed fields"
    return ExpressionError(message, f"more than {allowed}", allowed, offset + 1)


def _place(token: re.Match[str]) -> int:
    return token.start() + 1


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
