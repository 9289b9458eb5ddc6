"""The web server's worker, with a small application behind it: connections kept, many, idle, broken and at its end."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from comp.local.dev import CHECKOUT
from comp.local.process import free_port

THREADS = 2
PATIENCE = 30


@dataclass
class Server:
    """A server of one process that answers with two threads."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    def call(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    port = free_port(8900)
    command = [sys.executable, "-m", "gunicorn", "tests.web.answering", "--worker-class", "comp.web.serving.Worker"]
    command += ["--workers", "1", "--threads", str(THREADS), "--no-control-socket", "--bind", f"127.0.0.1:{port}"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env={"ANSWERING": str(tmp_path), "PATH": "/usr/bin:/bin"}, stdout=log, stderr=log
        )
    found = Server(port, tmp_path, process)
    try:
        until(lambda: _stands(found))
        yield found
    finally:
        (tmp_path / "go").touch()
        process.terminate()
        try:
            process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _stands(server: Server) -> bool:
    assert server.process.poll() is None, (server.folder / "log").read_text()
    try:
        server.call().close()
    except ConnectionRefusedError:
        return False
    return True


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def request(path: str, body: bytes = b"", more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


def answer(connection: socket.socket, kept: bytes = b"") -> tuple[int, str, bytes]:
    """Status and text of the next answer, and what of the one behind it came too."""
    while b"\r\n\r\n" not in kept:
        kept += _more(connection)
    head, _, kept = kept.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
    while len(kept) < length:
        kept += _more(connection)
    return int(lines[0].split()[1]), kept[:length].decode(), kept[length:]


def _more(connection: socket.socket) -> bytes:
    found = connection.recv(65536)
    assert found, "the connection was ended"
    return found


def test_a_connection_is_kept_and_bodies_do_not_mix(server: Server) -> None:
    with server.call() as connection:
        for number in range(20):
            connection.sendall(request(f"/{number}/", b"x" * number * 1000))
            status, text, rest = answer(connection)
            assert (status, text.split()[:2], rest) == (200, [f"/{number}/", str(number * 1000)], b"")


def test_requests_sent_together_are_answered_in_their_order(server: Server) -> None:
    with server.call() as connection:
        connection.sendall(request("/a/", b"1") + request("/b/", b"22") + request("/c/", b"333"))
        rest = b""
        for path, length in (("/a/", "1"), ("/b/", "2"), ("/c/", "3")):
            status, text, rest = answer(connection, rest)
            assert (status, text.split()[:2]) == (200, [path, length])


def test_connections_that_say_nothing_hold_no_thread(server: Server) -> None:
    silent = [server.call() for _ in range(10 * THREADS)]
    with server.call() as connection:
        connection.sendall(request("/a/"))
        assert answer(connection)[0] == 200
    silent[3].sendall(request("/b/"))
    assert answer(silent[3])[0] == 200
    for connection in silent:
        while connection.recv(1000):  # each is ended, once it was idle too long
            pass
        connection.close()


def test_what_fails_costs_no_thread(server: Server) -> None:
    for path in ("/fail/", "/end/", "/break/"):
        for _ in range(3 * THREADS):
            with server.call() as connection:
                connection.sendall(request(path))
                while connection.recv(1000):
                    pass
    with server.call() as broken:
        broken.sendall(b"no request at all\r\n\r\n")
        assert broken.recv(1000).startswith(b"HTTP/1.1 400")
    for _ in range(3 * THREADS):  # a body that breaks off
        with server.call() as connection:
            connection.sendall(request("/a/", b"whole")[:-2])
    with server.call() as connection:
        connection.sendall(request("/a/"))
        assert answer(connection)[0] == 200


def test_who_wants_no_second_answer_gets_an_end(server: Server) -> None:
    with server.call() as connection:
        connection.sendall(request("/a/", more="Connection: close\r\n"))
        found = b""
        while part := connection.recv(1000):
            found += part
        assert b"200 OK" in found and b"Connection: close" in found


def test_threads_answer_beside_each_other(server: Server) -> None:
    with server.call() as slow, server.call() as quick:
        slow.sendall(request("/wait/"))
        until((server.folder / "began").exists)
        quick.sendall(request("/a/"))
        assert answer(quick)[0] == 200
        (server.folder / "go").touch()
        assert answer(slow)[0] == 200


def test_what_is_being_answered_when_it_has_to_end_is_answered(server: Server) -> None:
    with server.call() as slow, server.call() as kept:
        kept.sendall(request("/a/"))
        assert answer(kept)[0] == 200
        slow.sendall(request("/wait/"))
        until((server.folder / "began").exists)
        server.process.terminate()
        until(lambda: "Handling signal" in (server.folder / "log").read_text())
        (server.folder / "go").touch()
        status, text, _ = answer(slow)
        assert (status, text.split()[0]) == (200, "/wait/")
        while kept.recv(1000):  # who is idle is let go
            pass
    assert server.process.wait(timeout=PATIENCE) == 0
    assert "Traceback" not in (server.folder / "log").read_text()
