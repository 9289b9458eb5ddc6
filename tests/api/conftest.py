"""A company before its first deal, and callers of its API."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from comp.api.grants import Grant
from comp.api.models import ApiKey
from comp.api.services import key_create
from comp.tenancy.models import User
from tests.factories import Company
from tests.pages.rep.world import World, hired


@dataclass
class Caller:
    """A program with a key."""

    key: ApiKey
    text: str

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        given = {"Authorization": f"Bearer {self.text}", **{name.replace("_", "-"): v for name, v in headers.items()}}
        return Client(raise_request_exception=False).generic(
            method, f"/api/v1/{path}", _text(body), content_type="application/json", headers=given
        )

    def get(self, path: str, **headers: str) -> Any:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Any:
        return self.ask("POST", path, body, **headers)

    def items(self, path: str) -> list[dict[str, Any]]:
        answer = self.get(path)
        assert answer.status_code == 200, answer.content
        found: list[dict[str, Any]] = answer.json()["items"]
        return found


def _text(body: Any) -> str | bytes:
    return "" if body is None else body if isinstance(body, str | bytes) else json.dumps(body)


def caller(where: Company, maker: User, *grants: Grant) -> Caller:
    with where.scope(maker):
        key, text = key_create(
            name="Test", grants=[*grants], made_by=maker, expires_at=timezone.now() + timedelta(days=30)
        )
    return Caller(key, text)


OPS = [Grant.PEOPLE_READ, Grant.PEOPLE_WRITE, Grant.PLANS_READ, Grant.PLANS_WRITE, Grant.PLANS_PUBLISH,
       Grant.QUOTAS_READ, Grant.QUOTAS_WRITE, Grant.FACTS_READ, Grant.FACTS_WRITE, Grant.FIGURES_READ,
       Grant.STATEMENTS_READ, Grant.DISPUTES_READ, Grant.DISPUTES_WRITE]  # fmt: skip


@pytest.fixture
def world(db: None) -> World:
    return hired()


@pytest.fixture
def ops(world: World) -> Caller:
    """Everything that Sales Ops may give to a key."""
    return caller(world.company, world.users["Olga"], *OPS)


@pytest.fixture
def finance(world: World) -> Caller:
    return caller(world.company, world.users["Fay"], Grant.BATCHES_READ, Grant.FIGURES_READ)


@pytest.fixture
def still() -> None:
    """Not across a minute's end: what is counted by the minute is counted within one."""
    if time.time() % 60 > 55:
        time.sleep(6)
