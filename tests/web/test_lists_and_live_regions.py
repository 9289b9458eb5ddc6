"""Paging by the address, and live regions that answer only when something changed."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.test import RequestFactory

from comp.web.live import live_response
from comp.web.paging import paginate

CONTEXT: dict[str, Any] = {"title": "Nothing", "text": "here", "icon": "inbox"}


@pytest.mark.parametrize(("asked", "number"), [("", 1), ("2", 2), ("99", 3), ("0", 3), ("x", 1)])
def test_any_page_number_gives_a_page(rf: RequestFactory, asked: str, number: int) -> None:
    assert paginate(rf.get("/", {"page": asked}), list(range(5)), per_page=2).number == number


def test_rows_without_an_order_are_refused(rf: RequestFactory) -> None:
    with pytest.raises(ValueError, match="ContentType rows have no order"):
        paginate(rf.get("/"), ContentType.objects.all())


def test_the_same_version_has_no_answer_another_has_the_fragment(rf: RequestFactory) -> None:
    same = live_response(rf.get("/", {"v": "7"}), 7, "components/empty.html", CONTEXT)
    assert (same.status_code, same.content) == (204, b"")
    other = live_response(rf.get("/", {"v": "6"}), 7, "components/empty.html", CONTEXT)
    assert other.status_code == 200 and b"Nothing" in other.content
    assert same["Cache-Control"] == other["Cache-Control"] == "no-store"
