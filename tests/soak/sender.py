"""A sender that does not give up: each delivery is posted until it is answered 202, by several connections at once."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook

from tests.soak.story import Event, Place

CONNECTIONS = 8
#: A sender gives up after this; then the run fails.
PATIENCE = 240


class Sender:
    """Posts events in this order. `answers` counts what came back: 202 by its word, else the status, `none` where the
    connection broke. `skew` is how far the sender's clock is off, by the number of the event."""

    def __init__(
        self,
        port: int,
        place: Place,
        events: Sequence[Event],
        *,
        rate: float,
        skew: Callable[[int], float] = lambda _: 0.0,
    ) -> None:
        self.port, self.place, self.events, self.rate, self.skew = port, place, events, rate, skew
        self.answers: Counter[str] = Counter()
        self.failed: list[str] = []
        self.sent = 0
        self._turn = threading.Lock()
        self._started = time.monotonic()
        self._hook = Webhook(place.secret)
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(CONNECTIONS)]

    def start(self) -> None:
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()

    def done(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def wait(self) -> None:
        for thread in self._threads:
            thread.join()
        if self.failed:
            raise RuntimeError(f"{len(self.failed)} deliveries were never taken, the first {self.failed[0]}")

    def _take(self) -> tuple[int, Event] | None:
        with self._turn:
            if self.sent == len(self.events) or self.failed:
                return None
            self.sent += 1
            return self.sent - 1, self.events[self.sent - 1]

    def _work(self) -> None:
        while found := self._take():
            number, event = found
            time.sleep(max(0.0, self._started + number / self.rate - time.monotonic()))
            end = time.monotonic() + PATIENCE
            while not self._post(number, event):
                if time.monotonic() > end:
                    self.failed.append(event.id)
                    return
                time.sleep(0.1)

    def _post(self, number: int, event: Event) -> bool:
        now = datetime.now(UTC) + timedelta(seconds=self.skew(number))
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": event.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._hook.sign(event.id, now, event.body),
        }
        try:
            connection.request("POST", self.place.path, event.body, headers)
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException):
            self._count("none")
            return False
        finally:
            connection.close()
        if answer.status == 202:
            self._count("seen" if b'"seen"' in said else "stored")
            return True
        self._count(str(answer.status))
        # What is refused for good would be refused again.
        if answer.status < 500 and answer.status != 429:
            self.failed.append(f"{event.id}: {answer.status} {said[:200]!r}")
            return True
        return False

    def _count(self, what: str) -> None:
        with self._turn:
            self.answers[what] += 1
