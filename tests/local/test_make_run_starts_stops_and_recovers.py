"""`make run` as a user meets it: a first start, Ctrl-C, a second start, a hard kill, a start that recovers.

The demo company is left out (tests/flows has it): what is looked at here is the house around it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
import requests

from comp.local import roles, run
from comp.local.dev import DATABASE
from comp.local.digests import CHECKOUT
from comp.local.postgres import Postgres
from comp.local.process import free_port
from comp.local.valkey import Valkey

READY = "Comp is ready: "
FIRST_START_SECONDS = 180
#: A hang guard, not a measurement: beside two other test processes starting takes as long as it takes.
SECOND_START_SECONDS = 90


class Run:
    """One `python -m comp.local.run` on a data folder, its output in a file."""

    def __init__(self, data: Path, port: int) -> None:
        self.data = data
        self.output = data.parent / "output.txt"
        given = {"COMP_DATA": str(data), "COMP_DEMO": "0", "PORT": str(port)}
        # As from a fresh shell: the addresses of the tests' own servers must not reach it.
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        self.started = time.monotonic()
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "comp.local.run"],
                cwd=CHECKOUT,
                env={**kept, **given},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self, seconds: float) -> str:
        """The address, once it is printed and answers."""
        while READY not in self.output.read_text():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() - self.started < seconds, self.output.read_text()
            time.sleep(0.1)
        address = self.output.read_text().split(READY)[1].split()[0]
        assert requests.get(f"{address}/health/", timeout=5).status_code == 200
        return address

    def interrupt(self) -> int:
        """Ctrl-C: the terminal sends it to the whole foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(timeout=30)


def processes_of(data: Path) -> list[str]:
    """Command lines of living processes that name the data folder."""
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            if str(data) in command and process.status() != psutil.STATUS_ZOMBIE:
                found.append(command)
        except psutil.Error:
            continue
    return found


def query(data: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(Postgres(data).url(DATABASE, roles.OWNER))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()


def test_first_start_then_ctrl_c_then_hard_kill_then_recovery(tmp_path: Path) -> None:
    data = tmp_path / "data"
    port = free_port()
    first = Run(data, port)
    try:
        first.wait_ready(FIRST_START_SECONDS)
        assert query(data, "CREATE TABLE kept AS SELECT 7 AS n; SELECT n FROM kept") == [(7,)]
        assert query(data, "SELECT DISTINCT usename::text FROM pg_stat_activity WHERE application_name = 'comp'") in (
            [],
            [(roles.APP,)],
        ), "what serves must connect as the runtime role alone"
        assert first.interrupt() == 0
        assert processes_of(data) == []

        second = Run(data, port)
        second.wait_ready(SECOND_START_SECONDS)
        assert query(data, "SELECT n FROM kept") == [(7,)]

        second.process.kill()
        second.process.wait()
        assert processes_of(data), "a killed supervisor leaves its processes: that is what the next start must bear"
        os.kill(Postgres(data).pid() or 0, signal.SIGKILL)

        third = Run(data, port)
        third.wait_ready(SECOND_START_SECONDS + 10)
        assert query(data, "SELECT n FROM kept") == [(7,)]
        assert third.interrupt() == 0
        assert processes_of(data) == []
    finally:
        run.end_left_overs(data)
        Valkey(data).stop()
        Postgres(data).stop()


def test_a_step_that_fails_says_why_and_stops_the_servers(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "secrets.json").write_text("{")
    failing = Run(data, free_port())
    assert failing.process.wait(timeout=60) == 1
    assert "secrets.json" in failing.output.read_text()
    assert processes_of(data) == []
