"""Two ways to the hook: over HTTP by the client process, with web and worker at work; or in this process, for tests."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from django.test import RequestFactory

from comp.local.demo.client import signer
from comp.local.demo.events import Delivery
from comp.outbox.models import Message
from comp.outbox.services import work_once
from comp.tenancy.scope import Actor, Pay, tenant_scope
from crediting.api.hooks import hook
from crediting.models import RawDelivery
from payouts.models import ChangedScope

CHECKOUT = Path(__file__).resolve().parents[3]
#: As long as nothing at all moves for this time, no worker is at work.
STALLED_SECONDS = 90
POLL_SECONDS = 0.1


class DemoError(Exception):
    """The demo company cannot be built; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """A company's hook: the token of its path, and the secret to sign with."""

    tenant_id: int
    token: str
    secret: str


#: Where to, and what.
Post = tuple[Address, Delivery]
Told = Callable[[int], None]


class Transport(Protocol):
    """Posts deliveries (each deal's in the order given), and waits until all that follows from them is done."""

    def post(self, posts: Sequence[Post], told: Told) -> Counter[str]: ...

    def drained(self, tenants: Sequence[int], told: Told) -> None: ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """Work of a company that a worker has still to do."""

    deliveries: int
    messages: int
    scopes: int

    @property
    def total(self) -> int:
        return self.deliveries + self.messages + self.scopes


def waiting(tenant_id: int) -> Waiting:
    with tenant_scope(tenant_id, actor=Actor.command("demo"), pay=Pay.nobody()):
        return Waiting(
            RawDelivery.objects.filter(state=RawDelivery.State.PENDING).count(),
            Message.objects.filter(done_at=None, parked=False).count(),
            ChangedScope.objects.count(),
        )


class OverHttp:
    """Through the web server at `url`, by the client process; the worker does the rest."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client: subprocess.Popen[str] | None = None

    def __enter__(self) -> OverHttp:
        self.client = subprocess.Popen(
            [sys.executable, "-m", "comp.local.demo.client", self.url],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *error: object) -> None:
        if self.client is not None:
            self.client.stdin.close()  # type: ignore[union-attr]
            self.client.terminate()
            self.client.wait()

    def post(self, posts: Sequence[Post], told: Told) -> Counter[str]:
        # Sent from a thread: this one reads the answers meanwhile, so that neither pipe can fill up.
        from threading import Thread

        thread = Thread(target=self._write, args=[posts], daemon=True)
        thread.start()
        before = 0
        while True:
            text = self._client.stdout.readline()  # type: ignore[union-attr]
            if not text:
                raise DemoError(f"the client that posts to {self.url} ended by itself")
            answer = json.loads(text)
            if "failed" in answer:
                raise DemoError(answer["failed"])
            if "statuses" in answer:
                thread.join()
                told(len(posts) - before)
                return Counter(answer["statuses"])
            told(max(answer["delivered"] - before, 0))
            before = max(answer["delivered"], before)

    def drained(self, tenants: Sequence[int], told: Told) -> None:
        last, moved = None, time.monotonic()
        while True:
            found = [waiting(tenant) for tenant in tenants]
            if not any(one.total for one in found):
                return
            if found != last:
                last, moved = found, time.monotonic()
            elif time.monotonic() - moved > STALLED_SECONDS:
                raise DemoError(
                    f"nothing moved for {STALLED_SECONDS} s while {found} waits: no worker is at work. "
                    "Start one (`make run` does), then run this again; it goes on where it stood."
                )
            told(0)
            time.sleep(POLL_SECONDS)

    @property
    def _client(self) -> subprocess.Popen[str]:
        if self.client is None:
            raise DemoError("the client is not running")
        return self.client

    def _write(self, posts: Sequence[Post]) -> None:
        pipe = self._client.stdin
        assert pipe is not None
        try:
            for to, one in posts:
                pipe.write(json.dumps([to.token, to.secret, one.id, one.shard, one.body]) + "\n")
            pipe.write("null\n")
            pipe.flush()
        except BrokenPipeError:
            pass  # it has ended; its last line says why


class Inline:
    """In this process: the real view, and the worker's own drains, one after the other."""

    def __init__(self) -> None:
        self.requests = RequestFactory()

    def post(self, posts: Sequence[Post], told: Told) -> Counter[str]:
        found: Counter[str] = Counter()
        for to, one in posts:
            now = datetime.now(UTC)
            request = self.requests.post(
                f"/hooks/{to.token}/",
                one.body,
                content_type="application/json",
                headers={
                    "webhook-id": one.id,
                    "webhook-timestamp": str(int(now.timestamp())),
                    "webhook-signature": signer(to.secret).sign(one.id, now, one.body),
                },
            )
            answer = hook(request, to.token)
            if answer.status_code != 202:
                raise DemoError(f"delivery {one.id} was not taken: {answer.status_code} {answer.content[:300]!r}")
            found[json.loads(answer.content)["status"]] += 1
            told(1)
        return found

    def drained(self, tenants: Sequence[int], told: Told) -> None:
        for tenant in tenants:
            while work_once(tenant):
                told(0)
            if left := waiting(tenant).total:
                raise DemoError(f"{left} pieces of work are left that no drain takes")
