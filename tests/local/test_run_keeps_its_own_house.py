"""What `make run` keeps in its data folder, what it ends, and what it leaves alone."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
import pytest

from comp.local import environment, roles, run
from comp.local.postgres import SUPERUSER, Postgres
from comp.local.process import ServerError

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
PATIENCE = 30.0


class Sleepers:
    """Processes that the test starts and that must not outlive it."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> int:
        """Starts one, waits until others can read its command line, and returns its process id.

        The system lets the parent go on a moment before the new program's command line can be read; until then
        it reads as empty.
        """
        process = subprocess.Popen([*SLEEP, *arguments])
        self.processes.append(process)
        end = time.monotonic() + PATIENCE
        while not psutil.Process(process.pid).cmdline():
            assert time.monotonic() < end, "the process shows no command line"
            time.sleep(0.001)
        return process.pid


@pytest.fixture
def sleepers() -> Iterator[Sleepers]:
    found = Sleepers()
    yield found
    for process in found.processes:
        process.kill()
        process.wait()


def test_secrets_are_made_once_and_read_by_their_owner_alone(tmp_path: Path) -> None:
    first = environment.secrets_keep(tmp_path)
    assert set(first) == set(environment.GENERATED)
    assert len(set(first.values())) == len(first)
    assert environment.secrets_keep(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_a_secret_that_is_new_in_this_version_is_added(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text(json.dumps({"SECRET_KEY": "kept"}))
    found = environment.secrets_keep(tmp_path)
    assert found["SECRET_KEY"] == "kept"
    assert found["COMP_APP_PASSWORD"]


def test_what_the_user_sets_wins(tmp_path: Path) -> None:
    found = environment.base(tmp_path, {"SECRET_KEY": "mine", "LOG_LEVEL": "DEBUG"})
    assert (found["SECRET_KEY"], found["LOG_LEVEL"]) == ("mine", "DEBUG")


def test_left_overs_of_this_folder_are_ended_and_no_others(tmp_path: Path, sleepers: Sleepers) -> None:
    ours, other = tmp_path / "ours", tmp_path / "other"
    ours.mkdir()
    (ours / "worker.pid").write_text("1")
    for folder in (ours, other):
        sleepers.start("--pidfile", str(folder / "worker.pid"))
    sleepers.start("talks about", f"{ours / 'worker.pid'} only")
    run.end_left_overs(ours)
    assert [process.poll() is None for process in sleepers.processes] == [False, True, True]
    assert not (ours / "worker.pid").exists()


def test_every_process_can_be_found_as_a_left_over(tmp_path: Path) -> None:
    for name, command in run.processes(tmp_path, 8000).items():
        assert str(tmp_path / f"{name}.pid") in command


def test_a_second_run_on_the_folder_is_refused(tmp_path: Path, sleepers: Sleepers) -> None:
    (tmp_path / "run.pid").write_text(str(sleepers.start("comp.local.run")))
    with pytest.raises(ServerError, match="runs already"):
        run._refuse_second(tmp_path)


def test_the_pid_of_a_killed_run_refuses_nobody(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    for text in (str(ended.pid), str(os.getpid()), ""):
        (tmp_path / "run.pid").write_text(text)
        run._refuse_second(tmp_path)


@pytest.mark.parametrize("text", ["eighty", "-1", "80.5"])
def test_a_port_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PORT", text)
    with pytest.raises(ServerError, match=f"PORT is '{text}'"):
        run._port()


def test_a_chosen_port_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("PORT", str(taken.getsockname()[1]))
        with pytest.raises(ServerError, match="is taken"):
            run._port()


def test_an_administrators_url_makes_the_roles_with_passwords(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "server")
    server.start()
    try:
        found = environment.database_given(tmp_path, {"DATABASE_URL": server.url("books", SUPERUSER)})
        kept = environment.secrets_keep(tmp_path)
        assert kept["COMP_APP_PASSWORD"] in found["DATABASE_APP_URL"]
        for name, user in (("DATABASE_URL", roles.OWNER), ("DATABASE_APP_URL", roles.APP)):
            with closing(psycopg2.connect(found[name])) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT current_user, current_database()")
                assert cursor.fetchone() == (user, "books")
    finally:
        server.stop()


def test_an_owners_url_needs_the_runtimes_beside_it(tmp_path: Path) -> None:
    url = "postgresql://comp_owner:word@db.example:5432/comp"
    with pytest.raises(ServerError, match="DATABASE_APP_URL or COMP_APP_PASSWORD"):
        environment.database_given(tmp_path, {"DATABASE_URL": url})
    given = {"DATABASE_URL": url, "COMP_APP_PASSWORD": "other"}
    assert environment.database_given(tmp_path, given) == {"DATABASE_URL": url}
    with pytest.raises(ServerError, match="names no database"):
        environment.database_given(tmp_path, {"DATABASE_URL": "postgresql://admin@db.example"})
