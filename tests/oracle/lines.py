"""Lines by credit and by period, in their groups: numbers 5, 6, 17, 22 to 24 and 27."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

from tests.oracle.book import (
    Book,
    Component,
    Group,
    Line,
    Node,
    by_period,
    component_in,
    measure_of,
    natural,
    node_of,
    unit_of_component,
    year_long,
)
from tests.oracle.case import Case
from tests.oracle.clawback import corrected, reversals_of
from tests.oracle.crediting import Ordered, credit_counts_for, overridden
from tests.oracle.curves import (
    NO_VALUE,
)
from tests.oracle.fields import Sight, attribute, version_on
from tests.oracle.measuring import (
    earnings_read,
    measure_amount,
    opened_before,
    order_key,
    rows_of,
    taken,
    value_of,
    window_of,
)
from tests.oracle.opening import opening_lines, opens, stands_for
from tests.oracle.reading import (
    MILLION,
    Document,
    divided,
    each_day,
    inside,
    last_day,
    minor,
    percent,
    period_of,
    rounded_to_minor,
)

#: What comes after every credit of its day.
LATEST = (datetime.max.replace(tzinfo=UTC), "", "", 0, 0)


def credit_groups(case: Case, credits: list[Ordered], node: Node) -> list[Group]:
    plan, key = node
    rows: dict[tuple[int, str, int, str], list[Line]] = defaultdict(list)
    for row in credits:
        document = case.versions[row.credit.version].document
        component = component_in(document, key)
        if document["key"] != plan or component is None or by_period(component):
            continue
        line = line_of_credit(case, row, document, component)
        if line is None:
            continue
        if stands_for(case, node, line.person, component, line.day):
            continue
        for each in (line, *reversals_of(case, line)):
            place = length_of(component), group_period(case, component, each.day)
            rows[(each.person, *place, way_of(component))].append(each)
    for line in opening_lines(case, node):
        place = length_of(line.component), group_period(case, line.component, line.day)
        rows[(line.person, *place, way_of(line.component))].append(line)
    groups = []
    turn = ways_in_turn(case, node)
    for (person, every, period, _), lines in sorted(rows.items(), key=lambda row: (*row[0][:3], turn.index(row[0][3]))):
        lines.sort(key=lambda line: line.order)
        for stretch in stretches(case, lines):
            in_its_order(case, stretch)
            starts = case.periods[every]
            span = starts[period], starts[period + 1]
            between = (every, period) in case.between
            groups.append(Group(person, plan, key, every, period, *span, stretch, between=between))
    return groups


def line_of_credit(case: Case, row: Ordered, document: Document, component: Component) -> Line | None:
    credit = row.credit
    sight = Sight(case, document, row.fact, credit.person, credit.day)
    unit = unit_of_component(case, (document["key"], component["key"]))
    if not taken(component, sight, row) or not in_a_period(case, component, credit.day):
        return None
    component = overridden(case, credit.version, component, credit.person, credit.day)
    if not is_eligible(component, sight):
        return None
    line = Line(
        case=case,
        person=credit.person,
        plan=document["key"],
        version=credit.version,
        document=document,
        component=component,
        kind="credit",
        day=credit.day,
        order=row.order,
        period=period_of(credit.day, case.periods[measure_of(component)["every"]]),
        unit=unit,
        m=Fraction(0),
        ordered=row,
        fact=row.fact,
        counts_for=credit_counts_for(case, row),
    )
    line.measured = corrected(case, line, measure_amount(component, sight, row))
    line.amount = corrected(case, line, credit.amount)
    line.m = natural(line.measured, unit)
    return line


def is_eligible(component: Component, sight: Sight) -> bool:
    """Is the person eligible, on the day or as of the one that is stated (3)?"""
    stated = component.get("eligible_on")
    if stated is not None:
        sight = replace(sight, person_day=date.fromisoformat(stated))
    return "eligible" not in component or sight.holds(component["eligible"])


def in_its_order(case: Case, lines: list[Line]) -> None:
    """Sorts the lines of a group as the version of its last credit says (5)."""
    stated = order_of_last(lines)
    for line in lines:
        line.rank = rank_of(case, line, stated)
    lines.sort(key=lambda line: (line.kind != "opening", line.rank))


def order_of_last(lines: list[Line]) -> str:
    credits = [line for line in lines if line.kind == "credit"]
    last = max(credits, key=lambda line: (line.order, line.person), default=None)
    return "credit_date" if last is None else str(last.component.get("order", "credit_date"))


def rank_of(case: Case, line: Line, stated: str) -> tuple[Any, ...]:
    """By measure period, then as stated, then by number 5; reversals behind all credits of their period. By number 5
    alone where no version of the component states an order."""
    if not states_an_order(case, node_of(line.key, line.plan)):
        return (line.order,)
    start = case.periods[measure_of(line.component)["every"]][line.period]
    if stated == "credit_date":
        return (start, 0, 0, line.order)
    if line.kind != "credit":
        return (start, 1, 0, line.order)
    assert line.ordered is not None
    return (start, 0, order_key(line.sight, line.ordered, stated, line.amount), line.order)


def way_of(component: Component) -> str:
    """How it is grouped: years to date over months and over quarters are two, and nothing goes on from one to the other
    (27)."""
    return f"{measure_of(component)['every']} {year_long(component)}"


def ways_in_turn(case: Case, node: Node) -> list[str]:
    """All the ways of a component, each where the first version stands that measures so (27)."""
    plan, key = node
    versions = sorted((each for each in case.versions if each.document["key"] == plan), key=lambda each: each.start)
    found = [component_in(version.document, key) for version in versions]
    return list(dict.fromkeys(way_of(component) for component in found if component is not None))


def states_an_order(case: Case, node: Node) -> bool:
    plan, key = node
    components = [component_in(each.document, key) for each in case.versions if each.document["key"] == plan]
    return any(component is not None and "order" in component for component in components)


def length_of(component: Component) -> str:
    return "year" if year_long(component) else str(measure_of(component)["every"])


def group_period(case: Case, component: Component, day: date) -> int:
    return period_of(day, case.periods[length_of(component)])


def in_a_period(case: Case, component: Component, day: date) -> bool:
    """Not between two periods of the plan's own (17)?"""
    length = length_of(component)
    return not case.between or (length, period_of(day, case.periods[length])) not in case.between


def stretches(case: Case, lines: list[Line]) -> list[list[Line]]:
    """The version of the last credit decides what a new version in mid-period does (27)."""
    last = [line for line in lines if line.kind in ("credit", "opening")] or lines
    document = last[-1].document
    match document["on_new_version"]:
        case "carry":
            return [lines]
        case "rerun":
            for line in lines:
                if line.kind in ("credit", "opening"):
                    rated_by(case, line, last[-1].version)
            return [lines]
    several: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        several[line.version].append(line)
    return sorted(several.values(), key=lambda stretch: case.versions[stretch[0].version].start)


def rated_by(case: Case, line: Line, version: int) -> None:
    document = case.versions[version].document
    component = component_in(document, line.key)
    assert component is not None
    line.version, line.document = version, document
    line.component = overridden(case, version, component, line.person, line.day)


def restarts(group: Group) -> bool:
    """Is the group a stretch of one version?"""
    lines = sorted(group.lines, key=lambda line: line.order)
    last = [line for line in lines if line.kind in ("credit", "opening")] or lines
    kinds = ("credit", "opening", "reversal")
    restarting = last[-1].document["on_new_version"] == "restart" and not by_period(last[-1].component)
    return bool(restarting and last[-1].kind in kinds)


def period_groups(case: Case, credits: list[Ordered], node: Node, book: Book) -> list[Group]:
    plan, key = node
    groups: list[Group] = []
    everybody = sorted({held.person for held in case.assignments})
    for every, starts in case.periods.items():
        for period in range(len(starts) - 1):
            if (every, period) in case.between:
                continue
            found = []
            for person in everybody:
                openings = opens(case, node, person, starts[period], starts[period + 1])
                for opening in openings:
                    if measure_of(opening.component)["every"] == every:
                        span = starts[period], starts[period + 1]
                        groups.append(Group(person, plan, key, every, period, *span, [opening], value=opening.m))
                if openings:
                    continue
                line = line_of_period(case, credits, node, book, person, every, period)
                if line is not None:
                    found.append(line)
            share_pools(case, credits, found)
            share_prizes(found)
            for line in found:
                if line.component["kind"] == "pool" and line.fixed is None and not line.waiting:
                    continue
                span = starts[period], starts[period + 1]
                groups.append(Group(line.person, plan, key, every, period, *span, [line], value=line_value(line)))
    return groups


def line_value(line: Line) -> Fraction | None:
    return None if line.waiting == NO_VALUE else line.m


def line_of_period(
    case: Case, credits: list[Ordered], node: Node, book: Book, person: int, every: str, period: int
) -> Line | None:
    plan, key = node
    starts = case.periods[every]
    days = reversed(each_day(starts[period], starts[period + 1]))
    day = next((day for day in days if version_on(case, person, plan, day) is not None), None)
    if day is None:
        return None
    end = last_day(starts, period)
    version = version_on(case, person, plan, day)
    assert version is not None
    document = case.versions[version].document
    component = component_in(document, key)
    if component is None or not by_period(component) or measure_of(component)["every"] != every:
        return None
    component = overridden(case, version, component, person, day)
    if not is_eligible(component, Sight(case, document, None, person, day)):
        return None
    if component["kind"] == "pool" and day != end:
        return None
    value = value_for(case, credits, book, document, component, person, day, period, end)
    if value == "no line":
        return None
    unit = unit_of_component(case, node)
    line = Line(
        case=case,
        person=person,
        plan=plan,
        version=version,
        document=document,
        component=component,
        kind="period",
        day=end,
        order=(end, *LATEST),
        rank=(starts[period], 0, 0, (end, *LATEST)) if states_an_order(case, node) else ((end, *LATEST),),
        period=period,
        unit=unit,
        m=Fraction(0) if value is None else value,
        waiting=NO_VALUE if value is None else 0,
    )
    line.measured = for_show(line.m, unit, document)
    return line


def for_show(value: Fraction, unit: str, document: Document) -> int:
    """Minor units, or millionths, rounded."""
    return rounded_to_minor(value if unit == "money" else value * MILLION, document)


def value_for(
    case: Case,
    credits: list[Ordered],
    book: Book,
    document: Document,
    component: Component,
    person: int,
    day: date,
    period: int,
    end: date,
) -> Any:
    """The measure's value; None where it waits; "no line" where the window has no row."""
    if component["kind"] == "scorecard":
        return score(book, document, component, person, end)
    if "reads" in component:
        amounts = earnings_read(case, book, document["key"], component, person, day, period)
        return Fraction(sum(amounts)) if amounts else "no line"
    if "credits" not in component:
        first, behind = window_of(case, component, period)
        stands = any(
            inside(row.credit.day, first, behind)
            for row in credits
            if case.versions[row.credit.version].document["key"] == document["key"]
        )
        return Fraction(0) if stands else "no line"
    rows = rows_of(case, credits, document, component, person, day, period)
    added = opened_before(case, document, component, person, day, period)
    if not rows and not added:
        return "no line"
    unit = unit_of_component(case, (document["key"], component["key"]))
    if added:
        found = value_of(case, document, component, rows, unit) if rows else Fraction(0)
        assert found is not None
        return found + sum(added)
    return value_of(case, document, component, rows, unit)


def score(book: Book, document: Document, component: Component, person: int, end: date) -> Any:
    """The weighted results of its parts, clipped (22)."""
    stated = component["scorecard"]
    results = []
    for part in stated["parts"]:
        groups = book.stretches(node_of(part["component"], document["key"]), person, end)
        results.append((percent(part["weight"]), groups[-1].result if groups else None))
    if all(result is None for _, result in results):
        return "no line"
    if stated["missing_part"] == "wait" and any(result is None for _, result in results):
        return None
    whole = sum((weight * (result or 0) for weight, result in results), Fraction(0))
    if stated["at_least"] is not None:
        whole = max(whole, percent(stated["at_least"]))
    if stated["at_most"] is not None:
        whole = min(whole, percent(stated["at_most"]))
    return whole


def share_pools(case: Case, credits: list[Ordered], lines: list[Line]) -> None:
    """What is divided among everybody in it (23)."""
    lines = [line for line in lines if line.component["kind"] == "pool" and not line.waiting]
    pots: dict[Any, list[Line]] = defaultdict(list)
    for line in lines:
        of = measure_of(line.component)["of"] if "credits" in line.component else "company"
        if "reads" in line.component:
            of = "own"
        together: Any = None
        if of in ("team", "pool"):
            together = attribute(case, line.person, of, line.day)
        elif of == "own":
            together = line.person
        pots[(line.version, together)].append(line)
    for together in pots.values():
        divide_pool(case, together)


def divide_pool(case: Case, lines: list[Line]) -> None:
    first = lines[0]
    stated, document = first.component["pool"], first.document
    if "amount" in stated:
        total = minor(stated["amount"], document)
    else:
        total = rounded_to_minor(percent(stated["share"]) * first.m, document)
    shares = {line.person: 1 if stated["divide"] == "equal" else points(case, line) for line in lines}
    if not sum(shares.values()):
        given = dict.fromkeys(shares, 0)
    else:
        given = divided(total, shares)
    for line in lines:
        line.fixed = Fraction(given[line.person])


def points(case: Case, line: Line) -> int:
    starts = case.periods[measure_of(line.component)["every"]]
    span = starts[line.period], starts[line.period + 1]
    for quota in case.quotas:
        if (quota.person, quota.key, quota.start, quota.end) == (line.person, line.component["pool"]["points"], *span):
            return quota.amount
    return 0


def share_prizes(lines: list[Line]) -> None:
    lines = [line for line in lines if line.component["kind"] == "rank" and not line.waiting]
    for line in lines:
        stated = line.component["rank"]
        prizes = [minor(prize, line.document) for prize in stated["prizes"]]
        better = [each for each in lines if (each.m > line.m if stated["order"] == "high" else each.m < line.m)]
        equal = sorted(each.person for each in lines if each.m == line.m)
        places = prizes[len(better) : len(better) + len(equal)]
        if stated["ties"] == "all":
            line.fixed = Fraction(places[0] if places else 0)
        else:
            line.fixed = Fraction(divided(sum(places), dict.fromkeys(equal, 1))[line.person])
