"""All that a participant is from a day on, said at once: what stood in those days goes, what is said takes its place.

For sources that know the whole of it. Said again it changes nothing, and the rows that stand do not tell in which order
they were said: neighbours that say the same are one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Q

from comp.audit.services import record
from comp.core.errors import refused
from comp.people.acts import lock_lines, lock_person, people_above, place, state, tell
from comp.people.models import Attribute, Gap, Leave, Participant, Position, ReportingLine
from comp.people.timeline import check_dates, span
from comp.tenancy.models import KeptModel


@dataclass(frozen=True, slots=True)
class Held:
    """Values, by the names of a model's fields, for [starts_on, ends_on)."""

    starts_on: date
    ends_on: date | None
    values: dict[str, Any]


def positions_hold(*, participant: Participant, since: date, held: Sequence[Held]) -> None:
    """What somebody is from `since` on: title, credit role, team, territory."""
    _replace(Position, participant, since, held)


def attributes_hold(*, participant: Participant, name: str, since: date, held: Sequence[Held]) -> None:
    """Their region, position or pool from `since` on."""
    _replace(Attribute, participant, since, held, name=name)


def leave_holds(*, participant: Participant, held: Sequence[Held]) -> None:
    """All of their leave."""
    _replace(Leave, participant, date.min, held)


def gaps_hold(*, participant: Participant, held: Sequence[Held]) -> None:
    """All the days between their employments."""
    _replace(Gap, participant, date.min, held)


def reporting_lines_hold(*, participant: Participant, since: date, held: Sequence[Held]) -> None:
    """Whom they report to from `since` on. Refuses a circle on any day of it."""
    with transaction.atomic():
        lock_lines()
        for one in held:
            manager = one.values["manager"]
            if participant.pk in {manager.pk, *people_above([manager.pk], one.starts_on, one.ends_on)}:
                message = (
                    f"{participant.name} cannot report to {manager.name} {span(one.starts_on, one.ends_on)}: "
                    f"{manager.name} reports to them, directly or through others, on a day of that time."
                )
                raise refused("circle", manager.key, "somebody who does not report to them", message)
        _replace(ReportingLine, participant, since, held)


def _replace(model: type[KeptModel], participant: Participant, since: date, held: Sequence[Held], **of: str) -> None:
    for one in held:
        check_dates(one.starts_on, one.ends_on)
    with transaction.atomic():
        lock_person(participant)
        table: Any = model
        mine = Q(participant=participant, **of)
        later = Q(ends_on=None) | Q(ends_on__gte=since)
        found = table._default_manager.filter(mine & later).order_by("starts_on")
        rows = {row: _held(row) for row in found}
        wanted = _joined([*(_until(one, since) for one in rows.values() if one.starts_on < since), *held])
        stood = list(rows.values())
        days = _differing(stood, wanted)
        if days is None and len(stood) == len(wanted):
            return
        above = people_above([participant.pk], *days) if days else set()
        what = str(model._meta.verbose_name)
        before = {"held": [_told(row) for row, one in rows.items() if one not in wanted]}
        for row, one in rows.items():
            if one not in wanted:
                row.delete()
        fresh = [one for one in wanted if one not in stood]
        made = [
            table._default_manager.create(
                participant=participant, starts_on=one.starts_on, ends_on=one.ends_on, **of, **one.values
            )
            for one in fresh
        ]
        record(
            code=f"{what.replace(' ', '_')}.hold",
            subject=place(made[0], participant, what) if made else participant,
            before=before,
            after={"held": [_told(row) for row in made]},
        )
        if days is not None:
            above |= people_above([participant.pk], *days)
            label = f"{participant.name}: {of.get('name', what)} {span(*days)}"
            tell([participant.pk, *above], *days, label)


def _held(row: Any) -> Held:
    left = ("id", "tenant", "participant", "name", "starts_on", "ends_on")
    fields = [field for field in row._meta.concrete_fields if field.name not in left]
    return Held(row.starts_on, row.ends_on, {field.name: getattr(row, field.name) for field in fields})


def _until(one: Held, since: date) -> Held:
    return replace(one, ends_on=since) if one.ends_on is None or one.ends_on > since else one


def _joined(held: Sequence[Held]) -> list[Held]:
    found: list[Held] = []
    for one in held:
        if found and found[-1].ends_on == one.starts_on and found[-1].values == one.values:
            found[-1] = replace(found[-1], ends_on=one.ends_on)
        else:
            found.append(one)
    return found


def _differing(stood: Sequence[Held], wanted: Sequence[Held]) -> tuple[date, date | None] | None:
    """From the first to the last day on which the two say something else; None where they do on none."""
    ends = {day for one in (*stood, *wanted) for day in (one.starts_on, one.ends_on) if day is not None}
    days = sorted(ends)
    other = [
        (day, days[place + 1] if place + 1 < len(days) else None)
        for place, day in enumerate(days)
        if _on(stood, day) != _on(wanted, day)
    ]
    return (other[0][0], other[-1][1]) if other else None


def _on(held: Sequence[Held], day: date) -> dict[str, Any] | None:
    for one in held:
        if one.starts_on <= day and (one.ends_on is None or one.ends_on > day):
            return one.values
    return None


def _told(row: Any) -> dict[str, Any]:
    return {name: value for name, value in state(row).items() if name != "participant_id"}
