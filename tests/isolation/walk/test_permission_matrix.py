"""Every address × every role × right and wrong company × every method × own and foreign ids.

The table says who may open what; an address that it does not name fails the test. Three companies are built by the same
signed events; what only one of them, or only one colleague, may know is planted in unmistakable amounts and names, and
no answer to anybody else holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.backends import ModelBackend
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver

from comp.tenancy.capabilities import CAPABILITIES
from comp.tenancy.models import User
from tests.isolation.walk.asking import answer, leaks
from tests.isolation.walk.companies import Sides
from tests.isolation.walk.table import (
    ACCOUNTS,
    ADMIN_MODELS,
    ADMIN_PAGES,
    ADMIN_SITE,
    BELOW,
    MEMBERS,
    METHODS,
    PAGES,
    POSTED,
    VISITORS,
)

#: How a visitor is looked up, before the walks keep whom they know.
LOOKED_UP = ModelBackend.get_user


def routes(patterns: Any = None, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, before + str(pattern.pattern))
        else:
            yield before + str(pattern.pattern), pattern


def test_every_address_is_listed() -> None:
    listed = {f"{BELOW}{path}" for path in PAGES} | {"", "choose/", "health/"}
    listed |= {"hooks/<slug:token>/", "hooks/<slug:token>/<path:rest>", "api/openapi.json"}
    listed |= {f"accounts/{path}" for path in ACCOUNTS} | {f"admin/{path}" for path in ADMIN_SITE}
    listed |= {f"admin/{model}/{page}" for model in ADMIN_MODELS for page in ADMIN_PAGES}
    # Those of the API are walked with keys: test_a_key_reaches_its_own_company.py.
    found = {path for path, _ in routes() if not path.startswith("api/v1/")}
    # Only what keeps its states has a page for one of them.
    kept = {path for path in listed if path.startswith("admin/tenancy") and "^" in path}
    assert found - listed == set() and listed - found == kept


def test_every_view_states_what_it_needs() -> None:
    for path, pattern in routes():
        if path.startswith(BELOW):
            page = PAGES[path.removeprefix(BELOW)]
            assert pattern.callback.needs == frozenset(page.needs), path
            can = {name: frozenset().union(*(CAPABILITIES[role] for role in roles)) for name, roles in VISITORS.items()}
            # The table's people and the capabilities of their roles agree, whoever changes either.
            able = {name for name in MEMBERS if can[name] >= frozenset(page.needs)}
            assert page.opens <= able and (not page.needs or able == page.opens | page.hides), path


#: Named by what is the same in all companies: a day (foreign only with a participant beside it), a template.
SHARED = (["period"], ["template_key"], ["account"], ["month"], ["cohort"])


@dataclass(frozen=True)
class Ask:
    path: str
    method: str = "GET"
    company: str = "acme"  # whose address
    ids: str = "acme"  # whose rows it names

    @property
    def foreign(self) -> bool:
        return self.ids != self.company

    @property
    def named(self) -> list[str]:
        return re.findall(r"<\w+:(\w+)>", self.path)


#: The third company is there to be read: its own addresses, and its rows by the addresses of another.
BELOW_ASKS = [
    Ask(path, method, company, ids)
    for path in PAGES
    for method in METHODS
    for company, ids in (
        ("acme", "acme"), ("acme", "rival"), ("acme", "third"),
        ("rival", "rival"), ("rival", "acme"), ("third", "third"),
    )
    if (company == ids or "<" in path) and (method == "GET" or "third" not in (company, ids))
]  # fmt: skip


def asks(visitor: str) -> Iterator[Ask]:
    """A company that is not the visitor's answers before the address is read: naming other rows is tried once there."""
    home = "rival" if visitor == "stranger" else "acme"
    for ask in BELOW_ASKS:
        if ask.company == home or not ask.foreign or ask.method == "GET":
            yield ask


def address(sides: Sides, ask: Ask) -> str:
    ids = dict(sides.of(ask.ids).ids)
    room = ask.path.split("/")[0]
    ids["pk"] = ids.get(room)
    if ask.foreign:
        ids["key"] = ids["group"] = ids["only"]
        ids["number"] = 999  # numbers are each company's own
    filled = re.sub(r"<\w+:(\w+)>", lambda match: str(ids[match[1]]), ask.path)
    return f"/t/{ask.company}/{filled}"


def expected(visitor: str, ask: Ask) -> set[int]:
    page = PAGES[ask.path]
    if visitor == "anonymous":
        return {302}
    home = "rival" if visitor == "stranger" else "acme"
    role = "Fay" if visitor == "stranger" else visitor
    if ask.company != home or visitor == "Max":
        return {404}
    if page.needs and role not in page.opens | page.hides:
        return {403}
    if ask.method not in page.methods.split():
        return {405}
    if role not in page.opens or (ask.foreign and ask.named not in SHARED):
        return {404}
    return set(page.answers) if ask.method == "GET" else set(POSTED)


def test_the_walk_is_long_enough() -> None:
    assert sum(len([*asks(visitor)]) for visitor in VISITORS) >= 25_000


@pytest.mark.parametrize("visitor", VISITORS)
def test_each_visitor_opens_what_is_theirs_and_nothing_else(sides: Sides, visitor: str) -> None:
    client, forbidden = sides.clients[visitor], sides.forbidden(visitor)
    wrong = []
    for ask in asks(visitor):
        url = address(sides, ask)
        said = answer(client, ask.method, url)
        if said.status_code not in expected(visitor, ask):
            wrong.append(f"{ask.method} {url}: {said.status_code}, not {expected(visitor, ask)}")
        if leaked := leaks(said, forbidden):
            wrong.append(f"{ask.method} {url}: tells {leaked}")
    assert not wrong, "\n".join(wrong)


def test_who_is_shut_out_is_nobody_from_then_on(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their session stands, and opens nothing. Who visits is looked up as it is everywhere but in these walks."""
    monkeypatch.setattr(ModelBackend, "get_user", LOOKED_UP)
    client, wrong = sides.clients["Fay"], []
    assert client.get("/t/acme/payouts/").status_code == 200
    with transaction.atomic():
        User.objects.filter(pk=sides.acme.world.users["Fay"].pk).update(is_active=False)
        for path in PAGES:
            url = address(sides, Ask(path))
            said = client.get(url)
            if said.status_code != 302 or not said["Location"].startswith("/accounts/login/"):
                wrong.append(f"GET {url}: {said.status_code}")
        transaction.set_rollback(True)
    assert not wrong, "\n".join(wrong)
