"""What each pay period pays (34)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from tests.oracle.amounts import prorated
from tests.oracle.book import Book, Line
from tests.oracle.case import Case, SettlementFact
from tests.oracle.fields import version_on
from tests.oracle.reading import Document, each_day, minor, percent, period_of, rounded_to_minor

STEPS = ("releases", "adjustments", "clawbacks", "carried")


@dataclass
class Standing:
    """What a participant and plan go into a pay period with."""

    carried: int = 0
    draw: int = 0
    first_top_up: int | None = None
    topped: dict[int, int] = field(default_factory=dict)
    coming_back: dict[int, int] = field(default_factory=dict)


def settlements_of(case: Case, book: Book) -> list[SettlementFact]:
    plans = sorted({version.document["key"] for version in case.versions if "settlement" in version.document})
    rows: list[SettlementFact] = []
    for person in sorted({held.person for held in case.assignments}):
        own = [plan for plan in plans if any(held.plan == plan and held.person == person for held in case.assignments)]
        for plan in plans:
            rows += settle(case, book, person, plan, given=bool(own) and plan == own[0])
    return sorted(row for row in rows if row.moves)


def settle(case: Case, book: Book, person: int, plan: str, *, given: bool) -> list[SettlementFact]:
    lines = [line for node in book.groups if node[0] == plan for line in book.lines(node) if line.person == person]
    standing = Standing()
    if given:
        for row in case.balances:
            if row.person == person and row.kind == "carried":
                standing.carried += row.amount
            elif row.person == person:
                standing.draw += row.amount
                if standing.draw:
                    # What was owed before was topped up long ago.
                    standing.first_top_up = -len(case.pay_periods)
    rows = []
    periods = len(case.pay_periods) - 1
    for period in range(periods):
        row = settled(case, person, plan, period, lines, standing, given)
        if row is not None:
            rows.append(row)
    return rows


def settled(
    case: Case, person: int, plan: str, period: int, lines: list[Line], standing: Standing, given: bool
) -> SettlementFact | None:
    document = document_for(case, person, plan, period)
    if document is None:
        return None
    start, end = case.pay_periods[period], case.pay_periods[period + 1]
    stated = document.get("settlement")
    amounts = coming_in(case, person, period, lines, given)
    amounts["releases"] += standing.coming_back.pop(period, 0)
    steps = Steps(case, person, document, period, standing, amounts, given)
    if stated is None:
        steps.pay_as_it_comes()
    else:
        for step in stated["order"]:
            steps.take(step)
        steps.close()
    written = steps.write_off(start, end)
    return SettlementFact(
        person=person,
        plan=plan,
        pay_period=period,
        released=amounts["releases"],
        adjusted=amounts["adjustments"],
        clawed_back=amounts["clawbacks"],
        brought_forward=steps.acted.get("carried", 0),
        recovered=steps.acted.get("recovery", 0),
        capped=steps.acted.get("cap", 0),
        held_back=steps.acted.get("holdback", 0),
        topped_up=steps.acted.get("top_up", 0),
        carried_forward=standing.carried,
        payout=steps.payout,
        draw_balance=standing.draw,
        review=steps.review,
        written_off=written,
    )


def document_for(case: Case, person: int, plan: str, period: int) -> Document | None:
    """The version of the last day assigned up to the period's end; before the first such day the next to come."""
    first, end, behind = case.pay_periods[0], case.pay_periods[period + 1], case.pay_periods[-1]
    days = (*reversed(each_day(first, end)), *each_day(end, behind))
    found = next((version for day in days if (version := version_on(case, person, plan, day)) is not None), None)
    return None if found is None else case.versions[found].document


def coming_in(case: Case, person: int, period: int, lines: list[Line], given: bool) -> dict[str, int]:
    amounts = dict.fromkeys(STEPS, 0)
    for line in lines:
        name = "clawbacks" if line.kind == "reversal" else "releases"
        for each in line.tranches:
            if each.release is not None and period_of(each.release, case.pay_periods) == period:
                amounts[name] += each.amount
    for row in case.adjustments if given else ():
        if row.person == person and period_of(row.day, case.pay_periods) == period:
            amounts["adjustments"] += row.amount
    return amounts


class Steps:
    """The net of one pay period as it grows."""

    def __init__(
        self,
        case: Case,
        person: int,
        document: Document,
        period: int,
        standing: Standing,
        amounts: dict[str, int],
        given: bool,
    ) -> None:
        self.case, self.person, self.document, self.period = case, person, document, period
        self.standing, self.amounts, self.given = standing, amounts, given
        self.stated: dict[str, Any] = document.get("settlement", {})
        self.opening = standing.draw
        self.net = self.review = self.payout = self.to_carry = self.retested = 0
        self.acted: dict[str, int] = {}

    def take(self, step: str) -> None:
        match step:
            case "carried":
                amount, self.standing.carried = self.standing.carried, 0
            case "recovery":
                amount = -self.recovered()
                self.standing.draw += amount
            case "cap":
                amount = -self.over_the_cap()
            case "holdback":
                amount = -self.held_back()
            case "top_up":
                amount = self.topped_up()
            case "adjustments":
                amount = self.amounts[step]
                self.retested = self.taken_by_retest(self.stated.get("draw", {}))
                self.net -= self.retested
            case _:
                amount = self.amounts[step]
        self.net += amount
        # What is carried is not gone, and what a retest takes is told with the top-ups.
        self.acted[step] = 0 if step == "cap" and self.to_carry else amount
        if step == "top_up":
            self.acted[step] -= self.retested

    def recovered(self) -> int:
        recovery = self.stated.get("draw", {}).get("recovery")
        first = self.standing.first_top_up
        if recovery is None:
            return 0
        if first is not None and self.period - first - 1 < recovery["after_periods"]:
            return 0
        share = rounded_to_minor(max(0, self.net) * percent(recovery["share"]), self.document)
        keep = minor(recovery["keep"], self.document)
        return min(self.opening, share, max(0, self.net - keep))

    def over_the_cap(self) -> int:
        cap = self.stated["cap"]
        over = max(0, self.net - minor(cap["amount"], self.document))
        if cap["excess"] == "carried":
            self.to_carry += over
        elif cap["excess"] == "review":
            self.review += over
        return over

    def held_back(self) -> int:
        holdback = self.stated["holdback"]
        amount = rounded_to_minor(max(0, self.net) * percent(holdback["share"]), self.document)
        back = self.period + holdback["periods"]
        self.standing.coming_back[back] = self.standing.coming_back.get(back, 0) + amount
        return amount

    def topped_up(self) -> int:
        draw = self.stated["draw"]
        start, end = self.case.pay_periods[self.period], self.case.pay_periods[self.period + 1]
        on_plan = any(
            version_on(self.case, self.person, self.document["key"], day) is not None for day in each_day(start, end)
        )
        amount = 0
        if on_plan and date.fromisoformat(draw["from"]) <= start < date.fromisoformat(draw["to"]):
            amount = minor(draw["amount"], self.document)
            version = next(place for place, each in enumerate(self.case.versions) if each.document is self.document)
            if "draw" in self.document.get("proration", {"of": ()})["of"]:
                amount = prorated(self.case, self.person, version, None, False, "draw", amount, start, end, "money")
            if draw["style"] == "top_up":
                tested = sum(self.acted.get(step, 0) for step in draw["test"])
                tested -= self.retested if "adjustments" in draw["test"] else 0
                amount = max(0, amount - tested)
        if amount and self.standing.first_top_up is None:
            self.standing.first_top_up = self.period
        self.standing.topped[self.period] = amount
        if draw["kind"] == "recoverable":
            self.standing.draw += amount
        return amount

    def taken_by_retest(self, draw: dict[str, Any]) -> int:
        """What adjustments of earlier periods take back of those periods' top-ups."""
        if not draw.get("retest"):
            return 0
        of: dict[int, int] = {}
        for row in self.case.adjustments if self.given else ():
            if (
                row.person == self.person
                and row.origin is not None
                and period_of(row.day, self.case.pay_periods) == self.period
            ):
                origin = period_of(row.origin, self.case.pay_periods)
                of[origin] = of.get(origin, 0) + row.amount
        taken = 0
        for origin, amount in of.items():
            back = min(max(0, amount), self.standing.topped.get(origin, 0))
            self.standing.topped[origin] = self.standing.topped.get(origin, 0) - back
            taken += back
        return taken

    def close(self) -> None:
        least = self.stated.get("minimum")
        carried = self.to_carry
        if (self.net < 0 and self.stated["negative"] == "carried") or (
            least is not None and 0 < self.net < minor(least["amount"], self.document)
        ):
            carried += self.net
        else:
            self.payout = self.net
        self.standing.carried += carried

    def pay_as_it_comes(self) -> None:
        self.payout = sum(self.amounts.values())

    def write_off(self, start: date, end: date) -> int:
        """What of the draw is written off in the pay period of the last day employed."""
        draw = self.stated.get("draw", {})
        ends = [span.end for span in self.case.spans if span.person == self.person and not span.leave]
        if draw.get("on_leaving") != "written_off" or not ends or any(each is None for each in ends):
            return 0
        last = max(each for each in ends if each is not None) - timedelta(days=1)
        if not start <= last < end:
            return 0
        written, self.standing.draw = self.standing.draw, 0
        return written
