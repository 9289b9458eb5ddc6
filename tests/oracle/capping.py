"""Caps, carried excess, plan caps and budgets, in that order (14, 25 j to l)."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import Any, NamedTuple

from tests.oracle.amounts import prorated
from tests.oracle.book import (
    CALENDAR,
    Book,
    Component,
    Group,
    Line,
    component_in,
    measure_of,
    node_of,
    value_read,
    year_long,
)
from tests.oracle.case import Case, Posted
from tests.oracle.lines import LATEST, length_of, order_of_last, rank_of, restarts, way_of, ways_in_turn
from tests.oracle.rating import unmet
from tests.oracle.reading import last_day, minor, percent, period_of, rounded_to_minor


def cap_component(case: Case, groups: list[Group], book: Book) -> None:
    """`cap`, then `caps` in order, then gates with a cap: each on what the one before left."""
    most = max((len(line.component.get("gates", ())) for group in groups for line in group.lines), default=0)
    taken: list[dict[int, int]] = []
    stages = 1 + max((len(line.component.get("caps", ())) for group in groups for line in group.lines), default=0)
    for stage in range(stages):
        lines = counting(groups)
        before = {id(line): line.earned for line in lines}
        apply(case, book, groups, [(line, cap_at(line, stage)) for line in lines])
        taken.append({id(line): before[id(line)] - line.earned for line in lines})
    for place in range(most):
        apply(case, book, groups, [(line, gate_cap(case, book, line, place)) for line in counting(groups)])
    for stage in range(stages):
        carry(case, book, groups, stage, taken[stage])


def counting(groups: list[Group]) -> list[Line]:
    """Lines that caps look at, in their order."""
    kinds = ("credit", "period", "opening")
    lines = [line for group in groups for line in group.lines if line.kind in kinds and not line.waiting]
    return sorted(lines, key=lambda line: (line.kind != "opening", () if line.kind == "opening" else line.rank))


def cap_at(line: Line, stage: int) -> dict[str, Any] | None:
    if stage == 0:
        found: dict[str, Any] | None = line.component.get("cap")
        return found
    caps = line.component.get("caps", ())
    return caps[stage - 1] if stage <= len(caps) else None


def gate_cap(case: Case, book: Book, line: Line, place: int) -> dict[str, Any] | None:
    gates = line.component.get("gates", ())
    if place >= len(gates) or not any(
        gate["key"] == gates[place]["key"] and gate["effect"] == "cap" for gate in unmet(case, book, line)
    ):
        return None
    return {"amount": gates[place]["effect"]["cap"], "per": "measure_period", "excess": "lost", "gate": True}


def apply(case: Case, book: Book, groups: list[Group], capped: list[tuple[Line, dict[str, Any] | None]]) -> None:
    group_of = {id(line): group for group in groups for line in group.lines}
    sums: dict[Any, int] = defaultdict(int)
    for line, cap in capped:
        group = group_of[id(line)]
        stretch = line.version if restarts(group) else -1
        year = period_of(line.day, case.periods["year"])
        deal = (
            None if line.fact is None else (line.fact.belongs_to if line.fact.belongs_to is not None else -line.fact.id)
        )
        covers = {
            "credit": ("credit", id(line)),
            "deal": ("deal", id(group), deal),
            "measure_period": ("measure_period", id(group)),
            "year": ("year", line.person, year, stretch),
        }
        amount = line.earned
        if cap is not None and line.kind != "opening":
            before = sums[covers[cap["per"]]]
            limit = limit_of(case, book, line, group, cap)
            line.earned = min(limit, before + amount) - min(limit, before)
            if cap["excess"] == "review":
                line.review += amount - line.earned
        for scope in covers.values():
            sums[scope] += amount


def limit_of(case: Case, book: Book, line: Line, group: Group, cap: dict[str, Any]) -> int:
    if "of_incentive" in cap:
        return (
            0
            if line.incentive is None
            else rounded_to_minor(percent(cap["of_incentive"]) * line.incentive, line.document)
        )
    if "of_component" in cap:
        stated = cap["of_component"]
        read = {"component": stated["component"], "value": stated.get("value", "earning")}
        found = value_read(book, read, line)
        return rounded_to_minor(max(Fraction(0), percent(stated["share"]) * (found or 0)), line.document)
    amount = minor(cap["amount"], line.document)
    if cap["per"] not in ("measure_period", "year") or "gate" in cap:
        return amount
    starts = case.periods[length_of(line.component)]
    place = group.period
    if cap["per"] == "year":
        starts = case.periods["year"]
        place = period_of(line.day, starts)
    span = starts[place], starts[place + 1]
    return prorated(case, line.person, line.version, None, restarts(group), "caps", amount, *span, "money")


# ------------------------------------------------------------------ carried excess


def carry(case: Case, book: Book, groups: list[Group], stage: int, taken: dict[int, int]) -> None:
    for person in sorted({group.person for group in groups}):
        own = sorted((group for group in groups if group.person == person), key=lambda group: group.start)
        for way in sorted({way_of(group.lines[0].component) for group in own}):
            alike = [group for group in own if way_of(group.lines[0].component) == way]
            carry_of(case, book, groups, alike, stage, taken)
    # Groups that hold nothing but what is carried stand in their turn too.
    groups.sort(key=lambda group: turn_of(case, group.lines[0]))


def carried_cap(line: Line, stage: int) -> dict[str, Any] | None:
    cap = cap_at(line, stage)
    return cap if cap is not None and cap["excess"] == "carried" else None


def carry_of(case: Case, book: Book, groups: list[Group], own: list[Group], stage: int, taken: dict[int, int]) -> None:
    """The excess of each period is owed, and paid in the following ones as far as the cap has room."""
    with_cap = [line for group in own for line in group.lines if id(line) in taken and carried_cap(line, stage)]
    if not with_cap:
        return
    every = own[0].every
    starts = case.periods[every]
    owed, owing = 0, with_cap[0]
    for period in range(own[0].period, len(starts) - 1):
        year = period_of(starts[period], case.periods["year"])
        new_year = period > 0 and year != period_of(starts[period - 1], case.periods["year"])
        cap = carried_cap(owing, stage)
        assert cap is not None
        if new_year and cap["until"] == "year_end":
            owed = 0
        together = [group for group in own if group.period == period]
        group = together[-1] if together else None
        lines = [line for each in together for line in each.lines if id(line) in taken]
        earned = sum(line.earned for line in lines)
        capped = [line for line in lines if carried_cap(line, stage)]
        excess = sum(taken[id(line)] for line in capped)
        if capped:
            owing = capped[-1]
        if owed > 0:
            pay = room(case, book, owing, group, period, stage, owed, earned)
            if pay > 0:
                owed -= pay
                add_carry(case, groups, group, owing, period, pay)
        owed += max(0, excess)


def room(
    case: Case, book: Book, line: Line, group: Group | None, period: int, stage: int, owed: int, earned: int
) -> int:
    cap = carried_cap(line, stage)
    assert cap is not None
    if "amount" in cap:
        starts = case.periods[length_of(line.component)]
        span = starts[period], starts[period + 1]
        amount = minor(cap["amount"], line.document)
        limit = prorated(case, line.person, line.version, None, False, "caps", amount, *span, "money")
    else:
        assert group is not None
        limit = limit_of(case, book, line, group, cap)
    return max(0, min(owed, limit - earned)) if cap["counts"] else min(owed, limit)


def add_carry(case: Case, groups: list[Group], group: Group | None, like: Line, period: int, pay: int) -> None:
    starts = case.periods[length_of(like.component)]
    day = last_day(starts, period)
    if group is None:
        span = starts[period], starts[period + 1]
        group = Group(like.person, like.plan, like.key, length_of(like.component), period, *span, [], like.version)
        group.value = Fraction(0)
        groups.append(group)
    total = group.value or Fraction(0)
    line = Line(
        case=case,
        person=like.person,
        plan=like.plan,
        version=like.version,
        document=like.document,
        component=like.component,
        kind="carry",
        day=day,
        order=(day, *LATEST),
        period=period_of(day, case.periods[measure_of(like.component)["every"]]),
        unit=like.unit,
        m=Fraction(0),
        before=total,
        after=total,
        rounded=pay,
        earned=pay,
    )
    group.lines.append(line)
    group.version = line.version


# ------------------------------------------------------------------ plan caps and budgets


def cap_plans(case: Case, book: Book) -> None:
    """Over all components of a plan."""
    most = max((len(version.document.get("caps", ())) for version in case.versions), default=0)
    lines = [line for node in book.groups for line in book.lines(node) if line.kind != "reversal" and not line.waiting]
    for place in range(most):
        sums: dict[Any, int] = defaultdict(int)
        turn = {id(line): (line.kind != "opening", line.order, place_of(line), turn_of(case, line)) for line in lines}
        for line in sorted(lines, key=lambda line: turn[id(line)]):
            scopes = {
                every: (line.person, line.plan, every, period_of(line.day, starts))
                for every, starts in case.periods.items()
                if every in CALENDAR
            }
            caps = line.document.get("caps", ())
            cap = caps[place] if place < len(caps) else None
            if cap is not None and line.key not in cap.get("components", [line.key]):
                continue
            amount = line.earned
            fixed = line.component.get("release_rate", "fixed") == "fixed" and line.kind != "opening"
            if cap is not None and fixed:
                starts = case.periods[cap["every"]]
                at = period_of(line.day, starts)
                span = starts[at], starts[at + 1]
                stated = minor(cap["amount"], line.document)
                limit = prorated(case, line.person, line.version, None, False, "plan_caps", stated, *span, "money")
                under(line, limit, cap["excess"], sums[scopes[cap["every"]]])
            for scope in scopes.values():
                sums[scope] += amount


def cap_budgets(case: Case, book: Book) -> None:
    """Over everybody: by measure period, then as the version of the last credit in it says. What batches took stays:
    a line gets no more than leaves each later one what it keeps."""
    for node in book.groups:
        periods: dict[Any, list[Line]] = defaultdict(list)
        for line in book.lines(node):
            periods[case.periods[measure_of(line.component)["every"]][line.period]].append(line)
        ranks = {
            id(line): rank_of(case, line, order_of_last(together)) for together in periods.values() for line in together
        }
        turn = {
            id(line): (line.kind != "opening", ranks[id(line)], line.person, turn_of(case, line))
            for line in book.lines(node)
        }
        lines = [line for line in book.lines(node) if line.kind != "reversal" and not line.waiting]
        lines.sort(key=lambda line: turn[id(line)])
        of_all = [claim_of(case, line) for line in lines]
        so_far = 0
        for place, (line, claim) in enumerate(zip(lines, of_all, strict=True)):
            so_far += claim.amount
            if claim.limit is not None:
                top = highest(claim.limit, of_all[place + 1 :])
                # Before it, the sum may have gone as far as it can come down again, or as what it keeps leaves.
                line.earned = min(top, so_far) - min(claim.limit, top - claim.least, so_far - claim.amount)


class Claim(NamedTuple):
    """What a line would earn, what it earns at least, what it keeps of the budget, and the budget; None: it is not
    cut."""

    amount: int
    least: int
    keeps: int
    limit: int | None


def claim_of(case: Case, line: Line) -> Claim:
    stated, amount = line.component.get("budget"), line.earned
    if stated is None or line.kind == "opening":
        return Claim(amount, amount, 0, None)
    limit = minor(stated["amount"], line.document)
    kept = 0
    if stated["after_posting"] == "keep" and amount > 0:
        kept = max([0, *(min(row.earned, amount) for row in case.posted if is_of(case, row, line))])
    return Claim(amount, min(amount, kept) if amount > 0 else amount, kept, limit)


def highest(limit: int, later: list[Claim]) -> int:
    """How far the sum may go, so that every later line that keeps something finds it below its own limit, though
    each line between takes no more than it must."""
    between = 0
    for claim in later:
        between += claim.least
        if claim.keeps and claim.limit is not None:
            limit = min(limit, claim.limit - between)
    return limit


def is_of(case: Case, row: Posted, line: Line) -> bool:
    """Is this what a batch took of the line?"""
    if (row.person, row.component, row.kind) != (line.person, line.key, line.kind):
        return False
    if case.versions[row.version].document["key"] != line.plan:
        return False
    if line.ordered is None:
        return (row.day, row.rule) == (line.day, length_in_words(line.component))
    credit = line.ordered.credit
    return (row.fact, row.split, row.rule, row.role) == (credit.fact, credit.split, credit.rule, credit.role)


def length_in_words(component: Component) -> str:
    """The length of its periods, or the name of a plan's own."""
    return "year" if year_long(component) else str(measure_of(component)["every"]).split()[0]


def place_of(line: Line) -> int:
    found = component_in(line.document, line.key)
    return int(line.document["components"].index(found))


def turn_of(case: Case, line: Line) -> int:
    """Of carried lines that end together those of the length that was measured by first come first (27)."""
    return ways_in_turn(case, node_of(line.key, line.plan)).index(way_of(line.component))


def under(line: Line, limit: int, excess: str, before: int) -> None:
    amount = line.earned
    line.earned = min(limit, before + amount) - min(limit, before)
    if excess == "review":
        line.review += amount - line.earned
