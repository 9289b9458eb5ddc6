"""Regions of a page that follow the data: a small fragment, asked for every few seconds."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def live_response(request: HttpRequest, version: object, template: str, context: dict[str, Any]) -> HttpResponse:
    """204 when the asker already shows `version`, else the fragment with `version` in its context.

    The template wraps its content in `{% live id url version %}`. The version is any short text that changes whenever
    the region would look different; asking for it should cost one cheap query. Pass callables in `context` for what is
    costly: they are called only when the template is drawn.
    """
    if request.GET.get("v") == str(version):
        answer = HttpResponse(status=204)
    else:
        answer = render(request, template, {**context, "version": version})
    answer["Cache-Control"] = "no-store"
    return answer
