"""The settlements of the open period: what the waterfall of people's plans makes of their payables (docs/algorithms/
waterfall.md), and what a batch takes of it.

People without such a plan pay nothing for it but one look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection, models

from comp.outbox.services import publish_once
from comp.tenancy.rows import rows_read
from crediting.services.issues import PAY_RATE
from payouts.frames.inflow import Place, free_inflow, taken_inflow
from payouts.frames.read import pay_groups, read_versions
from payouts.frames.waterfall import AwaitsRate, Row, Waterfalls, settled_plans, waterfalls, wholly_held
from payouts.models import Batch, BatchDraw, BatchSettlement, DrawStanding, Settlement, Unsettled
from payouts.models.settlements import OfDraw, Waterfall
from payouts.selectors import TAKEN, paid_elsewhere

#: The columns of a statement that settlements give, and their sums over the rows `w` of settlements.
_OF_STATEMENT = {
    "topped_up_minor": "topped_up_minor",
    "recovered_minor": "recovered_minor",
    "withheld_minor": "capped_minor + w.held_back_minor + w.returned_minor",
    "carried_minor": "opened_carried_minor - w.carried_forward_minor + w.opened_kept_minor - w.kept_adjustments_minor "
    "+ w.clawback_balance_minor - w.opened_clawback_minor",
    "forgiven_minor": "forgiven_minor",
}
SETTLED = tuple(_OF_STATEMENT)
SETTLED_SUMS = ", ".join(f"coalesce(sum(w.{what}), 0) AS {column}" for column, what in _OF_STATEMENT.items())


def _columns(base: type[models.Model]) -> tuple[str, ...]:
    """The columns that a standing row and a batch's have in common."""
    return tuple(
        field.attname for field in base._meta.get_fields() if isinstance(field, models.Field) and field.name != "tenant"
    )


_OWN, _DRAW = _columns(Waterfall), _columns(OfDraw)
_STANDING: Mapping[type[models.Model], tuple[str, ...]] = {
    Settlement: _OWN,
    DrawStanding: _DRAW,
    Unsettled: tuple(name for name in _columns(Unsettled) if name != "id"),
}
_MINOR = tuple(name for name in _OWN if name.endswith("_minor"))
#: A settlement in a digest: its plan's key, then its amounts, and the rate where amounts were converted.
_RATE = "(SELECT concat_ws(' ', x.kind, x.starts_on, x.rate) FROM people_exchangerate x WHERE x.id = w.rate_id)"
SETTLED_TEXT = f"concat_ws('|', pl.key, w.currency, w.returns_on, {', '.join(f'w.{name}' for name in _MINOR)}, {_RATE})"

_ASKED = """
SELECT EXISTS (SELECT 1 FROM plans_planversion WHERE state = 'published' AND position('"settlement"' IN document) > 0)
    OR EXISTS (SELECT 1 FROM payouts_settlement WHERE participant_id = ANY(%(people)s))
    OR EXISTS (SELECT 1 FROM payouts_batchsettlement WHERE participant_id = ANY(%(people)s))
    OR EXISTS (SELECT 1 FROM payouts_negativepolicy WHERE way <> 'collect')
    OR EXISTS (SELECT 1 FROM payouts_unsettled WHERE participant_id = ANY(%(people)s))
"""
#: A rate at which somebody is paid.
_ASKED_FOR = "SELECT 1 FROM crediting_dataissue WHERE kind = %s AND state = 'open' LIMIT 1"
#: Whom plans settle: they are or were on one, are paid by one, or were settled before.
_WHOSE = """
SELECT participant_id FROM plans_planassignment WHERE participant_id = ANY(%(people)s) AND plan_id = ANY(%(plans)s)
UNION SELECT participant_id FROM payouts_payable WHERE participant_id = ANY(%(people)s) AND plan_id = ANY(%(plans)s)
UNION SELECT participant_id FROM payouts_batchsettlement WHERE participant_id = ANY(%(people)s)
"""
#: Who would be paid less than nothing.
_SHORT = """
SELECT participant_id FROM {rows} x WHERE participant_id = ANY(%(people)s) AND {which}
GROUP BY participant_id, currency HAVING sum(amount_minor) < 0
"""
_FREE = _SHORT.format(rows="payouts_payable", which="hold_id IS NULL")
_TAKEN = _SHORT.format(rows="payouts_batchline", which="batch_id = %(batch)s")


def settlements_write(*, people: Sequence[int], groups: Sequence[int], starts: Sequence[date]) -> None:
    """Brings the settlements of these people's open periods up to date; `groups` and `starts` are each one's pay group
    and open period."""
    [(asked,)] = rows_read(_ASKED, {"people": list(people)})
    if not asked:
        return
    places = {who: Place(group, day) for who, group, day in zip(people, groups, starts, strict=True)}
    right = right_settlements(places)
    _write(Settlement, people, right.settlements)
    _write(DrawStanding, people, right.draws)
    # A question names a delivery: what waits before the first one came is asked about later.
    changed = _write(Unsettled, people, _unsettled(right.waits, places))
    if changed or right.waits and not rows_read(_ASKED_FOR, [PAY_RATE]):
        publish_once(topic="payables.waiting")


def _unsettled(waits: Iterable[AwaitsRate], places: Mapping[int, Place]) -> list[Row]:
    found = []
    for one in waits:
        place = places[one.participant]
        of = {"participant_id": one.participant, "plan_id": one.plan, "pay_group_id": place.group}
        asked = {"source": one.source, "target": one.target, "kind": one.kind, "day": one.day}
        found.append({**of, **asked, "period_starts_on": place.starts_on})
    return found


def right_settlements(places: Mapping[int, Place]) -> Waterfalls:
    """What stands for these people when all is right: their free payables, settled."""
    versions = read_versions()
    plans = list(settled_plans(versions))
    whom = _whom(_FREE, {"people": list(places), "plans": plans})
    mine = {person: place for person, place in places.items() if person in whom}
    if not mine:
        return Waterfalls([], [])
    return waterfalls(
        places=mine,
        inflow=free_inflow(mine),
        batches=list(Batch.objects.filter(state__in=TAKEN).values_list("id", flat=True)),
        versions=versions,
        held=wholly_held(mine),
    )


def _whom(short: str, params: Mapping[str, Any]) -> set[int]:
    """Those of the people whom plans settle, and who would be paid less than nothing."""
    with connection.cursor() as cursor:
        cursor.execute(f"{_WHOSE} UNION ({short})", params)
        return {row[0] for row in cursor.fetchall()}


_KEYS: Mapping[type[models.Model], tuple[str, ...]] = {
    Settlement: ("participant_id", "plan_id", "period_starts_on"),
    DrawStanding: ("participant_id", "plan_id", "key", "origin_starts_on", "period_starts_on"),
    Unsettled: ("participant_id", "plan_id", "period_starts_on"),
}


def settlements_off(places: Mapping[int, Place]) -> list[int]:
    """Which of these people's settlements are not what their payables and batches give."""
    right = right_settlements(places)
    waits = _unsettled(right.waits, places)
    return _off(
        (_KEYS[model], rows, _standing(model, places))
        for model, rows in ((Settlement, right.settlements), (DrawStanding, right.draws), (Unsettled, waits))
    )


def batch_settlements_off(batch: Batch, before: Iterable[Batch], as_of: datetime) -> list[int]:
    """Whose settlements in a batch are not what its lines give, started from what the batches before it left, by what
    was known at a moment."""
    versions = read_versions(as_of)
    plans = list(settled_plans(versions))
    members = {person for person, group in pay_groups(as_of).items() if group == batch.pay_group_id}
    members -= paid_elsewhere(batch)
    whom = _whom(_TAKEN, {"people": sorted(members), "plans": plans, "batch": batch.pk})
    whom |= set(BatchSettlement.objects.filter(batch=batch).values_list("participant_id", flat=True))
    right = waterfalls(
        places={person: Place(batch.pay_group_id, batch.starts_on) for person in whom},
        inflow=taken_inflow(batch.pk, whom),
        batches=[each.pk for each in before],
        versions=versions,
        as_of=as_of,
        held=wholly_held(whom, as_of),
    )
    pairs = ((Settlement, right.settlements, BatchSettlement, _OWN), (DrawStanding, right.draws, BatchDraw, _DRAW))
    return _off(
        (_KEYS[model], rows, into._base_manager.filter(batch_id=batch.pk).values("id", *columns))
        for model, rows, into, columns in pairs
    )


def _off(pairs: Iterable[tuple[tuple[str, ...], Iterable[Row], Iterable[Row]]]) -> list[int]:
    found: set[int] = set()
    for key, right, stood in pairs:
        wanted, stands = _by(key, right), _by(key, stood)
        found |= {at[0] for at in wanted.keys() | stands.keys() if not _same(wanted.get(at), stands.get(at))}
    return sorted(found)


def _write(model: type[models.Model], people: Sequence[int], rows: Sequence[Row]) -> bool:
    """Writes what differs from what stands; returns whether anything did."""
    wanted, stands = _by(_KEYS[model], rows), _by(_KEYS[model], _standing(model, people))
    gone = [row["id"] for at, row in stands.items() if not _same(wanted.get(at), row)]
    if gone:
        model._base_manager.filter(id__in=gone).delete()
    fresh = [model(**row) for at, row in wanted.items() if not _same(row, stands.get(at))]
    model._base_manager.bulk_create(fresh, batch_size=1000)
    return bool(gone or fresh)


def _standing(model: type[models.Model], people: Iterable[int]) -> Iterable[Row]:
    return model._base_manager.filter(participant_id__in=list(people)).values("id", *_STANDING[model])


def _by(key: tuple[str, ...], rows: Iterable[Row]) -> dict[tuple[Any, ...], Row]:
    return {tuple(row[name] for name in key): row for row in rows}


def _same(one: Row | None, other: Row | None) -> bool:
    """Whether two rows say the same, whatever their ids."""
    if one is None or other is None:
        return False
    return {**one, "id": 0} == {**other, "id": 0}


# ------------------------------------------------------------------ what a batch takes

_TAKE = """
INSERT INTO {into} (tenant_id, batch_id, {columns})
SELECT tenant_id, %(batch)s, {columns} FROM {stands}
WHERE pay_group_id = %(pay_group)s AND period_starts_on = %(starts_on)s
"""


def settlements_take(batch: Batch) -> None:
    """The settlements of a regular batch's period become its own; what stands is written anew for the period that
    follows."""
    params: dict[str, Any] = {"batch": batch.pk, "pay_group": batch.pay_group_id, "starts_on": batch.starts_on}
    pairs: tuple[tuple[type[models.Model], type[models.Model], tuple[str, ...]], ...] = (
        (BatchSettlement, Settlement, _OWN),
        (BatchDraw, DrawStanding, _DRAW),
    )
    with connection.cursor() as cursor:
        for into, stands, columns in pairs:
            cursor.execute(
                _TAKE.format(
                    into=into._meta.db_table,
                    stands=stands._meta.db_table,
                    columns=", ".join(columns),
                ),
                params,
            )
