"""The OpenAPI document, held to the addresses that there are."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from comp.api.grants import Grant
from comp.api.views import ApiView


def views(patterns: Any = None, before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for one in get_resolver().url_patterns if patterns is None else patterns:
        at = before + str(one.pattern)
        if isinstance(one, URLResolver):
            found += views(one.url_patterns, at)
        elif isinstance(one, URLPattern) and at.startswith("api/v1/"):
            found.append((at, one.callback.cls))  # type: ignore[attr-defined]
    return found


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    answer = Client().get("/api/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = json.loads(answer.content)
    return found


def test_each_address_and_method_is_described_and_no_other(document: dict[str, Any]) -> None:
    wanted = {
        (re.sub(r"<\w+:(\w+)>", "{}", f"/{at}"), method)
        for at, view in views()
        for method in view.http_method_names
        if hasattr(view, method)
    }
    described = {
        (re.sub(r"\{\w+\}", "{}", path), method) for path, methods in document["paths"].items() for method in methods
    }
    assert wanted == described and len(wanted) >= 40


def test_each_view_is_ours_states_its_grants_and_writes_once() -> None:
    for at, view in views():
        assert issubclass(view, ApiView), at
        for method in ("get", "post", "put", "patch", "delete"):
            handler = getattr(view, method, None)
            assert (handler is not None) == (method.upper() in view.grants), (at, method)
            if handler is not None:
                assert view.grants[method.upper()] in Grant.values
                assert method == "get" or handler.once, (at, method)


def test_each_operation_names_its_errors_and_its_key(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["security"] == [{"key": []}], (path, method)
            assert {"401", "403", "404", "422", "429"} <= set(operation["responses"]), (path, method)
            assert "Needs the grant" in operation["description"]
