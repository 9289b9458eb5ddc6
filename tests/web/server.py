"""A server of one process with a small application behind it (tests.web.answering), and how to talk to it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    """A server that keeps what it notes in `folder`; `options` of gunicorn's."""
    port = free_port()  # any: test processes beside this one would find the same wanted one free
    command = [sys.executable, "-m", "gunicorn", "tests.web.answering", "--worker-class", "comp.web.serving.Worker"]
    command += ["--workers", "1", "--threads", str(THREADS), "--no-control-socket", *options]
    command += ["--bind", f"127.0.0.1:{port}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env={"ANSWERING": str(folder), "PATH": "/usr/bin:/bin"}, stdout=log, stderr=log
        )
    found = Server(port, folder, process)
    try:
        until(lambda: _stands(found))
        yield found
    finally:
        (folder / "go").touch()
        process.terminate()
        try:
            process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _stands(server: Server) -> bool:
    """Whether it is this one that answers there."""
    told = (server.folder / "log").read_text()
    assert server.process.poll() is None and "in use" not in told, told
    try:
        server.call().close()
    except ConnectionRefusedError:
        return False
    return "Listening at" in told


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def request(path: str, body: bytes = b"", more: str = "", *, host: str = "localhost") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


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
