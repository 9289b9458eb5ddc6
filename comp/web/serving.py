"""The web server's worker: gunicorn's threads, without a go-between.

gunicorn's own threaded worker waits for all connections in one thread, hands each request to another and takes its
connection back afterwards. These changes of threads were an eighth of the processor time that taking a webhook cost
gunicorn. Here every thread waits for the connections itself, by one poll that they share, answers what it finds, and
gives the connection back to the poll. The first thread accepts, ends what was idle too long, and tells gunicorn that
the process lives. How a request is read, answered and refused is gunicorn's own.
"""

from __future__ import annotations

import select
import selectors
import threading
import time
from contextlib import suppress
from typing import Any

from gunicorn.workers import gthread

#: While it stops, a worker looks this often whether all is answered, in seconds.
STOPPING_LOOK = 0.1


class Direct(gthread.ThreadWorker):
    """`--threads` of them answer. Of the connections that wait for a request, `keepalived_conns` holds each by its
    number: whoever takes one out of it, and nobody else, reads, ends or gives it back.

    The poll tells numbers, and a number is used again: a thread may be told of one connection and find the next under
    it. So whoever takes one looks whether there is something to read, and gives it back where there is not.
    """

    alive: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.keepalived_conns: dict[int, gthread.TConn] = {}

    def open_poll(self) -> None:
        self.poll = select.epoll()
        #: Told of each connection once; whoever was told has it for himself until he gives it back.
        self.once = select.EPOLLIN | select.EPOLLONESHOT

    def run(self) -> None:
        self.open_poll()
        self.poller.register(self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks)
        for number in range(self.cfg.threads):
            # Daemons: the last of them never keeps a process that has to end.
            threading.Thread(target=self._serve, name=f"serve-{number}", daemon=True).start()
        while self.alive and self.is_parent_alive():
            self.notify()
            self.set_accept_enabled(self.nr_conns < self.worker_connections)
            self.wait_for_and_dispatch_events(timeout=1.0)
            self.murder_keepalived()
        self.alive = False
        self.set_accept_enabled(False)
        self._end_in_order()
        for listener in self.sockets:
            listener.close()

    def _end_in_order(self) -> None:
        """What is being answered is answered. Who waits idle may still send what is on its way already: the answer
        then says that the connection ends. A request that came is waited for until a thread is free."""
        now = time.monotonic()
        until, linger = now + self.cfg.graceful_timeout, now + gthread.STOP_KEEPALIVE_LINGER
        while self.nr_conns > 0 and (now := time.monotonic()) < until:
            self.notify()
            self.wait_for_and_dispatch_events(timeout=STOPPING_LOOK)
            self.murder_keepalived(force=now > linger)
        self.murder_keepalived(force=True)

    def enqueue_req(self, conn: gthread.TConn) -> None:
        """A new connection: whichever thread is free takes it when its first request comes. Until then no thread waits
        for it."""
        conn.sock.setblocking(True)
        conn.data_ready = True  # it is when the connection is taken: gunicorn need not look
        conn.timeout = time.monotonic() + gthread.DEFAULT_WORKER_DATA_TIMEOUT
        number = conn.sock.fileno()
        self.keepalived_conns[number] = conn
        with suppress(OSError):  # a thread that was told of this number's last connection took it, and has ended it
            self.poll.register(number, self.once)

    def murder_keepalived(self, force: bool = False) -> None:
        """Ends connections that were idle too long, or all that are idle. Where a request came, and no thread is free
        to take it, nothing is idle."""
        now = time.monotonic()
        for number, conn in self.keepalived_conns.copy().items():
            if (force or conn.timeout <= now) and self.keepalived_conns.pop(number, None) is not None:
                if _readable(conn):
                    conn.set_timeout()
                    self._give_back(conn, number)
                else:
                    self._gone(conn)
                    conn.close()

    def _serve(self) -> None:
        while True:
            try:
                for number, _ in self.poll.poll(maxevents=1):
                    self._told(number)
            except Exception:  # a thread that ended would be missing until the process ends
                self.log.exception("a thread could not do what it was told, and goes on")

    def _told(self, number: int) -> None:
        conn = self.keepalived_conns.pop(number, None)
        if conn is None:  # it was idle too long at this very moment
            return
        try:
            kept = not _readable(conn) or self._answered(conn)
        except BaseException:  # whatever the application raised
            kept = False
            self.log.exception("a connection was given up")
        if kept:
            self._give_back(conn, number)
        else:
            self._close(conn)

    def _answered(self, conn: gthread.TConn) -> bool:
        """Whether the connection is kept."""
        kept: bool = self.handle(conn)
        while kept and conn.parser.unreader.buf.getvalue():  # the next request came with the last one
            kept = self.handle(conn)
        conn.set_timeout()
        return kept

    def _give_back(self, conn: gthread.TConn, number: int) -> None:
        self.keepalived_conns[number] = conn
        with suppress(OSError):  # another thread took and ended it at this moment
            self.poll.modify(number, self.once)

    def _close(self, conn: gthread.TConn) -> None:
        """It counts as open until it is closed: a process that stops waits for what the other side still reads."""
        try:
            with suppress(OSError):  # gunicorn has ended it itself where an answer broke off
                conn.close(graceful=True)
        finally:
            self.method_queue.defer(self._gone, conn)

    def _gone(self, conn: gthread.TConn) -> None:
        """By the first thread alone: it counts what is open."""
        self.nr_conns -= 1


def _readable(conn: gthread.TConn) -> bool:
    """Whether something came that nobody has read, be it the other side's end. Does not wait."""
    look = select.poll()
    look.register(conn.sock, select.POLLIN)
    return bool(look.poll(0))


#: Where the system has no such poll (macOS), gunicorn's own.
Worker = Direct if hasattr(select, "epoll") else gthread.ThreadWorker
