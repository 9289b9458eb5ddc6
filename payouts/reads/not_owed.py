"""What payments that were let go as not owed take back of each contract's cost. docs/algorithms/contract-costs.md"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db import connection

from comp.people.models import Participant
from payouts.models import Batch

_OF = "batch_id, participant_id, plan_id, component, currency"
#: By batch, person, plan, component, currency and deal: what is owed no longer, of postings of days before `behind`.
#: What a component is let go of is spread over the lines that its batch owed it, in proportion and to the cent: those
#: of no contract bear their share too, of which nothing was capitalised, and are left out then.
NOT_OWED = f"""
SELECT {_OF}, deal_id, pay_group_id, minor, day FROM (
    SELECT {_OF}, l.deal_id, l.pay_group_id, g.day,
        round(g.minor * sum(l.minor) OVER upto / nullif(sum(l.minor) OVER whole, 0))
            - round(g.minor * (sum(l.minor) OVER upto - l.minor) / nullif(sum(l.minor) OVER whole, 0)) AS minor
    FROM (
        SELECT x.batch_id, e.participant_id, e.plan_id, e.component, e.currency, -sum(e.amount_minor) AS minor,
            max(x.day) AS day
        FROM payouts_ledgertransaction x JOIN payouts_ledgerentry e ON e.transaction_id = x.id
        WHERE x.kind = 'not_owed' AND e.account = 'expense' AND e.plan_id IS NOT NULL AND x.day < %(behind)s
        GROUP BY 1, 2, 3, 4, 5
    ) g JOIN (
        SELECT {_OF}, CASE WHEN line_kind IN (0, 2) THEN deal_id END AS deal_id, max(pay_group_id) AS pay_group_id,
            sum(amount_minor) AS minor
        FROM payouts_batchline GROUP BY 1, 2, 3, 4, 5, 6
    ) l USING ({_OF})
    WINDOW whole AS (PARTITION BY {_OF}), upto AS (PARTITION BY {_OF} ORDER BY l.deal_id NULLS LAST)
) shares WHERE deal_id IS NOT NULL AND minor <> 0
"""


@dataclass(frozen=True, slots=True)
class NotOwed:
    """What of a contract's cost a batch owes somebody no longer, minor units; the last day on which it was let go."""

    participant: Participant
    batch: Batch
    currency: str
    minor: int
    day: date


def not_owed_of(deal_id: int) -> list[NotOwed]:
    """What was let go of a contract's cost, by batch and person, as the scope sees pay."""
    query = f"""SELECT batch_id, participant_id, currency, sum(minor)::bigint, max(day) FROM ({NOT_OWED}) found
        WHERE deal_id = %(deal)s GROUP BY 1, 2, 3 ORDER BY 5, 1, 2, 3"""
    with connection.cursor() as cursor:
        cursor.execute(query, {"behind": date.max, "deal": deal_id})
        rows = cursor.fetchall()
    batches, people = Batch.objects.in_bulk({row[0] for row in rows}), Participant.objects.in_bulk({r[1] for r in rows})
    return [NotOwed(people[who], batches[batch], code, minor, day) for batch, who, code, minor, day in rows]
