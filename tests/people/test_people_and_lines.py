"""People, positions and reporting lines: dates, circles, and what is kept of every change."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from comp.audit.models import AuditEntry
from comp.core.calendars import CalendarError
from comp.core.errors import ProblemsError
from comp.outbox.models import Message
from comp.people import services
from comp.people.models import Participant, PayCalendar, Position, ReportingLine
from tests.factories import Company, company, person

pytestmark = pytest.mark.django_db

JANUARY, MARCH, JUNE = date(2026, 1, 1), date(2026, 3, 1), date(2026, 6, 1)


@pytest.fixture
def acme() -> Company:
    return company("acme")


def news(topic: str) -> list[dict]:
    return [message.payload for message in Message.objects.filter(topic=topic).order_by("id")]


def test_a_position_ends_the_one_before_and_stops_at_the_next(acme: Company) -> None:
    with acme.scope():
        ann = person(acme, "Ann")
        for day, title in [(JANUARY, "Associate"), (JUNE, "Senior"), (MARCH, "Executive")]:
            services.position_set(participant=ann, title=title, credit_role=acme.ae, starts_on=day)
        rows = Position.objects.order_by("starts_on").values_list("title", "starts_on", "ends_on")
        assert list(rows) == [
            ("Associate", JANUARY, MARCH),
            ("Executive", MARCH, JUNE),
            ("Senior", JUNE, None),
        ]
        told = news("people.changed")[-1]
        assert told == {
            "participants": [ann.pk],
            "from": "2026-03-01",
            "to": "2026-06-01",
            "label": "Ann is Executive from 1 March 2026",
        }


def test_a_position_said_again_for_the_same_day_replaces_it_and_its_history_stays(acme: Company) -> None:
    with acme.scope():
        ann = person(acme, "Ann")
        first = services.position_set(participant=ann, title="Asociate", credit_role=acme.ae, starts_on=JANUARY)
        services.position_set(participant=ann, title="Associate", credit_role=acme.ae, starts_on=JANUARY)
        assert Position.objects.get().title == "Associate"
        kept = Position.history.filter(id=first.pk).order_by("history_id")
        assert [row.history_type for row in kept] == ["+", "-"]


def test_a_manager_is_told_too_when_somebody_beneath_moves(acme: Company) -> None:
    with acme.scope():
        ann, bob, cem = (person(acme, name) for name in ("Ann", "Bob", "Cem"))
        services.reporting_line_set(participant=bob, manager=cem, starts_on=JANUARY)
        services.reporting_line_set(participant=ann, manager=bob, starts_on=JANUARY)
        services.reporting_line_set(participant=ann, manager=cem, starts_on=MARCH)
        assert news("people.changed")[-1]["participants"] == sorted([ann.pk, bob.pk, cem.pk])
        assert ReportingLine.objects.get(participant=ann, manager=bob).ends_on == MARCH


def test_a_circle_is_refused_on_any_day_of_its_time(acme: Company) -> None:
    with acme.scope():
        ann, bob, cem = (person(acme, name) for name in ("Ann", "Bob", "Cem"))
        services.reporting_line_set(participant=bob, manager=ann, starts_on=MARCH)
        services.reporting_line_set(participant=cem, manager=bob, starts_on=JUNE)
        for manager in (ann, bob, cem):
            with pytest.raises(ProblemsError, match="cannot report to"):
                services.reporting_line_set(participant=ann, manager=manager, starts_on=JANUARY)
        assert not ReportingLine.objects.filter(participant=ann).exists()
        # Once Bob has another manager Ann may report to him.
        services.reporting_line_set(participant=bob, manager=person(acme, "Dia"), starts_on=date(2027, 1, 1))
        services.reporting_line_set(participant=ann, manager=cem, starts_on=date(2027, 1, 1))


def test_the_database_refuses_two_positions_at_once(acme: Company) -> None:
    with acme.scope():
        ann = person(acme, "Ann")
        services.position_set(participant=ann, title="Associate", credit_role=acme.ae, starts_on=JANUARY)
        with pytest.raises(IntegrityError, match="position_once"), transaction.atomic():
            Position.objects.create(participant=ann, title="Two", credit_role=acme.ae, starts_on=MARCH)


def test_an_update_past_the_services_is_kept_too_and_the_past_can_be_read(acme: Company) -> None:
    with acme.scope():
        ann = person(acme, "Ann")
    before = timezone.now()
    with acme.scope():
        Participant.objects.filter(pk=ann.pk).update(name="Anna")
        assert Participant.history.as_of(before).get(id=ann.pk).name == "Ann"
        assert Participant.history.as_of(timezone.now() + timedelta(seconds=1)).get(id=ann.pk).name == "Anna"


def test_a_line_that_ends_is_told_from_its_end_on(acme: Company) -> None:
    with acme.scope():
        ann, bob = person(acme, "Ann"), person(acme, "Bob")
        line = services.reporting_line_set(participant=ann, manager=bob, starts_on=JANUARY)
        services.row_end(row=line, ends_on=MARCH)
        assert news("people.changed")[-1] == {
            "participants": [ann.pk, bob.pk],
            "from": "2026-03-01",
            "to": None,
            "label": "Ann: reporting line ends on 1 March 2026",
        }
        with pytest.raises(ProblemsError, match="ends on 1 March 2026 already"):
            services.row_end(row=line, ends_on=JUNE)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"currency": "DOL"}, "unknown currency 'DOL'"),
        ({"ends_on": date(2025, 1, 1)}, "has to end later"),
        ({"starts_on": date(1, 1, 1)}, "1 January 1 lies outside the years 1900 to 2199"),
        ({"ends_on": date.max}, "31 December 9999 lies outside"),
        ({"name": " "}, "needs an employee number and a name"),
    ],
)
def test_a_participant_who_cannot_be_is_refused(acme: Company, values: dict, message: str) -> None:
    fitting = {"key": "7", "name": "Ann", "currency": "USD", "pay_group": acme.pay_group, "starts_on": JANUARY}
    with acme.scope(), pytest.raises(ProblemsError, match=message):
        services.participant_create(**{**fitting, **values})


def test_a_key_is_used_once_and_every_act_is_in_the_audit_trail(acme: Company) -> None:
    with acme.scope():
        ann = person(acme, "Ann")
        with pytest.raises(ProblemsError, match="There is a participant ann already"):
            person(acme, "Ann")
        services.participant_change(participant=ann, name="Anna Ohlsen")
        entry = AuditEntry.objects.order_by("-number").first()
        assert entry is not None
        assert (entry.code, entry.before["name"], entry.after["name"]) == ("participant.change", "Ann", "Anna Ohlsen")
        # No figure is made of a name; of the days here some are.
        assert not news("people.changed")
        services.participant_change(participant=ann, ends_on=date(2027, 1, 1))
        assert news("people.changed")[-1]["label"] == "Anna Ohlsen: ends on changed"


def test_a_group_or_a_line_in_a_year_that_nobody_means_is_refused(acme: Company) -> None:
    with acme.scope():
        ann, ben = person(acme, "Ann"), person(acme, "Ben")
        with pytest.raises(ProblemsError, match="lies outside the years"):
            services.pay_group_create(key="far", name="Far", calendar=acme.calendar, opens_on=date.max)
        with pytest.raises(ProblemsError, match="lies outside the years"):
            services.named_change(row=acme.pay_group, opens_on=date.max)
        with pytest.raises(ProblemsError, match="lies outside the years"):
            services.reporting_line_set(participant=ann, manager=ben, starts_on=date.max)


def test_a_weekly_calendar_keeps_the_day_it_is_counted_from(acme: Company) -> None:
    with acme.scope():
        weekly = services.calendar_create(key="weekly", name="Weekly", kind="weekly", anchor=date(2026, 1, 5))
        assert PayCalendar.objects.get(pk=weekly.pk).anchor == date(2026, 1, 5)
        assert [row.anchor for row in PayCalendar.history.filter(id=weekly.pk)] == [date(2026, 1, 5)]
        entry = AuditEntry.objects.order_by("-number").first()
        assert entry is not None and entry.after["anchor"] == "2026-01-05"
        services.calendar_create(key="twice", name="Twice a month", kind="semimonthly")
        with pytest.raises(CalendarError, match="A biweekly calendar needs its anchor"):
            services.calendar_create(key="biweekly", name="Biweekly", kind="biweekly")
        with pytest.raises(CalendarError, match="takes no anchor, not 2026-01-05"):
            services.calendar_create(key="monthly-2", name="Monthly", kind="monthly", anchor=date(2026, 1, 5))
