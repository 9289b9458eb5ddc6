"""The form of what turns a measure into money: tiers, tables, curves, what shapes a line. See plans.rules.forms."""

from __future__ import annotations

from typing import Any

from plans.rules.about import About
from plans.rules.compiled import Unit
from plans.rules.forms import (
    Anything,
    Date,
    Factor,
    Field,
    FieldText,
    Flag,
    Form,
    Money,
    Number,
    Percent,
    Slug,
    When,
    Word,
    table_of,
)
from plans.rules.shapes import By, Cells, ComponentName, Either, Opt, Rows, Table

MAX_TIERS = 50
MAX_POINTS = 50
MAX_ROWS = 100
MAX_LISTED = 50
MAX_DIMENSIONS = 5

BOUNDARY = Word(("above", "below"))
READABLE = ("attainment", "measure", "result", "earning_before_cap", "earning", "released")
READ = Table({"component": ComponentName(), "value": Word(READABLE)})
AFTER_POSTING = Word(("keep", "redivide"))
UNITS: tuple[Unit, ...] = ("money", "units", "share", "number", "days")


def in_unit(unit: Unit | None, sign: Any = "zero") -> Form:
    """A value of a measure."""
    if unit == "share":
        return Percent(zero=sign != "positive")
    if unit in ("units", "number", "days"):
        return Number(sign)
    return Money(sign) if unit == "money" else Either(Money(sign))


def in_read_unit(read: Any, about: About) -> Form:
    """A value of what a read gives."""
    unit = about.read_unit(read)
    if unit is None and table_of(read).get("value") == "result":
        return Either(Number("any"))
    return in_unit(unit, "any")


# ------------------------------------------------------------------ tiers and tables


def tiers(value: Any, about: About) -> Table:
    table = table_of(value)
    mode, axis, pays = table.get("mode"), table.get("axis", "attainment"), table.get("pays", "rate")
    unit: Unit = "money" if axis == "amount" else "units" if axis == "units" else "share"
    name, rate = _rate(pays)
    row: dict[str, Form] = {"from": in_unit(unit)}
    columns = table.get("columns")
    if columns is not None:
        starts = table_of(columns).get("from")
        count = len(starts) if isinstance(starts, list) else 0
        row["rates"] = Rows(rate, max(count, 1), count or MAX_TIERS, "rates, one a column")
    else:
        row[name] = rate
    if mode == "mixed":
        row["back"] = Word(("none", "tier", "all"))
    keys: dict[str, Form] = {"mode": Word(("marginal", "retroactive", "mixed", "each"))}
    if mode == "retroactive":
        keys["attribution"] = Word(("running", "proportional"))
    elif mode not in ("marginal", "mixed", "each"):
        keys["attribution"] = Opt(Anything())
    keys |= {
        "axis": Opt(Word(("attainment", "amount", "units"))),
        "pays": Opt(Word(("rate", "times", "per_unit"))),
        "boundary": BOUNDARY,
        "full_points": Opt(in_unit(unit, "positive")),
        "columns": Opt(By(matrix_columns, ({},))),
        "rates": Rows(Table(row), 1, MAX_TIERS, "tiers"),
    }
    return Table(keys)


_COLUMNS: tuple[dict[str, Any], ...] = ({}, {"columns": {}})
#: Tiers in small, of every kind.
TIERS = tuple(
    {"mode": mode, "axis": axis, "pays": pays, **columns}
    for mode in ("marginal", "retroactive", "mixed", "each")
    for axis in ("attainment", "amount", "units")
    for pays in ("rate", "times", "per_unit")
    for columns in _COLUMNS
)


def _rate(pays: Any) -> tuple[str, Form]:
    if pays == "times":
        return "times", Factor()
    return ("per_unit", Money("zero")) if pays == "per_unit" else ("rate", Percent())


def matrix_columns(value: Any, about: About) -> Table:
    start = in_read_unit(table_of(value).get("reads"), about)
    return Table({"reads": READ, "boundary": BOUNDARY, "from": Rows(start, 1, MAX_TIERS, "columns")})


def table(value: Any, about: About) -> Table:
    row = table_of(value)
    cell: Form = Money("zero") if row.get("pays") == "amount" else Percent()
    return Table({"pays": Word(("rate", "amount")), **_dimensions(row, about, cell)})


def _dimensions(row: dict[str, Any], about: About, cell: Form) -> dict[str, Form]:
    dimensions = row.get("dimensions")
    sizes = [_size(each) for each in dimensions] if isinstance(dimensions, list) else []
    cells: Form = Cells(cell, tuple(sizes)) if sizes and all(sizes) else Anything()
    each = By(dimension, _FIELDS)
    return {"dimensions": Rows(each, 1, MAX_DIMENSIONS, "dimensions"), "cells": cells}


_FIELDS = ({"field": "amount"}, {"field": "quantity"}, {"field": "product"}, {"field": "close_date"})


def _size(value: Any) -> int:
    row = table_of(value)
    starts, values = row.get("from"), row.get("values")
    if isinstance(starts, list):
        return len(starts)
    return len(values) + (row.get("else") is True) if isinstance(values, list) else 0


def dimension(value: Any, about: About) -> Table:
    name = table_of(value).get("field")
    kind = about.person_types.get(name) if isinstance(name, str) else None
    field = Field(("text", "number", "money", "date"), person=True)
    values = Rows(FieldText(), 1, MAX_ROWS, "texts")
    if kind == "text":
        return Table({"field": field, "values": values, "else": Flag()})
    bound: Form = Money("zero") if kind == "money" else Number("any") if kind == "number" else Date()
    starts = Rows(bound, 1, MAX_ROWS, "bounds")
    if kind is not None and kind != "boolean":
        return Table({"field": field, "from": starts, "boundary": BOUNDARY})
    optional = {"from": Opt(starts), "boundary": Opt(BOUNDARY), "values": Opt(values), "else": Opt(Flag())}
    return Table({"field": field, **optional})


# ------------------------------------------------------------------ curves


def curve(value: Any, unit: Unit | None, kind: Any) -> Table:
    row = table_of(value)
    mode, pays = row.get("mode"), row.get("pays")
    by_value = row.get("axis") == "value"
    paid: Form = Number("zero") if pays == "number" else Percent()
    if pays == "amount":
        paid = Money("zero")
    keys: dict[str, Form] = {
        "pays": Word(("share", "number", "amount") if kind == "result" else ("share", "amount")),
        "axis": Word(("attainment", "value")),
        "mode": Word(("steps", "interpolated", "by_width")),
        "boundary": BOUNDARY,
    }
    if mode != "by_width":
        keys["below"] = Word(("zero", "first"))
    if mode == "interpolated":
        keys["beyond"] = Word(("last", "extend"))
    keys["full_points"] = Opt(in_unit(unit, "positive") if by_value else Percent(zero=False))
    at = in_unit(unit) if by_value else Percent()
    keys["points"] = Rows(Table({"at": at, "pays": paid}), 1, MAX_POINTS, "points")
    return Table(keys)


# ------------------------------------------------------------------ what shapes a line


def modifier(value: Any, about: About) -> Table:
    row = table_of(value)
    keys: dict[str, Form] = {"key": Slug()}
    if "table" in row:
        keys["table"] = By(_factors, ({"dimensions": [{"field": "amount", "from": [""]}]},))
    elif "reads" in row:
        keys |= {"reads": READ, "mode": Word(("steps", "interpolated")), "boundary": BOUNDARY}
        keys["below"] = Word(("first", "one"))
        if row.get("mode") != "steps":
            keys["beyond"] = Word(("last", "extend"))
        point = Table({"at": in_read_unit(row["reads"], about), "times": Factor()})
        keys["points"] = Rows(point, 1, MAX_POINTS, "points")
    else:
        keys |= {"when": When(person=True), "times": Factor()}
    return Table(keys)


def _factors(value: Any, about: About) -> Table:
    return Table(_dimensions(table_of(value), about, Factor()))


MODIFIERS = Table(
    {
        "combine": Word(("multiply", "add")),
        "each": Rows(By(modifier, ({}, {"table": {}}, {"reads": {}})), 1, MAX_LISTED, "modifiers"),
    }
)


def kicker(value: Any, about: About) -> Table:
    pays: dict[str, Form] = {"rate": Percent(zero=False)}
    if "amount" in table_of(value) and "rate" not in table_of(value):
        pays = {"amount": Money()}
    return Table({"key": Slug(), "when": When(), **pays})


def limits(value: Any, about: About) -> Table:
    """One or both."""
    attainment: Form = Percent(zero=False)
    rate: Form = Percent(zero=False)
    row = table_of(value)
    return Table(
        {
            "attainment": Opt(attainment) if row.get("rate") is not None else attainment,
            "rate": Opt(rate) if row.get("attainment") is not None or "rate" not in row else rate,
        }
    )


_OF_COMPONENT: dict[str, Form] = {
    "component": ComponentName(),
    "share": Percent(zero=False),
    "value": Opt(Word(("earning", "measure"))),
}


def cap(value: Any, about: About) -> Table:
    """One of `caps`."""
    row = table_of(value)
    keys: dict[str, Form] = {"amount": Money()}
    if "of_incentive" in row:
        keys = {"of_incentive": Percent(zero=False)}
    elif "of_component" in row:
        keys = {"of_component": Table(_OF_COMPONENT)}
    keys["per"] = Word(("credit", "deal", "measure_period", "year"))
    keys["excess"] = Word(("lost", "review", "carried"))
    if row.get("excess") == "carried":
        keys |= {"counts": Flag(), "until": Word(("used_up", "year_end"))}
    return Table(keys)


_LIMITS = ("amount", "of_incentive", "of_component")
_CAPS = tuple({name: "", "excess": excess} for name in _LIMITS for excess in ("lost", "review", "carried"))


def gate(value: Any, about: About) -> Table:
    row = table_of(value)
    keys: dict[str, Form] = {
        "key": Slug(),
        "reads": READ,
        "at_least": in_read_unit(row.get("reads"), about),
        "read_at": Word(("final", "running")),
    }
    if row.get("read_at") == "running":
        keys["catch_up"] = Flag()
    else:
        keys["until_known"] = Word(("withhold", "provisional"))
    keys["effect"] = By(_effect, ("", {"cap": ""}, {"times": ""}))
    return Table(keys)


def _effect(value: Any, about: About) -> Form:
    if not isinstance(value, dict):
        return Word(("withhold", "no_accelerators"))
    return Table({"cap": Money()}) if "cap" in value else Table({"times": Factor()})


COUNTERPART = Table(
    {
        "terms": ComponentName(),
        "share": Percent(zero=False),
        "pays": Word(("larger", "smaller")),
        "per": Word(("credit", "measure_period")),
    }
)
#: What shapes the lines of any kind that pays.
SHAPING: dict[str, Form] = {
    "minimum": Opt(Table({"amount": Money(), "per": Word(("credit",))})),
    "caps": Opt(Rows(By(cap, _CAPS, "excess"), 1, MAX_LISTED, "caps")),
    "budget": Opt(Table({"amount": Money(), "after_posting": AFTER_POSTING})),
}
GATES = Rows(By(gate, ({"read_at": "final"}, {"read_at": "running"}), "read_at"), 1, MAX_LISTED, "gates")
KICKERS = Rows(By(kicker, ({"rate": ""}, {"amount": ""})), 1, MAX_LISTED, "kickers")
