"""The web server's worker, with a small application behind it: connections kept, many, idle, broken and at its end."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers import gthread

from comp.web import serving as worker
from tests.web.server import PATIENCE, THREADS, Server, answer, request, serving, until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as found:
        yield found


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
        until(lambda: any(server.folder.glob("began*")))
        quick.sendall(request("/a/"))
        assert answer(quick)[0] == 200
        (server.folder / "go").touch()
        assert answer(slow)[0] == 200


def test_what_is_being_answered_when_it_has_to_end_is_answered(server: Server) -> None:
    with server.call() as slow, server.call() as kept:
        kept.sendall(request("/a/"))
        assert answer(kept)[0] == 200
        slow.sendall(request("/wait/"))
        until(lambda: any(server.folder.glob("began*")))
        server.process.terminate()
        until(lambda: "Handling signal" in (server.folder / "log").read_text())
        (server.folder / "go").touch()
        status, text, _ = answer(slow)
        assert (status, text.split()[0]) == (200, "/wait/")
        while kept.recv(1000):  # who is idle is let go
            pass
    assert server.process.wait(timeout=PATIENCE) == 0
    assert "Traceback" not in (server.folder / "log").read_text()


def test_a_request_that_came_is_answered_however_long_no_thread_is_free(tmp_path: Path) -> None:
    with serving(tmp_path, "--keep-alive", "1") as server, server.call() as kept, server.call() as new:
        kept.sendall(request("/a/"))
        assert answer(kept)[0] == 200
        slow = _all_threads_wait(server)
        kept.sendall(request("/b/"))
        new.sendall(request("/c/"))
        with server.call() as idle:
            assert idle.recv(1000) == b"", "it came last and said nothing: when it is ended, all had their time"
        (tmp_path / "go").touch()
        for connection, path in ((kept, "/b/"), (new, "/c/"), *((one, "/wait/") for one in slow)):
            status, text, _ = answer(connection)
            assert (status, text.split()[0]) == (200, path)
            connection.close()


def test_a_request_that_came_before_the_end_is_answered(server: Server) -> None:
    with server.call() as late, server.call() as idle:
        slow = _all_threads_wait(server)
        late.sendall(request("/a/"))
        server.process.terminate()
        assert idle.recv(1000) == b"", "who sent nothing is let go"
        (server.folder / "go").touch()
        for connection, path in ((late, "/a/"), *((one, "/wait/") for one in slow)):
            status, text, _ = answer(connection)
            assert (status, text.split()[0]) == (200, path)
            connection.close()
    assert server.process.wait(timeout=PATIENCE) == 0
    assert "Traceback" not in (server.folder / "log").read_text()


def _all_threads_wait(server: Server) -> list[socket.socket]:
    slow = []
    for number in range(THREADS):
        slow.append(server.call())
        slow[-1].sendall(request("/wait/"))
        until(lambda count=number + 1: len(list(server.folder.glob("began*"))) == count)  # type: ignore[misc]
    return slow


# What two threads may do to each other is forced here, step by step in one thread.


@pytest.fixture
def direct() -> Iterator[Any]:
    if not hasattr(select, "epoll"):
        pytest.skip("this system has no such poll")
    config = Config()
    config.set("threads", THREADS)
    found = worker.Direct(1, os.getppid(), [], None, 30, config, Logger(config))
    found.method_queue.init()
    found.open_poll()
    yield found
    found.method_queue.close()
    found.poll.close()
    found.tmp.close()


def _connection(direct: Any, number: int | None = None) -> tuple[gthread.TConn, socket.socket]:
    """A connection that was accepted, by this number, and its other side."""
    ours, theirs = socket.socketpair()
    if number is not None and ours.fileno() != number:
        os.dup2(ours.fileno(), number)
        ours.close()
        ours = socket.socket(fileno=number)
    direct.nr_conns += 1
    return gthread.TConn(direct.cfg, ours, ("", 1), ("", 2)), theirs


def test_a_thread_told_of_an_ended_connection_does_not_read_the_next_of_its_number(
    direct: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled: list[gthread.TConn] = []
    monkeypatch.setattr(direct, "handle", handled.append)
    first, theirs = _connection(direct)
    direct.enqueue_req(first)
    number = first.sock.fileno()
    theirs.sendall(b"x")
    assert direct.poll.poll(timeout=PATIENCE) == [(number, select.EPOLLIN)]
    first.sock.recv(1)  # it was read and ended by another
    direct.murder_keepalived(force=True)
    assert not direct.keepalived_conns
    second, others = _connection(direct, number)
    direct.enqueue_req(second)
    direct._told(number)
    assert not handled and direct.keepalived_conns == {number: second}
    others.sendall(b"x")
    assert direct.poll.poll(timeout=PATIENCE) == [(number, select.EPOLLIN)]
    direct._told(number)
    assert handled == [second] and not direct.keepalived_conns and second.sock.fileno() == -1


def test_a_connection_may_be_served_and_ended_before_the_poll_knows_it(direct: Any) -> None:
    class Late:
        def register(self, number: int, events: int) -> None:
            direct.keepalived_conns.pop(number).close()
            poll.register(number, events)

    poll, direct.poll = direct.poll, Late()
    direct.enqueue_req(_connection(direct)[0])
    direct.poll = poll
    assert not direct.keepalived_conns


def test_what_is_told_while_the_first_thread_looks_is_told_again(direct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    conn, theirs = _connection(direct)
    direct.enqueue_req(conn)
    number = conn.sock.fileno()
    theirs.sendall(b"x")
    looks = worker._readable

    def looked(conn: gthread.TConn) -> bool:
        for told, _ in direct.poll.poll(timeout=PATIENCE):
            direct._told(told)  # and finds nothing
        return looks(conn)

    monkeypatch.setattr(worker, "_readable", looked)
    direct.murder_keepalived(force=True)
    assert direct.poll.poll(timeout=PATIENCE) == [(number, select.EPOLLIN)]
    assert direct.keepalived_conns == {number: conn} and direct.nr_conns == 1


def test_a_connection_counts_until_it_is_closed(direct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    class Closing:
        def close(self, graceful: bool) -> None:
            order.append("closed")
            raise error

    monkeypatch.setattr(direct.method_queue, "defer", lambda *args: order.append("counted off"))
    error: Exception = OSError("it is closed")
    direct._close(Closing())
    error = ValueError("a mistake")
    with pytest.raises(ValueError, match="a mistake"):
        direct._close(Closing())
    assert order == ["closed", "counted off"] * 2


def test_a_thread_survives_whatever_fails_in_it(direct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []

    class Failing:
        turns: Iterator[Any] = iter([OSError("the poll failed"), [(7, 1)], [(8, 1)], SystemExit("the test ends")])

        def poll(self, maxevents: int) -> Any:
            turn = next(self.turns)
            if isinstance(turn, BaseException):
                raise turn
            return turn

    def tell(number: int) -> None:
        told.append(number)
        raise ValueError("what is told failed")

    poll, direct.poll = direct.poll, Failing()
    monkeypatch.setattr(direct, "_told", tell)
    with pytest.raises(SystemExit):
        direct._serve()
    direct.poll = poll
    assert told == [7, 8]
