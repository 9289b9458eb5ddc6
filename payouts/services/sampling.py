"""Incremental = full, while the product is in use: some people's measure periods are worked out anew and compared with
what stands. A difference raises an alert, which stands until the same comparison finds none."""

from __future__ import annotations

import logging
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from django.utils import timezone

from comp.core.calendars import PayCalendar
from comp.core.days import day_date, day_number
from comp.outbox.selectors import messages_parked, messages_waiting
from comp.people.models import Participant
from comp.tenancy.scope import Actor, Pay, Scope, one_moment, tenant_scope
from payouts.frames.read import Versions, calendars, credit_days, pay_groups, read_versions
from payouts.frames.sql import Columns, Words, differences
from payouts.frames.standing import standing
from payouts.frames.tables import TABLES
from payouts.kernel.batch import Ints
from payouts.models import Alert, ChangedScope
from payouts.reads.alerts import alerts_standing
from payouts.reads.balance import unbalanced
from payouts.services.recompute import Span, right_figures, spans

log = logging.getLogger(__name__)

Part = tuple[int, Span]  # a participant and a measure period


@dataclass(frozen=True, slots=True)
class Sample:
    """What was looked at. `asked`: how many parts were drawn; those not looked at wait for work that is on its way, or
    time was up. `wrong`: what differs, in the sample and in what alerts name."""

    seed: str
    asked: int
    looked_at: int
    wrong: list[str]


def sample_verify(tenant_id: int, *, size: int, seed: str, seconds: float) -> Sample:
    """Looks at `size` of the company's people and measure periods, drawn by the seed, and at all that alerts name,
    until the time is over. Raises and resolves alerts."""
    over = time.monotonic() + seconds
    with one_moment(), _scope(tenant_id):
        parts = set(_drawn(size, seed))
        alerts = {_part(alert): alert.pk for alert in alerts_standing()}
        behind = _behind({person for person, _ in (*parts, *alerts)})
        looked, found = compare((part for part in {*parts, *alerts} if part[0] not in behind), over=over)
        names = dict(Participant.objects.filter(id__in=[person for person, _ in found]).values_list("id", "name"))
    with _scope(tenant_id):
        _resolve(pk for part, pk in alerts.items() if part in looked - found.keys())
        for (person, span), text in found.items():
            _, fresh = Alert.objects.get_or_create(
                participant_id=person, from_day=day_date(span[0]), to_day=day_date(span[1]), resolved_at=None,
                defaults={"text": text, "seed": seed},
            )  # fmt: skip
            if fresh:
                log.error("tenant %s, sample %s: participant %s, %s", tenant_id, seed, person, text)
    return Sample(seed, len(parts), len(looked & parts), _told(found, names))


def alerts_recheck(alerts: Iterable[Alert]) -> list[str]:
    """Looks again at what these name and resolves those of which nothing is wrong any more. Returns what still is.

    Inside a scope that sees everybody's pay, while nobody else writes these people's figures."""
    named = {_part(alert): alert for alert in alerts}
    _, found = compare(named) if named else (set(), {})
    _resolve(alert.pk for part, alert in named.items() if part not in found)
    return [f"{named[part].participant.name}: {text}" for part, text in found.items()]


def _resolve(alerts: Iterable[int]) -> None:
    Alert.objects.filter(id__in=list(alerts), resolved_at=None).update(resolved_at=timezone.now())


def compare(parts: Iterable[Part], *, over: float = float("inf")) -> tuple[set[Part], dict[Part, str]]:
    """Works these parts out anew, and writes nothing. Returns those it came to before `over` (time.monotonic), and what
    differs in them. Where periods are longer by now than those named, the whole of them is looked at."""
    versions, groups, group_calendars = read_versions(), pay_groups(), calendars()
    every = versions.every()
    asked: dict[tuple[PayCalendar, Span], dict[int, Part]] = defaultdict(dict)
    for person, (start, end) in parts:
        calendar = group_calendars[groups[person]]
        for span in spans(calendar, every, day_date(start), day_date(end)):
            asked[calendar, span][person] = (person, (start, end))
    looked: set[Part] = set()
    wrong: dict[Part, list[str]] = defaultdict(list)
    for (calendar, span), people in sorted(asked.items(), key=lambda item: item[0][1]):
        if time.monotonic() > over:
            break
        for person, text in _differing(calendar, span, sorted(people), versions, groups).items():
            wrong[people[person]].append(text)
        looked.update(people.values())
    unpaid = {person for person, _ in unbalanced({person for person, _ in looked})[1]}
    for part in looked:
        if part[0] in unpaid:
            wrong[part].append("what is earned is not what waits, is payable and paid")
    return looked, {part: "; ".join(texts) for part, texts in wrong.items()}


def _differing(
    calendar: PayCalendar, span: Span, people: Sequence[int], versions: Versions, groups: Mapping[int, int]
) -> dict[int, str]:
    """Participant to what is wrong in the standing tables."""
    right = right_figures(calendar, span, people, versions, groups)
    counts: dict[int, list[str]] = defaultdict(list)
    for table in TABLES:
        columns = right.of(table)
        stands = standing(table, right=columns, start=span[0], end=span[1], participants=people)
        new, differs, _, gone = differences(table, columns, stands)
        for what, source, rows in (("missing", columns, new), ("wrong", columns, differs), ("left over", stands, gone)):
            for person, count in _by_person(source, rows).items():
                name = table.name.partition("_")[2]
                counts[person].append(f"{count} {name} row{'s' if count > 1 else ''} {what}")
    return {person: ", ".join(parts) for person, parts in counts.items()}


def _by_person(columns: Columns, rows: Ints) -> dict[int, int]:
    column = columns["participant_id"]
    assert not isinstance(column, Words)
    found: dict[int, int] = defaultdict(int)
    for person in column[rows].tolist():
        found[person] += 1
    return found


def _drawn(size: int, seed: str) -> Iterator[Part]:
    """Parts drawn by the seed among all people and the measure periods that can hold credits."""
    days = credit_days()
    people = sorted(pay_groups().items())
    if days is None or not people:
        return
    every, group_calendars = read_versions().every(), calendars()
    periods = {calendar: spans(calendar, every, *days) for calendar in set(group_calendars.values())}
    dice = random.Random(seed)
    for _ in range(size):
        person, group = dice.choice(people)
        if of_group := periods[group_calendars[group]]:
            yield person, dice.choice(of_group)


def _behind(people: set[int]) -> set[int]:
    """Those whose figures wait for work: everybody while news waits that may reach anybody."""
    if messages_waiting() or messages_parked():
        return people
    return set(ChangedScope.objects.filter(participant_id__in=people).values_list("participant_id", flat=True))


def _told(found: Mapping[Part, str], names: Mapping[int, str]) -> list[str]:
    return [
        f"{names[person]}, credited from {day_date(span[0])} to before {day_date(span[1])}: {text}"
        for (person, span), text in sorted(found.items())
    ]


def _part(alert: Alert) -> Part:
    return alert.participant_id, (day_number(alert.from_day), day_number(alert.to_day))


def _scope(tenant_id: int) -> AbstractContextManager[Scope]:
    return tenant_scope(tenant_id, actor=Actor.task("verify"), pay=Pay.everyone())
