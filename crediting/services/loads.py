"""Many new deals that come at once are told together, as LOADED, when no more of them come: nobody's figures are redone
for each part of what a company brings on its first day. Until then the news is held, and no period can be closed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.utils import timezone

from comp.outbox.services import NOT_YET, news_hold, news_release
from comp.tenancy.rows import rows_read
from crediting.services.facts import Moved
from crediting.services.news import days_of_deal

LOADED = "facts.loaded"
#: Up to so many rows of a file, or items of a call of the API, are told one by one.
TOLD_EACH = 5_000
#: What comes over the API without an end is told after so long.
LONGEST = timedelta(seconds=60)
_MORE_COMES = "SELECT EXISTS (SELECT 1 FROM crediting_rawdelivery WHERE state = 'pending')"
#: By participant and date field, the first and the last day that some deals have there.
Spans = dict[str, dict[str, list[str]]]

_LARGE = """
SELECT id FROM crediting_rawdelivery WHERE id = ANY(%s::bigint[]) AND (headers ->> 'items')::int > %s
"""
#: News that is held of endpoints.
_HELD = """
SELECT id, payload, created_at FROM outbox_message
WHERE done_at IS NULL AND NOT parked AND topic = 'facts.loaded' AND due_at = %s AND payload ? 'endpoint'
"""


def spans_widen(spans: Spans, person: int, days: Iterable[tuple[str, str]]) -> bool:
    """Adds days (field, YYYY-MM-DD) of somebody's; returns whether any of them was not within."""
    wider = False
    own = spans.setdefault(str(person), {})
    for name, day in days:
        span = own.get(name)
        if span is None:
            own[name], wider = [day, day], True
        elif day < span[0] or day > span[1]:
            own[name], wider = [min(day, span[0]), max(day, span[1])], True
    return wider


def moved_hold(moved: Sequence[Moved]) -> list[Moved]:
    """Holds the news of deals that are new and came in one large call each; returns the others, which are told as
    ever."""
    new = [one for one in moved if one.was is None and one.delivery.parent_id is not None]
    parents = {one.delivery.parent_id for one in new}
    large = {pk for (pk,) in rows_read(_LARGE, [list(parents), TOLD_EACH])} if parents else set()
    if not large:
        return list(moved)
    standing = [(pk, json.loads(payload)) for pk, payload, _ in rows_read(_HELD, [NOT_YET])]
    held = {payload["endpoint"]: (pk, payload) for pk, payload in standing}
    for endpoint in {one.delivery.endpoint_id for one in new if one.delivery.parent_id in large}:
        own = [one for one in new if one.delivery.endpoint_id == endpoint and one.delivery.parent_id in large]
        first = own[0].delivery
        fresh = {"label": f"{first.endpoint.name}: facts in bulk", "delivery": first.parent_id, "endpoint": endpoint}
        message, payload = held.get(endpoint, (None, {**fresh, "people": {}}))
        wider = [
            spans_widen(payload["people"], member[1], list(days_of_deal(one.deal)))
            for one in own
            for member in one.team
        ]
        if any(wider) or message is None:
            news_hold(topic=LOADED, payload=payload, message=message)
    return [one for one in moved if one.was is not None or one.delivery.parent_id not in large]


def loads_release() -> None:
    """Hands on what is held of the API once no more of it waits to be taken, or after LONGEST. Under the intake lock,
    as whoever adds to it."""
    held = rows_read(_HELD, [NOT_YET])
    [(more_comes,)] = rows_read(_MORE_COMES, []) if held else [(False,)]
    for message, _, since in held:
        if not more_comes or timezone.now() - since > LONGEST:
            news_release(message=message)
