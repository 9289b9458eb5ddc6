"""Openings out of the database: what the system before a cut-over measured, earned and still owes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from django.db import connection

from comp.core.days import day_date
from comp.core.errors import CompError
from payouts.frames.read_asof import as_date, facts
from payouts.frames.read_plans import Versions
from payouts.frames.sql import NONE, Columns, Words, day, number, read
from payouts.kernel.batch import MISSING_DAY, MISSING_MONEY, Ints, Openings, OpeningTranches
from payouts.kernel.openings import version_for

#: What releases a tranche that has its day, as tranches of other lines say it.
DATED = "date"


@dataclass(frozen=True, slots=True)
class OpeningRows:
    """`deal` and `trigger` are by row of `tranches`: the deal (NONE for none) and what of it is waited for."""

    openings: Openings
    tranches: OpeningTranches
    deal: Ints
    trigger: Words


def _standing(as_of: datetime | None) -> str:
    """SQL: the openings `o` that stand."""
    if as_of is None:
        return "o.taken_back_at IS NULL"
    return "o.applied_at <= %(as_of)s AND coalesce(o.taken_back_at > %(as_of)s, true)"


def opening_days(as_of: datetime | None) -> list[date]:
    """The first and the last day of all openings that stand."""
    with connection.cursor() as cursor:
        sql = f"SELECT min(day), max(day) FROM payouts_opening o WHERE {_standing(as_of)}"
        cursor.execute(sql, {"as_of": as_of})
        return [found for found in cursor.fetchone() if found]


def read_openings(versions: Versions, params: dict[str, Any], as_of: datetime | None) -> OpeningRows | None:
    """The openings of the versions' plans with days in the span of `params`, of `only` these participants where it
    names some; None where there are none."""
    narrow = "AND o.participant_id = ANY(%(only)s)" if params["only"] is not None else ""
    found = read(
        f"SELECT o.id, o.participant_id AS participant, o.plan_id AS plan, o.component, {day('o.day')} AS day, "
        "o.measured_minor AS measured, o.earned_minor AS earned FROM payouts_opening o "
        f"WHERE {_standing(as_of)} AND o.day >= {as_date('start')} AND o.day < {as_date('end')} "
        f"AND o.plan_id = ANY(%(plans)s) {narrow} ORDER BY o.id",
        {**params, "plans": sorted(set(versions.plan_id))},
        words=["component"],
    )
    if not found["id"].size:
        return None
    version, component = _places(versions, found)
    openings = Openings(found["participant"], version, component, found["day"], found["measured"], found["earned"])
    return _with_tranches(openings, found["id"], params, as_of)


def _places(versions: Versions, found: Columns) -> tuple[Ints, Ints]:
    """The version of each opening, and the place of its component in it."""
    places: list[tuple[int, int]] = []
    of_plan: dict[int, list[int]] = {}
    for number_, plan in enumerate(versions.plan_id):
        of_plan.setdefault(plan, []).append(number_)
    words = found["component"].words
    for plan, code, day_ in zip(
        found["plan"].tolist(), found["component"].codes.tolist(), found["day"].tolist(), strict=True
    ):
        mine = of_plan[plan]
        version = mine[version_for([(versions.starts[each], versions.ends[each]) for each in mine], day_)]
        keys = [each.key for each in versions.compiled[version].components]
        if words[code] not in keys:
            compiled = versions.compiled[version]
            raise CompError(
                f"An opening of {day_date(day_)} is for component {words[code]}, which {compiled.name} does not have "
                f"then; it has {', '.join(keys)}. Take the opening back, or publish a version with it."
            )
        places.append((version, keys.index(words[code])))
    version_column, component_column = np.array(places, dtype=np.int64).T
    return version_column, component_column


def _with_tranches(openings: Openings, ids: Ints, params: dict[str, Any], as_of: datetime | None) -> OpeningRows:
    """A tranche that a milestone releases has its day, but none before that of its opening."""
    released_on = day("t.release_day")
    found = read(
        'SELECT t.opening_id AS opening, t."index"::bigint AS index, t.amount_minor AS amount, '
        f"{number('t.paid_minor')} AS paid, "
        f"{released_on} AS release_day, {number('t.deal_id')} AS deal, t.milestone AS trigger, "
        f"{day('min(m.day)')} AS reached "
        f"FROM payouts_openingtranche t LEFT JOIN {facts(as_of)} m ON m.deal_id = t.deal_id "
        "AND m.kind = 'milestone' AND m.type = t.milestone AND t.milestone <> '' "
        'WHERE t.opening_id = ANY(%(openings)s) GROUP BY t.id ORDER BY t.opening_id, t."index"',
        {**params, "openings": ids.tolist()},
        words=["trigger"],
    )
    opening: Ints = found["opening"]
    row = np.searchsorted(ids, opening)
    reached = np.where(found["reached"] == NONE, MISSING_DAY, np.maximum(found["reached"], openings.day[row]))
    released = np.where(found["release_day"] == NONE, reached, found["release_day"])
    trigger: Words = found["trigger"]
    named = Words(trigger.codes, tuple(word or DATED for word in trigger.words))
    paid = np.where(found["paid"] == NONE, MISSING_MONEY, found["paid"])
    tranches = OpeningTranches(row, found["index"], found["amount"], released, paid)
    return OpeningRows(openings, tranches, found["deal"], named)


def tranche_rows(rows: OpeningRows, opening: Ints, index: Ints) -> Ints:
    """The rows of tranches, by their opening (a row of `openings`) and index."""
    given = rows.tranches
    width = int(given.index.max(initial=0)) + 1
    keys = given.opening * width + given.index
    order = np.argsort(keys)
    found: Ints = order[np.searchsorted(keys[order], opening * width + index)]
    return found


def people_waiting(deals: Sequence[int]) -> list[tuple[int, int, date]]:
    """Whose openings wait, or waited, for something of these deals: deal, participant and the opening's day."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT t.deal_id, o.participant_id, o.day FROM payouts_openingtranche t "
            "JOIN payouts_opening o ON o.id = t.opening_id "
            f"WHERE t.deal_id = ANY(%(deals)s) AND {_standing(None)} ORDER BY 1, 2, 3",
            {"deals": list(deals)},
        )
        return cursor.fetchall()
