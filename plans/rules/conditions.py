"""Conditions over deal fields: checked, and compiled to typed values."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Literal, cast

from comp.core.days import day_number
from comp.core.money import parse_money
from plans.rules.compiled import Condition, Group, Leaf
from plans.rules.fields import MISSING_OPS, OPS, PERSON_FIELDS, FieldType
from plans.rules.look import Look, join, listed, shown
from plans.rules.values import Document, money_text, number_text, read_date, read_money, read_number, written

Types = Mapping[str, FieldType]

JOINS = ("all", "any", "none")
MAX_DEPTH = 8
MAX_PARTS = 50
MAX_VALUES = 500
MAX_TEXT = 200


def check_condition(look: Look, condition: Any, path: str, types: Types, depth: int = 1) -> None:
    """Report all that is wrong with a condition."""
    if not isinstance(condition, dict):
        look.wrong(path, condition, "a table with all, any or none, or with field, op and value")
        return
    joins = [name for name in JOINS if name in condition]
    if not joins:
        _check_leaf(look, condition, path, types)
        return
    if len(condition) > 1:
        found = ", ".join(condition)
        look.report(
            path, found, "one of all, any and none alone", f"Found {found} together; write one, nest the others."
        )
        return
    if depth > MAX_DEPTH:
        look.report(path, f"{depth} levels", f"{MAX_DEPTH} levels", f"Conditions nest at most {MAX_DEPTH} levels deep.")
        return
    name = joins[0]
    rows = look.rows(condition, path, name, 0, MAX_PARTS, "conditions")
    for place, part in rows:
        check_condition(look, part, place, types, depth + 1)
    if name == "any" and condition[name] == []:
        look.warn(
            join(path, name), "an empty list", "at least one condition", "`any: []` is never true: no deal matches."
        )
    if name == "all":
        _check_contradiction(look, [row for _, row in rows], join(path, name))


def compile_condition(condition: Document, types: Types, currency: str) -> Condition:
    """The typed form of a condition that `check_condition` found no error in."""
    for name in JOINS:
        if name in condition:
            parts = tuple(compile_condition(part, types, currency) for part in condition[name])
            return Group(cast(Literal["all", "any", "none"], name), parts)
    field, op = condition["field"], condition["op"]
    kind = types[field]
    if op in MISSING_OPS:
        return Leaf(field, kind, op, None)
    value = condition["value"]
    if isinstance(value, list):
        return Leaf(field, kind, op, tuple(_typed(item, kind, currency) for item in value))
    return Leaf(field, kind, op, _typed(value, kind, currency))


def normal_condition(condition: Any, types: Types, currency: str | None) -> Any:
    """The condition in normal form: its values written as their fields have them."""
    if not isinstance(condition, dict):
        return condition
    normal = dict(condition)
    for name in JOINS:
        if isinstance(normal.get(name), list):
            normal[name] = [normal_condition(part, types, currency) for part in normal[name]]
    field = normal.get("field")
    kind = types.get(field) if isinstance(field, str) else None
    if "value" in normal and kind is not None:
        value = normal["value"]
        items = value if isinstance(value, list) else [value]
        texts = [_normal_value(item, kind, currency) for item in items]
        normal["value"] = texts if isinstance(value, list) else texts[0]
    return normal


def _normal_value(value: Any, kind: FieldType, currency: str | None) -> Any:
    if kind == "number":
        number = read_number(value)
        return value if number is None else number_text(number)
    if kind == "money":
        minor = read_money(value, currency) if currency is not None else None
        return value if minor is None or currency is None else money_text(minor, currency)
    if kind in ("text", "date") and not isinstance(value, str):
        return written(value) or value
    return value


def _typed(value: Any, kind: FieldType, currency: str) -> object:
    if kind == "money":
        return parse_money(value, currency)
    if kind == "number":
        return read_number(value)
    if kind == "date":
        day = read_date(value)
        return None if day is None else day_number(day)
    return cast(object, value)


def _check_leaf(look: Look, leaf: Document, path: str, types: Types) -> None:
    op = leaf.get("op")
    keys = ("field", "op") if op in MISSING_OPS else ("field", "op", "value")
    look.table(leaf, path, keys)
    name = leaf.get("field")
    if "field" not in leaf:
        return
    if not isinstance(name, str) or name not in types:
        near = get_close_matches(name, types, 1) if isinstance(name, str) else []
        hint = f" Did you mean {near[0]}?" if near else ""
        message = f"A fact has no field {shown(name)}.{hint} Fields of your own are custom.*, declared under `fields`."
        if isinstance(name, str) and name in PERSON_FIELDS:
            message = f"{name} is a field of the person: it may stand only in `eligible`, `dimensions` and modifiers."
        allowed = ", ".join(field for field in types if not field.startswith("deal."))
        look.report(join(path, "field"), name, allowed, message)
        return
    kind = types[name]
    if "op" not in leaf:
        return
    if op not in OPS[kind]:
        allowed = listed(OPS[kind])
        look.report(
            join(path, "op"),
            op,
            allowed,
            f"{name} is a {kind}; {shown(op)} is no comparison for it. Allowed: {allowed}.",
        )
    elif "value" in leaf and op not in MISSING_OPS:
        _check_value(look, leaf["value"], join(path, "value"), kind, str(op))


def _check_value(look: Look, value: Any, path: str, kind: FieldType, op: str) -> None:
    if op in ("in", "not_in"):
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_VALUES:
            look.wrong(path, value, f"a list of 1 to {MAX_VALUES} texts")
            return
        for place, item in enumerate(value):
            _check_scalar(look, item, join(path, place), kind)
    elif op == "between":
        if not isinstance(value, list) or len(value) != 2:
            look.wrong(path, value, f"a list of two: the lowest and the highest {kind}, both included")
            return
        ends = [_check_scalar(look, item, join(path, place), kind) for place, item in enumerate(value)]
        low, high = ends
        if low is not None and high is not None and low > high:
            look.report(
                path,
                value,
                "the lower end first",
                f"{value[0]} to {value[1]} holds nothing: write the lower end first.",
            )
    else:
        _check_scalar(look, value, path, kind)


def _check_scalar(look: Look, value: Any, path: str, kind: FieldType) -> Any:
    """The value where it has the form of its type, else None with the problem reported."""
    if kind == "money":
        return look.money_value(value, path, "any")
    good: Any
    if kind == "boolean":
        good, allowed = value if isinstance(value, bool) else None, "true or false"
    elif kind == "number":
        good, allowed = read_number(value), "a plain number with at most 6 decimals"
    elif kind == "date":
        good, allowed = read_date(value), "a date like 2026-11-30"
    else:
        good = value if isinstance(value, str) and 1 <= len(value) <= MAX_TEXT else None
        allowed = f"a text of 1 to {MAX_TEXT} characters (in quotes where it reads as true, false or null)"
    if good is None:
        look.wrong(path, value, allowed)
    return good


def _check_contradiction(look: Look, parts: list[Any], path: str) -> None:
    """Two different values asked of one field at once: no deal can match."""
    asked: dict[str, Any] = {}
    for part in parts:
        if not isinstance(part, dict) or part.get("op") != "is" or not isinstance(part.get("field"), str):
            continue
        field, value = part["field"], part.get("value")
        if field in asked and asked[field] != value:
            both = f"{shown(asked[field])} and {shown(value)}"
            message = f"{field} cannot be {both} at once: no deal matches. Use `any`, or `in`."
            look.warn(path, both, "one value", message)
        asked.setdefault(field, value)
