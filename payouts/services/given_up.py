"""What lines had given up of a budget that keeps what was posted, when a batch took others of it."""

from __future__ import annotations

from django.db import connection

from comp.people.models import Participant
from payouts.frames.read_kept import AT_MOST, asked, pairs_keeping
from payouts.frames.read_plans import read_versions
from payouts.frames.sql import quoted
from payouts.frames.tables import LINE
from payouts.models import Batch, BatchLine
from plans.models import PlanVersion

_OF_KEPT = ", ".join(f"k.{quoted(column)}" for column in LINE)
_OF_EARNING = ", ".join(f"e.{quoted(column)}" for column in LINE)
#: Of all lines under these budgets but those that the batch took itself.
_NOTE = f"""
INSERT INTO payouts_givenup (tenant_id, batch_id, pay_group_id, {", ".join(map(quoted, LINE))}, credit_date,
    kept_minor, earned_minor)
SELECT current_setting('app.tenant')::bigint, %(batch)s, k.pay_group_id, {_OF_KEPT}, k.credit_date,
    k.most, greatest(coalesce(e.earned_minor, 0), 0)
FROM ({AT_MOST}) k LEFT JOIN payouts_earning e ON ({_OF_EARNING}) = ({_OF_KEPT})
WHERE k.batch_id <> %(batch)s AND k.most > greatest(coalesce(e.earned_minor, 0), 0)
"""  # noqa: S608 - columns and a query of our own


def given_up_note(batch: Batch) -> None:
    """Notes, in the transaction that makes the batch, whose line keeps more of a budget than it has come to, where the
    batch takes lines of that budget: what is not given back yet may be in them, so it keeps no more than it comes to.
    Nor does it when the batch that took it back is sent back or opened again.

    The figures of everybody under these budgets are today's, as `ready` saw to."""
    if not PlanVersion.objects.filter(document__contains='"after_posting"').exists():
        return
    pairs = pairs_keeping(read_versions())
    keys = {key for _, key in pairs}
    lines = BatchLine.objects.filter(batch=batch, component__in=keys) if keys else BatchLine.objects.none()
    touched = set(lines.values_list("plan_id", "component").distinct())
    if shared := [pair for pair in pairs if pair in touched]:
        everybody = list(Participant.objects.values_list("id", flat=True))
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, {**asked(shared, everybody), "batch": batch.pk})
