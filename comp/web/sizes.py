"""How much a form may send. Judged by the length that the request states, before any of it is read: Django reads no
more than that, and nothing of a body without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import Resolver404, resolve

View = TypeVar("View", bound=Callable[..., HttpResponse])
#: What a form has around its file, and all that one without a file may send.
FORM = 2 * 2**20
#: Reads its own bodies, each with a limit.
API = "/api/"


def takes_file(most: int) -> Callable[[View], View]:
    """Says of a view that it takes a file of so many bytes. The outermost decorator."""

    def mark(view: View) -> View:
        view.file_most = most  # type: ignore[attr-defined]
        return view

    return mark


class BodyLimit:
    """Answers 413 to what is larger than its view takes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        stated = request.META.get("CONTENT_LENGTH") or "0"
        if request.path_info.startswith(API) or (stated.isdecimal() and int(stated[:20]) <= FORM):
            return self.get_response(request)
        most = _file_most(request.path_info)
        if stated.isdecimal() and int(stated[:20]) <= most + FORM:
            return self.get_response(request)
        return render(request, "413.html", {"megabytes": (most or FORM) // 2**20}, status=413)


def _file_most(path: str) -> int:
    try:
        return int(getattr(resolve(path).func, "file_most", 0))
    except Resolver404:
        return 0
