"""Computed fields by column against a plain interpreter of Fractions (docs/algorithms/computed-fields.md)."""

from __future__ import annotations

import operator
import sys
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comp.core.days import day_date, day_number
from comp.core.rounding import round_fraction
from crediting.kernel.columns import LARGEST, MISSING_DAY, MISSING_MONEY, Facts, Text
from crediting.kernel.errors import AmountOutOfRange
from crediting.kernel.expressions import evaluate
from crediting.kernel.fields import FactRows, World
from plans.rules.expressions import (
    Computed,
    ExpressionError,
    compile_computed,
    expression_type,
    fields_named,
    parse_expression,
)
from plans.rules.fields import FieldType
from plans.rules.syntax import (
    Arithmetic,
    Call,
    Comparison,
    Day,
    Expression,
    Field,
    Flag,
    Logic,
    Money,
    Negative,
    Not,
    Number,
    Word,
)
from tests.unit.kernel.world import plan

FIELDS: dict[str, FieldType] = {
    "amount": "money",
    "cost": "money",
    "custom.term": "number",
    "custom.share": "number",
    "close_date": "date",
    "paid_date": "date",
    "stage": "text",
    "product.series": "text",
    "custom.new": "boolean",
    "custom.flagged": "boolean",
}
Row = dict[str, Any]

# ------------------------------------------------------------------ the plain meaning


def plain(node: Expression, row: Row, minor: int) -> Any:
    """What an expression is for one row: a Fraction (money in minor units), date, text or boolean; None is missing."""
    if isinstance(node, Call) and node.function == "if_missing":
        first = plain(node.parts[0], row, minor)
        return plain(node.parts[1], row, minor) if first is None else first
    if isinstance(node, Call) and node.function == "when":
        met = plain(node.parts[0], row, minor)
        return None if met is None else plain(node.parts[1 if met else 2], row, minor)
    match node:
        case Field(name):
            return row[name]
        case Number(value):
            return value
        case Money(value):
            return value * minor
        case Day(number):
            return day_date(number)
        case Word(value) | Flag(value):
            return value
        case Negative(part) | Not(part):
            values = [plain(part, row, minor)]
        case Arithmetic(_, left, right) | Comparison(_, left, right):
            values = [plain(left, row, minor), plain(right, row, minor)]
        case Logic(_, parts) | Call(_, parts):
            values = [plain(part, row, minor) for part in parts]
    if any(value is None for value in values):
        return None
    match node:
        case Negative():
            return -values[0]
        case Not():
            return not values[0]
        case Arithmetic("/"):
            return None if values[1] == 0 else values[0] / values[1]
        case Arithmetic(sign):
            return {"+": operator.add, "-": operator.sub, "*": operator.mul}[sign](*values)
        case Comparison(relation):
            tests = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
            return getattr(operator, tests[relation])(*values)
        case Logic(join):
            return all(values) if join == "and" else any(values)
        case Call("days"):
            return Fraction((values[1] - values[0]).days)
        case Call("months"):
            return Fraction(months(*values) if values[0] <= values[1] else -months(values[1], values[0]))
        case Call(function):
            return {"min": min, "max": max, "abs": abs}[function](*values)


def months(start: date, end: date) -> int:
    count = 0
    while later(start, count + 1) <= end:
        count += 1
    return count


def later(day: date, count: int) -> date:
    """The same day `count` months later, or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    first_after = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    return min(first_after - timedelta(days=1), date(year, month + 1, 1) + timedelta(days=day.day - 1))


# ------------------------------------------------------------------ expressions of every kind

MONEY = st.sampled_from([0, 1, -1, 999, 12_345, 10**6, -(10**9), 10**15]) | st.integers(-(10**15), 10**15)
NUMBERS = st.builds(Fraction, st.integers(-(10**9), 10**9), st.sampled_from([1, 10, 1000, 10**6]))
DAYS = st.dates(date(1999, 12, 1), date(2004, 3, 31))
TEXTS = st.sampled_from(["Won", "Lost", "GTX", "naïve"])
VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    "money": MONEY.map(Fraction),
    "number": NUMBERS,
    "date": DAYS,
    "text": TEXTS,
    "boolean": st.booleans(),
}
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | VALUES[kind] for name, kind in FIELDS.items()}), max_size=5)


def decimal(value: Fraction) -> str:
    whole, rest = divmod(value * 10**6, 10**6)
    return f"{whole}.{int(rest):06}"


LITERALS: dict[FieldType, st.SearchStrategy[str]] = {
    "money": st.integers(0, 10**6).map(lambda cents: f"money({cents // 100}.{cents % 100:02})"),
    "number": NUMBERS.map(abs).map(decimal),
    "date": DAYS.map(lambda day: f"'{day}'"),
    "text": TEXTS.map(lambda text: f"'{text}'"),
    "boolean": st.sampled_from(["true", "false"]),
}


@st.composite
def texts(draw: st.DrawFn, kind: FieldType, depth: int = 4) -> str:
    """The text of an expression that gives one type."""
    fields = [name for name, other in FIELDS.items() if other == kind]
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from(fields) | LITERALS[kind])

    def part(other: FieldType = kind) -> str:
        return draw(texts(other, depth - 1))

    def any_type() -> FieldType:
        return draw(st.sampled_from(["money", "number", "date"]))

    forms = [lambda: f"if_missing({part()}, {part()})", lambda: f"when({part('boolean')}, {part()}, {part()})"]
    if kind in ("money", "number", "date"):
        forms += [lambda: f"min({part()}, {part()}, {part()})", lambda: f"max({part()}, {part()})"]
    if kind in ("money", "number"):
        forms += [
            lambda: f"({part()} + {part()})",
            lambda: f"({part()} - {part()})",
            lambda: f"({part()} * {part('number')})",
            lambda: f"({part()} / {part('number')})",
            lambda: f"-{part()}",
            lambda: f"abs({part()})",
        ]
    if kind == "number":
        forms += [
            lambda: f"({part('money')} / {part('money')})",
            lambda: f"days({part('date')}, {part('date')})",
            lambda: f"months({part('date')}, {part('date')})",
        ]
    if kind == "boolean":
        ordered = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
        forms += [
            lambda: "({1} {0} {2})".format(draw(ordered), *[part(k) for k in [any_type()] for _ in range(2)]),
            lambda: f"({part('text')} {draw(st.sampled_from(['==', '!=']))} {part('text')})",
            lambda: f"({part()} and {part()})",
            lambda: f"({part()} or {part()} or {part()})",
            lambda: f"(not {part()})",
        ]
    return draw(st.sampled_from(forms))()


# ------------------------------------------------------------------ columns of rows


class Rows:
    """Columns by the names of their fields."""

    def __init__(self, size: int, columns: dict[str, Any]) -> None:
        self.size = size
        self.columns = columns

    def column(self, field: str, kind: FieldType) -> Any:
        return self.columns[field]

    def repeated(self, times: int) -> Rows:
        return Rows(self.size * times, {name: tiled(column, times) for name, column in self.columns.items()})


def tiled(column: Any, times: int) -> Any:
    if isinstance(column, Text):
        return Text(np.tile(column.codes, times), column.vocabulary)
    return np.tile(column, times)


VOCABULARIES = {"stage": ("Won", "Lost", "GTX", "naïve"), "product.series": ("naïve", "GTX", "Won", "Lost")}
FORMS: dict[FieldType, tuple[int, Any, Any]] = {
    "money": (MISSING_MONEY, np.int64, int),
    "number": (MISSING_MONEY, np.int64, lambda value: int(value * 10**6)),
    "date": (MISSING_DAY, np.int64, day_number),
    "boolean": (-1, np.int8, int),
}


def columns(rows: list[Row]) -> Rows:
    made: dict[str, Any] = {}
    for name, kind in FIELDS.items():
        if kind == "text":
            vocabulary = VOCABULARIES[name]
            codes = [-1 if row[name] is None else vocabulary.index(row[name]) for row in rows]
            made[name] = Text(np.array(codes, dtype=np.int32), vocabulary)
        else:
            missing, dtype, change = FORMS[kind]
            made[name] = np.array([missing if row[name] is None else change(row[name]) for row in rows], dtype=dtype)
    return Rows(len(rows), made)


def computed(text: str, kind: FieldType, decimals: int = 6, mode: Any = "half-even") -> Computed:
    expression = parse_expression(text)
    reads = tuple((name, FIELDS[name]) for name in fields_named(expression))
    return Computed("computed.x", kind, decimals if kind == "number" else None, mode, expression, reads)


def read(column: Any, kind: FieldType) -> list[Any]:
    """A column as values: money in minor units, numbers in millionths."""
    if isinstance(column, Text):
        return [None if code < 0 else column.vocabulary[code] for code in column.codes]
    assert column.dtype == (np.int8 if kind == "boolean" else np.int64)
    missing = {"boolean": -1, "date": MISSING_DAY}.get(kind, MISSING_MONEY)
    change: Any = {"boolean": bool, "date": day_date}.get(kind, int)
    return [None if value == missing else change(int(value)) for value in column]


def expected(field: Computed, rows: list[Row], minor: int) -> list[Any]:
    found = [plain(field.expression, row, minor) for row in rows]
    if field.type == "money":
        return [value if value is None else round_fraction(value, field.mode) for value in found]
    if field.type == "number":
        step = 10 ** (6 - field.decimals)
        return [value if value is None else round_fraction(value * 10**6, field.mode, step) for value in found]
    return found


@pytest.mark.parametrize("kind", ["money", "number", "date", "text", "boolean"])
@settings(max_examples=150)
@given(data=st.data())
def test_a_column_is_what_each_row_is_by_itself(kind, data):
    text = data.draw(texts(kind).filter(lambda text: len(text) <= 500))
    try:
        assert expression_type(parse_expression(text), FIELDS) == kind
    except ExpressionError as error:
        assert error.found == "a division by 0"
    rows = data.draw(ROWS)
    field = computed(text, kind, data.draw(st.integers(0, 6)), data.draw(st.sampled_from(["half-even", "half-up"])))
    digits = data.draw(st.sampled_from([0, 2, 3]))
    right = expected(field, rows, 10**digits)
    batch = columns(rows)
    if kind in ("money", "number") and any(value is not None and abs(value) > LARGEST for value in right):
        with pytest.raises(AmountOutOfRange, match=r"^computed\.x of \d+ (minor units|millionths) is out of range"):
            evaluate(field, batch, digits)
    else:
        assert read(evaluate(field, batch, digits), kind) == right


# ------------------------------------------------------------------ by hand

ROW: Row = dict.fromkeys(FIELDS) | {
    "amount": Fraction(100_000),
    "cost": Fraction(70_001),
    "custom.term": Fraction(24),
    "close_date": date(2026, 1, 31),
    "paid_date": date(2026, 3, 2),
    "stage": "Won",
    "custom.new": True,
}
BY_HAND = [
    ("amount - cost", "money", 299_99),
    ("(amount - cost) / amount", "number", 299_990),
    ("amount / 3", "money", 333_33),
    ("amount * 0.000005", "money", 0),  # half a cent, to even
    ("amount * 0.000015", "money", 2),  # one and a half
    ("amount / 3 * 3", "money", 1000_00),
    ("amount - custom.share * money(1)", "money", None),
    ("when(cost < amount, amount, amount * custom.share)", "money", 1000_00),
    ("amount / (cost - money(700.01))", "number", None),
    ("months(close_date, paid_date)", "number", 1_000_000),
    ("days(close_date, paid_date)", "number", 30_000_000),
    ("days(paid_date, close_date)", "number", -30_000_000),
    ("months(close_date, '2026-02-28')", "number", 1_000_000),
    ("months('2026-02-28', close_date)", "number", -1_000_000),  # backwards, what it is forwards
    ("amount / (custom.term - 24)", "money", None),
    ("amount + if_missing(cost, money(0))", "money", 1700_01),
    ("amount + custom.share * money(1)", "money", None),
    ("amount + if_missing(custom.share, 0) * money(1)", "money", 1000_00),
    ("when(custom.term >= 12 and stage == 'Won', amount / 2, amount * custom.share)", "money", 500_00),
    ("when(stage == 'Lost', amount, amount * custom.share)", "money", None),
    ("when(custom.flagged, amount, amount)", "money", None),
    ("custom.flagged and false", "boolean", None),
    ("stage != product.series", "boolean", None),
    ("max(close_date, paid_date, '2026-02-01')", "date", date(2026, 3, 2)),
    ("if_missing(product.series, 'other')", "text", "other"),
    ("when(custom.new, stage, 'none')", "text", "Won"),
    ("money(12.50) + -money(0.25)", "money", 12_25),
    ("1 / 3", "number", 333_333),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "result"), BY_HAND)
def test_by_hand(text, kind, result):
    field = computed(text, kind)
    if "- 24" not in text:
        assert expression_type(field.expression, FIELDS) == kind
    assert read(evaluate(field, columns([ROW, ROW]), 2), kind) == [result, result]


def test_half_a_cent_goes_as_the_mode_says():
    for mode, result in (("half-even", 0), ("half-up", 1)):
        assert read(evaluate(computed("amount * 0.000005", "money", mode=mode), columns([ROW]), 2), "money") == [result]


def test_a_field_may_need_others_and_each_is_rounded_by_itself():
    document = {
        "computed": {
            "computed.share": {"type": "number", "decimals": 2, "mode": "half-up", "is": "computed.third / amount"},
            "computed.third": {"type": "money", "mode": "half-even", "is": "amount / 3"},
        }
    }
    fields = compile_computed(document, FIELDS)
    assert [field.name for field in fields] == ["computed.third", "computed.share"]
    rows = columns([ROW])
    for field in fields:
        rows.columns[field.name] = evaluate(field, rows, 2)
    assert rows.columns["computed.third"].tolist() == [333_33]
    assert rows.columns["computed.share"].tolist() == [330_000]


def test_a_plan_reads_its_computed_fields_of_facts_and_of_their_deals():
    """An invoice of 40.00 on a deal of 100.00; the deal's quantity is 1.5, the invoice states none."""
    document = {
        "computed": {
            "computed.part": {"type": "number", "decimals": 4, "mode": "half-even", "is": "amount / deal.amount"},
            "computed.units": {
                "type": "number",
                "decimals": 2,
                "mode": "half-up",
                "is": "computed.part * deal.quantity",
            },
            "computed.own": {"type": "number", "decimals": 2, "mode": "half-up", "is": "quantity"},
        }
    }
    types: dict[str, FieldType] = {
        "amount": "money",
        "quantity": "number",
        "deal.amount": "money",
        "deal.quantity": "number",
    }
    reader = replace(plan(), computed=compile_computed(document, types))
    zero = np.zeros(2, dtype=np.int64)
    quantity = np.array([Fraction(3, 2), None], dtype=object)
    facts = Facts(zero, zero, zero, {}, {"amount": np.array([100_00, 40_00])}, {}, {"quantity": quantity}, deal=zero)
    rows = FactRows(World(facts), reader, None, None, zero)
    assert rows.column("computed.part", "number").tolist() == [1_000_000, 400_000]
    assert rows.column("computed.units", "number").tolist() == [1_500_000, 600_000]
    assert rows.column("computed.own", "number").tolist() == [1_500_000, MISSING_MONEY]


def test_a_number_too_large_to_be_read_is_named():
    quantity = np.array([Fraction(10**15)], dtype=object)
    zero = np.zeros(1, dtype=np.int64)
    facts = Facts(zero, zero, zero, {}, {}, {}, {"custom.term": quantity})
    rows = FactRows(World(facts), plan(), None, None, zero)
    with pytest.raises(AmountOutOfRange, match=r"^The number field custom\.term is out of range"):
        evaluate(computed("custom.term / 1000000", "number"), rows, 2)


def test_a_result_out_of_range_is_refused_by_name_and_a_missing_one_is_not():
    with pytest.raises(AmountOutOfRange, match=r"computed\.x of 10000000000 minor units|computed\.x of 1\d+ minor"):
        evaluate(computed("amount * 100000000000", "money"), columns([ROW]), 2)
    assert read(evaluate(computed("amount * 100000000000 * custom.share", "money"), columns([ROW]), 2), "money") == [
        None
    ]
    # Beyond it on the way is no matter.
    assert read(evaluate(computed("amount * 100000000000 / 100000000000", "money"), columns([ROW]), 2), "money") == [
        1000_00
    ]


@pytest.mark.parametrize("text", [
    "when(stage == 'Won', max(amount - cost, money(0)) * custom.share / 3, -amount)",
    "if_missing(amount / cost * (amount / cost), 0) * custom.share / days(close_date, paid_date)",
    "amount / cost / 7 + cost / amount / 11 + months(close_date, paid_date) * custom.term / 13",
])  # fmt: skip
def test_no_python_runs_for_a_row(text):
    """As many Python functions are called for 100,000 rows as for 100, within 64 bits and beyond."""
    many = columns([ROW | {"cost": Fraction(70_000 + row), "custom.share": Fraction(row, 1000)} for row in range(100)])
    counts = []
    for times in (1, 1000):
        rows = many.repeated(times)
        kind = expression_type(parse_expression(text), FIELDS)
        counts.append(calls(lambda rows=rows, kind=kind: evaluate(computed(text, kind), rows, 2)))
    assert counts[0] == counts[1]


def calls(action: Any) -> int:
    """How many Python functions run, and how many lines."""
    count = 0

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return count
