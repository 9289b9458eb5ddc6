"""Case files: a plan, people, facts and what they should come to, in one YAML text. See docs/algorithms/case-files.md.

Pure: `read_case` turns a document (of `plans.rules.load.read_yaml`) into a `Batch` and names for its numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, cast, get_args

import numpy as np

from comp.core.calendars import CalendarError, Kind, PayCalendar, Period, measure_periods, periods
from comp.core.days import day_date, day_number
from comp.core.errors import Problem, ProblemsError
from comp.core.money import CURRENCIES, NO_CURRENCY
from payouts import case_tables
from payouts.case_expect import Expectation, draw_keys, expectations
from payouts.case_tables import columns, ints, objects, text
from payouts.kernel.batch import (
    FAR_DAY,
    MILLIONTHS,
    MISSING_DAY,
    MISSING_MONEY,
    Assignments,
    Batch,
    Facts,
    Ints,
    Milestones,
    Quotas,
    Reporting,
    Teams,
    Usage,
)
from payouts.kernel.spans import bounds, inside
from plans.rules.compile import compile_plan
from plans.rules.compiled import CompiledPlan, Every, FactKind, OfCalendar, OwnPeriods
from plans.rules.fields import FieldType, field_types
from plans.rules.language import FORMAT as PLAN_FORMAT
from plans.rules.look import Look, join, shown
from plans.rules.values import Document, read_date, read_number

FORMAT = "comp/case/1"
#: How a case states a plan.
ONE_PLAN = "A plan is its document, or {library: KEY} or {file: PATH}."
#: Fields that the kernel works out: no fact states them.
_WORKED_OUT = ("deal.", "computed.", "person.")
#: The pay calendar's kinds that a case may name, and those that need the first day of one of their periods.
PAY = ("monthly", "quarterly", "semimonthly", "biweekly", "weekly")
ANCHORED = ("biweekly", "weekly")
#: What a fact may be; `deals` are listed by themselves.
KINDS = tuple(kind for kind in get_args(FactKind) if kind != "deal")
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
class _Version:
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
        self.document = self.look.table(document, "", required, (*optional, *case_tables.KEYS))
        self.people: list[str] = []
        self.facts: list[str] = []
        self.days: list[int] = []

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
        for key in case_tables.CONVERTING:
            if look.currency == NO_CURRENCY and key in self.document:
                self._without_currency(key, key)
        rows = [*self.rows("deals", self.document), *self.rows("facts", self.document)]
        self.facts = [
            str(row["id"]) if isinstance(row, dict) and isinstance(row.get("id"), str) else "" for _, row in rows
        ]
        facts, teams = self._facts(rows, versions)
        handed, adjusted = case_tables.transfers(self), case_tables.adjustments(self)
        attributes, employment = case_tables.attributes(self), case_tables.employment(self)
        exchange, holidays = case_tables.exchange(self), case_tables.holidays(self)
        balances, paid_in = case_tables.balances(self, draw_keys(plans)), case_tables.pay_currency(self)
        reporting = self._reporting()
        assignments = self._assignments(versions)
        milestones, usage = self._milestones(facts), self._usage(facts)
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
        )
        name = look.text(self.document, "", "name", 200) or ""
        currency = look.currency
        return Case(name, currency, tuple(self.people), tuple(self.facts), batch, every, pay, expected)

    # ------------------------------------------------------------------ plans, calendar, people

    def _versions(self) -> list[_Version]:
        if ("plan" in self.document) == ("plans" in self.document):
            found = "both" if "plan" in self.document else "neither"
            message = f"A case has either one `plan` or a list of `plans`; found {found}. {ONE_PLAN}"
            self.look.report("plan", found, "plan or plans", message)
            return []
        if "plan" in self.document:
            made = self._compiled(self.document["plan"], "plan")
            return [_Version(*made, -FAR_DAY, FAR_DAY)] if made else []
        found_versions = []
        for path, row in self.rows("plans", self.document, least=1):
            table = self.look.table(row, path, ("from", "document"), ("to",))
            start, end = self.span(table, path)
            made = self._compiled(table["document"], join(path, "document")) if "document" in table else None
            if made and start is not None:
                found_versions.append(_Version(*made, start, end))
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

    def _assignments(self, versions: Sequence[_Version]) -> Assignments:
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

    # ------------------------------------------------------------------ facts

    def _facts(self, rows: list[tuple[str, Any]], versions: Sequence[_Version]) -> tuple[Facts, Teams]:
        types: dict[str, FieldType] = {}
        for version in versions:
            for name, kind in version.types.items():
                if name.startswith(_WORKED_OUT):
                    continue
                if types.setdefault(name, kind) != kind:
                    self.look.report("plans", name, "one type", f"The versions declare {name} with different types.")
        values: dict[str, list[Any]] = {name: [] for name in types}
        events, team, kinds, deals = [], [], [], []
        for place, (path, row) in enumerate(rows):
            is_deal = path.startswith("deals")
            if is_deal:
                table = self.look.table(row, path, ("id", "fields", "team"), ("event_time",))
            else:
                table = self.look.table(row, path, ("id", "kind", "fields"), ("event_time", "deal", "team"))
            own = self.look.text(table, path, "id", 200)
            if own is not None and self.facts.index(own) != place:
                self.look.report(join(path, "id"), own, "each id once", f"There are two facts {own}.")
            kinds.append("deal" if is_deal else self.look.word(table, path, "kind", KINDS))
            deals.append(place if is_deal else self.fact(table, path) if "deal" in table else -1)
            events.append(self._event_time(table, path))
            fields = self.look.table(table.get("fields", {}), join(path, "fields"), (), tuple(types))
            with self.money_in(fields.get("currency"), join(join(path, "fields"), "currency")):
                for field, kind in types.items():
                    values[field].append(self._value(fields.get(field), kind, join(join(path, "fields"), field)))
            team += self._team(table, path, place)
        sources = values["source"]
        order = sorted(range(len(rows)), key=lambda row: (sources[row] or "", self.facts[row]))
        rank = np.empty(len(rows), dtype=np.int64)
        rank[order] = np.arange(len(rows))

        def chosen(kind: str) -> list[tuple[str, list[Any]]]:
            return [(field, values[field]) for field, its in types.items() if its == kind]

        only_deals = all(kind == "deal" for kind in kinds)
        facts = Facts(
            id=np.arange(len(rows)),
            rank=rank,
            event_time=ints(events),
            text={field: text(found) for field, found in chosen("text")},
            money={field: ints(found, MISSING_MONEY) for field, found in chosen("money")},
            dates={field: ints(found, MISSING_DAY) for field, found in chosen("date")},
            numbers={field: objects(found) for field, found in chosen("number")},
            booleans={
                field: np.array([-1 if value is None else int(value) for value in found], dtype=np.int8)
                for field, found in chosen("boolean")
            },
            kind=None if only_deals else text(kinds),
            deal=None if only_deals else ints(deals, -1),
            currency=text(values["currency"]) if any(values["currency"]) else None,
        )
        fact, person, weight, standing = columns([(each[0], *each[2:]) for each in team], 4)
        return facts, Teams(fact, text([each[1] for each in team]), person, weight, standing)

    def _team(self, deal: Document, path: str, row: int) -> list[tuple[int, str, int, int, int]]:
        found = []
        for standing, (place, member) in enumerate(self.rows("team", deal, path)):
            table = self.look.table(member, place, ("role", "person"), ("weight",))
            role, person = self.look.slug(table, place, "role"), self.person(table, place)
            weight = self.look.whole(table, place, "weight", 1, 10**9) if "weight" in table else 1
            if role is not None and person is not None and weight is not None:
                found.append((row, role, person, weight, standing))
        return found

    def _event_time(self, table: Document, path: str) -> int:
        """Microseconds since 1970-01-01 UTC; 0 where the deal states none, so that ids decide the order of a day."""
        if "event_time" not in table:
            return 0
        try:
            moment = datetime.fromisoformat(str(table["event_time"]))
            if moment.tzinfo is not None:
                return (moment - datetime.fromisoformat("1970-01-01T00:00:00+00:00")) // timedelta(microseconds=1)
        except ValueError:
            pass
        self.look.wrong(join(path, "event_time"), table["event_time"], "an instant like 2026-01-11T09:30:00Z")
        return 0

    def _value(self, value: Any, kind: FieldType, path: str) -> Any:
        """A field's value as the kernel holds it, None where it is missing."""
        if value is None:
            return None
        if kind == "money":
            return self.look.money_value(value, path, "any")
        if kind == "date":
            return self.day({"day": value}, path, "day", path)
        found: Any = value
        allowed = "a text"
        if kind == "number":
            found, allowed = read_number(value), "a number with at most 6 decimals"
        elif kind == "boolean":
            found, allowed = value if isinstance(value, bool) else None, "true or false"
        elif not isinstance(value, str):
            found = None
        if found is None:
            self.look.wrong(path, value, allowed)
        return found

    def _milestones(self, facts: Facts) -> Milestones:
        """Those of `milestones`, and facts of that kind with a deal, a type and a day."""
        lines, kinds = [], []
        for path, row in self.rows("milestones", self.document):
            table = self.look.table(row, path, ("deal", "kind", "day"))
            deal, kind = self.fact(table, path), self.look.slug(table, path, "kind")
            day = self.day(table, path, "day")
            if deal is not None and kind is not None and day is not None:
                lines.append((deal, day))
                kinds.append(kind)
        for row, deal_of in self._of_kind(facts, "milestone"):
            code, day = int(facts.text["type"].codes[row]), int(facts.dates["day"][row])
            if code >= 0 and day != MISSING_DAY:
                lines.append((deal_of, day))
                kinds.append(facts.text["type"].vocabulary[code])
        deals, days = columns(lines, 2)
        return Milestones(deals, text(kinds), days)

    def _usage(self, facts: Facts) -> Usage:
        """Those of `usage`, and facts of that kind with a deal, a day and both numbers, in millionths. Of one day, what
        `usage` lists comes before all facts, in no order of its own."""
        lines = []
        for path, row in self.rows("usage", self.document):
            table = self.look.table(row, path, ("deal", "day", "used", "contracted"))
            deal, day = self.fact(table, path), self.day(table, path, "day")
            used = self.look.whole(table, path, "used", 0, 10**9)
            contracted = self.look.whole(table, path, "contracted", -(10**9), 10**9)
            if deal is not None and day is not None and used is not None and contracted is not None:
                lines.append((deal, day, used, contracted, -1))
        place = np.empty_like(facts.rank)
        place[np.lexsort((facts.rank, facts.event_time))] = np.arange(facts.rank.size)
        for row, deal_of in self._of_kind(facts, "usage"):
            day, numbers = int(facts.dates["day"][row]), [facts.numbers[name][row] for name in ("used", "contracted")]
            if day != MISSING_DAY and None not in numbers:
                used, contracted = (int(number * MILLIONTHS) for number in numbers)
                lines.append((deal_of, day, used, contracted, int(place[row])))
        return Usage(*columns(lines, 5))

    @staticmethod
    def _of_kind(facts: Facts, kind: str) -> list[tuple[int, int]]:
        """The rows of a kind of fact that belong to a deal, each with the deal's row."""
        if facts.kind is None or facts.deal is None or kind not in facts.kind.vocabulary:
            return []
        mine = (facts.kind.codes == facts.kind.vocabulary.index(kind)) & (facts.deal >= 0)
        return [(int(row), int(facts.deal[row])) for row in np.flatnonzero(mine)]

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
