"""What a write-off lets go of, tranche by tranche: so that it is undone with its cause (payouts.reads.undone)."""

from __future__ import annotations

from django.db import connection

from payouts.models import Adjustment
from payouts.models.figures import TRANCHE_KEY, LineNamed
from payouts.selectors import TAKEN

_KEY = ", ".join(f'"{name}{"_id" if name in ("participant", "plan") else ""}"' for name in TRANCHE_KEY)
_OF_W, _OF_X = (", ".join(f"{table}.{column}" for column in _KEY.split(", ")) for table in "wx")
#: Lines that take back: reversals, and differences of what was paid.
_BACK = f"(line_kind = {LineNamed.Kind.REVERSAL} OR (kind = 'adjustment' AND line_kind <> {LineNamed.Kind.MANUAL}))"
#: What each tranche of a plan takes back of somebody, free or taken, less what was let go of it before; the latest
#: first, what is still free before the rest, until the write-off is spent. Lines by hand answer for themselves.
_WRITE = f"""
INSERT INTO payouts_writtenoff (tenant_id, adjustment_id, {_KEY}, pay_group_id, amount_minor, upto_minor, currency)
SELECT current_setting('app.tenant')::bigint, %(adjustment)s, {_KEY}, %(pay_group)s,
    least(minor, %(amount)s - before), stood + greatest(0, minor - %(amount)s + before), currency
FROM (
    SELECT {_KEY}, minor, stood, currency,
        coalesce(sum(minor) OVER (ORDER BY free DESC, credit_date DESC, {_KEY} ROWS BETWEEN UNBOUNDED PRECEDING
            AND 1 PRECEDING), 0) AS before
    FROM (
        SELECT {_KEY}, -sum(x.minor) - coalesce((
                SELECT sum(w.amount_minor) FROM payouts_writtenoff w WHERE ({_OF_W}) = ({_OF_X})), 0) AS minor,
            coalesce(max(t.amount_minor) FILTER (WHERE t.release_day IS NOT NULL), 0) AS stood,
            max(x.currency) AS currency, bool_or(x.free) AS free,
            max(x.credit_date) AS credit_date
        FROM (
            SELECT {_KEY}, amount_minor AS minor, currency, true AS free, credit_date FROM payouts_payable
            WHERE participant_id = %(participant)s AND plan_id = %(plan)s AND hold_id IS NULL AND {_BACK}
            UNION ALL
            SELECT {_KEY}, amount_minor, currency, false, credit_date FROM payouts_batchline
            WHERE participant_id = %(participant)s AND plan_id = %(plan)s AND {_BACK}
                AND batch_id IN (SELECT id FROM payouts_batch WHERE state = ANY(%(taken)s))
        ) x LEFT JOIN payouts_tranche t USING ({_KEY})
        WHERE x.currency = %(currency)s
        GROUP BY {_KEY}
    ) owed WHERE minor > 0
) each WHERE before < %(amount)s
"""


def written_off(adjustment: Adjustment) -> None:
    """Writes down what of which tranches an approved write-off lets go; what a draw owes is of none."""
    if adjustment.balance.startswith("draw:"):
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            {
                "adjustment": adjustment.pk, "participant": adjustment.participant_id, "plan": adjustment.plan_id,
                "pay_group": adjustment.pay_group_id, "amount": adjustment.amount_minor,
                "currency": adjustment.currency, "taken": [state.value for state in TAKEN],
            },
        )  # fmt: skip
