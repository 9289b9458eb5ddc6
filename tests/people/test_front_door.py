"""The front door: each role to its first page, the choice among companies, and whether the house answers."""

from __future__ import annotations

import pytest
from django.test import Client

from comp.tenancy.capabilities import Role
from comp.tenancy.models import User
from comp.tenancy.services import membership_add, user_create
from tests.factories import company, member

pytestmark = pytest.mark.django_db


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize(
    ("role", "path"),
    [
        (Role.REPRESENTATIVE, "/t/acme/home/"),
        (Role.MANAGER, "/t/acme/home/"),
        (Role.FINANCE, "/t/acme/payouts/"),
        (Role.SALES_OPS, "/t/acme/plans/"),
        (Role.REVENUE_LEADER, "/t/acme/plans/"),
        (Role.ADMINISTRATOR, "/t/acme/plans/"),
    ],
)
def test_each_role_starts_on_its_own_page(role: Role, path: str) -> None:
    client = signed_in(member(company("acme"), role))
    assert client.get("/")["Location"] == path
    assert client.get("/t/acme/")["Location"] == path


def test_who_belongs_to_two_companies_chooses_and_comes_back_to_the_last_one() -> None:
    acme, rival = company("acme"), company("rival")
    olga = member(acme, Role.SALES_OPS, "Olga")
    with rival.scope():
        membership_add(user=olga, role=Role.FINANCE)
    client = signed_in(olga)
    assert client.get("/")["Location"] == "/choose/"
    page = client.get("/choose/").content.decode()
    assert "/t/acme/plans/" in page and "/t/rival/payouts/" in page and "Finance" in page
    client.get("/t/rival/")
    assert client.get("/")["Location"] == "/t/rival/payouts/"


def test_who_belongs_to_none_is_told_so_and_strangers_log_in_first() -> None:
    nobody = signed_in(user_create(email="nobody@acme.test", full_name="No Body", password="nine-lamps-over-water"))
    assert "You belong to no company here yet" in nobody.get("/", follow=True).content.decode()
    assert "/accounts/login/" in Client().get("/")["Location"]


def test_health_answers_without_a_log_in() -> None:
    answer = Client().get("/health/")
    assert (answer.status_code, answer.json()) == (200, {"database": "ok"})
