"""The demo's story, told once for all these tests, in this process: real hooks, real drains, no server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from comp.local.demo import story
from comp.local.demo.companies import MAIN, RIVAL
from comp.local.demo.transport import Inline
from comp.outbox import bells
from tests.database import TestDatabase

TODAY = date(2026, 11, 20)
#: Opportunities of the main company; 8800 is all of them (some minutes).
LIMIT = int(os.environ.get("COMP_DEMO_LIMIT", "400"))


@dataclass(frozen=True)
class Demo:
    """What the story was told with, and what it came to."""

    today: date
    limit: int
    told: story.Told


@pytest.fixture(scope="package")
def demo(test_database: TestDatabase, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Demo]:
    """Committed, so that each test starts from it."""
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock():
        patch.setattr(bells, "is_first", lambda tenant_id, queue: False)  # nobody listens: the drains are called here
        told = story.tell([MAIN], Inline(), today=TODAY, limit=LIMIT)
        story.tell([RIVAL], Inline(), today=TODAY, limit=LIMIT // 4)
        yield Demo(TODAY, LIMIT, told)
        connections.close_all()
        test_database.clone()
