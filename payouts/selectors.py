"""Reading pay periods: which one is open, which are taken."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from comp.core.calendars import Period
from comp.core.days import day_date, day_number
from comp.people.calendars import pay_periods
from comp.people.models import PayGroup
from payouts.models import Batch

#: A batch in one of these states has taken its lines and its period.
TAKEN = (Batch.State.SUBMITTED, Batch.State.APPROVED, Batch.State.PAID)


def open_period(pay_group: PayGroup) -> Period:
    """The earliest pay period, from the one that holds the group's first day on, that no batch has taken."""
    return open_periods([pay_group])[pay_group.pk]


def open_periods(pay_groups: Iterable[PayGroup]) -> dict[int, Period]:
    """Pay group id to its open period."""
    groups = list(pay_groups)
    taken: dict[int, set[date]] = {}
    for group_id, starts_on in Batch.objects.filter(pay_group__in=groups, state__in=TAKEN).values_list(
        "pay_group_id", "starts_on"
    ):
        taken.setdefault(group_id, set()).add(starts_on)
    found: dict[int, Period] = {}
    for group in groups:
        mine = taken.get(group.pk, set())
        last = max(mine, default=group.opens_on)
        periods = pay_periods(group.calendar, group.opens_on, day_date(day_number(last) + 400))
        found[group.pk] = next(p for p in periods if day_date(p.start) not in mine)
    return found
