"""What a period is worth: the values of number 17 by period, and the earnings of others (24)."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from fractions import Fraction
from typing import Any

from tests.oracle.book import Book, Component, Line, measure_of, natural, node_of
from tests.oracle.case import Case
from tests.oracle.crediting import Ordered, credit_counts_for
from tests.oracle.fields import Sight, attribute, managers_above, type_of
from tests.oracle.opening import opening_lines, opens_credit
from tests.oracle.reading import Document, inside, period_of, rounded_to_minor, unit_of

#: More levels than any line of managers has.
ALL_LEVELS = 50


def window_of(case: Case, component: Component, period: int) -> tuple[date, date]:
    measure = measure_of(component)
    starts = case.periods[measure["every"]]
    first = starts[period]
    if measure["window"] == "year_to_date":
        years = case.periods["year"]
        first = years[period_of(starts[period], years)]
    elif measure["window"] == "rolling":
        first = starts[max(0, period - measure["periods"] + 1)]
    return first, starts[period + 1]


def taken(component: Component, sight: Sight, row: Ordered) -> bool:
    """Does the component count this credit?"""
    stated = component.get("credits")
    if stated is None or row.credit.credit_class not in stated["classes"] or row.credit.role not in stated["roles"]:
        return False
    return "when" not in stated or sight.holds(stated["when"])


def rows_of(
    case: Case,
    credits: list[Ordered],
    document: Document,
    component: Component,
    person: int,
    day: date,
    period: int,
) -> list[Ordered]:
    """The credits of the window, of the right people, in order."""
    first, behind = window_of(case, component, period)
    of = measure_of(component)["of"]
    found = []
    for row in credits:
        if not inside(row.credit.day, first, behind) or credit_counts_for(case, row) == "pay":
            continue
        version = case.versions[row.credit.version].document
        match of:
            case "own":
                right = row.credit.person == person and version["key"] == document["key"]
            case "company":
                right = True
            case _:
                mine = attribute(case, person, of, day)
                right = mine is not None and attribute(case, row.credit.person, of, row.credit.day) == mine
        node = document["key"], component["key"]
        if right and opens_credit(case, node, row.credit.person, row.credit.day):
            continue
        if right and taken(component, Sight(case, document, row.fact, row.credit.person, row.credit.day), row):
            found.append(row)
    stated, starts = component.get("order", "credit_date"), case.periods[measure_of(component)["every"]]

    def place(row: Ordered) -> tuple[Any, ...]:
        five = row.order, row.credit.person, case.versions[row.credit.version].document["key"]
        if stated == "credit_date":
            return five
        sight = Sight(case, document, row.fact, row.credit.person, row.credit.day)
        return (period_of(row.credit.day, starts), order_key(sight, row, stated, row.credit.amount), *five)

    return sorted(found, key=place)


def opened_before(
    case: Case, document: Document, component: Component, person: int, day: date, period: int
) -> list[Fraction]:
    """What openings measured in the window, of the right people."""
    first, behind = window_of(case, component, period)
    of, found = measure_of(component)["of"], []
    if measure_of(component)["value"] not in ("sum", "count", "weighted") or "credits" not in component:
        return []
    for line in opening_lines(case, (document["key"], component["key"]), periods=True):
        match of:
            case "own":
                right = line.person == person
            case "company":
                right = True
            case _:
                mine = attribute(case, person, of, day)
                right = mine is not None and attribute(case, line.person, of, line.day) == mine
        if right and inside(line.day, first, behind) and in_some_period(case, component, line.day):
            found.append(line.m)
    return found


def in_some_period(case: Case, component: Component, day: date) -> bool:
    """Not between two of a plan's own?"""
    every = measure_of(component)["every"]
    return (every, period_of(day, case.periods[every])) not in case.between


def order_key(sight: Sight, row: Ordered, stated: str, amount: int) -> Any:
    """What a component with an order of its own goes by first: a date that is missing comes last."""
    match stated:
        case "event_time":
            return row.fact.event_time.timestamp()
        case "largest_first":
            return -amount
    found = sight.value(stated)
    return date.max.toordinal() if found is None else found.toordinal()


def measure_amount(component: Component, sight: Sight, row: Ordered) -> int:
    """A line's m in minor units or millionths (17)."""
    match measure_of(component)["value"]:
        case "count":
            return 10**6 * ((row.credit.amount > 0) - (row.credit.amount < 0))
        case "weighted":
            weight = weight_of(component, sight)
            return 0 if weight is None else rounded_to_minor(row.credit.amount * weight, sight.document)
        case _:
            return row.credit.amount


def weight_of(component: Component, sight: Sight) -> Fraction | None:
    name = measure_of(component).get("weight")
    if name is None:
        return Fraction(1)
    found = sight.value(name)
    if found is not None and type_of(name, sight.document) == "money":
        return Fraction(found, unit_of(sight.document))
    return None if found is None else Fraction(found)


def value_of(case: Case, document: Document, component: Component, rows: list[Ordered], unit: str) -> Fraction | None:
    """The measure's value, exact; None where there is nothing to divide by and the line has to wait."""
    measure = measure_of(component)
    sights = [Sight(case, document, row.fact, row.credit.person, row.credit.day) for row in rows]
    amounts = [natural(row.credit.amount, row.unit) for row in rows]
    if "per" in measure:
        parts: dict[Any, list[Fraction]] = defaultdict(list)
        for row, sight, amount in zip(rows, sights, amounts, strict=True):
            parts[part_of(measure["per"], row, sight)].append(amount)
        each = max if measure["value"] == "high_water" else last_of
        return sum((each(part) for part in parts.values()), Fraction(0))
    match measure["value"]:
        case "sum" | "count" | "weighted":
            whole = sum(measure_amount(component, sight, row) for sight, row in zip(sights, rows, strict=True))
            return natural(whole, unit)
        case "last":
            return amounts[-1]
        case "high_water":
            return max(amounts)
        case "share":
            part = [amount for amount, sight in zip(amounts, sights, strict=True) if sight.holds(measure["part"])]
            return over(component, sum(part, Fraction(0)), sum(amounts, Fraction(0)))
    top = bottom = Fraction(0)
    for amount, sight in zip(amounts, sights, strict=True):
        weight = weight_of(component, sight)
        each = amount if measure["value"] == "average" else days_of(component, sight)
        if weight is not None and each is not None:
            top, bottom = top + each * weight, bottom + weight
    return over(component, top, bottom)


def part_of(per: list[str], row: Ordered, sight: Sight) -> tuple[Any, ...]:
    """What parts a credit from others: its deal, or what its fact says; what is missing is a value of its own."""
    return tuple(row.fact.belongs_to if name == "deal" else sight.value(name) for name in per)


def last_of(amounts: list[Fraction]) -> Fraction:
    return amounts[-1]


def over(component: Component, top: Fraction, bottom: Fraction) -> Fraction | None:
    if bottom == 0:
        return Fraction(0) if measure_of(component)["empty"] == "zero" else None
    return top / bottom


def days_of(component: Component, sight: Sight) -> Fraction | None:
    measure = measure_of(component)
    start, end = sight.value(measure["from"]), sight.value(measure["to"])
    if start is None or end is None:
        return None
    return Fraction((end - start).days - 1 + (measure["first_day"] == "in") + (measure["last_day"] == "in"))


# ------------------------------------------------------------------ the earnings of others (24)


def earnings_read(
    case: Case, book: Book, plan: str, component: Component, person: int, day: date, period: int
) -> list[int]:
    """The amounts of all rows that the component reads in its window."""
    stated = component["reads"]
    first, behind = window_of(case, component, period)
    nodes = {node_of(reference, plan) for reference in stated["components"]}
    rows: list[int] = []
    for node in sorted(nodes):
        for line in book.lines(node):
            if not among(case, stated, person, line, day):
                continue
            if stated["what"] == "earning":
                rows += [line.earned] if inside(line.day, first, behind) else []
            else:
                rows += [
                    part.amount
                    for part in line.tranches
                    if part.release is not None and inside(part.release, first, behind)
                ]
    return rows


def among(case: Case, stated: dict[str, object], person: int, line: Line, day: date) -> bool:
    """Is the line's person one of those named, seen from `person` on `day`?"""
    match stated["of"]:
        case "self":
            return line.person == person
        case "team":
            mine = attribute(case, person, "team", day)
            return mine is not None and attribute(case, line.person, "team", day) == mine
    levels = stated["depth"] if stated["of"] == "reports" else ALL_LEVELS
    assert isinstance(levels, int)
    return line.person != person and person in managers_above(case, line.person, day, levels)
