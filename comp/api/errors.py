"""Every refusal in one shape: {"errors": [{"field", "found", "allowed", "message"}]}."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from comp.core.errors import CompError, Problem, ProblemsError


def errors(problems: Sequence[Problem]) -> dict[str, Any]:
    return {
        "errors": [
            {"field": one.path, "found": one.found, "allowed": one.allowed, "message": one.message} for one in problems
        ]
    }


def said(message: str) -> dict[str, Any]:
    """A refusal that is about no field."""
    return errors([Problem("", "", "", message)])


def error_response(status: int, message: str, wait: int = 0) -> JsonResponse:
    """For what is refused before a view is found."""
    response = JsonResponse(said(message), status=status)
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="comp"'
    if wait:
        response["Retry-After"] = str(wait)
    return response


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """What a view raised, as an answer; None for what nobody foresaw, which is logged and answered 500."""
    if isinstance(error, ProblemsError):
        return Response(errors(error.problems), status=422)
    if isinstance(error, CompError):
        return Response(said(str(error)), status=422)
    if isinstance(error, Http404):
        return Response(said(str(error) or "There is no such thing."), status=404)
    if isinstance(error, PermissionDenied):
        return Response(said(str(error)), status=403)
    if isinstance(error, exceptions.APIException):
        return Response(said(str(error.detail)), status=error.status_code)
    return None
