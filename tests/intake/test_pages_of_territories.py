"""Territories: upload, what is wrong, what it changes, put in force, what was."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from comp.tenancy.capabilities import Role
from crediting.models import DealTeam, HookEndpoint
from tests.factories import member
from tests.intake.sending import Sender, deal
from tests.intake.test_deals_are_aligned import by_territory, work

HERE = "/t/acme/territories/"


@pytest.fixture
def ops(crm: Sender) -> Client:
    client = Client()
    client.force_login(member(crm.company, Role.SALES_OPS, "Olga"))
    return client


def upload(client: Client, text: str) -> str:
    answer = client.post(HERE, {"file": SimpleUploadedFile("rules.csv", text.encode())}, follow=True)
    return answer.content.decode()


def test_from_upload_to_history(crm: Sender, ops: Client) -> None:
    by_territory(crm, "ae")
    crm.send(deal(owner=None))
    work(crm)
    assert "No rules yet" in ops.get(HERE).content.decode()
    shown = upload(ops, "role,country,participant,from\nae,United States,ann,2026-01-01\n")
    assert "moving 1 deal" in shown and "Not in force" not in shown and ">D1</a>" in shown and "nobody" in shown
    pk = shown.split('apply/"')[0].split("/territories/")[-1].strip("/")
    assert "Ann" in ops.get(f"{HERE}{pk}/?show=people").content.decode()
    assert "United States" in ops.get(f"{HERE}{pk}/?show=rules").content.decode()
    done = ops.post(f"{HERE}{pk}/apply/", follow=True).content.decode()
    assert "Alignment 1 is in force. 1 deal moved." in done
    with crm.company.scope():
        assert DealTeam.objects.get().participant.key == "ann"
    assert "In force" in ops.get(HERE).content.decode()
    assert "ae,,United States,,,,,ann,,2026-01-01," in ops.get(f"{HERE}{pk}/?format=csv").content.decode()
    again = ops.post(f"{HERE}{pk}/apply/", follow=True).content.decode()
    assert "put in force already" in again


def test_errors_are_told_by_line(ops: Client) -> None:
    shown = upload(ops, "role,country,participant,from\nae,Germany,nobody,2026-01-01\n")
    assert "1 error." in shown and "There is no participant nobody here." in shown
    assert "Unknown column" in upload(ops, "role,land,participant,from\n")
    assert "The column from is missing" in upload(ops, "role\nae\n")


def test_an_endpoint_says_which_roles_go_by_territory_and_whether_it_carries_people(crm: Sender, ops: Client) -> None:
    here = f"/t/acme/endpoints/{crm.endpoint.pk}/"
    shown = ops.get(here).content.decode()
    assert "By territory" in shown and "May say who works here" in shown
    said = {"name": "CRM", "rate_limit": 60, "active": "on", "carries_people": "on", "aligned_roles": ["ae"]}
    assert ops.post(here, said).status_code == 302
    with crm.company.scope():
        row = HookEndpoint.objects.get()
        assert row.carries_people and row.aligned_roles == ["ae"]
    admin = Client()
    admin.force_login(member(crm.company, Role.ADMINISTRATOR, "Ada"))
    assert "May say who works here" not in admin.get(here).content.decode()
    assert admin.post(here, {**said, "aligned_roles": []}).status_code == 302
    with crm.company.scope():
        row = HookEndpoint.objects.get()
        assert row.carries_people and row.aligned_roles == ["ae"], "who may not edit people changes nothing of that"
