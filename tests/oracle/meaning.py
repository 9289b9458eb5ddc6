"""What a case means: one loop a row, `Fraction` throughout, no cleverness.

The numbers in comments and docstrings here and beside are those of the list "What each construct means" in
docs/plan-language.md. The order: credits; components in reading order, each measured, rated, capped, released; plan
caps and budgets; reversals; currencies of pay; what pay periods pay; schedules.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from fractions import Fraction

from tests.oracle.book import Book, Group, Line, Tranche, reading_order
from tests.oracle.capping import cap_budgets, cap_component, cap_plans
from tests.oracle.case import (
    Case,
    Facts,
    GroupFact,
    GroupKey,
    LineFact,
    ScheduleFact,
    TrancheFact,
)
from tests.oracle.clawback import take_back
from tests.oracle.crediting import credits_of
from tests.oracle.fields import Sight
from tests.oracle.lines import for_show
from tests.oracle.own_periods import with_own_periods
from tests.oracle.rating import work_out
from tests.oracle.reading import MILLION, months_later, period_of, rounded_to_minor
from tests.oracle.releasing import exchange, tranches_of
from tests.oracle.settling import settlements_of


def meaning(case: Case) -> Facts:
    """Everything that the case means. Money in whole minor units; the order of the case's rows changes nothing."""
    case = with_own_periods(case)
    credits, waits = credits_of(case)
    book = Book()
    for node in reading_order(case):
        groups = work_out(case, credits, node, book)
        cap_component(case, groups, book)
        book.groups[node] = groups
        release(case, groups)
    cap_plans(case, book)
    cap_budgets(case, book)
    every = [group for groups in book.groups.values() for group in groups]
    release(case, every)
    reverse(case, every)
    lines = [line for group in every for line in group.lines]
    for line in sorted(lines, key=lambda line: line.origin is not None):
        for tranche in line.tranches:
            exchange(case, line, tranche)
    settlements, draws = settlements_of(case, book)
    facts = Facts(sorted(row.credit for row in credits), [], [], [], sorted(set(waits)), settlements, [], draws)
    for group in every:
        tell(case, group, facts)
    facts.groups.sort(key=lambda group: group.key)
    facts.lines.sort(key=lambda line: (line.group, line.position))
    facts.tranches.sort(key=lambda tranche: (tranche.group, tranche.position, tranche.place, tranche.part))
    facts.schedules.sort()
    return facts


def release(case: Case, groups: list[Group]) -> None:
    for group in groups:
        for line in group.lines:
            line.tranches = tranches_of(case, line, group.lines)


def reverse(case: Case, groups: list[Group]) -> None:
    """What reversals take back of lines whose earnings are now known (30)."""
    of: dict[int, list[Line]] = defaultdict(list)
    for group in groups:
        for line in group.lines:
            if line.origin is not None:
                of[id(line.origin)].append(line)
    for reversals in of.values():
        reversals.sort(key=lambda line: line.order)
        origin = reversals[0].origin
        assert origin is not None
        take_back(case, origin, reversals)
        for reversal in reversals:
            reversal.tranches = tranches_of(case, reversal, [])


# ------------------------------------------------------------------ telling it


def tell(case: Case, group: Group, facts: Facts) -> None:
    last = group.lines[-1]
    key = GroupKey(group.person, group.plan, group.component, group.every, group.period, last.version)
    money = last.unit == "money"
    ratio = last.unit in ("share", "days") or (group.value is not None and shown(group.value, money) is None)
    facts.groups.append(
        GroupFact(
            key=key,
            quota=shown(group.quota, money),
            incentive=shown(group.incentive, True),
            total=None if ratio else shown(group.value or Fraction(0), money),
            value=group.value if ratio else None,
            result=group.result,
            lines=len(group.lines),
        )
    )
    for position, line in enumerate(group.lines, start=1):
        facts.lines.append(line_fact(key, position, line))
        facts.tranches.extend(tranche_fact(case, key, position, tranche) for tranche in line.tranches)
        facts.schedules.extend(schedule(case, key, position, line))


def shown(value: Fraction | None, money: bool) -> int | None:
    """Minor units or millionths, None where that is no whole number."""
    if value is None:
        return None
    whole = value if money else value * MILLION
    return int(whole) if whole.denominator == 1 else None


def line_fact(key: GroupKey, position: int, line: Line) -> LineFact:
    return LineFact(
        group=key,
        position=position,
        kind=line.kind,
        day=line.day,
        version=line.version,
        credit=None if line.ordered is None else line.ordered.credit,
        fact=None if line.fact is None else line.fact.id,
        measured=line.measured,
        before=for_show(line.before, line.unit, line.document),
        after=for_show(line.after, line.unit, line.document),
        tiers=line.tiers,
        band=line.band,
        rounded=line.rounded,
        earned=line.earned,
        review=line.review,
        waiting=line.waiting,
        exact=line.exact if line.rated else None,
        left=line.earned,
    )


def tranche_fact(case: Case, key: GroupKey, position: int, tranche: Tranche) -> TrancheFact:
    return TrancheFact(
        group=key,
        position=position,
        place=tranche.place,
        part=tranche.part,
        amount=tranche.amount,
        trigger_day=tranche.trigger,
        release_day=tranche.release,
        pay_period=None if tranche.release is None else period_of(tranche.release, case.pay_periods),
        state=tranche.state,
        paid=tranche.paid if tranche.release is not None else None,
        rate=tranche.rate if tranche.release is not None else None,
    )


def schedule(case: Case, key: GroupKey, position: int, line: Line) -> list[ScheduleFact]:
    """An earned line spread over months; a reversal stands in its own (33)."""
    stated = line.component.get("amortise")
    if stated is None or line.earned == 0 or line.kind == "opening":
        return []
    first = date(line.day.year, line.day.month, 1)
    if line.kind == "reversal":
        return [ScheduleFact(key, position, first, line.earned)]
    months = stated["months"]
    if isinstance(months, str):
        months = Sight(case, line.document, line.fact, line.person, line.day).value(months)
    if months is None or months < 1:
        return []
    if stated["from"] == "next_month":
        first = months_later(first, 1)
    rows, before = [], 0
    for place in range(int(months)):
        so_far = rounded_to_minor(Fraction(line.earned * (place + 1), int(months)), line.document)
        rows.append(ScheduleFact(key, position, months_later(first, place), so_far - before))
        before = so_far
    return rows
