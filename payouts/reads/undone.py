"""Write-offs whose cause has gone: a cancellation that was corrected away, an amount that was put right. What was let
go of it is owed again, or it would be paid twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from django.db import connection

from payouts.models.figures import TRANCHE_KEY

_KEY = ", ".join(f'"{name}{"_id" if name in ("participant", "plan") else ""}"' for name in TRANCHE_KEY)
#: By write-off, how much of it is undone: what its tranches pay beyond what leaves all of it lost. `due` names rows of
#: participants with the day before which their tranches are due.
UNDONE = f"""
SELECT w.adjustment_id, sum(least(w.amount_minor, greatest(0,
    CASE WHEN t.release_day < d.due_before THEN t.amount_minor ELSE 0 END - w.upto_minor)))::bigint AS minor
FROM payouts_writtenoff w JOIN {{due}} d USING (participant_id) LEFT JOIN payouts_tranche t USING ({_KEY})
GROUP BY w.adjustment_id
"""
_DUES = "(SELECT * FROM unnest(%(people)s::bigint[], %(dues)s::date[]) AS o(participant_id, due_before))"
_BY_PERSON = f"""
SELECT a.participant_id, a.currency, sum(u.minor)
FROM ({UNDONE.format(due=_DUES)}) u
JOIN payouts_adjustment a ON a.id = u.adjustment_id
JOIN {_DUES} o USING (participant_id)
WHERE a.state = 'approved' AND a.day < o.due_before
GROUP BY a.participant_id, a.currency
"""


def undone_by(dues: Mapping[int, date]) -> dict[tuple[int, str], int]:
    """By participant (of `dues`, each with the day before which their tranches are due) and currency, how much of what
    was let go is owed again."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_PERSON, {"people": list(dues), "dues": list(dues.values())})
        return {(person, currency): int(minor) for person, currency, minor in cursor.fetchall()}
