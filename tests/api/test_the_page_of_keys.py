"""Keys are made and ended on a page; the text is shown once."""

from __future__ import annotations

import re

from django.test import Client

from comp.api.models import ApiKey
from tests.api.conftest import Caller
from tests.pages.rep.world import World


def test_a_key_is_made_shown_once_used_and_ended(world: World) -> None:
    browser = Client()
    browser.force_login(world.users["Olga"], "django.contrib.auth.backends.ModelBackend")
    page = browser.get("/t/acme/keys/new/").content.decode()
    assert "people:write" in page and "batches:read" not in page, "only what the maker may do is offered"
    token = re.search('name="once" value="([^"]+)"', page)
    assert token
    said = {"name": "Payroll", "grants": ["people:read"], "days": "30", "once": token[1]}
    answer = browser.post("/t/acme/keys/new/", said)
    text = re.search(r"comp_[0-9a-f]{16}_[A-Za-z0-9_-]{43}", answer.content.decode())
    assert text and answer["Cache-Control"] == "no-store"
    with world.company.scope():
        key = ApiKey.objects.get(name="Payroll")
    assert browser.post("/t/acme/keys/new/", said).status_code == 302, "the answer reloaded makes no other key"
    with world.company.scope():
        assert ApiKey.objects.count() == 1
    caller = Caller(key, text[0])
    assert caller.get("participants").status_code == 200
    listed = browser.get("/t/acme/keys/").content.decode()
    assert "Payroll" in listed and text[0].split("_", 2)[2] not in listed
    assert browser.post(f"/t/acme/keys/{key.pk}/end/").status_code == 302
    assert caller.get("participants").status_code == 401
    assert "Ended" in browser.get("/t/acme/keys/").content.decode()
    too_far = browser.post("/t/acme/keys/new/", {"name": "X", "grants": ["batches:read"], "days": "30"})
    assert "batches:read" in too_far.content.decode() and too_far.status_code == 200
