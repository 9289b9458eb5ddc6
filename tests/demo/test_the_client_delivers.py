"""The CRM's client keeps a deal's events in order, tries again when it is told to wait, and says what was refused."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from standardwebhooks.webhooks import Webhook

from comp.local.demo import client

SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS10ZXN0cy1vbmx5ISE="


class Hook(BaseHTTPRequestHandler):
    """Verifies as the official library does. Every third request has to come again; the id `never` is refused."""

    protocol_version = "HTTP/1.1"
    bodies: list[str]
    count = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        Webhook(SECRET).verify(body, dict(self.headers.items()), json_parse=False)
        type(self).count += 1
        if self.headers["webhook-id"] == "never":
            self.answer(401, "no")
        elif self.count % 3 == 0:
            self.answer(503 if self.count % 2 else 429, "later")
        else:
            self.bodies.append(body)
            self.answer(202, json.dumps({"delivery": 1, "status": "stored"}))

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def hook() -> Iterator[tuple[str, type[Hook]]]:
    kind = type("OneHook", (Hook,), {"bodies": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", kind
    server.shutdown()


def test_each_deal_in_order_whatever_has_to_be_sent_again(hook: tuple[str, type[Hook]]) -> None:
    url, kind = hook
    lines = [["token", SECRET, f"{n}-{deal}", f"deal-{deal}", f"{deal} {n}"] for n in range(6) for deal in range(4)]
    answers = io.StringIO()

    status = client.main(url, io.StringIO("\n".join(map(json.dumps, [*lines, None])) + "\n"), answers)

    assert status == 0
    assert json.loads(answers.getvalue().splitlines()[-1]) == {"statuses": {"stored": 24}}
    for deal in range(4):
        assert [body for body in kind.bodies if body.startswith(f"{deal} ")] == [f"{deal} {n}" for n in range(6)]


def test_a_refusal_ends_it_and_says_why(hook: tuple[str, type[Hook]]) -> None:
    line = ["token", SECRET, "never", "deal", "{}"]
    answers = io.StringIO()

    status = client.main(hook[0], io.StringIO(f"{json.dumps(line)}\nnull\n"), answers)

    assert status == 1
    assert json.loads(answers.getvalue().splitlines()[-1]) == {"failed": "delivery never was not taken: 401 b'no'"}
