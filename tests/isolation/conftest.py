"""Committed rows that a whole module looks at; the clone is replaced behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from tests.database import TestDatabase


@pytest.fixture(scope="module")
def shared_database(
    test_database: TestDatabase, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[TestDatabase]:
    """The database for a module's tests together: what they commit stays until the last of them."""
    with django_db_blocker.unblock():
        yield test_database
        connections.close_all()
        test_database.clone()
