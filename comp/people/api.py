"""People over the API: participants, what they are and whom they report to, by date."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import transaction
from django.db.models import QuerySet
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from comp.api.fields import Body, Day, Key, Text
from comp.api.grants import Grant
from comp.api.paging import PageAsked
from comp.api.views import ApiView, ListView, found, named, once
from comp.people import services
from comp.people.models import CreditRole, Participant, PayGroup, Position, ReportingLine, Team, Territory
from comp.people.selectors import in_force

READ, WRITE = Grant.PEOPLE_READ, Grant.PEOPLE_WRITE


class Named(serializers.ModelSerializer[Any]):
    """A key and a name."""

    class Meta:
        model = Team
        fields = ("key", "name")


class PayGroupShown(serializers.ModelSerializer[PayGroup]):
    calendar = Key()
    opens_on = Day(read_only=True)

    class Meta:
        model = PayGroup
        fields = ("key", "name", "calendar", "opens_on")


class NamedList(ListView):
    """What people are sorted by, each with its key."""

    grants = {"GET": READ}
    output = Named
    model: ClassVar[type[Any]] = Team

    def rows(self, asked: dict[str, Any]) -> QuerySet[Any]:
        return self.model._default_manager.all()


class CreditRoles(NamedList):
    """What people are credited as."""

    model = CreditRole


class Teams(NamedList):
    """Teams."""


class Territories(NamedList):
    """Territories."""

    model = Territory


class PayGroups(ListView):
    """People who are paid together, and by which calendar."""

    grants = {"GET": READ}
    output = PayGroupShown

    def rows(self, asked: dict[str, Any]) -> QuerySet[PayGroup]:
        return PayGroup.objects.select_related("calendar")


# ------------------------------------------------------------------ participants


class ParticipantShown(serializers.ModelSerializer[Participant]):
    pay_group = Key()
    starts_on = Day(read_only=True)
    ends_on = Day(read_only=True, allow_null=True)

    class Meta:
        model = Participant
        fields = ("key", "name", "email", "currency", "pay_group", "starts_on", "ends_on")


class ParticipantBody(Body):
    key = Text(max_length=60, help_text="The employee number, for good.")
    name = Text(max_length=150)
    email = serializers.EmailField(required=False, allow_blank=True)
    currency = Text(max_length=3)
    pay_group = Text(max_length=50, help_text="The key of the pay group.")
    starts_on = Day()
    ends_on = Day(required=False, allow_null=True)


class ParticipantsAsked(PageAsked):
    pay_group = Text(max_length=50, required=False)
    on = Day(required=False, help_text="Only those who are here on this day.")


class Participants(ListView):
    """Everybody who can earn. POST adds somebody."""

    grants = {"GET": READ, "POST": WRITE}
    output, asked, inputs = ParticipantShown, ParticipantsAsked, {"POST": ParticipantBody}

    def rows(self, asked: dict[str, Any]) -> QuerySet[Participant]:
        rows = Participant.objects.select_related("pay_group")
        if "pay_group" in asked:
            rows = rows.filter(pay_group=named(PayGroup, "pay_group", asked["pay_group"]))
        return rows.filter(in_force(asked["on"])) if "on" in asked else rows

    @once
    def post(self, request: Request) -> Response:
        said = self.body(request)
        said["pay_group"] = named(PayGroup, "pay_group", said["pay_group"])
        return self.shown(services.participant_create(**said), 201)


class OneParticipant(ApiView):
    """One participant. PATCH changes what it names; the key stays."""

    grants = {"GET": READ, "PATCH": WRITE}
    output, inputs = ParticipantShown, {"PATCH": ParticipantBody}

    def get(self, request: Request, key: str) -> Response:
        return self.shown(found(Participant.objects.select_related("pay_group"), key=key))

    @once
    def patch(self, request: Request, key: str) -> Response:
        person = found(Participant.objects.select_for_update(of=("self",)).select_related("pay_group"), key=key)
        said = self.body(request)
        if "pay_group" in said:
            said["pay_group"] = named(PayGroup, "pay_group", said["pay_group"])
        return self.shown(services.participant_change(participant=person, **said))


# ------------------------------------------------------------------ what they are, whom they report to


class OfPersonAsked(PageAsked):
    participant = Text(max_length=60, required=False)
    on = Day(required=False, help_text="Only what holds on this day.")


def narrowed(rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
    """Rows of a participant, those that hold on a day."""
    if "participant" in asked:
        rows = rows.filter(participant=named(Participant, "participant", asked["participant"]))
    return rows.filter(in_force(asked["on"])) if "on" in asked else rows


class PositionShown(serializers.ModelSerializer[Position]):
    participant, credit_role, team, territory = Key(), Key(), Key(allow_null=True), Key(allow_null=True)
    starts_on = Day(read_only=True)
    ends_on = Day(read_only=True, allow_null=True)

    class Meta:
        model = Position
        fields = ("id", "participant", "title", "credit_role", "team", "territory", "starts_on", "ends_on")


class PositionBody(Body):
    participant = Text(max_length=60)
    title = Text(max_length=120)
    credit_role = Text(max_length=50)
    team = Text(max_length=50, required=False, allow_null=True)
    territory = Text(max_length=50, required=False, allow_null=True)
    starts_on = Day()


class Positions(ListView):
    """What people are, by date: title, credit role, team, territory. POST says what somebody is from a day on, and ends
    what was before."""

    grants = {"GET": READ, "POST": WRITE}
    output, asked, inputs = PositionShown, OfPersonAsked, {"POST": PositionBody}

    def rows(self, asked: dict[str, Any]) -> QuerySet[Position]:
        return narrowed(Position.objects.select_related("participant", "credit_role", "team", "territory"), asked)

    @once
    def post(self, request: Request) -> Response:
        said = self.body(request)
        position = services.position_set(
            participant=named(Participant, "participant", said["participant"]),
            title=said["title"],
            credit_role=named(CreditRole, "credit_role", said["credit_role"]),
            team=named(Team, "team", said.get("team")),
            territory=named(Territory, "territory", said.get("territory")),
            starts_on=said["starts_on"],
        )
        return self.shown(position, 201)


class LineShown(serializers.ModelSerializer[ReportingLine]):
    participant, manager = Key(), Key()
    starts_on = Day(read_only=True)
    ends_on = Day(read_only=True, allow_null=True)

    class Meta:
        model = ReportingLine
        fields = ("id", "participant", "manager", "starts_on", "ends_on")


class LineBody(Body):
    participant = Text(max_length=60)
    manager = Text(max_length=60)
    starts_on = Day()


class ReportingLines(ListView):
    """Who reports to whom, by date. POST says whom somebody reports to from a day on; circles are refused."""

    grants = {"GET": READ, "POST": WRITE}
    output, asked, inputs = LineShown, OfPersonAsked, {"POST": LineBody}

    def rows(self, asked: dict[str, Any]) -> QuerySet[ReportingLine]:
        return narrowed(ReportingLine.objects.select_related("participant", "manager"), asked)

    @once
    def post(self, request: Request) -> Response:
        said = self.body(request)
        line = services.reporting_line_set(
            participant=named(Participant, "participant", said["participant"]),
            manager=named(Participant, "manager", said["manager"]),
            starts_on=said["starts_on"],
        )
        return self.shown(line, 201)


class EndBody(Body):
    ends_on = Day()


class End(ApiView):
    """POST ends it on a day, without another one following."""

    grants = {"POST": WRITE}
    inputs, written = {"POST": EndBody}, {"POST": 200}
    model: ClassVar[type[Any]]

    @once
    def post(self, request: Request, pk: int) -> Response:
        with transaction.atomic():
            row = found(self.model._default_manager.select_related("participant"), pk=pk)
            services.row_end(row=row, ends_on=self.body(request)["ends_on"])
        return self.shown(row)


class EndPosition(End):
    output, model = PositionShown, Position


class EndLine(End):
    output, model = LineShown, ReportingLine


urlpatterns = [
    path("pay-groups", PayGroups.as_view(), name="api_pay_groups"),
    path("credit-roles", CreditRoles.as_view(), name="api_credit_roles"),
    path("teams", Teams.as_view(), name="api_teams"),
    path("territories", Territories.as_view(), name="api_territories"),
    path("participants", Participants.as_view(), name="api_participants"),
    path("participants/<path:key>", OneParticipant.as_view(), name="api_participant"),
    path("positions", Positions.as_view(), name="api_positions"),
    path("positions/<int:pk>/end", EndPosition.as_view(), name="api_position_end"),
    path("reporting-lines", ReportingLines.as_view(), name="api_reporting_lines"),
    path("reporting-lines/<int:pk>/end", EndLine.as_view(), name="api_reporting_line_end"),
]
