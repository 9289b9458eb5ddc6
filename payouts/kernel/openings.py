"""What the system before measured and earned, as lines: docs/algorithms/openings.md.

An opening stands before every credit of its measure period (of its fiscal year, where credits are measured to date).
Nothing rates, caps or moves it; what comes after it goes on from what it measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from crediting.kernel.conditions import Mask
from crediting.kernel.credit import Credited
from crediting.kernel.exact import run_starts
from crediting.kernel.people import Places
from payouts.kernel.batch import (
    DATED,
    MILLIONTHS,
    MISSING_DAY,
    MISSING_MONEY,
    OF_CREDIT,
    OF_OPENING,
    WAITING,
    Assignments,
    Batch,
    Ints,
    Openings,
)
from payouts.kernel.book import Book
from payouts.kernel.errors import BadOpening
from payouts.kernel.groups import Lines, grouping_starts, iso, moved_reversals, pay_periods, ways_of
from payouts.kernel.order import Version
from payouts.kernel.reads import tally
from payouts.kernel.spans import inside
from payouts.kernel.variants import Variant
from plans.rules.compiled import CompiledPlan, Component, Every

#: Values of periods to which what another system measured can be added.
ADDED = ("sum", "count", "weighted")


def refusal(component: Component) -> str | None:
    """Why a component can have no opening; None where it can."""
    if component.kind == "result":
        return "it earns nothing: open the components that are paid by it"
    if looks_back(component) and component.measure.value not in ADDED:
        return "its later periods look back on single credits, of which an opening knows the sum alone"
    return None


def misplaced(component: Component, day: Ints, measured: Ints, bounds: Ints) -> tuple[int, str] | None:
    """The place of an opening that the component cannot have, and why, among those of these days and measures; None
    where there is none such. `bounds`: of the component's periods."""
    every, measure = component.every, component.measure
    outside = ~inside(every, day)
    if outside.any():
        return int(np.argmax(outside)), f"lies in no {every}."
    if measure.by != "period":
        return None
    within = ~np.isin(day + 1, bounds)
    if within.any():
        why = f"a component that pays whole periods is opened on the last day of a {every}."
        return int(np.argmax(within)), f"lies inside a {every}: {why}"
    parts = measured % MILLIONTHS != 0
    if measure.value == "count" and parts.any():
        return int(np.argmax(parts)), "counts a part of one."
    return None


def looks_back(component: Component) -> bool:
    """Whether periods of a component measure the credits of periods before them."""
    measure = component.measure
    return measure.by == "period" and measure.window != "discrete" and bool(component.classes)


def version_for(spans: Sequence[tuple[int, int]], day: int) -> int:
    """The place of the version that an opening belongs to, of those of its plan by the days [start, end) on which they
    are in force: on its day, else the next to come, else the last that was."""
    later = [place for place, (_, end) in enumerate(spans) if end > day]
    if later:
        return min(later, key=lambda place: spans[place][0])
    return max(range(len(spans)), key=lambda place: spans[place][1])


def with_opened_people(batch: Batch) -> Batch:
    """The batch with everybody who has an opening among the people it knows, on a plan or not."""
    openings, given = batch.openings, batch.assignments
    if openings is None:
        return batch
    known = np.concatenate((given.participant, batch.reporting.participant, batch.reporting.manager))
    rows = np.flatnonzero(~np.isin(openings.participant, known))
    if not rows.size:
        return batch
    # For no day at all.
    day = openings.day[rows]
    pairs = (
        (given.participant, openings.participant[rows]),
        (given.plan, openings.plan[rows]),
        (given.start, day),
        (given.end, day),
    )
    return replace(batch, assignments=Assignments(*(np.concatenate(pair) for pair in pairs)))


@dataclass(frozen=True, slots=True)
class Opened:
    """The openings of one component, one row each (and replicate)."""

    row: Ints  # in Openings
    version: Ints  # a place in the versions of the component
    person: Ints  # a place in the people of the credits
    replicate: Ints
    day: Ints
    measured: Ints
    earned: Ints

    def at(self, rows: Ints | Mask) -> Opened:
        return Opened(*(getattr(self, each.name)[rows] for each in fields(Opened)))

    def measured_by(self, versions: tuple[Version, ...], by: str) -> Opened | None:
        """Those of versions that measure by credit, or by period; None where there are none."""
        mine = np.array([each.component.measure.by == by for each in versions])[self.version]
        return self.at(mine) if mine.any() else None

    def among(self, credited: Credited, block: slice) -> Opened:
        """Those of the people whose credits are these rows; of people without credits those that stand between."""
        person = credited.person
        low = person[block.start] if block.start else 0
        high = person[block.stop] if block.stop < person.size else credited.people.size
        return self.at((self.person >= low) & (self.person < high))


class OpeningBook:
    """The openings of a batch, checked."""

    def __init__(self, batch: Batch, people: Ints, only: Ints | None) -> None:
        """`people`: the ids of all whom the calculation knows. `only`: for these participants. Raises BadOpening."""
        self._plans, openings = batch.plans, batch.openings
        self._rows = np.zeros(0, dtype=np.int64)
        if openings is None or not openings.day.size:
            return
        assert batch.opening_tranches is not None
        self._openings = openings
        self._person = Places(people).of(openings.participant)
        replicate = batch.facts.replicate
        self._replicates = np.unique(replicate) if replicate is not None else np.zeros(1, dtype=np.int64)
        _check_components(batch.plans, openings, batch.periods)
        wanted = openings.participant if only is None else only
        self._rows = np.flatnonzero(np.isin(openings.participant, wanted))
        released = tally(batch.opening_tranches.amount, batch.opening_tranches.opening, openings.day.size)
        wrong = np.flatnonzero(released != openings.earned)
        if wrong.size:
            row = int(wrong[0])
            raise BadOpening(
                f"{_named(batch.plans, openings, row)} earned {openings.earned[row]}, and its tranches add up to "
                f"{released[row]}: both have to be the same."
            )

    def of(self, versions: tuple[Version, ...], variant: Variant | None) -> Opened | None:
        """The openings of one component, None where it has none."""
        if not self._rows.size:
            return None
        openings = self._openings
        version = np.full(openings.day.size, -1, dtype=np.int64)
        for place, each in reversed(list(enumerate(versions))):
            version[(openings.plan == each.plan_place) & (openings.component == each.component_place)] = place
        rows = self._rows[version[self._rows] >= 0]
        if not rows.size:
            return None
        version = version[rows]
        if variant is not None:
            version = variant(version, openings.participant[rows], openings.day[rows])
        again = np.repeat(np.arange(rows.size), self._replicates.size)
        found = rows[again]
        return Opened(
            row=found,
            version=version[again],
            person=self._person[found],
            replicate=np.tile(self._replicates, rows.size),
            day=openings.day[found],
            measured=openings.measured[found],
            earned=openings.earned[found],
        )


def _check_components(plans: Sequence[CompiledPlan], openings: Openings, periods: Mapping[Every, Ints]) -> None:
    places = openings.plan * (max(len(plan.components) for plan in plans) + 1) + openings.component
    for row in np.unique(places, return_index=True)[1].tolist():
        component = plans[int(openings.plan[row])].components[int(openings.component[row])]
        why = refusal(component)
        if why is not None:
            raise BadOpening(f"{_named(plans, openings, row)} cannot be: {why}.")
        mine = np.flatnonzero(places == places[row])
        found = misplaced(component, openings.day[mine], openings.measured[mine], periods[component.every])
        if found is not None:
            raise BadOpening(f"{_named(plans, openings, int(mine[found[0]]))} {found[1]}")


def _named(plans: Sequence[CompiledPlan], openings: Openings, row: int) -> str:
    plan = plans[int(openings.plan[row])]
    key, day = plan.components[int(openings.component[row])].key, iso(int(openings.day[row]))
    return f"The opening of participant {openings.participant[row]} for {plan.key}/{key} on {day}"


def check_single(versions: tuple[Version, ...], people: Ints, opened: Opened, span: Ints) -> None:
    """Refuses two openings of a person in one measure period, which begins at `span`."""
    ways, _ = ways_of(versions)
    order = np.lexsort((span, ways[opened.version], opened.replicate, opened.person))
    starts = run_starts(*(each[order] for each in (opened.person, opened.replicate, ways[opened.version], span)))
    if starts.size < order.size:
        row = int(order[np.setdiff1d(np.arange(order.size), starts)[0]])
        version = versions[int(opened.version[row])]
        raise BadOpening(
            f"Participant {people[opened.person[row]]} has two openings for {version.plan.key}/{version.component.key} "
            f"in the period from {iso(int(span[row]))}: give one, with what they come to together."
        )


def covered(
    batch: Batch, credited: Credited, versions: tuple[Version, ...], opened: Opened, row: Ints, version: Ints
) -> Mask:
    """Which credits of a component an opening stands for: those of its person and measure period up to its day."""
    found = np.zeros(row.size, dtype=bool)
    mine = np.flatnonzero(np.isin(credited.person[row], opened.person))
    ways, _ = ways_of(versions)
    day = credited.credits.day[row[mine]]
    keys = [
        np.column_stack((person, ways[by], grouping_starts(batch, versions, by, days)))
        for person, by, days in (
            (credited.person[row[mine]], version[mine], day),
            (opened.person, opened.version, opened.day),
        )
    ]
    _, number = np.unique(np.concatenate(keys), axis=0, return_inverse=True)
    number = number.ravel()
    until = np.full(int(number.max(initial=0)) + 1, MISSING_DAY, dtype=np.int64)
    until[number[mine.size :]] = opened.day
    found[mine] = day <= until[number[: mine.size]]
    return found


def with_openings(
    batch: Batch, credited: Credited, versions: tuple[Version, ...], lines: Lines, opened: Opened
) -> Lines:
    """The lines of credits, which stand in their order, with openings among them: each the first of its group."""
    begins = grouping_starts(batch, versions, opened.version, opened.day)
    check_single(versions, credited.people, opened, begins)
    known, more = lines.row.size, opened.row.size
    nothing = np.full(more, -1, dtype=np.int64)
    credits, ways = credited.credits, ways_of(versions)[0]
    version = np.concatenate((lines.version.astype(np.int64), opened.version))
    person = np.concatenate((credited.person[lines.row], opened.person))
    replicate = np.concatenate((credited.replicate[lines.row], opened.replicate))
    day = np.concatenate((lines.day, begins))
    later = np.arange(known + more) < known
    order = np.lexsort((np.arange(later.size), later, day, replicate, ways[version], person))
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    amount = credits.amount[lines.row] if lines.amount is None else lines.amount
    measured = amount if lines.measured is None else lines.measured
    kind = np.full(known, OF_CREDIT, dtype=np.int8) if lines.kind is None else lines.kind
    return Lines(
        row=np.concatenate((lines.row, nothing))[order],
        version=version[order],
        day=np.concatenate((lines.day, opened.day))[order],
        measured=np.concatenate((measured, opened.measured))[order],
        amount=np.concatenate((amount, opened.measured))[order],
        kind=np.concatenate((kind, np.full(more, OF_OPENING, dtype=np.int8)))[order],
        reversed=moved_reversals(lines.reversed, place),
        person=person[order],
        replicate=replicate[order],
        opening=np.concatenate((np.full(known, -1), opened.row))[order],
    )


def nothing_credited() -> Lines:
    """The lines of a component that no credit counts for."""
    none = np.zeros(0, dtype=np.int64)
    return Lines(none, none, none, None)


def set_earned(batch: Batch, book: Book) -> None:
    """What the openings of a book earned, in the columns of its lines."""
    series = book.series
    if series.opening is None or batch.openings is None or book.rounded is None:
        return
    lines = np.flatnonzero(series.opening >= 0)
    earned = batch.openings.earned[series.opening[lines]]
    book.rounded[lines] = earned
    if book.trace is not None:
        book.trace.at(series.row.size, lines).note("opening", earned)


def with_given(batch: Batch, book: Book) -> None:
    """The tranches of a book with those of its openings among them."""
    series, parts, given = book.series, book.tranches, batch.opening_tranches
    if series.opening is None or parts is None or given is None:
        return
    by_opening = np.lexsort((given.index, given.opening))
    lines = np.flatnonzero(series.opening >= 0)
    first = np.searchsorted(given.opening[by_opening], series.opening[lines], side="left")
    count = np.searchsorted(given.opening[by_opening], series.opening[lines], side="right") - first
    line = np.repeat(lines, count)
    row = by_opening[np.arange(line.size) - np.repeat(np.cumsum(count) - count - first, count)]
    day = given.release_day[row]
    joined = np.concatenate((parts.line, line))
    order = np.argsort(joined, kind="stable")
    state = parts.state
    if state is not None:
        state = np.concatenate((state, np.where(day == MISSING_DAY, WAITING, DATED).astype(np.int8)))[order]
    period = pay_periods(batch.pay_periods, day, day == MISSING_DAY)
    book.tranches = replace(
        parts,
        line=joined[order],
        index=np.concatenate((parts.index, given.index[row].astype(parts.index.dtype)))[order],
        amount=np.concatenate((parts.amount, given.amount[row]))[order],
        trigger_day=np.concatenate((parts.trigger_day, day))[order],
        release_day=np.concatenate((parts.release_day, day))[order],
        pay_period=np.concatenate((parts.pay_period, period))[order],
        part=None if parts.part is None else np.concatenate((parts.part, np.zeros(row.size, dtype=np.int64)))[order],
        state=state,
    )


def paid_before(batch: Batch, book: Book) -> Ints | None:
    """What the system before paid of each tranche of a book in its participant's currency, MISSING_MONEY where nothing
    is said; None where it is of none."""
    series, parts, given = book.series, book.tranches, batch.opening_tranches
    if series.opening is None or parts is None or given is None or given.paid is None:
        return None
    found = np.full(parts.line.size, MISSING_MONEY, dtype=np.int64)
    mine = np.flatnonzero(series.opening[parts.line] >= 0)
    width = int(given.index.max(initial=0)) + 1
    keys = given.opening * width + given.index
    order = np.argsort(keys)
    wanted = series.opening[parts.line[mine]] * width + parts.index[mine]
    found[mine] = given.paid[order[np.searchsorted(keys[order], wanted)]]
    return found
