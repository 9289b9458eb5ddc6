"""Hooks go straight to where they are taken: no session, no log-in, no page's policy has anything to do there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from http.client import responses
from io import BytesIO
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.handlers.wsgi import WSGIRequest
from django.db import DEFAULT_DB_ALIAS, connections
from django.http import HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware
from django.urls import Resolver404, resolve

from crediting.api.hooks import BROKE_OFF, SAID, Said, answer_to, to_read

PATH = "/hooks/"
#: Ways that requests come are remembered up to this length of what says so, in characters.
REMEMBERED = 300
#: A token's address, and nothing behind it.
_PLAIN = re.compile(r"/hooks/([-a-zA-Z0-9_]+)/")
#: What says by which address a request came, and whether by TLS.
_CAME = (
    *("HTTP_HOST", "wsgi.url_scheme", "SERVER_NAME", "SERVER_PORT"),
    *("HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT", "HTTP_X_FORWARDED_PROTO"),
)
Gate = tuple[str, list[tuple[str, str]]]
#: The same few addresses are called all day.
_resolved = lru_cache(maxsize=1024)(resolve)


class HooksFirst:
    """Stands behind what secures the connection, and before everything that serves people."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(PATH):
            try:
                match = _resolved(request.path_info)
            except Resolver404:
                return self.get_response(request)
            answer: HttpResponse = match.func(request, *match.args, **match.kwargs)
            answer.headers.setdefault("Content-Length", str(len(answer.content)))  # else the connection is closed
            return answer
        return self.get_response(request)


class HooksAtOnce:
    """Stands before Django: a delivery costs less without a request of Django's, its signals and middleware.

    Taken here are plain posts to a token's address. A delivery that is stored is answered here, with the headers that
    Django would give it; what is said to any other goes on to the view, so that refusals are logged and answered as
    ever. Everything else is Django's, as it came.
    """

    def __init__(self, site: Callable[..., Iterable[bytes]]) -> None:
        self.site = site

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST" and (plain := _PLAIN.fullmatch(environ.get("PATH_INFO", ""))):
            gate = _gate(*map(environ.get, _CAME))
            length, path = to_read(environ), environ.get("RAW_URI")
            if gate and path and length is not None:
                said = _said(plain[1], gate[0] + path, environ, length)
                if isinstance(said, Said) and said.status < 400:
                    own = [("Content-Type", said.content_type), ("Content-Length", str(len(said.body)))]
                    start_response(f"{said.status} {responses[said.status]}", [*own, *gate[1]])
                    return [said.body]
                environ[SAID] = said
        return self.site(environ, start_response)


def _said(token: str, url: str, environ: dict[str, Any], length: int) -> Said | Exception:
    """The answer, or the error that came of it. A connection to the database is looked after as Django does before and
    after each request."""
    database = connections[DEFAULT_DB_ALIAS]
    database.close_if_unusable_or_obsolete()
    try:
        body = environ["wsgi.input"].read(length)
    except OSError:
        return BROKE_OFF
    if len(body) < length:
        return BROKE_OFF
    try:
        return answer_to(token, url, environ, body)
    except Exception as error:
        return error
    finally:
        database.close_if_unusable_or_obsolete()


def _gate(*came: str | None) -> Gate | None:
    """How the address begins by which a delivery came, and the headers that secure its answer; None where it must not
    come so. Remembered where it is as short as an honest one: anybody may send headers, thousands of bytes long."""
    return _remembered(*came) if sum(len(text or "") for text in came) <= REMEMBERED else _opened(*came)


def _opened(*came: str | None) -> Gate | None:
    """As Django says it."""
    stated = {name: text for name, text in zip(_CAME, came, strict=True) if text is not None}
    request = WSGIRequest({**stated, "REQUEST_METHOD": "POST", "PATH_INFO": PATH, "wsgi.input": BytesIO()})
    security = SecurityMiddleware(lambda request: HttpResponse())
    try:
        host = request.get_host()
    except SuspiciousOperation:
        return None
    if security.process_request(request):  # it is sent to TLS
        return None
    answer = security.process_response(request, HttpResponse())
    return f"{request.scheme}://{host}", [(name, text) for name, text in answer.items() if name != "Content-Type"]


#: Django says it once for each way that requests come.
_remembered = lru_cache(maxsize=1024)(_opened)
