"""What the open period owes: what is released now, less all that batches have taken; and the open statements that say
so.

"Subtract, then post": a late deal, a corrected rate or a milestone taken back after its period was closed needs no case
of its own. The difference stands as a prior-period adjustment in the open period, linked to the period where it belongs
and to its cause (docs/algorithms/adjustments.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

from comp.core.days import day_date
from comp.people.models import Participant, PayCalendar, PayGroup
from comp.tenancy.prepared import execute
from comp.tenancy.rows import models_read, rows_read
from payouts.frames.sql import quoted
from payouts.frames.tables import LINE
from payouts.models import Batch, Cause
from payouts.models.figures import NO_PERIOD, LineNamed
from payouts.reads.kept import kept_params
from payouts.reads.undone import UNDONE
from payouts.selectors import TAKEN, due_before, first_free, open_periods, taken_elsewhere
from payouts.services.held import holds_write
from payouts.services.settlements import SETTLED, SETTLED_SUMS, SETTLED_TEXT, settlements_write

#: More facts than this are not named one by one: a join over all of the people's is the quicker then.
NAMED = 20_000
#: A kept plan looks for each of the facts with each of the people: quicker than planning anew up to so many pairs. What
#: goes person by person is kept for so many people.
LOOKED_FOR, PEOPLE = 300_000, 1000
KEY = ", ".join(map(quoted, (*LINE, "index", "part")))
_OF_TRANCHE = ", ".join(f"t.{column}" for column in KEY.split(", "))
_OF_PAYABLE = ", ".join(f"p.{column}" for column in KEY.split(", "))
_OF_LINE = ", ".join(f"l.{column}" for column in KEY.split(", "))

#: The key of what people decided by hand: it is of no fact and no period, and its rule is its number.
KEY_OF_ADJUSTMENT = ", ".join(
    {
        "participant_id": "a.participant_id",
        "plan_id": "a.plan_id",
        "component": "a.component",
        "period": f"DATE '{NO_PERIOD}'",
        "line_kind": f"{LineNamed.Kind.MANUAL}",
        "rule": "'ADJ-' || lpad(a.number::text, greatest(6, length(a.number::text)), '0')",
        "role": "''",
    }.get(column.strip('"'), "0")
    for column in KEY.split(", ")
)

#: Each person's open period, then what is right (by the figures, and what people decided by hand) and what was taken,
#: by tranche. Where a plan says so, what was taken stays, and is no difference.
_DUE = f"""
WITH open AS (
    SELECT * FROM unnest(%(people)s::bigint[], %(groups)s::bigint[], %(starts)s::date[], %(dues)s::date[],
        %(otherwise)s::bigint[]) AS o(participant_id, pay_group_id, starts_on, due_before, cause_id)
), causes AS (
    SELECT * FROM unnest(%(cause_deals)s::bigint[], %(cause_ids)s::bigint[]) AS c(deal_id, cause_id)
), undone AS (
{UNDONE.format(due="open")}
), released AS (
    SELECT {_OF_TRANCHE}, t.amount_minor, t.period_starts_on, t.plan_version_id, t.credit_date, t.currency, t.deal_id,
        o.starts_on AS open_starts, o.pay_group_id AS pays, o.cause_id AS otherwise
    FROM payouts_tranche t JOIN open o USING (participant_id)
    WHERE t.release_day < o.due_before AND (%(every_fact)s OR t.fact = ANY(%(facts)s))
    UNION ALL
    SELECT {KEY_OF_ADJUSTMENT}, CASE WHEN a.balance = '' THEN a.amount_minor ELSE 0 END - coalesce(u.minor, 0),
        a.origin_starts_on, a.plan_version_id, a.day, a.currency, NULL,
        o.starts_on, o.pay_group_id, o.cause_id
    FROM payouts_adjustment a JOIN open o USING (participant_id) LEFT JOIN undone u ON u.adjustment_id = a.id
    WHERE a.state = 'approved' AND (a.balance = '' OR u.minor > 0) AND a.day < o.due_before
        AND (%(every_fact)s OR 0 = ANY(%(facts)s))
), taken AS (
    SELECT {_OF_LINE}, sum(l.amount_minor) AS amount_minor,
        max(l.origin_starts_on) AS origin_starts_on, max(l.plan_version_id) AS plan_version_id, max(l.credit_date) AS
        credit_date,
        max(l.currency) AS currency, max(l.deal_id) AS deal_id, o.starts_on AS open_starts, o.pay_group_id AS pays,
        o.cause_id AS otherwise
    FROM payouts_batchline l JOIN payouts_batch b ON b.id = l.batch_id JOIN open o USING (participant_id)
    WHERE b.state = ANY(%(taken)s) AND (%(every_fact)s OR l.fact = ANY(%(facts)s))
    GROUP BY {_OF_LINE}, o.starts_on, o.pay_group_id, o.cause_id
), both_sides AS (
    SELECT {KEY}, coalesce(r.pays, x.pays) AS pay_group_id, coalesce(r.open_starts, x.open_starts) AS period_starts_on,
        coalesce(r.period_starts_on, x.origin_starts_on) AS origin_starts_on,
        coalesce(r.plan_version_id, x.plan_version_id) AS plan_version_id, coalesce(r.credit_date, x.credit_date) AS
        credit_date,
        coalesce(r.currency, x.currency) AS currency, coalesce(r.amount_minor, 0) - coalesce(x.amount_minor, 0) AS
        amount_minor,
        coalesce(x.amount_minor, 0) AS posted_minor, coalesce(r.deal_id, x.deal_id) AS deal_id,
        x.amount_minor IS NOT NULL AS was_taken, x.plan_version_id AS taken_by,
        coalesce(r.otherwise, x.otherwise) AS otherwise
    FROM released r FULL JOIN taken x USING ({KEY})
), due AS (
    SELECT s.*, CASE WHEN s.line_kind = {LineNamed.Kind.MANUAL} THEN 'manual' WHEN s.was_taken OR EXISTS (
            SELECT 1 FROM payouts_batch b WHERE b.pay_group_id = s.pay_group_id AND b.starts_on = s.origin_starts_on
                AND b.run = 0 AND b.state = ANY(%(taken)s)
        ) THEN 'adjustment' ELSE 'release' END AS kind, coalesce(c.cause_id, s.otherwise) AS cause_id
    FROM both_sides s LEFT JOIN causes c USING (deal_id) WHERE s.amount_minor <> 0 AND (NOT s.was_taken
        OR (s.taken_by, s.component) NOT IN (SELECT * FROM unnest(%(kept_of)s::bigint[], %(kept)s::text[])))
)
"""
_VALUES = (
    "pay_group_id, period_starts_on, origin_starts_on, kind, plan_version_id, credit_date, amount_minor, posted_minor, "
    "currency, cause_id, deal_id"
)
_WRITE = (
    _DUE
    + f"""
, gone AS (
    DELETE FROM payouts_payable p
        WHERE p.participant_id = ANY(%(people)s) AND (%(every_fact)s OR p.fact = ANY(%(facts)s))
        -- Not as a join: nobody can know before how much is due, and a loop in a loop would be taken for the quickest.
        AND ({_OF_PAYABLE}) NOT IN (SELECT {KEY} FROM due)
)
INSERT INTO payouts_payable (tenant_id, {KEY}, {_VALUES})
SELECT current_setting('app.tenant')::bigint, {KEY}, {_VALUES} FROM due
ON CONFLICT (tenant_id, {KEY}) DO UPDATE SET {", ".join(f"{c} = EXCLUDED.{c}" for c in _VALUES.split(", "))}
WHERE (payouts_payable.amount_minor, payouts_payable.period_starts_on, payouts_payable.origin_starts_on,
payouts_payable.kind,
    payouts_payable.plan_version_id, payouts_payable.posted_minor, payouts_payable.pay_group_id,
    payouts_payable.credit_date)
    IS DISTINCT FROM (EXCLUDED.amount_minor, EXCLUDED.period_starts_on, EXCLUDED.origin_starts_on, EXCLUDED.kind,
    EXCLUDED.plan_version_id, EXCLUDED.posted_minor, EXCLUDED.pay_group_id, EXCLUDED.credit_date)
"""
)
#: The same of some facts: a plan that is kept looks for these by their index.
_WRITE_SOME = re.sub(r"\(%\(every_fact\)s OR (.+? = ANY\(%\(facts\)s\))\)", r"\1", _WRITE)

#: An open statement of a period that is no longer the person's open one says nothing any more.
# Of what once was and is no more nothing stays: what stands is a function of the facts, whatever came in between.
_STALE = """
DELETE FROM payouts_statement s USING unnest(%(people)s::bigint[], %(starts)s::date[]) AS o(participant_id, starts_on)
WHERE s.participant_id = o.participant_id AND s.state = 'open' AND (s.period_starts_on <> o.starts_on OR (
    NOT EXISTS (SELECT 1 FROM payouts_earning x WHERE x.participant_id = s.participant_id)
    AND NOT EXISTS (SELECT 1 FROM payouts_payable p WHERE p.participant_id = s.participant_id
        AND p.period_starts_on = o.starts_on)
    AND NOT EXISTS (SELECT 1 FROM payouts_settlement w WHERE w.participant_id = s.participant_id)))
"""

#: A mark of the lines of an open statement: another one where a line is otherwise, whatever their order. It says only
#: that something moved; what is signed is the digest of a batch, of keys that outlive the database's own numbers.
#: To join, sort and hash such texts anew for each deal was a tenth of what PostgreSQL does for it. Another major
#: version of PostgreSQL may hash otherwise: an open statement's revision then counts one more.
_MARK = (
    f"to_hex(coalesce(bit_xor(hash_record_extended(ROW({_OF_PAYABLE}, p.kind, p.origin_starts_on, p.amount_minor, "
    "p.currency), 0)), 0))"
)
_STATEMENTS = f"""
WITH open AS (
    SELECT * FROM unnest(%(people)s::bigint[], %(groups)s::bigint[], %(starts)s::date[], %(ends)s::date[])
        AS o(participant_id, pay_group_id, starts_on, ends_on)
), sums AS (
    -- Person by person: a join would be free to read everybody's payables first, for each of a few people's statements.
    SELECT o.*, owed.*, settled.* FROM open o CROSS JOIN LATERAL (
        SELECT count(p.id) AS lines, coalesce(sum(p.amount_minor) FILTER (WHERE p.kind = 'release'), 0) AS released,
            coalesce(sum(p.amount_minor) FILTER (WHERE p.kind <> 'release'), 0) AS adjustments, {_MARK} AS digest
        FROM payouts_payable p
        WHERE p.participant_id = o.participant_id AND p.period_starts_on = o.starts_on AND p.hold_id IS NULL
    ) owed CROSS JOIN LATERAL (
        SELECT {SETTLED_SUMS}, string_agg({SETTLED_TEXT}, chr(10) ORDER BY pl.key COLLATE "C") AS settled_as
        FROM payouts_settlement w JOIN plans_plan pl ON pl.id = w.plan_id
        WHERE w.participant_id = o.participant_id AND w.period_starts_on = o.starts_on
    ) settled
)
INSERT INTO payouts_statement AS st (tenant_id, participant_id, pay_group_id, period_starts_on, period_ends_on, run,
    state, revision, released_minor, adjustments_minor, {", ".join(SETTLED)}, payout_minor, lines, currency, digest,
    calculated_at, data_at)
SELECT current_setting('app.tenant')::bigint, s.participant_id, s.pay_group_id, s.starts_on, s.ends_on, 0, 'open', 1,
    s.released, s.adjustments, {", ".join(f"s.{column}" for column in SETTLED)},
    s.released + s.adjustments + {" + ".join(f"s.{column}" for column in SETTLED)}, s.lines, m.currency,
    CASE WHEN s.settled_as IS NULL THEN s.digest
        ELSE encode(sha256(convert_to(concat_ws(chr(10), s.digest, s.settled_as), 'UTF8')), 'hex') END,
    clock_timestamp(), (SELECT coalesce(max(at), now()) FROM payouts_cause WHERE id = ANY(%(causes)s))
FROM sums s JOIN people_participant m ON m.id = s.participant_id
WHERE s.lines > 0 OR s.settled_as IS NOT NULL
    OR EXISTS (SELECT 1 FROM payouts_earning x WHERE x.participant_id = s.participant_id)
ON CONFLICT (tenant_id, participant_id, period_starts_on, run) DO UPDATE SET
    revision = st.revision + (st.digest <> EXCLUDED.digest)::int, released_minor = EXCLUDED.released_minor,
    adjustments_minor = EXCLUDED.adjustments_minor, payout_minor = EXCLUDED.payout_minor, lines = EXCLUDED.lines,
    {", ".join(f"{column} = EXCLUDED.{column}" for column in SETTLED)},
    digest = EXCLUDED.digest, calculated_at = EXCLUDED.calculated_at, data_at = EXCLUDED.data_at,
    pay_group_id = EXCLUDED.pay_group_id
WHERE st.state = 'open'
"""


def payables_write(
    *, participants: Sequence[int], facts: Sequence[int] | None, why: Mapping[int, int], otherwise: Mapping[int, int]
) -> None:
    """Brings payables of these people (and facts, 0 for lines of none; None: all of theirs) and their open statements
    up to date.

    `why` is the cause id of each deal that has one, `otherwise` by participant that of the rest.
    """
    if not participants:
        return
    if facts and len(facts) <= NAMED and _written_off(participants, facts):
        facts = [*facts, 0]  # lines by hand are of no fact
    if facts is not None and len(facts) > NAMED:
        facts = None
    params = kept_params() | open_now(participants)
    params.update(
        every_fact=facts is None,
        facts=list(facts or ()),
        taken=[state.value for state in TAKEN],
        cause_deals=list(why),
        cause_ids=list(why.values()),
        otherwise=[otherwise[person] for person in params["people"]],
    )
    some = facts is not None and len(facts) * len(participants) <= LOOKED_FOR
    kept = facts is not None and len(participants) <= PEOPLE
    with connection.cursor() as cursor:
        # Some people's rows are found by their index, whatever is known of tables that grow under a recomputation.
        cursor.execute("SET LOCAL enable_seqscan = off")
        if facts is None or facts:
            execute(cursor, _WRITE if facts is None else _WRITE_SOME, params, keep=some)
        holds_write(**{name: params[name] for name in ("people", "groups", "starts", "ends")})
        settlements_write(**{name: params[name] for name in ("people", "groups", "starts")})
        params["causes"] = [*{*why.values(), *otherwise.values()}]
        execute(cursor, _STALE, params, keep=kept)
        execute(cursor, _STATEMENTS, params, keep=kept)
        cursor.execute("SET LOCAL enable_seqscan = on")


_LET_GO = """
SELECT EXISTS (SELECT 1 FROM payouts_writtenoff WHERE participant_id = ANY(%s::bigint[]) AND fact = ANY(%s::bigint[]))
"""


def _written_off(participants: Sequence[int], facts: Sequence[int]) -> bool:
    """Whether something was let go of lines of these facts, which then follows them."""
    [(found,)] = rows_read(_LET_GO, [list(participants), list(facts)])
    return bool(found)


def payables_refresh(participants: Sequence[int] | None, cause: Cause) -> None:
    """After a batch took a period or gave it back: payables move to the period that is open now. None: everybody."""
    people = list(participants) if participants is not None else list(Participant.objects.values_list("id", flat=True))
    payables_write(participants=people, facts=None, why={}, otherwise=dict.fromkeys(people, cause.pk))


_GROUPS = "SELECT id, pay_group_id FROM people_participant WHERE id = ANY(%s::bigint[])"


def open_now(participants: Sequence[int]) -> dict[str, Any]:
    """Each person's pay group, the period that their payables go to, and the day before which they are due."""
    groups = dict(rows_read(_GROUPS, [list(participants)]))
    rows = {group.pk: group for group in models_read(PayGroup, "id = ANY(%s::bigint[])", [list(set(groups.values()))])}
    calendars = {each.pk: each for each in models_read(PayCalendar, "true", [])}
    for group in rows.values():
        group.calendar = calendars[group.calendar_id]
    taken = models_read(Batch, "state = ANY(%s::text[])", [[state.value for state in TAKEN]])
    elsewhere = taken_elsewhere(groups)
    by_group = open_periods(rows.values(), taken)
    dues = due_before(groups, {group: day_date(p.end) for group, p in by_group.items()}, taken, elsewhere)
    periods = {person: by_group[group] for person, group in groups.items()}
    for person, others in elsewhere.items():
        # One statement a person and period: what another group took of them is not opened again.
        group = groups[person]
        own = {batch.starts_on for batch in taken if batch.pay_group_id == group and not batch.run}
        periods[person] = first_free(rows[group], own.union(*others.values()))
    return {
        "people": list(groups),
        "groups": list(groups.values()),
        "starts": [day_date(periods[person].start) for person in groups],
        "ends": [day_date(periods[person].end) for person in groups],
        "dues": [dues[person] for person in groups],
    }
