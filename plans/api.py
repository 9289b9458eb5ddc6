"""Plans over the API: their versions, who is on them, and quotas."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from comp.api.fields import Body, Day, Key, Money, Text
from comp.api.grants import Grant
from comp.api.views import ApiView, ListView, found, named, once
from comp.core.errors import refused
from comp.core.money import MoneyError, parse_money
from comp.people.api import EndBody, OfPersonAsked, narrowed
from comp.people.models import Participant
from plans import services
from plans.models import Plan, PlanAssignment, PlanVersion, Quota
from plans.selectors import document

READ, WRITE = Grant.PLANS_READ, Grant.PLANS_WRITE
#: A document is refused before it is read where it is longer.
DOCUMENT_LIMIT = 200_000


class PlanShown(serializers.ModelSerializer[Plan]):
    class Meta:
        model = Plan
        fields = ("key", "name")


class PlanBody(Body):
    key = Text(max_length=50)
    name = Text(max_length=120)


class Plans(ListView):
    """All plans. POST adds one, without a version yet."""

    grants = {"GET": READ, "POST": WRITE}
    output, inputs = PlanShown, {"POST": PlanBody}

    def rows(self, asked: dict[str, Any]) -> QuerySet[Plan]:
        return Plan.objects.all()

    @once
    def post(self, request: Request) -> Response:
        return self.shown(services.plan_create(**self.body(request)), 201)


# ------------------------------------------------------------------ versions


class VersionShown(serializers.ModelSerializer[PlanVersion]):
    plan = Key()
    starts_on = Day(read_only=True)
    ends_on = Day(read_only=True, allow_null=True)
    prepared_by = serializers.CharField(read_only=True)
    published_by = serializers.CharField(read_only=True, allow_null=True)

    class Meta:
        model = PlanVersion
        fields = (
            *("plan", "number", "state", "starts_on", "ends_on", "digest", "note"),
            *("prepared_by", "prepared_at", "published_by", "published_at"),
        )


class WholeVersion(VersionShown):
    document = serializers.SerializerMethodField(help_text="As docs/plan.schema.json describes it.")

    class Meta:
        model = PlanVersion
        fields = (*VersionShown.Meta.fields, "document")

    def get_document(self, version: PlanVersion) -> dict[str, Any]:
        return document(version)


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "object"}]})
class Document(serializers.Field[str, Any, Any, Any]):
    """A plan as YAML text, or as the JSON object that it is."""

    def to_internal_value(self, data: Any) -> str:
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        if not isinstance(data, str | dict) or len(text) > DOCUMENT_LIMIT:
            raise serializers.ValidationError(f"A document is YAML text or an object, at most {DOCUMENT_LIMIT} long.")
        return text


class VersionBody(Body):
    document = Document()
    starts_on = Day()
    ends_on = Day(required=False, allow_null=True)
    note = Text(max_length=2000, help_text="Why this version, in a sentence.")


class Versions(ListView):
    """The versions of a plan. POST drafts one; its document's errors refuse it, all at once."""

    grants = {"GET": READ, "POST": WRITE}
    output, inputs = VersionShown, {"POST": VersionBody}

    def rows(self, asked: dict[str, Any]) -> QuerySet[PlanVersion]:
        plan = found(Plan.objects.all(), key=self.kwargs["key"])
        rows = PlanVersion.objects.filter(plan=plan).defer("document")
        return rows.select_related("plan", "prepared_by", "published_by")

    @once
    def post(self, request: Request, key: str) -> Response:
        plan = found(Plan.objects.all(), key=key)
        said = self.body(request)
        text = said.pop("document")
        return self.shown(services.version_draft(plan=plan, text=text, prepared_by=request.user, **said), 201)


def version_of(key: str, number: int) -> PlanVersion:
    rows = PlanVersion.objects.select_related("plan", "prepared_by", "published_by")
    version: PlanVersion = found(rows, plan__key=key, number=number)
    return version


class OneVersion(ApiView):
    """One version with its document. PUT gives a draft another one."""

    grants = {"GET": READ, "PUT": WRITE}
    output, inputs = WholeVersion, {"PUT": VersionBody}

    def get(self, request: Request, key: str, number: int) -> Response:
        return self.shown(version_of(key, number))

    @once
    def put(self, request: Request, key: str, number: int) -> Response:
        said = self.body(request)
        text, version = said.pop("document"), version_of(key, number)
        return self.shown(services.version_update(version=version, text=text, prepared_by=request.user, **said))


class Publish(ApiView):
    """POST puts a draft in force. It takes a key of somebody who had no hand in the draft."""

    grants = {"POST": Grant.PLANS_PUBLISH}
    output, written = VersionShown, {"POST": 200}

    @once
    def post(self, request: Request, key: str, number: int) -> Response:
        version = services.version_publish(version=version_of(key, number), published_by=request.user)
        return self.shown(version)


# ------------------------------------------------------------------ who is on a plan


class AssignmentShown(serializers.ModelSerializer[PlanAssignment]):
    participant, plan = Key(), Key()
    starts_on = Day(read_only=True)
    ends_on = Day(read_only=True, allow_null=True)

    class Meta:
        model = PlanAssignment
        fields = ("id", "participant", "plan", "starts_on", "ends_on")


class AssignmentBody(Body):
    participant = Text(max_length=60)
    plan = Text(max_length=50)
    starts_on = Day()
    ends_on = Day(required=False, allow_null=True)


class AssignmentsAsked(OfPersonAsked):
    plan = Text(max_length=50, required=False)


class Assignments(ListView):
    """Who is on which plan, by date. POST puts somebody on one."""

    grants = {"GET": READ, "POST": WRITE}
    output, asked, inputs = AssignmentShown, AssignmentsAsked, {"POST": AssignmentBody}

    def rows(self, asked: dict[str, Any]) -> QuerySet[PlanAssignment]:
        rows = narrowed(PlanAssignment.objects.select_related("participant", "plan"), asked)
        return rows.filter(plan=named(Plan, "plan", asked["plan"])) if "plan" in asked else rows

    @once
    def post(self, request: Request) -> Response:
        said = self.body(request)
        said["participant"] = named(Participant, "participant", said["participant"])
        said["plan"] = named(Plan, "plan", said["plan"])
        return self.shown(services.assignment_set(**said), 201)


class EndAssignment(ApiView):
    """POST gives an assignment another end."""

    grants = {"POST": WRITE}
    output, inputs, written = AssignmentShown, {"POST": EndBody}, {"POST": 200}

    @once
    def post(self, request: Request, pk: int) -> Response:
        row = found(PlanAssignment.objects.select_related("participant", "plan"), pk=pk)
        return self.shown(services.assignment_end(assignment=row, ends_on=self.body(request)["ends_on"]))


# ------------------------------------------------------------------ quotas


class QuotaShown(serializers.ModelSerializer[Quota]):
    participant = Key()
    starts_on, ends_on = Day(read_only=True), Day(read_only=True)
    amount = Money()

    class Meta:
        model = Quota
        fields = ("id", "participant", "key", "starts_on", "ends_on", "amount", "currency")


class QuotaBody(Body):
    participant = Text(max_length=60)
    key = Text(max_length=50)
    starts_on = Day()
    ends_on = Day(help_text="The first day behind the measure period.")
    amount = Text(max_length=40, help_text="Plain digits with a point, such as 25000.00.")
    currency = Text(max_length=3)


class QuotasAsked(OfPersonAsked):
    key = Text(max_length=50, required=False)


class Quotas(ListView):
    """What people are held against, by measure period. POST sets one; for the same days it replaces the amount."""

    grants = {"GET": Grant.QUOTAS_READ, "POST": Grant.QUOTAS_WRITE}
    output, asked, inputs = QuotaShown, QuotasAsked, {"POST": QuotaBody}

    def rows(self, asked: dict[str, Any]) -> QuerySet[Quota]:
        rows = narrowed(Quota.objects.select_related("participant"), asked)
        return rows.filter(key=asked["key"]) if "key" in asked else rows

    @once
    def post(self, request: Request) -> Response:
        said = self.body(request)
        try:
            amount_minor = parse_money(said["amount"], said["currency"])
        except MoneyError as error:
            raise refused("amount", said["amount"], "plain digits such as 25000.00", str(error)) from None
        quota = services.quota_set(
            participant=named(Participant, "participant", said["participant"]),
            key=said["key"],
            starts_on=said["starts_on"],
            ends_on=said["ends_on"],
            amount_minor=amount_minor,
            currency=said["currency"],
        )
        return self.shown(quota, 201)


class OneQuota(ApiView):
    """One quota. DELETE takes it away."""

    grants = {"GET": Grant.QUOTAS_READ, "DELETE": Grant.QUOTAS_WRITE}
    output = QuotaShown

    def get(self, request: Request, pk: int) -> Response:
        return self.shown(found(Quota.objects.select_related("participant"), pk=pk))

    @once
    def delete(self, request: Request, pk: int) -> Response:
        services.quota_remove(quota=found(Quota.objects.select_related("participant"), pk=pk))
        return Response(status=204)


urlpatterns = [
    path("plans", Plans.as_view(), name="api_plans"),
    path("plans/<slug:key>/versions", Versions.as_view(), name="api_versions"),
    path("plans/<slug:key>/versions/<int:number>", OneVersion.as_view(), name="api_version"),
    path("plans/<slug:key>/versions/<int:number>/publish", Publish.as_view(), name="api_version_publish"),
    path("assignments", Assignments.as_view(), name="api_assignments"),
    path("assignments/<int:pk>/end", EndAssignment.as_view(), name="api_assignment_end"),
    path("quotas", Quotas.as_view(), name="api_quotas"),
    path("quotas/<int:pk>", OneQuota.as_view(), name="api_quota"),
]
