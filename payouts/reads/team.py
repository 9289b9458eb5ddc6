"""A manager's team: how far everybody is, the ones at risk first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from comp.people.models import Participant, PayGroup, Position
from comp.people.selectors import downline_ids, in_force
from payouts.models import Statement
from payouts.reads.attainment import Progress, by_person, progress


@dataclass(frozen=True)
class Member:
    """Somebody of the team with their measures against a quota and their oldest statement that is not paid yet."""

    person: Participant
    title: str
    measures: list[Progress]
    statement: Statement | None

    @property
    def risk(self) -> Fraction | None:
        """The furthest behind the pace of their measures (negative), None where nothing has a quota."""
        leads = [row.lead for row in self.measures if row.lead is not None]
        return min(leads, default=None)


def members(manager: Participant, day: date) -> list[Member]:
    """Everybody beneath a manager as of a day: the furthest behind first, then those without a quota, by name."""
    below = Participant.objects.filter(pk__in=downline_ids(manager_id=manager.pk, day=day)).order_by("name", "pk")
    people = list(below)
    titles = dict(Position.objects.filter(in_force(day), participant__in=people).values_list("participant_id", "title"))
    measures = by_person(_measures(people, day))
    unpaid: dict[int, list[Statement]] = defaultdict(list)
    rows = Statement.objects.filter(participant__in=people).exclude(state=Statement.State.PAID)
    for row in rows.order_by("period_starts_on", "-run"):
        unpaid[row.participant_id].append(row)
    found = [
        Member(
            person,
            titles.get(person.pk, ""),
            [row for row in measures[person.pk] if row.quota],
            next(iter(unpaid[person.pk]), None),
        )
        for person in people
    ]
    return sorted(found, key=lambda one: (one.risk is None, one.risk or 0, one.person.name))


def _measures(people: Sequence[Participant], day: date) -> list[Progress]:
    by_group: dict[int, list[Participant]] = defaultdict(list)
    for person in people:
        by_group[person.pay_group_id].append(person)
    groups = PayGroup.objects.select_related("calendar").in_bulk(by_group)
    return [row for pk, found in by_group.items() for row in progress(found, groups[pk], day)]
