"""Whose figures a change of people may move: from which day, and how many periods of theirs are posted behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from comp.people.models import Participant
from payouts.models import Batch
from payouts.selectors import TAKEN


@dataclass(frozen=True, slots=True)
class Affected:
    """A person. `since` is empty where the whole time is meant. What changes in `posted` periods comes as adjustments,
    in the open one."""

    person: Participant
    since: date | None
    posted: int


def affected_rows(people: Mapping[int, date]) -> list[Affected]:
    """The people (id to first day) by name."""
    ends: dict[int, list[date]] = defaultdict(list)
    for group, ends_on in Batch.objects.filter(state__in=TAKEN).values_list("pay_group_id", "ends_on"):
        ends[group].append(ends_on)
    found = Participant.objects.filter(pk__in=people).order_by("name", "id")
    return [
        Affected(
            person,
            people[person.pk] if people[person.pk] >= person.starts_on else None,
            sum(day > people[person.pk] for day in ends[person.pay_group_id]),
        )
        for person in found
    ]
