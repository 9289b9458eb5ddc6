"""From credits to lines: which credits a component takes, what each measures, and in which order.

Reversals stand among the lines from here on, since they may lower the running totals; what they take back is known
only when the lines have earned.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crediting.kernel.credit import Credited, Source
from crediting.kernel.exact import Whole, codes, merged, packed
from crediting.kernel.fields import FactRows
from payouts.kernel.batch import MILLIONTHS, OF_CREDIT, OF_OPENING, OF_REVERSAL, Batch, Ints
from payouts.kernel.cash import Cash
from payouts.kernel.clawback import Reversals, measure_taken, reversals, reversed_whole
from payouts.kernel.groups import (
    Lines,
    Reversed,
    Series,
    credited_or,
    grouped,
    ways_of,
)
from payouts.kernel.openings import Opened, covered, nothing_credited, with_openings
from payouts.kernel.order import Version
from payouts.kernel.spans import inside
from payouts.kernel.values import weighted
from payouts.kernel.variants import Variant
from plans.rules.compiled import OwnPeriods


def measure(
    batch: Batch,
    credited: Credited,
    versions: tuple[Version, ...],
    variant: Variant | None,
    cash: Cash,
    among: slice,
    opened: Opened | None = None,
) -> Series | None:
    """The lines of one component that are credits', `among` these rows (all of some people); None where it takes none
    of them and has no openings. `versions` hold those for overrides too, and `variant` says who has them."""
    lines = _of_credits(batch, credited, versions, variant, cash, among, opened)
    if opened is not None and opened.row.size:
        lines = with_openings(batch, credited, versions, nothing_credited() if lines is None else lines, opened)
    return None if lines is None else grouped(batch, credited, versions, variant, lines)


def _of_credits(
    batch: Batch,
    credited: Credited,
    versions: tuple[Version, ...],
    variant: Variant | None,
    cash: Cash,
    among: slice,
    opened: Opened | None,
) -> Lines | None:
    """The lines of credits in their order, with their reversals; None where there are none."""
    taken_by = codes([_taken_by(source, versions) for source in credited.sources])
    if not (taken_by >= 0).any():
        return None
    version = taken_by[credited.source[among]]
    rows = np.flatnonzero(version >= 0)
    version = version[rows]
    rows += among.start
    rows, version = _that_count(credited, versions, variant, rows, version)
    if opened is not None and opened.row.size:
        kept = ~covered(batch, credited, versions, opened, rows, version)
        rows, version = rows[kept], version[kept]
    if not rows.size:
        return None
    cadence_of, cadences = ways_of(versions)
    key, _ = packed(
        (
            (credited.person[rows], credited.people.size),
            (cadence_of[version], cadences),
            (credited.when[rows], credited.moments),
        )
    )
    # Credits stand by participant and role, each in the order wanted.
    order = merged(key)
    del key
    rows, version = rows[order], version[order]
    every = among if rows.size == among.stop - among.start and isinstance(order, slice) else None
    day = credited.credits.day[rows if every is None else every]
    lines = Lines(rows, version, day, _measured(credited, versions, rows, version), every)
    return _with_reversals(batch, credited, versions, variant, lines, cash)


def _taken_by(source: Source, versions: tuple[Version, ...]) -> int:
    """The place of the version that takes a source's credits line by line, -1 where none does."""
    for place, version in enumerate(versions):
        component = version.component
        if (
            source.plan == version.plan_place
            and component.measure.by == "credit"
            and source.credit_class in component.classes
            and source.role in component.roles
        ):
            return place
    return -1


def _that_count(
    credited: Credited, versions: tuple[Version, ...], variant: Variant | None, rows: Ints, version: Ints
) -> tuple[Ints, Ints]:
    """The rows that lie in a measure period and meet what their version asks of the fact and of the person."""
    for place, each in enumerate(versions):
        if isinstance(each.component.every, OwnPeriods):
            kept = (version != place) | inside(each.component.every, credited.credits.day[rows])
            rows, version = rows[kept], version[kept]
    if all(each.component.when is None and each.component.eligible is None for each in versions):
        return rows, version
    credits = credited.credits
    stated = version
    if variant is not None:
        stated = variant(version, credits.participant[rows], credits.day[rows])
    kept = np.ones(rows.size, dtype=bool)
    for place, each in enumerate(versions):
        when, eligible = each.component.when, each.component.eligible
        mine = np.flatnonzero(stated == place) if when is not None or eligible is not None else rows[:0]
        if not mine.size:
            continue
        fields = fields_of(credited, each, rows[mine])
        if when is not None:
            kept[mine] &= fields.mask(when)
        if eligible is not None:
            kept[mine] &= fields_of(credited, each, rows[mine], each.component.eligible_on).mask(eligible)
    return rows[kept], version[kept]


def fields_of(credited: Credited, version: Version, rows: Ints, person_day: int | None = None) -> FactRows:
    """The fields of credits as a version reads them, those of people as of a day where one is given."""
    credits = credited.credits
    fact, participant, day = (each[rows] for each in (credits.fact, credits.participant, credits.day))
    as_of = None if person_day is None else np.full(rows.size, person_day)
    return FactRows(credited.world, version.plan, fact, participant, day, as_of)


def _measured(credited: Credited, versions: tuple[Version, ...], rows: Ints, version: Ints) -> Ints | None:
    """What each credit measures, None where all measure their amount."""
    if all(each.component.measure.value == "sum" for each in versions):
        return None
    measured = credited.credits.amount[rows]
    for place, each in enumerate(versions):
        value = each.component.measure.value
        mine = np.flatnonzero(version == place) if value != "sum" else rows[:0]
        if mine.size and value == "count":
            measured[mine] = np.sign(measured[mine]) * MILLIONTHS
        elif mine.size:
            fields = fields_of(credited, each, rows[mine])
            measured[mine] = weighted(each.component.measure, each.plan, credited.world, fields, measured[mine])
    return measured


def _with_reversals(
    batch: Batch,
    credited: Credited,
    versions: tuple[Version, ...],
    variant: Variant | None,
    lines: Lines,
    cash: Cash,
) -> Lines:
    """The lines with their reversals in the order of credits; or, where a version says `recompute`, with what is
    reversed left out from the start."""
    if all(each.component.clawback is None for each in versions):
        return lines
    facts, credits = batch.facts, credited.credits
    fact = credits.fact[lines.row]
    deal = fact if facts.deal is None else facts.deal[fact]
    amount = credits.amount[lines.row]
    measured = amount if lines.measured is None else lines.measured
    stated = lines.version if variant is None else variant(lines.version, credits.participant[lines.row], lines.day)
    left, remaining = measured, amount
    found: list[tuple[int, Reversals, Ints]] = []
    for place, version in enumerate(versions):
        clawback = version.component.clawback
        mine = np.flatnonzero(stated == place) if clawback is not None else lines.row[:0]
        if clawback is None or not mine.size:
            continue
        rows, mode = reversals(clawback, cash, deal[mine], lines.day[mine]), version.plan.round_mode
        if not rows.line.size:
            continue
        if clawback.formula == "recompute":
            left, remaining = left.copy(), remaining.copy()
            left[mine] -= reversed_whole(rows, measured[mine], mode)
            remaining[mine] -= reversed_whole(rows, amount[mine], mode)
        else:
            lowers = measure_taken(rows, measured[mine], mode)
            lowered = -lowers if clawback.lowers_measure else np.zeros_like(lowers)
            found.append((place, replace(rows, line=mine[rows.line]), lowered))
    if left is not measured:
        lines = replace(lines, measured=left, amount=remaining)
    return _inserted(credited, versions, lines, left, found) if found else lines


def _inserted(
    credited: Credited,
    versions: tuple[Version, ...],
    lines: Lines,
    measured: Ints,
    found: list[tuple[int, Reversals, Ints]],
) -> Lines:
    """The lines with their reversals among them."""
    origin = np.concatenate([rows.line for _, rows, _ in found])
    own = credited.credits.fact[lines.row]
    row = np.concatenate((lines.row, lines.row[origin]))
    version = np.concatenate((lines.version, lines.version[origin]))
    day = np.concatenate((lines.day, *(rows.day for _, rows, _ in found)))
    fact = np.concatenate((own, *(rows.fact for _, rows, _ in found)))
    kind = np.repeat(np.array([OF_CREDIT, OF_REVERSAL], dtype=np.int8), [own.size, origin.size])
    cadence_of, _ = ways_of(versions)
    source = np.concatenate((np.arange(own.size), origin))
    order = np.lexsort((source, *_order(credited, row, day, fact, kind), cadence_of[version], credited.person[row]))
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    reversed_: list[Reversed] = []
    first = own.size
    for number, rows, _ in found:
        reversed_.append(Reversed(number, replace(rows, line=place[rows.line]), place[first : first + rows.line.size]))
        first += rows.line.size
    amount = lines.amount
    if amount is not None:
        amount = np.concatenate((amount, amount[origin]))[order]
    return Lines(
        row=row[order],
        version=version[order],
        day=day[order],
        measured=np.concatenate((measured, *(lowered for _, _, lowered in found)))[order],
        amount=amount,
        kind=kind[order],
        reversed=tuple(reversed_),
    )


def _order(credited: Credited, row: Ints, day: Ints, fact: Ints, kind: Whole) -> tuple[Whole, ...]:
    """Keys of the order of credits for np.lexsort: a reversal stands at the place of its own fact, with the split
    number, rule and role of the credit that it takes back."""
    credits = credited.credits
    return (
        kind,
        credits.role.codes[row],
        credits.rule[row],
        credits.split[row],
        _ranks(credited, fact),
        day,
        credited.replicate[row],
    )


def moments(credited: Credited, series: Series) -> Ints:
    """The place of each line in the order of credits, as `Credited.when` counts them: of a reversal that of the first
    credit after it, before which it stands; carried excess is behind all."""
    if series.kind is None:
        return credited.when[series.row]
    # An opening is before all.
    when = credited_or(credited.when, series.row, np.where(series.kind == OF_OPENING, -1, credited.moments))
    if not series.reversed:
        return when
    credits = credited.credits
    mine = np.concatenate([each.lines for each in series.reversed])
    row = np.concatenate((np.arange(credits.fact.size), series.row[mine]))
    day = np.concatenate((credits.day, series.day[mine]))
    fact = np.concatenate((credits.fact, *(each.rows.fact for each in series.reversed)))
    kind = np.repeat([OF_CREDIT, OF_REVERSAL], [credits.fact.size, mine.size])
    order = np.lexsort(_order(credited, row, day, fact, kind))
    following = np.where(kind == OF_CREDIT, credited.when[row], credited.moments)[order]
    following = np.minimum.accumulate(following[::-1])[::-1]
    found = np.empty_like(following)
    found[order] = following
    when[mine] = found[credits.fact.size :]
    return when


def _ranks(credited: Credited, fact: Ints) -> Ints:
    """The place of facts by event time, then source and external id."""
    facts = credited.world.facts
    known, place = np.unique(fact, return_inverse=True)
    order = np.lexsort((facts.rank[known], facts.event_time[known]))
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return rank[place]
