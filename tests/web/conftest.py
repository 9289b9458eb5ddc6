"""Helpers of the shell's tests: none of them needs a database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.template import Context, Template
from django.test import RequestFactory

Draw = Callable[..., str]


@pytest.fixture
def draw() -> Draw:
    """Render one piece of template with `comp` loaded."""

    def drawn(text: str, /, **values: Any) -> str:
        values.setdefault("request", RequestFactory().get(values.pop("path", "/")))
        return Template("{% load comp %}" + text).render(Context(values))

    return drawn
