"""Who can earn and where they stand. Each act is recorded, and told to the rooms above where figures may follow."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, TypeVar

from django.db import transaction

from comp.audit.services import record
from comp.core.days import EPOCH
from comp.core.errors import refused
from comp.core.money import CURRENCIES
from comp.people.acts import lock_lines, lock_person, people_above, place, plain_values, state, tell
from comp.people.calendars import calendar_of
from comp.people.models import (
    CreditRole,
    Leave,
    Participant,
    PayCalendar,
    PayGroup,
    Position,
    ReportingLine,
    Team,
    Territory,
)
from comp.people.timeline import check_dates, make_room
from comp.tenancy.models import KeptModel, User

Keyed = TypeVar("Keyed", bound=KeptModel)
_KEY = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")


def calendar_create(
    *,
    key: str,
    name: str,
    kind: str,
    fiscal_year_start: int = 1,
    year_end_rule: str = "",
    year_end_weekday: int | None = None,
    anchor: date | None = None,
) -> PayCalendar:
    """How time is cut. Week calendars (4-4-5 and its sisters) need their year end: `last` or `nearest`, and a weekday
    from 0 (Monday); weekly and biweekly ones need their anchor, the first day of any one period. CalendarError says
    what is missing."""
    calendar = PayCalendar(
        key=key,
        name=name,
        kind=kind,
        fiscal_year_start=fiscal_year_start,
        year_end_rule=year_end_rule,
        year_end_weekday=year_end_weekday,
        anchor=anchor,
    )
    calendar_of(calendar)
    return _create(calendar)


def pay_group_create(*, key: str, name: str, calendar: PayCalendar, opens_on: date) -> PayGroup:
    """People who are paid together, from `opens_on`: the first day for which Comp pays."""
    check_dates(opens_on, None)
    return _create(PayGroup(key=key, name=name, calendar=calendar, opens_on=opens_on))


def credit_role_create(*, key: str, name: str) -> CreditRole:
    return _create(CreditRole(key=key, name=name))


def team_create(*, key: str, name: str) -> Team:
    return _create(Team(key=key, name=name))


def territory_create(*, key: str, name: str) -> Territory:
    return _create(Territory(key=key, name=name))


def named_change(*, row: Keyed, **values: Any) -> Keyed:
    """Another name (or other plain values) for a calendar, pay group, role, team or territory; keys stay."""
    if "key" in values:
        raise refused(
            "key", values["key"], str(getattr(row, "key", "")), "A key is for good; give another name instead."
        )
    if isinstance(row, PayCalendar):
        calendar_of(PayCalendar(**{**plain_values(row), **values}))
    if "opens_on" in values:
        check_dates(values["opens_on"], None)
    before = state(row)
    for name, value in values.items():
        setattr(row, name, value)
    row.save()
    record(code=f"{row._meta.model_name}.change", subject=row, before=before, after=state(row))
    if isinstance(row, PayCalendar | PayGroup):
        groups = PayGroup.objects.filter(calendar=row) if isinstance(row, PayCalendar) else [row]
        paid = Participant.objects.filter(pay_group__in=groups)
        tell(paid.values_list("id", flat=True), EPOCH, None, f"{row} changed")
    return row


def participant_create(
    *,
    key: str,
    name: str,
    currency: str,
    pay_group: PayGroup,
    starts_on: date,
    ends_on: date | None = None,
    email: str = "",
    user: User | None = None,
) -> Participant:
    """Somebody who can earn; `key` is the employee number, `currency` what they are paid in, both for good. Without a
    user nobody reads the statements online."""
    person = Participant(
        key=key,
        name=name,
        currency=currency,
        pay_group=pay_group,
        starts_on=starts_on,
        ends_on=ends_on,
        email=email,
        user=user,
    )
    _check_participant(person)
    return _create(person, slug=False)


def participant_change(*, participant: Participant, **values: Any) -> Participant:
    """New values for a participant, whose key and currency stay."""
    if values.get("key", participant.key) != participant.key:
        raise refused("key", values["key"], participant.key, "An employee number is for good.")
    if values.get("currency", participant.currency) != participant.currency:
        message = (
            f"{participant.name} is paid in {participant.currency}, in which all that was paid stands. Who is paid "
        )
        message += "in another currency from now on gets another employee number."
        raise refused("currency", values["currency"], participant.currency, message)
    before = state(participant)
    for name, value in values.items():
        setattr(participant, name, value)
    _check_participant(participant)
    participant.save()
    record(code="participant.change", subject=participant, before=before, after=state(participant))
    label = f"{participant.name}: {', '.join(sorted(name.replace('_', ' ') for name in values))} changed"
    if not values.keys() <= {"name", "email", "user"}:  # which no figure is made of
        # From the beginning: the pay group stands on all figures, those before a first day that moved too.
        tell([participant.pk], EPOCH, None, label)
    return participant


def position_set(
    *,
    participant: Participant,
    title: str,
    credit_role: CreditRole,
    team: Team | None = None,
    territory: Territory | None = None,
    starts_on: date,
) -> Position:
    """What a participant is from a day on, until the next position known; ends the previous one."""
    with transaction.atomic():
        lock_person(participant)
        ends_on = make_room(Position.objects.filter(participant=participant), starts_on)
        position = Position.objects.create(
            participant=participant,
            title=title,
            credit_role=credit_role,
            team=team,
            territory=territory,
            starts_on=starts_on,
            ends_on=ends_on,
        )
        record(code="position.set", subject=place(position, participant, title), after=state(position))
        label = f"{participant.name} is {title} from {starts_on:%-d %B %Y}"
        tell([participant.pk, *people_above([participant.pk], starts_on, ends_on)], starts_on, ends_on, label)
    return position


def reporting_line_set(*, participant: Participant, manager: Participant, starts_on: date) -> ReportingLine:
    """Who somebody reports to from a day on, until the next line known; ends the previous one. Refuses a circle."""
    with transaction.atomic():
        lock_lines()
        lines = ReportingLine.objects.filter(participant=participant)
        # Whose credit rolled up to them may lose it; ask before the line moves.
        before = people_above([participant.pk], starts_on, None)
        ends_on = make_room(lines, starts_on)
        above = {manager.pk, *people_above([manager.pk], starts_on, ends_on)}
        if participant.pk in above:
            message = (
                f"{participant.name} cannot report to {manager.name} from {starts_on:%-d %B %Y}: "
                f"{manager.name} {'is the same person' if participant == manager else 'reports to them'}, "
                "directly or through others, on a day of that time."
            )
            raise refused("manager", manager.name, "somebody who does not report to them", message)
        line = ReportingLine.objects.create(
            participant=participant, manager=manager, starts_on=starts_on, ends_on=ends_on
        )
        record(
            code="reporting_line.set",
            subject=place(line, participant, f"reports to {manager.name}"),
            after=state(line),
        )
        label = f"{participant.name} reports to {manager.name} from {starts_on:%-d %B %Y}"
        tell([participant.pk, *before, *above], starts_on, ends_on, label)
    return line


def leave_set(*, participant: Participant, starts_on: date, ends_on: date | None = None) -> Leave:
    """Somebody is away for [starts_on, ends_on); without an end, until one is set."""
    check_dates(starts_on, ends_on)
    with transaction.atomic():
        lock_person(participant)
        others = Leave.objects.filter(participant=participant).exclude(ends_on__lte=starts_on)
        other = (others if ends_on is None else others.filter(starts_on__lt=ends_on)).first()
        if other is not None:
            until = f"until {other.ends_on:%-d %B %Y}" if other.ends_on else "without an end"
            message = f"{participant.name} is on leave from {other.starts_on:%-d %B %Y} {until} already."
            raise refused("starts_on", starts_on, "days without leave", message)
        leave = Leave.objects.create(participant=participant, starts_on=starts_on, ends_on=ends_on)
        record(code="leave.set", subject=place(leave, participant, "leave"), after=state(leave))
        label = f"{participant.name} is on leave from {starts_on:%-d %B %Y}"
        tell([participant.pk, *people_above([participant.pk], starts_on, ends_on)], starts_on, ends_on, label)
    return leave


def leave_remove(*, leave: Leave) -> None:
    """Takes back leave that was set by mistake."""
    person = leave.participant
    with transaction.atomic():
        lock_person(person)
        record(code="leave.remove", subject=place(leave, person, "leave"), before=state(leave))
        above = people_above([person.pk], leave.starts_on, leave.ends_on)
        label = f"{person.name}: leave from {leave.starts_on:%-d %B %Y} taken back"
        tell([person.pk, *above], leave.starts_on, leave.ends_on, label)
        leave.delete()


def row_end(*, row: Position | ReportingLine | Leave, ends_on: date) -> None:
    """Ends a position, a reporting line or leave earlier, without another one following."""
    check_dates(row.starts_on, ends_on)
    if row.ends_on is not None and ends_on > row.ends_on:
        message = f"It ends on {row.ends_on:%-d %B %Y} already; set a new one to go on from there."
        raise refused("ends_on", ends_on, f"a day up to {row.ends_on:%-d %B %Y}", message)
    with transaction.atomic():
        lock_lines()
        before = state(row)
        above = people_above([row.participant_id], ends_on, row.ends_on)
        until, row.ends_on = row.ends_on, ends_on
        row.save(update_fields=["ends_on"])
        what = str(row._meta.verbose_name)
        code = f"{what.replace(' ', '_')}.end"
        record(code=code, subject=place(row, row.participant, what), before=before, after=state(row))
        label = f"{row.participant.name}: {what} ends on {ends_on:%-d %B %Y}"
        tell([row.participant_id, *above], ends_on, until, label)


# ------------------------------------------------------------------ checks


def _check_participant(person: Participant) -> None:
    if not person.key.strip() or not person.name.strip():
        raise refused("name", person.name, "a key and a name", "A participant needs an employee number and a name.")
    if person._state.adding and "@" in person.key:
        allowed = "a number or another sign that names nobody"
        message = f"{person.key} is an address. The employee number stays when a name is erased; use {allowed}."
        raise refused("key", person.key, allowed, message)
    if person.currency not in CURRENCIES:
        message = f"{person.name}: unknown currency {person.currency!r}; use a code of ISO 4217 such as USD or EUR."
        raise refused("currency", person.currency, "a code of ISO 4217", message)
    check_dates(person.starts_on, person.ends_on)
    if person.user is not None:
        other = Participant.objects.filter(user=person.user).exclude(pk=person.pk).first()
        if other is not None:
            message = f"{person.user} is {other.name} here already; one log-in is one participant."
            raise refused("user", person.user, "a user who is no participant yet", message)


def _create(row: Keyed, *, slug: bool = True) -> Keyed:
    """Inserts a row with a key, which has to be new in the tenant."""
    kind = str(row._meta.verbose_name)
    key: str = row.key  # type: ignore[attr-defined]
    if slug and not _KEY.fullmatch(key):
        allowed = "small letters and digits, joined by dashes or underscores"
        raise refused("key", key, allowed, f"{key!r} is no key for a {kind}; allowed are {allowed}.")
    if type(row)._default_manager.filter(key=key).exists():
        raise refused("key", key, "a key that is free", f"There is a {kind} {key} already.")
    with transaction.atomic():
        row.save(force_insert=True)
        record(code=f"{kind.replace(' ', '_')}.create", subject=row, after=state(row))
    return row
