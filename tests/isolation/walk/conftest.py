"""The three companies of the walks, built once for all of them; the clone is replaced behind them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime
from itertools import combinations
from types import SimpleNamespace

import pytest
from django.contrib.auth.backends import ModelBackend
from django.db import connections
from django.test import Client, override_settings
from pytest_django.plugin import DjangoDbBlocker

from comp.tenancy.models import User
from tests.database import TestDatabase
from tests.isolation.walk.companies import Sides, everything, side
from tests.isolation.walk.table import VISITORS


@pytest.fixture(scope="package")
def sides(test_database: TestDatabase, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Sides]:
    clock = SimpleNamespace(now=lambda: datetime(2026, 11, 20, 12, tzinfo=UTC))
    # Nearly 28,000 requests: who visits is looked up once, not twice in each of them (the matrix shows by itself that
    # who is shut out meanwhile opens nothing), no page's context is copied, and what is refused is not logged.
    in_memory = override_settings(SESSION_ENGINE="django.contrib.sessions.backends.cache")
    refusals = logging.getLogger("django.request")
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), in_memory:
        patch.setattr("django.test.client.store_rendered_templates", lambda *told, **of: None)
        patch.setattr("comp.people.selectors.timezone", clock)  # the companies' day, as in tests/pages/rep
        patch.setattr("comp.outbox.services.bells.is_first", lambda tenant_id, queue: False)  # no worker listens
        acme = side("acme", {"Ann": "24681.00", "Bob": "13579.00"}, "Quiet Water Holding")
        rival = side("rival", {"Ann": "28653.00", "Bob": "17931.00"}, "Still River Holding")
        third = side("third", {"Ann": "26297.00", "Bob": "15439.00"}, "Deep Lake Holding")
        built = Sides(acme, rival, third)
        for one, other in combinations((acme, rival, third), 2):
            assert not everything(one) & everything(other), "nobody's pay tells whose it is"
        users: dict[str, User] = {**acme.world.users, "stranger": rival.world.users["Fay"]}
        known = {user.pk: user for user in users.values()}
        patch.setattr(ModelBackend, "get_user", lambda self, user_id: copy(known[user_id]))
        for visitor in VISITORS:
            built.clients[visitor] = client = Client(raise_request_exception=False)
            if visitor != "anonymous":
                client.force_login(users[visitor], "django.contrib.auth.backends.ModelBackend")
                client.get("/t/rival/" if visitor == "stranger" else "/t/acme/")
        before = refusals.level
        refusals.setLevel(logging.ERROR)
        yield built
        refusals.setLevel(before)
        connections.close_all()
        test_database.clone()
