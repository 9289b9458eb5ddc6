"""The roster over the API: many people at once, tried or applied, all of them or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import path
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from comp.api.fields import Body, Day, Text
from comp.api.grants import Grant
from comp.api.views import ApiView, once
from comp.core.errors import Problem, ProblemsError
from payouts.reads.affected import affected_rows
from plans.roster import Outcome, roster_apply
from plans.roster_file import DAYS, LENGTHS, RosterRow, RowError, Target

#: People in one call; more are for several.
MOST = 2_000


class TargetBody(Body):
    key = Text(max_length=50)
    starts_on = Day()
    ends_on = Day(help_text="The first day behind the measure period.")
    amount = Text(max_length=40, help_text="Plain digits with a point, in the company's currency.")


class RosterRowBody(Body):
    """What somebody is as of a day. What is left out stays as it is; null ends it."""

    employee = Text(max_length=60, help_text="The employee number.")
    as_of = Day(required=False, help_text="Today, or the first day, where it is left out.")
    name = Text(max_length=LENGTHS["name"], required=False)
    email = Text(max_length=LENGTHS["email"], required=False, allow_null=True)
    hired = Day(required=False)
    left = Day(required=False, allow_null=True, help_text="The first day no longer employed.")
    title = Text(max_length=LENGTHS["title"], required=False)
    role = Text(max_length=50, required=False)
    team = Text(max_length=50, required=False, allow_null=True)
    territory = Text(max_length=50, required=False, allow_null=True)
    manager = Text(max_length=60, required=False, allow_null=True, help_text="Their employee number.")
    region = Text(max_length=LENGTHS["region"], required=False, allow_null=True)
    position = Text(max_length=LENGTHS["position"], required=False, allow_null=True)
    pool = Text(max_length=LENGTHS["pool"], required=False, allow_null=True)
    cost_centre = Text(max_length=LENGTHS["cost_centre"], required=False, allow_null=True)
    entity = Text(max_length=LENGTHS["entity"], required=False, allow_null=True)
    pay_group = Text(max_length=50, required=False)
    currency = Text(max_length=3, required=False, help_text="What somebody new is paid in, for good.")
    leave_from = Day(required=False)
    leave_to = Day(required=False, allow_null=True, help_text="The first day back.")
    targets = TargetBody(many=True, required=False, max_length=100)


class RosterBody(Body):
    rows = RosterRowBody(many=True, allow_empty=False, max_length=MOST)
    dry_run = serializers.BooleanField(default=False, help_text="Only say what it would change, and whose figures.")


class ChangeShown(serializers.Serializer[Any]):
    employee, kind, name, what = (serializers.CharField() for _ in range(4))
    since = Day()


class ErrorShown(serializers.Serializer[Any]):
    field, found, allowed, message = (serializers.CharField(allow_blank=True) for _ in range(4))


class AffectedShown(serializers.Serializer[Any]):
    """Whose figures may move: since when (null: all of them), and in how many posted periods, by adjustment."""

    employee = serializers.CharField(source="person.key")
    since = Day(allow_null=True)
    posted = serializers.IntegerField()


class RosterShown(serializers.Serializer[Any]):
    applied = serializers.BooleanField()
    changes = ChangeShown(many=True)
    errors = ErrorShown(many=True)
    affected = AffectedShown(many=True)


class Roster(ApiView):
    """POST says what people are as of a day: joiners, movers, leavers, who is hired again, leave, managers, targets.
    Dated back it changes the days until what is known next. All rows are applied or none; `dry_run` applies none, and
    says what they would change and whose figures that may move. Targets need the grant `quotas:write` too."""

    grants = {"POST": Grant.PEOPLE_WRITE}
    output, inputs, written = RosterShown, {"POST": RosterBody}, {"POST": 200}

    @once
    def post(self, request: Request) -> Response:
        said = self.body(request)
        if any(row.get("targets") for row in said["rows"]) and Grant.QUOTAS_WRITE not in request._request.grants:
            raise PermissionDenied(f"targets need a key with the grant {Grant.QUOTAS_WRITE}")
        rows = [_row(place, row) for place, row in enumerate(said["rows"])]
        outcome = roster_apply(rows=rows, errors=_twice(rows), dry_run=said["dry_run"])
        errors = [_problem(error) for error in outcome.errors]
        if errors and not said["dry_run"]:
            raise ProblemsError(errors)
        return self.shown(_answer(outcome, errors))


def _row(place: int, said: Mapping[str, Any]) -> RosterRow:
    targets = {
        Target(f"targets[{number}].amount", one["key"], one["starts_on"], one["ends_on"]): one["amount"]
        for number, one in enumerate(said.get("targets", ()))
    }
    days = {name: said[name] for name in DAYS if name in said}
    texts = {name: value or "" for name, value in said.items() if name not in (*DAYS, "targets", "employee")}
    return RosterRow(place, said["employee"], texts, days, targets)


def _twice(rows: Sequence[RosterRow]) -> list[RowError]:
    seen: dict[Any, int] = {}
    found = []
    for row in rows:
        first = seen.setdefault((row.employee, row.days.get("as_of")), row.line)
        if first != row.line:
            message = f"rows[{first}] speaks of {row.employee} as of that day already."
            found.append(RowError(row.line, "employee", row.employee, "one row a person and day", message))
    return found


def _problem(error: RowError) -> Problem:
    at = f"rows[{error.line}]" + (f".{error.column}" if error.column else "")
    return Problem(at, error.found, error.allowed, error.message)


def _answer(outcome: Outcome, errors: Sequence[Problem]) -> dict[str, Any]:
    told = [{"field": p.path, "found": p.found, "allowed": p.allowed, "message": p.message} for p in errors]
    affected = affected_rows(outcome.affected)
    return {"applied": outcome.applied, "changes": outcome.changes, "errors": told, "affected": affected}


urlpatterns = [path("roster", Roster.as_view(), name="api_roster")]
