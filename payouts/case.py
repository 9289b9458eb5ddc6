"""Case files: a plan, people, facts and what they should come to, in one YAML text. See docs/algorithms/case-files.md.

Pure: `read_case` turns a document (of `plans.rules.load.read_yaml`) into a `Batch` and names for its numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from comp.core.calendars import PayCalendar, Period, measure_periods, periods
from comp.core.days import day_date, day_number
from comp.core.errors import Problem, ProblemsError
from payouts.kernel.batch import (
    FAR_DAY,
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
    Text,
    Usage,
)
from plans.rules.compile import compile_plan
from plans.rules.compiled import CompiledPlan
from plans.rules.fields import FieldType, field_types
from plans.rules.look import Look, join, shown
from plans.rules.values import Document, read_date, read_number, read_percent

FORMAT = "comp/case/1"
WAITING = "waiting"
#: The pay calendar's kinds that a case may name.
PAY = ("monthly", "quarterly")
_MOST = 10_000
_YEARS = range(1970, 2200)
_EVERY: tuple[Literal["month", "quarter", "year"], ...] = ("month", "quarter", "year")
Section = Literal["credits", "attainment", "earnings", "payables"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """One line of `expect`. Indexes are places in the case; None where the line does not name it. `amount` in minor
    units; `attainment` exact. A payable's `period` is a pay period's key, or `waiting`."""

    path: str
    section: Section
    person: int
    deal: int | None
    role: str | None
    component: str | None
    period: str | None
    amount: int | None
    attainment: Fraction | None


@dataclass(frozen=True, slots=True)
class Case:
    """Participant ids of the batch are places in `people`, deal rows places in `deals`."""

    name: str
    currency: str
    people: tuple[str, ...]
    deals: tuple[str, ...]
    batch: Batch
    periods: Mapping[str, tuple[Period, ...]]
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
    reader = _Reader(document)
    case = reader.case()
    if reader.look.problems or case is None:
        raise ProblemsError(reader.look.problems)
    return case


class _Reader:
    def __init__(self, document: Any) -> None:
        self.look = Look()
        required = ("format", "calendar", "people", "assignments", "deals")
        optional = ("name", "plan", "plans", "reporting", "quotas", "milestones", "usage", "expect")
        self.document = self.look.table(document, "", required, optional)
        self.people: list[str] = []
        self.deals: list[str] = []
        self.days: list[int] = []

    def case(self) -> Case | None:
        """None, with problems reported, where the document is too broken to read on."""
        look = self.look
        look.word(self.document, "", "format", (FORMAT,))
        versions = self._versions()
        calendar = self._calendar()
        self.people = self._names("people", "people")
        if not versions or calendar is None or not self.people:
            return None
        look.currency = versions[0].plan.currency
        rows = self._rows("deals", self.document)
        self.deals = [
            str(row["id"]) if isinstance(row, dict) and isinstance(row.get("id"), str) else "" for _, row in rows
        ]
        deals, teams = self._deals(rows, versions)
        reporting = self._reporting()
        assignments = self._assignments(versions)
        milestones, usage = self._milestones(), self._usage()
        years = [day_date(day).year for day in self.days] or [2026]
        every: dict[str, tuple[Period, ...]] = {
            each: tuple(measure_periods(calendar, each, min(years), max(years) + 1)) for each in _EVERY
        }
        pay = tuple(periods(calendar, min(years), max(years) + 1))
        quotas = self._quotas(every)
        expectations = self._expectations(versions, every, pay)
        batch = Batch(
            plans=tuple(version.plan for version in versions),
            periods={each: _bounds(found) for each, found in every.items()},
            pay_periods=_bounds(pay),
            facts=deals,
            teams=teams,
            reporting=reporting,
            assignments=assignments,
            quotas=quotas,
            milestones=milestones,
            usage=usage,
        )
        name = look.text(self.document, "", "name", 200) or ""
        currency = look.currency
        return Case(name, currency, tuple(self.people), tuple(self.deals), batch, every, pay, expectations)

    # ------------------------------------------------------------------ plans, calendar, people

    def _versions(self) -> list[_Version]:
        if ("plan" in self.document) == ("plans" in self.document):
            found = "both" if "plan" in self.document else "neither"
            self.look.report("plan", found, "plan or plans", "A case has either one `plan` or a list of `plans`.")
            return []
        if "plan" in self.document:
            made = self._compiled(self.document["plan"], "plan")
            return [_Version(*made, -FAR_DAY, FAR_DAY)] if made else []
        found_versions = []
        for path, row in self._rows("plans", self.document, least=1):
            table = self.look.table(row, path, ("from", "document"), ("to",))
            start, end = self._span(table, path)
            made = self._compiled(table["document"], join(path, "document")) if "document" in table else None
            if made and start is not None:
                found_versions.append(_Version(*made, start, end))
        currencies = sorted({version.plan.currency for version in found_versions})
        if len(currencies) > 1:
            self.look.report("plans", ", ".join(currencies), "one currency", "All plans of a case share one currency.")
        return found_versions

    def _compiled(self, document: Any, path: str) -> tuple[CompiledPlan, Mapping[str, FieldType]] | None:
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
        table = self.look.table(self.document.get("calendar"), "calendar", ("pay", "fiscal_start_month"))
        kind = self.look.word(table, "calendar", "pay", PAY)
        start = self.look.whole(table, "calendar", "fiscal_start_month", 1, 12)
        if kind is None or start is None:
            return None
        return PayCalendar("monthly" if kind == "monthly" else "quarterly", start)

    def _names(self, key: str, what: str) -> list[str]:
        names: list[str] = []
        for path, name in self._rows(key, self.document, least=1):
            if not isinstance(name, str) or not name.strip():
                self.look.wrong(path, name, "a name")
            elif name in names:
                self.look.report(path, name, "each once", f"{name} stands twice among the {what}.")
            else:
                names.append(name)
        return names

    def _reporting(self) -> Reporting:
        lines = []
        for path, row in self._rows("reporting", self.document):
            table = self.look.table(row, path, ("person", "manager", "from"), ("to",))
            person, manager = self._person(table, path), self._person(table, path, "manager")
            start, end = self._span(table, path)
            if person is not None and manager is not None and start is not None:
                lines.append((person, manager, start, end))
        return Reporting(*_columns(lines, 4))

    def _assignments(self, versions: Sequence[_Version]) -> Assignments:
        """Assignments to a plan, cut by the dates of its versions."""
        keys = sorted({version.plan.key for version in versions})
        lines = []
        for path, row in self._rows("assignments", self.document, least=1):
            table = self.look.table(row, path, ("person", "from"), ("to", "plan"))
            person, (start, end) = self._person(table, path), self._span(table, path)
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
        return Assignments(*_columns(lines, 4))

    def _quotas(self, every: Mapping[str, Sequence[Period]]) -> Quotas:
        known = {period.key: period for found in every.values() for period in found}
        lines, keys = [], []
        for path, row in self._rows("quotas", self.document):
            table = self.look.table(row, path, ("person", "key", "period", "amount"))
            person, key = self._person(table, path), self.look.slug(table, path, "key")
            period = self._one_of(table, path, "period", list(known))
            amount = self.look.money(table, path, "amount", zero=True)
            if person is not None and key is not None and period is not None and amount is not None:
                lines.append((person, known[period].start, known[period].end, amount))
                keys.append(key)
        person_ids, starts, ends, amounts = _columns(lines, 4)
        return Quotas(person_ids, _text(keys), starts, ends, amounts)

    # ------------------------------------------------------------------ facts

    def _deals(self, rows: list[tuple[str, Any]], versions: Sequence[_Version]) -> tuple[Facts, Teams]:
        types: dict[str, FieldType] = {}
        for version in versions:
            for name, kind in version.types.items():
                if types.setdefault(name, kind) != kind:
                    self.look.report("plans", name, "one type", f"The versions declare {name} with different types.")
        values: dict[str, list[Any]] = {name: [] for name in types}
        events, team = [], []
        for place, (path, row) in enumerate(rows):
            table = self.look.table(row, path, ("id", "fields", "team"), ("event_time",))
            own = self.look.text(table, path, "id", 200)
            if own is not None and self.deals.index(own) != place:
                self.look.report(join(path, "id"), own, "each id once", f"There are two deals {own}.")
            events.append(self._event_time(table, path))
            fields = self.look.table(table.get("fields", {}), join(path, "fields"), (), tuple(types))
            for field, kind in types.items():
                values[field].append(self._value(fields.get(field), kind, join(join(path, "fields"), field)))
            team += self._team(table, path, place)
        sources = values["source"]
        order = sorted(range(len(rows)), key=lambda row: (sources[row] or "", self.deals[row]))
        rank = np.empty(len(rows), dtype=np.int64)
        rank[order] = np.arange(len(rows))

        def chosen(kind: str) -> list[tuple[str, list[Any]]]:
            return [(field, values[field]) for field, its in types.items() if its == kind]

        deals = Facts(
            id=np.arange(len(rows)),
            rank=rank,
            event_time=_ints(events),
            text={field: _text(found) for field, found in chosen("text")},
            money={field: _ints(found, MISSING_MONEY) for field, found in chosen("money")},
            dates={field: _ints(found, MISSING_DAY) for field, found in chosen("date")},
            numbers={field: _objects(found) for field, found in chosen("number")},
            booleans={
                field: np.array([-1 if value is None else int(value) for value in found], dtype=np.int8)
                for field, found in chosen("boolean")
            },
        )
        deal, person, weight, standing = _columns([(each[0], *each[2:]) for each in team], 4)
        return deals, Teams(deal, _text([each[1] for each in team]), person, weight, standing)

    def _team(self, deal: Document, path: str, row: int) -> list[tuple[int, str, int, int, int]]:
        found = []
        for standing, (place, member) in enumerate(self._rows("team", deal, path)):
            table = self.look.table(member, place, ("role", "person"), ("weight",))
            role, person = self.look.slug(table, place, "role"), self._person(table, place)
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
            return self._day({"day": value}, path, "day", path)
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

    def _milestones(self) -> Milestones:
        lines, kinds = [], []
        for path, row in self._rows("milestones", self.document):
            table = self.look.table(row, path, ("deal", "kind", "day"))
            deal, kind = self._deal(table, path), self.look.slug(table, path, "kind")
            day = self._day(table, path, "day")
            if deal is not None and kind is not None and day is not None:
                lines.append((deal, day))
                kinds.append(kind)
        deals, days = _columns(lines, 2)
        return Milestones(deals, _text(kinds), days)

    def _usage(self) -> Usage:
        lines = []
        for path, row in self._rows("usage", self.document):
            table = self.look.table(row, path, ("deal", "day", "used", "contracted"))
            deal, day = self._deal(table, path), self._day(table, path, "day")
            used = self.look.whole(table, path, "used", 0, 10**9)
            contracted = self.look.whole(table, path, "contracted", -(10**9), 10**9)
            if deal is not None and day is not None and used is not None and contracted is not None:
                lines.append((deal, day, used, contracted))
        return Usage(*_columns(lines, 4))

    # ------------------------------------------------------------------ expectations

    def _expectations(
        self, versions: Sequence[_Version], every: Mapping[str, Sequence[Period]], pay: Sequence[Period]
    ) -> tuple[Expectation, ...]:
        if "expect" not in self.document:
            return ()
        sections: tuple[Section, ...] = ("credits", "attainment", "earnings", "payables")
        expect = self.look.table(self.document["expect"], "expect", (), sections)
        components = list(dict.fromkeys(component.key for version in versions for component in version.plan.components))
        measured = [period.key for found in every.values() for period in found]
        payable = [*(period.key for period in pay), WAITING]
        keys = {
            "credits": (("person", "deal", "amount"), ("role",)),
            "attainment": (("person", "component", "period"), ("total", "is")),
            "earnings": (("person", "component", "period", "amount"), ("deal",)),
            "payables": (("person", "period", "amount"), ("component",)),
        }
        found = []
        for section in sections:
            for path, row in self._rows(section, expect, "expect"):
                table = self.look.table(row, path, *keys[section])
                person = self._person(table, path)
                deal = self._deal(table, path) if "deal" in table else None
                role = self.look.slug(table, path, "role")
                component = self._one_of(table, path, "component", components)
                period = self._one_of(table, path, "period", payable if section == "payables" else measured)
                money = "total" if section == "attainment" else "amount"
                amount = self.look.money_value(table[money], join(path, money), "any") if money in table else None
                attainment = read_percent(table["is"]) if "is" in table else None
                if "is" in table and attainment is None:
                    self.look.wrong(join(path, "is"), table["is"], "a percentage with at most 6 decimals, like 140%")
                if section == "attainment" and not ("is" in table or "total" in table):
                    self.look.report(path, "neither", "total or is", "Say what to expect: the `total`, `is`, or both.")
                if person is not None:
                    found.append(Expectation(path, section, person, deal, role, component, period, amount, attainment))
        return tuple(found)

    # ------------------------------------------------------------------ small readers

    def _rows(self, key: str, table: Document, path: str = "", least: int = 0) -> list[tuple[str, Any]]:
        return self.look.rows(table, path, key, least, _MOST, key)

    def _person(self, table: Document, path: str, key: str = "person") -> int | None:
        name = self._one_of(table, path, key, self.people)
        return None if name is None else self.people.index(name)

    def _deal(self, table: Document, path: str) -> int | None:
        name = self._one_of(table, path, "deal", self.deals)
        return None if name is None else self.deals.index(name)

    def _one_of(self, table: Document, path: str, key: str, known: Sequence[str]) -> str | None:
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

    def _span(self, table: Document, path: str) -> tuple[int | None, int]:
        """First day and the day after the last, FAR_DAY where open."""
        start = self._day(table, path, "from")
        end = self._day(table, path, "to") if "to" in table else FAR_DAY
        if start is not None and end is not None and end <= start:
            self.look.report(
                join(path, "to"), table["to"], "a later day", "It ends on the day before `to`, so `to` has to be later."
            )
        return start, FAR_DAY if end is None else end

    def _day(self, table: Document, path: str, key: str, whole_path: str | None = None) -> int | None:
        if key not in table:
            return None
        found = read_date(table[key])
        if found is None or found.year not in _YEARS:
            allowed = f"a date like 2026-01-31, from {_YEARS.start} to {_YEARS.stop - 1}"
            self.look.wrong(whole_path or join(path, key), table[key], allowed)
            return None
        self.days.append(day_number(found))
        return self.days[-1]


def _bounds(found: Sequence[Period]) -> Ints:
    return _ints([*(period.start for period in found), found[-1].end])


def _ints(values: Iterable[int | None], missing: int = 0) -> Ints:
    return np.array([missing if value is None else value for value in values], dtype=np.int64)


def _columns(lines: Sequence[tuple[int, ...]], count: int) -> list[Ints]:
    return [_ints(line[place] for line in lines) for place in range(count)]


def _objects(values: Sequence[Any]) -> Any:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _text(values: Sequence[str | None]) -> Text:
    words = tuple(sorted({value for value in values if value is not None}))
    places = {word: place for place, word in enumerate(words)}
    return Text(np.array([-1 if value is None else places[value] for value in values], dtype=np.int32), words)
