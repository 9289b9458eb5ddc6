"""Every address of the API × every method × own and foreign ids × keys with all grants, with none of use, and no key:
what another company's rows are called, and its secrets, are in no answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from comp.api.grants import Grant
from comp.people.models import Leave, Position, ReportingLine
from comp.tenancy.models import EndpointRoute
from crediting.models import Fact
from payouts.models import Statement
from tests.api.conftest import OPS, Caller, caller
from tests.api.test_the_schema_is_the_routes import views
from tests.isolation.walk.asking import leaks
from tests.isolation.walk.companies import Side, Sides

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: Named by what both companies have: a person's key. Of plans, the key of one that only one company has is asked for.
SHARED = ("participants",)


@pytest.fixture(scope="module")
def keys(sides: Sides) -> Iterator[dict[str, Caller]]:
    acme, rival = sides.acme.world, sides.rival.world
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.API_RATE", 1_000_000, raising=False)
        patch.setattr("django.conf.settings.API_GUESSES", 1_000_000, raising=False)
        made = {
            "ops": caller(acme.company, acme.users["Olga"], *OPS),
            "finance": caller(acme.company, acme.users["Fay"], Grant.BATCHES_READ),
            "people": caller(acme.company, acme.users["Olga"], Grant.PEOPLE_READ),
            "rival": caller(rival.company, rival.users["Olga"], *OPS),
        }
        yield {**made, "nobody": Caller(made["ops"].key, "comp_0123456789abcdef_" + "A" * 43)}


def ids(side: Side) -> dict[str, Any]:
    """A row of each kind, by the first part of its addresses."""
    with side.world.company.scope():
        return {
            "alignments": side.ids["territories"],
            "leave": Leave.objects.latest("id").pk,
            "positions": Position.objects.latest("id").pk,
            "reporting-lines": ReportingLine.objects.latest("id").pk,
            "assignments": side.ids["people"],
            "quotas": side.ids["quotas"],
            "deals": side.ids["deal"],
            "facts": Fact.objects.latest("id").pk,
            "earnings": side.ids["why"],
            "statements": Statement.objects.latest("id").pk,
            "batches": side.ids["payouts"],
            "deliveries": side.ids["delivery"],
            "disputes": side.ids["disputes"],
            "participants": "ann",
            "plans": "account-executive",
            "foreign plans": side.ids["only"],
        }


def asks(side: Side, foreign: bool) -> Iterator[tuple[str, str, Any]]:
    rows = ids(side)
    for at, view in views():
        room = at.removeprefix("api/v1/").split("/")[0]
        row = rows.get(f"foreign {room}" if foreign and f"foreign {room}" in rows else room)
        path = re.sub(r"<int:number>", "1", re.sub(r"<\w+:(pk|key)>", str(row), at)).removeprefix("api/v1/")
        for method in METHODS:
            yield path, method, view


def answer(key: Caller, method: str, path: str) -> Any:
    with transaction.atomic():
        said = key.ask(method, path, None if method == "GET" else {})
        transaction.set_rollback(True)
    return said


@pytest.mark.parametrize("name", ["ops", "finance", "people", "rival", "nobody"])
@pytest.mark.parametrize("foreign", [False, True], ids=["own", "foreign"])
def test_each_key_reads_its_own_company_alone(sides: Sides, keys: dict[str, Caller], name: str, foreign: bool) -> None:
    key = keys[name]
    here, there = (sides.rival, sides.acme) if name == "rival" else (sides.acme, sides.rival)
    forbidden = there.secrets | set().union(*there.pay.values())
    wrong = []
    for path, method, view in asks(there if foreign else here, foreign):
        said = answer(key, method, path)
        able = expected(key, name, path, method, view, foreign)
        if said.status_code not in able:
            wrong.append(f"{method} {path}: {said.status_code}, not {able}: {said.content[:200]!r}")
        if leaked := leaks(said, forbidden):
            wrong.append(f"{method} {path}: tells {leaked}")
        if name == "people" and (leaked := leaks(said, set().union(*here.pay.values()))):
            wrong.append(f"{method} {path}: tells pay, {leaked}")
    assert not wrong, "\n".join(wrong)


def expected(key: Caller, name: str, path: str, method: str, view: Any, foreign: bool) -> set[int]:
    if name == "nobody":
        return {401}
    if not hasattr(view, method.lower()):
        return {405}
    if view.grants[method] not in key.key.grants:
        return {403}
    one = "/" in path and path.split("/")[0] not in SHARED and path != "facts/bulk"
    if foreign and one:
        return {404} if method == "GET" else {404, 422}
    return {200} if method == "GET" else {200, 201, 204, 422}


def test_a_prefix_of_another_company_with_ones_own_secret_opens_nothing(sides: Sides, keys: dict[str, Caller]) -> None:
    prefix, secret = keys["rival"].key.prefix, keys["ops"].text.split("_", 2)[2]
    assert Caller(keys["ops"].key, f"comp_{prefix}_{secret}").get("participants").status_code == 401
    assert EndpointRoute.objects.filter(token=prefix).count() == 1
