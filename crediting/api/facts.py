"""Facts over the API, as they stand and as they were said: deals, and what happened to them or beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from comp.api.fields import Day, Key, Money, Text, Whole
from comp.api.grants import Grant
from comp.api.paging import PageAsked
from comp.api.views import ApiView, ListView, found, named
from comp.people.models import Participant
from crediting.models import Account, Deal, DealRevision, DealTeam, Fact, FactRevision, FactTeam, HookEndpoint
from crediting.selectors import revisions

READ = Grant.FACTS_READ
_SAID = ("version", "event_time", "sender_id", "recorded_at")


class MemberShown(serializers.Serializer[Any]):
    """Who stands on it: credit role, participant, weight, in the order of the split."""

    role = serializers.CharField()
    participant = serializers.CharField()
    weight = serializers.IntegerField()


class Teamed(serializers.ModelSerializer[Any]):
    """Something with a team, which is read for a whole page at once (`about`)."""

    endpoint, product, account = Key(), Key(allow_null=True), Key(allow_null=True)
    amount = Money(allow_null=True)
    team = serializers.SerializerMethodField()

    @extend_schema_field(MemberShown(many=True))
    def get_team(self, row: Any) -> list[dict[str, Any]]:
        return list(self.context["teams"].get(row.pk, []))


class DealShown(Teamed):
    engage_date = Day(read_only=True, allow_null=True)
    close_date = Day(read_only=True, allow_null=True)

    class Meta:
        model = Deal
        fields = (
            *("id", "endpoint", "external_id", "stage", "amount", "currency", "engage_date", "close_date"),
            *("product", "account", "territory", "values", "custom", "team", "revisions", *_SAID),
        )


class DealRevisionShown(serializers.ModelSerializer[DealRevision]):
    product, account = Key(allow_null=True), Key(allow_null=True)
    amount = Money(allow_null=True)

    class Meta:
        model = DealRevision
        fields = (
            *("delivery", "stage", "amount", "currency", "engage_date", "close_date"),
            *("product", "account", "territory", "values", "custom", "aligned", *_SAID),
        )


class WholeDeal(DealShown):
    said = serializers.SerializerMethodField(help_text="Every revision, the one that stands last.")

    class Meta:
        model = Deal
        fields = (*DealShown.Meta.fields, "said")

    @extend_schema_field(DealRevisionShown(many=True))
    def get_said(self, deal: Deal) -> Any:
        return DealRevisionShown(revisions(deal), many=True).data


class FactShown(Teamed):
    day = Day(read_only=True, allow_null=True)

    class Meta:
        model = Fact
        fields = (
            *("id", "kind", "endpoint", "external_id", "stands", "deal", "account", "product", "type", "day"),
            *("amount", "currency", "values", "custom", "team", "revisions", *_SAID),
        )


class FactRevisionShown(serializers.ModelSerializer[FactRevision]):
    product, account = Key(allow_null=True), Key(allow_null=True)
    amount = Money(allow_null=True)

    class Meta:
        model = FactRevision
        fields = (
            *("delivery", "stands", "deal", "account", "product", "type", "day"),
            *("amount", "currency", "values", "custom", *_SAID),
        )


class WholeFact(FactShown):
    said = serializers.SerializerMethodField(help_text="Every revision, the one that stands last.")

    class Meta:
        model = Fact
        fields = (*FactShown.Meta.fields, "said")

    @extend_schema_field(FactRevisionShown(many=True))
    def get_said(self, fact: Fact) -> Any:
        rows = FactRevision.objects.filter(
            endpoint_id=fact.endpoint_id, kind=fact.kind, external_id=fact.external_id
        ).select_related("product", "account")
        rows = rows.order_by("version", "event_time", "sender_id")
        return FactRevisionShown(rows, many=True).data


def teams(model: Any, column: str, rows: Sequence[Any]) -> dict[int, list[dict[str, Any]]]:
    """The members of these rows, by row."""
    members = model.objects.filter(**{f"{column}__in": [row.pk for row in rows]}).select_related("participant")
    by_row: dict[int, list[dict[str, Any]]] = {}
    for one in members.order_by("place"):
        said = {"role": one.role, "participant": one.participant.key, "weight": one.weight}
        by_row.setdefault(getattr(one, f"{column}_id"), []).append(said)
    return by_row


class DealsAsked(PageAsked):
    endpoint = Text(max_length=50, required=False)
    external_id = Text(max_length=120, required=False)
    stage = Text(max_length=40, required=False)
    account = Text(max_length=200, required=False)
    participant = Text(max_length=60, required=False, help_text="Deals on whose team this person stands.")
    closed_from = Day(required=False)
    closed_before = Day(required=False)


class Deals(ListView):
    """Deals as they stand."""

    grants = {"GET": READ}
    output, asked = DealShown, DealsAsked

    def rows(self, asked: dict[str, Any]) -> QuerySet[Deal]:
        rows = Deal.objects.select_related("endpoint", "product", "account")
        if "endpoint" in asked:
            rows = rows.filter(endpoint=named(HookEndpoint, "endpoint", asked["endpoint"]))
        if "account" in asked:
            rows = rows.filter(account=named(Account, "account", asked["account"]))
        if "participant" in asked:
            person = named(Participant, "participant", asked["participant"])
            rows = rows.filter(id__in=DealTeam.objects.filter(participant=person).values("deal"))
        return rows.filter(
            *(Q(**{name: asked[name]}) for name in ("external_id", "stage") if name in asked),
            *between("close_date", asked, "closed_from", "closed_before"),
        )

    def about(self, rows: Sequence[Any]) -> dict[str, Any]:
        return {"teams": teams(DealTeam, "deal", rows)}


class OneDeal(ApiView):
    """A deal as it stands, and everything that was said of it."""

    grants = {"GET": READ}
    output = WholeDeal

    def get(self, request: Request, pk: int) -> Response:
        return self.shown(found(Deal.objects.select_related("endpoint", "product", "account"), pk=pk))

    def about(self, rows: Sequence[Any]) -> dict[str, Any]:
        return {"teams": teams(DealTeam, "deal", rows)}


class FactsAsked(PageAsked):
    kind = Text(max_length=20, required=False)
    endpoint = Text(max_length=50, required=False)
    deal = Whole(1, 2**63 - 1, required=False, help_text="The id of the deal that they belong to.")
    account = Text(max_length=200, required=False)
    participant = Text(max_length=60, required=False, help_text="Facts of a team of their own with this person.")
    from_day = Day(required=False)
    before_day = Day(required=False)


class Facts(ListView):
    """Every other fact as it stands: order lines, milestones, usage, invoices, receipts, refunds, activities, scores,
    hours."""

    grants = {"GET": READ}
    output, asked = FactShown, FactsAsked

    def rows(self, asked: dict[str, Any]) -> QuerySet[Fact]:
        rows = Fact.objects.select_related("endpoint", "product", "account")
        if "endpoint" in asked:
            rows = rows.filter(endpoint=named(HookEndpoint, "endpoint", asked["endpoint"]))
        if "account" in asked:
            rows = rows.filter(account=named(Account, "account", asked["account"]))
        if "participant" in asked:
            person = named(Participant, "participant", asked["participant"])
            rows = rows.filter(id__in=FactTeam.objects.filter(participant=person).values("fact"))
        return rows.filter(
            *(Q(**{name: asked[name]}) for name in ("kind", "deal") if name in asked),
            *between("day", asked, "from_day", "before_day"),
        )

    def about(self, rows: Sequence[Any]) -> dict[str, Any]:
        return {"teams": teams(FactTeam, "fact", rows)}


class OneFact(ApiView):
    """A fact as it stands, and everything that was said of it."""

    grants = {"GET": READ}
    output = WholeFact

    def get(self, request: Request, pk: int) -> Response:
        return self.shown(found(Fact.objects.select_related("endpoint", "product", "account"), pk=pk))

    def about(self, rows: Sequence[Any]) -> dict[str, Any]:
        return {"teams": teams(FactTeam, "fact", rows)}


def between(column: str, asked: dict[str, Any], first: str, behind: str) -> list[Q]:
    """Rows whose day lies in [first, behind), where one or both are asked for."""
    ends = {f"{column}__gte": asked.get(first), f"{column}__lt": asked.get(behind)}
    return [Q(**{name: day}) for name, day in ends.items() if day is not None]
