"""What was found to be wrong in the figures, and stands until it is right again."""

from __future__ import annotations

from django.db.models import QuerySet

from comp.people.models import PayGroup
from payouts.models import Alert


def alerts_standing(pay_group: PayGroup | None = None) -> QuerySet[Alert]:
    """Alerts about anybody, or about the people of one pay group, the oldest first."""
    found = Alert.objects.filter(resolved_at=None).select_related("participant").order_by("id")
    return found if pay_group is None else found.filter(participant__pay_group=pay_group)
