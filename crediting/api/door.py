"""Hooks go straight to their view: no session, no log-in, no page's policy has anything to do there."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

PATH = "/hooks/"
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
