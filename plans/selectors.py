"""Reading plans: what is in force, and what it compiles to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from django.db.models import Count, Q, QuerySet

from comp.audit.models import AuditEntry
from comp.core.errors import CompError, Problem
from comp.people.models import Participant, Position
from comp.people.selectors import in_force
from plans.models import Plan, PlanAssignment, PlanVersion, Quota
from plans.rules.checks import check
from plans.rules.compile import compile_plan
from plans.rules.compiled import CompiledPlan, OwnPeriods
from plans.rules.values import Document


class DamagedVersion(CompError):
    """A stored document does not have the digest stored beside it."""


def versions_in_force(as_of_day: date) -> list[PlanVersion]:
    """The published versions, one a plan at most, whose days hold the day."""
    rows = PlanVersion.objects.filter(in_force(as_of_day), state=PlanVersion.State.PUBLISHED)
    return list(rows.select_related("plan").order_by("plan__key"))


def version_in_force(*, plan_id: int, day: date) -> PlanVersion | None:
    """The published version of one plan whose days hold the day."""
    rows = PlanVersion.objects.filter(in_force(day), plan_id=plan_id, state=PlanVersion.State.PUBLISHED)
    return rows.select_related("plan").first()


def compiled(version: PlanVersion) -> CompiledPlan:
    """What the kernels read. Equal documents are compiled once a process."""
    plan = _compile(version.document)
    if plan.digest != version.digest:
        raise DamagedVersion(f"{version}: the document's digest is {plan.digest}, stored is {version.digest}.")
    return plan


def document(version: PlanVersion) -> Document:
    """A version's document, a new one at each call: callers may edit it."""
    found: Document = json.loads(version.document)
    return found


def warnings(version: PlanVersion) -> list[Problem]:
    """What is allowed in a version's document and likely to surprise."""
    return [problem for problem in check(document(version)) if problem.severity == "warning"]


# ------------------------------------------------------------------ lists


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan as the list shows it. `version` is the one to look at: in force, else the next to be, else the last."""

    plan: Plan
    version: PlanVersion | None
    state: str  # in_force, coming, draft, ended, empty
    drafts: int
    people: int
    changed_at: datetime | None


def plan_rows(day: date, *, state: str = "") -> list[PlanRow]:
    """All plans by name (or those in one state), as they stand on a day."""
    people = dict(
        PlanAssignment.objects.filter(in_force(day)).values_list("plan").annotate(Count("participant", distinct=True))
    )
    versions: dict[int, list[PlanVersion]] = {}
    for version in PlanVersion.objects.defer("document").order_by("starts_on", "number"):
        versions.setdefault(version.plan_id, []).append(version)
    rows = []
    for plan in Plan.objects.order_by("name"):
        own = versions.get(plan.pk, [])
        shown, found = shown_version(own, day)
        changed = max((version.published_at or version.prepared_at for version in own), default=None)
        drafts = sum(version.state == PlanVersion.State.DRAFT for version in own)
        rows.append(PlanRow(plan, shown, found, drafts, people.get(plan.pk, 0), changed))
    if state == "draft":
        return [row for row in rows if row.drafts]
    return [row for row in rows if not state or row.state == state]


def shown_version(versions: list[PlanVersion], day: date) -> tuple[PlanVersion | None, str]:
    """The version of one plan to look at on a day, and the plan's state by it. `versions` by start and number."""
    published = [version for version in versions if version.state == PlanVersion.State.PUBLISHED]
    now = [row for row in published if row.starts_on <= day and (row.ends_on is None or day < row.ends_on)]
    coming = [row for row in published if row.starts_on > day]
    drafts = [row for row in versions if row.state == PlanVersion.State.DRAFT]
    for rows, state in ((now, "in_force"), (coming[:1], "coming"), (drafts[-1:], "draft"), (published[-1:], "ended")):
        if rows:
            return rows[0], state
    return None, "empty"


def plan_history(plan: Plan) -> QuerySet[AuditEntry]:
    """What was done to a plan and its versions, newest first."""
    numbers = [str(pk) for pk in PlanVersion.objects.filter(plan=plan).values_list("id", flat=True)]
    own = Q(subject_kind="plans.plan", subject_id=str(plan.pk))
    return AuditEntry.objects.filter(own | Q(subject_kind="plans.planversion", subject_id__in=numbers)).order_by(
        "-number"
    )


def plan_people(plan: Plan, day: date) -> QuerySet[PlanAssignment]:
    """Assignments to a plan that hold on a day or later, by name."""
    rows = PlanAssignment.objects.filter(Q(ends_on=None) | Q(ends_on__gt=day), plan=plan)
    return rows.select_related("participant").order_by("participant__name", "starts_on")


def titles(participants: list[int], day: date) -> dict[int, str]:
    """What these participants are on a day."""
    rows = Position.objects.filter(in_force(day), participant_id__in=participants)
    return dict(rows.values_list("participant_id", "title"))


def people_on_plans(*, search: str = "", plan: Plan | None = None) -> QuerySet[Participant]:
    """Participants by name, narrowed by a part of the name or number, or to those ever on a plan."""
    rows = Participant.objects.order_by("name", "id")
    if search:
        rows = rows.filter(Q(name__icontains=search) | Q(key__icontains=search))
    if plan is not None:
        rows = rows.filter(id__in=PlanAssignment.objects.filter(plan=plan).values("participant_id"))
    return rows


def assignments_of(participants: list[int]) -> dict[int, list[PlanAssignment]]:
    """All assignments of these participants, by participant, in order of time."""
    found: dict[int, list[PlanAssignment]] = {}
    rows = PlanAssignment.objects.filter(participant_id__in=participants).select_related("plan", "participant")
    for row in rows.order_by("starts_on", "plan__name"):
        found.setdefault(row.participant_id, []).append(row)
    return found


def own_periods() -> set[tuple[int, int]]:
    """The measure periods that plans in force, or drafts, state themselves: as day numbers, half-open."""
    versions = PlanVersion.objects.exclude(state=PlanVersion.State.SUPERSEDED).filter(document__contains='"periods"')
    return {
        days
        for document in versions.values_list("document", flat=True)
        for component in _compile(document).components
        if isinstance(component.every, OwnPeriods)
        for days in component.every.spans
    }


def quota_periods() -> list[tuple[date, date]]:
    """The periods that have quotas, newest first."""
    rows = Quota.objects.order_by("-starts_on", "-ends_on").values_list("starts_on", "ends_on").distinct()
    return [(starts_on, ends_on) for starts_on, ends_on in rows]


def quotas(*, starts_on: date, ends_on: date, search: str = "") -> QuerySet[Quota]:
    """The quotas of one period by person."""
    rows = Quota.objects.filter(starts_on=starts_on, ends_on=ends_on).select_related("participant")
    if search:
        rows = rows.filter(Q(participant__name__icontains=search) | Q(key__icontains=search))
    return rows.order_by("participant__name", "key")


@lru_cache(maxsize=256)
def _compile(document: str) -> CompiledPlan:
    return compile_plan(json.loads(document))
