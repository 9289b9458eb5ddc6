"""Fixtures that every test may use: the database as the runtime role, connections of the other roles, Valkey."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connections
from django.test import TransactionTestCase
from psycopg2.extensions import connection as Connection
from pytest_django.plugin import DjangoDbBlocker
from whitenoise.middleware import WhiteNoiseMiddleware
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from comp.local import roles
from comp.local.postgres import SUPERUSER
from comp.local.process import locked
from comp.local.run import collect_static
from comp.local.valkey import Valkey
from tests.database import FOLDER, TestDatabase, stop_if_unused

# Playwright's loop stands still between its calls, and only then does a browser test's thread use the ORM.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")


@pytest.fixture(scope="session")
def test_database() -> Iterator[TestDatabase]:
    """The clone of this process, whatever Django does with it."""
    database = TestDatabase()
    database.open()
    yield database
    database.close()


@pytest.fixture(scope="session")
def django_db_setup(
    test_database: TestDatabase, django_test_environment: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Takes pytest-django's place: point Django at the clone, and child processes too."""

    def replace_database(case: TransactionTestCase) -> None:
        connections.close_all()
        test_database.clone()

    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock():
        connections.close_all()
        # The dictionary that connections of every thread are made from, so a live server's threads follow.
        for name, value in test_database.settings().items():
            patch.setitem(connections["default"].settings_dict, name, value)
        for name, value in test_database.environment().items():
            patch.setenv(name, value)
        patch.setattr(TransactionTestCase, "_fixture_teardown", replace_database)
        yield
        connections.close_all()


@pytest.fixture(scope="session")
def static_files() -> Path:
    """The static files, collected once for all processes of all runs."""
    folder = FOLDER / "static"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with locked(FOLDER / "static.lock"):
        collect_static({**os.environ, "STATIC_ROOT": str(folder)})
    return folder


@pytest.fixture
def made_before(test_database: TestDatabase, static_files: Path, tmp_path: Path) -> dict[str, str]:
    """Environment of a benchmark or soak with servers of its own: what it need not do anew."""
    schema = tmp_path / "migrated.sql"
    test_database.dump(schema)
    return {"COMP_BENCH_SCHEMA": str(schema), "STATIC_ROOT": str(static_files)}


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Passwords hashed at the lowest cost: half a second each otherwise. Every server still verifies them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"time_cost": 1, "memory_cost": 8, "parallelism": 1}.items():
            patch.setattr(Argon2PasswordHasher, name, value)
        yield


@pytest.fixture(scope="session", autouse=True)
def static_files_once() -> Iterator[None]:
    """Each test client makes its middleware anew; what all static files are is then looked up once for all of them."""
    look, found = WhiteNoiseMiddleware.add_files_from_finders, {}

    def remembered(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            look(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", remembered)
        yield


@pytest.fixture
def owner_connection(test_database: TestDatabase, django_db_setup: None) -> Iterator[Connection]:
    """comp_owner's own connection, in autocommit: sees what is committed, never the test's open transaction."""
    with closing(test_database.connect(roles.OWNER)) as connection:
        yield connection


@pytest.fixture
def superuser_connection(test_database: TestDatabase, django_db_setup: None) -> Iterator[Connection]:
    """The superuser's own connection, in autocommit, past every wall: to set up and to look behind them."""
    with closing(test_database.connect(SUPERUSER)) as connection:
        yield connection


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Valkey of this process's own, started when first asked for; child processes find it too."""
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDIS_URL", server.url)
        yield server.url
    server.stop()


#: What begins first, in this order: work without a database while the first process builds it, then what takes a minute
#: or more, so that none of it is left over for one process at the end.
FIRST = (
    "tests/unit/test_agreement.py",
    "tests/bench/",
    "tests/browser/",
    "tests/isolation/walk/",
    "tests/demo/",
    "tests/faults/",
    "tests/local/",
    "tests/web/test_the_gallery",
)


#: What is built once for all tests of a folder or file: they stay in one process.
TOGETHER = (
    "tests/browser/",
    "tests/demo/",
    "tests/isolation/walk/",
    "tests/isolation/test_a_colleagues_pay",
    "tests/isolation/test_a_tenant",
    "tests/isolation/test_no_table",
    "tests/local/test_the_roles",
    "tests/web/test_the_gallery",
)


class Together(LoadScopeScheduling):
    """Each test goes to whoever is free, but for those that stay together. By their paths: the groups of pytest-xdist
    3.8 are passed over in silence by pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        return next((path for path in TOGETHER if nodeid.startswith(path)), nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    config.option.loadscopereorder = False  # the order is that of FIRST
    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long work begins first."""
    last = len(FIRST)
    items.sort(key=lambda item: next((at for at, path in enumerate(FIRST) if item.nodeid.startswith(path)), last))


def pytest_collection_finish(session: pytest.Session) -> None:
    """What stands before the first test stays: no collection of garbage looks through it again."""
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """The controlling process stops the cluster after its workers have gone."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        stop_if_unused()
