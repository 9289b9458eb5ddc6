"""The base of every view of the API: who may, what is read, how a page is answered."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ClassVar

from django.db import connection
from django.db.models import Model, QuerySet
from django.http import Http404, HttpResponse
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from comp.api.fields import Body, read
from comp.api.grants import Grant
from comp.api.models import KeptAnswer
from comp.api.paging import PageAsked, page
from comp.api.parsing import StrictJson
from comp.api.permissions import ByKey, Granted
from comp.core.errors import refused
from comp.tenancy.scope import current_tenant_id

Handler = Callable[..., HttpResponse]
_GIVEN = re.compile(r"[\x21-\x7e]{1,200}")


class Conflict(APIException):
    """The request contradicts one that was answered."""

    status_code = 409


class ApiView(APIView):
    """A view states `grants` by method. What it reads and answers (`asked`, `inputs`, `output`) is also its schema."""

    authentication_classes = [ByKey]
    permission_classes = [Granted]
    parser_classes = [StrictJson]
    http_method_names = ["get", "post", "put", "patch", "delete"]
    #: What the key needs, by method.
    grants: ClassVar[Mapping[str, Grant]] = {}
    output: ClassVar[type[BaseSerializer[Any]]]
    asked: ClassVar[type[Body] | None] = None
    inputs: ClassVar[Mapping[str, type[Body] | None]] = {}
    #: Status of the answer to a write, by method.
    written: ClassVar[Mapping[str, int]] = {"POST": 201, "PATCH": 200, "PUT": 200, "DELETE": 204}
    listed: ClassVar[bool] = False

    def body(self, request: Request) -> dict[str, Any]:
        """The body, understood by what the view takes for the method."""
        kind = self.inputs[request.method or ""]
        return read(kind, request.data, partial=request.method == "PATCH") if kind else {}

    def shown(self, row: Any, status: int = 200) -> Response:
        return Response(self.output(row, context=self.about([row])).data, status=status)

    def again(self, pk: int) -> Any:
        """The row that a write was answered with, as it is now and where the key may see it still."""
        return found(self.output.Meta.model._default_manager.all(), pk=pk)

    def about(self, rows: Sequence[Any]) -> dict[str, Any]:
        """What `output` needs to know beside its rows, read for all of them at once."""
        return {"tenant": self.request._request.tenant}


class ListView(ApiView):
    """GET answers a page: {"items": […], "next": cursor or null}."""

    asked: ClassVar[type[Body]] = PageAsked
    order: ClassVar[Sequence[str]] = ("id",)
    listed = True

    def rows(self, asked: dict[str, Any]) -> QuerySet[Any]:
        """The rows that are asked for, in any order."""
        raise NotImplementedError

    def get(self, request: Request, **kwargs: Any) -> Response:
        asked = read(self.asked, request.query_params.dict())
        found, cursor = page(self.rows(asked), self.order, asked)
        shown = self.output(found, many=True, context=self.about(found)).data
        return Response({"items": shown, "next": cursor})


def once(handler: Handler) -> Handler:
    """With an Idempotency-Key the write is done once: the same request again is given the first answer. What was
    refused did nothing, so it is tried again. Whoever comes meanwhile waits.

    What is kept stands behind no pay wall, and is kept for ever. Of an answer that shows pay only its status and the
    row's id are kept, therefore: the same request again is given the row as it is now, and 404 where the key may no
    longer see it."""

    @wraps(handler)
    def done_once(self: ApiView, request: Request, **kwargs: Any) -> HttpResponse:
        given = request.headers.get("Idempotency-Key")
        if given is None:
            return handler(self, request, **kwargs)
        if not _GIVEN.fullmatch(given):
            allowed = "1 to 200 visible ASCII characters"
            raise refused("Idempotency-Key", given[:80], allowed, f"An Idempotency-Key is {allowed}.")
        kept, fresh = _kept(request, given)
        if not fresh and kept.body and _shows_pay(self):
            shown = self.shown(self.again(json.loads(kept.body)["id"]), kept.status)
            shown["Idempotent-Replay"] = "true"
            return shown
        if not fresh:
            answer = HttpResponse(kept.body, status=kept.status, content_type="application/json")
            answer["Idempotent-Replay"] = "true"
            return answer
        response = handler(self, request, **kwargs)
        if isinstance(response, Response) and response.status_code < 400:
            said = {"id": response.data["id"]} if response.data and _shows_pay(self) else response.data
            kept.status, kept.body = response.status_code, "" if said is None else json.dumps(said, default=str)
            kept.save(update_fields=["status", "body"])
        return response

    done_once.once = True  # type: ignore[attr-defined]
    return done_once


def _shows_pay(view: ApiView) -> bool:
    model = getattr(getattr(view.output, "Meta", None), "model", None)
    return bool(getattr(model, "shows_pay", False))


_KEEP = """
INSERT INTO api_keptanswer (tenant_id, api_key_id, key, request_sha256, status, body, at)
VALUES (%s, %s, %s, %s, 0, '', statement_timestamp()) ON CONFLICT DO NOTHING RETURNING id
"""


def _kept(request: Request, given: str) -> tuple[KeptAnswer, bool]:
    """The place of this key's answer, and whether it is empty."""
    asked = json.dumps([request.method, request.get_full_path(), request.data], sort_keys=True)
    sha = hashlib.sha256(asked.encode()).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [current_tenant_id(), request.auth.pk, given, sha])
        fresh = cursor.fetchone()
    kept = KeptAnswer.objects.get(api_key=request.auth, key=given)
    if kept.request_sha256 != sha:
        raise Conflict("this Idempotency-Key was used for another request; use a new one for this")
    return kept, fresh is not None


def found(rows: QuerySet[Any], **by: Any) -> Any:
    """The row of an address; 404 where there is none, or none that the key may see."""
    row = rows.filter(**by).first()
    if row is None:
        raise Http404(f"There is no {rows.model._meta.verbose_name} {', '.join(map(str, by.values()))}.")
    return row


def named(model: type[Model], field: str, key: str | None) -> Any:
    """The row that a body or a query names by its key; None for none. An unknown one is refused at its field."""
    if key is None:
        return None
    row = model._default_manager.filter(key=key).first()
    if row is None:
        kind = str(model._meta.verbose_name)
        raise refused(field, key, f"the key of a {kind}", f"There is no {kind} {key!r}.")
    return row
