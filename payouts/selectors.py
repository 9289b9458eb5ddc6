"""Reading pay periods: which one is open, which are taken."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

from comp.core.calendars import Period
from comp.core.days import day_date, day_number
from comp.people.calendars import pay_periods
from comp.people.models import PayGroup
from comp.tenancy.rows import rows_read
from payouts.models import Batch, Statement

#: A batch in one of these states has taken its lines and, unless it is an off-cycle one, its period.
TAKEN = tuple(state for state in Batch.State if state not in (Batch.State.REJECTED, Batch.State.VOIDED))


def open_period(pay_group: PayGroup) -> Period:
    """The earliest pay period, from the one that holds the group's first day on, that no regular batch has taken."""
    return open_periods([pay_group])[pay_group.pk]


def open_periods(pay_groups: Iterable[PayGroup], taken: Iterable[Batch] | None = None) -> dict[int, Period]:
    """Pay group id to its open period. `taken`: the batches that have taken periods, where they are known already."""
    groups = list(pay_groups)
    batches = Batch.objects.filter(pay_group__in=groups, state__in=TAKEN) if taken is None else taken
    days: dict[int, set[date]] = {}
    for batch in batches:
        if not batch.run:
            days.setdefault(batch.pay_group_id, set()).add(batch.starts_on)
    return {group.pk: first_free(group, days.get(group.pk, set())) for group in groups}


def first_free(pay_group: PayGroup, taken: Collection[date]) -> Period:
    """The first pay period of a group, by its first day, that is not among those taken."""
    last = max([*taken, pay_group.opens_on])
    periods = pay_periods(pay_group.calendar, pay_group.opens_on, day_date(day_number(last) + 400))
    return next(period for period in periods if day_date(period.start) not in taken)


_STATED = """
SELECT participant_id, pay_group_id, period_starts_on FROM payouts_statement
WHERE state <> 'open' AND run = 0 AND participant_id = ANY(%s::bigint[])
"""


def taken_elsewhere(groups: Mapping[int, int]) -> dict[int, dict[int, set[date]]]:
    """Of people (id to pay group id) who were paid in another group before: participant to that group to the first
    days of their periods that batches have taken there."""
    found: dict[int, dict[int, set[date]]] = {}
    for person, other, starts_on in rows_read(_STATED, [list(groups)]):
        if other != groups[person]:
            found.setdefault(person, {}).setdefault(other, set()).add(starts_on)
    return found


def paid_elsewhere(batch: Batch) -> set[int]:
    """Who was paid for a regular batch's period in another group: whoever moves to a group that is behind is owed
    nothing by the periods that it still has to close."""
    stated = Statement.objects.filter(period_starts_on=batch.starts_on, run=0).exclude(state=Statement.State.OPEN)
    return set(stated.exclude(pay_group_id=batch.pay_group_id).values_list("participant_id", flat=True))


def due_before(
    groups: Mapping[int, int], ends: Mapping[int, date], taken: Iterable[Batch], elsewhere: Mapping[int, Any]
) -> dict[int, date]:
    """Participant id to the day before which what is released is due: the end of their group's period (`ends`), and
    never before the end of what `taken` batches took of them. A period that was sent back while a later one stands,
    or a move to a group that is behind, takes nothing back."""
    of_group = dict(ends)
    end_of: dict[tuple[int, date], date] = {}
    for batch in taken:
        end_of[batch.pay_group_id, batch.starts_on] = batch.ends_on
        if batch.pay_group_id in of_group:
            of_group[batch.pay_group_id] = max(of_group[batch.pay_group_id], batch.ends_on)
    found = {person: of_group[group] for person, group in groups.items()}
    for person, others in elsewhere.items():
        own = [end_of[group, day] for group, days in others.items() for day in days if (group, day) in end_of]
        found[person] = max([found[person], *own])
    return found


def due_days(groups: Mapping[int, int]) -> dict[int, date]:
    """`due_before` of today, for people by their pay group."""
    ends = {
        group: day_date(period.end)
        for group, period in open_periods(
            PayGroup.objects.select_related("calendar").filter(id__in=set(groups.values()))
        ).items()
    }
    return due_before(groups, ends, Batch.objects.filter(state__in=TAKEN), taken_elsewhere(groups))
