"""The CRM's side of a hook, as a process of its own: signs each delivery and posts it over keep-alive connections.

    python -m comp.local.demo.client http://127.0.0.1:8000 < lines > answers

Lines in, one JSON each: `[token, secret, id, shard, body]`, or `null`: answer when everything so far is delivered.
Lines out: `{"delivered": n}` now and then; `{"statuses": {...}}` for each null; `{"failed": text}` before exit 1.
Deliveries of one shard stay in order. 429, 5xx and broken connections are tried again, as a sender has to.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from functools import lru_cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import IO
from urllib.parse import urlsplit
from zlib import crc32

from standardwebhooks.webhooks import Webhook

CONNECTIONS = 6
WAITING = 200  # deliveries read ahead for each connection
ATTEMPTS = 9
LONGEST_PAUSE = 8.0
TOLD_EVERY = 50

#: token, secret, id, shard, body
Line = tuple[str, str, str, str, str]


class NotTaken(Exception):
    """A delivery that the hook refuses for good, or that did not get through."""


class Sender(threading.Thread):
    """One connection and the deliveries that it sends, one after the other."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = urlsplit(url)
        self.lines: queue.Queue[Line] = queue.Queue(WAITING)
        self.statuses: Counter[str] = Counter()
        self.failure = ""
        self.connection = self._connection()

    def run(self) -> None:
        while True:
            line = self.lines.get()
            try:
                if not self.failure:
                    self.statuses[self._deliver(line)] += 1
            except NotTaken as error:
                self.failure = str(error)
            finally:
                self.lines.task_done()

    def _deliver(self, line: Line) -> str:
        """The hook's word for it: stored, seen or quarantined."""
        found, pause = "", 0.1
        for _ in range(ATTEMPTS):
            try:
                status, answer, retry_after = self._post(line)
            except (HTTPException, OSError) as error:
                found = f"{type(error).__name__}: {error}"
                self.connection.close()
            else:
                if status == 202:
                    return str(json.loads(answer)["status"])
                found = f"{status} {answer[:300]!r}"
                if status != 429 and status < 500:
                    break
                pause = max(pause, min(float(retry_after), LONGEST_PAUSE)) if retry_after.isdecimal() else pause
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        raise NotTaken(f"delivery {line[2]} was not taken: {found}")

    def _post(self, line: Line) -> tuple[int, bytes, str]:
        token, secret, sender_id, _, body = line
        now = datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "user-agent": "comp-demo-crm/1",
            "webhook-id": sender_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signer(secret).sign(sender_id, now, body),
        }
        self.connection.request("POST", f"/hooks/{token}/", body.encode(), headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read(), answer.getheader("retry-after", "")

    def _connection(self) -> HTTPConnection:
        kind = HTTPSConnection if self.url.scheme == "https" else HTTPConnection
        return kind(self.url.hostname or "127.0.0.1", self.url.port, timeout=30)


@lru_cache(maxsize=16)
def signer(secret: str) -> Webhook:
    return Webhook(secret)


class Client:
    """All connections of one address."""

    def __init__(self, url: str) -> None:
        self.senders = [Sender(url) for _ in range(CONNECTIONS)]
        for sender in self.senders:
            sender.start()

    def send(self, line: Line) -> None:
        self.senders[crc32(line[3].encode()) % CONNECTIONS].lines.put(line)
        self._raise()

    def flush(self) -> Counter[str]:
        """Waits until everything is delivered; how many got which answer since the last flush."""
        found: Counter[str] = Counter()
        for sender in self.senders:
            sender.lines.join()
        self._raise()
        for sender in self.senders:
            found += sender.statuses
            sender.statuses = Counter()
        return found

    def delivered(self) -> int:
        return sum(sender.statuses.total() for sender in self.senders)

    def _raise(self) -> None:
        for sender in self.senders:
            if sender.failure:
                raise NotTaken(sender.failure)


def main(url: str, lines: IO[str], answers: IO[str]) -> int:
    def tell(**what: object) -> None:
        print(json.dumps(what), file=answers, flush=True)

    client = Client(url)
    try:
        for count, text in enumerate(lines):
            line = json.loads(text)
            if line is None:
                tell(statuses=client.flush())
                continue
            client.send(line)
            if count % TOLD_EVERY == 0:
                tell(delivered=client.delivered())
    except NotTaken as error:
        tell(failed=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.stdin, sys.stdout))
