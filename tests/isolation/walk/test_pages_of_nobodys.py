"""What belongs to no company, or to everybody, tells nothing of any."""

from __future__ import annotations

import re

import pytest

from tests.isolation.walk.asking import answer, leaks
from tests.isolation.walk.companies import Sides
from tests.isolation.walk.table import ACCOUNTS, ADMIN_SITE, VISITORS


@pytest.mark.parametrize("visitor", VISITORS)
def test_pages_of_nobodys_tell_nothing(sides: Sides, visitor: str) -> None:
    """The front door, health, the hook's door, one's own account, the administration's frame."""
    client, forbidden = sides.clients[visitor], sides.forbidden(visitor)
    token = sides.rival.world.crm.endpoint.token
    signed_in = visitor != "anonymous"
    fixed = {
        "/": {302},
        "/choose/": {200} if signed_in else {302},
        "/health/": {200},
        f"/hooks/{token}/": {405},
        "/hooks/unknown/": {405},
    }
    accounts = [re.sub(r"\^|\$|\(\?P<\w+>[^)]*\)", "", path) for path in ACCOUNTS - {"logout/"}]
    admin = [re.sub(r"\^|\$|<[^>]+>", "", path) for path in ADMIN_SITE if "(?P" not in path]
    asked = {**fixed, **{f"/accounts/{path}": {200, 302, 403, 404, 405} for path in accounts}}
    asked |= {f"/admin/{path}": {200, 302, 403, 404, 405} for path in [*admin, "people/", "tenancy/", "nowhere/"]}
    wrong = []
    for url, statuses in asked.items():
        said = client.get(url)
        if said.status_code not in statuses:
            wrong.append(f"GET {url}: {said.status_code}, not {statuses}")
        if leaked := leaks(said, forbidden):
            wrong.append(f"GET {url}: tells {leaked}")
    for url in (f"/hooks/{token}/", "/hooks/unknown/"):
        said = answer(client, "POST", url)
        if said.status_code not in {400, 401, 404} or leaks(said, forbidden):
            wrong.append(f"POST {url}: {said.status_code}")
    assert not wrong, "\n".join(wrong)
