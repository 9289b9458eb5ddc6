"""A kernel batch out of the database: now, or as it was known at a recorded moment.

`as_of` swaps each table for what it held then: configuration from its history tables (filled by trigger), facts from
their append-only revisions by `recorded_at`. The queries are otherwise the same, so that a replay cannot drift from the
daily work.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from django.db import connection

from comp.core.calendars import PayCalendar as CalendarShape
from comp.core.calendars import measure_periods, periods
from comp.people.calendars import calendar_of
from comp.people.models import PayCalendar
from comp.tenancy.rows import models_read, rows_read
from payouts.frames import read_people
from payouts.frames.read_asof import deals, facts, table
from payouts.frames.read_facts import FactReader, milestones, transfers, usage
from payouts.frames.read_fields import YEARS as YEARS
from payouts.frames.read_fields import ends, fields_of
from payouts.frames.read_kept import read_kept
from payouts.frames.read_openings import OpeningRows, opening_days, read_openings
from payouts.frames.read_plans import Versions as Versions
from payouts.frames.read_plans import read_versions as read_versions
from payouts.kernel.batch import Batch, Ints
from payouts.kernel.periods import looks_at_others
from payouts.kernel.spans import with_own_periods

#: The fiscal years that calendars reach over. They hold all days of YEARS, wherever a fiscal year begins.
FIRST_YEAR, LAST_YEAR = YEARS[0] - 1, YEARS[-1] + 2
#: One in so many people is few: the facts of more of them are not looked for among all.
FEW = 4


@dataclass(frozen=True, slots=True)
class Read:
    """A batch and what its rows are in the database."""

    batch: Batch
    versions: Versions
    revision: Ints  # of each deal or other fact
    rates: Ints  # the row of each rate of exchange
    openings: OpeningRows | None = None


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
    return dict(rows_read(f"SELECT id, pay_group_id FROM {table('people_participant', as_of)} p", {"as_of": as_of}))


def calendars(as_of: datetime | None = None) -> dict[int, CalendarShape]:
    """Pay group id to its calendar, with the holidays known."""
    free = read_people.holidays(as_of)
    stored = models_read(PayCalendar, "true", [])
    shapes = {one.pk: replace(calendar_of(one), holidays=free.get(one.pk, ())) for one in stored}
    groups = rows_read("SELECT id, calendar_id FROM people_paygroup", [])
    return {group: shapes[calendar] for group, calendar in groups}


Days = tuple[date, date]


def credit_days(as_of: datetime | None = None, people: Iterable[int] | None = None) -> Days | None:
    """The first day that a fact gives to a plan's credit date (or, now, to a credit or a measure that stands, of these
    people or of all, or on which something is taken back) and a day behind the last; None where there is none."""
    fields = fields_of(read_versions(as_of).compiled)
    dates = {("deal" if kind == "deal" else "fact", field) for kind, field in fields.credited}
    dates = {("deal", field[5:]) if field.startswith("deal.") else (of, field) for of, field in dates}
    if fields.happening:
        dates.add(("fact", "day"))
    found: list[date] = []
    with connection.cursor() as cursor:
        for of, field in sorted(dates):
            (both, where), rows = ends(field, of), deals(as_of) if of == "deal" else facts(as_of)
            cursor.execute(f"SELECT {both} FROM {rows} d WHERE {where}", {"as_of": as_of})
            found += [day for day in cursor.fetchone() if day]
        if as_of is None:
            # Person by person, as the index stands: a large recomputation asks for each of its chunks.
            whose = "(SELECT id FROM people_participant)" if people is None else "unnest(%(people)s::bigint[])"
            cursor.execute(
                f"SELECT min(c.first), max(c.last) FROM {whose} AS p(id)"
                " CROSS JOIN LATERAL (SELECT min(credit_date) AS first, max(credit_date) AS last FROM crediting_credit"
                " WHERE participant_id = p.id) c",
                {"people": sorted(set(people or ()))},
            )
            found += [day for day in cursor.fetchone() if day]
            # Under another calendar the periods that stand began on other days.
            cursor.execute("SELECT min(starts_on), max(starts_on) FROM payouts_attainment")
            found += [day for day in cursor.fetchone() if day]
    found += opening_days(as_of)
    return (min(found), max(found) + timedelta(days=31)) if found else None


def read_batch(
    *,
    calendar: CalendarShape,
    versions: Versions,
    start: int,
    end: int,
    participants: Sequence[int] | None,
    as_of: datetime | None = None,
    headcount: int | None = None,
    openings: bool = True,
) -> Read:
    """Everything that the figures of `participants` (None: everyone) with credit dates in [start, end) depend on. Where
    those whose facts are asked for are not few of a `headcount`, all facts are read: the quicker way. Without
    `openings` as though no other system had been there before."""
    plans = versions.compiled
    params: dict[str, Any] = {"as_of": as_of, "start": start, "end": end, "people": None}
    # What somebody is paid may depend on all who are on these plans: then they are read too, and the kernel returns
    # those asked for.
    some = participants is not None and not looks_at_others(plans)
    params["only"] = list(participants or ()) if some else None
    reporting, assignments = read_people.reporting(as_of), read_people.assignments(versions, params, as_of)
    narrow = False
    if participants is not None:
        whose = participants if some else np.unique(assignments.participant).tolist()
        params["people"] = read_people.with_downlines(whose, reporting, assignments, versions.levels())
        narrow = headcount is None or len(whose) * FEW < headcount
    currency = plans[0].currency if plans else "USD"
    exchange, rates = read_people.exchange(as_of)
    # Facts in other currencies are stored once a rate is known: until then all are in the plans'.
    converts = exchange is not None
    rows = FactReader(fields_of(plans), params, as_of, narrow, currency, converts).rows()
    asks = read_people.needs_people(plans)
    quotas, relief = read_people.quotas(versions, params, as_of)
    opened = read_openings(versions, params, as_of) if openings else None
    batch = Batch(
        plans=plans,
        periods={every: bounds(calendar, every) for every in ("month", "quarter", "half", "year")},
        pay_periods=bounds(calendar, "pay"),
        facts=rows.facts,
        teams=rows.teams,
        reporting=reporting,
        assignments=assignments,
        attributes=read_people.attributes(as_of) if asks else None,
        employment=read_people.employment(as_of) if asks else None,
        quotas=quotas,
        relief=relief,
        milestones=milestones(rows, plans, params, as_of),
        usage=usage(rows, plans, params, as_of),
        transfers=transfers(rows, plans, params, as_of),
        exchange=exchange,
        pay_currency=read_people.pay_currency(plans, participants, as_of) or None,
        holidays=np.array(calendar.holidays, dtype=np.int64) if calendar.holidays else None,
        only=np.array(sorted(participants), dtype=np.int64) if participants is not None else None,
        in_force=tuple(zip(versions.starts, versions.ends, strict=True)),
        openings=None if opened is None else opened.openings,
        opening_tranches=None if opened is None else opened.tranches,
        kept=read_kept(versions, assignments.participant, rows.facts.id, as_of),
        settles=False,  # from what is payable, pay period by pay period: payouts.frames.waterfall
    )
    return Read(with_own_periods(batch), versions, rows.revision, rates, opened)
