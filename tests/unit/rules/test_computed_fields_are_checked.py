"""Expressions of computed fields: what is read, and in which words others are refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plans.rules.expressions import (
    Computed,
    ExpressionError,
    check_computed,
    compile_computed,
    expression_type,
    fields_named,
    parse_expression,
    words,
)
from plans.rules.fields import FieldType
from plans.rules.load import read_yaml
from plans.rules.look import Look
from plans.rules.syntax import Arithmetic, Call, Comparison, Day, Field, Logic, Money, Negative, Not, Number, Word
from tests.unit.rules.documents import VALUES

TYPES: dict[str, FieldType] = {
    "amount": "money",
    "cost": "money",
    "quantity": "number",
    "invoice_date": "date",
    "paid_date": "date",
    "stage": "text",
    "product.series": "text",
    "custom.new": "boolean",
}
AMOUNT, COST, QUANTITY = Field("amount"), Field("cost"), Field("quantity")


@pytest.mark.parametrize(("text", "expression"), [
    ("amount", AMOUNT),
    ("product.series", Field("product.series")),
    ("1250.50", Number(Fraction(2501, 2))),
    ("money( 12.50 )", Money(Fraction(25, 2))),
    ("'2026-01-31'", Day(20484)),
    ("'a if b else c'", Word("a if b else c")),
    ('"it\'s"', Word("it's")),
    ("amount - cost - cost", Arithmetic("-", Arithmetic("-", AMOUNT, COST), COST)),
    ("amount - cost * quantity", Arithmetic("-", AMOUNT, Arithmetic("*", COST, QUANTITY))),
    ("(amount - cost)\n  / -amount", Arithmetic("/", Arithmetic("-", AMOUNT, COST), Negative(AMOUNT))),
    ("not amount < cost or custom.new and stage == 'Won'",
     Logic("or", (Not(Comparison("<", AMOUNT, COST)),
                  Logic("and", (Field("custom.new"), Comparison("==", Field("stage"), Word("Won"))))))),
    ("min(amount, cost, money(0))", Call("min", (AMOUNT, COST, Money(Fraction(0))))),
])  # fmt: skip
def test_what_is_read(text, expression):
    assert parse_expression(text) == expression


REFUSED = [
    ("", "has 1 to 500 characters, not 0"),
    ("(" * 10_000, "has 1 to 500 characters, not 10,000"),
    ("(" * 200 + "amount" + ")" * 200, "at most 20 steps deep; divide it into several computed fields (character 21)"),
    ("-" * 490 + "amount", "at most 20 steps deep"),
    ("not " * 120 + "custom.new", "at most 20 steps deep"),
    ("+".join("abcdefghijklmnopqrstuvwxyz"), "at most 20 steps deep"),
    ("amount.__class__", "`amount.__class__` is no name of a field; allowed: words of small letters"),
    ("__import__('os')", "`__import__` is no name of a field"),
    ("amount.real.as_integer_ratio()", "There is no function `amount.real.as_integer_ratio`; known are min,"),
    ("exec('x')", "There is no function `exec`"),
    ("mx(amount, cost)", "Did you mean max?"),
    ("(min)(amount, cost)", "`(` has no place here"),
    ("min(amount, cost)(amount)", "`min` has no place here"),
    ("min(*amount)", "Values in min(...): 1; allowed: 2 to 20"),
    ("min(a=amount, b=cost)", "`=` has no place in an expression"),
    ("lambda: amount", "`:` has no place in an expression"),
    ("lambda amount", "Found `amount` where a sign is expected, after `lambda`"),
    ("[x for x in y]", "`[` has no place in an expression"),
    ("max(x for x in y)", "Found `for` where a sign is expected, after `x`"),
    ("{amount}", "`{` has no place in an expression"),
    ("amount[0]", "`[` has no place in an expression"),
    ("amount ** 9 ** 9", "Write the product out: a * a. (character 8)"),
    ("amount // 2", "Write /; `decimals` and `mode` say how the result is rounded."),
    ("amount % 2", "Write a share as a decimal: 0.15."),
    ("(amount := cost)", "`:=` has no place in an expression"),
    ("stage = 'Won'", "Write ==. (character 7)"),
    ("f'{amount}'", "Found '{amount}' right after f; allowed: a space or a sign between them. (character 2)"),
    ("'Won''Lost'", "Found 'Lost' right after 'Won'"),
    ("min'a'", "Found 'a' right after min"),
    ("'Won' 'Lost'", "Found `'Lost'` where a sign is expected, after `'Won'`"),
    ("'back\\slash'", "is no text to compare with"),
    ("stage == ''", "'' is no text to compare with"),
    ("stage == 'Won", "The quoted text does not end. (character 10)"),
    ("'2026-02-30'", "'2026-02-30' is not a date"),
    ("1e9", "`1e9` is no number; allowed: a plain decimal with at most 15 digits and 6 decimals"),
    ("9" * 400, "is no number"),
    ("0x10", "`0x10` is no number"),
    ("1_000", "`1_000` is no number"),
    ("2j", "`2j` is no number"),
    ("\u0663", "has no place in an expression"),
    ("\u0430mount", "is no name of a field"),  # a Cyrillic letter
    ("Amount", "`Amount` is no name of a field"),
    ("True", "Did you mean true?"),
    ("None", "`None` is no name of a field"),
    ("amount \N{MINUS SIGN} cost", "Write -. (character 8)"),
    ("amount if custom.new else cost", "Write when(condition, a, b)."),
    ("stage is 'Won'", "Write ==."),
    ("yield amount", "Found `amount` where a sign is expected, after `yield`"),
    ("amount; cost", "`;` has no place"),
    ("amount\ncost", "Found `cost` where a sign is expected, after `amount`"),
    ("# amount", "`#` has no place"),
    ("amount\0", "has no place"),
    ("amount cost", "Found `cost` where a sign is expected, after `amount`; allowed: one of + - *"),
    ("amount -", "Nothing follows `-`"),
    ("* amount", "Found `*` where a value is expected, at the start"),
    ("+amount", "`+` has no place here"),
    ("(amount", "This parenthesis is not closed; allowed: one ) for each (. (character 1)"),
    ("amount)", "This parenthesis closes nothing; allowed: one ( for each ). (character 7)"),
    ("()", "`(` has no place here"),
    ("amount, cost", "A comma stands only between the values of a function"),
    ("amount < cost < amount", "join several with `and`: a < b and b < c"),
    ("custom.new == not custom.new", "put each `not` into parentheses"),
    ("min", "Found the function `min` without its values; allowed: min(...)"),
    ("min()", "Values in min(...): 0"),
    ("abs(amount, cost)", "Values in abs(...): 2; allowed: 1"),
    ("money(amount)", "money(...) takes one plain number; allowed: money(12.50)"),
    ("money(-1)", "money(...) takes one plain number"),
    ("money()", "money(...) takes one plain number"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), REFUSED, ids=[text[:30] for text, _ in REFUSED])
def test_what_is_refused(text, says):
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 300
    assert caught.value.found is not None and caught.value.allowed


PIECES = st.sampled_from(
    ["amount", "cost", "1", "12.5", "'x'", "'2026-01-01'", "min", "when", "money", "not", "and", "or", "if", "true"]
    + ["lambda", "f'x'", "+", "-", "*", "**", "/", "(", ")", ",", "<", "==", "=", ".", "[", ":"]
)
PILES = st.lists(PIECES, max_size=12)


@given(PILES.map("".join) | PILES.map(" ".join) | st.text(max_size=40))
def test_no_text_breaks_the_reader(text):
    """A text is read, or refused in words with a place inside it."""
    try:
        expression = parse_expression(text)
    except ExpressionError as error:
        assert error.position is None or 1 <= error.position <= max(len(text), 1)
    else:
        assert words(expression)
        assert all(name in text for name in fields_named(expression))


@pytest.mark.parametrize(("text", "kind"), [
    ("amount - cost", "money"),
    ("amount * 2", "money"),
    ("quantity * amount", "money"),
    ("amount / quantity", "money"),
    ("amount / cost", "number"),
    ("-quantity / 3", "number"),
    ("days(invoice_date, '2026-01-31')", "number"),
    ("months(invoice_date, paid_date)", "number"),
    ("max(paid_date, invoice_date)", "date"),
    ("if_missing(stage, 'none')", "text"),
    ("when(paid_date > invoice_date, amount, money(0))", "money"),
    ("custom.new and stage == 'Won' or not custom.new", "boolean"),
    ("custom.new == true", "boolean"),
])  # fmt: skip
def test_types(text, kind):
    assert expression_type(parse_expression(text), TYPES) == kind


@pytest.mark.parametrize(("text", "says"), [
    ("amount + quantity", '"amount plus quantity" is money + number; allowed: money + money or number + number. '
                          "Write an amount as money(12.50)."),
    ("amount * cost", "is money * money; allowed: money * number, number * money or number * number."),
    ("quantity / amount", "is number / money; allowed: money / money, money / number or number / number."),
    ("paid_date - invoice_date", "is date - date; allowed: money - money or number - number. Write days(from, to)."),
    ("amount / 0", "is a division by 0"),
    ("amount > 1000", '"amount is above 1000" is money > number; allowed: two values of one type. Write an amount as'),
    ("stage > 'Won'", "is text > text; allowed: == or != between texts, an order only of money, number or date."),
    ("stage == '2026-01-31'", "is text == date; allowed: two values of one type. A quoted text in the form"),
    ("-stage", "is the negative of text; allowed: money or number."),
    ("not amount", "is `not` of money; allowed: boolean."),
    ("custom.new and amount", "is `and` of money; allowed: boolean."),
    ("min(amount, 0)", "is money and number in min(...); allowed: values of one type. Write an amount as"),
    ("min(stage, stage)", "is min of text; allowed: money, number or date."),
    ("abs(paid_date)", "is abs of date; allowed: money or number."),
    ("days(paid_date, amount)", "is days of money; allowed: date."),
    ("when(amount, cost, cost)", "is a `when` on money; allowed: boolean."),
    ("when(custom.new, cost, stage)", "is money and text in when(...); allowed: values of one type."),
    ("if_missing(cost, 0)", "is money and number in if_missing(...)"),
    ("amont", "There is no field amont. Did you mean amount?"),
    ("x", "There is no field x. Fields of your own are custom.*"),
])  # fmt: skip
def test_what_does_not_fit_together_is_told_with_both_types(text, says):
    with pytest.raises(ExpressionError) as caught:
        expression_type(parse_expression(text), TYPES)
    assert says in str(caught.value)


@pytest.mark.parametrize(("text", "told"), [
    ("(amount - cost) / amount", "amount less cost, divided by amount"),
    ("amount - (cost - amount)", "amount less (cost less amount)"),
    ("amount * 2 + cost", "(amount times 2) plus cost"),
    ("max(amount - cost, money(0)) * 0.5", "(the larger of (amount less cost) and $0.00) times 0.5"),
    ("min(amount, cost, computed.margin)", "the smallest of amount, cost and margin"),
    ("days(invoice_date, paid_date)", "the days from invoice date to paid date"),
    ("months(invoice_date, '2026-01-31')", "the whole months from invoice date to 2026-01-31"),
    ("if_missing(custom.term_months, 12)", "term months, or 12 where it is missing"),
    ("when(amount - cost >= money(1000) and not custom.new, -amount, abs(cost))",
     "(minus amount) where ((amount less cost is at least $1,000.00) and (not new)), else (cost without its sign)"),
    ("stage == 'Won' or false", "(stage is Won) or false"),
])  # fmt: skip
def test_read_aloud(text, told):
    assert words(parse_expression(text), "USD") == told


# ------------------------------------------------------------------ the document


def problems(computed: Any, currency: str = "USD") -> dict[str, str]:
    look = Look(currency)
    check_computed(look, {"computed": computed}, TYPES)
    return {problem.path: problem.message for problem in look.problems}


MARGIN = {"type": "money", "is": "amount - cost"}
SHARE = {"type": "number", "decimals": "6", "mode": "half-even", "is": "computed.margin / amount"}
GOOD = {"computed.share": SHARE, "computed.margin": MARGIN}


def test_a_good_document_is_compiled_in_the_order_of_its_needs():
    look = Look("USD")
    assert check_computed(look, {"computed": GOOD}, TYPES) == {"computed.share": "number", "computed.margin": "money"}
    assert look.problems == []
    assert compile_computed({"computed": GOOD}, TYPES) == (
        Computed(
            "computed.margin",
            "money",
            None,
            None,
            parse_expression("amount - cost"),
            (("amount", "money"), ("cost", "money")),
        ),
        Computed(
            "computed.share",
            "number",
            6,
            "half-even",
            parse_expression("computed.margin / amount"),
            (("computed.margin", "money"), ("amount", "money")),
        ),
    )
    assert compile_computed({}, TYPES) == ()


def test_the_order_of_the_text_does_not_matter():
    """Documents are stored with their keys in alphabetical order."""
    backwards = dict(reversed(GOOD.items()))
    assert compile_computed({"computed": GOOD}, TYPES) == compile_computed({"computed": backwards}, TYPES)


def number(is_: str, **keys: Any) -> dict[str, Any]:
    return {"computed.x": {"type": "number", "is": is_, **keys}}


@pytest.mark.parametrize(("computed", "path", "says"), [
    ([], "computed", "allowed: a table of at most 50 computed fields"),
    ({"margin": MARGIN}, "computed.margin", "margin is no name for a computed field; allowed: computed. and small"),
    ({"computed.Margin": MARGIN}, "computed.computed.Margin", "is no name for a computed field"),
    ({"computed.x": "amount"}, "computed.computed.x", "Found amount; allowed: a table with type, is."),
    ({"computed.x": {"is": "amount"}}, "computed.computed.x.type", "`type` is missing"),
    ({"computed.x": {"type": "money"}}, "computed.computed.x.is", "`is` is missing"),
    ({"computed.x": {"type": "cash", "is": "amount"}}, "computed.computed.x.type", "Found cash; allowed: text, number"),
    ({"computed.x": {"type": "cash", "is": "amount"}, "computed.y": {"type": "money", "is": "computed.x"}},
     "computed.computed.x.type", "Found cash"),
    ({"computed.x": {"type": "money", "is": "amount -"}}, "computed.computed.x.is", "Nothing follows `-`"),
    ({"computed.x": {"type": "money", "is": ""}}, "computed.computed.x.is", "a text of 1 to 500 characters"),
    ({"computed.x": {"type": "money", "is": "amount - csot"}}, "computed.computed.x.is", "Did you mean cost?"),
    ({"computed.x": {"type": "money", "is": "amount + 1"}}, "computed.computed.x.is", "is money + number"),
    (number("amount", decimals=0, mode="half-up"), "computed.computed.x.is",
     '"amount" gives a money; `type` says number.'),
    ({"computed.x": {"type": "money", "is": "amount * 2"}}, "computed.computed.x.mode", "`mode` is missing"),
    ({"computed.x": {"type": "money", "decimals": 0, "is": "amount - cost"}}, "computed.computed.x.decimals",
     "`decimals` has no place here"),
    ({"computed.x": {"type": "money", "mode": "up", "is": "amount / 2"}}, "computed.computed.x.mode",
     "Found up; allowed: half-even or half-up."),
    (number("quantity", mode="half-up"), "computed.computed.x.decimals", "`decimals` is missing"),
    (number("quantity", decimals=0), "computed.computed.x.mode", "`mode` is missing"),
    (number("quantity", decimals=7, mode="half-up"), "computed.computed.x.decimals", "a whole number from 0 to 6."),
    ({"computed.x": {"type": "date", "mode": "half-up", "is": "paid_date"}}, "computed.computed.x.mode", "no place"),
    ({"computed.x": {"type": "money", "is": "money(0.125)"}}, "computed.computed.x.is",
     "Found money(0.125); allowed: an amount in USD with at most 2 decimals."),
    ({"computed.x": {"type": "money", "is": "computed.x + amount"}}, "computed.computed.x",
     "computed.x needs computed.x: nothing can be worked out from itself."),
    ({"computed.x": {"type": "money", "is": "computed.z"}, "computed.y": {"type": "money", "is": "computed.x"},
      "computed.z": {"type": "money", "is": "computed.y"}}, "computed.computed.x",
     "computed.x needs computed.z, which needs computed.y, which needs computed.x"),
])  # fmt: skip
def test_each_mistake_is_told_at_its_place(computed, path, says):
    found = problems(computed)
    assert list(found) == [path]
    assert says in found[path]


@given(st.dictionaries(st.sampled_from(["computed.x", "computed.y", "x"]), VALUES, max_size=3) | VALUES)
def test_no_table_breaks_the_check(computed):
    problems(computed)


@given(
    st.dictionaries(
        st.sampled_from(["computed.x", "computed.y", "x"]),
        st.dictionaries(
            st.sampled_from(["type", "is", "mode", "decimals"]), VALUES | st.sampled_from(["money", "amount"])
        ),
    )
)
def test_no_row_breaks_the_check(computed):
    problems(computed)


def test_the_example_of_the_page_is_good():
    page = Path(__file__).parents[3] / "docs" / "algorithms" / "computed-fields.md"
    document = read_yaml(page.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0])
    look = Look("USD")
    check_computed(look, document, TYPES)
    assert look.problems == []
    assert len(compile_computed(document, TYPES)) == 4


def test_all_mistakes_are_told_at_once():
    found = problems(
        {
            "computed.a": {"type": "number", "is": "amont / csot"},
            "computed.b": {"type": "money", "is": "computed.a + amount"},
            "computed.c": {"type": "money", "is": "amount **"},
        }
    )
    assert set(found) == {
        "computed.computed.a.decimals",
        "computed.computed.a.mode",
        "computed.computed.a.is",
        "computed.computed.b.is",
        "computed.computed.c.is",
    }
