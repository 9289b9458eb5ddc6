"""Pages by cursor: what follows the last row seen, in an order that only grows. No row is seen twice or left out while
others are added."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db.models import Q, QuerySet

from comp.api.fields import Body, Text, Whole
from comp.core.errors import refused

PER_PAGE, MOST = 100, 500


class PageAsked(Body):
    """What every list may be asked for."""

    after = Text(max_length=400, required=False, help_text="The `next` of the page before.")
    limit = Whole(1, MOST, default=PER_PAGE, help_text="Rows a page.")


def page(rows: QuerySet[Any], order: Sequence[str], asked: dict[str, Any]) -> tuple[list[Any], str | None]:
    """The rows behind the cursor, and the cursor of the next page; None at the end. `order`: columns, together unique
    and never null."""
    if cursor := asked.get("after"):
        rows = rows.filter(_behind(order, _read(rows.model, order, cursor)))
    limit = asked["limit"]
    found = list(rows.order_by(*order)[: limit + 1])
    return found[:limit], _cursor(order, found[limit - 1]) if len(found) > limit else None


def _behind(order: Sequence[str], values: Sequence[Any]) -> Q:
    """Greater than the values, compared column by column. The first column bounds it, so that an index finds it."""
    found = Q()
    for place in range(len(order)):
        same = {order[i]: values[i] for i in range(place)}
        found |= Q(**same, **{f"{order[place]}__gt": values[place]})
    return Q(**{f"{order[0]}__gte": values[0]}) & found


def _cursor(order: Sequence[str], row: Any) -> str:
    values = [
        value.isoformat() if isinstance(value, date) else value for value in (getattr(row, name) for name in order)
    ]
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _read(model: Any, order: Sequence[str], cursor: str) -> list[Any]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list) or len(values) != len(order):
            raise ValueError("not as many values as columns")
        return [_value(model._meta.get_field(name), value) for name, value in zip(order, values, strict=True)]
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise refused("after", cursor[:80], "the `next` of a page", "This cursor is none of ours.") from None


def _value(field: Any, value: Any) -> Any:
    if field.get_internal_type() == "DateField":
        return date.fromisoformat(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
        raise ValueError("no number")
    return value
