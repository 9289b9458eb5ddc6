"""Start, stop and recovery of the embedded servers: what `make run` and every test stand on."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import redis

from comp.local import postgres as driver
from comp.local.postgres import Postgres
from comp.local.process import SOCKET_FOLDER_LIMIT, ServerError, free_port, private_folder, wait_until_gone
from comp.local.valkey import Valkey

Server = Postgres | Valkey


@pytest.fixture(params=["postgres", "valkey"])
def server(request: pytest.FixtureRequest) -> Server:
    """Both servers keep the same promises."""
    found: Server = request.getfixturevalue(request.param)
    return found


def pid_of(server: Server) -> int:
    pid = server.pid()
    assert pid is not None
    return pid


def kill(server: Server) -> None:
    pid = pid_of(server)
    os.kill(pid, signal.SIGKILL)
    assert wait_until_gone(pid, 10)


def rows(server: Postgres, statement: str) -> list[tuple[object, ...]]:
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_a_second_start_finds_the_first(server: Server) -> None:
    assert server.start() is True
    first = pid_of(server)
    assert server.start() is False
    assert pid_of(server) == first


def test_stop_ends_it_and_may_be_repeated(server: Server) -> None:
    server.start()
    pid = pid_of(server)
    assert server.stop() is True
    assert server.pid() is None
    assert wait_until_gone(pid, 0.1)
    assert server.stop() is False


def test_another_object_on_the_same_folder_sees_and_stops_it(server: Server) -> None:
    server.start()
    other = type(server)(server.data)
    assert other.pid() == server.pid()
    assert other.stop() is True
    assert server.pid() is None


def test_a_start_after_a_hard_kill_serves_again(server: Server) -> None:
    server.start()
    kill(server)
    assert server.pid() is None
    assert server.start() is True
    assert pid_of(server)


def test_a_pid_file_that_names_another_program_is_stale(server: Server) -> None:
    server.start()
    kill(server)
    file = server.data / ("postgres/postmaster.pid" if isinstance(server, Postgres) else "valkey.pid")
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        lines = file.read_text().split("\n", 1)
        file.write_text(f"{stranger.pid}\n" + "".join(lines[1:]))
        assert server.pid() is None
        assert server.start() is True
        assert pid_of(server) != stranger.pid
        assert stranger.poll() is None, "the stranger must not be harmed"
    finally:
        stranger.kill()
        stranger.wait()


def test_committed_rows_survive_a_hard_kill(tmp_path: Path) -> None:
    server = Postgres(tmp_path)  # with the disk's guarantees on, as in `make run`
    server.start()
    try:
        rows(server, "CREATE TABLE kept AS SELECT 1 AS n; SELECT n FROM kept")
        kill(server)
        server.start()
        assert rows(server, "SELECT n FROM kept") == [(1,)]
    finally:
        server.stop()


def test_an_empty_pid_file_does_not_stop_a_start(postgres: Postgres) -> None:
    postgres.start()
    kill(postgres)
    (postgres.cluster / "postmaster.pid").write_text("")
    assert postgres.start() is True


def test_an_initdb_that_was_cut_short_is_done_again(postgres: Postgres) -> None:
    half = postgres.cluster.with_suffix(".new")
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    assert postgres.start() is True


def test_postgres_speaks_through_a_closed_folder_only(postgres: Postgres) -> None:
    postgres.start()
    assert rows(postgres, "SHOW listen_addresses") == [("",)]
    assert stat.S_IMODE(postgres.sockets.stat().st_mode) == 0o700
    assert rows(postgres, "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'postgres'") == [
        ("b", "C.UTF-8")
    ]


def test_a_long_path_gets_a_short_socket_folder(tmp_path: Path) -> None:
    server = Postgres(tmp_path / ("long" * 20) / ("name" * 20), driver.UNSAFE_BUT_FAST)
    server.start()
    try:
        assert len(str(server.sockets)) <= SOCKET_FOLDER_LIMIT
        assert stat.S_IMODE(server.sockets.stat().st_mode) == 0o700
        assert rows(server, "SELECT 1") == [(1,)]
    finally:
        server.stop()
        server.sockets.rmdir()


def test_a_socket_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ServerError, match="is not a folder"):
        private_folder(tmp_path / "run")


def test_a_start_that_fails_shows_the_end_of_the_log(tmp_path: Path) -> None:
    server = Postgres(tmp_path, {"shared_buffers": "nonsense"})
    with pytest.raises(ServerError, match="invalid value for parameter .shared_buffers"):
        server.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs to become another user")
def test_root_without_user_namespaces_becomes_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = driver.as_ordinary_user.__wrapped__
    monkeypatch.setattr(driver.shutil, "which", lambda name: None if name == "unshare" else f"/usr/bin/{name}")
    found = prefix()
    assert found[0] == "setpriv"
    monkeypatch.setattr(driver, "as_ordinary_user", lambda: found)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = Postgres(closed / "data", driver.UNSAFE_BUT_FAST)
    server.start()
    try:
        assert Path(f"/proc/{server.pid()}").stat().st_uid == driver.NOBODY
        kill(server)
        server.start()
        assert rows(server, "SELECT 1") == [(1,)]
    finally:
        server.stop()


def test_valkey_asks_for_its_password(valkey: Valkey) -> None:
    valkey.start()
    assert stat.S_IMODE(valkey.config.stat().st_mode) == 0o600
    without = valkey.url.replace(valkey.url[valkey.url.index(":", 6) + 1 : valkey.url.index("@")], "wrong")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(without).ping()


def test_valkey_keeps_its_address_and_leaves_it_when_taken(valkey: Valkey) -> None:
    valkey.start()
    first = valkey.url
    valkey.stop()
    valkey.start()
    assert valkey.url == first
    valkey.stop()
    port = int(first.rsplit(":", 1)[1].split("/")[0])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert free_port(port) != port
        valkey.start()
        assert valkey.url != first
        assert redis.Redis.from_url(valkey.url).ping()


def test_a_connection_to_a_stopped_server_fails_at_once(postgres: Postgres) -> None:
    postgres.start()
    postgres.stop()
    with pytest.raises(psycopg2.OperationalError):
        postgres.connect()


def test_a_small_shared_memory_folder_is_passed_by(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "SHARED_MEMORY", 2**60)
    postgres.start()
    assert rows(postgres, "SHOW dynamic_shared_memory_type") == [("sysv",)]
