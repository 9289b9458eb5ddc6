"""What is known of a person by date, and a calendar's holidays, on their pages."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from comp.audit.models import AuditEntry
from comp.outbox.models import Message
from comp.people.models import Attribute, Gap, Holiday, Leave
from comp.people.services import position_set, reporting_line_set
from comp.tenancy.capabilities import Role
from tests.factories import Company, company, member, person

pytestmark = pytest.mark.django_db

JANUARY = date(2026, 1, 1)


@pytest.fixture
def acme() -> Company:
    return company("acme")


def client(acme: Company, role: Role = Role.SALES_OPS) -> Client:
    found = Client()
    found.force_login(member(acme, role), backend="django.contrib.auth.backends.ModelBackend")
    return found


def test_a_person_by_date(acme: Company) -> None:
    with acme.scope():
        ann, mia = person(acme, "Ann"), person(acme, "Mia")
        position_set(participant=ann, title="Account executive", credit_role=acme.ae, starts_on=JANUARY)
        reporting_line_set(participant=ann, manager=mia, starts_on=JANUARY)
    ops, here = client(acme), f"/t/acme/participants/{ann.pk}/"
    shown = ops.get(here).content.decode()
    assert "Account executive" in shown and "Mia" in shown and "None said" in shown
    said = {"name": "region", "value": "EMEA", "starts_on": "2026-01-01"}
    assert ops.post(f"{here}attribute/", said).status_code == 302
    assert ops.post(f"{here}attribute/", {**said, "value": "APAC", "starts_on": "2026-03-01"}).status_code == 302
    assert ops.post(f"{here}attribute/", {**said, "name": "mood"}).status_code == 422
    with acme.scope():
        assert list(Attribute.objects.order_by("starts_on").values_list("value", "ends_on")) == [
            ("EMEA", date(2026, 3, 1)), ("APAC", None),
        ]  # fmt: skip
    # Leave without an end is ended; what meets other leave is refused; a gap needs its end.
    away = {"kind": "leave", "starts_on": "2026-05-01"}
    assert ops.post(f"{here}away/", away).status_code == 302
    shown = ops.post(f"{here}away/", {**away, "starts_on": "2026-05-09"})
    assert shown.status_code == 422 and "is on leave from 1 May 2026" in shown.content.decode()
    assert ops.post(f"{here}away/", {"kind": "gap", "starts_on": "2026-06-01"}).status_code == 422
    gap = {"kind": "gap", "starts_on": "2026-06-01", "ends_on": "2026-07-01"}
    assert ops.post(f"{here}away/", gap).status_code == 302
    with acme.scope():
        leave = Leave.objects.get()
        assert Gap.objects.get().ends_on == date(2026, 7, 1)
    for wrong in ("", "2026-04-01"):
        ops.post(f"{here}leave/{leave.pk}/", {"act": "end", "ends_on": wrong})
    with acme.scope():
        assert Leave.objects.get().ends_on is None
    ops.post(f"{here}leave/{leave.pk}/", {"act": "end", "ends_on": "2026-05-10"})
    with acme.scope():
        assert Leave.objects.get().ends_on == date(2026, 5, 10)
    assert ops.post(f"/t/acme/participants/{mia.pk}/leave/{leave.pk}/", {"act": "remove"}).status_code == 404
    ops.post(f"{here}leave/{leave.pk}/", {"act": "remove"})
    with acme.scope():
        assert not Leave.objects.exists()
        codes = set(AuditEntry.objects.values_list("code", flat=True))
    assert {"attribute.set", "leave.set", "leave.end", "leave.remove", "gap.set"} <= codes
    # Who changed what, also of what is gone; not for those who may not read the audit trail.
    shown = ops.get(here).content.decode()
    assert "leave.remove" in shown and "attribute.set" in shown
    shown = client(acme, Role.REVENUE_LEADER).get(here).content.decode()
    assert "APAC" in shown and "leave.remove" not in shown and "Say it" not in shown
    assert client(acme, Role.REPRESENTATIVE).get(here).status_code == 403
    assert client(acme, Role.FINANCE).post(f"{here}attribute/", said).status_code == 403


def test_a_calendars_holidays(acme: Company) -> None:
    ops, here = client(acme), f"/t/acme/calendars/{acme.calendar.pk}/"
    assert "No holidays" in ops.get(here).content.decode()
    for name in ("New year", "New Year"):
        assert ops.post(f"{here}add/", {"day": "2026-01-01", "name": name}).status_code == 302
    assert ops.post(f"{here}add/", {"day": "1 January", "name": "New Year"}).status_code == 422
    with acme.scope():
        holiday = Holiday.objects.get()
        assert holiday.name == "New Year"
    assert "New Year" in ops.get(here).content.decode()
    fay = client(acme, Role.FINANCE)
    shown = fay.get("/t/acme/calendars/").content.decode()
    assert "Monthly" in shown and "Sales" in shown
    assert fay.post(f"{here}add/", {"day": "2026-05-01", "name": "May"}).status_code == 403
    assert ops.post(f"{here}holidays/{holiday.pk}/remove/").status_code == 302
    with acme.scope():
        assert not Holiday.objects.exists()
        assert AuditEntry.objects.filter(code__startswith="holiday.").count() == 3


def test_holidays_of_a_file_count_all_or_not_at_all(acme: Company) -> None:
    ops, here = client(acme), f"/t/acme/calendars/{acme.calendar.pk}/"

    def check(text: str, status: int = 200) -> str:
        said = ops.post(f"{here}upload/", {"file": SimpleUploadedFile("days.csv", text.encode())})
        assert said.status_code == status
        return said.content.decode()

    assert "Upload many" in ops.get(here).content.decode() and "Check it" in ops.get(f"{here}upload/").content.decode()
    assert "Unknown column" in check("day,title\n2026-01-01,New Year\n", 422)
    assert "is missing" in check("day\n2026-01-01\n", 422)
    assert "holds no holidays" in check("day,name\n")
    ops.post(f"{here}add/", {"day": "2026-01-01", "name": "New year"})
    text = "day,name\n2026-01-01,New Year\n\n2026-12-25,Christmas Day\n2026-12-26,Boxing Day\n"
    wrong = check(text + "26.12.2026,Boxing Day\n2026-12-25,Twice\n2026-05-01,\n3026-01-01,Too late\n")
    assert "4 rows cannot be read" in wrong and "Line 4 names 25 December 2026 already" in wrong
    assert all(f"Line </span>{line}</th>" in wrong for line in (6, 7, 8, 9)) and "has 0 characters" in wrong
    assert "starts_on" not in wrong
    shown = check(text)
    assert "Add 3 holidays" in shown and "New year" in shown and "a working day" in shown
    with acme.scope():
        assert Holiday.objects.count() == 1
        told = Message.objects.filter(topic="people.changed").count()
    for count in (3, 0):
        added = ops.post(f"{here}upload/", {"checked": text}, follow=True)
        assert f"{count} of 3 holidays are new" in added.content.decode()
    assert ops.post(f"{here}upload/", {"checked": text.replace("2026-12-26", "26 December")}).status_code == 200
    # What comes back is held to what an upload is.
    many = "day,name\n" + "".join(f"{date(2000, 1, 1) + timedelta(days=n)},Off\n" for n in range(5_001))
    for crafted, why in ((many, "The file has 5,001 rows; allowed are 5,000 rows."), ("day\n", "is missing")):
        back = ops.post(f"{here}upload/", {"checked": crafted})
        assert back.status_code == 422 and why in back.content.decode()
    with acme.scope():
        assert list(Holiday.objects.order_by("day").values_list("name", flat=True)) == [
            "New Year", "Christmas Day", "Boxing Day",
        ]  # fmt: skip
        assert AuditEntry.objects.filter(code="holiday.set").count() == 4
        # The rooms above hear once of all of them.
        news = Message.objects.filter(topic="people.changed").order_by("id")
        assert news.count() == told + 1
        last = news.last()
        assert last is not None and (last.payload["from"], last.payload["to"]) == ("2026-01-01", "2026-12-27")
        assert "3 holidays from 1 January 2026" in last.payload["label"]
    assert client(acme, Role.FINANCE).get(f"{here}upload/").status_code == 403
