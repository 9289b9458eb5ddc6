"""Servers of these tests' own: they are killed, so they cannot be the ones that other tests use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from comp.local.postgres import UNSAFE_BUT_FAST, Postgres
from comp.local.valkey import Valkey


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    """A cluster that is not started yet."""
    server = Postgres(tmp_path / "data", UNSAFE_BUT_FAST)
    yield server
    server.stop()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A server that is not started yet."""
    server = Valkey(tmp_path / "data")
    yield server
    server.stop()
