"""The processes of `make run`, started again whenever they end, as a server's supervisor does."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import psutil

from comp.local import run
from comp.local.dev import CHECKOUT
from comp.local.process import free_port, log_tail
from comp.local.valkey import Valkey
from tests.bench.ground import Ground

#: How long anything may take to stand again.
PATIENCE = 90


class Stack:
    """Web, two workers and beat on the ground's servers. What ends is started again."""

    def __init__(self, place: Ground) -> None:
        self.place = place
        self.valkey = Valkey(place.data)
        self.port = free_port()
        commands = run.processes(place.data, self.port)
        second = [part.replace("worker.pid", "worker2.pid") for part in commands["worker"]]
        self.commands: Mapping[str, list[str]] = {**commands, "worker2": [*second, "--hostname", "second@%h"]}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.restarts = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()

    @contextmanager
    def up(self, *names: str) -> Iterator[None]:
        """These processes, kept up until the block ends."""
        self._ended.clear()
        for name in names:
            self._start(name)
        keeper = threading.Thread(target=self._keep, name="supervisor", daemon=True)
        keeper.start()
        try:
            self.wait_for_web()
            yield
        finally:
            self._ended.set()
            keeper.join(timeout=10)
            for process in self.running.values():
                _end(process)
            self.running.clear()

    def victims(self, name: str) -> list[psutil.Process]:
        """A process and its children, as they are now; the process first."""
        process = self.running.get(name)
        if process is None:
            return []
        try:
            top = psutil.Process(process.pid)
            return [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def wait_for_web(self) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/", timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"the web process did not answer:\n{log_tail(self.place.data / 'soak-web.log', 30)}")

    def _start(self, name: str) -> None:
        # A supervisor clears what a killed process left, its children too: they would hold the port or the name.
        for left in psutil.process_iter(["cmdline"]):
            if str(self.place.data / f"{name}.pid") in (left.info["cmdline"] or []):
                with suppress(psutil.NoSuchProcess):
                    left.kill()
        (self.place.data / f"{name}.pid").unlink(missing_ok=True)
        with (self.place.data / f"soak-{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                self.commands[name], cwd=CHECKOUT, env=self.place.env, stdout=log, stderr=log, start_new_session=True
            )

    def _keep(self) -> None:
        while not self._ended.wait(0.1):
            for name, process in list(self.running.items()):
                if process.poll() is not None and not self._ended.is_set():
                    self.restarts += 1
                    with self._lock:
                        self._start(name)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
