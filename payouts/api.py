"""Figures over the API: credits, earnings, statements, batches. Behind the pay wall, as the key's maker stands."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.urls import path, reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from comp.api.fields import Day, Key, Money, Text, Whole
from comp.api.grants import Grant
from comp.api.paging import PageAsked
from comp.api.views import ApiView, ListView, found, named
from comp.core.money import plain_money
from comp.people.models import Participant, PayGroup
from crediting.api.facts import between
from crediting.models import Credit
from payouts.models import Batch, BatchLine, Earning, Statement
from plans.models import Plan

FIGURES, STATEMENTS, BATCHES = Grant.FIGURES_READ, Grant.STATEMENTS_READ, Grant.BATCHES_READ


class OfPayAsked(PageAsked):
    participant = Text(max_length=60, required=False)
    plan = Text(max_length=50, required=False)
    fact = Whole(1, 2**63 - 1, required=False, help_text="The id of the deal or other fact.")
    credited_from = Day(required=False)
    credited_before = Day(required=False)


def of_pay(rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
    """Credits or earnings of a person, a plan, a fact, some days."""
    if "participant" in asked:
        rows = rows.filter(participant=named(Participant, "participant", asked["participant"]))
    if "plan" in asked:
        rows = rows.filter(plan=named(Plan, "plan", asked["plan"]))
    if "fact" in asked:
        rows = rows.filter(fact=asked["fact"])
    return rows.filter(*between("credit_date", asked, "credited_from", "credited_before"))


class CreditShown(serializers.ModelSerializer[Credit]):
    participant, plan = Key(), Key()
    plan_version = serializers.IntegerField(source="plan_version.number")
    rolled_up = serializers.SerializerMethodField()
    amount = Money()
    pot = Money("pot_minor", help_text="What is divided.")
    credit_date = Day(read_only=True)

    class Meta:
        model = Credit
        fields = (
            *("id", "participant", "fact", "deal", "revision", "plan", "plan_version", "rule", "role", "split"),
            *("credit_class", "rolled_up", "credit_date", "pot", "amount", "currency"),
        )

    def get_rolled_up(self, credit: Credit) -> bool:
        return credit.kind == 1


class Credits(ListView):
    """What each deal or other fact credits to whom, by which rule."""

    grants = {"GET": FIGURES}
    output, asked = CreditShown, OfPayAsked
    order = ("participant_id", "credit_date", "id")

    def rows(self, asked: dict[str, Any]) -> QuerySet[Credit]:
        return of_pay(Credit.objects.select_related("participant", "plan", "plan_version"), asked)


class EarningShown(serializers.ModelSerializer[Earning]):
    participant, plan = Key(), Key()
    plan_version = serializers.IntegerField(source="plan_version.number")
    kind = serializers.CharField(source="get_line_kind_display")
    credit = Money("credit_minor")
    rounded = Money("rounded_minor", help_text="Before caps.")
    earned = Money("earned_minor")
    credit_date = Day(read_only=True)
    period_starts_on = Day(read_only=True)
    trace = serializers.SerializerMethodField(help_text="The page that shows how it came about, step by step.")

    class Meta:
        model = Earning
        fields = (
            *("id", "kind", "participant", "fact", "deal", "origin", "plan", "plan_version", "component", "rule"),
            *("role", "split", "credit_date", "period_starts_on", "credit", "rounded", "earned", "currency", "trace"),
        )

    def get_trace(self, earning: Earning) -> str:
        return str(reverse("why", kwargs={"tenant": self.context["tenant"].slug, "pk": earning.pk}))


class Earnings(ListView):
    """What each credit, period, reversal or carried excess earns in one component."""

    grants = {"GET": FIGURES}
    output, asked = EarningShown, OfPayAsked
    order = ("participant_id", "credit_date", "id")

    def rows(self, asked: dict[str, Any]) -> QuerySet[Earning]:
        return of_pay(Earning.objects.select_related("participant", "plan", "plan_version"), asked)


class OneEarning(ApiView):
    """One line of what somebody earns."""

    grants = {"GET": FIGURES}
    output = EarningShown

    def get(self, request: Request, pk: int) -> Response:
        return self.shown(found(Earning.objects.select_related("participant", "plan", "plan_version"), pk=pk))


# ------------------------------------------------------------------ statements


class StatementShown(serializers.ModelSerializer[Statement]):
    participant, pay_group = Key(), Key()
    period_starts_on, period_ends_on = Day(read_only=True), Day(read_only=True)
    released, adjustments, payout = Money("released_minor"), Money("adjustments_minor"), Money("payout_minor")
    topped_up, recovered, withheld = Money("topped_up_minor"), Money("recovered_minor"), Money("withheld_minor")
    carried, forgiven = Money("carried_minor"), Money("forgiven_minor")

    class Meta:
        model = Statement
        fields = (
            *("id", "participant", "pay_group", "period_starts_on", "period_ends_on", "run", "state", "revision"),
            *("released", "adjustments", "topped_up", "recovered", "withheld", "carried", "forgiven"),
            *("payout", "currency", "lines", "digest", "calculated_at", "data_at"),
        )


class StatementsAsked(PageAsked):
    participant = Text(max_length=60, required=False)
    pay_group = Text(max_length=50, required=False)
    state = serializers.ChoiceField(choices=Statement.State.choices, required=False)
    from_day = Day(required=False, help_text="Pay periods that start on it or later.")
    before_day = Day(required=False, help_text="Pay periods that start before it.")


class Statements(ListView):
    """Each person's pay periods: what is released, what is adjusted, what is paid."""

    grants = {"GET": STATEMENTS}
    output, asked = StatementShown, StatementsAsked

    def rows(self, asked: dict[str, Any]) -> QuerySet[Statement]:
        rows = Statement.objects.select_related("participant", "pay_group")
        if "participant" in asked:
            rows = rows.filter(participant=named(Participant, "participant", asked["participant"]))
        if "pay_group" in asked:
            rows = rows.filter(pay_group=named(PayGroup, "pay_group", asked["pay_group"]))
        state = [Q(state=asked["state"])] if "state" in asked else []
        return rows.filter(*state, *between("period_starts_on", asked, "from_day", "before_day"))


class OneStatement(ApiView):
    """One person's pay period."""

    grants = {"GET": STATEMENTS}
    output = StatementShown

    def get(self, request: Request, pk: int) -> Response:
        return self.shown(found(Statement.objects.select_related("participant", "pay_group"), pk=pk))


# ------------------------------------------------------------------ batches


class BatchShown(serializers.ModelSerializer[Batch]):
    pay_group = Key()
    starts_on, ends_on, pay_on = Day(read_only=True), Day(read_only=True), Day(read_only=True)
    totals = serializers.SerializerMethodField(help_text="By currency.")
    submitted_by = serializers.CharField(allow_null=True)
    decided_by = serializers.CharField(allow_null=True)

    class Meta:
        model = Batch
        fields = (
            *("id", "pay_group", "name", "starts_on", "ends_on", "kind", "run", "pay_on", "state", "people", "lines"),
            *("totals", "digest", "locked_at", "submitted_by", "submitted_at", "decided_by", "decided_at"),
            *("posted_at", "paid_at", "closed_at"),
        )

    def get_totals(self, batch: Batch) -> dict[str, str]:
        return {currency: plain_money(minor, currency) for currency, minor in batch.totals.items()}


class BatchesAsked(PageAsked):
    pay_group = Text(max_length=50, required=False)
    state = serializers.ChoiceField(choices=Batch.State.choices, required=False)
    from_day = Day(required=False, help_text="Pay periods that start on it or later.")
    before_day = Day(required=False, help_text="Pay periods that start before it.")


class Batches(ListView):
    """Payout batches and where they stand."""

    grants = {"GET": BATCHES}
    output, asked = BatchShown, BatchesAsked

    def rows(self, asked: dict[str, Any]) -> QuerySet[Batch]:
        rows = Batch.objects.select_related("pay_group", "submitted_by", "decided_by")
        if "pay_group" in asked:
            rows = rows.filter(pay_group=named(PayGroup, "pay_group", asked["pay_group"]))
        state = [Q(state=asked["state"])] if "state" in asked else []
        return rows.filter(*state, *between("starts_on", asked, "from_day", "before_day"))


class OneBatch(ApiView):
    """One payout batch."""

    grants = {"GET": BATCHES}
    output = BatchShown

    def get(self, request: Request, pk: int) -> Response:
        return self.shown(found(Batch.objects.select_related("pay_group", "submitted_by", "decided_by"), pk=pk))


class BatchLineShown(serializers.ModelSerializer[BatchLine]):
    participant, plan = Key(), Key()
    amount = Money()
    credit_date, period_starts_on = Day(read_only=True), Day(read_only=True)
    origin_starts_on = Day(read_only=True)

    class Meta:
        model = BatchLine
        fields = (
            *("id", "participant", "fact", "deal", "plan", "component", "rule", "role", "split", "kind"),
            *("credit_date", "period_starts_on", "origin_starts_on", "amount", "currency"),
        )


class BatchLines(ListView):
    """What a batch pays, line by line."""

    grants = {"GET": BATCHES}
    output = BatchLineShown

    def rows(self, asked: dict[str, Any]) -> QuerySet[BatchLine]:
        batch = found(Batch.objects.all(), pk=self.kwargs["pk"])
        return BatchLine.objects.filter(batch=batch).select_related("participant", "plan")


urlpatterns = [
    path("credits", Credits.as_view(), name="api_credits"),
    path("earnings", Earnings.as_view(), name="api_earnings"),
    path("earnings/<int:pk>", OneEarning.as_view(), name="api_earning"),
    path("statements", Statements.as_view(), name="api_statements"),
    path("statements/<int:pk>", OneStatement.as_view(), name="api_statement"),
    path("batches", Batches.as_view(), name="api_batches"),
    path("batches/<int:pk>", OneBatch.as_view(), name="api_batch"),
    path("batches/<int:pk>/lines", BatchLines.as_view(), name="api_batch_lines"),
]
