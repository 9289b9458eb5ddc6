from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.test import Client

from tests.pages.rep.world import World, selling


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is 20 November 2026 for the company's day, whatever the clock says."""
    clock = SimpleNamespace(now=lambda: datetime(2026, 11, 20, 12, tzinfo=UTC))
    monkeypatch.setattr("comp.people.selectors.timezone", clock)


@pytest.fixture
def world(db: None) -> World:
    return selling()


@pytest.fixture
def as_(world: World) -> Callable[[str], Client]:
    """A browser in which somebody of the company is logged in."""

    def client(name: str) -> Client:
        found = Client()
        found.force_login(world.users[name], "django.contrib.auth.backends.ModelBackend")
        return found

    return client
