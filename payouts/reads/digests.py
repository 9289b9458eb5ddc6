"""The digests of lines, worked out by the database where the lines are many: the same text as `line_facts` in canonical
JSON (comp.core.canonical), line by line, in the same order, and so the same digest.

Texts are compared by code point (COLLATE "C"), as Python compares them; a line that says nothing more than another that
says the same and more comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from payouts.models import BatchLine, CutOver, Payable
from payouts.selectors_batches import lines_digest
from payouts.selectors_settlements import Facts, all_facts, bound, of_batch, of_open, settlement_facts

#: What a line says, as JSON; what of it is a text, in the order in which lines are sorted.
_TEXTS_FIRST = ("coalesce(e.key, '')", "coalesce(d.external_id, '')", "m.key", "pl.key", "l.rule", "l.role")
_ORDER = (
    *(f'{text} COLLATE "C"' for text in _TEXTS_FIRST),
    'l.split, l.component COLLATE "C", l."index", l.kind COLLATE "C", l.origin_starts_on, l.amount_minor',
    'l.currency COLLATE "C", more, l.line_kind, l.part, l.period, own_fact, own_origin',
)


def _json(text: str) -> str:
    return f"to_json(({text})::text)::text"


_SAID = ", ".join(
    (
        *map(_json, _TEXTS_FIRST),
        "l.split",
        _json("l.component"),
        'l."index"',
        _json("l.kind"),
        _json("to_char(l.origin_starts_on, 'YYYY-MM-DD')"),
        "l.amount_minor",
        _json("l.currency"),
    )
)
_MORE = ", ".join(("l.line_kind", "l.part", _json("to_char(l.period, 'YYYY-MM-DD')"), "own_fact", "own_origin"))
_DIGESTS = f"""
WITH said AS MATERIALIZED (
    SELECT l.participant_id, row_number() OVER (ORDER BY {", ".join(_ORDER)}) AS place,
        '[' || concat_ws(',', {_SAID}, CASE WHEN more THEN concat_ws(',', {_MORE}) END) || ']' AS says
    FROM TABLE_OF_LINES l
    JOIN people_participant m ON m.tenant_id = l.tenant_id AND m.id = l.participant_id
    JOIN plans_plan pl ON pl.tenant_id = l.tenant_id AND pl.id = l.plan_id
    LEFT JOIN crediting_deal d ON d.tenant_id = l.tenant_id AND d.id = l.deal_id
    LEFT JOIN crediting_hookendpoint e ON e.tenant_id = d.tenant_id AND e.id = d.endpoint_id
    CROSS JOIN LATERAL (SELECT
        l.line_kind <> 0 OR l.part <> 0 OR l.fact IS DISTINCT FROM l.deal_id AS more,
        CASE WHEN l.fact IS DISTINCT FROM l.deal_id THEN l.fact ELSE 0 END AS own_fact,
        CASE WHEN l.origin IS DISTINCT FROM l.deal_id THEN l.origin ELSE 0 END AS own_origin
    ) own
    WHERE WHICH_LINES
)
SELECT participant_id, count(*),
    encode(sha256(convert_to('[' || string_agg(says, ',' ORDER BY place) || ']', 'UTF8')), 'hex')
FROM said GROUP BY GROUPING SETS ((), (participant_id))
"""
#: What PostgreSQL may take to sort the lines. Many lines are joined as a whole: what is known of tables that have just
#: grown makes it look for each line's deal one by one otherwise.
MANY = "SET LOCAL work_mem = '64MB'; SET LOCAL enable_nestloop = off"
MANY_OVER = "SET LOCAL enable_nestloop = on"
#: From so many lines on that is the quicker way.
MANY_LINES = 10_000


@dataclass(frozen=True, slots=True)
class Digests:
    """How many lines there are, the digest of all, and that of each person's own by participant id; settlements bound
    in."""

    lines: int
    all: str
    people: dict[int, str]


def payable_digests(*, pay_group: int, starts_on: Any, people: list[int] | None = None) -> Digests:
    """Of what an open period would pay, to everybody or to these: all that it owes and that is not held."""
    where = "l.pay_group_id = %(pay_group)s AND l.period_starts_on = %(starts_on)s AND l.hold_id IS NULL"
    if people is not None:
        where += " AND l.participant_id = ANY(%(people)s)"
    found = _digests(Payable._meta.db_table, where, {"pay_group": pay_group, "starts_on": starts_on, "people": people})
    # Some people alone are paid off cycle, and never what is settled.
    return found if people is not None else _settled(found, settlement_facts(*of_open(pay_group, starts_on)))


def batch_digests_of(batch: int) -> Digests:
    """Of what a batch took."""
    found = _digests(BatchLine._meta.db_table, "l.batch_id = %(batch)s", {"batch": batch})
    return _settled(found, settlement_facts(*of_batch(batch)))


def switch_digest(cut_over: CutOver) -> str:
    """Of all that a cut-over brings forward: its opening batch, and the openings, tranches and balances that stand,
    whether they were paid or not. Nothing where no batch stands."""
    if cut_over.batch is None:
        return ""
    said = [cut_over.tenant_id, cut_over.pk, cut_over.day, cut_over.batch.digest]
    with connection.cursor() as cursor:
        cursor.execute("SELECT comp_cutover_digest(%s, %s, %s, %s)", said)
        return str(cursor.fetchone()[0])


def _settled(found: Digests, facts: Facts) -> Digests:
    """The same with what the settlements of these people say."""
    nothing = lines_digest([])
    own = {person: bound(found.people.get(person, nothing), said) for person, said in facts.items()}
    return Digests(found.lines, bound(found.all, all_facts(facts)), {**found.people, **own})


def _digests(table: str, where: str, params: Mapping[str, Any]) -> Digests:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table} l WHERE {where}", params)
        many = cursor.fetchone()[0] > MANY_LINES
        if many:
            cursor.execute(MANY)
        cursor.execute(_DIGESTS.replace("TABLE_OF_LINES", table).replace("WHICH_LINES", where), params)
        rows = cursor.fetchall()
        if many:
            cursor.execute(MANY_OVER)
    lines, every, people = 0, lines_digest([]), {}
    for person, count, digest in rows:
        if person is not None:
            people[person] = digest
        elif count:
            lines, every = count, digest
    return Digests(lines, every, people)
