"""What each service of people does around its write: locks, the audit trail's values, and news for the rooms above."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.db import connection

from comp.outbox.services import publish
from comp.people.models import Participant, ReportingLine
from comp.people.selectors import DEPTH
from comp.tenancy.models import KeptModel, TenantModel
from comp.tenancy.scope import current_tenant_id

#: First key of the advisory lock under which a tenant's reporting lines change: cycles are a property of all of them.
LINES_LOCK = 7011


def plain_values(row: TenantModel) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def state(row: TenantModel) -> dict[str, Any]:
    """The row's values as the audit trail keeps them."""
    values = {name: value for name, value in plain_values(row).items() if name not in ("id", "tenant_id")}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}


def place(row: KeptModel, participant: Participant, what: str) -> tuple[str, str, str]:
    return row._meta.label_lower, str(row.pk), f"{participant.name}, {what}"


def lock_person(participant: Participant) -> None:
    Participant.objects.select_for_update().get(pk=participant.pk)


def lock_lines() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LINES_LOCK, current_tenant_id()])


def people_above(people: Iterable[int], starts_on: date, ends_on: date | None) -> set[int]:
    """Everybody above these people on some day of [starts_on, ends_on), all levels. Follows each line only on the days
    on which it and those below it hold together."""
    lines: dict[int, list[tuple[int, date, date]]] = {}
    for line in ReportingLine.objects.filter(ends_on=None) | ReportingLine.objects.filter(ends_on__gt=starts_on):
        lines.setdefault(line.participant_id, []).append((line.manager_id, line.starts_on, line.ends_on or date.max))
    found: set[int] = set()
    level = {(person, starts_on, ends_on or date.max) for person in people}
    for _ in range(DEPTH):
        level = {
            (manager, max(start, first), min(end, last))
            for person, first, last in level
            for manager, start, end in lines.get(person, [])
            if max(start, first) < min(end, last)
        }
        found |= {person for person, _, _ in level}
    return found


def tell(participants: Iterable[int], starts_on: date, ends_on: date | None, label: str) -> None:
    publish(
        topic="people.changed",
        payload={
            "participants": sorted(set(participants)),
            "from": starts_on.isoformat(),
            "to": ends_on.isoformat() if ends_on else None,
            "label": label[:300],
        },
    )
