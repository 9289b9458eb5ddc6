"""What another system paid, from tables: openings of components, their unreleased tranches, and balances. Each is read
and checked as a whole before anything of it counts. docs/cutover.md"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from comp.core.days import DayError, day_date, day_number, parse_day
from comp.core.errors import ProblemsError, refused
from comp.core.money import MoneyError, format_money, minor_digits, parse_money
from comp.core.numbers import parse_number
from comp.core.rounding import round_fraction
from comp.core.sheets.plain import table_read
from comp.people.calendars import calendar_of, period_holding
from comp.people.models import Participant
from comp.people.rates import rate_exact
from comp.people.selectors import in_force
from crediting.models import Deal
from payouts.frames.read import YEARS, bounds
from payouts.kernel.openings import misplaced, refusal
from payouts.kernel.spans import bounds as own_bounds
from payouts.models import CutOver, Opening, OpeningBalance
from payouts.reads.periods import own_span
from payouts.reads.plans import Version, releases, version_of
from payouts.services.adjustments_file import Wrong, row_of
from plans.models import Plan, PlanAssignment
from plans.rules.compiled import Component, OwnPeriods
from plans.selectors import version_in_force

#: `through` is the last day that an opening stands for, where left out the day before the switch; `currency` the
#: plan's, where it is not left out. A deal is named by its number, and by its source where two sources use that.
#: `rate` is that at which the system before paid: one unit of the plan's currency in the one that somebody is paid in.
OPENINGS = ("employee", "plan", "component", "attainment", "earned", "paid", "rate", "through", "currency", "reference")
TRANCHES = ("employee", "plan", "component", "amount", "release_date", "deal", "source", "milestone", "through")
BALANCES = ("employee", "plan", "balance", "amount", "draw", "day", "currency")
#: More is for several files.
ROWS = 20_000
NEEDED = {OPENINGS: OPENINGS[:6], TRANCHES: TRANCHES[:4], BALANCES: BALANCES[:4]}

Kind = OpeningBalance.Kind
_SIGNED = (Kind.CARRIED, Kind.KEPT, Kind.PAID_YEAR)
#: What releases a tranche otherwise than a milestone of its deal.
_NO_MILESTONE = ("credit_date", "usage", "paid", "date", "period_end")


@dataclass(frozen=True, slots=True)
class TrancheRow:
    """An unreleased part of an opening: released on a day, or by a milestone of a deal."""

    amount_minor: int
    release_day: date | None
    deal: Deal | None
    milestone: str


@dataclass(slots=True)
class OpeningRow:
    """A row of openings that can be taken, with its unreleased tranches."""

    line: int
    participant: Participant
    version: Version
    component: Component
    day: date
    measured_minor: int
    earned_minor: int
    paid_minor: int
    currency: str
    reference: str
    rate: Decimal | None = None  # where it was paid in another currency
    tranches: list[TrancheRow] = field(default_factory=list)

    @property
    def paid_in(self) -> str:
        return self.currency if self.rate is None else self.participant.currency

    @property
    def paid_out_minor(self) -> int:
        """What was paid, in the currency in which it was."""
        if self.rate is None:
            return self.paid_minor
        decimals = minor_digits(self.paid_in) - minor_digits(self.currency)
        worth = self.paid_minor * Fraction(self.rate) * Fraction(10) ** decimals
        return round_fraction(worth, self.version.says.round_mode)

    @property
    def unreleased_minor(self) -> int:
        return sum(tranche.amount_minor for tranche in self.tranches)


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """A row of balances that can be taken."""

    line: int
    participant: Participant
    version: Version
    kind: OpeningBalance.Kind
    key: str
    day: date | None
    amount_minor: int
    currency: str


@dataclass(slots=True)
class Openings:
    """What a table of openings holds, and what is wrong with it and with the tranches beside it."""

    rows: list[OpeningRow] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)
    wrong_tranches: list[Wrong] = field(default_factory=list)
    tranches: int = 0

    def totals(self) -> dict[str, dict[str, int]]:
        """Minor units by what they are and currency."""
        found: dict[str, dict[str, int]] = {}
        for row in self.rows:
            for what, minor in (
                ("earned", row.earned_minor), ("paid", row.paid_minor), ("unreleased", row.unreleased_minor)
            ):  # fmt: skip
                sums = found.setdefault(what, {})
                sums[row.currency] = sums.get(row.currency, 0) + minor
            if row.rate is not None:
                sums = found.setdefault("paid out", {})
                sums[row.paid_in] = sums.get(row.paid_in, 0) + row.paid_out_minor
        return found


@dataclass(slots=True)
class Balances:
    """What a table of balances holds, and what is wrong with it."""

    rows: list[BalanceRow] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)

    def totals(self) -> dict[str, dict[str, int]]:
        """Minor units by kind and currency."""
        found: dict[str, dict[str, int]] = {}
        for row in self.rows:
            sums = found.setdefault(row.kind.value, {})
            sums[row.currency] = sums.get(row.currency, 0) + row.amount_minor
        return found


def openings_read(text: str, tranches: str, *, cut_over: CutOver) -> Openings:
    """The openings of plain CSV, with the unreleased tranches of another (empty: none). ProblemsError for tables that
    are none of these."""
    around, found = _Around(cut_over), Openings()
    stands = _standing(around)
    rows: dict[tuple[int, int, str, date], OpeningRow] = {}

    def opening(line: int, row: Mapping[str, str]) -> None:
        one = around.opening(line, row)
        period = _period(around, one.component, one.day)
        at = (one.participant.pk, one.version.plan_id, one.component.key, period)
        around.fits(one)
        if at in rows or at in stands:
            where = f"line {rows[at].line}" if at in rows else "a file that was taken before"
            text = f"{one.participant}: {one.component.key} of the period from {period} is opened by {where} already."
            raise refused("component", one.component.key, "one opening a measure period", text)
        rows[at] = one

    _each(text, OPENINGS, opening, found.wrong)

    def tranche(line: int, row: Mapping[str, str]) -> None:
        person, version, component, day = around.place(row)
        at = (person.pk, version.plan_id, component.key, _period(around, component, day))
        if at not in rows:
            what = f"{component.key} of {person} through {day:%-d %B %Y}"
            raise refused("component", component.key, "an opening of the file", f"The file opens no {what}.")
        rows[at].tranches.append(around.tranche(row, version, component))

    if tranches:
        _each(tranches, TRANCHES, tranche, found.wrong_tranches)
    for one in rows.values():
        off = one.earned_minor - one.paid_minor - one.unreleased_minor
        if off and not found.wrong_tranches:
            parts = (("earned", one.earned_minor), ("paid", one.paid_minor), ("unreleased", one.unreleased_minor))
            said = ", ".join(f"{what} {format_money(minor, one.currency)}" for what, minor in parts)
            by = format_money(off, one.currency)
            wrong = f"{one.participant}, {one.component.key}: {said}. Earned is {by} off from paid and unreleased."
            found.wrong.append(Wrong(one.line, wrong))
    found.rows = list(rows.values())
    found.tranches = sum(len(one.tranches) for one in found.rows)
    found.wrong.sort(key=lambda each: each.line)
    return found


def balances_read(text: str, *, cut_over: CutOver) -> Balances:
    """The balances of plain CSV. ProblemsError for a table that is none of balances."""
    around, found = _Around(cut_over), Balances()
    # Of any switch: who moved here after the one of another group brought it forward there.
    standing = OpeningBalance.objects.filter(taken_back_at=None, participant__pay_group=cut_over.pay_group)
    stands = {(b.participant_id, b.plan_id, b.kind, b.key, _day(b.kind, b.day)): "a file" for b in standing}

    def balance(line: int, row: Mapping[str, str]) -> None:
        one = around.balance(line, row)
        at = (one.participant.pk, one.version.plan_id, one.kind.value, one.key, _day(one.kind, one.day))
        if at in stands:
            text = (
                f"{one.participant}: {one.kind.label.lower()} of {one.version.name} is there already, in {stands[at]}."
            )
            raise refused("balance", one.kind.value, "one of a kind", text)
        stands[at] = f"line {line}"
        found.rows.append(one)

    _each(text, BALANCES, balance, found.wrong)
    return found


def _a_day(row: Mapping[str, str], name: str) -> date:
    """A day that calendars reach."""
    day = parse_day(row[name])
    if day.year not in YEARS:
        allowed = f"the years {YEARS[0]} to {YEARS[-1]}"
        raise refused(name, day, allowed, f"{day:%-d %B %Y} lies outside {allowed}.")
    return day


def _day(kind: str, day: date | None) -> date | None:
    """What is held back comes back on several days; of everything else there is one."""
    return day if kind == Kind.HELD_BACK else None


def _each(
    text: str, columns: tuple[str, ...], take: Callable[[int, Mapping[str, str]], None], wrong: list[Wrong]
) -> None:
    """Every row that says anything is taken, or said to be wrong."""
    names, lines = table_read(text, columns, NEEDED[columns], most=ROWS)
    for line, cells in enumerate(lines, start=2):
        if any(cells):
            try:
                take(line, row_of(names, cells))
            except (ProblemsError, MoneyError, DayError) as error:
                wrong.append(Wrong(line, str(error)))


def abroad(person: Participant, version: Version) -> bool:
    """Whether the plan pays somebody in another currency than its own."""
    return version.says.currencies is not None and person.currency != version.says.currency


def _standing(around: _Around) -> set[tuple[int, int, str, date]]:
    """What the files that stand open already for people of the group, in this switch or in one of a group where they
    were before: participant, plan, component and measure period."""
    found = set()
    rows = Opening.objects.filter(taken_back_at=None, participant__pay_group=around.cut_over.pay_group)
    for row in rows.only("participant", "plan", "component", "day"):
        version = around.version(row.plan_id, row.day)
        if version is not None:
            period = _period(around, version.component(row.component), row.day)
            found.add((row.participant_id, row.plan_id, row.component, period))
    return found


def _period(around: _Around, component: Component, day: date) -> date:
    """The first day of the stretch of which there is one opening: the measure period, or the fiscal year where credits
    are measured to date. ProblemsError where no period holds the day."""
    every: Any = component.every
    if isinstance(every, OwnPeriods):
        span = own_span(every, day)
        if span is None:
            message = f"No period of {component.key} holds {day:%-d %B %Y}."
            raise refused("through", day, "a day of a measure period", message)
        return span.starts_on
    if component.measure.window == "year_to_date" and component.measure.by == "credit":
        every = "year"
    return day_date(period_holding(around.cut_over.pay_group.calendar, day, every).start)


class _Around:
    """What rows are checked against, asked for once."""

    def __init__(self, cut_over: CutOver) -> None:
        self.cut_over = cut_over
        self.people = {row.key: row for row in Participant.objects.select_related("pay_group")}
        self.plans = {row.key: row for row in Plan.objects.all()}
        self._versions: dict[tuple[int, date], Version | None] = {}
        self._assigned: dict[date, set[tuple[int, int]]] = {}

    @cached_property
    def deals(self) -> dict[str, list[Deal]]:
        found: dict[str, list[Deal]] = {}
        for deal in Deal.objects.select_related("endpoint"):
            found.setdefault(deal.external_id, []).append(deal)
        return found

    def version(self, plan: int, day: date) -> Version | None:
        if (plan, day) not in self._versions:
            row = version_in_force(plan_id=plan, day=day)
            self._versions[plan, day] = version_of(row) if row is not None else None
        return self._versions[plan, day]

    def account(self, row: Mapping[str, str], day: date, *, settled: bool = False) -> tuple[Participant, Version]:
        """Whose and by which version of a plan. Amounts are in the plan's currency; what is `settled` is in that which
        the plan settles the person in."""
        person, plan = self.people.get(row["employee"]), self.plans.get(row["plan"])
        if person is None:
            text = f"Nobody has the number {row['employee']!r}."
            raise refused("employee", row["employee"], "an employee number", text)
        if person.pay_group_id != self.cut_over.pay_group_id:
            text = f"{person} is paid in {person.pay_group}, and this is the switch of {self.cut_over.pay_group}."
            raise refused("employee", row["employee"], str(self.cut_over.pay_group), text)
        if plan is None:
            allowed = ", ".join(sorted(self.plans))
            raise refused("plan", row["plan"], allowed, f"There is no plan {row['plan']!r}; there are {allowed}.")
        version = self.version(plan.pk, day)
        if version is None:
            raise refused("plan", plan, "a plan in force", f"No version of {plan} is in force on {day:%-d %B %Y}.")
        if day not in self._assigned:
            on_day = PlanAssignment.objects.filter(in_force(day))
            self._assigned[day] = set(on_day.values_list("participant_id", "plan_id"))
        if (person.pk, plan.pk) not in self._assigned[day]:
            raise refused("plan", plan, "a plan that they are on", f"{person} is not on {plan} on {day:%-d %B %Y}.")
        own = person.currency if settled and abroad(person, version) else version.says.currency
        if (said := row.get("currency")) and said != own:
            text = f"{plan} is in {own}, not in {said}."
            if own != version.says.currency:
                text = f"{plan} settles {person} in {own}, not in {said}."
            raise refused("currency", said, own, text)
        return person, version

    def place(self, row: Mapping[str, str]) -> tuple[Participant, Version, Component, date]:
        """Whose opening a row is of, of which component and through which day."""
        before = self.cut_over.day - timedelta(days=1)
        day = _a_day(row, "through") if row.get("through") else before
        if day > before:
            text = f"{day:%-d %B %Y} is not before the switch of {self.cut_over.day:%-d %B %Y}."
            raise refused("through", day, f"{before} or earlier", text)
        person, version = self.account(row, day)
        component = next((each for each in version.says.components if each.key == row["component"]), None)
        if component is None:
            allowed = ", ".join(each.key for each in version.says.components)
            text = f"{version.name} has no component {row['component']!r}; it has {allowed}."
            raise refused("component", row["component"], allowed, text)
        if (why := refusal(component)) is not None:
            text = f"{component.key} of {version.name} cannot be opened: {why}."
            raise refused("component", component.key, "another component", text)
        return person, version, component, day

    def fits(self, row: OpeningRow) -> None:
        """Refuses what the calculation would."""
        every, shape = row.component.every, calendar_of(self.cut_over.pay_group.calendar)
        edges = own_bounds(every, bounds(shape, "year")) if isinstance(every, OwnPeriods) else bounds(shape, every)
        day, measured = (np.array([each], dtype=np.int64) for each in (day_number(row.day), row.measured_minor))
        if (found := misplaced(row.component, day, measured, edges)) is not None:
            text = f"{row.participant}, {row.component.key} through {row.day:%-d %B %Y}: it {found[1]}"
            raise refused("component", row.component.key, "an opening that can be reckoned with", text)

    def opening(self, line: int, row: Mapping[str, str]) -> OpeningRow:
        person, version, component, day = self.place(row)
        currency = version.says.currency
        in_money = component.measure.unit == "money"
        found = OpeningRow(
            line=line,
            participant=person,
            version=version,
            component=component,
            day=day,
            measured_minor=parse_money(row["attainment"], currency) if in_money else parse_number(row["attainment"]),
            earned_minor=parse_money(row["earned"], currency),
            paid_minor=parse_money(row["paid"], currency),
            currency=currency,
            reference=row.get("reference", "")[:200],
        )
        found.rate = self._rate(found, row.get("rate", ""))
        return found

    def _rate(self, found: OpeningRow, said: str) -> Decimal | None:
        """At which rate the system before paid who is paid in another currency; nobody else has one."""
        person, own = found.participant, found.currency
        if not abroad(person, found.version):
            if said:
                text = f"{person} is paid in {own}, in which {found.version.name} is: nothing is converted."
                raise refused("rate", said, "nothing", text)
            return None
        if not said and not found.paid_minor:
            return None
        try:
            return rate_exact(said)
        except ProblemsError:
            allowed = f"a number above 0 with at most 10 decimals, {person.currency} for 1 {own}"
            text = f"{person} is paid in {person.currency}: write the rate at which the system before paid, {allowed}."
            raise refused("rate", said or "nothing", allowed, text) from None

    def tranche(self, row: Mapping[str, str], version: Version, component: Component) -> TrancheRow:
        day, milestone, number = (row.get(name, "") for name in ("release_date", "milestone", "deal"))
        amount = parse_money(row["amount"], version.says.currency)
        if bool(day) == bool(milestone and number):
            text = "A tranche waits for a release_date, or for the milestone of a deal: write one of the two."
            raise refused("release_date", day or "nothing", "a day, or deal and milestone", text)
        if day:
            found = _a_day(row, "release_date")
            if found < self.cut_over.day:
                switch = f"{self.cut_over.day:%-d %B %Y}"
                text = f"{found:%-d %B %Y} lies before the switch of {switch}: the system before pays it."
                raise refused("release_date", found, f"{switch} or later", text)
            return TrancheRow(amount, found, None, "")
        entries = {entry.on for release in releases(version.says, component.key) for entry in release}
        waits = entries - {*_NO_MILESTONE}
        if milestone not in waits:
            allowed = ", ".join(sorted(waits)) or "a release_date, as nothing of it waits for a milestone"
            text = f"{component.key} waits for no milestone {milestone!r}; allowed: {allowed}."
            raise refused("milestone", milestone, allowed, text)
        deals = [each for each in self.deals.get(number, ()) if row.get("source", "") in ("", each.endpoint.key)]
        if len(deals) != 1:
            text = f"There is no deal {number!r}." if not deals else f"Several sources have a deal {number!r}: name it."
            raise refused("deal", number, "a deal of a source", text)
        return TrancheRow(amount, None, deals[0], milestone)

    def balance(self, line: int, row: Mapping[str, str]) -> BalanceRow:
        cut_over = self.cut_over
        person, version = self.account(row, cut_over.day - timedelta(days=1), settled=True)
        says = version.says.settlement
        if says is None:
            text = f"{version.name} settles nothing between periods (draws, caps, holdbacks): it has no balances."
            raise refused("plan", version.name, "a plan with a settlement", text)
        if row["balance"] not in Kind.values:
            raise refused("balance", row["balance"], ", ".join(Kind.values), f"There is no balance {row['balance']!r}.")
        kind, key = Kind(row["balance"]), row.get("draw", "")
        draws = [draw.key for draw in says.draws]
        if kind == Kind.DRAW and not key and len(draws) == 1:
            key = draws[0]
        if (kind == Kind.DRAW) != bool(key) or key and key not in draws:
            allowed = ", ".join(draws) or "none"
            text = f"{version.name}: a draw is named by its key ({allowed}), and nothing else is; found {key!r}."
            raise refused("draw", key, allowed, text)
        currency = person.currency if abroad(person, version) else version.says.currency
        amount = parse_money(row["amount"], currency)
        if kind not in _SIGNED and amount <= 0:
            raise refused("amount", row["amount"], "more than 0", f"{kind.label} is above zero, not {row['amount']}.")
        day = _a_day(row, "day") if row.get("day") else None
        return BalanceRow(line, person, version, kind, key, self._day(kind, day), amount, currency)

    def _day(self, kind: OpeningBalance.Kind, day: date | None) -> date | None:
        """The first day of the pay period that a balance's day lies in, where it has one."""
        cut_over = self.cut_over
        calendar = cut_over.pay_group.calendar
        before = period_holding(calendar, cut_over.day - timedelta(days=1))
        year = period_holding(calendar, cut_over.day, "year")
        if kind == Kind.PAID_YEAR and before.start < year.start:
            began = f"{day_date(year.start):%-d %B %Y}"
            text = f"Of the fiscal year from {began} no pay period lies before the switch: it paid nothing."
            raise refused("balance", kind.value, "another balance", text)
        if kind not in (Kind.HELD_BACK, Kind.DRAW):
            if day is not None:
                text = "Only what is held back (when it comes back) and draws (since when they are owed) have a day."
                raise refused("day", day, "nothing", text)
            return None
        if day is None and kind == Kind.HELD_BACK:
            raise refused("day", "nothing", "a day", "Write the day on which what is held back comes back.")
        if day is None:
            return None
        start = day_date(period_holding(calendar, day).start)
        if (start >= cut_over.day) != (kind == Kind.HELD_BACK):
            which = "on or after" if kind == Kind.HELD_BACK else "before"
            text = f"{kind.label}: {day:%-d %B %Y} has to lie {which} the switch."
            raise refused("day", day, f"{which} {cut_over.day:%-d %B %Y}", text)
        return start
