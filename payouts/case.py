"""Case files: a plan, people, facts and what they should come to, in one YAML text. See docs/algorithms/case-files.md.

Pure: `read_case` turns a document (of `plans.rules.load.read_yaml`) into a `Batch` and names for its numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, cast

from comp.core.calendars import CalendarError, Kind, PayCalendar, Period, measure_periods, periods
from comp.core.days import day_date, day_number
from comp.core.errors import Problem, ProblemsError
from comp.core.money import CURRENCIES, NO_CURRENCY
from payouts import case_facts, case_openings, case_posted, case_tables
from payouts.case_expect import Expectation, draw_keys, expectations
from payouts.case_tables import columns, ints, text
from payouts.kernel.batch import (
    FAR_DAY,
    MILLIONTHS,
    Assignments,
    Batch,
    Ints,
    Quotas,
    Reporting,
)
from payouts.kernel.spans import bounds, inside
from plans.rules.compile import compile_plan
from plans.rules.compiled import CompiledPlan, Every, OfCalendar, OwnPeriods
from plans.rules.fields import FieldType, field_types
from plans.rules.language import FORMAT as PLAN_FORMAT
from plans.rules.look import Look, join, shown
from plans.rules.values import Document, read_date, read_number

FORMAT = "comp/case/1"
#: How a case states a plan.
ONE_PLAN = "A plan is its document, or {library: KEY} or {file: PATH}."
#: The pay calendar's kinds that a case may name, and those that need the first day of one of their periods.
PAY = ("monthly", "quarterly", "semimonthly", "biweekly", "weekly")
ANCHORED = ("biweekly", "weekly")
_MOST = 10_000
_YEARS = range(1970, 2200)
_EVERY: tuple[OfCalendar, ...] = ("month", "quarter", "half", "year")


@dataclass(frozen=True, slots=True)
class Case:
    """Participant ids of the batch are places in `people`, fact rows places in `facts` (deals first)."""

    name: str
    currency: str
    people: tuple[str, ...]
    facts: tuple[str, ...]
    batch: Batch
    periods: Mapping[Every, tuple[Period, ...]]
    pay_periods: tuple[Period, ...]
    expectations: tuple[Expectation, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """A plan version, in force in [start, end)."""

    plan: CompiledPlan
    types: Mapping[str, FieldType]
    start: int
    end: int


def read_case(document: Any) -> Case:
    """The case that a document states. Raises `ProblemsError` with everything that is wrong with it."""
    reader = Reader(document)
    case = reader.case()
    if reader.look.problems or case is None:
        raise ProblemsError(reader.look.problems)
    return case


class Reader:
    def __init__(self, document: Any) -> None:
        self.look = Look()
        required = ("format", "calendar", "people", "assignments")
        optional = ("name", "plan", "plans", "reporting", "quotas", "deals", "facts", "milestones", "usage", "expect")
        self.document = self.look.table(
            document, "", required, (*optional, case_openings.KEY, case_posted.KEY, *case_tables.KEYS)
        )
        self.people: list[str] = []
        self.facts: list[str] = []
        self.days: list[int] = []
        self.pays = False  # whether some plan settles in the currency that people are paid in

    def case(self) -> Case | None:
        """None, with problems reported, where the document is too broken to read on."""
        look = self.look
        if self.document.get("format") == PLAN_FORMAT:
            message = "This is a plan. A case names it: `plan: {file: plan.yaml}`, with people and what they did."
            look.problems = []
            look.report("format", PLAN_FORMAT, FORMAT, message)
            return None
        look.word(self.document, "", "format", (FORMAT,))
        if "deals" not in self.document and "facts" not in self.document:
            look.report("deals", "nothing", "deals or facts", "A case needs `deals` or `facts`; an empty list will do.")
        versions = self._versions()
        calendar = self._calendar()
        self.people = self._names("people", "people")
        if not versions or calendar is None or not self.people:
            return None
        look.currency = versions[0].plan.currency
        plans = [version.plan for version in versions]
        self._settled_alike(plans)
        for key in case_tables.CONVERTING:
            if look.currency == NO_CURRENCY and key in self.document:
                self._without_currency(key, key)
        rows = [*self.rows("deals", self.document), *self.rows("facts", self.document)]
        self.facts = [
            str(row["id"]) if isinstance(row, dict) and isinstance(row.get("id"), str) else "" for _, row in rows
        ]
        facts, teams = case_facts.read_facts(self, rows, [version.types for version in versions])
        handed, adjusted = case_tables.transfers(self), case_tables.adjustments(self)
        attributes, employment = case_tables.attributes(self), case_tables.employment(self)
        exchange, holidays = case_tables.exchange(self), case_tables.holidays(self)
        balances, paid_in = case_tables.balances(self, draw_keys(plans)), case_tables.pay_currency(self)
        reporting = self._reporting()
        assignments = self._assignments(versions)
        milestones, usage = case_facts.read_milestones(self, facts), case_facts.read_usage(self, facts)
        opened, released = case_openings.openings(self, versions, milestones)
        kept = case_posted.posted(self, versions, teams)
        years = [day_date(day).year for day in self.days] or [2026]
        every: dict[Every, tuple[Period, ...]] = {
            each: tuple(measure_periods(calendar, each, min(years), max(years) + 1)) for each in _EVERY
        }
        first, end = every["year"][0].start, every["year"][-1].end
        for own in dict.fromkeys(each.every for plan in plans for each in plan.components):
            if isinstance(own, OwnPeriods):
                every[own] = _own_periods(own, ints([first, end]))
        pay = tuple(periods(calendar, min(years), max(years) + 1))
        quotas = self._quotas(every)
        expected = expectations(self, plans, every, pay)
        batch = Batch(
            plans=tuple(version.plan for version in versions),
            periods={each: _bounds(found) for each, found in every.items()},
            pay_periods=_bounds(pay),
            facts=facts,
            teams=teams,
            reporting=reporting,
            assignments=assignments,
            quotas=quotas,
            milestones=milestones,
            usage=usage,
            transfers=handed,
            attributes=attributes,
            employment=employment,
            exchange=exchange,
            holidays=holidays,
            pay_currency=paid_in,
            adjustments=adjusted,
            balances=balances,
            relief=case_tables.relief(self),
            in_force=tuple((version.start, version.end) for version in versions),
            openings=opened,
            opening_tranches=released,
            kept=kept,
        )
        name = look.text(self.document, "", "name", 200) or ""
        currency = look.currency
        return Case(name, currency, tuple(self.people), tuple(self.facts), batch, every, pay, expected)

    # ------------------------------------------------------------------ plans, calendar, people

    def _versions(self) -> list[Version]:
        if ("plan" in self.document) == ("plans" in self.document):
            found = "both" if "plan" in self.document else "neither"
            message = f"A case has either one `plan` or a list of `plans`; found {found}. {ONE_PLAN}"
            self.look.report("plan", found, "plan or plans", message)
            return []
        if "plan" in self.document:
            made = self._compiled(self.document["plan"], "plan")
            return [Version(*made, -FAR_DAY, FAR_DAY)] if made else []
        found_versions = []
        for path, row in self.rows("plans", self.document, least=1):
            table = self.look.table(row, path, ("from", "document"), ("to",))
            start, end = self.span(table, path)
            made = self._compiled(table["document"], join(path, "document")) if "document" in table else None
            if made and start is not None:
                found_versions.append(Version(*made, start, end))
        currencies = sorted({version.plan.currency for version in found_versions})
        if len(currencies) > 1:
            self.look.report("plans", ", ".join(currencies), "one currency", "All plans of a case share one currency.")
        return found_versions

    def _compiled(self, document: Any, path: str) -> tuple[CompiledPlan, Mapping[str, FieldType]] | None:
        if not isinstance(document, dict):
            self.look.report(path, document, "a plan document", f"Found {shown(document)} for a plan. {ONE_PLAN}")
            return None
        try:
            return compile_plan(document), field_types(document)
        except ProblemsError as error:
            for problem in error.problems:
                place = f"{path}.{problem.path}" if problem.path else path
                self.look.problems.append(
                    Problem(place, problem.found, problem.allowed, problem.message, problem.severity)
                )
            return None

    def _calendar(self) -> PayCalendar | None:
        if "calendar" not in self.document:
            return None
        table = self.look.table(self.document["calendar"], "calendar", ("pay", "fiscal_start_month"), ("anchor",))
        kind = self.look.word(table, "calendar", "pay", PAY)
        start = self.look.whole(table, "calendar", "fiscal_start_month", 1, 12)
        anchor = self.day(table, "calendar", "anchor") if "anchor" in table else None
        if kind is None or start is None:
            return None
        try:
            return PayCalendar(cast(Kind, kind), start, anchor=anchor)
        except CalendarError as error:
            self.look.report("calendar", kind, "a calendar", str(error))
            return None

    def _names(self, key: str, what: str) -> list[str]:
        names: list[str] = []
        for path, name in self.rows(key, self.document, least=1):
            if not isinstance(name, str) or not name.strip():
                self.look.wrong(path, name, "a name")
            elif name in names:
                self.look.report(path, name, "each once", f"{name} stands twice among the {what}.")
            else:
                names.append(name)
        return names

    def _reporting(self) -> Reporting:
        lines = []
        for path, row in self.rows("reporting", self.document):
            table = self.look.table(row, path, ("person", "manager", "from"), ("to",))
            person, manager = self.person(table, path), self.person(table, path, "manager")
            start, end = self.span(table, path)
            if person is not None and manager is not None and start is not None:
                lines.append((person, manager, start, end))
        return Reporting(*columns(lines, 4))

    def _assignments(self, versions: Sequence[Version]) -> Assignments:
        """Assignments to a plan, cut by the dates of its versions."""
        keys = sorted({version.plan.key for version in versions})
        lines = []
        for path, row in self.rows("assignments", self.document, least=1):
            table = self.look.table(row, path, ("person", "from"), ("to", "plan"))
            person, (start, end) = self.person(table, path), self.span(table, path)
            key: str | None = keys[0]
            if "plan" in table:
                key = self.look.word(table, path, "plan", keys)
            elif len(keys) > 1:
                self.look.report(
                    join(path, "plan"), "nothing", " or ".join(keys), "The case has several plans: say which."
                )
            if person is None or start is None:
                continue
            for place, version in enumerate(versions):
                first, last = max(start, version.start), min(end, version.end)
                if version.plan.key == key and first < last:
                    lines.append((person, place, first, last))
        return Assignments(*columns(lines, 4))

    def _quotas(self, every: Mapping[Every, Sequence[Period]]) -> Quotas:
        # Between the periods of a plan's own nothing is measured, so that no quota is of those times.
        known = {
            period.key: period
            for each, found in every.items()
            for period in found
            if inside(each, ints([period.start]))[0]
        }
        lines, keys = [], []
        for path, row in self.rows("quotas", self.document):
            table = self.look.table(row, path, ("person", "key", "period"), ("amount", "units"))
            person, key = self.person(table, path), self.look.slug(table, path, "key")
            period = self.one_of(table, path, "period", list(known))
            amount = self.amount(table, path)
            if person is not None and key is not None and period is not None and amount is not None:
                lines.append((person, known[period].start, known[period].end, amount))
                keys.append(key)
        person_ids, starts, ends, amounts = columns(lines, 4)
        return Quotas(person_ids, text(keys), starts, ends, amounts)

    # ------------------------------------------------------------------ small readers

    def rows(self, key: str, table: Document, path: str = "", least: int = 0) -> list[tuple[str, Any]]:
        return self.look.rows(table, path, key, least, _MOST, key)

    def amount(self, table: Document, path: str) -> int | None:
        """`amount` in minor units, or `units` in millionths."""
        if ("amount" in table) == ("units" in table):
            found = "both" if "amount" in table else "neither"
            self.look.report(path, found, "amount or units", "Write `amount` (money) or `units`.")
            return None
        if "amount" in table:
            return self.look.money(table, path, "amount", zero=True)
        units = read_number(table["units"])
        if units is None or units < 0:
            self.look.wrong(join(path, "units"), table["units"], "a number from 0 with at most 6 decimals")
            return None
        return int(units * MILLIONTHS)

    @contextmanager
    def money_in(self, currency: Any, path: str) -> Iterator[None]:
        """Amounts are read with the decimals of their own currency; with the plan's where they state none."""
        plan = self.look.currency
        if plan == NO_CURRENCY and currency is not None:
            self._without_currency(path, currency)
        elif isinstance(currency, str) and currency in CURRENCIES:
            self.look.currency = currency
        try:
            yield
        finally:
            self.look.currency = plan

    def paid_in(self, table: Document) -> Any:
        """What a row's person is paid in, None for the plan's currency."""
        stated = self.document.get("pay_currency")
        return stated.get(str(table.get("person"))) if isinstance(stated, dict) else None

    def settled_in(self, table: Document) -> Any:
        """The currency of a row's settlement, None for the plan's."""
        return self.paid_in(table) if self.pays else None

    def _settled_alike(self, plans: Sequence[CompiledPlan]) -> None:
        """Balances go on from version to version: all that settle have to do it in one currency."""
        words = {(plan.key, plan.settlement.settle_in) for plan in plans if plan.settlement is not None}
        self.pays = any(word == "pay" for _, word in words)
        if "pay_currency" in self.document and len(words) > len({key for key, _ in words}):
            message = "One version of a plan settles in the plan's currency and another in that of pay: say it alike."
            self.look.report("pay_currency", "plan and pay", "one settle_in for all versions", message)

    def _without_currency(self, path: str, found: Any) -> None:
        message = "The plans of this case are without a currency: nothing in it is in one, or converted."
        self.look.report(path, found, "plain amounts", message)

    def until(self, table: Document, path: str) -> int:
        """The day after the last, FAR_DAY where open."""
        end = self.day(table, path, "to") if "to" in table else None
        return FAR_DAY if end is None else end

    def person(self, table: Document, path: str, key: str = "person") -> int | None:
        name = self.one_of(table, path, key, self.people)
        return None if name is None else self.people.index(name)

    def fact(self, table: Document, path: str, key: str = "deal") -> int | None:
        name = self.one_of(table, path, key, [name for name in self.facts if name])
        return None if name is None else self.facts.index(name)

    def one_of(self, table: Document, path: str, key: str, known: Sequence[str]) -> str | None:
        """A name that the case knows."""
        if key not in table:
            return None
        value = table[key]
        if isinstance(value, str) and value in known:
            return value
        near = get_close_matches(str(value), known, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        some = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
        message = f"The case has no {key} {shown(value)}; known are {some}.{hint}"
        self.look.report(join(path, key), value, some, message)
        return None

    def span(self, table: Document, path: str) -> tuple[int | None, int]:
        """First day and the day after the last, FAR_DAY where open."""
        start = self.day(table, path, "from")
        end = self.day(table, path, "to") if "to" in table else FAR_DAY
        if start is not None and end is not None and end <= start:
            self.look.report(
                join(path, "to"), table["to"], "a later day", "It ends on the day before `to`, so `to` has to be later."
            )
        return start, FAR_DAY if end is None else end

    def day(self, table: Document, path: str, key: str, whole_path: str | None = None) -> int | None:
        if key not in table:
            return None
        found = read_date(table[key])
        if found is None or found.year not in _YEARS:
            allowed = f"a date like 2026-01-31, from {_YEARS.start} to {_YEARS.stop - 1}"
            self.look.wrong(whole_path or join(path, key), table[key], allowed)
            return None
        self.days.append(day_number(found))
        return self.days[-1]


def _own_periods(own: OwnPeriods, years: Ints) -> tuple[Period, ...]:
    """The periods that a plan states and the times between them, named by their first and last day."""
    found = []
    for start, end in pairwise(bounds(own, years).tolist()):
        key = f"{day_date(start)}/{day_date(end - 1)}"
        found.append(Period(start, end, key, key))
    return tuple(found)


def _bounds(found: Sequence[Period]) -> Ints:
    return ints([*(period.start for period in found), found[-1].end])
