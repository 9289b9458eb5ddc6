"""One live stack for all tests of this folder: PostgreSQL, Valkey, web, worker and Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import connections
from playwright.sync_api import Browser, Playwright
from pytest_django.plugin import DjangoDbBlocker

from comp.local import browser
from comp.outbox import bells
from tests.browser.cast import Cast, build
from tests.browser.looking import Eyes
from tests.browser.stack import Site, processes
from tests.database import TestDatabase


@dataclass
class Stack:
    """The product, running, and the company in it; and the window in which Sales Ops looks at one page after another:
    each new window is a process of the browser's."""

    site: Site
    cast: Cast
    looking: Eyes | None = None


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Never skipped: without a browser the run fails and says what to type."""
    found = browser.find()
    if found is None:
        pytest.fail(f"The browser tests need Chromium. Type: sudo {browser.INSTALL}")
    running = playwright.chromium.launch(executable_path=found)
    yield running
    running.close()


@pytest.fixture(scope="package")
def stack(
    test_database: TestDatabase,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    redis_url: str,
    static_files: Path,
    chromium: Browser,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """Committed data, so that the processes see it. The database is replaced afterwards."""
    with django_db_blocker.unblock():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bells, "is_first", lambda tenant_id, queue: False)  # nobody listens yet
            cast = build()
        connections.close_all()
        with processes(tmp_path_factory.mktemp("stack"), static_files) as address:
            yield Stack(Site(address, chromium), cast)
        connections.close_all()
        test_database.clone()
