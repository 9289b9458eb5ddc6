"""Territory alignment over the API: sets of rules, tried or put in force."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from comp.api.fields import Body, Day, Key, Text
from comp.api.grants import Grant
from comp.api.views import ApiView, ListView, found, once
from comp.core.errors import Problem, ProblemsError
from comp.people.models import Participant
from crediting.models import Alignment, AlignmentRule
from crediting.services.alignment_file import COLUMNS
from crediting.services.alignments import Preview, alignment_apply, alignment_preview, alignment_store

#: Rules in one call, and changes that a trial tells one by one; all of them are counted.
MOST, TOLD = 5_000, 1_000


class RuleBody(Body):
    """Whose deals are those of a customer, place and product, for a credit role. What is left out asks for nothing."""

    role = Text(max_length=50)
    account = Text(max_length=200, required=False, help_text="A key.")
    country = Text(max_length=80, required=False)
    state = Text(max_length=80, required=False)
    postal = Text(max_length=20, required=False, help_text="The beginning of a code.")
    product = Text(max_length=120, required=False, help_text="A key.")
    family = Text(max_length=80, required=False)
    participant = Text(max_length=60, required=False, help_text="An employee number; or a position.")
    position = Text(max_length=120, required=False, help_text="Whoever holds it on the day.")
    starts_on = Day()
    ends_on = Day(required=False, allow_null=True, help_text="The first day after.")


class AlignmentBody(Body):
    name = Text(max_length=200)
    rules = RuleBody(many=True, allow_empty=False, max_length=MOST)
    dry_run = serializers.BooleanField(default=False, help_text="Only say what it would change.")


class AlignmentShown(serializers.ModelSerializer[Alignment]):
    class Meta:
        model = Alignment
        fields = ("id", "number", "name", "rows", "uploaded_at", "applied_at", "counts")


class AlignedChange(serializers.Serializer[Any]):
    deal = serializers.CharField()
    role = serializers.CharField()
    before = serializers.CharField(allow_null=True)
    after = serializers.CharField(allow_null=True)


class TouchedShown(serializers.Serializer[Any]):
    participant = serializers.CharField()
    gains, loses = serializers.IntegerField(), serializers.IntegerField()
    since = Day()


class Outcome(serializers.Serializer[Any]):
    """`number` is null where it was only tried. Of `changes` the first 1,000; all of them are counted."""

    number = serializers.IntegerField(allow_null=True)
    deals, vacant = serializers.IntegerField(), serializers.IntegerField()
    changes = AlignedChange(many=True)
    people = TouchedShown(many=True)


class Alignments(ListView):
    """Sets of rules; of those with a number the greatest is in force."""

    grants = {"GET": Grant.PEOPLE_READ}
    output = AlignmentShown

    def rows(self, asked: dict[str, Any]) -> QuerySet[Alignment]:
        return Alignment.objects.all()


class RuleShown(serializers.ModelSerializer[AlignmentRule]):
    account, product, participant = Key(allow_null=True), Key(allow_null=True), Key(allow_null=True)
    starts_on = Day(read_only=True)
    ends_on = Day(read_only=True, allow_null=True)

    class Meta:
        model = AlignmentRule
        fields = (
            *("line", "role", "account", "country", "state", "postal", "product", "family"),
            *("participant", "position", "starts_on", "ends_on"),
        )


class AlignmentRules(ListView):
    """The rules of a set."""

    grants = {"GET": Grant.PEOPLE_READ}
    output = RuleShown

    def rows(self, asked: dict[str, Any]) -> QuerySet[AlignmentRule]:
        alignment = found(Alignment.objects.all(), pk=self.kwargs["pk"])
        rules = AlignmentRule.objects.filter(alignment=alignment)
        return rules.select_related("account", "product", "participant")


class Align(ApiView):
    """POST puts a set of rules in force in place of the one before, or with `dry_run` says what that would change:
    whose deals would be others', before and after."""

    grants = {"POST": Grant.PEOPLE_WRITE}
    output, inputs, written = Outcome, {"POST": AlignmentBody}, {"POST": 200}

    @once
    def post(self, request: Request) -> Response:
        said = self.body(request)
        rows = [(place, _given(rule)) for place, rule in enumerate(said["rules"])]
        with transaction.atomic():
            alignment, wrong = alignment_store(name=said["name"], rows=rows, by=request.user)
            if alignment is None:
                raise ProblemsError(_at(place, one) for place, one in wrong)
            preview = alignment_preview(alignment=alignment)
            if said["dry_run"]:
                transaction.set_rollback(True)
            else:
                alignment = alignment_apply(alignment=alignment, by=request.user)
        return self.shown(_outcome(alignment.number, preview))


def _given(rule: dict[str, Any]) -> dict[str, str]:
    """A rule in the words of a file."""
    days = {name: rule[name].isoformat() for name in ("starts_on", "ends_on") if rule.get(name)}
    texts = {name: rule[name] for name in COLUMNS if name in rule}
    return {**texts, "from": days["starts_on"], "until": days.get("ends_on", "")}


def _at(place: int, one: Problem) -> Problem:
    path = {"from": "starts_on", "until": "ends_on"}.get(one.path, one.path)
    return Problem(f"rules[{place}].{path}", one.found, one.allowed, one.message)


def _outcome(number: int | None, preview: Preview) -> dict[str, Any]:
    keys: dict[int | None, str] = dict(
        Participant.objects.filter(id__in=[one.participant for one in preview.people]).values_list("id", "key")
    )
    changes = [
        {"deal": one.deal.external_id, "role": one.role, "before": keys.get(one.before), "after": keys.get(one.after)}
        for one in preview.changes[:TOLD]
    ]
    people = [
        {"participant": keys[one.participant], "gains": one.gains, "loses": one.loses, "since": one.since}
        for one in preview.people
    ]
    return {
        "number": number, "deals": preview.deals, "vacant": preview.vacant, "changes": changes, "people": people,
    }  # fmt: skip
