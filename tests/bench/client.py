"""A sender in a process of its own: posts prepared deliveries over keep-alive connections and tells when each was
answered.

Reads one JSON document from standard input: {"port", "path", "secret", "connections", "seconds" (null: until all are
sent), "rate" (a second, null: as fast as answered), "events": [[id, body], …]}. Writes one line an answered event:
`id status seconds`, where seconds is the system's monotonic clock, which all processes of the machine share.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook


def main() -> None:
    task = json.load(sys.stdin)
    hook, now = Webhook(task["secret"]), datetime.now(UTC)
    requests = [(sender, _request(task, hook, now, sender, body)) for sender, body in task["events"]]
    print("ready", flush=True)
    start, count = time.monotonic() + 0.2, task["connections"]
    end = start + task["seconds"] if task["seconds"] else None
    every = 1 / task["rate"] if task["rate"] else 0.0
    shared = enumerate(requests)
    turn = threading.Lock()

    def take() -> tuple[int, tuple[str, bytes]] | None:
        with turn:
            return next(shared, None)

    def work() -> None:
        with socket.create_connection(("127.0.0.1", task["port"]), timeout=30) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answers = _answers(connection)
            while (found := take()) and (end is None or time.monotonic() < end):
                number, (sender, request) = found
                time.sleep(max(0.0, start + number * every - time.monotonic()))
                connection.sendall(request)
                status = next(answers)
                sys.stdout.write(f"{sender} {status} {time.monotonic():.6f}\n")
                sys.stdout.flush()

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _request(task: dict[str, Any], hook: Webhook, now: datetime, sender: str, body: str) -> bytes:
    lines = (
        f"POST {task['path']} HTTP/1.1",
        f"Host: 127.0.0.1:{task['port']}",
        "Content-Type: application/json",
        f"Content-Length: {len(body.encode())}",
        f"webhook-id: {sender}",
        f"webhook-timestamp: {int(now.timestamp())}",
        f"webhook-signature: {hook.sign(sender, now, body)}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def _answers(connection: socket.socket) -> Iterator[int]:
    """The status of each answer, in order."""
    kept = b""
    while True:
        while b"\r\n\r\n" not in kept:
            kept += _more(connection)
        head, _, kept = kept.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
        while len(kept) < length:
            kept += _more(connection)
        kept = kept[length:]
        yield int(lines[0].split()[1])


def _more(connection: socket.socket) -> bytes:
    found = connection.recv(65536)
    if not found:
        raise ConnectionError("the server closed a kept-alive connection")
    return found


if __name__ == "__main__":
    main()
