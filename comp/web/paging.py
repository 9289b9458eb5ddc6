"""Lists in pages, with honest counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest


def paginate(
    request: HttpRequest, rows: QuerySet[Any] | Sequence[Any], per_page: int = 50, name: str = "page"
) -> Page[Any]:
    """The page that the address asks for; a number that is none, or lies outside, gives the nearest page.

    A queryset without an order is refused: its pages would overlap.
    """
    if isinstance(rows, QuerySet) and not rows.ordered:
        raise ValueError(
            f"paginate: the {rows.model.__name__} rows have no order; add order_by so that pages do not overlap"
        )
    return Paginator(rows, per_page).get_page(request.GET.get(name))
