"""The tests' database: one embedded cluster, one template for each state of the migrations, a clone for each process.

Tests run as the runtime role on a schema that the owner built by the migrations, as in production. TRUNCATE, by which
Django empties tables after transactional tests, is a right that role must not have: the clone is replaced instead.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from comp.local import roles
from comp.local.digests import CHECKOUT, migrations_digest
from comp.local.postgres import SUPERUSER, UNSAFE_BUT_FAST, Postgres, binaries
from comp.local.process import locked

FOLDER = Path(os.environ.get("COMP_TEST_DATA") or CHECKOUT / ".comp" / "test")


class TestDatabase:
    """This process's clone. Processes of the same or another run share the cluster and may come and go."""

    __test__ = False  # a helper whose name pytest would take for a test class

    def __init__(self) -> None:
        self.server = Postgres(FOLDER, {**UNSAFE_BUT_FAST, "max_connections": "200"})
        self.name = f"test_{os.getpid()}"
        self.template = f"template_{migrations_digest()}"

    def open(self) -> None:
        """Start the cluster, build the template if the migrations changed, and clone it."""
        self._join()
        self.server.start()
        with locked(FOLDER / "template.lock"):
            if not self._exists(self.template):
                self._build_template()
        self.clone()

    def close(self) -> None:
        """Drop the clone and leave the cluster to others."""
        self._drop(self.name)
        self._users.close()

    def clone(self) -> None:
        """Replace this process's database by a fresh copy of the template."""
        self._drop(self.name)
        with closing(self.server.connect()) as admin:
            roles.database_prepare(admin, self.name, self.template)

    def connect(self, user: str) -> Connection:
        """A connection of its own to the clone, in autocommit."""
        return self.server.connect(self.name, user)

    def dump(self, file: Path) -> None:
        """Write the migrated, empty database as SQL: quicker run on another server than all migrations are."""
        command = (str(binaries() / "pg_dump"), "--file", str(file), self.server.url(self.template, SUPERUSER))
        subprocess.run(command, check=True)

    def settings(self) -> dict[str, str]:
        """What Django's connection needs in order to reach the clone as the runtime role."""
        return {"NAME": self.name, "USER": roles.APP, "PASSWORD": "", "HOST": str(self.server.sockets), "PORT": ""}

    def environment(self) -> Mapping[str, str]:
        """The same for child processes, which read the environment."""
        return self._environment(self.name)

    def _environment(self, name: str) -> dict[str, str]:
        return {
            "DATABASE_URL": self.server.url(name, roles.OWNER),
            "DATABASE_APP_URL": self.server.url(name, roles.APP),
        }

    def _join(self) -> None:
        # Every process that uses the cluster holds a shared lock until it ends, however it ends. Who gets the lock
        # alone knows that all clones standing there are left-overs of killed runs.
        FOLDER.mkdir(parents=True, exist_ok=True)
        self._users = (FOLDER / "users.lock").open("a")
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            self.server.start()
            self._drop_all_but(self.template)
        fcntl.flock(self._users, fcntl.LOCK_SH)

    def _build_template(self) -> None:
        unfinished = f"unfinished_{self.template}"
        self._drop(unfinished)
        roles.prepare(self.server.url("postgres", SUPERUSER), unfinished)
        done = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"],
            cwd=CHECKOUT,
            env={**os.environ, **self._environment(unfinished), "COMP_AS_OWNER": "1"},
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"The migrations failed on the tests' database:\n{done.stdout}{done.stderr}")
        self._run("ALTER DATABASE {} RENAME TO {}", unfinished, self.template)

    def _exists(self, name: str) -> bool:
        return name in self._names()

    def _names(self) -> list[str]:
        with closing(self.server.connect()) as admin, admin.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database")
            return [row[0] for row in cursor.fetchall()]

    def _drop_all_but(self, kept: str) -> None:
        for name in self._names():
            if name.startswith(("test_", "template_", "unfinished_")) and name != kept:
                self._drop(name)

    def _drop(self, name: str) -> None:
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _run(self, statement: str, *names: str) -> None:
        with closing(self.server.connect()) as admin, admin.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def stop_if_unused() -> None:
    """End the cluster when no other run uses it; the next one starts it in a tenth of a second."""
    if not FOLDER.exists():
        return
    with (FOLDER / "users.lock").open("a") as users:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        Postgres(FOLDER).stop()
