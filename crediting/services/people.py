"""What sources say of people: kept, and brought to stand through the services that people's pages use.

All that was ever said of somebody is read together (crediting.intake.standing), so arrival order does not matter. What
a source says holds for the days that it speaks of, also against what was set there by hand. An event is taken whole or
waits: for its manager, its team, or for what else it names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction

from comp.core.errors import ProblemsError, refused
from comp.people import services as people
from comp.people import timelines
from comp.people.acts import lock_lines
from comp.people.models import CreditRole, Gap, Participant, PayGroup, Team, Territory
from comp.people.timelines import Held
from comp.tenancy.selectors import own_currency
from crediting.intake.facts import Event, PersonFact
from crediting.intake.standing import Employment, Since, Standing, fact_of, kept, stand
from crediting.models import DataIssue, PersonRevision, RawDelivery, SourceMapping
from crediting.services.issues import Question, questions_answer
from crediting.services.locks import intake_ask
from plans.models import Quota
from plans.services import quota_remove, quota_set

#: Question about a manager who is not known, or who reports to the person.
MANAGER, CIRCLE, PERSON = "manager", "circle", "person"


@dataclass(frozen=True, slots=True)
class PersonRow:
    """An event of a person whose credit role is known, as `fact.role`."""

    delivery: RawDelivery
    event: Event
    fact: PersonFact


def people_store(*, rows: Sequence[PersonRow]) -> list[tuple[RawDelivery, Question]]:
    """Keeps what was said and brings it to stand; returns what has to be asked before the others can be. Each event is
    taken whole or not at all. Callers hold the intake lock."""
    if not rows:
        return []
    lock_lines()  # before the audit trail's, as everybody takes them
    by_person: dict[str, list[PersonRow]] = defaultdict(list)
    for row in rows:
        by_person[row.fact.person].append(row)
    groups = list(by_person.values())
    while groups:  # a manager may come behind those who report to them
        asked = [(group, _take(group)) for group in groups]
        left = [[row for row in group if row.delivery.pk in found] for group, found in asked]
        if [len(group) for group in left] == [len(group) for group in groups]:
            return [(row.delivery, found[row.delivery.pk]) for group, found in asked for row in group]
        groups = [group for group in left if group]
    return []


def on_people_changed(payload: dict[str, Any]) -> None:
    """Whatever waited for somebody to be known here, or for a reporting line to move, is taken again."""
    kinds = (MANAGER, SourceMapping.Kind.OWNER)
    issues = DataIssue.objects.filter(kind__in=kinds, state=DataIssue.State.OPEN)
    if not issues.exists():
        return
    intake_ask()
    known = Participant.objects.filter(id__in=payload["participants"]).values_list("key", "email", "name")
    words = {word for row in known for word in row if word} | {CIRCLE}
    found = issues.filter(value__in=words).values_list("endpoint_id", "kind", "value")
    for endpoint, kind, value in found:
        questions_answer(endpoint_id=endpoint, kinds=[kind], values=[value], answer=payload["label"])


def _take(group: Sequence[PersonRow]) -> dict[int, Question]:
    """All that a drain brought of one person, together where that is possible; else one by one."""
    try:
        with transaction.atomic():
            _say(group)
        return {}
    except ProblemsError as error:
        if len(group) == 1:
            return {group[0].delivery.pk: _question(group[0], error)}
    found: dict[int, Question] = {}
    for row in sorted(group, key=lambda row: (row.fact.as_of, row.event.version, row.event.at)):
        found |= _take([row])
    return found


def _question(row: PersonRow, error: ProblemsError) -> Question:
    first = error.problems[0]
    message = f"{row.fact.name} ({row.fact.person}), as of {row.fact.as_of}: {first.message}"
    if first.path == CIRCLE:
        return Question(MANAGER, CIRCLE, message)
    if first.path == MANAGER:
        return Question(MANAGER, first.found, message)
    about = f"Field {first.path}: found {first.found}, allowed: {first.allowed}."
    return Question(PERSON, row.fact.person, f"{message} {about}")


def _say(group: Sequence[PersonRow]) -> None:
    key = group[0].fact.person
    known = list(PersonRevision.objects.filter(person=key).order_by("id"))
    person = Participant.objects.filter(key=key).first()
    before = next((row.before for row in known if row.before is not None), None)
    first = not known
    if first:
        before = [[a.isoformat(), b.isoformat() if b else None] for a, b in _employed(person)] if person else []
    said = [((row.version, row.event_time, row.sender_id), fact_of(row.said)) for row in known]
    said += [((row.event.version, row.event.at, row.delivery.sender_id), row.fact) for row in group]
    _bring(person, key, stand(said, [(_day(a), _day(b)) for a, b in before or ()]))
    PersonRevision.objects.bulk_create(
        PersonRevision(
            endpoint_id=row.delivery.endpoint_id,
            delivery=row.delivery,
            person=key,
            version=row.event.version,
            event_time=row.event.at,
            sender_id=row.delivery.sender_id,
            as_of=row.fact.as_of,
            said=kept(row.fact),
            before=before if first and place == 0 else None,
        )
        for place, row in enumerate(group)
    )
    for endpoint in {row.delivery.endpoint_id for row in group}:
        questions_answer(endpoint_id=endpoint, kinds=[PERSON], values=[key], answer="the person's next event came")


# ------------------------------------------------------------------ what stands, by the services of people


def _bring(person: Participant | None, key: str, wanted: Standing) -> None:
    person = _employ(person, key, wanted)
    positions = [_position(one) for one in _held(wanted.positions)]
    timelines.positions_hold(participant=person, since=positions[0].starts_on, held=positions)
    for name, values in wanted.attributes.items():
        held = [Held(one.starts_on, one.ends_on, {"value": one.values["0"]}) for one in _held(values)]
        timelines.attributes_hold(
            participant=person, name=name, since=values[0].starts_on, held=[one for one in held if one.values["value"]]
        )
    if wanted.leave is not None:
        timelines.leave_holds(participant=person, held=[Held(*days, {}) for days in wanted.leave])
    _targets(person, wanted)
    managers = [
        Held(one.starts_on, one.ends_on, {"manager": _named(Participant, "manager", one.values["0"])})
        for one in _held(wanted.managers)
        if one.values["0"]
    ]
    timelines.reporting_lines_hold(participant=person, since=wanted.managers[0].starts_on, held=managers)


def _employ(person: Participant | None, key: str, wanted: Standing) -> Participant:
    spans = wanted.employments
    starts_on, ends_on = spans[0][0], spans[-1][1]
    group = _named(PayGroup, "pay_group", wanted.pay_group)
    values: dict[str, Any] = {"name": wanted.name, "email": wanted.email, "pay_group": group}
    values |= {"starts_on": starts_on, "ends_on": ends_on}
    if person is None:
        person = people.participant_create(key=key, currency=own_currency(), **values)
    else:
        changed = {name: value for name, value in values.items() if getattr(person, name) != value}
        if changed:
            people.participant_change(participant=person, **changed)
    gaps = [Held(one[1], other[0], {}) for one, other in zip(spans, spans[1:], strict=False) if one[1] is not None]
    timelines.gaps_hold(participant=person, held=gaps)
    return person


def _targets(person: Participant, wanted: Standing) -> None:
    for gone in wanted.former:
        quota = Quota.objects.filter(
            participant=person, key=gone.key, starts_on=gone.starts_on, ends_on=gone.ends_on
        ).first()
        if quota is not None:
            quota_remove(quota=quota)
    for one in wanted.targets or ():
        quota_set(
            participant=person, key=one.key, starts_on=one.starts_on, ends_on=one.ends_on,
            amount_minor=one.amount_minor, currency=one.currency,
        )  # fmt: skip


def _position(one: Held) -> Held:
    title, role, team, territory = (one.values[str(place)] for place in range(4))
    values = {
        "title": title,
        "credit_role": _named(CreditRole, "role", role),
        "team": _named(Team, "team", team) if team else None,
        "territory": _named(Territory, "territory", territory) if territory else None,
    }
    return Held(one.starts_on, one.ends_on, values)


def _held(since: Sequence[Since]) -> list[Held]:
    """Each until the next one begins."""
    ends: list[date | None] = [*(one.starts_on for one in since[1:]), None]
    return [
        Held(one.starts_on, end, {str(place): value for place, value in enumerate(one.values)})
        for one, end in zip(since, ends, strict=True)
    ]


def _named(model: type[Any], field: str, key: str) -> Any:
    row = model._default_manager.filter(key=key).first()
    if row is None:
        allowed = "the employee number of somebody here"
        if model is not Participant:
            keys = model._default_manager.order_by("key").values_list("key", flat=True)[:20]
            allowed = ", ".join(keys) or f"none: no {field.replace('_', ' ')} is known yet"
        message = f"There is no {field.replace('_', ' ')} {key} here."
        raise refused(field, key, allowed, message)
    return row


def _employed(person: Participant) -> list[Employment]:
    """When somebody is employed as far as the tables say."""
    found: list[Employment] = []
    starts_on = person.starts_on
    for gap in Gap.objects.filter(participant=person).order_by("starts_on"):
        found.append((starts_on, gap.starts_on))
        starts_on = gap.ends_on
    return [*found, (starts_on, person.ends_on)]


def _day(text: str | None) -> Any:
    return date.fromisoformat(text) if text else None
