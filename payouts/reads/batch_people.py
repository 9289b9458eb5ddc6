"""People of a batch or an open period, exceptions first. A batch's sums were kept when it was locked, so a page asks
for those that it shows and no more; an open period's are added up as its figures stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import BigIntegerField, Case, ExpressionWrapper, F, Q, QuerySet, Value, When
from django.db.models.functions import Abs, Coalesce

from comp.people.models import Participant
from payouts.models import Batch, BatchPerson
from payouts.reads.held import UNDER_WAY, held_inside
from payouts.reads.lines import hold_words
from payouts.selectors_batches import (
    PersonRow,
    Subject,
    disputed,
    exceptions_among,
    moved_since,
    people,
    reasons_of,
)


@dataclass(frozen=True)
class People:
    """Who stands among the exceptions (the first of them, and how many in all), and everybody with lines, in order:
    rows, or a queryset of what was kept that `rows_of` turns into rows page by page."""

    exceptions: list[PersonRow]
    exception_count: int
    with_lines: Sequence[PersonRow] | QuerySet[Any]
    people: int
    lines: int
    since: Since

    def rows_of(self, found: Iterable[Any]) -> list[PersonRow]:
        rows = list(found)
        return [row if isinstance(row, PersonRow) else _row(row, self.since) for row in rows]


@dataclass(frozen=True)
class Since:
    """What happened since a batch was locked: by person and currency how far the right figure moved, and by person who
    holds something of theirs and why, and which disputes of theirs stand."""

    moved: Mapping[tuple[int, str], int] = field(default_factory=dict)
    held: Mapping[int, str] = field(default_factory=dict)
    disputed: Mapping[int, Sequence[str]] = field(default_factory=dict)


def people_of(subject: Subject, shown: int) -> People:
    """Of a subject, with the first `shown` exceptions."""
    if not isinstance(subject, Batch) or not BatchPerson.objects.filter(batch=subject).exists():
        rows = people(subject)
        first = exceptions_among(rows)
        paid = [row for row in rows if row.lines or row.settled_minor]
        count = len({row.participant_id for row in paid})
        return People(first[:shown], len(first), paid, count, sum(row.lines for row in rows), Since())
    held = held_inside(subject) if subject.state in UNDER_WAY else {}
    said = {person: hold_words(hold) for person, hold in held.items()}
    kept: QuerySet[Any] = BatchPerson.objects.filter(batch=subject)
    since = Since(moved_since(subject), said, disputed(subject, kept.values("participant_id")))
    kept = kept.select_related("participant")
    kept = kept.annotate(minor=ExpressionWrapper(_MINOR, output_field=_BIG))
    remarkable, count = _remarkable(kept, since, shown)
    with_lines = kept.filter(~Q(settled_minor=0) | Q(lines__gt=0)).order_by(
        "participant__name", "participant__key", "currency"
    )
    return People(remarkable, count, with_lines, subject.people, subject.lines, since)


_BIG = BigIntegerField()
_MINOR = F("released_minor") + F("adjustments_minor") + F("manual_minor") + F("settled_minor")
#: The reasons that were known when the batch was locked, each as a condition of what was kept.
_KNOWN = (
    Q(minor__lt=0),
    Q(minor=0) & ~Q(before_minor=0) & Q(before_minor__isnull=False),
    Q(is_large=True) & ~Q(minor=0),
    Q(is_new=True, lines__gt=0),
    Q(adjustments__gt=0),
    Q(manual__gt=0),
)


def _remarkable(kept: QuerySet[Any], since: Since, shown: int) -> tuple[list[PersonRow], int]:
    """Those with a reason: the most reasons first, then the largest change."""
    moved = {person for person, _ in since.moved}
    any_reason = Q(participant_id__in=moved | {*since.held} | {*since.disputed})
    count: Any = Value(0)
    for reason in _KNOWN:
        any_reason |= reason
        count = count + Case(When(reason, then=1), default=0)
    for whom in (moved, {*since.held}, {*since.disputed}):
        count = count + Case(When(participant_id__in=whom or {0}, then=1), default=0)
    rows = kept.filter(any_reason)
    change = Abs(F("minor") - Coalesce("before_minor", Value(0), output_field=_BIG), output_field=_BIG)
    ordered = rows.annotate(reasons=count, change=change).order_by("-reasons", "-change", "participant__name")
    found = [_row(row, since) for row in ordered[:shown]]
    # Whoever was moved since and is not in the batch at all: the figures of the period owe them something now.
    inside = set(kept.filter(participant_id__in=moved).values_list("participant_id", "currency"))
    outside = {at: minor for at, minor in since.moved.items() if at not in inside}
    names = Participant.objects.in_bulk({person for person, _ in outside})
    for (person, currency), minor in outside.items():
        row = PersonRow(person, names[person].key, names[person].name, currency, None, 0, 0, 0, 0)
        found.append(replace(row, reasons=tuple(reasons_of(row, first=False, moved=minor))))
    found.sort(key=lambda p: (-len(p.reasons), -abs(p.minor - (p.before_minor or 0)), p.name))
    return found[:shown], rows.count() + len(outside)


def _row(kept: Any, since: Since) -> PersonRow:
    row = PersonRow(
        participant_id=kept.participant_id,
        key=kept.participant.key,
        name=kept.participant.name,
        currency=kept.currency,
        before_minor=kept.before_minor,
        released_minor=kept.released_minor,
        adjustments_minor=kept.adjustments_minor,
        adjustments=kept.adjustments,
        lines=kept.lines,
        manual_minor=kept.manual_minor,
        manual=kept.manual,
        settled_minor=kept.settled_minor,
    )
    moved, held = since.moved.get((row.participant_id, row.currency), 0), since.held.get(row.participant_id, "")
    asked = since.disputed.get(row.participant_id, ())
    return replace(row, reasons=tuple(reasons_of(row, first=kept.is_new, moved=moved, held=held, disputes=asked)))
