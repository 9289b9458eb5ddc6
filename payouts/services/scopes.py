"""Which figures a change can touch: news (outbox) become causes and changed scopes, which payouts.services.claims takes
up."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.utils import timezone

from comp.core.calendars import PayCalendar
from comp.core.days import DayError, day_date, day_number, parse_day
from comp.outbox.services import JOBS, ring
from comp.people.models import Participant
from comp.tenancy.rows import rows_change, rows_read, rows_store
from comp.tenancy.scope import current_tenant_id
from crediting.models import Deal, DealRevision
from payouts.frames.read import YEARS, Versions, calendars, credit_days, enclosing, read_versions
from payouts.frames.read_fields import fields_of, is_day
from payouts.frames.read_kept import components_keeping
from payouts.frames.read_openings import people_waiting
from payouts.frames.span import longest
from payouts.frames.sql import numbers
from payouts.models import Batch, Cause, RecomputeJob
from payouts.services.claims import FOREVER
from payouts.services.covered import covered_tell
from payouts.services.readers import ReportingLines, plans_of, readers_of
from plans.models import PlanAssignment, PlanVersion
from plans.rules.specialise import stated

#: The columns of a cause, but for its moment.
_OF_CAUSE = ("kind", "label", "deal_id", "delivery_id", "plan_version_id", "actor")
#: Of so many people those above are looked for by each.
EACH = 1000
#: A change that touches so many people over LONG or more is a job: with progress, in chunks, beside the daily work.
MANY, LONG = 20, timedelta(days=80)


class Marked(NamedTuple):
    """Whose figures of which days a cause changes. `later`: as a consequence of other people's."""

    participant_id: int
    from_day: date
    to_day: date
    later: bool = False


# ------------------------------------------------------------------ from news to scopes


def on_facts_changed(payload: dict[str, Any]) -> None:
    """Facts of deals changed: the people on them, and those above to whom credit rolls up, for the credit dates before
    and after that their own plans go by; and those whose openings wait for a milestone of them."""
    versions = read_versions()
    fields, rises = _by_plan(versions)
    if not any(fields.values()):
        return
    teams = {person for change in payload["changes"] for person in change["participants"]}
    above = ReportingLines(teams)
    every = set().union(*fields.values())
    custom = sorted(field[7:] for field in every if field.startswith("custom."))
    customs = _custom_dates(custom, [c["deal"] for c in payload["changes"]])
    covered_tell([_with_custom(change, customs) for change in payload["changes"]])
    stated_days = {name: {parse_day(name)} for name in every if is_day(name)}
    held = plans_of(above.ever(teams))
    opened: dict[int, set[tuple[int, date]]] = defaultdict(set)
    reached = [change["deal"] for change in payload["changes"] if change["kind"] == "milestone"]
    for deal, person, day in people_waiting(reached) if reached else ():
        opened[deal].add((person, day))
    causes: list[Cause] = []
    for change in payload["changes"]:
        days = {name: {parse_day(text) for text in texts} for name, texts in change["dates"].items()}
        days |= stated_days | {f"custom.{name}": found for name, found in customs.get(change["deal"], {}).items()}
        team = set(change["participants"])
        found: set[tuple[int, date]] = set()
        for field in days.keys() & every:
            going = {plan for plan, names in fields.items() if field in names}
            rolling = {plan: rises[plan] for plan in going if rises[plan]}
            for day in days[field]:
                found |= {(person, day) for person in team if held[person] & going}
                higher = above.of(team, day, max(rolling.values(), default=0)) - team
                found |= {(person, day) for person in higher if held[person] & rolling.keys()}
        found |= opened[change["deal"]]
        if not found:
            continue
        causes.append(
            Cause(
                kind=change["kind"],
                label=change["label"][:300],
                deal_id=change["deal"],
                delivery_id=change.get("delivery"),
            )
        )
        for person, day in sorted(found):
            _mark(causes[-1], person, day, day + timedelta(days=1), later=person not in team)
    _save(causes, versions)


def on_facts_loaded(payload: dict[str, Any]) -> None:
    """Many new deals came with one file: the people on them and whoever stood above them, each once, from the first to
    the last of the credit dates that their own plans go by. It is a job, however many people it is of."""
    versions = read_versions()
    fields, rises = _by_plan(versions)
    every = set().union(*fields.values())
    teams = set(map(int, payload["people"]))
    # Of many all are read at once: those above each are looked for one by one.
    above = ReportingLines(teams if len(teams) <= EACH else None)
    held = plans_of(above.ever(teams))
    stated_days = {name: [parse_day(name)] * 2 for name in every if is_day(name)}
    cause = Cause(kind=Cause.Kind.DEAL, label=payload["label"][:300], delivery_id=payload["delivery"])
    spans: dict[tuple[int, bool], tuple[date, date]] = {}

    def widen(person: int, first: date, last: date, *, later: bool) -> None:
        start, end = spans.get((person, later), (first, last))
        spans[person, later] = min(start, first), max(end, last)

    for key, dates in payload["people"].items():
        person = int(key)
        higher = above.ever({person}) - {person}
        days = {name: list(map(parse_day, dates[name])) for name in dates.keys() & every} | stated_days
        for field, (first, last) in days.items():
            going = {plan for plan, names in fields.items() if field in names}
            rolling = {plan for plan in going if rises[plan]}
            if held[person] & going:
                widen(person, first, last, later=False)
            for one in higher:
                if held[one] & rolling:
                    widen(one, first, last, later=True)
    for (person, later), (first, last) in sorted(spans.items()):
        _mark(cause, person, first, last + timedelta(days=1), later=later)
    _save([cause], versions, large=True)


def _by_plan(versions: Versions) -> tuple[dict[int, set[str]], dict[int, int]]:
    """Of each plan in force: the dates that its lines go by, and how many levels its credit rolls up."""
    fields: dict[int, set[str]] = defaultdict(set)
    rises: dict[int, int] = defaultdict(int)
    for plan, compiled, levels in zip(versions.plan_id, versions.compiled, versions.levels(), strict=True):
        fields[plan].update(fields_of((compiled,)).days)
        rises[plan] = max(rises[plan], levels)
    return fields, rises


def _custom_dates(names: list[str], deals: list[int]) -> dict[int, dict[str, set[date]]]:
    """Every date that any revision of these deals gave to the custom fields that plans take as a credit date, by deal
    and field."""
    found: dict[int, dict[str, set[date]]] = defaultdict(lambda: defaultdict(set))
    if not names:
        return found
    known = {(deal.endpoint_id, deal.external_id): deal.pk for deal in Deal.objects.filter(id__in=deals)}
    revisions = DealRevision.objects.filter(external_id__in=[external_id for _, external_id in known])
    for endpoint, external_id, custom in revisions.values_list("endpoint_id", "external_id", "custom"):
        for name in names:
            with contextlib.suppress(DayError):
                day = parse_day(str(custom.get(name, "")))
                if day.year in YEARS:
                    found[known.get((endpoint, external_id), 0)][name].add(day)
    return found


def _with_custom(change: Mapping[str, Any], customs: Mapping[int, Mapping[str, set[date]]]) -> dict[str, Any]:
    """The change with the dates of its deal's custom fields beside the others."""
    days = customs.get(change["deal"], {})
    more = {f"custom.{name}": [day.isoformat() for day in found] for name, found in days.items()}
    return {**change, "dates": {**change["dates"], **more}}


def on_plan_published(payload: dict[str, Any]) -> None:
    """A plan version came into force: everybody who is on the plan from its first day on, or on one that pays by its
    terms."""
    version = PlanVersion.objects.select_related("plan", "published_by").get(pk=payload["version"])
    versions = read_versions()
    plans = {version.plan_id, *_with_terms_of(version.plan.key, versions)}
    start, end = parse_day(payload["from"]), _until(payload, versions.of_plans(plans))
    people = PlanAssignment.objects.filter(plan_id__in=plans, starts_on__lt=end).exclude(ends_on__lte=start)
    note = f": {version.note}" if version.note else ""
    cause = Cause(
        kind=Cause.Kind.PLAN,
        label=f"{version} published{note}"[:300],
        plan_version=version,
        actor=str(version.published_by or ""),
    )
    # Also those no longer in force, whose figures stand.
    every = longest((*versions.of_plans({version.plan_id}).compiled, *_superseded(version.plan_id).compiled))
    if every == "all":
        end = FOREVER
    groups = calendars()
    for person, group in people.values_list("participant_id", "participant__pay_group_id").distinct():
        _mark(cause, person, _begins(groups[group], every, start), end)
    _save([cause], versions)


def _with_terms_of(key: str, versions: Versions) -> set[int]:
    """The plans that rate lines a second time by the terms of a plan."""
    return {
        plan_id
        for plan_id, plan in zip(versions.plan_id, versions.compiled, strict=True)
        if any(each.counterpart is not None and each.counterpart.plan == key for each in stated(plan))
    }


def _superseded(plan_id: int) -> Versions:
    return read_versions(superseded_of=plan_id)


def _begins(calendar: PayCalendar, every: str, start: date) -> date:
    """The first day of the period that holds the day."""
    return day_date(enclosing(calendar, every, day_number(start))[0]) if start.year in YEARS else start


def on_assignment_changed(payload: dict[str, Any]) -> None:
    plans = set(PlanAssignment.objects.filter(participant=payload["participant"]).values_list("plan_id", flat=True))
    _one_person(Cause.Kind.ASSIGNMENT, payload, _until(payload, read_versions().of_plans(plans)))


def on_quota_changed(payload: dict[str, Any]) -> None:
    _one_person(Cause.Kind.QUOTA, payload, _day(payload["to"]))


def on_openings_changed(payload: dict[str, Any]) -> None:
    """What the system before earned was brought forward, or taken back: each person on the days of their openings."""
    cause = Cause(kind=Cause.Kind.MANUAL, label=payload["label"][:300])
    for change in payload["changes"]:
        day = parse_day(change["day"])
        _mark(cause, change["participant"], day, day + timedelta(days=1))
    _save([cause])


def _until(payload: dict[str, Any], versions: Versions) -> date:
    """The end of what a change of who is on which version can move: a ramp from the first day on a plan goes on behind
    it."""
    ramps = any(
        component.ramp is not None and component.ramp.start == "assigned"
        for plan in versions.compiled
        for component in stated(plan)
    )
    return FOREVER if ramps else _day(payload["to"])


def on_people_changed(payload: dict[str, Any]) -> None:
    """People moved: they, and everybody above them to whom credit rolls up, on the old and the new line, from that day
    on."""
    versions = read_versions()
    start, end = parse_day(payload["from"]), _day(payload["to"])
    cause = Cause(kind=Cause.Kind.PEOPLE, label=payload["label"][:300])
    rolling = {plan for plan, levels in zip(versions.plan_id, versions.levels(), strict=True) if levels}
    receivers = set(PlanAssignment.objects.filter(plan_id__in=rolling).values_list("participant_id", flat=True))
    people = set(payload["participants"])
    for person in sorted(people | (ReportingLines(people).ever(people) & receivers)):
        _mark(cause, person, start, end)
    _save([cause], versions)


def on_rates_changed(payload: dict[str, Any]) -> None:
    """A rate of exchange is another one on some days: everybody whose plan converts, for what is credited then. Who is
    paid at the rates of days of release, for whatever they are credited with: it may be released then."""
    versions = read_versions()
    currencies: dict[int, set[str]] = defaultdict(set)
    for plan_id, plan in zip(versions.plan_id, versions.compiled, strict=True):
        if plan.currencies is not None:
            currencies[plan_id].add(plan.currencies.pay_rate)
    start, end = parse_day(payload["from"]), _day(payload["to"])
    cause = Cause(kind=Cause.Kind.RATE, label=payload["label"][:300])
    on_plans = PlanAssignment.objects.filter(plan_id__in=currencies).order_by("participant_id")
    people: dict[int, bool] = {}  # whether their whole time
    for person, plan_id, paid_in in on_plans.values_list("participant_id", "plan_id", "participant__currency"):
        whole = paid_in == payload.get("target") and "release_date" in currencies[plan_id]
        people[person] = people.get(person, False) or whole
    whole_time = credit_days() if any(people.values()) else None
    for person, whole in people.items():
        _mark(cause, person, *((whole_time[0], FOREVER) if whole and whole_time else (start, end)))
    _save([cause], versions)


def scopes_everything(*, label: str) -> int:
    """Marks every participant's whole time as changed (a full recomputation); returns how many people."""
    days = credit_days()
    if days is None:
        return 0
    cause = Cause(kind=Cause.Kind.JOB, label=label)
    people = list(Participant.objects.values_list("id", flat=True))
    for person in people:
        _mark(cause, person, days[0], FOREVER)
    _save([cause])
    return len(people)


_UNDER_BUDGETS = "SELECT DISTINCT plan_id FROM payouts_batchline WHERE batch_id = %s AND plan_id = ANY(%s::bigint[])"


def scopes_kept(*, batch: Batch, label: str) -> None:
    """A batch counts for nothing any more: what its lines kept of budgets is free again, and everybody under these is
    redone."""
    if not PlanVersion.objects.filter(document__contains='"after_posting"').exists():
        return
    versions = read_versions()
    plans = {
        plan for plan, compiled in zip(versions.plan_id, versions.compiled, strict=True) if components_keeping(compiled)
    }
    freed = [plan for (plan,) in rows_read(_UNDER_BUDGETS, [batch.pk, sorted(plans)])] if plans else []
    days = credit_days() if freed else None
    if days is None:
        return
    cause = Cause(kind=Cause.Kind.BATCH, label=label[:300])
    people = PlanAssignment.objects.filter(plan_id__in=freed).order_by("participant_id")
    for person in people.values_list("participant_id", flat=True).distinct():
        _mark(cause, person, days[0], FOREVER)
    _save([cause], versions)


def _one_person(kind: str, payload: dict[str, Any], end: date) -> None:
    cause = Cause(kind=kind, label=payload["label"][:300])
    _mark(cause, payload["participant"], parse_day(payload["from"]), end)
    _save([cause])


def _day(text: str | None) -> date:
    return parse_day(text) if text else FOREVER


def _mark(cause: Cause, participant_id: int, from_day: date, to_day: date, *, later: bool = False) -> None:
    cause.__dict__.setdefault("pending", []).append(Marked(participant_id, from_day, to_day, later))


def _widen(causes: Sequence[Cause], versions: Versions) -> None:
    """Marks those whose figures depend on the figures of the people marked, for the same days. Days of one month are
    marked together, by the last cause that touches them: no measure period is shorter."""
    replaced = [_superseded(cause.plan_version.plan_id) for cause in causes if cause.plan_version is not None]
    readers = readers_of(versions, *replaced)
    if readers is None:
        return
    days: dict[tuple[int, date, date | None], tuple[date, date, Cause]] = {}
    for cause in causes:
        marked: dict[tuple[date, date], set[int]] = defaultdict(set)
        for scope in cause.__dict__["pending"]:
            marked[scope.from_day, scope.to_day].add(scope.participant_id)
        for (start, end), people in marked.items():
            month = start.replace(day=1)
            key = (month, None if (end - timedelta(days=1)).replace(day=1) == month else end)
            for reader in readers.moved_with(people, anywhere=cause.kind == Cause.Kind.PEOPLE) - people:
                first, last, _ = days.get((reader, *key), (start, end, cause))
                days[reader, *key] = min(first, start), max(last, end), cause
    for (reader, *_), (start, end, cause) in sorted(days.items(), key=lambda item: (item[0][0], item[1][:2])):
        _mark(cause, reader, start, end, later=True)


def _job(cause: Cause, scopes: Sequence[Marked], large: bool) -> RecomputeJob | None:
    """The job that a change of so many figures is, or one that is known to be `large`; None where it is done beside the
    daily work."""
    people = len({scope.participant_id for scope in scopes if large or scope.to_day - scope.from_day >= LONG})
    return RecomputeJob.objects.create(cause=cause, people=people) if large or people >= MANY else None


_TRIED_AGAIN = """
UPDATE payouts_changedscope SET due_at = %s WHERE attempts > 0 AND participant_id = ANY(%s::bigint[])
"""
#: There are four and more for each event: as columns of numbers they are written for half of what texts of JSON take.
_SCOPES = """
INSERT INTO payouts_changedscope
    (tenant_id, participant_id, from_day, to_day, later, cause_id, job_id, created_at, due_at, attempts, error)
SELECT current_setting('app.tenant')::bigint, s.person, '1970-01-01'::date + s.first, '1970-01-01'::date + s.last,
    s.later <> 0, s.cause, nullif(s.job, 0), %(now)s, %(now)s, 0, ''
FROM unnest(%(people)s::bigint[], %(starts)s::int[], %(ends)s::int[], %(later)s::int[], %(causes)s::bigint[],
    %(jobs)s::bigint[]) AS s(person, first, last, later, cause, job)
"""


def _save(causes: Iterable[Cause], versions: Versions | None = None, *, large: bool = False) -> None:
    """Causes and their scopes, in two statements; and scopes of all who read what moves."""
    causes = [cause for cause in causes if cause.__dict__.get("pending")]
    if causes:
        _widen(causes, versions or read_versions())
    now = timezone.now()
    ids = rows_store(Cause, [{name: getattr(cause, name) for name in _OF_CAUSE} | {"at": now} for cause in causes])
    scopes: list[Marked] = []
    of_cause: list[int] = []
    jobs: dict[int, int] = {}
    for pk, cause in zip(ids, causes, strict=True):
        cause.pk = pk
        own: list[Marked] = cause.__dict__.pop("pending")
        job = _job(cause, own, large)
        if job is not None:
            jobs[pk] = job.pk
        scopes += own
        of_cause += [pk] * len(own)
    if not scopes:
        return
    columns = {
        "people": [scope.participant_id for scope in scopes],
        "starts": [day_number(scope.from_day) for scope in scopes],
        "ends": [day_number(scope.to_day) for scope in scopes],
        "later": [int(scope.later) for scope in scopes],
        "causes": of_cause,
        "jobs": [jobs.get(pk, 0) for pk in of_cause],
    }
    rows_change(_SCOPES, {name: numbers(values) for name, values in columns.items()} | {"now": now})
    if jobs:
        ring(tenant_id=current_tenant_id(), queue=JOBS)
    # What could not be redone may be put right by this very change.
    rows_change(_TRIED_AGAIN, [now, numbers(sorted(set(columns["people"])))])
