"""Disputes over the API, by those who handle them: the queue, one with its thread, and each step. docs/disputes.md"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from comp.api.fields import Body, Day, Key, Money, Text, Whole
from comp.api.grants import Grant
from comp.api.paging import PageAsked
from comp.api.views import ApiView, ListView, found, named, once
from comp.core.errors import refused
from comp.core.money import MoneyError, parse_money
from comp.people.models import Participant
from comp.tenancy.models import User
from crediting.models import Deal, Fact
from payouts.models import Adjustment, Dispute, DisputeEntry, Earning, Statement
from payouts.reads.disputes import adjustment_named, handlers
from payouts.services import disputes
from plans.models import PlanVersion

READ, WRITE = Grant.DISPUTES_READ, Grant.DISPUTES_WRITE
_ID = 2**63 - 1


class EntryShown(serializers.ModelSerializer[DisputeEntry]):
    said_by = serializers.CharField()
    owner = serializers.CharField(allow_null=True)
    promised_on = Day(allow_null=True)

    class Meta:
        model = DisputeEntry
        fields = ("id", "kind", "words", "owner", "promised_on", "said_by", "said_at")


class DisputeShown(serializers.ModelSerializer[Dispute]):
    number = serializers.CharField(source="name")
    participant, pay_group, plan = Key(), Key(), Key(allow_null=True)
    period_starts_on = Day(source="pay_period")
    opened_by, owner = serializers.CharField(), serializers.CharField(allow_null=True)
    decided_by = serializers.CharField(allow_null=True)
    promised_on = Day(allow_null=True)
    expected = Money("expected_minor", help_text="Of a line in all; of a statement what it lacks.")
    before = Money("before_minor", help_text="What the line earned, or the statement paid, at the opening.")
    after = Money("after_minor", help_text="The same at the decision.")
    at_stake = Money("stake_minor")
    adjustment = serializers.CharField(source="by_adjustment", allow_null=True)
    changed_deal = serializers.IntegerField(source="by_deal_id", allow_null=True)
    changed_fact = serializers.IntegerField(source="by_fact_id", allow_null=True)
    changed_version = serializers.IntegerField(source="by_version_id", allow_null=True)

    class Meta:
        model = Dispute
        fields = (
            *("id", "number", "state", "about", "category", "participant", "pay_group", "plan", "component", "fact"),
            *("deal", "period_starts_on", "run", "expectation", "copied", "expected", "before", "after", "at_stake"),
            *("currency", "opened_by", "opened_at", "owner", "promised_on", "decision", "decision_words"),
            *("decided_by", "decided_at", "adjustment", "changed_deal", "changed_fact", "changed_version"),
            "withdrawn_at",
        )


class WholeDispute(DisputeShown):
    thread = serializers.SerializerMethodField()

    class Meta:
        model = Dispute
        fields = (*DisputeShown.Meta.fields, "thread")

    @extend_schema_field(EntryShown(many=True))
    def get_thread(self, row: Dispute) -> Any:
        rows = DisputeEntry.objects.filter(dispute=row).select_related("said_by", "owner").order_by("id")
        return EntryShown(rows, many=True).data


class DisputesAsked(PageAsked):
    participant = Text(max_length=60, required=False)
    state = serializers.ChoiceField(choices=Dispute.State.choices, required=False)


class OpenBody(Body):
    earning = Whole(1, _ID, required=False, help_text="The id of the earning that is questioned; or a statement.")
    statement = Whole(1, _ID, required=False, help_text="The id of the statement in which something is missing.")
    category = serializers.ChoiceField(choices=Dispute.Category.choices)
    expectation = Text(max_length=disputes.WORDS, help_text="What the person expected, and why.")
    expected = Text(max_length=40, required=False, help_text="Plain digits with a point, in the line's currency.")


class SayBody(Body):
    words = Text(max_length=disputes.WORDS)


class TakeBody(Body):
    owner = Text(max_length=254, required=False, help_text="Their e-mail address; whose key it is where left out.")
    promised_on = Day()


class DecideBody(Body):
    decision = serializers.ChoiceField(choices=Dispute.Decision.choices)
    words = Text(max_length=disputes.WORDS, help_text="Why; the person reads it.")
    deal = Whole(1, _ID, required=False, help_text="The id of the deal that was put right, or whose split changed.")
    fact = Whole(1, _ID, required=False, help_text="The same of another fact.")
    plan_version = Whole(1, _ID, required=False, help_text="The id of the plan version that puts it right.")
    adjustment = Text(max_length=20, required=False, help_text="The number of an approved one, such as ADJ-000012.")


def rows() -> QuerySet[Dispute]:
    return Dispute.objects.select_related(
        "participant__pay_group", "pay_group", "plan", "deal", "opened_by", "owner", "decided_by", "by_adjustment"
    )


def _seen(pk: int) -> Dispute:
    row: Dispute = found(rows(), pk=pk)
    return row


class Disputes(ListView):
    """Disputes of those whose pay the key shows. POST opens one in the place of the person."""

    grants = {"GET": READ, "POST": WRITE}
    output, asked, inputs = DisputeShown, DisputesAsked, {"POST": OpenBody}

    def rows(self, asked: dict[str, Any]) -> QuerySet[Dispute]:
        narrowed = rows()
        if "participant" in asked:
            narrowed = narrowed.filter(participant=named(Participant, "participant", asked["participant"]))
        return narrowed.filter(state=asked["state"]) if "state" in asked else narrowed

    def again(self, pk: int) -> Dispute:
        return _seen(pk)

    @once
    def post(self, request: Request) -> Response:
        said = self.body(request)
        what = {name: _one(model, name, said.get(name)) for name, model in _QUESTIONED.items()}
        row = what["earning"] or what["statement"]
        text = said.get("expected")
        try:
            expected = parse_money(text, row.currency) if text is not None and row is not None else None
        except MoneyError as error:
            raise refused("expected", text, "an amount", str(error)) from None
        made = disputes.dispute_open(
            by=request.user, category=said["category"], expectation=said["expectation"], expected_minor=expected, **what
        )
        return self.shown(rows().get(pk=made.pk), 201)


class OneDispute(ApiView):
    """A dispute with its thread."""

    grants = {"GET": READ}
    output = WholeDispute

    def get(self, request: Request, pk: int) -> Response:
        return self.shown(_seen(pk))


class Step(ApiView):
    """One step of a dispute: the same services as the pages, as whose key it is."""

    grants = {"POST": WRITE}
    output, written = WholeDispute, {"POST": 200}

    def step(self, request: Request, row: Dispute, said: dict[str, Any]) -> None:
        raise NotImplementedError

    def again(self, pk: int) -> Dispute:
        return _seen(pk)

    @once
    def post(self, request: Request, pk: int) -> Response:
        row = _seen(pk)
        self.step(request, row, self.body(request))
        return self.shown(rows().get(pk=row.pk))


class DisputeSay(Step):
    """POST adds to the thread."""

    inputs = {"POST": SayBody}

    def step(self, request: Request, row: Dispute, said: dict[str, Any]) -> None:
        disputes.dispute_say(dispute=row, by=request.user, **said)


class DisputeTake(Step):
    """POST says who looks after it, and by when it is decided."""

    inputs = {"POST": TakeBody}

    def step(self, request: Request, row: Dispute, said: dict[str, Any]) -> None:
        owner = _owner(row, said["owner"]) if "owner" in said else request.user
        disputes.dispute_take(dispute=row, by=request.user, owner=owner, promised_on=said["promised_on"])


class DisputeDecide(Step):
    """POST decides it, with the change that answers it. 422 while the person's figures are being worked out anew."""

    inputs = {"POST": DecideBody}

    def step(self, request: Request, row: Dispute, said: dict[str, Any]) -> None:
        disputes.dispute_decide(
            dispute=row, by=request.user, decision=said["decision"], words=said["words"],
            deal=_one(Deal, "deal", said.get("deal")), fact=_one(Fact, "fact", said.get("fact")),
            version=_one(PlanVersion, "plan_version", said.get("plan_version")),
            adjustment=_adjustment(said.get("adjustment")),
        )  # fmt: skip


class DisputeWithdraw(Step):
    """POST takes back what whose key it is opened."""

    inputs = {"POST": None}

    def step(self, request: Request, row: Dispute, said: dict[str, Any]) -> None:
        disputes.dispute_withdraw(dispute=row, by=request.user)


_QUESTIONED: dict[str, Any] = {"earning": Earning, "statement": Statement}


def _one(model: Any, field: str, pk: int | None) -> Any:
    """The row that a body names by its id; None for none."""
    if pk is None:
        return None
    row = model.objects.filter(pk=pk).first()
    if row is None:
        kind = str(model._meta.verbose_name)
        raise refused(field, pk, f"the id of a {kind}", f"There is no {kind} {pk}.")
    return row


def _owner(row: Dispute, email: str) -> User:
    for user in handlers(row.participant.pay_group):
        if user.email.lower() == email.lower():
            return user
    raise refused("owner", email, "the address of who handles disputes", f"Nobody at {email} handles disputes.")


def _adjustment(name: str | None) -> Adjustment | None:
    if name is None:
        return None
    row = adjustment_named(name)
    if row is None:
        raise refused("adjustment", name, "the number of an adjustment", f"There is no adjustment {name!r}.")
    return row


urlpatterns = [
    path("disputes", Disputes.as_view(), name="api_disputes"),
    path("disputes/<int:pk>", OneDispute.as_view(), name="api_dispute"),
    path("disputes/<int:pk>/say", DisputeSay.as_view(), name="api_dispute_say"),
    path("disputes/<int:pk>/take", DisputeTake.as_view(), name="api_dispute_take"),
    path("disputes/<int:pk>/decide", DisputeDecide.as_view(), name="api_dispute_decide"),
    path("disputes/<int:pk>/withdraw", DisputeWithdraw.as_view(), name="api_dispute_withdraw"),
]
