"""Every page of the administration × every role × own and foreign rows."""

from __future__ import annotations

import pytest

from tests.isolation.walk.asking import answer, leaks
from tests.isolation.walk.companies import Sides
from tests.isolation.walk.table import ADMIN_MODELS, ADMIN_PAGES, ADMINISTRATORS, VISITORS


@pytest.mark.parametrize("visitor", VISITORS)
def test_the_administration_is_for_editors_of_their_company(sides: Sides, visitor: str) -> None:
    client, forbidden = sides.clients[visitor], sides.forbidden(visitor)
    wrong = []
    for model, readers in ADMIN_MODELS.items():
        for page in sorted(ADMIN_PAGES):
            for foreign in (False, True) if "object_id" in page else (False,):
                found = (sides.rival if foreign else sides.acme).ids
                row = {"participant": found["participant"], "quota": found["quotas"]}.get(
                    model.split("/")[1], found["people"]
                )
                url = f"/admin/{model}/" + page.replace("<path:object_id>", str(row)).replace("^([^/]+)", "1").replace(
                    "([^/]+)/$", "1/"
                )
                for method in ("GET", "POST") if visitor in ADMINISTRATORS else ("GET",):
                    said = answer(client, method, url)
                    if visitor not in ADMINISTRATORS:
                        able = {302}
                    elif method == "GET" and not page:
                        able = {200} if visitor in readers else {403}
                    else:
                        able = {200, 302, 403, 404} if visitor in readers else {302, 403, 404}
                    if said.status_code not in able:
                        wrong.append(f"{method} {url}: {said.status_code}, not {able}")
                    if leaked := leaks(said, forbidden):
                        wrong.append(f"{method} {url}: tells {leaked}")
    assert not wrong, "\n".join(wrong)
