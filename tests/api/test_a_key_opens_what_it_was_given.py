"""Keys: what is kept of them, what they open, how they end, how often they and those without one may call."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from comp.api.grants import NEEDS, Grant, within
from comp.api.models import ApiKey
from comp.api.services import key_create, key_end
from comp.audit.models import AuditEntry
from comp.core.errors import ProblemsError
from comp.tenancy.models import Membership
from comp.tenancy.services import membership_remove
from tests.api.conftest import Caller, caller
from tests.pages.rep.world import World


def test_of_a_key_only_the_digest_is_kept(world: World, ops: Caller) -> None:
    prefix, secret = ops.text.split("_", 2)[1:]
    with world.company.scope():
        row = ApiKey.objects.values().get(prefix=prefix)
        told = str(row) + str(list(AuditEntry.objects.values()))
    assert secret not in told and len(secret) == 43
    assert world.company.tenant.slug not in ops.text


def test_a_key_opens_its_grants_alone(world: World) -> None:
    reader = caller(world.company, world.users["Olga"], Grant.PEOPLE_READ)
    assert reader.get("participants").status_code == 200
    assert reader.get("plans").status_code == 403
    assert reader.get("statements").status_code == 403
    answer = reader.post("participants", {})
    assert answer.status_code == 403 and "people:write" in answer.json()["errors"][0]["message"]
    assert reader.ask("PUT", "participants").status_code == 405
    assert reader.get("nowhere").json()["errors"][0]["message"] == "There is no such address."


def test_a_key_goes_no_further_than_its_maker(world: World) -> None:
    finn = world.users["Finn"]
    with world.company.scope(finn), pytest.raises(ProblemsError, match="plans:write"):
        key_create(name="Too far", grants=["plans:write"], made_by=finn, expires_at=timezone.now() + timedelta(days=1))
    made = caller(world.company, finn, Grant.BATCHES_READ)
    assert made.get("batches").status_code == 200
    with world.company.scope():
        membership_remove(membership=Membership.objects.get(user=finn))
    assert made.get("batches").status_code == 401
    assert {*within(frozenset(NEEDS.values()))} == {*Grant}


def test_an_ended_key_and_an_expired_one_are_refused_at_once(world: World, ops: Caller) -> None:
    assert ops.get("participants").status_code == 200
    with world.company.scope(world.users["Olga"]):
        key_end(key=ops.key, ended_by=world.users["Olga"])
        assert AuditEntry.objects.filter(code="api_key.end").count() == 1
    assert ops.get("participants").status_code == 401


@pytest.mark.parametrize("days", [-1, 400])
def test_a_key_lives_for_a_year_at_most(world: World, days: int) -> None:
    olga = world.users["Olga"]
    with world.company.scope(olga), pytest.raises(ProblemsError, match="366 days"):
        key_create(name="K", grants=["people:read"], made_by=olga, expires_at=timezone.now() + timedelta(days=days))


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer x", "Basic abc", "Bearer comp_0123456789abcdef_" + "A" * 43, "Bearer comp_é", "Bearer \0"],
)
def test_what_is_no_key_is_refused(world: World, authorization: str) -> None:
    answer = Client(raise_request_exception=False).get(
        "/api/v1/participants", headers={"Authorization": authorization} if authorization else {}
    )
    assert answer.status_code == 401 and answer["WWW-Authenticate"].startswith("Bearer")


def test_a_wrong_secret_under_a_right_prefix_is_refused(ops: Caller) -> None:
    wrong = Caller(ops.key, ops.text[:-1] + ("A" if ops.text[-1] != "A" else "B"))
    assert wrong.get("participants").status_code == 401


def test_a_key_may_call_so_often_a_minute(ops: Caller, settings: LazySettings, still: None) -> None:
    settings.API_RATE = 3
    assert [ops.get("teams").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert 1 <= int(ops.get("teams")["Retry-After"]) <= 60


def test_guesses_are_counted_by_address_and_then_not_looked_at(
    ops: Caller, settings: LazySettings, still: None
) -> None:
    settings.API_GUESSES = 4
    wrong = Caller(ops.key, "comp_0123456789abcdef_" + "A" * 43)
    assert [wrong.get("teams").status_code for _ in range(6)] == [401] * 4 + [429] * 2
    assert ops.get("teams").status_code == 429, "also what would be right is not looked at"
    elsewhere = Client(REMOTE_ADDR="203.0.113.9").get("/api/v1/teams", headers={"Authorization": f"Bearer {ops.text}"})
    assert elsewhere.status_code == 200
