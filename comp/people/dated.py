"""What a participant is by date beside the title: region, position, pool; gaps between employments; and a calendar's
holidays. Each act is recorded, and told to the rooms above."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from django.db import transaction

from comp.audit.services import record
from comp.core.errors import refused
from comp.people.acts import lock_person, people_above, place, state, tell
from comp.people.models import Attribute, Gap, Holiday, Participant, PayCalendar
from comp.people.timeline import check_dates, make_room, span


def gap_set(*, participant: Participant, starts_on: date, ends_on: date) -> Gap:
    """Somebody left and was hired again on `ends_on`; the days between lie within first and last day. Refuses one that
    meets another."""
    check_dates(starts_on, ends_on)
    with transaction.atomic():
        lock_person(participant)
        other = Gap.objects.filter(participant=participant, starts_on__lt=ends_on, ends_on__gt=starts_on).first()
        if other is not None:
            message = f"{participant.name} was not employed {span(other.starts_on, other.ends_on)} already."
            raise refused("starts_on", starts_on, "days outside it", message)
        row = Gap.objects.create(participant=participant, starts_on=starts_on, ends_on=ends_on)
        what = f"not employed {span(starts_on, ends_on)}"
        record(code="gap.set", subject=place(row, participant, what), after=state(row))
        _tell(participant, starts_on, ends_on, what)
    return row


def attribute_set(*, participant: Participant, name: str, value: str, starts_on: date) -> Attribute | None:
    """What a participant is from a day on, until the next value known; an empty value ends the one before it."""
    if name not in Attribute.Name.values:
        raise refused("name", name, ", ".join(Attribute.Name.values), f"{name!r} is no attribute.")
    with transaction.atomic():
        lock_person(participant)
        ends_on = make_room(Attribute.objects.filter(participant=participant, name=name), starts_on)
        row = None
        if value:
            row = Attribute.objects.create(
                participant=participant, name=name, value=value, starts_on=starts_on, ends_on=ends_on
            )
        what = f"{name} {value or 'none'} {span(starts_on, ends_on)}"
        record(
            code="attribute.set",
            subject=place(row, participant, what) if row else participant,
            after=state(row) if row else {"name": name, "value": "", "starts_on": starts_on.isoformat()},
        )
        _tell(participant, starts_on, ends_on, what)
    return row


def holiday_set(*, calendar: PayCalendar, day: date, name: str) -> Holiday:
    """A day on which the calendar's people do not work; a second one on that day gives it another name."""
    holidays_set(calendar=calendar, days={day: name})
    return Holiday.objects.get(calendar=calendar, day=day)


def holidays_set(*, calendar: PayCalendar, days: Mapping[date, str]) -> int:
    """Many days with their names, all or none; the rooms above hear once. Returns how many are new or named anew."""
    for day in days:
        check_dates(day, None)
    with transaction.atomic():
        known = dict(Holiday.objects.filter(calendar=calendar, day__in=days).values_list("day", "name"))
        changed = {day: days[day] for day in sorted(days) if known.get(day) != days[day]}
        for day, name in changed.items():
            row, _ = Holiday.objects.update_or_create(calendar=calendar, day=day, defaults={"name": name})
            record(code="holiday.set", subject=calendar, after=state(row))
        if changed:
            first, last = min(changed), max(changed)
            from_day = f"{first:%-d %B %Y}"
            what = f"{from_day} is {changed[first]}" if first == last else f"{len(changed)} holidays from {from_day}"
            _tell_all(calendar, first, last, f"{calendar}: {what}")
    return len(changed)


def holiday_remove(*, holiday: Holiday) -> None:
    with transaction.atomic():
        before, calendar = state(holiday), holiday.calendar
        holiday.delete()
        record(code="holiday.remove", subject=calendar, before=before)
        _tell_all(calendar, holiday.day, holiday.day, f"{calendar}: {holiday.day:%-d %B %Y} is a working day")


def _tell(participant: Participant, starts_on: date, ends_on: date | None, what: str) -> None:
    people = [participant.pk, *people_above([participant.pk], starts_on, ends_on)]
    tell(people, starts_on, ends_on, f"{participant.name}: {what}")


def _tell_all(calendar: PayCalendar, first: date, last: date, label: str) -> None:
    people = Participant.objects.filter(pay_group__calendar=calendar).values_list("id", flat=True)
    tell(people, first, last + timedelta(days=1), label)
