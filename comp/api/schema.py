"""The OpenAPI document, made from what the views state."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import force_instance
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from comp.api.fields import Body

_ERROR = inline_serializer(
    "Error",
    {name: serializers.CharField(allow_blank=True) for name in ("field", "found", "allowed", "message")},
    many=True,
)
Errors = inline_serializer("Errors", {"errors": _ERROR})
#: How any call may be refused; and how a write may be beside that.
REFUSALS, OF_WRITES = (400, 401, 403, 404, 422, 429), (409, 413, 415)
_ONCE = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description="1 to 200 visible ASCII characters: the same request again under it is done once.",
)


@cache
def _page(output: Any) -> Any:
    fields = {"items": output(many=True), "next": serializers.CharField(allow_null=True)}
    return inline_serializer(f"{output.__name__}Page", fields)


class KeyScheme(OpenApiAuthenticationExtension):
    target_class = "comp.api.permissions.ByKey"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "comp_…"}


class Schema(AutoSchema):
    """Reads `asked`, `inputs`, `output` and `grants` of comp.api.views.ApiView."""

    def get_description(self) -> str:
        said = super().get_description()
        return f"{said}\n\nNeeds the grant `{self.view.grants[self.method]}`."

    def get_operation_id(self) -> str:
        return f"{self.method.lower()}{type(self.view).__name__}"

    def get_override_parameters(self) -> list[Any]:
        if self.method == "GET":
            return [self.view.asked] if self.view.asked else []
        return [_ONCE, *([self.view.asked] if self.view.asked and not self.view.listed else [])]

    def get_request_serializer(self) -> Any:
        return self.view.inputs.get(self.method)

    def get_response_serializers(self) -> Any:
        output = self.view.output
        if self.method == "DELETE":
            good: Any = {204: None}
        elif self.method == "GET" and self.view.listed:
            good = {200: _page(output)}
        else:
            good = {200 if self.method == "GET" else self.view.written[self.method]: output}
        refused = REFUSALS if self.method == "GET" else REFUSALS + OF_WRITES
        return {**good, **dict.fromkeys(refused, Errors)}

    def _map_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        found = super()._map_serializer(serializer, direction, bypass_extensions)
        if isinstance(force_instance(serializer), Body):  # a misspelt field would be a missing one
            return {**found, "additionalProperties": False}
        return found

    def _is_list_view(self, serializer: Any = None) -> bool:
        return False


@require_GET
def openapi(request: HttpRequest) -> HttpResponse:
    """The document, for anybody: it tells of no company."""
    return HttpResponse(_document(), content_type="application/vnd.oai.openapi+json")


@cache
def _document() -> bytes:
    document: bytes = OpenApiJsonRenderer().render(SchemaGenerator().get_schema(public=True))
    return document
