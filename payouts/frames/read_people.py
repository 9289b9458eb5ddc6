"""People, their plans and quotas out of the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from comp.tenancy.rows import rows_read
from payouts.frames.read_asof import as_date, open_end, table
from payouts.frames.read_plans import Versions
from payouts.frames.sql import Columns, day, read, read_numbers
from payouts.kernel.batch import (
    FAR_DAY,
    Assignments,
    Attributes,
    Employment,
    Exchange,
    Ints,
    Quotas,
    Relief,
    Reporting,
    Text,
)
from payouts.kernel.periods import looks_at_others
from plans.rules.compiled import CompiledPlan
from plans.rules.named import named_fields
from plans.rules.specialise import stated

#: What a rate is kept in.
TEN_DECIMALS = 10_000_000_000
#: What the whole of a quota is in the units of a relief: percent of four decimals.
HUNDRED_PERCENT = 1_000_000


def reporting(as_of: datetime | None) -> Reporting:
    found = read_numbers(
        f"SELECT participant_id::bigint, manager_id::bigint, {day('starts_on')}, {open_end('ends_on')} "
        f"FROM {table('people_reportingline', as_of)} r",
        {"as_of": as_of},
        ("participant", "manager", "start", "end"),
    )
    return Reporting(found["participant"], found["manager"], found["start"], found["end"])


def needs_people(plans: Sequence[CompiledPlan]) -> bool:
    """Whether any plan asks what a person is, in which team, or how long employed."""
    return looks_at_others(plans) or any(
        plan.overrides
        or plan.employment is not None
        or plan.proration is not None
        or any(component.ramp is not None for component in plan.components)
        or any(field.startswith("person.") for _, field, _ in named_fields(plan))
        for plan in plans
    )


def attributes(as_of: datetime | None) -> Attributes:
    """Titles and teams (by key) from the positions; region, position and pool; everybody's own key as `person`."""
    found = read(
        f"SELECT s.participant_id AS participant, a.name, a.value, {day('s.starts_on')} AS start, "
        f"{open_end('s.ends_on')} AS end FROM {table('people_position', as_of)} s "
        f"LEFT JOIN {table('people_team', as_of)} t ON t.id = s.team_id, "
        "LATERAL (VALUES ('title', s.title), ('team', t.key)) a(name, value) WHERE a.value IS NOT NULL "
        f"UNION ALL SELECT participant_id, name, value, {day('starts_on')}, {open_end('ends_on')} "
        f"FROM {table('people_attribute', as_of)} o",
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


def employment(as_of: datetime | None, people: Sequence[int] | None = None) -> Employment:
    """Each participant's days here, or of these, without the gaps between two employments; and the days of leave."""
    one, other = ("", "") if people is None else (
        "WHERE p.id = ANY(%(people)s)", "WHERE l.participant_id = ANY(%(people)s)",
    )  # fmt: skip
    found = read(
        "WITH spans AS (SELECT p.id, 0 AS leave, unnest(datemultirange(daterange(p.starts_on, p.ends_on)) - coalesce("
        f"(SELECT range_agg(daterange(g.starts_on, g.ends_on)) FROM {table('people_gap', as_of)} g "
        "WHERE g.participant_id = p.id), '{}'::datemultirange)) AS days "
        f"FROM {table('people_participant', as_of)} p {one} UNION ALL "
        f"SELECT participant_id, 1, daterange(starts_on, ends_on) FROM {table('people_leave', as_of)} l {other}) "
        f"SELECT id AS participant, leave::bigint AS leave, {day('lower(days)')} AS start, "
        f"{open_end('upper(days)')} AS end FROM spans",
        {"as_of": as_of, "people": list(people or ())},
    )
    return Employment(found["participant"], found["leave"].astype(np.int8), found["start"], found["end"])


def holidays(as_of: datetime | None) -> dict[int, tuple[int, ...]]:
    """Calendar id to its holidays, in order."""
    found = read(
        f"SELECT h.calendar_id AS calendar, {day('h.day')} AS day FROM {table('people_holiday', as_of)} h "
        "ORDER BY h.calendar_id, h.day",
        {"as_of": as_of},
    )
    days: dict[int, list[int]] = {}
    for calendar, number in zip(found["calendar"].tolist(), found["day"].tolist(), strict=True):
        days.setdefault(calendar, []).append(number)
    return {calendar: tuple(numbers) for calendar, numbers in days.items()}


def pay_currency(plans: Sequence[CompiledPlan], people: Sequence[int] | None, as_of: datetime | None) -> dict[int, str]:
    """Those of the people (None: of all) who are paid in another currency than the plans', each with theirs. Nobody is
    on a plan that does not convert (plans.services)."""
    converting = {plan.currency for plan in plans if plan.currencies is not None}
    if not converting:
        return {}
    narrow = "" if people is None else "AND p.id = ANY(%(people)s)"
    sql = f"SELECT id, currency FROM {table('people_participant', as_of)} p WHERE currency <> ALL(%(own)s) {narrow}"
    return dict(rows_read(sql, {"as_of": as_of, "own": sorted(converting), "people": list(people or ())}))


def exchange(as_of: datetime | None) -> tuple[Exchange | None, Ints]:
    """The rates: of each first day the latest revision, until the next rate of its pair and kind; and which row each
    is. None where none was ever said; where all were taken back there are still facts in other currencies, and none is
    another one's."""
    known = "WHERE recorded_at <= %(as_of)s" if as_of else ""
    [(said,)] = rows_read(f"SELECT EXISTS (SELECT 1 FROM people_exchangerate {known})", {"as_of": as_of})
    if not said:
        return None, np.zeros(0, dtype=np.int64)
    found = read(
        "SELECT id, source, target, kind, start, least(stop, coalesce(lead(start) OVER pair, stop)) AS end, rate FROM ("
        f"SELECT id, source, target, kind, {day('starts_on')} AS start, {open_end('ends_on')} AS stop, "
        "(rate * 10000000000)::bigint AS rate FROM (SELECT DISTINCT ON (source, target, kind, starts_on) * "
        f"FROM people_exchangerate {known} ORDER BY source, target, kind, starts_on, revision DESC) latest "
        "WHERE rate IS NOT NULL) r WINDOW pair AS (PARTITION BY source, target, kind ORDER BY start)",
        {"as_of": as_of},
        words=["source", "target", "kind"],
    )
    source, target, kind = (
        Text(found[name].codes.astype(np.int32), found[name].words) for name in ("source", "target", "kind")
    )
    common = np.gcd(found["rate"], TEN_DECIMALS)
    top, bottom = found["rate"] // common, TEN_DECIMALS // common
    return Exchange(source, target, kind, found["start"], found["end"], top, bottom), found["id"]


def with_downlines(
    participants: Sequence[int], lines: Reporting, assigned: Assignments, levels: Sequence[int]
) -> list[int]:
    """The participants, and everybody who ever stood beneath those of them whose plan rolls credit up to them. `levels`
    is by plan version."""
    up = np.array(levels, dtype=np.int64)
    rolls = up[assigned.plan] > 0 if up.size else np.zeros(0, dtype=bool)
    found = np.unique(assigned.participant[rolls])
    for _ in range(int(up.max(initial=0))):
        wider = np.union1d(found, lines.participant[np.isin(lines.manager, found)])
        if wider.size == found.size:
            break
        found = wider
    return np.union1d(found, np.array(participants, dtype=np.int64)).tolist()


def assignments(versions: Versions, params: dict[str, Any], as_of: datetime | None) -> Assignments:
    narrow = "WHERE s.participant_id = ANY(%(only)s)" if params["only"] is not None else ""
    found = read_numbers(
        f"SELECT s.participant_id::bigint, s.plan_id::bigint, {day('s.starts_on')}, {open_end('s.ends_on')} "
        f"FROM {table('plans_planassignment', as_of)} s {narrow}",
        params,
        ("participant", "plan", "start", "end"),
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


def quotas(versions: Versions, params: dict[str, Any], as_of: datetime | None) -> tuple[Quotas, Relief | None]:
    """What is kept by key, and what of it people are relieved of by somebody's decision. One that is kept in money
    where the plans count, or as a number where they measure money, is missing: it would be another amount."""
    counted, in_money = _kept_as(versions)
    params = {**params, "counted": sorted(counted), "in_money": sorted(in_money)}
    narrow = "AND q.participant_id = ANY(%(only)s)" if params["only"] is not None else ""
    found = read(
        f"SELECT q.participant_id AS participant, q.key, {day('q.starts_on')} AS start, {day('q.ends_on')} AS end, "
        f"q.amount_minor AS amount, 0::bigint AS share FROM {table('plans_quota', as_of)} q "
        f"WHERE q.ends_on > {as_date('start')} AND q.starts_on < {as_date('end')} {narrow} "
        "AND q.key <> ALL(CASE q.unit WHEN 'money' THEN %(counted)s::text[] ELSE %(in_money)s::text[] END) UNION ALL "
        f"SELECT q.participant_id, q.key, {day('q.starts_on')}, {day('q.ends_on')}, 0, "
        f"(q.percent * {HUNDRED_PERCENT // 100})::bigint FROM {table('payouts_quotarelief', as_of)} q "
        "WHERE q.state = 'approved' AND q.revoked_at IS NULL "
        f"AND q.ends_on > {as_date('start')} AND q.starts_on < {as_date('end')} {narrow}",
        params,
        words=["key"],
    )
    given = found["share"] > 0
    codes, words = found["key"].codes.astype(np.int32), found["key"].words
    kept = [found[name][~given] for name in ("participant", "start", "end", "amount")]
    quotas = Quotas(kept[0], Text(codes[~given], words), *kept[1:])
    if not given.any():
        return quotas, None
    who, start, end, share = (found[name][given] for name in ("participant", "start", "end", "share"))
    return quotas, Relief(who, Text(codes[given], words), start, end, share, np.full_like(share, HUNDRED_PERCENT))


def _kept_as(versions: Versions) -> tuple[set[str], set[str]]:
    """The keys that stand for a number of what is counted, and those that stand for money."""
    counted: set[str] = set()
    in_money: set[str] = set()
    for plan in versions.compiled:
        for component in stated(plan):
            if component.incentive is not None:
                in_money.add(component.incentive)
            if component.quota is not None:
                (in_money if component.measure.unit == "money" else counted).add(component.quota)
    return counted, in_money
