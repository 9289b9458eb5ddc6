"""What each pay period pays (34)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from tests.oracle.amounts import prorated
from tests.oracle.book import Book, Line
from tests.oracle.case import Case, DrawFact, Rate, SettlementFact
from tests.oracle.fields import exchanged, rate_on, version_on
from tests.oracle.reading import Document, each_day, minor, percent, period_of, rounded_to_minor

STEPS = ("releases", "adjustments", "clawbacks", "carried")
Draw = dict[str, Any]


@dataclass
class Standing:
    """What a participant and plan go into a pay period with. Draws by key."""

    carried: int = 0
    draws: dict[str, int] = field(default_factory=dict)
    first_top_up: dict[str, int] = field(default_factory=dict)
    topped: dict[tuple[int, str], int] = field(default_factory=dict)
    coming_back: dict[int, int] = field(default_factory=dict)
    paid: dict[int, int] = field(default_factory=dict)  # by fiscal year
    owed: int = 0  # of clawbacks
    kept: int = 0  # of adjustments
    waits: bool = False  # for a rate of exchange: nothing is settled from here on


def settlements_of(case: Case, book: Book) -> tuple[list[SettlementFact], list[DrawFact]]:
    """The rows of all pay periods; those of draws where some plan gives them keys."""
    plans = sorted({version.document["key"] for version in case.versions if "settlement" in version.document})
    rows: list[SettlementFact] = []
    draws: list[DrawFact] = []
    for person in sorted({held.person for held in case.assignments}):
        own = [plan for plan in plans if any(held.plan == plan and held.person == person for held in case.assignments)]
        for plan in plans:
            standing = opening(case, person, plan, own)
            settle(case, book, person, plan, bool(own) and plan == own[0], standing, rows, draws)
    keyed = any("draws" in version.document.get("settlement", {}) for version in case.versions)
    return sorted(rows), sorted(draws) if keyed else []


def settle(
    case: Case,
    book: Book,
    person: int,
    plan: str,
    given: bool,
    standing: Standing,
    rows: list[SettlementFact],
    draws: list[DrawFact],
) -> None:
    lines = [line for node in book.groups if node[0] == plan for line in book.lines(node) if line.person == person]
    for period in range(len(case.pay_periods) - 1):
        owed, kept = standing.owed, standing.kept
        steps = settled(case, person, plan, period, lines, standing, given)
        if steps is None:
            continue
        row = steps.told()
        if row.moves or (standing.owed, standing.kept) != (owed, kept):
            rows.append(row)
            draws += steps.draws_told()


def opening(case: Case, person: int, plan: str, own: list[str]) -> Standing:
    """What the person starts from in a plan: in the first of his, but what names a draw in the first that has it."""
    standing = Standing()
    keys = {
        each: {
            draw["key"]
            for version in case.versions
            if version.document["key"] == each
            for draw in draws_of(version.document)
        }
        for each in own
    }
    for row in case.balances:
        name = row.kind.partition(":")[2]
        if row.person != person or plan != next((each for each in own if not name or name in keys[each]), None):
            continue
        match row.kind:
            case "carried":
                standing.carried += row.amount
            case "clawback":
                standing.owed += row.amount
            case _:
                document = document_for(case, person, plan, 0)
                assert document is not None
                unnamed = [draw["key"] for draw in draws_of(document)] or sorted(keys[plan]) or ["draw"]
                key = name or unnamed[0]
                standing.draws[key] = standing.draws.get(key, 0) + row.amount
                if standing.draws[key]:
                    # What was owed before was topped up long ago.
                    standing.first_top_up[key] = -len(case.pay_periods)
    return standing


def draws_of(document: Document) -> list[Draw]:
    stated = document.get("settlement", {})
    return [{"key": "draw"} | stated["draw"]] if "draw" in stated else stated.get("draws", [])


def settled(
    case: Case, person: int, plan: str, period: int, lines: list[Line], standing: Standing, given: bool
) -> Steps | None:
    document = document_for(case, person, plan, period)
    if document is None:
        return None
    if standing.waits or not rated(case, person, document, period):
        standing.waits = standing.waits or moves(case, person, document, period, standing, lines, given)
        return None
    steps = Steps(case, person, document, period, standing, lines, given)
    if "settlement" in document:
        for step in document["settlement"]["order"]:
            steps.take(step)
        steps.close()
        steps.leave()
    else:
        steps.pay_as_it_comes()
    year = steps.year(period)
    standing.paid[year] = standing.paid.get(year, 0) + steps.payout
    return steps


def moves(
    case: Case, person: int, document: Document, period: int, standing: Standing, lines: list[Line], given: bool
) -> bool:
    """Does anything come in, come back or stand in the period, or is a draw paid?"""
    stands = (standing.carried, standing.owed, standing.kept, *standing.draws.values())
    if any(stands) or standing.coming_back.get(period):
        return True
    steps = Steps(case, person, document, period, standing, lines, given)
    return any(steps.amounts.values()) or any(steps.on_time(draw) for draw in steps.draws)


def settles_in(case: Case, person: int, document: Document) -> str:
    """The currency that a plan settles somebody in."""
    plan = [each.document.get("settlement", {}) for each in case.versions if each.document["key"] == document["key"]]
    pays = any(stated.get("settle_in") == "pay" for stated in plan)
    own = document["currency"]
    return dict(case.pay_currency).get(person, own) if pays else own


def rate_of(case: Case, person: int, document: Document, period: int) -> Rate | None:
    """At which amounts that a settlement states are converted."""
    stated, target = document["settlement"].get("amounts_rate"), settles_in(case, person, document)
    day = case.pay_periods[period + 1] - timedelta(days=1) if stated == "period_end" else case.pay_periods[period]
    return rate_on(case, document["currency"], target, "average" if stated == "period_average" else "spot", day)


def rated(case: Case, person: int, document: Document, period: int) -> bool:
    if "settlement" not in document or settles_in(case, person, document) == document["currency"]:
        return True
    return rate_of(case, person, document, period) is not None


def document_for(case: Case, person: int, plan: str, period: int) -> Document | None:
    """The version of the last day assigned up to the period's end; before the first such day the next to come."""
    first, end, behind = case.pay_periods[0], case.pay_periods[period + 1], case.pay_periods[-1]
    days = (*reversed(each_day(first, end)), *each_day(end, behind))
    found = next((version for day in days if (version := version_on(case, person, plan, day)) is not None), None)
    return None if found is None else case.versions[found].document


class Steps:
    """The net of one pay period as it grows."""

    def __init__(
        self,
        case: Case,
        person: int,
        document: Document,
        period: int,
        standing: Standing,
        lines: list[Line],
        given: bool,
    ) -> None:
        self.case, self.person, self.document, self.period = case, person, document, period
        self.standing, self.lines, self.given = standing, lines, given
        self.stated: dict[str, Any] = document.get("settlement", {})
        self.draws = draws_of(document)
        self.pays = settles_in(case, person, document) != document["currency"]
        self.opening = dict(standing.draws)
        self.net = self.review = self.payout = self.to_carry = self.lost = self.forgiven = 0
        self.added: dict[str, int] = {}  # by step, as it acts on the net
        self.recovered: dict[str, int] = {}  # by draw
        self.topped: dict[str, int] = {}
        self.retested: dict[str, int] = {}
        self.written: dict[str, int] = {}
        self.amounts = {
            "releases": self.coming("credit", None) + standing.coming_back.pop(period, 0),
            "clawbacks": self.coming("reversal", None),
            "adjustments": sum(
                row.amount
                for row in (case.adjustments if given else ())
                if row.person == person and period_of(row.day, case.pay_periods) == period
            ),
        }

    def coming(self, kind: str, components: list[str] | None) -> int:
        """What is released in this period, of reversals or of all other lines."""
        return sum(
            (each.paid if self.pays else each.amount)
            for line in self.lines
            if (line.kind == "reversal") == (kind == "reversal") and (components is None or line.key in components)
            for each in line.tranches
            if each.release is not None and period_of(each.release, self.case.pay_periods) == self.period
        )

    def own(self, amount: str | int) -> int:
        """An amount of the settlement, or one in minor units, in the currency that the person is settled in."""
        stated = amount if isinstance(amount, int) else minor(amount, self.document)
        if not self.pays:
            return stated
        rate = rate_of(self.case, self.person, self.document, self.period)
        assert rate is not None
        return exchanged(stated, rate, self.document["rounding"]["mode"])

    def year(self, period: int) -> int:
        return period_of(self.case.pay_periods[period], self.case.periods["year"])

    def take(self, step: str) -> None:
        match step:
            case "carried":
                amount, self.standing.carried = self.standing.carried, 0
            case "recovery":
                amount = -sum(self.recover(draw) for draw in self.draws)
            case "cap":
                amount = self.capped()
            case "holdback":
                amount = -self.held_back()
            case "top_up":
                amount = sum(self.top_up(draw) for draw in self.draws)
            case "adjustments":
                amount = self.adjusted()
                self.retest()
                self.net -= sum(self.retested.values())
            case "clawbacks":
                amount = self.clawed_back()
            case _:
                amount = self.amounts[step]
        if step not in ("recovery", "top_up", "cap"):
            self.net += amount
        self.added[step] = amount

    # ------------------------------------------------------------------ adjustments, clawbacks

    def adjusted(self) -> int:
        amount = self.amounts["adjustments"] + self.standing.kept
        self.standing.kept = 0
        stated = self.stated.get("small_adjustments")
        if stated is None or abs(amount) >= self.own(stated["below"]):
            return amount
        last = self.period + 2 == len(self.case.pay_periods) or self.year(self.period + 1) != self.year(self.period)
        if last or self.is_leaving():
            return amount
        self.standing.kept = amount
        return 0

    def clawed_back(self) -> int:
        due = self.standing.owed - self.amounts["clawbacks"]
        self.standing.owed = 0
        limit = self.stated.get("clawback_limit")
        if limit is None or due <= 0:
            return -due
        share = rounded_to_minor(max(0, self.net) * percent(limit["share"]), self.document)
        taken = max(0, min(due, share, max(0, self.net - self.own(limit["keep"]))))
        if limit["excess"] == "forgiven":
            self.forgiven += due - taken
        else:
            self.standing.owed = due - taken
        if limit.get("on_leaving") == "forgiven" and self.is_leaving():
            self.forgiven += self.standing.owed
            self.standing.owed = 0
        return -taken

    # ------------------------------------------------------------------ draws

    def of_components(self, draw: Draw, steps: list[str]) -> int:
        """What lines of a draw's components have added to the net in some of the steps done."""
        found = 0
        if "releases" in steps and "releases" in self.added:
            found += self.coming("credit", draw["components"])
        if "clawbacks" in steps and "clawbacks" in self.added and "clawback_limit" not in self.stated:
            found += self.coming("reversal", draw["components"])
        return found

    def recover(self, draw: Draw) -> int:
        recovery = draw.get("recovery")
        first = self.standing.first_top_up.get(draw["key"])
        if recovery is None or (first is not None and self.period - first - 1 < recovery["after_periods"]):
            return 0
        base = self.net
        if "components" in draw:
            base = max(0, min(base, self.of_components(draw, ["releases", "clawbacks"])))
        share = rounded_to_minor(max(0, base) * percent(recovery["share"]), self.document)
        keep = self.own(recovery["keep"])
        amount = min(self.opening.get(draw["key"], 0), share, max(0, base - keep))
        self.recovered[draw["key"]] = amount
        self.standing.draws[draw["key"]] = self.standing.draws.get(draw["key"], 0) - amount
        self.net -= amount
        return amount

    def top_up(self, draw: Draw) -> int:
        key, amount = draw["key"], self.draw_amount(draw)
        if amount is None:
            return 0
        if draw["style"] == "top_up":
            amount = max(0, amount - self.tested(draw))
        self.standing.topped[(self.period, key)] = self.topped[key] = amount
        if draw["kind"] == "recoverable":
            if amount:
                # What nobody owes starts no recovery.
                self.standing.first_top_up.setdefault(key, self.period)
            self.standing.draws[key] = self.standing.draws.get(key, 0) + amount
        self.net += amount
        return amount

    def draw_amount(self, draw: Draw) -> int | None:
        """None in periods that begin outside the draw's dates, or of people who are not on the plan."""
        if not self.on_time(draw):
            return None
        start, end = self.case.pay_periods[self.period], self.case.pay_periods[self.period + 1]
        amount = minor(draw["amount"], self.document)
        if "draw" in self.document.get("proration", {"of": ()})["of"]:
            version = next(place for place, each in enumerate(self.case.versions) if each.document is self.document)
            amount = prorated(self.case, self.person, version, None, False, "draw", amount, start, end, "money")
        return self.own(amount)

    def on_time(self, draw: Draw) -> bool:
        """Does the period begin within the draw's dates, and is the person on the plan in it?"""
        start, end = self.case.pay_periods[self.period], self.case.pay_periods[self.period + 1]
        on_plan = any(
            version_on(self.case, self.person, self.document["key"], day) is not None for day in each_day(start, end)
        )
        return on_plan and date.fromisoformat(draw["from"]) <= start < date.fromisoformat(draw["to"])

    def tested(self, draw: Draw) -> int:
        if "components" in draw:
            recovered = self.recovered.get(draw["key"], 0) if "recovery" in draw["test"] else 0
            return self.of_components(draw, draw["test"]) - recovered
        found = sum(self.added.get(step, 0) for step in draw["test"] if step != "top_up")
        if "top_up" in draw["test"]:
            found += sum(self.topped.values())
        return found - (sum(self.retested.values()) if "adjustments" in draw["test"] else 0)

    def retest(self) -> None:
        """What adjustments of earlier periods take back of those periods' top-ups, one guarantee after the other."""
        of: dict[int, int] = {}
        for row in self.case.adjustments if self.given else ():
            if (
                row.person == self.person
                and row.origin is not None
                and period_of(row.day, self.case.pay_periods) == self.period
            ):
                origin = period_of(row.origin, self.case.pay_periods)
                of[origin] = of.get(origin, 0) + row.amount
        for origin, amount in of.items():
            left = max(0, amount)
            for draw in self.draws:
                if origin < self.period and draw.get("retest"):
                    place = origin, draw["key"]
                    back = min(left, self.standing.topped.get(place, 0))
                    self.standing.topped[place] = self.standing.topped.get(place, 0) - back
                    self.retested[draw["key"]] = self.retested.get(draw["key"], 0) + back
                    left -= back

    # ------------------------------------------------------------------ caps, holdbacks, what is paid

    def capped(self) -> int:
        before = self.net
        caps = [self.stated["cap"]] if "cap" in self.stated else []
        for cap in (*caps, *self.stated.get("caps", ())):
            limit = self.own(cap["amount"])
            if cap.get("per") == "year":
                limit = max(0, limit - self.standing.paid.get(self.year(self.period), 0))
            over = max(0, self.net - limit)
            self.net -= over
            if cap["excess"] == "carried":
                self.to_carry += over
            else:
                self.lost += over
                self.review += over if cap["excess"] == "review" else 0
        return self.net - before

    def held_back(self) -> int:
        holdback = self.stated["holdback"]
        amount = rounded_to_minor(max(0, self.net) * percent(holdback["share"]), self.document)
        back = self.period + holdback["periods"]
        self.standing.coming_back[back] = self.standing.coming_back.get(back, 0) + amount
        return amount

    def close(self) -> None:
        least = self.stated.get("minimum")
        carried = self.to_carry
        if (self.net < 0 and self.stated["negative"] == "carried") or (
            least is not None and 0 < self.net < self.own(least["amount"])
        ):
            carried += self.net
        else:
            self.payout = self.net
        self.standing.carried += carried

    def pay_as_it_comes(self) -> None:
        self.added = self.amounts | {"carried": self.standing.carried}
        self.payout = sum(self.amounts.values())

    def is_leaving(self) -> bool:
        """Does the period hold the last day employed?"""
        ends = [span.end for span in self.case.spans if span.person == self.person and not span.leave]
        if not ends or any(each is None for each in ends):
            return False
        last = max(each for each in ends if each is not None) - timedelta(days=1)
        return self.case.pay_periods[self.period] <= last < self.case.pay_periods[self.period + 1]

    def leave(self) -> None:
        """What of draws is written off in the pay period of the last day employed."""
        for draw in self.draws:
            if draw.get("on_leaving") == "written_off" and self.is_leaving():
                self.written[draw["key"]] = self.standing.draws.get(draw["key"], 0)
                self.standing.draws[draw["key"]] = 0

    # ------------------------------------------------------------------ telling it

    def told(self) -> SettlementFact:
        return SettlementFact(
            person=self.person,
            plan=self.document["key"],
            pay_period=self.period,
            released=self.added.get("releases", 0),
            adjusted=self.added.get("adjustments", 0),
            clawed_back=self.added.get("clawbacks", 0),
            brought_forward=self.added.get("carried", 0),
            recovered=self.added.get("recovery", 0),
            capped=-self.lost,
            held_back=self.added.get("holdback", 0),
            topped_up=self.added.get("top_up", 0) - sum(self.retested.values()),
            carried_forward=self.standing.carried,
            payout=self.payout,
            draw_balance=sum(self.standing.draws.values()),
            review=self.review,
            written_off=sum(self.written.values()),
            forgiven=self.forgiven,
            clawback_balance=self.standing.owed,
            kept_adjustments=self.standing.kept,
        )

    def draws_told(self) -> list[DrawFact]:
        keys = {*self.standing.draws, *self.topped, *self.recovered, *self.retested}
        rows = [
            DrawFact(
                self.person,
                self.document["key"],
                self.period,
                key,
                -self.recovered.get(key, 0),
                self.topped.get(key, 0) - self.retested.get(key, 0),
                self.written.get(key, 0),
                self.standing.draws.get(key, 0),
            )
            for key in keys
        ]
        return [row for row in rows if any(row[4:])]
