"""A kernel batch out of the database: now, or as it was known at a recorded moment.

`as_of` swaps each table for what it held then: configuration from its history tables (filled by trigger), facts from
their append-only revisions by `recorded_at`. The queries are otherwise the same, so that a replay cannot drift from the
daily work.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from django.db import connection

from comp.core.calendars import PayCalendar as CalendarShape
from comp.core.calendars import measure_periods, periods
from comp.core.days import day_number, parse_day
from comp.core.errors import CompError
from comp.core.money import LARGEST, parse_money
from comp.core.rounding import round_fraction
from comp.people.calendars import calendar_of
from comp.people.models import PayCalendar
from payouts.frames.span import longest
from payouts.frames.sql import NONE, Columns, Words, day, number, read
from payouts.kernel.batch import (
    FAR_DAY,
    MILLIONTHS,
    Assignments,
    Attributes,
    Batch,
    Employment,
    Facts,
    Ints,
    Milestones,
    Quotas,
    Reporting,
    Teams,
    Text,
    Usage,
)
from payouts.kernel.periods import looks_at_others
from plans.rules.compile import compile_plan
from plans.rules.compiled import CompiledPlan
from plans.rules.named import named_fields

#: The years of facts' dates: intake refuses others, and a custom field with another is no credit date.
YEARS = range(1990, 2100)
#: The fiscal years that calendars reach over. They hold all days of YEARS, wherever a fiscal year begins.
FIRST_YEAR, LAST_YEAR = YEARS[0] - 1, YEARS[-1] + 2
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?", re.ASCII)
TEXT_COLUMNS = {
    "stage": "d.stage",
    "source": "e.key",
    "product": "p.key",
    "product.series": "p.series",
    "account": "a.key",
    "account.sector": "a.sector",
    "account.country": "a.country",
    "territory": "d.territory",
    "currency": "d.currency",
}


@dataclass(frozen=True, slots=True)
class Versions:
    """Plan versions in force at some time, as the batch numbers them."""

    id: tuple[int, ...]
    plan_id: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    compiled: tuple[CompiledPlan, ...]

    def every(self, also: str = "month") -> str:
        """The longest period over which their lines depend on each other, and at least `also`."""
        return longest(self.compiled, also)

    def levels(self) -> tuple[int, ...]:
        """How many levels each version's credit rolls up; 0 where it does not."""
        return tuple(
            max((step.levels for rule in plan.credit_rules for step in rule.roll_up), default=0)
            for plan in self.compiled
        )


@dataclass(frozen=True, slots=True)
class Read:
    """A batch and what its rows are in the database."""

    batch: Batch
    versions: Versions
    revision: Ints  # of each deal


def table(name: str, as_of: datetime | None) -> str:
    """The table, or as a subquery what it held at the moment (for tables with kept history)."""
    if as_of is None:
        return name
    app, _, model = name.partition("_")
    return (
        f"(SELECT * FROM (SELECT DISTINCT ON (id) * FROM {app}_historical{model} WHERE history_date <= %(as_of)s "
        f"ORDER BY id, history_date DESC, history_id DESC) kept WHERE kept.history_type <> '-')"
    )


def latest(name: str, keys: str, as_of: datetime | None, only: str) -> str:
    """The standing revision of each key in an append-only fact table: the greatest by (version, event_time,
    sender_id)."""
    known = "AND recorded_at <= %(as_of)s" if as_of else ""
    return (
        f"(SELECT DISTINCT ON ({keys}) * FROM {name} WHERE {only} {known} "
        f'ORDER BY {keys}, version DESC, event_time DESC, sender_id COLLATE "C" DESC)'
    )


@lru_cache(maxsize=512)
def compiled(digest: str, document: str) -> CompiledPlan:
    """A version's document, compiled once per process."""
    return compile_plan(json.loads(document))


def read_versions(as_of: datetime | None = None, superseded_of: int | None = None) -> Versions:
    """All published versions, or all of one plan that were and are superseded, in the order of their ids."""
    which = "v.state = 'published'" if superseded_of is None else "v.state = 'superseded' AND v.plan_id = %(plan)s"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT v.id, v.plan_id, v.starts_on, v.ends_on, v.digest, v.document "
            f"FROM {table('plans_planversion', as_of)} v WHERE {which} ORDER BY v.id",
            {"as_of": as_of, "plan": superseded_of},
        )
        rows = cursor.fetchall()
    return Versions(
        id=tuple(row[0] for row in rows),
        plan_id=tuple(row[1] for row in rows),
        starts=tuple(day_number(row[2]) for row in rows),
        ends=tuple(day_number(row[3]) if row[3] else FAR_DAY for row in rows),
        compiled=tuple(compiled(row[4], row[5]) for row in rows),
    )


@lru_cache(maxsize=64)
def bounds(calendar: CalendarShape, every: str) -> Ints:
    """First days of consecutive periods over all years, closed by the first day after the last. `pay` is the pay
    calendar's own; `all` is one period, of all years."""
    if every == "all":
        return bounds(calendar, "year")[[0, -1]]
    found = (
        periods(calendar, FIRST_YEAR, LAST_YEAR)
        if every == "pay"
        else measure_periods(calendar, every, FIRST_YEAR, LAST_YEAR)  # type: ignore[arg-type]
    )
    return np.array([*(p.start for p in found), found[-1].end], dtype=np.int64)


def enclosing(calendar: CalendarShape, every: str, day_no: int) -> tuple[int, int]:
    """The measure period that holds a day, as day numbers."""
    edges = bounds(calendar, every)
    place = int(np.searchsorted(edges, day_no, side="right")) - 1
    return int(edges[place]), int(edges[place + 1])


def pay_groups(as_of: datetime | None = None) -> dict[int, int]:
    """Participant id to pay group id."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, pay_group_id FROM {table('people_participant', as_of)} p", {"as_of": as_of})
        return dict(cursor.fetchall())


def calendars() -> dict[int, CalendarShape]:
    """Pay group id to its calendar."""
    shapes = {c.pk: calendar_of(c) for c in PayCalendar.objects.all()}
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, calendar_id FROM people_paygroup")
        return {group: shapes[calendar] for group, calendar in cursor.fetchall()}


Days = tuple[date, date]


def credit_days(as_of: datetime | None = None) -> Days | None:
    """The first day that a deal gives to a plan's credit date (or, now, to a credit or a measure that stands) and a day
    behind the last; None where there is none."""
    deals = latest("crediting_dealrevision", "endpoint_id, external_id", as_of, "true") if as_of else "crediting_deal"
    found: list[date] = []
    with connection.cursor() as cursor:
        for field in credit_date_fields(read_versions(as_of)):
            value, where = f"d.{field}", "true"
            if field.startswith("custom."):
                # Its month is enough, and reads where the day does not: 31 April is found to be none later.
                value = f"(left(d.custom ->> '{_safe(field[7:])}', 7) || '-01')"
                where = f"{value} ~ '^(199[0-9]|20[0-9][0-9])-(0[1-9]|1[0-2])-01$'"
                value += ' COLLATE "C"'
            ends = f"min({value})::date, max({value})::date"
            cursor.execute(f"SELECT {ends} FROM {deals} d WHERE {where}", {"as_of": as_of})
            found += [day for day in cursor.fetchone() if day]
        if as_of is None:
            cursor.execute("SELECT min(credit_date), max(credit_date) FROM crediting_credit")
            found += [day for day in cursor.fetchone() if day]
            # Under another calendar the periods that stand began on other days.
            cursor.execute("SELECT min(starts_on), max(starts_on) FROM payouts_attainment")
            found += [day for day in cursor.fetchone() if day]
    return (min(found), max(found) + timedelta(days=31)) if found else None


def read_batch(
    *,
    calendar: CalendarShape,
    versions: Versions,
    start: int,
    end: int,
    participants: Sequence[int] | None,
    as_of: datetime | None = None,
    look: bool = True,
) -> Read:
    """Everything that the figures of `participants` (None: everyone) with credit dates in [start, end) depend on.
    Without `look` all deals are read, not only theirs: the quicker way where most are."""
    fields = _fields(versions.compiled)
    params: dict[str, Any] = {"as_of": as_of, "start": start, "end": end, "people": None}
    # What somebody is paid may depend on anybody: then everybody is read, and the kernel returns those asked for.
    some = participants is not None and not looks_at_others(versions.compiled)
    params["only"] = list(participants or ()) if some else None
    reporting, assignments = _reporting(as_of), _assignments(versions, params, as_of)
    if some:
        params["people"] = _with_downlines(participants or (), reporting, assignments, versions)
    selection = _selection(fields, as_of, look and some)
    currency = versions.compiled[0].currency if versions.compiled else "USD"
    deals, teams, revision = _deals(selection, fields, params, as_of, currency)
    batch = Batch(
        plans=versions.compiled,
        periods={every: bounds(calendar, every) for every in ("month", "quarter", "half", "year")},
        pay_periods=bounds(calendar, "pay"),
        facts=deals,
        teams=teams,
        reporting=reporting,
        assignments=assignments,
        attributes=_attributes(as_of) if _needs_people(versions.compiled) else None,
        employment=_employment(as_of) if _needs_people(versions.compiled) else None,
        quotas=_quotas(params, as_of),
        milestones=_milestones(selection, deals.id, versions, params, as_of),
        usage=_usage(selection, deals.id, versions, params, as_of),
        only=np.array(sorted(participants), dtype=np.int64) if participants is not None else None,
    )
    return Read(batch, versions, revision)


# ------------------------------------------------------------------ what the plans read


#: Up to so many deals a query names them one by one.
NAMED = 20_000
KINDS = ("text", "money", "date", "number", "boolean")


@dataclass(frozen=True, slots=True)
class Fields:
    """The deal fields that conditions, amounts and credit dates name, by type."""

    text: tuple[str, ...]
    money: tuple[str, ...]
    date: tuple[str, ...]
    number: tuple[str, ...]
    boolean: tuple[str, ...]
    credit_dates: tuple[str, ...]


def _fields(plans: Iterable[CompiledPlan]) -> Fields:
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    credit_dates: set[str] = set()

    for plan in plans:
        credit_dates.update(rule.credit_date.removeprefix("deal.") for rule in plan.credit_rules)
        for _, field, kind in named_fields(plan):
            if not field.startswith(("computed.", "person.")):
                found[kind].add(field.removeprefix("deal."))
    text, money, date, number_, boolean = (tuple(sorted(found[kind])) for kind in KINDS)
    return Fields(text, money, date, number_, boolean, tuple(sorted(credit_dates)))


def credit_date_fields(versions: Versions) -> tuple[str, ...]:
    """The deal fields that any plan takes as its credit date."""
    return _fields(versions.compiled).credit_dates


def _column(field: str, kind: str) -> str:
    """SQL of a deal field: an integer for dates and money, text for the rest. A custom field is text until `_custom`
    reads it."""
    if field.startswith("custom."):
        return f"(d.custom ->> '{_safe(field[7:])}')"
    if kind == "money":
        return number("d.amount_minor")
    return day(f"d.{field}") if kind == "date" else TEXT_COLUMNS[field]


def _custom(words: Words, kind: str, currency: str) -> Any:
    """A custom field's column in the type that the plan declares. What does not read as that type is missing, never
    something else."""

    def value(word: str) -> Any:
        try:
            match kind:
                case "money":
                    return parse_money(word, currency)
                case "date":
                    return day_number(parse_day(word))
                case "boolean":
                    return {"true": 1, "false": 0}.get(word, -1)
                case _:
                    return _millionths(word) if _NUMBER.fullmatch(word) else NONE
        except CompError:
            return NONE

    empty: Any = {"money": NONE, "date": NONE, "boolean": -1, "number": NONE}[kind]
    types: dict[str, Any] = {"money": np.int64, "date": np.int64, "boolean": np.int8, "number": np.int64}
    values = np.array([*(value(word) if word else empty for word in words.words), empty], dtype=types[kind])
    return values[words.codes]


def _millionths(word: str) -> int:
    """A number in whole millionths; one too large to be held is missing."""
    value = round_fraction(Fraction(word) * MILLIONTHS, "half-even")
    return value if abs(value) <= LARGEST else NONE


def _within_years(days: Ints) -> Ints:
    """A custom date that no calendar reaches is a missing credit date: its credit waits."""
    first, last = day_number(date(YEARS[0], 1, 1)), day_number(date(YEARS[-1], 12, 31))
    kept: Ints = np.where((days < first) | (days > last), NONE, days)
    return kept


def _safe(name: str) -> str:
    """A custom field's name as it may stand in SQL (plan documents admit slugs only; this is the second lock)."""
    if not name.replace("_", "").replace("-", "").isalnum() or not name.isascii():
        raise ValueError(f"custom field {name!r}: letters, digits, - and _ are allowed")
    return name


# ------------------------------------------------------------------ deals and their teams


def _selection(fields: Fields, as_of: datetime | None, narrow: bool) -> str:
    """SQL of the deals that matter: a credit date in the span and, where `narrow`, one of the people on the team. The
    deal is `d`."""
    if as_of is None:
        deals = "(SELECT *, revision_id AS r FROM crediting_deal)"
        on_team = "SELECT 1 FROM crediting_dealteam t WHERE t.deal_id = d.id AND t.participant_id = ANY(%(people)s)"
    else:
        deals = (
            "(SELECT now.id, was.id AS r, was.version, was.event_time, was.stage, was.amount_minor, was.currency, "
            "was.close_date, was.engage_date, was.product_id, was.account_id, was.territory, was.custom, was.team, "
            "now.endpoint_id, now.external_id FROM "
            + latest("crediting_dealrevision", "endpoint_id, external_id", as_of, "true")
            + " was JOIN crediting_deal now ON now.endpoint_id = was.endpoint_id AND now.external_id = was.external_id)"
        )
        on_team = "SELECT 1 FROM jsonb_array_elements(d.team) m WHERE (m ->> 1)::bigint = ANY(%(people)s)"
    spans = [_inside(field) for field in fields.credit_dates]
    where = f"({' OR '.join(spans) or 'false'})" + (f" AND EXISTS ({on_team})" if narrow else "")
    return f"{deals} d WHERE {where}"


def _inside(field: str) -> str:
    """SQL: a date field lies in the span. A custom field is compared as text: ISO dates sort like the days they name,
    and one that is no date at all is read as missing later."""
    if field.startswith("custom."):
        value = f"(d.custom ->> '{_safe(field[7:])}') COLLATE \"C\""
        return f"({value} >= {_as_date('start')}::text AND {value} < {_as_date('end')}::text)"
    return f"(d.{field} >= {_as_date('start')} AND d.{field} < {_as_date('end')})"


def _as_date(param: str) -> str:
    return f"('1970-01-01'::date + %({param})s::int)"


def _deals(
    selection: str, fields: Fields, params: dict[str, Any], as_of: datetime | None, currency: str
) -> tuple[Facts, Teams, Ints]:
    wanted = [(field, kind) for kind in KINDS for field in getattr(fields, kind)]
    textual = [kind == "text" or field.startswith("custom.") for field, kind in wanted]
    columns = "".join(f", {_column(field, kind)} AS f{place}" for place, (field, kind) in enumerate(wanted))
    body, _, where = selection.partition(" d WHERE ")
    sql = (
        "SELECT d.id AS deal, d.r AS revision, (extract(epoch FROM d.event_time) * 1000000)::bigint AS event_time, "
        f'row_number() OVER (ORDER BY e.key COLLATE "C", d.external_id COLLATE "C") AS rank{columns} '
        f"FROM {body} d JOIN crediting_hookendpoint e ON e.id = d.endpoint_id "
        f"LEFT JOIN {table('crediting_product', as_of)} p ON p.id = d.product_id "
        f"LEFT JOIN {table('crediting_account', as_of)} a ON a.id = d.account_id WHERE {where} ORDER BY d.id"
    )
    found = read(sql, params, words=[f"f{place}" for place, is_text in enumerate(textual) if is_text])
    of: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    for place, (field, kind) in enumerate(wanted):
        column = found[f"f{place}"]
        if kind == "text":
            of[kind][field] = _text(column)
        else:
            of[kind][field] = _custom(column, kind, currency) if textual[place] else column
        if kind == "date" and textual[place] and field in fields.credit_dates:
            of[kind][field] = _within_years(of[kind][field])
    deals = Facts(
        id=found["deal"],
        rank=found["rank"],
        event_time=found["event_time"],
        text=of["text"],
        money=of["money"],
        dates=of["date"],
        numbers=of["number"],
        booleans=of["boolean"],
    )
    return deals, _teams(selection, deals.id, params, as_of), found["revision"]


def _text(words: Words) -> Text:
    """An empty text is a missing one."""
    codes = words.codes.astype(np.int32)
    if "" in words.words:
        codes[codes == words.words.index("")] = -1
    return Text(codes, words.words)


def _teams(selection: str, deal_ids: Ints, params: dict[str, Any], as_of: datetime | None) -> Teams:
    if as_of is None:
        sql = (
            "SELECT t.deal_id AS deal, t.role, t.participant_id AS participant, t.weight::bigint AS weight, "
            "t.place::bigint AS place "
            f"FROM crediting_dealteam t WHERE {_deals_named(selection, deal_ids, params)}"
        )
    else:
        sql = (
            "SELECT s.id AS deal, m.value ->> 0 AS role, (m.value ->> 1)::bigint AS participant, "
            "(m.value ->> 2)::bigint AS weight, m.ordinality - 1 AS place "
            f"FROM (SELECT d.id, d.team FROM {selection}) s, jsonb_array_elements(s.team) WITH ORDINALITY m"
        )
    found = _of_deals(read(sql, params, words=["role"]), deal_ids)
    return Teams(
        fact=found["deal"],
        role=Text(found["role"].codes.astype(np.int32), found["role"].words),
        participant=found["participant"],
        weight=found["weight"],
        place=found["place"],
    )


def _of_deals(found: Columns, deal_ids: Ints) -> Columns:
    """The rows of the batch's deals, `deal` being the place of each among them (they are in the order of their ids).

    Intake goes on between two reads: rows of a deal that came meanwhile are left to the scope that came with it.
    Without this they would count for the deal whose place theirs would be.
    """
    known = np.flatnonzero(np.isin(found["deal"], deal_ids))
    rows: Columns = {
        name: Words(column.codes[known], column.words) if isinstance(column, Words) else column[known]
        for name, column in found.items()
    }
    return {**rows, "deal": np.searchsorted(deal_ids, rows["deal"]).astype(np.int64)}


# ------------------------------------------------------------------ people, plans, quotas


def _open_end(column: str) -> str:
    """SQL: the end of an interval as a day number, FAR_DAY where it is open."""
    return f"coalesce(({column} - '1970-01-01'::date)::bigint, {FAR_DAY})"


def _reporting(as_of: datetime | None) -> Reporting:
    found = read(
        f"SELECT participant_id AS participant, manager_id AS manager, {day('starts_on')} AS start, "
        f"{_open_end('ends_on')} AS end "
        f"FROM {table('people_reportingline', as_of)} r",
        {"as_of": as_of},
    )
    return Reporting(found["participant"], found["manager"], found["start"], found["end"])


def _needs_people(plans: Sequence[CompiledPlan]) -> bool:
    """Whether any plan asks what a person is, in which team, or how long employed."""
    return looks_at_others(plans) or any(
        plan.overrides
        or plan.employment is not None
        or plan.proration is not None
        or any(component.ramp is not None for component in plan.components)
        or any(field.startswith("person.") for _, field, _ in named_fields(plan))
        for plan in plans
    )


def _attributes(as_of: datetime | None) -> Attributes:
    """Titles and teams (by key) from the positions; everybody's own key as `person`."""
    found = read(
        f"SELECT s.participant_id AS participant, a.name, a.value, {day('s.starts_on')} AS start, "
        f"{_open_end('s.ends_on')} AS end FROM {table('people_position', as_of)} s "
        f"LEFT JOIN {table('people_team', as_of)} t ON t.id = s.team_id, "
        "LATERAL (VALUES ('title', s.title), ('team', t.key)) a(name, value) WHERE a.value IS NOT NULL",
        {"as_of": as_of},
        words=["name", "value"],
    )
    keys = read(
        f"SELECT p.id AS participant, p.key AS value FROM {table('people_participant', as_of)} p",
        {"as_of": as_of},
        words=["value"],
    )
    names = (*found["name"].words, "person")
    values = tuple(dict.fromkeys((*found["value"].words, *keys["value"].words)))
    place = {word: number for number, word in enumerate(values)}
    own = np.array([place[word] for word in keys["value"].words], dtype=np.int64)[keys["value"].codes]
    rows = keys["participant"].size
    return Attributes(
        np.concatenate((found["participant"], keys["participant"])),
        Text(np.concatenate((found["name"].codes, np.full(rows, len(names) - 1))).astype(np.int32), names),
        Text(np.concatenate((found["value"].codes, own)).astype(np.int32), values),
        np.concatenate((found["start"], np.full(rows, -FAR_DAY))),
        np.concatenate((found["end"], np.full(rows, FAR_DAY))),
    )


def _employment(as_of: datetime | None) -> Employment:
    """Each participant's days here. Leave is not kept yet."""
    found = read(
        f"SELECT p.id AS participant, {day('p.starts_on')} AS start, {_open_end('p.ends_on')} AS end "
        f"FROM {table('people_participant', as_of)} p",
        {"as_of": as_of},
    )
    leave = np.zeros(found["participant"].size, dtype=np.int8)
    return Employment(found["participant"], leave, found["start"], found["end"])


def _with_downlines(
    participants: Sequence[int], reporting: Reporting, assignments: Assignments, versions: Versions
) -> list[int]:
    """The participants, and everybody who ever stood beneath those of them whose plan rolls credit up to them."""
    levels = np.array(versions.levels(), dtype=np.int64)
    rolls = levels[assignments.plan] > 0 if levels.size else np.zeros(0, dtype=bool)
    found = np.unique(assignments.participant[rolls])
    for _ in range(int(levels.max(initial=0))):
        wider = np.union1d(found, reporting.participant[np.isin(reporting.manager, found)])
        if wider.size == found.size:
            break
        found = wider
    return np.union1d(found, np.array(participants, dtype=np.int64)).tolist()


def _assignments(versions: Versions, params: dict[str, Any], as_of: datetime | None) -> Assignments:
    narrow = "WHERE s.participant_id = ANY(%(only)s)" if params["only"] is not None else ""
    found = read(
        f"SELECT s.participant_id AS participant, s.plan_id AS plan, {day('s.starts_on')} AS start, "
        f"{_open_end('s.ends_on')} AS end "
        f"FROM {table('plans_planassignment', as_of)} s {narrow}",
        params,
    )
    rows: list[Columns] = []
    for index, plan_id in enumerate(versions.plan_id):
        start = np.maximum(found["start"], versions.starts[index])
        end = np.minimum(found["end"], versions.ends[index])
        mine = (found["plan"] == plan_id) & (start < end)
        people = found["participant"][mine]
        rows.append({"p": people, "v": np.full(people.size, index, dtype=np.int64), "s": start[mine], "e": end[mine]})
    nothing = np.zeros(0, dtype=np.int64)
    joined = {name: np.concatenate([nothing, *(row[name] for row in rows)]) for name in ("p", "v", "s", "e")}
    return Assignments(joined["p"], joined["v"], joined["s"], joined["e"])


def _quotas(params: dict[str, Any], as_of: datetime | None) -> Quotas:
    narrow = "AND q.participant_id = ANY(%(only)s)" if params["only"] is not None else ""
    found = read(
        f"SELECT q.participant_id AS participant, q.key, {day('q.starts_on')} AS start, {day('q.ends_on')} AS end, "
        f"q.amount_minor AS amount FROM {table('plans_quota', as_of)} q "
        f"WHERE q.ends_on > {_as_date('start')} AND q.starts_on < {_as_date('end')} {narrow}",
        params,
        words=["key"],
    )
    key = Text(found["key"].codes.astype(np.int32), found["key"].words)
    return Quotas(found["participant"], key, found["start"], found["end"], found["amount"])


# ------------------------------------------------------------------ what releases


def _deals_named(selection: str, deal_ids: Ints, params: dict[str, Any]) -> str:
    """SQL: facts of the batch's deals. A few thousand are named by their ids, so that the index on the deal is used
    whatever the planner knows of the tables: in young ones, not yet analyzed, it joined each fact with each deal."""
    if deal_ids.size > NAMED:
        return f"deal_id IN (SELECT d.id FROM {selection})"
    params["deals"] = deal_ids.tolist()
    return "deal_id = ANY(%(deals)s::bigint[])"


def _milestones(
    selection: str, deal_ids: Ints, versions: Versions, params: dict[str, Any], as_of: datetime | None
) -> Milestones:
    kinds = sorted(
        {t.on for p in versions.compiled for c in p.components for t in c.release} - {"usage", "credit_date"}
    )
    found = read(
        f"SELECT m.deal_id AS deal, m.type, {day('m.day')} AS day FROM {_facts(as_of)} m "
        f"WHERE {_deals_named(selection, deal_ids, params)} AND m.kind = 'milestone' AND m.stands "
        "AND m.type = ANY(%(kinds)s)",
        {**params, "kinds": kinds},
        words=["type"],
    )
    found = _of_deals(found, deal_ids)
    return Milestones(found["deal"], Text(found["type"].codes.astype(np.int32), found["type"].words), found["day"])


def _usage(selection: str, deal_ids: Ints, versions: Versions, params: dict[str, Any], as_of: datetime | None) -> Usage:
    if not any(t.on == "usage" for p in versions.compiled for c in p.components for t in c.release):
        nothing = np.zeros(0, dtype=np.int64)
        return Usage(nothing, nothing, nothing, nothing)
    found = read(
        f"SELECT u.deal_id AS deal, {day('u.day')} AS day, (u.values ->> 'used')::bigint AS used, "
        f"(u.values ->> 'contracted')::bigint AS contracted FROM {_facts(as_of)} u "
        f"WHERE {_deals_named(selection, deal_ids, params)} AND u.kind = 'usage' AND u.stands",
        params,
    )
    found = _of_deals(found, deal_ids)
    return Usage(found["deal"], found["day"], found["used"], found["contracted"])


def _facts(as_of: datetime | None) -> str:
    """SQL of the facts as they stand, or stood."""
    if as_of is None:
        return "crediting_fact"
    return latest("crediting_factrevision", "endpoint_id, kind, external_id", as_of, "true")
