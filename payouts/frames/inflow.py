"""What comes into a pay period of the waterfall: free payables, or the lines that a batch took, added up."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from django.db import connection

from payouts.models.figures import LineNamed

Account = tuple[int, int]  # participant and plan id


class Place(NamedTuple):
    """Where somebody is paid: pay group and period."""

    group: int
    starts_on: date


@dataclass(frozen=True, slots=True)
class Inflow:
    """What comes in, added up: of each account and kind of line, of a component, that belongs to a pay period."""

    account: Account
    version: int
    component: str
    line_kind: int
    kind: str
    origin: date
    currency: str
    beside: bool  # paid beside the waterfall: what a review lets pass of the cap
    minor: int


_KINDS = "participant_id, plan_id, plan_version_id, component, line_kind, kind, origin_starts_on, currency"
_INFLOW = f"""
SELECT {_KINDS}, rule = ANY(%(beside)s) AND line_kind = {LineNamed.Kind.MANUAL}, sum(amount_minor)::bigint
FROM {{rows}} GROUP BY {_KINDS}, rule = ANY(%(beside)s) AND line_kind = {LineNamed.Kind.MANUAL}
"""
#: The adjustments (whose they are, and the rule of their lines) that pay what a review let pass of a settlement's cap.
BESIDE = """
SELECT r.participant_id, 'ADJ-' || lpad(a.number::text, greatest(6, length(a.number::text)), '0') AS rule
FROM payouts_settlementreview r JOIN payouts_adjustment a ON a.id = r.adjustment_id
WHERE r.participant_id = ANY(%(people)s)
"""
_FREE = """payouts_payable p JOIN unnest(%(people)s::bigint[], %(starts)s::date[]) AS o(participant_id, starts_on)
    USING (participant_id)
WHERE p.period_starts_on = o.starts_on AND p.hold_id IS NULL"""
_TAKEN_LINES = "payouts_batchline WHERE batch_id = %(batch)s AND participant_id = ANY(%(people)s)"


def free_inflow(places: Mapping[int, Place]) -> list[Inflow]:
    """What the open period of these people has come in: their payables that nothing holds."""
    params = {"people": list(places), "starts": [place.starts_on for place in places.values()]}
    return _inflow(_INFLOW.format(rows=_FREE), params)


def taken_inflow(batch: int, people: Collection[int]) -> list[Inflow]:
    """What a batch took of these people."""
    return _inflow(_INFLOW.format(rows=_TAKEN_LINES), {"batch": batch, "people": list(people)})


def _inflow(query: str, params: dict[str, Any]) -> list[Inflow]:
    params["beside"] = [rule for _, rule in _rows(BESIDE, params)]
    return [Inflow((row[0], row[1]), *row[2:]) for row in _rows(query, params)]


def _rows(query: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return cursor.fetchall()
