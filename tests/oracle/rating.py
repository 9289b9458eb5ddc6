"""From lines to earnings, component by component: numbers 7 to 14, 18 to 20, 25 and 26."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

from tests.oracle.amounts import bounds_share, incentive_of, quota_of
from tests.oracle.book import (
    Book,
    Component,
    Group,
    Line,
    Node,
    bound_of,
    component_in,
    node_of,
    read_running,
    value_read,
    year_long,
)
from tests.oracle.case import Case
from tests.oracle.crediting import Ordered, overridden
from tests.oracle.curves import (
    NO_VALUE,
    Terms,
    cell_of,
    curve_at,
    earning_at,
    limited,
    pays_nothing,
    proportional,
    tier_at,
    waits_for,
)
from tests.oracle.lines import (
    credit_groups,
    in_a_period,
    length_of,
    period_groups,
    restarts,
)
from tests.oracle.opening import first_after, pays_what_is_due
from tests.oracle.reading import (
    MILLION,
    holding,
    inside,
    last_day,
    minor,
    percent,
    period_of,
    rounded_to_step,
    step_of,
)

#: Lines that no curve rates.
GIVEN = ("reversal", "opening")


def work_out(case: Case, credits: list[Ordered], node: Node, book: Book) -> list[Group]:
    """The groups of a component with their lines rated, rounded and gated, before any cap."""
    groups = credit_groups(case, credits, node) + period_groups(case, credits, node, book)
    for group in groups:
        rate(case, group, book)
    return groups


# ------------------------------------------------------------------ rating a group (25 a to i)


def rate(case: Case, group: Group, book: Book) -> None:
    restart = restarts(group)
    running = Fraction(0)
    for line in group.lines:
        if line.kind != "period":
            line.before = running
            running += 0 if line.counts_for == "pay" else line.m
            line.after = running
        else:
            line.after = line.m
        place = case, line.person, line.version, line.component, line.period
        line.quota = quota_of(*place, line.unit, restart)
        line.incentive = incentive_of(*place, restart)
        line.bounds = bounds_share(*place, restart)
    last = group.lines[-1]
    group.version, group.quota, group.incentive = last.version, last.quota, last.incentive
    if last.kind != "period":
        group.value = running
    for place, line in enumerate(group.lines):
        if line.kind not in GIVEN:
            rate_line(case, group, book, place, line)
    second = by_counterparts(case, group, book)
    round_lines(group)
    if second is not None:
        choose(group, second)
    for line in group.lines:
        if line.kind not in GIVEN:
            only_measured = line.counts_for == "quota"
            line.rounded = 0 if line.waiting or only_measured else at_least_the_minimum(line, line.rounded)
            line.earned = 0 if withheld(case, book, line) else line.rounded
    if last.component["kind"] == "result":
        group.result = last.result


def rate_line(case: Case, group: Group, book: Book, place: int, line: Line) -> None:
    terms = terms_of(case, book, line)
    line.terms = terms
    line.band = band_of(line)
    line.waiting = line.waiting or waits_for(terms)
    gates = unmet(case, book, line)
    if line.waiting:
        return
    if line.counts_for == "quota":
        return
    if line.counts_for == "pay" and not has_a_rate(line.component):
        return
    base = base_earning(case, group, place, line, terms)
    if line.component["kind"] == "result":
        factor = times_of(gates)
        line.result = Fraction(0) if any(gate["effect"] == "withhold" for gate in gates) else base * factor
        return
    line.rated = not pays_nothing(terms)
    line.exact = limited_rate(
        line, with_kickers(line, base * factors(case, book, line, terms), terms) * times_of(gates)
    )


def has_a_rate(component: Component) -> bool:
    """Is there a rate that holds at a running total?"""
    tiers = component.get("tiers")
    return bool(tiers) and tiers["mode"] != "each" and tiers.get("pays", "rate") != "times"


def terms_of(case: Case, book: Book, line: Line) -> Terms:
    plain = any(gate["effect"] == "no_accelerators" for gate in unmet(case, book, line))
    column = column_of(case, book, line)
    return Terms(line.document, line.component, line.quota, line.incentive, line.unit, column, plain, line.bounds)


def column_of(case: Case, book: Book, line: Line) -> int:
    stated = (line.component.get("tiers") or {}).get("columns")
    if stated is None:
        return 0
    found = value_read(book, stated["reads"], line)
    if found is None:
        return 0
    starts = [bound_of(case, stated["reads"], text, line) for text in stated["from"]]
    return holding(starts, found, stated["boundary"])


def base_earning(case: Case, group: Group, place: int, line: Line, terms: Terms) -> Fraction:
    component = line.component
    if pays_nothing(terms):
        return Fraction(0)
    if line.fixed is not None:
        return line.fixed
    if component["kind"] == "scorecard":
        assert line.incentive is not None
        return line.m * line.incentive
    if component.get("table"):
        return by_table(line)
    if component["kind"] == "bonus" and component["bonus"]["per"] == "credit":
        return bonus_of_credit(line)
    if component["kind"] == "commission":
        line.tiers = tiers_shown(group, place, line, terms)
        if component["tiers"]["mode"] == "each":
            return earning_at(terms, line.m)
        if line.counts_for == "pay":
            line.tiers = (tier_at(terms, line.before),) * 2
            return proportional(terms, line.m, line.before)
        if component["tiers"].get("attribution") == "proportional" and line.kind != "period":
            own = limited(terms, line.after) - limited(terms, line.before)
            return proportional(terms, own, total_to(group, line))
    if line.kind == "period":
        return earning_at(terms, line.m)
    before = earned_before(group, place, line, terms)
    opening = first_after(group.lines, place)
    if opening is not None and pays_what_is_due(component):
        before -= due_before(group, place, line, terms, opening.m) - opening.earned
    return earning_at(terms, line.after) - before


def tiers_shown(group: Group, place: int, line: Line, terms: Terms) -> tuple[int | None, int | None]:
    """The tiers that hold the running total before and after, where the line is paid by tiers."""
    if line.component["kind"] != "commission" or not line.component.get("tiers"):
        return None, None
    if line.waiting or waits_for(terms) or pays_nothing(terms):
        return None, None
    if line.component["tiers"]["mode"] == "each":
        return tier_at(terms, Fraction(0)), tier_at(terms, line.m)
    alone = line.component["tiers"].get("attribution") == "proportional" or not place
    before = terms if alone else terms_before(group, place, line, terms)
    held = None if waits_for(before) or pays_nothing(before) else tier_at(before, line.before)
    return held, tier_at(terms, line.after)


def terms_before(group: Group, place: int, line: Line, terms: Terms) -> Terms:
    """What the curve before the line goes by: of a year to date the quota and incentive of the line before."""
    if not year_long(line.component):
        return terms
    previous = group.lines[place - 1]
    return replace(terms, quota=previous.quota, incentive=previous.incentive, bounds=previous.bounds)


def total_to(group: Group, line: Line) -> Fraction:
    """The group's total, of a year to date that at the end of the line's own period."""
    return [each.after for each in group.lines if each.period <= line.period][-1]


def earned_before(group: Group, place: int, line: Line, terms: Terms) -> Fraction:
    """What the curve gives before the line: for a year to date with the quota and incentive of the line before."""
    if place == 0:
        reached = line.component["kind"] == "bonus" and not terms.quota
        if line.component["kind"] == "incentive" or year_long(line.component) or reached:
            return Fraction(0)
    return due_before(group, place, line, terms, line.before)


def due_before(group: Group, place: int, line: Line, terms: Terms, total: Fraction) -> Fraction:
    """What the curve before the line gives of a total."""
    if year_long(line.component):
        # Nothing was earned where that curve waits, or is not paid.
        terms = terms_before(group, place, line, terms)
        if waits_for(terms) or pays_nothing(terms):
            return Fraction(0)
    return earning_at(terms, total)


def by_table(line: Line) -> Fraction:
    cell = cell_of(line.component["table"], line.sight)
    if cell is None:
        return Fraction(0)
    if line.component["table"]["pays"] == "rate":
        return percent(cell) * line.m
    return Fraction(minor(cell, line.document) * sign(line.m))


def bonus_of_credit(line: Line) -> Fraction:
    assert line.ordered is not None
    stated = line.component["bonus"]
    least = stated.get("min_deal")
    if least is not None and abs(line.ordered.whole) < size_of(line, least):
        return Fraction(0)
    return Fraction(minor(stated["amount"], line.document) * credit_sign(line))


def credit_sign(line: Line) -> int:
    return sign(Fraction(line.amount))


def sign(amount: Fraction) -> int:
    return (amount > 0) - (amount < 0)


# ------------------------------------------------------------------ factors, kickers, limits (11, 18, 25)


def factors(case: Case, book: Book, line: Line, terms: Terms) -> Fraction:
    """The accelerator's factor, times those of the modifiers, multiplied or added."""
    stated = line.component.get("modifiers", {"combine": "multiply", "each": []})
    several = [calmed(terms, modifier_factor(case, book, line, modifier)) for modifier in stated["each"]]
    if stated["combine"] == "add":
        together = 1 + sum((factor - 1 for factor in several), Fraction(0))
    else:
        together = Fraction(1)
        for factor in several:
            together *= factor
    return calmed(terms, accelerator(line)) * together


def calmed(terms: Terms, factor: Fraction) -> Fraction:
    return min(factor, Fraction(1)) if terms.plain else factor


def accelerator(line: Line) -> Fraction:
    if line.band is None:
        return Fraction(1)
    return Fraction(line.component["accelerator"]["bands"][line.band]["times"])


def band_of(line: Line) -> int | None:
    """The band that holds the size of the deal (11)."""
    stated = line.component.get("accelerator")
    if stated is None or line.ordered is None:
        return None
    starts = [size_of(line, band["from"]) for band in stated["bands"]]
    return holding(starts, abs(line.ordered.whole), stated["boundary"])


def size_of(line: Line, text: str) -> int:
    """The size of a fact as text: an amount, or a quantity in millionths."""
    assert line.ordered is not None
    return minor(text, line.document) if line.ordered.unit == "money" else int(Fraction(text) * MILLION)


def modifier_factor(case: Case, book: Book, line: Line, modifier: dict[str, Any]) -> Fraction:
    if "when" in modifier:
        return Fraction(modifier["times"]) if line.sight.holds(modifier["when"]) else Fraction(1)
    if "table" in modifier:
        cell = cell_of(modifier["table"], line.sight)
        return Fraction(1) if cell is None else Fraction(cell)
    found = value_read(book, modifier["reads"], line)
    if found is None:
        return Fraction(1)
    return curve_at(
        modifier,
        found,
        lambda text: bound_of(case, modifier["reads"], text, line),
        lambda point: Fraction(point["times"]),
    )


def with_kickers(line: Line, earning: Fraction, terms: Terms) -> Fraction:
    for kicker in line.component.get("kickers", ()):
        if terms.plain or pays_nothing(terms) or not line.sight.holds(kicker["when"]):
            continue
        if "rate" in kicker:
            earning += percent(kicker["rate"]) * line.m
        else:
            earning += minor(kicker["amount"], line.document) * credit_sign(line)
    return earning


def limited_rate(line: Line, earning: Fraction) -> Fraction:
    limit = line.component.get("limits", {}).get("rate")
    if limit is None or line.m == 0:
        return earning
    bound = percent(limit) * line.m
    return min(earning, bound) if line.m > 0 else max(earning, bound)


# ------------------------------------------------------------------ gates (19)


def unmet(case: Case, book: Book, line: Line) -> list[dict[str, Any]]:
    """The gates that are not met and act on the earning, their effect in one word."""
    found = []
    for gate in line.component.get("gates", ()):
        if gate["read_at"] == "running" and gate["catch_up"]:
            continue
        read = read_running if gate["read_at"] == "running" else value_read
        value = read(book, gate["reads"], line)
        if value is None or value < bound_of(case, gate["reads"], gate["at_least"], line):
            effect = gate["effect"]
            found.append(
                gate | ({"effect": effect} if isinstance(effect, str) else {"effect": next(iter(effect)), **effect})
            )
    return found


def times_of(gates: list[dict[str, Any]]) -> Fraction:
    factor = Fraction(1)
    for gate in gates:
        if gate["effect"] == "times":
            factor *= Fraction(gate["times"])
    return factor


def withheld(case: Case, book: Book, line: Line) -> bool:
    """Does a gate withhold the earning? Also sets what gates do to the release (19)."""
    for gate in line.component.get("gates", ()):
        if gate["read_at"] == "final" and gate["until_known"] == "withhold":
            end = end_of_read(case, gate, line)
            if end is not None:
                later(line, end)
        if gate["read_at"] == "running" and gate["catch_up"]:
            catch_up(case, book, gate, line)
    return any(gate["effect"] == "withhold" for gate in unmet(case, book, line))


def later(line: Line, day: date) -> None:
    line.not_before = day if line.not_before is None else max(day, line.not_before)


def end_of_read(case: Case, gate: dict[str, Any], line: Line) -> date | None:
    """The last day of the read component's period that holds the line's day; None between those of a plan's own."""
    plan, key = node_of(gate["reads"]["component"], line.plan)
    found = []
    for version in case.versions:
        component = component_in(version.document, key)
        if version.document["key"] == plan and component is not None and in_a_period(case, component, line.day):
            starts, every = case.periods[length_of(component)], length_of(component)
            place = period_of(line.day, starts)
            found.append(Group(line.person, plan, key, every, place, starts[place], starts[place + 1], []))
    if not found:
        return None
    first = min(found, key=lambda group: group.length)
    return last_day(case.periods[first.every], first.period)


def catch_up(case: Case, book: Book, gate: dict[str, Any], line: Line) -> None:
    bound = bound_of(case, gate["reads"], gate["at_least"], line)
    if bound <= 0:
        return
    groups = book.stretches(node_of(gate["reads"]["component"], line.plan), line.person, line.day)
    for each in sorted((line for group in groups for line in group.lines), key=lambda each: each.order):
        reached = each.after
        if gate["reads"]["value"] == "attainment":
            if not each.quota:
                continue
            reached = reached / each.quota
        if reached >= bound:
            later(line, each.day)
            return
    line.withheld = True


# ------------------------------------------------------------------ a counterpart's terms (25 h)


def by_counterparts(case: Case, group: Group, book: Book) -> Group | None:
    """The group as other terms rate it, rounded; lines without such terms stand as they are rated. What waits by either
    rating waits."""
    if not any("counterpart" in line.component for line in group.lines):
        return None
    copies = [replace(line, tranches=[]) for line in group.lines]
    second = replace(group, lines=copies)
    for place, copy in enumerate(copies):
        if copy.kind in GIVEN or not rated_again(case, copy):
            continue
        share = percent(copy.component["counterpart"]["share"])
        copy.component, copy.terms_document = terms_of_counterpart(case, copy)
        own, copy.exact = group.lines[place], Fraction(0)
        copy.waiting = own.waiting if own.waiting == NO_VALUE else 0
        rate_line(case, second, book, place, copy)
        copy.exact *= share
        if copy.waiting:
            own.tiers, own.rated = (None, None), False
        own.waiting = copy.waiting = copy.waiting or own.waiting
    round_lines(second)
    return second


def rated_again(case: Case, line: Line) -> bool:
    return "counterpart" in line.component and terms_of_counterpart(case, line) is not None


def terms_of_counterpart(case: Case, line: Line) -> Any:
    """The line's component with what pays and shapes taken from another, and the document of that one; None where it is
    in no version of the day."""
    plan, key = node_of(line.component["counterpart"]["terms"], line.plan)
    version: int | None = line.version
    if plan != line.plan:
        in_force = [
            place
            for place, each in enumerate(case.versions)
            if each.document["key"] == plan and inside(line.day, each.start, each.end)
        ]
        version = in_force[0] if in_force else None
    found = None if version is None else component_in(case.versions[version].document, key)
    if version is None or found is None:
        return None
    if plan == line.plan:
        found = overridden(case, version, found, line.person, line.day)
    own = {name: value for name, value in line.component.items() if name in ("key", "credits", "reads", "measure")}
    gates = [
        gate
        for gate in line.component.get("gates", ())
        if gate["effect"] == "no_accelerators" or "times" in gate["effect"]
    ]
    taken_over = {name: value for name, value in found.items() if name not in (*own, "gates", "counterpart")}
    return own | taken_over | {"gates": gates}, case.versions[version].document


def choose(group: Group, second: Group) -> None:
    """Sets each rounded line to the larger or the smaller of the two, or to what the larger or smaller sum adds."""
    sums = [0, 0]
    for line, other in zip(group.lines, second.lines, strict=True):
        if line.kind in GIVEN or line.waiting:
            continue
        before = list(sums)
        sums = [sums[0] + line.rounded, sums[1] + other.rounded]
        stated = line.component.get("counterpart")
        if stated is None:
            continue
        best = max if stated["pays"] == "larger" else min
        if stated["per"] == "measure_period":
            line.rounded = best(sums) - best(before)
        else:
            best = {max: min, min: max}[best] if line.m < 0 else best
            line.rounded = best(line.rounded, other.rounded)


# ------------------------------------------------------------------ rounding (12, 25 g and h)


def round_lines(group: Group) -> None:
    before = Fraction(0)
    lines = [line for line in group.lines if line.kind not in GIVEN and not line.waiting]
    for line in lines:
        after = before + line.exact
        match line.document["rounding"]["at"]:
            case "line":
                line.rounded = to_step(line, line.exact)
            case "curve":
                line.rounded = to_step(line, after) - to_step(line, before)
        before = after
    for version in {line.version for line in lines}:
        together = [line for line in lines if line.version == version]
        if together[0].document["rounding"]["at"] == "total":
            round_total(together)


def to_step(line: Line, exact: Fraction) -> int:
    return rounded_to_step(exact, line.document)


def round_total(lines: list[Line]) -> None:
    """The sum is rounded; lines are cut below to the step, and what is left goes to the largest remainders."""
    step = step_of(lines[-1].document)
    whole = to_step(lines[-1], sum((line.exact for line in lines), Fraction(0)))
    cut = [line.exact // step * step for line in lines]
    left = (whole - sum(cut)) // step
    by_remainder = sorted(range(len(lines)), key=lambda place: (cut[place] - lines[place].exact, place))
    for place, line in enumerate(lines):
        line.rounded = cut[place] + (step if place in by_remainder[:left] else 0)


def at_least_the_minimum(line: Line, amount: int) -> int:
    stated = line.component.get("minimum")
    if stated is None or line.m == 0:
        return amount
    least = minor(stated["amount"], line.document)
    return max(amount, least) if line.m > 0 else min(amount, -least)
