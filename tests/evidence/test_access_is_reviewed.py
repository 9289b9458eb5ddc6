"""The access review says who could what on a past day, and the audit page finds an act by where it came from."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from comp.audit.models import AuditEntry
from comp.people.access import access_at, access_changes
from comp.people.services import participant_change, reporting_line_set
from comp.tenancy.capabilities import Role
from comp.tenancy.models import Membership
from comp.tenancy.services import membership_add, membership_remove
from tests.factories import Company, company, member, person


def client(user: Any) -> Client:
    found = Client(REMOTE_ADDR="192.0.2.7", headers={"user-agent": "Auditor's browser 1.0", "x-request-id": "req-77"})
    found.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return found


def pays(acme: Company, moment: Any) -> dict[str, str]:
    with acme.scope():
        return {row.who: row.pay for row in access_at(moment)}


@pytest.mark.django_db
def test_who_could_what_on_a_past_day() -> None:
    acme = company()
    before_all = timezone.now() - timedelta(days=1)
    ada, mia = member(acme, Role.ADMINISTRATOR, "Ada"), member(acme, Role.MANAGER, "Mia")
    with acme.scope(ada):
        boss, ann = person(acme, "Boss", user=mia), person(acme, "Ann")
        reporting_line_set(participant=ann, manager=boss, starts_on=ann.starts_on)
    first = timezone.now()
    assert pays(acme, first) == {"Ada": "nobody's", "Mia": "their own and of 1 below: Ann (ann)"}
    with acme.scope(ada):
        membership_remove(membership=Membership.objects.get(user=mia))
        membership_add(user=mia, role=Role.FINANCE, pay_groups=["sales"])
        participant_change(participant=boss, user=None)
    second = timezone.now()
    assert pays(acme, second) == {"Ada": "nobody's", "Mia": "of Sales"}
    assert pays(acme, first) == {"Ada": "nobody's", "Mia": "their own and of 1 below: Ann (ann)"}
    assert pays(acme, before_all) == {}
    with acme.scope():
        changes = [(c.what, c.who, c.right, c.by) for c in access_changes(first, second)]
        could = {row.who: row.can for row in access_at(second)}
    assert changes == [("given", "Mia", "Finance, pay of Sales", "Ada"), ("taken", "Mia", "Manager", "Ada")]
    assert "batch.approve" in could["Mia"] and "pay.all" not in could["Ada"]

    page = client(ada).get("/t/acme/access/")
    assert page.status_code == 200 and b"of Sales" in page.content
    table = client(ada).get("/t/acme/access/?csv=1").content.decode()
    assert "Finance" in table and "batch.approve" in table
    assert b"taken" in client(ada).get("/t/acme/access/?csv=changes").content


@pytest.mark.django_db
def test_an_act_is_found_by_where_it_came_from() -> None:
    acme = company()
    olga = member(acme, Role.SALES_OPS, "Olga")
    visitor = client(olga)
    assert visitor.post("/t/acme/erasures/retention/", {"months": "24"}).status_code == 302
    with acme.scope():
        entry = AuditEntry.objects.get(code="retention.set")
        assert (entry.address, entry.agent, entry.trace) == ("192.0.2.7", "Auditor's browser 1.0", "req-77")
        assert (entry.before, entry.after) == ({"months": None}, {"months": 24})
    for asked in ("trace=req-77", "actor=192.0.2.7", "text=24", "code=retention"):
        page = visitor.get(f"/t/acme/audit/?{asked}").content.decode()
        assert "retention.set" in page and "tenant.create" not in page, asked
    assert "192.0.2.7" in visitor.get("/t/acme/audit/?csv=1").content.decode()
    with acme.scope():
        leaver = person(acme, "Lee Ver")
        participant_change(participant=leaver, ends_on=leaver.starts_on + timedelta(days=9))
    assert b"is a name" in visitor.post(f"/t/acme/participants/{leaver.pk}/erase/", {"reason": "Asked"}).content
    assert visitor.get("/t/acme/erasures/").status_code == 200
