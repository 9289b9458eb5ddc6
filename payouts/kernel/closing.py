"""What follows when lines have earned: reversals, tranches, schedules and settlements."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from comp.core.rounding import Mode
from crediting.kernel.columns import MILLIONTHS
from crediting.kernel.credit import Credited
from payouts.kernel.amortise import schedules
from payouts.kernel.batch import (
    DATED,
    MISSING_DAY,
    MISSING_MONEY,
    OF_CARRY,
    OF_CREDIT,
    OF_REVERSAL,
    WAITING,
    Batch,
    Ints,
    Result,
    Schedules,
    Settlements,
    Tranches,
)
from payouts.kernel.book import Book
from payouts.kernel.clawback import taken
from payouts.kernel.measure import fields_of, pay_periods
from payouts.kernel.quotas import QuotaBook
from payouts.kernel.release import Due, Triggers, tranches
from payouts.kernel.settle import movements, settle
from plans.rules.compiled import Amortise


def reverse(batch: Batch, credited: Credited, triggers: Triggers, book: Book) -> None:
    """What each reversal takes back of the line that it reverses."""
    series = book.series
    if not series.reversed:
        return
    assert book.rounded is not None
    earned = book.earnings.copy()
    rounded = book.rounded.copy()
    deal = _deal(batch, credited, book)

    def numbers(field: str, rows: Ints) -> Ints:
        found: Ints = credited.world.column(field, "number")[rows]
        return found

    for each in series.reversed:
        version = series.versions[each.version]
        clawback = version.component.clawback
        assert clawback is not None
        mode, step = version.plan.round_mode, version.plan.round_step
        back, _ = taken(clawback, each.rows, earned, series.day, deal, numbers, triggers.cash, mode, step)
        rounded[each.lines] = earned[each.lines] = -back
    book.earned, book.rounded = earned, rounded


def _deal(batch: Batch, credited: Credited, book: Book) -> Ints:
    """The row of the deal that each line belongs to, -1 for none."""
    row, facts = book.series.row, batch.facts
    if book.series.kind is not None and book.series.value is not None:
        return np.full(row.size, -1, dtype=np.int64)
    fact = credited.credits.fact[row]
    if book.series.kind is not None:
        fact = np.where(row >= 0, fact, -1)
    return fact if facts.deal is None else np.where(fact >= 0, facts.deal[fact], -1)


def release(batch: Batch, credited: Credited, triggers: Triggers, book: Book) -> None:
    """The tranches of a book: those of reversals and carried excess on their days, all others by their entries."""
    series, kind = book.series, book.series.kind
    stretches = list(book.mine)
    special = None
    if kind is not None:
        special = np.flatnonzero((kind == OF_REVERSAL) | (kind == OF_CARRY))
    if special is not None and special.size:
        plain = (kind != OF_REVERSAL) & (kind != OF_CARRY)
        stretches = [np.flatnonzero(plain & (series.version == place)) for place in range(len(series.versions))]
    found = tranches(batch, _due(batch, credited, book, stretches), triggers)
    if special is not None and special.size:
        found = _with_special(batch, found, special, series.day[special], book.earnings[special])
    book.tranches = found


def _due(batch: Batch, credited: Credited, book: Book, stretches: list[Ints | slice]) -> Due:
    series, credits = book.series, credited.credits
    period_end = None
    if any(entry.on == "period_end" for version in series.versions for entry in version.component.release):
        period_end = np.empty_like(series.period)
        for version, mine in zip(series.versions, book.mine, strict=True):
            period_end[mine] = batch.periods[version.component.every][series.period[mine] + 1]
    held = credits.held
    if held is not None and (series.value is not None or not held.any()):
        held = None
    plain = series.kind is None
    return Due(
        versions=series.versions,
        stretches=stretches,
        earned=book.earnings,
        day=series.day,
        deal=_deal(batch, credited, book),
        participant=credits.participant[series.row] if plain else credited.people[series.person[series.group]],
        period_end=period_end,
        held=None if held is None else (held[series.row] == 1) & (series.row >= 0),
        withheld=book.withheld,
        not_before=book.not_before,
    )


def _with_special(batch: Batch, found: Tranches, line: Ints, day: Ints, amount: Ints) -> Tranches:
    """The tranches with one more for each of these lines, on its day."""
    nothing = np.zeros(line.size, dtype=np.int64)
    extra = Tranches(
        line, nothing, amount, day, day, pay_periods(batch.pay_periods, day, nothing), part=nothing, state=_dated(day)
    )
    full = replace(
        found,
        part=np.zeros(found.line.size, dtype=np.int64) if found.part is None else found.part,
        state=_dated(found.release_day) if found.state is None else found.state,
    )
    order = np.argsort(np.concatenate((found.line, line)), kind="stable")
    columns = {
        each.name: np.concatenate((getattr(full, each.name), getattr(extra, each.name)))[order]
        for each in fields(Tranches)
        if getattr(full, each.name) is not None
    }
    return Tranches(**columns)


def _dated(day: Ints) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    return np.where(day == MISSING_DAY, WAITING, DATED).astype(np.int8)


def scheduled(credited: Credited, books: list[Book]) -> Schedules | None:
    """The schedules of all lines that are spread over months, by line; None where no component says so."""
    found: list[Schedules] = []
    first_line = 0
    for book in books:
        for version, mine in zip(book.series.versions, book.mine, strict=True):
            amortise = version.component.amortise
            if amortise is not None:
                lines = np.arange(book.series.row.size)[mine]
                found.append(_spread(credited, book, lines, amortise, version.plan.round_mode, first_line))
        first_line += book.series.row.size
    if not found:
        return None
    columns = [np.concatenate([getattr(each, field.name) for each in found]) for field in fields(Schedules)]
    order = np.argsort(columns[0], kind="stable")
    return Schedules(*(column[order] for column in columns))


def _spread(credited: Credited, book: Book, lines: Ints, amortise: Amortise, mode: Mode, first_line: int) -> Schedules:
    series = book.series
    if series.kind is not None:
        lines = lines[series.kind[lines] != OF_REVERSAL]
    if isinstance(amortise.months, int):
        months = np.full(lines.size, amortise.months, dtype=np.int64)
    else:
        lines = lines[series.row[lines] >= 0]
        version = series.versions[int(series.version[lines[0]])] if lines.size else series.versions[0]
        term = fields_of(credited, version, series.row[lines]).column(amortise.months, "number")
        months = np.where(term == MISSING_MONEY, 0, term // MILLIONTHS)
    return schedules(amortise, lines + first_line, book.earnings[lines], series.day[lines], months, mode)


def settled(batch: Batch, quotas: QuotaBook, result: Result) -> Settlements | None:
    """The waterfall of a result, None where no plan has one."""
    if not any(plan.settlement for plan in batch.plans):
        return None
    groups, lines, parts = result.groups, result.lines, result.tranches
    plan = result.credits.plan[lines.credit] if lines.plan is None else lines.plan
    kind = np.full(lines.group.size, OF_CREDIT, dtype=np.int8) if lines.kind is None else lines.kind
    state = _dated(parts.release_day) if parts.state is None else parts.state
    moved = movements(
        batch,
        parts.line,
        (parts.amount, parts.pay_period, state.astype(np.int64)),
        (groups.participant[lines.group], plan, groups.replicate[lines.group], kind.astype(np.int64)),
    )

    return settle(batch, moved, quotas.active)
