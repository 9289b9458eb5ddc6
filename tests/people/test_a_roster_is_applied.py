"""A roster says what people are as of a day; what it changes is shown first, applied whole or not at all, and once."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from comp.core.errors import ProblemsError
from comp.people.models import Attribute, Gap, Leave, Participant, Position, ReportingLine
from comp.tenancy.capabilities import Role
from plans import roster
from plans.models import Quota
from tests.factories import Company, company, member, person

HEAD = "employee,as_of,name,email,hired,left,title,role,team,manager,region,pay_group,leave_from,leave_to"
TARGET = "target:sales:2026-01-01:2026-04-01"


@pytest.fixture
def acme() -> Company:
    return company("acme")


def applied(text: str) -> roster.Outcome:
    return roster.roster_text_apply(text=text, dry_run=False)


def tried(text: str) -> roster.Outcome:
    return roster.roster_text_apply(text=text, dry_run=True)


def kinds(outcome: roster.Outcome) -> list[str]:
    assert outcome.errors == ()
    return [change.kind for change in outcome.changes]


def joiners(group: str) -> str:
    return (
        f"{HEAD},{TARGET}\n"
        f"e1,2026-01-01,Rita Rep,rita@acme.test,2026-01-01,,AE,ae,,e2,EMEA,{group},,,100000.00\n"
        f"e2,2026-01-01,Max Mann,max@acme.test,2026-01-01,,Lead,ae,,,EMEA,{group},,,\n"
    )


@pytest.mark.django_db
def test_joiners_and_the_same_file_again(acme: Company) -> None:
    with acme.scope():
        text = joiners(acme.pay_group.key)
        shown = tried(text)
        assert not Participant.objects.filter(key="e1").exists()
        done = applied(text)
        assert [c.what for c in shown.changes] == [c.what for c in done.changes]
        rita = Participant.objects.get(key="e1")
        assert (rita.name, rita.email, rita.starts_on, rita.ends_on) == (
            "Rita Rep",
            "rita@acme.test",
            date(2026, 1, 1),
            None,
        )
        assert Position.objects.get(participant=rita).title == "AE"
        assert ReportingLine.objects.get(participant=rita).manager.name == "Max Mann"
        assert Attribute.objects.get(participant=rita).value == "EMEA"
        assert Quota.objects.get(participant=rita).amount_minor == 10_000_000
        assert applied(text).changes == ()
        # Another currency is said of who is new, and of nobody again.
        group, head = acme.pay_group.key, "employee,name,hired,pay_group,currency\n"
        applied(f"{head}e3,Jo,2026-01-01,{group},EUR\ne4,Di,2026-01-01,{group},\n")
        paid_in = Participant.objects.filter(key__in=["e3", "e4"]).order_by("key")
        assert list(paid_in.values_list("currency", flat=True)) == ["EUR", "USD"]
        (error,) = tried(f"{head}e3,Jo,2026-01-01,{group},GBP\n").errors
        assert error.column == "currency" and "is paid in EUR" in error.message


@pytest.mark.django_db
def test_movers_leavers_leave_and_who_is_hired_again(acme: Company) -> None:
    with acme.scope():
        applied(joiners(acme.pay_group.key))
        rita, max_ = Participant.objects.get(key="e1"), Participant.objects.get(key="e2")
        moved = "employee,as_of,title,region,manager\ne1,2026-03-01,Senior AE,APAC,\n"
        assert kinds(applied(moved)) == ["mover", "mover", "manager"]
        # A move dated before it changes only the days until then.
        assert kinds(applied("employee,as_of,title\ne1,2026-02-01,AE II\n")) == ["mover"]
        titles = list(
            Position.objects.filter(participant=rita).order_by("starts_on").values_list("title", "starts_on", "ends_on")
        )
        assert titles == [
            ("AE", date(2026, 1, 1), date(2026, 2, 1)),
            ("AE II", date(2026, 2, 1), date(2026, 3, 1)),
            ("Senior AE", date(2026, 3, 1), None),
        ]
        leave = "employee,leave_from,leave_to\ne1,2026-04-01,2026-05-01\n"
        outcome = applied(leave)
        assert kinds(outcome) == ["leave"] and outcome.affected[rita.pk] == date(2026, 4, 1)
        assert kinds(applied(leave)) == []
        assert kinds(applied("employee,leave_from,leave_to\ne1,2026-04-01,2026-06-01\n")) == ["leave"]
        assert Leave.objects.get().ends_on == date(2026, 6, 1)
        assert kinds(applied("employee,left\ne2,2026-07-01\n")) == ["leaver"]
        assert kinds(applied("employee,hired,left\ne2,2026-09-01,\n")) == ["rehire"]
        assert kinds(applied("employee,hired,left\ne2,2026-09-01,\n")) == []
        gap = Gap.objects.get()
        assert (gap.participant, gap.starts_on, gap.ends_on) == (max_, date(2026, 7, 1), date(2026, 9, 1))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("employee,manager\na1,a2\na2,a1\n", 3, "manager"),
        ("employee,manager\na1,nobody\n", 2, "manager"),
        ("employee,role,title\na1,chief,Chief\n", 2, "role"),
        ("employee,left\na1,31.12.2026\n", 2, "left"),
        ("employee,left\na1,2000-01-01\n", 2, "left"),
        ("employee,name\nnew,New\n", 2, "hired"),
        (f"employee,{TARGET}\na1,many\n", 2, TARGET),
        ("employee,email\na1,x\na1,y\n", 3, "employee"),
        ("employee,email\na1\n", 2, ""),
    ],
)
def test_a_wrong_row_stops_the_whole_file(acme: Company, text: str, line: int, column: str) -> None:
    with acme.scope():
        for key in ("a1", "a2"):
            made = person(acme, key.upper())
            Participant.objects.filter(pk=made.pk).update(key=key)
        outcome = applied(text)
        assert not outcome.applied
        assert [(error.line, error.column) for error in outcome.errors] == [(line, column)]
        assert not ReportingLine.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", "name\nx\n", "employee,salary\na1,1\n", "employee,employee\na,a\n"])
def test_what_is_no_roster_is_refused(acme: Company, text: str) -> None:
    with acme.scope(), pytest.raises(ProblemsError):
        tried(text)


@pytest.mark.django_db
def test_a_stored_file_is_applied_once(acme: Company) -> None:
    olga: Any = member(acme, Role.SALES_OPS, "Olga Ops")
    with acme.scope(olga):
        file = roster.roster_store(name="hr.csv", text=joiners(acme.pay_group.key), by=olga)
        assert roster.roster_file_apply(file=file, by=olga).applied
        file.refresh_from_db()
        assert file.applied_by == olga and file.counts["joiner"] == 2
        with pytest.raises(ProblemsError, match="applied already"):
            roster.roster_file_apply(file=file, by=olga)


@pytest.mark.django_db
def test_the_page_shows_what_would_change_and_applies_it(acme: Company) -> None:
    olga = member(acme, Role.SALES_OPS, "Olga Ops")
    client = Client()
    client.force_login(olga, backend="django.contrib.auth.backends.ModelBackend")
    assert "No roster yet" in client.get("/t/acme/roster/").content.decode()
    wrong = SimpleUploadedFile("wrong.csv", b"employee,salary\na1,1\n")
    assert client.post("/t/acme/roster/", {"file": wrong}).status_code == 422
    sent = SimpleUploadedFile("hr.csv", joiners(acme.pay_group.key).encode())
    said = client.post("/t/acme/roster/", {"file": sent})
    page = client.get(said["Location"]).content.decode()
    assert "Rita Rep" in page and "Apply 8 changes" in page
    with acme.scope():
        assert not Participant.objects.exists()
    shown = re.search(r'name="seen" value="(\w{64})"', page)
    assert shown
    client.post(f"{said['Location']}apply/", {"seen": shown[1]})
    assert "Applied" in client.get(said["Location"]).content.decode()
    with acme.scope():
        assert Participant.objects.count() == 2
    # Somebody who is paid already: whose figures, from which day on.
    sent = SimpleUploadedFile("hr2.csv", b"employee,as_of,title\ne1,2026-03-01,Senior\ne9,2026-03-01,X\n")
    second = client.post("/t/acme/roster/", {"file": sent})["Location"]
    page = client.get(second).content.decode()
    assert "1 error." in page and "e9 is new here: the row has to state name" in page
    shown = client.get(f"{second}?show=affected").content.decode()
    assert "Rita Rep" in shown and "Max Mann" in shown  # the manager above her
    assert "line,column,found" in client.get(f"{second}?format=csv").content.decode()


@pytest.mark.django_db
def test_what_is_applied_is_what_was_shown(acme: Company) -> None:
    """Two of Sales Ops look at their files; once one is applied the other would do something else."""
    olga: Any = member(acme, Role.SALES_OPS, "Olga Ops")
    with acme.scope(olga):
        first = roster.roster_store(name="hr.csv", text=joiners(acme.pay_group.key), by=olga)
        second = roster.roster_store(name="again.csv", text=joiners(acme.pay_group.key), by=olga)
        seen = roster.roster_text_apply(text=first.text, dry_run=True).digest
        assert roster.roster_file_apply(file=first, by=olga, seen=seen).applied
        with pytest.raises(ProblemsError, match="Look again"):
            roster.roster_file_apply(file=second, by=olga, seen=seen)
        second.refresh_from_db()
        assert second.applied_at is None and Participant.objects.count() == 2
