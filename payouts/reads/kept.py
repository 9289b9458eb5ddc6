"""Shares of pools and prizes of ranks that stay as they were posted, whatever comes later (`after_posting: keep`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import connection

from comp.tenancy.rows import rows_read
from payouts.models import Batch
from payouts.models.figures import TRANCHE_KEY
from payouts.reads.plans import version_of
from payouts.selectors import TAKEN
from plans.models import PlanVersion

_KEY = ", ".join(f'"{name}{"_id" if name in ("participant", "plan") else ""}"' for name in TRANCHE_KEY)
#: What batches took of each tranche of these components beyond what is released of it now, by person and currency.
_KEPT = f"""
SELECT x.participant_id, x.currency,
    sum(x.minor - CASE WHEN t.release_day < d.due_before THEN t.amount_minor ELSE 0 END)
FROM (
    SELECT {_KEY}, sum(amount_minor) AS minor, max(currency) AS currency, max(plan_version_id) AS version
    FROM payouts_batchline
    WHERE batch_id = ANY(%(batches)s) AND participant_id = ANY(%(people)s)
    GROUP BY {_KEY}
) x
JOIN unnest(%(people)s::bigint[], %(dues)s::date[]) AS d(participant_id, due_before) USING (participant_id)
LEFT JOIN payouts_tranche t USING ({_KEY})
WHERE (x.version, x.component) IN (SELECT * FROM unnest(%(kept_of)s::bigint[], %(kept)s::text[]))
GROUP BY x.participant_id, x.currency
"""


_KEEPING = "SELECT id FROM plans_planversion WHERE state <> 'draft' AND position('\"keep\"' IN document) > 0"


def kept_components() -> list[tuple[int, str]]:
    """Version id and key of the components whose posted figures stay, of all versions that are or were in force."""
    keeping = [pk for (pk,) in rows_read(_KEEPING, [])]
    if not keeping:
        return []
    rows = PlanVersion.objects.filter(id__in=keeping)
    return [
        (row.pk, component.key)
        for row in rows.select_related("plan")
        for component in version_of(row).says.components
        if "keep" in {each.after_posting for each in (component.pool, component.rank) if each is not None}
    ]


def kept_params() -> dict[str, Any]:
    """The same as parameters `kept_of` and `kept` of SQL."""
    kept = kept_components()
    return {"kept_of": [version for version, _ in kept], "kept": [component for _, component in kept]}


def kept_by(dues: Mapping[int, date]) -> dict[tuple[int, str], int]:
    """By participant (of `dues`, each with the day before which their tranches are due) and currency, how much more
    they were paid than the figures say now, because it stays."""
    params = kept_params()
    if not params["kept"]:
        return {}
    batches = list(Batch.objects.filter(state__in=TAKEN).values_list("id", flat=True))
    params |= {"people": list(dues), "dues": list(dues.values()), "batches": batches}
    with connection.cursor() as cursor:
        cursor.execute(_KEPT, params)
        return {(person, currency): int(minor) for person, currency, minor in cursor.fetchall()}
