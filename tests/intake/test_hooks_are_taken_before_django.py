"""What the door before Django takes is answered as Django would answer it; whatever is not plain is Django's."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.test import RequestFactory

from comp.wsgi import application, site
from crediting.api import door, hooks
from crediting.api.door import HooksAtOnce
from crediting.models import RawDelivery
from crediting.services import rates
from crediting.services.endpoints import endpoint_create
from crediting.services.intake import body_limit
from tests.intake.sending import Sender, deal
from tests.intake.test_limits_of_the_door import Counts, limited
from tests.unit.intake.calls import ORGANIZATION, sample
from tests.web.server import answer, request, serving

pytestmark = pytest.mark.django_db
BODY = json.dumps(deal()).encode()
Answer = tuple[str, dict[str, str], bytes]


class Broken(BytesIO):
    """A body that its sender gave up."""

    def read(self, *args: Any) -> bytes:
        raise ConnectionResetError("gone")


@pytest.fixture(autouse=True)
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """When a connection was looked after. It is not: it would be closed, for the test's transaction is open."""
    found: list[str] = []
    looks = "django.db.backends.base.base.BaseDatabaseWrapper.close_if_unusable_or_obsolete"
    monkeypatch.setattr(looks, lambda self: found.append("looked"))
    return found


@pytest.fixture(autouse=True)
def counts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counts]:
    """Redis as far as it is asked; and no gate is remembered from elsewhere or for longer."""
    found = Counts()
    monkeypatch.setattr(rates, "_redis", lambda: found)
    monkeypatch.setattr(rates, "_asked_again_at", 0.0)
    door._remembered.cache_clear()
    yield found
    door._remembered.cache_clear()


def asked(app: Callable[..., Any], path: str, body: bytes, headers: dict[str, str], **more: Any) -> Answer:
    """A request as gunicorn gives it, and the answer: status line, headers, body."""
    method = more.pop("method", "POST")
    kind = more.pop("content_type", "application/json")
    request = RequestFactory().generic(method, path, body, content_type=kind, headers=headers)
    environ = {**request.environ, "HTTP_HOST": "testserver", "RAW_URI": path, "wsgi.input": BytesIO(body), **more}
    said: list[Any] = []
    parts = app({name: value for name, value in environ.items() if value is not None}, lambda *a: said.extend(a))
    text = b"".join(parts)
    if hasattr(parts, "close"):
        parts.close()
    return said[0], dict(said[1]), text


def never(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
    raise AssertionError(f"Django was asked: {environ.get(hooks.SAID)}")


def test_what_is_stored_or_was_is_answered_at_once_and_as_django_answers(crm: Sender) -> None:
    other = json.dumps(deal(amount="9999.00")).encode()
    for number, (first, again) in enumerate(((never, site), (site, never))):
        name = f"msg_{number}"
        ways = [HooksAtOnce(app) if app is never else app for app in (first, again)]
        stored = asked(ways[0], crm.url, BODY, crm.sign(BODY, name))
        seen = asked(ways[1], crm.url, BODY, crm.sign(BODY, name))
        aside = asked(ways[1], crm.url, other, crm.sign(other, name))
        assert [json.loads(one[2])["status"] for one in (stored, seen, aside)] == ["stored", "seen", "quarantined"]
        assert json.loads(stored[2])["delivery"] == json.loads(seen[2])["delivery"]
        for status, headers, text in (stored, seen, aside):
            assert status == "202 Accepted"
            assert headers.pop("Content-Length") == str(len(text))
            assert headers == {
                "Content-Type": "application/json",
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "same-origin",
                "Cross-Origin-Opener-Policy": "same-origin",
            }
    with crm.company.scope():
        kept = RawDelivery.objects.order_by("id").values_list("sender_id", "state", "headers__content-type")
        assert list(kept) == [
            (f"msg_{number}", state, "application/json") for number in (0, 1) for state in ("pending", "quarantined")
        ]


def test_a_source_hears_what_it_wants_to_hear(crm: Sender) -> None:
    with crm.company.scope():
        endpoint, _ = endpoint_create(key="sf", name="Salesforce", adapter="salesforce", secret=ORGANIZATION)
    path, body = f"/hooks/{endpoint.token}/", sample("salesforce/outbound.xml")
    answers = [asked(app, path, body, {}, content_type="text/xml") for app in (HooksAtOnce(never), site)]
    assert answers[0] == answers[1]
    assert answers[0][0] == "200 OK" and b"<Ack>true</Ack>" in answers[0][2]
    strange = body.replace(ORGANIZATION[:15].encode(), b"00D000000000000")
    refused = [asked(app, path, strange, {}, content_type="text/xml") for app in (application, site)]
    assert refused[0] == refused[1] and refused[0][0].startswith("401")


def test_every_refusal_is_djangos_to_the_letter(crm: Sender, caplog: pytest.LogCaptureFixture) -> None:
    good = crm.sign(BODY, "msg_1")
    forged = {**good, "webhook-signature": "v1," + "A" * 43 + "="}
    large = b"{" + b" " * settings.HOOK_BODY_LIMIT
    calls: list[tuple[str, str, bytes, dict[str, str], dict[str, Any]]] = [
        ("401", crm.url, BODY, forged, {}),
        ("400", crm.url, BODY, {}, {}),
        ("413", crm.url, large, crm.sign(large, "msg_2"), {}),
        ("415", crm.url, BODY, {**good, "content-encoding": "gzip"}, {}),
        ("404", "/hooks/nobody/", BODY, good, {}),
        ("404", "/hooks/a b/", BODY, good, {}),
        ("404", "/hooks/", BODY, good, {}),
        ("404", crm.url[:-1], BODY, good, {}),
        ("401", f"{crm.url}v1/batch", BODY, forged, {}),
        ("405", crm.url, b"", {}, {"method": "GET"}),
        ("405", crm.url, BODY, good, {"method": "PUT"}),
        ("400", crm.url, BODY, good, {"HTTP_HOST": "elsewhere.example"}),
        ("400", crm.url, BODY, good, {"wsgi.input": Broken()}),
        ("401", crm.url, BODY, good, {"CONTENT_LENGTH": None}),  # the body is not there, then
        ("411", crm.url, BODY, good, {"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "chunked"}),
        ("411", crm.url, BODY, good, {"CONTENT_LENGTH": "-1"}),
        ("411", crm.url, BODY, good, {"CONTENT_LENGTH": "9" * 5000}),
        ("413", crm.url, b" " * (body_limit() + 1), good, {"CONTENT_LENGTH": "9" * 50}),
        ("401", crm.url, BODY, good, {"CONTENT_LENGTH": "0"}),
        ("400", crm.url, BODY, good, {"CONTENT_LENGTH": str(len(BODY) + 1)}),
        ("401", crm.url, BODY, good, {"CONTENT_LENGTH": str(len(BODY) - 1)}),
    ]
    for status, path, body, headers, more in calls:
        told = []
        for app in (application, site):
            caplog.clear()
            with caplog.at_level(logging.WARNING, "django"):
                answer = asked(app, path, body, headers, **more)
            said = [(record.name, record.getMessage()) for record in caplog.records]
            told.append((answer, said))
        # A slash behind an address is told by redirection where DEBUG or a setting asks for it.
        assert told[0] == told[1], path
        assert told[0][0][0].startswith(status) or path == crm.url[:-1], (status, path, more, told[0])
    with crm.company.scope():
        assert not RawDelivery.objects.exists()


def test_a_refusal_and_a_call_are_counted_once(crm: Sender, counts: Counts) -> None:
    forged = {**crm.sign(BODY, "msg_1"), "webhook-signature": "v1," + "A" * 43 + "="}
    assert asked(application, crm.url, BODY, forged)[0] == "401 Unauthorized"
    assert list(counts.kept.values()) == [1]
    limited(crm, 1)
    answers = [asked(application, crm.url, BODY, crm.sign(BODY, f"m{number}")) for number in range(3)]
    assert answers[-1][0] == "429 Too Many Requests" and 1 <= int(answers[-1][1]["Retry-After"]) <= 60
    assert "calls in this minute" in json.loads(answers[-1][2])["error"]
    assert [count for name, count in counts.kept.items() if "refused" not in name] in ([3], [1, 2], [2, 1])


def test_what_cannot_be_stored_is_asked_for_again_and_what_fails_is_told_as_ever(
    crm: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(error: Exception) -> None:
        def receive(*args: object) -> None:
            raise error

        monkeypatch.setattr(hooks, "delivery_receive", receive)

    raising(OperationalError("the server closed the connection"))
    answers = [asked(app, crm.url, BODY, crm.sign(BODY, "m")) for app in (application, site)]
    assert answers[0] == answers[1]
    assert (answers[0][0], answers[0][1]["Retry-After"]) == ("503 Service Unavailable", "10")
    raising(ZeroDivisionError("a mistake"))
    answers = [asked(app, crm.url, BODY, crm.sign(BODY, "m")) for app in (application, site)]
    assert answers[0] == answers[1] and answers[0][0] == "500 Internal Server Error"


def test_behind_tls_the_scheme_the_caller_and_the_headers_are_those_of_the_proxy(
    crm: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "BEHIND_TLS", True)
    monkeypatch.setattr(settings, "SECURE_PROXY_SSL_HEADER", ("HTTP_X_FORWARDED_PROTO", "https"))
    monkeypatch.setattr(settings, "SECURE_SSL_REDIRECT", True)
    monkeypatch.setattr(settings, "SECURE_HSTS_SECONDS", 3600)
    called: list[tuple[str, str]] = []
    receive = hooks.delivery_receive

    def noted(token: str, call: Any, caller: str) -> Any:
        called.append((call.url, caller))
        return receive(token, call, caller)

    monkeypatch.setattr(hooks, "delivery_receive", noted)
    fresh = site.__class__()  # its middleware reads settings when it is made
    far = {"x-forwarded-proto": "https", "x-forwarded-for": "10.0.0.1, 192.0.2.7"}
    answers = [asked(app, crm.url, BODY, {**crm.sign(BODY, "m"), **far}) for app in (HooksAtOnce(never), fresh)]
    assert [answer[0] for answer in answers] == ["202 Accepted"] * 2
    assert {**answers[0][1], "Content-Length": ""} == {**answers[1][1], "Content-Length": ""}
    assert answers[0][1]["Strict-Transport-Security"] == "max-age=3600"
    assert called == [(f"https://testserver{crm.url}", "192.0.2.7")] * 2
    plain = [asked(app, crm.url, BODY, crm.sign(BODY, "n")) for app in (HooksAtOnce(fresh), fresh)]
    assert plain[0] == plain[1] and plain[0][0].startswith("301") and len(called) == 2


def test_nothing_but_security_stands_before_the_hooks_in_django() -> None:
    """What is put there must be done by the door before Django too."""
    assert settings.MIDDLEWARE[:2] == ["django.middleware.security.SecurityMiddleware", "crediting.api.door.HooksFirst"]


def test_a_connection_is_looked_after_before_a_delivery_and_after_it(
    crm: Sender, looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    receive: Callable[..., Any] = hooks.delivery_receive

    def noted(*args: Any) -> Any:
        looked.append("received")
        return receive(*args)

    def failing(*args: Any) -> Any:
        looked.append("received")
        raise ZeroDivisionError("a mistake")

    for app in (HooksAtOnce(never), site):
        looked.clear()
        monkeypatch.setattr(hooks, "delivery_receive", noted)
        assert asked(app, crm.url, BODY, crm.sign(BODY, "m"))[0] == "202 Accepted"
        assert looked == ["looked", "received", "looked"]
    looked.clear()
    monkeypatch.setattr(hooks, "delivery_receive", failing)
    with pytest.raises(AssertionError, match="a mistake"):
        asked(HooksAtOnce(never), crm.url, BODY, crm.sign(BODY, "m"))
    assert looked == ["looked", "received", "looked"]


def test_a_part_of_a_body_is_not_taken_for_the_whole(crm: Sender) -> None:
    """Segment signs nothing where only a write key is set: what came would stand as if it were all."""
    with crm.company.scope():
        segment, secret = endpoint_create(key="segment", name="Segment", adapter="segment")
    path, body = f"/hooks/{segment.token}/", sample("segment/track.json")
    key = {"authorization": "Basic " + base64.b64encode(f"{secret}:".encode()).decode()}
    for app in (application, site):
        for part in (body[:-2], b""):
            cut = asked(app, path, part, key, CONTENT_LENGTH=str(len(body)))
            assert (cut[0], json.loads(cut[2])) == ("400 Bad Request", {"error": "the body broke off"})
        chunked = asked(app, path, body, key, CONTENT_LENGTH=None, HTTP_TRANSFER_ENCODING="chunked")
        assert chunked[0] == "411 Length Required"
        assert json.loads(chunked[2]) == {"error": "say how long the body is: Content-Length"}
    with crm.company.scope():
        assert not RawDelivery.objects.exists()
    assert asked(HooksAtOnce(never), path, body, key)[0].startswith("20")


def test_long_headers_are_not_remembered(crm: Sender) -> None:
    near = asked(HooksAtOnce(never), crm.url, BODY, {**crm.sign(BODY, "m"), "x-forwarded-host": "near.example"})
    kept = door._remembered.cache_info().currsize
    assert near[0] == "202 Accepted" and kept == 1
    long = {**crm.sign(BODY, "n"), "x-forwarded-host": "x" * 8000}
    assert asked(HooksAtOnce(never), crm.url, BODY, long)[0] == "202 Accepted"
    assert door._remembered.cache_info().currsize == kept


def test_what_gunicorn_tells_of_a_delivery_is_enough_for_the_door(crm: Sender, tmp_path: Path) -> None:
    signed = "".join(f"{name}: {text}\r\n" for name, text in crm.sign(BODY, "m").items())
    with serving(tmp_path) as server, server.call() as connection:
        connection.sendall(request(crm.url, BODY, f"Content-Type: application/json\r\n{signed}", host="testserver"))
        told: dict[str, Any] = json.loads(answer(connection)[1])
        chunks = f"POST {crm.url} HTTP/1.1\r\nHost: testserver\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(f"{chunks}2\r\n{{}}\r\n0\r\n\r\n".encode())
        chunked: dict[str, Any] = json.loads(answer(connection)[1])
    said: list[Any] = []
    parts = HooksAtOnce(never)({**told, "wsgi.input": BytesIO(BODY)}, lambda *a: said.extend(a))
    assert said[0] == "202 Accepted" and json.loads(b"".join(parts))["status"] == "stored"
    assert hooks.to_read(told) == len(BODY) and hooks.to_read(chunked) is None
