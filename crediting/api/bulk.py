"""Facts in bulk, and what became of each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from comp.api.fields import Body, Text, Whole, read
from comp.api.grants import Grant
from comp.api.paging import MOST as PAGE_MOST
from comp.api.paging import PER_PAGE
from comp.api.parsing import read_at_most
from comp.api.views import ApiView, Conflict, ListView, found
from comp.core.errors import Problem, ProblemsError, refused
from crediting.intake import bulk
from crediting.models import DealRevision, FactRevision, RawDelivery
from crediting.selectors import item_counts
from crediting.services.bulk import Contradiction, api_endpoint, bulk_receive

#: Bytes of one body.
BODY_LIMIT = 16 * 1024 * 1024
_KEY = re.compile(r"[\x21-\x7e]{1,180}")
State = RawDelivery.State


class EventBody(serializers.Serializer[Any]):
    """An event as docs/events.schema.json has it, with the sender's own id of it."""

    id = serializers.CharField(max_length=200, required=False, help_text="The same id again is the same event.")
    type = serializers.CharField()
    timestamp = serializers.DateTimeField()
    data = serializers.DictField()


class Taken(serializers.Serializer[Any]):
    delivery = serializers.IntegerField()
    items = serializers.IntegerField()
    status = serializers.ChoiceField(choices=["stored", "seen"])


class BulkAsked(Body):
    endpoint = Text(max_length=50, required=False, help_text="The key of an endpoint of the adapter api; else `api`.")


class Bulk(ApiView):
    """POST stores an array of up to 10,000 events under its Idempotency-Key, which is asked for here. 202: they are
    kept, and taken after that, each by itself; `deliveries/<id>/items` tells what became of them."""

    grants = {"POST": Grant.FACTS_WRITE}
    output, written, asked = Taken, {"POST": 202}, BulkAsked
    inputs = {"POST": EventBody(many=True)}

    def post(self, request: Request) -> Response:
        key = request.headers.get("Idempotency-Key", "")
        if not _KEY.fullmatch(key):
            allowed = "1 to 180 visible ASCII characters"
            raise refused("Idempotency-Key", key[:80] or "none", allowed, f"Facts in bulk need one: {allowed}.")
        asked = read(BulkAsked, request.query_params.dict())
        body = read_at_most(request._request, BODY_LIMIT)
        items = bulk.items(body)
        if isinstance(items, Problem):
            raise ProblemsError([items])
        endpoint = api_endpoint(asked.get("endpoint"))
        try:
            delivery, fresh = bulk_receive(
                endpoint=endpoint, key=key, body=body, items=len(items), sender=str(request.auth)
            )
        except Contradiction as error:
            raise Conflict(str(error)) from None
        status = "stored" if fresh else "seen"
        return self.shown({"delivery": delivery.pk, "items": len(items), "status": status}, 202)

    post.once = True  # type: ignore[attr-defined]  # by the delivery's own key


class DeliveryShown(serializers.ModelSerializer[RawDelivery]):
    endpoint = serializers.SlugRelatedField(slug_field="key", read_only=True)
    items = serializers.SerializerMethodField(help_text="How many of its items stand in each state.")

    class Meta:
        model = RawDelivery
        fields = ("id", "endpoint", "sender_id", "state", "error", "received_at", "processed_at", "parent", "items")

    def get_items(self, row: RawDelivery) -> dict[str, int]:
        counts = dict(item_counts(row))
        seen = row.headers.get("items", 0) - sum(counts.values())
        return {**counts, "seen": seen} if row.state == State.SPLIT and seen > 0 else counts


class OneDelivery(ApiView):
    """A delivery and what became of it."""

    grants = {"GET": Grant.FACTS_READ}
    output = DeliveryShown

    def get(self, request: Request, pk: int) -> Response:
        return self.shown(found(RawDelivery.objects.select_related("endpoint").defer("body"), pk=pk))


class Told(serializers.Serializer[Any]):
    kind = serializers.CharField()
    external_id = serializers.CharField()


class ItemShown(serializers.Serializer[Any]):
    """`seen`: the same id with the same body had come before."""

    place = serializers.IntegerField(help_text="From 0.")
    delivery = serializers.IntegerField(allow_null=True)
    sender_id = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(choices=[*State.values, "seen"])
    error = serializers.CharField(allow_blank=True)
    waits_for = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    told = Told(many=True, help_text="The facts that it told of.")


class ItemsAsked(Body):
    after = Text(max_length=20, required=False, help_text="The `next` of the page before.")
    limit = Whole(1, PAGE_MOST, default=PER_PAGE, help_text="Items a page.")


class Items(ListView):
    """What became of each item of a delivery in bulk, by its place."""

    grants = {"GET": Grant.FACTS_READ}
    output, asked = ItemShown, ItemsAsked

    def get(self, request: Request, **kwargs: Any) -> Response:
        batch = found(RawDelivery.objects.defer("body"), pk=kwargs["pk"])
        asked = read(ItemsAsked, request.query_params.dict())
        after = asked.get("after", "0")
        if not (after.isascii() and after.isdecimal() and len(after) < 9):
            raise refused("after", after, "the `next` of a page", "This cursor is none of ours.")
        start, total = int(after), batch.headers.get("items", 0)
        end = min(start + asked["limit"], total)
        items = list(_items(batch, start, end))
        shown = ItemShown(items, many=True).data
        return Response({"items": shown, "next": str(end) if end < total else None})


def _items(batch: RawDelivery, start: int, end: int) -> Iterator[dict[str, Any]]:
    rows = RawDelivery.objects.filter(parent=batch, place__gte=start, place__lt=end).defer("body")
    by_place = {row.place: row for row in rows}
    told = _told([row.pk for row in by_place.values()])
    unknown = "seen" if batch.state == State.SPLIT else str(State.PENDING)
    for place in range(start, end):
        row = by_place.get(place)
        yield {
            "place": place,
            "delivery": row.pk if row else None,
            "sender_id": row.sender_id if row else None,
            "state": row.state if row else unknown,
            "error": row.error if row else "",
            "waits_for": row.waits_for if row else [],
            "told": told.get(row.pk, []) if row else [],
        }


def _told(deliveries: Sequence[int]) -> dict[int, list[dict[str, str]]]:
    by_delivery: dict[int, list[dict[str, str]]] = {}
    deals = DealRevision.objects.filter(delivery__in=deliveries).values_list("delivery_id", "external_id")
    for delivery, external_id in deals:
        by_delivery.setdefault(delivery, []).append({"kind": "deal", "external_id": external_id})
    facts = FactRevision.objects.filter(delivery__in=deliveries).order_by("id")
    for delivery, kind, external_id in facts.values_list("delivery_id", "kind", "external_id"):
        by_delivery.setdefault(delivery, []).append({"kind": kind, "external_id": external_id})
    return by_delivery
