"""What is told outside: that a batch was approved and whose statements it published, and what became of a dispute. No
amounts: who wants them asks for them, with a key that may see them."""

from __future__ import annotations

from comp.api.webhooks import listeners, tell
from payouts.models import Batch, Dispute, Statement


def batch_told(batch: Batch) -> None:
    """Writes the messages in the transaction of the approval; they are sent after it. Figures wait for none of them."""
    period = {"from": batch.starts_on.isoformat(), "to": batch.ends_on.isoformat()}
    about = {"batch": batch.pk, "pay_group": batch.pay_group.key, **period}
    tell("batch.approved", [{**about, "pay_on": batch.pay_on.isoformat(), "digest": batch.digest}])
    if listeners("statement.published"):
        rows = Statement.objects.filter(
            pay_group_id=batch.pay_group_id, period_starts_on=batch.starts_on, run=batch.run
        )
        published = rows.exclude(state=Statement.State.OPEN).order_by("id").values_list("id", "participant__key")
        tell("statement.published", [{**about, "statement": pk, "participant": key} for pk, key in published])


def dispute_told(dispute: Dispute, what: str) -> None:
    """Writes that a dispute was opened, taken, answered, decided or withdrawn, in that transaction. What people wrote
    is told no more than amounts are."""
    deal = dispute.deal
    news = {
        "dispute": dispute.pk,
        "number": dispute.name,
        "change": what,
        "state": dispute.state,
        "category": dispute.category,
        "participant": dispute.participant.key,
        "period": dispute.pay_period.isoformat(),
        "deal": deal.external_id if deal is not None else None,
        "decision": dispute.decision or None,
        "owned": dispute.owner_id is not None,
    }
    tell("dispute.changed", [news])
