"""What a case means: one loop a row, `Fraction` throughout, no cleverness.

The numbers in the comments are those of the list "What each construct means" in docs/plan-language.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from math import floor
from typing import Any, NamedTuple

from tests.oracle.case import (
    Case,
    CreditFact,
    Deal,
    Facts,
    GroupFact,
    GroupKey,
    LineFact,
    TrancheFact,
    Value,
)

MINOR_DIGITS = {"JPY": 0, "USD": 2, "EUR": 2, "KWD": 3}
FIELD_TYPES = {
    **dict.fromkeys(("stage", "source", "product", "product.series", "account"), "text"),
    **dict.fromkeys(("account.sector", "account.country", "territory", "currency"), "text"),
    **dict.fromkeys(("close_date", "engage_date"), "date"),
    "amount": "money",
}
FIRST_ROLLED_SPLIT = 10_000

Document = dict[str, Any]


class Part(NamedTuple):
    """What one team member gets of a role's pot, before anybody asks who is on the plan."""

    split: int
    person: int
    role: str
    pot: int
    amount: int


class Ordered(NamedTuple):
    """A credit with what orders it (5) and the deal's whole amount as its rule reads it."""

    order: tuple[Any, ...]
    credit: CreditFact
    deal_amount: int


Rated = tuple[Ordered, dict[str, Any], LineFact]

# ------------------------------------------------------------------ reading the text


def percent(text: str) -> Fraction:
    """`12.5%` as 1/8."""
    return Fraction(text.removesuffix("%")) / 100


def unit_of(document: Document) -> int:
    """One whole unit of the plan's currency, in minor units."""
    return int(10 ** MINOR_DIGITS[document["currency"]])


def minor(text: str, document: Document) -> int:
    """Money text as whole minor units of the plan's currency."""
    units = Fraction(text) * unit_of(document)
    assert units.denominator == 1, text
    return units.numerator


def rounded(exact: Fraction, document: Document, *, step: int) -> int:
    """The nearest multiple of `step`; on a tie to the even multiple, or away from zero."""
    steps = abs(exact) / step
    whole = floor(steps)
    rest = steps - whole
    tie_up = whole % 2 == 1 if document["rounding"]["mode"] == "half-even" else True
    if rest > Fraction(1, 2) or (rest == Fraction(1, 2) and tie_up):
        whole += 1
    return whole * step if exact >= 0 else -whole * step


def rounded_to_minor(exact: Fraction, document: Document) -> int:
    return rounded(exact, document, step=1)


def rounded_to_step(exact: Fraction, document: Document) -> int:
    return rounded(exact, document, step=1 if document["rounding"]["step"] == "minor" else unit_of(document))


def inside(day: date, start: date, end: date | None) -> bool:
    return start <= day and (end is None or day < end)


def period_of(day: date, starts: tuple[date, ...]) -> int:
    for index in range(len(starts) - 1):
        if starts[index] <= day < starts[index + 1]:
            return index
    raise ValueError(f"{day} is outside the calendar {starts[0]} to {starts[-1]}")


# ------------------------------------------------------------------ conditions


def holds(condition: dict[str, Any], deal: Deal, document: Document) -> bool:
    if "all" in condition:
        return all(holds(part, deal, document) for part in condition["all"])
    if "any" in condition:
        return any(holds(part, deal, document) for part in condition["any"])
    if "none" in condition:
        return not any(holds(part, deal, document) for part in condition["none"])
    return leaf_holds(condition, deal, document)


def leaf_holds(leaf: dict[str, Any], deal: Deal, document: Document) -> bool:
    found: Any = deal.fields.get(leaf["field"])
    op = leaf["op"]
    if op == "is_missing":
        return found is None
    if op == "is_present":
        return found is not None
    if found is None:
        return False
    kind = FIELD_TYPES.get(leaf["field"]) or document["fields"][leaf["field"]]
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


def typed(value: Any, kind: str, document: Document) -> Value:
    match kind:
        case "number":
            return Fraction(value)
        case "money":
            return minor(value, document)
        case "date":
            return date.fromisoformat(value)
        case _:
            return bool(value) if kind == "boolean" else str(value)


# ------------------------------------------------------------------ credits (1 to 4)


def parts_of(rule: dict[str, Any], deal: Deal, amount: int, document: Document) -> list[Part]:
    """Every role's pot, divided between everybody who stands in that role (2)."""
    parts = []
    for entry in rule["credit"]:
        team = [(place, member) for place, member in enumerate(deal.team) if member.role == entry["role"]]
        if not team:
            continue
        pot = rounded_to_minor(amount * percent(entry["share"]), document)
        weights = sum(member.weight for _, member in team)
        exact = {place: Fraction(abs(pot) * member.weight, weights) for place, member in team}
        given = {place: floor(part) for place, part in exact.items()}
        left_over = abs(pot) - sum(given.values())
        by_remainder = sorted(exact, key=lambda place: (-(exact[place] - floor(exact[place])), place))
        for place in by_remainder[:left_over]:
            given[place] += 1
        for place, member in team:
            part = given[place] if pot >= 0 else -given[place]
            parts.append(Part(place, member.person, member.role, pot, part))
    return parts


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


def on_plan(case: Case, person: int, version: int, day: date) -> bool:
    """Is the person assigned to the plan on that day, and is this its version in force (3)?"""
    in_force = case.versions[version]
    return inside(day, in_force.start, in_force.end) and any(
        held.person == person and held.plan == in_force.document["key"] and inside(day, held.start, held.end)
        for held in case.assignments
    )


def credits_of(case: Case, version: int) -> Iterator[Ordered]:
    document = case.versions[version].document
    for rule_place, rule in enumerate(document["credit_rules"]):
        for deal in case.deals:
            day, amount = deal.fields.get(rule["credit_date"]), deal.fields.get(rule["amount"])
            if day is None or amount is None or not holds(rule["when"], deal, document):
                continue
            assert isinstance(day, date) and isinstance(amount, int)
            for person, role, split, pot, credited in shares_of(case, rule, deal, day, amount, document):
                if on_plan(case, person, version, day):
                    rolled = split >= FIRST_ROLLED_SPLIT
                    yield Ordered(
                        (day, deal.event_time, deal.source, deal.external_id, split, rule_place),
                        CreditFact(
                            person,
                            version,
                            deal.id,
                            rule["key"],
                            split,
                            role,
                            rule["class"],
                            rolled,
                            day,
                            pot,
                            credited,
                        ),
                        amount,
                    )


def shares_of(
    case: Case, rule: dict[str, Any], deal: Deal, day: date, amount: int, document: Document
) -> Iterator[tuple[int, str, int, int, int]]:
    """Person, role, split number, pot and amount of every share in the deal, direct (2) and rolled up (4)."""
    parts = parts_of(rule, deal, amount, document)
    for part in parts:
        yield part.person, part.role, part.split, part.pot, part.amount
    for place, entry in enumerate(rule["roll_up"]):
        beneath: dict[int, int] = defaultdict(int)
        for part in parts:
            if part.role in entry["from"]:
                for manager in managers_above(case, part.person, day, entry["levels"]):
                    beneath[manager] += part.amount
        limit = abs(rounded_to_minor(amount * percent(entry["limit"]), document))
        for manager, whole in beneath.items():
            yield manager, entry["to"], FIRST_ROLLED_SPLIT + place, whole, max(-limit, min(limit, whole))


# ------------------------------------------------------------------ curves (7 to 10, 13)

WAITS = None


def holding(starts: list[Any], x: Any, boundary: str) -> int:
    """The last band that begins at or below x; `below` gives a value exactly on a bound to the band under it."""
    place = 0
    for index, start in enumerate(starts[1:], start=1):
        if x > start or (x == start and boundary == "above"):
            place = index
    return place


def earning_up_to(component: dict[str, Any], quota: int, x: int) -> Fraction:
    """F(x) of a commission with a positive quota (8, 9)."""
    rates = [percent(tier["rate"]) for tier in component["tiers"]["rates"]]
    starts = [percent(tier["from"]) * quota for tier in component["tiers"]["rates"]]
    if x < 0:
        return rates[0] * x if component["below_zero"] == "lowest_tier" else Fraction(0)
    if component["tiers"]["mode"] == "retroactive":
        return rates[holding(starts, x, component["tiers"]["boundary"])] * x
    earning = Fraction(0)
    for index, rate in enumerate(rates):
        top = min(Fraction(x), starts[index + 1]) if index + 1 < len(starts) else Fraction(x)
        earning += rate * max(Fraction(0), top - starts[index])
    return earning


def commission(component: dict[str, Any], quota: int | None, before: int, after: int, final: int) -> Fraction | None:
    """The base earning of a line; None while it waits for its quota."""
    rates = [percent(tier["rate"]) for tier in component["tiers"]["rates"]]
    own = after - before
    if not quota:
        choice = component["missing_quota"] if quota is None else component["zero_quota"]
        flat = {"wait": WAITS, "no_pay": Fraction(0), "lowest_tier": rates[0], "highest_tier": rates[-1]}[choice]
        return WAITS if flat is None else flat * own
    if component["tiers"].get("attribution") == "proportional":
        if final < 0:
            return rates[0] * own if component["below_zero"] == "lowest_tier" else Fraction(0)
        starts = [percent(tier["from"]) * quota for tier in component["tiers"]["rates"]]
        return rates[holding(starts, final, component["tiers"]["boundary"])] * own
    return earning_up_to(component, quota, after) - earning_up_to(component, quota, before)


def bonus(
    component: dict[str, Any],
    quota: int | None,
    before: int,
    after: int,
    position: int,
    deal_amount: int,
    document: Document,
) -> Fraction | None:
    amount = minor(component["bonus"]["amount"], document)
    if component["bonus"]["per"] == "credit":
        least = component["bonus"].get("min_deal")
        own = after - before
        if least is not None and abs(deal_amount) < minor(least, document):
            return Fraction(0)
        return Fraction(amount if own > 0 else -amount if own < 0 else 0)
    if not quota:
        choice = component["missing_quota"] if quota is None else component["zero_quota"]
        if choice == "wait":
            return WAITS
        return Fraction(amount if choice == "highest_tier" and position == 1 else 0)
    bound = percent(component["bonus"]["at"]) * quota

    def reached(x: int) -> bool:
        return x > bound or (x == bound and component["bonus"]["boundary"] == "above")

    return Fraction(amount * (reached(after) - reached(before)))


def accelerated(component: dict[str, Any], earning: Fraction, deal_amount: int, document: Document) -> Fraction:
    """The earning times the factor of the band that holds the size of the deal (11)."""
    if component.get("accelerator") is None:
        return earning
    bands = component["accelerator"]["bands"]
    starts = [minor(band["from"], document) for band in bands]
    band = holding(starts, abs(deal_amount), component["accelerator"]["boundary"])
    return earning * Fraction(bands[band]["times"])


# ------------------------------------------------------------------ lines (5, 6, 12, 14)


def lines_of(
    case: Case, key: GroupKey, members: list[tuple[Ordered, dict[str, Any]]]
) -> tuple[GroupFact, list[LineFact]]:
    """The lines of one participant, component and measure period; `members` in order, each with its component."""
    starts = case.periods[key.every]
    first, after_last = starts[key.period], starts[key.period + 1]

    def quota_of(component: dict[str, Any]) -> int | None:
        for quota in case.quotas:
            if (quota.person, quota.key, quota.start, quota.end) == (key.person, component["quota"], first, after_last):
                return quota.amount
        return None

    final = sum(ordered.credit.amount for ordered, _ in members)
    lines = []
    before, exact_before, sum_before = 0, Fraction(0), 0
    for position, (ordered, component) in enumerate(members, start=1):
        credit = ordered.credit
        document = case.versions[credit.version].document
        after = before + credit.amount
        quota = quota_of(component)
        if component["kind"] == "commission":
            earning = commission(component, quota, before, after, final)
        else:
            earning = bonus(component, quota, before, after, position, ordered.deal_amount, document)
        waiting = earning is WAITS
        exact = accelerated(component, earning or Fraction(0), ordered.deal_amount, document)
        exact_after = exact_before + exact
        if waiting:
            line = 0
        elif document["rounding"]["at"] == "line":
            line = rounded_to_step(exact, document)
        else:
            line = rounded_to_step(exact_after, document) - rounded_to_step(exact_before, document)

        sum_after = sum_before + line
        earned = under_cap(component, "measure_period", sum_before, sum_after, document)
        lines.append(LineFact(key, position, credit, before, after, line, earned, waiting))
        before, exact_before, sum_before = after, exact_after, sum_after
    last_credit, last_component = members[-1]
    return GroupFact(key, last_credit.credit.version, quota_of(last_component), final, len(lines)), lines


def under_cap(component: dict[str, Any], per: str, before: int, after: int, document: Document) -> int:
    """What remains of a line that moves a sum from `before` to `after`, when the component has a cap on such sums."""
    if component["cap"] is None or component["cap"]["per"] != per:
        return after - before
    cap = minor(component["cap"]["amount"], document)
    return min(cap, after) - min(cap, before)


def capped_per_deal(case: Case, rated: list[Rated]) -> Iterator[Rated]:
    """A deal may have several lines in a measure period: its cap runs through them, in order."""
    sums: dict[tuple[int, str, str, int, int], int] = defaultdict(int)
    for ordered, component, line in sorted(rated, key=lambda row: row[0].order):
        document = case.versions[line.credit.version].document
        key = (line.group.person, line.group.plan, line.group.component, line.group.period, line.credit.deal)
        before, after = sums[key], sums[key] + line.rounded
        if component["cap"] is not None and component["cap"]["per"] == "deal":
            line = line._replace(earned=under_cap(component, "deal", before, after, document))
        sums[key] = after
        yield ordered, component, line


# ------------------------------------------------------------------ release (15)


def tranches_of(case: Case, line: LineFact, component: dict[str, Any], document: Document) -> Iterator[TrancheFact]:
    share = Fraction(0)
    for index, entry in enumerate(component["release"]):
        released_before = rounded_to_step(share * line.earned, document)
        share += percent(entry["share"])
        amount = rounded_to_step(share * line.earned, document) - released_before
        trigger = trigger_of(case, entry, line.credit)
        release = None if trigger is None else max(trigger, line.credit.day)
        pay_period = None if release is None else period_of(release, case.pay_periods)
        yield TrancheFact(line.group, line.position, index, amount, trigger, release, pay_period)


def trigger_of(case: Case, entry: dict[str, Any], credit: CreditFact) -> date | None:
    if entry["on"] == "credit_date":
        return credit.day
    if entry["on"] == "usage":
        days = [
            reading.day
            for reading in case.readings
            if reading.deal == credit.deal
            and reading.contracted > 0
            and Fraction(reading.used, reading.contracted) >= percent(entry["at"])
        ]
    else:
        days = [
            reached.day for reached in case.milestones if (reached.deal, reached.kind) == (credit.deal, entry["on"])
        ]
    return min(days, default=None)


# ------------------------------------------------------------------ all of it


def meaning(case: Case) -> Facts:
    """Everything that the case means. Money in whole minor units; the order of the case's rows changes nothing."""
    credits = [ordered for version in range(len(case.versions)) for ordered in credits_of(case, version)]
    groups: dict[GroupKey, list[tuple[Ordered, dict[str, Any]]]] = defaultdict(list)
    for ordered in sorted(credits, key=lambda ordered: ordered.order):
        credit = ordered.credit
        document = case.versions[credit.version].document
        for component in document["components"]:
            taken = component["credits"]
            if credit.credit_class in taken["classes"] and credit.role in taken["roles"]:
                every = component["measure"]["every"]
                period = period_of(credit.day, case.periods[every])
                key = GroupKey(credit.person, document["key"], component["key"], every, period)
                groups[key].append((ordered, component))

    facts = Facts(sorted(ordered.credit for ordered in credits), [], [], [])
    rated: list[Rated] = []
    for key, members in sorted(groups.items(), key=lambda item: item[0]):
        group, lines = lines_of(case, key, members)
        facts.groups.append(group)
        rated.extend((ordered, component, line) for (ordered, component), line in zip(members, lines, strict=True))
    for _, component, line in capped_per_deal(case, rated):
        facts.lines.append(line)
        facts.tranches.extend(tranches_of(case, line, component, case.versions[line.credit.version].document))
    facts.lines.sort(key=lambda line: (line.group, line.position))
    facts.tranches.sort(key=lambda tranche: (tranche.group, tranche.position, tranche.place))
    return facts
