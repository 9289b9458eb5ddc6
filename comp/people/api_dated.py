"""What people are by date beside their position, over the API: leave, and region, position and pool."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from comp.api.fields import Body, Day, Key, Text
from comp.api.grants import Grant
from comp.api.views import ApiView, ListView, found, named, once
from comp.people import dated, services
from comp.people.api import End, OfPersonAsked, narrowed
from comp.people.models import Attribute, Leave, Participant

READ, WRITE = Grant.PEOPLE_READ, Grant.PEOPLE_WRITE


class LeaveShown(serializers.ModelSerializer[Leave]):
    participant = Key()
    starts_on = Day(read_only=True)
    ends_on = Day(read_only=True, allow_null=True)

    class Meta:
        model = Leave
        fields = ("id", "participant", "starts_on", "ends_on")


class LeaveBody(Body):
    participant = Text(max_length=60)
    starts_on = Day()
    ends_on = Day(required=False, allow_null=True, help_text="The first day back; null while none is known.")


class Leaves(ListView):
    """Days on which people are employed and away. POST adds some."""

    grants = {"GET": READ, "POST": WRITE}
    output, asked, inputs = LeaveShown, OfPersonAsked, {"POST": LeaveBody}

    def rows(self, asked: dict[str, Any]) -> QuerySet[Leave]:
        return narrowed(Leave.objects.select_related("participant"), asked)

    @once
    def post(self, request: Request) -> Response:
        said = self.body(request)
        said["participant"] = named(Participant, "participant", said["participant"])
        return self.shown(services.leave_set(**said), 201)


class OneLeave(ApiView):
    """Some leave. DELETE takes back what was set by mistake."""

    grants = {"GET": READ, "DELETE": WRITE}
    output = LeaveShown

    def get(self, request: Request, pk: int) -> Response:
        return self.shown(found(Leave.objects.select_related("participant"), pk=pk))

    @once
    def delete(self, request: Request, pk: int) -> Response:
        services.leave_remove(leave=found(Leave.objects.select_related("participant"), pk=pk))
        return Response(status=204)


class EndLeave(End):
    output, model = LeaveShown, Leave


class AttributeShown(serializers.ModelSerializer[Attribute]):
    participant = Key()
    starts_on = Day(read_only=True)
    ends_on = Day(read_only=True, allow_null=True)

    class Meta:
        model = Attribute
        fields = ("id", "participant", "name", "value", "starts_on", "ends_on")


class AttributeBody(Body):
    participant = Text(max_length=60)
    name = serializers.ChoiceField(Attribute.Name.choices)
    value = Text(max_length=120)
    starts_on = Day()


class Attributes(ListView):
    """Region, position and pool of people, by date. POST says one from a day on, and ends what was before."""

    grants = {"GET": READ, "POST": WRITE}
    output, asked, inputs = AttributeShown, OfPersonAsked, {"POST": AttributeBody}

    def rows(self, asked: dict[str, Any]) -> QuerySet[Attribute]:
        return narrowed(Attribute.objects.select_related("participant"), asked)

    @once
    def post(self, request: Request) -> Response:
        said = self.body(request)
        said["participant"] = named(Participant, "participant", said["participant"])
        return self.shown(dated.attribute_set(**said), 201)


urlpatterns = [
    path("leave", Leaves.as_view(), name="api_leave"),
    path("leave/<int:pk>", OneLeave.as_view(), name="api_one_leave"),
    path("leave/<int:pk>/end", EndLeave.as_view(), name="api_leave_end"),
    path("attributes", Attributes.as_view(), name="api_attributes"),
]
