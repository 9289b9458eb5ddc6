"""What is promised to whom: plans and their versions, who is on them, what they are held against."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any, get_args

from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from comp.audit.services import record
from comp.core.calendars import Every
from comp.core.canonical import canonical_json, digest
from comp.core.days import day_date, day_number
from comp.core.errors import Problem, ProblemsError, refused
from comp.core.money import CURRENCIES, LARGEST, NO_CURRENCY
from comp.outbox.services import publish
from comp.people.calendars import period_holding
from comp.people.models import Participant
from comp.people.timeline import check_dates, span
from comp.tenancy.capabilities import Can
from comp.tenancy.models import User
from comp.tenancy.selectors import own_currency
from comp.tenancy.services import capabilities_of
from plans.models import Plan, PlanAssignment, PlanVersion, Quota
from plans.rules.checks import check, errors
from plans.rules.compile import compile_plan
from plans.rules.load import read_yaml
from plans.rules.reach import unsupported
from plans.rules.values import SLUG, Document
from plans.selectors import own_periods

State = PlanVersion.State
#: What a room above says against putting a document in force.
Judge = Callable[[Document], list[Problem]]
_JUDGES: list[Judge] = []
#: Keys that no plan may have: pages stand at these addresses.
RESERVED = frozenset({"templates"})


# ------------------------------------------------------------------ plans and versions


def plan_create(*, key: str, name: str) -> Plan:
    """A promise without a version yet. Documents name the plan by `key`."""
    _check_key(key, "plan")
    if key in RESERVED:
        raise refused("key", key, "a key that is free", f"{key!r} is the address of a page; a plan needs another key.")
    if not name.strip() or len(name) > 120:
        raise refused("name", name, "1 to 120 characters", "A plan needs a name of at most 120 characters.")
    if Plan.objects.filter(key=key).exists():
        raise refused("key", key, "a key that is free", f"There is a plan {key} already.")
    plan = Plan.objects.create(key=key, name=name)
    record(code="plan.create", subject=plan, after={"key": key, "name": name})
    return plan


def plan_rename(*, plan: Plan, name: str) -> Plan:
    """Another name in lists; documents and keys stay."""
    if not name.strip() or len(name) > 120:
        raise refused("name", name, "1 to 120 characters", "A plan needs a name of at most 120 characters.")
    before = plan.name
    plan.name = name
    plan.save(update_fields=["name"])
    record(code="plan.rename", subject=plan, before={"name": before}, after={"name": name})
    return plan


@transaction.atomic
def version_draft(
    *, plan: Plan, text: str, starts_on: date, note: str, prepared_by: User, ends_on: date | None = None
) -> PlanVersion:
    """A new draft from YAML text. Errors of the document refuse it, all at once; its warnings are read by
    `plans.selectors.warnings`."""
    found = _read(plan, text)
    check_dates(starts_on, ends_on)
    _lock(plan)
    last = PlanVersion.objects.filter(plan=plan).aggregate(last=Max("number"))["last"] or 0
    version = PlanVersion.objects.create(
        plan=plan,
        number=last + 1,
        starts_on=starts_on,
        ends_on=ends_on,
        document=canonical_json(found),
        digest=digest(found),
        note=note,
        prepared_by=prepared_by,
        prepared_at=timezone.now(),
    )
    record(code="plan.version.draft", subject=version, after=_state(version), reason=note)
    return version


@transaction.atomic
def version_update(
    *,
    version: PlanVersion,
    text: str,
    prepared_by: User,
    starts_on: date | None = None,
    ends_on: date | None = None,
    note: str | None = None,
) -> PlanVersion:
    """Another document for a draft. Without `starts_on` its dates stay, without `note` its note. Who changes a draft
    has prepared it, with those before."""
    _lock(version.plan)
    version = PlanVersion.objects.select_related("plan").get(pk=version.pk)
    _only_draft(version, "edited")
    found = _read(version.plan, text)
    before = _state(version)
    if starts_on is not None:
        check_dates(starts_on, ends_on)
        version.starts_on, version.ends_on = starts_on, ends_on
    version.note = version.note if note is None else note
    version.document, version.digest = canonical_json(found), digest(found)
    version.prepared_by, version.prepared_at = prepared_by, timezone.now()
    version.save()
    record(code="plan.version.update", subject=version, before=before, after=_state(version), reason=version.note)
    return version


@transaction.atomic
def version_publish(*, version: PlanVersion, published_by: User) -> PlanVersion:
    """Puts a draft in force from its first day on. Needs somebody who may publish and had no hand in the draft.

    The version in force then ends on that day; those that lie wholly within the new one's days are superseded.
    """
    _lock(version.plan)
    version = PlanVersion.objects.select_related("plan", "prepared_by").get(pk=version.pk)
    _only_draft(version, "published")
    _check_publisher(version, published_by)
    standing = list(_overlapping(version))
    _check_replaced(version, standing)
    document = json.loads(version.document)
    problems = [*obstacles(document), *_paid_otherwise(version, document), *_settled_otherwise(version, document)]
    if problems:
        raise ProblemsError(problems)
    for old in standing:
        if old.starts_on < version.starts_on:
            old.ends_on = version.starts_on
        else:
            old.state = State.SUPERSEDED
        old.save(update_fields=["ends_on", "state"])
    version.state, version.published_by, version.published_at = State.PUBLISHED, published_by, timezone.now()
    version.save(update_fields=["state", "published_by", "published_at"])
    record(
        code="plan.version.publish",
        subject=version,
        before={"replaces": [{"number": old.number, "digest": old.digest} for old in standing]},
        after=_state(version),
        reason=version.note,
    )
    told = {"plan": version.plan.key, "number": version.number, **_from_to(version.starts_on, version.ends_on)}
    publish(topic="plan.published", payload={"version": version.pk, **told})
    return version


def preparers(*, version: PlanVersion) -> set[int]:
    """The users who ever wrote a state of this version, by the history that a trigger keeps."""
    kept = PlanVersion.history.filter(id=version.pk).values_list("prepared_by_id", flat=True)
    return {version.prepared_by_id, *kept}


def _check_publisher(version: PlanVersion, published_by: User) -> None:
    if Can.PLAN_PUBLISH not in capabilities_of(user=published_by):
        message = f"{published_by} may not publish plans here; that takes the role Sales Ops."
        raise refused("published_by", published_by, "somebody who may publish plans", message)
    if published_by.pk in preparers(version=version):
        message = f"{published_by} prepared this version; somebody else has to read and publish it."
        raise refused("published_by", published_by, "somebody who did not prepare it", message)


def obstacles(document: Document) -> list[Problem]:
    """What keeps a checked document from being put in force: a construct that cannot be paid yet, and what other rooms
    say against it."""
    return [*unsupported(compile_plan(document)), *judged(document)]


def _paid_otherwise(version: PlanVersion, document: Document) -> list[Problem]:
    """What keeps a version from those who are on its plan and are paid in another currency."""
    rows = PlanAssignment.objects.filter(plan_id=version.plan_id).exclude(ends_on__lte=version.starts_on)
    if version.ends_on is not None:
        rows = rows.filter(starts_on__lt=version.ends_on)
    others = rows.exclude(participant__currency=document["currency"]).select_related("participant")
    row = others.order_by("participant__name").first()
    return [problem] if row and (problem := _unpayable(row.participant, version, document)) else []


def _settled_otherwise(version: PlanVersion, document: Document) -> list[Problem]:
    """What keeps a version from standing beside another one that settles in another currency: balances go on from one
    to the next, and who is settled by which would change what they are in."""
    own = _settles_in(document)
    if own is None:
        return []
    rows = PlanVersion.objects.filter(plan_id=version.plan_id, state=State.PUBLISHED).order_by("starts_on")
    for old in rows.exclude(pk__in=_covered(version)):
        other = _settles_in(json.loads(old.document))
        if other not in (None, own):
            since = f"{old.starts_on:%-d %B %Y}"
            text = (
                f"{old}, in force from {since}, settles in settle_in: {other}, and what is owed and carried goes on "
                f"from one version to the next. Write settle_in: {other}, or let this version begin on {since}, so "
                "that it takes that one's place."
            )
            return [Problem("settlement.settle_in", own, str(other), text)]
    return []


def _settles_in(document: Document) -> str | None:
    """The currency in which a version settles, `plan` or `pay`; None where it settles nothing."""
    return document["settlement"].get("settle_in", "plan") if "settlement" in document else None


def _covered(version: PlanVersion) -> list[int]:
    """The versions that are superseded when this one is published."""
    return [old.pk for old in _overlapping(version) if old.starts_on >= version.starts_on]


def _check_pays(participant: Participant, plan: Plan, starts_on: date, ends_on: date | None) -> None:
    """ProblemsError where a version in force on these days cannot pay the participant in their currency."""
    if participant.currency == own_currency():
        return
    _lock(plan)
    rows = PlanVersion.objects.filter(plan=plan, state=State.PUBLISHED).exclude(ends_on__lte=starts_on)
    for version in rows if ends_on is None else rows.filter(starts_on__lt=ends_on):
        problem = _unpayable(participant, version, json.loads(version.document))
        if problem is not None:
            raise ProblemsError([problem])


def _unpayable(participant: Participant, version: PlanVersion, document: Document) -> Problem | None:
    """Why a version cannot pay somebody in their currency; None where it can. In which currency a settlement's draws,
    caps and balances are, and at which rate, the plan has to say where it matters."""
    own, paid_in = document["currency"], participant.currency
    if paid_in == own:
        return None
    paid = f"{participant.name} is paid in {paid_in}, and {version} in {own}"
    if "currencies" not in document:
        allowed = "a statement `currencies`"
        return Problem("currencies", "nothing", allowed, f"{paid} does not say at which rate pay is converted.")
    settles_in = document.get("settlement", {"settle_in": "pay"}).get("settle_in")
    if settles_in is None:
        text = f"{paid} does not say in which currency its draws, caps and balances are: write settle_in: pay."
        return Problem("settlement.settle_in", "nothing", "pay", text)
    if settles_in == "plan":
        text = f"{paid} settles pay in {own} (settle_in: plan): who is on it has to be paid in {own}."
        return Problem("settlement.settle_in", "plan", "pay", text)
    return None


def judged(document: Document) -> list[Problem]:
    """What other rooms say against a document: examples of it that fail."""
    return [problem for judge in _JUDGES for problem in judge(document)]


def register_judge(judge: Judge) -> None:
    """Asks `judge` before a version is put in force (comp/wiring.py): its problems keep it from being so."""
    if judge not in _JUDGES:
        _JUDGES.append(judge)


def _check_replaced(version: PlanVersion, standing: list[PlanVersion]) -> None:
    """A version may end or cover others, but not stop before one that it cuts: that one would not be taken up again."""
    for old in standing:
        if version.ends_on is not None and (old.ends_on is None or old.ends_on > version.ends_on):
            until = f"until {old.ends_on:%-d %B %Y}" if old.ends_on else "without an end"
            message = (
                f"Version {old.number} goes on behind {version.ends_on:%-d %B %Y} ({until}). Let this one end there "
                f"too, or leave its end open and draft the version that follows it."
            )
            raise refused("ends_on", version.ends_on, str(old.ends_on or "no end"), message)
        if old.starts_on <= version.starts_on and old.digest == version.digest:
            message = (
                f"Version {old.number}, in force on {version.starts_on:%-d %B %Y}, says exactly the same; nothing "
                "changes."
            )
            raise refused("document", version.digest[:12], "a document that differs", message)


def _overlapping(version: PlanVersion) -> Any:
    rows = PlanVersion.objects.filter(plan_id=version.plan_id, state=State.PUBLISHED).order_by("starts_on")
    rows = rows.filter(Q(ends_on=None) | Q(ends_on__gt=version.starts_on))
    return rows if version.ends_on is None else rows.filter(starts_on__lt=version.ends_on)


def _read(plan: Plan, text: str) -> Document:
    found = read_yaml(text)
    problems = errors(check(found))
    if problems:
        raise ProblemsError(problems)
    if found["key"] != plan.key:
        message = f"This document is for the plan {found['key']}; it was given for {plan.key}."
        raise refused("key", found["key"], plan.key, message)
    if found["currency"] != own_currency():
        message = f"This company's deals are in {own_currency()}; {found['currency']} needs a rate of exchange."
        if found["currency"] == NO_CURRENCY:
            message = f"This company pays in {own_currency()}: a plan without a currency is for case files only."
        raise refused("currency", found["currency"], own_currency(), message)
    return found


def _only_draft(version: PlanVersion, verb: str) -> None:
    if version.state != State.DRAFT:
        label = State(version.state).label.lower()
        message = f"{version} is {label} and cannot be {verb}; start a new draft from it."
        raise refused("state", label, "draft", message)


def _lock(plan: Plan) -> None:
    Plan.objects.select_for_update().get(pk=plan.pk)


def _state(version: PlanVersion) -> dict[str, Any]:
    return {"number": version.number, "digest": version.digest, **_from_to(version.starts_on, version.ends_on)}


# ------------------------------------------------------------------ who is on a plan


@transaction.atomic
def assignment_set(
    *, participant: Participant, plan: Plan, starts_on: date, ends_on: date | None = None
) -> PlanAssignment:
    """Pays a participant by a plan for [starts_on, ends_on)."""
    check_dates(starts_on, ends_on)
    _lock_participant(participant)
    others = PlanAssignment.objects.filter(participant=participant, plan=plan)
    for other in others.order_by("starts_on"):
        if (ends_on is None or other.starts_on < ends_on) and (other.ends_on is None or other.ends_on > starts_on):
            message = (
                f"{participant.name} is on {plan.name} {span(other.starts_on, other.ends_on)} already; "
                "end that assignment first, or choose days outside it."
            )
            raise refused("starts_on", span(starts_on, ends_on), "days without an assignment to the plan", message)
    _check_pays(participant, plan, starts_on, ends_on)
    assignment = PlanAssignment.objects.create(participant=participant, plan=plan, starts_on=starts_on, ends_on=ends_on)
    label = f"{participant.name} on {plan.name} {span(starts_on, ends_on)}"
    record(code="assignment.set", subject=_place(assignment, label), after=_from_to(starts_on, ends_on))
    _tell("assignment.changed", participant, starts_on, ends_on, label)
    return assignment


@transaction.atomic
def assignment_end(*, assignment: PlanAssignment, ends_on: date | None) -> PlanAssignment:
    """Another end for an assignment; None opens it. Every change is refused that would overlap another one."""
    participant, plan = assignment.participant, assignment.plan
    check_dates(assignment.starts_on, ends_on)
    _lock_participant(participant)
    following = (
        PlanAssignment.objects.filter(participant=participant, plan=plan, starts_on__gt=assignment.starts_on)
        .order_by("starts_on")
        .first()
    )
    if following and (ends_on is None or ends_on > following.starts_on):
        message = f"{participant.name} is on {plan.name} {span(following.starts_on, following.ends_on)} again."
        raise refused("ends_on", ends_on or "no end", f"a day up to {following.starts_on:%-d %B %Y}", message)
    before = assignment.ends_on
    if before == ends_on:
        return assignment
    _check_pays(participant, plan, assignment.starts_on, ends_on)
    assignment.ends_on = ends_on
    assignment.save(update_fields=["ends_on"])
    label = f"{participant.name} on {plan.name} {span(assignment.starts_on, ends_on)}"
    record(
        code="assignment.end",
        subject=_place(assignment, label),
        before=_from_to(assignment.starts_on, before),
        after=_from_to(assignment.starts_on, ends_on),
    )
    # What changes lies between the two ends.
    ends = [day for day in (before, ends_on) if day is not None]
    _tell("assignment.changed", participant, min(ends), max(ends) if len(ends) == 2 else None, label)
    return assignment


# ------------------------------------------------------------------ quotas


@transaction.atomic
def quota_set(
    *,
    participant: Participant,
    key: str,
    starts_on: date,
    ends_on: date,
    amount_minor: int,
    currency: str,
    unit: str = Quota.Unit.MONEY,
) -> Quota:
    """Holds a participant to an amount for one measure period [starts_on, ends_on): minor units of money, or millionths
    of a number of what is counted, as the plan's measure asks. Said again for the same days it
    replaces the amount; days that overlap another period of the same quota are refused."""
    _check_key(key, "quota")
    check_dates(starts_on, ends_on)
    if currency not in CURRENCIES:
        raise refused("currency", currency, "a code of ISO 4217", f"Unknown currency {currency!r} of a quota.")
    if currency != own_currency():
        message = f"This company's deals are in {own_currency()}; a quota in {currency} needs a rate of exchange."
        raise refused("currency", currency, own_currency(), message)
    _check_measure_period(participant, starts_on, ends_on)
    if unit not in Quota.Unit.values:
        allowed = " or ".join(Quota.Unit.values)
        raise refused("unit", unit, allowed, f"A quota is in {allowed}; found {unit!r}.")
    said = Quota(amount_minor=amount_minor, currency=currency, unit=unit)
    if not 0 <= amount_minor <= LARGEST:
        allowed = f"0 to {Quota(amount_minor=LARGEST, currency=currency, unit=unit).amount_words}"
        message = f"A quota of {said.amount_words} cannot be; allowed are {allowed}."
        raise refused("amount", said.amount_text, allowed, message)
    _lock_participant(participant)
    rows = Quota.objects.filter(participant=participant, key=key)
    same = rows.filter(starts_on=starts_on, ends_on=ends_on).first()
    overlapping = rows.filter(starts_on__lt=ends_on, ends_on__gt=starts_on).first()
    if same is None and overlapping is not None:
        message = (
            f"{participant.name} has a quota {key} {span(overlapping.starts_on, overlapping.ends_on)}; "
            f"one {span(starts_on, ends_on)} would overlap it."
        )
        raise refused("starts_on", span(starts_on, ends_on), "days outside it, or exactly the same", message)
    before = _amount(same) if same else None
    quota = same or Quota(participant=participant, key=key, starts_on=starts_on, ends_on=ends_on)
    quota.amount_minor, quota.currency, quota.unit = amount_minor, currency, unit
    if before == _amount(quota):
        return quota
    quota.save()
    label = f"Quota {key} of {participant.name} {span(starts_on, ends_on)}: {quota.amount_words}"
    record(code="quota.set", subject=_place(quota, label), before=before, after=_amount(quota))
    _tell("quota.changed", participant, starts_on, ends_on, label)
    return quota


@transaction.atomic
def quota_remove(*, quota: Quota) -> None:
    """Takes a quota away: what is held against it waits, or is paid as the plan says for a missing quota."""
    participant = quota.participant
    _lock_participant(participant)
    label = f"Quota {quota.key} of {participant.name} {span(quota.starts_on, quota.ends_on)}: none"
    subject, before = _place(quota, label), _amount(quota)
    starts_on, ends_on = quota.starts_on, quota.ends_on
    quota.delete()
    record(code="quota.remove", subject=subject, before=before)
    _tell("quota.changed", participant, starts_on, ends_on, label)


# ------------------------------------------------------------------ shared


def _check_measure_period(participant: Participant, starts_on: date, ends_on: date) -> None:
    """A quota is found by the exact days of a measure period; for any others it would never count."""
    calendar = participant.pay_group.calendar
    held = [period_holding(calendar, starts_on, every) for every in get_args(Every)]
    asked = day_number(starts_on), day_number(ends_on)
    if asked not in [(period.start, period.end) for period in held] and asked not in own_periods():
        allowed = "; ".join(f"{p.name}: {span(day_date(p.start), day_date(p.end))}" for p in held)
        message = (
            f"A quota {span(starts_on, ends_on)} is for no month, quarter, half or year of {calendar.name}, and for no "
            f"period that a plan states itself: {allowed}."
        )
        raise refused("ends_on", span(starts_on, ends_on), allowed, message)


def _amount(quota: Quota) -> dict[str, Any]:
    days = _from_to(quota.starts_on, quota.ends_on)
    return {"amount_minor": quota.amount_minor, "currency": quota.currency, "unit": str(quota.unit), **days}


def _check_key(key: str, kind: str) -> None:
    if not SLUG.fullmatch(key) or len(key) > 50:
        allowed = "small letters and digits, joined by dashes or underscores, at most 50"
        raise refused("key", key, allowed, f"{key!r} is no key for a {kind}; allowed are {allowed}.")


def _lock_participant(participant: Participant) -> None:
    Participant.objects.select_for_update().get(pk=participant.pk)


def _from_to(starts_on: date, ends_on: date | None) -> dict[str, str | None]:
    return {"from": starts_on.isoformat(), "to": ends_on.isoformat() if ends_on else None}


def _place(row: PlanAssignment | Quota, label: str) -> tuple[str, str, str]:
    return row._meta.label_lower, str(row.pk), label


def _tell(topic: str, participant: Participant, starts_on: date, ends_on: date | None, label: str) -> None:
    payload = {"participant": participant.pk, **_from_to(starts_on, ends_on), "label": label[:300]}
    publish(topic=topic, payload=payload)
