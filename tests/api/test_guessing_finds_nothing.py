"""Guesses at keys and at hook addresses, many at once: few are looked at, the rest are told when to come again, and
nothing in an answer or in the work done for it tells which prefixes there are."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from comp.api import services
from tests.api.conftest import OPS, caller
from tests.intake.sending import Sender, event, sender
from tests.pages.rep.world import hired

#: COMP_GUESSES=20000 for the run whose figure stands in docs/security.md.
GUESSES = int(os.environ.get("COMP_GUESSES", "300"))
THREADS = 8


def many(ask: Any) -> tuple[list[Any], int]:
    """Asks so often from some threads at once. The answers, and in how many of the clock's minutes they came."""

    def some(number: int) -> list[Any]:
        client = Client(raise_request_exception=False)
        found = [ask(client) for _ in range(number)]
        connections.close_all()
        return found

    start = int(time.time() // 60)
    with ThreadPoolExecutor(THREADS) as pool:
        answers = [one for found in pool.map(some, [GUESSES // THREADS] * THREADS) for one in found]
    return answers, int(time.time() // 60) - start + 1


@pytest.mark.django_db(transaction=True)
def test_guessed_keys(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    world = hired()
    real = caller(world.company, world.users["Olga"], *OPS)
    looked: list[str] = []
    known = services._known
    monkeypatch.setattr(services, "_known", lambda text: looked.append(text) or known(text))
    prefix = real.key.prefix

    def guess(client: Client) -> Any:
        of = prefix if secrets.randbelow(2) else secrets.token_hex(8)
        header = {"Authorization": f"Bearer comp_{of}_{secrets.token_urlsafe(32)}"}
        return client.get("/api/v1/teams", headers=header)

    answers, minutes = many(guess)
    counts = Counter(answer.status_code for answer in answers)
    print(f"{len(answers)} guesses in {minutes} minutes: {len(looked)} looked at, {dict(counts)}")
    assert set(counts) == {401, 429} and len(looked) <= 2 * settings.API_GUESSES * minutes
    assert counts[401] <= 2 * settings.API_GUESSES * minutes
    assert len({answer.content for answer in answers if answer.status_code == 401}) == 1
    assert all(1 <= int(answer["Retry-After"]) <= 60 for answer in answers if answer.status_code == 429)


def shape(queries: list[str]) -> list[str]:
    """What was asked, whichever company's scope it was asked in."""
    return [re.sub(r"\d+", "n", one) for one in queries]


@pytest.mark.django_db
def test_a_known_prefix_costs_what_an_unknown_one_costs() -> None:
    world = hired()
    prefix = caller(world.company, world.users["Olga"], *OPS).key.prefix
    work = []
    for of in ("f" * 16, prefix, "0" * 16):  # the first pays for what is done once a minute
        with CaptureQueriesContext(connection) as queries:
            Client().get("/api/v1/teams", headers={"Authorization": f"Bearer comp_{of}_{'A' * 43}"})
        work.append([one["sql"].split("WHERE")[0] for one in queries if "SAVEPOINT" not in one["sql"]])
    assert shape(work[1]) == shape(work[2]) != []


@pytest.mark.django_db(transaction=True)
def test_guessed_hook_addresses(settings: LazySettings) -> None:
    crm: Sender = sender(hired().company, "guessed")

    def guess(client: Client) -> Any:
        return client.post(f"/hooks/{secrets.token_urlsafe(32)}/", b"{}", content_type="application/json")

    answers, minutes = many(guess)
    counts = Counter(answer.status_code for answer in answers)
    print(f"{len(answers)} guesses in {minutes} minutes: {dict(counts)}")
    assert set(counts) == {404, 429} and counts[404] <= settings.API_GUESSES * minutes
    assert len({answer.content for answer in answers if answer.status_code == 404}) == 1
    assert all(1 <= int(answer["Retry-After"]) <= 60 for answer in answers if answer.status_code == 429)
    crm.send(event("deal.won", deal="D1"))  # who knows the address and signs is taken, from the same place too
