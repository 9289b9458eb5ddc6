"""What a field of a fact, of its deal or of a person is, and when a condition holds."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from tests.oracle.case import Case, Fact, Rate, Value
from tests.oracle.reading import Document, inside, minor, nearest, unit_in, unit_of, whole_months

FIELD_TYPES = {
    **dict.fromkeys(("stage", "source", "product", "product.series", "account", "territory", "region"), "text"),
    **dict.fromkeys(("account.sector", "account.country", "currency", "type"), "text"),
    **dict.fromkeys(("amount", "list_price", "cost", "tax"), "money"),
    **dict.fromkeys(("quantity", "value", "used", "contracted", "term_months"), "number"),
    **dict.fromkeys(("close_date", "engage_date", "day", "invoice_date", "due_date", "paid_date"), "date"),
    **dict.fromkeys(("start_date", "end_date"), "date"),
}
PERSON_TYPES = {
    **dict.fromkeys(("person.title", "person.region", "person.position", "person.team", "person.pool"), "text"),
    "person.tenure_months": "number",
    "person.hired_on": "date",
}


def type_of(name: str, document: Document) -> str:
    if name.startswith("computed."):
        return str(document["computed"][name]["type"])
    if name.startswith("person."):
        return PERSON_TYPES[name]
    name = name.removeprefix("deal.")
    return str(FIELD_TYPES.get(name) or document["fields"][name])


@dataclass(frozen=True)
class Sight:
    """From where fields are read: a fact (None for a line of a period), for a person, on a day, by a document."""

    case: Case
    document: Document
    fact: Fact | None
    person: int | None
    day: date | None
    person_day: date | None = None  # as of when the person is seen, where that is another

    def value(self, name: str) -> Any:
        if name.startswith("computed."):
            return computed(self, name)
        if name.startswith("person."):
            assert self.person is not None and self.day is not None
            return of_person(self.case, self.person, name.removeprefix("person."), self.person_day or self.day)
        if name.startswith("deal."):
            deal = None if self.fact is None else self.fact.belongs_to
            return None if deal is None else self.of_fact(self.case.fact(deal), name.removeprefix("deal."))
        return None if self.fact is None else self.of_fact(self.fact, name)

    def of_fact(self, fact: Fact, name: str) -> Value:
        found = fact.fields.get(name)
        if found is None or type_of(name, self.document) != "money":
            return found
        assert isinstance(found, int)
        return self.converted(fact, found)

    def converted(self, fact: Fact, amount: int) -> int | None:
        """Money of a fact in the plan's currency, by the spot rate of the day (32)."""
        if fact.currency is None or fact.currency == self.document["currency"]:
            return amount
        rate = self.rate_of(fact)
        return None if rate is None else exchanged(amount, rate, self.document["rounding"]["mode"])

    def lacks_a_rate(self) -> bool:
        """Has the fact, or its deal, money in another currency, and no rate on the credit date (32)?"""
        facts = [self.fact] if self.fact is not None else []
        if self.fact is not None and self.fact.belongs_to is not None:
            facts.append(self.case.fact(self.fact.belongs_to))
        plan = self.document["currency"]
        return any(fact.currency not in (None, plan) and self.rate_of(fact) is None for fact in facts)

    def rate_of(self, fact: Fact) -> Rate | None:
        """None, too, where the plan converts nothing (32)."""
        if "currencies" not in self.document:
            return None
        return rate_on(self.case, str(fact.currency), self.document["currency"], "spot", self.day)

    def is_known(self, name: str) -> bool:
        """False where the value is money that waits for a rate, or made of such money."""
        if name.startswith("computed."):
            text = ast.parse(self.document["computed"][name]["is"].strip(), mode="eval")
            return all(self.is_known(ast.unparse(node)) for node in ast.walk(text) if is_field(node, self.document))
        if name.startswith("person.") or type_of(name, self.document) != "money" or self.fact is None:
            return True
        fact: Fact | None = self.fact
        if name.startswith("deal."):
            fact = None if self.fact.belongs_to is None else self.case.fact(self.fact.belongs_to)
        if fact is None or fact.fields.get(name.removeprefix("deal.")) is None:
            return True
        return self.converted(fact, 0) is not None

    def may_hold(self, condition: dict[str, Any]) -> bool:
        """Does it hold for some amounts, where amounts are not known?"""
        return True in self.outcomes(condition)

    def outcomes(self, condition: dict[str, Any]) -> set[bool]:
        for join in ("all", "any", "none"):
            if join in condition:
                parts = [self.outcomes(part) for part in condition[join]]
                each_true = all(True in part for part in parts)
                one_true = any(True in part for part in parts)
                each_false = all(False in part for part in parts)
                one_false = any(False in part for part in parts)
                if join == "all":
                    return {found for found, may in ((True, each_true), (False, one_false)) if may}
                found_any = {found for found, may in ((True, one_true), (False, each_false)) if may}
                return found_any if join == "any" else {not found for found in found_any}
        if not self.is_known(condition["field"]):
            if condition["op"] in ("is_missing", "is_present") and not condition["field"].startswith("computed."):
                return {condition["op"] == "is_present"}
            return {True, False}
        return {leaf_holds(condition, self.value(condition["field"]), self.document)}

    def holds(self, condition: dict[str, Any]) -> bool:
        if "all" in condition:
            return all(self.holds(part) for part in condition["all"])
        if "any" in condition:
            return any(self.holds(part) for part in condition["any"])
        if "none" in condition:
            return not any(self.holds(part) for part in condition["none"])
        return leaf_holds(condition, self.value(condition["field"]), self.document)


def leaf_holds(leaf: dict[str, Any], found: Any, document: Document) -> bool:
    op = leaf["op"]
    if op == "is_missing":
        return found is None
    if op == "is_present":
        return found is not None
    if found is None:
        return False
    kind = type_of(leaf["field"], document)
    if isinstance(leaf["value"], list):
        several = [typed(value, kind, document) for value in leaf["value"]]
        if op == "between":
            return several[0] <= found <= several[1]
        return {"in": found in several, "not_in": found not in several}[op]
    value: Any = typed(leaf["value"], kind, document)
    match op:
        case "is":
            return bool(found == value)
        case "is_not":
            return bool(found != value)
        case "contains":
            return bool(value in found)
        case "starts_with":
            return bool(found.startswith(value))
        case "at_least" | "on_or_after":
            return bool(found >= value)
        case "at_most":
            return bool(found <= value)
        case "more_than":
            return bool(found > value)
        case "less_than" | "before":
            return bool(found < value)
    raise ValueError(op)


def typed(value: Any, kind: str, document: Document) -> Any:
    match kind:
        case "number":
            return Fraction(value)
        case "money":
            return minor(value, document)
        case "date":
            return date.fromisoformat(value)
        case _:
            return bool(value) if kind == "boolean" else str(value)


def is_field(node: ast.AST, document: Document) -> bool:
    """Is this piece of an expression the name of a field?"""
    if not isinstance(node, ast.Name | ast.Attribute):
        return False
    name = ast.unparse(node)
    plain = name.removeprefix("deal.")
    return plain in FIELD_TYPES or plain in document.get("fields", {}) or name in document.get("computed", {})


# ------------------------------------------------------------------ rates of exchange


def rate_on(case: Case, source: str, target: str, kind: str, day: date | None) -> Rate | None:
    if day is None:
        return None
    for rate in case.rates:
        if (rate.source, rate.target, rate.kind) == (source, target, kind) and inside(day, rate.start, rate.end):
            return rate
    return None


def exchanged(amount: int, rate: Rate, mode: str) -> int:
    return nearest(Fraction(amount, unit_in(rate.source)) * rate.rate * unit_in(rate.target), mode)


# ------------------------------------------------------------------ people


def attribute(case: Case, person: int, name: str, day: date) -> str | None:
    for row in case.attributes:
        if (row.person, row.name) == (person, name) and inside(day, row.start, row.end):
            return row.value
    return None


def hired_on(case: Case, person: int) -> date | None:
    return min((span.start for span in case.spans if span.person == person and not span.leave), default=None)


def of_person(case: Case, person: int, name: str, day: date) -> Value:
    if name not in ("tenure_months", "hired_on"):
        return attribute(case, person, name, day)
    hired = hired_on(case, person)
    if hired is None or name == "hired_on":
        return hired
    return Fraction(whole_months(hired, day) if hired <= day else 0)


def employed(case: Case, person: int, day: date) -> bool:
    spans = [span for span in case.spans if span.person == person and not span.leave]
    return not spans or any(inside(day, span.start, span.end) for span in spans)


def on_leave(case: Case, person: int, day: date) -> bool:
    return any(span.person == person and span.leave and inside(day, span.start, span.end) for span in case.spans)


def on_plan(case: Case, person: int, version: int, day: date) -> bool:
    """Is the person assigned to the plan on that day, and is this its version in force (3)?"""
    in_force = case.versions[version]
    return inside(day, in_force.start, in_force.end) and any(
        held.person == person and held.plan == in_force.document["key"] and inside(day, held.start, held.end)
        for held in case.assignments
    )


def version_on(case: Case, person: int, plan: str, day: date) -> int | None:
    """The version of the plan to which the person is assigned on that day."""
    key = person, plan, day
    if key not in case.seen:
        several = (place for place, version in enumerate(case.versions) if version.document["key"] == plan)
        case.seen[key] = next((place for place in several if on_plan(case, person, place, day)), None)
    return case.seen[key]


def managers_above(case: Case, person: int, day: date, levels: int) -> set[int]:
    """Everybody whom `person` reports to on `day`, up to `levels` steps; never the person."""
    found: set[int] = set()
    reached = {person}
    for _ in range(levels):
        reached = {
            line.manager for line in case.reports if line.person in reached and inside(day, line.start, line.end)
        }
        found |= reached
    return found - {person}


# ------------------------------------------------------------------ computed fields


def computed(sight: Sight, name: str) -> Any:
    """The value of a computed field, money in minor units; None where missing (docs/algorithms/computed-fields.md)."""
    stated = sight.document["computed"][name]
    found = worked_out(ast.parse(stated["is"].strip(), mode="eval").body, sight)
    if found is None:
        return None
    if stated["type"] == "money":
        return nearest(found * unit_of(sight.document), stated.get("mode", "half-even"))
    if stated["type"] == "number":
        scale = 10 ** int(stated["decimals"])
        return Fraction(nearest(found * scale, stated["mode"]), scale)
    return found


def worked_out(node: ast.expr, sight: Sight) -> Any:
    """Money in whole units of the currency, numbers, dates, texts, booleans; None where anything needed is missing."""
    match node:
        case ast.Constant(value=bool() | str() as value):
            return as_day(value)
        case ast.Constant(value=value):
            return Fraction(ast.unparse(node)) if isinstance(value, int) else Fraction(str(value))
        case ast.Name(id="true" | "false" as word):
            return word == "true"
        case ast.Name() | ast.Attribute():
            return field_in(ast.unparse(node), sight)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            found = worked_out(inner, sight)
            return None if found is None else -found
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            found = worked_out(inner, sight)
            return None if found is None else not found
        case ast.BinOp(left=left, op=op, right=right):
            return combined(worked_out(left, sight), op, worked_out(right, sight))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return compared(worked_out(left, sight), op, worked_out(right, sight))
        case ast.BoolOp(op=op, values=values):
            several = [worked_out(value, sight) for value in values]
            if None in several:
                return None
            return all(several) if isinstance(op, ast.And) else any(several)
        case ast.Call(func=ast.Name(id=function), args=args):
            return called(function, args, sight)
    raise ValueError(ast.unparse(node))


def as_day(value: Any) -> Any:
    """A quoted date is a date."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value


def field_in(name: str, sight: Sight) -> Any:
    found = sight.value(name)
    if found is not None and type_of(name, sight.document) == "money":
        return Fraction(found, unit_of(sight.document))
    return found


def combined(left: Any, op: ast.operator, right: Any) -> Any:
    if left is None or right is None:
        return None
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return Fraction((left - right).days) if isinstance(left, date) else left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return None if right == 0 else left / right
    raise ValueError(op)


def compared(left: Any, op: ast.cmpop, right: Any) -> Any:
    if left is None or right is None:
        return None
    match op:
        case ast.Lt():
            return left < right
        case ast.LtE():
            return left <= right
        case ast.Gt():
            return left > right
        case ast.GtE():
            return left >= right
        case ast.Eq():
            return left == right
        case ast.NotEq():
            return left != right
    raise ValueError(op)


def called(function: str, args: list[ast.expr], sight: Sight) -> Any:
    if function == "money":
        return worked_out(args[0], sight)
    if function == "if_missing":
        first = worked_out(args[0], sight)
        return worked_out(args[1], sight) if first is None else first
    if function == "when":
        met = worked_out(args[0], sight)
        return None if met is None else worked_out(args[1 if met else 2], sight)
    several = [worked_out(arg, sight) for arg in args]
    if None in several:
        return None
    match function:
        case "min":
            return min(several)
        case "max":
            return max(several)
        case "abs":
            return abs(several[0])
        case "days":
            return Fraction((several[1] - several[0]).days)
        case "months":
            return Fraction(months_between(several[0], several[1]))
    raise ValueError(function)


def months_between(start: date, end: date) -> int:
    return whole_months(start, end) if start <= end else -whole_months(end, start)
