"""Who could see or do what, at any moment since the company began: read from what is kept of memberships, roles, pay
groups, reporting lines and keys, and never from how they stand today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from comp.api.models import ApiKey
from comp.people.models import Participant, PayGroup, ReportingLine
from comp.people.selectors import DEPTH, today
from comp.tenancy.capabilities import Can, Role
from comp.tenancy.models import Membership, RoleTable, Tenant, User
from comp.tenancy.scope import current_tenant_id


@dataclass(frozen=True)
class Access:
    """What one person, or one key, could do. `pay` says whose pay it showed, in words."""

    who: str
    kind: str  # person or key
    roles: tuple[str, ...]
    can: tuple[str, ...]
    pay: str


@dataclass(frozen=True)
class Change:
    """One change of a right."""

    at: datetime
    what: str  # given, changed, taken
    who: str
    right: str
    by: str


def access_at(moment: datetime) -> list[Access]:
    """Everybody who could enter at that moment, then every key that opened anything, by name."""
    people = _people(moment)
    keys = ApiKey.objects.filter(made_at__lte=moment, expires_at__gt=moment).exclude(ended_at__lte=moment)
    makers = {row.who_id: row for row in people}
    found = [row.access for row in people]
    for key in keys.select_related("made_by").order_by("name", "id"):
        maker = makers.get(key.made_by_id)
        if maker is not None:  # whose maker was out opened nothing
            found.append(
                Access(f"{key.name}, of {key.made_by}", "key", (), tuple(sorted(key.grants)), maker.access.pay)
            )
    return found


def access_changes(since: datetime, until: datetime) -> list[Change]:
    """What was given, changed and taken after `since` and up to `until`, the latest first."""
    names, called = _names(), _groups(until)
    words = {"+": "given", "~": "changed", "-": "taken"}
    rows = Membership.history.model.objects.filter(history_date__gt=since, history_date__lte=until)
    found = [
        Change(
            row.history_date,
            words[row.history_type],
            names.get(row.user_id, ""),
            _right(row, called),
            (row.history_change_reason or "").partition(":")[2] or (row.history_change_reason or ""),
        )
        for row in rows
    ]
    for key in ApiKey.objects.filter(made_at__gt=since, made_at__lte=until).select_related("made_by"):
        found.append(Change(key.made_at, "given", f"{key.name}, a key", ", ".join(key.grants), str(key.made_by)))
    for key in ApiKey.objects.filter(ended_at__gt=since, ended_at__lte=until).select_related("ended_by"):
        by = str(key.ended_by or "")
        found.append(Change(key.ended_at or until, "taken", f"{key.name}, a key", ", ".join(key.grants), by))
    for table in RoleTable.objects.filter(since__gt=since, since__lte=until):
        found.append(Change(table.since, "changed", "All roles", "What each role may do, by an installation", ""))
    return sorted(found, key=lambda change: change.at, reverse=True)


# ------------------------------------------------------------------ parts


@dataclass(frozen=True)
class _Person:
    who_id: int
    access: Access


def _people(moment: datetime) -> list[_Person]:
    table = RoleTable.objects.filter(since__lte=moment).last() or RoleTable.objects.first()
    held: dict[str, list[str]] = table.roles if table else {}
    day = today(Tenant.objects.get(pk=current_tenant_id()), at=moment)
    people = {row.pk: row for row in Participant.history.as_of(moment)}
    own = {row.user_id: row for row in people.values() if row.user_id}
    lines = [row for row in ReportingLine.history.as_of(moment) if _holds(row, day)]
    rows: dict[int, list[Any]] = {}
    for row in Membership.history.as_of(moment):
        rows.setdefault(row.user_id, []).append(row)
    names, called, found = _names(), _groups(moment), []
    for user, mine in rows.items():
        roles = sorted(str(Role(row.role).label) for row in mine)
        can = sorted({one for row in mine for one in held.get(row.role, [])})
        groups = sorted({called.get(key, key) for row in mine for key in row.pay_groups})
        pay = _pay(set(can), groups, own.get(user), lines, people)
        found.append(_Person(user, Access(names.get(user, ""), "person", tuple(roles), tuple(can), pay)))
    return sorted(found, key=lambda row: row.access.who)


def _pay(can: set[str], groups: list[str], person: Any, lines: list[Any], people: dict[int, Any]) -> str:
    """As comp.people.middleware.pay_of opens it."""
    if Can.PAY_ALL in can:
        return f"of {', '.join(groups)}" if groups else "everybody's"
    if person is None or Can.PAY_OWN not in can:
        return "nobody's"
    if Can.PAY_TEAM not in can:
        return "their own"
    below = _below(person.pk, lines, people)
    return f"their own and of {len(below)} below: {', '.join(below)}" if below else "their own; nobody was below"


def _below(manager: int, lines: list[Any], people: dict[int, Any]) -> list[str]:
    """Name and employee number of everybody below, as they were."""
    found, level = {manager}, {manager}
    for _ in range(DEPTH):
        level = {line.participant_id for line in lines if line.manager_id in level} - found
        if not level:
            break
        found |= level
    return sorted(f"{people[one].name} ({people[one].key})" for one in found - {manager} if one in people)


def _holds(row: Any, day: Any) -> bool:
    return bool(row.starts_on <= day and (row.ends_on is None or row.ends_on > day))


def _right(row: Any, called: dict[str, str]) -> str:
    label = str(Role(row.role).label)
    groups = ", ".join(sorted(called.get(key, key) for key in row.pay_groups))
    return f"{label}, pay of {groups}" if groups else label


def _groups(moment: datetime) -> dict[str, str]:
    """What pay groups were called, by key."""
    return {row.key: row.name for row in PayGroup.history.as_of(moment)}


def _names() -> dict[int, str]:
    kept = Membership.history.model.objects.values("user_id")
    return {user.pk: str(user) for user in User.objects.filter(pk__in=kept)}
