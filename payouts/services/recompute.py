"""The one writer of the standing figures: reads columns, runs the kernel, compares with what stands, writes only the
differences and why.

Callers hold the lock of these people's figures (payouts.services.claims.LOCKS) and see everybody's pay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from copy import copy
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

import numpy as np

from comp.core.calendars import PayCalendar
from comp.core.days import day_number
from comp.outbox.services import publish_once
from payouts.frames.figures import Figures, figures
from payouts.frames.onward import onward
from payouts.frames.read import YEARS, Versions, bounds, calendars, enclosing, pay_groups, read_batch, read_versions
from payouts.frames.span import Reach
from payouts.frames.sql import NONE, Columns, Part, Table, Words, change, delete, differences, load, only_moved
from payouts.frames.standing import earned_elsewhere, lines_standing, standing
from payouts.frames.tables import EARNINGS, TRANCHES, WAITS
from payouts.frames.ties import Circles
from payouts.kernel import calculate
from payouts.kernel.batch import NO_RATE, Ints
from payouts.models import Cause
from payouts.services.payables import payables_write
from payouts.services.readers import plans_of

Span = tuple[int, int]  # day numbers, half-open
Ids = tuple[int, ...]  # of plan versions
#: Fewer lines that only moved beside others are written at once, whatever waits.
PLACES_FROM = 500
#: Of more new lines nobody looks where they stood before, unless some of what stands was not read: so many come from
#: a change of the plan or of a large file.
LOOKED_FOR = 20_000


class Piece(NamedTuple):
    """Periods whose figures are redone together, and the day since when facts are read for them."""

    span: Span
    since: int


@dataclass(slots=True)
class Changed:
    """What one recomputation wrote."""

    every_fact: bool = False  # payables of all facts are looked at, so it is not noted which changed
    rows: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    facts: set[int] = field(default_factory=set)  # 0 where lines of none changed
    people: set[int] = field(default_factory=set)
    without_rate: bool = False  # some tranche waits for a rate of exchange, or waits for it no more
    # Of whom lines only moved beside others, and that was left for later.
    places: dict[Span, set[int]] = field(default_factory=lambda: defaultdict(set))

    def __bool__(self) -> bool:
        return any(self.rows.values())


class Reason(NamedTuple):
    """What is asked of a cause: objects of the model would cost a fifth of what many events together take."""

    pk: int
    kind: str
    deal_id: int | None


class Mark(NamedTuple):
    """Why a participant's figures with credit dates in [start, end) are redone."""

    person: int
    start: date
    end: date
    cause: Reason


def recompute(marks: Iterable[Mark], *, leave_places: bool = False) -> Changed:
    """Redoes the figures of the people marked, in the whole measure periods that the days touch: people whose plans
    read one another's figures together, all others by the longest period of their own plans. Where windows roll, the
    periods in whose windows the days are too, and what lies in the windows of all of these is read beside.

    Figures that moved are recorded with the cause that touched their deal, or else the latest of their person's. With
    `leave_places` many lines that only moved beside others, and earn what they earned, stay as they stand: the caller
    sees to them later.
    """
    marks = list(marks)
    groups, pay_group = calendars(), pay_groups()
    part_of = _parts({mark.person for mark in marks})
    of_ids = {versions.id: versions for versions, _ in part_of.values()}
    tasks: dict[tuple[PayCalendar, Piece, Ids], dict[int, list[Reason]]] = defaultdict(lambda: defaultdict(list))
    reached: dict[tuple[int, Reach, date, date], list[Piece]] = {}  # many marks are of the same days
    rolling: dict[int, list[tuple[Piece, Reason]]] = defaultdict(list)
    since: dict[tuple[PayCalendar, Piece, Ids], dict[int, int]] = defaultdict(dict)
    for mark in marks:
        versions, reach = part_of[mark.person]
        group = pay_group[mark.person]
        asked = group, reach, mark.start, mark.end
        if asked not in reached:
            reached[asked] = pieces(groups[group], reach, mark.start, mark.end)
        for piece in reached[asked]:
            if reach.windows:
                rolling[mark.person].append((piece, mark.cause))
            else:
                task = groups[group], piece, versions.id
                tasks[task][mark.person].append(mark.cause)
                first = piece.span[0]
                if mark.cause.kind == Cause.Kind.DEAL:
                    first = max(first, day_number(mark.start))
                since[task][mark.person] = min(first, since[task].get(mark.person, first))
    for person, of_person in rolling.items():
        for piece, causes in _joined(of_person):
            tasks[groups[pay_group[person]], piece, part_of[person][0].id][person] += causes
    # Who moves between pay groups, or whose group opens elsewhere, is owed the same tranches in another period; and
    # what is asked for by hand puts right whatever is wrong.
    changed = Changed(any(mark.cause.kind in (Cause.Kind.PEOPLE, Cause.Kind.JOB) for mark in marks))
    why = _Why(mark.cause for mark in marks)
    for (calendar, piece, ids), of in sorted(tasks.items(), key=lambda task: task[0][1:]):
        # Where everybody is meant nobody has to be looked for.
        whom = sorted(of) if len(of) < len(pay_group) else None
        days = since.get((calendar, piece, ids))
        _redo(calendar, piece, whom, of_ids[ids], pay_group, why.among(of), changed, leave_places, days)
    causes_of: dict[int, list[Reason]] = defaultdict(list)
    for mark in marks:
        causes_of[mark.person].append(mark.cause)
    facts = None if changed.every_fact else sorted(changed.facts)
    own = why.among(causes_of).own
    payables_write(participants=sorted(causes_of), facts=facts, why=why.by_deal, otherwise=own)
    if WAITS.name in changed.rows:
        publish_once(topic="credits.waiting")
    if changed.without_rate:
        publish_once(topic="payables.waiting")
    return changed


def _parts(people: Set[int]) -> dict[int, tuple[Versions, Reach]]:
    """Each of the people with the versions that their figures depend on, and how far they do. Those whose plans look at
    nobody else are taken together where they reach equally far."""
    circles = Circles(read_versions())
    found: dict[int, frozenset[int]] = {}
    alone: dict[Reach, set[int]] = defaultdict(set)
    for person, plans in plans_of(people).items():
        found[person] = around = circles.around(plans)
        if not circles.with_others(around):
            alone[circles.reach(around)] |= around
    parts: dict[int, tuple[Versions, Reach]] = {}
    for person, around in found.items():
        reach = circles.reach(around)
        together = around if circles.with_others(around) else frozenset(alone[reach])
        parts[person] = circles.of(together), reach
    return parts


def pieces(calendar: PayCalendar, reach: Reach, start: date, end: date) -> list[Piece]:
    """What [start, end) touches: whole periods, each by itself; where windows roll one piece, to the last period in
    whose window the days are, with what is read before it."""
    found = spans(calendar, reach.every, start, end)
    if not found or not reach.windows:
        return [Piece(span, span[0]) for span in found]
    (first, _), (_, end_no) = found[0], found[-1]
    since = first
    for every, count in reach.windows:
        edges = bounds(calendar, every)
        last = int(np.searchsorted(edges, end_no - 1, side="right")) + count
        end_no = enclosing(calendar, reach.every, int(edges[min(last, edges.size - 1)]) - 1)[1]
        place = int(np.searchsorted(edges, since, side="right")) - 1
        since = enclosing(calendar, reach.every, int(edges[max(place - count, 0)]))[0]
    return [Piece((first, end_no), since)]


def _joined(of_person: Iterable[tuple[Piece, Reason]]) -> list[tuple[Piece, list[Reason]]]:
    """Pieces that overlap are one."""
    found: list[tuple[Piece, list[Reason]]] = []
    for piece, cause in sorted(of_person):
        if found and piece.span[0] <= found[-1][0].span[1]:
            (start, end), since = found[-1][0]
            joined = Piece((start, max(end, piece.span[1])), min(since, piece.since))
            found[-1] = joined, [*found[-1][1], cause]
        else:
            found.append((piece, [cause]))
    return found


def spans(calendar: PayCalendar, every: str, start: date, end: date) -> list[Span]:
    """The measure periods that [start, end) touches, of the years in which facts can lie."""
    first = day_number(max(start, date(YEARS[0], 1, 1)))
    last = day_number(min(end, date(YEARS[-1] + 1, 1, 1)))
    found: list[Span] = []
    while first < last:
        found.append(enclosing(calendar, every, first))
        first = found[-1][1]
    return found


def right_figures(
    calendar: PayCalendar,
    span: Span,
    people: Sequence[int] | None,
    versions: Versions,
    pay_group: Mapping[int, int],
    as_of: datetime | None = None,
    openings: bool = True,
    since: int | None = None,
) -> Figures:
    """What is right for the people (None: everyone) and the span, by the kernel; nothing is written. Facts are read
    `since` a day before it where its windows look back. Without `openings` as though no other system had been there
    before."""
    source = read_batch(
        calendar=calendar,
        versions=versions,
        start=span[0] if since is None else since,
        end=span[1],
        participants=people,
        as_of=as_of,
        headcount=len(pay_group),
        openings=openings,
    )
    # A deal with two credit dates may have its other one in another span, whose lines are not all here.
    return figures(calculate(source.batch), source, pay_group).within(*span)


def _redo(
    calendar: PayCalendar,
    piece: Piece,
    people: Sequence[int] | None,
    versions: Versions,
    pay_group: Mapping[int, int],
    why: _Why,
    changed: Changed,
    leave_places: bool,
    days: Mapping[int, int] | None,
) -> None:
    """`days`: by person the first day of what happened to deals. By plans of which no earlier line can go by it, only
    what stands from that day on is compared. What stood of a deal that moved, and whose own news is still to come, may
    be missing or stand as it was until that is taken up; until then nobody can submit the period."""
    span = piece.span
    right = right_figures(calendar, span, people, versions, pay_group, since=piece.since)
    if people is None or days is None or right.opened or not onward(versions.compiled):
        days = None
    else:
        right = right.since(days)
    missing: list[Part] = []
    for table in _in_turn(right.tables, people):
        columns = right.of(table)
        stands = standing(table, right=columns, start=span[0], end=span[1], participants=people, since=days)
        new, differs, was, gone = differences(table, columns, stands)
        if leave_places and table.moving and differs.size > PLACES_FROM:
            left = only_moved(table, columns, differs, stands, was)
            changed.places[span].update(np.unique(columns["participant_id"][differs[left]]).tolist())
            differs, was = differs[~left], was[~left]
        if not (new.size or differs.size or gone.size):
            continue
        changed.rows[table.name] += new.size + differs.size + gone.size
        if table is EARNINGS:
            causes = why.of(columns["deal_id"][new], columns["participant_id"][new])
            fresh = new[~np.isin(causes, sorted(why.quiet))]
            asked = fresh.size and (days is not None or fresh.size <= LOOKED_FOR)
            before = earned_elsewhere(columns, fresh) if asked else np.zeros(fresh.size, dtype=np.int64)
            _record_changes(columns, fresh, before, columns["earned_minor"][fresh], why)
            _record_changes(columns, differs, stands["earned_minor"][was], columns["earned_minor"][differs], why)
            if gone.size:
                lost = lines_standing(stands["id"][gone])
                every = np.arange(lost["earned_minor"].size)
                _record_changes(lost, every, lost["earned_minor"], np.zeros(every.size, dtype=np.int64), why)
        if table.name == TRANCHES.name:
            if not changed.every_fact:
                for ids in (columns["fact"][new], columns["fact"][differs], stands["fact"][gone]):
                    changed.facts.update(np.unique(ids).tolist())
            _record_changes(columns, *_converted_otherwise(columns, differs, stands, was), why)
            moved = (columns["state"][new], columns["state"][differs], stands["state"][was], stands["state"][gone])
            changed.without_rate |= any((states == NO_RATE).any() for states in moved)
            # One that is new here may have waited on a day that was not read.
            changed.without_rate |= days is not None and right.pays and new.size > 0
        delete(table, stands["id"][gone])
        change(table, columns, differs, stands, was)
        missing.append(Part(table, columns, new))
    load(missing)


def _in_turn(tables: Sequence[Table], people: Sequence[int] | None) -> Sequence[Table]:
    """The tables in the order in which they are written: two connections that write for half of the people each, by odd
    and even ids, begin with different ones. At the end of one table and its indexes they would wait for each other."""
    first = 2 if people and all(person % 2 for person in people) else 0
    return (*tables[first:], *tables[:first])


# ------------------------------------------------------------------ why figures moved


class _Why:
    """The cause of each change: the one that touched the line's deal, or else the latest of its person's own."""

    def __init__(self, causes: Iterable[Reason]) -> None:
        ordered = sorted(set(causes))
        self.by_deal: dict[int, int] = {cause.deal_id: cause.pk for cause in ordered if cause.deal_id is not None}
        #: A full recomputation into empty tables is told once, not line by line.
        self.quiet = {cause.pk for cause in ordered if cause.kind == Cause.Kind.JOB}
        #: By participant: what moved figures of theirs that no deal's cause tells.
        self.own: dict[int, int] = {}
        # What a line earns moves by its deal; a milestone or reading that came with it only releases.
        earning = self.by_deal | {c.deal_id: c.pk for c in ordered if c.deal_id and c.kind == Cause.Kind.DEAL}
        self._deals = np.array(sorted(earning), dtype=np.int64)
        self._causes = np.array([earning[deal] for deal in sorted(earning)], dtype=np.int64)

    def among(self, people: Mapping[int, Sequence[Reason]]) -> _Why:
        """The same for these people, whose figures these causes touched: what is no deal's goes before."""
        found = copy(self)
        found.own = {
            person: max(causes, key=lambda cause: (cause.deal_id is None, cause.pk)).pk
            for person, causes in people.items()
        }
        return found

    def of(self, deals: Ints, people: Ints) -> Ints:
        """The cause of lines of these deals (NONE where of none) and participants."""
        ids = np.array(sorted(self.own), dtype=np.int64)
        own = np.array([self.own[person] for person in ids.tolist()], dtype=np.int64)[np.searchsorted(ids, people)]
        if not self._deals.size:
            return own
        place = np.minimum(np.searchsorted(self._deals, deals), self._deals.size - 1)
        return np.where(self._deals[place] == deals, self._causes[place], own)


#: What a change says of its line.
_OF_LINE = (
    "line_kind",
    "fact",
    "deal_id",
    "origin",
    "period",
    "plan_id",
    "component",
    "credit_date",
    "currency",
)
_CHANGES = Table(
    name="payouts_figurechange",
    key=(),
    values=(
        "participant_id",
        "pay_group_id",
        *_OF_LINE,
        "before_minor",
        "after_minor",
        "cause_id",
    ),
    days=frozenset({"credit_date", "period"}),
    words=frozenset({"component", "currency"}),
    nullable=frozenset({"deal_id"}),
    stamped="at",
)


def _converted_otherwise(right: Columns, rows: Ints, stands: Columns, was: Ints) -> tuple[Ints, Ints, Ints]:
    """Of these tranches those that another rate converts to another amount, with their amounts before and after: what
    their lines earn did not move."""
    if "rate_id" not in right or "rate_id" not in stands:
        return rows[:0], rows[:0], rows[:0]
    same = (right["plan_minor"][rows] == stands["plan_minor"][was]) & (right["rate_id"][rows] != NONE)
    rows, was = rows[same], was[same]
    return rows, stands["amount_minor"][was], right["amount_minor"][rows]


def _record_changes(source: Columns, rows: Ints, before: Ints, after: Ints, why: _Why) -> None:
    """A row for each of these lines whose earning moved."""
    moved = np.flatnonzero(before != after)
    if not moved.size:
        return
    rows = rows[moved]
    columns: Columns = {
        name: Words(source[name].codes[rows], source[name].words)
        if isinstance(source[name], Words)
        else source[name][rows]
        for name in ("participant_id", "pay_group_id", *_OF_LINE)
    }
    columns.update(before_minor=before[moved], after_minor=after[moved])
    columns["cause_id"] = why.of(columns["deal_id"], columns["participant_id"])
    load([Part(_CHANGES, columns, np.arange(rows.size))])
